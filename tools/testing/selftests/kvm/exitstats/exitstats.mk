# SPDX-License-Identifier: GPL-2.0-only
#
# The selftest of KVM exitstats, for the Makefile of the KVM selftests:
#
#	include exitstats/exitstats.mk
#
# after its first TEST_GEN_PROGS_x86_64 line (TEST_GEN_PROGS_x86 in
# Makefile.kvm, which newer kernels have).

EXITSTATS_TESTS := exitstats/exitstats_test

TEST_GEN_PROGS_x86_64 += $(EXITSTATS_TESTS)
TEST_GEN_PROGS_x86 += $(EXITSTATS_TESTS)

# Static, for the lab has no shared libraries.
$(addprefix %/,$(EXITSTATS_TESTS)): LDFLAGS += -static
