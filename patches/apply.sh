#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# apply.sh apply|unapply TREE WORK: apply the series to a user's kernel tree, or remove it
# bit for bit. WORK is a directory for temporary files.
#
# The journal TREE/.exitstats has the files of the series in their new version (new/), their
# old version if they existed (old/), and all their names. It is complete and on disk before
# the first file changes, and is removed after the last one is restored. Files change one by
# one, by rename. So after any interruption, either command can continue: apply to the end,
# unapply back to the beginning. The directory TREE is locked meanwhile. Child processes
# inherit the lock, as the last write of a killed command may still be under way. (NFS does
# not lock directories.)
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

# Do not change the attributes of existing directories.
copy="rsync -pog --no-implied-dirs"

# List the files that have neither their old content nor that of the series.
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
flock -w 60 9 2> /dev/null || [ $? != 1 ] || die "another make apply or unapply is running there"

rm -rf "$journal.tmp"
if [ -d "$journal" ]; then
	[ "$what" = unapply ] || [ ! -e "$journal/done" ] || die "has the series already"
	edited=$(edited)
	[ -z "$edited" ] || die "changed since the series was applied, and would be lost:
$edited"
elif [ "$what" = unapply ]; then
	die "no series from make apply is there"
else
	version=$("$here/version.sh" "$tree")
	[ -d "$root/patches/${version:-none}" ] ||
		die "is ${version:-no kernel tree}; there are patches for" \
			$(cd "$root/patches" && ls -d */ | tr -d /)
	[ ! -e "$tree/arch/x86/kvm/exitstats.h" ] ||
		die "has the series already, not from make apply"
	rm -rf "$work"
	"$here/stage.sh" "$version" "$tree" "$work" || die "not changed"

	mkdir -p "$journal.tmp/old" "$journal.tmp/tmp"
	cp -a "$work" "$journal.tmp/new"
	chown -R --reference="$tree/Makefile" "$journal.tmp"
	(cd "$work" && find . -type f -printf '%P\n') > "$journal.tmp/names"
	$copy --files-from="$journal.tmp/names" --ignore-missing-args "$tree" "$journal.tmp/old"
	sync -f "$journal.tmp"
	mv -T "$journal.tmp" "$journal"
fi

# Do not preserve times: kbuild must see that the files have changed.
if [ "$what" = apply ]; then
	$copy -c --files-from="$journal/names" --temp-dir="$journal/tmp" "$journal/new" "$tree"
	sync -f "$tree"
	touch "$journal/done"
else
	rm -f "$journal/done"
	(cd "$journal/old" && find . -type f -printf '%P\n') |
		$copy -c --files-from=- --temp-dir="$journal/tmp" "$journal/old" "$tree"
	# Remove added files, what was built from them, and their directories, which may not
	# all exist if apply was interrupted.
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
