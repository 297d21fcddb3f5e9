#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# apply_test.sh B DIR KILLS: test apply.sh, and print TAP. The trees in DIR have the original
# version of the files in B/linux that the series changes, the top Makefile, which is the
# only other file that apply.sh reads, and a neighbour of a new file. The test kills apply.sh
# KILLS times in each way.
set -u

b=$1
dir=$2
kills=$3
here=$(cd "$(dirname "$0")" && pwd)
tree=$dir/linux
TAP_NAME=apply
. "$here/../scripts/tap.sh"

new_tree()
{
	rm -rf "$tree"
	cp -a "$b/pristine" "$tree"
	(cd "$b/linux" && cp -p --parents Makefile include/uapi/linux/kvm.h "$tree")
	chmod 775 "$tree/arch/x86/kvm" "$tree/include/uapi/linux"
}

series()
{
	"$here/apply.sh" "$1" "$tree" "$dir/work" 2> "$dir/says"
}

# Names, kinds, modes, owners and contents of all files except those of the journal and of git
print()
{
	(cd "$tree" && set -- \( -name .git -o -name '.exitstats*' \) -prune -o &&
		find . "$@" -printf '%P %y %m %u %g %l\n' &&
		find . "$@" -type f -exec sha256sum {} +) | sort > "$dir/$1"
}

same()
{
	print now && diff "$dir/$1" "$dir/now" >&2
}

# Does the tree equal that of make tree, with no file of the series missing?
applied()
{
	(cd "$tree" && find . -name '.exitstats*' -prune -o -type f -printf '%P\n') |
		while read -r file; do
			cmp -s "$tree/$file" "$b/linux/$file" || echo "$file"
		done > "$dir/differ"
	[ ! -s "$dir/differ" ] && (cd "$tree" && xargs ls < "$b/new.applied") > /dev/null 2>&1
}

# did WHAT: report a test with the last command's status
did()
{
	status=$?
	ok $status "$1"
	[ $status = 0 ] || cat "$dir/says" >&2
}

# refuses COMMAND TEXT WHAT: the command fails with a line like TEXT and changes nothing
refuses()
{
	print before
	! series "$1" && grep -q "$2" "$dir/says" && same before
	did "$3"
}

# Is apply.sh about to change files, or changing them?
halfway()
{
	[ -d "$tree/.exitstats" ] && [ ! -e "$tree/.exitstats/done" ]
}

# killed FIRST THEN STATE: kill command FIRST at a random point, and check that command THEN
# ends in STATE. Two of three kills come soon after files begin to change, and sooner still
# after one that came too late.
killed()
{
	good=0
	interrupted=0
	soon=$((time / 30))
	for i in $(seq "$kills"); do
		new_tree
		[ "$1" = apply ] || series apply
		setsid "$here/apply.sh" "$1" "$tree" "$dir/work" 2> "$dir/says" &
		pid=$!
		within=$time
		if [ $((i % 3)) != 0 ]; then
			within=$soon
			while ! halfway && kill -0 $pid 2> /dev/null; do :; done
		fi
		sleep "$(awk -v seed="$i$$" -v within="$within" '
			BEGIN { srand(seed); print rand() * within / 1000 }')"
		kill -9 -$pid 2> /dev/null
		wait $pid 2> /dev/null
		if halfway; then
			interrupted=$((interrupted + 1))
		elif [ "$within" = $soon ]; then
			soon=$((soon / 2))
		fi
		# FIRST may have completed, and then THEN may have nothing to do.
		series "$2"
		if [ "$3" = applied ]; then applied; else same pristine; fi && good=$((good + 1))
	done
	echo "# $1 killed $kills times, $interrupted of them half-way, then $2: $good are $3"
	[ "$good" = "$kills" ] && [ "$interrupted" != 0 ]
	did "$1, kill -9 at $kills points, then $2"
}

# Milliseconds
now()
{
	date +%s%3N
}

mkdir -p "$dir"
echo 1..15
new_tree
print pristine
start=$(now)
series apply && applied
did "the tree is that of make tree"
time=$(($(now) - start))
refuses apply 'has the series already' "a second apply is refused"
touch "$tree/arch/x86/kvm/exitstats.o" "$tree/arch/x86/kvm/.exitstats.o.cmd" \
	"$tree/tools/testing/selftests/kvm/exitstats/exitstats_test"
series unapply && same pristine
did "unapply after a build restores each bit, name and mode"
refuses unapply 'no series' "unapply without an apply is refused"

series apply
echo '/* mine */' >> "$tree/arch/x86/kvm/exitstats.c"
refuses unapply 'arch/x86/kvm/exitstats.c' "unapply that would lose an edit is refused, and names the file"

new_tree
rm -rf "$tree/.git" && cd "$tree" && git init -q && git add . &&
	git -c user.name=lab -c user.email=lab@localhost commit -q -m Linux
sed -i '1i /* mine */' arch/x86/kvm/x86.c
echo mine > notes
print changed
git status --short > "$dir/status"
series apply && head -n 1 arch/x86/kvm/x86.c | grep -q mine && [ -e arch/x86/kvm/exitstats.c ]
did "a git tree with changes: apply keeps the changes"
series unapply && same changed && git status --short | cmp - "$dir/status"
did "a git tree with changes: unapply restores it, also for git"
cd "$dir" || exit

new_tree
sed -i 's/^PATCHLEVEL =.*/PATCHLEVEL = 99/' "$tree/Makefile"
refuses apply 'there are patches for' "a version without patches is refused"
new_tree
sed -i 's/vcpu->arch.last_vmentry_cpu = vcpu->cpu;/& ;/' "$tree/arch/x86/kvm/x86.c"
refuses apply 'arch/x86/kvm/x86.c: Hunk #' "a hunk that does not fit is refused, and named"
new_tree
cp "$b/linux/arch/x86/kvm/exitstats.h" "$tree/arch/x86/kvm"
refuses apply 'not from make apply' "a series from elsewhere is refused"

new_tree
series apply
rm -r "$tree/.exitstats/done" "$tree/tools/testing/selftests/kvm/exitstats/shim/uapi/linux"
series unapply && same pristine
did "apply interrupted between two nested new directories, then unapply"

killed apply apply applied
killed apply unapply pristine
killed unapply unapply pristine
killed unapply apply applied
exit $failed
