#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# stage.sh VERSION TREE STAGE [STEP ...]: make STAGE with only the files that the series, or
# these steps of it, change or add in the kernel TREE. TREE is only read. Hunks that do not
# fit exactly are errors; list all of them.
#
# A STEP is the name of a patches/STEP.txt, its commit message. Lines that start with New:
# are not part of the message; they name files that the step adds. Hunks that are the same
# for each kernel are in patches/STEP.patch, all others in patches/VERSION/STEP.patch.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
version=$1
tree=$2
stage=$3
shift 3

cd "$root/patches"
[ $# != 0 ] || set -- $(basename -s .txt 000[1-9]-*.txt)
mkdir -p "$stage"
misfits=

for step; do
	for patch in "$step.patch" "$version/$step.patch"; do
		[ -e "$patch" ] || continue
		for file in $(sed -n 's,^--- a/,,p' "$patch"); do
			[ -e "$stage/$file" ] || [ ! -e "$tree/$file" ] ||
				(cd "$tree" && cp -p --parents "$file" "$stage")
		done
		patch -f -F0 -p1 -d "$stage" --no-backup-if-mismatch -r - < "$patch" > "$stage.log" ||
			misfits="$misfits$(awk -v patch="patches/$patch" '
				$1 == "patching" { file = $3 }
				$0 ~ /FAILED at/ { print "  " file ": " $1, $2, $3, $4, $5 " of " patch }
				$0 ~ /find file/ { missing = 1 }
				/^\|\+\+\+/ && missing { print "  " substr($2, 3) ": no such file, for " patch; missing = 0 }
				' "$stage.log")
"
	done
	(cd "$root" && sed -n 's/^New: //p' "patches/$step.txt" |
		while read -r files; do cp --parents $files "$stage"; done)
done
rm -f "$stage.log"

[ -z "$misfits" ] || { printf 'does not fit:\n%s' "$misfits" >&2; exit 1; }
