# SPDX-License-Identifier: GPL-2.0-only
#
# KVM exitstats. `make help` lists the commands, and README explains them.
#
# make builds; the lab's driver boots and judges (lab/README). Each included file has the
# commands of one directory.

# Settings for the command line. A plan has its own settings.
KERNEL = 6.12
CPU = intel
EPT = 1
VCPUS = 1
JOBS = $(shell nproc)
BUILD = $(ROOT)/build
OUT = $(ROOT)/out

ROOT := $(patsubst %/,%,$(dir $(abspath $(lastword $(MAKEFILE_LIST)))))
EXITSTATS := $(ROOT)/tools/testing/selftests/kvm/exitstats
TOOL := $(EXITSTATS)/tool
# LAB=kvm or LAB=bochs on the command line selects the emulator. In the makefiles, LAB is the
# lab's directory.
LAB_EMULATOR := $(if $(filter command,$(origin LAB)),$(LAB))
override LAB := $(EXITSTATS)/lab
PROGRESS := $(ROOT)/scripts/progress.sh
SHELL := /bin/bash -o pipefail
MAKEFLAGS += --no-print-directory --no-builtin-rules

.PHONY: help
help:
	@cat $(addprefix $(LAB)/, lab.mk tests.mk faults.mk) $(ROOT)/patches/*.mk $(ROOT)/debian/*.mk \
		$(EXITSTATS)/{bench/bench,mutants/mutants}.mk $(ROOT)/Makefile | \
	sed -n 's/^#:: \(.*\)/\n\1/p; s/^#: /	/p'

.DELETE_ON_ERROR:
# Run one recipe at a time: the kernel's own makes use all processors. The parts of a test
# are the exception.
ifeq ($(MAKELEVEL)$(filter part-%,$(MAKECMDGOALS)),0)
.NOTPARALLEL:
endif

# Refuse wrong input with one line, before anything is built.
refuse = $(error $(1))
$(if $(filter 1,$(words $(CPU)))$(filter-out intel amd,$(CPU)),,$(call refuse,CPU=$(CPU): say intel or amd))
$(if $(filter-out intel amd,$(CPU)),$(call refuse,CPU=$(CPU): neither intel nor amd))
$(if $(findstring |$(EPT)|,|0|1|),,$(call refuse,EPT=$(EPT): neither 0 nor 1))
$(if $(findstring |$(VCPUS)|,|1|2|3|4|5|6|7|8|),,$(call refuse,VCPUS=$(VCPUS): the lab has 1 to 8 vCPUs))
$(if $(filter-out bochs kvm,$(LAB_EMULATOR)),$(call refuse,LAB=$(LAB_EMULATOR): neither bochs nor kvm))
quote = '$(subst ','\'',$(1))'
comma := ,
ifneq ($(filter host guest,$(MAKECMDGOALS)),)
WRONG := $(shell $(LAB)/program.sh $(call quote,$(RUN)) $(call quote,$(ARGS)))
$(if $(WRONG),$(call refuse,$(WRONG)))
endif

include $(LAB)/kernel.mk
include $(LAB)/lab.mk
include $(EXITSTATS)/bench/bench.mk
include $(LAB)/tests.mk
include $(LAB)/faults.mk
include $(ROOT)/patches/patches.mk
include $(ROOT)/patches/check.mk
include $(EXITSTATS)/mutants/mutants.mk
include $(ROOT)/debian/modules.mk
include $(ROOT)/debian/deb.mk

#:: Cleaning up
#: make clean                        remove build/ and out/
.PHONY: clean
clean:
	rm -rf $(BUILD) $(OUT)
