/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Read a vCPU's ledger in the host and in the guest, for the tests of KVM exitstats about
 * time. For both vendors.
 */
#ifndef SELFTEST_KVM_EXITSTATS_LEDGER_H
#define SELFTEST_KVM_EXITSTATS_LEDGER_H

#include <sched.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include <linux/userfaultfd.h>

#include "exitstats_debugfs.h"

/* KVM_EXITSTATS_ACCOUNT_ALL to _ASLEEP together have all of a vCPU's time. */
#define NR_TIMES	6

static const char *const time_names[NR_TIMES] = {
	"exit", "guest", "userspace", "halted", "preempted", "asleep",
};

/* Read the TSC in order with the instructions before and after. */
static inline u64 tsc(void)
{
	u32 lo, hi;

	asm volatile("lfence; rdtsc; lfence" : "=a"(lo), "=d"(hi) : : "memory");
	return make_u64(hi, lo);
}

/*
 * Stay in the guest. Keep interrupts enabled, as Bochs does not exit for the host's
 * interrupts while the guest has them disabled.
 */
static inline void guest_spin(u64 cycles)
{
	u64 end = tsc() + cycles;

	asm volatile("sti");
	while (tsc() < end)
		;
	asm volatile("cli");
}

/* What guest_main() does between two GUEST_SYNC()s */
static void (*guest_step)(void);

static inline void guest_main(void)
{
	x2apic_enable();
	for (;;) {
		GUEST_SYNC(0);
		guest_step();
	}
}

static inline void set_guest_step(struct kvm_vm *vm, void (*step)(void))
{
	guest_step = step;
	sync_global_to_guest(vm, guest_step);
}

static inline u64 guest_time(u32 account)
{
	return cycles_of(KVM_EXITSTATS_SELECT_ACCOUNT(account) | KVM_EXITSTATS_SELECT_VCPU);
}

/* The statistics file of a vCPU, and pointers to the figures in its data */
struct ledger {
	int fd;
	u64 *data;
	off_t offset;		/* of the data in the file */
	size_t size;
	u32 nr_buckets;
	u64 *exits, *times[NR_TIMES], *longest, *exits_by_reason, *cycles_by_reason;
};

/* The figures of one moment, which is between the TSC values before and after */
struct reading {
	u64 before, after;
	u64 exits;		/* KVM's own counter */
	u64 times[NR_TIMES];
	u64 longest;
	u64 exits_by_reason[MAX_SLOTS];
	u64 cycles_by_reason[MAX_SLOTS];
};

static inline u64 *ledger_find(struct ledger *ledger, struct stats_file *file, const char *name,
			       u32 *nr)
{
	struct kvm_stats_desc *desc = find_stat_desc(file, name);

	TEST_ASSERT(desc, "no statistic %s", name);
	*nr = desc->size;
	return ledger->data + desc->offset / sizeof(u64);
}

static inline void ledger_open(struct ledger *ledger, struct kvm_vcpu *vcpu)
{
	struct stats_file file = open_stats(vcpu);
	struct kvm_stats_desc *desc;
	char name[32];
	u32 nr;
	int i;

	memset(ledger, 0, sizeof(*ledger));
	ledger->fd = file.fd;
	for (i = 0; i < file.header.num_desc; i++) {
		desc = stat_desc(&file, i);
		ledger->size = max(ledger->size, desc->offset + desc->size * sizeof(u64));
	}
	ledger->offset = file.header.data_offset;
	ledger->data = calloc(1, ledger->size);

	ledger->exits = ledger_find(ledger, &file, "exits", &nr);
	for (i = 0; i < NR_TIMES; i++) {
		snprintf(name, sizeof(name), "%s_cycles", time_names[i]);
		ledger->times[i] = ledger_find(ledger, &file, name, &nr);
	}
	ledger->longest = ledger_find(ledger, &file, "longest_exit_cycles", &nr);
	ledger->exits_by_reason = ledger_find(ledger, &file, "exits_by_reason", &nr);
	ledger->cycles_by_reason = ledger_find(ledger, &file, "cycles_by_reason", &nr);
	TEST_ASSERT(nr <= MAX_SLOTS, "%u exit reasons", nr);
	ledger->nr_buckets = nr;
	free(file.descs);
}

static inline void ledger_close(struct ledger *ledger)
{
	close(ledger->fd);
	free(ledger->data);
}

/* One read() returns a consistent snapshot. */
static inline void ledger_read(struct ledger *ledger, struct reading *r)
{
	ssize_t n;
	int i;

	memset(r, 0, sizeof(*r));
	r->before = tsc();
	n = pread(ledger->fd, ledger->data, ledger->size, ledger->offset);
	r->after = tsc();
	TEST_ASSERT(n == ledger->size, "statistics: %zd bytes of %zu", n, ledger->size);

	r->exits = *ledger->exits;
	for (i = 0; i < NR_TIMES; i++)
		r->times[i] = *ledger->times[i];
	r->longest = *ledger->longest;
	for (i = 0; i < ledger->nr_buckets; i++) {
		r->exits_by_reason[i] = ledger->exits_by_reason[i];
		r->cycles_by_reason[i] = ledger->cycles_by_reason[i];
	}
}

/* Convert microseconds to TSC cycles of this host. */
static inline u64 usec_to_tsc(struct kvm_vcpu *vcpu, u64 usec)
{
	return (u64)__vcpu_ioctl(vcpu, KVM_GET_TSC_KHZ, NULL) * usec / 1000;
}

/* The guest's TSC minus the host's */
static inline u64 tsc_offset(struct kvm_vcpu *vcpu)
{
	u64 offset;

	vcpu_device_attr_get(vcpu, KVM_VCPU_TSC_CTRL, KVM_VCPU_TSC_OFFSET, &offset);
	return offset;
}

/* Move thread @tid, or this one if 0, to the @i-th CPU in @allowed. */
static inline void move_to_cpu(pid_t tid, const cpu_set_t *allowed, int i)
{
	cpu_set_t set;
	int cpu;

	for (cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (CPU_ISSET(cpu, allowed) && !i--)
			break;
	}
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	TEST_ASSERT(!sched_setaffinity(tid, sizeof(set), &set), "CPU %d: %s", cpu,
		    strerror(errno));
}

/*
 * Register host memory whose pages are missing: a fault on it waits for late_answer().
 * Return a userfaultfd, or a negative error number if this host has none.
 */
static inline int late_open(void *memory, size_t size)
{
	struct uffdio_register range = {
		.range = { .start = (unsigned long)memory, .len = size },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	struct uffdio_api api = { .api = UFFD_API };
	int fd = syscall(__NR_userfaultfd, O_CLOEXEC);

	if (fd < 0)
		return -errno;
	TEST_ASSERT(!ioctl(fd, UFFDIO_API, &api), "UFFDIO_API: %s", strerror(errno));
	TEST_ASSERT(!ioctl(fd, UFFDIO_REGISTER, &range), "UFFDIO_REGISTER: %s", strerror(errno));
	return fd;
}

/* Wait for a fault, let @usec pass, and fill the page. Return the cycles that passed. */
static inline u64 late_answer(int fd, u64 usec)
{
	static u8 page[PAGE_SIZE];
	struct uffdio_copy copy = { .src = (unsigned long)page, .len = PAGE_SIZE };
	struct uffd_msg msg;
	u64 start;

	TEST_ASSERT(read(fd, &msg, sizeof(msg)) == sizeof(msg) &&
		    msg.event == UFFD_EVENT_PAGEFAULT, "userfaultfd: event %u, %s", msg.event,
		    strerror(errno));
	start = tsc();
	usleep(usec);
	start = tsc() - start;
	copy.dst = msg.arg.pagefault.address & PAGE_MASK;
	TEST_ASSERT(!ioctl(fd, UFFDIO_COPY, &copy), "UFFDIO_COPY: %s", strerror(errno));
	return start;
}

#endif /* SELFTEST_KVM_EXITSTATS_LEDGER_H */
