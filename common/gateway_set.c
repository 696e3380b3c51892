// SPDX-License-Identifier: BSD-2-Clause
#include "gateway_conf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Keys of xdpsec.conf that may change while the program runs. */

enum { COUNT, SECONDS, COOKIE };

static const struct {
	const char *key;
	int kind;
	size_t offset;
} table[] = {
    {"cookie_threshold", COOKIE, 0},
    {"block_threshold", COUNT, offsetof(struct gw_ike_conf, block_threshold)},
    {"init_limit_half_open", COUNT, offsetof(struct gw_ike_conf, init_limit_half_open)},
    {"init_limit_job_load", COUNT, offsetof(struct gw_ike_conf, init_limit_job_load)},
    {"ike_sa_limit", COUNT, offsetof(struct gw_ike_conf, ike_sa_limit)},
    {"half_open_timeout", SECONDS, offsetof(struct gw_ike_conf, half_open_timeout_s)},
    {"source_rate", COUNT, offsetof(struct gw_ike_conf, source_rate)},
};

const char *gateway_conf_ike_at(unsigned int i)
{
	return i < sizeof(table) / sizeof(*table) ? table[i].key : NULL;
}

static int find(const char *key)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		if (strcmp(table[i].key, key) == 0)
			return (int)i;
	return -1;
}

const char *gateway_conf_get_ike(const struct gateway_conf *conf, const char *key, char *buf, size_t n)
{
	int i = find(key);
	uint32_t v;

	if (i < 0)
		return NULL;
	if (table[i].kind == COOKIE) {
		if (conf->ike.cookie_threshold < 0)
			snprintf(buf, n, "always");
		else
			snprintf(buf, n, "%lld", (long long)conf->ike.cookie_threshold);
		return buf;
	}
	memcpy(&v, (const char *)&conf->ike + table[i].offset, sizeof(v));
	snprintf(buf, n, table[i].kind == SECONDS ? "%us" : "%u", v);
	return buf;
}

/* Read by the rules of the file: as a file that has nothing else. */
int gateway_conf_set_ike(struct gateway_conf *conf, const char *key, const char *value, char *err,
			 size_t errlen)
{
	static const char ok[] = "abcdefghijklmnopqrstuvwxyz0123456789.-";
	struct settings_error why;
	struct gateway_conf fresh;
	struct settings *root;
	char text[256];
	int rc;

	if (find(key) < 0) {
		snprintf(err, errlen, "%.64s: not a key that can be changed while xdpsecd runs", key);
		return -EINVAL;
	}
	if (!*value || strlen(value) > 64 || strspn(value, ok) != strlen(value)) {
		snprintf(err, errlen, "%s: not a value", key);
		return -EINVAL;
	}
	snprintf(text, sizeof(text), "xdpsec { ike { %s = %s\n} }", key, value);
	root = settings_parse("value", text, strlen(text), false, &why);
	rc = root ? gateway_conf_parse(root, &fresh, &why) : -EINVAL;
	settings_free(root);
	if (rc < 0) {
		snprintf(err, errlen, "%s", why.text);
		return rc;
	}
	if (strcmp(key, "cookie_threshold") == 0)
		conf->ike.cookie_threshold = fresh.ike.cookie_threshold;
	else
		memcpy((char *)&conf->ike + table[find(key)].offset,
		       (const char *)&fresh.ike + table[find(key)].offset, sizeof(uint32_t));
	return 0;
}
