/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "agent/conf/conf_int.h"
#include "common/gateway_conf.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
/* A whole file around a line of a connection or of a child. The line is the second. */
#define PSK		  "local { auth = psk }\nremote { auth = psk }\n"
#define CONN(line)	  "connections { gw {\n" line "\n" PSK "} }"
#define CHILD(line)	  "connections { gw { children { net {\n" line "\n} }\n" PSK "} }"
#define PUBKEY(side, line) "connections { gw {\n" side " { " line "\n} } }"
#define ROUND(side, line) "connections { gw { " side " {\nauth = psk\n" line "\n}\n}\n}"
#define GW		  "s.conf:2: connections.gw."
#define NET		  "s.conf:2: connections.gw.children.net."

static struct conf *parse(const char *text, struct settings_error *err)
{
	struct settings *root = settings_parse("s.conf", text, strlen(text), false, err);
	struct conf *c = root ? conf_parse(root, err) : NULL;

	settings_free(root);
	return c;
}

static struct conf *good(const char *text)
{
	struct settings_error err = {0};
	struct conf *c = parse(text, &err);

	if (!c)
		fail_msg("%s\n%d: %s", text, err.line, err.text);
	return c;
}

/* A mistake: this message, and nothing else. */
static void refused(const char *text, const char *want)
{
	struct settings_error err = {0};
	struct conf *c = parse(text, &err);
	char buf[1024];

	if (c)
		fail_msg("accepted: %s", text);
	assert_int_equal(errno, EINVAL);
	assert_string_equal(settings_error_str(&err, buf, sizeof(buf)), want);
}

static void digest_of(const char *text, uint8_t out[32])
{
	struct conf *c = good(text);

	memcpy(out, c->conn[0]->digest, 32);
	conf_free(c);
}

/* From the first and from each other. */
static void all_differ(const char *base, const char *const *other, size_t n)
{
	uint8_t want[32], got[128][32];

	assert_true(n <= COUNT(got));
	digest_of(base, want);
	for (size_t i = 0; i < n; i++) {
		digest_of(other[i], got[i]);
		if (memcmp(got[i], want, 32) == 0)
			fail_msg("same digest: %s", other[i]);
		for (size_t j = 0; j < i; j++)
			if (memcmp(got[i], got[j], 32) == 0)
				fail_msg("same digest: %s and %s", other[i], other[j]);
	}
}
