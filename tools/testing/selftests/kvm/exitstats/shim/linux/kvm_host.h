/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The parts of a kernel that arch/x86/kvm/exitstats.h, exitstats.c, exitstats_reasons.c and
 * exitstats_cpuid.c need in userspace.
 *
 * exitstats_bound_test.c has one thread and simulates the TSC. bench/core_bench.c defines
 * SHIM_TIMED for the real TSC and the instructions of a static key.
 */
#ifndef EXITSTATS_SHIM_KVM_HOST_H
#define EXITSTATS_SHIM_KVM_HOST_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <asm/barrier.h>
#include <linux/compiler.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/kernel.h>
#include <linux/kvm.h>
#include <linux/moduleparam.h>
#include <linux/types.h>

/* Skip KVM's own headers, which the source includes, and one header of the tools. */
#define ARCH_X86_KVM_CPUID_H
#define ARCH_X86_KVM_X86_H
#define _TOOLS_SLAB_H

#define EXPORT_SYMBOL_FOR_KVM_INTERNAL EXPORT_SYMBOL_GPL

#undef MODULE_PARM_DESC
#define MODULE_PARM_DESC(name, text)					\
	static const char module_param_desc_##name[] __maybe_unused = text

#define module_param(name, type, perm)					\
	static const struct {						\
		type *value;						\
		int mode;						\
	} module_param_##name __maybe_unused = { &(name), perm }

#undef IS_ENABLED
#define IS_ENABLED(option)	1

#ifndef BIT_ULL
#define BIT_ULL(nr)	(1ull << (nr))
#endif

#ifndef U16_MAX
#define U16_MAX	((u16)~0)
#define U32_MAX	((u32)~0)
#endif

/* The tools' macros assume that u64 and __u64 are the same type. */
#undef max
#undef min
#define max(a, b)	({ typeof(a) __a = (a); typeof(b) __b = (b); __a > __b ? __a : __b; })
#define min(a, b)	({ typeof(a) __a = (a); typeof(b) __b = (b); __a < __b ? __a : __b; })

#undef lower_32_bits
#undef upper_32_bits
#define lower_32_bits(n) ((u32)(n))
#define upper_32_bits(n) ((u32)((n) >> 32))

/* Linux 6.1's tools do not have this. */
#ifndef fallthrough
#define fallthrough	__attribute__((__fallthrough__))
#endif

#define __read_mostly
#define noinstr
#define ____cacheline_aligned	__attribute__((aligned(64)))

#define HZ	250

#define DEFINE_STATIC_KEY_DEFERRED_FALSE(name, timeout)			\
	struct static_key_false_deferred name
#define static_key_deferred_flush(key)

struct static_key_false_deferred {
	int key;
};

static inline void static_branch_inc(int *key)
{
	(*key)++;
}

static inline void static_branch_slow_dec_deferred(struct static_key_false_deferred *key)
{
	key->key--;
}

#ifdef SHIM_TIMED

static __always_inline u64 rdtsc(void)
{
	u32 lo, hi;

	asm volatile("rdtsc" : "=a" (lo), "=d" (hi));
	return lo | (u64)hi << 32;
}

/* An enabled static key: a nop of five bytes, and a branch target that gcc must keep */
static __always_inline bool static_branch_on(void)
{
	asm goto(".byte 0x0f, 0x1f, 0x44, 0, 0" : : : : off);
	return true;
off:
	return false;
}

#define static_branch_likely(key)	likely(static_branch_on())

#else /* !SHIM_TIMED */

static u64 shim_tsc;

static inline u64 rdtsc(void)
{
	return shim_tsc;
}

#define static_branch_likely(key)	(*(key) > 0)

/* Called in the middle of an update, to check what another CPU might see */
static void (*shim_barrier_hook)(void);

static inline void shim_barrier(void)
{
	asm volatile("" : : : "memory");
	if (shim_barrier_hook)
		shim_barrier_hook();
}

#undef barrier
#define barrier()	shim_barrier()

/* Called before each read of a reader, to let a writer continue; not during the hook itself */
static void (*shim_read_hook)(void);

static inline void shim_read(void)
{
	void (*hook)(void) = shim_read_hook;

	if (!hook)
		return;
	shim_read_hook = NULL;
	hook();
	shim_read_hook = hook;
}

#undef READ_ONCE
#define READ_ONCE(x)	(shim_read(), *(const volatile typeof(x) *)&(x))

#endif /* SHIM_TIMED */

/* One tracepoint. The test can turn it on; the bench has a static key that is off. */
struct kvm_vcpu;

#ifdef SHIM_TIMED
#define tracepoint_enabled(tp)	unlikely(!static_branch_on())
#else
static bool shim_tracing;
#define tracepoint_enabled(tp)	shim_tracing
#endif

static void (*shim_trace)(struct kvm_vcpu *vcpu, u32 reason, u64 cycles) __maybe_unused;

#define DECLARE_TRACEPOINT(tp)
#define EXPORT_TRACEPOINT_SYMBOL_GPL(tp)
#define TP_PROTO(...)		__VA_ARGS__
#define TP_ARGS(...)		__VA_ARGS__
#define DECLARE_TRACE(name, proto, args)				\
	static inline void trace_##name##_tp(proto)			\
	{								\
		if (shim_trace)						\
			shim_trace(args);				\
	}								\
	struct shim_end_of_trace

#define instrumentation_begin()
#define instrumentation_end()
#define rdtsc_ordered()		rdtsc()
#define preempt_disable()
#define preempt_enable()

/* A slab cache, whose objects are followed by a canary */
#define SLAB_ACCOUNT		0
#define GFP_KERNEL_ACCOUNT	0
#define __GFP_NOFAIL		0
#define kcalloc(nr, size, gfp)	calloc(nr, size)
#define SHIM_CANARY		0x5a
#define SHIM_CANARY_SIZE	4096

#undef struct_size
#define struct_size(p, member, nr)	(sizeof(*(p)) + (nr) * sizeof((p)->member[0]))

struct kmem_cache {
	size_t size, align;
};

static inline struct kmem_cache *kmem_cache_create(const char *name, size_t size, size_t align,
						   unsigned long flags, void (*ctor)(void *))
{
	struct kmem_cache *cache = malloc(sizeof(*cache));

	*cache = (struct kmem_cache) { (size + align - 1) / align * align, align };
	return cache;
}

static inline void *kmem_cache_zalloc(struct kmem_cache *cache, int gfp)
{
	void *p;

	if (posix_memalign(&p, cache->align, cache->size + SHIM_CANARY_SIZE))
		return NULL;
	memset(p, 0, cache->size);
	memset(p + cache->size, SHIM_CANARY, SHIM_CANARY_SIZE);
	return p;
}

static inline void kmem_cache_free(struct kmem_cache *cache, void *p)
{
	free(p);
}

#define kmem_cache_destroy(cache)	free(cache)
#define kfree(p)			free(p)

/* There is only one thread, so a plain list will do. */
struct llist_node {
	struct llist_node *next;
};

struct llist_head {
	struct llist_node *first;
};

static inline void llist_add(struct llist_node *node, struct llist_head *head)
{
	node->next = head->first;
	head->first = node;
}

/* Compare integers: gcc assumes that no member of a structure is at address 0. */
#define llist_for_each_entry(pos, node, member)					\
	for (pos = (void *)((size_t)(node) - offsetof(typeof(*pos), member));	\
	     (size_t)pos + offsetof(typeof(*pos), member);			\
	     pos = (void *)((size_t)pos->member.next - offsetof(typeof(*pos), member)))

/* Linux 6.1's tools do not have this. */
#ifndef OPTIMIZER_HIDE_VAR
#define OPTIMIZER_HIDE_VAR(var)	({ asm volatile("" : "+r" (var)); })
#endif

/* The header of the tools has nothing. */
struct mutex {
	int locked;
};

#define mutex_init(mutex)	((mutex)->locked = 0)
#define mutex_lock(mutex)	((mutex)->locked++)
#define mutex_unlock(mutex)	((mutex)->locked--)

#define CONFIG_KVM_EXITSTATS 1
#include "../../../../../../../arch/x86/include/asm/kvm_exitstats.h"

#define SHIM_VCPUS	2

struct kvm;

struct kvm_vcpu {
	struct kvm *kvm;
	bool preempted;
	int cpl;
	u64 requests;
	struct {
#ifdef SHIM_TIMED
		/* The pointer is on another cache line than the ledger, as in the kernel. */
		_Alignas(4096) char before[0x9c0];
#endif
		struct kvm_vcpu_exitstats *exitstats;
		bool exitstats_running;
		bool guest_state_protected;
		u64 l1_tsc_scaling_ratio;
	} arch;
};

struct kvm {
	struct {
		struct kvm_exitstats exitstats;
	} arch;
	struct mutex lock;
	int created_vcpus;
	struct kvm_vcpu vcpu_array[SHIM_VCPUS];
};

#define KVM_ARCH_REQ(nr)	((nr) + 8)

static inline void kvm_make_request(int nr, struct kvm_vcpu *vcpu)
{
	vcpu->requests |= 1ull << nr;
}

static inline bool kvm_test_request(int nr, struct kvm_vcpu *vcpu)
{
	return vcpu->requests & 1ull << nr;
}

static inline void kvm_clear_request(int nr, struct kvm_vcpu *vcpu)
{
	vcpu->requests &= ~(1ull << nr);
}

struct dentry;

/* As on Intel, 48 bits of the ratio are the fraction. */
#define SHIM_TSC_RATIO_1	(1ull << 48)

static inline u64 kvm_scale_tsc(u64 tsc, u64 ratio)
{
	return (unsigned __int128)tsc * ratio >> 48;
}

static inline int shim_get_cpl(struct kvm_vcpu *vcpu)
{
	return vcpu->cpl;
}

static const struct {
	int (*get_cpl)(struct kvm_vcpu *vcpu);
} kvm_x86_ops __maybe_unused = { shim_get_cpl };

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
