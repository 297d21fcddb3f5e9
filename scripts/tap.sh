# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# TAP for tests in shell, which source this file. Each test's name starts with TAP_NAME.
#
#	ok STATUS WHAT		report a test, which has passed if STATUS is 0
#	exit $failed		at the end
nr=0
failed=0

ok()
{
	nr=$((nr + 1))
	if [ "$1" = 0 ]; then
		echo "ok $nr - $TAP_NAME: $2"
	else
		echo "not ok $nr - $TAP_NAME: $2"
		failed=1
	fi
}
