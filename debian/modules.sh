#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# modules.sh prepare|build KVER DIR: build KVM's modules with the series for Debian's kernel
# KVER. Both make modules and DKMS call this; as DKMS must not install packages, neither
# does this script.
#
#	prepare		make DIR with KVM's source and the series
#	build		build arch/x86/kvm/{kvm,kvm-intel,kvm-amd}.ko in DIR
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=${here%/*}
kver=$2
dir=$(realpath -m "$3")

die()
{
	echo "$kver: $*" >&2
	exit 1
}

case $1 in
prepare)
	missing=$("$here/packages.sh" "$kver")
	[ -z "$missing" ] || die "as root: apt-get install" $missing
	version=$(echo "$kver" | cut -d . -f 1,2)
	source=linux-source-$version

	# The steps of the series that change KVM, and files outside its directories that they change
	patches=$(cd "$root/patches" && grep -l '^--- a/arch/x86/kvm' ./*.patch "$version"/*.patch)
	others=$(cd "$root/patches" && sed -n "s,^--- a/,$source/,p" $patches |
		grep -v -e /arch/x86/kvm/ -e /virt/kvm/ | sort -u)
	rm -rf "$dir" "$dir.new" "$dir.stage"
	mkdir -p "$dir.new"
	tar -xf "/usr/src/$source.tar.xz" -C "$dir.new" --strip-components=1 \
		"$source/arch/x86/kvm" "$source/virt/kvm" $others
	"$root/patches/stage.sh" "$version" "$dir.new" "$dir.stage" \
		$(basename -s .patch $patches | sort -u)
	cp -r "$dir.stage/." "$dir.new"
	cp "$here/Kbuild" "$dir.new/arch/x86/kvm"
	rm -rf "$dir.stage"
	mv "$dir.new" "$dir"
	;;
build)
	cd "$dir/arch/x86/kvm"
	env -u MAKEFLAGS make -C "/usr/src/linux-headers-$kver" M="$PWD" -j"$(nproc)" modules
	strip -g kvm.ko kvm-intel.ko kvm-amd.ko
	stock=$(find "/lib/modules/$kver/kernel/arch/x86/kvm" -name 'kvm.ko*' 2> /dev/null || :)
	want=$(modinfo -F vermagic ${stock:-kvm.ko})
	[ "$(modinfo -F vermagic kvm.ko)" = "$want" ] ||
		die "the vermagic of kvm.ko differs from that of $stock"
	;;
*)
	die "$1: neither prepare nor build"
	;;
esac
