# SPDX-License-Identifier: GPL-2.0-only
#
# gnuplot -e "paging='ept'" exits.gp: draw exits.svg from exits.csv: exits per reason in
# both modes, as paired bars on a log scale. The colour-blind, too, can tell this blue and
# this orange apart (Okabe and Ito).
set terminal svg size 900,520 font "sans,13" background "white"
set output "exits.svg"
set datafile separator ","
set title "VM exits of one Linux guest's boot, by exit reason"
set ylabel "exits (log scale)"
set logscale y
set yrange [0.7:*]
set format y "10^{%T}"
set grid ytics lc rgb "#dddddd"
set style data histogram
set style histogram clustered gap 1
set style fill solid
set boxwidth 0.9
set xtics rotate by -45 scale 0 noenhanced
set key top right
plot "exits.csv" using ($3 > 0 ? $3 : NaN):xtic(sprintf("%s (%s)", strcol(2), strcol(1))) \
		every ::1 title paging."=1" lc rgb "#0072b2", \
     "" using ($5 > 0 ? $5 : NaN) every ::1 title paging."=0" lc rgb "#e69f00"
