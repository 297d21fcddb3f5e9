// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM exitstats: VMs and vCPUs come, run and go, while other threads read all figures, even
 * of VMs that are being destroyed. VMs also go because their VMM is killed, or shut down by a
 * triple fault. Neither affects another VM.
 */
#include <dirent.h>
#include <fcntl.h>
#include <glob.h>
#include <pthread.h>
#include <sys/wait.h>

#include "exitstats_debugfs.h"

#define NR_MAKERS	3
#define NR_READERS	2
#define NR_VMS		6	/* per maker */
#define NR_VCPUS	2
#define NR_EXITS	100
#define NR_HELD		16	/* tables and statistics that a reader keeps open */
#define NR_KILLS	5

static void cause_exits(void)
{
	int i;

	for (i = 0; i < NR_EXITS; i++)
		flush_caches();
}

static void guest_exit(void)
{
	cause_exits();
	GUEST_DONE();
}

static void guest_exit_and_sync(void)
{
	for (;;) {
		cause_exits();
		GUEST_SYNC(0);
	}
}

/*
 * CPUID and not INVD: newer KVMs handle INVD in the fastpath, with the host's interrupts
 * disabled. Bochs would then never deliver one, as it does not exit for the host's
 * interrupts while the guest has them disabled.
 */
static void guest_cpuid_for_ever(void)
{
	for (;;)
		read_leaf(0, 0);
}

static bool stop;
static int last_stats_fd = -1;
static pthread_mutex_t stats_fd_lock = PTHREAD_MUTEX_INITIALIZER;

/* Pass a vCPU's statistics to the readers, who close them. */
static void offer_stats(struct kvm_vcpu *vcpu)
{
	int fd = vcpu_get_stats_fd(vcpu);

	pthread_mutex_lock(&stats_fd_lock);
	if (last_stats_fd >= 0)
		close(last_stats_fd);
	last_stats_fd = fd;
	pthread_mutex_unlock(&stats_fd_lock);
}

static int take_stats(void)
{
	int fd;

	pthread_mutex_lock(&stats_fd_lock);
	fd = last_stats_fd;
	last_stats_fd = -1;
	pthread_mutex_unlock(&stats_fd_lock);
	return fd;
}

static void *make(void *unused)
{
	struct kvm_vcpu *vcpus[NR_VCPUS];
	struct kvm_vm *vm;
	int i, j;

	for (i = 0; i < NR_VMS; i++) {
		vm = vm_create(NR_VCPUS);
		vm_enable_cap(vm, KVM_CAP_X86_EXITSTATS, i % 4 != 3);
		/* Add one at a time, so that readers use the first when the second is added. */
		for (j = 0; j < NR_VCPUS; j++) {
			vcpus[j] = vm_vcpu_add(vm, j, guest_exit);
			offer_stats(vcpus[j]);
			TEST_ASSERT_EQ(run_guest(vcpus[j]), UCALL_DONE);
			if (i % 4 != 3)
				assert_stats(vcpus[j]);
		}
		kvm_vm_free(vm);
	}
	return NULL;
}

/* Read a file to its end, or until its VM is destroyed. */
static size_t read_all(int fd)
{
	size_t size = 0;
	char buf[1024];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0)
		size += n;
	TEST_ASSERT(!n || errno == EIO, "read: %s", strerror(errno));
	return size;
}

static void *read_everything(void *unused)
{
	static const char *const patterns[] = {
		KVM_DEBUGFS "/*/exitstats",
		KVM_DEBUGFS "/*/vcpu*/exitstats",
		KVM_DEBUGFS "/*/exits",
		KVM_DEBUGFS "/exits",
	};
	int held[NR_HELD], nr_held = 0, i, j, fd;
	unsigned long nr_read = 0;
	glob_t found;

	for (i = 0; i < NR_HELD; i++)
		held[i] = -1;

	while (!READ_ONCE(stop)) {
		for (i = 0; i < ARRAY_SIZE(patterns); i++) {
			if (glob(patterns[i], GLOB_NOSORT, NULL, &found))
				continue;
			for (j = 0; j < found.gl_pathc; j++) {
				fd = open(found.gl_pathv[j], O_RDONLY);
				TEST_ASSERT(fd >= 0 || errno == ENOENT || errno == EIO,
					    "%s: %s", found.gl_pathv[j], strerror(errno));
				if (fd < 0)
					continue;
				nr_read += read_all(fd) > 0;
				/* Keep the file open, and read it again when it is replaced. */
				if (held[nr_held] >= 0) {
					if (!lseek(held[nr_held], 0, SEEK_SET))
						read_all(held[nr_held]);
					close(held[nr_held]);
				}
				held[nr_held] = fd;
				nr_held = (nr_held + 1) % NR_HELD;
			}
			globfree(&found);
		}
		fd = take_stats();
		if (fd >= 0) {
			nr_read += read_all(fd) > 0;
			close(fd);
		}
	}

	for (i = 0; i < NR_HELD; i++)
		if (held[i] >= 0)
			close(held[i]);
	return (void *)nr_read;
}

FIXTURE(lifetime) {};
FIXTURE_SETUP(lifetime) {}
FIXTURE_TEARDOWN(lifetime) {}

/* With sanitizers, this takes minutes; the harness's default limit is half a minute. */
TEST_F_TIMEOUT(lifetime, under_load, 900)
{
	pthread_t makers[NR_MAKERS], readers[NR_READERS];
	unsigned long nr_read = 0;
	void *n;
	int i;

	for (i = 0; i < NR_READERS; i++)
		pthread_create(&readers[i], NULL, read_everything, NULL);
	for (i = 0; i < NR_MAKERS; i++)
		pthread_create(&makers[i], NULL, make, NULL);
	for (i = 0; i < NR_MAKERS; i++)
		pthread_join(makers[i], NULL);
	WRITE_ONCE(stop, true);
	for (i = 0; i < NR_READERS; i++) {
		pthread_join(readers[i], &n);
		nr_read += (unsigned long)n;
	}
	close(take_stats());

	ksft_print_msg("%d VMs, read %lu files\n", NR_MAKERS * NR_VMS, nr_read);
	TEST_ASSERT(nr_read, "nothing was read");
}

/* A VM that runs beside those that are killed */
struct witness {
	struct kvm_vcpu *vcpu;
	struct stats stats;
};

static struct witness call_witness(void)
{
	struct witness witness;

	vm_create_with_one_vcpu(&witness.vcpu, guest_exit_and_sync);
	TEST_ASSERT_EQ(run_guest(witness.vcpu), UCALL_SYNC);
	read_stats(witness.vcpu, &witness.stats);
	return witness;
}

/* Check that its figures have not changed, and that it still counts. */
static void hear_witness(struct witness *witness)
{
	u64 *exits = &witness->stats.exits_by_reason[EXIT_FLUSH];
	struct stats stats;

	read_stats(witness->vcpu, &stats);
	TEST_ASSERT(!memcmp(&stats, &witness->stats, sizeof(stats)),
		    "another VM's end was counted: %lu exits, %lu",
		    witness->stats.exits, stats.exits);
	TEST_ASSERT_EQ(run_guest(witness->vcpu), UCALL_SYNC);
	read_stats(witness->vcpu, &stats);
	TEST_ASSERT_EQ(stats.exits_by_reason[EXIT_FLUSH], *exits + NR_EXITS);
	assert_stats(witness->vcpu);
	kvm_vm_free(witness->vcpu->vm);
}

static void *run_for_ever(void *vcpu)
{
	for (;;)
		vcpu_run(vcpu);
	return NULL;
}

/* Be a VMM until killed. */
static void run_vmm(void)
{
	struct kvm_vcpu *vcpus[NR_VCPUS];
	pthread_t thread;
	int i;

	vm_create_with_vcpus(NR_VCPUS, guest_cpuid_for_ever, vcpus);
	for (i = 0; i < NR_VCPUS; i++)
		pthread_create(&thread, NULL, run_for_ever, vcpus[i]);
	for (;;)
		pause();
}

/* The exits of the VM of process @pid, or -1 if it has none */
static long exits_of_vmm(pid_t pid)
{
	long exits = -1;
	char text[64];
	glob_t found;
	FILE *file;

	snprintf(text, sizeof(text), KVM_DEBUGFS "/%d-*/exits", pid);
	if (glob(text, GLOB_NOSORT, NULL, &found))
		return exits;
	file = fopen(found.gl_pathv[0], "r");
	if (file && fscanf(file, "%ld", &exits) != 1)
		exits = -1;
	if (file)
		fclose(file);
	globfree(&found);
	return exits;
}

TEST(vmm_is_killed)
{
	struct witness witness = call_witness();
	pid_t pid;
	int i;

	for (i = 1; i <= NR_KILLS; i++) {
		pid = fork();
		if (!pid)
			run_vmm();
		TEST_ASSERT(pid > 0, "fork: %s", strerror(errno));
		while (exits_of_vmm(pid) < i * 1000)
			usleep(1000);
		kill(pid, SIGKILL);
		TEST_ASSERT_EQ(waitpid(pid, NULL, 0), pid);
		TEST_ASSERT(exits_of_vmm(pid) < 0, "the VM outlives its VMM");
	}
	hear_witness(&witness);
}

static void guest_triple_fault(void)
{
	struct desc_ptr idt = {};

	asm volatile("lidt %0; ud2" : : "m"(idt));
}

TEST(guest_triple_faults)
{
	struct witness witness = call_witness();
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm = vm_create_with_one_vcpu(&vcpu, guest_triple_fault);

	vcpu_run(vcpu);
	TEST_ASSERT_KVM_EXIT_REASON(vcpu, KVM_EXIT_SHUTDOWN);
	assert_stats(vcpu);
	kvm_vm_free(vm);
	hear_witness(&witness);
}

int main(int argc, char *argv[])
{
	require_exitstats();
	require_debugfs();
	/* Fill its cache now; threads would race to fill it. */
	kvm_get_supported_cpuid();
	return test_harness_run(argc, argv);
}
