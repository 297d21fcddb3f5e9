# SPDX-License-Identifier: GPL-2.0-only
#
# make mutants: build KVM with each of these patches, and check that the test case named in
# its first line fails. If it does not, the selftest has a gap.

# A mutant's second line may say that it needs CPU=intel, CPU=amd, or HOST_CPUS=2.
MUTANTS := $(basename $(notdir $(filter-out $(shell awk -v run=" CPU=$(CPU) HOST_CPUS=$(HOST_CPUS) " \
	'FNR == 2 && /^Needs: / && !index(run, " " $$2 " ") { print FILENAME }' \
	$(EXITSTATS)/mutants/*.patch),$(wildcard $(EXITSTATS)/mutants/*.patch))))
caught-by = $(shell sed -n '1s/.*Caught by: //p' $(firstword $(wildcard \
	$(EXITSTATS)/mutants/$(1).patch $(EXITSTATS)/mutants/san/$(1).patch)))
mutant-program = $(firstword $(caught-by))
mutant-case = $(wordlist 2,99,$(call caught-by,$(m)))
mutant-cases = $(patsubst %,-r %,$(wordlist 2,9,$(caught-by)))
# unload_test loads the modules itself, and has no cases.
mutant-run = $(mutant-program) $(if $(filter unload_test,$(mutant-program)),/modules/mutant-$(1)/,$(mutant-cases))

# exitstats_bound_test runs the kernel's source in userspace. The driver for perf is a module
# of the guest: one case of pmu_test runs there, or while migrate_test migrates it. The others
# need KVM's modules.
caught-by-any-of = $(filter $(MUTANTS),$(basename $(notdir \
	$(shell grep -lE 'by: ($(1)) ' $(EXITSTATS)/mutants/*.patch))))
MUTANTS_BOUND := $(call caught-by-any-of,exitstats_bound_test)
MUTANTS_PMU := $(call caught-by-any-of,exitstats_pmu_test)
MUTANTS_MIGRATE := $(call caught-by-any-of,migrate_test)
MUTANTS_LAB := $(filter-out $(MUTANTS_BOUND) $(MUTANTS_PMU) $(MUTANTS_MIGRATE),$(MUTANTS))

# Build a variant, as for make bench, with the mutant's patch, and keep only the modules.
$(B)/variants/mutant-%.done: $(BENCH)/variant.sh $(B)/kernel.done
	@mkdir -p $(B)/mutants/$*
	@patch=$$(ls $(EXITSTATS)/mutants/$*.patch $(EXITSTATS)/mutants/san/$*.patch 2> /dev/null); \
	$(BENCH)/variant.sh $(B) mutant-$* $$patch
	@$(PROGRESS) "building the mutant $*" $(B)/mutants/$*/log \
		$(OTHER_MAKE) -C $(B)/variants/mutant-$* CC="ccache gcc" -j$(JOBS) M=arch/x86/kvm modules
	@cd $(B)/variants/mutant-$* && mkdir -p ../kept/$*/arch/x86/kvm && \
		mv arch/x86/kvm/*.ko ../kept/$*/arch/x86/kvm && cd .. && rm -rf mutant-$* && \
		mv kept/$* mutant-$*
	@touch $@
$(foreach m,$(MUTANTS_LAB),$(eval $(B)/variants/mutant-$(m).done: $(EXITSTATS)/mutants/$(m).patch))

$(B)/variants/mutant-%/bound_test: $(EXITSTATS)/mutants/%.patch $(B)/selftests.done
	@$(BENCH)/variant.sh $(B) mutant-$* $<
	@cd $(B)/variants/mutant-$* && (cd $(LINUX) && cp -r --parents \
		tools/testing/selftests/kvm/exitstats $(B)/variants/mutant-$*) && \
	cd tools/testing/selftests/kvm/exitstats && \
	$(CC) -D_GNU_SOURCE -std=gnu99 -O2 -fno-strict-aliasing -I$(LINUX)/tools/include \
		-I$(LINUX)/tools/arch/x86/include -isystem $(LINUX)/usr/include \
		-I$(LINUX)/tools/testing/selftests -Ishim -o $@ exitstats_bound_test.c

$(B)/variants/mutant-%/exitstats_pmu.ko: $(EXITSTATS)/mutants/%.patch $(B)/kernel.done
	@rm -rf $(@D) && mkdir -p $(@D)/arch/x86/events
	@cd $(@D) && cp $(ROOT)/arch/x86/events/exitstats_pmu.c arch/x86/events && \
		patch -s -p1 < $< && mv arch/x86/events/exitstats_pmu.c . && rm -r arch && \
		echo 'obj-m := exitstats_pmu.o' > Kbuild
	@$(PROGRESS) "building the mutant $*" $(@D)/log $(KMAKE) M=$(@D) modules

# The plans' variables: the mutants, and the test that has to catch each
mutant-vars = MUTANTS="$(1)" $(foreach m,$(1),"caught-by.$(m)=$(call mutant-run,$(m))")

# Each patch must apply to the current tree without fuzz.
.PHONY: mutants-apply
mutants-apply: $(B)/tree.done
	@wrong=; cd $(LINUX); \
	for patch in $(EXITSTATS)/mutants/*.patch $(EXITSTATS)/mutants/san/*.patch; do \
		patch -p1 -s -f -F0 --dry-run -i $$patch > /dev/null || wrong="$$wrong $${patch##*mutants/}"; \
	done; \
	[ -z "$$wrong" ] || { echo "do not apply:$$wrong" >&2; exit 1; }

#:: Can the tests fail?
#: make mutants-apply                check that each patch in mutants/ still applies
#: make mutants-list                 what each mutant breaks, and the test that has to see it
#: make mutants [CPU=] [HOST_CPUS=]  check that the tests catch each mutant for such a host
#: make mutants-perf [CPU=]          the same for the guest's driver only
.PHONY: mutants mutants-list mutants-perf mutants-san
mutants-list:
	@cd $(EXITSTATS)/mutants && for patch in *.patch san/*.patch; do \
		echo "$${patch%.patch}: $$(sed -n '1p; 2{/^Needs/p;}' $$patch)"; done
mutants: mutants-apply lab $(B)/selftests.done $(B)/unload_test $(MUTANTS_LAB:%=$(B)/variants/mutant-%.done) \
		$(MUTANTS_BOUND:%=$(B)/variants/mutant-%/bound_test)
	@rm -f $(B)/mutants-perf.tap
	@$(call lab,mutants,$(call mutant-vars,$(MUTANTS_LAB)) MUTANTS_BOUND="$(MUTANTS_BOUND)") \
		> $(B)/mutants.tap 2> $(B)/mutants.log; \
	$(if $(MUTANTS_PMU)$(MUTANTS_MIGRATE),$(CHECK_MAKE) MUTANTS="$(MUTANTS)" mutants-perf;) \
	$(B)/lab -s $(B)/mutants.tap $(if $(MUTANTS_PMU)$(MUTANTS_MIGRATE),$(B)/mutants-perf.tap)

mutants-perf: PACKAGES += linux-perf
mutants-perf: mutants-apply lab $(call needs,perf-migrate) \
		$(MUTANTS_PMU:%=$(B)/variants/mutant-%/exitstats_pmu.ko) \
		$(MUTANTS_MIGRATE:%=$(B)/variants/mutant-%/exitstats_pmu.ko)
	@$(call lab,mutants-perf,MUTANTS="$(MUTANTS_PMU)" MIGRATED="$(MUTANTS_MIGRATE)" \
		$(foreach m,$(MUTANTS_PMU) $(MUTANTS_MIGRATE),"case.$(m)=$(mutant-case)")) \
		> $(B)/mutants-perf.tap 2> $(B)/mutants-perf.log; $(B)/lab -s $(B)/mutants-perf.tap

# A mutant in mutants/san/ names its sanitizer first.
MUTANTS_SAN = $(basename $(notdir $(shell grep -lE \
	'by: ($(subst -,|,$(SAN))) ' $(EXITSTATS)/mutants/san/*.patch)))
#: make mutants-san SAN= [CPU=]      check that sanitizers, or their tests, catch their mutants
mutants-san: mutant-run = $(word 2,$(caught-by))
mutants-san: mutants-apply lab $(B)/selftests.done
	@$(MAKE) -C $(ROOT) $(MUTANTS_SAN:%=$(B)/variants/mutant-%.done)
	@$(call lab,mutants-san,$(call mutant-vars,$(MUTANTS_SAN)) $(san-vars))
