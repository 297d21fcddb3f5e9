// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM exitstats: a VMM saves the figures that a guest reads, and restores them in another
 * VM, as for live migration, or in the same VM, as for loadvm. The guest's figures
 * continue, and the host's statistics do not change.
 */
#include "exitstats_state.h"

#define NR_EXITS	100
#define HUGE_EXITS	BIT_ULL(40)

#define ACCOUNT(name)	KVM_EXITSTATS_SELECT_ACCOUNT(KVM_EXITSTATS_ACCOUNT_##name)
#define REASON(n)	KVM_EXITSTATS_SELECT_REASON(n)
#define OF_VCPU		KVM_EXITSTATS_SELECT_VCPU

/* What the guest reads for EXIT_FLUSH, and in total */
struct view {
	u64 exits, cycles, longest, own_exits;
	u64 other, total, total_cycles, guest_cycles, longest_of_all;
};

static struct view guest_view;

/* Cause EXIT_FLUSH exits, NR_EXITS between two reports. */
static void guest_flush(void)
{
	int i;

	for (;;) {
		guest_view = (struct view) {
			.exits = exits_of(EXIT_FLUSH),
			.cycles = cycles_of(EXIT_FLUSH),
			.longest = read_leaf(KVM_EXITSTATS_LEAF_CYCLES, EXIT_FLUSH).eax,
			.own_exits = exits_of(REASON(EXIT_FLUSH) | OF_VCPU),
			.other = exits_of(ACCOUNT(OTHER)),
			.total = total_exits(),
			.total_cycles = total_cycles(),
			.guest_cycles = cycles_of(ACCOUNT(GUEST)),
			.longest_of_all = read_leaf(KVM_EXITSTATS_LEAF_CYCLES, ACCOUNT(ALL)).eax,
		};
		GUEST_SYNC(0);
		for (i = 0; i < NR_EXITS; i++)
			flush_caches();
	}
}

static struct view next_view(struct kvm_vcpu *vcpu)
{
	TEST_ASSERT_EQ(run_guest(vcpu), UCALL_SYNC);
	sync_global_from_guest(vcpu->vm, guest_view);
	return guest_view;
}

static u64 next_exits(struct kvm_vcpu *vcpu)
{
	return next_view(vcpu).exits;
}

#define assert_errno(ret, err)						\
	TEST_ASSERT((ret) < 0 && errno == (err), #err " expected: %s", strerror(errno))

static void assert_entry(const struct state *state, u32 selector, u64 exits, u64 cycles,
			 u64 longest)
{
	struct kvm_exitstats_entry e = find_entry(state, selector);

	TEST_ASSERT(e.exits == exits && e.cycles == cycles && e.longest == longest,
		    "selector %x: %llu exits, %llu cycles, longest %llu; not %lu, %lu, %lu",
		    selector, e.exits, e.cycles, e.longest, exits, cycles, longest);
}

/* Do not compare the longest exit, as a later one may have been longer. */
static void assert_same_figures(const struct state *saved, const struct state *restored)
{
	const struct kvm_exitstats_entry *s = saved->entries, *r = restored->entries;
	u32 i;

	TEST_ASSERT_EQ(saved->header.nr, restored->header.nr);
	for (i = 0; i < saved->header.nr; i++, s++, r++)
		TEST_ASSERT(s->selector == r->selector && s->exits == r->exits &&
			    s->cycles == r->cycles && s->longest <= r->longest,
			    "selector %x: %llu exits, %llu cycles; restored %llu, %llu",
			    s->selector, s->exits, s->cycles, r->exits, r->cycles);
}

/* The host's statistics have only exits that the vCPU caused here. */
static void assert_host_is_unchanged(struct kvm_vcpu *vcpu, const struct stats *before)
{
	struct stats after;

	read_stats(vcpu, &after);
	TEST_ASSERT(!memcmp(before, &after, sizeof(after)), "the host's statistics have changed");
	assert_stats(vcpu);
}

FIXTURE(state) {
	struct kvm_vcpu *vcpu;		/* has run */
	struct kvm_vcpu *fresh;		/* of another VM, has not run */
};

FIXTURE_SETUP(state)
{
	vm_create_with_one_vcpu(&self->vcpu, guest_flush);
	TEST_ASSERT_EQ(next_exits(self->vcpu), 0);
	TEST_ASSERT_EQ(next_exits(self->vcpu), NR_EXITS);
	vm_create_with_one_vcpu(&self->fresh, guest_flush);
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
	struct kvm_exitstats_entry entry;
	struct state state;
	struct stats stats;
	u32 i, nr = 0, known = 0;

	read_stats(self->vcpu, &stats);
	must_get(self->vcpu, &state);
	for (i = 0; i < NR_REASONS; i++) {
		entry = find_entry(&state, REASON(i));
		TEST_ASSERT(entry.exits == stats.exits_by_reason[i] &&
			    entry.cycles == stats.cycles_by_reason[i] && !entry.reserved &&
			    entry.longest <= entry.cycles && !entry.longest == !entry.exits,
			    "reason %u: %llu exits, %llu cycles, longest %llu", i, entry.exits,
			    entry.cycles, entry.longest);
		nr += entry.exits != 0;
	}

	/* The state also has the other accounts. */
	for (i = 0; i < state.header.nr; i++)
		known += state.entries[i].selector == ACCOUNT(GUEST) ||
			 state.entries[i].selector == ACCOUNT(USERSPACE) ||
			 state.entries[i].selector == ACCOUNT(PREEMPTED) ||
			 state.entries[i].selector == ACCOUNT(ASLEEP);
	TEST_ASSERT_EQ(state.header.nr, nr + known);
	TEST_ASSERT_EQ(find_entry(&state, ACCOUNT(GUEST)).exits, stats.exits);
	TEST_ASSERT(find_entry(&state, ACCOUNT(USERSPACE)).cycles, "no time in userspace");
}

TEST_F(state, is_the_vms)
{
	struct kvm_vcpu *second = vm_vcpu_add(self->vcpu->vm, 1, guest_flush);
	struct state state, same;

	next_exits(second);
	next_exits(second);
	must_get(self->vcpu, &state);
	must_get(second, &same);
	TEST_ASSERT_EQ(find_entry(&state, REASON(EXIT_FLUSH)).exits, 2 * NR_EXITS);
	TEST_ASSERT(!memcmp(&state, &same, sizeof(state)), "two vCPUs have different states");
}

TEST_F(state, of_a_fresh_vm_has_no_exits)
{
	struct state state;

	must_get(self->fresh, &state);
	/* The vCPU has been in userspace since its creation. */
	TEST_ASSERT_EQ(state.header.nr, 1);
	TEST_ASSERT_EQ(state.entries[0].selector, ACCOUNT(USERSPACE));
	TEST_ASSERT_EQ(state.entries[0].exits, 1);
}

TEST_F(state, continues_elsewhere)
{
	struct kvm_exitstats_entry flush;
	struct state saved, restored;
	struct stats before;
	struct view view;
	u64 total, cycles;

	read_stats(self->vcpu, &before);
	must_get(self->vcpu, &saved);
	flush = find_entry(&saved, REASON(EXIT_FLUSH));
	must_set(self->fresh, &saved);
	must_get(self->fresh, &restored);
	TEST_ASSERT(!memcmp(&saved, &restored, sizeof(saved)), "restored is not what was saved");

	/* The guest's exits continue exactly. */
	view = next_view(self->fresh);
	total = sum_slots(before.exits_by_reason);
	cycles = sum_slots(before.cycles_by_reason);
	TEST_ASSERT_EQ(view.exits, NR_EXITS);
	TEST_ASSERT_EQ(view.cycles, flush.cycles);
	TEST_ASSERT_EQ(view.longest, flush.longest);
	TEST_ASSERT(view.total > total && view.total < total + 1000, "%lu exits, then %lu",
		    total, view.total);
	TEST_ASSERT(view.total_cycles > cycles, "%lu cycles, then %lu", cycles, view.total_cycles);
	TEST_ASSERT(view.guest_cycles > find_entry(&saved, ACCOUNT(GUEST)).cycles,
		    "%lu cycles in the guest", view.guest_cycles);
	/* The restored exits are the VM's, not a vCPU's. */
	TEST_ASSERT_EQ(view.own_exits, 0);

	view = next_view(self->fresh);
	TEST_ASSERT_EQ(view.exits, 2 * NR_EXITS);
	TEST_ASSERT_EQ(view.own_exits, NR_EXITS);
	TEST_ASSERT(view.cycles > flush.cycles, "exits without cycles");

	/* Neither the source nor the host's statistics are affected. */
	TEST_ASSERT_EQ(next_exits(self->vcpu), 2 * NR_EXITS);
	assert_stats(self->vcpu);
	assert_stats(self->fresh);
}

/* loadvm: the vCPUs have run since, and their later exits are taken back. */
TEST_F(state, returns_to_what_was_saved)
{
	struct kvm_exitstats_entry flush;
	struct state saved, restored;
	struct stats before;
	struct view view;
	int i;

	must_get(self->vcpu, &saved);
	flush = find_entry(&saved, REASON(EXIT_FLUSH));
	for (i = 2; i < 5; i++) {
		TEST_ASSERT_EQ(next_exits(self->vcpu), 2 * NR_EXITS);

		read_stats(self->vcpu, &before);
		TEST_ASSERT_EQ(before.exits_by_reason[EXIT_FLUSH], i * NR_EXITS);
		must_set(self->vcpu, &saved);
		assert_host_is_unchanged(self->vcpu, &before);
		must_get(self->vcpu, &restored);
		assert_same_figures(&saved, &restored);
	}

	/* NR_EXITS more exits; the cycles are the saved ones and more. */
	view = next_view(self->vcpu);
	TEST_ASSERT_EQ(view.exits, 2 * NR_EXITS);
	TEST_ASSERT_EQ(view.own_exits, 5 * NR_EXITS);
	TEST_ASSERT(view.cycles > flush.cycles, "%lu cycles", view.cycles);
}

/* The source and the destination may have different numbers of vCPUs: no figure goes back. */
TEST_F(state, needs_no_vcpu_for_each)
{
	struct kvm_vcpu *more = vm_vcpu_add(self->vcpu->vm, 1, guest_flush);
	struct state saved, again;
	struct kvm_vcpu *second;
	struct view view;

	next_exits(more);
	TEST_ASSERT_EQ(next_exits(more), 2 * NR_EXITS);
	must_get(self->vcpu, &saved);

	/* From two vCPUs to one ... */
	must_set(self->fresh, &saved);
	TEST_ASSERT_EQ(next_exits(self->fresh), 2 * NR_EXITS);
	TEST_ASSERT_EQ(next_exits(self->fresh), 3 * NR_EXITS);

	/* ... then a new vCPU at the destination, which reads the same ... */
	second = vm_vcpu_add(self->fresh->vm, 1, guest_flush);
	view = next_view(second);
	TEST_ASSERT_EQ(view.exits, 3 * NR_EXITS);
	TEST_ASSERT_EQ(view.own_exits, 0);
	TEST_ASSERT_EQ(next_exits(second), 4 * NR_EXITS);

	/* ... and can save and restore the state, too. */
	must_get(second, &again);
	TEST_ASSERT_EQ(find_entry(&again, REASON(EXIT_FLUSH)).exits, 4 * NR_EXITS);
	must_set(second, &saved);
	TEST_ASSERT_EQ(next_exits(self->fresh), 3 * NR_EXITS);
}

TEST_F(state, has_64_bits)
{
	struct state state;
	struct view view;

	init_state(&state);
	add_entry(&state, REASON(EXIT_FLUSH), HUGE_EXITS + 1, 3 * HUGE_EXITS + 1, HUGE_EXITS);
	must_set(self->fresh, &state);
	view = next_view(self->fresh);
	TEST_ASSERT_EQ(view.exits, HUGE_EXITS + 1);
	TEST_ASSERT_EQ(view.cycles, 3 * HUGE_EXITS + 1);
	/* The guest's leaf has only 32 bits for the longest exit. */
	TEST_ASSERT_EQ(view.longest, ~0u);
	TEST_ASSERT_EQ(view.longest_of_all, ~0u);
	TEST_ASSERT(view.total > HUGE_EXITS + 1 && view.total < HUGE_EXITS + 1000,
		    "total of %lu", view.total);
	TEST_ASSERT_EQ(next_exits(self->fresh), HUGE_EXITS + 1 + NR_EXITS);
}

TEST_F(state, replaces)
{
	struct state state, got;

	init_state(&state);
	add_entry(&state, REASON(EXIT_FLUSH), 5, 500, 50);
	add_entry(&state, REASON(EXIT_RDPMC), 6, 600, 60);
	must_set(self->fresh, &state);
	must_get(self->fresh, &got);
	assert_entry(&got, REASON(EXIT_FLUSH), 5, 500, 50);
	assert_entry(&got, REASON(EXIT_RDPMC), 6, 600, 60);

	init_state(&state);
	add_entry(&state, REASON(EXIT_FLUSH), 3, 300, 30);
	must_set(self->fresh, &state);
	must_get(self->fresh, &got);
	assert_entry(&got, REASON(EXIT_FLUSH), 3, 300, 30);
	assert_entry(&got, REASON(EXIT_RDPMC), 0, 0, 0);

	init_state(&state);
	must_set(self->fresh, &state);
	must_get(self->fresh, &got);
	TEST_ASSERT_EQ(got.header.nr, 0);
	TEST_ASSERT_EQ(next_exits(self->fresh), 0);
	assert_stats(self->fresh);
}

/* Entries of one account add up. The longest exit is the longest of all. */
TEST_F(state, adds_up)
{
	struct state state, got;
	u32 account;

	init_state(&state);
	add_entry(&state, REASON(EXIT_FLUSH), 5, 500, 50);
	add_entry(&state, REASON(EXIT_FLUSH), 6, 600, 40);
	for (account = ACCOUNT(GUEST); account <= ACCOUNT(OTHER); account++)
		add_entry(&state, account, account, 10ull * account, 0);
	must_set(self->fresh, &state);

	must_get(self->fresh, &got);
	assert_entry(&got, REASON(EXIT_FLUSH), 11, 1100, 50);
	for (account = ACCOUNT(GUEST); account <= ACCOUNT(OTHER); account++)
		assert_entry(&got, account, account, 10ull * account, 0);
}

/* Reasons that only a newer kernel knows are not lost. */
TEST_F(state, keeps_unknown_reasons_as_other)
{
	struct state state, got;
	struct stats before;
	struct view view;

	read_stats(self->fresh, &before);
	init_state(&state);
	add_entry(&state, REASON(0xff), 1, 10, 5);
	add_entry(&state, REASON(0xffff), 2, 20, 4);
	add_entry(&state, ACCOUNT(OTHER), 4, 40, 3);
	must_set(self->fresh, &state);
	assert_host_is_unchanged(self->fresh, &before);

	must_get(self->fresh, &got);
	TEST_ASSERT_EQ(got.header.nr, 1);
	assert_entry(&got, ACCOUNT(OTHER), 7, 70, 5);

	view = next_view(self->fresh);
	TEST_ASSERT_EQ(view.other, 7);
	TEST_ASSERT(view.total >= 7, "not in the total: %lu", view.total);
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
	TEST_ASSERT_EQ(some.entries[0].selector, ~0u);

	some.header.nr = nr - 1;
	assert_errno(get_state(self->vcpu, &some), E2BIG);
	TEST_ASSERT_EQ(some.header.nr, nr);
	TEST_ASSERT_EQ(some.entries[nr - 1].exits, ~0ull);

	TEST_ASSERT(!get_state(self->vcpu, &some), "get: %s", strerror(errno));
	TEST_ASSERT(!memcmp(&some, &all, sizeof(all)), "differs from the state with more room");
}

TEST_F(state, refuses_what_is_not_valid)
{
	static const u32 selectors[] = {
		0, 0xffff, ACCOUNT(ALL), ACCOUNT(OTHER) + 1, KVM_EXITSTATS_SELECT_NUMBERING,
		REASON(0) | OF_VCPU, ACCOUNT(GUEST) | OF_VCPU, 0x4f200000, KVM_EXITSTATS_PROBE,
	};
	struct state state, good, got;
	int i;

	init_state(&good);
	add_entry(&good, REASON(EXIT_FLUSH), 5, 500, 50);
	add_entry(&good, REASON(EXIT_RDPMC), 6, 600, 60);
	must_set(self->fresh, &good);

	state = good;
	state.header.nr = KVM_EXITSTATS_MAX_ENTRIES + 1;
	assert_errno(set_state(self->fresh, &state), EINVAL);

	/* A state from a host of the other vendor, or of an unknown one */
	for (i = 0; i < 4; i++) {
		if (i == good.header.numbering)
			continue;
		state = good;
		state.header.numbering = i;
		assert_errno(set_state(self->fresh, &state), EINVAL);
	}

	state = good;
	state.entries[0].exits = 50;
	state.entries[1].reserved = 1;
	assert_errno(set_state(self->fresh, &state), EINVAL);
	for (i = 0; i < ARRAY_SIZE(selectors); i++) {
		state = good;
		state.entries[0].exits = 50;
		state.entries[1].selector = selectors[i];
		assert_errno(set_state(self->fresh, &state), EINVAL);
	}
	assert_errno(set_state(self->fresh, NULL), EFAULT);
	assert_errno(get_state(self->fresh, NULL), EFAULT);

	/* None of these calls had an effect. */
	must_get(self->fresh, &got);
	TEST_ASSERT_EQ(got.header.nr, 2);
	assert_entry(&got, REASON(EXIT_FLUSH), 5, 500, 50);
	assert_entry(&got, REASON(EXIT_RDPMC), 6, 600, 60);
}

TEST_F(state, takes_as_many_entries_as_may_be)
{
	struct state state;

	init_state(&state);
	while (state.header.nr < KVM_EXITSTATS_MAX_ENTRIES)
		add_entry(&state, REASON(EXIT_FLUSH), 1, 10, 1);
	must_set(self->fresh, &state);
	TEST_ASSERT_EQ(next_exits(self->fresh), KVM_EXITSTATS_MAX_ENTRIES);
}

TEST_F(state, is_not_there_for_a_vm_that_does_not_count)
{
	struct kvm_vm *vm = vm_create(1);
	struct kvm_vcpu *vcpu;
	struct state state;

	vm_enable_cap(vm, KVM_CAP_X86_EXITSTATS, 0);
	vcpu = vm_vcpu_add(vm, 0, guest_flush);
	init_state(&state);
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
