# SPDX-License-Identifier: GPL-2.0-only
#
# gnuplot -e "paging='ept'" time.gp: where the vCPU's time went in both modes, in
# percent: time.csv becomes time.svg. The colours are Okabe's and Ito's.
set terminal svg size 900,320 font "sans,13" background "white"
set output "time.svg"
set datafile separator ","
set title "Where the vCPU's time went during one Linux guest's boot"
set style data histogram
set style histogram rowstacked
set style fill solid
set boxwidth 0.6
set yrange [0:100]
set ylabel "percent of the cycles"
set grid ytics lc rgb "#dddddd"
set key outside right noenhanced
colours = "#0072b2 #d55e00 #e69f00 #009e73 #56b4e9 #cc79a7 #f0e442 #999999"
stats "time.csv" every ::1 using 2 name "on" nooutput
stats "time.csv" every ::1 using 3 name "off" nooutput
set xtics (paging."=1" 0, paging."=0" 1)
set xrange [-0.6:1.6]
name(i) = system(sprintf("sed -n '%dp' time.csv | cut -d, -f1", i + 2))
cycles(i, column) = real(system(sprintf("sed -n '%dp' time.csv | cut -d, -f%d", i + 2, column)))
array percent_on[on_records]
array percent_off[on_records]
do for [i = 1:on_records] {
	percent_on[i] = 100 * cycles(i - 1, 2) / on_sum
	percent_off[i] = 100 * cycles(i - 1, 3) / off_sum
}
$nothing << EOD
0
1
EOD
plot for [i = 1:on_records] $nothing using ($1 == 0 ? percent_on[i] : percent_off[i]) \
	title name(i - 1) lc rgb word(colours, (i - 1) % 8 + 1)
