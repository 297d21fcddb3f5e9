// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test of the tool on the host: the test controls VMs, and compares the tool's view of them
 * with the tables in debugfs.
 *
 *	exitstats_tool_host_test TOOL
 *
 * TOOL is the path of exitstats. Needs root and /dev/kvm. Prints TAP; exit status 1 if a
 * test failed, 4 (skipped) without /dev/kvm.
 */
#define _GNU_SOURCE
#include "exitstats_tool_test.h"

#include <linux/kvm.h>
#include <sys/mman.h>

#include "src/host.h"

#define KVM_DEBUGFS	"/sys/kernel/debug/kvm"
#define KSFT_SKIP	4
#define MANY		40

static char *self;

/* ---- a VM ---- */

/* 1: out %al, $0x10; jmp 1b. Each OUT is an exit to userspace. */
static const unsigned char guest_code[] = { 0xe6, 0x10, 0xeb, 0xfc };

#define CODE_ADDRESS	0x1000
#define VCPUS		2

static void vm_need(int r, const char *what)
{
	if (r >= 0)
		return;
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	_exit(1);
}

static int make_vcpu(int kvm, int vm, int id, struct kvm_run **run)
{
	int size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	int vcpu = ioctl(vm, KVM_CREATE_VCPU, id);
	struct kvm_regs regs = { .rip = CODE_ADDRESS, .rflags = 2 };
	struct kvm_sregs sregs;

	vm_need(vcpu, "KVM_CREATE_VCPU");
	*run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	vm_need(ioctl(vcpu, KVM_GET_SREGS, &sregs), "KVM_GET_SREGS");
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	vm_need(ioctl(vcpu, KVM_SET_SREGS, &sregs), "KVM_SET_SREGS");
	vm_need(ioctl(vcpu, KVM_SET_REGS, &regs), "KVM_SET_REGS");
	return vcpu;
}

static void run_vcpu(int vcpu, struct kvm_run *run, int outs)
{
	while (outs--) {
		vm_need(ioctl(vcpu, KVM_RUN, 0), "KVM_RUN");
		if (run->exit_reason != KVM_EXIT_IO) {
			fprintf(stderr, "exit reason %u\n", run->exit_reason);
			_exit(1);
		}
	}
}

/*
 * Be a process with a VM of two vCPUs. For each byte read from the pipe, both vCPUs execute
 * that many OUTs, and the process answers with a byte. It ends when the pipe is closed.
 */
static int be_vm(int from, int to, const char *mode)
{
	struct kvm_userspace_memory_region region = {
		.guest_phys_addr = CODE_ADDRESS, .memory_size = 4096,
	};
	struct kvm_enable_cap cap = { .cap = KVM_CAP_X86_EXITSTATS };
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), vm, vcpu[VCPUS], i;
	struct kvm_run *run[VCPUS];
	unsigned char outs;
	void *page;

	vm_need(kvm, "/dev/kvm");
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	vm_need(vm, "KVM_CREATE_VM");
	if (!strcmp(mode, "histogram"))
		cap.args[0] = KVM_EXITSTATS_COUNT | KVM_EXITSTATS_HISTOGRAM;
	if (strcmp(mode, "on"))
		vm_need(ioctl(vm, KVM_ENABLE_CAP, &cap), "KVM_ENABLE_CAP");
	vm_need(ioctl(vm, KVM_SET_TSS_ADDR, 0xfffbd000), "KVM_SET_TSS_ADDR");
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
	memcpy(page, guest_code, sizeof(guest_code));
	region.userspace_addr = (unsigned long)page;
	vm_need(ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region), "KVM_SET_USER_MEMORY_REGION");
	for (i = 0; i < VCPUS; i++)
		vcpu[i] = make_vcpu(kvm, vm, i, &run[i]);

	do {
		if (write(to, "", 1) != 1)
			return 1;
		if (read(from, &outs, 1) != 1)
			return 0;
		for (i = 0; i < VCPUS; i++)
			run_vcpu(vcpu[i], run[i], outs);
	} while (true);
}

/* ---- control of a VM ---- */

struct test_vm {
	pid_t pid;
	int to;		/* pipe for bytes to the process */
	int from;	/* pipe for its answers */
	char id[VM_ID_MAX];
	char pid_text[16];
};

static bool poke(int to, int from, unsigned char outs)
{
	char byte;

	return write(to, &outs, 1) == 1 && read(from, &byte, 1) == 1;
}

/* Find the process's only VM in debugfs. */
static void find_id(struct test_vm *vm)
{
	int fd;

	for (fd = 0; fd < 32; fd++) {
		char path[64];

		snprintf(vm->id, sizeof(vm->id), "%d-%d", vm->pid, fd);
		snprintf(path, sizeof(path), KVM_DEBUGFS "/%s", vm->id);
		if (!access(path, F_OK))
			return;
	}
	snprintf(vm->id, sizeof(vm->id), "none");
}

/* @mode: "on"; "off": the VM does not count; "histogram": it also has the histogram */
static struct test_vm start_vm_as(char *name, char *mode)
{
	char from_text[12], to_text[12], byte;
	int there[2], back[2];
	struct test_vm vm;

	if (pipe(there) || pipe(back)) {
		puts("Bail out! no pipes");
		exit(1);
	}
	snprintf(from_text, sizeof(from_text), "%d", there[0]);
	snprintf(to_text, sizeof(to_text), "%d", back[1]);
	fflush(stdout);
	vm.pid = fork();
	if (!vm.pid) {
		char *argv[] = {
			self, "vm", from_text, to_text, mode, "-name", name, NULL,
		};

		close(there[1]);
		close(back[0]);
		execv(self, argv);
		_exit(99);
	}
	close(there[0]);
	close(back[1]);
	vm.to = there[1];
	vm.from = back[0];
	EXPECT(read(vm.from, &byte, 1) == 1);
	find_id(&vm);
	snprintf(vm.pid_text, sizeof(vm.pid_text), "%d", vm.pid);
	return vm;
}

static struct test_vm start_vm(char *name, bool counts)
{
	return start_vm_as(name, counts ? "on" : "off");
}

/* Kill it: processes that inherited the pipe keep it open, so it would not see the end. */
static void end_vm(struct test_vm *vm)
{
	kill(vm->pid, SIGKILL);
	waitpid(vm->pid, NULL, 0);
	close(vm->to);
	close(vm->from);
}

static bool read_table(struct stats *s, const struct test_vm *vm, int vcpu)
{
	static char text[OUT_MAX];
	char path[96];

	if (vcpu < 0)
		snprintf(path, sizeof(path), KVM_DEBUGFS "/%s/exitstats", vm->id);
	else
		snprintf(path, sizeof(path), KVM_DEBUGFS "/%s/vcpu%d/exitstats", vm->id, vcpu);
	slurp(path, text, sizeof(text));
	return parse_table(s, text);
}

/* ---- one VM ---- */

/* The rows of a stopped VM do not change, so both readings must be the same. */
static void expect_rows(const struct csv *c, const struct stats *s)
{
	int i;

	EXPECT(c->good);
	for (i = 0; i < ROWS; i++)
		EXPECT(c->row[i].exits == s->row[i].exits && c->row[i].cycles == s->row[i].cycles);
	EXPECT(c->total.exits == total(s).exits && c->total.cycles == total(s).cycles);
}

static void test_csv(void)
{
	struct test_vm vm = start_vm("guest=one,debug-threads=on", true);
	struct stats s;
	struct csv c;

	EXPECT(poke(vm.to, vm.from, 100));
	TOOL("-p", vm.pid_text, "--csv");
	EXPECT(!ran.status);
	EXPECT(!*ran.err);
	EXPECT(read_table(&s, &vm, -1));
	parse_csv(&c, ran.out);
	expect_rows(&c, &s);
	EXPECT(c.total.exits >= 2 * 100);

	TOOL("-p", vm.id, "--csv");
	parse_csv(&c, ran.out);
	expect_rows(&c, &s);
	end_vm(&vm);
}

static void test_vcpu(void)
{
	struct test_vm vm = start_vm("one", true);
	static char number[2] = "0";
	struct stats s;
	struct csv c;
	int i;

	EXPECT(poke(vm.to, vm.from, 100));
	for (i = 0; i < VCPUS; i++) {
		number[0] = '0' + i;
		TOOL("-p", vm.pid_text, "--vcpu", number, "--csv");
		EXPECT(!ran.status);
		EXPECT(read_table(&s, &vm, i));
		parse_csv(&c, ran.out);
		expect_rows(&c, &s);
		EXPECT(c.total.exits >= 100);
	}
	TOOL("-p", vm.pid_text, "--vcpu=1");
	EXPECT(!ran.status);
	EXPECT(!strncmp(ran.out, "VM exits of vCPU 1 of one (", 27));
	TOOL("-p", vm.pid_text, "--vcpu=2");
	expect_error(3, "has no vCPU 2");
	end_vm(&vm);
}

/* The account "userspace" of a stopped vCPU continues to grow. */
static void test_time(void)
{
	struct test_vm vm = start_vm("one", true);
	struct exitstats accounts[ACCOUNTS];
	struct stats before, after;
	int a;

	EXPECT(poke(vm.to, vm.from, 100));
	EXPECT(read_table(&before, &vm, -1));
	TOOL("-p", vm.pid_text, "--time", "--csv");
	EXPECT(!ran.status);
	EXPECT(read_table(&after, &vm, -1));
	EXPECT(parse_time_csv(ran.out, accounts));
	for (a = 0; a < ACCOUNTS; a++) {
		struct exitstats of_before = account(&before, a), of_after = account(&after, a);

		EXPECT(accounts[a].exits == of_before.exits);
		EXPECT(accounts[a].cycles >= of_before.cycles);
		EXPECT(accounts[a].cycles <= of_after.cycles);
		if (a != USERSPACE)
			EXPECT(accounts[a].cycles == of_before.cycles);
	}
	EXPECT(after.account[USERSPACE].cycles > before.account[USERSPACE].cycles);
	TOOL("-p", vm.pid_text, "-t");
	EXPECT(!strncmp(ran.out, "VM exits of one (", 17));
	EXPECT(strstr(ran.out, "\naccount  "));
	end_vm(&vm);
}

static void test_table(void)
{
	struct test_vm vm = start_vm("guest=a b\033[2J\"q\"", true);

	EXPECT(poke(vm.to, vm.from, 10));
	TOOL("-p", vm.pid_text);
	EXPECT(!ran.status);
	EXPECT(!strncmp(ran.out, "VM exits of a?b?[2J\"q\" (", 24));
	EXPECT(strstr(ran.out, " since the VM started\n\nreason  name "));
	EXPECT(strstr(ran.out, "\ntime: guest "));
	TOOL("-p", vm.pid_text, "--json");
	EXPECT(one_line(ran.out));
	EXPECT(count(ran.out, "{") == count(ran.out, "}"));
	EXPECT(strstr(ran.out, "\"accounts\":{\"guest\":"));
	TOOL("-p", vm.pid_text, "--openmetrics");
	EXPECT(strstr(ran.out, "kvm_exitstats_exits_total{vm=\"a?b?[2J\\\"q\\\"\",reason=\""));
	EXPECT(count(ran.out, "\nkvm_exitstats_time_cycles_total{vm=") == ACCOUNTS);
	TOOL("-p", vm.pid_text, "-a", "--csv");
	EXPECT(strstr(ran.out, numbering == SVM ? "\n0x7f,shutdown,0,0,0\n" :
						  "\n2,TRIPLE_FAULT,0,0,0\n"));
	end_vm(&vm);
}

/* A command's figures have exactly the exits that the command caused in the VM. */
static void test_command(void)
{
	struct test_vm vm = start_vm("one", true);
	char to[12], from[12], title[80];
	struct stats before, after;
	struct csv c;
	int i;

	snprintf(to, sizeof(to), "%d", vm.to);
	snprintf(from, sizeof(from), "%d", vm.from);
	EXPECT(poke(vm.to, vm.from, 10));
	EXPECT(read_table(&before, &vm, -1));
	TOOL("-p", vm.pid_text, "--csv", "--", self, "poke", to, from, "50");
	EXPECT(!ran.status);
	EXPECT(read_table(&after, &vm, -1));
	parse_csv(&c, ran.err);
	EXPECT(c.good);
	for (i = 0; i < ROWS; i++)
		EXPECT(c.row[i].exits == after.row[i].exits - before.row[i].exits);
	EXPECT(c.total.exits >= 2 * 50);

	snprintf(title, sizeof(title), "VM exits of one (%s) while this ran: ", vm.id);
	TOOL("-p", vm.pid_text, "--", self, "poke", to, from, "50");
	EXPECT(!strncmp(ran.err, title, strlen(title)));
	EXPECT(strstr(ran.err, ", 2 vCPUs: "));
	TOOL("-p", vm.pid_text, "--", self, "kill", vm.pid_text);
	expect_error(3, "the VM ended before the command did");
	end_vm(&vm);
}

static void test_snapshots(void)
{
	struct test_vm vm = start_vm("one", true);
	char to[12], from[12];

	snprintf(to, sizeof(to), "%d", vm.to);
	snprintf(from, sizeof(from), "%d", vm.from);
	EXPECT(poke(vm.to, vm.from, 50));
	TOOL("-p", vm.pid_text, "-o", "/tmp/a");
	EXPECT(!ran.status && !*ran.out && !*ran.err);
	EXPECT(poke(vm.to, vm.from, 50));
	TOOL("-p", vm.pid_text, "-o", "/tmp/b");
	TOOL("diff", "/tmp/a", "/tmp/b");
	EXPECT(!ran.status);
	EXPECT(strstr(ran.out, "exits A"));
	TOOL("diff", "--time", "/tmp/a", "/tmp/b");
	EXPECT(!ran.status);
	EXPECT(strstr(ran.out, "\nuserspace  "));

	/* Budgets: as many exits are within, 50 % more are not. */
	TOOL("-p", vm.pid_text, "-o", "/tmp/c", "--", self, "poke", to, from, "50");
	EXPECT(!ran.status);
	TOOL("-p", vm.pid_text, "check", "/tmp/c", "--tolerance=20", "--max=INTERRUPT:9999",
	     "--", self, "poke", to, from, "50");
	EXPECT(ran.status == (numbering == SVM ? 0 : 2));	/* VMX has no such name */
	TOOL("-p", vm.pid_text, "check", "/tmp/c", "--tolerance=20", "--", self, "poke", to, from,
	     "75");
	EXPECT(ran.status == 1);
	EXPECT(strstr(ran.err, " + 20 %\n"));
	end_vm(&vm);
}

static void test_intervals(void)
{
	struct test_vm vm = start_vm("one", true);
	pid_t pid;

	TOOL("-p", vm.pid_text, "-i", "0.2", "-n", "2", "--csv");
	EXPECT(!ran.status);
	EXPECT(count(ran.out, ",total,,0,0,0\n") == 2);
	TOOL("-p", vm.pid_text, "-i", "0.2", "-n", "2", "--time", "--csv");
	EXPECT(count(ran.out, ",userspace,0,") == 2);

	/* The end of the VM ends the tool, but is no error. */
	pid = start((char *[]){ tool, "-p", vm.pid_text, "-i", "0.2", NULL });
	EXPECT(await("/tmp/out", " until "));
	end_vm(&vm);
	finish(pid);
	EXPECT(!ran.status);
	EXPECT(strstr(ran.out, "\nexits/s per interval: lowest "));
	EXPECT(!strcmp(ran.err, "exitstats: the VM has ended\n"));
}

/* ---- the histogram ---- */

/* Compare with the kernel's file: "reason name from to exits", with the totals last. */
static void expect_buckets(const struct csv *c, const struct test_vm *vm, int vcpu)
{
	unsigned long long from, exits, sum = 0, totals = 0;
	char path[96], reason[16], name[32], to[24], *line, *next;
	static char text[OUT_MAX];
	int row, rows = 0;

	if (vcpu < 0)
		snprintf(path, sizeof(path), KVM_DEBUGFS "/%s/exitstats_histogram", vm->id);
	else
		snprintf(path, sizeof(path), KVM_DEBUGFS "/%s/vcpu%d/exitstats_histogram", vm->id,
			 vcpu);
	slurp(path, text, sizeof(text));
	next = text;
	strsep(&next, "\n");
	while ((line = strsep(&next, "\n")) && *line) {
		EXPECT(sscanf(line, "%15s %31s %llu %23s %llu", reason, name, &from, to,
			      &exits) == 5);
		if (!strcmp(reason, "total")) {
			EXPECT(c->all.bucket[bucket_of(from)] == exits);
			totals += exits;
			continue;
		}
		row = find_reason(numbering, reason);
		EXPECT(row >= 0 && c->hist[row].bucket[bucket_of(from)] == exits);
		EXPECT(exits);
		sum += exits;
		rows++;
	}
	EXPECT(rows && sum == totals && sum == c->total.exits);
	for (row = 0; row < ROWS; row++)
		EXPECT(hist_exits(&c->hist[row]) == c->row[row].exits);
}

/* The histograms of a stopped VM and its vCPUs equal the kernel's, and add up. */
static void test_histogram(void)
{
	struct test_vm vm = start_vm_as("one", "histogram");
	char *name = numbering == SVM ? "io" : "IO_INSTRUCTION";
	char number[2] = "0";
	struct csv c;
	int i;

	EXPECT(poke(vm.to, vm.from, 100));
	TOOL("-p", vm.pid_text, "--csv");
	EXPECT(!ran.status && !*ran.err);
	parse_csv(&c, ran.out);
	EXPECT(c.good && c.histogram);
	expect_buckets(&c, &vm, -1);
	EXPECT(hist_exits(&c.hist[find_reason(numbering, name)]) == 2 * 100);
	for (i = 0; i < VCPUS; i++) {
		number[0] = '0' + i;
		TOOL("-p", vm.pid_text, "--vcpu", number, "--csv");
		parse_csv(&c, ran.out);
		EXPECT(c.good && c.histogram);
		expect_buckets(&c, &vm, i);
		EXPECT(hist_exits(&c.hist[find_reason(numbering, name)]) == 100);
	}

	TOOL("-p", vm.pid_text);
	EXPECT(strstr(ran.out, "  p50  ") && strstr(ran.out, "  p99  "));
	TOOL("-p", vm.pid_text, "--hist", name);
	EXPECT(!ran.status && !*ran.err);
	EXPECT(!strncmp(ran.out, "VM exits of one (", 17) && strstr(ran.out, name));
	EXPECT(strstr(ran.out, " total ") && strstr(ran.out, "  200  100.0%\n"));
	EXPECT(strstr(ran.out, " cycles\n"));
	TOOL("-p", vm.pid_text, "--hist", "NONSENSE");
	expect_error(2, "no such exit reason of ");
	TOOL("-p", vm.pid_text, "--json");
	EXPECT(one_line(ran.out) && count(ran.out, "{") == count(ran.out, "}"));
	EXPECT(strstr(ran.out, ",\"p99_cycles\":") && strstr(ran.out, ",\"buckets\":[0,"));
	end_vm(&vm);
}

/* The buckets of a command have exactly the exits that it caused in the VM. */
static void test_histogram_command(void)
{
	struct test_vm vm = start_vm_as("one", "histogram");
	char to[12], from[12];
	struct csv c;
	int i;

	snprintf(to, sizeof(to), "%d", vm.to);
	snprintf(from, sizeof(from), "%d", vm.from);
	EXPECT(poke(vm.to, vm.from, 10));
	TOOL("-p", vm.pid_text, "--csv", "--", self, "poke", to, from, "50");
	EXPECT(!ran.status);
	parse_csv(&c, ran.err);
	EXPECT(c.good && c.histogram && c.total.exits >= 2 * 50);
	for (i = 0; i < ROWS; i++)
		EXPECT(hist_exits(&c.hist[i]) == c.row[i].exits);
	TOOL("-p", vm.pid_text, "-i", "0.2", "-n", "2", "--csv");
	EXPECT(count(ran.out, ",total,,0,0,0,0,0,0,0,") == 2);
	TOOL("-p", vm.pid_text, "--hist", "all", "--", self, "poke", to, from, "50");
	EXPECT(!ran.status && strstr(ran.err, "longest <="));

	TOOL("-p", vm.pid_text, "-o", "/tmp/a");
	EXPECT(poke(vm.to, vm.from, 50));
	TOOL("-p", vm.pid_text, "-o", "/tmp/b");
	TOOL("diff", "--hist", "all", "/tmp/a", "/tmp/b");
	EXPECT(!ran.status && strstr(ran.out, "\nB: p50 "));
	end_vm(&vm);
}

/* A VM with a histogram does not change the output for one without. */
static void test_histogram_beside(void)
{
	struct test_vm with = start_vm_as("with", "histogram");
	struct test_vm none = start_vm("none", true);

	EXPECT(poke(with.to, with.from, 10));
	EXPECT(poke(none.to, none.from, 10));
	TOOL("-p", none.pid_text, "--hist", "all");
	expect_error(3, "this VM has no histogram");
	TOOL("-p", none.pid_text);
	EXPECT(!ran.status && !strstr(ran.out, "p99"));
	TOOL("--host", "--openmetrics");
	EXPECT(!ran.status && count(ran.out, "# TYPE ") == 4);
	EXPECT(strstr(ran.out, "\nkvm_exitstats_exit_cycles_bucket{vm=\"with\",reason=\""));
	EXPECT(!strstr(ran.out, "\nkvm_exitstats_exit_cycles_bucket{vm=\"none\""));
	EXPECT(strstr(ran.out, "{vm=\"none\",account=\"guest\"}"));
	/* The lab checks this file with promtool. */
	TOOL("--host", "--openmetrics", "-o", "/tmp/host.prom");
	EXPECT(!ran.status);
	TOOL("--host", "--json");
	EXPECT(one_line(ran.out) && strstr(ran.out, "\"buckets\":["));
	TOOL("--host");
	EXPECT(!ran.status && !strncmp(ran.out, "2 VMs", 5));
	end_vm(&with);
	end_vm(&none);
}

static void test_bad_histograms(void)
{
	static const char head[] = "reason  name   from    to   exits\n";
	static const char *const bad[] = {
		"x - 512 1023 5\n", "10 CPUID 513 1023 5\n", "10 CPUID 512 1024 5\n",
		"10 CPUID 512 - 5\n", "10 CPUID 1 1 5\n", "10 CPUID 512 1023\n",
		"10 CPUID 512 1023 5 5\n", "10 CPUID 2147483648 4294967295 5\n", "\n",
		"- - 512 1023 5\n", "99999 - 512 1023 5\n", "10 CPUID 4294967296 - 5\n",
		"10 CPUID 512 1023 5",
	};
	static struct stats s;
	char text[256];
	unsigned int i;

	snprintf(text, sizeof(text), "%s%s", head,
		 "10 CPUID 0 1 2\n10 CPUID 512 1023 5\n- other 2147483648 - 3\ntotal - 512 1023 5\n");
	EXPECT(parse_histogram(&s, text) && s.histogram);
	EXPECT(s.hist[10].bucket[0] == 2 && s.hist[10].bucket[9] == 5);
	EXPECT(s.hist[OTHER].bucket[31] == 3 && hist_exits(&s.hist[10]) == 7);
	EXPECT(parse_histogram(&s, head) && !hist_exits(&s.hist[10]));
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		snprintf(text, sizeof(text), "%s%s", head, bad[i]);
		EXPECT(!parse_histogram(&s, text));
	}
	EXPECT(!parse_histogram(&s, "") && !parse_histogram(&s, "\n"));
	EXPECT(!parse_histogram(&s, head + 1));
}

/* ---- all VMs ---- */

/* Copy the line of a process from the output. */
static char *line_of(const char *text, const char *pid)
{
	static char line[1024];
	size_t len;

	for (; *text; text += strcspn(text, "\n"), text += *text == '\n') {
		len = strspn(text, " ");
		if (strncmp(text + len, pid, strlen(pid)) || strspn(text + len, "0123456789") !=
		    strlen(pid))
			continue;
		snprintf(line, sizeof(line), "%.*s", (int)strcspn(text, "\n"), text);
		return line;
	}
	return NULL;
}

static const char list_head[] =
	"pid,fd,name,vcpus,period,exits,guest_cycles,exits_cycles,userspace_cycles,"
	"halted_cycles,preempted_cycles,asleep_cycles,top_reason,top_name,top_cycles\n";

static void test_no_vm(void)
{
	TOOL("--host");
	EXPECT(!ran.status);
	EXPECT(!strncmp(ran.out, "0 VMs since they started\n\nPID  name", 35));
	EXPECT(count(ran.out, "\n") == 3);
	TOOL("--host", "--csv");
	EXPECT(!strcmp(ran.out, list_head));
	TOOL("--host", "--json");
	EXPECT(!strcmp(ran.out, "{\"not_counted\":0,\"vms\":[]}\n"));
	TOOL("--host", "--openmetrics");
	EXPECT(count(ran.out, "\n") == 7);
	TOOL("-p", "1");
	expect_error(3, "process 1 has no VM");
	TOOL("-p", "1-5");
	expect_error(3, "there is no VM 1-5");
}

static void test_list_csv(void)
{
	struct test_vm vm = start_vm("guest=one,x", true);
	unsigned long long exits, cycles[ACCOUNTS];
	struct stats before, after;
	double period;
	char *line;
	int a, length = 0;
	char format[160];

	EXPECT(poke(vm.to, vm.from, 100));
	EXPECT(read_table(&before, &vm, -1));
	TOOL("--host", "--csv");
	EXPECT(!ran.status);
	EXPECT(!*ran.err);
	EXPECT(read_table(&after, &vm, -1));
	EXPECT(!strncmp(ran.out, list_head, strlen(list_head)));
	line = line_of(ran.out, vm.pid_text);
	EXPECT(line);
	snprintf(format, sizeof(format), "%s,%s,one,2,%%lf,%%llu%s%%n", vm.pid_text,
		 strchr(vm.id, '-') + 1, ",%llu,%llu,%llu,%llu,%llu,%llu");
	EXPECT(line && sscanf(line, format, &period, &exits, &cycles[0], &cycles[1], &cycles[2],
			      &cycles[3], &cycles[4], &cycles[5], &length) == 8);
	EXPECT(length && period > 0);
	EXPECT(exits == total(&before).exits);
	for (a = 0; a < ACCOUNTS; a++) {
		EXPECT(cycles[a] >= account(&before, a).cycles);
		EXPECT(cycles[a] <= account(&after, a).cycles);
	}
	if (length) {
		int top = top_row(&before);
		char expected[80];

		snprintf(expected, sizeof(expected), ",%s,%s,%llu",
			 reason_number(numbering, top), reason_name(numbering, top),
			 before.row[top].cycles);
		EXPECT(!strcmp(line + length, expected));
	}
	end_vm(&vm);
}

static void test_list(void)
{
	struct test_vm one = start_vm("one", true), off = start_vm("quiet", false);
	struct stats s;
	char *line, expected[64];

	EXPECT(poke(one.to, one.from, 100));
	EXPECT(read_table(&s, &one, -1));
	TOOL("--host");
	EXPECT(!ran.status);
	EXPECT(!strncmp(ran.out, "1 VM since it started\n\n", 23));
	line = line_of(ran.out, one.pid_text);
	EXPECT(line && strstr(line, "  one ") && strstr(line, "% "));
	snprintf(expected, sizeof(expected), "%% %s", reason_name(numbering, top_row(&s)));
	EXPECT(line && strstr(line, expected));
	EXPECT(!line_of(ran.out, off.pid_text));
	EXPECT(strstr(ran.out, "\n1 VM is not counted: started with kvm's parameter exitstats=0\n"));
	TOOL("--host", "--json");
	EXPECT(one_line(ran.out));
	EXPECT(count(ran.out, "{") == count(ran.out, "}"));
	EXPECT(!strncmp(ran.out, "{\"not_counted\":1,\"vms\":[{\"pid\":", 31));
	EXPECT(strstr(ran.out, ",\"name\":\"one\","));

	TOOL("-p", off.pid_text);
	expect_error(3, "does not count: start it with kvm's parameter exitstats=1");
	end_vm(&one);
	end_vm(&off);
}

/* The labels of two VMs with the same name, for Prometheus */
static void test_labels(void)
{
	struct test_vm a = start_vm("twin", true), b = start_vm("twin", true);
	struct test_vm c = start_vm("guest=odd\\\"", true);
	char expected[128];
	struct stats s;

	EXPECT(poke(a.to, a.from, 10));
	EXPECT(poke(b.to, b.from, 20));
	EXPECT(read_table(&s, &b, -1));
	TOOL("--host", "--openmetrics");
	EXPECT(!ran.status);
	EXPECT(count(ran.out, "# TYPE ") == 3 && count(ran.out, "# HELP ") == 3);
	EXPECT(count(ran.out, "\nkvm_exitstats_time_cycles_total{vm=\"twin/") == 2 * ACCOUNTS);
	EXPECT(strstr(ran.out, "{vm=\"odd\\\\\\\"\",account=\"guest\"} "));
	snprintf(expected, sizeof(expected),
		 "\nkvm_exitstats_time_cycles_total{vm=\"twin/%s\",account=\"guest\"} %llu\n", b.id,
		 account(&s, GUEST).cycles);
	EXPECT(strstr(ran.out, expected));
	TOOL("--host", "--openmetrics", "-o", "/tmp/labels.prom");
	EXPECT(!ran.status && !*ran.out);
	slurp("/tmp/labels.prom", ran.out, OUT_MAX);
	EXPECT(!strncmp(ran.out, "# HELP ", 7));
	EXPECT(!strcmp(ran.out + strlen(ran.out) - 6, "# EOF\n"));
	end_vm(&a);
	end_vm(&b);
	end_vm(&c);
}

static void test_many(void)
{
	static struct test_vm vm[MANY];
	unsigned long long last = ~0ull, rate;
	char *copy, *next, *line;
	int i, lines = 0;

	for (i = 0; i < MANY; i++) {
		vm[i] = start_vm("many", true);
		EXPECT(poke(vm[i].to, vm[i].from, i));
	}
	TOOL("--host");
	EXPECT(!strncmp(ran.out, "40 VMs since they started\n", 26));
	for (i = 0; i < MANY; i++)
		EXPECT(line_of(ran.out, vm[i].pid_text));
	TOOL("--host", "--csv");
	EXPECT(count(ran.out, "\n") == MANY + 1);

	/* The order is by cost per exit, descending. */
	TOOL("--host", "-s", "avg", "--json");
	EXPECT(count(ran.out, "{\"pid\":") == MANY);
	TOOL("--host", "-s", "exits");
	copy = next = strdup(ran.out);
	while ((line = strsep(&next, "\n"))) {
		if (!strstr(line, "%"))
			continue;
		rate = table_number(line, 3);
		EXPECT(rate <= last);
		last = rate;
		lines++;
	}
	free(copy);
	EXPECT(lines == MANY);
	for (i = 0; i < MANY; i++)
		end_vm(&vm[i]);
}

/* VMs come and go while the tool runs. */
static void test_come_and_go(void)
{
	struct test_vm a = start_vm("old", true), b;
	pid_t pid = start((char *[]){ tool, "--host", "-i", "0.3", NULL });

	EXPECT(await("/tmp/out", "1 VM in 0."));
	b = start_vm("new", true);
	EXPECT(poke(b.to, b.from, 100));
	EXPECT(await("/tmp/out", "2 VMs in "));
	end_vm(&a);
	end_vm(&b);
	EXPECT(await("/tmp/out", "0 VMs in "));
	kill(pid, SIGINT);
	finish(pid);
	EXPECT(!ran.status);
	EXPECT(!*ran.err);
	EXPECT(line_of(ran.out, b.pid_text));

	TOOL("--host", "-i", "0.2", "-n", "2", "--csv");
	EXPECT(!strncmp(ran.out, "seconds,pid,", 12));
	TOOL("--host", "-i", "0.2", "-n", "2", "--json");
	EXPECT(count(ran.out, "{\"at\":") == 2);
}

/* ---- the terminal ---- */

static void test_widths(void)
{
	static const int columns[] = { 40, 80, 200 };
	struct test_vm vm = start_vm("a-name-that-is-longer-than-others", true);
	unsigned int i;

	EXPECT(poke(vm.to, vm.from, 100));
	for (i = 0; i < ARRAY_SIZE(columns); i++) {
		run_on_terminal(columns[i], (char *[]){ tool, "-p", vm.pid_text, NULL });
		EXPECT(!ran.status);
		EXPECT(strstr(ran.out, "total  "));
		EXPECT(strstr(ran.out, "["));
		/* Skip the title, which may be longer. */
		EXPECT(longest_line(strstr(ran.out, "\r\n")) <= columns[i]);
		run_on_terminal(columns[i], (char *[]){ tool, "-p", vm.pid_text, "-t", NULL });
		EXPECT(longest_line(strstr(ran.out, "\r\n")) <= columns[i]);
		run_on_terminal(columns[i], (char *[]){ tool, "--host", NULL });
		EXPECT(!ran.status);
		EXPECT(longest_line(ran.out) <= columns[i]);
		EXPECT(strstr(ran.out, "a-name"));
		EXPECT(columns[i] < 200 || strstr(ran.out, "asleep"));
		EXPECT(!strstr(ran.out, "\033"));
	}
	end_vm(&vm);
}

static void test_watch(void)
{
	struct test_vm vm = start_vm("seen", true);
	size_t n = 0;
	int master;
	pid_t pid = start_on_terminal((char *[]){ tool, "--host", "-w", "-i", "0.3", NULL }, 120,
				      &master);

	EXPECT(pid > 0);
	EXPECT(read_terminal(master, &n, "1 VM since it started"));
	EXPECT(read_terminal(master, &n, "1 VM in 0."));
	EXPECT(strstr(ran.out, "seen"));
	EXPECT(write(master, "q", 1) == 1);
	EXPECT(read_terminal(master, &n, NULL));
	EXPECT(strstr(ran.out, "\033[?1049l"));
	close(master);
	ran.status = shell_status(pid);
	EXPECT(!ran.status);
	end_vm(&vm);
}

/* ---- what is missing ---- */

static void test_not_root(void)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		redirect("/tmp/out", STDOUT_FILENO);
		redirect("/tmp/err", STDERR_FILENO);
		if (setuid(65534))
			_exit(98);
		execl(tool, tool, "--host", NULL);
		_exit(99);
	}
	finish(pid);
	expect_error(3, "only root can read the VMs' figures: use sudo");
}

/* Hide a directory behind another mount, in the test's own mount namespace. */
static void hide(const char *dir)
{
	EXPECT(!mount("tmpfs", dir, "tmpfs", 0, NULL));
}

static void test_hidden(void)
{
	hide("/sys/kernel/debug");
	TOOL("--host");
	expect_error(3, "debugfs is not mounted: mount -t debugfs none /sys/kernel/debug");
	TOOL("-p", "1");
	expect_error(3, "debugfs is not mounted");
	write_text("/tmp/cmdline", "quiet debugfs=off\n", 18);
	EXPECT(!mount("/tmp/cmdline", "/proc/cmdline", NULL, MS_BIND, NULL));
	TOOL("--host");
	expect_error(3, "the kernel's command line turns debugfs off: boot without debugfs=");
	umount("/proc/cmdline");
	umount("/sys/kernel/debug");

	hide("/sys/module/kvm/parameters");
	TOOL("--host");
	expect_error(3, "this kernel's KVM has no exitstats");
	umount("/sys/module/kvm/parameters");

	hide("/sys/module");
	TOOL("--host");
	expect_error(3, "KVM is not loaded: modprobe kvm-intel or kvm-amd");
	umount("/sys/module");
	TOOL("--host");
	EXPECT(!ran.status);
}

static void test_usage(void)
{
	static char *const bad[][6] = {
		{ "-p", "x" }, { "-p", "-1" }, { "-p", "99999999999999999999" }, { "-p", "1-" },
		{ "-p", "1-2-3" }, { "-p", "1", "--vcpu", "x" }, { "--host", "date" },
		{ "--host", "--raw", "1" }, { "--host", "-t" }, { "--host", "--vcpu" },
		{ "--host", "-o", "x", "--csv", "-i", "1" }, { "--host", "-w", "--csv" },
		{ "--host", "-w" }, { "--host", "diff", "a", "b" },
		{ "--host", "--openmetrics", "-i", "1" }, { "--host", "--hist", "all" },
		{ "-p", "1", "--hist", "all", "--csv" },
	};

	expect_bad_usage(bad, ARRAY_SIZE(bad));
}

static void test_output_failures(void)
{
	TOOL("--host", "--json", "-o", "/dev/full");
	expect_error(2, "/dev/full: No space left");
	TOOL("--host", "--json", "-o", "/nonexistent/a");
	expect_error(2, "/nonexistent/a: No such file");

	expect_sigpipe((char *[]){ tool, "--host", "-i", "0.01", NULL });
}

/* ---- the parser ---- */

static void test_bad_tables(void)
{
	static const char head[] = "reason name exits cycles average longest\n";
	static const char tail[] =
		"total - 1 2 2 2\naccount guest 1 2 2 0\naccount userspace 1 2 2 0\n"
		"account halted 1 2 2 0\naccount preempted 1 2 2 0\naccount asleep 1 2 2 0\n";
	static const char *const bad[] = {
		"x - 1 2 2 2\n", "48 EPT_VIOLATION 1 2 2\n", "48 EPT_VIOLATION 1 2 2 2 2\n",
		"48x EPT_VIOLATION 1 2 2 2\n", "99999 - 1 2 2 2\n", "account nowhere 1 2 2 2\n",
		"- - 1 2 2 2\n", "48\n", "account exits 1 2 2 2\n",
	};
	static char text[OUT_MAX];
	struct stats s;
	unsigned int i;

	snprintf(text, sizeof(text), "%s0x400 npf 3 9 3 4\n- other 1 2 2 2\n%s", head, tail);
	EXPECT(parse_table(&s, text));
	EXPECT(s.numbering == SVM && s.row[code_row(SVM, 0x400)].exits == 3);
	EXPECT(s.longest[code_row(SVM, 0x400)] == 4 && s.row[OTHER].cycles == 2);
	EXPECT(s.account[ASLEEP].cycles == 2 && s.accounts);
	snprintf(text, sizeof(text), "%s48 EPT_VIOLATION 3 9 3 4\n%s", head, tail);
	EXPECT(parse_table(&s, text) && s.numbering == VMX && s.row[48].cycles == 9);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		snprintf(text, sizeof(text), "%s%s%s", head, bad[i], tail);
		EXPECT(!parse_table(&s, text));
	}
	EXPECT(!parse_table(&s, head));
	EXPECT(!parse_table(&s, tail));
	EXPECT(!parse_table(&s, ""));
}

static const struct test tests[] = {
	{ "--host without a VM", test_no_vm },
	{ "-p --csv equals the table", test_csv },
	{ "-p --vcpu equals the vCPU's table", test_vcpu },
	{ "-p --time equals the table", test_time },
	{ "-p, all formats, a name with odd characters", test_table },
	{ "-p -- CMD", test_command },
	{ "-p -o, diff, check", test_snapshots },
	{ "-p -i, and the VM ends", test_intervals },
	{ "histogram: -p equals the kernel's file, and adds up", test_histogram },
	{ "histogram: -p -- CMD, intervals, diff", test_histogram_command },
	{ "histogram: beside a VM without", test_histogram_beside },
	{ "histogram: damaged files", test_bad_histograms },
	{ "--host --csv equals the table", test_list_csv },
	{ "--host, and a VM that does not count", test_list },
	{ "--host --openmetrics, and two VMs with the same name", test_labels },
	{ "--host with forty VMs", test_many },
	{ "--host -i, and VMs come and go", test_come_and_go },
	{ "terminals of 40, 80 and 200 columns", test_widths },
	{ "--host -w", test_watch },
	{ "not root", test_not_root },
	{ "no debugfs, no exitstats, no KVM", test_hidden },
	{ "bad usage on the host", test_usage },
	{ "full disk, closed pipe", test_output_failures },
	{ "damaged tables", test_bad_tables },
};

int main(int argc, char **argv)
{
	if (argc == 7 && !strcmp(argv[1], "vm"))
		return be_vm(atoi(argv[2]), atoi(argv[3]), argv[4]);
	if (argc == 5 && !strcmp(argv[1], "poke"))
		return !poke(atoi(argv[2]), atoi(argv[3]), atoi(argv[4]));
	if (argc == 3 && !strcmp(argv[1], "kill")) {
		kill(atoi(argv[2]), SIGKILL);
		usleep(500000);
		return 0;
	}
	if (argc != 2) {
		fprintf(stderr, "usage: %s TOOL\n", argv[0]);
		return 1;
	}
	if (access("/dev/kvm", R_OK | W_OK)) {
		puts("1..0 # SKIP no /dev/kvm");
		return KSFT_SKIP;
	}

	self = argv[0];
	tool = argv[1];
	numbering = access("/sys/module/kvm_amd", F_OK) ? VMX : SVM;
	prepare_mounts();
	return run_tests(tests, ARRAY_SIZE(tests));
}
