#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# variant.sh B NAME [PATCH]: make a tree in B/variants/NAME, for building variants of KVM's
# modules that the kernel in B/linux can load. NAME decides:
#
#	unpatched	without the series
#	off		with the series, CONFIG_KVM_EXITSTATS=n
#	mutant-*	with the series and PATCH
#	checked		with the series
#	other names	without the series, with PATCH
#
# The tree has only the files that a build with M= needs, most of them as hard links.
set -eu

b=$1
name=$2
patch=${3:-}
tree=$b/variants/$name

rm -rf "$tree"
mkdir -p "$tree"
cd "$b/linux"
cp -al --parents Makefile .config Module.symvers arch/x86 include scripts virt tools/objtool \
	"$tree"

# kbuild writes these in place, so they must not be hard links.
rm -rf "$tree/arch/x86/kvm" "$tree/virt/kvm"
cp -a --parents arch/x86/kvm virt/kvm "$tree"
cd "$tree"
find arch/x86/kvm virt/kvm -type f \( -name '*.o' -o -name '*.ko' -o -name '.*.cmd' -o \
	-name '*.mod' -o -name '*.mod.c' -o -name '*.order' -o \
	-name 'kvm-asm-offsets.[hs]' \) -delete

case $name in
mutant-* | checked)
	;;
*)
	# A build with M= takes the configuration from these two files.
	sed -i '/CONFIG_KVM_EXITSTATS/d' include/config/auto.conf include/generated/autoconf.h
	[ "$name" = off ] || {
		xargs rm -f < "$b/new.applied"
		cp -a --remove-destination "$b/pristine/." .
		find . -name '*.orig' -delete
	}
	;;
esac
[ -z "$patch" ] || patch -s -p1 --no-backup-if-mismatch < "$patch"
