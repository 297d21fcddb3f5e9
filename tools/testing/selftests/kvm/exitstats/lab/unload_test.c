// SPDX-License-Identifier: GPL-2.0-only
/*
 * unload_test: unload KVM's modules while files of exitstats are open; then load and
 * unload them many times, and check that no memory leaks.
 *
 *	unload_test [-n ROUNDS] [DIR]	the modules are in DIR, /modules/ by default
 *
 * It leaves the modules loaded.
 */
#define _GNU_SOURCE
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

#include "guest.h"
#include "kselftest.h"
#include "../exitstats_memory.h"

/*
 * Rounds before the kernel's caches and the like have grown to their size, and how much
 * memory each later round may take and not free.
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
		ksft_exit_fail_msg("%s: %m\n", path);
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

/* A VM that does not count has no tables. */
static int open_table(struct vm *vm, const char *vcpu, bool counts)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/sys/kernel/debug/kvm/%d-%d/%sexitstats", getpid(),
		 vm->fd, vcpu);
	fd = open(path, O_RDONLY);
	if ((fd >= 0) != counts)
		ksft_exit_fail_msg("%s: %m\n", path);
	return fd;
}

/*
 * Restore a state, as after a migration, and so often that what each time leaks is seen. Return
 * false if the VM does not count.
 */
static bool restore(int vcpu)
{
	static struct {
		struct kvm_exitstats_state header;
		struct kvm_exitstats_entry entries[KVM_EXITSTATS_MAX_ENTRIES];
	} state;
	struct kvm_device_attr attr = {
		.group = KVM_VCPU_EXITSTATS,
		.attr = KVM_VCPU_EXITSTATS_STATE,
		.addr = (unsigned long)&state,
	};

	int i;

	state.header.nr = KVM_EXITSTATS_MAX_ENTRIES;
	if (ioctl(vcpu, KVM_GET_DEVICE_ATTR, &attr)) {
		if (errno != ENXIO)
			ksft_exit_fail_msg("state of a vCPU: %m\n");
		return false;
	}
	for (i = 0; i < 100; i++)
		if (ioctl(vcpu, KVM_SET_DEVICE_ATTR, &attr))
			ksft_exit_fail_msg("restoring the state of a vCPU: %m\n");
	return true;
}

/* Create a VM and run its vCPU, which executes HLT at the reset vector. */
static struct vm create_vm(void)
{
	struct kvm_userspace_memory_region region = {
		.guest_phys_addr = 0xfffff000,
		.memory_size = 0x1000,
	};
	struct vm vm;
	char *memory;
	bool counts;

	memory = mmap(NULL, 0x1000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memory[0xff0] = 0xf4;
	region.userspace_addr = (unsigned long)memory;

	vm.kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (vm.kvm < 0)
		ksft_exit_fail_msg("/dev/kvm: %m\n");
	vm.fd = ioctl(vm.kvm, KVM_CREATE_VM, 0);
	if (vm.fd < 0 || ioctl(vm.fd, KVM_SET_TSS_ADDR, 0xfffbd000) ||
	    ioctl(vm.fd, KVM_SET_USER_MEMORY_REGION, &region))
		ksft_exit_fail_msg("KVM_CREATE_VM: %m\n");
	vm.vcpu = ioctl(vm.fd, KVM_CREATE_VCPU, 0);
	if (vm.vcpu < 0)
		ksft_exit_fail_msg("KVM_CREATE_VCPU: %m\n");
	counts = restore(vm.vcpu);
	if (ioctl(vm.vcpu, KVM_RUN, 0))
		ksft_exit_fail_msg("KVM_RUN: %m\n");
	vm.stats = ioctl(vm.vcpu, KVM_GET_STATS_FD, 0);
	if (vm.stats < 0)
		ksft_exit_fail_msg("KVM_GET_STATS_FD: %m\n");
	vm.table = open_table(&vm, "", counts);
	vm.vcpu_table = open_table(&vm, "vcpu0/", counts);
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
	const char *vendor = vendor_is_amd() ? "kvm_amd" : "kvm_intel";
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
	ksft_print_header();
	ksft_set_plan(7);

	vm = create_vm();
	ksft_test_result(reads(vm.stats) && reads(vm.table) && reads(vm.vcpu_table),
			 "unload: the open files can be read\n");
	ksft_test_result(busy(vendor) && busy("kvm"),
			 "unload: refused while there is a VM\n");

	/* An open statistics file holds a reference to the VM. */
	close(vm.stats);
	close_vm(&vm);
	ksft_test_result(!reads(vm.table) && errno == EIO && !reads(vm.vcpu_table) && errno == EIO,
			 "unload: reading a table after its VM fails with EIO\n");
	ksft_test_result(unload(vendor) && busy("kvm"),
			 "unload: kvm.ko stays while a table is open\n");
	ksft_test_result(!reads(vm.table) && errno == EIO,
			 "unload: the same after the vendor module is unloaded\n");
	close(vm.table);
	close(vm.vcpu_table);

	for (i = 0; i < NR_WARM_UP + nr_rounds; i++) {
		if (i == NR_WARM_UP)
			memory = kernel_memory();
		if (!unload("kvm") || unload(vendor))
			break;
		load("kvm", i % 2 ? "exitstats=0" : "");
		load(vendor, i / 2 % 2 ? (vendor_is_amd() ? "npt=0" : "ept=0") : "");
		vm = create_vm();
		close(vm.vcpu_table);
		close(vm.table);
		close(vm.stats);
		close_vm(&vm);
		if (!unload(vendor))
			break;
	}
	grown = kernel_memory() - memory;
	ksft_test_result(i == NR_WARM_UP + nr_rounds,
			 "unload: unloaded and loaded, with and without exitstats and nested paging\n");
	printf("# unload: %ld KB more kernel memory after %d rounds\n", grown, nr_rounds);
	ksft_test_result(grown <= (long)nr_rounds * KB_PER_ROUND,
			 "unload: no memory leaks\n");
	load("kvm", "");
	load(vendor, "");
	ksft_finished();
}
