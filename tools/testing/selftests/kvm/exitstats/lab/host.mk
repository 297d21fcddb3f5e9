# SPDX-License-Identifier: GPL-2.0-only
#
# What make test has beside the selftests: QEMU's statistics, a QEMU that is
# killed, a VM without exitstats against unpatched modules, unloading, and an AMD host.

LAB_TESTS := $(B)/qmp_test $(B)/kill_test $(B)/unload_test
$(LAB_TESTS): $(B)/%: $(LAB)/%.c $(LAB)/guest.h $(LAB)/stream.h $(LAB)/tap.h \
		$(TOOL)/exitstats_read.h $(EXITSTATS)/exitstats_memory.h \
		$(ROOT)/include/uapi/linux/kvm_exitstats.h | packages
	@mkdir -p $(@D)
	@$(CC) -Wall -Wextra -O2 -static -I$(ROOT)/include/uapi -o $@ $< -ljansson

$(B)/leaves: $(LAB)/leaves.c | packages
	@mkdir -p $(@D)
	@$(CC) -m32 -Wall -Wextra -O2 -static -ffreestanding -nostdlib -fno-pic \
		-fno-stack-protector -fno-asynchronous-unwind-tables -mgeneral-regs-only \
		-Wl,-N,-Ttext=0x100000,--build-id=none,--no-warn-rwx-segments -o $@ $<

# What a guest reads in all leaves, with QEMU's default CPU model and with the
# host's, into the file leaves-NAME: $(call leaves,NAME,PARAMETER ...). That QEMU takes
# its time to start is why exitstats is on with one model only.
leaves = $(call plan, kvm $(2)); $(call plan, file leaves-$(strip $(1))); \
	for cpu in $(3) "-cpu host"; do \
		$(call plan, run $(QEMU) -machine microvm$(comma)accel=kvm $$cpu -nodefaults \
			-no-user-config -display none -no-reboot -debugcon stdio -kernel /run/leaves); \
	done; $(call plan, file)
leaves-files = echo "file /run/leaves $(B)/leaves 755 0 0"; \
	echo "file /usr/share/qemu/multiboot_dma.bin /usr/share/qemu/multiboot_dma.bin 644 0 0"
unpatched-files = echo "dir /modules/unpatched 755 0 0"; \
	for m in kvm kvm-intel kvm-amd; do \
		echo "file /modules/unpatched/$${m/-/_}.ko \
			$(B)/variants/unpatched/arch/x86/kvm/$$m.ko 644 0 0" | tr -s '\t' ' '; \
	done
leaves-plan = $(call leaves, unpatched, from=/modules/unpatched/, ""); \
	$(call leaves, off, kvm.exitstats=0, ""); $(call leaves, on)

# $(call tap,COMMAND,WHAT): a test by a command of the shell
tap = if $(1); then echo "ok $(strip $(2))"; else echo "not ok $(strip $(2))"; fi
four_leaves := ^4ffffff[c-f]

# In the run's directory, after the run: $(call lab-verdict,intel|amd)
lab-verdict = echo 1..3; \
	$(call tap, [ -s leaves-off ] && cmp leaves-unpatched leaves-off >&2, \
		$(1): without exitstats CPUID is as with an unpatched KVM); \
	tail -n $$(wc -l < leaves-on) leaves-unpatched | diff - leaves-on | \
		grep '^[<>]' | cut -c3- > leaves-diff; \
	$(call tap, $(verdict-$(1)), $(1): with exitstats $(changes-$(1))); \
	$(call console-verdict,$(1))
# The same of any run
console-lines = sed '1$(comma)/Run .init/d' console.log
console-verdict = $(call tap, [ -s console.log ] && ! $(console-lines) | \
	grep -E '$(complaints)' >&2, $(1): the kernel has nothing to complain of)
complaints := WARNING:|BUG:|UBSAN:|INFO:|Oops|general protection|Call Trace|unchecked MSR|kmemleak: .* new
verdict-intel := [ -s leaves-diff ] && ! grep -v '$(four_leaves)' leaves-diff >&2
changes-intel := the four leaves differ and no other
verdict-amd := ! cat leaves-diff | grep . >&2
changes-amd := no leaf differs

# On AMD the leaves are absent, a test of ours skips, and KVM's own pass.
AMD_PROGS = $(filter %/exitstats_absent_test %/exitstats_test,$(SELFTEST_PROGS)) \
	$(KVM_PROGS) $(SVM_PROGS)

# As on Intel, an AMD host is booted for both ways of paging.
.PHONY: test-amd
test-amd: LAB_SVM := 1
test-amd: lab $(B)/selftests.done $(B)/leaves $(B)/variants/unpatched.done
	@$(call lab-new, amd); \
	{ $(call run-files,$(AMD_PROGS)); $(leaves-files); $(unpatched-files); } > files; \
	{ for npt in 1 0; do \
		$(call plan, kvm npt=$$npt); \
		$(call run-plan,$(AMD_PROGS)); \
	  done; $(leaves-plan); } > plan
	@status=0; $(call lab-run, amd) || status=$$?; \
	cd $(B)/run/amd; $(call lab-verdict,amd); [ $$status = 0 ] || [ $$status = 4 ]
