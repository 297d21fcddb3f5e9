// SPDX-License-Identifier: GPL-2.0-only
/*
 * Read a plan: expand its variables and loops, and fill in struct plan for the other
 * steps of the driver. README explains the words of a plan.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lab.h"

#define MAX_DEPTH	8

struct line {
	char *text;
	int number, depth;
};

struct variable {
	char *name, *value;
};

static struct variable *variables;
static size_t nr_variables;

/* The current line, for messages */
static const char *file;
static int line_number;

static struct lab *lab;
static struct plan *plan;
static struct script *script;	/* init's commands go here */

__attribute__((noreturn))
static void wrong(const char *what, const char *word)
{
	die("%s:%d: %s: %s", file, line_number, word, what);
}

static struct variable *find_variable(const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < nr_variables; i++)
		if (strlen(variables[i].name) == len && !strncmp(variables[i].name, name, len))
			return &variables[i];
	return NULL;
}

/* @keep: do not overwrite an existing value. */
void set_variable(const char *name, const char *value, bool keep)
{
	struct variable *v = find_variable(name, strlen(name));

	if (v && keep)
		return;
	if (!v) {
		variables = grow(variables, nr_variables, sizeof(*variables));
		v = &variables[nr_variables++];
		v->name = format("%s", name);
	}
	v->value = format("%s", value);
}

/*
 * $NAME becomes the variable's value, which is not expanded again. In ${NAME}, NAME
 * itself is expanded first. $$ becomes $. A $ before anything else stays.
 */
static char *expand(const char *text)
{
	char *out = NULL, *name;
	struct variable *v;
	size_t size, len;
	FILE *to = open_memstream(&out, &size);

	while (*text) {
		if (*text != '$' || !(isalpha(text[1]) || text[1] == '{')) {
			fputc(*text, to);
			text += *text == '$' && text[1] == '$' ? 2 : 1;
			continue;
		}
		text++;
		if (*text == '{') {
			len = strcspn(text, "}");
			if (!text[len])
				wrong("missing }", text);
			name = strndup(text + 1, len - 1);
			text += len + 1;
			name = expand(name);
		} else {
			for (len = 0; isalnum(text[len]) || text[len] == '_'; len++)
				;
			name = strndup(text, len);
			text += len;
		}
		v = find_variable(name, strlen(name));
		if (!v)
			wrong("no such variable", name);
		fputs(v->value, to);
		free(name);
	}
	fclose(to);
	return out;
}

/* White space separates words, except within single or double quotes. */
static struct words split(const char *text)
{
	struct words words = {};
	bool in_word = false;
	char *word, *end, quote = 0;

	word = malloc(strlen(text) + 1);
	end = word;
	for (; *text; text++) {
		if (quote ? *text == quote : *text == '"' || *text == '\'') {
			quote = quote ? 0 : *text;
			in_word = true;
		} else if (quote || !isspace(*text)) {
			*end++ = *text;
			in_word = true;
		} else if (in_word) {
			*end = 0;
			add_word(&words, word);
			end = word;
			in_word = false;
		}
	}
	if (quote)
		wrong("unbalanced quotes", word);
	if (in_word) {
		*end = 0;
		add_word(&words, word);
	}
	free(word);
	return words;
}

static long number(const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (end == text || *end || n <= 0)
		wrong("not a number", text);
	return n;
}

/* Everything after the @n-th word of @text, unchanged */
static char *rest(char *text, int n)
{
	while (n--) {
		while (isspace(*text))
			text++;
		while (*text && !isspace(*text))
			text++;
	}
	while (isspace(*text))
		text++;
	return text;
}

static void add_file(const char *path, const char *source, bool guest)
{
	struct file **files = guest ? &plan->guest_files : &plan->files;
	size_t *nr = guest ? &plan->nr_guest_files : &plan->nr_files, i;

	for (i = 0; i < *nr; i++)
		if (!strcmp((*files)[i].path, path))
			return;
	*files = grow(*files, *nr, sizeof(**files));
	(*files)[*nr].path = format("%s", path);
	(*files)[(*nr)++].source = format("%s", source);
}

/* /run/NAME in a plan is the program NAME from one of the directories given with -p. */
static void need_program(const char *path, bool guest)
{
	const char *name = path + strlen("/run/");
	size_t i;

	for (i = 0; i < plan->nr_files && !guest; i++)
		if (!strcmp(plan->files[i].path, path))
			return;
	for (i = 0; i < plan->nr_guest_files && guest; i++)
		if (!strcmp(plan->guest_files[i].path, path))
			return;
	for (i = 0; i < lab->search.nr; i++) {
		char *source = format("%s/%s", lab->search.word[i], name);

		if (!access(source, X_OK)) {
			add_file(path, source, guest);
			return;
		}
		free(source);
	}
	/* make builds what a plan needs, but -n may run before make has built it. */
	if (!lab->dry)
		wrong("no such program is built", name);
	add_file(path, "(not built yet)", guest);
}

/* Modules in /modules/NAME/ are variants of KVM's modules, built by make. */
static void need_variant(const char *name)
{
	static const char *const modules[][2] = {
		{ "kvm", "kvm" }, { "kvm_intel", "kvm-intel" }, { "kvm_amd", "kvm-amd" },
	};
	size_t i;

	for (i = 0; i < 3; i++)
		add_file(format("/modules/%s/%s.ko", name, modules[i][0]),
			 format("%s/variants/%s/arch/x86/kvm/%s.ko", lab->build, name,
				modules[i][1]), false);
}

/* Add a command for init, and to the image what the command needs. */
static void add_command(struct words *words)
{
	bool guest = script != &plan->host;
	size_t i;

	if (words->nr > MAX_WORDS)
		wrong("too many words", words->word[0]);
	for (i = 0; i < words->nr; i++) {
		char *word = words->word[i];
		char *command = i == 1 ? words->word[0] :
				i == 3 && !strcmp(words->word[0], "try") ? words->word[2] : "";

		if (strchr(word, '\n'))
			wrong("a line break within a word", word);
		if (!strcmp(command, "run") && !strchr(word, '/'))
			word = format("/run/%s", word);
		if (!strncmp(word, "from=", 5)) {
			need_variant(word + 5);
			word = format("from=/modules/%s/", word + 5);
		}
		if (!strncmp(word, "/modules/", 9) && word[strlen(word) - 1] == '/')
			need_variant(strndup(word + 9, strlen(word) - 10));
		if (!strncmp(word, "/run/", 5))
			need_program(word, guest);
		/* A program with an argument plan=NAME starts the guest itself. */
		if (!guest && (!strcmp(word, "guest") || !strncmp(word, "plan=", 5) ||
			       strstr(word, "qemu-system")))
			plan->uses_qemu = true;
		add_word(&script->lines, i ? format("\t%s", word) : word);
	}
	if (!guest)
		plan->boots = true;
}

static void begin_guest(const char *name)
{
	size_t i;

	for (i = 0; i < plan->nr_guests; i++)
		if (!strcmp(plan->guests[i].name, name))
			wrong("there is already a plan of this name", *name ? name : "guest-plan");
	plan->guests = grow(plan->guests, plan->nr_guests, sizeof(*plan->guests));
	script = &plan->guests[plan->nr_guests++];
	*script = (struct script){ .name = format("%s", name) };
}

void add_expect(char *what, struct words *words)
{
	plan->expects = grow(plan->expects, plan->nr_expects, sizeof(*plan->expects));
	plan->expects[plan->nr_expects++] = (struct expect){ what, *words };
}

static void add_pardon(struct words *w)
{
	struct pardon p = { .from = w->word[1] };

	if (w->nr == 4 && !strcmp(w->word[2], "to"))
		p.to = w->word[3];
	else if (w->nr == 4 && !strcmp(w->word[2], "unless"))
		p.unless = w->word[3];
	else if (w->nr != 2)
		wrong("pardon REGEX [to REGEX | unless REGEX]", w->word[0]);
	plan->pardons = grow(plan->pardons, plan->nr_pardons, sizeof(*plan->pardons));
	plan->pardons[plan->nr_pardons++] = p;
}

static void add_append(const char *text)
{
	plan->append = plan->append ? format("%s %s", plan->append, text) : format("%s", text);
}

/* A line that neither opens nor closes a block */
static void simple(char *text)
{
	static const char *const for_init[] = {
		"kvm", "unkvm", "run", "guest", "try", "file", "send", "leaks", "cost", "trace",
	};
	struct words w = split(text);
	const char *name;
	size_t i;

	if (!w.nr)
		return;
	name = w.word[0];
	for (i = 0; i < sizeof(for_init) / sizeof(*for_init); i++) {
		if (!strcmp(name, for_init[i])) {
			add_command(&w);
			return;
		}
	}
	if (!strcmp(name, "oracle") && w.nr == 1) {
		plan->oracle = true;
	} else if (!strcmp(name, "oracle") && !strcmp(w.word[1], "off")) {
		plan->no_oracle = true;
	} else if (!strcmp(name, "icount") && w.nr == 1) {
		plan->icount = true;
	} else if (w.nr < 2) {
		wrong("unknown word, or missing arguments", name);
	} else if (!strcmp(name, "needs")) {
		for (i = 1; i < w.nr; i++)
			add_word(&plan->needs, w.word[i]);
	} else if (!strcmp(name, "set")) {
		set_variable(w.word[1], rest(text, 2), true);
	} else if (!strcmp(name, "timeout")) {
		plan->timeout = number(w.word[1]);
	} else if (!strcmp(name, "silence")) {
		plan->silence = number(w.word[1]);
	} else if (!strcmp(name, "host-cpus")) {
		plan->host_cpus = number(w.word[1]);
		plan->parallel = w.nr > 2 && !strcmp(w.word[2], "parallel");
		if (w.nr > 2 && !plan->parallel)
			wrong("neither a number nor parallel", w.word[2]);
	} else if (!strcmp(name, "kernel")) {
		plan->kernel = w.word[1];
	} else if (!strcmp(name, "modules")) {
		for (i = 1; i < w.nr; i++)
			add_word(&plan->modules, w.word[i]);
	} else if (!strcmp(name, "accel")) {
		plan->accel = rest(text, 1);
	} else if (!strcmp(name, "append")) {
		add_append(rest(text, 1));
	} else if (!strcmp(name, "pack") && w.nr == 3) {
		add_file(w.word[1], w.word[2], false);
		add_file(w.word[1], w.word[2], true);
	} else if (!strcmp(name, "program")) {
		if (script == &plan->host)
			wrong("only within guest-plan", name);
		for (i = 1; i < w.nr; i++)
			add_word(&plan->guest_programs, w.word[i]);
	} else if (!strcmp(name, "pardon")) {
		add_pardon(&w);
	} else if (!strcmp(name, "expect")) {
		add_expect(rest(text, 1), &w);
	} else if (!strcmp(name, "check")) {
		/* check "WHAT" COMMAND: COMMAND goes to the shell unchanged. */
		char *quote = strchr(text, '"'), *end = quote ? strchr(quote + 1, '"') : NULL;
		struct words words = {};

		if (!end)
			wrong("check \"WHAT\" COMMAND", name);
		add_word(&words, "check");
		add_word(&words, end + 1);
		add_expect(strndup(quote + 1, end - quote - 1), &words);
	} else {
		wrong("unknown word", name);
	}
}

static bool opens(const char *word)
{
	return !strcmp(word, "for") || !strcmp(word, "if") || !strcmp(word, "guest-plan");
}

/* The line that ends the block whose body starts at @line */
static struct line *end_of(struct line *line, struct line *last)
{
	int depth = line[-1].depth;

	while (line < last && line->depth > depth)
		line++;
	return line;
}

static void carry_out(struct line *line, struct line *last)
{
	struct line *body, *end;
	struct script *outer;
	struct words w;
	char *text;
	size_t i;

	for (; line < last; line++) {
		line_number = line->number;
		text = expand(line->text);
		/* The shell splits the command of a check. */
		if (!strncmp(text, "check ", 6)) {
			simple(text);
			continue;
		}
		w = split(text);
		if (!w.nr || !opens(w.word[0])) {
			if (w.nr)
				simple(text);
			continue;
		}
		body = line + 1;
		end = end_of(body, last);
		if (!strcmp(w.word[0], "for")) {
			for (i = 2; i < w.nr; i++) {
				set_variable(w.word[1], w.word[i], false);
				carry_out(body, end);
			}
		} else if (!strcmp(w.word[0], "if")) {
			if (w.nr != 4 || (strcmp(w.word[2], "=") && strcmp(w.word[2], "!=")))
				wrong("if WORD = WORD, or if WORD != WORD", text);
			if (!strcmp(w.word[1], w.word[3]) == !strcmp(w.word[2], "="))
				carry_out(body, end);
		} else {
			outer = script;
			begin_guest(w.nr > 1 ? w.word[1] : "");
			carry_out(body, end);
			script = outer;
		}
		line = end;
	}
}

/* The lines within a block have a greater depth than the lines around it. */
static struct line *read_lines(const char *path, size_t *nr)
{
	FILE *from = fopen(path, "re");
	struct line *lines = NULL;
	int depth = 0, count = 0;
	char *text = NULL, *word;
	size_t size = 0;

	if (!from)
		die("%s: %s", path, strerror(errno));
	*nr = 0;
	while (getline(&text, &size, from) > 0) {
		line_number = ++count;
		text[strcspn(text, "\n")] = 0;
		word = text + strspn(text, " \t");
		if (!*word || *word == '#')
			continue;
		word = strndup(word, strcspn(word, " \t"));
		if (!strcmp(word, "end") && --depth < 0)
			wrong("nothing to end here", word);
		lines = grow(lines, *nr, sizeof(*lines));
		lines[(*nr)++] = (struct line){
			format("%s", strcmp(word, "end") ? text + strspn(text, " \t") : ""),
			count, depth,
		};
		if (opens(word) && ++depth > MAX_DEPTH)
			wrong("nested too deeply", word);
		free(word);
	}
	if (depth)
		die("%s: %d end%s missing", path, depth, depth > 1 ? "s are" : " is");
	fclose(from);
	free(text);
	return lines;
}

void read_plan(struct lab *the_lab, struct plan *the_plan, const char *path)
{
	const char *slash = strrchr(path, '/');
	struct line *lines;
	size_t nr;

	lab = the_lab;
	plan = the_plan;
	file = path;
	if (!plan->name)
		plan->name = slash ? slash + 1 : path;
	plan->host.name = "";
	script = &plan->host;

	set_variable("CPU", "intel", true);
	set_variable("B", lab->build, false);
	set_variable("LAB", lab->source, false);
	plan->cpu = find_variable("CPU", 3)->value;
	if (strcmp(plan->cpu, "intel") && strcmp(plan->cpu, "amd"))
		die("CPU=%s: neither intel nor amd", plan->cpu);
	plan->svm = !strcmp(plan->cpu, "amd");
	/* The parameter of kvm-intel or kvm-amd for nested paging */
	set_variable("paging", plan->svm ? "npt" : "ept", false);

	lines = read_lines(path, &nr);
	carry_out(lines, lines + nr);
	if (plan->uses_qemu && !plan->nr_guests)
		begin_guest("");
}
