/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/xdpsec/cli.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { ARGS_MAX = 12 };

/* Runs a command line; what it wrote to standard error is in `err`. */
static char err[4096];

static int run(const char *line)
{
	char words[512], *argv[ARGS_MAX + 1], *save = NULL;
	int argc = 0, saved = dup(STDERR_FILENO), ret;
	FILE *f = tmpfile();
	size_t n;

	assert_non_null(f);
	snprintf(words, sizeof(words), "xdpsec %s", line);
	for (char *w = strtok_r(words, " ", &save); w && argc < ARGS_MAX; w = strtok_r(NULL, " ", &save))
		argv[argc++] = w;
	argv[argc] = NULL;
	fflush(stderr);
	dup2(fileno(f), STDERR_FILENO);
	ret = cli_main(argc, argv);
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
	rewind(f);
	n = fread(err, 1, sizeof(err) - 1, f);
	err[n] = '\0';
	fclose(f);
	return ret;
}

/* One line that starts with our name. */
static void one_line(const char *line)
{
	if (strncmp(err, "xdpsec: ", 8) || !strchr(err, '\n') || strchr(err, '\n')[1])
		fail_msg("%s: '%s'", line, err);
}

static void test_usage(void **state)
{
	static const struct {
		const char *line, *says;
	} cases[] = {
		{"", "which command"},
		{"show", "unknown command 'show'"},
		{"show nothing", "unknown command 'show nothing'"},
		{"nonsense", "unknown command 'nonsense'"},
		{"--bogus status", "--bogus"},
		{"-Z status", "-Z"},
		{"status -s", "-s needs a value"},
		{"status extra", "'extra'"},
		{"show sa --all", "show sa: takes no --all"},
		{"show sa net", "'net'"},
		{"initiate", "which child"},
		{"initiate a b", "'b'"},
		{"initiate --child-id 4", "takes no --child-id"},
		{"initiate --force net", "takes no --force"},
		{"initiate net --child net", "either"},
		{"initiate net --timeout x", "timeout 'x'"},
		{"initiate net --timeout 0", "timeout '0'"},
		{"initiate net --timeout -4", "timeout '-4'"},
		{"initiate net --timeout nan", "timeout 'nan'"},
		{"initiate net --timeout 1e9", "timeout '1e9'"},
		{"rekey", "which SA"},
		{"terminate", "which SA"},
		{"reload --timeout 4", "takes no --timeout"},
		{"monitor --verbose", "takes no --verbose"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (run(cases[i].line) != CLI_USAGE || !strstr(err, cases[i].says))
			fail_msg("%s: '%s'", cases[i].line, err);
		one_line(cases[i].line);
	}
}

static void test_no_daemon(void **state)
{
	static const char *const lines[] = {
		"status", "show sa", "show policy", "show conn", "show child", "show certs",
		 "show keys", "show drop", "show plane", "show counters",
		"initiate net", "initiate --child net", "rekey #3", "terminate --ike gw", "flush", "reload",
		"monitor", "log", "--json show sa",
	};
	char line[256];

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		snprintf(line, sizeof(line), "-s /nonexistent/vici %s", lines[i]);
		assert_int_equal(run(line), CLI_FAILED);
		one_line(line);
		assert_non_null(strstr(err, "/nonexistent/vici"));
		assert_non_null(strstr(err, "systemctl start xdpsec"));
	}
	setenv(CLI_SOCKET_ENV, "/nonexistent/other", 1);
	assert_int_equal(run("status"), CLI_FAILED);
	assert_non_null(strstr(err, "/nonexistent/other"));
	unsetenv(CLI_SOCKET_ENV);
	memset(line, 'x', 200);
	memcpy(line, "-s /", 4);
	strcpy(line + 200, " status");
	assert_int_equal(run(line), CLI_FAILED);
	one_line(line);
}

/* Every command of the table stands in the manual page, and no other does. */
static void test_manual(void **state)
{
	char *help = NULL, *save = NULL, want[80];
	char manual[32768] = "";
	unsigned int commands = 0, headings = 0;
	FILE *f = fopen("docs/man/xdpsec.8.scd", "r"), *mem;
	size_t n;

	(void)state;
	if (!f)
		skip();
	assert_true(fread(manual, 1, sizeof(manual) - 1, f) > 0);
	fclose(f);
	mem = open_memstream(&help, &n);
	assert_non_null(mem);
	cli_help(mem);
	fclose(mem);
	for (char *l = strtok_r(help, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		size_t len = 16;

		if (strncmp(l, "  ", 2) || l[2] < 'a' || l[2] > 'z')
			continue;
		while (len && l[1 + len] == ' ')
			len--;
		snprintf(want, sizeof(want), "\n*%.*s*", (int)len, l + 2);
		if (!strstr(manual, want))
			fail_msg("not in docs/man/xdpsec.8.scd: %s", want + 1);
		commands++;
	}
	for (const char *at = strstr(manual, "# COMMANDS"); at && strncmp(at, "\n# OPTIONS", 10);
	     at = strchr(at + 1, '\n'))
		headings += !strncmp(at, "\n*", 2);
	assert_int_equal(headings, commands);
	assert_true(commands > 10);
	free(help);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_usage),
		cmocka_unit_test(test_no_daemon),
		cmocka_unit_test(test_manual),
	};

	return cmocka_run_group_tests_name("cli_usage", tests, NULL, NULL);
}
