/* SPDX-License-Identifier: BSD-2-Clause */
#include "exch.h"

#include <stdio.h>

/* Which connection a peer belongs to: first by addresses, at IKE_AUTH by identities too. */

/* An identity that is named outweighs a method that fits: who is known by one must not come in by another. */
enum {
	FIT_ANY = 1,
	FIT_RANGE = 2,
	FIT_EXACT = 4,
	FIT_METHOD = 64,
	FIT_ID_LOCAL = 128,
	FIT_ID_WILD = 256,
	FIT_ID_REMOTE = 512,
};

/* How narrowly a list of addresses fits; 0: not at all. A name fits any address: identities decide. */
static unsigned int addr_fit(const struct conf_addr *list, unsigned int n, const struct ip_addr *ip)
{
	unsigned int best = n ? 0 : FIT_ANY;

	for (unsigned int i = 0; i < n; i++) {
		const struct conf_addr *c = &list[i];
		unsigned int fit;

		if (c->host[0] || !c->lo.family || addr_is_any(&c->lo))
			fit = !c->host[0] && c->lo.family && c->lo.family != ip->family ? 0 : FIT_ANY;
		else if (!conf_addr_matches(c, ip))
			fit = 0;
		else
			fit = addr_equal(&c->lo, &c->hi) ? FIT_EXACT : FIT_RANGE;
		if (fit > best)
			best = fit;
	}
	return best;
}

static unsigned int conn_fit(const struct conn_conf *conn, const struct path *path)
{
	unsigned int local = addr_fit(conn->local, conn->n_local, &path->local.ip);
	unsigned int remote = addr_fit(conn->remote, conn->n_remote, &path->remote.ip);

	return local && remote ? 8 * remote + local : 0;
}

static bool is_single(const struct conf_addr *a)
{
	return a->lo.family && !addr_is_any(&a->lo) && addr_equal(&a->lo, &a->hi);
}

bool conn_may_call(const struct conn_conf *conn, const struct ip_addr *to, const struct ip_addr **from)
{
	bool may = !conn->n_local;

	*from = NULL;
	for (unsigned int i = 0; i < conn->n_local; i++) {
		const struct conf_addr *a = &conn->local[i];

		if (!a->lo.family) {
			may = true;
		} else if (a->lo.family == to->family) {
			may = true;
			if (!*from && is_single(a))
				*from = &a->lo;
		}
	}
	return may;
}

bool conn_is_local(const struct conn_conf *conn, const struct ip_addr *ours)
{
	return addr_fit(conn->local, conn->n_local, ours) != 0;
}

const struct ip_addr *conn_peer_find(const struct conn_conf *conn)
{
	const struct ip_addr *from;

	for (unsigned int i = 0; i < conn->n_remote; i++)
		if (is_single(&conn->remote[i]) && conn_may_call(conn, &conn->remote[i].lo, &from))
			return &conn->remote[i].lo;
	return NULL;
}

struct conn_conf *conn_by_addrs(const struct agent *a, const struct path *path,
				const struct proposals *offered, struct proposal *chosen, bool *any)
{
	struct conf_near near = {.conf = a->core->conf, .remote = &path->remote.ip};
	struct conn_conf *best = NULL, *conn;
	unsigned int best_fit = 0, best_place = 0;
	const struct proposals *refused = NULL;
	struct proposal p;

	*any = false;
	while ((conn = conf_near_next(&near))) {
		unsigned int fit = conn_fit(conn, path);

		if (!fit)
			continue;
		*any = true;
		/* Of equals the first in the file. Proposals are kept: thousands have the same. */
		if (fit < best_fit || (fit == best_fit && near.place >= best_place) || conn->ike == refused)
			continue;
		if (!best || best->ike != conn->ike) {
			if (proposal_select(conn->ike, offered, true, false, &p) < 0) {
				refused = conn->ike;
				continue;
			}
			*chosen = p;
		}
		best = conn;
		best_fit = fit;
		best_place = near.place;
	}
	return best;
}

void id_store(const struct ike_id *id, struct conf_id *out)
{
	char text[ID_STRLEN];

	*out = (struct conf_id){.type = id->type};
	out->n = (uint16_t)(id->data.n < sizeof(out->b) ? id->data.n : sizeof(out->b));
	if (out->n)
		memcpy(out->b, id->data.p, out->n);
	id_str(&(struct ike_id){.type = out->type, .data = slice_of(out->b, out->n)}, text);
	snprintf(out->text, sizeof(out->text), "%.255s", text);
}

static void id_of_addr(const struct ip_addr *ip, struct conf_id *out)
{
	struct ike_id id = {.type = ip->family == 6 ? ID_IPV6_ADDR : ID_IPV4_ADDR,
			    .data = slice_of(ip->b, addr_len(ip))};

	id_store(&id, out);
}

void local_id_of(const struct conn_conf *conn, const struct ip_addr *local, struct conf_id *out)
{
	if (conn->local_id->type && !conn->local_id->any)
		*out = *conn->local_id;
	else
		id_of_addr(local, out);
}

bool remote_id_fits(const struct conn_conf *conn, const struct ip_addr *remote, const struct ike_id *got)
{
	struct conf_id addr;
	struct ike_id id;

	if (conn->remote_id->any || conn->remote_id->type)
		return conf_id_matches(conn->remote_id, got);
	id_of_addr(remote, &addr);
	id = conf_id_view(&addr);
	return id_equal(&id, got);
}

static unsigned int remote_rank(const struct conn_conf *conn)
{
	if (conn->remote_id->any)
		return 0;
	return conn->remote_id->wild ? FIT_ID_WILD : FIT_ID_REMOTE;
}

static unsigned int id_fit(const struct conn_conf *conn, const struct conn_query *q)
{
	unsigned int fit = conn_fit(conn, q->path);
	struct conf_id local;

	if (!fit || !remote_id_fits(conn, &q->path->remote.ip, q->id_i))
		return 0;
	local_id_of(conn, &q->path->local.ip, &local);
	/* Without an id of ours the certificate says which, when it is chosen. */
	if (q->id_r->type && !conf_id_matches(&local, q->id_r) &&
	    (conn->local_id->type || conn->local_auth != CONF_AUTH_PUBKEY))
		return 0;
	fit += remote_rank(conn);
	if (q->id_r->type && conn->local_id->type)
		fit += FIT_ID_LOCAL;
	if ((conn->remote_auth == CONF_AUTH_PSK) == (q->method == AUTH_METHOD_PSK))
		fit += FIT_METHOD;
	return fit;
}

/* How narrowly the peer's identity is named, of all connections for it. */
static unsigned int id_tier(const struct agent *a, const struct conn_query *q)
{
	struct conf_near near = {.conf = a->core->conf, .remote = &q->path->remote.ip};
	const struct conn_conf *conn;
	unsigned int most = 0;

	while ((conn = conf_near_next(&near))) {
		unsigned int fit = id_fit(conn, q) & (FIT_ID_WILD | FIT_ID_REMOTE);

		most = fit > most ? fit : most;
	}
	return most;
}

static bool takes_proposal(const struct conn_conf *conn, const struct conn_query *q)
{
	struct proposals offered = {.n = 1, .p = {*q->chosen}};
	struct proposal p;

	return proposal_select(conn->ike, &offered, true, false, &p) >= 0;
}

struct conn_conf *conn_by_ids(const struct agent *a, const struct conn_query *q, const struct conn_conf *now)
{
	struct conf_near near = {.conf = a->core->conf, .remote = &q->path->remote.ip};
	struct conn_conf *best = NULL, *conn;
	/* The peer chose the proposal: offering another must not lead it to who takes anybody. */
	unsigned int best_fit = id_tier(a, q), best_place = 0;

	while ((conn = conf_near_next(&near))) {
		unsigned int fit = id_fit(conn, q);

		/* Of equals the one in use, then the first in the file. */
		if (!fit || fit < best_fit ||
		    (fit == best_fit && conn != now && (best == now || near.place >= best_place)))
			continue;
		if (!takes_proposal(conn, q))
			continue;
		best = conn;
		best_fit = fit;
		best_place = near.place;
	}
	return best;
}

static bool was_tried(const struct conn_conf *conn, struct conn_conf *const *tried, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		if (tried[i] == conn)
			return true;
	return false;
}

struct conn_conf *conn_next(const struct agent *a, const struct conn_query *q, bool childless,
			    struct conn_conf *const *tried, unsigned int n)
{
	struct conf_near near = {.conf = a->core->conf, .remote = &q->path->remote.ip};
	struct conn_conf *best = NULL, *conn;
	unsigned int best_fit = 0, best_place = 0;

	while ((conn = conf_near_next(&near))) {
		unsigned int fit = id_fit(conn, q);

		/* Who is named by one connection must not come in by another that names him less. */
		if (!(fit & FIT_METHOD) || remote_rank(conn) < remote_rank(tried[0]))
			continue;
		if (fit < best_fit || (fit == best_fit && near.place >= best_place))
			continue;
		if (!conn_childless_fits(conn, childless) || was_tried(conn, tried, n) || !takes_proposal(conn, q))
			continue;
		best = conn;
		best_fit = fit;
		best_place = near.place;
	}
	return best;
}

bool conn_childless_fits(const struct conn_conf *conn, bool childless)
{
	return conn->childless != (childless ? CONF_CHILDLESS_NEVER : CONF_CHILDLESS_FORCE);
}

const struct conn_conf *conn_next_pubkey(const struct path *path, struct conf_near *near)
{
	const struct conn_conf *conn;

	near->remote = &path->remote.ip;
	while (near->conf && near->conf->any_pubkey && (conn = conf_near_next(near)))
		if (conn->remote_auth == CONF_AUTH_PUBKEY && conn_fit(conn, path))
			return conn;
	return NULL;
}
