# SPDX-License-Identifier: GPL-2.0-only
#
# sum.awk FILE ...: add up the last lines of tests, N passed, N failed, N skipped, of
# which a FILE may have several, and print each FILE's sum, its failures and the whole
# sum. "not ok - make ..." says that a make has failed: if no test tells, that counts.
function part()
{
	if (broken && !failed)
		failed = 1
	if (file)
		printf "%s: %d passed, %d failed, %d skipped\n", file, passed, failed, skipped
	all_passed += passed
	all_failed += failed
	all_skipped += skipped
	passed = failed = skipped = broken = 0
	file = FILENAME
}

FNR == 1	{ part() }
/^not ok - make/	{ broken = 1 }
/^not ok/	{ print FILENAME ": " $0 }
/^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$/ {
	passed += $1
	failed += $3
	skipped += $5
}
END {
	part()
	printf "%d passed, %d failed, %d skipped\n", all_passed, all_failed, all_skipped
	exit all_failed > 0
}
