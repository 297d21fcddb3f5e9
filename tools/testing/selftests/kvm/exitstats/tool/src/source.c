// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where the figures come from.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>

#include "error.h"
#include "guest.h"
#include "host.h"
#include "options.h"
#include "source.h"

static char title[VM_NAME_MAX + VM_ID_MAX + 64] = "VM exits";
static const struct vm *vm;

void open_source(void)
{
	if (opt.vm) {
		require_tables();
		vm = choose_vm(opt.vm, opt.vm_vcpu);
		if (opt.vm_vcpu < 0)
			snprintf(title, sizeof(title), "VM exits of %s (%s)", vm->name, vm->id);
		else
			snprintf(title, sizeof(title), "VM exits of vCPU %ld of %s (%s)",
				 opt.vm_vcpu, vm->name, vm->id);
	} else {
		require_leaves();
		if (opt.vcpu)
			snprintf(title, sizeof(title), "VM exits of CPU %d", sched_getcpu());
	}
}

bool read_source(struct stats *s)
{
	if (opt.vm)
		return read_host(s);
	read_guest(s);
	return true;
}

const char *source_title(void)
{
	return title;
}

const char *source_vm(void)
{
	return vm ? vm->name : NULL;
}
