# SPDX-License-Identifier: GPL-2.0-only
#
# The commands of plans/check: run a maintainer's tools on the series and on the rest of the
# repository. A tool that fails or does not run counts as a finding.

CHECK := $(B)/check
CHECK_SCRIPTS := $(shell find $(ROOT)/patches $(ROOT)/scripts $(ROOT)/debian $(EXITSTATS) -name '*.sh') $(ROOT)/.ci/run
CHECK_SOURCES := $(NEW_FILES) $(shell find $(EXITSTATS) -name '*.[ch]')
CHECKS := mails sources kernel pmu selftests cocci kernel-doc html maintainers scripts manual

# A finding is new if the unpatched kernel does not have it on any line.
check-findings = sed -nE '/(warning|error):/s/:[0-9]+(:[0-9]+)?:/:/p' $(B)/variants/$(1).log | sort
checked_FLAGS := W=1 C=2 CHECK=sparse
checked-unpatched_FLAGS := $(checked_FLAGS)

checkpatch = perl scripts/checkpatch.pl --strict --terse --show-types
# checkpatch does not know the macro that defines a deferred key, which is exported next.
check-mails = cd $(LINUX) && $(checkpatch) --ignore EXPORT_SYMBOL $(OUT)/series/$(NAME)/000[1-9]*

# Rules of the kernel that some files cannot follow: in standard C, a signal handler's flag
# is volatile; a function is named after the word of a plan that it implements; a long
# command is one string; userspace has no macros for attributes; libFuzzer and C11 define
# some names; the shim defines macros of the kernel, whose arguments may be unused; and the
# slash in the path of a tracepoint's header is no division.
CHECK_IGNORE_relay.c := VOLATILE
CHECK_IGNORE_lab.h := PREFER_DEFINED_ATTRIBUTE_MACRO
CHECK_IGNORE_plan.c := PREFER_DEFINED_ATTRIBUTE_MACRO,EMBEDDED_FUNCTION_NAME
CHECK_IGNORE_expect.c := EMBEDDED_FUNCTION_NAME
CHECK_IGNORE_lab_test.c := EMBEDDED_FUNCTION_NAME
CHECK_IGNORE_lab_ledgers.h := MACRO_ARG_UNUSED
CHECK_IGNORE_pack.c := SPLIT_STRING
CHECK_IGNORE_stream.h := PREFER_DEFINED_ATTRIBUTE_MACRO
CHECK_IGNORE_fuzz_snapshot.c := CAMELCASE
CHECK_IGNORE_core_bench.c := CAMELCASE
CHECK_IGNORE_exit_bench.c := CAMELCASE
CHECK_IGNORE_exitstats_trace.h := SPACING
CHECK_IGNORE_exitstats.c := EXPORT_SYMBOL
CHECK_IGNORE_kvm_host.h := CAMELCASE,MACRO_ARG_REUSE,MACRO_ARG_UNUSED
check-ignore = $(CHECK_IGNORE_$(notdir $(1)))
check-sources = status=0; cd $(LINUX); \
	$(checkpatch) -f $(foreach f,$(CHECK_SOURCES),$(if $(call check-ignore,$(f)),,$(f))) || \
		status=1; \
	$(foreach f,$(CHECK_SOURCES),$(if $(call check-ignore,$(f)), \
		$(checkpatch) --ignore $(call check-ignore,$(f)) -f $(f) || status=1;)) \
	[ $$status = 0 ]

check-kernel = [ -s $(B)/variants/checked.log ] && \
	! comm -13 <($(call check-findings,checked-unpatched)) \
		<($(call check-findings,checked)) | grep .

# The guest's driver has no counterpart in the unpatched kernel.
check-pmu = cd $(LINUX) && rm -f arch/x86/events/exitstats_pmu.o && \
	$(KMAKE) $(checked_FLAGS) arch/x86/events/exitstats_pmu.o > $(CHECK)/pmu.log 2>&1 && \
	[ -s arch/x86/events/exitstats_pmu.o ] && \
	! grep -E 'exitstats_pmu.c:.*(warning|error):' $(CHECK)/pmu.log

# Disable the warnings of -Wextra that the framework itself causes.
CHECK_CFLAGS := -Wextra -Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers
check-selftests = rm -rf $(CHECK)/selftests; mkdir $(CHECK)/selftests; \
	$(OTHER_MAKE) -C $(SELFTEST_DIR) OUTPUT=$(CHECK)/selftests CC="ccache gcc" -j$(JOBS) \
		EXTRA_CFLAGS="$(CHECK_CFLAGS)" \
		$(patsubst $(SELFTEST_DIR)/%,$(CHECK)/selftests/%,$(SELFTEST_PROGS) $(TOOL_PROGS)) \
		> $(CHECK)/selftests/log 2>&1 || { tail $(CHECK)/selftests/log; false; } && \
	! grep -E '^exitstats/.*warning:' $(CHECK)/selftests/log

# Use a separate tree, as with .cocciconfig spatch would look only at files in git. Remove
# scripts in OCaml, which need its compiler. Ignore suggestions to use min() and the str_*()
# helpers in userspace programs, which do not have them. canary.c checks that coccicheck
# finds anything at all.
check-cocci = rm -rf $(CHECK)/cocci; mkdir -p $(CHECK)/cocci/new; cd $(LINUX) && \
	cp -al --parents Makefile .config scripts include arch/x86 $(CHECK)/cocci && \
	cd $(CHECK)/cocci && cp -r $(ROOT)/arch $(ROOT)/include new && \
	mkdir new/tools && \
	cp $(filter %.c %.h,$(filter-out $(EXITSTATS)/shim/%,$(SELFTESTS))) new/tools && \
	echo 'int canary(void) { unsigned int a = 1; return a < 0; }' > new/canary.c && \
	rm -f $$(grep -rl script:ocaml scripts/coccinelle) && \
	{ $(OTHER_MAKE) coccicheck MODE=report M=$$PWD/new J=$(JOBS) > log 2>&1 || \
		{ tail log; false; }; } && \
	grep -E '^[^ ]+\.[ch]:[0-9]+:' log | tee found | grep canary.c > canary && \
	! grep -vE '/(canary\.c|tools/[^/ ]+ (.* )?opportunity for (str_|min\())' found

check-kernel-doc = cd $(LINUX) && ! scripts/kernel-doc -none -Wall $(NEW_FILES) 2>&1 | grep .

# Build only the series' pages, in a directory of their own: all of KVM's pages take minutes.
HTML_PAGES := Documentation/virt/kvm/exitstats.rst Documentation/admin-guide/perf/exitstats-pmu.rst
check-html = cd $(LINUX) && rm -rf Documentation/exitstats Documentation/output && \
	mkdir Documentation/exitstats && cp $(HTML_PAGES) Documentation/exitstats && \
	printf '%s\n' 'exitstats' '=========' '' '.. toctree::' '   :glob:' '' '   *' \
		> Documentation/exitstats/index.rst && \
	$(OTHER_MAKE) htmldocs SPHINXDIRS=exitstats YNL_INDEX= > $(CHECK)/sphinx.log 2>&1; status=$$?; \
	rm -rf Documentation/exitstats; [ -s Documentation/output/exitstats/exitstats.html ] && \
	[ -s Documentation/output/exitstats/exitstats-pmu.html ] && \
	[ $$status = 0 ] && ! grep -E 'exitstats/exitstats' $(CHECK)/sphinx.log

# The self-test compares MAINTAINERS with the files in git, which has only those of the
# series, so ignore its results for other entries.
check-maintainers = rm -rf $(CHECK)/tree; mkdir $(CHECK)/tree; cd $(CHECK)/tree; \
	ln -s $(LINUX)/* .; ln -s $(B)/series/.git .git; \
	perl scripts/get_maintainer.pl --self-test=sections,patterns > ../self-test && \
	[ -s ../self-test ] && ! grep -i exitstats ../self-test && \
	for f in $$(cat $(B)/new.applied); do \
		perl scripts/get_maintainer.pl --no-git --no-git-fallback --sections -f $$f | \
			grep -x 'KVM EXITSTATS' > /dev/null || \
			{ echo "$$f: not under KVM EXITSTATS"; exit 1; }; \
	done

# Scripts split lists of words on purpose, and source tap.sh. awk finds a missing function when
# it starts.
check-scripts = shellcheck -S warning -e SC2046,SC2034,SC2154,SC1091 $(CHECK_SCRIPTS) && \
	cd $(CHECK) && for script in $(LAB)/*.awk $(BENCH)/*.awk; do \
		{ awk -f $$script /dev/null 2>&1 > /dev/null || :; } | { ! grep .; } || exit 1; done

check-manual = rst2man --strict $(TOOL)/exitstats.1.rst $(CHECK)/exitstats.1 && \
	{ groff -Kutf8 -man -ww -Tutf8 -Z $(CHECK)/exitstats.1 > $(CHECK)/exitstats.out; } 2>&1 | \
		{ ! grep .; } && [ -s $(CHECK)/exitstats.out ]

#:: Static checks
#: make check [KERNEL=]              checkpatch, sparse, W=1, coccicheck, kernel-doc, htmldocs ...
.PHONY: check $(CHECKS:%=check-%)
check: PACKAGES += git sparse coccinelle python3-sphinx python3-docutils shellcheck groff-base
check: lab $(call needs,check)
	@$(MAKE) -C $(ROOT) series > /dev/null
	@$(call lab,check,MAKE="$(CHECK_MAKE)")

$(CHECKS:%=check-%): check-%:
	@mkdir -p $(CHECK); $(check-$*)
