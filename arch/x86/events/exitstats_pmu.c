// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM exitstats for perf in a guest: how often each vCPU exited, and where its time went.
 * The host counts. A CPUID instruction reads one figure of the vCPU that executes it.
 * Documentation/admin-guide/perf/exitstats-pmu.rst lists the events.
 *
 * A reading costs one exit. The driver counts its readings, and subtracts these exits from
 * the figures that include them. It does not know their cycles, which remain.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bits.h>
#include <linux/cpufeature.h>
#include <linux/ctype.h>
#include <linux/kvm_exitstats.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/perf_event.h>
#include <linux/sysfs.h>
#include <linux/tracepoint-defs.h>
#include <asm/cpuid/api.h>
#include <asm/kvm.h>
#include <asm/svm.h>
#include <asm/vmx.h>

/* attr.config: the number of an exit reason or account, and which figure of it */
#define CONFIG_NUMBER	0xffffu
#define CONFIG_CYCLES	0x10000u	/* the cycles; without it, the exits */
#define CONFIG_ACCOUNT	0x20000u	/* of an account; without it, of an exit reason */
#define CONFIG_ALL	(CONFIG_ACCOUNT | CONFIG_CYCLES | CONFIG_NUMBER)

#define ACCOUNT_EXITS(name)	(CONFIG_ACCOUNT | KVM_EXITSTATS_ACCOUNT_ ## name)
#define ACCOUNT_CYCLES(name)	(CONFIG_CYCLES | ACCOUNT_EXITS(name))

/* If a figure grew by this much, check first whether the host still has exitstats. */
#define LARGE_STEP	BIT(20)

/* The exit reason of CPUID in the host's numbering */
static u32 exitstats_cpuid_reason __ro_after_init;

/* The CPUIDs that this driver has executed on each CPU */
static DEFINE_PER_CPU(u64, exitstats_own);

/* Return the number of the driver's earlier CPUIDs on this CPU. */
static u64 exitstats_cpuid(u32 leaf, u32 selector, u32 *regs)
{
	unsigned long flags;
	u64 own;

	/* If a reading in an NMI came before the increment, read again. */
	local_irq_save(flags);
	do {
		own = __this_cpu_read(exitstats_own);
		cpuid_count(leaf, selector, &regs[0], &regs[1], &regs[2], &regs[3]);
	} while (__this_cpu_inc_return(exitstats_own) != own + 1);
	local_irq_restore(flags);
	return own;
}

static bool exitstats_present(void)
{
	u32 regs[4];

	exitstats_cpuid(KVM_EXITSTATS_LEAF_EXITS, KVM_EXITSTATS_PROBE, regs);
	return !regs[0] && !regs[1] && !regs[2] && regs[3] == KVM_EXITSTATS_UNDEFINED;
}

/* Does the figure include the driver's own CPUIDs? Each leaves the guest and enters it again. */
static bool exitstats_contains_own(u32 config)
{
	return config == exitstats_cpuid_reason || config == ACCOUNT_EXITS(ALL) ||
	       config == ACCOUNT_EXITS(GUEST);
}

/*
 * Read a figure of this vCPU, without the exits of the driver's own CPUIDs. The result is
 * negative if the host began to count after the driver. Return false if the host does not know
 * the figure.
 */
static bool exitstats_read(u32 config, s64 *figure)
{
	u32 selector = config & CONFIG_NUMBER, regs[4];
	bool cycles = config & CONFIG_CYCLES;
	u64 own;

	selector = config & CONFIG_ACCOUNT ? KVM_EXITSTATS_SELECT_ACCOUNT(selector) :
					     KVM_EXITSTATS_SELECT_REASON(selector);
	own = exitstats_cpuid(cycles ? KVM_EXITSTATS_LEAF_CYCLES : KVM_EXITSTATS_LEAF_EXITS,
			      selector | KVM_EXITSTATS_SELECT_VCPU, regs);
	*figure = (u64)regs[1] << 32 | (cycles ? regs[2] : regs[0]);
	if (exitstats_contains_own(config))
		*figure -= own;
	return regs[3] == KVM_EXITSTATS_DEFINED;
}

static void exitstats_event_start(struct perf_event *event, int flags)
{
	s64 now;

	if (!exitstats_read(event->attr.config, &now))
		now = S64_MAX;
	local64_set(&event->hw.prev_count, now);
}

/*
 * After migration or hibernation, the host may be another one, whose figures began at 0, or
 * which has no exitstats and returns anything. If a figure is smaller than before, count from
 * there. If an NMI has read the event meanwhile, read again.
 */
static void exitstats_event_update(struct perf_event *event)
{
	s64 now, prev;

	do {
		prev = local64_read(&event->hw.prev_count);
		if (!exitstats_read(event->attr.config, &now))
			return;
	} while (local64_cmpxchg(&event->hw.prev_count, prev, now) != prev);
	if (now > prev && ((u64)now - prev < LARGE_STEP || exitstats_present()))
		local64_add(now - prev, &event->count);
}

static void exitstats_event_stop(struct perf_event *event, int flags)
{
	exitstats_event_update(event);
}

static int exitstats_event_add(struct perf_event *event, int flags)
{
	if (flags & PERF_EF_START)
		exitstats_event_start(event, flags);
	return 0;
}

/* On EOPNOTSUPP, perf suggests perf stat; on EINVAL for an event of a task, it suggests -a. */
static int exitstats_event_init(struct perf_event *event)
{
	u64 config = event->attr.config;
	s64 figure;

	if (event->attr.type != event->pmu->type)
		return -ENOENT;
	if (is_sampling_event(event) || has_branch_stack(event))
		return -EOPNOTSUPP;
	if (event->cpu < 0 || event->attr.config1 || event->attr.config2 || config > CONFIG_ALL)
		return -EINVAL;
	if (config & CONFIG_ACCOUNT && (config & CONFIG_NUMBER) > KVM_EXITSTATS_ACCOUNT_OTHER)
		return -EINVAL;
	return exitstats_read(config, &figure) ? 0 : -EINVAL;
}

PMU_FORMAT_ATTR(reason, "config:0-15");
PMU_FORMAT_ATTR(what, "config:16-19");

static struct attribute *exitstats_format_attrs[] = {
	&format_attr_reason.attr,
	&format_attr_what.attr,
	NULL
};

static const struct attribute_group exitstats_format_group = {
	.name	= "format",
	.attrs	= exitstats_format_attrs,
};

/* All CPUs. This file tells perf that events belong to CPUs, not to tasks. */
static ssize_t cpumask_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return cpumap_print_to_pagebuf(true, buf, cpu_online_mask);
}
static DEVICE_ATTR_RO(cpumask);

static struct attribute *exitstats_cpumask_attrs[] = {
	&dev_attr_cpumask.attr,
	NULL
};

static const struct attribute_group exitstats_cpumask_group = {
	.attrs	= exitstats_cpumask_attrs,
};

static const struct {
	const char *name;
	u32 config;
} exitstats_accounts[] = {
	{ "exits",		ACCOUNT_EXITS(ALL) },
	{ "cycles",		ACCOUNT_CYCLES(ALL) },
	{ "guest",		ACCOUNT_CYCLES(GUEST) },
	{ "userspace",		ACCOUNT_CYCLES(USERSPACE) },
	{ "halted",		ACCOUNT_CYCLES(HALTED) },
	{ "preempted",		ACCOUNT_CYCLES(PREEMPTED) },
	{ "asleep",		ACCOUNT_CYCLES(ASLEEP) },
	{ "other",		ACCOUNT_EXITS(OTHER) },
	{ "other_cycles",	ACCOUNT_CYCLES(OTHER) },
};

static const struct trace_print_flags exitstats_vmx_names[] = { VMX_EXIT_REASONS };
static const struct trace_print_flags exitstats_svm_names[] = { SVM_EXIT_REASONS };

/* A file in events/. Its content is @text, or the event's config if NULL. */
struct exitstats_file {
	struct device_attribute attr;
	const char *text;
	u32 config;
	char name[48];
};

static struct exitstats_file *exitstats_files;
static struct attribute **exitstats_event_attrs;

static ssize_t exitstats_file_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct exitstats_file *file = container_of(attr, struct exitstats_file, attr);

	if (file->text)
		return sysfs_emit(buf, "%s\n", file->text);
	return sysfs_emit(buf, "reason=0x%x,what=0x%x\n", file->config & CONFIG_NUMBER,
			  file->config >> 16);
}

static void __init exitstats_add_file(const char *name, const char *suffix, u32 config,
				      const char *text)
{
	bool reason_cycles = (config & (CONFIG_ACCOUNT | CONFIG_CYCLES)) == CONFIG_CYCLES;
	static unsigned int nr __initdata;
	struct exitstats_file *file = &exitstats_files[nr];
	char *c;

	snprintf(file->name, sizeof(file->name), "%s%s%s", name, reason_cycles ? "_cycles" : "",
		 suffix);
	for (c = file->name; *c; c++)
		*c = *c == ' ' || *c == '-' ? '_' : tolower(*c);
	file->config = config;
	file->text = text;
	sysfs_attr_init(&file->attr.attr);
	file->attr.attr.name = file->name;
	file->attr.attr.mode = 0444;
	file->attr.show = exitstats_file_show;
	exitstats_event_attrs[nr++] = &file->attr.attr;
}

static void __init exitstats_add_event(const char *name, u32 config)
{
	exitstats_add_file(name, "", config, NULL);
	if (config & CONFIG_CYCLES) {
		exitstats_add_file(name, ".unit", config, "cycles");
		exitstats_add_file(name, ".scale", config, "1");
	}
}

static struct attribute_group exitstats_events_group = {
	.name	= "events",
};

static void exitstats_free_events(void)
{
	kvfree(exitstats_event_attrs);
	kvfree(exitstats_files);
}

/* Make events for the accounts, and for each exit reason in @names that the host knows. */
static int __init exitstats_make_events(const struct trace_print_flags *names, size_t nr)
{
	/* Each name has four files: exits; cycles, and their unit and scale. */
	size_t max = 4 * (ARRAY_SIZE(exitstats_accounts) + nr), i;
	const char *name;
	s64 figure;

	exitstats_files = kvcalloc(max, sizeof(*exitstats_files), GFP_KERNEL);
	exitstats_event_attrs = kvcalloc(max + 1, sizeof(*exitstats_event_attrs), GFP_KERNEL);
	if (!exitstats_files || !exitstats_event_attrs) {
		exitstats_free_events();
		return -ENOMEM;
	}
	exitstats_events_group.attrs = exitstats_event_attrs;

	for (i = 0; i < ARRAY_SIZE(exitstats_accounts); i++)
		exitstats_add_event(exitstats_accounts[i].name, exitstats_accounts[i].config);
	for (i = 0; i < nr; i++) {
		if (names[i].mask > CONFIG_NUMBER || !exitstats_read(names[i].mask, &figure))
			continue;
		/* perf of Linux 6.1 takes an event "msr" for the PMU of this name. */
		name = strcmp(names[i].name, "msr") ? names[i].name : "msr_access";
		exitstats_add_event(name, names[i].mask);
		exitstats_add_event(name, names[i].mask | CONFIG_CYCLES);
	}
	return 0;
}

static const struct attribute_group *exitstats_groups[] = {
	&exitstats_format_group,
	&exitstats_cpumask_group,
	&exitstats_events_group,
	NULL
};

static struct pmu exitstats_pmu = {
	.module		= THIS_MODULE,
	.task_ctx_nr	= perf_invalid_context,
	.capabilities	= PERF_PMU_CAP_NO_INTERRUPT | PERF_PMU_CAP_NO_EXCLUDE,
	.attr_groups	= exitstats_groups,
	.event_init	= exitstats_event_init,
	.add		= exitstats_event_add,
	.del		= exitstats_event_stop,
	.start		= exitstats_event_start,
	.stop		= exitstats_event_stop,
	.read		= exitstats_event_update,
};

static int __init exitstats_pmu_init(void)
{
	u32 regs[4];
	s64 exits;
	int r;

	/* A host of the first edition has no figures of one vCPU. */
	if (!boot_cpu_has(X86_FEATURE_HYPERVISOR) || !exitstats_present() ||
	    !exitstats_read(ACCOUNT_EXITS(ALL), &exits)) {
		pr_info("the host has no exit statistics for this VM\n");
		return -ENODEV;
	}

	exitstats_cpuid(KVM_EXITSTATS_LEAF_EXITS, KVM_EXITSTATS_SELECT_NUMBERING, regs);
	if (regs[0] == KVM_EXITSTATS_NUMBERING_SVM) {
		exitstats_cpuid_reason = SVM_EXIT_CPUID;
		r = exitstats_make_events(exitstats_svm_names, ARRAY_SIZE(exitstats_svm_names));
	} else {
		exitstats_cpuid_reason = EXIT_REASON_CPUID;
		r = exitstats_make_events(exitstats_vmx_names, ARRAY_SIZE(exitstats_vmx_names));
	}
	if (r)
		return r;

	r = perf_pmu_register(&exitstats_pmu, "exitstats", -1);
	if (r)
		exitstats_free_events();
	return r;
}
module_init(exitstats_pmu_init);

static void __exit exitstats_pmu_exit(void)
{
	perf_pmu_unregister(&exitstats_pmu);
	exitstats_free_events();
}
module_exit(exitstats_pmu_exit);

MODULE_DESCRIPTION("perf events: VM exits, and where the time of a KVM guest's vCPUs goes");
MODULE_AUTHOR("The exitstats maintainers");
MODULE_LICENSE("GPL");
