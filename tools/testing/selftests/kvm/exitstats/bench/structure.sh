#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# structure.sh B: what is promised about KVM's object code, as TAP.
#
# The builds to compare are B/linux (exitstats on), B/variants/off (the series with
# CONFIG_KVM_EXITSTATS=n) and B/variants/unpatched; B/hotpath/hotpath.o has the inlines
# of exitstats.h as functions, B/hotpath/unmasked.o exitstats_cpuid.c without its
# array_index_nospec(). Where a test says that something is absent, another
# says that it would have been seen.
set -eu

b=$1
off=$b/variants/off
unpatched=$b/variants/unpatched
hotpath=$b/hotpath/hotpath.o
nr=0
failed=0

# ok STATUS WHAT
ok()
{
	nr=$((nr + 1))
	if [ "$1" = 0 ]; then
		echo "ok $nr - structure: $2"
	else
		echo "not ok $nr - structure: $2"
		failed=1
	fi
}

# Instructions and relocations. The names that objdump puts beside the addresses are
# left out: where gcc has merged two functions, it takes either one's. Line numbers
# of WARN() and the like are in tables of data, which are not compared.
code()
{
	objdump -dr --no-show-raw-insn "$1" | sed '1,3d; s/ *<[^>]*>//'
}

# The same, of one function
code_of()
{
	objdump -dr --no-show-raw-insn --disassemble="$2" "$1" | grep -P '^ *[0-9a-f]+:\t'
}

# How many more of an instruction does an object have than the unpatched one?
more()
{
	objdump -d --no-show-raw-insn "$b/linux/$1" "$unpatched/$1" |
		awk -v insn="$2" -F '\t' '/file format/ { file++ }
			$2 ~ "^" insn { n[file]++ } END { print n[1] - n[2] }'
}

echo 1..22

# Off: the unpatched code
objects=$(cd "$unpatched" && find arch/x86/kvm virt/kvm -name '*.o' ! -name '*.mod.o' \
	  ! -name '.*' | sort)
differ=
instructions=0
for object in $objects; do
	code "$unpatched/$object" > "$b/hotpath/unpatched.s"
	code "$off/$object" > "$b/hotpath/off.s"
	instructions=$((instructions + $(wc -l < "$b/hotpath/unpatched.s")))
	cmp -s "$b/hotpath/unpatched.s" "$b/hotpath/off.s" || differ="$differ $object"
done
echo "# $(echo "$objects" | wc -l) objects, $instructions lines of code; different:${differ:- none}"
[ -z "$differ" ] && same=0 || same=1
ok $same "CONFIG_KVM_EXITSTATS=n: the code is the unpatched kernel's"
for object in x86 vmx/vmx cpuid; do
	object=arch/x86/kvm/$object.o
	code "$unpatched/$object" > "$b/hotpath/unpatched.s"
	code "$b/linux/$object" > "$b/hotpath/on.s"
	[ -s "$b/hotpath/unpatched.s" ] && ! cmp -s "$b/hotpath/unpatched.s" "$b/hotpath/on.s" &&
		seen=0 || seen=1
	ok $seen "CONFIG_KVM_EXITSTATS=y: that of $object is not"
done

# On: the inlines, with the RDTSC that each may have
for function in stamp:0 count:1 stamp_fastpath:1 count_fastpath:1; do
	rdtsc=${function#*:}
	function=hotpath_${function%:*}
	code_of "$hotpath" "$function" > "$b/hotpath/function.s"
	grep -qE 'lock|xchg.*\(' "$b/hotpath/function.s" && seen=1 || seen=0
	[ "$(grep -cE ',.*\((%r|,)' "$b/hotpath/function.s")" -ge 2 ] || seen=1
	ok $seen "$function writes memory without a LOCK prefix"
	# Neither a call nor a jump to another function: the latter has a relocation.
	grep -qE 'call|R_X86_64_(PLT32|PC32)' "$b/hotpath/function.s" && seen=1 || seen=0
	[ -s "$b/hotpath/function.s" ] || seen=1
	ok $seen "$function calls nothing"
	[ "$(grep -c rdtsc "$b/hotpath/function.s")" = "$rdtsc" ] && seen=0 || seen=1
	ok $seen "$function executes RDTSC $rdtsc times"
	insns=$(grep -cvE 'ret|R_X86|nop|xchg +%ax' "$b/hotpath/function.s")
	echo "# $function: $insns instructions"
done

# On: the objects themselves. KVM's own reading of the TSC after an exit serves as the
# start for vcpu_enter_guest(); each handler of the fastpath has one of its own, and
# how many there are depends on the kernel.
handlers=$(grep -c kvm_exitstats_stamp_fastpath "$b/linux/arch/x86/kvm/vmx/vmx.c")
for object in x86:1 vmx/vmx:$((handlers + 1)); do
	rdtsc=${object#*:}
	object=arch/x86/kvm/${object%:*}.o
	[ "$(more $object lock)" = 0 ] && seen=0 || seen=1
	ok $seen "$object has the LOCK prefixes of the unpatched one"
	n=$(more $object rdtsc)
	[ "$n" -ge 1 ] && [ "$n" -le "$rdtsc" ] && seen=0 || seen=1
	ok $seen "$object has 1 to $rdtsc RDTSC more"
done

# The guest's index: array_index_nospec()'s three instructions, one after the other and
# ahead of the sums, which are what loads with it
masked()
{
	objdump -dr --no-show-raw-insn --disassemble=kvm_exitstats_cpuid "$1" | awk -v bound="$bound" '
		/__kvm_exitstats_sum/ { exit }
		{ step = $2 == "cmp" && index($3, bound) == 1 ? 1 : \
			 $2 == "sbb" && step == 1 ? 2 : $2 == "and" && step == 2 ? 3 : 0 }
		step == 3 { print }'
}
bound=$(awk '$2 == "KVM_EXITSTATS_OTHER" { printf "$0x%x,", $3 + 1 }' \
	"$b/linux/arch/x86/include/asm/kvm_exitstats.h")
[ "$(masked "$b/linux/arch/x86/kvm/exitstats_cpuid.o" | wc -l)" = 1 ] && seen=0 || seen=1
ok $seen "exitstats_cpuid masks the guest's index ahead of what it loads with it"
[ -s "$b/hotpath/unmasked.o" ] && [ -z "$(masked "$b/hotpath/unmasked.o")" ] && seen=0 || seen=1
ok $seen "without array_index_nospec() it does not"
exit $failed
