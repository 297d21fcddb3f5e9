// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM exitstats: a VMM saves a vCPU's counters and restores them elsewhere, as for
 * live migration, and the guest's figures continue.
 */
#include "exitstats_state.h"

#define NR_EXITS	100
#define NR_UNKNOWN	1000	/* a reason that no kernel has a counter for */
#define HUGE_EXITS	BIT_ULL(40)

static u64 guest_exits, guest_cycles, guest_total;

/* Cause INVD exits, NR_EXITS between two reports. */
static void guest_invd(void)
{
	int i;

	for (;;) {
		guest_exits = exits_of(EXIT_REASON_INVD);
		guest_cycles = cycles_of(EXIT_REASON_INVD);
		guest_total = total_exits();
		GUEST_SYNC(0);
		for (i = 0; i < NR_EXITS; i++)
			asm volatile("invd");
	}
}

static u64 next_exits(struct kvm_vcpu *vcpu)
{
	TEST_ASSERT_EQ(run_guest(vcpu), UCALL_SYNC);
	sync_global_from_guest(vcpu->vm, guest_exits);
	sync_global_from_guest(vcpu->vm, guest_cycles);
	sync_global_from_guest(vcpu->vm, guest_total);
	return guest_exits;
}

#define assert_errno(ret, err)						\
	TEST_ASSERT((ret) < 0 && errno == (err), #err " expected: %s", strerror(errno))

static void must_get(struct kvm_vcpu *vcpu, struct state *state)
{
	memset(state, 0xff, sizeof(*state));
	state->header.nr = KVM_EXITSTATS_MAX_ENTRIES;
	TEST_ASSERT(!get_state(vcpu, state), "get: %s", strerror(errno));
	TEST_ASSERT_EQ(state->header.reserved, 0);
}

static void assert_slot(const struct stats *stats, u32 slot, u64 exits, u64 cycles)
{
	TEST_ASSERT(stats->exits_by_reason[slot] == exits &&
		    stats->cycles_by_reason[slot] == cycles,
		    "slot %u: %lu exits, %lu cycles, not %lu, %lu", slot,
		    stats->exits_by_reason[slot], stats->cycles_by_reason[slot], exits, cycles);
}

FIXTURE(state) {
	struct kvm_vcpu *vcpu;		/* that has run */
	struct kvm_vcpu *fresh;		/* that has not, of another VM */
};

FIXTURE_SETUP(state)
{
	vm_create_with_one_vcpu(&self->vcpu, guest_invd);
	TEST_ASSERT_EQ(next_exits(self->vcpu), 0);
	TEST_ASSERT_EQ(next_exits(self->vcpu), NR_EXITS);
	vm_create_with_one_vcpu(&self->fresh, guest_invd);
}

FIXTURE_TEARDOWN(state)
{
	kvm_vm_free(self->fresh->vm);
	kvm_vm_free(self->vcpu->vm);
}

TEST_F(state, is_there)
{
	TEST_ASSERT(!__vcpu_has_device_attr(self->vcpu, KVM_VCPU_EXITSTATS,
					    KVM_VCPU_EXITSTATS_STATE), "no attribute");
	assert_errno(__vcpu_has_device_attr(self->vcpu, KVM_VCPU_EXITSTATS,
					    KVM_VCPU_EXITSTATS_STATE + 1), ENXIO);
}

TEST_F(state, is_what_the_statistics_are)
{
	struct state state;
	struct stats stats;
	u32 i, reason, nr = 0;

	read_stats(self->vcpu, &stats);
	must_get(self->vcpu, &state);
	for (i = 0; i < state.header.nr; i++) {
		reason = state.entries[i].reason;
		TEST_ASSERT(reason < NR_REASONS, "reason %u", reason);
		TEST_ASSERT_EQ(state.entries[i].reserved, 0);
		assert_slot(&stats, reason, state.entries[i].exits, state.entries[i].cycles);
	}
	for (i = 0; i < NR_SLOTS; i++)
		nr += stats.exits_by_reason[i] != 0;
	TEST_ASSERT_EQ(state.header.nr, nr);
}

TEST_F(state, of_a_fresh_vcpu_is_empty)
{
	struct state state;

	must_get(self->fresh, &state);
	TEST_ASSERT_EQ(state.header.nr, 0);
}

TEST_F(state, continues_elsewhere)
{
	struct state saved, restored;
	struct stats before, after;
	u64 cycles, total;
	int i;

	read_stats(self->vcpu, &before);
	must_get(self->vcpu, &saved);
	must_set(self->fresh, &saved);
	must_get(self->fresh, &restored);
	TEST_ASSERT(!memcmp(&saved, &restored, sizeof(saved)), "restored is not what was saved");

	cycles = before.cycles_by_reason[EXIT_REASON_INVD];
	total = sum_slots(before.exits_by_reason);
	TEST_ASSERT_EQ(next_exits(self->fresh), NR_EXITS);
	TEST_ASSERT_EQ(guest_cycles, cycles);
	TEST_ASSERT(guest_total > total, "total of %lu, then %lu", total, guest_total);

	TEST_ASSERT_EQ(next_exits(self->fresh), 2 * NR_EXITS);
	TEST_ASSERT(guest_cycles > cycles, "exits without cycles");
	read_stats(self->fresh, &after);
	for (i = 0; i < NR_SLOTS; i++)
		TEST_ASSERT(after.exits_by_reason[i] >= before.exits_by_reason[i] &&
			    after.cycles_by_reason[i] >= before.cycles_by_reason[i],
			    "reason %d goes back", i);
	/* KVM's own counter does not migrate. */
	TEST_ASSERT_EQ(sum_slots(after.exits_by_reason) - total, after.exits);

	/* The source goes on as if nothing had been. */
	TEST_ASSERT_EQ(next_exits(self->vcpu), 2 * NR_EXITS);
	assert_stats(self->vcpu);
}

TEST_F(state, sums_over_vcpus)
{
	struct kvm_vcpu *second = vm_vcpu_add(self->fresh->vm, 1, guest_invd);
	struct state state;

	must_get(self->vcpu, &state);
	must_set(self->fresh, &state);
	must_set(second, &state);
	TEST_ASSERT_EQ(next_exits(second), 2 * NR_EXITS);
	/* Another that comes later, the VM running. */
	must_set(vm_vcpu_add(self->fresh->vm, 2, guest_invd), &state);
	TEST_ASSERT_EQ(next_exits(second), 4 * NR_EXITS);
}

TEST_F(state, has_64_bits)
{
	struct state state = {};

	add_entry(&state, EXIT_REASON_INVD, HUGE_EXITS + 1, 3 * HUGE_EXITS + 1);
	must_set(self->fresh, &state);
	TEST_ASSERT_EQ(next_exits(self->fresh), HUGE_EXITS + 1);
	TEST_ASSERT_EQ(guest_cycles, 3 * HUGE_EXITS + 1);
	TEST_ASSERT(guest_total > HUGE_EXITS + 1 && guest_total < HUGE_EXITS + 1000,
		    "total of %lu", guest_total);
	TEST_ASSERT_EQ(next_exits(self->fresh), HUGE_EXITS + 1 + NR_EXITS);
}

TEST_F(state, replaces)
{
	struct state state = {};
	struct stats stats;

	add_entry(&state, EXIT_REASON_INVD, 5, 500);
	add_entry(&state, EXIT_REASON_WBINVD, 6, 600);
	must_set(self->fresh, &state);

	state.header.nr = 0;
	add_entry(&state, EXIT_REASON_INVD, 7, 700);
	must_set(self->fresh, &state);
	read_stats(self->fresh, &stats);
	assert_slot(&stats, EXIT_REASON_INVD, 7, 700);
	assert_slot(&stats, EXIT_REASON_WBINVD, 0, 0);

	state.header.nr = 0;
	must_set(self->fresh, &state);
	TEST_ASSERT_EQ(next_exits(self->fresh), 0);
	assert_stats(self->fresh);
}

/* What a newer kernel may have counted: nothing is lost. */
TEST_F(state, keeps_unknown_reasons_as_other)
{
	struct state state = {};
	struct stats stats;

	add_entry(&state, NR_REASONS, 1, 10);
	add_entry(&state, NR_UNKNOWN, 2, 20);
	add_entry(&state, KVM_EXITSTATS_REASON_OTHER, 4, 40);
	must_set(self->fresh, &state);
	read_stats(self->fresh, &stats);
	assert_slot(&stats, NR_REASONS, 7, 70);
	TEST_ASSERT_EQ(sum_slots(stats.exits_by_reason), 7);

	must_get(self->fresh, &state);
	TEST_ASSERT_EQ(state.header.nr, 1);
	TEST_ASSERT_EQ(state.entries[0].reason, KVM_EXITSTATS_REASON_OTHER);
	TEST_ASSERT_EQ(state.entries[0].exits, 7);
	TEST_ASSERT_EQ(state.entries[0].cycles, 70);

	next_exits(self->fresh);
	TEST_ASSERT(guest_total >= 7, "not in the total: %lu", guest_total);
}

TEST_F(state, says_how_much_room_it_needs)
{
	struct state all, some;
	u32 nr;

	must_get(self->vcpu, &all);
	nr = all.header.nr;

	memset(&some, 0xff, sizeof(some));
	some.header.nr = 0;
	assert_errno(get_state(self->vcpu, &some), E2BIG);
	TEST_ASSERT_EQ(some.header.nr, nr);
	TEST_ASSERT_EQ(some.entries[0].reason, ~0u);

	some.header.nr = nr - 1;
	assert_errno(get_state(self->vcpu, &some), E2BIG);
	TEST_ASSERT_EQ(some.header.nr, nr);
	TEST_ASSERT_EQ(some.entries[nr - 1].exits, ~0ull);

	TEST_ASSERT(!get_state(self->vcpu, &some), "get: %s", strerror(errno));
	TEST_ASSERT(!memcmp(&some, &all, sizeof(all)), "not what it is with more room");
}

TEST_F(state, refuses_a_vcpu_that_has_run)
{
	struct state state;

	must_get(self->vcpu, &state);
	assert_errno(set_state(self->vcpu, &state), EBUSY);
	TEST_ASSERT_EQ(next_exits(self->vcpu), 2 * NR_EXITS);
	assert_stats(self->vcpu);
}

TEST_F(state, refuses_what_is_not_valid)
{
	struct state state, good = {};
	struct stats stats;

	add_entry(&good, EXIT_REASON_INVD, 5, 500);
	add_entry(&good, EXIT_REASON_WBINVD, 6, 600);
	must_set(self->fresh, &good);

	state = good;
	state.header.nr = KVM_EXITSTATS_MAX_ENTRIES + 1;
	assert_errno(set_state(self->fresh, &state), EINVAL);
	state = good;
	state.header.reserved = 1;
	assert_errno(set_state(self->fresh, &state), EINVAL);
	state = good;
	state.entries[0].exits = 50;
	state.entries[1].reserved = 1;
	assert_errno(set_state(self->fresh, &state), EINVAL);
	assert_errno(set_state(self->fresh, NULL), EFAULT);
	assert_errno(get_state(self->fresh, NULL), EFAULT);

	/* None of it left a trace. */
	read_stats(self->fresh, &stats);
	assert_slot(&stats, EXIT_REASON_INVD, 5, 500);
	assert_slot(&stats, EXIT_REASON_WBINVD, 6, 600);

	state = good;
	memset(state.entries, 0, sizeof(state.entries));
	state.header.nr = KVM_EXITSTATS_MAX_ENTRIES;
	must_set(self->fresh, &state);
}

TEST_F(state, is_not_there_for_a_vm_that_does_not_count)
{
	struct kvm_vm *vm = vm_create(1);
	struct state state = {};
	struct kvm_vcpu *vcpu;

	vm_enable_cap(vm, KVM_CAP_X86_EXITSTATS, 0);
	vcpu = vm_vcpu_add(vm, 0, guest_invd);
	assert_errno(__vcpu_has_device_attr(vcpu, KVM_VCPU_EXITSTATS, KVM_VCPU_EXITSTATS_STATE),
		     ENXIO);
	assert_errno(get_state(vcpu, &state), ENXIO);
	assert_errno(set_state(vcpu, &state), ENXIO);
	kvm_vm_free(vm);
}

int main(int argc, char *argv[])
{
	require_exitstats();
	return test_harness_run(argc, argv);
}
