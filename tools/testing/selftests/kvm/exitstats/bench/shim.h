/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What arch/x86/kvm/exitstats.h needs of the kernel, for a program in userspace
 * that wants to time that very header. Included ahead of it by the compiler's
 * -include; the headers that it names are empty then.
 */
#ifndef EXITSTATS_BENCH_SHIM_H
#define EXITSTATS_BENCH_SHIM_H

#define _GNU_SOURCE
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t s64;

#define CONFIG_KVM_EXITSTATS	1
#define likely(x)		__builtin_expect(!!(x), 1)
#define unlikely(x)		__builtin_expect(!!(x), 0)
#define OPTIMIZER_HIDE_VAR(var)	({ asm("" : "=r" (var) : "0" (var)); })

static __always_inline void barrier(void)
{
	asm volatile("" : : : "memory");
}

/* arch/x86/include/asm/local.h: no LOCK prefix */
typedef struct {
	u64 value;
} local64_t;

static __always_inline void local64_add(u64 n, local64_t *l)
{
	asm volatile("addq %1, %0" : "+m" (l->value) : "er" (n));
}

static __always_inline void local64_inc(local64_t *l)
{
	asm volatile("incq %0" : "+m" (l->value));
}

static __always_inline u64 local64_read(local64_t *l)
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
#define DECLARE_STATIC_KEY_FALSE(key)

static __always_inline bool static_branch_on(void)
{
	asm goto(".byte 0x0f, 0x1f, 0x44, 0, 0" : : : : off);
	return true;
off:
	return false;
}

#define static_branch_likely(key)	likely(static_branch_on())
#define static_branch_unlikely(key)	unlikely(static_branch_on())

typedef enum {
	EXIT_FASTPATH_NONE,
	EXIT_FASTPATH_REENTER_GUEST,
} fastpath_t;

struct dentry;
struct kvm_enable_cap;
struct kvm_device_attr;

#include <asm/kvm_exitstats.h>

struct kvm {
	struct {
		struct kvm_exitstats exitstats;
	} arch;
};

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

#endif /* EXITSTATS_BENCH_SHIM_H */
