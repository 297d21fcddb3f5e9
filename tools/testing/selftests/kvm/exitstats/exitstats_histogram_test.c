// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM exitstats: the histogram of the exits' durations. It has each exit once, in the bucket of
 * the cycles that the exit took from the guest. The guest, debugfs, the statistics and a saved
 * state show the same.
 */
#include <pthread.h>

#include "exitstats_ledger.h"
#include "exitstats_state.h"

#define NR_VCPUS	3
#define NR_EXITS	20
#define NR_BUCKETS	KVM_EXITSTATS_NR_BUCKETS
#define WITH_HISTOGRAM	(KVM_EXITSTATS_COUNT | KVM_EXITSTATS_HISTOGRAM)
#define OF_VCPU		KVM_EXITSTATS_SELECT_VCPU

/* A port that KVM emulates: the mask of the first PIC, which is unused here */
#define PIC_MASK	0x21

#define assert_errno(ret, err)						\
	TEST_ASSERT((ret) < 0 && errno == (err), #err " expected: %s", strerror(errno))

static u32 log2_of(u64 cycles)
{
	u32 b = 0;

	while (cycles >>= 1)
		b++;
	return b < NR_BUCKETS ? b : NR_BUCKETS - 1;
}

/* Guest code */
static u64 bucket_exits(u32 b, u32 reason, u32 of_vcpu)
{
	return exits_of(KVM_EXITSTATS_SELECT_BUCKET(b, reason) | of_vcpu);
}

static void guest_setup(void)
{
	x2apic_enable();
	guest_set_timer(APIC_LVT_TIMER_ONESHOT);
}

static void guest_halt(u32 nsec)
{
	x2apic_write_reg(APIC_TMICT, nsec);
	asm volatile("sti; hlt; cli" : : : "memory");
}

/* Sum a reason's buckets. Try again if exits for this reason occurred meanwhile. */
static u64 guest_sum_of_buckets(u32 reason, u32 of_vcpu)
{
	u64 exits, sum;
	u32 b;

	do {
		exits = exits_of(KVM_EXITSTATS_SELECT_REASON(reason) | of_vcpu);
		for (b = 0, sum = 0; b < NR_BUCKETS; b++)
			sum += bucket_exits(b, reason, of_vcpu);
	} while (exits != exits_of(KVM_EXITSTATS_SELECT_REASON(reason) | of_vcpu));
	__GUEST_ASSERT(sum == exits, "reason %u: %lu exits, %lu in buckets", reason, exits, sum);
	return sum;
}

/* A mix of exits: in the fastpath, in a handler, to userspace, halted */
static void guest_mix(void)
{
	u32 id, i, n = 0;

	guest_setup();
	id = x2apic_read_reg(APIC_ID);
	for (;;) {
		for (i = 0; i < NR_EXITS * (id + 1); i++) {
			read_leaf(0, 0);
			kvm_hypercall(KVM_HC_VAPIC_POLL_IRQ, 0, 0, 0, 0);
			flush_caches();
			port_read(PIC_MASK);
			memory_read(TEST_MEMORY + n++ % 64 * PAGE_SIZE);
		}
		for (i = 0; i <= id; i++) {
			port_write(TEST_PORT);
			halt_with_irq(id);
			memory_write(TEST_MMIO);
		}
		GUEST_SYNC(0);
		/* Reading causes no exits for these reasons. */
		guest_sum_of_buckets(EXIT_HYPERCALL, OF_VCPU);
		guest_sum_of_buckets(EXIT_FLUSH, OF_VCPU);
		guest_sum_of_buckets(EXIT_HLT, OF_VCPU);
		guest_sum_of_buckets(EXIT_HYPERCALL, 0);
		guest_sum_of_buckets(EXIT_IO, OF_VCPU);
	}
}

/* Host code: the file exitstats_histogram of a vCPU or of the VM */
struct histogram {
	u64 buckets[MAX_SLOTS][NR_BUCKETS];
	u64 total[NR_BUCKETS];
};

static int open_histogram(struct kvm_vm *vm, int vcpu_id)
{
	char path[160];

	table_path(vm, vcpu_id, path, sizeof(path) - 16);
	strcat(path, "_histogram");
	return open(path, O_RDONLY);
}

/* Parse the file. Anything that is not as documented fails the test. */
static void read_histogram(struct kvm_vm *vm, int vcpu_id, struct histogram *h)
{
	char line[256], reason[8], name[32], expected[32], from[16], to[16], end;
	FILE *file = fdopen(open_histogram(vm, vcpu_id), "r");
	u64 sum[NR_BUCKETS] = {}, exits;
	u32 slot, b, row, last = 0;

	TEST_ASSERT(file, "no histogram: %s", strerror(errno));
	memset(h, 0, sizeof(*h));
	TEST_ASSERT(fgets(line, sizeof(line), file) &&
		    sscanf(line, "reason name from to exits%c", &end) == 1 && end == '\n',
		    "header row: %s", line);

	while (fgets(line, sizeof(line), file)) {
		TEST_ASSERT(sscanf(line, "%7s %31s %15s %15s %lu%c", reason, name, from, to, &exits,
				   &end) == 6 && end == '\n' && exits, "row: %s", line);
		b = log2_of(strtoull(from, NULL, 10));
		snprintf(expected, sizeof(expected), "%llu", b ? 1ull << b : 0);
		TEST_ASSERT(!strcmp(from, expected), "row: %s", line);
		snprintf(expected, sizeof(expected), b == NR_BUCKETS - 1 ? "-" : "%llu",
			 (2ull << b) - 1);
		TEST_ASSERT(!strcmp(to, expected), "row: %s", line);

		/* "Other" comes first, and the total last. */
		if (!strcmp(reason, "total")) {
			TEST_ASSERT(!strcmp(name, "-"), "row: %s", line);
			row = MAX_SLOTS * NR_BUCKETS + b;
			h->total[b] = exits;
		} else {
			slot = parse_reason(reason);
			slot_name(slot, expected, sizeof(expected));
			TEST_ASSERT(slot < NR_SLOTS && !strcmp(name, expected), "row: %s", line);
			row = (slot == OTHER_SLOT ? 0 : slot + 1) * NR_BUCKETS + b;
			h->buckets[slot][b] = exits;
			sum[b] += exits;
		}
		TEST_ASSERT(row >= last, "not in order: %s", line);
		last = row + 1;
	}
	fclose(file);
	TEST_ASSERT(!memcmp(h->total, sum, sizeof(sum)), "the total is not the sum of the rows");
}

static u64 sum_of_row(const u64 *buckets)
{
	return sum_of(buckets, NR_BUCKETS);
}

/* Allocated, as they are large, and static data is in the guest's memory, too */
static struct histogram *one, *vm_histogram, *sum_of_vcpus;

static void alloc_histograms(void)
{
	one = calloc(3, sizeof(*one));
	vm_histogram = one + 1;
	sum_of_vcpus = one + 2;
}

FIXTURE(histogram) {
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpus[NR_VCPUS];
};

static void create_vm(FIXTURE_DATA(histogram) *self, u64 flags, void *guest)
{
	int i;

	self->vm = vm_create(NR_VCPUS);
	vm_enable_cap(self->vm, KVM_CAP_X86_EXITSTATS, flags);
	vm_userspace_mem_region_add(self->vm, VM_MEM_SRC_ANONYMOUS, TEST_MEMORY, 1, 64, 0);
	virt_map(self->vm, TEST_MEMORY, TEST_MEMORY, 64);
	virt_map(self->vm, TEST_MMIO, TEST_MMIO, 1);
	for (i = 0; i < NR_VCPUS; i++)
		self->vcpus[i] = vm_vcpu_add(self->vm, i, guest);
	vm_install_exception_handler(self->vm, TEST_VECTOR, guest_irq_handler);
}

FIXTURE_SETUP(histogram)
{
	alloc_histograms();
	create_vm(self, WITH_HISTOGRAM, guest_mix);
}

FIXTURE_TEARDOWN(histogram)
{
	kvm_vm_free(self->vm);
	free(one);
}

/* While the VM is stopped, each interface shows all of its exits in buckets. */
static void check_all(FIXTURE_DATA(histogram) *self)
{
	u64 log[NR_BUCKETS];
	struct stats stats;
	int i, slot, b;

	memset(sum_of_vcpus, 0, sizeof(*sum_of_vcpus));
	for (i = 0; i < NR_VCPUS; i++) {
		read_stats(self->vcpus[i], &stats);
		read_histogram(self->vm, i, one);
		for (slot = 0; slot < NR_SLOTS; slot++) {
			TEST_ASSERT(sum_of_row(one->buckets[slot]) == stats.exits_by_reason[slot],
				    "vCPU %d, reason %d: %lu exits, %lu in buckets", i, slot,
				    stats.exits_by_reason[slot], sum_of_row(one->buckets[slot]));
			for (b = 0; b < NR_BUCKETS; b++)
				sum_of_vcpus->buckets[slot][b] += one->buckets[slot][b];
		}
		TEST_ASSERT_EQ(sum_of_row(one->total), stats.exits);
		TEST_ASSERT(read_log_hist(self->vcpus[i], log), "no exit_cycles_hist");
		TEST_ASSERT(!memcmp(log, one->total, sizeof(log)),
			    "vCPU %d: exit_cycles_hist is not the total", i);
		for (b = 0; b < NR_BUCKETS; b++)
			sum_of_vcpus->total[b] += one->total[b];
	}
	read_histogram(self->vm, VM_TABLE, vm_histogram);
	TEST_ASSERT(!memcmp(vm_histogram, sum_of_vcpus, sizeof(*sum_of_vcpus)),
		    "the VM's histogram is not the sum of its vCPUs'");
}

TEST_F(histogram, adds_up)
{
	int i, round;

	check_all(self);
	for (round = 0; round < 3; round++) {
		for (i = 0; i < NR_VCPUS; i++) {
			TEST_ASSERT_EQ(run_guest(self->vcpus[i]), UCALL_SYNC);
			check_all(self);
		}
	}
	for (i = 0; i < NR_VCPUS; i++)
		assert_stats(self->vcpus[i]);
	TEST_ASSERT_EQ(sum_of_row(vm_histogram->buckets[EXIT_FLUSH]), 3 * NR_EXITS * (1 + 2 + 3));
	TEST_ASSERT_EQ(sum_of_row(vm_histogram->buckets[EXIT_HLT]), 3 * (1 + 2 + 3));
}

/* Stop after each exit to userspace. The last exit is in the bucket of its cycles so far. */
TEST_F(histogram, adds_up_in_userspace)
{
	struct ucall uc;
	int i;

	for (i = 0; i < 10; i++) {
		vcpu_run(self->vcpus[0]);
		get_ucall(self->vcpus[0], &uc);
		check_all(self);
	}
}

static bool stop;

static void *run_till_stop(void *arg)
{
	struct kvm_vcpu *vcpu = arg;

	while (!READ_ONCE(stop))
		run_guest(vcpu);
	return NULL;
}

/*
 * Exits only move to higher buckets: for each bucket, the number of exits in it and above never
 * decreases. @last has the numbers of the previous reading.
 */
static void assert_not_back(const u64 *buckets, u64 *last, const char *what)
{
	u64 sum = 0;
	int b;

	for (b = NR_BUCKETS - 1; b >= 0; b--) {
		sum += buckets[b];
		TEST_ASSERT(sum >= last[b] && buckets[b] < 1ull << 40,
			    "%s: %lu exits of 2^%d cycles and more, after %lu", what, sum, b,
			    last[b]);
		last[b] = sum;
	}
}

TEST_F(histogram, does_not_go_back_while_vcpus_run)
{
	u64 last_log[NR_BUCKETS] = {}, last_total[NR_BUCKETS] = {};
	u64 (*last)[NR_BUCKETS] = calloc(MAX_SLOTS, sizeof(*last));
	pthread_t threads[NR_VCPUS];
	struct stats before, after;
	u64 log[NR_BUCKETS], exits;
	int i, slot;

	WRITE_ONCE(stop, false);
	for (i = 0; i < NR_VCPUS; i++)
		pthread_create(&threads[i], NULL, run_till_stop, self->vcpus[i]);
	for (i = 0; i < 8; i++) {
		read_stats(self->vcpus[1], &before);
		TEST_ASSERT(read_log_hist(self->vcpus[1], log), "no exit_cycles_hist");
		read_stats(self->vcpus[1], &after);
		exits = sum_of_row(log);
		TEST_ASSERT(exits >= sum_slots(before.exits_by_reason) &&
			    exits <= sum_slots(after.exits_by_reason), "%lu exits, of %lu to %lu",
			    exits, sum_slots(before.exits_by_reason),
			    sum_slots(after.exits_by_reason));
		assert_not_back(log, last_log, "exit_cycles_hist");

		read_histogram(self->vm, VM_TABLE, vm_histogram);
		for (slot = 0; slot < NR_SLOTS; slot++)
			assert_not_back(vm_histogram->buckets[slot], last[slot], "debugfs");
		assert_not_back(vm_histogram->total, last_total, "debugfs");
		usleep(1000);
	}
	WRITE_ONCE(stop, true);
	for (i = 0; i < NR_VCPUS; i++)
		pthread_join(threads[i], NULL);
	check_all(self);
	free(last);
}

/*
 * Read in the guest while another vCPU exits. Hypercalls have ended when they are counted, so
 * none of their buckets ever decreases, and their sum is between two readings of the exits.
 */
static bool guest_stop;

static void guest_call(void)
{
	u64 value = 0;

	while (!READ_ONCE(guest_stop)) {
		kvm_hypercall(KVM_HC_VAPIC_POLL_IRQ, 0, 0, 0, 0);
		/* Slow the writer down at times, so that readers can keep up. */
		if (value++ % 64 == 0)
			port_read(PIC_MASK);
	}
	GUEST_DONE();
}

static void guest_read_beside(void)
{
	u64 last[NR_BUCKETS] = {}, before, after, sum, now;
	u32 b, i;

	for (i = 0; i < 20; i++) {
		before = exits_of(EXIT_HYPERCALL);
		for (b = 0, sum = 0; b < NR_BUCKETS; b++) {
			now = bucket_exits(b, EXIT_HYPERCALL, 0);
			__GUEST_ASSERT(now >= last[b], "bucket %u: %lu after %lu", b, now, last[b]);
			last[b] = now;
			sum += now;
			GUEST_ASSERT_EQ(bucket_exits(b, EXIT_HYPERCALL, OF_VCPU), 0);
		}
		after = exits_of(EXIT_HYPERCALL);
		__GUEST_ASSERT(sum >= before && sum <= after, "%lu exits in buckets, of %lu to %lu",
			       sum, before, after);
	}
	WRITE_ONCE(guest_stop, true);
	GUEST_DONE();
}

static void *run_till_done(void *vcpu)
{
	while (run_guest(vcpu) != UCALL_DONE)
		;
	return NULL;
}

TEST_F(histogram, does_not_go_back_for_a_guest)
{
	pthread_t threads[2];
	int i;

	vcpu_arch_set_entry_point(self->vcpus[0], guest_read_beside);
	vcpu_arch_set_entry_point(self->vcpus[1], guest_call);
	for (i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, run_till_done, self->vcpus[i]);
	for (i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	check_all(self);
}

/*
 * Cause one exit, and read the cycles that it took: exactly the bucket for them must grow, by one.
 * Try again if another exit for that reason occurs meanwhile, as when the host takes a page away.
 */
struct sample {
	u64 cycles;
	u64 halted, userspace;	/* cycles that were not part of it */
	u32 bucket;
};

#define take_sample(reason, insns)						\
({										\
	u32 __reason = (reason), __b, __nr, __tries = 0;			\
	u32 __own = KVM_EXITSTATS_SELECT_REASON(__reason) | OF_VCPU;		\
	u64 __buckets[NR_BUCKETS], __exits;					\
	struct sample __s = {};							\
										\
	do {									\
		GUEST_ASSERT(__tries++ < 20);					\
		__exits = exits_of(__own);					\
		for (__b = 0; __b < NR_BUCKETS; __b++)				\
			__buckets[__b] = bucket_exits(__b, __reason, OF_VCPU); \
		__s.halted = guest_time(KVM_EXITSTATS_ACCOUNT_HALTED);		\
		__s.userspace = guest_time(KVM_EXITSTATS_ACCOUNT_USERSPACE);	\
		__s.cycles = cycles_of(__own);					\
		insns;								\
		__s.cycles = cycles_of(__own) - __s.cycles;			\
		__s.halted = guest_time(KVM_EXITSTATS_ACCOUNT_HALTED) - __s.halted; \
		__s.userspace = guest_time(KVM_EXITSTATS_ACCOUNT_USERSPACE) -	\
				__s.userspace;					\
		for (__b = 0, __nr = 0; __b < NR_BUCKETS; __b++) {		\
			if (bucket_exits(__b, __reason, OF_VCPU) == __buckets[__b]) \
				continue;					\
			__s.bucket = __b;					\
			__nr++;							\
		}								\
	} while (exits_of(__own) != __exits + 1);				\
										\
	__GUEST_ASSERT(__nr == 1 && __s.bucket == log2_of(__s.cycles),		\
		       "an exit of %lu cycles, in %u buckets, bucket %u", __s.cycles, __nr, \
		       __s.bucket);						\
	__s;									\
})

/*
 * Write strings of bytes to the I/O APIC, which KVM emulates. Each string is one exit, in which KVM
 * handles byte after byte. Addresses other than the two registers have no effect.
 */
#define IOAPIC		0xfec00000ul
#define IOAPIC_NOTHING	(IOAPIC + 0x20)

static const u16 string_sizes[] = {
	1, 2, 4, 8, 16, 32, 64, 128, 224, 200, 160, 100, 80, 50, 40, 25, 20, 12, 10, 6, 5, 3,
};

#define NR_STRINGS	ARRAY_SIZE(string_sizes)

static struct sample guest_strings[NR_STRINGS];
static u32 guest_string_reason;

static void write_string(unsigned long address, unsigned long n)
{
	asm volatile("rep stosb" : "+D"(address), "+c"(n) : "a"(0) : "memory");
}

/* The exit reason of these writes depends on the paging mode and the CPU: find it. */
static u32 guest_find_reason(void)
{
	static const u32 vmx[] = {
		EXIT_REASON_EPT_MISCONFIG, EXIT_REASON_EPT_VIOLATION, EXIT_REASON_EXCEPTION_NMI,
	};
	static const u32 svm[] = { SVM_EXIT_NPF, SVM_EXIT_EXCP_BASE + PF_VECTOR };
	u64 before;
	u32 reason;
	int i;

	for (i = 0; i < by_vendor(ARRAY_SIZE(vmx), ARRAY_SIZE(svm)); i++) {
		reason = by_vendor(vmx[i], svm[i]);
		before = exits_of(reason);
		write_string(IOAPIC_NOTHING, 1);
		if (exits_of(reason) == before + 1)
			return reason;
	}
	__GUEST_ASSERT(false, "no exit for the I/O APIC, of %u reasons up to %u", i, reason);
	return 0;
}

/* Take several samples of each size. The shortest is the one with the least disturbance. */
static void guest_sample_strings(void)
{
	struct sample s;
	int i, pass;

	/* Warm up: the first access causes page faults. */
	write_string(IOAPIC_NOTHING, 1);
	s = take_sample(EXIT_HYPERCALL, kvm_hypercall(KVM_HC_VAPIC_POLL_IRQ, 0, 0, 0, 0));
	guest_string_reason = guest_find_reason();
	for (pass = 0; pass < 6; pass++) {
		for (i = 0; i < NR_STRINGS; i++) {
			s = take_sample(guest_string_reason,
					write_string(IOAPIC_NOTHING, string_sizes[i]));
			if (!pass || s.cycles < guest_strings[i].cycles)
				guest_strings[i] = s;
		}
	}
	GUEST_DONE();
}

/* Apart from the fixed cost of an exit, n bytes take n times as long as one byte. */
TEST_F(histogram, exits_of_known_times)
{
	u32 found = 0, nr = 0, i, b;
	struct sample *s = guest_strings;

	virt_map(self->vm, IOAPIC, IOAPIC, 1);
	vcpu_arch_set_entry_point(self->vcpus[0], guest_sample_strings);
	TEST_ASSERT_EQ(run_guest(self->vcpus[0]), UCALL_DONE);
	sync_global_from_guest(self->vm, guest_strings);
	sync_global_from_guest(self->vm, guest_string_reason);
	for (i = 0; i < NR_STRINGS; i++) {
		ksft_print_msg("exit %u, %3u bytes: %7lu cycles, bucket %u\n", guest_string_reason,
			       string_sizes[i], s[i].cycles, s[i].bucket);
		found |= 1u << s[i].bucket;
	}
	for (b = 0; b < NR_BUCKETS; b++)
		nr += found >> b & 1;
	TEST_ASSERT(nr >= 3, "exits in %u buckets only", nr);
	TEST_ASSERT(s[8].cycles > s[0].cycles * 2, "224 bytes take %lu cycles, one byte %lu",
		    s[8].cycles, s[0].cycles);

	/* The host reads them in the same buckets. */
	read_histogram(self->vm, 0, one);
	for (i = 0; i < NR_STRINGS; i++)
		TEST_ASSERT(one->buckets[guest_string_reason][s[i].bucket]-- >= 1,
			    "no exit of %lu cycles in debugfs", s[i].cycles);
}

/* Exits of other kinds are also in the buckets of their cycles. */
static struct sample guest_samples[5];

static void guest_sample_others(void)
{
	u64 value;

	guest_setup();
	guest_samples[0] = take_sample(EXIT_HYPERCALL,
				       kvm_hypercall(KVM_HC_VAPIC_POLL_IRQ, 0, 0, 0, 0));
	guest_samples[1] = take_sample(EXIT_FLUSH, flush_caches());
	guest_samples[2] = take_sample(EXIT_RDMSR, rdmsr_safe(MSR_IA32_VMX_BASIC - 1, &value));
	/* Neither halted time nor time in userspace is part of an exit. */
	guest_samples[3] = take_sample(EXIT_HLT, guest_halt(50000000));
	GUEST_SYNC(0);
	guest_samples[4] = take_sample(EXIT_IO, port_write(TEST_PORT));
	GUEST_DONE();
}

TEST_F(histogram, time_away_does_not_count)
{
	struct kvm_vcpu *vcpu = self->vcpus[0];
	u64 away = usec_to_tsc(vcpu, 40000);
	int i;

	vcpu_arch_set_entry_point(vcpu, guest_sample_others);
	TEST_ASSERT_EQ(run_guest(vcpu), UCALL_SYNC);
	vcpu_run(vcpu);
	TEST_ASSERT(vcpu->run->exit_reason == KVM_EXIT_IO && vcpu->run->io.port == TEST_PORT,
		    "KVM exit reason %u", vcpu->run->exit_reason);
	usleep(50000);
	TEST_ASSERT_EQ(run_guest(vcpu), UCALL_DONE);
	sync_global_from_guest(self->vm, guest_samples);

	for (i = 0; i < ARRAY_SIZE(guest_samples); i++)
		ksft_print_msg("%lu cycles: bucket %u; %lu halted, %lu in userspace\n",
			       guest_samples[i].cycles, guest_samples[i].bucket,
			       guest_samples[i].halted, guest_samples[i].userspace);
	TEST_ASSERT(guest_samples[3].halted > away && guest_samples[4].userspace > away,
		    "less than %lu cycles away", away);
	TEST_ASSERT(guest_samples[3].bucket < log2_of(guest_samples[3].halted) &&
		    guest_samples[4].bucket < log2_of(guest_samples[4].userspace),
		    "exits in the buckets of the time away");
	check_all(self);
}

/* The flag and the parameter, and a VM without a histogram */
static void guest_no_buckets(void)
{
	u32 b, n, leaf, selector;
	struct leaf r;

	for (b = 0; b <= NR_BUCKETS; b++) {
		for (n = 0; n < 4; n++) {
			leaf = KVM_EXITSTATS_LEAF_CYCLES + n % 2;
			selector = KVM_EXITSTATS_SELECT_BUCKET(b, EXIT_CPUID) |
				   (n / 2 ? OF_VCPU : 0);
			r = read_leaf(leaf, selector);
			__GUEST_ASSERT(!r.eax && !r.ebx && !r.ecx &&
				       r.edx == KVM_EXITSTATS_UNDEFINED,
				       "selector %x: %x %x %x %x", selector, r.eax, r.ebx, r.ecx,
				       r.edx);
		}
	}
	GUEST_DONE();
}

/* Buckets beyond the last one, and buckets of undefined reasons */
static void guest_undefined_buckets(void)
{
	static const u32 undefined[] = {
		KVM_EXITSTATS_SELECT_BUCKET(NR_BUCKETS, 0), KVM_EXITSTATS_SELECT_BUCKET(0, 0xffff),
		KVM_EXITSTATS_SELECT_BUCKET(0, 0x300), KVM_EXITSTATS_SELECT_BUCKET(31, 0x10a),
		KVM_EXITSTATS_SELECT_BUCKET(0, 0) - 1,
	};
	struct leaf r;
	u32 i;

	for (i = 0; i < 2 * ARRAY_SIZE(undefined); i++) {
		r = read_leaf(KVM_EXITSTATS_LEAF_EXITS, undefined[i / 2] | (i % 2 ? OF_VCPU : 0));
		__GUEST_ASSERT(!r.eax && !r.ebx && !r.ecx && r.edx == KVM_EXITSTATS_UNDEFINED,
			       "selector %x: %x %x %x %x", undefined[i / 2], r.eax, r.ebx, r.ecx,
			       r.edx);
	}
	/* Buckets have exits only. */
	for (i = 0; i < NR_BUCKETS; i++) {
		r = read_leaf(KVM_EXITSTATS_LEAF_CYCLES,
			      KVM_EXITSTATS_SELECT_BUCKET(i, EXIT_CPUID));
		__GUEST_ASSERT(!r.eax && !r.ebx && !r.ecx && !r.edx, "bucket %u: %x %x %x %x", i,
			       r.eax, r.ebx, r.ecx, r.edx);
	}
	GUEST_ASSERT(guest_sum_of_buckets(EXIT_HYPERCALL, 0) == 0);
	GUEST_DONE();
}

TEST_F(histogram, undefined_buckets)
{
	vcpu_arch_set_entry_point(self->vcpus[0], guest_undefined_buckets);
	run_to_done(self->vcpus[0]);
}

/* A VM with one vCPU; @flags are negative if the VMM does not decide. */
static struct kvm_vcpu *create_one(struct kvm_vm **vm, int flags, void *guest)
{
	*vm = vm_create(1);
	if (flags >= 0)
		vm_enable_cap(*vm, KVM_CAP_X86_EXITSTATS, flags);
	return vm_vcpu_add(*vm, 0, guest);
}

/* Does such a VM have a histogram? Check that all interfaces agree. */
static bool has_histogram(int flags)
{
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpu = create_one(&vm, flags, guest_no_buckets);
	u64 log[NR_BUCKETS];
	bool has = read_log_hist(vcpu, log);
	int i, fd;

	for (i = VM_TABLE; i <= 0; i++) {
		fd = open_histogram(vm, i);
		TEST_ASSERT((fd >= 0) == has, "file %d: %s", i, strerror(errno));
		if (fd >= 0)
			close(fd);
	}
	if (!has && flags) {
		run_to_done(vcpu);
		TEST_ASSERT(!read_log_hist(vcpu, log), "a histogram after the vCPU has run");
	}
	kvm_vm_free(vm);
	return has;
}

/* Restore the parameters however the test ends, as later tests need them. */
static bool hist_parameter;

static void set_parameters(void)
{
	set_parameter(PARAMETER, true);
	set_parameter(HIST_PARAMETER, hist_parameter);
}

TEST(only_for_who_asks)
{
	struct kvm_vm *vm;
	int hist, i;

	for (hist = 0; hist <= 1; hist++) {
		set_parameter(HIST_PARAMETER, hist);
		TEST_ASSERT_EQ(get_kvm_param_bool("exitstats_hist"), hist);
		/* The VMM decides ... */
		TEST_ASSERT(!has_histogram(0), "a VM that does not count");
		TEST_ASSERT(!has_histogram(KVM_EXITSTATS_COUNT), "without the flag");
		TEST_ASSERT(!has_histogram(KVM_EXITSTATS_COUNT | KVM_EXITSTATS_CPL0),
			    "without the flag");
		TEST_ASSERT(has_histogram(WITH_HISTOGRAM), "with the flag");
		TEST_ASSERT(has_histogram(WITH_HISTOGRAM | KVM_EXITSTATS_CPL0), "with the flag");
		/* ... or the parameter, for VMs that count. */
		TEST_ASSERT_EQ(has_histogram(-1), hist);
	}
	/* The parameter has no effect on a VM that does not count. */
	set_parameter(PARAMETER, false);
	vm = vm_create(1);
	vm_vcpu_add(vm, 0, guest_mix);
	for (i = VM_TABLE; i <= 0; i++)
		TEST_ASSERT(open_histogram(vm, i) < 0 && errno == ENOENT, "file %d", i);
	kvm_vm_free(vm);
	set_parameters();
}

TEST(statistics_are_described)
{
	struct kvm_vm *with_vm, *without_vm;
	struct stats_file with, without;
	struct kvm_stats_desc *desc;

	with = open_stats(create_one(&with_vm, WITH_HISTOGRAM, guest_mix));
	without = open_stats(create_one(&without_vm, KVM_EXITSTATS_COUNT, guest_mix));

	/* The histogram is one more statistic, after all others. */
	TEST_ASSERT_EQ(with.header.num_desc, without.header.num_desc + 1);
	TEST_ASSERT(!memcmp(with.descs, without.descs, size_of_descs(&without)),
		    "the other statistics differ");
	desc = stat_desc(&with, without.header.num_desc);
	TEST_ASSERT(!strcmp(desc->name, "exit_cycles_hist"), "%s", desc->name);
	TEST_ASSERT_EQ(desc->flags, KVM_STATS_TYPE_LOG_HIST | KVM_STATS_UNIT_CYCLES |
				    KVM_STATS_BASE_POW10);
	TEST_ASSERT_EQ(desc->exponent, 0);
	TEST_ASSERT_EQ(desc->size, NR_LOG_BUCKETS);
	TEST_ASSERT_EQ(desc->bucket_size, 0);
	desc = stat_desc(&with, without.header.num_desc - 1);
	TEST_ASSERT_EQ(desc->offset + sizeof(u64),
		       stat_desc(&with, without.header.num_desc)->offset);

	close_stats(&with);
	close_stats(&without);
	kvm_vm_free(with_vm);
	kvm_vm_free(without_vm);
}

/* Saving and restoring */
static u64 guest_buckets[NR_BUCKETS];

static void guest_flush(void)
{
	int i;

	for (;;) {
		for (i = 0; i < NR_BUCKETS; i++)
			guest_buckets[i] = bucket_exits(i, EXIT_FLUSH, 0);
		GUEST_SYNC(0);
		for (i = 0; i < NR_EXITS; i++)
			flush_caches();
	}
}

static const u64 *next_buckets(struct kvm_vcpu *vcpu)
{
	TEST_ASSERT_EQ(run_guest(vcpu), UCALL_SYNC);
	sync_global_from_guest(vcpu->vm, guest_buckets);
	return guest_buckets;
}

static bool is_bucket(u32 selector)
{
	return selector >= KVM_EXITSTATS_SELECT_BUCKET(0, 0) &&
	       selector < KVM_EXITSTATS_SELECT_BUCKET(NR_BUCKETS, 0);
}

/* Each reason's buckets add up to its exits, and none is negative. */
static void assert_state_adds_up(const struct state *state)
{
	u64 sums[MAX_SLOTS] = {}, exits[MAX_SLOTS] = {};
	const struct kvm_exitstats_entry *e = state->entries;
	u32 i, nr = 0;

	for (i = 0; i < state->header.nr; i++, e++) {
		if (is_bucket(e->selector)) {
			TEST_ASSERT(e->exits && e->exits < 1ull << 40 && !e->cycles &&
				    !e->longest && !e->reserved, "selector %x: %llu exits",
				    e->selector, e->exits);
			sums[e->selector & 0xffff] += e->exits;
			nr++;
		} else if (e->selector >> 16 == KVM_EXITSTATS_SELECT_REASON(0) >> 16) {
			exits[e->selector & 0xffff] = e->exits;
		}
	}
	TEST_ASSERT(!memcmp(sums, exits, sizeof(sums)), "buckets do not add up to exits");
	TEST_ASSERT(nr, "no buckets");
}

FIXTURE(saved) {
	struct kvm_vm *vm, *fresh_vm, *plain_vm;
	struct kvm_vcpu *vcpu;		/* has run */
	struct kvm_vcpu *fresh;		/* of another VM, has not run */
	struct kvm_vcpu *plain;		/* like fresh, but without a histogram */
};

FIXTURE_SETUP(saved)
{
	self->vcpu = create_one(&self->vm, WITH_HISTOGRAM, guest_flush);
	TEST_ASSERT_EQ(sum_of_row(next_buckets(self->vcpu)), 0);
	TEST_ASSERT_EQ(sum_of_row(next_buckets(self->vcpu)), NR_EXITS);
	self->fresh = create_one(&self->fresh_vm, WITH_HISTOGRAM, guest_flush);
	self->plain = create_one(&self->plain_vm, KVM_EXITSTATS_COUNT, guest_flush);
}

FIXTURE_TEARDOWN(saved)
{
	kvm_vm_free(self->vm);
	kvm_vm_free(self->fresh_vm);
	kvm_vm_free(self->plain_vm);
}

TEST_F(saved, continues_elsewhere)
{
	u64 source[NR_BUCKETS], log[NR_BUCKETS];
	struct state saved, restored;
	int b;

	memcpy(source, guest_buckets, sizeof(source));
	must_get(self->vcpu, &saved);
	assert_state_adds_up(&saved);
	for (b = 0; b < NR_BUCKETS; b++)
		TEST_ASSERT_EQ(find_entry(&saved, KVM_EXITSTATS_SELECT_BUCKET(b, EXIT_FLUSH)).exits,
			       source[b]);

	must_set(self->fresh, &saved);
	must_get(self->fresh, &restored);
	TEST_ASSERT(!memcmp(&saved, &restored, sizeof(saved)), "restored is not what was saved");
	/* The host's statistics are only about this host. */
	TEST_ASSERT(read_log_hist(self->fresh, log) && !sum_of_row(log), "it is in the statistics");

	TEST_ASSERT(!memcmp(next_buckets(self->fresh), source, sizeof(source)),
		    "the guest reads something else");
	TEST_ASSERT_EQ(sum_of_row(next_buckets(self->fresh)), 2 * NR_EXITS);
	for (b = 0; b < NR_BUCKETS; b++)
		TEST_ASSERT(guest_buckets[b] >= source[b], "bucket %d goes back", b);
	must_get(self->fresh, &restored);
	assert_state_adds_up(&restored);
}

/* loadvm: since the state was saved, the VM has run, and stopped in the middle of an exit. */
TEST_F(saved, returns_to_what_was_saved)
{
	struct state saved, restored;
	u32 round, i;

	must_get(self->vcpu, &saved);
	for (round = 0; round < 5; round++) {
		TEST_ASSERT_EQ(sum_of_row(next_buckets(self->vcpu)), 2 * NR_EXITS);
		must_set(self->vcpu, &saved);
		must_get(self->vcpu, &restored);
		assert_state_adds_up(&restored);
		TEST_ASSERT_EQ(restored.header.nr, saved.header.nr);
		for (i = 0; i < saved.header.nr; i++)
			TEST_ASSERT(saved.entries[i].selector == restored.entries[i].selector &&
				    saved.entries[i].exits == restored.entries[i].exits,
				    "selector %x: %llu exits, restored %llu",
				    saved.entries[i].selector, saved.entries[i].exits,
				    restored.entries[i].exits);
		sum_of_buckets(self->vcpu);
	}
}

/* Restore zeros in the middle of an exit, which is in another bucket when it ends. */
TEST_F(saved, exit_that_was_not_over)
{
	struct state state;
	struct ucall uc;
	int i, j, k;

	for (i = 0; i < 20; i++) {
		init_state(&state);
		must_set(self->vcpu, &state);
		/* The longer it takes, the more likely it moves. */
		for (j = 0; j < i; j++) {
			self->vcpu->run->immediate_exit = 1;
			TEST_ASSERT(__vcpu_run(self->vcpu) && errno == EINTR, "run: %s",
				    strerror(errno));
			self->vcpu->run->immediate_exit = 0;
			must_get(self->vcpu, &state);
			for (k = 0; k < state.header.nr; k++)
				TEST_ASSERT(!is_bucket(state.entries[k].selector),
					    "selector %x: %lld exits", state.entries[k].selector,
					    state.entries[k].exits);
		}
		vcpu_run(self->vcpu);
		get_ucall(self->vcpu, &uc);
		must_get(self->vcpu, &state);
		assert_state_adds_up(&state);
	}
}

TEST_F(saved, longest_is_restored)
{
	u32 selector = KVM_EXITSTATS_SELECT_REASON(EXIT_FLUSH), bucket;
	struct state state, got;

	must_get(self->vcpu, &state);
	TEST_ASSERT(find_entry(&state, selector).longest, "no longest exit");
	must_set(self->fresh, &state);
	must_get(self->fresh, &got);
	TEST_ASSERT_EQ(find_entry(&got, selector).longest, find_entry(&state, selector).longest);
	/* The bucket of the saved longest exit is not empty. */
	bucket = KVM_EXITSTATS_SELECT_BUCKET(log2_of(find_entry(&got, selector).longest),
					     EXIT_FLUSH);
	TEST_ASSERT(find_entry(&got, bucket).exits, "no exit in the longest one's bucket");
	init_state(&state);
	add_entry(&state, selector, 1, 10, 7);
	add_entry(&state, KVM_EXITSTATS_SELECT_BUCKET(2, EXIT_FLUSH), 1, 0, 0);
	must_set(self->fresh, &state);
	must_get(self->fresh, &got);
	TEST_ASSERT_EQ(find_entry(&got, selector).longest, 7);
}

TEST_F(saved, refuses_what_is_not_valid)
{
	u32 flush = KVM_EXITSTATS_SELECT_REASON(EXIT_FLUSH), i;
	struct state good, state, got, plain;

	init_state(&good);
	add_entry(&good, flush, 10, 1000, 500);
	add_entry(&good, KVM_EXITSTATS_SELECT_BUCKET(3, EXIT_FLUSH), 4, 0, 0);
	add_entry(&good, KVM_EXITSTATS_SELECT_BUCKET(31, EXIT_FLUSH), 6, 0, 0);
	must_set(self->fresh, &good);

	/* A state with a histogram for a VM without one, and vice versa */
	assert_errno(set_state(self->plain, &good), EINVAL);
	init_state(&plain);
	add_entry(&plain, flush, 10, 1000, 500);
	must_set(self->plain, &plain);
	assert_errno(set_state(self->fresh, &plain), EINVAL);
	must_get(self->vcpu, &state);
	assert_errno(set_state(self->plain, &state), EINVAL);
	must_get(self->plain, &state);
	for (i = 0; i < state.header.nr; i++)
		TEST_ASSERT(!is_bucket(state.entries[i].selector), "a bucket without a histogram");

	/* A bucket with an exit too many or too few, or of the wrong reason */
	for (i = 0; i < 8; i++) {
		state = good;
		switch (i) {
		case 0:
			state.entries[1].exits++;
			break;
		case 1:
			state.entries[0].exits++;
			break;
		case 2:
			state.entries[2].exits--;
			break;
		case 3:
			state.entries[1].selector = KVM_EXITSTATS_SELECT_BUCKET(3, EXIT_CPUID);
			break;
		case 4:
			state.entries[1].cycles = 1;
			break;
		case 5:
			state.entries[1].longest = 1;
			break;
		case 6:
			state.entries[1].reserved = 1;
			break;
		case 7:
			state.header.nr--;
			break;
		}
		assert_errno(set_state(self->fresh, &state), EINVAL);
	}
	for (i = 0; i < 3; i++) {
		static const u32 selectors[] = {
			KVM_EXITSTATS_SELECT_BUCKET(NR_BUCKETS, 0),
			KVM_EXITSTATS_SELECT_BUCKET(0, 0) - 1,
			KVM_EXITSTATS_SELECT_BUCKET(3, 0) | OF_VCPU,
		};

		state = good;
		add_entry(&state, selectors[i], 0, 0, 0);
		assert_errno(set_state(self->fresh, &state), EINVAL);
	}

	/* None of these calls had an effect. */
	must_get(self->fresh, &got);
	TEST_ASSERT_EQ(got.header.nr, 3);
	TEST_ASSERT_EQ(find_entry(&got, flush).exits, 10);
	TEST_ASSERT_EQ(find_entry(&got, good.entries[1].selector).exits, 4);
	TEST_ASSERT_EQ(find_entry(&got, good.entries[2].selector).exits, 6);

	/* Entries of one bucket add up. Buckets of a reason that KVM does not know are dropped. */
	state = good;
	state.entries[1].exits = 1;
	add_entry(&state, state.entries[1].selector, 3, 0, 0);
	add_entry(&state, KVM_EXITSTATS_SELECT_BUCKET(5, 0xfff), 123, 0, 0);
	must_set(self->fresh, &state);
	must_get(self->fresh, &got);
	TEST_ASSERT_EQ(got.header.nr, 3);
	TEST_ASSERT_EQ(find_entry(&got, good.entries[1].selector).exits, 4);
}

/* A state that is saved while the vCPU runs, at any moment, can be restored. */
TEST_F(saved, while_it_runs)
{
	/* Save it with another vCPU, as KVM_RUN holds the first one's mutex. */
	struct kvm_vcpu *second = vm_vcpu_add(self->vm, 1, guest_flush);
	struct state state;
	pthread_t thread;
	int i;

	WRITE_ONCE(stop, false);
	pthread_create(&thread, NULL, run_till_stop, self->vcpu);
	for (i = 0; i < 20; i++) {
		must_get(second, &state);
		assert_state_adds_up(&state);
		must_set(self->fresh, &state);
		usleep(500);
	}
	WRITE_ONCE(stop, true);
	pthread_join(thread, NULL);
}

int main(int argc, char *argv[])
{
	require_exitstats();
	require_debugfs();
	__TEST_REQUIRE(!access(HIST_PARAMETER, W_OK), "cannot write " HIST_PARAMETER ": not root");
	hist_parameter = get_kvm_param_bool("exitstats_hist");
	atexit(set_parameters);
	return test_harness_run(argc, argv);
}
