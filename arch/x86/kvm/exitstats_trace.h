/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * KVM exitstats: a bare tracepoint, for BPF and modules. It has no event in tracefs and is
 * not an ABI.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM kvm

#if !defined(__KVM_X86_EXITSTATS_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define __KVM_X86_EXITSTATS_TRACE_H

#include <linux/tracepoint.h>

struct kvm_vcpu;

/*
 * An exit of @vcpu for @reason has ended and took @cycles of the host's TSC, as counted in the
 * ledger. @reason is the vendor's number, or U32_MAX if it is unknown. KVM cannot trace an exit
 * at VM entry, where it ends, so it calls this in the vCPU's thread before the next VM entry.
 */
DECLARE_TRACE(kvm_exitstats,
	      TP_PROTO(struct kvm_vcpu *vcpu, u32 reason, u64 cycles),
	      TP_ARGS(vcpu, reason, cycles));

#endif /* __KVM_X86_EXITSTATS_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH ../../arch/x86/kvm
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE exitstats_trace

#include <trace/define_trace.h>
