// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM exitstats: a host whose exits cannot be counted, as one with kvm-amd, is as
 * a host without the series.
 */
#include "exitstats_debugfs.h"

#define NR_LEAVES (KVM_EXITSTATS_LEAF_TOTAL - KVM_EXITSTATS_LEAF_CYCLES + 1)

/* AMD: zeros for a leaf that is out of range. */
static void guest_read_all(void)
{
	static const u32 indices[] = { 0, 1, 10, 48, 85, 86, 0x10000, KVM_EXITSTATS_PROBE };
	struct leaf r;
	int leaf, i;

	for (leaf = 0; leaf < NR_LEAVES; leaf++) {
		for (i = 0; i < ARRAY_SIZE(indices); i++) {
			r = read_leaf(KVM_EXITSTATS_LEAF_CYCLES + leaf, indices[i]);
			GUEST_ASSERT(!(r.eax | r.ebx | r.ecx | r.edx));
		}
	}
	GUEST_DONE();
}

TEST(leaves)
{
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm = vm_create_with_one_vcpu(&vcpu, guest_read_all);
	struct stats stats;

	TEST_ASSERT_EQ(run_guest(vcpu), UCALL_DONE);
	read_stats(vcpu, &stats);
	TEST_ASSERT(stats.exits, "a vCPU without exits");
	TEST_ASSERT_EQ(sum_slots(stats.exits_by_reason), 0);
	TEST_ASSERT_EQ(sum_slots(stats.cycles_by_reason), 0);
	kvm_vm_free(vm);
}

TEST(capability)
{
	struct kvm_vm *vm = vm_create_barebones();
	int i;

	TEST_ASSERT_EQ(kvm_check_cap(KVM_CAP_X86_EXITSTATS), 0);
	TEST_ASSERT_EQ(vm_check_cap(vm, KVM_CAP_X86_EXITSTATS), 0);
	for (i = 0; i <= 1; i++)
		TEST_ASSERT(__vm_enable_cap(vm, KVM_CAP_X86_EXITSTATS, i) < 0 && errno == EINVAL,
			    "args[0] = %d: %s", i, strerror(errno));
	kvm_vm_free(vm);
}

TEST(state)
{
	struct kvm_exitstats_state state = {};
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm = vm_create_with_one_vcpu(&vcpu, guest_read_all);

	TEST_ASSERT(__vcpu_has_device_attr(vcpu, KVM_VCPU_EXITSTATS,
					   KVM_VCPU_EXITSTATS_STATE) < 0 && errno == ENXIO,
		    "has: %s", strerror(errno));
	TEST_ASSERT(__vcpu_device_attr_get(vcpu, KVM_VCPU_EXITSTATS, KVM_VCPU_EXITSTATS_STATE,
					   &state) < 0 && errno == ENXIO,
		    "get: %s", strerror(errno));
	TEST_ASSERT(__vcpu_device_attr_set(vcpu, KVM_VCPU_EXITSTATS, KVM_VCPU_EXITSTATS_STATE,
					   &state) < 0 && errno == ENXIO,
		    "set: %s", strerror(errno));
	kvm_vm_free(vm);
}

TEST(tables)
{
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm = vm_create_with_one_vcpu(&vcpu, guest_read_all);
	int i;

	for (i = VM_TABLE; i <= 0; i++)
		TEST_ASSERT(open_table(vm, i) < 0 && errno == ENOENT, "table %d: %s", i,
			    strerror(errno));
	kvm_vm_free(vm);
}

int main(int argc, char *argv[])
{
	__TEST_REQUIRE(!kvm_check_cap(KVM_CAP_X86_EXITSTATS), "this host counts exits");
	require_debugfs();
	return test_harness_run(argc, argv);
}
