# SPDX-License-Identifier: GPL-2.0-only
#
# Apply the series to a new tree or a user's tree, make mails of it, and test each step.

#:: Your own kernel
#: make tree [KERNEL=]               make a patched kernel tree, and print its path
.PHONY: tree
tree: packages
	@$(ROOT)/patches/tree.sh $(KERNEL) $(B) $(STEPS)

#: make apply TREE=DIR               apply the series to your kernel tree
#: make unapply TREE=DIR             remove it again
.PHONY: apply unapply
ifneq ($(filter apply unapply,$(MAKECMDGOALS)),)
$(if $(and $(TREE),$(wildcard $(TREE)/.)),,$(call refuse,TREE=DIR is missing: the kernel tree))
endif
apply unapply: packages
	@$(ROOT)/patches/apply.sh $@ "$(TREE)" $(BUILD)/apply

# The test kills either command this many times for each command that can follow.
KILLS = 10
.PHONY: test-apply
test-apply: PACKAGES += git
test-apply: $(B)/tree.done
	@$(ROOT)/patches/tree.sh $(KERNEL) $(B) > /dev/null
	@$(ROOT)/patches/apply_test.sh $(B) $(B)/apply $(KILLS)

#: make series [KERNEL=]             make mails for git am, in out/series
.PHONY: series
series: PACKAGES += git
series: $(B)/tree.done
	@$(ROOT)/patches/series.sh $$(cat $(B)/version) $(B)/pristine $(B)/series $(OUT)/series/$(NAME)
	@printf '%s\n' $(OUT)/series/$(NAME)/*

# All steps use one tree, which tree.sh updates from step to step, so that make builds only
# what a step changes. It is separate from B.
STEPS_B := $(BUILD)/$(NAME)-steps
ALL_STEPS := $(basename $(notdir $(sort $(wildcard $(ROOT)/patches/000[1-9]-*.txt))))
AM := $(STEPS_B)/am
# STEP: the tree has the series up to this step.
ifdef STEP
STEPS := $(shell printf '%s\n' $(ALL_STEPS) | sed '/^$(STEP)$$/q')
endif

#: make test-series [KERNEL=]        each step of the series: git am, build, boot
.PHONY: test-series am-series
test-series: PACKAGES += git
test-series: lab
	@$(ROOT)/patches/tree.sh $(KERNEL) $(B) > /dev/null
	@$(MAKE) -C $(ROOT) series > /dev/null
	@# Only a compilation warns, so compile KVM in each run.
	@! [ -d $(STEPS_B)/linux ] || \
		find $(STEPS_B)/linux/arch/x86/kvm $(STEPS_B)/linux/virt -name '*.o' -delete
	@rm -rf $(AM); mkdir -p $(AM); cp -a $(B)/pristine/. $(AM); cd $(AM); \
	git init -q; git add -Af .; $(GIT) commit -q -m unpatched
	@$(call lab,series,MAKE="$(CHECK_MAKE)" STEPS_B=$(STEPS_B) STEPS="$(ALL_STEPS)")

GIT := git -c user.name=lab -c user.email=lab@localhost -c commit.gpgSign=false
am-series:
	@cd $(AM) && $(GIT) am -q $(OUT)/series/$(NAME)/000[1-9]* >&2 && git branch -f series

# Each file in the tree $(LINUX) must equal that of a commit in $(AM), the one of the last
# step in STEPS. Build KVM's modules with W=1, as the series changes these.
STEP_COMMIT = $(if $(STEPS),$$(git -C $(AM) rev-list --reverse series | sed -n $$(($(words $(STEPS)) + 1))p),series)
.PHONY: same-tree step-tree step-build step-boot
same-tree:
	@git -C $(AM) checkout -q $(STEP_COMMIT) && \
	git -C $(AM) ls-files | sort | comm -13 - $(B)/new.applied | { ! grep .; } && \
	cd $(LINUX) && git --git-dir=$(AM)/.git --work-tree=. diff --stat --exit-code

step-tree:
	@mkdir -p $(B); rm -f $(B)/tree.done; $(MAKE) -C $(ROOT) $(B)/config.done && \
	$(MAKE) -C $(ROOT) same-tree

step-build:
	@$(PROGRESS) "building Linux $(KERNEL), $(lastword $(STEPS))" $(B)/kernel.log sh -c \
		'$(KMAKE) -j$(JOBS) bzImage && $(KMAKE) -j$(JOBS) W=1 modules' && \
	touch $(B)/kernel.done && ! grep -i warning: $(B)/kernel.log

# Our tests do not exist before the step that adds them.
step-boot: lab
	@$(MAKE) -C $(ROOT) $$([ -e $(SELFTEST_DIR)/exitstats/exitstats.mk ] || \
		echo SELFTEST_PROGS= TOOL_PROGS=) SVM_PROGS= $(B)/selftests.done
	@$(call lab,step) TESTS="$$(cd $(SELFTEST_DIR)/exitstats && ls exitstats_test 2> /dev/null) \
		kvm_binary_stats_test"
