#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# test.sh VERSION FLAVOUR: test the packages in this directory, 1/*.deb and the newer
# 2/*.deb, in the Debian system of make test-deb, with an update from the last but one
# kernel in the archive to the last one.
set -u

here=$(dirname "$0")
flavour=$2
source=linux-source-$1
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
install="apt-get install -y --no-install-recommends"

TAP_NAME=packages
. "$here/tap.sh"

# tap WHAT COMMAND ...
tap()
{
	what=$1
	shift
	echo "== $what" >> "$here/log"
	"$@" >> "$here/log" 2>&1
	ok $? "$what"
}

# Would modprobe load the modules of kernel $1 from below directory $2?
modules_from()
{
	for m in kvm kvm_intel kvm_amd; do
		modinfo -k "$1" -n $m | grep "^/lib/modules/$1/$2/" || return 1
	done
}
ours()
{
	modules_from "$1" updates/dkms && modinfo -k "$1" -F parm kvm | grep '^exitstats:'
}

gone()
{
	modules_from "$old_kernel" kernel/arch/x86/kvm &&
		modules_from "$new_kernel" kernel/arch/x86/kvm &&
		! find / -xdev -name '*exitstats*' -not -path "$here/*" \
			-not -path '/proc/*' | grep .
}

apt-get update > "$here/log" 2>&1 || { echo "Bail out! apt-get update: see $here/log"; exit 1; }
versions=$(apt-cache madison "$source" | awk '{ print $3 }' | uniq)
new=$(echo "$versions" | sed -n 1p)
old=$(echo "$versions" | sed -n 2p)
[ "$old" ] || { echo "1..0 # SKIP the archive has $source in one version only"; exit 0; }
new_kernel=$("$here/kver.sh" "$1" "$flavour" "$new") || exit 1
old_kernel=$("$here/kver.sh" "$1" "$flavour" "$old") || exit 1

echo 1..14
tap "install with the headers of $old_kernel" \
	$install "$here"/1/*.deb "linux-headers-$old_kernel" "$source=$old"
tap "the modules override the kernel's own" ours "$old_kernel"
tap "the tool, its manual page and completion are installed" sh -c 'exitstats --version &&
	[ -e /usr/share/man/man1/exitstats.1.gz ] &&
	bash -n /usr/share/bash-completion/completions/exitstats'
tap "the guest's driver is installed" sh -c "modinfo -k $old_kernel -n exitstats_pmu | grep /updates/dkms/"
tap "upgrade" $install "$here"/2/*.deb
tap "the newer modules override the kernel's own" ours "$old_kernel"
tap "the older ones are gone" sh -c '[ "$(dkms status | grep -c .)" = 2 ] &&
	ls -d /usr/src/kvm-exitstats-*+next /usr/src/exitstats-pmu-*+next'
tap "update the kernel to $new_kernel" $install "linux-headers-$new_kernel" "$source=$new"
tap "the modules exist for $new_kernel" ours "$new_kernel"
tap "the modules still exist for $old_kernel" ours "$old_kernel"

dkms=$(cd /usr/src && ls -d kvm-exitstats-* | sed 's,s-,s/,')
dkms remove "$dkms" -k "$old_kernel" >> "$here/log" 2>&1
dkms build "$dkms" -k "$old_kernel" > "$here/refusal" 2>&1
tap "a source of another version is refused (status $?)" sh -c "[ $? != 0 ] &&
	grep 'as root: apt-get install $source=$old' '$here/refusal'"
mkdir -p /lib/modules/5.10.0-1-amd64/build/include
dkms build "$dkms" -k 5.10.0-1-amd64 >> "$here/log" 2>&1
tap "a kernel without patches is excluded (status $?)" [ $? = 77 ]

tap "remove" apt-get purge -y kvm-exitstats-dkms exitstats-pmu-dkms exitstats
tap "Debian's modules are back, and no files are left" gone
