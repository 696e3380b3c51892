/* SPDX-License-Identifier: BSD-2-Clause */
#include "control_int.h"

#include "agent/crypt/job.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* What keeps strangers from costing too much: values, how much of them is used, what they refused. */

static void write_values(struct vici_wr *v, const struct gateway_conf *gw)
{
	const char *key;
	char text[32];

	vici_section(v, "limits");
	for (unsigned int i = 0; (key = gateway_conf_ike_at(i)); i++)
		vici_kv(v, key, gateway_conf_get_ike(gw, key, text, sizeof(text)));
	vici_section_end(v);
}

void cmd_show_ike_limits(struct client *cl, struct slice body)
{
	static const enum ike_counter shown[] = {
		IKE_C_init_in,	       IKE_C_cookie_sent, IKE_C_cookie_bad, IKE_C_half_open_limit,
		IKE_C_block_limit,     IKE_C_job_limit,	  IKE_C_sa_limit,
	};
	struct agent *a = cl->control->a;
	struct vici_wr v = reply_begin(cl);

	(void)body;
	write_values(&v, &a->gw);
	vici_section(&v, "now");
	vici_kvf(&v, "half-open", "%u", sa_half_open(a));
	vici_kvf(&v, "sources", "%u", sa_half_open_sources(a));
	vici_kvf(&v, "key-exchanges", "%u", a->jobs ? jobs_pending(a->jobs) : 0);
	vici_kvf(&v, "ike-sas", "%u", sa_count(a));
	vici_section_end(&v);
	vici_section(&v, "counters");
	for (size_t i = 0; i < sizeof(shown) / sizeof(*shown); i++) {
		vici_section(&v, sa_counter_name(shown[i]));
		vici_kvf(&v, "count", "%llu", (unsigned long long)sa_counter(a, shown[i]));
		vici_kv(&v, "text", sa_counter_text(shown[i]));
		vici_section_end(&v);
	}
	vici_section_end(&v);
	reply_end(cl, &v);
}

/* In force until the next reload, which reads the file's value again; no IKE SA is touched. */
void cmd_set_ike(struct client *cl, struct slice body)
{
	struct agent *a = cl->control->a;
	char key[64], value[80], err[256], was[32];

	if (!param_name(cl, body, "key", key, sizeof(key)) || !param_name(cl, body, "value", value, sizeof(value)))
		return;
	if (!gateway_conf_get_ike(&a->gw, key, was, sizeof(was)))
		was[0] = '\0';
	if (gateway_conf_set_ike(&a->gw, key, value, err, sizeof(err)) < 0) {
		reply_error(cl, "%s", err);
		return;
	}
	if (strcmp(key, "source_rate") == 0 && a->engine)
		engine_set_ike_rate(a->engine, a->gw.ike.source_rate);
	log_line(LOG_CONFIG, 1, "%s = %s, was %s, set by uid %u pid %d", key, value, was, (unsigned int)cl->uid,
		 (int)cl->pid);
	reply_ok(cl);
}
