/* SPDX-License-Identifier: BSD-2-Clause */
#include "exch.h"

#include <errno.h>
#include <stdlib.h>

/*
 * IKE_SA_INIT as responder. Nothing is allocated before cookie and limits have passed; the shared secret is
 * computed when IKE_AUTH shows that somebody is there (RFC 7296 2.6, 2.12).
 */

static struct setup *find_init(struct agent *a, const uint8_t digest[SA_DIGEST_LEN])
{
	struct setup *s;

	HASH_FIND(by_init, a->core->by_init, digest, SA_DIGEST_LEN, s);
	return s;
}

static bool cookie_wanted(const struct agent *a)
{
	int64_t threshold = a->gw.ike.cookie_threshold;

	return threshold < 0 || (threshold > 0 && a->core->half_open >= (uint64_t)threshold);
}

/* True when the request brought the cookie that is asked for; else one is sent (RFC 7296 2.6). */
static bool cookie_passes(struct agent *a, const struct ike_msg *msg, const struct path *path)
{
	const struct ike_notify_pl *n = msg_notify(msg, N_COOKIE);
	uint64_t now = sa_now_ms(), spi = msg->hdr.spi_i;
	uint8_t cookie[COOKIE_LEN];

	if (n && cookie_check(&a->core->jar, now, msg->nonce, &path->remote, spi, n->data))
		return true;
	core_count(a, cookie_bad);
	if (cookie_make(&a->core->jar, now, msg->nonce, &path->remote, spi, cookie) < 0)
		return false;
	core_count(a, cookie_sent);
	plain_notify(a, &msg->hdr, path, N_COOKIE, slice_of(cookie, sizeof(cookie)));
	return false;
}

static bool within_limits(struct agent *a, const struct path *path)
{
	const struct gw_ike_conf *gw = &a->gw.ike;

	if (gw->init_limit_half_open && a->core->half_open >= gw->init_limit_half_open) {
		core_count(a, half_open_limit);
		return false;
	}
	if (source_blocked(a, &path->remote.ip, gw->block_threshold)) {
		core_count(a, block_limit);
		return false;
	}
	if (gw->init_limit_job_load && jobs_pending(a->jobs) >= gw->init_limit_job_load) {
		core_count(a, job_limit);
		return false;
	}
	if (gw->ike_sa_limit && a->core->n_ike >= gw->ike_sa_limit) {
		core_count(a, sa_limit);
		return false;
	}
	return true;
}

/* Connection and proposal for a request, or the refusal is sent. */
static struct conn_conf *choose(struct agent *a, const struct ike_msg *msg, const struct path *path,
				struct proposal *chosen)
{
	struct conn_conf *conn;
	char from[ENDPOINT_STRLEN], to[ENDPOINT_STRLEN];
	const struct transform *ke;
	uint8_t group[2];
	struct wr w = wr_of(group, sizeof(group));
	bool any;

	conn = conn_by_addrs(a, path, &msg->sa, chosen, &any);
	if (!conn) {
		if (any)
			core_count(a, no_proposal);
		else
			core_count(a, no_conn);
		log_limited(&a->core->log_init, LOG_IKE, 1, any
			    ? "no proposal of %s for %s is acceptable, sending NO_PROPOSAL_CHOSEN"
			    : "no IKE config found for %s...%s, sending NO_PROPOSAL_CHOSEN",
			    endpoint_str(any ? &path->remote : &path->local, to),
			    endpoint_str(any ? &path->local : &path->remote, from));
		plain_notify(a, &msg->hdr, path, N_NO_PROPOSAL_CHOSEN, slice_of(NULL, 0));
		return NULL;
	}
	if (!nonce_fits(msg->nonce, proposal_find(chosen, IKE_T_PRF)->id)) {
		core_count(a, bad_syntax);
		log_limited(&a->core->log_init, LOG_IKE, 1,
			    "nonce of %zu bytes from %s is too short for the PRF, sending INVALID_SYNTAX",
			    msg->nonce.n, endpoint_str(&path->remote, from));
		plain_notify(a, &msg->hdr, path, N_INVALID_SYNTAX, slice_of(NULL, 0));
		return NULL;
	}
	ke = proposal_find(chosen, IKE_T_KE);
	if (!ke || ke->id == msg->ke.group)
		return conn;
	/* RFC 7296 1.2: the group we would take; nothing is kept. */
	wr_u16(&w, ke->id);
	plain_notify(a, &msg->hdr, path, N_INVALID_KE_PAYLOAD, wr_slice(&w));
	return NULL;
}

static void respond(struct ike_sa *ike)
{
	struct agent *a = ike->agent;
	struct setup *s = ike->setup;
	struct ike_hdr hdr = {.spi_i = ike->spi_i,
			      .spi_r = ike->spi_r,
			      .version = IKE_VERSION,
			      .exchange = IKE_SA_INIT,
			      .flags = IKE_FLAG_RESPONSE};
	struct proposals answer = {.n = 1, .p = {*ike->proposal}};
	struct msg_wr chain;
	struct wr w = wr_of(a->core->out, sizeof(a->core->out));
	struct slice datagram;

	chain_start(a, &chain);
	msg_put_sa(&chain, &answer);
	msg_put_ke(&chain, s->group, ke_public(s->ke));
	msg_put_nonce(&chain, slice_of(s->nr.b, s->nr.n));
	natd_put(ike, &chain);
	/* RFC 6023 3: said by the responder alone, and only where it is allowed. */
	if (ike->conn->childless != CONF_CHILDLESS_NEVER)
		msg_put_notify(&chain, IKE_PROTO_NONE, N_CHILDLESS_IKEV2_SUPPORTED, slice_of(NULL, 0),
			       slice_of(NULL, 0));
	/* RFC 7383 2.3: only to an initiator that announced it. */
	if (ike->peer_fragmentation)
		fragmentation_put(ike, &chain);
	hashes_put(&chain);
	certreq_put(ike, &chain);
	datagram = msg_seal_plain(&hdr, &chain, &w) == 0 ? wr_slice(&w) : slice_of(NULL, 0);
	s->msg_r = datagram.n ? malloc(datagram.n) : NULL;
	if (!s->msg_r) {
		core_count(a, no_memory);
		ike_end(ike, END_FAILED, NULL);
		return;
	}
	memcpy(s->msg_r, datagram.p, datagram.n);
	s->msg_r_len = datagram.n;
	ike->recv_mid = 1;
	datagrams_send(ike, &ike->local, &ike->remote, datagram);
}

static void on_ke(void *ctx, struct job_ref ref, struct ke_result *r)
{
	struct ike_sa *ike =
		ike_find_ref(ctx, (struct sa_ref){.index = ref.index, .generation = ref.generation});

	if (!ike || !ike->setup || ref.tag != ike->setup->wait)
		return;
	if (r->error) {
		ike_log(ike, 1, "key pair cannot be made: %s", strerror(-r->error));
		ike_end(ike, END_FAILED, NULL);
		return;
	}
	ike->setup->ke = r->ke;
	r->ke = NULL;
	respond(ike);
}

static void on_half_open(struct timer *timer)
{
	struct ike_sa *ike = timer_owner(timer, struct ike_sa, half_open_timer);

	ike_log(ike, 1, "deleting half open IKE_SA after timeout");
	ike_end(ike, END_FAILED, NULL);
}

static int take_request(struct ike_sa *ike, const struct ike_msg *msg, const struct path *path,
			struct slice datagram, const uint8_t digest[SA_DIGEST_LEN])
{
	struct agent *a = ike->agent;
	struct setup *s = setup_new(ike);

	if (!s)
		return -ENOMEM;
	if (source_add(a, &s->at_source, &path->remote.ip) < 0)
		return -ENOMEM;
	memcpy(s->digest, digest, SA_DIGEST_LEN);
	TABLE_ADD(by_init, a->core->by_init, digest, s);
	if (!TABLE_HAS(by_init, a->core->by_init, s))
		return -ENOMEM;
	s->hashed = true;
	s->msg_i = malloc(datagram.n);
	s->peer_ke = malloc(msg->ke.data.n);
	if (!s->msg_i || !s->peer_ke)
		return -ENOMEM;
	memcpy(s->msg_i, datagram.p, datagram.n);
	s->msg_i_len = datagram.n;
	memcpy(s->peer_ke, msg->ke.data.p, msg->ke.data.n);
	s->peer_ke_len = msg->ke.data.n;
	s->group = msg->ke.group;
	s->ni.n = (uint16_t)msg->nonce.n;
	memcpy(s->ni.b, msg->nonce.p, msg->nonce.n);
	s->nr.n = IKE_NONCE_LEN;
	hashes_take(s, msg);
	return a->core->parts->random(s->nr.b, IKE_NONCE_LEN);
}

static void create(struct agent *a, const struct ike_msg *msg, const struct path *path,
		   struct slice datagram, const uint8_t digest[SA_DIGEST_LEN], struct conn_conf *conn,
		   const struct proposal *chosen)
{
	struct job_ref ref;
	struct ike_sa *ike = ike_new(a, false, 0);
	char from[ADDR_STRLEN];
	int err;

	if (!ike) {
		core_count(a, no_memory);
		return;
	}
	ike->spi_i = msg->hdr.spi_i;
	ike->local = path->local;
	ike->remote = path->remote;
	ike->floated = path->local.port == a->gw.ike.port_nat_t;
	ike_state_set(ike, IKE_CONNECTING);
	if (ike_set_conn(ike, conn) < 0 || ike_set_proposal(ike, chosen) < 0 || ike_suite_from(chosen, &ike->suite) < 0 ||
	    take_request(ike, msg, path, datagram, digest) < 0) {
		core_count(a, no_memory);
		ike_end(ike, END_FAILED, NULL);
		return;
	}
	natd_check(ike, msg, path);
	ike->peer_fragmentation = msg_notify(msg, N_IKEV2_FRAGMENTATION_SUPPORTED) != NULL;
	timer_arm(&a->core->timers, &ike->half_open_timer,
		  sa_now_ms() + a->gw.ike.half_open_timeout_s * 1000ull, on_half_open);
	ike_log(ike, 1, "%s is initiating an IKE_SA", addr_str(&path->remote.ip, from));
	ref = (struct job_ref){.index = ike->ref.index, .generation = ike->ref.generation,
			       .tag = ++ike->setup->wait};
	err = job_ke_generate(a->jobs, ike->setup->group, on_ke, a, ref);
	if (err < 0)
		ike_end(ike, END_FAILED, NULL);
}

void init_request(struct agent *a, const struct path *path, struct slice datagram)
{
	uint8_t digest[SA_DIGEST_LEN];
	struct conn_conf *conn;
	struct proposal chosen;
	struct ike_msg msg;
	enum wire_err err;
	struct setup *s;

	core_count(a, init_in);
	if (datagram.n > INIT_DATAGRAM_MAX) {
		core_count(a, bad_syntax);
		return;
	}
	err = msg_decode(datagram, &msg);
	if (err == WIRE_CRITICAL) {
		core_count(a, bad_critical);
		plain_notify(a, &msg.hdr, path, N_UNSUPPORTED_CRITICAL_PAYLOAD,
			     slice_of(&msg.bad_payload, 1));
		return;
	}
	if (err != WIRE_OK || !msg_has(&msg, IKE_PL_SA) || !msg_has(&msg, IKE_PL_KE) ||
	    !msg_has(&msg, IKE_PL_NONCE) || msg.sk.present) {
		core_count(a, bad_syntax);
		return;
	}
	/* RFC 7296 2.1: a retransmit gets the same bytes. */
	digest_of(datagram, &path->remote, digest);
	s = find_init(a, digest);
	if (s) {
		core_count(a, retransmit_in);
		if (s->msg_r)
			datagrams_send(s->ike, &path->local, &path->remote,
				       slice_of(s->msg_r, s->msg_r_len));
		return;
	}
	if (a->gw.ike.initiator_only) {
		core_count(a, initiator_only);
		return;
	}
	if (cookie_wanted(a) && !cookie_passes(a, &msg, path))
		return;
	if (!within_limits(a, path))
		return;
	conn = choose(a, &msg, path, &chosen);
	if (!conn)
		return;
	/* A value of the wrong length is no value of the group (RFC 7296 3.4). */
	if (msg.ke.data.n != ke_public_len(msg.ke.group)) {
		core_count(a, bad_ke);
		return;
	}
	create(a, &msg, path, datagram, digest, conn, &chosen);
}

/* ---- keys, when IKE_AUTH is there ------------------------------------------------------------------ */

static void on_shared(void *ctx, struct job_ref ref, struct ke_result *r)
{
	struct agent *a = ctx;
	struct ike_sa *ike =
		ike_find_ref(a, (struct sa_ref){.index = ref.index, .generation = ref.generation});
	struct setup *s = ike ? ike->setup : NULL;
	struct held_list waiting;
	struct held *h;

	if (!s || ref.tag != s->wait)
		return;
	if (r->error) {
		if (r->error == -EINVAL)
			core_count(a, bad_ke);
		ike_log(ike, 1, "key exchange failed: %s", strerror(-r->error));
		ike_end(ike, END_FAILED, NULL);
		return;
	}
	free(s->peer_ke);
	s->peer_ke = NULL;
	if (setup_keys(ike, &r->shared) < 0) {
		core_count(a, no_memory);
		ike_end(ike, END_FAILED, NULL);
		return;
	}
	/* The first may end the IKE SA: each of them looks for it anew. */
	held_init(&waiting);
	held_move(&s->held, &waiting);
	while ((h = held_take(&waiting))) {
		ike = ike_find_ref(
			a, (struct sa_ref){.index = ref.index, .generation = ref.generation});
		if (ike)
			dispatch(ike, &h->path, slice_of(h->b, h->n));
		free(h);
	}
}

void init_derive(struct ike_sa *ike, const struct path *path, struct slice datagram)
{
	struct agent *a = ike->agent;
	struct setup *s = ike->setup;
	struct job_ref ref = {.index = ike->ref.index, .generation = ike->ref.generation};
	struct ke *ke = s->ke;
	int err;

	if (!s->msg_r)
		return;
	err = held_add(&s->held, path, datagram);
	if (err == -ENOMEM)
		core_count(a, no_memory);
	/* The first of them asks for the keys; the others came while they are being made. */
	if (err < 0 || !ke)
		return;
	ref.tag = ++s->wait;
	s->ke = NULL;
	err = job_ke_finish(a->jobs, ke, slice_of(s->peer_ke, s->peer_ke_len), on_shared, a, ref);
	if (err == 0)
		return;
	s->ke = ke;
	held_drop(&s->held);
}
