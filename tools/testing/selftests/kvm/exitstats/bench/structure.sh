#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# structure.sh B: check the promises about KVM's object code, and print TAP.
#
# The builds to compare are B/linux (exitstats on), B/variants/off (the series with
# CONFIG_KVM_EXITSTATS=n) and B/variants/unpatched. B/hotpath/hotpath.o has the inline
# functions of exitstats.h as real functions; B/hotpath/unmasked.o is exitstats_cpuid.c
# without array_index_nospec(). For each test that something is absent, another one
# checks that the script would have found it.
set -eu

b=$1
off=$b/variants/off
unpatched=$b/variants/unpatched
hotpath=$b/hotpath/hotpath.o
TAP_NAME=structure
. "$(dirname "$0")/../../../../../../scripts/tap.sh"

# Print instructions and relocations. Remove the names that objdump adds to addresses: if
# gcc has merged two functions, it prints either name. Line numbers of WARN() and the like
# are in data tables, which are not compared.
code()
{
	objdump -dr --no-show-raw-insn "$1" | sed '1,3d; s/ *<[^>]*>//'
}

# The same for one function
code_of()
{
	objdump -dr --no-show-raw-insn --disassemble="$2" "$1" | grep -P '^\s*[0-9a-f]+:\s'
}

# Print how many more of an instruction an object has than the unpatched one.
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
for object in x86 vmx/vmx svm/svm cpuid; do
	object=arch/x86/kvm/$object.o
	code "$unpatched/$object" > "$b/hotpath/unpatched.s"
	code "$b/linux/$object" > "$b/hotpath/on.s"
	[ -s "$b/hotpath/unpatched.s" ] && ! cmp -s "$b/hotpath/unpatched.s" "$b/hotpath/on.s" &&
		seen=0 || seen=1
	ok $seen "CONFIG_KVM_EXITSTATS=y: the code of $object differs"
done

# On: the inline functions, and the number of RDTSCs that each may have. The function for
# exits in several pieces is not part of the hot path.
for function in enter:1 exit:1 exit_tsc:1; do
	rdtsc=${function#*:}
	function=hotpath_${function%:*}
	code_of "$hotpath" "$function" > "$b/hotpath/function.s"
	grep -qE 'lock|xchg.*\(' "$b/hotpath/function.s" && seen=1 || seen=0
	[ -s "$b/hotpath/function.s" ] || seen=1
	ok $seen "$function has no LOCK prefix"
	# There must be neither a call nor a jump to another function, which has a relocation.
	grep -E 'call|R_X86_64_(PLT32|PC32)' "$b/hotpath/function.s" |
		grep -qvE 'call +[0-9a-f]+$|__kvm_exitstats_enter_rare|__x86_return_thunk|kvm_exitstats_key' &&
		seen=1 || seen=0
	ok $seen "$function calls nothing but __kvm_exitstats_enter_rare()"
	[ "$(grep -c rdtsc "$b/hotpath/function.s")" = "$rdtsc" ] && seen=0 || seen=1
	ok $seen "$function executes RDTSC $rdtsc times at most"
	insns=$(grep -cvE 'ret|R_X86|nop|xchg +%ax' "$b/hotpath/function.s")
	echo "# $function: $insns instructions"
done

# On: the objects themselves. vcpu_enter_guest() takes the TSC at the exit from the ledger,
# or reads it itself as before. In the vendor's file, each hook around the guest has one.
for object in x86 vmx/vmx svm/svm; do
	object=arch/x86/kvm/$object.o
	rdtsc=$(grep -cE 'kvm_exitstats_(enter|exit)\(' "$b/linux/${object%.o}.c" || :)
	[ "$(more $object lock)" = 0 ] && seen=0 || seen=1
	ok $seen "$object has the LOCK prefixes of the unpatched one"
	n=$(more $object rdtsc)
	[ "$n" = "$rdtsc" ] && seen=0 || seen=1
	ok $seen "$object has $rdtsc RDTSC more"
done

# The guest's selector: find the three instructions of array_index_nospec() for an account
# and a bucket, and for an exit reason. gcc may put others before the last one.
masked()
{
	objdump -dr --no-show-raw-insn "$1" | awk '
		$2 == "cmp" && $3 ~ /^\$/ { step = 1; next }
		step == 1 && $2 == "sbb" { step = 2; left = 3; next }
		step == 2 && $2 == "and" { n++; step = 0; next }
		step == 2 && left-- > 0 { next }
		{ step = 0 }
		END { print n + 0 }'
}
[ "$(masked "$b/linux/arch/x86/kvm/exitstats_cpuid.o")" = 2 ] &&
	[ "$(masked "$b/linux/arch/x86/kvm/exitstats_reasons.o")" = 1 ] && seen=0 || seen=1
ok $seen "exitstats_cpuid and exitstats_reasons mask indices from the guest's selector"
[ -s "$b/hotpath/unmasked.o" ] && [ "$(masked "$b/hotpath/unmasked.o")" = 0 ] && seen=0 || seen=1
ok $seen "without array_index_nospec(), exitstats_cpuid does not"
exit $failed
