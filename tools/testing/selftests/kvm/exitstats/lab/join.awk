# SPDX-License-Identifier: GPL-2.0-only
#
# join.awk -v paging=ept ept1.csv ept0.csv: join what `exitstats --csv` and `exitstats
# --time --csv` printed in two guests. Rows "REASON,NAME,EXITS,CYCLES,..." become
# exits.csv, in the order of reasons, which are decimal, or hexadecimal with 0x. Rows
# "ACCOUNT,ENTERED,CYCLES" become time.csv.
function value(text,	i, n)
{
	if (text !~ /^0x/)
		return text + 0
	for (i = 3; i <= length(text); i++)
		n = 16 * n + index("0123456789abcdef", substr(text, i, 1)) - 1
	return n
}

BEGIN {
	FS = OFS = ","
	nr = 0
}
NF == 3 && $3 ~ /^[0-9]+$/ {
	if (!($1 in seen))
		account[nr++] = $1
	seen[$1]
	time[$1, FILENAME] = $3
}
$1 ~ /^(0x[0-9a-f]+|[0-9]+)$/ {
	r = value($1)
	reason[r] = $1
	name[r] = $2
	exits[r, FILENAME] = $3
	cycles[r, FILENAME] = $4
}
END {
	print "reason", "name", paging "1_exits", paging "1_cycles", paging "0_exits",
		paging "0_cycles" > "exits.csv"
	for (r = 0; r < 65536; r++)
		if (r in name)
			printf "%s,%s,%.0f,%.0f,%.0f,%.0f\n", reason[r], name[r],
				exits[r, ARGV[1]], cycles[r, ARGV[1]],
				exits[r, ARGV[2]], cycles[r, ARGV[2]] > "exits.csv"
	print "account", paging "1_cycles", paging "0_cycles" > "time.csv"
	for (i = 0; i < nr; i++)
		printf "%s,%.0f,%.0f\n", account[i], time[account[i], ARGV[1]],
			time[account[i], ARGV[2]] > "time.csv"
}
