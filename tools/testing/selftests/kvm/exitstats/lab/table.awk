# SPDX-License-Identifier: GPL-2.0-only
#
# table.awk -v paging=ept exits.csv time.csv: print both modes side by side, with the
# largest difference in exits first and the totals last, and where the vCPU's time went.
# -v bars=1 adds bars of the exits on a log scale: the upper half of a line is with nested
# paging, the lower half without.
function number(n,	s, out)
{
	s = sprintf("%.0f", n < 0 ? -n : n)
	for (; length(s) > 3; s = substr(s, 1, length(s) - 3))
		out = "," substr(s, length(s) - 2) out
	return (n < 0 ? "-" : "") s out
}

function width(n)	{ return n > 0 ? 1 + int(3 * log(n) / log(10)) : 0 }

function bar(a, b,	i, s)
{
	for (i = 1; i <= a || i <= b; i++)
		s = s (i > b ? "▀" : i > a ? "▄" : "█")
	return "  " s
}

function row(reason, name, e1, c1, e0, c0, picture)
{
	printf "%6s  %-*s %10s %10s %10s %13s %13s %13s%s\n", reason, names, name,
	       number(e1), number(e0), number(e0 - e1),
	       number(c1), number(c0), number(c0 - c1), picture
}

function time_row(name, c1, c0)
{
	printf "  %-10s %15s %7.2f %% %15s %7.2f %%\n", name, number(c1), 100 * c1 / t1,
	       number(c0), 100 * c0 / t0
}

BEGIN {
	FS = ","
	names = 18
	accounts = 0
}
FNR == 1 { next }
NF == 3 {
	account[accounts] = $1
	time1[accounts] = $2
	time0[accounts++] = $3
	t1 += $2
	t0 += $3
}
NF == 6 {
	difference = $5 > $3 ? $5 - $3 : $3 - $5
	for (i = rows++; i && by[i - 1] < difference; i--) {
		by[i] = by[i - 1]
		line[i] = line[i - 1]
	}
	by[i] = difference
	line[i] = $0
	e1 += $3; c1 += $4; e0 += $5; c0 += $6
	if (length($2) > names)
		names = length($2)
}
END {
	on = paging "=1"
	off = paging "=0"
	printf "%-*s %32s %41s\n", names + 8, "", "exits", "cycles"
	printf "%6s  %-*s %10s %10s %10s %13s %13s %13s\n", "reason", names, "name",
	       on, off, "difference", on, off, "difference"
	for (i = 0; i < rows; i++) {
		split(line[i], f)
		row(f[1], f[2], f[3], f[4], f[5], f[6],
		    bars ? bar(width(f[3]), width(f[5])) : "")
	}
	row("total", "", e1, c1, e0, c0)
	if (!t1 || !t0)
		exit
	printf "\nWhere the vCPU's time went, in cycles\n  %-10s %15s %9s %15s\n", "",
	       on, "", off
	for (i = 0; i < accounts; i++)
		time_row(account[i], time1[i], time0[i])
	time_row("total", t1, t0)
}
