# SPDX-License-Identifier: GPL-2.0-only
#
# The cost of exitstats, measured in the lab and on this machine's own cores, and the tests
# of KVM's object code.

BENCH := $(EXITSTATS)/bench

# Parts to measure in the lab; set any of these on the command line.
BENCH_LAB = exits leaves memory boot

# Variants of KVM's modules for the same kernel (variant.sh)
naive_PATCH := $(BENCH)/naive.patch
# File names, as in WARN(), must not make the variants differ: map them to one prefix.
$(B)/variants/%.done: $(BENCH)/variant.sh $(naive_PATCH) $(B)/kernel.done
	@$(BENCH)/variant.sh $(B) $* $($*_PATCH)
	@$(PROGRESS) "building KVM's modules: $*" $(B)/variants/$*.log \
		$(OTHER_MAKE) -C $(B)/variants/$* CC="ccache gcc" -j$(JOBS) M=arch/x86/kvm modules $($*_FLAGS) \
		KCFLAGS=-fmacro-prefix-map=$(B)/variants/$*/=
	@touch $@

$(B)/exit_bench: $(BENCH)/exit_bench.c $(ROOT)/include/uapi/linux/kvm_exitstats.h | packages
	@mkdir -p $(@D)
	@$(CC) -Wall -Wextra -O2 -static -no-pie -I$(ROOT)/include/uapi -o $@ $<

# The kernel's own exitstats.h, built for userspace with the selftests' shim
$(B)/core_bench: $(BENCH)/core_bench.c $(wildcard $(EXITSTATS)/shim/*/*.h) $(NEW_FILES) \
		$(B)/selftests.done
	@mkdir -p $(@D)
	@$(CC) -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers -O2 -fno-strict-aliasing \
		-D_GNU_SOURCE -DSHIM_TIMED -pthread -I$(EXITSTATS)/shim -I$(ROOT)/arch/x86/kvm \
		-I$(LINUX)/tools/include -I$(LINUX)/tools/arch/x86/include \
		-isystem $(LINUX)/usr/include -o $@ $<

HEADER_exits := variant,ept,exit,smallest,median
HEADER_leaves := variant,ept,leaf,vcpus,smallest,median
HEADER_memory := variant,ept,what,bytes
HEADER_boot := exitstats,ept,instructions,exits

#:: Cost
#: make bench [CPU=]                 the cost of exitstats: tables, out/bench/*.csv and exits.svg
.PHONY: bench bench-lab bench-cores
bench: bench-lab bench-cores
	@cd $(OUT)/bench; awk -v plot=$(B)/bench.dat -v paging=$(paging) -f $(BENCH)/report.awk *.csv
	@cd $(OUT)/bench; gnuplot -e "added='$(B)/bench.dat'; paging='$(paging)'" $(BENCH)/bench.gp
	@echo "in $(OUT)/bench: exits.svg and the figures as *.csv"

# Cycles are instructions only in an emulator.
bench-lab: LAB_EMULATOR := bochs
bench-lab: lab $(call needs,bench)
	@$(call lab,bench,BENCH_LAB="$(BENCH_LAB)")
	@rm -rf $(OUT)/bench; mkdir -p $(OUT)/bench; cd $(B)/run/bench.$(CPU); $(foreach part,$(BENCH_LAB), \
		{ echo $(HEADER_$(part)); cat $(part).csv; } > $(OUT)/bench/$(part).csv;)

bench-cores: $(B)/core_bench
	@mkdir -p $(OUT)/bench
	@echo "  on this machine's cores" >&2
	@$< > $(OUT)/bench/cores.csv

# Built with the kernel's own flags: the inline functions of the hot path, and the leaves'
# code without array_index_nospec()
HOTPATH := $(B)/hotpath/hotpath.o $(B)/hotpath/unmasked.o
$(HOTPATH) &: $(BENCH)/hotpath.c $(B)/kernel.done
	@mkdir -p $(@D)
	@cp $< $(@D)
	@printf '#include <linux/nospec.h>\n#undef array_index_nospec\n%s\n#include "exitstats_cpuid.c"\n' \
		'#define array_index_nospec(index, size) (index)' > $(@D)/unmasked.c
	@printf 'obj-m := hotpath.o unmasked.o\nccflags-y := -I $$(srctree)/arch/x86/kvm\n' > $(@D)/Kbuild
	@$(PROGRESS) "building the hot path's inlines" $(@D)/log \
		$(KMAKE) M=$(@D) hotpath.o unmasked.o

# Tests of the object code, for make test
.PHONY: test-code
STRUCTURE := $(HOTPATH) $(B)/variants/unpatched.done $(B)/variants/off.done
test-code: $(STRUCTURE)
	@$(BENCH)/structure.sh $(B)
