// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM exitstats: test the kernel's source in userspace, for what no guest can cause: exit
 * codes beyond the table, codes of both vendors on any host, counts beyond 32 bits, clocks
 * that go back, exits that take a known time, readers in the middle of an update, and each
 * path through the ledger, with and without the histogram. Needs no KVM.
 */
#include <string.h>

#include <linux/kvm_exitstats.h>

#include "exitstats_defined.h"
#include "kselftest_harness.h"

#include "../../../../../arch/x86/kvm/exitstats.c"
#include "../../../../../arch/x86/kvm/exitstats_reasons.c"
#include "../../../../../arch/x86/kvm/exitstats_cpuid.c"
#include "../../../../../arch/x86/kvm/exitstats_state.c"

/* Duration of an exit here: more than 32 bits */
#define CYCLES	((1ull << 33) + 5)

FIXTURE(bound) {
	struct kvm *kvm;
	struct kvm_vcpu *vcpu;
};

FIXTURE_VARIANT(bound) {
	u32 numbering;
	bool (*is_defined)(u32 code);
	u32 known;		/* an exit reason */
	bool histogram;
};

FIXTURE_VARIANT_ADD(bound, vmx) {
	.numbering = KVM_EXITSTATS_NUMBERING_VMX, .is_defined = is_defined_vmx, .known = 10,
};

FIXTURE_VARIANT_ADD(bound, svm) {
	.numbering = KVM_EXITSTATS_NUMBERING_SVM, .is_defined = is_defined_svm, .known = 0x403,
};

FIXTURE_VARIANT_ADD(bound, vmx_histogram) {
	.numbering = KVM_EXITSTATS_NUMBERING_VMX, .is_defined = is_defined_vmx, .known = 10,
	.histogram = true,
};

FIXTURE_VARIANT_ADD(bound, svm_histogram) {
	.numbering = KVM_EXITSTATS_NUMBERING_SVM, .is_defined = is_defined_svm, .known = 0x403,
	.histogram = true,
};

FIXTURE_SETUP(bound)
{
	int i;

	shim_tsc = 1ull << 40;
	kvm_exitstats_hardware_setup(variant->numbering);
	self->kvm = calloc(1, sizeof(*self->kvm));
	ASSERT_NE(self->kvm, NULL);
	exitstats_hist = variant->histogram;
	kvm_exitstats_init_vm(self->kvm);
	ASSERT_EQ(self->kvm->arch.exitstats.flags,
		  KVM_EXITSTATS_COUNT | (variant->histogram ? KVM_EXITSTATS_HISTOGRAM : 0));
	for (i = 0; i < SHIM_VCPUS; i++) {
		self->kvm->vcpu_array[i].kvm = self->kvm;
		self->kvm->vcpu_array[i].arch.l1_tsc_scaling_ratio = SHIM_TSC_RATIO_1;
		ASSERT_EQ(kvm_exitstats_create_vcpu(&self->kvm->vcpu_array[i]), 0);
		kvm_exitstats_postcreate_vcpu(&self->kvm->vcpu_array[i]);
	}
	self->vcpu = &self->kvm->vcpu_array[0];
	shim_tsc += CYCLES;
}

/* Has nobody written beyond the end of the ledger? */
static bool is_intact(struct kvm_vcpu *vcpu)
{
	const struct kvm_vcpu_exitstats *stats = vcpu->arch.exitstats;
	const char *canary = (char *)stats + exitstats_cache[!!stats->tail]->size;
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

/* VM entry. KVM handles requests before it. */
static void vm_enter(struct kvm_vcpu *vcpu)
{
	kvm_exitstats_check_request(vcpu);
	kvm_exitstats_enter(vcpu);
}

static u64 longest_of(struct kvm_vcpu *vcpu, u32 account)
{
	return kvm_exitstats_longest(vcpu->arch.exitstats, account);
}

/* Read an account's histogram as readers do. Return the sum. */
static u64 read_buckets(struct kvm_vcpu *vcpu, u32 account, u64 *buckets)
{
	u64 sum = 0;
	int i;

	memset(buckets, 0, KVM_EXITSTATS_NR_BUCKETS * sizeof(*buckets));
	kvm_exitstats_add_buckets(vcpu->arch.exitstats, account, buckets);
	for (i = 0; i < KVM_EXITSTATS_NR_BUCKETS; i++)
		sum += buckets[i];
	return sum;
}

/* The bucket for @cycles by the documentation, independent of the kernel's code */
static u32 bucket_of(u64 cycles)
{
	u32 b = 0;

	while (cycles >>= 1)
		b++;
	return min(b, KVM_EXITSTATS_NR_BUCKETS - 1);
}

/* KVM_RUN is called, or returns. */
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

/* The sum of all accounts except "all exits", which is itself a sum of some */
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

static bool never_happens(u32 code, u32 numbering)
{
	return numbering == KVM_EXITSTATS_NUMBERING_SVM && is_never_svm(code);
}

/* Find the account of @code by asking each account for its code. Cache the results. */
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
	vm_enter(vcpu);
}

/* Each exit is in the account of its code, or in "other", and nowhere else. */
TEST_F(bound, every_code)
{
	/* SVM's codes have 64 bits: errors, SEV-ES events, and ones that look like others */
	static const u64 beyond[] = {
		0x10000, 0x10072, 0x10403, 0x80000001, 0x80000403, 0xf0000000, (u32)-1, (u32)-2,
		(u32)-3, (u32)-4, -1ull, -4ull, 1ull << 32, (1ull << 32) + 0x72, 0x8000000000000400,
	};
	struct kvm_exitstats_account *accounts = self->vcpu->arch.exitstats->accounts;
	u64 code, exits, i, nr_reasons = 0;
	u64 buckets[KVM_EXITSTATS_NR_BUCKETS];
	u32 account;
	bool has_account;

	run_begin(self->vcpu);
	vm_enter(self->vcpu);
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
		ASSERT_EQ(longest_of(self->vcpu, account), CYCLES);
		if (variant->histogram) {
			ASSERT_EQ(read_buckets(self->vcpu, account, buckets), exits + 1);
			ASSERT_EQ(buckets[bucket_of(CYCLES)], exits + 1);
		}
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

/* A reader that sees an exit also sees its cycles, for the reason and in total. */
TEST_F(bound, cycles_first)
{
	struct kvm_vcpu_exitstats *stats = self->vcpu->arch.exitstats;
	u32 accounts[] = { account_of(variant->known, true), KVM_EXITSTATS_ALL };
	int i, userspace;

	run_begin(self->vcpu);
	vm_enter(self->vcpu);
	for (i = 0; i < ARRAY_SIZE(accounts); i++) {
		for (userspace = 0; userspace <= 1; userspace++) {
			hook_account = &stats->accounts[accounts[i]];
			hook_exits = hook_account->exits;
			hook_cycles = hook_account->cycles + CYCLES;
			hook_calls = 0;
			kvm_exitstats_exit(self->vcpu, variant->known);
			shim_tsc += CYCLES;
			kvm_exitstats_check_request(self->vcpu);
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
				vm_enter(self->vcpu);
			}
		}
	}
}

/*
 * A model of the ledger. It follows what happens to the vCPU, and knows which account the
 * time belongs to and when an exit is counted.
 */
struct model {
	struct kvm_exitstats_account accounts[KVM_EXITSTATS_NR_INDEXES];
	u32 at;			/* the account that the time belongs to */
	s64 since;		/* cycles that have passed in it */
	u32 reason;		/* account of the latest exit, 0 before the first VM entry */
	u64 took;
	bool counted;
	/* The histogram, only of exits that have ended */
	u64 buckets[KVM_EXITSTATS_NR_INDEXES][KVM_EXITSTATS_NR_BUCKETS];
	/* The latest exit that ended while tracing was on and has not been traced yet */
	bool traced;
	u32 traced_reason;
	u64 traced_cycles;
	u64 nr_traced;
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
}

/* The latest exit ends. */
static void model_over(struct model *m)
{
	model_count(m);
	if (!m->reason)
		return;
	m->accounts[m->reason].longest = max(m->accounts[m->reason].longest, m->took);
	m->buckets[m->reason][bucket_of(m->took)]++;
	if (shim_tracing) {
		m->traced = true;
		m->traced_reason = m->reason;
		m->traced_cycles = m->took;
	}
	m->reason = 0;
}

/* What a reader must read: an exit that is counted but has not ended is in a bucket, too. */
static void model_buckets(const struct model *m, u32 account, u64 *buckets)
{
	memcpy(buckets, m->buckets[account], sizeof(m->buckets[account]));
	if (m->reason == account && m->counted)
		buckets[bucket_of(m->took)]++;
}

/* The same for the longest exit: it may be the one that has not ended. */
static u64 model_longest(const struct model *m, u32 account)
{
	u64 longest = m->accounts[account].longest;

	return m->reason == account && m->counted ? max(longest, m->took) : longest;
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

/* Time away may begin on one CPU and end on another whose TSC is behind. */
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
	/* None of this moves the clock to another account. */
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
	/* KVM loads and puts the vCPU in other ioctls, too. */
	kvm_exitstats_load(vcpu);
	kvm_exitstats_put(vcpu, shim_tsc);
	run_begin(vcpu);
	model_back(m);
	model_pass(m, 1 + random_below(100));
}

/* The tracepoint must pass each exit once, with the model's figures, in the vCPU's thread. */
static struct model *trace_model;
static int trace_errors;

static void on_trace(struct kvm_vcpu *vcpu, u32 reason, u64 cycles)
{
	struct model *m = trace_model;
	u32 expected;

	if (!m || !m->traced) {
		trace_errors++;
		return;
	}
	expected = m->traced_reason == KVM_EXITSTATS_OTHER ? U32_MAX :
		   kvm_exitstats_code_of(m->traced_reason);
	if (reason != expected || cycles != m->traced_cycles || vcpu != &vcpu->kvm->vcpu_array[0])
		trace_errors++;
	m->traced = false;
	m->nr_traced++;
}

/*
 * KVM handles requests before VM entry, but not when the fastpath enters the guest again.
 * The fastpath does not do so while a request is pending.
 */
static void check_request(struct model *m, struct kvm_vcpu *vcpu)
{
	const struct kvm_vcpu_exitstats *stats = vcpu->arch.exitstats;

	trace_model = m;
	if (vcpu->requests || random_below(2))
		kvm_exitstats_check_request(vcpu);
	/* There must be buckets for any next exit, and the last exit must have been traced. */
	if ((stats->tail && !stats->spare) || m->traced)
		trace_errors++;
}

static void run_in_guest(struct model *m, struct kvm_vcpu *vcpu, const u64 code, u32 account)
{
	check_request(m, vcpu);
	kvm_exitstats_enter(vcpu);
	model_over(m);
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
		/* KVM emulates a guest whose state the CPU would refuse. */
		check_request(m, vcpu);
		kvm_exitstats_no_entry(vcpu, code);
		model_over(m);
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

static const u32 life_codes[] = { 0, 0x30, 0x72, 12, 35, 0x92, 0x400, 0x404, 0x10072 };

/* A random event, with one of these codes if it is an exit */
static void any_code_event(struct model *m, struct kvm_vcpu *vcpu, u32 numbering,
			   bool (*is_defined)(u32 code))
{
	u32 code = life_codes[random_below(ARRAY_SIZE(life_codes))];

	any_event(m, vcpu, code,
		  account_of(code, is_defined(code) && !never_happens(code, numbering)));
}

/* Random events in any order: each account equals the model's. */
TEST_F(bound, whole_life)
{
	struct kvm_vcpu_exitstats *stats = self->vcpu->arch.exitstats;
	u64 expected[KVM_EXITSTATS_NR_BUCKETS], buckets[KVM_EXITSTATS_NR_BUCKETS];
	struct model m = { .at = KVM_EXITSTATS_USERSPACE, .since = CYCLES };
	u32 i, step, n;

	m.accounts[KVM_EXITSTATS_USERSPACE].exits = 1;
	shim_trace = on_trace;
	trace_errors = 0;
	for (step = 0; step < 4000; step++) {
		shim_tracing = step / 500 % 2;
		run_begin(self->vcpu);
		model_back(&m);
		model_pass(&m, 1);
		for (n = random_below(6); n; n--)
			any_code_event(&m, self->vcpu, variant->numbering, variant->is_defined);
		/* The clock stops. */
		run_end(self->vcpu);
		model_count(&m);
		model_away(&m, KVM_EXITSTATS_USERSPACE);

		ASSERT_EQ(trace_errors, 0);
		ASSERT_TRUE(adds_up(self->vcpu));
		for (i = 0; i < kvm_exitstats_nr_accounts; i++) {
			ASSERT_EQ(stats->accounts[i].cycles, m.accounts[i].cycles);
			ASSERT_EQ(stats->accounts[i].exits, m.accounts[i].exits);
			ASSERT_EQ(longest_of(self->vcpu, i), model_longest(&m, i));
			if (!variant->histogram || i < KVM_EXITSTATS_OTHER)
				continue;
			model_buckets(&m, i, expected);
			ASSERT_EQ(read_buckets(self->vcpu, i, buckets), m.accounts[i].exits);
			ASSERT_EQ(memcmp(buckets, expected, sizeof(buckets)), 0);
		}
	}
	for (i = KVM_EXITSTATS_GUEST; i <= KVM_EXITSTATS_OTHER; i++)
		ASSERT_GT(m.accounts[i].cycles, 0);
	ASSERT_GT(m.nr_traced, 1000);
	shim_tracing = false;
	shim_trace = NULL;
}

/* Exits of all durations, in one or two pieces, with ascending and descending durations */
TEST_F(bound, every_bucket)
{
	static const u64 beyond[] = { 0, 1ull << 32, (1ull << 33) + 1, 1ull << 40 };
	u32 account = account_of(variant->known, true), nr = 3 * 32 + ARRAY_SIZE(beyond), i, n;
	u64 expected[KVM_EXITSTATS_NR_BUCKETS] = {}, buckets[KVM_EXITSTATS_NR_BUCKETS];
	u64 cycles, longest = 0, away = 0;
	bool pieces;

	if (!variant->histogram)
		SKIP(return, "without a histogram");

	run_begin(self->vcpu);
	vm_enter(self->vcpu);
	for (i = 0; i < 4 * nr; i++) {
		/* First ascending, then descending */
		n = i / nr % 2 ? nr - 1 - i % nr : i % nr;
		cycles = n < 3 * 32 ? (1ull << n / 3) + n % 3 - 1 : beyond[n - 3 * 32];
		pieces = i / nr / 2;

		kvm_exitstats_exit(self->vcpu, variant->known);
		if (pieces) {
			shim_tsc += cycles / 3;
			kvm_exitstats_run_end(self->vcpu);
			kvm_exitstats_put(self->vcpu, shim_tsc);
			shim_tsc += 1ull << 20;
			away += 1ull << 20;
			run_begin(self->vcpu);
		}
		shim_tsc += pieces ? cycles - cycles / 3 : cycles;
		vm_enter(self->vcpu);

		longest = max(longest, cycles);
		expected[bucket_of(cycles)]++;
		ASSERT_EQ(read_buckets(self->vcpu, account, buckets), i + 1);
		ASSERT_EQ(memcmp(buckets, expected, sizeof(buckets)), 0);
		ASSERT_EQ(longest_of(self->vcpu, account), longest);
		ASSERT_EQ(self->vcpu->arch.exitstats->accounts[account].exits, i + 1);
	}
	ASSERT_EQ(self->vcpu->arch.exitstats->accounts[KVM_EXITSTATS_USERSPACE].cycles,
		  away + CYCLES);
	/* 2^b - 1, 2^b and 2^b + 1 for each b, and durations beyond the last bucket */
	ASSERT_EQ(expected[0], 4 * 4);
	ASSERT_EQ(expected[1], 4 * 4);
	ASSERT_EQ(expected[31], 4 * 5);
	for (i = 2; i < 31; i++)
		ASSERT_EQ(expected[i], 4 * 3);
}

/* A writer that continues between two reads of its reader */
static struct model *hook_model;
static struct kvm_vcpu *hook_vcpu;
static u32 hook_numbering, hook_countdown;
static bool (*hook_is_defined)(u32 code);

static void write_meanwhile(void)
{
	if (!hook_countdown || --hook_countdown)
		return;
	any_code_event(hook_model, hook_vcpu, hook_numbering, hook_is_defined);
}

/* KVM_RUN is called, and write_meanwhile() goes on from there. */
static void start_writer(struct model *m, struct kvm_vcpu *vcpu, u32 numbering,
			 bool (*is_defined)(u32 code))
{
	hook_model = m;
	hook_vcpu = vcpu;
	hook_numbering = numbering;
	hook_is_defined = is_defined;
	shim_trace = NULL;
	run_begin(vcpu);
	model_back(m);
	model_pass(m, 1);
}

/* A reader on another CPU reads figures between those before and after, whatever happens. */
TEST_F(bound, remote_reader)
{
	u64 before[KVM_EXITSTATS_NR_BUCKETS], after[KVM_EXITSTATS_NR_BUCKETS];
	u64 buckets[KVM_EXITSTATS_NR_BUCKETS], sum, changes = 0;
	struct model m = { .at = KVM_EXITSTATS_USERSPACE, .since = CYCLES };
	u32 account, i, step;

	if (!variant->histogram)
		SKIP(return, "without a histogram");

	start_writer(&m, self->vcpu, variant->numbering, variant->is_defined);
	for (step = 0; step < 200000; step++) {
		/* Mostly the account that changes next */
		account = m.reason && random_below(4) ? m.reason :
			  account_of(life_codes[random_below(3)], true);
		model_buckets(&m, account, before);
		hook_countdown = 1 + random_below(40);
		shim_read_hook = write_meanwhile;
		sum = read_buckets(self->vcpu, account, buckets);
		shim_read_hook = NULL;
		model_buckets(&m, account, after);

		if (memcmp(buckets, before, sizeof(buckets)))
			ASSERT_EQ(memcmp(buckets, after, sizeof(buckets)), 0);
		changes += !!memcmp(before, after, sizeof(before));
		for (i = 0; i < KVM_EXITSTATS_NR_BUCKETS; i++)
			sum -= buckets[i];
		ASSERT_EQ(sum, 0);
	}
	ASSERT_GT(changes, 10000);
	run_end(self->vcpu);
}

/* The same for a snapshot of all accounts. */
TEST_F(bound, remote_snapshot)
{
	struct kvm_exitstats_account before[KVM_EXITSTATS_NR_INDEXES];
	struct kvm_exitstats_account read[KVM_EXITSTATS_NR_INDEXES];
	struct model m = { .at = KVM_EXITSTATS_USERSPACE, .since = CYCLES };
	u32 i, step, changes = 0;

	start_writer(&m, self->vcpu, variant->numbering, variant->is_defined);
	for (step = 0; step < 20000; step++) {
		memcpy(before, m.accounts, sizeof(before));
		for (i = 0; i < kvm_exitstats_nr_accounts; i++)
			before[i].longest = model_longest(&m, i);
		hook_countdown = 1 + random_below(4 * kvm_exitstats_nr_accounts);
		shim_read_hook = write_meanwhile;
		kvm_exitstats_snapshot(self->vcpu, read);
		shim_read_hook = NULL;

		for (i = KVM_EXITSTATS_OTHER; i < kvm_exitstats_nr_accounts; i++) {
			ASSERT_LE(read[i].longest, read[i].cycles);
			if (read[i].exits == before[i].exits &&
			    read[i].longest == before[i].longest)
				continue;
			ASSERT_EQ(read[i].exits, m.accounts[i].exits);
			ASSERT_EQ(read[i].longest, model_longest(&m, i));
			changes++;
		}
	}
	ASSERT_GT(changes, 1000);
	run_end(self->vcpu);
}

/* The end of a count that its reader sees the beginning of */
static u64 counted_took;

static void count_meanwhile(void)
{
	if (!hook_countdown || --hook_countdown)
		return;
	WRITE_ONCE(hook_vcpu->arch.exitstats->took, counted_took);
	WRITE_ONCE(hook_vcpu->arch.exitstats->counted, true);
}

/* An exit is counted, but a reader does not see yet what it took. */
TEST_F(bound, reader_amid_count)
{
	u64 buckets[KVM_EXITSTATS_NR_BUCKETS], earlier = 1 << 20;
	u32 account = account_of(variant->known, true), step;

	if (!variant->histogram)
		SKIP(return, "without a histogram");

	hook_vcpu = self->vcpu;
	run_begin(self->vcpu);
	vm_enter(self->vcpu);
	kvm_exitstats_exit(self->vcpu, variant->known);
	shim_tsc += CYCLES;
	run_end(self->vcpu);
	counted_took = self->vcpu->arch.exitstats->took;
	ASSERT_EQ(counted_took, CYCLES);

	for (step = 1; step <= 40; step++) {
		self->vcpu->arch.exitstats->took = earlier;
		self->vcpu->arch.exitstats->counted = false;
		hook_countdown = step;
		shim_read_hook = count_meanwhile;
		ASSERT_EQ(read_buckets(self->vcpu, account, buckets), 1);
		shim_read_hook = NULL;
		ASSERT_EQ(buckets[bucket_of(CYCLES)], 1);
	}
}

/* In the middle of an update, no bucket lags behind or is ahead by more than one exit. */
static u64 torn_before[KVM_EXITSTATS_NR_BUCKETS];
static u32 torn_account, torn_bucket;

static void expect_no_tear(void)
{
	u64 buckets[KVM_EXITSTATS_NR_BUCKETS];
	u32 i;

	read_buckets(hook_vcpu, torn_account, buckets);
	for (i = 0; i < KVM_EXITSTATS_NR_BUCKETS; i++)
		if (buckets[i] != torn_before[i] &&
		    (i != torn_bucket || buckets[i] != torn_before[i] + 1))
			hook_calls = -1000;
	hook_calls++;
}

TEST_F(bound, middle_of_update)
{
	u64 cycles;
	u32 i;

	if (!variant->histogram)
		SKIP(return, "without a histogram");

	hook_vcpu = self->vcpu;
	torn_account = account_of(variant->known, true);
	hook_calls = 0;
	run_begin(self->vcpu);
	vm_enter(self->vcpu);
	for (i = 0; i < 200; i++) {
		cycles = 1 + random_below(1000);
		torn_bucket = bucket_of(cycles);
		kvm_exitstats_exit(self->vcpu, variant->known);
		shim_tsc += cycles;
		kvm_exitstats_check_request(self->vcpu);
		read_buckets(self->vcpu, torn_account, torn_before);
		shim_barrier_hook = expect_no_tear;
		kvm_exitstats_enter(self->vcpu);
		shim_barrier_hook = NULL;
		ASSERT_EQ(hook_calls, i + 1);
	}
}

/* A reader on another CPU, at any moment: a snapshot adds up to the current time. */
TEST_F(bound, snapshot)
{
	struct kvm_exitstats_account accounts[KVM_EXITSTATS_NR_INDEXES];
	u64 created = self->vcpu->arch.exitstats->created, sum = 0;
	u32 i;

	run_begin(self->vcpu);
	vm_enter(self->vcpu);
	shim_tsc += 1000;
	kvm_exitstats_exit(self->vcpu, variant->known);
	shim_tsc += 50;

	kvm_exitstats_snapshot(self->vcpu, accounts);
	for (i = KVM_EXITSTATS_GUEST; i < kvm_exitstats_nr_accounts; i++)
		sum += accounts[i].cycles;
	ASSERT_EQ(sum, shim_tsc - created);
	ASSERT_EQ(accounts[KVM_EXITSTATS_GUEST].cycles, 1000);
	/* This exit has not ended. */
	ASSERT_EQ(accounts[account_of(variant->known, true)].cycles, 50);
	ASSERT_EQ(accounts[KVM_EXITSTATS_ALL].cycles, 50);
	ASSERT_EQ(accounts[KVM_EXITSTATS_ALL].exits, 0);

	/* On a CPU whose TSC is behind */
	shim_tsc -= 500;
	kvm_exitstats_snapshot(self->vcpu, accounts);
	ASSERT_EQ(accounts[KVM_EXITSTATS_GUEST].cycles, 1000);
	ASSERT_EQ(accounts[KVM_EXITSTATS_ALL].cycles, 0);
}

/* A vCPU that does not count, while one of another VM does */
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

/* A figure that is unique to each account, bucket and vCPU */
static u64 bucket_figure(u32 account, u32 b, int vcpu)
{
	return account * 16 + vcpu + 1 + b * 0x10000;
}

static u64 figure(u32 account, int vcpu, bool histogram)
{
	u64 sum = 0;
	u32 b;

	if (!histogram || account < KVM_EXITSTATS_OTHER)
		return account * 16 + vcpu + 1;
	for (b = 0; b < KVM_EXITSTATS_NR_BUCKETS; b++)
		sum += bucket_figure(account, b, vcpu);
	return sum;
}

/* By the documentation: return whether @selector is defined, and its figure in @exits. */
static bool expect(u32 selector, bool (*is_defined)(u32), u32 numbering, bool histogram, u64 *exits)
{
	u32 hi = selector >> 16, n = selector & 0xffff, account = KVM_EXITSTATS_OTHER;
	bool vcpu = (hi & 0xff80) == 0x4f80, defined = false;
	u32 b;

	*exits = 0;
	if (vcpu)
		hi &= ~0x80;
	if (hi == 0 || hi == 0x4f00) {
		defined = is_defined(n);
		account = account_of(n, defined);
		if (account == KVM_EXITSTATS_OTHER)
			return defined;
	} else if (histogram && hi >= 0x4f20 && hi <= 0x4f3f) {
		defined = is_defined(n);
		account = account_of(n, defined);
		if (account == KVM_EXITSTATS_OTHER)
			return defined;
		b = hi - 0x4f20;
		*exits = bucket_figure(account, b, 0) + (vcpu ? 0 : bucket_figure(account, b, 1));
		return true;
	} else if (hi == 0x4f01 && n <= KVM_EXITSTATS_ACCOUNT_OTHER) {
		defined = true;
		account = n;
	} else {
		if (hi == 0x4f01 && n == 0xffff)
			*exits = numbering;
		return *exits;
	}
	*exits = figure(account, 0, histogram) + (vcpu ? 0 : figure(account, 1, histogram));
	return defined;
}

/* All selectors around the defined ones: none reads a figure that it does not select. */
TEST_F_TIMEOUT(bound, every_selector, 300)
{
	static const u16 uppers[] = {
		/* All lower halves of these, which select something or are neighbours of such */
		0, 1, 0x80, 0x4eff, 0x4f00, 0x4f01, 0x4f02, 0x4f20, 0x4f80, 0x4f81, 0x4f82, 0x5000,
#define NR_WHOLE	12
		0x7f, 0x81, 0x4e00, 0x4f1f, 0x4f21, 0x4f2f, 0x4f30, 0x4f3e, 0x4f3f, 0x4f40, 0x4f41,
		0x4f60, 0x4f7f, 0x4f9f, 0x4fa0, 0x4fb1, 0x4fbf, 0x4fc0, 0x4fff, 0x8f00, 0xcf01,
		0xcf20, 0xffff,
	};
	u32 i, j, b, account, selector, status;
	struct kvm_vcpu_exitstats *stats;
	bool defined;
	u64 *buckets;
	struct leaf r;
	u64 exits;

	for (account = 0; account < kvm_exitstats_nr_accounts; account++)
		for (j = 0; j < SHIM_VCPUS; j++) {
			stats = self->kvm->vcpu_array[j].arch.exitstats;
			stats->accounts[account].exits = figure(account, j, variant->histogram);
			if (!variant->histogram || account < KVM_EXITSTATS_OTHER)
				continue;
			buckets = kvm_exitstats_alloc_buckets(0);
			for (b = 0; b < KVM_EXITSTATS_NR_BUCKETS; b++)
				buckets[b] = bucket_figure(account, b, j);
			kvm_exitstats_tail_of(stats, account)->buckets = buckets;
		}

	for (i = 0; i < ARRAY_SIZE(uppers); i++) {
		for (j = 0; j <= 0xffff; j += i < NR_WHOLE || j < 0x500 ? 1 : 0xff) {
			selector = (u32)uppers[i] << 16 | j;
			defined = expect(selector, variant->is_defined, variant->numbering,
					 variant->histogram, &exits);
			status = defined ? KVM_EXITSTATS_DEFINED : KVM_EXITSTATS_UNDEFINED;
			r = read_leaf(self->vcpu, KVM_EXITSTATS_LEAF_EXITS, selector);
			if (r.eax != exits || r.ebx || r.ecx || r.edx != status)
				ASSERT_LEAF(KVM_EXITSTATS_LEAF_EXITS, selector, exits, 0, 0,
					    status);
		}
	}
}

static void set_longest(struct kvm_vcpu *vcpu, u32 account, u64 cycles)
{
	struct kvm_vcpu_exitstats *stats = vcpu->arch.exitstats;

	kvm_exitstats_tail_of(stats, account)->longest = cycles;
}

/* Both halves of each figure; the sums over two vCPUs carry into the upper half. */
TEST_F(bound, both_halves)
{
	u32 known = variant->known, account = account_of(known, true);
	struct kvm_exitstats_account *first, *second;

	first = self->kvm->vcpu_array[0].arch.exitstats->accounts;
	second = self->kvm->vcpu_array[1].arch.exitstats->accounts;
	first[account] = (struct kvm_exitstats_account) { 0x3ffffffff, 0x1ffffffff };
	second[account] = (struct kvm_exitstats_account) { 0x400000003, 0x200000002 };
	first[KVM_EXITSTATS_ALL] = (struct kvm_exitstats_account) { 0x7ffffffff, 0x5ffffffff };
	second[KVM_EXITSTATS_ALL] = (struct kvm_exitstats_account) { 0x800000005, 0x600000004 };
	set_longest(&self->kvm->vcpu_array[0], account, 7);
	set_longest(&self->kvm->vcpu_array[1], account, 9);

	ASSERT_LEAF(KVM_EXITSTATS_LEAF_TOTAL, ~0u, 3, 0x10, 4, 0xc);
	ASSERT_LEAF(KVM_EXITSTATS_LEAF_REASON, known, 1, 0x10, 4, KVM_EXITSTATS_DEFINED);
	ASSERT_LEAF(KVM_EXITSTATS_LEAF_EXITS, known, 1, 4, 0, KVM_EXITSTATS_DEFINED);
	ASSERT_LEAF(KVM_EXITSTATS_LEAF_CYCLES, known, 9, 8, 2, KVM_EXITSTATS_DEFINED);

	/* With the vCPU bit, all figures, even the totals, are those of this vCPU. */
	known = KVM_EXITSTATS_SELECT_REASON(known) | KVM_EXITSTATS_SELECT_VCPU;
	ASSERT_LEAF(KVM_EXITSTATS_LEAF_REASON, known, 0xffffffff, 7, 0xffffffff, 0);
	ASSERT_LEAF(KVM_EXITSTATS_LEAF_EXITS, known, 0xffffffff, 1, 0, 0);
	ASSERT_LEAF(KVM_EXITSTATS_LEAF_CYCLES, known, 7, 3, 0xffffffff, 0);

	/* An undefined selector has only the totals. */
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

	set_longest(self->vcpu, account, 0xffffffff);
	ASSERT_LEAF(KVM_EXITSTATS_LEAF_CYCLES, variant->known, 0xffffffff, 0, 0, 0);
	set_longest(self->vcpu, account, 0x100000000);
	ASSERT_LEAF(KVM_EXITSTATS_LEAF_CYCLES, variant->known, 0xffffffff, 0, 0, 0);
	ASSERT_LEAF(KVM_EXITSTATS_LEAF_CYCLES, all, 0xffffffff, 0, 0, 0);
	set_longest(self->vcpu, account, 0xfffffffe);
	ASSERT_LEAF(KVM_EXITSTATS_LEAF_CYCLES, all, 0xfffffffe, 0, 0, 0);
}

/* The guest reads cycles of its own TSC. A restored base is in guest cycles already. */
TEST_F(bound, guest_tsc)
{
	u32 account = account_of(variant->known, true);
	struct kvm_exitstats_account *own = &self->vcpu->arch.exitstats->accounts[account];
	struct kvm_vcpu_exitstats *base;

	*own = (struct kvm_exitstats_account) { .cycles = 3ull << 33, .exits = 5 };
	set_longest(self->vcpu, account, 500);
	self->vcpu->arch.l1_tsc_scaling_ratio = SHIM_TSC_RATIO_1 / 2;
	ASSERT_LEAF(KVM_EXITSTATS_LEAF_CYCLES, variant->known, 250, 3, 0, 0);
	ASSERT_LEAF(KVM_EXITSTATS_LEAF_EXITS, variant->known, 5, 0, 0, 0);
	self->vcpu->arch.l1_tsc_scaling_ratio = SHIM_TSC_RATIO_1 * 3;
	ASSERT_LEAF(KVM_EXITSTATS_LEAF_CYCLES, variant->known, 1500, 18, 0, 0);

	base = exitstats_alloc_figures(variant->histogram);
	base->accounts[account] = (struct kvm_exitstats_account) { .cycles = 7, .exits = 1 };
	kvm_exitstats_tail_of(base, account)->longest = 2000;
	self->kvm->arch.exitstats.base = base;
	ASSERT_LEAF(KVM_EXITSTATS_LEAF_CYCLES, variant->known, 2000, 18, 7, 0);
	ASSERT_LEAF(KVM_EXITSTATS_LEAF_EXITS, variant->known, 6, 0, 0, 0);
}

static u64 guest_bucket(struct kvm_vcpu *vcpu, u32 b, u32 code, bool own)
{
	struct leaf r = read_leaf(vcpu, KVM_EXITSTATS_LEAF_EXITS,
				  KVM_EXITSTATS_SELECT_BUCKET(b, code) |
				  (own ? KVM_EXITSTATS_SELECT_VCPU : 0));

	return r.ecx || r.edx ? ~0ull : r.eax | (u64)r.ebx << 32;
}

/*
 * A bucket of the host counts in the guest's bucket to which its middle belongs: with half the
 * cycles one lower, with three times as many two higher, but the first one only one higher. A
 * restored base does not move.
 */
TEST_F(bound, guest_tsc_buckets)
{
	u32 account = account_of(variant->known, true), b, to, i;
	struct kvm_vcpu_exitstats *base;
	static const struct {
		u64 ratio;
		int up;
	} ratios[] = {
		{ SHIM_TSC_RATIO_1 / 2, -1 }, { SHIM_TSC_RATIO_1 * 3, 2 }, { SHIM_TSC_RATIO_1, 0 },
		{ 0, 0 },
	};

	if (!variant->histogram)
		SKIP(return, "without a histogram");

	run_begin(self->vcpu);
	vm_enter(self->vcpu);
	for (b = 0; b < KVM_EXITSTATS_NR_BUCKETS; b++) {
		for (i = 0; i <= b; i++) {
			kvm_exitstats_exit(self->vcpu, variant->known);
			shim_tsc += 1ull << b;
			vm_enter(self->vcpu);
		}
	}
	base = exitstats_alloc_figures(true);
	base->accounts[account].exits = 1000;
	kvm_exitstats_tail_of(base, account)->buckets[20] = 1000;
	self->kvm->arch.exitstats.base = base;

	for (i = 0; i < ARRAY_SIZE(ratios); i++) {
		u64 expected[KVM_EXITSTATS_NR_BUCKETS] = {};

		self->vcpu->arch.l1_tsc_scaling_ratio = ratios[i].ratio;
		for (b = 0; b < KVM_EXITSTATS_NR_BUCKETS; b++) {
			/* The first bucket is for 0 and 1 cycles. */
			to = max((int)b + ratios[i].up - (!b && ratios[i].up > 0), 0);
			expected[min(to, KVM_EXITSTATS_NR_BUCKETS - 1)] += b + 1;
		}
		for (b = 0; b < KVM_EXITSTATS_NR_BUCKETS; b++) {
			ASSERT_EQ(guest_bucket(self->vcpu, b, variant->known, true), expected[b]);
			ASSERT_EQ(guest_bucket(self->vcpu, b, variant->known, false),
				  expected[b] + (b == 20) * 1000);
		}
	}
}

#define MAX_STATE	5000

/* The state that a VMM gets and sets */
struct state {
	struct kvm_exitstats_state header;
	struct kvm_exitstats_entry entries[MAX_STATE];
};

static int get_state(struct kvm_vcpu *vcpu, struct state *state)
{
	memset(state, 0, sizeof(*state));
	state->header.nr = KVM_EXITSTATS_MAX_ENTRIES;
	return exitstats_get_state(vcpu, &state->header);
}

/*
 * After a state is set, the guest reads that state, whatever the vCPU has done before. New exits
 * add to it. No bucket ever falls below the state's, except by the exit that had not ended, and a
 * reason's buckets add up to its exits.
 */
TEST_F_TIMEOUT(bound, base, 300)
{
	u64 set[KVM_EXITSTATS_NR_BUCKETS], now, sum, others;
	struct state *state = malloc(sizeof(*state)), *got = malloc(sizeof(*got));
	struct model m = { .at = KVM_EXITSTATS_USERSPACE, .since = CYCLES };
	u32 account, code = life_codes[0], step, n, b, i;

	account = account_of(code, true);
	shim_trace = NULL;
	run_begin(self->vcpu);
	model_back(&m);
	model_pass(&m, 1);
	for (step = 0; step < 3000; step++) {
		for (n = random_below(4); n; n--)
			any_event(&m, self->vcpu, code, account);
		/* The VMM stops the vCPU. */
		run_end(self->vcpu);
		model_count(&m);
		model_away(&m, KVM_EXITSTATS_USERSPACE);

		/* A random state, with some empty buckets */
		memset(state, 0, sizeof(*state));
		state->header.numbering = variant->numbering;
		state->entries[0].selector = KVM_EXITSTATS_SELECT_REASON(code);
		state->header.nr = 1;
		for (b = 0; b < KVM_EXITSTATS_NR_BUCKETS; b++) {
			set[b] = random_below(2) ? 0 : random_below(5);
			state->entries[0].exits += set[b];
			if (!variant->histogram)
				continue;
			state->entries[state->header.nr++] = (struct kvm_exitstats_entry) {
				.selector = KVM_EXITSTATS_SELECT_BUCKET(b, code), .exits = set[b],
			};
		}
		state->entries[0].cycles = state->entries[0].exits * 100;
		state->entries[0].longest = random_below(200);
		ASSERT_EQ(exitstats_set_state(self->vcpu, &state->header), 0);
		ASSERT_LEAF(KVM_EXITSTATS_LEAF_EXITS, code, state->entries[0].exits, 0, 0, 0);
		ASSERT_EQ(read_leaf(self->vcpu, KVM_EXITSTATS_LEAF_CYCLES, code).ecx,
			  state->entries[0].cycles);
		for (b = 0; variant->histogram && b < KVM_EXITSTATS_NR_BUCKETS; b++)
			ASSERT_EQ(guest_bucket(self->vcpu, b, code, false), set[b]);

		/* Without a new exit, at most the one that had not ended may move. */
		run_begin(self->vcpu);
		model_back(&m);
		model_pass(&m, random_below(100000));
		check_request(&m, self->vcpu);
		kvm_exitstats_enter(self->vcpu);
		model_over(&m);
		model_away(&m, KVM_EXITSTATS_GUEST);
		model_pass(&m, 1);
		sum = 0;
		others = 0;
		for (b = 0; variant->histogram && b < KVM_EXITSTATS_NR_BUCKETS; b++) {
			now = guest_bucket(self->vcpu, b, code, false);
			sum += now;
			ASSERT_LE(now, set[b] + 1);
			ASSERT_GE(now + 1, set[b]);
			others += now != set[b];
		}
		ASSERT_LE(others, 2);
		if (variant->histogram)
			ASSERT_EQ(sum, state->entries[0].exits);
		kvm_exitstats_exit(self->vcpu, code);
		model_exit(&m, account);
		model_pass(&m, 1 + random_below(1000));

		/* The saved state must be valid for restoring. */
		ASSERT_EQ(get_state(self->vcpu, got), 0);
		for (i = 0; i < got->header.nr; i++)
			ASSERT_GE((s64)got->entries[i].exits, 0);
		ASSERT_EQ(exitstats_set_state(self->vcpu, &got->header), 0);
	}
	run_end(self->vcpu);
	free(state);
	free(got);
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

	/* If the guest's state is protected, KVM does not know the CPL. */
	self->vcpu->cpl = 0;
	self->vcpu->arch.guest_state_protected = true;
	for (leaf = 0; leaf < 4; leaf++)
		ASSERT_EQ(read_leaf(self->vcpu, KVM_EXITSTATS_LEAF_CYCLES + leaf,
				    variant->known).edx, 0xaaaaaaaa);
}

TEST_HARNESS_MAIN
