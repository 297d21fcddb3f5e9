# SPDX-License-Identifier: GPL-2.0-only
#
# The selftest of KVM exitstats, for the Makefile of the KVM selftests:
#
#	include exitstats/exitstats.mk
#
# before it puts TEST_GEN_PROGS together from TEST_GEN_PROGS_x86_64 (newer kernels:
# TEST_GEN_PROGS_x86, in Makefile.kvm), which is where SPLIT_TESTS stands.

EXITSTATS_TESTS := $(addprefix exitstats/exitstats_,test abi_test cycles_test fastpath_test \
	invalid_state_test nested_test scope_test trace_test)

TEST_GEN_PROGS_x86_64 += $(EXITSTATS_TESTS)
TEST_GEN_PROGS_x86 += $(EXITSTATS_TESTS)

# Static, for the lab has no shared libraries.
$(addprefix %/,$(EXITSTATS_TESTS)): LDFLAGS += -static
