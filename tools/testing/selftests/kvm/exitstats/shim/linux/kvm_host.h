/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * As much of a kernel as arch/x86/kvm/exitstats.[ch] needs in userspace.
 *
 * exitstats_bound_test.c has one thread and a clock of its own. bench/core_bench.c
 * defines SHIM_TIMED: it gets the instructions that the kernel has in the hot path,
 * the processor's clock, and a vCPU that touches as many cache lines as KVM's.
 */
#ifndef EXITSTATS_SHIM_KVM_HOST_H
#define EXITSTATS_SHIM_KVM_HOST_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <asm/barrier.h>
#include <linux/compiler.h>
#include <linux/export.h>
#include <linux/kernel.h>
#include <linux/kvm.h>
#include <linux/moduleparam.h>
#include <linux/types.h>

/* KVM's own header, which exitstats.c includes from its directory */
#define ARCH_X86_KVM_CPUID_H

#define EXPORT_SYMBOL_FOR_KVM_INTERNAL EXPORT_SYMBOL_GPL

#undef MODULE_PARM_DESC
#define MODULE_PARM_DESC(name, text)					\
	static const char module_param_desc_##name[] __maybe_unused = text

#define module_param(name, type, perm)					\
	static const struct {						\
		type *value;						\
		int mode;						\
	} module_param_##name __maybe_unused = { &(name), perm }

/* Linux 6.1's tools have none. */
#ifndef OPTIMIZER_HIDE_VAR
#define OPTIMIZER_HIDE_VAR(var)	({ asm volatile("" : "+r" (var)); })
#endif

#define lower_32_bits(n) ((u32)(n))
#define upper_32_bits(n) ((u32)((n) >> 32))

struct local64 {
	u64 value;
};

#define local64_t struct local64

#define DECLARE_STATIC_KEY_FALSE(key)	extern int key
#define DEFINE_STATIC_KEY_FALSE(key)	int key
#define static_branch_inc(key)		((*(key))++)
#define static_branch_dec(key)		((*(key))--)

#ifdef SHIM_TIMED

/* arch/x86/include/asm/local.h: no LOCK prefix */
static __always_inline void local64_add(u64 n, local64_t *l)
{
	asm volatile("addq %1, %0" : "+m" (l->value) : "er" (n));
}

static __always_inline void local64_inc(local64_t *l)
{
	asm volatile("incq %0" : "+m" (l->value));
}

static __always_inline u64 local64_read(const local64_t *l)
{
	return __atomic_load_n(&l->value, __ATOMIC_RELAXED);
}

static __always_inline u64 rdtsc(void)
{
	u32 lo, hi;

	asm volatile("rdtsc" : "=a" (lo), "=d" (hi));
	return lo | (u64)hi << 32;
}

/* A static key that is on: five bytes of nop, and the way out that gcc must keep */
static __always_inline bool static_branch_on(void)
{
	asm goto(".byte 0x0f, 0x1f, 0x44, 0, 0" : : : : off);
	return true;
off:
	return false;
}

#define static_branch_likely(key)	likely(static_branch_on())
#define static_branch_unlikely(key)	unlikely(static_branch_on())

#else /* !SHIM_TIMED */

/* A look at what another CPU might see before an exit is counted */
static void (*shim_inc_hook)(void);

static inline void shim_before_inc(void)
{
	if (shim_inc_hook)
		shim_inc_hook();
}

#define local64_read(l)		((l)->value)
#define local64_add(n, l)	((l)->value += (n))
#define local64_inc(l)		(shim_before_inc(), (l)->value++)

static u64 shim_tsc;

static inline u64 rdtsc(void)
{
	return shim_tsc;
}

#define static_branch_likely(key)	(*(key) > 0)

#endif /* SHIM_TIMED */

#define CONFIG_KVM_EXITSTATS 1
#include "../../../../../../../arch/x86/include/asm/kvm_exitstats.h"

enum exit_fastpath_completion {
	EXIT_FASTPATH_NONE,
	EXIT_FASTPATH_REENTER_GUEST,
	EXIT_FASTPATH_EXIT_HANDLED,
	EXIT_FASTPATH_EXIT_USERSPACE,
};

#define fastpath_t enum exit_fastpath_completion

#define SHIM_CANARY	0x5a5a5a5a5a5a5a5aull
#define SHIM_VCPUS	2

struct kvm;

#ifdef SHIM_TIMED
/* As far apart as in the kernel, so that the same number of cache lines is touched */
struct kvm_vcpu {
	struct {
		_Alignas(4096) char before[0x9c0];
		struct kvm_vcpu_exitstats exitstats;
		char after[0xc00];
	} arch;
	struct {
		u64 generic[80];
		local64_t exits_by_reason[KVM_EXITSTATS_NR_SLOTS];
		local64_t cycles_by_reason[KVM_EXITSTATS_NR_SLOTS];
	} stat;
};
#else
struct kvm_vcpu {
	struct kvm *kvm;
	struct {
		struct kvm_vcpu_exitstats exitstats;
	} arch;
	struct {
		u64 before[0x10000];
		local64_t exits_by_reason[KVM_EXITSTATS_NR_SLOTS];
		u64 between[0x10000];
		local64_t cycles_by_reason[KVM_EXITSTATS_NR_SLOTS];
		u64 after[0x10000];
	} stat;
};
#endif

struct kvm {
	struct {
		struct kvm_exitstats exitstats;
	} arch;
	int lock;
	int created_vcpus;
	int online_vcpus;
	struct kvm_vcpu vcpu_array[SHIM_VCPUS];
};

struct dentry;

#define mutex_lock(lock)	((*(lock))++)
#define mutex_unlock(lock)	((*(lock))--)

/* The xarray of a VM's vCPUs is an array here. */
struct shim_xas {
	struct kvm_vcpu *vcpus;
	unsigned long next;
};

#define XA_STATE(xas, array, first) struct shim_xas xas = { *(array), first }

static inline bool shim_next_vcpu(struct shim_xas *xas, struct kvm_vcpu **vcpu,
				  unsigned long last)
{
	if (xas->next > last)
		return false;
	*vcpu = &xas->vcpus[xas->next++];
	return true;
}

#define xas_for_each(xas, vcpu, last)	for (; shim_next_vcpu(xas, &(vcpu), last);)

static inline bool xas_retry(struct shim_xas *xas, const void *entry)
{
	return false;
}

#define atomic_read(v)		(*(v))

static inline void rcu_read_lock(void)
{
}

static inline void rcu_read_unlock(void)
{
}

static inline void *kvm_find_cpuid_entry(struct kvm_vcpu *vcpu, u32 function)
{
	return NULL;
}

static inline unsigned long array_index_nospec(unsigned long index, unsigned long size)
{
	return index < size ? index : 0;
}

static inline void vcpu_debug(struct kvm_vcpu *vcpu, const char *fmt, ...)
{
}

#endif /* EXITSTATS_SHIM_KVM_HOST_H */
