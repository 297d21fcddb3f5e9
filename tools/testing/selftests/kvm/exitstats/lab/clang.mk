# SPDX-License-Identifier: GPL-2.0-only
#
# KVM's objects, built by clang with all the warnings of W=1; for gcc see check.mk.

CLANG := $(B)-clang
CLANG_MAKE := $(OTHER_MAKE) -C $(CLANG)/linux HOSTCC="ccache gcc" CC="ccache clang" W=1
CLANG_FILES := (arch/x86/kvm|virt/kvm|arch/x86/include/asm/kvm|include/(uapi/)?linux/kvm)

# In a tree of its own, for the configuration is clang's. All objects are made each time,
# as one that is there does not warn; ccache has the warnings.
#: make test-clang                   KVM's objects by clang, with W=1: no warning
.PHONY: test-clang
test-clang: PACKAGES += clang
test-clang: $(B)/config.done
	@$(ROOT)/patches/tree.sh $(KERNEL) $(CLANG) > /dev/null
	@$(CLANG_MAKE) -s allnoconfig KCONFIG_ALLCONFIG=$(B)/config
	@find $(CLANG)/linux/arch/x86/kvm $(CLANG)/linux/virt/kvm -name '*.o' -delete
	@$(ROOT)/scripts/progress.sh "building KVM with clang" $(CLANG)/log sh -c \
		'$(CLANG_MAKE) -j$(JOBS) prepare && $(CLANG_MAKE) -j$(JOBS) arch/x86/kvm/ virt/kvm/'
	@{ echo 1..1; \
	$(call tap, ! grep -E '^(\./)?$(CLANG_FILES).*warning:' $(CLANG)/log >&2, \
		clang: $$(grep -cE ' CC.* arch/x86/kvm/' $(CLANG)/log) objects of KVM without a warning); \
	} $(sum)
