#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# emulator_test.sh B DIR: is the right emulator chosen, on this machine and on
# others, and does it get the right command line? As TAP. DIR is a run's directory,
# whose plan loads kvm-intel.
set -u

b=$1
dir=$2
lab=$(cd "$(dirname "$0")" && pwd)
nr=0
failed=0
export LAB_ROOT="$dir/machine"

# machine FLAG NESTED [kvm]: this is what it is like; kvm: it has /dev/kvm
machine()
{
	rm -rf "$LAB_ROOT"
	mkdir -p "$LAB_ROOT/proc" "$LAB_ROOT/dev" "$LAB_ROOT/sys/module/kvm_intel/parameters"
	printf 'flags\t\t: fpu %s sse\nvmx flags\t: vnmi\n' "$1" > "$LAB_ROOT/proc/cpuinfo"
	echo "$2" > "$LAB_ROOT/sys/module/kvm_intel/parameters/nested"
	[ -z "${3:-}" ] || : > "$LAB_ROOT/dev/kvm"
}

ok()
{
	nr=$((nr + 1))
	[ "$1" = 0 ] && no='' || no='not '
	[ "$1" = 0 ] || failed=1
	echo "${no}ok $nr - emulator: $2"
}

# answers STATUS TEXT MESSAGE LAB WHAT: emulator.sh LAB ends with STATUS and says TEXT,
# and on standard error MESSAGE; both are patterns of grep, MESSAGE may be nothing
answers()
{
	text=$("$lab/emulator.sh" "$4" 2> "$dir/message")
	[ $? = "$1" ] && echo "$text" | grep -qx "$2" &&
		{ [ -z "$3" ] && [ ! -s "$dir/message" ] || grep -q "$3" "$dir/message"; } 2> /dev/null
	ok $? "$5"
}

echo 1..12
machine lm Y kvm
answers 0 bochs '' '' "no VMX: Bochs, and nothing to say of it"
answers 1 'LAB=kvm: .*no VMX.*' '' kvm "no VMX: LAB=kvm says so"
answers 1 'LAB=xen: neither bochs nor kvm' '' xen "LAB=xen is refused"
machine vmx Y kvm
answers 0 kvm '' '' "VMX, /dev/kvm, nested=Y: KVM"
answers 0 bochs '' bochs "VMX, /dev/kvm, nested=Y: LAB=bochs has its way"
machine vmx 1 kvm
answers 0 kvm '' kvm "VMX, /dev/kvm, nested=1: LAB=kvm"
machine vmx N kvm
answers 0 bochs 'in Bochs.*nested=1' '' "nested=N: Bochs, and what to do"
answers 1 'LAB=kvm: .*nested=1' '' kvm "nested=N: LAB=kvm says what to do"
machine vmx Y
answers 0 bochs 'in Bochs.*no /dev/kvm' '' "no /dev/kvm: Bochs, and what to do"
answers 1 'LAB=kvm: .*no /dev/kvm.*' '' kvm "no /dev/kvm: LAB=kvm says what to do"

# A QEMU that writes down how it was called, and without nested VMX goes on with TCG:
# that has none, but CD, kernel, initramfs and serial ports are the same.
machine vmx Y kvm
mkdir -p "$dir/bin"
cat > "$dir/bin/qemu-system-x86_64" << 'EOF'
#!/bin/sh
echo "$*" > arguments
tcg=$(echo "$*" | sed 's/-accel kvm -cpu host/-accel tcg -cpu Haswell/')
exec /usr/bin/qemu-system-x86_64 $tcg
EOF
chmod +x "$dir/bin/qemu-system-x86_64"
PATH=$dir/bin:$PATH LAB_CPUS=2 "$lab/run.sh" "$b" "$dir" -q -t 300 > "$dir/output" 2>&1
grep -q '^-accel kvm -cpu host -smp 2 ' "$dir/arguments"
ok $? "QEMU is called for KVM, with two CPUs"
grep -qx 'lab: cannot load kvm_intel ept=1 .*not supported' "$dir/output"
ok $? "in TCG instead, the same image boots until kvm-intel finds no VMX"
exit $failed
