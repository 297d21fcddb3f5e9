// SPDX-License-Identifier: GPL-2.0-only
/*
 * Make the initramfs that the emulator boots, with all files that the plan names. One of
 * them is the initramfs of the QEMU guest. For Bochs, make a CD of it. The kernel's
 * gen_init_cpio packs the files listed in DIR/run.list and DIR/guest.list, in which a
 * directory must come before its files.
 */
#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lab.h"

#define QEMU	"/usr/bin/qemu-system-x86_64"

struct list {
	FILE *to;
	struct words dirs, files;	/* listed so far */
};

static void add_dir(struct list *list, const char *path)
{
	char *parent = strdup(path), *slash = strrchr(parent, '/');

	*slash = 0;
	if (*parent)
		add_dir(list, parent);
	free(parent);
	if (has_word(&list->dirs, path))
		return;
	add_word(&list->dirs, path);
	fprintf(list->to, "dir %s 755 0 0\n", path);
}

static void add_file(struct list *list, const char *path, const char *source)
{
	char *dir = strdup(path);

	*strrchr(dir, '/') = 0;
	if (*dir)
		add_dir(list, dir);
	free(dir);
	/* Programs share libraries. */
	if (has_word(&list->files, path))
		return;
	add_word(&list->files, path);
	if (access(source, R_OK))
		die("%s: %s", source, strerror(errno));
	fprintf(list->to, "file %s %s 755 0 0\n", path, source);
}

static struct list begin_list(const char *name, const char *init)
{
	static const char *const dirs[] = { "/dev", "/proc", "/sys", "/tmp", "/run" };
	struct list list = { .to = fopen(name, "we") };
	size_t i;

	if (!list.to)
		die("%s: %s", name, strerror(errno));
	for (i = 0; i < sizeof(dirs) / sizeof(*dirs); i++)
		add_dir(&list, dirs[i]);
	fprintf(list.to, "nod /dev/console 600 0 0 c 5 1\n");
	add_file(&list, "/init", init);
	return list;
}

static void command(const char *text)
{
	if (system(text))
		die("lab: failed: %s", text);
}

/* Close the list, and pack its files. */
static void end_list(struct lab *lab, struct list *list, const char *name)
{
	if (fclose(list->to))
		die("%s.list: %s", name, strerror(errno));
	command(format("%s/linux/usr/gen_init_cpio %s.list > %s.cpio", lab->build, name, name));
}

static void add_script(struct list *list, struct script *script)
{
	char *name = format("plan%s%s", *script->name ? "." : "", script->name);
	FILE *to = fopen(name, "we");
	size_t i;

	if (!to)
		die("%s: %s", name, strerror(errno));
	for (i = 0; i < script->lines.nr; i++)
		fprintf(to, "%s\n", script->lines.word[i]);
	if (fclose(to))
		die("%s: %s", name, strerror(errno));
	add_file(list, format("/%s", name), name);
}

/* A program of this machine, with the libraries that it needs */
static void add_program(struct list *list, const char *program)
{
	FILE *from = popen(format("ldd %s", program), "re");
	char line[512], *path;

	add_file(list, program, program);
	while (from && fgets(line, sizeof(line), from)) {
		path = strchr(line, '/');
		if (!path)
			continue;
		path[strcspn(path, "\n ")] = 0;
		add_file(list, path, path);
	}
	if (!from || pclose(from))
		die("ldd %s: failed", program);
}

static void add_qemu(struct list *list)
{
	static const char *const firmware[] = {
		"bios-microvm.bin", "linuxboot_dma.bin", "kvmvapic.bin", "multiboot_dma.bin",
	};
	char *path;
	size_t i;

	add_program(list, QEMU);
	for (i = 0; i < sizeof(firmware) / sizeof(*firmware); i++) {
		path = format("/usr/share/qemu/%s", firmware[i]);
		add_file(list, path, path);
	}
}

/* Module names have "_" where file names may have "-". init uses the former. */
static void add_module(struct list *list, const char *source)
{
	char *name = format("/modules/%s", strrchr(source, '/') + 1), *p;

	for (p = name; *p; p++)
		if (*p == '-')
			*p = '_';
	add_file(list, name, source);
}

static void add_modules(struct lab *lab, struct plan *plan, struct list *list)
{
	static const char *const dirs[] = { "arch/x86/kvm", "virt/lib" };
	glob_t found;
	size_t i, j;

	if (plan->oracle)
		add_module(list, format("%s/oracle/lab_oracle.ko", lab->build));
	for (i = 0; i < plan->modules.nr; i++)
		add_module(list, plan->modules.word[i]);
	if (plan->modules.nr)
		return;
	for (i = 0; i < sizeof(dirs) / sizeof(*dirs); i++) {
		if (glob(format("%s/linux/%s/*.ko", lab->build, dirs[i]), 0, NULL, &found))
			continue;
		for (j = 0; j < found.gl_pathc; j++)
			add_module(list, found.gl_pathv[j]);
		globfree(&found);
	}
}

static void make_cdrom(struct plan *plan)
{
	FILE *to;

	command("mkdir iso && mv run.cpio iso && cp /usr/lib/ISOLINUX/isolinux.bin "
		"/usr/lib/syslinux/modules/bios/ldlinux.c32 iso");
	command(format("ln -s %s iso/bzImage", plan->kernel));
	to = fopen("iso/isolinux.cfg", "we");
	if (!to)
		die("isolinux.cfg: %s", strerror(errno));
	fprintf(to, "default lab\nlabel lab\n  kernel bzImage\n  initrd run.cpio\n  append %s\n",
		plan->append);
	if (fclose(to))
		die("isolinux.cfg: %s", strerror(errno));
	command("xorriso -as mkisofs -quiet -follow-links -o lab.iso -b isolinux.bin -c boot.cat "
		"-no-emul-boot -boot-load-size 4 -boot-info-table iso 2> xorriso.log || "
		"{ cat xorriso.log >&2; false; }");
	command("rm -r iso");
}

void pack(struct lab *lab, struct plan *plan, bool cdrom)
{
	char *init = format("%s/init", lab->build);
	char *kernel = format("%s/linux/arch/x86/boot/bzImage", lab->build);
	struct list list;
	size_t i;

	if (!plan->kernel)
		plan->kernel = kernel;
	if (plan->uses_qemu) {
		list = begin_list("guest.list", init);
		for (i = 0; i < plan->nr_guest_files; i++)
			add_file(&list, plan->guest_files[i].path, plan->guest_files[i].source);
		for (i = 0; i < plan->guest_programs.nr; i++)
			add_program(&list, plan->guest_programs.word[i]);
		for (i = 0; i < plan->nr_guests; i++)
			add_script(&list, &plan->guests[i]);
		end_list(lab, &list, "guest");
	}

	list = begin_list("run.list", init);
	for (i = 0; i < plan->nr_files; i++)
		add_file(&list, plan->files[i].path, plan->files[i].source);
	add_modules(lab, plan, &list);
	if (plan->uses_qemu) {
		add_qemu(&list);
		add_file(&list, "/boot/bzImage", kernel);
		add_file(&list, "/boot/guest.cpio", "guest.cpio");
	}
	/* This overwrites "plan", the guest's plan, which has been packed by now. */
	add_script(&list, &plan->host);
	end_list(lab, &list, "run");
	if (cdrom)
		make_cdrom(plan);
}
