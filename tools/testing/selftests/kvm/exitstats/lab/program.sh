#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# program.sh RUN ARGS: print why the lab cannot run this program with these arguments;
# print nothing if it can. The lab has no shared libraries, shell or other programs.
run=$1

if [ -z "$run" ]; then
	echo "RUN=PROG is missing: the static program to run"
elif [ ! -f "$run" ]; then
	echo "RUN=$run: no such file"
elif [ ! -x "$run" ]; then
	echo "RUN=$run: not executable: chmod +x it"
elif ! head -c 20 "$run" | od -An -tx1 | tr -d ' \n' | grep -q '^7f454c4602.\{26\}3e00'; then
	echo "RUN=$run: not an x86-64 ELF program"
elif LC_ALL=C grep -aq '/lib64/ld-linux-x86-64.so' "$run"; then
	echo "RUN=$run: needs shared libraries: link it statically (cc -static)"
elif ! printf '%s\n' "$2" | xargs printf '' 2> /dev/null; then
	echo "ARGS=$2: unbalanced quotes"
fi
