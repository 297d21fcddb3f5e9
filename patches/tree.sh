#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# tree.sh KERNEL DIR [STEP ...]: make or refresh DIR/linux, a kernel tree with the
# series, or with these steps of it (see stage.sh).
#
# KERNEL is a version under patches/, a kernel tree or a kernel source tarball.
# Only files whose content changes are written, so that kbuild rebuilds what it
# must. DIR/pristine keeps the original of each file that a patch ever touched.
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

# A source that is unpacked or copied half-way is not there.
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

# One make at a time changes the tree or builds in it (progress.sh has the same lock).
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
		# All builds of a version share its source by hard links: whatever changes
		# a file of it, here and in kbuild, puts another in its place.
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
"$here/stage.sh" "$version" "$dir/pristine" "$stage" "$@" || die "that was patches/ on ${source:-$dir/linux}"
(cd "$stage" && find . -type f -printf '%P\n') | while read -r file; do
	[ -e "$dir/pristine/$file" ] || echo "$file"
done | sort > "$dir/new.list"

# What was new in an earlier version of the series and is no more
if [ -f "$dir/new.applied" ]; then
	comm -13 "$dir/new.list" "$dir/new.applied" | (cd "$dir/linux" && xargs -r rm -f)
fi
# A file that no patch changes any more is as it was.
rsync -r --ignore-existing "$dir/pristine/" "$stage/"
rsync -rc "$stage/" "$dir/linux/"
mv "$dir/new.list" "$dir/new.applied"
rm -rf "$stage"
echo "$dir/linux"
