// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM exitstats: what no guest can bring about, on the kernel's own source: exit codes
 * beyond the table, of both vendors on any host, counts beyond 32 bits, clocks that go back,
 * and each way through the ledger. Needs no KVM.
 */
#include <string.h>

#include <linux/kvm_exitstats.h>

#include "exitstats_defined.h"
#include "kselftest_harness.h"

#include "../../../../../arch/x86/kvm/exitstats.c"
#include "../../../../../arch/x86/kvm/exitstats_reasons.c"
#include "../../../../../arch/x86/kvm/exitstats_cpuid.c"

/* What an exit takes here. */
#define CYCLES	((1ull << 33) + 5)

FIXTURE(bound) {
	struct kvm *kvm;
	struct kvm_vcpu *vcpu;
};

FIXTURE_VARIANT(bound) {
	u32 numbering;
	bool (*is_defined)(u32 code);
	u32 known;		/* an exit reason */
};

FIXTURE_VARIANT_ADD(bound, vmx) {
	.numbering = KVM_EXITSTATS_NUMBERING_VMX, .is_defined = is_defined_vmx, .known = 10,
};

FIXTURE_VARIANT_ADD(bound, svm) {
	.numbering = KVM_EXITSTATS_NUMBERING_SVM, .is_defined = is_defined_svm, .known = 0x403,
};

FIXTURE_SETUP(bound)
{
	int i;

	shim_tsc = 1ull << 40;
	kvm_exitstats_hardware_setup(variant->numbering);
	self->kvm = calloc(1, sizeof(*self->kvm));
	ASSERT_NE(self->kvm, NULL);
	kvm_exitstats_init_vm(self->kvm);
	for (i = 0; i < SHIM_VCPUS; i++) {
		self->kvm->vcpu_array[i].kvm = self->kvm;
		self->kvm->vcpu_array[i].arch.l1_tsc_scaling_ratio = SHIM_TSC_RATIO_1;
		ASSERT_EQ(kvm_exitstats_create_vcpu(&self->kvm->vcpu_array[i]), 0);
		kvm_exitstats_postcreate_vcpu(&self->kvm->vcpu_array[i]);
	}
	self->vcpu = &self->kvm->vcpu_array[0];
	shim_tsc += CYCLES;
}

/* Nobody wrote behind a ledger. */
static bool is_intact(struct kvm_vcpu *vcpu)
{
	const char *canary = (char *)vcpu->arch.exitstats + exitstats_cache[!!vcpu->arch.exitstats->tail]->size;
	int i;

	for (i = 0; i < SHIM_CANARY_SIZE; i++)
		if (canary[i] != SHIM_CANARY)
			return false;
	return true;
}

FIXTURE_TEARDOWN(bound)
{
	int i;

	for (i = 0; i < SHIM_VCPUS; i++) {
		EXPECT_TRUE(is_intact(&self->kvm->vcpu_array[i]));
		kvm_exitstats_destroy_vcpu(&self->kvm->vcpu_array[i]);
	}
	EXPECT_EQ(kvm_exitstats_key.key, 0);
	kvm_exitstats_destroy_vm(self->kvm);
	free(self->kvm);
}

/* KVM_RUN is called, and returns. */
static void run_begin(struct kvm_vcpu *vcpu)
{
	kvm_exitstats_run_begin(vcpu);
	kvm_exitstats_load(vcpu);
}

static void run_end(struct kvm_vcpu *vcpu)
{
	kvm_exitstats_run_end(vcpu);
	kvm_exitstats_put(vcpu, shim_tsc);
}

/* All accounts but "all exits", which is a part of them once more */
static u64 sum_cycles(struct kvm_vcpu *vcpu)
{
	u64 sum = 0;
	u32 i;

	for (i = KVM_EXITSTATS_GUEST; i < kvm_exitstats_nr_accounts; i++)
		sum += vcpu->arch.exitstats->accounts[i].cycles;
	return sum;
}

static bool adds_up(struct kvm_vcpu *vcpu)
{
	const struct kvm_vcpu_exitstats *stats = vcpu->arch.exitstats;

	return sum_cycles(vcpu) == stats->since - stats->created;
}

/* Writes of some control registers have a code each, and KVM has none of them trapped. */
static bool never_happens(u32 code, u32 numbering)
{
	return numbering == KVM_EXITSTATS_NUMBERING_SVM && code > 0x90 && code < 0xa0 &&
	       code != 0x94 && code != 0x98;
}

/* The one account of @code, by asking each whose it is: once */
static u32 account_of(u32 code, bool defined)
{
	static u16 accounts[0x10000];
	static bool asked;
	u32 i;

	for (i = KVM_EXITSTATS_FIRST_REASON; !asked && i < kvm_exitstats_nr_accounts; i++)
		accounts[kvm_exitstats_code_of(i)] = i;
	asked = true;
	return defined && accounts[code] ? accounts[code] : KVM_EXITSTATS_OTHER;
}

static void vm_exit(struct kvm_vcpu *vcpu, u64 code)
{
	kvm_exitstats_exit(vcpu, code);
	shim_tsc += CYCLES;
	kvm_exitstats_enter(vcpu);
}

/* Each exit is in the account of its code, or in "other", and nowhere else. */
TEST_F(bound, every_code)
{
	/* SVM's have all bits: errors, what SEV-ES guests ask for, and what looks like others. */
	static const u64 beyond[] = {
		0x10000, 0x10072, 0x10403, 0x80000001, 0x80000403, 0xf0000000, (u32)-1, (u32)-2,
		(u32)-3, (u32)-4, -1ull, -4ull, 1ull << 32, (1ull << 32) + 0x72, 0x8000000000000400,
	};
	struct kvm_exitstats_account *accounts = self->vcpu->arch.exitstats->accounts;
	u64 code, exits, i, nr_reasons = 0;
	u32 account;
	bool has_account;

	kvm_exitstats_enter(self->vcpu);
	for (i = 0; i < 0x10000 + ARRAY_SIZE(beyond); i++) {
		code = i < 0x10000 ? i : beyond[i - 0x10000];
		has_account = i < 0x10000 && variant->is_defined(code) &&
			      !never_happens(code, variant->numbering);
		nr_reasons += has_account;
		account = account_of(code, has_account);
		ASSERT_EQ(account != KVM_EXITSTATS_OTHER, has_account);

		exits = accounts[account].exits;
		vm_exit(self->vcpu, code);
		ASSERT_EQ(accounts[account].exits, exits + 1);
		ASSERT_EQ(accounts[account].cycles, (exits + 1) * CYCLES);
		ASSERT_EQ(accounts[account].longest, CYCLES);
		ASSERT_EQ(accounts[KVM_EXITSTATS_ALL].exits, i + 1);
		ASSERT_EQ(accounts[KVM_EXITSTATS_ALL].cycles, (i + 1) * CYCLES);
	}
	ASSERT_EQ(accounts[KVM_EXITSTATS_OTHER].exits, i - nr_reasons);
	ASSERT_EQ(accounts[KVM_EXITSTATS_GUEST].exits, i + 1);
	ASSERT_EQ(kvm_exitstats_nr_accounts, KVM_EXITSTATS_FIRST_REASON + nr_reasons);
	ASSERT_TRUE(adds_up(self->vcpu));
}

static struct kvm_exitstats_account *hook_account;
static u64 hook_exits, hook_cycles;
static int hook_calls;

static void expect_cycles(void)
{
	if (hook_account->cycles != hook_cycles || hook_account->exits != hook_exits)
		hook_calls = -100;
	hook_calls++;
}

/* Whoever sees the exit sees its cycles, of the reason and in total. */
TEST_F(bound, cycles_first)
{
	struct kvm_vcpu_exitstats *stats = self->vcpu->arch.exitstats;
	u32 accounts[] = { account_of(variant->known, true), KVM_EXITSTATS_ALL };
	int i, userspace;

	kvm_exitstats_enter(self->vcpu);
	for (i = 0; i < ARRAY_SIZE(accounts); i++) {
		for (userspace = 0; userspace <= 1; userspace++) {
			hook_account = &stats->accounts[accounts[i]];
			hook_exits = hook_account->exits;
			hook_cycles = hook_account->cycles + CYCLES;
			hook_calls = 0;
			kvm_exitstats_exit(self->vcpu, variant->known);
			shim_tsc += CYCLES;
			shim_barrier_hook = expect_cycles;
			if (userspace)
				run_end(self->vcpu);
			else
				kvm_exitstats_enter(self->vcpu);
			shim_barrier_hook = NULL;
			ASSERT_GT(hook_calls, 0);
			ASSERT_EQ(hook_account->exits, hook_exits + 1);
			if (userspace) {
				run_begin(self->vcpu);
				shim_tsc++;
				kvm_exitstats_enter(self->vcpu);
			}
		}
	}
}

/*
 * A ledger beside the kernel's: it knows which account the time belongs to, and what is
 * an exit, from what happens to the vCPU.
 */
struct model {
	struct kvm_exitstats_account accounts[KVM_EXITSTATS_NR_INDEXES];
	u32 at;			/* the account that the time belongs to */
	s64 since;		/* what has passed in it */
	u32 reason;		/* of the latest exit, 0 before the first VM entry */
	u64 took;
	bool counted;
};

static void model_pass(struct model *m, s64 cycles)
{
	shim_tsc += cycles;
	m->since += cycles;
}

/* A negative period counts as 0. */
static void model_settle(struct model *m)
{
	u64 cycles = max(m->since, (s64)0);

	m->since = 0;
	m->accounts[m->at].cycles += cycles;
	if (m->at >= KVM_EXITSTATS_OTHER) {
		m->accounts[KVM_EXITSTATS_ALL].cycles += cycles;
		m->took += cycles;
	}
}

static void model_count(struct model *m)
{
	struct kvm_exitstats_account *reason = &m->accounts[m->at];

	model_settle(m);
	if (m->at < KVM_EXITSTATS_OTHER)
		return;
	if (!m->counted) {
		reason->exits++;
		m->accounts[KVM_EXITSTATS_ALL].exits++;
	}
	m->counted = true;
	reason->longest = max(reason->longest, m->took);
}

static void model_away(struct model *m, u32 account)
{
	model_settle(m);
	if (m->at != account)
		m->accounts[account].exits++;
	m->at = account;
}

static void model_back(struct model *m)
{
	model_settle(m);
	if (m->reason)
		m->at = m->reason;
	else
		model_away(m, KVM_EXITSTATS_USERSPACE);
}

static void model_exit(struct model *m, u32 account)
{
	model_settle(m);
	m->at = account;
	m->reason = account;
	m->took = 0;
	m->counted = false;
}

static u64 random_state = 1;

static u32 random_below(u32 n)
{
	random_state = (random_state + 1) * 6364136223846793005ull;
	return (random_state >> 32) % n;
}

/* Time away, which may begin on one CPU and end on another whose clock is behind. */
static void time_away(struct model *m)
{
	model_pass(m, random_below(10000) - (random_below(4) ? 0 : 10000));
}

/* An interruption in the middle of an exit, or several of them */
static void interrupt(struct model *m, struct kvm_vcpu *vcpu)
{
	u32 n = random_below(3);

	while (n--) {
		vcpu->preempted = random_below(2);
		kvm_exitstats_put(vcpu, shim_tsc);
		if (m->at >= KVM_EXITSTATS_OTHER)
			model_away(m, vcpu->preempted ? KVM_EXITSTATS_PREEMPTED :
							KVM_EXITSTATS_ASLEEP);
		if (m->at == KVM_EXITSTATS_PREEMPTED || m->at == KVM_EXITSTATS_ASLEEP)
			time_away(m);
		kvm_exitstats_load(vcpu);
		if (m->at == KVM_EXITSTATS_PREEMPTED || m->at == KVM_EXITSTATS_ASLEEP)
			model_back(m);
		model_pass(m, 1 + random_below(100));
	}
}

static void block(struct model *m, struct kvm_vcpu *vcpu)
{
	kvm_exitstats_block(vcpu);
	model_count(m);
	model_away(m, KVM_EXITSTATS_HALTED);
	/* Nothing in it is for another account. */
	kvm_exitstats_put(vcpu, shim_tsc);
	time_away(m);
	kvm_exitstats_load(vcpu);
	kvm_exitstats_unblock(vcpu);
	model_back(m);
	model_pass(m, 1 + random_below(100));
}

static void to_userspace(struct model *m, struct kvm_vcpu *vcpu)
{
	run_end(vcpu);
	model_count(m);
	model_away(m, KVM_EXITSTATS_USERSPACE);
	time_away(m);
	/* KVM loads and puts the vCPU for other ioctls as well. */
	kvm_exitstats_load(vcpu);
	kvm_exitstats_put(vcpu, shim_tsc);
	run_begin(vcpu);
	model_back(m);
	model_pass(m, 1 + random_below(100));
}

static void run_in_guest(struct model *m, struct kvm_vcpu *vcpu, const u64 code, u32 account)
{
	kvm_exitstats_enter(vcpu);
	model_count(m);
	model_away(m, KVM_EXITSTATS_GUEST);
	model_pass(m, 1 + random_below(1000));
	kvm_exitstats_exit(vcpu, code);
	model_exit(m, account);
	model_pass(m, 1 + random_below(1000));
}

static void any_event(struct model *m, struct kvm_vcpu *vcpu, u64 code, u32 account)
{
	switch (random_below(8)) {
	case 0:
		to_userspace(m, vcpu);
		break;
	case 1:
		block(m, vcpu);
		break;
	case 2:
		/* KVM emulates a guest in a state that the CPU would not take. */
		kvm_exitstats_no_entry(vcpu, code);
		model_count(m);
		model_exit(m, account);
		model_pass(m, 1 + random_below(1000));
		break;
	case 3:
		interrupt(m, vcpu);
		break;
	default:
		run_in_guest(m, vcpu, code, account);
	}
}

/* Time passes in each account, in any order: each has what the model has. */
TEST_F(bound, whole_life)
{
	static const u32 codes[] = { 0, 0x30, 0x72, 12, 35, 0x92, 0x400, 0x404, 0x10072 };
	struct kvm_vcpu_exitstats *stats = self->vcpu->arch.exitstats;
	struct model m = { .at = KVM_EXITSTATS_USERSPACE, .since = CYCLES };
	u32 i, step, n, code;

	m.accounts[KVM_EXITSTATS_USERSPACE].exits = 1;
	for (step = 0; step < 2000; step++) {
		run_begin(self->vcpu);
		model_back(&m);
		model_pass(&m, 1);
		for (n = random_below(6); n; n--) {
			code = codes[random_below(ARRAY_SIZE(codes))];
			any_event(&m, self->vcpu, code,
				  account_of(code, variant->is_defined(code) &&
					     !never_happens(code, variant->numbering)));
		}
		/* The clock stops. */
		run_end(self->vcpu);
		model_count(&m);
		model_away(&m, KVM_EXITSTATS_USERSPACE);

		ASSERT_TRUE(adds_up(self->vcpu));
		for (i = 0; i < kvm_exitstats_nr_accounts; i++) {
			ASSERT_EQ(stats->accounts[i].cycles, m.accounts[i].cycles);
			ASSERT_EQ(stats->accounts[i].exits, m.accounts[i].exits);
			ASSERT_EQ(stats->accounts[i].longest, m.accounts[i].longest);
		}
	}
	for (i = KVM_EXITSTATS_GUEST; i <= KVM_EXITSTATS_OTHER; i++)
		ASSERT_GT(m.accounts[i].cycles, 0);
}

/* A reader on another CPU, at any moment: a snapshot adds up to now. */
TEST_F(bound, snapshot)
{
	struct kvm_exitstats_account accounts[KVM_EXITSTATS_NR_INDEXES];
	u64 created = self->vcpu->arch.exitstats->created, sum = 0;
	u32 i;

	kvm_exitstats_enter(self->vcpu);
	shim_tsc += 1000;
	kvm_exitstats_exit(self->vcpu, variant->known);
	shim_tsc += 50;

	kvm_exitstats_snapshot(self->vcpu, accounts);
	for (i = KVM_EXITSTATS_GUEST; i < kvm_exitstats_nr_accounts; i++)
		sum += accounts[i].cycles;
	ASSERT_EQ(sum, shim_tsc - created);
	ASSERT_EQ(accounts[KVM_EXITSTATS_GUEST].cycles, 1000);
	/* This exit is not over. */
	ASSERT_EQ(accounts[account_of(variant->known, true)].cycles, 50);
	ASSERT_EQ(accounts[KVM_EXITSTATS_ALL].cycles, 50);
	ASSERT_EQ(accounts[KVM_EXITSTATS_ALL].exits, 0);

	/* A CPU whose clock is behind */
	shim_tsc -= 500;
	kvm_exitstats_snapshot(self->vcpu, accounts);
	ASSERT_EQ(accounts[KVM_EXITSTATS_GUEST].cycles, 1000);
	ASSERT_EQ(accounts[KVM_EXITSTATS_ALL].cycles, 0);
}

/* A vCPU that does not count, while another VM's does. */
TEST_F(bound, not_enabled)
{
	struct kvm *kvm = calloc(1, sizeof(*kvm));
	struct kvm_vcpu *vcpu = &kvm->vcpu_array[0];
	u32 eax = KVM_EXITSTATS_LEAF_TOTAL, ebx = 1, ecx = 2, edx = 3;

	vcpu->kvm = kvm;
	ASSERT_EQ(kvm_exitstats_create_vcpu(vcpu), 0);
	ASSERT_EQ(vcpu->arch.exitstats, NULL);
	run_begin(vcpu);
	vm_exit(vcpu, variant->known);
	kvm_exitstats_no_entry(vcpu, variant->known);
	kvm_exitstats_put(vcpu, shim_tsc);
	kvm_exitstats_load(vcpu);
	kvm_exitstats_block(vcpu);
	kvm_exitstats_unblock(vcpu);
	run_end(vcpu);
	ASSERT_EQ(kvm_exitstats_exit_tsc(vcpu), shim_tsc);

	ASSERT_FALSE(kvm_exitstats_cpuid(vcpu, &eax, &ebx, &ecx, &edx));
	ASSERT_TRUE(eax == KVM_EXITSTATS_LEAF_TOTAL && ebx == 1 && ecx == 2 && edx == 3);
	kvm_exitstats_destroy_vcpu(vcpu);
	free(kvm);
}

struct leaf {
	u32 eax, ebx, ecx, edx;
};

static struct leaf read_leaf(struct kvm_vcpu *vcpu, u32 leaf, u32 selector)
{
	struct leaf r = { leaf, ~0u, selector, ~0u };

	if (!kvm_exitstats_cpuid(vcpu, &r.eax, &r.ebx, &r.ecx, &r.edx))
		memset(&r, 0xaa, sizeof(r));
	return r;
}

static bool is_leaf(struct kvm_vcpu *vcpu, u32 leaf, u32 selector, u32 eax, u32 ebx, u32 ecx,
		    u32 edx)
{
	struct leaf r = read_leaf(vcpu, leaf, selector);

	if (r.eax == eax && r.ebx == ebx && r.ecx == ecx && r.edx == edx)
		return true;
	printf("# leaf %x, selector %x: %x %x %x %x\n", leaf, selector, r.eax, r.ebx, r.ecx, r.edx);
	return false;
}

#define ASSERT_LEAF(leaf, selector, eax, ebx, ecx, edx)			\
	ASSERT_TRUE(is_leaf(self->vcpu, leaf, selector, eax, ebx, ecx, edx))

/* Each account has figures that tell which it is, and of which vCPU. */
static u64 figure(u32 account, int vcpu)
{
	return account * 16 + vcpu + 1;
}

/* What the interface's description says about @selector: its figure, or whether it has one */
static bool expect(u32 selector, bool (*is_defined)(u32), u32 numbering, u64 *exits)
{
	u32 hi = selector >> 16, n = selector & 0xffff, account = KVM_EXITSTATS_OTHER;
	bool vcpu = (hi & 0xff80) == 0x4f80, defined = false;

	*exits = 0;
	if (vcpu)
		hi &= ~0x80;
	if (hi == 0 || hi == 0x4f00) {
		defined = is_defined(n);
		account = account_of(n, defined);
		if (account == KVM_EXITSTATS_OTHER)
			return defined;
	} else if (hi == 0x4f01 && n <= KVM_EXITSTATS_ACCOUNT_OTHER) {
		defined = true;
		account = n;
	} else {
		if (hi == 0x4f01 && n == 0xffff)
			*exits = numbering;
		return *exits;
	}
	*exits = figure(account, 0) + (vcpu ? 0 : figure(account, 1));
	return defined;
}

/* All selectors around those that there are: none reads what it does not select. */
TEST_F_TIMEOUT(bound, every_selector, 300)
{
	static const u16 uppers[] = {
		/* All lower halves of those that select something and of their neighbours */
		0, 1, 0x80, 0x4eff, 0x4f00, 0x4f01, 0x4f02, 0x4f20, 0x4f80, 0x4f81, 0x4f82, 0x5000,
#define NR_WHOLE	12
		0x7f, 0x81, 0x4e00, 0x4f1f, 0x4f21, 0x4f3f, 0x4f40, 0x4f7f, 0x4fa0, 0x4fff, 0x8f00,
		0xcf01, 0xffff,
	};
	u32 i, j, account, selector, status;
	struct leaf r;
	u64 exits;

	for (account = 0; account < kvm_exitstats_nr_accounts; account++)
		for (j = 0; j < SHIM_VCPUS; j++)
			self->kvm->vcpu_array[j].arch.exitstats->accounts[account].exits =
				figure(account, j);

	for (i = 0; i < ARRAY_SIZE(uppers); i++) {
		for (j = 0; j <= 0xffff; j += i < NR_WHOLE || j < 0x500 ? 1 : 0xff) {
			selector = (u32)uppers[i] << 16 | j;
			status = expect(selector, variant->is_defined, variant->numbering,
					&exits) ? KVM_EXITSTATS_DEFINED : KVM_EXITSTATS_UNDEFINED;
			r = read_leaf(self->vcpu, KVM_EXITSTATS_LEAF_EXITS, selector);
			if (r.eax != exits || r.ebx || r.ecx || r.edx != status)
				ASSERT_LEAF(KVM_EXITSTATS_LEAF_EXITS, selector, exits, 0, 0,
					    status);
		}
	}
}

/* Both halves of each figure, the sums over two vCPUs carrying into the upper. */
TEST_F(bound, both_halves)
{
	u32 known = variant->known, account = account_of(known, true);
	struct kvm_exitstats_account *first, *second;

	first = self->kvm->vcpu_array[0].arch.exitstats->accounts;
	second = self->kvm->vcpu_array[1].arch.exitstats->accounts;
	first[account] = (struct kvm_exitstats_account) { 0x3ffffffff, 0x1ffffffff, 7 };
	second[account] = (struct kvm_exitstats_account) { 0x400000003, 0x200000002, 9 };
	first[KVM_EXITSTATS_ALL] = (struct kvm_exitstats_account) { 0x7ffffffff, 0x5ffffffff };
	second[KVM_EXITSTATS_ALL] = (struct kvm_exitstats_account) { 0x800000005, 0x600000004 };

	ASSERT_LEAF(KVM_EXITSTATS_LEAF_TOTAL, ~0u, 3, 0x10, 4, 0xc);
	ASSERT_LEAF(KVM_EXITSTATS_LEAF_REASON, known, 1, 0x10, 4, KVM_EXITSTATS_DEFINED);
	ASSERT_LEAF(KVM_EXITSTATS_LEAF_EXITS, known, 1, 4, 0, KVM_EXITSTATS_DEFINED);
	ASSERT_LEAF(KVM_EXITSTATS_LEAF_CYCLES, known, 9, 8, 2, KVM_EXITSTATS_DEFINED);

	/* Of this vCPU alone, the totals too */
	known = KVM_EXITSTATS_SELECT_REASON(known) | KVM_EXITSTATS_SELECT_VCPU;
	ASSERT_LEAF(KVM_EXITSTATS_LEAF_REASON, known, 0xffffffff, 7, 0xffffffff, 0);
	ASSERT_LEAF(KVM_EXITSTATS_LEAF_EXITS, known, 0xffffffff, 1, 0, 0);
	ASSERT_LEAF(KVM_EXITSTATS_LEAF_CYCLES, known, 7, 3, 0xffffffff, 0);

	/* What is undefined has the totals only. */
	ASSERT_LEAF(KVM_EXITSTATS_LEAF_REASON, 0xffff, 0, 0x10, 4, KVM_EXITSTATS_UNDEFINED);
	ASSERT_LEAF(KVM_EXITSTATS_LEAF_REASON, KVM_EXITSTATS_PROBE, 0, 0x10, 4,
		    KVM_EXITSTATS_UNDEFINED);
	ASSERT_LEAF(KVM_EXITSTATS_LEAF_REASON, 0x4f80ffff, 0, 0x10, 4, KVM_EXITSTATS_UNDEFINED);
	ASSERT_LEAF(KVM_EXITSTATS_LEAF_CYCLES, 0xffff, 0, 0, 0, KVM_EXITSTATS_UNDEFINED);
	ASSERT_LEAF(KVM_EXITSTATS_LEAF_EXITS, KVM_EXITSTATS_PROBE, 0, 0, 0,
		    KVM_EXITSTATS_UNDEFINED);
}

TEST_F(bound, longest_saturates)
{
	u32 account = account_of(variant->known, true), all = KVM_EXITSTATS_SELECT_ACCOUNT(0);
	struct kvm_exitstats_account *own = &self->vcpu->arch.exitstats->accounts[account];

	own->longest = 0xffffffff;
	ASSERT_LEAF(KVM_EXITSTATS_LEAF_CYCLES, variant->known, 0xffffffff, 0, 0, 0);
	own->longest = 0x100000000;
	ASSERT_LEAF(KVM_EXITSTATS_LEAF_CYCLES, variant->known, 0xffffffff, 0, 0, 0);
	ASSERT_LEAF(KVM_EXITSTATS_LEAF_CYCLES, all, 0xffffffff, 0, 0, 0);
	own->longest = 0xfffffffe;
	ASSERT_LEAF(KVM_EXITSTATS_LEAF_CYCLES, all, 0xfffffffe, 0, 0, 0);
}

/* The guest reads cycles of its own TSC; what it brought along has been in them always. */
TEST_F(bound, guest_tsc)
{
	u32 account = account_of(variant->known, true);
	struct kvm_exitstats_account *own = &self->vcpu->arch.exitstats->accounts[account];

	*own = (struct kvm_exitstats_account) { .cycles = 3ull << 33, .exits = 5, .longest = 500 };
	self->vcpu->arch.l1_tsc_scaling_ratio = SHIM_TSC_RATIO_1 / 2;
	ASSERT_LEAF(KVM_EXITSTATS_LEAF_CYCLES, variant->known, 250, 3, 0, 0);
	ASSERT_LEAF(KVM_EXITSTATS_LEAF_EXITS, variant->known, 5, 0, 0, 0);
	self->vcpu->arch.l1_tsc_scaling_ratio = SHIM_TSC_RATIO_1 * 3;
	ASSERT_LEAF(KVM_EXITSTATS_LEAF_CYCLES, variant->known, 1500, 18, 0, 0);

	self->kvm->arch.exitstats.base = kvm_exitstats_alloc(false);
	self->kvm->arch.exitstats.base->accounts[account] =
		(struct kvm_exitstats_account) { .cycles = 7, .exits = 1, .longest = 2000 };
	ASSERT_LEAF(KVM_EXITSTATS_LEAF_CYCLES, variant->known, 2000, 18, 7, 0);
	ASSERT_LEAF(KVM_EXITSTATS_LEAF_EXITS, variant->known, 6, 0, 0, 0);
}

TEST_F(bound, privilege)
{
	int leaf;

	for (self->vcpu->cpl = 0; self->vcpu->cpl <= 3; self->vcpu->cpl++)
		ASSERT_LEAF(KVM_EXITSTATS_LEAF_EXITS, variant->known, 0, 0, 0, 0);

	self->kvm->arch.exitstats.flags |= KVM_EXITSTATS_CPL0;
	for (self->vcpu->cpl = 0; self->vcpu->cpl <= 3; self->vcpu->cpl++)
		for (leaf = 0; leaf < 4; leaf++)
			ASSERT_EQ(read_leaf(self->vcpu, KVM_EXITSTATS_LEAF_CYCLES + leaf,
					    variant->known).edx == 0xaaaaaaaa,
				  self->vcpu->cpl > 0);
}

TEST_HARNESS_MAIN
