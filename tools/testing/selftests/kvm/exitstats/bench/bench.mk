# SPDX-License-Identifier: GPL-2.0-only
#
# What exitstats costs, measured in the lab and on this machine's own cores, and
# the two facts about the code that are tested rather than measured.

BENCH := $(EXITSTATS)/bench
VARIANTS := unpatched off naive

# What to measure in the lab, for the command line: any of exits leaves memory boot
BENCH_LAB = exits leaves memory boot

comma := ,

# KVM's modules built once more for the same kernel; variant.sh says how.
naive_PATCH := $(BENCH)/naive.patch
# The names of the files, as in WARN(), must not differ between them.
$(B)/variants/%.done: $(BENCH)/variant.sh $(naive_PATCH) $(B)/kernel.done
	@$(BENCH)/variant.sh $(B) $* $($*_PATCH)
	@$(ROOT)/scripts/progress.sh "building KVM's modules: $*" $(B)/variants/$*.log \
		$(OTHER_MAKE) -C $(B)/variants/$* CC="ccache gcc" -j$(JOBS) M=arch/x86/kvm modules $($*_FLAGS) \
		KCFLAGS=-fmacro-prefix-map=$(B)/variants/$*/=
	@touch $@

$(B)/exit_bench: $(BENCH)/exit_bench.c $(ROOT)/include/uapi/linux/kvm_exitstats.h | packages
	@mkdir -p $(@D)
	@$(CC) -Wall -Wextra -O2 -static -no-pie -I$(ROOT)/include/uapi -o $@ $<

# The kernel's own exitstats.h, on the selftests' shim of a kernel
$(B)/core_bench: $(BENCH)/core_bench.c $(wildcard $(EXITSTATS)/shim/*/*.h) $(NEW_FILES) \
		$(B)/selftests.done
	@mkdir -p $(@D)
	@$(CC) -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare -O2 -fno-strict-aliasing \
		-D_GNU_SOURCE -DSHIM_TIMED -pthread -I$(EXITSTATS)/shim -I$(ROOT)/arch/x86/kvm \
		-I$(LINUX)/tools/include -I$(LINUX)/tools/arch/x86/include \
		-isystem $(LINUX)/usr/include -o $@ $<

# The plan of the lab. Two passes tell how far two runs differ.
from = from=/modules/$(strip $(1))/
bench-run = $(call plan, run /run/exit_bench $(1))
define bench-exits
	$(call plan, file exits.csv); \
	for ept in 1 0 1 0; do \
		$(call plan, kvm $(call from, unpatched) ept=$$ept); \
		$(call bench-run, exits unpatched); \
		$(call plan, trace on ring); $(call bench-run, exits tracing); \
		$(call plan, trace off ring); \
		$(call plan, trace on); $(call bench-run, exits hist); $(call plan, trace off); \
		$(call plan, kvm $(call from, naive) ept=$$ept); $(call bench-run, exits naive); \
		$(call plan, kvm $(call from, off) ept=$$ept); $(call bench-run, exits compiled_out); \
		$(call plan, kvm kvm.exitstats=0 ept=$$ept); $(call bench-run, exits off); \
		$(call plan, kvm ept=$$ept); $(call bench-run, exits on); \
		$(call bench-run, exits off_beside_on other); \
	done
endef
define bench-leaves
	$(call plan, file leaves.csv); \
	$(call plan, kvm ept=1); $(call bench-run, leaves on)
endef
define bench-memory
	$(call plan, file memory.csv); \
	for ept in 1 0; do \
		$(call plan, kvm $(call from, unpatched) ept=$$ept); \
		$(call bench-run, memory unpatched); \
		$(call plan, kvm $(call from, off) ept=$$ept); $(call bench-run, memory compiled_out); \
		$(call plan, kvm kvm.exitstats=0 ept=$$ept); $(call bench-run, memory off); \
		$(call plan, kvm ept=$$ept); $(call bench-run, memory on); \
	done
endef
define bench-boot
	$(call plan, file boot.csv); \
	for pass in 1 2; do for ept in 1 0; do for on in 0 1; do \
		$(call plan, kvm kvm.exitstats=$$on ept=$$ept); $(call plan, guest); \
		$(call plan, cost $$on$(comma)$$ept); \
	done; done; done
endef

HEADER_exits := variant,ept,exit,smallest,median
HEADER_leaves := variant,ept,leaf,vcpus,smallest,median
HEADER_memory := variant,ept,what,bytes
HEADER_boot := exitstats,ept,instructions,exits

#: make bench                        what exitstats costs: tables, out/bench/*.csv and exits.svg
.PHONY: bench bench-lab bench-cores
bench: bench-lab bench-cores
	@cd $(OUT)/bench; awk -v plot=$(B)/bench.dat -f $(BENCH)/report.awk *.csv
	@cd $(OUT)/bench; gnuplot -e "added='$(B)/bench.dat'" $(BENCH)/bench.gp
	@echo "in $(OUT)/bench: exits.svg and the figures as *.csv"

bench-lab: BOOT_FLAGS += -t 3000
# Only in Bochs cycles are instructions.
bench-lab: LAB_EMULATOR := bochs
bench-lab: PACKAGES += $(BOCHS_PACKAGES)
bench-lab: lab $(VARIANTS:%=$(B)/variants/%.done) $(B)/exit_bench
	@$(call lab-new, bench); \
	{ echo "file /run/exit_bench $(B)/exit_bench 755 0 0"; \
	  for v in $(VARIANTS); do \
		echo "dir /modules/$$v 755 0 0"; \
		for m in kvm kvm-intel; do \
			echo "file /modules/$$v/$${m/-/_}.ko $(B)/variants/$$v/arch/x86/kvm/$$m.ko 644 0 0"; \
		done; \
	  done; } > files; \
	{ $(foreach part,$(BENCH_LAB),$(bench-$(part)); $(call plan, file);) } > plan
	@$(call lab-run, bench)
	@mkdir -p $(OUT)/bench; cd $(B)/run/bench; $(foreach part,$(BENCH_LAB), \
		{ echo $(HEADER_$(part)); cat $(part).csv; } > $(OUT)/bench/$(part).csv;)

bench-cores: $(B)/core_bench
	@mkdir -p $(OUT)/bench
	@echo "  on this machine's cores" >&2
	@$< > $(OUT)/bench/cores.csv

# The inlines of the hot path, and the leaves without the mask of the guest's index, with the
# kernel's own flags
HOTPATH := $(B)/hotpath/hotpath.o $(B)/hotpath/unmasked.o
$(HOTPATH) &: $(BENCH)/hotpath.c $(B)/kernel.done
	@mkdir -p $(@D)
	@cp $< $(@D)
	@printf '#include <linux/nospec.h>\n#undef array_index_nospec\n%s\n#include "exitstats_cpuid.c"\n' \
		'#define array_index_nospec(index, size) (index)' > $(@D)/unmasked.c
	@printf 'obj-m := hotpath.o unmasked.o\nccflags-y := -I $$(srctree)/arch/x86/kvm\n' > $(@D)/Kbuild
	@$(ROOT)/scripts/progress.sh "building the hot path's inlines" $(@D)/log \
		$(KMAKE) M=$(@D) hotpath.o unmasked.o

# TAP, for make test
.PHONY: structure-test
STRUCTURE := $(HOTPATH) $(B)/variants/unpatched.done $(B)/variants/off.done
structure-test: $(STRUCTURE)
	@$(BENCH)/structure.sh $(B)
