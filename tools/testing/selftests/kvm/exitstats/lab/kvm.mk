# SPDX-License-Identifier: GPL-2.0-only
#
# KVM's own selftests: do they end the same with and without the series? Which they
# are is what the kernel's Makefile says; how each ends is what its run says.

# In which paging modes, for the command line
KVM_EPT = 1

# Seconds that each may take: of the lab's time, which is counted in instructions, so
# that what is too slow for one KVM is for the other
KVM_LIMIT = 5

# A guest that spins without an exit, interrupts off, keeps Bochs from ever taking the
# host's interrupts: nothing ends that, and the machine is silent. Seconds until then.
KVM_SILENCE = 90

$(B)/kvm-tests.list: $(B)/selftests.done
	@$(ROOT)/scripts/progress.sh "building KVM's own selftests" $(B)/kvm-tests.log env LDFLAGS=-static \
		$(OTHER_MAKE) -k -C $(SELFTEST_DIR) OUTPUT=$(SELFTEST_DIR) -j$(JOBS)
	@printf '%s\n' 'include Makefile' 'list: ; @printf "%s\n" $$(TEST_GEN_PROGS)' | \
		$(OTHER_MAKE) -s -C $(SELFTEST_DIR) OUTPUT=$(SELFTEST_DIR) -f - list | \
		grep -v /exitstats/ > $@

# $(call kvm-pass,NAME,PARAMETER): what is in todo, in one machine; what came of it
# goes to NAME. Fails if the machine hung.
kvm-pass = { $(call plan, kvm ept=$$ept $(2)); $(call plan, file tried); \
	while read -r p; do $(call plan, try $(KVM_LIMIT) run $$p); done < todo; } > plan; \
	rm -f tried; $(ROOT)/scripts/progress.sh "running KVM's own selftests, ept=$$ept, $(strip $(1))" \
		log env $(call lab-run, kvm); status=$$?; \
	cat tried >> ept$$ept.$(strip $(1)); [ $$status = 0 ]

#: make test-kvm [KVM_EPT="1 0"]     KVM's own selftests, with and without the series
.PHONY: test-kvm
test-kvm: BOOT_FLAGS += -t 3000 -i $(KVM_SILENCE)
test-kvm: lab $(B)/kvm-tests.list $(B)/variants/unpatched.done
	@$(call lab-new, kvm); mkdir progs; \
	{ $(unpatched-files); echo "dir /run/kvm 755 0 0"; \
	  while read -r p; do \
		strip -o progs/$${p##*/} $$p && \
		echo "file /run/kvm/$${p##*/} $$PWD/progs/$${p##*/} 755 0 0"; \
	  done < $(B)/kvm-tests.list; } > files; \
	{ echo 1..$$((2 * $(words $(KVM_EPT)))); for ept in $(KVM_EPT); do \
		sed 's,.*/,/run/kvm/,' $(B)/kvm-tests.list > todo; : > hung; \
		until $(call kvm-pass, unpatched, from=/modules/unpatched/); do \
			p=$$(sed -n 's/.*\] try .* run //p' log | tail -n 1); \
			[ "$$p" ] || exit 1; \
			echo "  $$p hangs the emulated machine: going on without it" >&2; \
			echo "$$p" >> hung; sed -i "0,\\,^$$p\$$,d" todo; \
		done; \
		sed 's,.*/,/run/kvm/,' $(B)/kvm-tests.list | grep -vxFf hung > todo; \
		$(call kvm-pass, patched); \
		awk -v total=$$(wc -l < $(B)/kvm-tests.list) -v hung=$$(wc -l < hung) \
			-v mode=ept=$$ept -f $(LAB)/kvm.awk ept$$ept.unpatched ept$$ept.patched; \
		sed "s,^,# ept=$$ept: not in this emulator: ," hung; \
	done; } $(sum)
