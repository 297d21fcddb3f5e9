# SPDX-License-Identifier: GPL-2.0-only
#
# The series as mails, and the proof that each of them stands on its own.

#: make series [KERNEL=]             the series as mails for git am, in out/series
.PHONY: series
series: PACKAGES += git
series: $(B)/tree.done
	@$(ROOT)/patches/series.sh $$(cat $(B)/version) $(B)/pristine $(B)/series $(OUT)/series/$(NAME)
	@printf '%s\n' $(OUT)/series/$(NAME)/*

# One tree for all steps, which tree.sh takes from one to the next, so that make
# builds only what a step changes. It is a KERNEL of its own, as B says.
STEPS_B := $(BUILD)/$(NAME)-steps
ALL_STEPS := $(basename $(notdir $(sort $(wildcard $(ROOT)/patches/000[1-9]-*.txt))))
AM := $(STEPS_B)/am

# The tree $(LINUX) has, file by file, what a commit in $(AM) has: $(call same-tree,COMMIT)
same-tree = git -C $(AM) checkout -q $(1) && \
	git -C $(AM) ls-files | sort | comm -13 - $(B)/new.applied | { ! grep .; } && \
	cd $(LINUX) && git --git-dir=$(AM)/.git --work-tree=. diff --stat --exit-code

#: make test-series [KERNEL=]        each step of the series: git am, build, boot
.PHONY: test-series test-step run-step
test-series: PACKAGES += git
test-series: $(B)/tree.done
	@$(ROOT)/patches/tree.sh $(KERNEL) $(B) > /dev/null
	@$(MAKE) -C $(ROOT) series > /dev/null
	@# gcc warns when it compiles: let it compile in each run what the series is about.
	@! [ -d $(STEPS_B)/linux ] || \
		find $(STEPS_B)/linux/arch/x86/kvm $(STEPS_B)/linux/virt -name '*.o' -delete
	@rm -rf $(AM); mkdir -p $(AM); cp -a $(B)/pristine/. $(AM); cd $(AM); \
	git init -q; git add -Af .; \
	me="-c user.name=lab -c user.email=lab@localhost -c commit.gpgSign=false"; \
	git $$me commit -q -m unpatched; \
	{ echo 1..2; \
	  $(call tap, git $$me am -q $(OUT)/series/$(NAME)/000[1-9]* >&2, \
		series: git am takes the mails); \
	  git branch -f series; \
	  $(call tap, ($(call same-tree,series)) >&2, series: they make the tree of make tree); \
	  steps=; for step in $(ALL_STEPS); do \
		steps="$$steps $$step"; \
		$(MAKE) -C $(ROOT) test-step B=$(STEPS_B) STEPS="$$steps"; \
	  done; } $(sum)

# Of a step, KVM's modules are built with W=1: they are what the series changes.
step-build = $(KMAKE) -j$(JOBS) bzImage && $(KMAKE) -j$(JOBS) W=1 modules
STEP = $(lastword $(STEPS))
STEP_HAS = $$([ -e $(SELFTEST_DIR)/exitstats/exitstats.mk ] || echo SELFTEST_PROGS= TOOL_PROGS=) SVM_PROGS=
step-commit = $$(git -C $(AM) rev-list --reverse series | sed -n $$(($(words $(STEPS)) + 1))p)
test-step:
	@rm -f $(B)/tree.done; echo 1..3; cd $(B); \
	$(call tap, $(MAKE) -C $(ROOT) $(B)/config.done >&2 && \
		($(call same-tree,$(step-commit))) >&2, \
		$(STEP): the tree is what git am makes of it); \
	$(call tap, $(ROOT)/scripts/progress.sh "building Linux $(KERNEL)$(comma) $(STEP)" \
			$(B)/kernel.log sh -c '$(step-build)' && \
		touch $(B)/kernel.done && ! grep -i warning: $(B)/kernel.log >&2, \
		$(STEP): builds without a warning$(comma) KVM with W=1); \
	$(call tap, $(MAKE) -C $(ROOT) run-step $(STEP_HAS) > $(B)/step.log 2>&1 || \
		{ cat $(B)/step.log >&2; false; }, \
		$(STEP): boots and runs its selftests in both modes)

STEP_PROGS = $(filter %/exitstats_test,$(SELFTEST_PROGS)) $(KVM_PROGS)
run-step: lab $(B)/selftests.done
	@$(call lab-new, step); \
	$(call run-files,$(STEP_PROGS)) > files; \
	{ for ept in 1 0; do \
		$(call plan, kvm ept=$$ept); \
		$(call run-plan,$(STEP_PROGS)); \
	  done; } > plan
	@$(call lab-run, step)
