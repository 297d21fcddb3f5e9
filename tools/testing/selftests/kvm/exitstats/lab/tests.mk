# SPDX-License-Identifier: GPL-2.0-only
#
# The parts of make test and make test-all. Most tests are plans in lab/plans.

# All tests for the emulated host. A test skips itself where it cannot run.
LONG_TESTS = exitstats_load_test exitstats_leaf_fuzz_test exitstats_host_fuzz_test
TESTS = $(filter-out $(LONG_TESTS) exitstats_bound_test,$(notdir $(EXITSTATS_TESTS))) \
	kvm_binary_stats_test \
	$(if $(filter amd,$(CPU)),svm_vmcall_test)

# The tool's tests that run in the host; the tool is their argument.
TOOL_TESTS = $(filter %_host_test,$(notdir $(EXITSTATS_TOOLS)))

# Test programs that plans run
LAB_TESTS := $(B)/qmp_test $(B)/kill_test $(B)/unload_test $(B)/migrate_test
$(LAB_TESTS): $(B)/%: $(LAB)/%.c $(LAB)/guest.h $(LAB)/stream.h $(TOOL)/exitstats_read.h \
		$(EXITSTATS)/exitstats_memory.h $(ROOT)/include/uapi/linux/kvm_exitstats.h \
		$(B)/tree.done
	@$(CC) -Wall -Wextra -O2 -static -I$(ROOT)/include/uapi \
		-I$(LINUX)/tools/testing/selftests -o $@ $< -ljansson

$(B)/leaves: $(LAB)/leaves.c | packages
	@mkdir -p $(@D)
	@$(CC) -m32 -Wall -Wextra -O2 -static -ffreestanding -nostdlib -fno-pic \
		-fno-stack-protector -fno-asynchronous-unwind-tables -mgeneral-regs-only \
		-Wl,-N,-Ttext=0x100000,--build-id=none,--no-warn-rwx-segments -o $@ $<

# As many parts of a test run side by side as there are processors, as an emulator keeps
# one busy. A part consists of goals and variables of make. Its TAP goes to $(B)/tap/PART
# and, when the part is over, to standard output.
part-code := test-code
part-lab := test-lab
part-bound := test-bound
part-apply := test-apply
part-vmx-ept1 := plan-suite CPU=intel PAGING=1 RUN_AS=suite-ept1
part-vmx-ept0 := plan-suite CPU=intel PAGING=0 RUN_AS=suite-ept0
part-vmx-oracle := plan-oracle CPU=intel
part-vmx-absent := plan-absent CPU=intel
# There is no svm-oracle: each run of an AMD host has the oracle.
part-svm := plan-suite CPU=amd KILLS=2
part-svm-absent := plan-absent CPU=amd
part-svm-tracepoint := plan-tracepoint CPU=amd
# The longest first, so that none is left alone in the end
TEST_PARTS := vmx-ept1 svm vmx-ept0 vmx-oracle vmx-absent svm-tracepoint svm-absent bound lab code apply

# Without a job server to take jobs from, start one.
parallel = $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(JOBS))
# With make -n, show a part and do not redirect its output.
dry-run = $(findstring n,$(filter-out --%,$(firstword -$(MAKEFLAGS))))
tap-of = $(MAKE) -C $(ROOT) $(1) $(if $(dry-run),,> $(2) || \
	echo "not ok - make $(1)" >> $(2); cat $(2))

.PHONY: $(TEST_PARTS:%=part-%)
$(TEST_PARTS:%=part-%): part-%:
	@$(call tap-of,$(part-$*),$(B)/tap/$*)

#:: Tests; the last line is "N passed, N failed, N skipped"
#: make test [KERNEL=]               all tests for one kernel, in emulated Intel and AMD hosts
.PHONY: test
test: lab $(B)/selftests.done $(LAB_TESTS) $(B)/leaves $(STRUCTURE)
	@rm -rf $(B)/tap; mkdir -p $(B)/tap
	@$(MAKE) -C $(ROOT) $(parallel) $(TEST_PARTS:%=part-%)
	@cd $(B)/tap && $(B)/lab -s $(TEST_PARTS)

# The driver's choice of the emulator, and its messages for bad plans
$(B)/lab_test: $(LAB)/lab_test.c $(LAB_SOURCES) $(LAB)/lab.h $(LAB)/stream.h $(B)/tree.done
	@$(CC) $(LAB_CFLAGS) -o $@ $< $(filter-out %/lab.c,$(LAB_SOURCES))
.PHONY: test-lab
test-lab: lab $(B)/lab_test
	@cd $(B) && ./lab_test
	@$(call lab,no-vmx)
	@$(call lab,refusals,MAKE="$(CHECK_MAKE)")

# make WRONG fails with one line that contains SAYS, and builds nothing.
.PHONY: refused
refused:
	@rm -rf $(B)/refused; ! said=$$($(OTHER_MAKE) -C $(ROOT) BUILD=$(B)/refused $(WRONG) 2>&1) && \
		[ "$$(wc -l <<< "$$said")" = 1 ] && grep -F "$(SAYS)" <<< "$$said" && [ ! -e $(B)/refused ]

#: make test-apply test-bound test-code test-lab  the parts of make test that boot nothing
# The kernel's source in userspace. It needs no KVM, and would take minutes in an emulator.
.PHONY: test-bound
test-bound: $(B)/selftests.done
	@$(SELFTEST_DIR)/exitstats/exitstats_bound_test

#: make test-tool                    the guest tool outside the lab: clang, promtool, its manual
.PHONY: test-tool
test-tool: PACKAGES += clang prometheus python3-docutils
test-tool: lab
	@$(call lab,tool,ROOT=$(ROOT) TOOL=$(TOOL) PROM=$(B)/run/suite-ept1.intel/exitstats.prom \
		HOST_PROM=$(B)/run/suite-ept1.intel/host.prom)

#: make test-perf                    the guest's PMU driver with Debian's perf, on both vendors
.PHONY: test-perf
test-perf: PACKAGES += linux-perf
test-perf: lab $(call needs,perf) $(call needs,perf-migrate)
	@for plan in perf perf-migrate; do for cpu in amd intel; do \
		$(CHECK_MAKE) plan-$$plan CPU=$$cpu || echo "not ok - make plan-$$plan CPU=$$cpu"; \
		done; done | tee $(B)/perf.tap
	@$(B)/lab -s $(B)/perf.tap

#: make test-load [CPU=]             ten million exits while VMs and modules come and go
.PHONY: test-load
test-load: plan-load

#: make fuzz [SEED=N] [MINUTES=N] [CPU=]  the selftests' fuzzers, for MINUTES
# To replay a failure, pass the last seed printed and MINUTES=1.
SEED := $(shell date +%s)
MINUTES = 5
SEEDS = $(shell seq $(SEED) 1000 $$(($(SEED) + ($(MINUTES) - 1) * 1000)))
.PHONY: fuzz
fuzz: PLAN_VARS = SEEDS="$(SEEDS)" FUZZ_TIMEOUT=$$(($(MINUTES) * 600 + 900))
fuzz: plan-fuzz

# kernel.mk explains SAN. plans/sanitizers has to know of faults, which makes allocations
# fail, and of kcsan, which needs two processors.
san-has = $(if $(filter $(1),$(subst -, ,$(SAN))),yes,no)
san-vars = KCSAN=$(call san-has,kcsan) FAULTS=$(call san-has,faults)
#: make test-san SAN=kasan|... [CPU=]  the selftests in a kernel with sanitizers
.PHONY: test-san
ifneq ($(filter test-san mutants-san,$(MAKECMDGOALS)),)
$(if $(SAN),,$(call refuse,SAN= is missing: one or$(comma) joined by -$(comma) more of $(SANS)))
endif
test-san: PLAN_VARS = $(san-vars)
test-san: plan-sanitizers

#: make test-kvm [CPU=]              KVM's own selftests: same results with and without the series
$(B)/kvm-tests.done: $(B)/selftests.done
	@$(PROGRESS) "building KVM's own selftests" $(B)/kvm-tests.log env LDFLAGS=-static \
		$(OTHER_MAKE) -k -C $(SELFTEST_DIR) OUTPUT=$(SELFTEST_DIR) -j$(JOBS)
	@rm -rf $(B)/kvm-tests; mkdir $(B)/kvm-tests; \
	printf '%s\n' 'include Makefile' 'list: ; @printf "%s\n" $$(TEST_GEN_PROGS)' | \
		$(OTHER_MAKE) -s -C $(SELFTEST_DIR) OUTPUT=$(SELFTEST_DIR) -f - list | \
		grep -v /exitstats/ | while read -r p; do \
			strip -o $(B)/kvm-tests/$${p##*/} $$p && echo $${p##*/}; done > $@.new
	@mv $@.new $@
.PHONY: test-kvm
test-kvm: PLAN_VARS = KVM_TESTS="$$(cat $(B)/kvm-tests.done)"
test-kvm: plan-kvm-selftests

#: make test-clang                   build KVM with clang and W=1, without a warning
CLANG := $(B)-clang
CLANG_MAKE := $(OTHER_MAKE) -C $(CLANG)/linux HOSTCC="ccache gcc" CC="ccache clang" W=1
.PHONY: test-clang
test-clang: PACKAGES += clang
# clang needs a tree of its own, as the configuration depends on the compiler. Build all
# objects each time, as only a compilation warns; ccache repeats its warnings.
test-clang: lab $(B)/config.done
	@$(ROOT)/patches/tree.sh $(KERNEL) $(CLANG) > /dev/null
	@$(CLANG_MAKE) -s allnoconfig KCONFIG_ALLCONFIG=$(B)/config
	@find $(CLANG)/linux/arch/x86/kvm $(CLANG)/linux/virt/kvm -name '*.o' -delete
	@$(PROGRESS) "building KVM with clang" $(CLANG)/log sh -c \
		'$(CLANG_MAKE) -j$(JOBS) prepare && $(CLANG_MAKE) -j$(JOBS) arch/x86/kvm/ virt/kvm/'
	@$(call lab,clang,LOG=$(CLANG)/log)

# The parts of make test-all. Tests that share a build directory are in one part. On the
# command line, TESTED= lists kernels for which make test has just run.
KNOWN_SANS := kasan-lockdep kcsan faults
TESTED :=
$(foreach k,$(KNOWN),$(eval all-$(k) := KERNEL=$(k) $(if $(filter $(k),$(TESTED)),,test) test-perf))
all-6.12 += test-tool test-modules test-lab-faults test-clang test-load test-kvm fuzz MINUTES=1 \
	test-perf-debian test-deb
all-amd := KERNEL=6.12 CPU=amd test-modules test-load test-kvm fuzz MINUTES=1
# The series for upstream is based on 7.2.
all-7.2 += check test-series
$(foreach s,$(KNOWN_SANS),$(eval all-$(s) := test-san SAN=$(s) CPU=amd))
ALL_PARTS := $(KNOWN) amd $(KNOWN_SANS)
ALL := $(BUILD)/tap

.PHONY: test-all $(ALL_PARTS:%=all-%)
$(ALL_PARTS:%=all-%): all-%:
	@$(call tap-of,-k $(all-$*),$(ALL)/$*)
all-amd: all-6.12

#: make test-all                     make test for each kernel under patches/, and the other tests
test-all: lab
	@rm -rf $(ALL); mkdir -p $(ALL)
	@$(MAKE) -C $(ROOT) $(parallel) $(ALL_PARTS:%=all-%)
	@cd $(ALL) && $(B)/lab -s $(ALL_PARTS)
