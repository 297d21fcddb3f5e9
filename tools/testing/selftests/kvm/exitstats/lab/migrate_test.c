// SPDX-License-Identifier: GPL-2.0-only
/*
 * migrate_test plan=NAME [uncounted]: start the guest, wait until it has printed a line, and
 * migrate it live to another QEMU, whose VM counts, unless it is "uncounted". The TAP that the
 * guest prints there goes to standard output.
 */
#define _GNU_SOURCE
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"
#include "stream.h"

#define SOURCE_QMP	"/tmp/qmp"
#define MIGRATION	"/tmp/migration"
#define PARAMETER	"/sys/module/kvm/parameters/exitstats"

static void fail(const char *what)
{
	printf("Bail out! %s\n", what);
	exit(1);
}

/* Read a message of the guest; return false at the end of its stream. */
static bool guest_message(FILE *from, struct stream_header *h, char *text)
{
	if (fread(h, sizeof(*h), 1, from) != 1 || h->magic != STREAM_MAGIC ||
	    h->len > STREAM_MAX || fread(text, 1, h->len, from) != h->len)
		return false;
	text[h->len] = 0;
	return true;
}

static FILE *run_guest(char *plan, char *option, char *value, pid_t *pid)
{
	char *const options[] = { plan, option, value, NULL };
	int out[2];

	if (pipe(out))
		fail("pipe");
	*pid = start_guest(options, out[1]);
	close(out[1]);
	if (*pid < 0)
		fail("the guest does not start");
	return fdopen(out[0], "r");
}

static FILE *connect_qmp(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX, .sun_path = SOURCE_QMP };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		fail(SOURCE_QMP);
	return fdopen(fd, "r+");
}

/* Return QEMU's answer, and skip events before it. */
static const char *ask(FILE *qmp, const char *command)
{
	static char line[16384];

	fseek(qmp, 0, SEEK_CUR);
	fprintf(qmp, "%s\n", command);
	fflush(qmp);
	while (fgets(line, sizeof(line), qmp))
		if (strstr(line, "\"return\"") || strstr(line, "\"error\""))
			return line;
	fail("QEMU does not answer");
	return NULL;
}

/* Do the VMs that are made from now on count? */
static void count(const char *yes_or_no)
{
	FILE *parameter = fopen(PARAMETER, "w");

	if (!parameter || fputs(yes_or_no, parameter) < 0 || fclose(parameter))
		fail(PARAMETER);
}

int main(int argc, char **argv)
{
	bool counts = argc < 3 || strcmp(argv[2], "uncounted");
	char *plan = argc > 1 ? argv[1] : NULL;
	static char text[STREAM_MAX + 1];
	struct stream_header h;
	pid_t source, target;
	FILE *from, *to, *qmp;
	const char *answer;
	int status, tries;

	if (!plan)
		fail("usage: migrate_test plan=NAME [uncounted]");
	from = run_guest(plan, "-qmp", "unix:" SOURCE_QMP ",server=on,wait=off", &source);
	do {
		if (!guest_message(from, &h, text))
			fail("the guest ended");
	} while (h.type != STREAM_OUT);
	fwrite(text, 1, h.len, stdout);

	if (!counts)
		count("N");
	to = run_guest(plan, "-incoming", "unix:" MIGRATION, &target);
	for (tries = 0; access(MIGRATION, F_OK) && tries < 600; tries++)
		usleep(100000);
	if (!counts)
		count("Y");

	qmp = connect_qmp();
	ask(qmp, "{\"execute\": \"qmp_capabilities\"}");
	ask(qmp, "{\"execute\": \"migrate\", \"arguments\": {\"uri\": \"unix:" MIGRATION "\"}}");
	do {
		usleep(100000);
		answer = ask(qmp, "{\"execute\": \"query-migrate\"}");
		if (strstr(answer, "\"failed\""))
			fail(answer);
	} while (!strstr(answer, "\"completed\""));

	/* End the source QEMU, too: lab_oracle.ko counts a vCPU's exits when KVM frees it. */
	ask(qmp, "{\"execute\": \"quit\"}");
	waitpid(source, &status, 0);

	while (guest_message(to, &h, text))
		if (h.type == STREAM_OUT || h.type == STREAM_ERR)
			fwrite(text, 1, h.len, h.type == STREAM_OUT ? stdout : stderr);
	waitpid(target, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
