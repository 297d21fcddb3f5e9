#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# variant.sh B NAME [PATCH]: build KVM's modules once more, in B/variants/NAME, to
# load into the very kernel that is in B/linux.
#
#	unpatched	as they are without the series
#	off		with the series, CONFIG_KVM_EXITSTATS=n
#	mutant-*	with the series, and PATCH
#	checked		with the series
#	other		as they are without the series, and PATCH
#
# Only what M= needs is there, most of it by hard links.
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

# What kbuild writes in place, it must not write through a link.
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
	# M= takes the configuration from these two as it finds them.
	sed -i '/CONFIG_KVM_EXITSTATS/d' include/config/auto.conf include/generated/autoconf.h
	[ "$name" = off ] || {
		xargs rm -f < "$b/new.applied"
		cp -a --remove-destination "$b/pristine/." .
		find . -name '*.orig' -delete
	}
	;;
esac
[ -z "$patch" ] || patch -s -p1 --no-backup-if-mismatch < "$patch"
