#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# source.sh VERSION DIR: print the path of Debian's linux-source-VERSION tarball. If it is
# missing, install the package, or, if this machine's suites do not have it, download it from
# sid into DIR, with a separate state of apt there. The system's settings do not change.
set -eu

package=linux-source-$1
dir=$2
here=$(cd "$(dirname "$0")" && pwd)
progress=${here%/*}/scripts/progress.sh

die()
{
	echo "$*" >&2
	exit 1
}

for tar in "/usr/src/$package.tar.xz" "$dir/usr/src/$package.tar.xz"; do
	[ ! -e "$tar" ] || { echo "$tar"; exit 0; }
done
command -v apt-get > /dev/null || die "$package is missing, and there is no apt-get to download it"
mkdir -p "$dir"
# Wait for other makes here, as apt would not wait for their apt.
exec 8> "$dir/../apt.lock"
flock 8

known()
{
	apt-cache show "$package" > /dev/null 2>&1
}

root=$([ "$(id -u)" != 0 ] || echo yes)
known || [ -z "$root" ] || "$progress" "looking for $package" "$dir/update.log" apt-get update
if known; then
	[ "$root" ] || die "$package is missing; as root: apt-get install $package"
	DEBIAN_FRONTEND=noninteractive "$progress" "installing $package" "$dir/apt.log" \
		apt-get install -y --no-install-recommends "$package"
	echo "/usr/src/$package.tar.xz"
	exit 0
fi

# Use this machine's mirror of Debian's main archive. The security archive has no sid.
. /etc/os-release
site=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' \
	"Release: ${VERSION_CODENAME:-sid}" 'Component: main' | head -n 1)
[ "$site" ] || die "$package: no source of Debian packages in the system's apt settings"

mkdir -p "$dir/lists/partial" "$dir/archives/partial"
cd "$dir"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $site sid main" > sid.list
sid="apt-get -o Dir::Etc::sourcelist=$dir/sid.list -o Dir::Etc::sourceparts=/dev/null
	-o Dir::State::lists=$dir/lists -o Dir::Cache=$dir -o APT::Sandbox::User=root"
"$progress" "looking for $package in Debian sid" "$dir/update.log" $sid update
"$progress" "downloading $package from Debian sid" "$dir/apt.log" $sid download "$package"
dpkg -x "$package"_*.deb .
rm -rf "$package"_*.deb lists
echo "$dir/usr/src/$package.tar.xz"
