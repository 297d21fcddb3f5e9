# SPDX-License-Identifier: GPL-2.0-only
#
# The image that the emulator boots, and the run itself.

# Our own programs for the lab and around it
$(B)/init: $(LAB)/init.c $(LAB)/guest.h $(LAB)/stream.h | packages
	@mkdir -p $(@D)
	@$(CC) -Wall -Wextra -O2 -static -o $@ $<

$(B)/boot: $(LAB)/boot.c $(LAB)/stream.h | packages
	@mkdir -p $(@D)
	@$(CC) -Wall -Wextra -O2 -o $@ $<

# What all runs share: kernel, modules, QEMU with its libraries and firmware
QEMU := /usr/bin/qemu-system-x86_64
FIRMWARE := bios-microvm.bin linuxboot_dma.bin kvmvapic.bin

# $(call base-list,DIR ...): lines for gen_init_cpio, the modules being those under DIR
base-list = for d in dev proc sys tmp modules boot; do echo "dir /$$d 755 0 0"; done; \
	echo "nod /dev/console 600 0 0 c 5 1"; \
	echo "file /init $(B)/init 755 0 0"; \
	echo "file /boot/bzImage $(LINUX)/arch/x86/boot/bzImage 644 0 0"; \
	find $(1) -name '*.ko' | while read -r ko; do \
		echo "file /modules/$$(basename $$ko | tr - _) $$ko 644 0 0"; \
	done; \
	{ echo $(QEMU); ldd $(QEMU) | grep -o '/[^ ]*'; \
	  printf '/usr/share/qemu/%s\n' $(FIRMWARE); } | $(LAB)/with-dirs.sh

# What its images take, three times over
room = $(ROOT)/scripts/room.sh $(B) 400 "a run of the lab"

# Each in place at once: what was killed half-way must not pass for the whole.
$(B)/base.list: $(B)/kernel.done $(B)/init
	@$(room)
	@{ $(call base-list, $(LINUX)/virt $(LINUX)/arch/x86/kvm); } > $@.new
	@mv $@.new $@

# $(call base-cpio,LIST): the target, of what is in LIST
base-cpio = $(LINUX)/usr/gen_init_cpio $(1) > $@.new && mv $@.new $@

$(B)/base.cpio: $(B)/base.list $(B)/kernel.done
	@$(call base-cpio, $<)

.PHONY: lab
lab: $(B)/base.cpio $(B)/boot

# $(call lab-run,NAME): boot what is in $(B)/run/NAME, made by lab-new:
# plan and guest.plan (see init.c), files and guest.files (lines of gen_init_cpio).
# plan, run-files and run-plan write such lines: a command, programs, that they run.
# LAB_CPUS is the emulated host's, LAB_SVM makes that an AMD one, BOOT_FLAGS are boot's.
# LAB_KERNEL and LAB_BASE are what boots there, if not the kernel and image of B.
LAB_CPUS := 1
lab-run = LAB_CPUS=$(LAB_CPUS) LAB_SVM=$(LAB_SVM) LAB_EMULATOR=$(LAB_EMULATOR) \
	LAB_KERNEL=$(LAB_KERNEL) LAB_BASE=$(LAB_BASE) \
	$(LAB)/run.sh $(B) $(B)/run/$(strip $(1)) $(BOOT_FLAGS)
lab-new = { $(room) && rm -rf $(B)/run/$(strip $(1)) && mkdir -p $(B)/run/$(strip $(1)) && \
	cd $(B)/run/$(strip $(1)) && : > files && : > guest.files && : > plan && : > guest.plan; } \
	|| exit 1

# Bochs or KVM: what would be chosen elsewhere
.PHONY: test-emulator
test-emulator: lab
	@$(call lab-new, emulator); $(call plan, kvm ept=1) > plan; \
	$(LAB)/emulator_test.sh $(B) $(B)/run/emulator

plan = printf '%s\n' $(1) ''
run-files = for p in $(1); do echo "file /run/$$(basename $$p) $$p 755 0 0"; done
run-plan = for p in $(1); do $(call plan, run /run/$$(basename $$p)); done
