# SPDX-License-Identifier: GPL-2.0-only
#
# gnuplot -e "added='FILE'; paging='ept'" bench.gp: draw exits.svg in the current directory, from
# report.awk's FILE and cores.csv.

set terminal svg noenhanced size 900,800 font 'sans-serif,12' background rgb 'white'
set output 'exits.svg'
set multiplot layout 2,1

set title 'Instructions added to the round trip of an exit (lab, '.paging.'=1)'
set style data histogram
set style histogram clustered gap 1
set style fill solid 0.8 border -1
set boxwidth 0.9
set ylabel 'instructions'
set yrange [0:*]
set logscale y 10
set yrange [1:3000]
set xtics rotate by -15 nomirror
set grid ytics
set key top left
plot added using 2:xtic(1) title 'CPUID', '' using 3 title 'WRMSR, fastpath', \
     '' using 4 title 'HLT to userspace', '' using 5 title 'port I/O to userspace'

unset logscale
set title 'TSC cycles of one exit''s accounting, with the RDTSC that KVM executes anyway'
set datafile separator ','
set style data linespoints
set xlabel 'threads, one a core'
set ylabel 'cycles, median'
set yrange [0:*]
set xrange [0.5:*]
set offsets 0, 0.5, 0, 0
set xtics 1 norotate
way(name) = sprintf('< grep "^%s," cores.csv', name)
plot way('naive') using 2:3 title 'naive: global atomics' lw 2, \
     way('exitstats') using 2:3 title 'exitstats' lw 2, \
     way('rdtsc') using 2:3 title 'two RDTSC' lw 2, \
     way('kvm') using 2:3 title 'KVM''s own RDTSC' lw 2
unset multiplot
