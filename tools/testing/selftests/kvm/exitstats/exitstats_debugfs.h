/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Read the tables of KVM exitstats in debugfs, for its tests.
 */
#ifndef SELFTEST_KVM_EXITSTATS_DEBUGFS_H
#define SELFTEST_KVM_EXITSTATS_DEBUGFS_H

#include <fcntl.h>
#include <sys/syscall.h>

#include "exitstats_util.h"

#define KVM_DEBUGFS	"/sys/kernel/debug/kvm"
#define VM_TABLE	-1	/* instead of a vCPU's ID */

struct row {
	u64 exits, cycles, longest;
};

struct table {
	int nr_rows;			/* of exit reasons */
	struct row reasons[MAX_SLOTS];
	struct row total;
	struct row accounts[KVM_EXITSTATS_ACCOUNT_OTHER];	/* GUEST to ASLEEP */
};

static inline void require_debugfs(void)
{
	__TEST_REQUIRE(!access(KVM_DEBUGFS, R_OK), "no " KVM_DEBUGFS ": debugfs, as root");
}

/* The VM must be created by this thread, whose ID is in the name of KVM's directory. */
static inline void table_path(struct kvm_vm *vm, int vcpu_id, char *path, size_t size)
{
	int n = snprintf(path, size, KVM_DEBUGFS "/%ld-%d/", syscall(SYS_gettid), vm->fd);

	if (vcpu_id != VM_TABLE)
		n += snprintf(path + n, size - n, "vcpu%d/", vcpu_id);
	snprintf(path + n, size - n, "exitstats");
}

static inline int open_table(struct kvm_vm *vm, int vcpu_id)
{
	char path[128];

	table_path(vm, vcpu_id, path, sizeof(path));
	return open(path, O_RDONLY);
}

/* The kernel's name of an exit reason, as one word */
static inline void slot_name(u32 slot, char *name, size_t size)
{
	struct name {
		u64 reason;	/* SVM's error codes have 64 bits */
		const char *name;
	};
	static const struct name vmx[] = { VMX_EXIT_REASONS }, svm[] = { SVM_EXIT_REASONS };
	const struct name *names = by_vendor(vmx, svm);
	int i, nr = by_vendor(ARRAY_SIZE(vmx), ARRAY_SIZE(svm));

	snprintf(name, size, "%s", slot == OTHER_SLOT ? "other" : "-");
	for (i = 0; i < nr; i++)
		if (names[i].reason == slot)
			snprintf(name, size, "%s", names[i].name);
	for (; *name; name++)
		if (*name == ' ')
			*name = '_';
}

/* The slot of a row. Exit reasons are decimal on VMX, and hexadecimal as in the APM on SVM. */
static inline u32 parse_reason(const char *reason)
{
	char expected[8];
	u32 slot;

	if (!strcmp(reason, "-"))
		return OTHER_SLOT;
	slot = strtoul(reason, NULL, by_vendor(10, 16));
	snprintf(expected, sizeof(expected), by_vendor("%u", "0x%x"), slot);
	TEST_ASSERT(!strcmp(reason, expected), "reason %s, not %s", reason, expected);
	return slot;
}

static inline void parse_row(const char *line, char *reason, char *name, struct row *row)
{
	u64 average;
	char end;

	TEST_ASSERT(sscanf(line, "%7s %31s %lu %lu %lu %lu%c", reason, name, &row->exits,
			   &row->cycles, &average, &row->longest, &end) == 7 && end == '\n',
		    "row: %s", line);
	TEST_ASSERT_EQ(average, row->exits ? row->cycles / row->exits : 0);
}

/* Parse a table and close it. Anything that is not as documented fails the test. */
static inline void parse_table(FILE *file, struct table *table)
{
	static const char *const accounts[] = {
		[KVM_EXITSTATS_ACCOUNT_GUEST] = "guest",
		[KVM_EXITSTATS_ACCOUNT_USERSPACE] = "userspace",
		[KVM_EXITSTATS_ACCOUNT_HALTED] = "halted",
		[KVM_EXITSTATS_ACCOUNT_PREEMPTED] = "preempted",
		[KVM_EXITSTATS_ACCOUNT_ASLEEP] = "asleep",
	};
	char line[256], reason[8], name[32], expected[32], end;
	struct row row, sum = {};
	u32 slot, next = 0, i;

	memset(table, 0, sizeof(*table));

	TEST_ASSERT(fgets(line, sizeof(line), file), "no header row");
	TEST_ASSERT(sscanf(line, "reason name exits cycles average longest%c", &end) == 1 &&
		    end == '\n', "header row: %s", line);

	/* The rows of the reasons that occurred are in the order of their numbers. */
	for (;;) {
		TEST_ASSERT(fgets(line, sizeof(line), file), "no total");
		parse_row(line, reason, name, &row);
		if (!strcmp(reason, "total"))
			break;

		slot = parse_reason(reason);
		slot_name(slot, expected, sizeof(expected));
		TEST_ASSERT(!strcmp(name, expected), "reason %s is not %s", reason, name);
		TEST_ASSERT(slot < NR_SLOTS && (slot >= next || slot == OTHER_SLOT) &&
			    (row.exits || row.cycles), "row: %s", line);
		TEST_ASSERT(row.longest <= row.cycles, "row: %s", line);
		if (slot != OTHER_SLOT)
			next = slot + 1;
		table->nr_rows++;
		table->reasons[slot] = row;
		sum.exits += row.exits;
		sum.cycles += row.cycles;
		sum.longest = max(sum.longest, row.longest);
	}
	table->total = row;
	TEST_ASSERT(!memcmp(&row, &sum, sizeof(sum)), "total: %lu, %lu, %lu; sum: %lu, %lu, %lu",
		    row.exits, row.cycles, row.longest, sum.exits, sum.cycles, sum.longest);

	for (i = KVM_EXITSTATS_ACCOUNT_GUEST; i < KVM_EXITSTATS_ACCOUNT_OTHER; i++) {
		TEST_ASSERT(fgets(line, sizeof(line), file), "no row for %s", accounts[i]);
		parse_row(line, reason, name, &table->accounts[i]);
		TEST_ASSERT(!strcmp(reason, "account") && !strcmp(name, accounts[i]), "row: %s",
			    line);
	}
	TEST_ASSERT(!fgets(line, sizeof(line), file), "a row after the last one: %s", line);
	fclose(file);
}

static inline void read_table(int fd, struct table *table)
{
	FILE *file = fdopen(fd, "r");

	TEST_ASSERT(file, "no table: %s", strerror(errno));
	parse_table(file, table);
}

#endif /* SELFTEST_KVM_EXITSTATS_DEBUGFS_H */
