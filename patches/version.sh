#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# version.sh TREE|TARBALL: print the version of a kernel's source, such as 6.12, or nothing
# if it is none.
if [ -f "$1/Makefile" ]; then
	cat "$1/Makefile"
elif [ -f "$1" ]; then
	tar -xOf "$1" --occurrence=1 --wildcards --no-wildcards-match-slash '*/Makefile'
fi | awk -F' *= *' '$1 == "VERSION" { v = $2 } $1 == "PATCHLEVEL" { print v "." $2; exit }'
