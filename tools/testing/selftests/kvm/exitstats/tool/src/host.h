/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reading on the host: from the tables in debugfs, kvm/PID-FD/exitstats of a VM and
 * kvm/PID-FD/vcpuN/exitstats of a vCPU, with exitstats_histogram beside them if the VM has it.
 */
#ifndef HOST_H
#define HOST_H

#include "stats.h"

#define VM_ID_MAX	32
#define VM_NAME_MAX	64

/**
 * struct vm - a VM of this host
 * @id: "PID-FD", which debugfs knows it by
 * @pid: of the process that made it
 * @fd: that process's file descriptor of the VM
 * @name: of QEMU's -name, or of the process; printable ASCII
 * @age: seconds since it was made
 * @stats: its figures, as last read
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
 * @n: how many
 * @others: how many VMs there are that do not count
 */
struct vms {
	struct vm *vm;
	int n;
	int others;
};

/* The end, with a line that says what to do, unless there are tables to read here. */
void require_tables(void);

/* Read all VMs anew; those that end meanwhile are left out. @vms is zeros at first. */
void read_vms(struct vms *vms);

/* Find the VM of -p; the end if there is none that counts. */
const struct vm *choose_vm(const char *text, long vcpu);

/* A reading of the chosen VM or vCPU. Return: false if it has ended. */
bool read_host(struct stats *s);

/* Return: false if @text is not such a table. */
bool parse_table(struct stats *s, const char *text);

/* The same for a histogram, which is added to what parse_table() found. */
bool parse_histogram(struct stats *s, const char *text);

/* @text, which is QEMU's command line or not, with a 0 behind each argument. */
void name_from_cmdline(char *name, const char *text, size_t len);

#endif /* HOST_H */
