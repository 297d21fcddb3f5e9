#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# emulator.sh [bochs|kvm]: print what the lab runs in: kvm, which is QEMU with KVM,
# where this machine's KVM can nest VMX, and bochs, which emulates it, elsewhere.
# With an argument, that one, or why it cannot be, on standard output like the
# answer, and status 1. $LAB_ROOT, for the test, is a directory to look at instead
# of /.
root=${LAB_ROOT:-}
asked=${1:-}

case $asked in
bochs)
	echo bochs
	exit
	;;
'' | kvm)
	;;
*)
	echo "LAB=$asked: neither bochs nor kvm"
	exit 1
	;;
esac

vmx=
missing=
if ! grep -qw '^flags.* vmx' "$root/proc/cpuinfo"; then
	missing="this processor has no VMX (no vmx among the flags in /proc/cpuinfo)"
else
	vmx=yes
	nested=$(cat "$root/sys/module/kvm_intel/parameters/nested" 2> /dev/null)
	if [ ! -e "$root/dev/kvm" ]; then
		missing="there is no /dev/kvm: modprobe kvm-intel"
	elif [ ! -r "$root/dev/kvm" ] || [ ! -w "$root/dev/kvm" ]; then
		missing="/dev/kvm is not yours to open: run as root, or join its group"
	elif [ "$nested" != Y ] && [ "$nested" != 1 ]; then
		missing="KVM does not nest: modprobe -r kvm-intel; modprobe kvm-intel nested=1"
	fi
fi

if [ -z "$missing" ]; then
	echo kvm
elif [ "$asked" ]; then
	echo "LAB=kvm: $missing"
	exit 1
else
	# Whoever has VMX may want to know what is between them and a fast lab.
	[ -z "$vmx" ] || echo "  in Bochs, not QEMU with KVM: $missing" >&2
	echo bochs
fi
