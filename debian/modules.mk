# SPDX-License-Identifier: GPL-2.0-only
#
# KVM's modules for a kernel of Debian's, and that kernel in the lab with them.

# The kernel of the test if KVER does not say: small, and the default KERNEL's
FLAVOUR := cloud-amd64
MODULES_DIR = $(BUILD)/modules/$(KVER)
MODULES_OUT = $(OUT)/modules/$(KVER)

# Without lists, apt knows nothing of kernels.
.PHONY: apt-lists
apt-lists:
	@mkdir -p $(BUILD)
	@apt-cache show linux-base > /dev/null 2>&1 || [ "$$(id -u)" != 0 ] || \
		$(ROOT)/scripts/progress.sh "asking apt for its lists" $(BUILD)/apt.log apt-get update

#: make modules KVER=$(uname -r)     KVM's modules for a Debian kernel, in out/modules/KVER
.PHONY: modules modules-build
modules: modules-build
	@cd $(MODULES_OUT) && ls -d $$PWD/*.ko; \
	printf '%s\n' "" "As root on $(KVER), no VM running:" \
		"	modprobe -r kvm_intel kvm; modprobe irqbypass" \
		"	insmod $$PWD/kvm.ko && insmod $$PWD/kvm-intel.ko" "and back:" \
		"	modprobe -r kvm_intel kvm; modprobe kvm_intel" >&2

modules-build: apt-lists
	@[ -n "$(KVER)" ] || \
		{ echo "KVER=VERSION is missing: the kernel, as uname -r prints it" >&2; exit 1; }
	@missing=$$($(ROOT)/debian/packages.sh "$(KVER)") && $(MAKE) packages \
		PACKAGES="gcc make xz-utils patch kmod binutils ccache $$(echo $$missing)"
	@rm -rf $(MODULES_OUT)
	@$(MAKE) -s $(MODULES_DIR)/done
	@mkdir -p $(MODULES_OUT) && \
		cp -p $(MODULES_DIR)/linux/arch/x86/kvm/{kvm,kvm-intel,kvm-amd}.ko $(MODULES_OUT)

$(MODULES_DIR)/done: $(NEW_FILES) $(PATCHES) $(ROOT)/patches/stage.sh $(ROOT)/debian/modules.sh \
		$(ROOT)/debian/Kbuild $(wildcard /usr/src/linux-headers-$(KVER)/Module.symvers)
	@mkdir -p $(@D)
	@$(ROOT)/scripts/progress.sh "putting the series on KVM of $(KVER)" $(@D)/prepare.log \
		$(ROOT)/debian/modules.sh prepare $(KVER) $(@D)/linux
	@$(ROOT)/scripts/progress.sh "building KVM for $(KVER)" $(@D)/build.log \
		env DEBIAN_KERNEL_USE_CCACHE=y $(ROOT)/debian/modules.sh build $(KVER) $(@D)/linux
	@touch $@

# Debian's kernel itself is only unpacked here, not installed.
$(MODULES_DIR)/image.done:
	@rm -rf $(@D)/image && mkdir -p $(@D)/image
	@cd $(@D)/image && package=linux-image-$(KVER) && \
		$(ROOT)/scripts/progress.sh "downloading $$package" $(@D)/image.log \
		sh -c "apt-get download $$package || apt-get download $$package-unsigned"
	@cd $(@D)/image && dpkg -x *.deb . && rm *.deb && mkdir stock && \
		for name in irqbypass kvm; do \
			find lib -name "$$name.ko*" -exec xz -dcf {} + > stock/$$name.ko || exit 1; \
		done && mv boot/vmlinuz-* stock/vmlinuz && rm -rf boot lib usr
	@touch $@

$(MODULES_DIR)/base.cpio: $(MODULES_DIR)/done $(MODULES_DIR)/image.done \
		$(B)/kernel.done $(B)/init
	@{ $(call base-list, $(@D)/image/stock/irqbypass.ko $(MODULES_OUT)); } > $(@D)/base.list
	@$(call base-cpio, $(@D)/base.list)

#: make test-modules [KVER=]         Debian's own kernel with these modules: the selftests
.PHONY: test-modules test-stock
test-modules: apt-lists
	@kver=$(KVER); [ "$$kver" ] || kver=$$($(ROOT)/debian/kver.sh $(KERNEL) $(FLAVOUR)) || exit 1; \
	{ for goal in modules-build test-stock; do \
		$(MAKE) $$goal KVER=$$kver KERNEL=$$(echo $$kver | cut -d. -f1,2) || exit 1; \
	done; } $(sum)

# The QEMU guest has the lab's kernel, and must not be slow; the host has Debian's.
test-stock: BOOT_FLAGS += -t 1800
test-stock: LAB_KERNEL := $(MODULES_DIR)/image/stock/vmlinuz
test-stock: LAB_BASE := $(MODULES_DIR)/base.cpio
test-stock: lab $(B)/selftests.done $(MODULES_DIR)/base.cpio
	@$(call lab-new, modules); \
	$(call run-files,$(HOST_PROGS)) > files; \
	$(call run-files,$(TOOL_PROGS)) > guest.files; \
	$(call plan, run /run/exitstats_tool_test /run/exitstats /run/example_critical) \
		> guest.plan; \
	for ept in 1 0; do \
		$(call plan, kvm ept=$$ept); \
		$(call run-plan,$(HOST_PROGS)); \
		$(call plan, guest); \
	done > plan
	@status=0; $(call lab-run, modules) || status=$$?; \
	cd $(B)/run/modules; echo 1..4; \
	$(call tap, grep -qF "Linux version $(KVER) " console.log, it was $(KVER)); \
	$(call console-verdict,$(KVER)); \
	$(call tap, [ "$$(modinfo -F vermagic $(MODULES_DIR)/image/stock/kvm.ko)" = \
		"$$(modinfo -F vermagic $(MODULES_OUT)/kvm.ko)" ], vermagic is that of Debian); \
	$(call tap, (cd / && for k in mistyped 5.10.0-1-amd64 6.12.0+deb12-amd64; do \
		! $(ROOT)/debian/packages.sh $$k > /dev/null 2>&1 || exit 1; done), \
		kernels that cannot be are refused); \
	[ $$status = 0 ] || [ $$status = 4 ]
