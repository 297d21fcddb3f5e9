# SPDX-License-Identifier: GPL-2.0-only
#
# tap.awk FILE ...: the sum of TAP, one line: N passed, N failed, N skipped. A test
# that a plan announces and that never reported has failed; with -v broken=STATUS
# not 0, so has something that no test tells. Exit 1 on a failure.
/^1\.\.[0-9]+/			{ split($0, plan, /[. ]+/); planned += plan[2]; plans++ }
/^1\.\.0 *# *SKIP/		{ skipped++; planned++ }
/^ok .*# *SKIP/			{ skipped++; next }
/^ok /				{ passed++ }
/^not ok /			{ failed++ }
END {
	lost = planned - passed - failed - skipped
	if (!plans || lost > 0)
		failed += plans ? lost : 1
	if (broken && !failed)
		failed = 1
	printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
	exit failed > 0
}
