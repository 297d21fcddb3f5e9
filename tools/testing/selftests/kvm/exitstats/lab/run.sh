#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# run.sh B DIR [BOOT-OPTION ...]: make DIR/lab.iso of B's shared image and of what
# is in DIR, and boot it. lab.mk says what is in DIR.
set -eu

b=$1
dir=$2
shift 2
lab=$(cd "$(dirname "$0")" && pwd)
cpus=${LAB_CPUS:-1}
emulator=${LAB_SVM:+svm}
emulator=${emulator:-$("$lab/emulator.sh" "${LAB_EMULATOR:-}")} || { echo "$emulator" >&2; exit 1; }

cpio()
{
	"$b/linux/usr/gen_init_cpio" "$1" > "$2"
}

cd "$dir"
{
	printf 'dir %s 755 0 0\n' /dev /proc /sys /tmp /run
	echo "nod /dev/console 600 0 0 c 5 1"
	echo "file /init $b/init 755 0 0"
	echo "file /plan $dir/guest.plan 644 0 0"
	cat guest.files
} > guest.list
cpio guest.list guest.cpio
{
	echo "dir /run 755 0 0"
	echo "file /plan $dir/plan 644 0 0"
	echo "file /boot/guest.cpio $dir/guest.cpio 644 0 0"
	cat files
} > run.list

rm -rf iso
mkdir iso
cpio run.list iso/run.cpio
copy()
{
	ln "$1" "$2" 2> /dev/null || cp "$1" "$2"
}
copy "${LAB_BASE:-$b/base.cpio}" iso/base.cpio
copy "${LAB_KERNEL:-$b/linux/arch/x86/boot/bzImage}" iso/bzImage
cp /usr/lib/ISOLINUX/isolinux.bin /usr/lib/syslinux/modules/bios/ldlinux.c32 iso/
# Bochs with two CPUs hangs in HLT.
idle=
[ "$emulator" != bochs ] || [ "$cpus" = 1 ] || idle=idle=poll
{
	cat "$lab/isolinux.cfg"
	echo "  append console=ttyS0,115200 panic=-1 reboot=t printk.devkmsg=on $idle"
} > iso/isolinux.cfg
xorriso -as mkisofs -quiet -o lab.iso -b isolinux.bin -c boot.cat -no-emul-boot \
	-boot-load-size 4 -boot-info-table iso 2> xorriso.log || { cat xorriso.log >&2; exit 1; }
rm -rf iso

case $emulator in
bochs)
	# Without "c" the debugger that this Bochs is would wait at its prompt.
	echo c > debugger
	exec "$b/boot" "$@" "$dir" bochs -q -f "$lab/bochsrc" -rc debugger "cpu: count=$cpus"
	;;
kvm)
	accel="-accel kvm -cpu host"
	;;
svm)
	# An AMD host: QEMU emulates SVM, as Bochs does VMX.
	accel="-accel tcg -cpu EPYC,svm=on,npt=on"
	;;
esac
exec "$b/boot" "$@" "$dir" qemu-system-x86_64 $accel -smp "$cpus" -m 1024 \
	-nodefaults -display none -no-reboot -cdrom lab.iso \
	-serial file:console.log -serial file:stream
