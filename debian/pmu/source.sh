#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# source.sh DIR: put into DIR what DKMS builds the guest's driver for perf from.
set -eu

cd "$(dirname "$0")/../.."
install -D -m 644 -t "$1" arch/x86/events/exitstats_pmu.c debian/pmu/Kbuild
install -D -m 644 -t "$1/include/linux" include/uapi/linux/kvm_exitstats.h
mkdir -p "$1/compat/asm/cpuid"
sed -n '/^@@/,$ s/^+//p' patches/6.12/0008-pmu.patch > "$1/compat/asm/cpuid/api.h"
