# SPDX-License-Identifier: GPL-2.0-only
#
# join.awk EPT1.csv EPT0.csv: what `exitstats --csv` printed in two guests, joined
# by reason: the rows of exits.csv.
BEGIN		{ FS = OFS = "," }
$1 !~ /^[0-9]+$/	{ next }
		{ name[$1] = $2; exits[$1, FILENAME] = $3; cycles[$1, FILENAME] = $4 }
END {
	print "reason", "name", "ept1_exits", "ept1_cycles", "ept0_exits", "ept0_cycles"
	for (r = 0; r < 65536; r++)
		if (r in name)
			print r, name[r], exits[r, ARGV[1]] + 0, cycles[r, ARGV[1]] + 0,
			      exits[r, ARGV[2]] + 0, cycles[r, ARGV[2]] + 0
}
