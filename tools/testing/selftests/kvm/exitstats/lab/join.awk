# SPDX-License-Identifier: GPL-2.0-only
#
# join.awk -v paging=ept on=1 FILE ... on=0 FILE ...: join the output of `exitstats --csv`
# and `exitstats --time --csv` in two guests. Rows "REASON,NAME,EXITS,CYCLES,..." become
# exits.csv, in the order of reasons, which are decimal, or hexadecimal with 0x. Rows
# "ACCOUNT,ENTERED,CYCLES" become time.csv. A column from_N counts the exits that took
# at least N cycles and fewer than the next column's. These columns become tail.csv, for
# the five reasons with the most cycles in both guests together, and without the empty
# buckets at both ends.
function value(text,	i, n)
{
	if (text == "-")
		return OTHER
	if (text !~ /^0x/)
		return text + 0
	for (i = 3; i <= length(text); i++)
		n = 16 * n + index("0123456789abcdef", substr(text, i, 1)) - 1
	return n
}

function costliest(	r, top)
{
	top = -1
	for (r in cost)
		if (!(r in done) && (top < 0 || cost[r] > cost[top]))
			top = r
	done[top]
	return top
}

function tail(r,	i, a, z)
{
	for (a = first; a <= last && !both[r, a]; a++)
		;
	for (z = last; z >= a && !both[r, z]; z--)
		;
	for (i = a; i <= z; i++)
		printf "%s,%s,%s,%.0f,%.0f\n", reason[r], name[r], from[i],
			bucket[r, i, 1], bucket[r, i, 0] > "tail.csv"
}

BEGIN {
	FS = OFS = ","
	nr = 0
	OTHER = 65536
}
# The last columns are from_N, with N ascending.
$1 == "reason" {
	for (i = NF; $i ~ /^from_/; i--)
		from[i] = substr($i, 6)
	first = i + 1
	last = NF
}
NF == 3 && $3 ~ /^[0-9]+$/ {
	if (!($1 in seen))
		account[nr++] = $1
	seen[$1]
	time[$1, on] = $3
}
$1 ~ /^(0x[0-9a-f]+|[0-9]+|-)$/ {
	r = value($1)
	reason[r] = $1
	name[r] = $2
	exits[r, on] = $3
	cycles[r, on] = $4
	cost[r] += $4
	for (i = first; i <= last; i++) {
		bucket[r, i, on] = $i
		both[r, i] += $i
	}
}
END {
	print "reason", "name", paging "1_exits", paging "1_cycles", paging "0_exits",
		paging "0_cycles" > "exits.csv"
	for (r = 0; r <= OTHER; r++)
		if (r in name)
			printf "%s,%s,%.0f,%.0f,%.0f,%.0f\n", reason[r], name[r],
				exits[r, 1], cycles[r, 1],
				exits[r, 0], cycles[r, 0] > "exits.csv"
	print "account", paging "1_cycles", paging "0_cycles" > "time.csv"
	for (i = 0; i < nr; i++)
		printf "%s,%.0f,%.0f\n", account[i], time[account[i], 1],
			time[account[i], 0] > "time.csv"
	print "reason", "name", "from", paging "1_exits", paging "0_exits" > "tail.csv"
	for (n = 0; n < 5 && first; n++)
		tail(costliest())
}
