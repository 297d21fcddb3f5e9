# SPDX-License-Identifier: GPL-2.0-only
#
# KVM exitstats. `make help` lists the commands; README says what for.

# Settings, for the command line; LAB=, see below
KERNEL = 6.12
EPT = 1
VCPUS = 1
JOBS = $(shell nproc)
BUILD = $(ROOT)/build
OUT = $(ROOT)/out

ROOT := $(patsubst %/,%,$(dir $(abspath $(lastword $(MAKEFILE_LIST)))))
EXITSTATS := $(ROOT)/tools/testing/selftests/kvm/exitstats
# LAB=kvm or LAB=bochs on the command line says what the lab runs in (emulator.sh); the
# makefiles have its directory by that name.
LAB_EMULATOR := $(if $(filter command,$(origin LAB)),$(LAB))
override LAB := $(EXITSTATS)/lab
TOOL := $(EXITSTATS)/tool
SHELL := /bin/bash -o pipefail
MAKEFLAGS += --no-print-directory --no-builtin-rules

.PHONY: help
help:
	@sed -n 's/^#: //p' $(ROOT)/Makefile $(ROOT)/patches/*.mk $(EXITSTATS)/*/*.mk $(ROOT)/debian/*.mk

.DELETE_ON_ERROR:

ifneq ($(EXITSTATS_LOCKED),$(BUILD))
# One make at a time in build/: each command runs again under a lock.
export EXITSTATS_LOCKED = $(BUILD)
COMMANDS := $(filter-out help clean,$(MAKECMDGOALS))
ifneq ($(findstring n,$(if $(COMMANDS),$(filter-out --%,$(firstword $(MAKEFLAGS))))),)
$(error make -n: a recipe here is a script that runs makes of its own; make help says what it is for)
endif
.PHONY: $(COMMANDS)
$(COMMANDS):
	@mkdir -p $(BUILD); exec 9> $(BUILD)/lock; \
	flock -n 9 || { echo "  waiting for the make that runs in $(BUILD)" >&2; flock 9; }; \
	exec $(MAKE) $@
else
# What is asked for shares $(B): one after the other, but for test-all's parts.
ifeq ($(filter part-%,$(MAKECMDGOALS)),)
.NOTPARALLEL:
endif

include $(LAB)/kernel.mk
include $(LAB)/lab.mk
include $(EXITSTATS)/bench/bench.mk
include $(LAB)/host.mk
include $(ROOT)/patches/series.mk
include $(ROOT)/patches/apply.mk
include $(ROOT)/patches/check.mk
include $(LAB)/load.mk
include $(LAB)/fuzz.mk
include $(LAB)/kvm.mk
include $(LAB)/sanitizers.mk
include $(LAB)/faults.mk
include $(LAB)/clang.mk
include $(EXITSTATS)/mutants/mutants.mk
include $(ROOT)/debian/modules.mk
include $(ROOT)/debian/deb.mk

#: make run                          boot a guest with ept=1 and ept=0, print both side by side
.PHONY: run
run: lab $(B)/exitstats
	@$(call lab-new, run); \
	echo "file /run/exitstats $(B)/exitstats 755 0 0" > guest.files; \
	$(call plan, run /run/exitstats --csv) > guest.plan; \
	for ept in 1 0; do \
		$(call plan, kvm ept=$$ept); $(call plan, file ept$$ept.csv); \
		$(call plan, guest); $(call plan, file); \
		$(call plan, send /tmp/guest.log guest-ept$$ept.log); \
	done > plan
	@$(call lab-run, run)
	@rm -rf $(OUT)/run && mkdir -p $(OUT)/run && cd $(B)/run/run && \
	awk -f $(LAB)/join.awk ept1.csv ept0.csv > $(OUT)/run/exits.csv && \
	cp console.log guest-ept1.log guest-ept0.log $(OUT)/run && cd $(OUT)/run && \
	gnuplot -e "in='exits.csv'; out='exits.svg'" $(LAB)/exits.gp && \
	awk -v bars=$$([ -t 1 ] && echo 1) -f $(LAB)/table.awk exits.csv

#: ... LAB=bochs|kvm                 in Bochs, or in QEMU with KVM; chosen by itself

# After a command that prints TAP: its last line
sum = | { mkdir -p $(B); tee $(B)/$@.tap; }; awk -v broken=$$? -f $(LAB)/tap.awk $(B)/$@.tap

#: make test                         all tests for one kernel
.PHONY: test test-lab test-tool
test:
	@{ status=0; for part in structure-test test-emulator test-apply test-lab test-amd; do \
		$(MAKE) -C $(ROOT) $$part || status=1; done; exit $$status; } $(sum)

# The selftests, the guest tool, QEMU's view and unloading, in both paging modes: six
# minutes, or three times that beside other work
test-lab: BOOT_FLAGS += -t 2400
test-lab: lab $(B)/selftests.done $(LAB_TESTS) $(B)/leaves $(B)/variants/unpatched.done
	@$(call lab-new, test); \
	{ $(call run-files,$(HOST_PROGS) $(LAB_TESTS)); \
	  $(leaves-files); $(unpatched-files); } > files; \
	{ $(call run-files,$(TOOL_PROGS) $(B)/qmp_test); \
	  for plan in absent qmp; do echo "file /plan.$$plan $$PWD/$$plan.plan 644 0 0"; done; \
	} > guest.files; \
	tool="run /run/exitstats_tool_test /run/exitstats /run/example_critical"; \
	{ $(call plan, $$tool); $(call plan, file exitstats.prom); \
	  $(call plan, run /run/exitstats --openmetrics); $(call plan, file); } > guest.plan; \
	$(call plan, $$tool absent) > absent.plan; \
	$(call plan, run /run/qmp_test guest) > qmp.plan; \
	{ for ept in 1 0; do \
		$(call plan, kvm ept=$$ept); \
		$(call run-plan,$(HOST_PROGS)); \
		$(call plan, guest -smp $$((1 + ept))); \
		$(call plan, run /run/kill_test PLAN=/plan.qmp); \
		$(call plan, run /run/qmp_test PLAN=/plan.qmp); \
	  done; \
	  for without in kvm.exitstats=0 from=/modules/unpatched/; do \
		$(call plan, kvm ept=1 $$without); $(call plan, guest PLAN=/plan.absent); \
	  done; \
	  $(leaves-plan); $(call plan, run /run/unload_test); } > plan
	@status=0; $(call lab-run, test) || status=$$?; \
	cd $(B)/run/test; $(call lab-verdict,intel); [ $$status = 0 ] || [ $$status = 4 ]

# The guest tool beyond the lab: what make test-lab had from it goes through
# Prometheus's own checker, its reader of snapshots through a fuzzer.
FUZZ_RUNS = 200000
test-tool: PACKAGES += clang prometheus python3-docutils
test-tool: packages
	@{ echo 1..4; d=$(B)/run/tool; rm -rf $$d; mkdir -p $$d/corpus; cd $$d; \
	$(call tap, promtool check metrics < $(B)/run/test/exitstats.prom >&2, promtool takes OpenMetrics); \
	clang -g -O1 -fsanitize=fuzzer$(comma)address$(comma)undefined -I$(ROOT)/include/uapi \
		-o fuzz $(TOOL)/fuzz_snapshot.c; \
	printf '%s\n' 'exitstats snapshot 1' start 'reason 10 5 500' 'other 0 0' 'check 0' \
		> corpus/start; \
	$(call tap, ./fuzz -seed=1 -runs=$(FUZZ_RUNS) -max_len=8192 corpus > fuzz.log 2>&1 || \
		{ tail -n 20 fuzz.log >&2; false; }, $(FUZZ_RUNS) damaged snapshots); \
	$(call tap, rst2man --strict $(TOOL)/exitstats.1.rst exitstats.1, the manual page); \
	$(call tap, bash -n $(TOOL)/exitstats.bash-completion, the completion); } $(sum)

# make test-all's parts run side by side, since an emulator keeps one core busy.
# What shares a build directory is in one part; that of a kernel starts with make test,
# but where that has just been run: TESTED. SAN_PARTS are kernels with sanitizers. Both
# are for the command line.
TESTED :=
SAN_PARTS := kasan lockdep-faults kcsan
PARTS := $(KNOWN) $(SAN_PARTS)
$(foreach k,$(KNOWN),$(eval part-$(k) := KERNEL=$(k)$(if $(filter $(k),$(TESTED)),, test)))
part-6.12 += test-tool test-modules test-kvm test-lab-faults test-clang test-load
# 7.2 is what would go upstream.
part-7.2 += check test-series
$(foreach s,$(SAN_PARTS),$(eval part-$(s) := test-san SAN=$(s)))
PARTS := $(foreach p,$(PARTS),$(if $(filter-out KERNEL=%,$(part-$(p))),$(p)))

.PHONY: $(PARTS:%=part-%)
$(PARTS:%=part-%): part-%:
	@$(ROOT)/scripts/progress.sh "make $($@)" $(BUILD)/all/$* $(MAKE) -k $($@) |& cat >&2 || \
		echo "not ok - make $($@)" >> $(BUILD)/all/$*

#: make test-all                     make test for each kernel under patches/, and all other tests
.PHONY: test-all
test-all: packages
	@rm -rf $(BUILD)/all; mkdir -p $(BUILD)/all; $(MAKE) -j$(JOBS) $(PARTS:%=part-%); \
	cd $(BUILD)/all; awk -f $(LAB)/sum.awk $(PARTS)

#: make host RUN=PROG [ARGS=] [EPT=] run a static program in the emulated, patched host
.PHONY: host
host: static lab
	@$(call lab-new, host); \
	echo "file /run/program $(abspath $(RUN)) 755 0 0" > files; \
	{ $(call plan, kvm ept=$(EPT)); $(call plan, run /run/program $(ARGS)); } > plan
	@$(call lab-run, host)

#: make guest RUN=PROG [ARGS=] [EPT=] [VCPUS=]  the same in the QEMU guest on it
.PHONY: guest
guest: static lab
	@$(call lab-new, guest); \
	echo "file /run/program $(abspath $(RUN)) 755 0 0" > guest.files; \
	$(call plan, run /run/program $(ARGS)) > guest.plan; \
	{ $(call plan, kvm ept=$(EPT)); $(call plan, guest -smp $(VCPUS)); } > plan
	@$(call lab-run, guest)

# What RUN must be, since there is nothing but the program in the lab
.PHONY: static
static:
	@[ -n "$(RUN)" ] || { echo "RUN=PROG is missing: the static program to run" >&2; exit 1; }
	@[ -f "$(RUN)" ] || { echo "$(RUN): no such file" >&2; exit 1; }
	@[ -x "$(RUN)" ] || { echo "$(RUN): not executable: chmod +x it" >&2; exit 1; }
	@readelf -h "$(RUN)" 2> /dev/null | grep -q 'X86-64' || \
		{ echo "$(RUN): not an x86-64 ELF program" >&2; exit 1; }
	@! readelf -l "$(RUN)" | grep -q INTERP || \
		{ echo "$(RUN): needs shared libraries: link it statically (cc -static)" >&2; exit 1; }

$(B)/exitstats: $(TOOL)/exitstats.c $(TOOL)/exitstats_read.h $(ROOT)/include/uapi/linux/kvm_exitstats.h | packages
	@mkdir -p $(@D)
	@$(CC) -Wall -Wextra -O2 -static -I$(ROOT)/include/uapi -o $@ $<

endif

#: make clean                        remove build/ and out/
.PHONY: clean
clean:
	rm -rf $(BUILD) $(OUT)
