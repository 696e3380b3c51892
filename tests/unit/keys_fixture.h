/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "agent/keys/keys.h"

#include <event2/event.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/*
 * The role in these tests is the real process: the test program starts itself again with --role
 * keys, as xdpsecd does.
 */
static struct event_base *base;
static char dir[64], conf_path[96];

static inline void conf_write(const char *text)
{
	FILE *f = fopen(conf_path, "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static inline struct keys *start(const char *text)
{
	char err[512] = "";
	struct keys *k;

	conf_write(text);
	k = keys_start(base, "/proc/self/exe", conf_path, err, sizeof(err));
	if (!k)
		print_error("%s\n", err);
	assert_non_null(k);
	assert_true(keys_pid(k) > 0);
	return k;
}

/* The main function of a test program: the role, or the tests in a directory of their own. */
#define KEYS_TEST_MAIN(name, tests)                                                                \
	int main(int argc, char **argv)                                                            \
	{                                                                                          \
		int r;                                                                             \
                                                                                                   \
		if (argc > 2 && !strcmp(argv[1], "--role"))                                        \
			return keys_role_main(argc, argv);                                         \
		snprintf(dir, sizeof(dir), "/tmp/keys-test-XXXXXX");                               \
		base = event_base_new();                                                           \
		if (!mkdtemp(dir) || !base || chmod(dir, 0755) || crypt_init())                    \
			return 1;                                                                  \
		snprintf(conf_path, sizeof(conf_path), "%s/swanctl.conf", dir);                    \
		r = cmocka_run_group_tests_name(name, tests, NULL, NULL);                          \
		unlink(conf_path);                                                                 \
		rmdir(dir);                                                                        \
		event_base_free(base);                                                             \
		return r;                                                                          \
	}
