# SPDX-License-Identifier: GPL-2.0-only
#
# make test-load: VMs and modules come and go, so many that nothing lost or kept would
# stay unseen. make test has short runs of the same.

LOAD_PROG := $(filter %_load_test,$(SELFTEST_PROGS))

# Rounds of exitstats_load_test in each mode, which make so many exits at least, and of
# unload_test
LOAD_ROUNDS := 20
LOAD_EXITS := 10000000
UNLOAD_ROUNDS := 100

#: make test-load                    ten million exits of VMs that come and go, and modules
.PHONY: test-load
test-load: BOOT_FLAGS += -t 7200
test-load: lab $(B)/selftests.done $(B)/unload_test
	@{ $(call lab-new, load); \
	$(call run-files,$(LOAD_PROG) $(B)/unload_test) > files; \
	{ for ept in 1 0; do \
		$(call plan, kvm ept=$$ept); \
		$(call plan, run /run/$(notdir $(LOAD_PROG)) -n $(LOAD_ROUNDS)); \
	  done; \
	  $(call plan, run /run/unload_test -n $(UNLOAD_ROUNDS)); } > plan; \
	cd $(B)/run/load; status=0; $(call lab-run, load) | tee tap || status=$$?; \
	exits=$$(awk '/ exits, reconciled/ { for (i = 2; i <= NF; i++) if ($$i ~ "^exits") n += $$(i - 1) } \
		END { print n + 0 }' tap); \
	echo 1..2; \
	$(call tap, [ $$exits -ge $(LOAD_EXITS) ], load: $$exits exits$(comma) none lost$(comma) none twice); \
	$(call console-verdict,load); \
	exit $$status; } $(sum)
