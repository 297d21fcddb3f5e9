// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading on the host.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "error.h"
#include "host.h"
#include "options.h"

#define DEBUGFS		"/sys/kernel/debug"
#define TABLES		DEBUGFS "/kvm"
#define KVM_MODULE	"/sys/module/kvm"
#define DEBUGFS_MAGIC	0x64626720

#define TABLE_MAX	(64 * 1024)
#define HISTOGRAM_MAX	(512 * 1024)	/* all buckets of all reasons fit */
#define LINE_MAX	256

static struct vm chosen;		/* set by choose_vm() */
static char chosen_path[128];		/* path of its table */

/* ---- files ---- */

/* Return: the length, or -1 if the file cannot be read. @text gets a 0 byte at its end. */
static ssize_t read_file(const char *path, char *text, size_t max)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n;

	*text = 0;
	if (fd < 0)
		return -1;
	while (len < max - 1 && (n = read(fd, text + len, max - 1 - len)) > 0)
		len += n;
	close(fd);
	text[len] = 0;
	return len;
}

/* ---- a table ---- */

static int account_of(const char *name)
{
	int a;

	for (a = 0; a < ACCOUNTS; a++) {
		if (a != EXITS && !strcmp(name, account_names[a]))
			return a;
	}
	return -1;
}

/* The row of a reason in the table, -1 if it is not in this tool's numbering. */
static int table_reason(struct stats *s, const char *reason, const char *name)
{
	unsigned long long code;
	char *end;

	if (!strcmp(reason, "-"))
		return strcmp(name, "other") ? -1 : OTHER;
	if (*reason < '0' || *reason > '9')
		return -1;
	code = strtoull(reason, &end, 0);
	if (*end)
		return -1;
	s->numbering = strncmp(reason, "0x", 2) ? VMX : SVM;
	return code_row(s->numbering, code);
}

/* Parse any line except the head. The total is not used, as it is the sum of the rows. */
static bool parse_row(struct stats *s, const char *line, unsigned int *accounts)
{
	unsigned long long longest;
	char reason[16], name[REASON_NAME_MAX];
	struct exitstats figures;
	int row, length = 0;

	if (sscanf(line, "%15s %31s %llu %llu %*u %llu%n", reason, name, &figures.exits,
		   &figures.cycles, &longest, &length) != 5 || line[length])
		return false;
	if (!strcmp(reason, "total"))
		return true;
	if (!strcmp(reason, "account")) {
		row = account_of(name);
		if (row < 0)
			return false;
		s->account[row] = figures;
		*accounts |= 1u << row;
		return true;
	}
	row = table_reason(s, reason, name);
	if (row < 0)
		return false;
	s->row[row] = figures;
	s->longest[row] = longest;
	if (row != OTHER)
		s->defined[row] = true;
	return true;
}

/* If the table has no reason, the loaded vendor module tells the numbering. */
static enum numbering host_numbering(void)
{
	return access("/sys/module/kvm_amd", F_OK) ? VMX : SVM;
}

bool parse_table(struct stats *s, const char *text)
{
	unsigned int accounts = 0;
	char line[LINE_MAX];
	size_t len;
	int i;

	memset(s, 0, sizeof(*s));
	s->numbering = host_numbering();
	s->consistent = true;
	if (strncmp(text, "reason ", 7))
		return false;

	for (text += strcspn(text, "\n"); *text; text += len) {
		text++;
		len = strcspn(text, "\n");
		if (!len && !*text)
			break;
		if (len >= sizeof(line))
			return false;
		memcpy(line, text, len);
		line[len] = 0;
		if (!parse_row(s, line, &accounts))
			return false;
	}

	/* The table has only reasons that occurred. All others with a name are defined, too. */
	for (i = 0; i < REASONS; i++)
		s->defined[i] |= strcmp(reason_name(s->numbering, i), "-") != 0;
	s->accounts = true;
	return accounts == ((1u << ACCOUNTS) - 1 - (1u << EXITS));
}

/* Parse a line of a reason. Ignore those of "total", which is the sum of the others. */
static bool parse_bucket(struct stats *s, const char *line)
{
	char reason[16], name[REASON_NAME_MAX], to[24], expected[24] = "-";
	unsigned long long from, exits;
	int row, b, length = 0;

	if (sscanf(line, "%15s %31s %llu %23s %llu%n", reason, name, &from, to, &exits,
		   &length) != 5 || line[length])
		return false;
	b = from ? bucket_of(from) : 0;
	if (b < BUCKETS - 1)
		snprintf(expected, sizeof(expected), "%llu", bucket_to(b));
	if (bucket_from(b) != from || strcmp(to, expected))
		return false;
	if (!strcmp(reason, "total"))
		return true;
	row = table_reason(s, reason, name);
	if (row < 0)
		return false;
	s->hist[row].bucket[b] = exits;
	return true;
}

bool parse_histogram(struct stats *s, const char *text)
{
	char line[LINE_MAX];
	size_t len;
	int head = 0;

	memset(s->hist, 0, sizeof(s->hist));
	if (sscanf(text, "reason name from to exits%n", &head) < 0 || !head ||
	    text[head] != '\n')
		return false;
	for (text += head + 1; *text; text += len + 1) {
		len = strcspn(text, "\n");
		if (len >= sizeof(line) || !text[len])
			return false;
		memcpy(line, text, len);
		line[len] = 0;
		if (!parse_bucket(s, line))
			return false;
	}
	s->histogram = true;
	return true;
}

/* Without a histogram, there is no file. If the text cannot be parsed, the VM is ending. */
static void read_buckets(struct stats *s, const char *table)
{
	static char text[HISTOGRAM_MAX];
	char path[160];

	snprintf(path, sizeof(path), "%s_histogram", table);
	if (read_file(path, text, sizeof(text)) > 0)
		parse_histogram(s, text);
}

/* Return: false if the VM has ended, or does not count. */
static bool read_table(struct stats *s, const char *path)
{
	static char text[TABLE_MAX];
	unsigned long long ns = now_ns(), tsc = read_tsc();

	/* If the VM ends meanwhile, the table is empty or incomplete. */
	errno = 0;
	if (read_file(path, text, sizeof(text)) <= 0) {
		if (errno == EPERM)
			fail(STATUS_NO_FIGURES,
			     "the kernel is locked down, and keeps debugfs to itself: see kernel_lockdown(7)");
		return false;
	}
	if (!parse_table(s, text)) {
		if (access(path, F_OK))
			return false;
		fail(STATUS_NO_FIGURES, "%s: not a table that this exitstats knows", path);
	}
	s->ns = ns;
	s->tsc = tsc;
	read_buckets(s, path);
	return true;
}

/* ---- VMs ---- */

/* Keep only printable ASCII in a VM's name, for terminals and formats. */
static void set_name(char *name, const char *text, size_t len)
{
	size_t i;

	for (i = 0; i < len && i < VM_NAME_MAX - 1; i++)
		name[i] = text[i] > ' ' && text[i] <= '~' ? text[i] : '?';
	name[i] = 0;
}

/* -name [guest=]NAME[,...] */
void name_from_cmdline(char *name, const char *text, size_t len)
{
	const char *end = text + len, *arg, *next;

	*name = 0;
	for (arg = text; arg < end; arg = next) {
		next = arg + strlen(arg) + 1;
		if ((strcmp(arg, "-name") && strcmp(arg, "--name")) || next >= end)
			continue;
		if (!strncmp(next, "guest=", 6))
			next += 6;
		set_name(name, next, strcspn(next, ","));
		return;
	}
}

static void find_name(struct vm *vm)
{
	static char text[TABLE_MAX];
	char path[64];
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", vm->pid);
	len = read_file(path, text, sizeof(text));
	if (len > 0)
		name_from_cmdline(vm->name, text, len);
	if (*vm->name)
		return;
	snprintf(path, sizeof(path), "/proc/%d/comm", vm->pid);
	if (read_file(path, text, sizeof(text)) > 0)
		set_name(vm->name, text, strcspn(text, "\n"));
	else
		set_name(vm->name, "-", 1);
}

static unsigned long count_vcpus(const char *id)
{
	char path[sizeof(TABLES) + VM_ID_MAX + 1];
	unsigned long n = 0;
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), TABLES "/%s", id);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		n += !strncmp(entry->d_name, "vcpu", 4) && entry->d_name[4] >= '0' &&
		     entry->d_name[4] <= '9';
	if (dir)
		closedir(dir);
	return n;
}

/* The timestamp of the VM's directory in debugfs is the time of its creation. */
static double find_age(const char *id)
{
	char path[sizeof(TABLES) + VM_ID_MAX + 1];
	struct timespec now;
	struct stat st;
	double age;

	snprintf(path, sizeof(path), TABLES "/%s", id);
	clock_gettime(CLOCK_REALTIME, &now);
	if (stat(path, &st))
		return 0;
	age = now.tv_sec - st.st_mtim.tv_sec + (now.tv_nsec - st.st_mtim.tv_nsec) / 1e9;
	return age > 0 ? age : 0;
}

static bool parse_id(struct vm *vm, const char *id)
{
	int length = 0;

	if (sscanf(id, "%d-%d%n", &vm->pid, &vm->fd, &length) != 2 || id[length] ||
	    length >= VM_ID_MAX)
		return false;
	memcpy(vm->id, id, length + 1);
	return true;
}

static int compare_vms(const void *pa, const void *pb)
{
	const struct vm *a = pa, *b = pb;

	if (a->pid != b->pid)
		return a->pid < b->pid ? -1 : 1;
	return (a->fd > b->fd) - (a->fd < b->fd);
}

static void table_path(char *path, size_t size, const char *id, long vcpu)
{
	if (vcpu < 0)
		snprintf(path, size, TABLES "/%s/exitstats", id);
	else
		snprintf(path, size, TABLES "/%s/vcpu%ld/exitstats", id, vcpu);
}

void read_vms(struct vms *vms)
{
	DIR *dir = opendir(TABLES);
	struct dirent *entry;
	char path[128];
	struct vm *vm;

	vms->n = 0;
	vms->others = 0;
	while (dir && (entry = readdir(dir))) {
		vms->vm = need(realloc(vms->vm, (vms->n + 1) * sizeof(*vm)));
		vm = &vms->vm[vms->n];
		memset(vm, 0, sizeof(*vm));
		if (!parse_id(vm, entry->d_name))
			continue;
		table_path(path, sizeof(path), vm->id, -1);
		if (access(path, F_OK)) {
			/* Without a vCPU, there is no table yet; with one, the VM does not count. */
			vms->others += count_vcpus(vm->id) > 0;
			continue;
		}
		if (!read_table(&vm->stats, path))
			continue;
		vm->stats.vcpus = count_vcpus(vm->id);
		vm->age = find_age(vm->id);
		find_name(vm);
		vms->n++;
	}
	if (dir)
		closedir(dir);
	if (vms->n)
		qsort(vms->vm, vms->n, sizeof(*vms->vm), compare_vms);
}

/* ---- what is missing ---- */

/* debugfs= on the kernel's command line can turn debugfs off. */
static bool is_debugfs_off(void)
{
	char text[4096];

	return read_file("/proc/cmdline", text, sizeof(text)) > 0 &&
	       (strstr(text, "debugfs=off") || strstr(text, "debugfs=no-mount"));
}

void require_tables(void)
{
	struct statfs fs;
	DIR *dir;

	if (access(KVM_MODULE, F_OK))
		fail(STATUS_NO_FIGURES, "KVM is not loaded: modprobe kvm-intel or kvm-amd");
	if (access(KVM_MODULE "/parameters/exitstats", F_OK))
		fail(STATUS_NO_FIGURES,
		     "this kernel's KVM has no exitstats: boot one with CONFIG_KVM_EXITSTATS");
	if (geteuid())
		fail(STATUS_NO_FIGURES, "only root can read the VMs' figures: use sudo");
	if (statfs(DEBUGFS, &fs) || (unsigned int)fs.f_type != DEBUGFS_MAGIC) {
		if (is_debugfs_off())
			fail(STATUS_NO_FIGURES,
			     "the kernel's command line turns debugfs off: boot without debugfs=");
		fail(STATUS_NO_FIGURES,
		     "debugfs is not mounted: mount -t debugfs none " DEBUGFS);
	}
	dir = opendir(TABLES);
	if (!dir)
		fail(STATUS_NO_FIGURES, TABLES ": %s", strerror(errno));
	closedir(dir);
}

/* ---- one VM ---- */

/* List the VMs of process @pid as "-p 12-3 or -p 12-4". Return: their number */
static int list_ids(int pid, char *text, size_t size)
{
	DIR *dir = opendir(TABLES);
	struct dirent *entry;
	size_t len = 0;
	struct vm vm;
	int n = 0;

	*text = 0;
	while (dir && (entry = readdir(dir))) {
		if (!parse_id(&vm, entry->d_name) || vm.pid != pid)
			continue;
		if (len < size)
			len += snprintf(text + len, size - len, "%s-p %s", n ? " or " : "", vm.id);
		n++;
	}
	if (dir)
		closedir(dir);
	return n;
}

static void find_vm(const char *text)
{
	char ids[128], *end;
	long pid;

	if (parse_id(&chosen, text))
		return;
	errno = 0;
	pid = strtol(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || pid != (int)pid)
		fail(STATUS_USAGE, "bad VM: %s (PID, or PID-FD)", text);
	switch (list_ids(pid, ids, sizeof(ids))) {
	case 0:
		fail(STATUS_NO_FIGURES, "process %s has no VM: exitstats --host lists them", text);
	case 1:
		parse_id(&chosen, ids + strlen("-p "));
		break;
	default:
		fail(STATUS_USAGE, "process %s has several VMs: %s", text, ids);
	}
}

const struct vm *choose_vm(const char *text, long vcpu)
{
	char path[160];

	find_vm(text);
	snprintf(path, sizeof(path), TABLES "/%s", chosen.id);
	if (access(path, F_OK))
		fail(STATUS_NO_FIGURES, "there is no VM %s: exitstats --host lists them", text);
	table_path(path, sizeof(path), chosen.id, -1);
	if (access(path, F_OK))
		fail(STATUS_NO_FIGURES,
		     "VM %s does not count: start it with kvm's parameter exitstats=1", text);
	table_path(chosen_path, sizeof(chosen_path), chosen.id, vcpu);
	if (access(chosen_path, F_OK))
		fail(STATUS_NO_FIGURES, "VM %s has no vCPU %ld", text, vcpu);
	if (opt.hist) {
		need_reason(host_numbering(), opt.hist);
		snprintf(path, sizeof(path), "%s_histogram", chosen_path);
		if (access(path, F_OK))
			fail(STATUS_NO_FIGURES, NO_HISTOGRAM);
	}
	chosen.stats.vcpus = vcpu < 0 ? count_vcpus(chosen.id) : 1;
	find_name(&chosen);
	return &chosen;
}

bool read_host(struct stats *s)
{
	if (!read_table(s, chosen_path))
		return false;
	s->vcpus = chosen.stats.vcpus;
	return true;
}
