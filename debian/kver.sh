#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# kver.sh VERSION FLAVOUR [WANTED]: print the name, as from uname -r, of Debian's kernel of
# this flavour whose package has the version WANTED. The default is the version of
# linux-source-VERSION, installed or in the archive.
set -eu

source=linux-source-$1
wanted=${3:-$(dpkg-query -W -f '${Version}' "$source" 2> /dev/null ||
	apt-cache show --no-all-versions "$source" 2> /dev/null | sed -n 's/^Version: //p')}
headers=$(apt-cache search -n "^linux-headers-$1[-.0-9]*(\+deb[0-9]*)?-$2\$" | cut -d ' ' -f 1)
apt-cache show ${headers:-none} 2> /dev/null | awk -v wanted="$wanted" '
	$1 == "Package:" { kernel = substr($2, length("linux-headers-") + 1) }
	$1 == "Version:" && $2 == wanted { print kernel; found = 1; exit }
	END { exit !found }' || {
	echo "apt knows no linux-headers of flavour $2 in the version of $source: ${wanted:-none}" >&2
	exit 1
}
