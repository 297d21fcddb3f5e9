# SPDX-License-Identifier: GPL-2.0-only
#
# The selftest, a guest and unloading in kernels with sanitizers: none of them may
# have anything to report; and that they report what is there to be reported. The guest
# is QEMU's smallest one: Linux takes minutes there.

san-named = [ "$(SAN)" ] || { echo "SAN= is missing: one or, joined by -, more of $(SANS)" >&2; exit 1; }
san-has = $(filter $(1),$(subst -, ,$(SAN)))

# In which paging modes, and what: for the command line
SAN_EPT = 1 0
SAN_PROGS = $(HOST_PROGS) $(if $(call san-has,faults),$(filter %_fault_test,$(SELFTEST_PROGS)))

# A race takes two.
SAN_CPUS = $(if $(call san-has,kcsan),2,1)
san-leaks = $(if $(call san-has,faults),$(call plan, leaks),:)

#: make test-san SAN=kasan|...        selftests and a guest in a kernel with sanitizers
.PHONY: test-san
test-san: BOOT_FLAGS += -t 5400
test-san: LAB_CPUS = $(SAN_CPUS)
# That memory was not to be had, these say with a trace.
test-san mutants-san: console-lines += $(if $(call san-has,faults), \
	| sed -E '/vmalloc error|percpu: allocation failed/$(comma)/Call Trace/d')
# KVM has races of its own: its debugfs files read and clear plainly what a vCPU adds to,
# and what lies between two functions neither of which is ours.
test-san mutants-san: console-lines += $(if $(call san-has,kcsan), \
	| sed -E '/KCSAN: data-race in .*kvm_(get|clear)_stat_per_v/d; \
		/KCSAN: data-race in .* \/ /{/exitstats/!d}')
test-san: lab $(B)/selftests.done $(B)/unload_test $(B)/leaves
	@$(san-named); $(call lab-new, san); \
	{ $(call run-files,$(SAN_PROGS) $(B)/unload_test); $(leaves-files); } > files; \
	{ for ept in $(SAN_EPT); do \
		$(call leaves, ept$$ept, ept=$$ept); $(call run-plan,$(SAN_PROGS)); \
	  done; $(call plan, run /run/unload_test); $(san-leaks); } > plan
	@{ status=0; $(call lab-run, san) || status=$$?; \
	cd $(B)/run/san; echo 1..1; $(call console-verdict, $(SAN)); \
	[ $$status = 0 ] || [ $$status = 4 ]; } $(sum)

# A mutant for a sanitizer, in mutants/san/, names it where others name a case.
MUTANTS_SAN = $(patsubst $(EXITSTATS)/mutants/%.patch,%,$(shell grep -lE \
	'by: ($(subst -,|,$(SAN))) ' $(EXITSTATS)/mutants/san/*.patch))
san-program = $(word 2,$(caught-by))

#: make mutants-san SAN=            break the series: does the sanitizer, or its test, see it?
.PHONY: mutants-san
mutants-san: BOOT_FLAGS += -t 3000
mutants-san: LAB_CPUS = $(SAN_CPUS)
mutants-san: lab $(B)/selftests.done
	@$(san-named); [ "$(MUTANTS_SAN)" ] || { echo "SAN=$(SAN): no mutants for it" >&2; exit 1; }
	@$(MAKE) -C $(ROOT) $(MUTANTS_SAN:%=$(B)/mutants/%/kvm_intel.ko)
	@$(call lab-new, mutants-san); \
	{ $(call run-files,$(SAN_PROGS)); echo "dir /modules/san 755 0 0"; \
	  $(call mutant-files,$(MUTANTS_SAN)); } > files; \
	{ $(foreach m,$(MUTANTS_SAN),$(call plan, kvm from=/modules/$(m)/); \
		$(call plan, file $(notdir $(m))); $(call plan, run /run/$(call san-program,$(m))); \
		$(call plan, file); $(san-leaks);) } > plan
	@$(call lab-run, mutants-san) > $(B)/run/mutants-san/out 2> $(B)/run/mutants-san/log || :
	@cd $(B)/run/mutants-san; \
	survived=0; for m in $(MUTANTS_SAN); do \
		if $(console-lines) | \
			awk -v m="/modules/$$m/" '/lab: kvm/ { on = index($$0, m) } on' | \
			grep -E '$(complaints)' > report || grep '^not ok' $$(basename $$m) > report; \
		then head -n 1 report; echo "caught    $$m"; \
		else echo "survived  $$m"; survived=$$((survived + 1)); fi; \
	done; \
	echo "$(words $(MUTANTS_SAN)) mutants, $$survived survived"; [ $$survived = 0 ]
