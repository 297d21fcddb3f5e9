# SPDX-License-Identifier: GPL-2.0-only
#
# The selftest's fuzzers, for as long as one likes: make test gives each a few seconds.

# Settings, for the command line. A failure is replayed with the last seed printed, in
# one minute.
SEED := $(shell date +%s)
MINUTES = 5

FUZZERS := $(filter %_fuzz_test,$(SELFTEST_PROGS))

# What a fuzzer gets at a time, in seconds of the lab; host_fuzz_test has two cases.
FUZZ_SECONDS := 10

#: make fuzz [SEED=] [MINUTES=]      random leaves, random calls of userspace, in both modes
.PHONY: fuzz
fuzz: BOOT_FLAGS += -t $$(($(MINUTES) * 600 + 900))
fuzz: lab $(B)/selftests.done
	@$(call lab-new, fuzz); \
	$(call run-files,$(FUZZERS)) > files; \
	for ((minute = 0; minute < $(MINUTES); minute++)); do for ept in 1 0; do \
		$(call plan, kvm ept=$$ept); \
		for p in $(FUZZERS); do \
			$(call plan, run /run/$${p##*/} -s $$(($(SEED) + minute * 1000)) \
				-t $(FUZZ_SECONDS)); \
		done; \
	done; done > plan
	@echo "  SEED=$(SEED) MINUTES=$(MINUTES)" >&2
	@$(call lab-run, fuzz)
