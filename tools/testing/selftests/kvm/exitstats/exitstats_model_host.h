/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The host's part of the model in exitstats_model_guest.h: create a VM whose guest exits
 * at random, run it, and compare KVM's figures with the model's.
 */
#ifndef SELFTEST_KVM_EXITSTATS_MODEL_HOST_H
#define SELFTEST_KVM_EXITSTATS_MODEL_HOST_H

#include "exitstats_hist.h"
#include "exitstats_model_guest.h"
#include "exitstats_state.h"

struct model_vm {
	struct kvm_vm *vm;
	struct model *model;
	struct kvm_vcpu *vcpus[MODEL_VCPUS];
	struct stats base[MODEL_VCPUS];	/* statistics before the vCPUs start */
	struct rnd rnd;
};

/* All reasons are exact except those that not only the guest causes. */
static inline void model_init_exact(struct model *model)
{
	static const u16 vmx[] = {
		EXIT_REASON_EXCEPTION_NMI, EXIT_REASON_EXTERNAL_INTERRUPT,
		EXIT_REASON_INTERRUPT_WINDOW, EXIT_REASON_NMI_WINDOW, EXIT_REASON_INVALID_STATE,
		EXIT_REASON_PAUSE_INSTRUCTION, EXIT_REASON_TPR_BELOW_THRESHOLD,
		EXIT_REASON_EOI_INDUCED, EXIT_REASON_EPT_VIOLATION, EXIT_REASON_EPT_MISCONFIG,
		EXIT_REASON_PREEMPTION_TIMER, EXIT_REASON_WBINVD, EXIT_REASON_APIC_WRITE,
		EXIT_REASON_PML_FULL,
	};
	static const u16 svm[] = {
		SVM_EXIT_EXCP_BASE + PF_VECTOR, SVM_EXIT_INTR, SVM_EXIT_NMI, SVM_EXIT_SMI,
		SVM_EXIT_VINTR, SVM_EXIT_PAUSE, SVM_EXIT_NPF, SVM_EXIT_WRITE_CR8,
		SVM_EXIT_AVIC_INCOMPLETE_IPI, SVM_EXIT_AVIC_UNACCELERATED_ACCESS,
	};
	const u16 *others = by_vendor(vmx, svm);
	int i, nr = by_vendor(ARRAY_SIZE(vmx), ARRAY_SIZE(svm));

	memset(model->exact, true, sizeof(model->exact));
	for (i = 0; i < nr; i++)
		model->exact[others[i]] = false;
	model->exact[EXIT_READ_DR7] = model->debugged;
	model->exact[EXIT_WRMSR] = !apic_is_virtual();
}

/* Put @exits into two buckets. KVM drops buckets of a reason that it does not know. */
static inline void model_add_buckets(struct model_vm *m, struct state *state, u32 reason, u64 exits)
{
	u64 part = rnd_u64(&m->rnd) % (exits + 1);
	int i;

	for (i = 0; i < 2; i++) {
		add_entry(state, KVM_EXITSTATS_SELECT_BUCKET(rnd_below(&m->rnd,
								       KVM_EXITSTATS_NR_BUCKETS),
							     reason),
			  i ? exits - part : part, 0, 0);
		if (!has_account(reason))
			part += rnd(&m->rnd);
	}
}

/* Restore random figures, as after a migration, with both halves in use. */
static inline void model_restore(struct model_vm *m)
{
	u32 nr = rnd_below(&m->rnd, KVM_EXITSTATS_MAX_ENTRIES + 1), reason;
	struct state state;
	u64 exits;

	init_state(&state);
	while (state.header.nr + 3 <= nr) {
		reason = rnd_below(&m->rnd, NR_SLOTS + 8);
		exits = rnd_u64(&m->rnd) >> (20 + rnd_below(&m->rnd, 40)) | 1;
		add_entry(&state, KVM_EXITSTATS_SELECT_REASON(reason), exits,
			  rnd_u64(&m->rnd) >> (16 + rnd_below(&m->rnd, 40)) | 1, 1);
		if (m->model->histogram)
			model_add_buckets(m, &state, reason, exits);

		/* The guest's figures start with these. */
		if (has_account(reason))
			m->model->base[reason] += exits;
		m->model->base_total += exits;
	}
	must_set(m->vcpus[0], &state);
}

/* Create a VM that takes @steps steps, the same ones for the same @seed. */
static inline void model_create(struct model_vm *m, u32 nr_vcpus, bool on, u32 seed, u32 steps,
				u32 burst)
{
	struct kvm_guest_debug debug = { .control = KVM_GUESTDBG_ENABLE };
	struct model *model;
	bool restore, histogram;
	int i, slot;

	*m = (struct model_vm) { .vm = vm_create(nr_vcpus), .rnd = rnd_seed(seed, ~0u) };
	m->model = addr_gva2hva(m->vm, (unsigned long)&guest_model);
	model = m->model;
	histogram = rnd_below(&m->rnd, 2) && on;
	vm_enable_cap(m->vm, KVM_CAP_X86_EXITSTATS,
		      on | (histogram ? KVM_EXITSTATS_HISTOGRAM : 0));
	vm_userspace_mem_region_add(m->vm, VM_MEM_SRC_ANONYMOUS, TEST_MEMORY, 1, MODEL_PAGES, 0);
	virt_map(m->vm, TEST_MEMORY, TEST_MEMORY, MODEL_PAGES);
	virt_map(m->vm, TEST_MMIO, TEST_MMIO, 1);

	model->on = on;
	model->histogram = histogram;
	model->nr_vcpus = nr_vcpus;
	model->nested = nested_paging();
	model->xsave = xsetbv_exits();
	model->debugged = rnd_below(&m->rnd, 2);
	model_init_exact(model);
	restore = rnd_below(&m->rnd, 2);

	for (i = 0; i < nr_vcpus; i++) {
		m->vcpus[i] = vm_vcpu_add(m->vm, i, guest_model_main);
		vcpu_args_set(m->vcpus[i], 4, i, seed, steps, burst);
		if (model->debugged)
			vcpu_guest_debug_set(m->vcpus[i], &debug);
	}
	if (on && restore)
		model_restore(m);
	vm_install_exception_handler(m->vm, TEST_VECTOR, guest_irq_handler);
	vm_install_exception_handler(m->vm, UD_VECTOR, guest_skip_ud2);

	for (i = 0; i < nr_vcpus; i++) {
		TEST_ASSERT_EQ(run_guest(m->vcpus[i]), UCALL_SYNC);
		if (!on)
			continue;
		read_stats(m->vcpus[i], &m->base[i]);
		for (slot = 0; slot < NR_REASONS; slot++)
			model->base[slot] += m->base[i].exits_by_reason[slot];
		model->base_total += sum_slots(m->base[i].exits_by_reason);
	}
}

/* KVM's figures for a vCPU must match the model and KVM's own counter. */
static inline void model_check(struct model_vm *m, int i, const struct stats *stats)
{
	const u64 *begun = m->model->vcpus[i].begun;
	u64 expected, sum = sum_slots(stats->exits_by_reason);
	int r;

	for (r = 0; r < NR_REASONS; r++) {
		expected = m->base[i].exits_by_reason[r] + begun[r];
		TEST_ASSERT(m->model->exact[r] ? stats->exits_by_reason[r] == expected :
			    stats->exits_by_reason[r] >= expected,
			    "vCPU %d, reason %d: %lu exits, the model has %lu", i, r,
			    stats->exits_by_reason[r], expected);
	}
	TEST_ASSERT(sum == stats->exits, "vCPU %d: %lu exits by reason, %lu in all", i, sum,
		    stats->exits);
	if (m->model->histogram)
		TEST_ASSERT_EQ(sum_of_buckets(m->vcpus[i]), sum);
}

/*
 * Run a vCPU to its end, in a thread that runs no other one meanwhile. Compare its figures
 * with the model, KVM's own counter and, with @hist, tracing. Return its exits.
 */
static inline u64 model_run(struct model_vm *m, int i, bool hist)
{
	u64 before[MAX_SLOTS], hits[MAX_SLOTS], exits[MAX_SLOTS];
	struct stats stats;
	int slot;

	if (hist)
		hist_read(before);
	TEST_ASSERT_EQ(run_guest(m->vcpus[i]), UCALL_DONE);
	if (!m->model->on) {
		assert_nothing_counted(m->vcpus[i]);
		return 0;
	}

	read_stats(m->vcpus[i], &stats);
	model_check(m, i, &stats);
	if (hist) {
		hist_read(hits);
		for (slot = 0; slot < NR_SLOTS; slot++) {
			hits[slot] -= before[slot];
			exits[slot] = stats.exits_by_reason[slot] -
				      m->base[i].exits_by_reason[slot];
		}
		assert_hist(exits, hits);
	}
	return stats.exits;
}

#endif /* SELFTEST_KVM_EXITSTATS_MODEL_HOST_H */
