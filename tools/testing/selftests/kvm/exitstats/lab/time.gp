# SPDX-License-Identifier: GPL-2.0-only
#
# gnuplot -e "paging='ept'" time.gp: draw time.svg from time.csv: where the vCPU's time
# went in both modes, in percent. The colours are by Okabe and Ito.
set terminal svg size 900,320 font "sans,13" background "white"
set output "time.svg"
set title "Where the vCPU's time went during one Linux guest's boot"
set style data histogram
set style histogram rowstacked
set style fill solid
set boxwidth 0.6
set xrange [-0.6:1.6]
set yrange [0:100]
set ylabel "percent of the cycles"
set grid ytics lc rgb "#dddddd"
set key outside right noenhanced

# gnuplot stacks columns, so make a row for each mode and a column for each account.
transpose = "< awk -F, -v paging=".paging." '".\
	"NR > 1 { name[n++] = $1; c[1, n] = $2; c[0, n] = $3; sum[1] += $2; sum[0] += $3 } ".\
	"END { printf \"mode\"; for (i = 0; i < n; i++) printf \" %s\", name[i]; ".\
	"for (on = 1; on >= 0; on--) { printf \"\\n%s=%d\", paging, on; ".\
	"for (i = 1; i <= n; i++) printf \" %.3f\", 100 * c[on, i] / sum[on] } }' time.csv"
colours = "#0072b2 #d55e00 #e69f00 #009e73 #56b4e9 #cc79a7 #f0e442 #999999"
accounts = system("wc -l < time.csv") - 1
plot for [i = 2:accounts + 1] transpose using i:xtic(1) title columnhead(i) \
	lc rgb word(colours, (i - 2) % 8 + 1)
