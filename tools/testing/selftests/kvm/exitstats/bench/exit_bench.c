// SPDX-License-Identifier: GPL-2.0-only
/*
 * exit_bench: measure the cost of a VM exit, of reading the leaves and of a vCPU, in the lab.
 *
 *	exit_bench exits LABEL		round trips of four kinds of exits
 *	exit_bench exits LABEL other	the same for a VM that does not count, beside
 *					one that does
 *	exit_bench leaves LABEL		round trips of the leaves, by number of vCPUs
 *	exit_bench memory LABEL		memory of a vCPU and of a VM
 *
 * It prints lines of CSV: LABEL, 1 with EPT or NPT and 0 without, case, figures. A round
 * trip has two figures: the smallest and the median of ROUNDS that the guest measures with
 * RDTSC. The smallest one is without a tick of the host. In the lab, the TSC counts
 * instructions.
 *
 * The guest runs this program's own code: its memory is that of the process, at the same
 * addresses, so link it statically and at a fixed address. It does not use the selftests'
 * library, whose VMs all have an in-kernel interrupt controller: HLT would not exit to
 * userspace there.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/kvm.h>
#include <linux/kvm_exitstats.h>

#define ROUNDS		2000

#define PAGE		4096ul
#define MEMORY_START	0x400000ul	/* ld's address for a static program */
#define MEMORY_SIZE	0x800000ul
#define TSS_ADDRESS	0xfffbd000ul	/* three pages that the guest does not use */

#define PORT_IDLE	0x80		/* no device has this port */
#define PORT_DONE	0x81

/* A leaf that no CPUID table has */
#define LEAF_UNKNOWN	0x4ffffff0

#define MSR_APIC_BASE	0x1b
#define APIC_BASE_X2	(3u << 10)	/* enabled, x2APIC */
#define MSR_X2APIC_ICR	0x830
#define ICR_NOBODY	(0x55ull << 32 | 0x40)	/* fixed, to an APIC that does not exist */

static _Alignas(PAGE) uint64_t pml4[512], pdpt[512], pd[512];
static _Alignas(PAGE) char stack[4 * PAGE];
static uint32_t leaf, selector;
static uint64_t rounds[ROUNDS];

static const char *what, *label;
static int kvm;

static void die(const char *why)
{
	fprintf(stderr, "exit_bench: %s: %s\n", why, strerror(errno));
	exit(1);
}

/* Guest code */

static inline uint64_t rdtsc(void)
{
	uint32_t lo, hi;

	asm volatile("rdtsc" : "=a" (lo), "=d" (hi) : : "memory");
	return (uint64_t)hi << 32 | lo;
}

static inline void cpuid(uint32_t eax, uint32_t ecx)
{
	uint32_t ebx, edx;

	asm volatile("cpuid" : "+a" (eax), "=b" (ebx), "+c" (ecx), "=d" (edx) : : "memory");
}

static inline void write_port(uint16_t port)
{
	asm volatile("outb %%al, %0" : : "d" (port) : "memory");
}

static inline uint64_t rdmsr(uint32_t msr)
{
	uint32_t lo, hi;

	asm volatile("rdmsr" : "=a" (lo), "=d" (hi) : "c" (msr));
	return (uint64_t)hi << 32 | lo;
}

static inline void wrmsr(uint32_t msr, uint64_t value)
{
	asm volatile("wrmsr" : : "c" (msr), "a" ((uint32_t)value), "d" ((uint32_t)(value >> 32))
		     : "memory");
}

static inline void hlt(void)
{
	asm volatile("hlt" : : : "memory");
}

/* The guest cannot use SSE. */
#define DEFINE_GUEST(name, before, insns)			\
static __attribute_noinline__					\
__attribute__((target("general-regs-only")))			\
void guest_##name(void)						\
{								\
	uint64_t start;						\
	int i;							\
								\
	before;							\
	for (i = 0; i < ROUNDS; i++) {				\
		start = rdtsc();				\
		insns;						\
		rounds[i] = rdtsc() - start;			\
	}							\
	write_port(PORT_DONE);					\
}

DEFINE_GUEST(cpuid, (void)0, cpuid(0, 0))
DEFINE_GUEST(wrmsr, wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_BASE_X2),
	     wrmsr(MSR_X2APIC_ICR, ICR_NOBODY))
DEFINE_GUEST(hlt, (void)0, hlt())
DEFINE_GUEST(port_io, (void)0, write_port(PORT_IDLE))
DEFINE_GUEST(unknown_leaf, (void)0, cpuid(LEAF_UNKNOWN, 0))
DEFINE_GUEST(leaf, (void)0, cpuid(leaf, selector))

/* Host code */

static void map_guest(int vm)
{
	struct kvm_userspace_memory_region memory = {
		.guest_phys_addr = MEMORY_START,
		.memory_size = MEMORY_SIZE,
		.userspace_addr = MEMORY_START,
	};
	int i;

	/* Present, writable, accessed, dirty; 2 MB pages */
	pml4[0] = (uintptr_t)pdpt | 0x23;
	pdpt[0] = (uintptr_t)pd | 0x23;
	for (i = 0; i < 512; i++)
		pd[i] = (uint64_t)i << 21 | 0xe3;

	if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &memory) ||
	    ioctl(vm, KVM_SET_TSS_ADDR, TSS_ADDRESS))
		die("memory of the guest");
}

static int create_vm(void)
{
	int vm = ioctl(kvm, KVM_CREATE_VM, 0);

	if (vm < 0)
		die("KVM_CREATE_VM");
	return vm;
}

static void create_irqchip(int vm)
{
	if (ioctl(vm, KVM_CREATE_IRQCHIP, 0))
		die("KVM_CREATE_IRQCHIP");
}

static int create_vcpu(int vm, unsigned long id)
{
	int vcpu = ioctl(vm, KVM_CREATE_VCPU, id);

	if (vcpu < 0)
		die("KVM_CREATE_VCPU");
	return vcpu;
}

/* Start in 64-bit mode at @entry, with the CPUID leaves that a VMM would set. */
static void set_up_vcpu(int vcpu, void (*entry)(void))
{
	struct kvm_segment code = {
		.limit = -1, .selector = 8, .type = 11, .present = 1, .l = 1, .s = 1, .g = 1,
	};
	struct kvm_segment data = {
		.limit = -1, .selector = 16, .type = 3, .present = 1, .db = 1, .s = 1, .g = 1,
	};
	struct kvm_regs regs = {
		.rip = (uintptr_t)entry,
		.rsp = (uintptr_t)(stack + sizeof(stack) - 8),
		.rflags = 2,
	};
	static struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entries[128];
	} cpuid = { .head.nent = 128 };
	struct kvm_sregs sregs;

	if (ioctl(kvm, KVM_GET_SUPPORTED_CPUID, &cpuid) || ioctl(vcpu, KVM_SET_CPUID2, &cpuid))
		die("CPUID of the guest");

	if (ioctl(vcpu, KVM_GET_SREGS, &sregs))
		die("KVM_GET_SREGS");
	sregs.cr0 = 0x80000011;		/* PG, ET, PE */
	sregs.cr3 = (uintptr_t)pml4;
	sregs.cr4 = 0x20;		/* PAE */
	sregs.efer = 0x500;		/* LMA, LME */
	sregs.cs = code;
	sregs.ss = data;
	sregs.ds = data;
	sregs.es = data;
	sregs.fs = data;
	sregs.gs = data;
	if (ioctl(vcpu, KVM_SET_SREGS, &sregs) || ioctl(vcpu, KVM_SET_REGS, &regs))
		die("registers of the guest");
}

static void run_vcpu(int vcpu)
{
	size_t size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	struct kvm_run *run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);

	if (run == MAP_FAILED)
		die("mmap of a vCPU");

	for (;;) {
		if (ioctl(vcpu, KVM_RUN, 0))
			die("KVM_RUN");
		if (run->exit_reason == KVM_EXIT_HLT)
			continue;
		if (run->exit_reason != KVM_EXIT_IO) {
			fprintf(stderr, "exit_bench: %s: KVM_RUN: exit reason %u\n",
				what, run->exit_reason);
			exit(1);
		}
		if (run->io.port == PORT_DONE)
			return;
	}
}

static bool module_parameter(const char *name)
{
	char path[80], value = 'N';
	int fd;

	snprintf(path, sizeof(path), "/sys/module/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, &value, 1) != 1)
		die(path);
	close(fd);
	return value == 'Y';
}

static bool nested_paging(void)
{
	bool amd = !access("/sys/module/kvm_amd", F_OK);

	return module_parameter(amd ? "kvm_amd/parameters/npt" : "kvm_intel/parameters/ept");
}

static void print_figure(const char *name, uint64_t figure)
{
	printf("%s,%d,%s,%llu\n", label, nested_paging(), name, (unsigned long long)figure);
	fflush(stdout);
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void print_rounds(const char *name)
{
	qsort(rounds, ROUNDS, sizeof(*rounds), compare);
	printf("%s,%d,%s,%llu,%llu\n", label, nested_paging(), name,
	       (unsigned long long)rounds[0], (unsigned long long)rounds[ROUNDS / 2]);
	fflush(stdout);
}

/* Run each measurement in its own process, so that it does not affect the next one. */
#define in_child(code)						\
do {								\
	int __status;						\
	pid_t __pid = fork();					\
								\
	if (__pid < 0)						\
		die("fork");					\
	if (!__pid) {						\
		code;						\
		exit(0);					\
	}							\
	waitpid(__pid, &__status, 0);				\
	if (__status)						\
		exit(1);					\
} while (0)

static void set_exitstats(int vm, bool on)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_X86_EXITSTATS, .args = { on } };

	if (ioctl(vm, KVM_ENABLE_CAP, &cap))
		die("KVM_CAP_X86_EXITSTATS");
}

static void bench_exit(const char *name, void (*entry)(void), bool irqchip, bool other)
{
	int vm, vcpu;

	/* Give it an APIC: while a vCPU has none, KVM takes a slower path for all vCPUs. */
	if (other) {
		vm = create_vm();
		set_exitstats(vm, true);
		create_irqchip(vm);
		create_vcpu(vm, 0);
	}

	vm = create_vm();
	if (other)
		set_exitstats(vm, false);
	map_guest(vm);
	if (irqchip)
		create_irqchip(vm);
	vcpu = create_vcpu(vm, 0);
	set_up_vcpu(vcpu, entry);
	run_vcpu(vcpu);
	print_rounds(name);
}

static void bench_exits(bool other)
{
	in_child(bench_exit("cpuid", guest_cpuid, true, other));
	in_child(bench_exit("wrmsr", guest_wrmsr, true, other));
	in_child(bench_exit("hlt", guest_hlt, false, other));
	in_child(bench_exit("port_io", guest_port_io, true, other));
	in_child(bench_exit("unknown_leaf", guest_unknown_leaf, true, other));
}

static void bench_leaf(const char *name, uint32_t eax, uint32_t ecx, int vcpus)
{
	int vm = create_vm(), vcpu, i;
	char text[32];

	leaf = eax;
	selector = ecx;
	map_guest(vm);
	vcpu = create_vcpu(vm, 0);
	for (i = 1; i < vcpus; i++)
		create_vcpu(vm, i);
	set_up_vcpu(vcpu, guest_leaf);
	run_vcpu(vcpu);
	snprintf(text, sizeof(text), "%s,%d", name, vcpus);
	print_rounds(text);
}

static void bench_leaves(void)
{
	static const int vcpus[] = { 1, 8, 64, 512 };
	size_t i;

	for (i = 0; i < sizeof(vcpus) / sizeof(*vcpus); i++) {
		in_child(bench_leaf("0", 0, 0, vcpus[i]));
		in_child(bench_leaf("total", KVM_EXITSTATS_LEAF_TOTAL, 0, vcpus[i]));
		in_child(bench_leaf("reason", KVM_EXITSTATS_LEAF_REASON, 1, vcpus[i]));
		in_child(bench_leaf("exits", KVM_EXITSTATS_LEAF_EXITS, 1, vcpus[i]));
		in_child(bench_leaf("cycles", KVM_EXITSTATS_LEAF_CYCLES, 1, vcpus[i]));
		in_child(bench_leaf("own", KVM_EXITSTATS_LEAF_REASON,
				    KVM_EXITSTATS_SELECT_REASON(1) | KVM_EXITSTATS_SELECT_VCPU,
				    vcpus[i]));
	}
}

/* Include the thousands of free pages on per-CPU lists, which freeram does not count. */
static uint64_t free_memory(void)
{
	FILE *zones = fopen("/proc/zoneinfo", "re");
	unsigned long pages = 0, count;
	struct sysinfo info;
	char line[256];

	if (!zones)
		die("/proc/zoneinfo");
	while (fgets(line, sizeof(line), zones)) {
		if (sscanf(line, " count: %lu", &count) == 1)
			pages += count;
	}
	fclose(zones);
	sysinfo(&info);
	return (uint64_t)info.freeram * info.mem_unit + pages * PAGE;
}

/* Wait until RCU has freed the memory of earlier VMs. */
static void let_memory_settle(void)
{
	uint64_t last;

	do {
		last = free_memory();
		sleep(1);
	} while (free_memory() != last);
}

static uint64_t memory_of_vcpu(int vcpus)
{
	uint64_t before;
	int vm = create_vm(), i;

	before = free_memory();
	for (i = 0; i < vcpus; i++)
		create_vcpu(vm, i);
	return (before - free_memory()) / vcpus;
}

static uint64_t memory_of_vm(int vms)
{
	uint64_t before = free_memory();
	int i;

	for (i = 0; i < vms; i++)
		create_vm();
	return (before - free_memory()) / vms;
}

/*
 * Measure the free memory, for everything that belongs to vCPUs and VMs, and the exact size
 * of the slab objects. Free nothing in between: the first ones use up what caches hold.
 */
static void bench_memory(void)
{
	unsigned long active, objects, size;
	char line[256];
	FILE *slabs;

	let_memory_settle();
	memory_of_vcpu(512);
	print_figure("vcpu", memory_of_vcpu(512));
	memory_of_vm(256);
	print_figure("vm", memory_of_vm(256));

	slabs = fopen("/proc/slabinfo", "re");
	while (slabs && fgets(line, sizeof(line), slabs)) {
		if (sscanf(line, "kvm_vcpu %lu %lu %lu", &active, &objects, &size) == 3)
			print_figure("vcpu_struct", size);
		/* Only this VM's kind of ledgers has active objects. */
		if ((sscanf(line, "kvm_exitstats %lu %lu %lu", &active, &objects, &size) == 3 ||
		     sscanf(line, "kvm_exitstats_hist %lu %lu %lu", &active, &objects,
			    &size) == 3) && active)
			print_figure("ledger", size);
	}
}

int main(int argc, char **argv)
{
	struct rlimit files = { 4096, 4096 };

	if (argc < 3) {
		fprintf(stderr, "usage: exit_bench exits|leaves|memory LABEL [other]\n");
		return 1;
	}
	what = argv[1];
	label = argv[2];
	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm < 0)
		die("/dev/kvm");
	setrlimit(RLIMIT_NOFILE, &files);

	if (!strcmp(what, "exits"))
		bench_exits(argc > 3);
	else if (!strcmp(what, "leaves"))
		bench_leaves();
	else if (!strcmp(what, "memory"))
		in_child(bench_memory());
	return 0;
}
