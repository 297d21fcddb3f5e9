#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# apply.sh apply|unapply TREE WORK: put the series on a kernel tree of the user's,
# or take it off, bit for bit. WORK is for what is made on the way.
#
# The journal TREE/.exitstats holds what the series makes of its files (new/), those
# of them that were there before (old/), and the names of all. It is complete and on
# disk before the first file changes, and goes when the last one is back. Files
# change one by one, by rename. So whatever interrupts this, either command goes on
# from there: apply to the end, unapply to the beginning. The directory TREE is locked
# meanwhile, by whatever this has started as well: of what was killed, the last write
# may yet be under way. (NFS does not lock directories.)
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=${here%/*}
what=$1
tree=$(cd "$2" && pwd)
work=$3
journal=$tree/.exitstats

die()
{
	echo "$tree: $*" >&2
	exit 1
}

# A directory that is there stays as it is.
copy="rsync -pog --no-implied-dirs"

# Those of the series' files that are neither as they were nor as the series has them
edited()
{
	while read -r file; do
		cmp -s "$journal/new/$file" "$tree/$file" ||
			cmp -s "$journal/old/$file" "$tree/$file" ||
			{ [ ! -e "$tree/$file" ] && [ ! -e "$journal/old/$file" ]; } ||
			echo "  $file"
	done < "$journal/names"
}

exec 9< "$tree"
flock -w 60 9 2> /dev/null || [ $? != 1 ] || die "another make apply or unapply is at work there"

rm -rf "$journal.tmp"
if [ -d "$journal" ]; then
	[ "$what" = unapply ] || [ ! -e "$journal/done" ] || die "has the series already"
	edited=$(edited)
	[ -z "$edited" ] || die "changed since the series was applied, and would be lost:
$edited"
elif [ "$what" = unapply ]; then
	die "no series that make apply has put there"
else
	version=$("$here/version.sh" "$tree")
	[ -d "$root/patches/${version:-none}" ] ||
		die "is ${version:-no kernel tree}; there are patches for" \
			$(cd "$root/patches" && ls -d */ | tr -d /)
	[ ! -e "$tree/arch/x86/kvm/exitstats.h" ] ||
		die "has the series already, not from make apply"
	rm -rf "$work"
	"$here/stage.sh" "$version" "$tree" "$work" || die "left as it was"

	mkdir -p "$journal.tmp/old" "$journal.tmp/tmp"
	cp -a "$work" "$journal.tmp/new"
	chown -R --reference="$tree/Makefile" "$journal.tmp"
	(cd "$work" && find . -type f -printf '%P\n') > "$journal.tmp/names"
	$copy --files-from="$journal.tmp/names" --ignore-missing-args "$tree" "$journal.tmp/old"
	sync -f "$journal.tmp"
	mv -T "$journal.tmp" "$journal"
fi

# Not the times: kbuild must see that the files have changed.
if [ "$what" = apply ]; then
	$copy -c --files-from="$journal/names" --temp-dir="$journal/tmp" "$journal/new" "$tree"
	sync -f "$tree"
	touch "$journal/done"
else
	rm -f "$journal/done"
	(cd "$journal/old" && find . -type f -printf '%P\n') |
		$copy -c --files-from=- --temp-dir="$journal/tmp" "$journal/old" "$tree"
	# What was added goes with what was built from it, and with its directories, of
	# which some may have been made when apply was interrupted, and some not.
	cd "$tree"
	while read -r file; do
		[ ! -e "$journal/old/$file" ] || continue
		o=${file%.*}
		rm -f "$file" "$o" "$o.o" "$o.d" "${o%/*}/.${o##*/}".*
		dir=./${file%/*}
		until [ -d "$dir" ]; do
			dir=${dir%/*}
		done
		rmdir -p "$dir" 2> /dev/null || true
	done < "$journal/names"
	sync -f "$tree"
	mv -T "$journal" "$journal.tmp"
	rm -rf "$journal.tmp"
fi
echo "  $tree: $what done" >&2
