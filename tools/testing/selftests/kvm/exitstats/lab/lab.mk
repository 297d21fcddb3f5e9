# SPDX-License-Identifier: GPL-2.0-only
#
# The lab's own programs, and the rule that carries out a plan (see README).

# init is process 1 in the lab. The driver, lab, runs outside.
$(B)/init: $(LAB)/init.c $(LAB)/guest.h $(LAB)/stream.h | packages
	@mkdir -p $(@D)
	@$(CC) -Wall -Wextra -O2 -static -o $@ $<

LAB_SOURCES := $(addprefix $(LAB)/, lab.c words.c plan.c pack.c emulator.c \
	relay.c oracle.c expect.c)
LAB_CFLAGS = -Wall -Wextra -O2 -D_GNU_SOURCE -DLAB_SOURCE='"$(LAB)"' \
	-I$(LINUX)/tools/testing/selftests
$(B)/lab: $(LAB_SOURCES) $(LAB)/lab.h $(LAB)/stream.h $(B)/tree.done
	@$(CC) $(LAB_CFLAGS) -o $@ $(LAB_SOURCES)

# Modules that sum the exits that KVM has counted (for the oracle) and traced
LAB_MODULES := $(B)/oracle/lab_oracle.ko $(B)/tracer/lab_tracer.ko
$(foreach m,$(LAB_MODULES),$(eval $(m): $(LAB)/$(basename $(notdir $(m))).c))
$(LAB_MODULES): $(LAB)/lab_ledgers.h $(B)/kernel.done
	@mkdir -p $(@D)
	@cp $(filter $(LAB)/%,$^) $(@D)
	@printf '%s\n' 'obj-m := $(basename $(@F)).o' 'ccflags-y := -I $$(srctree)/arch/x86/kvm' > $(@D)/Kbuild
	@$(PROGRESS) "building the module $(basename $(@F))" $(@D)/log $(KMAKE) M=$(@D) modules

# The driver looks for the programs of plans in these directories.
PROGRAM_DIRS = $(SELFTEST_DIR)/exitstats $(SELFTEST_DIR)/exitstats/tool $(SELFTEST_DIR) \
	$(wildcard $(SELFTEST_DIR)/x86 $(SELFTEST_DIR)/x86_64) $(B)/kvm-tests
# The variables of a plan's set commands that make's command line overrides
settings = $(foreach v,$(shell sed -n 's/^set \([A-Za-z_]*\).*/\1/p' $(1)),$(if \
	$(filter command,$(origin $(v))),$(call quote,$(v)=$($(v)))))

# $(call lab,PLAN,NAME=VALUE ...): carry out a plan. RUN_AS= gives the run a name other
# than the plan's. LAB_FLAGS are options of the driver.
lab = $(B)/lab $(LAB_FLAGS) $(if $(RUN_AS),-a $(RUN_AS)) $(if $(LAB_EMULATOR),-e $(LAB_EMULATOR)) \
	-b $(B) $(addprefix -p ,$(PROGRAM_DIRS)) $(LAB)/plans/$(strip $(1)) CPU=$(CPU) \
	TESTS="$(TESTS)" LONG_TESTS="$(LONG_TESTS)" TOOL_TESTS="$(TOOL_TESTS)" $(call settings,$(LAB)/plans/$(strip $(1))) $(2)

# Build what a plan needs first, unless LAB_FLAGS=-n only shows it. A make command can
# set variables of its plan with PLAN_VARS.
PLANS := $(notdir $(wildcard $(LAB)/plans/*))
needs = $(addprefix $(B)/,$(shell sed -n 's/^needs //p' $(LAB)/plans/$(1)))
show := $(filter -n,$(LAB_FLAGS))
$(foreach p,$(PLANS),$(eval plan-$(p): $(if $(show),,$(call needs,$(p)))))

#:: The lab
#: make plan-NAME [CPU=] [...]       carry out lab/plans/NAME; LAB_FLAGS=-n: show what it does
.PHONY: lab $(PLANS:%=plan-%)
lab: $(B)/kernel.done $(B)/init $(B)/lab $(LAB_MODULES)
$(PLANS:%=plan-%): plan-%: $(if $(show),$(B)/lab,lab)
	@$(call lab,$*,$(PLAN_VARS))

#: make run [CPU=amd]                boot a guest with and without nested paging, side by side
.PHONY: run
paging := $(if $(filter amd,$(CPU)),npt,ept)
run: lab $(B)/exitstats
	@$(call lab,run)
	@rm -rf $(OUT)/run && mkdir -p $(OUT)/run && cd $(B)/run/run.$(CPU) && \
	cp console.log guest-$(paging)1.log guest-$(paging)0.log $(OUT)/run && \
	awk -v paging=$(paging) -f $(LAB)/join.awk on=1 {exits,time}-$(paging)1.csv \
		on=0 {exits,time}-$(paging)0.csv && \
	cp exits.csv time.csv tail.csv $(OUT)/run && cd $(OUT)/run && \
	gnuplot -e "paging='$(paging)'" $(LAB)/exits.gp && \
	{ [ $$(wc -l < time.csv) = 1 ] || gnuplot -e "paging='$(paging)'" $(LAB)/time.gp; } && \
	{ [ $$(wc -l < tail.csv) = 1 ] || gnuplot -e "paging='$(paging)'" $(LAB)/tail.gp; } && \
	awk -v paging=$(paging) -v bars=$$([ -t 1 ] && echo 1) -f $(LAB)/table.awk exits.csv time.csv

#: make guest RUN=PROG [ARGS=] [EPT=] [VCPUS=]  run a static program in the QEMU guest
#: make host RUN=PROG [ARGS=] [EPT=] run a static program in the emulated, patched host
.PHONY: host guest
host guest: lab
	@$(call lab,$@,RUN=$(call quote,$(abspath $(RUN))) ARGS=$(call quote,$(ARGS)) \
		EPT=$(EPT) VCPUS=$(VCPUS))
#: ... LAB=bochs|kvm                 in an emulator, or in QEMU with KVM; the default is automatic

# Build it as a user would.
TOOL_SOURCES := $(wildcard $(TOOL)/src/*.c)
$(B)/exitstats: $(TOOL_SOURCES) $(wildcard $(TOOL)/*.h $(TOOL)/src/*.h) \
		$(ROOT)/include/uapi/linux/kvm_exitstats.h | packages
	@mkdir -p $(@D)
	@$(CC) -Wall -Wextra -O2 -static -I$(ROOT)/include/uapi -o $@ $(TOOL_SOURCES)
