/* SPDX-License-Identifier: BSD-2-Clause */
#include "exch.h"

#include <errno.h>
#include <stdlib.h>

/* IKE_SA_INIT as initiator (RFC 7296 1.2, 2.6, 2.7, 2.21.1). */

static void connect_fail(struct ike_sa *ike, int error, const char *text)
{
	struct outcome o;

	outcome_set(&o, error, "%s", text);
	ike_log(ike, 1, "establishing IKE_SA failed: %s", text);
	ike_end(ike, END_FAILED, &o);
}

static void init_send(struct ike_sa *ike)
{
	struct agent *a = ike->agent;
	struct setup *s = ike->setup;
	struct ike_hdr hdr = {.spi_i = ike->spi_i,
			      .version = IKE_VERSION,
			      .exchange = IKE_SA_INIT,
			      .flags = IKE_FLAG_INITIATOR};
	struct proposals offer;
	struct msg_wr chain;
	struct wr w = wr_of(a->core->out, sizeof(a->core->out));
	uint8_t *copy;

	chain_start(a, &chain);
	/* RFC 7296 2.6: the cookie first, all else as it was. */
	if (s->cookie_len)
		msg_put_notify(&chain, IKE_PROTO_NONE, N_COOKIE, slice_of(NULL, 0),
			       slice_of(s->cookie, s->cookie_len));
	proposals_prepare(ike->conn->ike, NULL, 0, false, &offer);
	msg_put_sa(&chain, &offer);
	msg_put_ke(&chain, s->group, ke_public(s->ke));
	msg_put_nonce(&chain, slice_of(s->ni.b, s->ni.n));
	natd_put(ike, &chain);
	fragmentation_put(ike, &chain);
	hashes_put(&chain);
	if (msg_seal_plain(&hdr, &chain, &w) < 0)
		goto no_message;
	copy = malloc(wr_slice(&w).n);
	if (!copy)
		goto no_message;
	free(s->msg_i);
	s->msg_i = copy;
	s->msg_i_len = wr_slice(&w).n;
	memcpy(copy, wr_slice(&w).p, s->msg_i_len);
	s->init_error = 0;
	timer_disarm(&a->core->timers, &s->error_timer);
	core_count(a, init_out);
	if (request_send_raw(ike, wr_slice(&w)) == 0)
		return;
no_message:
	connect_fail(ike, -ENOMEM, "IKE_SA_INIT request cannot be made");
}

static void on_ke(void *ctx, struct job_ref ref, struct ke_result *r)
{
	struct ike_sa *ike =
		ike_find_ref(ctx, (struct sa_ref){.index = ref.index, .generation = ref.generation});
	struct setup *s = ike ? ike->setup : NULL;

	if (!s || ref.tag != s->wait)
		return;
	if (r->error) {
		connect_fail(ike, r->error, "key pair cannot be made");
		return;
	}
	ke_free(s->ke);
	s->ke = r->ke;
	r->ke = NULL;
	init_send(ike);
}

static void ke_start(struct ike_sa *ike)
{
	struct setup *s = ike->setup;
	struct job_ref ref = {.index = ike->ref.index, .generation = ike->ref.generation};
	int err;

	ref.tag = ++s->wait;
	err = job_ke_generate(ike->agent->jobs, s->group, on_ke, ike->agent, ref);
	if (err < 0)
		connect_fail(ike, err, "key exchange method is not available");
}

void connect_start(struct ike_sa *ike, struct task *t)
{
	const struct conn_conf *conn = ike->conn;
	const struct ip_addr *to = conn_peer_find(conn);

	(void)t;
	if (ike_state_set(ike, IKE_CONNECTING) < 0)
		return;
	if (to) {
		connect_resolved(ike, to);
		return;
	}
	for (unsigned int i = 0; i < conn->n_remote; i++) {
		if (conn->remote[i].host[0]) {
			resolve_start(ike, conn->remote[i].host);
			return;
		}
	}
	/* A peer of any address, called again where it was. */
	if (!addr_is_any(&ike->remote.ip)) {
		connect_resolved(ike, &ike->remote.ip);
		return;
	}
	connect_fail(ike, -EDESTADDRREQ, "unable to initiate to %any");
}

void connect_resolved(struct ike_sa *ike, const struct ip_addr *remote)
{
	struct agent *a = ike->agent;
	const struct conn_conf *conn = ike->conn;
	const struct ip_addr *from;
	char at[ADDR_STRLEN];
	struct setup *s;

	ike->remote = (struct endpoint){.ip = *remote, .port = conn->remote_port};
	/* A peer at a port of its own is told from ESP by the marker from the first message on. */
	ike->local.port = conn->remote_port == IKE_PORT ? a->gw.ike.port : a->gw.ike.port_nat_t;
	ike->floated = conn->remote_port != IKE_PORT;
	if (!conn_may_call(conn, remote, &from)) {
		connect_fail(ike, -EAFNOSUPPORT, "local_addrs has no address of the peer's family");
		return;
	}
	if (from) {
		ike->local.ip = *from;
	} else if (a->core->parts->source_for(remote, &ike->local.ip) < 0) {
		connect_retry_later(ike);
		connect_fail(ike, -EHOSTUNREACH, "no route to the peer");
		return;
	} else if (!conn_is_local(conn, &ike->local.ip)) {
		connect_retry_later(ike);
		connect_fail(ike, -EADDRNOTAVAIL, "the way to the peer starts outside of local_addrs");
		return;
	}
	ike_log(ike, 1, "initiating IKE_SA %s[%u] to %s", conn->name, ike->id, addr_str(remote, at));
	s = setup_new(ike);
	if (!s || a->core->parts->random(s->ni.b, IKE_NONCE_LEN) < 0) {
		connect_fail(ike, -ENOMEM, "no memory or no randomness");
		return;
	}
	s->ni.n = IKE_NONCE_LEN;
	s->group = proposals_first_ke(conn->ike);
	ke_start(ike);
}

/* ---- the answer ------------------------------------------------------------------------------- */

static void on_error_timer(struct timer *timer)
{
	struct setup *s = timer_owner(timer, struct setup, error_timer);
	struct ike_sa *ike = s->ike;
	struct outcome o;

	outcome_by_peer(&o, -EPROTO, s->init_error);
	ike_log(ike, 1, "received %s notify error", ike_notify_name(s->init_error)
		? ike_notify_name(s->init_error) : "unknown");
	if (s->init_error == N_NO_PROPOSAL_CHOSEN)
		core_count(ike->agent, no_proposal);
	ike_end(ike, END_FAILED, &o);
}

static void follow_cookie(struct ike_sa *ike, const struct ike_notify_pl *n)
{
	struct setup *s = ike->setup;

	if (!n->data.n || n->data.n > IKE_COOKIE_MAX || s->cookie_tries >= INIT_COOKIE_TRIES)
		return;
	s->cookie_tries++;
	memcpy(s->cookie, n->data.p, n->data.n);
	s->cookie_len = (uint16_t)n->data.n;
	ike_log(ike, 2, "received COOKIE, sending IKE_SA_INIT again with it");
	init_send(ike);
}

/* RFC 7296 1.3, 2.7: only a group that we proposed; Ni stays, so that a cookie stays good. */
static void follow_invalid_ke(struct ike_sa *ike, const struct ike_notify_pl *n)
{
	struct setup *s = ike->setup;
	struct rd r = rd_of(n->data);
	uint16_t group = rd_u16(&r);

	if (!rd_done(&r) || group == s->group || !proposals_have_ke(ike->conn->ike, group) ||
	    s->ke_tries >= INIT_KE_TRIES)
		return;
	s->ke_tries++;
	ike_log(ike, 1, "peer didn't accept DH group %u, it requested %u", s->group, group);
	s->group = group;
	timer_disarm(&ike->agent->core->timers, &ike->retransmit_timer);
	ke_start(ike);
}

/*
 * RFC 7296 2.21.1: nobody vouches for an error in IKE_SA_INIT. It comes from the address we asked, with
 * our random SPIi, and is believed when no usable answer arrives within INIT_ERROR_WAIT_MS.
 */
static void remember_error(struct ike_sa *ike, uint16_t type)
{
	struct setup *s = ike->setup;

	if (s->init_error)
		return;
	s->init_error = type;
	timer_arm(&ike->agent->core->timers, &s->error_timer, sa_now_ms() + INIT_ERROR_WAIT_MS,
		  on_error_timer);
}

static void on_shared(void *ctx, struct job_ref ref, struct ke_result *r)
{
	struct agent *a = ctx;
	struct ike_sa *ike =
		ike_find_ref(a, (struct sa_ref){.index = ref.index, .generation = ref.generation});
	struct setup *s = ike ? ike->setup : NULL;

	if (!s || ref.tag != s->wait)
		return;
	if (r->error == -EINVAL && r->ke && task_active(ike)) {
		/* A value that cannot be: forged or not, somebody else may still answer. */
		core_count(a, bad_ke);
		ike_log(ike, 1, "received an invalid key exchange value, ignored");
		s->ke = r->ke;
		r->ke = NULL;
		ike->spi_r = 0;
		free(s->msg_r);
		s->msg_r = NULL;
		return;
	}
	if (r->error) {
		connect_fail(ike, r->error, "key exchange failed");
		return;
	}
	request_end(ike);
	if (setup_keys(ike, &r->shared) < 0) {
		connect_fail(ike, -ENOMEM, "keys cannot be derived");
		return;
	}
	/* RFC 7296 2.23: with a NAT anywhere all that follows goes over 4500, and never back. */
	if ((ike->nat_local || ike->nat_remote || ike->nat_forced) && !ike->floated) {
		ike->local.port = a->gw.ike.port_nat_t;
		if (ike->remote.port == IKE_PORT)
			ike->remote.port = IKE_PORT_NAT_T;
		ike->floated = true;
	}
	auth_start(ike);
}

/* Everything that a usable answer must have; false: ignored, a better one may come. */
static bool take_answer(struct ike_sa *ike, const struct ike_msg *msg, const struct path *path,
			struct slice datagram)
{
	struct setup *s = ike->setup;
	struct proposals offer;
	struct proposal chosen;

	if (!msg->hdr.spi_r || !msg_has(msg, IKE_PL_SA) || !msg_has(msg, IKE_PL_KE) ||
	    !msg_has(msg, IKE_PL_NONCE))
		return false;
	proposals_prepare(ike->conn->ike, NULL, 0, false, &offer);
	if (proposal_verify(&offer, &msg->sa, &chosen) < 0 ||
	    ike_suite_from(&chosen, &ike->suite) < 0) {
		ike_log(ike, 1, "peer chose a proposal that was not offered");
		return false;
	}
	if (ike->suite.ke != s->group || msg->ke.group != s->group) {
		ike_log(ike, 1, "peer answered with another key exchange method");
		return false;
	}
	if (!nonce_fits(msg->nonce, ike->suite.prf)) {
		ike_log(ike, 1, "peer answered with a nonce of %zu bytes, too short for the PRF", msg->nonce.n);
		return false;
	}
	s->msg_r = malloc(datagram.n);
	if (!s->msg_r)
		return false;
	if (ike_set_proposal(ike, &chosen) < 0) {
		free(s->msg_r);
		s->msg_r = NULL;
		return false;
	}
	memcpy(s->msg_r, datagram.p, datagram.n);
	s->msg_r_len = datagram.n;
	ike->spi_r = msg->hdr.spi_r;
	s->nr.n = (uint16_t)msg->nonce.n;
	memcpy(s->nr.b, msg->nonce.p, msg->nonce.n);
	natd_check(ike, msg, path);
	ike->peer_childless = msg_notify(msg, N_CHILDLESS_IKEV2_SUPPORTED) != NULL;
	hashes_take(s, msg);
	certreq_take(s, msg);
	ike->peer_fragmentation = msg_notify(msg, N_IKEV2_FRAGMENTATION_SUPPORTED) != NULL;
	return true;
}

void init_response(struct ike_sa *ike, const struct path *path, struct slice datagram)
{
	struct agent *a = ike->agent;
	struct task *t = task_active(ike);
	struct setup *s = ike->setup;
	struct job_ref ref = {.index = ike->ref.index, .generation = ike->ref.generation};
	const struct ike_notify_pl *n;
	struct ike_msg msg;
	struct ke *ke;
	int err;

	if (ike->state != IKE_CONNECTING || !s || !t || t->step != TASK_SENT || s->have_keys ||
	    s->msg_r || !s->ke) {
		core_count(a, bad_exchange);
		return;
	}
	if (!endpoint_equal(&path->remote, &ike->remote) || msg_decode(datagram, &msg) != WIRE_OK) {
		core_count(a, bad_syntax);
		return;
	}
	n = msg_error_notify(&msg);
	if (msg_notify(&msg, N_COOKIE)) {
		follow_cookie(ike, msg_notify(&msg, N_COOKIE));
		return;
	}
	if (n && n->type == N_INVALID_KE_PAYLOAD) {
		follow_invalid_ke(ike, n);
		return;
	}
	if (n) {
		remember_error(ike, n->type);
		return;
	}
	if (!take_answer(ike, &msg, path, datagram)) {
		core_count(a, bad_syntax);
		return;
	}
	ike->last_in_ms = sa_now_ms();
	timer_disarm(&a->core->timers, &s->error_timer);
	ref.tag = ++s->wait;
	ke = s->ke;
	s->ke = NULL;
	err = job_ke_finish(a->jobs, ke, msg.ke.data, on_shared, a, ref);
	if (err < 0) {
		s->ke = ke;
		connect_fail(ike, err, "key exchange failed");
	}
}
