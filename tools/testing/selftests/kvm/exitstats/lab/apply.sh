#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# apply.sh apply|unapply TREE WORK: put the series on a kernel tree of the user's,
# or take it off, bit for bit. WORK is for what is made on the way.
#
# The journal TREE/.exitstats holds the originals (old/), what takes their place
# (new/) and the names of the files that are added (added). It is complete and on
# disk before the first file changes, and goes when the last one is back. Files
# change one by one, by rename. So whatever interrupts this, either command goes on
# from there: apply to the end, unapply to the beginning.
set -eu

lab=$(cd "$(dirname "$0")" && pwd)
root=${lab%/tools/*}
what=$1
tree=$(cd "$2" && pwd)
work=$3
journal=$tree/.exitstats

die()
{
	echo "$tree: $*" >&2
	exit 1
}

# Those of the journal's files that are neither as they were nor as the series has them
edited()
{
	(cd "$journal/new" && find . -type f -printf '%P\n') | while read -r file; do
		cmp -s "$journal/new/$file" "$tree/$file" || cmp -s "$journal/old/$file" "$tree/$file" ||
			{ [ ! -e "$tree/$file" ] && [ ! -e "$journal/old/$file" ]; } || echo "  $file"
	done
}

rm -rf "$journal.tmp"
if [ -d "$journal" ]; then
	[ "$what" = unapply ] || [ ! -e "$journal/done" ] || die "has the series already"
	files=$(edited)
	[ -z "$files" ] || die "changed since the series was applied, and would be lost:
$files"
elif [ "$what" = unapply ]; then
	die "no series that make apply has put there"
else
	version=$("$lab/version.sh" "$tree")
	[ -d "$root/patches/${version:-none}" ] ||
		die "is ${version:-no kernel tree}; there are patches for" $(cd "$root/patches" && ls -d */ | tr -d /)
	[ ! -e "$tree/arch/x86/kvm/exitstats.h" ] || die "has the series already, not from make apply"
	rm -rf "$work"
	"$lab/stage.sh" "$version" "$tree" "$work" || die "left as it was"

	mkdir -p "$journal.tmp/old" "$journal.tmp/tmp"
	cp -r "$work" "$journal.tmp/new"
	cd "$work"
	find . -type f -printf '%P\n' | while read -r file; do
		[ -e "$tree/$file" ] && (cd "$tree" && cp -p --parents "$file" "$journal.tmp/old") ||
			echo "$file"
	done > "$journal.tmp/added"
	(cd "$journal.tmp/old" && find . -type f -exec chmod --reference={} ../new/{} \;)
	chown -R --reference="$tree/Makefile" "$journal.tmp"
	sync -f "$journal.tmp"
	mv -T "$journal.tmp" "$journal"
fi

cd "$tree"
if [ "$what" = apply ]; then
	rsync -rpogc --temp-dir="$journal/tmp" "$journal/new/" .
	sync -f .
	touch "$journal/done"
else
	# Not the times: kbuild must see that the files have changed.
	rm -f "$journal/done"
	rsync -rpogc --temp-dir="$journal/tmp" "$journal/old/" .
	while read -r file; do
		o=${file%.*}
		rm -f "$file" "$o" "$o.o" "$o.d" "${o%/*}/.${o##*/}".*
		rmdir -p "${file%/*}" 2> /dev/null || true
	done < "$journal/added"
	sync -f .
	mv -T "$journal" "$journal.tmp"
	rm -rf "$journal.tmp"
fi
echo "  $tree: $what done" >&2
