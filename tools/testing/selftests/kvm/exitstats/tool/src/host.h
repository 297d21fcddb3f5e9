/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reading on the host: from the tables in debugfs, kvm/PID-FD/exitstats for a VM and
 * kvm/PID-FD/vcpuN/exitstats for a vCPU, and from exitstats_histogram in the same directories
 * if the VM has the histogram.
 */
#ifndef HOST_H
#define HOST_H

#include "stats.h"

#define VM_ID_MAX	32
#define VM_NAME_MAX	64

/**
 * struct vm - a VM of this host
 * @id: "PID-FD", its name in debugfs
 * @pid: process that created it
 * @fd: that process's file descriptor of the VM
 * @name: from QEMU's -name, or the process's name; printable ASCII
 * @age: seconds since its creation
 * @stats: its figures at the last reading
 */
struct vm {
	char id[VM_ID_MAX];
	int pid;
	int fd;
	char name[VM_NAME_MAX];
	double age;
	struct stats stats;
};

/**
 * struct vms - the VMs of this host that count, by process
 * @vm: the VMs
 * @n: their number
 * @others: number of VMs that do not count
 */
struct vms {
	struct vm *vm;
	int n;
	int others;
};

/* Exit with a line that says what to do, unless there are tables to read. */
void require_tables(void);

/* Read all VMs again, without those that end meanwhile. @vms must initially be zeros. */
void read_vms(struct vms *vms);

/* Find the VM of -p; exit if there is none that counts. */
const struct vm *choose_vm(const char *text, long vcpu);

/* Read the chosen VM or vCPU. Return: false if it has ended */
bool read_host(struct stats *s);

/* Parse a table of debugfs. Return: false if @text is none */
bool parse_table(struct stats *s, const char *text);

/* The same for a histogram, which is added to the figures of parse_table(). */
bool parse_histogram(struct stats *s, const char *text);

/* Find the name in @text, a command line with a 0 byte after each argument. */
void name_from_cmdline(char *name, const char *text, size_t len);

#endif /* HOST_H */
