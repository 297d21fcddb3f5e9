#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# tree.sh KERNEL DIR [STEP ...]: make or update DIR/linux, a kernel tree with the series, or
# with these steps of it (see stage.sh).
#
# KERNEL is a version under patches/, a kernel tree or a kernel source tarball. Write only
# files whose content changes, so that kbuild rebuilds only what it must. DIR/pristine keeps
# the original of each file that any patch has changed so far.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=${here%/*}
kernel=$1
dir=$2
shift 2

die()
{
	echo "$*" >&2
	exit 1
}

versions=$(cd "$root/patches" && ls -d */ | tr -d /)
if [ -d "$root/patches/$kernel" ]; then
	source=
	version=$kernel
elif [ -e "$kernel" ]; then
	source=$kernel
	version=$("$here/version.sh" "$kernel")
else
	die "KERNEL=$kernel: neither a kernel tree or tarball nor a known version:" $versions
fi
[ -d "$root/patches/${version:-none}" ] ||
	die "KERNEL=$kernel: is ${version:-no kernel}; there are patches for:" $versions

# Unpack under another name and rename, so that $2 never exists incomplete.
unpack()
{
	rm -rf "$2.new"
	mkdir -p "$2.new"
	echo "  unpacking $1" >&2
	if [ -d "$1" ]; then
		cp -a "$1/." "$2.new"
	else
		tar -xf "$1" -C "$2.new" --strip-components=1
	fi || { rm -rf "$2.new"; die "$1: cannot be unpacked to $2: is it damaged, or the disk full?"; }
	mv "$2.new" "$2"
}

# Only one make at a time may change the tree or build in it (progress.sh takes the same lock).
mkdir -p "$dir"
exec 9> "$dir/lock"
flock -n 9 || { echo "  waiting for the make that runs in $dir" >&2; flock 9; }

if [ ! -d "$dir/linux" ]; then
	free=$(df -Pk "$dir" | awk 'END { print int($4 / 1024) }')
	[ "$free" -ge 4000 ] ||
		die "$dir: $free MB free, a kernel build needs 4000: make room, or say BUILD=DIR on another disk"
	rm -rf "$dir/linux.new" "$dir/pristine"
	if [ "$source" ]; then
		unpack "$source" "$dir/linux"
	else
		# All builds of a version share its source through hard links. Both this script
		# and kbuild replace files rather than write to them.
		shared=$(dirname "$dir")/source
		mkdir -p "$shared"
		exec 7> "$shared/$version.lock"
		flock 7
		if [ ! -d "$shared/$version" ]; then
			tarball=$("$here/source.sh" "$version" "$shared")
			unpack "$tarball" "$shared/$version"
		fi
		flock -u 7
		cp -al "$shared/$version" "$dir/linux.new"
		mv "$dir/linux.new" "$dir/linux"
	fi
fi

echo "$version" > "$dir/version"
stage=$dir/stage
mkdir -p "$dir/pristine"
cd "$dir/linux"
for file in $(sed -n 's,^--- a/,,p' "$root"/patches/*.patch "$root/patches/$version"/*.patch); do
	[ -e "$dir/pristine/$file" ] || cp -p --parents "$file" "$dir/pristine"
done
rm -rf "$stage"
"$here/stage.sh" "$version" "$dir/pristine" "$stage" "$@" || die "patches/ does not fit ${source:-$dir/linux}"
(cd "$stage" && find . -type f -printf '%P\n') | while read -r file; do
	[ -e "$dir/pristine/$file" ] || echo "$file"
done | sort > "$dir/new.list"

# Remove files that an earlier version of the series added and this one does not.
if [ -f "$dir/new.applied" ]; then
	comm -13 "$dir/new.list" "$dir/new.applied" | (cd "$dir/linux" && xargs -r rm -f)
fi
# Restore files that no patch changes any more.
rsync -r --ignore-existing "$dir/pristine/" "$stage/"
rsync -rc "$stage/" "$dir/linux/"
mv "$dir/new.list" "$dir/new.applied"
rm -rf "$stage"
echo "$dir/linux"
