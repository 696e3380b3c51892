// SPDX-License-Identifier: BSD-2-Clause
#include "conf_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define AT(member) offsetof(struct child_draft, child.member)
enum { LIFE_MAX_S = 365 * 86400 };

static int read_esp(const struct settings *s, const struct settings_key *key, void *out,
		    struct settings_error *err)
{
	return conf_read_proposals(s, key, IKE_PROTO_ESP, &((struct child_draft *)out)->esp, err);
}

static int read_ah(const struct settings *s, const struct settings_key *key, void *out,
		   struct settings_error *err)
{
	return conf_read_proposals(s, key, IKE_PROTO_AH, &((struct child_draft *)out)->ah, err);
}

static int read_local_ts(const struct settings *s, const struct settings_key *key, void *out,
			 struct settings_error *err)
{
	struct child_draft *d = out;

	return conf_read_ts(s, key, &d->local_ts, &d->child.local_dynamic, err);
}

static int read_remote_ts(const struct settings *s, const struct settings_key *key, void *out,
			  struct settings_error *err)
{
	struct child_draft *d = out;

	return conf_read_ts(s, key, &d->remote_ts, &d->child.remote_dynamic, err);
}

static int read_mode(const struct settings *s, const struct settings_key *key, void *out,
		     struct settings_error *err)
{
	static const struct {
		const char *word;
		int mode; /* -1: not supported yet */
	} modes[] = {
	    {"tunnel", CONF_MODE_TUNNEL},
	    {"pass", CONF_MODE_PASS},
	    {"drop", CONF_MODE_DROP},
	    {"transport", CONF_MODE_TRANSPORT},
	    {"transport_proxy", -1},
	    {"beet", -1},
	    {"iptfs", -1},
	};
	struct child_conf *c = &((struct child_draft *)out)->child;

	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
		if (strcmp(key->value, modes[i].word) != 0)
			continue;
		if (modes[i].mode < 0)
			return settings_err(err, s, key, "mode %s is not supported yet",
					    modes[i].word);
		c->mode = (enum conf_mode)modes[i].mode;
		return 0;
	}
	return settings_err(err, s, key,
			    "'%.64s' is not allowed; it must be one of tunnel, transport, pass, drop",
			    key->value);
}

static int read_tfc(const struct settings *s, const struct settings_key *key, void *out,
		    struct settings_error *err)
{
	struct child_conf *c = &((struct child_draft *)out)->child;
	uint64_t v;

	if (strcmp(key->value, "mtu") == 0)
		v = CHILD_TFC_MTU;
	else if (settings_uint(key->value, UINT16_MAX, &v) < 0)
		return settings_err(err, s, key,
				    "'%.64s' is not allowed; it must be mtu or a number from 0 to 65535",
				    key->value);
	c->tfc_padding = (uint16_t)v;
	return 0;
}

static int read_copy_dscp(const struct settings *s, const struct settings_key *key, void *out,
			  struct settings_error *err)
{
	struct child_conf *c = &((struct child_draft *)out)->child;
	bool both;

	if (settings_bool(key->value, &both) == 0) {
		c->copy_dscp_in = c->copy_dscp_out = both;
		return 0;
	}
	if (strcmp(key->value, "in") != 0 && strcmp(key->value, "out") != 0)
		return settings_err(err, s, key,
				    "'%.64s' is not allowed; it must be one of out, in, yes, no",
				    key->value);
	c->copy_dscp_in = key->value[0] == 'i';
	c->copy_dscp_out = key->value[0] == 'o';
	return 0;
}

#define READ_MARK(name, same)                                                                      \
	static int read_##name(const struct settings *s, const struct settings_key *key, void *out, \
			       struct settings_error *err)                                         \
	{                                                                                          \
		return conf_read_mark(s, key, &((struct child_draft *)out)->child.kernel.name,     \
				      same, err);                                                  \
	}
READ_MARK(mark_in, false)
READ_MARK(mark_out, false)
READ_MARK(set_mark_in, true)
READ_MARK(set_mark_out, true)

static int read_if_id_in(const struct settings *s, const struct settings_key *key, void *out,
			 struct settings_error *err)
{
	return conf_read_if_id(s, key, false, &((struct child_draft *)out)->child.kernel.if_id_in, err);
}

static int read_if_id_out(const struct settings *s, const struct settings_key *key, void *out,
			  struct settings_error *err)
{
	return conf_read_if_id(s, key, false, &((struct child_draft *)out)->child.kernel.if_id_out, err);
}

static int read_policies(const struct settings *s, const struct settings_key *key, void *out,
			 struct settings_error *err)
{
	struct child_conf *c = &((struct child_draft *)out)->child;
	bool yes;

	if (settings_bool(key->value, &yes) < 0)
		return settings_err(err, s, key, "'%.64s' is not allowed; it must be yes or no", key->value);
	c->kernel.no_policies = !yes;
	return 0;
}

/* One that xdpsec may choose itself cannot be told from its own. */
static int read_reqid(const struct settings *s, const struct settings_key *key, void *out,
		      struct settings_error *err)
{
	struct child_conf *c = &((struct child_draft *)out)->child;
	uint64_t v;

	if (settings_uint(key->value, UINT32_MAX, &v) < 0)
		return settings_err(err, s, key, "'%.64s' is not allowed; it must be a number from 0 to %u",
				    key->value, UINT32_MAX);
	if (v >= CONF_CHOSEN_FIRST && v <= CONF_CHOSEN_LAST)
		return settings_err(err, s, key, "0x%x to 0x%x are those that xdpsec chooses itself",
				    CONF_CHOSEN_FIRST, CONF_CHOSEN_LAST);
	c->reqid = (uint32_t)v;
	return 0;
}

static const int engine_values[] = {CONF_ENGINE_AUTO, CONF_ENGINE_KERNEL, CONF_ENGINE_DATAPLANE};
static const int offload_values[] = {CONF_OFFLOAD_NO, CONF_OFFLOAD_CRYPTO, CONF_OFFLOAD_PACKET,
				     CONF_OFFLOAD_AUTO, CONF_OFFLOAD_CRYPTO};
static const char *const start_words[] = {"none",	"trap",	      "start",
					  "trap|start", "start|trap", NULL};
static const int start_values[] = {CONF_ACTION_NONE, CONF_ACTION_TRAP, CONF_ACTION_START,
				   CONF_ACTION_TRAP_START, CONF_ACTION_TRAP_START};
static const char *const dpd_words[] = {"clear", "trap", "restart", "none", "start", NULL};
static const int dpd_values[] = {CONF_DPD_CLEAR, CONF_DPD_TRAP, CONF_DPD_RESTART, CONF_DPD_CLEAR,
				 CONF_DPD_RESTART};

const struct settings_field child_conf_fields[] = {
    {"ah_proposals", SETTINGS_CUSTOM, .read = read_ah},
    {"esp_proposals", SETTINGS_CUSTOM, .read = read_esp},
    {"sha256_96", SETTINGS_BOOL, .offset = AT(sha256_96)},
    {"local_ts", SETTINGS_CUSTOM, .read = read_local_ts},
    {"remote_ts", SETTINGS_CUSTOM, .read = read_remote_ts},
    {"rekey_time", SETTINGS_SECONDS, AT(rekey_time), .max = LIFE_MAX_S},
    {"life_time", SETTINGS_SECONDS, AT(life_time), .max = LIFE_MAX_S},
    {"rand_time", SETTINGS_SECONDS, AT(rand_time), .max = LIFE_MAX_S},
    {"rekey_bytes", SETTINGS_SIZE, AT(rekey_bytes), .max = INT64_MAX},
    {"life_bytes", SETTINGS_SIZE, AT(life_bytes), .max = INT64_MAX},
    {"rand_bytes", SETTINGS_SIZE, AT(rand_bytes), .max = INT64_MAX},
    {"rekey_packets", SETTINGS_U64, AT(rekey_packets), .max = INT64_MAX},
    {"life_packets", SETTINGS_U64, AT(life_packets), .max = INT64_MAX},
    {"rand_packets", SETTINGS_U64, AT(rand_packets), .max = INT64_MAX},
    {"updown", .kind = SETTINGS_LATER},
    {"hostaccess", SETTINGS_LATER, .text = "no"},
    {"mode", SETTINGS_CUSTOM, .read = read_mode},
    {"engine", SETTINGS_WORD, AT(engine), .words = CONF_WORDS("auto", "kernel", "dataplane"),
     .values = engine_values},
    {"policies", SETTINGS_CUSTOM, .read = read_policies},
    {"policies_fwd_out", SETTINGS_BOOL, .offset = AT(kernel.fwd_out)},
    {"dpd_action", SETTINGS_WORD, AT(dpd_action), .words = dpd_words, .values = dpd_values},
    {"ipcomp", SETTINGS_BOOL, .offset = AT(kernel.ipcomp)},
    {"inactivity", SETTINGS_SECONDS, AT(inactivity), .max = LIFE_MAX_S},
    {"reqid", SETTINGS_CUSTOM, .read = read_reqid},
    {"priority", SETTINGS_U32, AT(priority), .max = UINT32_MAX},
    {"interface", SETTINGS_TEXT, AT(kernel.interface), .max = IFNAMSIZ},
    {"mark_in", SETTINGS_CUSTOM, .read = read_mark_in},
    {"mark_in_sa", SETTINGS_BOOL, .offset = AT(kernel.mark_in_sa)},
    {"mark_out", SETTINGS_CUSTOM, .read = read_mark_out},
    {"set_mark_in", SETTINGS_CUSTOM, .read = read_set_mark_in},
    {"set_mark_out", SETTINGS_CUSTOM, .read = read_set_mark_out},
    {"if_id_in", SETTINGS_CUSTOM, .read = read_if_id_in},
    {"if_id_out", SETTINGS_CUSTOM, .read = read_if_id_out},
    {"label", .kind = SETTINGS_LATER},
    {"label_mode", SETTINGS_LATER, .text = "system"},
    {"tfc_padding", SETTINGS_CUSTOM, .read = read_tfc},
    {"replay_window", SETTINGS_U32, AT(replay_window), .max = 4096},
    {"per_cpu_sas", SETTINGS_LATER, .text = "no"},
    {"hw_offload", SETTINGS_WORD, AT(kernel.offload),
     .words = CONF_WORDS("no", "crypto", "packet", "auto", "yes"), .values = offload_values},
    {"copy_df", SETTINGS_BOOL, .offset = AT(copy_df)},
    {"copy_ecn", SETTINGS_BOOL, .offset = AT(copy_ecn)},
    {"copy_dscp", SETTINGS_CUSTOM, .read = read_copy_dscp},
    {"icmp", SETTINGS_LATER, .text = "no"},
    {"start_action", SETTINGS_WORD, AT(start_action), .words = start_words, .values = start_values},
    {"close_action", SETTINGS_WORD, AT(close_action), .words = start_words, .values = start_values},
    {0},
};

static void set_defaults(struct child_draft *d)
{
	struct child_conf *c = &d->child;

	c->mode = CONF_MODE_TUNNEL;
	c->replay_window = 32;
	c->copy_df = c->copy_ecn = c->copy_dscp_out = true;
	conf_ts_dynamic(&d->local_ts, &c->local_dynamic);
	conf_ts_dynamic(&d->remote_ts, &c->remote_dynamic);
}

/* A soft limit, the hard one and the random share of the soft one, of one unit. */
struct limit {
	const char *rekey_key, *life_key, *rand_key;
	uint64_t *rekey, *life, *rand;
	uint64_t standard;
};

static uint64_t tenth(uint64_t v)
{
	/* Rounded up: a hard limit must be behind the soft one, however small that is. */
	return v / 10 + (v % 10 != 0);
}

/* What swanctl.conf(5) derives from what is given: life = rekey + 10 %, rand = life - rekey. */
static int complete_limit(const struct settings *s, const struct limit *l,
			  struct settings_error *err)
{
	bool rekey = settings_key(s, l->rekey_key), life = settings_key(s, l->life_key);

	if (!rekey)
		*l->rekey = life ? *l->life - *l->life / 11 : l->standard;
	if (!life)
		*l->life = *l->rekey + tenth(*l->rekey);
	if (*l->life && *l->rekey >= *l->life)
		return settings_err(err, s, settings_key(s, life ? l->life_key : l->rekey_key),
				    "%s must be greater than %s", l->life_key, l->rekey_key);
	if (!settings_key(s, l->rand_key)) {
		*l->rand = *l->rekey && *l->life ? *l->life - *l->rekey : 0;
		/* With a hard limit far off the rekey would come at once, again and again. */
		if (*l->rand > *l->rekey / 2)
			*l->rand = *l->rekey / 2;
	} else if (*l->rand > *l->rekey) {
		return settings_err(err, s, settings_key(s, l->rand_key), "greater than %s",
				    l->rekey_key);
	}
	return 0;
}

static int complete_limits(const struct settings *s, struct child_conf *c,
			   struct settings_error *err)
{
	const struct limit limits[] = {
	    {"rekey_time", "life_time", "rand_time", &c->rekey_time, &c->life_time, &c->rand_time,
	     3600},
	    {"rekey_bytes", "life_bytes", "rand_bytes", &c->rekey_bytes, &c->life_bytes,
	     &c->rand_bytes, 0},
	    {"rekey_packets", "life_packets", "rand_packets", &c->rekey_packets, &c->life_packets,
	     &c->rand_packets, 0},
	};
	int rc = 0;

	for (size_t i = 0; i < sizeof(limits) / sizeof(*limits) && rc == 0; i++)
		rc = complete_limit(s, &limits[i], err);
	return rc;
}

/* Those of the connection hold for SAs; policies without IPsec have no use for them. */
static void inherit_if_ids(const struct settings *s, const struct conn_conf *conn, struct child_conf *c)
{
	if (c->mode != CONF_MODE_TUNNEL && c->mode != CONF_MODE_TRANSPORT)
		return;
	if (!settings_key(s, "if_id_in"))
		c->kernel.if_id_in = conn->if_id_in;
	if (!settings_key(s, "if_id_out"))
		c->kernel.if_id_out = conn->if_id_out;
}

static int read_child(const struct settings *s, const struct conn_conf *conn, struct child_draft *d,
		      struct settings_error *err)
{
	const struct settings *sub = TAILQ_FIRST(&s->sections);
	struct child_conf *c = &d->child;
	int rc;

	set_defaults(d);
	rc = conf_name(s, c->name, &c->file, &c->line, err);
	if (rc < 0)
		return rc;
	if (sub)
		return settings_unknown(sub, NULL, CONF_WORDS(NULL), err);
	rc = settings_table_read(s, child_conf_fields, d, err);
	if (rc < 0)
		return rc;
	inherit_if_ids(s, conn, c);
	if (d->ah.n && d->esp.n)
		return settings_err(err, s, settings_key(s, "ah_proposals"),
				    "there are esp_proposals, too: a CHILD_SA is of one protocol; use two children");
	if (d->ah.n == 0 && d->esp.n == 0)
		conf_proposals_default(IKE_PROTO_ESP, &d->esp);
	rc = complete_limits(s, c, err);
	if (rc < 0)
		return rc;
	c->proposals = proposals_keep(d->ah.n ? &d->ah : &d->esp);
	c->local_ts = ts_keep(&d->local_ts);
	c->remote_ts = ts_keep(&d->remote_ts);
	if (c->proposals && c->local_ts && c->remote_ts)
		return child_check_engine(s, conn, c, err);
	settings_err(err, s, NULL, "out of memory");
	return -ENOMEM;
}

int child_read(const struct settings *s, const struct conn_conf *conn, struct child_conf *c,
	       struct settings_error *err)
{
	struct child_draft *d = calloc(1, sizeof(*d));
	int rc;

	if (!d) {
		settings_err(err, s, NULL, "out of memory");
		return -ENOMEM;
	}
	rc = read_child(s, conn, d, err);
	*c = d->child;
	free(d);
	return rc;
}
