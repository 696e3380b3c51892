// SPDX-License-Identifier: BSD-2-Clause
#include "gateway_conf.h"

#include <stdio.h>
#include <string.h>

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

const char *gateway_conf_limit_at(const struct gateway_conf *conf, unsigned int i, char *buf, size_t n)
{
	uint32_t v;

	if (i >= sizeof(table) / sizeof(*table))
		return NULL;
	memcpy(&v, (const char *)&conf->ike + table[i].offset, sizeof(v));
	if (table[i].kind != COOKIE)
		snprintf(buf, n, table[i].kind == SECONDS ? "%us" : "%u", v);
	else if (conf->ike.cookie_threshold < 0)
		snprintf(buf, n, "always");
	else
		snprintf(buf, n, "%lld", (long long)conf->ike.cookie_threshold);
	return table[i].key;
}
