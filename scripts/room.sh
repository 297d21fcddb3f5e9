#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# room.sh DIR MB WHAT: fail if DIR's disk has less than MB free, which WHAT needs.

free=$(df -Pk "$1" | awk 'END { print int($4 / 1024) }')
[ "$free" -ge "$2" ] && exit 0
echo "$1: $free MB free, $3 needs $2: make room, or say BUILD=DIR on another disk" >&2
exit 1
