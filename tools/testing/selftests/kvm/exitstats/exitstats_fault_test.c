// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM exitstats when allocations fail. For each call, fail its first allocation, then its
 * second and so on until none is left. The calls create a VM, a vCPU and its statistics,
 * and restore, save and show its counters. Each call must report its failure, or succeed
 * completely without the memory. An existing vCPU must continue to count.
 *
 * Needs a kernel with CONFIG_FAULT_INJECTION, FAILSLAB, FAIL_PAGE_ALLOC and their files
 * in debugfs; see fault-injection in Documentation/. CONFIG_DEBUG_KMEMLEAK tells whether
 * the failed calls have leaked memory.
 */
#include "exitstats_debugfs.h"
#include "exitstats_state.h"

#define FAIL_NTH	"/proc/thread-self/fail-nth"
#define MAX_FAULTS	4000
#define NR_EXITS	10

static void guest_main(void)
{
	int i;

	for (;;) {
		for (i = 0; i < NR_EXITS; i++)
			read_leaf(KVM_EXITSTATS_LEAF_TOTAL, 0);
		GUEST_SYNC(0);
	}
}

static int fail_nth = -1;

static void set_fail_nth(u32 n)
{
	char text[12];
	int len = sprintf(text, "%u", n);

	TEST_ASSERT(pwrite(fail_nth, text, len, 0) == len, FAIL_NTH ": %s", strerror(errno));
}

/* Has the injected failure happened? The kernel counts it down. */
static bool has_failed(void)
{
	char text[12] = "";

	TEST_ASSERT(pread(fail_nth, text, sizeof(text) - 1, 0) > 0, FAIL_NTH ": %s",
		    strerror(errno));
	return !atoi(text);
}

/*
 * Let allocations fail even if they may sleep, of any order, without a message for each.
 * And let the destruction of a VM not wait for RCU's normal grace periods.
 */
static struct {
	const char *path, *value;
	char old[16];
} settings[] = {
	{ "/sys/kernel/debug/failslab/ignore-gfp-wait", "N" },
	{ "/sys/kernel/debug/failslab/verbose", "0" },
	{ "/sys/kernel/debug/fail_page_alloc/ignore-gfp-wait", "N" },
	{ "/sys/kernel/debug/fail_page_alloc/ignore-gfp-highmem", "N" },
	{ "/sys/kernel/debug/fail_page_alloc/min-order", "0" },
	{ "/sys/kernel/debug/fail_page_alloc/verbose", "0" },
	{ "/sys/kernel/rcu_expedited", "1" },
};

static bool write_setting(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY);
	bool ok = fd >= 0 && write(fd, value, strlen(value)) > 0;

	if (fd >= 0)
		close(fd);
	return ok;
}

static bool let_all_fail(void)
{
	int i, fd;

	for (i = 0; i < ARRAY_SIZE(settings); i++) {
		fd = open(settings[i].path, O_RDONLY);
		if (fd < 0 || read(fd, settings[i].old, sizeof(settings[i].old) - 1) <= 0)
			return false;
		close(fd);
		if (!write_setting(settings[i].path, settings[i].value))
			return false;
	}
	return !access(FAIL_NTH, R_OK | W_OK);
}

static void put_settings_back(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(settings); i++) {
		if (settings[i].old[0])
			write_setting(settings[i].path, settings[i].old);
	}
}

struct target {
	struct kvm_vcpu *vcpu;	/* that has run */
	struct state state;
	char table[128];
	int vm;			/* created before a call that needs one, or -1 */
	int made;		/* file created by the call, or -1 */
};

static int make_vm(struct target *t)
{
	t->made = ioctl(t->vcpu->vm->kvm_fd, KVM_CREATE_VM, 0ul);
	return t->made < 0 ? -1 : 0;
}

static int make_vcpu(struct target *t)
{
	t->made = ioctl(t->vm, KVM_CREATE_VCPU, 0ul);
	return t->made < 0 ? -1 : 0;
}

static int make_restored_vcpu(struct target *t)
{
	struct kvm_device_attr attr = {
		.group = KVM_VCPU_EXITSTATS,
		.attr = KVM_VCPU_EXITSTATS_STATE,
		.addr = (unsigned long)&t->state,
	};

	return make_vcpu(t) ?: ioctl(t->made, KVM_SET_DEVICE_ATTR, &attr);
}

static int make_stats(struct target *t)
{
	t->made = ioctl(t->vcpu->fd, KVM_GET_STATS_FD, NULL);
	return t->made < 0 ? -1 : 0;
}

static int save_state(struct target *t)
{
	t->state.header.nr = KVM_EXITSTATS_MAX_ENTRIES;
	return get_state(t->vcpu, &t->state);
}

static int read_a_table(struct target *t)
{
	char text[16384];

	t->made = open(t->table, O_RDONLY);
	return t->made < 0 || read(t->made, text, sizeof(text)) <= 0 ? -1 : 0;
}

/* Does the guest of this VM read what the state has? */
static bool is_restored(struct target *t)
{
	static struct state got;
	struct kvm_device_attr attr = {
		.group = KVM_VCPU_EXITSTATS,
		.attr = KVM_VCPU_EXITSTATS_STATE,
		.addr = (unsigned long)&got,
	};

	got.header.nr = KVM_EXITSTATS_MAX_ENTRIES;
	TEST_ASSERT(!ioctl(t->made, KVM_GET_DEVICE_ATTR, &attr), "get: %s", strerror(errno));
	return got.header.nr && got.header.nr == t->state.header.nr &&
	       !memcmp(got.entries, t->state.entries, got.header.nr * sizeof(got.entries[0]));
}

/* Repeat @call, failing each of its allocations in turn. Return their number. */
static u32 fail_each(struct target *t, const char *what, int (*call)(struct target *t))
{
	u32 n, nr_errors = 0;
	bool failed = true;
	int r, err;

	for (n = 1; failed; n++) {
		TEST_ASSERT(n < MAX_FAULTS, "%s: more than %d allocations", what, MAX_FAULTS);
		t->vm = -1;
		t->made = -1;
		if (call == make_vcpu || call == make_restored_vcpu) {
			t->vm = ioctl(t->vcpu->vm->kvm_fd, KVM_CREATE_VM, 0ul);
			TEST_ASSERT(t->vm >= 0, "KVM_CREATE_VM: %s", strerror(errno));
		}
		set_fail_nth(n);
		r = call(t);
		err = errno;
		failed = has_failed();
		set_fail_nth(0);

		nr_errors += !!r;
		TEST_ASSERT(!r || (failed && (err == ENOMEM || err == EFAULT)),
			    "%s, allocation %u %s: %s", what, n, failed ? "failed" : "did not fail",
			    strerror(err));
		TEST_ASSERT(r || call != make_restored_vcpu || is_restored(t),
			    "allocation %u failed: not restored, but no error", n);
		if (t->made >= 0)
			close(t->made);
		if (t->vm >= 0)
			close(t->vm);
	}
	ksft_print_msg("%s: %u allocations failed, %u calls with them\n", what, n - 2, nr_errors);
	return n - 2;
}

FIXTURE(fault) {};

FIXTURE_SETUP(fault)
{
	fail_nth = open(FAIL_NTH, O_RDWR);
	TEST_ASSERT(fail_nth >= 0, FAIL_NTH ": %s", strerror(errno));
}

FIXTURE_TEARDOWN(fault)
{
	close(fail_nth);
}

/* In an emulated host, hundreds of VMs take long. */
TEST_F_TIMEOUT(fault, each_allocation_fails, 900)
{
	static const struct {
		const char *what;
		int (*call)(struct target *t);
	} calls[] = {
		{ "saving", save_state },	/* first: later calls restore this state */
		{ "a VM", make_vm },
		{ "a vCPU", make_vcpu },
		{ "a vCPU, restored", make_restored_vcpu },
		{ "statistics", make_stats },
		{ "a table", read_a_table },
	};
	struct stats before, after;
	u32 nr_faults = 0, i;
	struct target t = {};

	vm_create_with_one_vcpu(&t.vcpu, guest_main);
	table_path(t.vcpu->vm, VM_TABLE, t.table, sizeof(t.table));
	TEST_ASSERT_EQ(run_guest(t.vcpu), UCALL_SYNC);
	read_stats(t.vcpu, &before);

	for (i = 0; i < ARRAY_SIZE(calls); i++)
		nr_faults += fail_each(&t, calls[i].what, calls[i].call);
	TEST_ASSERT(nr_faults >= 50, "only %u allocations failed", nr_faults);

	read_stats(t.vcpu, &after);
	TEST_ASSERT(!memcmp(&before, &after, sizeof(before)), "the counters have changed");
	TEST_ASSERT_EQ(run_guest(t.vcpu), UCALL_SYNC);
	assert_stats(t.vcpu);
	read_stats(t.vcpu, &after);
	TEST_ASSERT(after.exits >= before.exits + NR_EXITS, "%lu exits, after %lu",
		    after.exits, before.exits);
	kvm_vm_free(t.vcpu->vm);
}

int main(int argc, char *argv[])
{
	require_exitstats();
	require_debugfs();
	atexit(put_settings_back);
	__TEST_REQUIRE(let_all_fail(), "no faults are injected: not root, or no FAULT_INJECTION");
	return test_harness_run(argc, argv);
}
