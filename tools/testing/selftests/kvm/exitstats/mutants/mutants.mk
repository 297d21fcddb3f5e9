# SPDX-License-Identifier: GPL-2.0-only
#
# make mutants: build KVM with each of these patches, and see the case that its first
# line names fail. One that does not is a hole in the selftest.

MUTANTS := $(patsubst $(EXITSTATS)/mutants/%.patch,%,$(wildcard $(EXITSTATS)/mutants/*.patch))
caught-by = $(shell sed -n '1s/.*Caught by: //p' $(EXITSTATS)/mutants/$(1).patch)
mutant-program = $(word 1,$(caught-by))
mutant-cases = $(patsubst %,-r %,$(wordlist 2,9,$(caught-by)))
# unload_test takes the modules itself, and has no cases.
mutant-args = $(if $(filter unload_test,$(mutant-program)),/modules/$(1)/,$(mutant-cases))

# Their modules, for the lab: $(call mutant-files,MUTANT ...)
mutant-files = for m in $(1); do \
		echo "dir /modules/$$m 755 0 0"; \
		for ko in kvm kvm_intel; do \
			echo "file /modules/$$m/$$ko.ko $(B)/mutants/$$m/$$ko.ko 644 0 0"; \
		done; \
	done

# The bound test is the kernel's source in userspace; the others need modules.
MUTANTS_BOUND := $(patsubst %.patch,%,$(notdir $(shell grep -l 'by: exitstats_bound_test' $(EXITSTATS)/mutants/*.patch)))
MUTANTS_LAB := $(filter-out $(MUTANTS_BOUND),$(MUTANTS))

$(B)/mutants/%/kvm_intel.ko: $(EXITSTATS)/mutants/%.patch $(BENCH)/variant.sh $(B)/kernel.done
	@mkdir -p $(@D)
	@$(BENCH)/variant.sh $(B) mutant-$* $<
	@$(ROOT)/scripts/progress.sh "building the mutant $*" $(@D)/log \
		$(OTHER_MAKE) -C $(B)/variants/mutant-$* CC="ccache gcc" -j$(JOBS) M=arch/x86/kvm modules
	@cd $(B)/variants/mutant-$*/arch/x86/kvm && cp kvm.ko $(@D)/kvm.ko && \
		cp kvm-intel.ko $(@D)/kvm_intel.ko && rm -rf $(B)/variants/mutant-$*

$(B)/mutants/%/bound_test: $(EXITSTATS)/mutants/%.patch $(B)/selftests.done
	@mkdir -p $(@D)
	@$(BENCH)/variant.sh $(B) mutant-$* $<
	@cd $(B)/variants/mutant-$* && (cd $(LINUX) && cp -r --parents \
		tools/testing/selftests/kvm/exitstats $(B)/variants/mutant-$*) && \
	cd tools/testing/selftests/kvm/exitstats && \
	$(CC) -D_GNU_SOURCE -std=gnu99 -O2 -fno-strict-aliasing -I$(LINUX)/tools/include \
		-I$(LINUX)/tools/arch/x86/include -isystem $(LINUX)/usr/include \
		-I$(LINUX)/tools/testing/selftests -Ishim -o $@ exitstats_bound_test.c
	@rm -rf $(B)/variants/mutant-$*

#: make mutants                      break the series in each known way: do the tests see it?
.PHONY: mutants
mutants: BOOT_FLAGS += -t 3000
mutants: lab $(B)/selftests.done $(B)/unload_test $(MUTANTS_LAB:%=$(B)/mutants/%/kvm_intel.ko) \
		$(MUTANTS_BOUND:%=$(B)/mutants/%/bound_test)
	@$(call lab-new, mutants); \
	{ $(call run-files,$(SELFTEST_PROGS) $(B)/unload_test); \
	  $(call mutant-files,$(MUTANTS_LAB)); } > files; \
	{ $(foreach m,$(MUTANTS_LAB),$(call plan, file $(m)); for ept in 1 0; do \
		$(call plan, kvm from=/modules/$(m)/ ept=$$ept); \
		$(call plan, run /run/$(call mutant-program,$(m)) $(call mutant-args,$(m))); \
	  done;) $(call plan, file); } > plan
	@$(call lab-run, mutants) 2> $(B)/run/mutants/log || :
	@cd $(B)/run/mutants; $(foreach m,$(MUTANTS_BOUND),$(B)/mutants/$(m)/bound_test > $(m) 2>&1;) \
	survived=0; for m in $(MUTANTS); do \
		if grep -qs '^not ok' $$m; then echo "caught    $$m"; \
		else echo "survived  $$m"; survived=$$((survived + 1)); fi; \
	done; \
	echo "$(words $(MUTANTS)) mutants, $$survived survived"; [ $$survived = 0 ]
