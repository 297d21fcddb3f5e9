#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# packages.sh KVER: print the packages to install for building modules for Debian's kernel
# KVER: its linux-headers, and the linux-source of the same version. Print nothing if both
# are installed. It is an error if they are unavailable, or installed in another version.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
kver=$1

die()
{
	echo "$kver: $*" >&2
	exit 1
}

version=$(echo "$kver" | sed -nE 's/^([0-9]+\.[0-9]+)\.[0-9]+[^-]*(-[0-9]+)?(-cloud)?-amd64$/\1/p')
[ "$version" ] || die "not what uname -r prints on Debian's amd64 or cloud-amd64 kernel"
[ -d "$root/patches/$version" ] ||
	die "no patches for $version; there are:" $(cd "$root/patches" && ls -d */ | tr -d /)
headers=linux-headers-$kver
source=linux-source-$version

# Print the installed version of package $1, which owns file $2, or its version in the archive.
version_of()
{
	if [ -e "$2" ]; then
		dpkg-query -W -f '${Version}' "$1"
	else
		apt-cache show --no-all-versions "$1" 2> /dev/null | sed -n 's/^Version: //p'
	fi
}

wanted=$(version_of "$headers" "/usr/src/$headers/Makefile")
[ "$wanted" ] || die "apt knows no $headers (apt-get update?); here are those of:" \
	$(ls -d /usr/src/linux-headers-*-amd64 2> /dev/null | sed 's/.*linux-headers-//')
have=$(version_of "$source" "/usr/src/$source.tar.xz")
if [ ! -e "/usr/src/$source.tar.xz" ] || [ "$have" != "$wanted" ]; then
	apt-cache show "$source=$wanted" > /dev/null 2>&1 ||
		die "needs $source of version $wanted, which apt does not know: use a newer kernel"
	[ ! -e "/usr/src/$source.tar.xz" ] ||
		die "is $wanted, but $source is $have; as root: apt-get install $source=$wanted"
	echo "$source=$wanted"
fi
[ -e "/usr/src/$headers/Makefile" ] || echo "$headers"
