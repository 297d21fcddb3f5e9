// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM exitstats: the capability and the parameter decide whether a VM counts, and the exit
 * path, which is patched while VMs run, follows.
 */
#include <pthread.h>

#include "exitstats_util.h"

#define NR_EXITS	5000
#define NR_VMS		4
#define SUPPORTED	(KVM_EXITSTATS_COUNT | KVM_EXITSTATS_CPL0 | KVM_EXITSTATS_HISTOGRAM)

/* Report first whether the leaves exist, then cause exits. */
static void guest(void)
{
	struct leaf r = read_leaf(KVM_EXITSTATS_LEAF_EXITS, KVM_EXITSTATS_PROBE);
	int i;

	GUEST_SYNC(!r.eax && !r.ebx && !r.ecx && r.edx == KVM_EXITSTATS_UNDEFINED);
	for (i = 0; i < NR_EXITS; i++)
		flush_caches();
	GUEST_DONE();
}

static bool has_leaves(struct kvm_vcpu *vcpu)
{
	struct ucall uc;

	vcpu_run(vcpu);
	TEST_ASSERT_EQ(get_ucall(vcpu, &uc), UCALL_SYNC);
	return uc.args[1];
}

/* Does the VM count? Check that all interfaces agree. */
static bool vm_counts(struct kvm_vcpu *vcpu)
{
	bool counts = has_leaves(vcpu);

	TEST_ASSERT_EQ(!__vcpu_has_device_attr(vcpu, KVM_VCPU_EXITSTATS,
					       KVM_VCPU_EXITSTATS_STATE), counts);
	if (counts)
		assert_stats(vcpu);
	else
		assert_nothing_counted(vcpu);
	return counts;
}

static void run_to_end(struct kvm_vcpu *vcpu)
{
	TEST_ASSERT_EQ(run_guest(vcpu), UCALL_DONE);
}

static struct kvm_vcpu *create_vm(int exitstats)
{
	struct kvm_vm *vm = vm_create(1);

	vm_enable_cap(vm, KVM_CAP_X86_EXITSTATS, exitstats);
	return vm_vcpu_add(vm, 0, guest);
}

FIXTURE(parameter) {};
FIXTURE_SETUP(parameter) {}
FIXTURE_TEARDOWN(parameter)
{
	set_parameter(PARAMETER, true);
}

TEST_F(parameter, is_for_vms_made_afterwards)
{
	struct kvm_vcpu *before, *off, *on;

	vm_create_with_one_vcpu(&before, guest);
	set_parameter(PARAMETER, false);
	vm_create_with_one_vcpu(&off, guest);
	set_parameter(PARAMETER, true);
	vm_create_with_one_vcpu(&on, guest);

	TEST_ASSERT(vm_counts(before), "a running VM was turned off");
	TEST_ASSERT(!vm_counts(off), "a VM counts with exitstats=N");
	TEST_ASSERT(vm_counts(on), "a VM does not count with exitstats=Y");
	kvm_vm_free(before->vm);
	kvm_vm_free(off->vm);
	kvm_vm_free(on->vm);
}

/* The parameter's value at the creation of the VM, not of the vCPU, decides. */
TEST_F(parameter, is_that_of_the_vms_creation)
{
	struct kvm_vm *vm = vm_create(2);
	struct kvm_vcpu *first = vm_vcpu_add(vm, 0, guest), *second;

	set_parameter(PARAMETER, false);
	second = vm_vcpu_add(vm, 1, guest);
	TEST_ASSERT(has_leaves(first) && has_leaves(second), "the VM counts, but not all vCPUs");
	run_to_end(second);
	assert_stats(second);
	kvm_vm_free(vm);
}

TEST_F(parameter, gives_way_to_the_vmm)
{
	struct kvm_vcpu *vcpu;

	set_parameter(PARAMETER, false);
	TEST_ASSERT(kvm_check_cap(KVM_CAP_X86_EXITSTATS) & KVM_EXITSTATS_COUNT, "no capability");
	vcpu = create_vm(1);
	TEST_ASSERT(vm_counts(vcpu), "the capability does not enable");
	kvm_vm_free(vcpu->vm);
}

static bool stop;

static void *write_parameter(void *unused)
{
	bool on = false;

	for (; !READ_ONCE(stop); on = !on)
		set_parameter(PARAMETER, on);
	return NULL;
}

TEST_F(parameter, is_written_while_vms_are_made)
{
	struct kvm_vcpu *vcpu;
	pthread_t thread;
	int i, counting = 0;

	pthread_create(&thread, NULL, write_parameter, NULL);
	for (i = 0; i < NR_VMS; i++) {
		vm_create_with_one_vcpu(&vcpu, guest);
		counting += vm_counts(vcpu);
		kvm_vm_free(vcpu->vm);
	}
	WRITE_ONCE(stop, true);
	pthread_join(thread, NULL);
	ksft_print_msg("%d of %d VMs counted\n", counting, NR_VMS);
}

TEST(capability_is_there)
{
	struct kvm_vm *vm = vm_create_barebones();

	TEST_ASSERT_EQ(kvm_check_cap(KVM_CAP_X86_EXITSTATS), SUPPORTED);
	TEST_ASSERT_EQ(vm_check_cap(vm, KVM_CAP_X86_EXITSTATS), SUPPORTED);
	kvm_vm_free(vm);
}

TEST(capability_decides)
{
	static const int flags[] = { 0, KVM_EXITSTATS_COUNT, SUPPORTED };
	struct kvm_vcpu *vcpu;
	int i;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		vcpu = create_vm(flags[i]);
		TEST_ASSERT_EQ(vm_counts(vcpu), !!flags[i]);
		run_to_end(vcpu);
		if (flags[i])
			assert_stats(vcpu);
		else
			assert_nothing_counted(vcpu);
		kvm_vm_free(vcpu->vm);
	}
}

TEST(capability_decides_last)
{
	struct kvm_vm *vm = vm_create(1);
	int i;

	for (i = 0; i < 4; i++)
		vm_enable_cap(vm, KVM_CAP_X86_EXITSTATS, i % 2 == 0);
	TEST_ASSERT(!vm_counts(vm_vcpu_add(vm, 0, guest)), "the last call does not decide");
	kvm_vm_free(vm);
}

TEST(capability_refuses)
{
	static const struct kvm_enable_cap bad[] = {
		{ .args = { KVM_EXITSTATS_CPL0 } },	/* without COUNT */
		{ .args = { KVM_EXITSTATS_HISTOGRAM } },
		{ .args = { KVM_EXITSTATS_CPL0 | KVM_EXITSTATS_HISTOGRAM } },
		{ .args = { SUPPORTED + 1 } },
		{ .args = { SUPPORTED + 2 } },
		{ .args = { 1ull << 32 | 1 } },
		{ .args = { 1ull << 32 } },
		{ .args = { ~0ull } },
		{ .args = { 1, 1 } },
		{ .args = { 1, 0, 1 } },
		{ .args = { 1, 0, 0, 1 } },
		{ .args = { 1 }, .flags = 1 },
		{ .args = { 1 }, .flags = 1u << 31 },
	};
	struct kvm_vm *vm = vm_create(1);
	struct kvm_enable_cap cap;
	struct kvm_vcpu *vcpu;
	int i;

	vm_enable_cap(vm, KVM_CAP_X86_EXITSTATS, 0);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		cap = bad[i];
		cap.cap = KVM_CAP_X86_EXITSTATS;
		TEST_ASSERT(__vm_ioctl(vm, KVM_ENABLE_CAP, &cap) < 0 && errno == EINVAL,
			    "bad[%d]: %s", i, strerror(errno));
	}

	vcpu = vm_vcpu_add(vm, 0, guest);
	for (i = 0; i <= SUPPORTED; i++)
		TEST_ASSERT(__vm_enable_cap(vm, KVM_CAP_X86_EXITSTATS, i) < 0 &&
			    errno == (i && !(i & KVM_EXITSTATS_COUNT) ? EINVAL : EBUSY),
			    "%d with a vCPU: %s", i, strerror(errno));
	TEST_ASSERT(!vm_counts(vcpu), "a refused call had an effect");
	kvm_vm_free(vm);
}

static void *run_thread(void *vcpu)
{
	while (!READ_ONCE(stop) && run_guest(vcpu) != UCALL_DONE)
		;
	return NULL;
}

/*
 * The exit path is patched when the first vCPU that counts is created, and up to a minute after
 * the last one is gone. Meanwhile, many come and go while another VM exits all the time.
 */
TEST(others_come_and_go_while_a_vm_does_not_count)
{
	struct kvm_vcpu *runs = create_vm(0), *vcpu;
	pthread_t thread;
	int i;

	pthread_create(&thread, NULL, run_thread, runs);
	for (i = 0; i < NR_VMS; i++) {
		vcpu = create_vm(1);
		TEST_ASSERT(vm_counts(vcpu), "VM %d does not count", i);
		kvm_vm_free(vcpu->vm);
	}
	pthread_join(thread, NULL);
	assert_nothing_counted(runs);
	kvm_vm_free(runs->vm);
}

TEST(others_come_and_go_while_a_vm_counts)
{
	struct kvm_vcpu *runs = create_vm(1), *vcpu;
	struct stats stats;
	pthread_t thread;
	int i;

	pthread_create(&thread, NULL, run_thread, runs);
	for (i = 0; i < NR_VMS; i++) {
		vcpu = create_vm(i % 2);
		TEST_ASSERT_EQ(vm_counts(vcpu), i & 1);
		kvm_vm_free(vcpu->vm);
	}
	pthread_join(thread, NULL);
	assert_stats(runs);
	read_stats(runs, &stats);
	TEST_ASSERT_EQ(stats.exits_by_reason[EXIT_FLUSH], NR_EXITS);
	kvm_vm_free(runs->vm);
}

/* A failed creation of a vCPU must not change whether the exit path is patched. */
TEST(vcpu_that_is_refused)
{
	struct kvm_vcpu *vcpu = create_vm(1), *other;
	int i;

	for (i = 0; i < NR_VMS; i++)
		TEST_ASSERT(__vm_ioctl(vcpu->vm, KVM_CREATE_VCPU, (void *)0) < 0 &&
			    errno == EEXIST, "vCPU 0 again: %s", strerror(errno));
	TEST_ASSERT(vm_counts(vcpu), "the VM no longer counts");

	other = create_vm(0);
	TEST_ASSERT(!vm_counts(other), "counts, unasked");
	run_to_end(vcpu);
	assert_stats(vcpu);
	kvm_vm_free(other->vm);
	kvm_vm_free(vcpu->vm);
}

int main(int argc, char *argv[])
{
	require_exitstats();
	__TEST_REQUIRE(!access(PARAMETER, W_OK), "cannot write " PARAMETER ": not root");
	return test_harness_run(argc, argv);
}
