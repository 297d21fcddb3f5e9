#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# with-dirs.sh < FILES: lines for gen_init_cpio that put each file where it is on
# this machine, with the directories above it.
while read -r file; do
	dir=$(dirname "$file")
	while [ "$dir" != / ]; do
		echo "dir $dir 755 0 0"
		dir=$(dirname "$dir")
	done
	echo "file $file $(readlink -f "$file") 755 0 0"
done | sort -u
