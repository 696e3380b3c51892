// SPDX-License-Identifier: BSD-2-Clause
#include "common/log.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct seen {
	unsigned int n;
	int level;
	enum log_group group;
	uint32_t unique;
	char name[64], line[2 * LOG_LINE_MAX];
};

static void sink(void *ctx, enum log_group group, int level, const char *name, uint32_t unique,
		 const char *line)
{
	struct seen *s = ctx;

	s->n++;
	s->level = level;
	s->group = group;
	s->unique = unique;
	snprintf(s->name, sizeof(s->name), "%s", name ? name : "");
	snprintf(s->line, sizeof(s->line), "%s", line);
}

static int setup(void **state)
{
	(void)state;
	log_to_stderr(false, false);
	log_set_level_all(LOG_LEVEL_DEFAULT);
	return 0;
}

static void groups_have_names(void **state)
{
	(void)state;
	for (int i = 0; i < LOG_GROUPS; i++)
		assert_int_equal(log_group_find(log_group_name((enum log_group)i)), i);
	assert_int_equal(log_group_find("nosuch"), -1);
	assert_int_equal(log_group_find(""), -1);
	assert_string_equal(log_group_name(LOG_GROUPS), "?");
}

static void levels(void **state)
{
	struct seen s = {0};

	(void)state;
	assert_false(log_wanted(LOG_IKE, 0));
	log_to_stderr(true, false);
	assert_true(log_wanted(LOG_IKE, 1));
	assert_false(log_wanted(LOG_IKE, 2));
	log_set_level(LOG_IKE, 3);
	assert_int_equal(log_level(LOG_IKE), 3);
	assert_int_equal(log_level(LOG_CHILD), 1);
	assert_true(log_wanted(LOG_IKE, 3));
	log_set_level(LOG_IKE, -1);
	assert_false(log_wanted(LOG_IKE, 0));
	log_set_level(LOG_GROUPS, 4);
	assert_int_equal(log_level(LOG_GROUPS), -1);
	/* A sink has its own level. */
	assert_int_equal(log_sink_add(sink, &s, 2), 0);
	assert_true(log_wanted(LOG_IKE, 2));
	log_to_stderr(false, false);
	log_line(LOG_IKE, 2, "two");
	log_line(LOG_IKE, 3, "three");
	assert_int_equal(s.n, 1);
	assert_string_equal(s.line, "two");
	log_sink_remove(sink, &s);
	log_line(LOG_IKE, 0, "gone");
	assert_int_equal(s.n, 1);
	assert_false(log_wanted(LOG_IKE, 0));
}

static void sinks_are_bounded(void **state)
{
	struct seen s[9] = {0};

	(void)state;
	for (unsigned int i = 0; i < 8; i++)
		assert_int_equal(log_sink_add(sink, &s[i], 1), 0);
	assert_int_equal(log_sink_add(sink, &s[8], 1), -ENOSPC);
	log_line_sa(LOG_CHILD, 1, "gw", 7, "up %d", 1);
	for (unsigned int i = 0; i < 8; i++) {
		assert_int_equal(s[i].n, 1);
		assert_string_equal(s[i].name, "gw");
		assert_int_equal(s[i].unique, 7);
		assert_int_equal(s[i].group, LOG_CHILD);
		log_sink_remove(sink, &s[i]);
	}
	assert_int_equal(s[8].n, 0);
}

/* A sink that logs and removes itself, as one does whose client has gone. */
static void awkward(void *ctx, enum log_group group, int level, const char *name, uint32_t unique,
		    const char *line)
{
	(void)group, (void)level, (void)name, (void)unique, (void)line;
	++*(int *)ctx;
	log_line(LOG_DAEMON, 0, "from a sink");
	log_sink_remove(awkward, ctx);
}

static void sink_may_log_and_leave(void **state)
{
	int n = 0;

	(void)state;
	assert_int_equal(log_sink_add(awkward, &n, 1), 0);
	log_line(LOG_DAEMON, 1, "one");
	log_line(LOG_DAEMON, 1, "two");
	assert_int_equal(n, 1);
}

static void lines_are_clean(void **state)
{
	struct seen s = {0};
	char big[3 * LOG_LINE_MAX];

	(void)state;
	log_sink_add(sink, &s, 1);
	errno = EPIPE;
	log_line(LOG_IKE, 1, "peer \"%s\" spoke\n\n", "a\nb\x1b[2J\x7f\tc");
	assert_int_equal(errno, EPIPE);
	assert_string_equal(s.line, "peer \"a?b?[2J??c\" spoke");
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = 0;
	log_line(LOG_IKE, 1, "%s", big);
	assert_int_equal(strlen(s.line), LOG_LINE_MAX - 1);
	assert_string_equal(s.line + LOG_LINE_MAX - 1 - 3, "...");
	log_sink_remove(sink, &s);
}

static void stderr_lines(void **state)
{
	int fds[2], old = dup(STDERR_FILENO);
	char buf[512];
	ssize_t n;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	dup2(fds[1], STDERR_FILENO);
	log_to_stderr(true, false);
	log_line(LOG_IKE, 1, "hello");
	log_line_sa(LOG_CHILD, 1, "gw", 3, "up");
	log_line(LOG_IKE, 2, "not wanted");
	log_to_stderr(true, true);
	log_line(LOG_IKE, 1, "stamped");
	dup2(old, STDERR_FILENO);
	close(old);
	close(fds[1]);
	n = read(fds[0], buf, sizeof(buf) - 1);
	close(fds[0]);
	assert_true(n > 0);
	buf[n] = 0;
	assert_ptr_equal(strstr(buf, "[ike] hello\n[child] <gw|3> up\n"), buf);
	assert_non_null(strstr(buf, " [ike] stamped\n"));
	assert_null(strstr(buf, "not wanted"));
}

static void budget(void **state)
{
	struct log_budget b = {.burst = 3, .interval_ms = 1000000, .tokens = 3};
	struct seen s = {0};

	(void)state;
	log_sink_add(sink, &s, 1);
	/* What nobody reads costs nothing. */
	log_limited(&b, LOG_NETWORK, 2, "quiet");
	assert_int_equal(b.tokens, 3);
	for (int i = 0; i < 10; i++)
		log_limited(&b, LOG_NETWORK, 1, "line %d", i);
	assert_int_equal(s.n, 3);
	assert_string_equal(s.line, "line 2");
	assert_int_equal(b.held_back, 7);
	/* A token comes back: the next line tells what was held back, once. */
	b.last_ms -= 1000000;
	log_limited(&b, LOG_NETWORK, 1, "again");
	assert_int_equal(s.n, 4);
	assert_string_equal(s.line, "again (7 like it held back)");
	b.last_ms -= 1000000;
	log_limited(&b, LOG_NETWORK, 1, "and again");
	assert_string_equal(s.line, "and again");
	/* A long silence fills the bucket, and no further. */
	b.last_ms = 0;
	for (int i = 0; i < 3; i++)
		assert_true(log_budget(&b));
	assert_false(log_budget(&b));
	assert_int_equal(b.held_back, 1);
	log_sink_remove(sink, &s);
}

static void budget_as_initialised(void **state)
{
	struct log_budget b = LOG_BUDGET_INIT;
	unsigned int n = 0;

	(void)state;
	for (int i = 0; i < 1000; i++)
		n += log_budget(&b);
	assert_in_range(n, 10, 12);
	assert_int_equal(b.held_back, 1000 - n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(groups_have_names, setup),
	    cmocka_unit_test_setup(levels, setup),
	    cmocka_unit_test_setup(sinks_are_bounded, setup),
	    cmocka_unit_test_setup(sink_may_log_and_leave, setup),
	    cmocka_unit_test_setup(lines_are_clean, setup),
	    cmocka_unit_test_setup(stderr_lines, setup),
	    cmocka_unit_test_setup(budget, setup),
	    cmocka_unit_test_setup(budget_as_initialised, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
