/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shared by the tests of KVM exitstats: reading the leaves in a guest, reading KVM's
 * statistics of a vCPU in the host, and comparing the two.
 */
#ifndef SELFTEST_KVM_EXITSTATS_UTIL_H
#define SELFTEST_KVM_EXITSTATS_UTIL_H

#include <fcntl.h>

#include <asm/svm.h>
#include <linux/kvm_exitstats.h>
#include <linux/kvm_para.h>

#include "apic.h"
#include "exitstats_defined.h"
#include "kvm_test_harness.h"
#include "kvm_util.h"
#include "processor.h"
#include "test_util.h"
#include "vmx.h"

/* For guest and host code: expectations depend on the host's CPU. */
#define by_vendor(vmx, svm)	(host_cpu_is_intel ? (vmx) : (svm))

/* The exit reason of an instruction or an access, on VMX and on SVM */
#define EXIT_CPUID	by_vendor(EXIT_REASON_CPUID, SVM_EXIT_CPUID)
#define EXIT_IO		by_vendor(EXIT_REASON_IO_INSTRUCTION, SVM_EXIT_IOIO)
#define EXIT_RDMSR	by_vendor(EXIT_REASON_MSR_READ, SVM_EXIT_MSR)
#define EXIT_WRMSR	by_vendor(EXIT_REASON_MSR_WRITE, SVM_EXIT_MSR)
#define EXIT_HLT	by_vendor(EXIT_REASON_HLT, SVM_EXIT_HLT)
#define EXIT_HYPERCALL	by_vendor(EXIT_REASON_VMCALL, SVM_EXIT_VMMCALL)
#define EXIT_FLUSH	by_vendor(EXIT_REASON_INVD, SVM_EXIT_WBINVD)
#define EXIT_XSETBV	by_vendor(EXIT_REASON_XSETBV, SVM_EXIT_XSETBV)
#define EXIT_RDPMC	by_vendor(EXIT_REASON_RDPMC, SVM_EXIT_RDPMC)
#define EXIT_MONITOR	by_vendor(EXIT_REASON_MONITOR_INSTRUCTION, SVM_EXIT_MONITOR)
#define EXIT_MWAIT	by_vendor(EXIT_REASON_MWAIT_INSTRUCTION, SVM_EXIT_MWAIT)
#define EXIT_INVLPG	by_vendor(EXIT_REASON_INVLPG, SVM_EXIT_INVLPG)
#define EXIT_READ_CR3	by_vendor(EXIT_REASON_CR_ACCESS, SVM_EXIT_READ_CR3)
#define EXIT_WRITE_CR3	by_vendor(EXIT_REASON_CR_ACCESS, SVM_EXIT_WRITE_CR3)
#define EXIT_READ_DR7	by_vendor(EXIT_REASON_DR_ACCESS, SVM_EXIT_READ_DR7)
#define EXIT_WRITE_DR7	by_vendor(EXIT_REASON_DR_ACCESS, SVM_EXIT_WRITE_DR7)
#define EXIT_UD		by_vendor(EXIT_REASON_EXCEPTION_NMI, SVM_EXIT_EXCP_BASE + UD_VECTOR)
#define EXIT_INTERRUPT	by_vendor(EXIT_REASON_EXTERNAL_INTERRUPT, SVM_EXIT_INTR)
#define EXIT_NMI_WINDOW	by_vendor(EXIT_REASON_NMI_WINDOW, SVM_EXIT_IRET)
#define EXIT_SHUTDOWN	by_vendor(EXIT_REASON_TRIPLE_FAULT, SVM_EXIT_SHUTDOWN)
/* Accesses to an unmapped page, without and with nested paging, and to no memory */
#define EXIT_PAGE_FAULT	by_vendor(EXIT_REASON_EXCEPTION_NMI, SVM_EXIT_EXCP_BASE + PF_VECTOR)
#define EXIT_NESTED	by_vendor(EXIT_REASON_EPT_VIOLATION, SVM_EXIT_NPF)
#define EXIT_MMIO	by_vendor(EXIT_REASON_EPT_MISCONFIG, SVM_EXIT_NPF)

/* Exit reasons are below NR_REASONS. A slot is an exit reason, or the last one: "other". */
#define NR_REASONS	by_vendor(86, SVM_EXIT_VMGEXIT + 1)
#define NR_SLOTS	(NR_REASONS + 1)
#define OTHER_SLOT	NR_REASONS
#define MAX_REASONS	(SVM_EXIT_VMGEXIT + 1)
#define MAX_SLOTS	(MAX_REASONS + 1)

/* Neither KVM nor the framework uses these. */
#define TEST_PORT	0x80
#define TEST_MMIO	0x50000000ul
#define TEST_MEMORY	0x40000000ul
#define TEST_VECTOR	0x40

static inline bool is_defined(u32 reason)
{
	return by_vendor(is_defined_vmx(reason), is_defined_svm(reason));
}

/* Does @reason have its own account, so that its exits do not count as "other"? */
static inline bool has_account(u32 reason)
{
	return is_defined(reason) && !by_vendor(false, is_never_svm(reason));
}

/* Exits for an undefined reason are in the last slot. */
static inline u32 slot_of(u32 reason)
{
	return is_defined(reason) ? reason : OTHER_SLOT;
}

struct leaf {
	u32 eax, ebx, ecx, edx;
};

static inline struct leaf read_leaf(u32 leaf, u32 reason)
{
	struct leaf r;

	__cpuid(leaf, reason, &r.eax, &r.ebx, &r.ecx, &r.edx);
	return r;
}

/*
 * An unpatched host treats the leaves as out of range: an Intel CPU returns its highest
 * basic leaf, an AMD CPU zeros.
 */
static inline void guest_assert_absent(u32 leaf, u32 index)
{
	struct leaf r = read_leaf(leaf, index), expected = {};

	if (host_cpu_is_intel)
		expected = read_leaf(read_leaf(0, 0).eax, index);

	__GUEST_ASSERT(!memcmp(&r, &expected, sizeof(r)), "leaf %x index %x: %x %x %x %x", leaf,
		       index, r.eax, r.ebx, r.ecx, r.edx);
}

static inline u64 make_u64(u32 hi, u32 lo)
{
	return (u64)hi << 32 | lo;
}

static inline u64 exits_of(u32 reason)
{
	struct leaf r = read_leaf(KVM_EXITSTATS_LEAF_EXITS, reason);

	return make_u64(r.ebx, r.eax);
}

static inline u64 cycles_of(u32 reason)
{
	struct leaf r = read_leaf(KVM_EXITSTATS_LEAF_CYCLES, reason);

	return make_u64(r.ebx, r.ecx);
}

static inline u64 total_exits(void)
{
	struct leaf r = read_leaf(KVM_EXITSTATS_LEAF_TOTAL, 0);

	return make_u64(r.edx, r.eax);
}

static inline u64 total_cycles(void)
{
	struct leaf r = read_leaf(KVM_EXITSTATS_LEAF_TOTAL, 0);

	return make_u64(r.ebx, r.ecx);
}

/*
 * The exits for @reason that @count executions of @insns cause. Each of the two readings
 * is an exit for EXIT_CPUID, and the first one is in the difference.
 */
#define exits_during(reason, count, insns)				\
({									\
	u32 __reason = (reason);					\
	u64 __before = exits_of(__reason);				\
	int __i;							\
									\
	for (__i = 0; __i < (count); __i++) {				\
		insns;							\
	}								\
	exits_of(__reason) - __before;					\
})

/* Instructions that may exit because of what they access */
static inline void port_write(u16 port)
{
	asm volatile("outb %%al, %0" : : "d"(port));
}

static inline void port_read(u16 port)
{
	asm volatile("inb %0, %%al" : : "d"(port) : "eax");
}

static inline void memory_write(unsigned long address)
{
	asm volatile("movb $1, (%0)" : : "r"(address) : "memory");
}

static inline void memory_read(unsigned long address)
{
	asm volatile("movb (%0), %%al" : : "r"(address) : "eax", "memory");
}

/*
 * An instruction that always exits and that nothing else here executes: INVD, or WBINVD on
 * AMD, as INVD exits as WBINVD in QEMU's TCG.
 */
static inline void flush_caches(void)
{
	if (host_cpu_is_intel)
		asm volatile("invd");
	else
		asm volatile("wbinvd");
}

/* Count interrupts of TEST_VECTOR. */
static int guest_irqs;

static inline void guest_irq_handler(struct ex_regs *regs)
{
	WRITE_ONCE(guest_irqs, guest_irqs + 1);
	x2apic_write_reg(APIC_EOI, 0);
}

/* Set up the APIC's timer. APIC_TMICT starts it, in APIC bus cycles: nanoseconds in KVM. */
static inline void guest_set_timer(u32 mode)
{
	x2apic_write_reg(APIC_TDCR, 0xb);
	x2apic_write_reg(APIC_LVTT, mode | TEST_VECTOR);
}

/*
 * Make sure that the HLT that vCPU @id is about to execute ends. QEMU's TCG may lose the STI
 * shadow, take the interrupt before HLT, and then sleep forever.
 */
static inline void kick_on_svm(u32 id)
{
	if (!host_cpu_is_intel)
		kvm_hypercall(KVM_HC_KICK_CPU, 0, id, 0, 0);
}

/* The interrupt is pending, and taken after HLT, where the STI shadow ends. */
static inline void halt_with_irq(u32 id)
{
	x2apic_write_reg(APIC_ICR, APIC_DEST_SELF | APIC_INT_ASSERT | TEST_VECTOR);
	kick_on_svm(id);
	asm volatile("sti; hlt; cli" : : : "memory");
}

/* Figures of one vCPU from KVM_GET_STATS_FD */
struct stats {
	u64 exits;
	u64 exits_by_reason[MAX_SLOTS];
	u64 cycles_by_reason[MAX_SLOTS];
};

/* The statistics file. Its descriptors tell where the data are. */
struct stats_file {
	int fd;
	struct kvm_stats_header header;
	struct kvm_stats_desc *descs;
};

static inline struct stats_file stats_file_of(int fd)
{
	struct stats_file file = { .fd = fd };

	read_stats_header(fd, &file.header);
	file.descs = read_stats_descriptors(fd, &file.header);
	return file;
}

static inline struct stats_file open_stats(struct kvm_vcpu *vcpu)
{
	return stats_file_of(vcpu_get_stats_fd(vcpu));
}

static inline void close_stats(struct stats_file *file)
{
	free(file->descs);
	close(file->fd);
}

static inline size_t size_of_descs(struct stats_file *file)
{
	return file->header.num_desc * get_stats_descriptor_size(&file->header);
}

static inline struct kvm_stats_desc *stat_desc(struct stats_file *file, int i)
{
	return get_stats_descriptor(file->descs, i, &file->header);
}

static inline struct kvm_stats_desc *find_stat_desc(struct stats_file *file, const char *name)
{
	int i;

	for (i = 0; i < file->header.num_desc; i++)
		if (!strcmp(stat_desc(file, i)->name, name))
			return stat_desc(file, i);
	return NULL;
}

static inline bool find_stat(struct stats_file *file, const char *name, u64 *data, size_t nr)
{
	struct kvm_stats_desc *desc = find_stat_desc(file, name);

	if (!desc)
		return false;

	TEST_ASSERT(desc->size == nr, "stat %s has %u elements, not %zu", name, desc->size, nr);
	read_stat_data(file->fd, &file->header, desc, data, nr);
	return true;
}

static inline void read_stat(struct stats_file *file, const char *name, u64 *data, size_t nr)
{
	TEST_ASSERT(find_stat(file, name, data, nr), "no stat %s", name);
}

/* A statistic that every vCPU has */
static inline u64 vcpu_stat(struct kvm_vcpu *vcpu, const char *name)
{
	struct stats_file file = open_stats(vcpu);
	u64 figure;

	read_stat(&file, name, &figure, 1);
	close_stats(&file);
	return figure;
}

static inline void read_stats_fd(int fd, struct stats *stats)
{
	struct stats_file file = stats_file_of(fd);

	memset(stats, 0, sizeof(*stats));
	read_stat(&file, "exits", &stats->exits, 1);
	read_stat(&file, "exits_by_reason", stats->exits_by_reason, NR_SLOTS);
	read_stat(&file, "cycles_by_reason", stats->cycles_by_reason, NR_SLOTS);
	free(file.descs);
}

static inline void read_stats(struct kvm_vcpu *vcpu, struct stats *stats)
{
	int fd = vcpu_get_stats_fd(vcpu);

	read_stats_fd(fd, stats);
	close(fd);
}

/* KVM's logarithmic histograms have an additional first bucket for the value 0. */
#define NR_LOG_BUCKETS	(1 + KVM_EXITSTATS_NR_BUCKETS)

/* Read exit_cycles_hist of a vCPU. Return whether it exists. */
static inline bool read_log_hist(struct kvm_vcpu *vcpu, u64 *buckets)
{
	struct stats_file file = open_stats(vcpu);
	u64 log[NR_LOG_BUCKETS];
	bool found;

	found = find_stat(&file, "exit_cycles_hist", log, NR_LOG_BUCKETS);
	close_stats(&file);
	if (found) {
		TEST_ASSERT_EQ(log[0], 0);
		memcpy(buckets, log + 1, sizeof(log) - sizeof(log[0]));
	}
	return found;
}

static inline u64 sum_of(const u64 *figures, int nr)
{
	u64 sum = 0;
	int i;

	for (i = 0; i < nr; i++)
		sum += figures[i];
	return sum;
}

static inline u64 sum_slots(const u64 *slots)
{
	return sum_of(slots, NR_SLOTS);
}

static inline u64 sum_of_buckets(struct kvm_vcpu *vcpu)
{
	u64 buckets[KVM_EXITSTATS_NR_BUCKETS];

	TEST_ASSERT(read_log_hist(vcpu, buckets), "vCPU %u has no histogram", vcpu->id);
	return sum_of(buckets, KVM_EXITSTATS_NR_BUCKETS);
}

/* KVM's own vcpu->stat.exits is an oracle: it counts each exit once. */
static inline void assert_stats(struct kvm_vcpu *vcpu)
{
	struct stats stats;
	int i;

	read_stats(vcpu, &stats);
	TEST_ASSERT(sum_slots(stats.exits_by_reason) == stats.exits,
		    "vCPU %u: sum of exits_by_reason %lu, exits %lu", vcpu->id,
		    sum_slots(stats.exits_by_reason), stats.exits);
	for (i = 0; i < NR_SLOTS; i++)
		TEST_ASSERT(!stats.cycles_by_reason[i] == !stats.exits_by_reason[i],
			    "vCPU %u reason %d: %lu exits, %lu cycles", vcpu->id, i,
			    stats.exits_by_reason[i], stats.cycles_by_reason[i]);
}

/* A vCPU that does not count has only KVM's own counter, and no statistics of exitstats. */
static inline void assert_nothing_counted(struct kvm_vcpu *vcpu)
{
	struct stats_file file = open_stats(vcpu);
	u64 exits, any[MAX_SLOTS];

	read_stat(&file, "exits", &exits, 1);
	TEST_ASSERT(exits, "vCPU %u has not exited", vcpu->id);
	TEST_ASSERT(!find_stat(&file, "exits_by_reason", any, NR_SLOTS) &&
		    !find_stat(&file, "cycles_by_reason", any, NR_SLOTS) &&
		    !find_stat(&file, "exit_cycles", any, 1),
		    "vCPU %u has statistics of exits", vcpu->id);
	close_stats(&file);
}

#define PARAMETER	"/sys/module/kvm/parameters/exitstats"
#define HIST_PARAMETER	PARAMETER "_hist"

static inline void set_parameter(const char *path, bool on)
{
	int fd = open(path, O_WRONLY);

	TEST_ASSERT(fd >= 0 && write(fd, on ? "Y" : "N", 1) == 1, "%s: %s", path,
		    strerror(errno));
	close(fd);
}

/* Does QEMU emulate the host's CPU? It deviates from the APM in some points. */
static inline bool host_is_tcg(void)
{
	u32 max, signature[3];

	__cpuid(0x40000000, 0, &max, &signature[0], &signature[1], &signature[2]);
	return !memcmp(signature, "TCGTCGTCGTCG", sizeof(signature));
}

/*
 * QEMU's TCG leaves the type of a delivered event in EXITINTINFO, without the valid bit.
 * Linux 7.2 looks only at the type: it takes the exit for one during the delivery, and does
 * not emulate a guest's access to MMIO. The guest's next try has no event.
 */
static inline bool tcg_has_delivered(struct kvm_vcpu *vcpu)
{
	return host_is_tcg() && vcpu->run->exit_reason == KVM_EXIT_INTERNAL_ERROR &&
	       vcpu->run->internal.suberror == KVM_INTERNAL_ERROR_DELIVERY_EV;
}

/*
 * Run a guest to its next GUEST_SYNC() or GUEST_DONE(). Complete port I/O and MMIO without
 * an effect.
 */
static inline u64 run_guest(struct kvm_vcpu *vcpu)
{
	struct ucall uc;
	u64 cmd;

	for (;;) {
		vcpu_run(vcpu);
		cmd = get_ucall(vcpu, &uc);
		switch (cmd) {
		case UCALL_SYNC:
		case UCALL_DONE:
			return cmd;
		case UCALL_ABORT:
			REPORT_GUEST_ASSERT(uc);
		case UCALL_NONE:
			if (vcpu->run->exit_reason == KVM_EXIT_IO ||
			    vcpu->run->exit_reason == KVM_EXIT_MMIO)
				break;
			if (tcg_has_delivered(vcpu))
				break;
			TEST_FAIL("KVM exit reason %u (%s)", vcpu->run->exit_reason,
				  exit_reason_str(vcpu->run->exit_reason));
		default:
			TEST_FAIL("ucall %lu", cmd);
		}
	}
}

/* Run a guest to GUEST_DONE(), and compare its figures with KVM's own counter. */
static inline void run_to_done(struct kvm_vcpu *vcpu)
{
	while (run_guest(vcpu) != UCALL_DONE)
		;
	assert_stats(vcpu);
}

/* With EPT or NPT, a guest can change its page tables without exits. */
static inline bool nested_paging(void)
{
	return by_vendor(get_kvm_intel_param_bool("ept"), get_kvm_amd_param_bool("npt"));
}

/* Does the CPU handle the guest's APIC, so that its registers need not exit? */
static inline bool apic_is_virtual(void)
{
	return by_vendor(get_kvm_intel_param_bool("enable_apicv"), get_kvm_amd_param_bool("avic"));
}

/* Does KVM emulate guests whose state the CPU would refuse? */
static inline bool emulates_invalid_state(void)
{
	return host_cpu_is_intel && !get_kvm_intel_param_bool("unrestricted_guest");
}

/* XSETBV always exits, but QEMU's TCG does not intercept it. */
static inline bool xsetbv_exits(void)
{
	return kvm_cpu_has(X86_FEATURE_XSAVE) && (host_cpu_is_intel || !host_is_tcg());
}

/* The harness's timeout of half a minute is too short for an emulator on a busy machine. */
static inline void allow_for_emulators(void)
{
	struct __fixture_metadata *f;
	struct __test_metadata *t;

	for (f = __fixture_list; f; f = f->next)
		for (t = f->tests; t; t = t->next)
			t->timeout = max(t->timeout, 300);
}

/* Skip the test if this host cannot run it, and print the host's mode. */
static inline void require_exitstats(void)
{
	allow_for_emulators();
	__TEST_REQUIRE(!access(by_vendor("/sys/module/kvm_intel", "/sys/module/kvm_amd"), F_OK),
		       "no %s", by_vendor("VMX: kvm_intel is not there",
					  "SVM: kvm_amd is not there"));
	__TEST_REQUIRE(kvm_check_cap(KVM_CAP_X86_EXITSTATS),
		       "kernel without exitstats: no KVM_CAP_X86_EXITSTATS");
	__TEST_REQUIRE(get_kvm_param_bool("exitstats"), "exitstats is off: kvm.exitstats=N");

	if (host_cpu_is_intel)
		ksft_print_msg("mode: kvm_intel.ept=%d unrestricted_guest=%d\n", nested_paging(),
			       !emulates_invalid_state());
	else
		ksft_print_msg("mode: kvm_amd.npt=%d%s\n", nested_paging(),
			       host_is_tcg() ? ", in QEMU's TCG" : "");
}

static inline void require_vmx(void)
{
	__TEST_REQUIRE(host_cpu_is_intel, "of VMX alone");
	require_exitstats();
}

static inline void require_svm(void)
{
	__TEST_REQUIRE(!host_cpu_is_intel, "of SVM alone");
	require_exitstats();
}

#endif /* SELFTEST_KVM_EXITSTATS_UTIL_H */
