# SPDX-License-Identifier: GPL-2.0-only
#
# The selftests of KVM exitstats. The Makefile of the KVM selftests includes this file at
# SPLIT_TESTS, before it composes TEST_GEN_PROGS from TEST_GEN_PROGS_x86_64 (in newer
# kernels: TEST_GEN_PROGS_x86, in Makefile.kvm).

EXITSTATS_TESTS := $(addprefix exitstats/exitstats_, test abi_test attribution_test bound_test \
	control_test cycles_test fastpath_test fault_test histogram_test host_fuzz_test \
	host_test leaf_fuzz_test lifetime_test load_test scope_test state_test sum_test \
	svm_failed_entry_test svm_nested_test trace_test vcpu_test vmx_invalid_state_test \
	vmx_nested_test)

TEST_GEN_PROGS_x86_64 += $(EXITSTATS_TESTS)
TEST_GEN_PROGS_x86 += $(EXITSTATS_TESTS)

# This test runs kernel code in userspace. Older kernels build it without an object file.
%/exitstats/exitstats_bound_test.o: CFLAGS += -Iexitstats/shim
%/exitstats/exitstats_bound_test: private CFLAGS += -Iexitstats/shim

# The tool, its example and its tests, which do not need the selftests' framework
EXITSTATS_TOOLS := $(addprefix exitstats/tool/, exitstats example_critical \
	exitstats_tool_test exitstats_tool_host_test exitstats_pmu_test)

ifneq ($(filter x86%,$(ARCH)),)
TEST_GEN_FILES += $(EXITSTATS_TOOLS)
endif

# Newer kernels define this for all KVM selftests.
$(addprefix %/,$(EXITSTATS_TESTS)): CFLAGS += -D_GNU_SOURCE=

# Link statically: the lab has no shared libraries.
$(addprefix %/,$(EXITSTATS_TESTS) $(EXITSTATS_TOOLS)): LDFLAGS += -static

define EXITSTATS_CC
@mkdir -p $(@D)
$(CC) -O2 -Wall -Wextra -static $(KHDR_INCLUDES) $(filter %.c,$^) -o $@
endef

# Use explicit targets: in older kernels, a pattern rule of lib.mk would override one here.
# lib.mk sets OUTPUT in the same way, but later.
EXITSTATS_TOOL_DIR := $(or $(OUTPUT),$(shell pwd))/exitstats/tool

EXITSTATS_TOOL_SOURCES := $(wildcard exitstats/tool/src/*.c)
EXITSTATS_TOOL_HEADERS := exitstats/tool/exitstats_read.h $(wildcard exitstats/tool/src/*.h)

$(EXITSTATS_TOOL_DIR)/exitstats: $(EXITSTATS_TOOL_SOURCES) $(EXITSTATS_TOOL_HEADERS)
	$(EXITSTATS_CC)
$(EXITSTATS_TOOL_DIR)/example_critical: exitstats/tool/example_critical.c exitstats/tool/exitstats_read.h
	$(EXITSTATS_CC)

# The tests link all sources of the tool except main.c.
EXITSTATS_TOOL_TEST_SOURCES := $(filter-out %/main.c,$(EXITSTATS_TOOL_SOURCES))
EXITSTATS_TOOL_TEST_HEADERS := exitstats/tool/exitstats_tool_test.h $(EXITSTATS_TOOL_HEADERS)

$(EXITSTATS_TOOL_DIR)/exitstats_tool_test: exitstats/tool/exitstats_tool_test.c \
		$(EXITSTATS_TOOL_TEST_SOURCES) $(EXITSTATS_TOOL_TEST_HEADERS)
	$(EXITSTATS_CC)
$(EXITSTATS_TOOL_DIR)/exitstats_tool_host_test: exitstats/tool/exitstats_tool_host_test.c \
		$(EXITSTATS_TOOL_TEST_SOURCES) $(EXITSTATS_TOOL_TEST_HEADERS)
	$(EXITSTATS_CC)
$(EXITSTATS_TOOL_DIR)/exitstats_pmu_test: exitstats/tool/exitstats_pmu_test.c \
		$(EXITSTATS_TOOL_TEST_SOURCES) $(EXITSTATS_TOOL_TEST_HEADERS)
	$(EXITSTATS_CC)
