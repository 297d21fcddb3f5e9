# SPDX-License-Identifier: GPL-2.0-only
#
# report.awk -v plot=FILE -v paging=ept *.csv: print the tables of `make bench` from out/bench,
# with the targets, and write the added instructions to FILE, for bench.gp. On AMD, where paging
# is npt, ept in names and CSV files stands for it.

BEGIN {
	FS = ","
	nv = split("unpatched compiled_out off off_beside_on on histogram naive hist tracing", variants, " ")
	ne = split("cpuid wrmsr hlt port_io unknown_leaf", exits, " ")
	# Pessimistic: a Linux guest has exits for about half as many reasons.
	reasons = 30
	name["unpatched"] = "unpatched"
	name["compiled_out"] = "CONFIG_KVM_EXITSTATS=n"
	name["off"] = "built in, off"
	name["off_beside_on"] = "off, another VM on"
	name["on"] = "on"
	name["histogram"] = "on, with the histogram"
	name["naive"] = "naive: global atomics"
	name["hist"] = "hist trigger, kvm_exit"
	name["tracing"] = "kvm_entry + kvm_exit"
}

FNR == 1 { next }

FILENAME == "exits.csv" {
	key = $1 SUBSEP $2 SUBSEP $3
	if (!(key in trip))
		trip[key] = $4
	apart = trip[key] - $4
	if (apart < 0)
		apart = -apart
	if (apart > most_apart)
		most_apart = apart
	if ($4 < trip[key])
		trip[key] = $4
	if (!(key in middle) || $5 < middle[key])
		middle[key] = $5
	have_exits = 1
}

FILENAME == "leaves.csv" { leaf[$3, $4] = $5; have_leaves = 1 }
FILENAME == "memory.csv" { bytes[$1, $2, $3] = $4; have_memory = 1 }
FILENAME == "cores.csv" { median[$1, $2] = $3; if ($2 > cores) cores = $2; have_cores = 1 }
FILENAME == "boot.csv" {
	n = ++boots[$1, $2]
	boot_insns[$1, $2, n] = $3
	boot_exits[$1, $2, n] = $4
	have_boot = 1
}

function added(variant, ept, exit_kind)
{
	return trip[variant, ept, exit_kind] - trip["unpatched", ept, exit_kind]
}

function by_histogram(ept, exit_kind)
{
	return trip["histogram", ept, exit_kind] - trip["on", ept, exit_kind]
}

function show_trips(figures,	v, e, ept)
{
	printf "%-24s%40s%42s\n%-24s", "", paging "=1", paging "=0", ""
	for (ept = 1; ept >= 0; ept--)
		for (e = 1; e <= ne; e++)
			printf "%8s", e < ne ? exits[e] : "unknown"
	print ""
	for (v = 1; v <= nv; v++) {
		printf "%-24s", name[variants[v]]
		for (ept = 1; ept >= 0; ept--)
			for (e = 1; e <= ne; e++)
				printf(v == 1 ? "%8d" : "%+8d", figures[variants[v], ept, exits[e]] - \
				       (v == 1 ? 0 : figures["unpatched", ept, exits[e]]))
		print ""
	}
}

function title(text)
{
	print "\n" text
}

function show_exits(	v, e)
{
	title("Round trip of an exit in the lab, instructions; after the first row, the additional ones.")
	print "Smallest of 2000; two runs in one boot differ by at most " most_apart + 0 "."
	show_trips(trip)
	print "\nThe median of 2000:"
	show_trips(middle)
	print "The fastpath handles WRMSR; the naive way does not count it."
	print "unknown: CPUID of a leaf that the VM has no entry for."
	if (!plot)
		return
	for (v = 2; v <= nv; v++) {
		printf "\"%s\"", name[variants[v]] > plot
		for (e = 1; e <= ne; e++)
			printf " %d", added(variants[v], 1, exits[e]) > plot
		print "" > plot
	}
	close(plot)
}

function show_leaves(	n, v, i, l, leaves, vcpus)
{
	n = split("total reason exits cycles own", leaves, " ")
	v = split("1 8 64 512", vcpus, " ")
	title("Round trip of a CPUID that reads a leaf, instructions (exitstats on, " paging "=1).")
	printf "%-24s", "vCPUs of the VM"
	for (i = 1; i <= v; i++)
		printf "%10d", vcpus[i]
	printf "%12s\n", "per vCPU"
	for (l = 0; l <= n; l++) {
		leaves[0] = "0"
		printf "%-24s", l ? "leaf " leaves[l] : "another leaf"
		for (i = 1; i <= v; i++)
			printf "%10d", leaf[leaves[l], vcpus[i]]
		printf "%12.1f\n", (leaf[leaves[l], 512] - leaf[leaves[l], 64]) / 448
	}
	per_vcpu = (leaf["total", 512] - leaf["total", 64]) / 448
}

function show_memory(	v, ept)
{
	title("Memory, bytes: free memory that each of 512 more vCPUs and 256 more VMs takes.")
	printf "%-24s%30s%33s\n%-24s", "", paging "=1", paging "=0", ""
	for (ept = 1; ept >= 0; ept--)
		printf "%11s%11s%11s", "vCPU", "(struct)", "VM"
	print ""
	for (v = 1; v <= nv; v++) {
		if (!((variants[v], 1, "vm") in bytes))
			continue
		printf "%-24s", name[variants[v]]
		for (ept = 1; ept >= 0; ept--)
			printf "%11d%11d%11d", bytes[variants[v], ept, "vcpu"], \
				bytes[variants[v], ept, "vcpu_struct"], bytes[variants[v], ept, "vm"]
		print ""
	}
}

function show_boot(	on, ept, n)
{
	title("Boot of the QEMU guest, in the emulated host: millions of instructions, and exits.")
	for (ept = 1; ept >= 0; ept--)
		for (on = 0; on < 2; on++)
			for (n = 1; n <= boots[on, ept]; n++)
				printf "%s=%d exitstats %-4s run %d%12.1f%10d\n", paging, ept, \
					on ? "on" : "off", n, boot_insns[on, ept, n] / 1e6, \
					boot_exits[on, ept, n]
}

function cost(way, threads)
{
	return median[way, threads] - median["kvm", threads]
}

function show_cores(	t)
{
	title("One exit's accounting on this machine's cores, TSC cycles beyond KVM's own rdtsc.")
	print "Median over rounds and threads, one thread a core; other load makes noise."
	printf "%-10s%14s%14s%14s%20s\n", "threads", "bare rdtsc", "exitstats", "naive", \
		"exitstats/naive"
	for (t = 1; (("kvm", t) in median); t++)
		printf "%-10d%14.1f%14.1f%14.1f%20.3f\n", t, cost("rdtsc", t), \
			cost("exitstats", t), cost("naive", t), cost("exitstats", t) / cost("naive", t)
	for (t = 1; (("exitstats_read", t) in median); t++)
		printf "one more thread reads the total all the time: an exit of %d other%s " \
			"takes %.1f instead of %.1f\n", t, t == 1 ? "" : "s", \
			median["exitstats_read", t], median["exitstats_unread", t]
}

function target(what, value, limit, format,	met)
{
	met = value <= limit
	printf "%-58s" format "   <= " format "   %s\n", what, value, limit, met ? "met" : "MISSED"
	if (!met)
		missed = missed (missed ? "; " : "") what
}

function show_targets(	ept)
{
	title("Targets")
	for (ept = 1; have_exits && ept >= 0; ept--) {
		print "Instructions added, " paging "=" ept ":"
		target("on: CPUID", added("on", ept, "cpuid"), 28, "%8d")
		target("on: WRMSR, fastpath", added("on", ept, "wrmsr"), 40, "%8d")
		target("on: HLT to userspace and back", added("on", ept, "hlt"), 110, "%8d")
		target("on: port I/O to userspace and back", added("on", ept, "port_io"), 110, "%8d")
		target("with the histogram, in addition: CPUID", by_histogram(ept, "cpuid"), 12, "%8d")
		target("with the histogram, in addition: WRMSR, fastpath", \
		       by_histogram(ept, "wrmsr"), 12, "%8d")
		target("with the histogram, in addition: HLT to userspace and back", \
		       by_histogram(ept, "hlt"), 12, "%8d")
		target("with the histogram, in addition: port I/O and back", \
		       by_histogram(ept, "port_io"), 12, "%8d")
		target("built in, off: CPUID", added("off", ept, "cpuid"), 2, "%8d")
		target("built in, off: CPUID of an unknown leaf", \
		       added("off", ept, "unknown_leaf"), 2, "%8d")
		target("built in, off: WRMSR, fastpath", added("off", ept, "wrmsr"), 2, "%8d")
		target("built in, off: HLT to userspace and back", \
		       added("off", ept, "hlt"), 6, "%8d")
		target("built in, off: port I/O to userspace and back", \
		       added("off", ept, "port_io"), 6, "%8d")
		target("CONFIG_KVM_EXITSTATS=n: CPUID", added("compiled_out", ept, "cpuid"), 0, "%8d")
		target("CPUID, ratio to tracing both tracepoints", \
		       added("on", ept, "cpuid") / added("tracing", ept, "cpuid"), 1 / 40, "%8.3f")
	}
	if (have_memory) {
		print "Bytes of a vCPU, " paging "=1:"
		target("VM does not count: the slab object, beyond the unpatched one", \
		       bytes["off", 1, "vcpu_struct"] - bytes["unpatched", 1, "vcpu_struct"], 0, "%8d")
		target("VM does not count: all memory", \
		       bytes["off", 1, "vcpu"] - bytes["unpatched", 1, "vcpu"], 16, "%8d")
		target("VM counts: the ledger", bytes["on", 1, "ledger"], 3072, "%8d")
		target("with the histogram: the ledger, and " reasons " reasons", \
		       bytes["histogram", 1, "ledger"] + (reasons + 1) * 256, 14336, "%8d")
	}
	if (have_leaves) {
		print "Reading, instructions:"
		target("the totals: each further vCPU", per_vcpu, 45, "%8.1f")
		target("the vCPU's own figures: 511 further vCPUs", \
		       leaf["own", 512] - leaf["own", 1], 2, "%8d")
	}
	if (have_cores) {
		print "On this machine's cores:"
		target("beyond KVM's own RDTSC, ratio to one more RDTSC", \
		       cost("exitstats", 1) / cost("rdtsc", 1), 1.15, "%8.3f")
		target("on a core, against the naive way, 1 thread", \
		       cost("exitstats", 1) / cost("naive", 1), 0.6, "%8.3f")
		if (cores > 1)
			target("on a core, against the naive way, 2 threads", \
			       cost("exitstats", 2) / cost("naive", 2), 0.06, "%8.3f")
		if (cores > 1)
			target("on a core, " cores " threads against 1 (noise: 10 %)", \
			       cost("exitstats", cores) / cost("exitstats", 1), 1.1, "%8.3f")
	}
	print missed ? "\nmissed: " missed : "\nall targets met"
}

END {
	if (have_exits)
		show_exits()
	if (have_leaves)
		show_leaves()
	if (have_memory)
		show_memory()
	if (have_boot)
		show_boot()
	if (have_cores)
		show_cores()
	show_targets()
}
