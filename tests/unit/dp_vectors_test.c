/* SPDX-License-Identifier: BSD-2-Clause */
#include "vectors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <libgen.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * The vectors program from outside: lines to its input, lines from its output.
 */
static FILE *to, *from;
static char program[4096];
static pid_t pid;

static json_t *ask_line(const char *line)
{
	static char buf[1 << 16];
	json_t *v;

	fprintf(to, "%s\n", line);
	fflush(to);
	if (!fgets(buf, sizeof(buf), from))
		fail_msg("no answer to %.100s", line);
	v = json_loads(buf, 0, NULL);
	assert_non_null(v);
	return v;
}

static const char *text_of(json_t *v, const char *key)
{
	const char *s = json_string_value(json_object_get(v, key));

	return s ? s : "";
}

/* ---- bad input ----------------------------------------------------------------------------------- */

static void errors(void **state)
{
	static const char *const rows[][2] = {
		{"{", "not JSON"},
		{"\"op\"", "not JSON"},
		{"[]", "not an object"},
		{"{}", "op: missing"},
		{"{\"op\":7}", "op: not a string"},
		{"{\"op\":\"nothing\"}", "op: no such operation"},
		{"{\"op\":\"replay\",\"op\":\"replay\"}", "not JSON"},
		{"{\"op\":\"replay\",\"seq\":[1],\"windows\":64}", "windows: no field"},
		{"{\"op\":\"replay\"}", "seq: not a list"},
		{"{\"op\":\"replay\",\"seq\":[1],\"window\":31}", "window: 0 or 32"},
		{"{\"op\":\"replay\",\"seq\":[1],\"window\":4097}", "window: 0 or 32"},
		{"{\"op\":\"replay\",\"seq\":[1],\"window\":-1}", "window: negative"},
		{"{\"op\":\"replay\",\"seq\":[1],\"esn\":1}", "esn: neither"},
		{"{\"op\":\"replay\",\"seq\":[\"x\"]}", "seq: not a number"},
		{"{\"op\":\"replay\",\"seq\":[4294967296]}", "seq: larger"},
		{"{\"op\":\"replay\",\"seq\":[1.5]}", "seq: not a number"},
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *v = ask_line(rows[i][0]);

		if (!strstr(text_of(v, "error"), rows[i][1]))
			fail_msg("%s: \"%s\"", rows[i][0], text_of(v, "error"));
		json_decref(v);
	}
}

static void long_line(void **state)
{
	char *line = malloc((2 << 20) + 1);
	json_t *v;

	(void)state;
	assert_non_null(line);
	memset(line, '[', 2 << 20);
	line[2 << 20] = '\0';
	v = ask_line(line);
	assert_non_null(strstr(text_of(v, "error"), "1 MB"));
	json_decref(v);
	line[1 << 19] = '\0'; /* deeper than a parser may go */
	v = ask_line(line);
	assert_non_null(strstr(text_of(v, "error"), "not JSON"));
	json_decref(v);
	free(line);
}

/* ---- replay --------------------------------------------------------------------------------------- */

static void replay_one(const char *request, const char *expect, const char *top)
{
	json_t *v = ask_line(request), *r;
	char got[256] = "";
	size_t i;

	json_array_foreach(json_object_get(v, "result"), i, r)
		strncat(got, json_string_value(r), 1);
	if (strcmp(got, expect) != 0 || strcmp(text_of(v, "top"), top) != 0)
		fail_msg("%s: %s, top %s %s", request, got, text_of(v, "top"), text_of(v, "error"));
	json_decref(v);
}

static void replay(void **state)
{
	(void)state;
	replay_one("{\"op\":\"replay\",\"window\":32,\"seq\":[1,2,2,0,40,9,8,40]}", "aarraarr", "40");
	replay_one("{\"op\":\"replay\",\"window\":0,\"seq\":[5,5,1,0]}", "aaar", "5");
	replay_one("{\"op\":\"replay\",\"window\":64,\"esn\":true,"
		   "\"seq\":[4294967200,4294967290,\"4294967300\",4294967290,\"0x100000001\",4294967291]}",
		   "aaaraa", "4294967300");
	/* further ahead than half of the space: the window cannot know */
	replay_one("{\"op\":\"replay\",\"window\":64,\"esn\":true,\"seq\":[100,\"0x200000001\"]}", "ah", "100");
}

/* ---- start and end ----------------------------------------------------------------------------- */

static int start(void **state)
{
	int in[2], out[2];

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	if (pipe(in) < 0 || pipe(out) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		close(in[0]), close(in[1]), close(out[0]), close(out[1]);
		execl(program, program, (char *)NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	to = fdopen(in[1], "w");
	from = fdopen(out[0], "r");
	return pid > 0 && to && from ? 0 : -1;
}

/* At the end of its input it leaves with 0, whatever it was asked. */
static int end(void **state)
{
	int status;

	(void)state;
	fclose(to);
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status))
		return -1;
	fclose(from);
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errors),
		cmocka_unit_test(long_line),
		cmocka_unit_test(replay),
	};

	(void)argc;
	snprintf(program, sizeof(program), "%s/../vectors/vectors", dirname(argv[0]));
	return cmocka_run_group_tests(tests, start, end);
}
