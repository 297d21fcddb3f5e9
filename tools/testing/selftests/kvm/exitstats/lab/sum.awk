# SPDX-License-Identifier: GPL-2.0-only
#
# sum.awk: pass on what several make test print, and add up their last lines. A
# make test that ended with a failure has printed no sum, or one that counts it.
/^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$/ {
	passed += $1
	failed += $3
	skipped += $5
	counted = $3
	print
	next
}
/^not ok - KERNEL=/ {
	failed += !counted
	counted = 0
}
{ print; fflush() }
END {
	printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
	exit failed > 0
}
