# SPDX-License-Identifier: GPL-2.0-only
#
# The packages, the patched tree, and what is built in it.

KNOWN := $(notdir $(patsubst %/,%,$(wildcard $(ROOT)/patches/*/)))
ifeq ($(filter $(KERNEL),$(KNOWN))$(wildcard $(KERNEL)),)
$(error KERNEL=$(KERNEL): no such tree or tarball, and not a version that patches/ has: $(KNOWN))
endif

# SAN=kasan or, several in one kernel, SAN=kasan-lockdep: a kernel with sanitizers
SANS := $(patsubst $(LAB)/sanitizer-%.config,%,$(wildcard $(LAB)/sanitizer-*.config))
SAN_CONFIGS := $(patsubst %,$(LAB)/sanitizer-%.config,$(subst -, ,$(SAN)))
ifneq ($(filter-out $(SANS),$(subst -, ,$(SAN))),)
$(error SAN=$(SAN): no such sanitizer; there are: $(SANS))
endif

# What Debian 12 needs beyond make; PACKAGES+= adds one. See source.sh for the source.
PACKAGES := gcc libc6-dev flex bison bc libelf-dev libssl-dev xz-utils zstd rsync patch kmod \
	    ccache gnuplot-nox isolinux syslinux-common xorriso qemu-system-x86 \
	    libjansson-dev

# To apt, bochs is content with QEMU's firmware in place of its own.
PACKAGES += bochs bochs-term bochsbios vgabios

# One directory for each KERNEL and SAN; a path gets a name of its own.
NAME := $(if $(findstring /,$(KERNEL)),path-$(firstword $(shell echo $(KERNEL) | md5sum | cut -c1-8)),$(KERNEL))$(addprefix -,$(SAN))
B := $(BUILD)/$(NAME)
LINUX := $(B)/linux

NEW_FILES := $(shell find $(ROOT)/arch $(ROOT)/include -type f)
SELFTESTS := $(wildcard $(EXITSTATS)/*.[ch] $(TOOL)/*.[ch] $(TOOL)/src/*.[ch] \
	$(EXITSTATS)/shim/*/*.h $(EXITSTATS)/shim/*/*/*.h) $(EXITSTATS)/exitstats.mk
PATCHES := $(wildcard $(addprefix $(ROOT)/patches/, *.patch *.txt */*.patch))

export CCACHE_DIR ?= $(HOME)/.cache/ccache
ifndef CCACHE_DISABLE
ifneq ($(shell mkdir -p $(CCACHE_DIR) && [ -w $(CCACHE_DIR) ] && echo yes),yes)
$(warning $(CCACHE_DIR): cannot be written to: building without a cache)
export CCACHE_DISABLE := 1
endif
endif
export KBUILD_BUILD_TIMESTAMP := 2026-01-01
export KBUILD_BUILD_USER := exitstats
export KBUILD_BUILD_HOST := lab
# A make that has nothing of this one: with our job server it would warn of its own -j.
OTHER_MAKE := env -u MAKEFLAGS -u MAKELEVEL make --no-print-directory
# ... of this Makefile, for the checks of a plan
CHECK_MAKE = $(OTHER_MAKE) -C $(ROOT) KERNEL=$(KERNEL) BUILD=$(BUILD) CPU=$(CPU)
KMAKE := $(OTHER_MAKE) -C $(LINUX) CC="ccache gcc" HOSTCC="ccache gcc"

# Bring what is missing, or say what to bring.
.PHONY: packages
packages:
	@missing=; for p in $(PACKAGES); do \
		dpkg-query -W -f '$${db:Status-Status}' $$p 2> /dev/null | grep -qx installed || \
			missing="$$missing $$p"; \
	done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" != 0 ] || ! command -v apt-get > /dev/null; then \
		echo "missing packages; as root: apt-get install --no-install-recommends$$missing" >&2; \
		exit 1; \
	fi; \
	mkdir -p $(BUILD); \
	DEBIAN_FRONTEND=noninteractive $(PROGRESS) "installing$$missing" $(BUILD)/apt.log \
		flock $(BUILD)/apt.lock sh -c "apt-get update && apt-get install -y --no-install-recommends $$missing"

$(B)/tree.done: $(NEW_FILES) $(PATCHES) $(ROOT)/patches/tree.sh $(ROOT)/patches/stage.sh | packages
	@$(ROOT)/patches/tree.sh $(KERNEL) $(B) $(STEPS) > /dev/null
	@touch $@

# Every line of kernel.config and of the sanitizer's must have made it into .config, but
# for those that kernel-VERSION.config says this kernel does not know.
CONFIGS := $(LAB)/kernel.config $(SAN_CONFIGS)
$(B)/config.done: $(CONFIGS) $(B)/tree.done
	@grep -h ^CONFIG $(CONFIGS) | sort -u > $(B)/config
	@$(KMAKE) -s allnoconfig KCONFIG_ALLCONFIG=$(B)/config
	@lost=$$(cat $(LINUX)/.config $(LAB)/kernel-$$(cat $(B)/version).config 2> /dev/null | \
		grep -vxFf - $(B)/config | grep '^CONFIG'); [ -z "$$lost" ] || \
		{ echo "$(notdir $(CONFIGS)): this kernel does not take" $$lost >&2; exit 1; }
	@touch $@

# KCSAN for KVM alone: a whole kernel of it boots in four minutes, on two emulated CPUs.
BZIMAGE_FLAGS = $(if $(filter kcsan,$(subst -, ,$(SAN))),CFLAGS_KCSAN=)
$(B)/kernel.done: $(B)/config.done
	@$(PROGRESS) "building Linux $(NAME)" $(B)/kernel.log sh -c \
		'$(KMAKE) -j$(JOBS) bzImage $(BZIMAGE_FLAGS) && $(KMAKE) -j$(JOBS) modules'
	@touch $@

include $(EXITSTATS)/exitstats.mk
SELFTEST_DIR := $(LINUX)/tools/testing/selftests/kvm
SELFTEST_PROGS := $(addprefix $(SELFTEST_DIR)/,$(EXITSTATS_TESTS))
TOOL_PROGS := $(addprefix $(SELFTEST_DIR)/,$(EXITSTATS_TOOLS))
# KVM's own that the series must not break: one for any host, one for an AMD host. The
# latter's directory depends on the kernel, and is known when the tree is there.
KVM_PROGS := $(SELFTEST_DIR)/kvm_binary_stats_test
SVM_PROGS = $(patsubst %.c,%,$(wildcard $(SELFTEST_DIR)/x86*/svm_vmcall_test.c))

# The lab has no shared libraries. The selftests' build names all files by absolute paths,
# which the compiler cache must not see: a clone elsewhere has the same objects.
# 6.1 does not know which headers a test includes, and newer kernels know them under names
# that are not those of their targets: make all tests anew. A make that has waited for
# another one, which has done so, must not take the programs away from it.
MAKE_START := $(shell date +%s)
$(B)/selftests.done: $(SELFTESTS) $(B)/kernel.done
	@$(ROOT)/patches/tree.sh $(KERNEL) $(B) $(STEPS) > /dev/null
	@$(PROGRESS) "building the selftests" $(B)/selftests.log sh -c \
		'[ $$(stat -c %Y $@ 2> /dev/null || echo 0) -ge $(MAKE_START) ] || \
		{ rm -f $(SELFTEST_PROGS) $(SELFTEST_PROGS:=.o) $(TOOL_PROGS); $(KMAKE) -j$(JOBS) headers && \
		LDFLAGS=-static CCACHE_BASEDIR=$(B) CCACHE_NOHASHDIR=1 $(OTHER_MAKE) \
		-C $(SELFTEST_DIR) OUTPUT=$(SELFTEST_DIR) CC="ccache gcc" -j$(JOBS) \
		$(SELFTEST_PROGS) $(TOOL_PROGS) $(KVM_PROGS) $(SVM_PROGS); }'
	@touch $@
