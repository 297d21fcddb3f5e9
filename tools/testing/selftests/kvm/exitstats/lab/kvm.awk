# SPDX-License-Identifier: GPL-2.0-only
#
# kvm.awk UNPATCHED PATCHED: compare the results of KVM's own selftests in two runs, from
# the lines "tried PROGRAM STATUS" of the lab's init. Exit 1 if a test's results differ,
# if it ran in one run only, or if no test passed.
function outcome(status)
{
	if (status == 0)
		return "passed"
	if (status == 4)
		return "skipped"
	return status == 124 ? "timed out" : "failed"
}

FNR == 1 { run++ }

$1 == "tried" && NF == 3 {
	sub(/.*\//, "", $2)
	ended[run, $2] = outcome($3)
	count[run, outcome($3)]++
	names[$2]
}

END {
	split("passed,skipped,failed,timed out", outcomes, ",")
	for (run = 1; run <= 2; run++) {
		printf "# %s:", run == 1 ? "unpatched" : "patched"
		for (i = 1; i <= 4; i++)
			printf " %d %s%s", count[run, outcomes[i]], outcomes[i], i < 4 ? "," : "\n"
	}
	for (name in names) {
		if (ended[1, name] == ended[2, name])
			continue
		printf "# %s: %s unpatched, %s patched\n", name, ended[1, name], ended[2, name]
		differ++
	}
	exit !count[1, "passed"] || differ > 0
}
