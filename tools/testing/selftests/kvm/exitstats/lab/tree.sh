#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# tree.sh KERNEL DIR: make or refresh DIR/linux, a kernel tree with the series.
#
# KERNEL is a version under patches/, a kernel tree or a kernel source tarball.
# Only files whose content changes are written, so that kbuild rebuilds what it
# must. DIR/pristine keeps the original of each file that a patch ever touched.
set -eu

root=$(cd "$(dirname "$0")/../../../../../.." && pwd)
kernel=$1
dir=$2

die()
{
	echo "$*" >&2
	exit 1
}

# What a Makefile of the kernel says of its version, as 6.12
version_of()
{
	awk -F' *= *' '$1 == "VERSION" { v = $2 } $1 == "PATCHLEVEL" { print v "." $2; exit }'
}

if [ -d "$root/patches/$kernel" ]; then
	source=/usr/src/linux-source-$kernel.tar.xz
	version=$kernel
elif [ -f "$kernel/Makefile" ]; then
	source=$kernel
	version=$(version_of < "$kernel/Makefile")
elif [ -f "$kernel" ]; then
	source=$kernel
	version=$(tar -xOf "$kernel" --occurrence=1 --wildcards --no-wildcards-match-slash \
		  '*/Makefile' | version_of)
else
	die "KERNEL=$kernel: neither a kernel tree or tarball nor a known version:" \
	    $(ls "$root/patches")
fi
[ -d "$root/patches/${version:-none}" ] ||
	die "KERNEL=$kernel: is ${version:-no kernel}; there are patches for:" $(ls "$root/patches")

if [ ! -d "$dir/linux" ]; then
	[ -e "$source" ] || die "$source is missing: apt-get install linux-source-$version"
	mkdir -p "$dir"
	free=$(df -Pk "$dir" | awk 'END { print int($4 / 1024) }')
	[ "$free" -ge 4000 ] || die "$dir: $free MB free, a kernel build needs 4000"
	rm -rf "$dir/linux.new" "$dir/pristine"
	mkdir "$dir/linux.new"
	echo "  unpacking $source" >&2
	if [ -d "$source" ]; then
		cp -a "$source/." "$dir/linux.new"
	else
		tar -xf "$source" -C "$dir/linux.new" --strip-components=1
	fi
	mv "$dir/linux.new" "$dir/linux"
fi

# The originals with the patches, and the new files, side by side with the tree
stage=$dir/stage
mkdir -p "$dir/pristine"
for file in $(sed -n 's,^+++ b/,,p' "$root/patches/$version"/*.patch | sort -u); do
	[ -e "$dir/pristine/$file" ] && continue
	mkdir -p "$dir/pristine/$(dirname "$file")"
	cp -p "$dir/linux/$file" "$dir/pristine/$file"
done
rm -rf "$stage"
cp -a "$dir/pristine" "$stage"
for patch in "$root/patches/$version"/*.patch; do
	patch -s -d "$stage" -p1 --no-backup-if-mismatch < "$patch" > "$dir/patch.log" ||
		die "patches/$version/${patch##*/} does not apply to $source:" "$(cat "$dir/patch.log")"
done
(cd "$root" && find arch include Documentation tools -type f) > "$dir/new.list"
(cd "$root" && xargs cp --parents -t "$stage") < "$dir/new.list"

# What was new in an earlier version of the series and is no more
if [ -f "$dir/new.applied" ]; then
	sort "$dir/new.list" | comm -13 - "$dir/new.applied" | (cd "$dir/linux" && xargs -r rm -f)
fi
rsync -rc "$stage/" "$dir/linux/"
sort "$dir/new.list" > "$dir/new.applied"
rm -rf "$stage"
echo "$dir/linux"
