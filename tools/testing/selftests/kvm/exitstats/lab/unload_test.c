// SPDX-License-Identifier: GPL-2.0-only
/*
 * unload_test: KVM's modules are unloaded while files of exitstats are open, and
 * loaded and unloaded again and again, which takes no memory that stays.
 *
 *	unload_test [-n ROUNDS] [DIR]	the modules are in DIR, /modules/ by default
 *
 * It ends with the modules loaded.
 */
#define _GNU_SOURCE
#define TAP_NAME "unload"
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/kvm.h>
#include <linux/kvm_exitstats.h>

#include "tap.h"
#include "../exitstats_memory.h"

/*
 * Rounds until what is made once and kept is there, and how much more memory each of
 * the others may leave taken.
 */
#define NR_WARM_UP	8
#define KB_PER_ROUND	2

static const char *dir = "/modules/";
static int nr_rounds = 20;

static void load(const char *name, const char *params)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s%s.ko", dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || (syscall(SYS_finit_module, fd, params, 0) && errno != EEXIST))
		die("%s: %m", path);
	close(fd);
}

static bool unload(const char *name)
{
	return !syscall(SYS_delete_module, name, O_NONBLOCK);
}

static bool busy(const char *name)
{
	return !unload(name) && (errno == EWOULDBLOCK || errno == EBUSY);
}

struct vm {
	int kvm, fd, vcpu, stats, table, vcpu_table;
};

static int open_table(struct vm *vm, const char *vcpu)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/sys/kernel/debug/kvm/%d-%d/%sexitstats", getpid(),
		 vm->fd, vcpu);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		die("%s: %m", path);
	return fd;
}

/* As of a guest that comes from elsewhere; refused by a VM that does not count */
static void restore(int vcpu)
{
	static struct {
		struct kvm_exitstats_state header;
		struct kvm_exitstats_entry entries[KVM_EXITSTATS_MAX_ENTRIES];
	} state = { .header.nr = KVM_EXITSTATS_MAX_ENTRIES };
	struct kvm_device_attr attr = {
		.group = KVM_VCPU_EXITSTATS,
		.attr = KVM_VCPU_EXITSTATS_STATE,
		.addr = (unsigned long)&state,
	};

	if (ioctl(vcpu, KVM_SET_DEVICE_ATTR, &attr) && errno != ENXIO)
		die("KVM_SET_DEVICE_ATTR: %m");
}

/* A VM whose vCPU has run: HLT, at its reset vector. */
static struct vm create_vm(void)
{
	struct kvm_userspace_memory_region region = {
		.guest_phys_addr = 0xfffff000,
		.memory_size = 0x1000,
	};
	struct vm vm;
	char *memory;

	memory = mmap(NULL, 0x1000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memory[0xff0] = 0xf4;
	region.userspace_addr = (unsigned long)memory;

	vm.kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (vm.kvm < 0)
		die("/dev/kvm: %m");
	vm.fd = ioctl(vm.kvm, KVM_CREATE_VM, 0);
	if (vm.fd < 0 || ioctl(vm.fd, KVM_SET_TSS_ADDR, 0xfffbd000) ||
	    ioctl(vm.fd, KVM_SET_USER_MEMORY_REGION, &region))
		die("KVM_CREATE_VM: %m");
	vm.vcpu = ioctl(vm.fd, KVM_CREATE_VCPU, 0);
	if (vm.vcpu < 0)
		die("KVM_CREATE_VCPU: %m");
	restore(vm.vcpu);
	if (ioctl(vm.vcpu, KVM_RUN, 0))
		die("KVM_RUN: %m");
	vm.stats = ioctl(vm.vcpu, KVM_GET_STATS_FD, 0);
	if (vm.stats < 0)
		die("KVM_GET_STATS_FD: %m");
	vm.table = open_table(&vm, "");
	vm.vcpu_table = open_table(&vm, "vcpu0/");
	return vm;
}

static void close_vm(struct vm *vm)
{
	close(vm->vcpu);
	close(vm->fd);
	close(vm->kvm);
}

static bool reads(int fd)
{
	char byte;

	return pread(fd, &byte, 1, 0) == 1;
}

int main(int argc, char **argv)
{
	struct vm vm;
	long memory = 0, grown;
	int opt, i;

	while ((opt = getopt(argc, argv, "n:")) != -1) {
		if (opt == 'n')
			nr_rounds = atoi(optarg);
		if (opt != 'n' || nr_rounds < 1) {
			fprintf(stderr, "usage: unload_test [-n ROUNDS] [DIR]\n");
			return 1;
		}
	}
	if (optind < argc)
		dir = argv[optind];
	printf("TAP version 13\n1..7\n");

	vm = create_vm();
	test(reads(vm.stats) && reads(vm.table) && reads(vm.vcpu_table), "all is open");
	test(busy("kvm_intel") && busy("kvm"), "refused while there is a VM");

	/* Statistics hold the VM: they go first. */
	close(vm.stats);
	close_vm(&vm);
	test(!reads(vm.table) && errno == EIO && !reads(vm.vcpu_table) && errno == EIO,
	     "the tables are of no VM any more");
	test(unload("kvm_intel") && busy("kvm"), "kvm.ko stays while a table is open");
	test(!reads(vm.table) && errno == EIO, "a table, kvm-intel.ko being gone");
	close(vm.table);
	close(vm.vcpu_table);

	for (i = 0; i < NR_WARM_UP + nr_rounds; i++) {
		if (i == NR_WARM_UP)
			memory = kernel_memory();
		if (!unload("kvm") || unload("kvm_intel"))
			break;
		load("kvm", i % 2 ? "exitstats=0" : "");
		load("kvm_intel", i / 2 % 2 ? "ept=0" : "");
		vm = create_vm();
		close(vm.vcpu_table);
		close(vm.table);
		close(vm.stats);
		close_vm(&vm);
		if (!unload("kvm_intel"))
			break;
	}
	grown = kernel_memory() - memory;
	test(i == NR_WARM_UP + nr_rounds,
	     "unloaded and loaded, with and without exitstats and EPT");
	printf("# unload: %ld KB more kernel memory after %d rounds\n", grown, nr_rounds);
	test(grown <= (long)nr_rounds * KB_PER_ROUND, "no memory stays taken");
	load("kvm", "");
	load("kvm_intel", "");
	return nr_failed > 0;
}
