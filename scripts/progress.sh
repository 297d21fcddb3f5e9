#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# progress.sh WHAT LOG COMMAND...: run COMMAND with its output in LOG, and show its progress.
# On failure, show errors from LOG. Only one runs at a time in the directory of LOG; a second
# one waits. Processes that COMMAND leaves running when this script is killed keep the lock.

what=$1
log=$2
shift 2

exec 9> "${log%/*}/lock"
flock -n 9 || { echo "  waiting for the make that runs in ${log%/*}" >&2; flock 9; }
echo "  $what" >&2
"$@" > "$log" 2>&1 &
pid=$!
trap 'kill $pid 2> /dev/null' INT TERM
seconds=0
while kill -0 $pid 2> /dev/null; do
	sleep 1
	seconds=$((seconds + 1))
	if [ -t 2 ]; then
		printf '\r  %s: %d s, %d steps\033[K' "$what" $seconds "$(wc -l < "$log")" >&2
	elif [ $((seconds % 60)) = 0 ]; then
		printf '  %s: %d s, %d steps\n' "$what" $seconds "$(wc -l < "$log")" >&2
	fi
done
[ -t 2 ] && printf '\r\033[K' >&2

wait $pid && exit 0
status=$?
grep -A 3 -i -m 5 'error:\|\*\*\*' "$log" >&2 || tail -n 20 "$log" >&2
echo "$what failed; the whole log: $log" >&2
exit $status
