# SPDX-License-Identifier: GPL-2.0-only
#
# gnuplot -e "paging='ept'" tail.gp: draw tail.svg from tail.csv: the distribution of the
# exits' durations in both modes, with one panel for each of the costliest reasons. The
# tail consists of few exits of many cycles, so both scales are logarithmic. The colours
# are those of exits.gp.
set datafile separator ","
reasons = system("awk -F, 'NR > 1 && !seen[$1]++ { print $1 }' tail.csv")
names = system("awk -F, 'NR > 1 && !seen[$1]++ { print $2 }' tail.csv")
panels = words(reasons)
stats "tail.csv" using 3 skip 1 name "from" nooutput
stats "tail.csv" using ($4 > $5 ? $4 : $5) skip 1 name "exits" nooutput

top = 44
bottom = 56
panel = 118
height = top + bottom + panel * panels
set terminal svg size 900,height font "sans,13" background "white"
set output "tail.svg"

# x is the logarithm of a bucket's first cycle, so all buckets are equally wide.
log2(x) = x < 1 ? 0 : log(x) / log(2)
text(x) = x < 1024 ? sprintf("%d", x) : x < 1048576 ? sprintf("%dk", x / 1024) : \
	  x < 1073741824 ? sprintf("%dM", x / 1048576) : sprintf("%dG", x / 1073741824)
set xrange [log2(from_min):log2(from_max) + 1]
set yrange [0.7:10**ceil(log10(exits_max) + 0.2)]
set logscale y
set ytics 100 scale 0.5
set mytics 2
set format y "10^{%T}"
set style fill solid noborder
set boxwidth 0.4
set grid xtics ytics lc rgb "#dddddd"
set lmargin at screen 0.09
set rmargin at screen 0.97
set multiplot
set label 1 "How long VM exits of one Linux guest's boot took, the costliest reasons first" \
	at screen 0.5, screen 1 - 18.0 / height center font ",15"
set label 2 "exits (log scale)" at screen 0.02, screen 0.5 center rotate by 90
do for [i = 1:panels] {
	set tmargin at screen 1 - (top + panel * (i - 1) + 22.0) / height
	set bmargin at screen 1 - (top + panel * i - 4.0) / height
	set label 3 sprintf("%s (%s)", word(names, i), word(reasons, i)) noenhanced \
		at graph 0, graph 1.1 left
	unset xtics
	set xtics 1 format "" scale 0
	if (i == panels) {
		set xlabel "cycles of one exit (log scale; k is 1024)"
		do for [b = int(log2(from_min)):int(log2(from_max)) + 1] {
			set xtics add (text(b ? 2.0**b : 0) b)
		}
	}
	if (i == 1) {
		set key at screen 0.97, screen 1 - 40.0 / height right horizontal samplen 1.5
	} else {
		unset key
		unset label 1
		unset label 2
	}
	of(r, n) = r eq word(reasons, i) && n > 0 ? n : NaN
	plot "tail.csv" using (log2($3) + 0.3):(of(strcol(1), $4)) skip 1 with boxes \
			title paging."=1" lc rgb "#0072b2", \
	     "" using (log2($3) + 0.7):(of(strcol(1), $5)) skip 1 with boxes \
			title paging."=0" lc rgb "#e69f00"
}
unset multiplot
