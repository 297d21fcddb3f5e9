# SPDX-License-Identifier: GPL-2.0-only
#
# The packages, the patched tree, and the builds in it.

KNOWN := $(notdir $(patsubst %/,%,$(wildcard $(ROOT)/patches/*/)))
ifeq ($(filter $(KERNEL),$(KNOWN))$(wildcard $(KERNEL)),)
$(error KERNEL=$(KERNEL): no such tree or tarball, and not a version that patches/ has: $(KNOWN))
endif

# SAN= selects a kernel with sanitizers: SAN=kasan, or for two in one kernel SAN=kasan-lockdep.
SANS := $(patsubst $(LAB)/sanitizer-%.config,%,$(wildcard $(LAB)/sanitizer-*.config))
SAN_CONFIGS := $(patsubst %,$(LAB)/sanitizer-%.config,$(subst -, ,$(SAN)))
ifneq ($(filter-out $(SANS),$(subst -, ,$(SAN))),)
$(error SAN=$(SAN): no such sanitizer; the sanitizers are: $(SANS))
endif

# Packages that Debian 12 needs besides make; PACKAGES+= adds one. patches/source.sh
# gets the kernel's source.
PACKAGES := gcc libc6-dev flex bison bc libelf-dev libssl-dev xz-utils zstd rsync patch kmod \
	    ccache gnuplot-nox isolinux syslinux-common xorriso qemu-system-x86 \
	    libjansson-dev

# apt would install QEMU's firmware to satisfy bochs, which needs its own.
PACKAGES += bochs bochs-term bochsbios vgabios

# Each KERNEL and SAN has its own directory. A path gets a name from its checksum.
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
# A make that inherits nothing from this one: with our job server, its own -j would warn.
OTHER_MAKE := env -u MAKEFLAGS -u MAKELEVEL make --no-print-directory
# The same with this Makefile, for the checks of a plan
CHECK_MAKE = $(OTHER_MAKE) -C $(ROOT) KERNEL=$(KERNEL) BUILD=$(BUILD) CPU=$(CPU)
KMAKE := $(OTHER_MAKE) -C $(LINUX) CC="ccache gcc" HOSTCC="ccache gcc"

# Install missing packages, or say how to.
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

# .config must have every line of kernel.config and of the sanitizers' files, except those
# in kernel-VERSION.config, which this kernel does not know. "# ... is not set" in a sanitizer's
# file removes a line.
CONFIGS := $(LAB)/kernel.config $(SAN_CONFIGS)
$(B)/config.done: $(CONFIGS) $(B)/tree.done
	@grep -h ^CONFIG $(CONFIGS) | sort -u | \
		grep -vxFf <(sed -n 's/^# \(CONFIG_.*\) is not set/\1=y/p' $(CONFIGS)) > $(B)/config
	@$(KMAKE) -s allnoconfig KCONFIG_ALLCONFIG=$(B)/config
	@lost=$$(cat $(LINUX)/.config $(LAB)/kernel-$$(cat $(B)/version).config 2> /dev/null | \
		grep -vxFf - $(B)/config | grep '^CONFIG'); [ -z "$$lost" ] || \
		{ echo "$(notdir $(CONFIGS)): this kernel does not take" $$lost >&2; exit 1; }
	@touch $@

# Only KVM is built with KCSAN: a whole kernel with it takes four minutes to boot on two
# emulated CPUs.
BZIMAGE_FLAGS = $(if $(filter kcsan,$(subst -, ,$(SAN))),CFLAGS_KCSAN=)
$(B)/kernel.done: $(B)/config.done
	@$(PROGRESS) "building Linux $(NAME)" $(B)/kernel.log sh -c \
		'$(KMAKE) -j$(JOBS) bzImage $(BZIMAGE_FLAGS) && $(KMAKE) -j$(JOBS) modules'
	@touch $@

include $(EXITSTATS)/exitstats.mk
SELFTEST_DIR := $(LINUX)/tools/testing/selftests/kvm
SELFTEST_PROGS := $(addprefix $(SELFTEST_DIR)/,$(EXITSTATS_TESTS))
TOOL_PROGS := $(addprefix $(SELFTEST_DIR)/,$(EXITSTATS_TOOLS))
# KVM's own selftests that the series must not break: one for any host, one for an AMD
# host. The latter's directory depends on the kernel, so look for it when the tree exists.
KVM_PROGS := $(SELFTEST_DIR)/kvm_binary_stats_test
SVM_PROGS = $(patsubst %.c,%,$(wildcard $(SELFTEST_DIR)/x86*/svm_vmcall_test.c))

# Link statically: the lab has no shared libraries. The selftests' build names all files
# by absolute paths; hide them from the compiler cache, so that clones elsewhere share
# objects. 6.1 does not track which headers a test includes, and newer kernels record them
# for targets of other names, so build all tests again. But keep them if another make has
# built them since this one started: they may be in use.
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
