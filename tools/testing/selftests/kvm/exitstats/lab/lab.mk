# SPDX-License-Identifier: GPL-2.0-only
#
# The image that the emulator boots, and the run itself.

# Our own programs for the lab and around it
$(B)/init: $(LAB)/init.c $(LAB)/stream.h | packages
	@mkdir -p $(@D)
	@$(CC) -Wall -Wextra -O2 -static -o $@ $<

$(B)/boot: $(LAB)/boot.c $(LAB)/stream.h | packages
	@mkdir -p $(@D)
	@$(CC) -Wall -Wextra -O2 -o $@ $<

# What all runs share: kernel, modules, QEMU with its libraries and firmware
QEMU := /usr/bin/qemu-system-x86_64
FIRMWARE := bios-microvm.bin linuxboot_dma.bin kvmvapic.bin

$(B)/base.list: $(B)/kernel.done $(B)/init
	@{ for d in dev proc sys tmp modules boot; do echo "dir /$$d 755 0 0"; done; \
	echo "nod /dev/console 600 0 0 c 5 1"; \
	echo "file /init $(B)/init 755 0 0"; \
	echo "file /boot/bzImage $(LINUX)/arch/x86/boot/bzImage 644 0 0"; \
	find $(LINUX)/virt $(LINUX)/arch/x86/kvm -name '*.ko' | while read -r ko; do \
		echo "file /modules/$$(basename $$ko | tr - _) $$ko 644 0 0"; \
	done; \
	{ echo $(QEMU); ldd $(QEMU) | grep -o '/[^ ]*'; \
	  printf '/usr/share/qemu/%s\n' $(FIRMWARE); } | $(LAB)/with-dirs.sh; } > $@

$(B)/base.cpio.zst: $(B)/base.list $(B)/kernel.done
	@$(LINUX)/usr/gen_init_cpio $< | zstd -q -f -T0 -3 -o $@

.PHONY: lab
lab: $(B)/base.cpio.zst $(B)/boot

# $(call lab-run,NAME): boot what is in $(B)/run/NAME, made by lab-new:
# plan and guest.plan (see init.c), files and guest.files (lines of gen_init_cpio).
# LAB_CPUS is the emulated host's, LAB_SVM makes that an AMD one, BOOT_FLAGS are boot's.
LAB_CPUS := 1
lab-run = LAB_CPUS=$(LAB_CPUS) LAB_SVM=$(LAB_SVM) $(LAB)/run.sh $(B) $(B)/run/$(strip $(1)) $(BOOT_FLAGS)
lab-new = rm -rf $(B)/run/$(strip $(1)) && mkdir -p $(B)/run/$(strip $(1)) && \
	cd $(B)/run/$(strip $(1)) && : > files && : > guest.files && : > plan && : > guest.plan

# $(call plan,WORD ...): one command of a plan
plan = printf '%s\n' $(1) ''
