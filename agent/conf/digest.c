// SPDX-License-Identifier: BSD-2-Clause
#include "conf_int.h"

#include "agent/crypt/crypt.h"
#include "common/wr.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * A connection in a canonical form: every field that has a meaning, in a fixed order with fixed
 * widths, but not file and line: text that moves in a file changes no tunnel.
 */
enum {
	ADDR_BYTES = 18,
	PROPOSALS_BYTES = 2 + IKE_PROPOSALS_MAX * (3 + 5 * IKE_TRANSFORMS_MAX),
	TS_BYTES = 3 + IKE_TS_AGREED_MAX * (2 * ADDR_BYTES + 5),
	ID_BYTES = 5 + IKE_ID_MAX,
	CONF_ADDR_BYTES = 2 * ADDR_BYTES + 258,
	CHILD_BYTES = 384 + CONF_NAME_MAX + PROPOSALS_BYTES + 2 * TS_BYTES,
	RULES_BYTES = 64,
	CRED_BYTES = 4 * (CRED_LIST_MAX + 2) + ID_BYTES + 1 + 2 * RULES_BYTES,
	CONN_BYTES = 512 + 2 * CRED_BYTES + PROPOSALS_BYTES + 2 * ID_BYTES + 2 * CONF_ADDRS_MAX * CONF_ADDR_BYTES,
};

static void put_text(struct wr *w, const char *s)
{
	wr_u16(w, (uint16_t)strlen(s));
	wr_bytes(w, s, strlen(s));
}

static void put_addr(struct wr *w, const struct ip_addr *a)
{
	wr_u8(w, a->family);
	wr_bytes(w, a->b, addr_len(a));
}

static void put_proposals(struct wr *w, const struct proposals *p)
{
	wr_u16(w, p->n);
	for (unsigned int i = 0; i < p->n; i++) {
		wr_u8(w, p->p[i].proto);
		wr_u16(w, p->p[i].n);
		for (unsigned int j = 0; j < p->p[i].n; j++) {
			wr_u8(w, p->p[i].t[j].type);
			wr_u16(w, p->p[i].t[j].id);
			wr_u16(w, p->p[i].t[j].key_bits);
		}
	}
}

static void put_ts_list(struct wr *w, const struct ts_list *l, bool dynamic)
{
	wr_u8(w, dynamic);
	wr_u16(w, l->n);
	for (unsigned int i = 0; i < l->n; i++) {
		put_addr(w, &l->ts[i].lo);
		put_addr(w, &l->ts[i].hi);
		wr_u16(w, l->ts[i].port_lo);
		wr_u16(w, l->ts[i].port_hi);
		wr_u8(w, l->ts[i].protocol);
	}
}

static void put_id(struct wr *w, const struct conf_id *id)
{
	wr_u8(w, id->type);
	wr_u8(w, id->any);
	wr_u8(w, id->wild);
	wr_u16(w, id->n);
	wr_bytes(w, id->b, id->n);
}

static void put_addrs(struct wr *w, const struct conf_addr *a, unsigned int n)
{
	wr_u8(w, (uint8_t)n);
	for (unsigned int i = 0; i < n; i++) {
		put_addr(w, &a[i].lo);
		put_addr(w, &a[i].hi);
		put_text(w, a[i].host);
	}
}

static void put_mark(struct wr *w, const struct conf_mark *m)
{
	wr_u32(w, m->value);
	wr_u32(w, m->mask);
	wr_u8(w, (uint8_t)m->pick);
}

static void put_if_id(struct wr *w, const struct conf_if_id *i)
{
	wr_u32(w, i->value);
	wr_u8(w, (uint8_t)i->pick);
}

static void put_kernel(struct wr *w, const struct conf_kernel *k)
{
	wr_u8(w, (uint8_t)k->offload);
	put_mark(w, &k->mark_in);
	put_mark(w, &k->mark_out);
	put_mark(w, &k->set_mark_in);
	put_mark(w, &k->set_mark_out);
	put_if_id(w, &k->if_id_in);
	put_if_id(w, &k->if_id_out);
	wr_u8(w, k->mark_in_sa);
	wr_u8(w, k->no_policies);
	wr_u8(w, k->fwd_out);
	wr_u8(w, k->ipcomp);
	put_text(w, k->interface);
}

/* Without the engine: an SA that changes it goes on, by a rekey. */
static void put_child(struct wr *w, const struct child_conf *c)
{
	const uint64_t numbers[] = {
	    c->mode,	      c->rekey_time,	c->life_time,	  c->rand_time,	   c->rekey_bytes,
	    c->life_bytes,    c->rand_bytes,	c->rekey_packets, c->life_packets, c->rand_packets,
	    c->start_action,  c->close_action,	c->dpd_action,	  c->inactivity,   c->reqid,
	    c->priority,      c->replay_window, c->tfc_padding,	  c->copy_df,	   c->copy_ecn,
	    c->copy_dscp_out, c->copy_dscp_in,	c->sha256_96,
	};

	put_text(w, c->name);
	put_proposals(w, c->proposals);
	put_ts_list(w, c->local_ts, c->local_dynamic);
	put_ts_list(w, c->remote_ts, c->remote_dynamic);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		wr_u64(w, numbers[i]);
	put_kernel(w, &c->kernel);
}

static void put_rules(struct wr *w, const struct sig_rules *r)
{
	wr_u32(w, r->schemes);
	wr_u32(w, r->keys);
	wr_u16(w, r->rsa_min);
	wr_u16(w, r->ec_min);
}

static void put_cred(struct wr *w, const struct cred_rules *c)
{
	put_text(w, c->certs);
	put_text(w, c->cacerts);
	put_text(w, c->pubkeys);
	put_text(w, c->cert_policy);
	put_id(w, &c->ca_id);
	wr_u8(w, (uint8_t)c->revocation);
	put_rules(w, &c->sig);
	put_rules(w, &c->cert_sig);
}

static void put_conn(struct wr *w, const struct conn_conf *c)
{
	const uint64_t numbers[] = {
	    c->local_port,    c->remote_port, c->local_auth, c->remote_auth,
	    c->rekey_time,    c->reauth_time, c->over_time,  c->rand_time,
	    c->dpd_delay,     c->keyingtries, c->unique,     c->childless,
	    c->fragmentation, c->encap,	      c->mobike,     c->dscp,
	    c->send_cert,     c->send_certreq, c->remote_sha1,
	};

	put_text(w, c->name);
	put_addrs(w, c->local, c->n_local);
	put_addrs(w, c->remote, c->n_remote);
	put_proposals(w, c->ike);
	put_id(w, c->local_id);
	put_id(w, c->remote_id);
	put_cred(w, c->local_cred);
	put_cred(w, c->remote_cred);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		wr_u64(w, numbers[i]);
	wr_u32(w, c->n_children);
	for (unsigned int i = 0; i < c->n_children; i++)
		put_child(w, &c->child[i]);
}

int conf_digest(struct conn_conf *c)
{
	size_t cap = CONN_BYTES + (size_t)c->n_children * CHILD_BYTES;
	uint8_t *buf = malloc(cap);
	struct wr w = wr_of(buf, cap);
	struct slice all;
	int rc;

	if (!buf)
		return -ENOMEM;
	put_conn(&w, c);
	all = wr_slice(&w);
	rc = wr_ok(&w) ? sha256(&all, 1, c->digest) : -ENOSPC;
	free(buf);
	return rc;
}
