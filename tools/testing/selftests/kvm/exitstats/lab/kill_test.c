// SPDX-License-Identifier: GPL-2.0-only
/*
 * kill_test: kill QEMU with SIGKILL while its guest runs and a table of the VM is open,
 * several times. The VM's tables and its references to the modules must go away.
 *
 *	kill_test [-n ROUNDS] [OPTION ...]	in the emulated host; the options are
 *						those of init's command "guest"
 *
 * The guest's plan must not end by itself.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"
#include "kselftest.h"

#define TABLES		"/sys/kernel/debug/kvm/*/exitstats"
#define EXITS_A_ROUND	2000	/* each round kills the guest after this many more exits */
#define SECONDS		300	/* timeout of each wait, in the lab's time */

/* Return the path of the VM's table, or NULL without a VM. The caller frees it. */
static char *find_table(void)
{
	char *path = NULL;
	glob_t found;

	if (!glob(TABLES, GLOB_NOSORT, NULL, &found)) {
		path = strdup(found.gl_pathv[0]);
		globfree(&found);
	}
	return path;
}

/* The exits in the table's row "total"; 0 without a VM */
static unsigned long long total_exits(void)
{
	unsigned long long exits = 0;
	char *path = find_table(), line[256];
	FILE *file = path ? fopen(path, "r") : NULL;

	while (file && fgets(line, sizeof(line), file))
		sscanf(line, "total - %llu", &exits);
	if (file)
		fclose(file);
	free(path);
	return exits;
}

static bool wait_for_exits(unsigned long long exits)
{
	int i;

	for (i = 0; i < SECONDS * 10 && total_exits() < exits; i++)
		usleep(100000);
	return i < SECONDS * 10;
}

static int module_users(void)
{
	FILE *file = fopen(vendor_is_amd() ? "/sys/module/kvm_amd/refcnt" :
			   "/sys/module/kvm_intel/refcnt", "r");
	int users = -1;

	if (!file || fscanf(file, "%d", &users) != 1)
		ksft_exit_fail_msg("reference count of the vendor module: %m\n");
	fclose(file);
	return users;
}

/* QEMU's main thread creates the VM, so its pid is in the table's path. */
static pid_t qemu_of(const char *path)
{
	int pid;

	if (sscanf(path, "/sys/kernel/debug/kvm/%d-", &pid) != 1)
		ksft_exit_fail_msg("%s: %m\n", path);
	return pid;
}

static bool check(bool ok, const char *what)
{
	if (!ok)
		printf("# failed: %s\n", what);
	return ok;
}

/* Start a guest, kill it after @exits, and return whether all checks passed. */
static bool kill_one(char *const options[], unsigned long long exits)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC), table, status;
	pid_t init = start_guest(options, null);
	char *path, byte;
	bool ok;

	close(null);
	if (init < 0)
		ksft_exit_fail_msg("fork: %m\n");
	if (!wait_for_exits(exits))
		ksft_exit_fail_msg("too few exits of the guest\n");
	path = find_table();
	table = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (table < 0)
		ksft_exit_fail_msg("no table\n");
	ok = check(read(table, &byte, 1) == 1, "the table can be read");
	ok &= check(module_users() > 0, "the vendor module is in use");
	printf("# %d users of the vendor module, %llu exits; killing %d\n", module_users(),
	       total_exits(), qemu_of(path));

	if (kill(qemu_of(path), SIGKILL) || waitpid(init, &status, 0) != init)
		ksft_exit_fail_msg("killing QEMU: %m\n");
	ok &= check(WIFEXITED(status) && WEXITSTATUS(status) == GUEST_DIED, "the guest died");
	ok &= check(pread(table, &byte, 1, 0) == -1 && errno == EIO, "the open table says EIO");
	ok &= check(access(path, F_OK) && errno == ENOENT, "the table is gone");
	ok &= check(!find_table(), "there is no other table");
	ok &= check(!module_users(), "the vendor module is not in use");
	close(table);
	free(path);
	return ok;
}

int main(int argc, char **argv)
{
	int nr_rounds = 4, i, good = 0;

	if (argc > 2 && !strcmp(argv[1], "-n")) {
		nr_rounds = atoi(argv[2]);
		argv += 2;
	}
	ksft_print_header();
	ksft_set_plan(1);
	for (i = 1; i <= nr_rounds; i++)
		good += kill_one(argv + 1, i * EXITS_A_ROUND);
	printf("# %d of %d killed\n", good, nr_rounds);
	ksft_test_result(good > 0 && good == nr_rounds,
			 "kill: tables and references to the modules go away\n");
	ksft_finished();
}
