#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# series.sh VERSION TREE WORK OUT: make mails of the series in OUT, for git am on the
# unpatched kernel TREE. WORK becomes a git repository of the files that the series changes,
# with one commit for each patches/*.txt.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=${here%/*}
version=$1
tree=$2
work=$3
out=$4

name=$(git -C "$root" config user.name) && email=$(git -C "$root" config user.email) || {
	echo "who signs off? git config --global user.name NAME, and user.email ADDRESS" >&2
	exit 1
}

rm -rf "$work" "$work.stage" "$out"
mkdir -p "$work" "$out"
cd "$work"
git init -q -b exitstats
git config user.name "$name"
git config user.email "$email"
git config commit.gpgSign false
git config branch.exitstats.description "$(cat "$root/patches/0000-cover.txt")"

(cd "$tree" && cp -p --parents $(sed -n 's,^--- a/,,p' "$root"/patches/*.patch \
	"$root/patches/$version"/*.patch | sort -u) "$work")
git add -Af .
git commit -q -m "Linux $version"
git tag base

for text in "$root"/patches/000[1-9]-*.txt; do
	step=$(basename -s .txt "$text")
	rm -rf "$work.stage"
	"$here/stage.sh" "$version" "$work" "$work.stage" "$step"
	cp -a "$work.stage/." .
	git add -Af .
	sed '/^New: /d' "$text" | git commit -q -s -F -
done
rm -rf "$work.stage"

git format-patch -q -o "$out" --cover-letter --cover-from-description=subject base
