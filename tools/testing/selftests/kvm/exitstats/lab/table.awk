# SPDX-License-Identifier: GPL-2.0-only
#
# table.awk exits.csv: both modes side by side, the largest difference in exits
# first, the totals last. With -v bars=1, exits as bars on a log scale: the upper
# half of a line is ept=1, the lower ept=0.
function number(n,	s, out) {
	s = sprintf("%.0f", n < 0 ? -n : n)
	for (; length(s) > 3; s = substr(s, 1, length(s) - 3))
		out = "," substr(s, length(s) - 2) out
	return (n < 0 ? "-" : "") s out
}

function width(n)	{ return n > 0 ? 1 + int(3 * log(n) / log(10)) : 0 }

function bar(a, b,	i, s) {
	for (i = 1; i <= a || i <= b; i++)
		s = s (i > b ? "▀" : i > a ? "▄" : "█")
	return "  " s
}

function row(reason, name, e1, c1, e0, c0, picture) {
	printf "%6s  %-18s %12s %12s %12s %15s %15s %15s%s\n", reason, name,
	       number(e1), number(e0), number(e0 - e1),
	       number(c1), number(c0), number(c0 - c1), picture
}

BEGIN { FS = "," }
NR > 1 {
	difference = $5 > $3 ? $5 - $3 : $3 - $5
	for (i = rows++; i && by[i - 1] < difference; i--) {
		by[i] = by[i - 1]
		line[i] = line[i - 1]
	}
	by[i] = difference
	line[i] = $0
	e1 += $3; c1 += $4; e0 += $5; c0 += $6
}
END {
	printf "%-26s %30s %48s\n", "", "exits", "cycles"
	printf "%6s  %-18s %12s %12s %12s %15s %15s %15s\n", "reason", "name",
	       "ept=1", "ept=0", "difference", "ept=1", "ept=0", "difference"
	for (i = 0; i < rows; i++) {
		split(line[i], f)
		row(f[1], f[2], f[3], f[4], f[5], f[6],
		    bars ? bar(width(f[3]), width(f[5])) : "")
	}
	row("total", "", e1, c1, e0, c0)
}
