// SPDX-License-Identifier: BSD-2-Clause
#include "conf_int.h"

#include "common/keep.h"
#include "common/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A connection being read: lists and rounds at full length. */
struct draft {
	struct conn_conf conn;
	struct conf_addr local[CONF_ADDRS_MAX], remote[CONF_ADDRS_MAX];
	struct proposals ike;
	struct conf_round side_local, side_remote;
};

#define AT(member) offsetof(struct draft, conn.member)
enum { LIFE_MAX_S = 365 * 86400 };

static int read_version(const struct settings *s, const struct settings_key *key, void *out,
			struct settings_error *err)
{
	(void)out;
	if (strcmp(key->value, "1") == 0)
		return settings_err(err, s, key, "IKEv1 is not supported");
	if (strcmp(key->value, "2") != 0 && strcmp(key->value, "0") != 0)
		return settings_err(err, s, key, "'%.64s' is not allowed; it must be 2",
				    key->value);
	return 0;
}

static int read_local_addrs(const struct settings *s, const struct settings_key *key, void *out,
			    struct settings_error *err)
{
	struct draft *d = out;

	return conf_read_addrs(s, key, d->local, &d->conn.n_local, err);
}

static int read_remote_addrs(const struct settings *s, const struct settings_key *key, void *out,
			     struct settings_error *err)
{
	struct draft *d = out;

	return conf_read_addrs(s, key, d->remote, &d->conn.n_remote, err);
}

static int read_proposals(const struct settings *s, const struct settings_key *key, void *out,
			  struct settings_error *err)
{
	return conf_read_proposals(s, key, IKE_PROTO_IKE, &((struct draft *)out)->ike, err);
}

static int read_dscp(const struct settings *s, const struct settings_key *key, void *out,
		     struct settings_error *err)
{
	struct conn_conf *c = &((struct draft *)out)->conn;

	if (strlen(key->value) != 6 || strspn(key->value, "01") != 6)
		return settings_err(err, s, key,
				    "'%.64s' is not allowed; it must be six binary digits such as "
				    "101110",
				    key->value);
	c->dscp = (uint8_t)strtoul(key->value, NULL, 2);
	return 0;
}

static int read_if_id_in(const struct settings *s, const struct settings_key *key, void *out,
			 struct settings_error *err)
{
	return conf_read_if_id(s, key, true, &((struct draft *)out)->conn.if_id_in, err);
}

static int read_if_id_out(const struct settings *s, const struct settings_key *key, void *out,
			  struct settings_error *err)
{
	return conf_read_if_id(s, key, true, &((struct draft *)out)->conn.if_id_out, err);
}

const struct settings_field conn_fields[] = {
    {"version", SETTINGS_CUSTOM, .read = read_version},
    {"local_addrs", SETTINGS_CUSTOM, .read = read_local_addrs},
    {"remote_addrs", SETTINGS_CUSTOM, .read = read_remote_addrs},
    {"local_port", SETTINGS_U16, AT(local_port), .min = 1, .max = 65535},
    {"remote_port", SETTINGS_U16, AT(remote_port), .min = 1, .max = 65535},
    {"proposals", SETTINGS_CUSTOM, .read = read_proposals},
    {"vips", .kind = SETTINGS_LATER},
    {"aggressive", SETTINGS_LATER, .text = "no"},
    {"pull", SETTINGS_LATER, .text = "yes"},
    {"dscp", SETTINGS_CUSTOM, .read = read_dscp},
    {"encap", SETTINGS_BOOL, .offset = AT(encap)},
    {"mobike", SETTINGS_BOOL, .offset = AT(mobike)},
    {"dpd_delay", SETTINGS_SECONDS, AT(dpd_delay), .max = LIFE_MAX_S},
    {"dpd_timeout", SETTINGS_NO_EFFECT,
     .text = "it is IKEv1's; IKEv2 gives up by the retransmission settings"},
    {"fragmentation", SETTINGS_WORD, AT(fragmentation),
     .words = CONF_WORDS("yes", "accept", "force", "no")},
    {"childless", SETTINGS_WORD, AT(childless),
     .words = CONF_WORDS("allow", "prefer", "force", "never")},
    {"send_certreq", SETTINGS_BOOL, .offset = AT(send_certreq)},
    {"send_cert", SETTINGS_WORD, AT(send_cert),
     .words = CONF_WORDS("ifasked", "always", "never")},
    {"ocsp", SETTINGS_LATER, .text = "reply"},
    {"ppk_id", .kind = SETTINGS_LATER},
    {"ppk_required", SETTINGS_LATER, .text = "no"},
    {"keyingtries", SETTINGS_U32, AT(keyingtries), .max = UINT32_MAX},
    {"unique", SETTINGS_WORD, AT(unique), .words = CONF_WORDS("no", "never", "keep", "replace")},
    {"reauth_time", SETTINGS_SECONDS, AT(reauth_time), .max = LIFE_MAX_S},
    {"rekey_time", SETTINGS_SECONDS, AT(rekey_time), .max = LIFE_MAX_S},
    {"over_time", SETTINGS_SECONDS, AT(over_time), .max = LIFE_MAX_S},
    {"rand_time", SETTINGS_SECONDS, AT(rand_time), .max = LIFE_MAX_S},
    {"pools", .kind = SETTINGS_LATER},
    {"if_id_in", SETTINGS_CUSTOM, .read = read_if_id_in},
    {"if_id_out", SETTINGS_CUSTOM, .read = read_if_id_out},
    {"mediation", SETTINGS_LATER, .text = "no"},
    {"mediated_by", .kind = SETTINGS_LATER},
    {"mediation_peer", .kind = SETTINGS_LATER},
    {0},
};

bool conf_named(const struct settings *s, const char *prefix)
{
	return strncmp(s->name, prefix, strlen(prefix)) == 0;
}

int conf_name(const struct settings *s, char name[CONF_NAME_MAX], const char **file, int *line,
	      struct settings_error *err)
{
	size_t n = strlen(s->name);

	if (n >= CONF_NAME_MAX)
		return settings_err(err, s, NULL, "a name longer than %d bytes", CONF_NAME_MAX - 1);
	memcpy(name, s->name, n + 1);
	*file = keep(s->file, strlen(s->file) + 1);
	if (!*file) {
		settings_err(err, s, NULL, "out of memory");
		return -ENOMEM;
	}
	*line = s->line;
	return 0;
}

static void set_defaults(struct draft *d)
{
	struct conn_conf *c = &d->conn;

	c->refs = 1;
	c->local_port = c->remote_port = 500;
	c->keyingtries = 1;
	c->mobike = true;
	c->send_certreq = true;
	d->side_local.auth = d->side_remote.auth = CONF_AUTH_PUBKEY;
	d->side_remote.id.any = true;
	strcpy(d->side_remote.id.text, "%any");
}

static int read_children(const struct settings *s, struct conn_conf *c, struct settings_error *err)
{
	const struct settings_key *key = TAILQ_FIRST(&s->keys);
	const struct settings *sub;
	unsigned int n = 0;

	if (key)
		return settings_unknown(s, key, CONF_WORDS(NULL), err);
	TAILQ_FOREACH (sub, &s->sections, next)
		n++;
	if (n == 0)
		return 0;
	c->child = calloc(n, sizeof(*c->child));
	if (!c->child) {
		settings_err(err, s, NULL, "out of memory");
		return -ENOMEM;
	}
	TAILQ_FOREACH (sub, &s->sections, next) {
		int rc = child_read(sub, c, &c->child[c->n_children++], err);

		if (rc < 0)
			return rc;
	}
	return 0;
}

static int read_sections(const struct settings *s, struct draft *d, struct conn_conf *c,
			 struct settings_error *err)
{
	const struct settings *sub, *local = NULL, *remote = NULL;
	int rc = 0;

	TAILQ_FOREACH (sub, &s->sections, next) {
		bool is_local = conf_named(sub, "local"), is_remote = conf_named(sub, "remote");

		if ((is_local && local) || (is_remote && remote))
			return settings_err(err, sub, NULL,
					    "a second authentication round is not supported yet");
		if (is_local)
			rc = conf_round_read(local = sub, false, &d->side_local, err);
		else if (is_remote)
			rc = conf_round_read(remote = sub, true, &d->side_remote, err);
		else if (strcmp(sub->name, "children") == 0)
			rc = read_children(sub, c, err);
		else
			rc = settings_unknown(sub, NULL, CONF_WORDS("local", "remote", "children"),
					      err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* What swanctl.conf(5) derives: no rekeying where reauthentication is on, over = 10 % of the
 * longer. */
static int complete_times(const struct settings *s, struct conn_conf *c, struct settings_error *err)
{
	uint64_t longer, shorter;

	if (!settings_key(s, "rekey_time"))
		c->rekey_time = c->reauth_time ? 0 : 4 * 3600;
	longer = c->rekey_time > c->reauth_time ? c->rekey_time : c->reauth_time;
	shorter =
	    c->rekey_time && c->reauth_time ? c->rekey_time + c->reauth_time - longer : longer;
	if (!settings_key(s, "over_time"))
		c->over_time = longer / 10 + (longer % 10 != 0);
	if (settings_key(s, "rand_time")) {
		if (c->rand_time > shorter)
			return settings_err(err, s, settings_key(s, "rand_time"),
					    "greater than rekey_time or reauth_time");
		return 0;
	}
	c->rand_time = c->over_time < shorter / 2 ? c->over_time : shorter / 2;
	return 0;
}

static void any_addr(struct conf_addr *list, unsigned int *n)
{
	if (*n == 0)
		list[(*n)++] = (struct conf_addr){0};
}

static struct conf_addr *addrs_dup(const struct conf_addr *list, unsigned int n)
{
	struct conf_addr *out = malloc(n * sizeof(*list));

	return out ? memcpy(out, list, n * sizeof(*list)) : NULL;
}

/* From full length to what there is: a gateway has thousands of connections. 0 or -ENOMEM. */
static int settle(const struct draft *d, struct conn_conf *c)
{
	c->local = addrs_dup(d->local, c->n_local);
	c->remote = addrs_dup(d->remote, c->n_remote);
	c->ike = proposals_keep(&d->ike);
	c->local_id = conf_id_keep(&d->side_local.id);
	c->remote_id = conf_id_keep(&d->side_remote.id);
	c->local_auth = d->side_local.auth;
	c->remote_auth = d->side_remote.auth;
	c->remote_sha1 = d->side_remote.sha1;
	c->local_cred = conf_cred_keep(&d->side_local.cred);
	c->remote_cred = conf_cred_keep(&d->side_remote.cred);
	return c->local && c->remote && c->ike && c->local_id && c->remote_id && c->local_cred &&
			       c->remote_cred
		       ? 0
		       : -ENOMEM;
}

static bool has_peer(const struct conn_conf *c)
{
	for (unsigned int i = 0; i < c->n_remote; i++)
		if (c->remote[i].host[0] ||
		    (c->remote[i].lo.family && addr_equal(&c->remote[i].lo, &c->remote[i].hi)))
			return true;
	return false;
}

/* Says now what could only be seen to fail later. */
static void warn(const struct conn_conf *c)
{
	for (unsigned int i = 0; i < c->n_children; i++) {
		const struct child_conf *child = &c->child[i];

		if (child->start_action != CONF_ACTION_NONE && child->mode == CONF_MODE_TUNNEL &&
		    !has_peer(c))
			log_line(LOG_CONFIG, 1,
				 "%s:%d: %s.%s: start_action, but remote_addrs names no peer to "
				 "connect to",
				 child->file, child->line, c->name, child->name);
	}
}

static int read_conn(const struct settings *s, struct draft *d, struct conn_conf *c,
		     struct settings_error *err)
{
	int rc;

	set_defaults(d);
	rc = conf_name(s, d->conn.name, &d->conn.file, &d->conn.line, err);
	if (rc == 0)
		rc = settings_table_read(s, conn_fields, d, err);
	/* From here on the caller's struct owns what hangs on it, also of a half-read connection. */
	*c = d->conn;
	if (rc == 0)
		rc = read_sections(s, d, c, err);
	if (rc == 0)
		rc = complete_times(s, c, err);
	if (rc < 0)
		return rc;
	if (d->ike.n == 0)
		conf_proposals_default(IKE_PROTO_IKE, &d->ike);
	any_addr(d->local, &c->n_local);
	any_addr(d->remote, &c->n_remote);
	/* %any of ours is not an identity to show: then the address is. */
	if (d->side_local.id.any)
		d->side_local.id = conf_id_none;
	rc = settle(d, c);
	if (rc < 0)
		settings_err(err, s, NULL, "out of memory");
	return rc;
}

int conn_read(const struct settings *s, struct conn_conf *c, struct settings_error *err)
{
	struct draft *d = calloc(1, sizeof(*d));
	int rc;

	if (!d) {
		settings_err(err, s, NULL, "out of memory");
		return -ENOMEM;
	}
	rc = read_conn(s, d, c, err);
	free(d);
	if (rc < 0)
		return rc;
	warn(c);
	rc = conf_digest(c);
	if (rc < 0)
		settings_err(err, s, NULL, "cannot hash the connection: %s", strerror(-rc));
	return rc;
}
