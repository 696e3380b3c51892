/* SPDX-License-Identifier: BSD-2-Clause */
#include "control_int.h"

#include "agent/crypt/job.h"

/* What keeps strangers from costing too much: values, how much of them is used, what they refused. */

static void write_values(struct vici_wr *v, const struct gateway_conf *gw)
{
	const char *key;
	char text[32];

	vici_section(v, "limits");
	for (unsigned int i = 0; (key = gateway_conf_limit_at(gw, i, text, sizeof(text))); i++)
		vici_kv(v, key, text);
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
