# SPDX-License-Identifier: GPL-2.0-only
#
# KVM's modules for a Debian kernel, and a test of that kernel with them in the lab.

# Flavour of the test's kernel without KVER: the smaller one
FLAVOUR := cloud-amd64
# Set kver to KVER, or to the version of the test's kernel.
set-kver = kver=$(KVER); [ "$$kver" ] || kver=$$($(ROOT)/debian/kver.sh $(KERNEL) $(FLAVOUR)) || exit 1
MODULES_DIR = $(BUILD)/modules/$(KVER)
MODULES_OUT = $(OUT)/modules/$(KVER)

# apt needs package lists to find kernels.
.PHONY: apt-lists
apt-lists:
	@mkdir -p $(BUILD)
	@apt-cache show linux-base > /dev/null 2>&1 || [ "$$(id -u)" != 0 ] || \
		$(PROGRESS) "asking apt for its lists" $(BUILD)/apt.log apt-get update

#: make modules KVER=$(uname -r)     KVM's modules for a Debian kernel, in out/modules/KVER
.PHONY: modules modules-build
modules: modules-build
	@cd $(MODULES_OUT) && ls -d $$PWD/*.ko; \
	printf '%s\n' "" "As root on $(KVER), no VM running; on AMD, amd for intel:" \
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
	@$(PROGRESS) "putting the series on KVM of $(KVER)" $(@D)/prepare.log \
		$(ROOT)/debian/modules.sh prepare $(KVER) $(@D)/linux
	@$(PROGRESS) "building KVM for $(KVER)" $(@D)/build.log \
		env DEBIAN_KERNEL_USE_CCACHE=y $(ROOT)/debian/modules.sh build $(KVER) $(@D)/linux
	@touch $@

# Unpack Debian's kernel here; do not install it.
$(MODULES_DIR)/image.done:
	@rm -rf $(@D)/image && mkdir -p $(@D)/image
	@cd $(@D)/image && package=linux-image-$(KVER) && \
		$(PROGRESS) "downloading $$package" $(@D)/image.log \
		sh -c "apt-get download $$package || apt-get download $$package-unsigned"
	@cd $(@D)/image && dpkg -x *.deb . && rm *.deb && mkdir stock && \
		for name in irqbypass kvm; do \
			find lib -name "$$name.ko*" -exec xz -dcf {} + > stock/$$name.ko || exit 1; \
		done && mv boot/vmlinuz-* stock/vmlinuz && rm -rf boot lib usr
	@touch $@

#: make test-modules [KVER=] [CPU=]  run the selftests on Debian's own kernel with these modules
.PHONY: test-modules test-stock
test-modules: apt-lists
	@$(set-kver); \
	for goal in modules-build test-stock; do \
		$(MAKE) $$goal KVER=$$kver KERNEL=$$(echo $$kver | cut -d. -f1,2) || exit 1; \
	done

test-stock: lab $(call needs,modules) $(MODULES_DIR)/image.done
	@$(call lab,modules,KVER=$(KVER) STOCK=$(MODULES_DIR)/image/stock OURS=$(MODULES_OUT) \
		PACKAGES_SH=$(ROOT)/debian/packages.sh)

# The guest's driver, built from what DKMS has, by the command that DKMS executes
$(MODULES_DIR)/pmu/exitstats_pmu.ko: $(ROOT)/arch/x86/events/exitstats_pmu.c \
		$(ROOT)/include/uapi/linux/kvm_exitstats.h $(wildcard $(ROOT)/debian/pmu/*)
	@rm -rf $(@D) && $(ROOT)/debian/pmu/source.sh $(@D)
	@$(PROGRESS) "building the driver for $(KVER)" $(MODULES_DIR)/pmu.log \
		$(OTHER_MAKE) -C /usr/src/linux-headers-$(KVER) M=$(@D) modules

#: make test-perf-debian [KVER=] [CPU=]  Debian's own kernel as a guest, with its driver for perf
.PHONY: test-perf-debian test-perf-stock
test-perf-debian: apt-lists
	@$(set-kver); \
	$(MAKE) packages PACKAGES="linux-perf linux-headers-$$kver" && \
	$(MAKE) test-perf-stock KVER=$$kver

test-perf-stock: lab $(call needs,perf-debian) $(MODULES_DIR)/image.done \
		$(MODULES_DIR)/pmu/exitstats_pmu.ko
	@$(call lab,perf-debian,KVER=$(KVER) STOCK=$(MODULES_DIR)/image/stock \
		DRIVER=$(MODULES_DIR)/pmu/exitstats_pmu.ko)
