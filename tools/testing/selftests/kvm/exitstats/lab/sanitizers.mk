# SPDX-License-Identifier: GPL-2.0-only
#
# The selftest, a guest and unloading in kernels with sanitizers: none of them may
# have anything to report; and that they report what is there to be reported. The guest
# is QEMU's smallest one: Linux takes minutes there.

san-named = [ "$(SAN)" ] || { echo "SAN= is missing: one or, joined by -, more of $(SANS)" >&2; exit 1; }

# In which paging modes, and what: for the command line
SAN_EPT = 1 0
SAN_PROGS = $(filter-out %_absent_test,$(SELFTEST_PROGS)) $(KVM_PROGS)

#: make test-san SAN=kasan-lockdep   selftests and a guest in a kernel with sanitizers
.PHONY: test-san
test-san: BOOT_FLAGS += -t 3000
test-san: lab $(B)/selftests.done $(B)/unload_test $(B)/leaves
	@$(san-named); $(call lab-new, san); \
	{ for p in $(SAN_PROGS) $(B)/unload_test; do echo "file /run/$${p##*/} $$p 755 0 0"; done; \
	  $(leaves-files); } > files; \
	{ for ept in $(SAN_EPT); do \
		$(call leaves, ept$$ept, ept=$$ept); \
		for p in $(SAN_PROGS); do $(call plan, run /run/$${p##*/}); done; \
	  done; $(call plan, run /run/unload_test); } > plan
	@{ status=0; $(call lab-run, san) || status=$$?; \
	cd $(B)/run/san; echo 1..1; $(call console-verdict, $(SAN)); \
	[ $$status = 0 ] || [ $$status = 4 ]; } $(sum)

# A mutant for a sanitizer, in mutants/san/, names it where others name a case.
MUTANTS_SAN = $(patsubst $(EXITSTATS)/mutants/%.patch,%,$(shell grep -lE \
	'by: ($(subst -,|,$(SAN))) ' $(EXITSTATS)/mutants/san/*.patch))
san-program = $(word 2,$(caught-by))

#: make mutants-san SAN=            break the series: does the sanitizer see it?
.PHONY: mutants-san
mutants-san: BOOT_FLAGS += -t 3000
mutants-san: lab $(B)/selftests.done
	@$(san-named); $(MAKE) -C $(ROOT) $(MUTANTS_SAN:%=$(B)/mutants/%/kvm_intel.ko)
	@$(call lab-new, mutants-san); \
	{ for p in $(SAN_PROGS); do echo "file /run/$${p##*/} $$p 755 0 0"; done; \
	  echo "dir /modules/san 755 0 0"; \
	  $(call mutant-files,$(MUTANTS_SAN)); } > files; \
	{ $(foreach m,$(MUTANTS_SAN),$(call plan, kvm from=/modules/$(m)/); \
		$(call plan, run /run/$(call san-program,$(m)));) } > plan
	@$(call lab-run, mutants-san) > $(B)/run/mutants-san/out 2> $(B)/run/mutants-san/log || :
	@cd $(B)/run/mutants-san; \
	survived=0; for m in $(MUTANTS_SAN); do \
		if awk -v m="/modules/$$m/" '/lab: kvm/ { on = index($$0, m) } on' console.log | \
			grep -E '$(complaints)' > report; \
		then head -n 1 report; echo "caught    $$m"; \
		else echo "survived  $$m"; survived=$$((survived + 1)); fi; \
	done; \
	echo "$(words $(MUTANTS_SAN)) mutants, $$survived survived"; [ $$survived = 0 ]
