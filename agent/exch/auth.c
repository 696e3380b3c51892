/* SPDX-License-Identifier: BSD-2-Clause */
#include "exch.h"

#include <errno.h>
#include <stdlib.h>

/*
 * IKE_AUTH with pre-shared keys (RFC 7296 1.2, 2.15, 2.21.2). The MACs are made by the keys role; what it
 * answers is compared in constant time, and only ike_authenticate() turns that into a proof.
 */

/* ---- the proof ---------------------------------------------------------------------------------- */

static int new_proof(struct ike_sa *ike)
{
	uint64_t proof = 0;

	for (int i = 0; i < 4 && !proof; i++)
		if (ike->agent->core->parts->random(&proof, sizeof(proof)) < 0)
			return -EIO;
	if (!proof)
		return -EIO;
	ike->proof = (struct ike_authenticated){.ike_id = ike->id, .proof = proof};
	ike->authenticated = true;
	return 0;
}

/* The peer's AUTH data against what it must be. */
static int ike_authenticate(struct ike_sa *ike, const struct keys_mac *want)
{
	const struct setup *s = ike->setup;

	if (want->error || !want->len || want->len != s->peer_auth_len ||
	    !secret_equal(want->mac, s->peer_auth, want->len))
		return -EACCES;
	return new_proof(ike);
}

int ike_inherit_proof(struct ike_sa *to, const struct ike_sa *from)
{
	if (!from->authenticated || !from->proof.proof)
		return -EACCES;
	return new_proof(to);
}

/* ---- what is MACed -------------------------------------------------------------------------------- */

/*
 * RFC 7296 2.15: the sender's whole IKE_SA_INIT message, the other's nonce, prf(SK_p, ID'). of_initiator says
 * whose AUTH this is. The MAC comes to `done`.
 */
static int ask_mac(struct ike_sa *ike, bool of_initiator, keys_mac_fn done)
{
	struct agent *a = ike->agent;
	struct setup *s = ike->setup;
	const struct conf_id *id = of_initiator == ike->initiator ? &ike->local_id : &ike->remote_id;
	struct ike_id view = conf_id_view(id), local, remote;
	const struct nonce *nonce = of_initiator ? &s->nr : &s->ni;
	size_t first_len = of_initiator ? s->msg_i_len : s->msg_r_len, mac_len = prf_len(ike->suite.prf);
	uint8_t body[IKE_ID_MAX], maced[CRYPT_PRF_MAX];
	struct wr w = wr_of(body, sizeof(body));
	struct job_ref ref = {.index = ike->ref.index, .generation = ike->ref.generation};
	struct wr octets;
	uint8_t *buf;
	int err;

	id_body(&w, &view);
	err = auth_maced_id(ike->suite.prf, of_initiator ? &ike->keys.pi : &ike->keys.pr, wr_slice(&w),
			    maced);
	if (err < 0 || !wr_ok(&w))
		return err < 0 ? err : -EMSGSIZE;
	buf = malloc(first_len + nonce->n + mac_len);
	if (!buf)
		return -ENOMEM;
	octets = wr_of(buf, first_len + nonce->n + mac_len);
	wr_bytes(&octets, of_initiator ? s->msg_i : s->msg_r, first_len);
	wr_bytes(&octets, nonce->b, nonce->n);
	wr_bytes(&octets, maced, mac_len);
	local = conf_id_view(&ike->local_id);
	remote = conf_id_view(&ike->remote_id);
	ref.tag = ++s->wait;
	err = a->core->parts->psk_mac(a, &local, &remote, ike->suite.prf, wr_slice(&octets), done, ref);
	secret_wipe(maced, sizeof(maced));
	free(buf);
	return err;
}

static struct ike_sa *resume(void *ctx, struct job_ref ref)
{
	struct ike_sa *ike =
		ike_find_ref(ctx, (struct sa_ref){.index = ref.index, .generation = ref.generation});

	return ike && ike->setup && ike->setup->wait == ref.tag ? ike : NULL;
}

static void established(struct ike_sa *ike)
{
	struct agent *a = ike->agent;
	char local[ADDR_STRLEN], remote[ADDR_STRLEN];

	if (ike_state_set(ike, IKE_ESTABLISHED) < 0)
		return;
	ike->established_ms = sa_now_ms();
	timer_disarm(&a->core->timers, &ike->half_open_timer);
	core_count(a, established);
	ike_log(ike, 0, "IKE_SA %s[%u] established between %s[%s]...%s[%s]", ike->conn->name, ike->id,
		addr_str(&ike->local.ip, local), ike->local_id.text,
		addr_str(&ike->remote.ip, remote), ike->remote_id.text);
	ike_timers_start(ike);
	observe(a, SA_EV_IKE_UP, ike, NULL, NULL, NULL);
}

/* ---- initiator ---------------------------------------------------------------------------------------- */

static void connect_fail(struct ike_sa *ike, int error, const char *text)
{
	struct outcome o;

	outcome_set(&o, error, "%s", text);
	ike_log(ike, 1, "establishing IKE_SA failed: %s", text);
	ike_end(ike, END_FAILED, &o);
}

static const char *mac_error(int error)
{
	return error == -ENOENT ? "no shared key found for these identities"
				: "keys process does not answer";
}

static void on_request_mac(void *ctx, struct job_ref ref, const struct keys_mac *r)
{
	struct agent *a = ctx;
	struct ike_sa *ike = resume(a, ref);
	struct task *t = ike ? task_active(ike) : NULL;
	const struct conn_conf *conn;
	struct ike_id local, remote;
	struct msg_wr chain;
	struct outcome why;

	if (!t)
		return;
	conn = ike->conn;
	if (r->error) {
		ike_log(ike, 1, "no shared key found for '%s' - '%s'", ike->local_id.text,
			ike->remote_id.text);
		connect_fail(ike, r->error == -ENOENT ? -ENOKEY : r->error, mac_error(r->error));
		return;
	}
	t->nego = nego_new(ike, true, t->conf);
	if (!t->nego || nego_offer(ike, t->nego, NULL, true, &why) < 0) {
		connect_fail(ike, t->nego ? why.error : -ENOMEM, t->nego ? why.text : "no memory");
		return;
	}
	local = conf_id_view(&ike->local_id);
	chain_start(a, &chain);
	msg_put_id(&chain, IKE_PL_IDI, &local);
	if (conn->remote_id.type && !conn->remote_id.any) {
		remote = conf_id_view(&conn->remote_id);
		msg_put_id(&chain, IKE_PL_IDR, &remote);
	}
	msg_put_auth(&chain, AUTH_METHOD_PSK, slice_of(r->mac, r->len));
	if (contact_is_initial(ike))
		msg_put_notify(&chain, IKE_PROTO_NONE, N_INITIAL_CONTACT, slice_of(NULL, 0),
			       slice_of(NULL, 0));
	nego_put_offer(t->nego, &chain);
	ike_log_group(ike, LOG_CHILD, 1, "establishing CHILD_SA %s", t->conf->name);
	ike->auth_sent = true;
	if (request_send(ike, IKE_AUTH, &chain) < 0)
		connect_fail(ike, -ENOMEM, "IKE_AUTH request cannot be made");
}

void auth_start(struct ike_sa *ike)
{
	const struct conn_conf *conn = ike->conn;
	int err;

	local_id_of(conn, &ike->local.ip, &ike->local_id);
	if (conn->remote_id.any)
		ike->remote_id = (struct conf_id){.any = true, .text = "%any"};
	else
		ike->remote_id = conn->remote_id;
	if (!ike->remote_id.type && !ike->remote_id.any) {
		struct ike_id id = {.type = ike->remote.ip.family == 6 ? ID_IPV6_ADDR : ID_IPV4_ADDR,
				    .data = slice_of(ike->remote.ip.b, addr_len(&ike->remote.ip))};

		id_store(&id, &ike->remote_id);
	}
	ike_log(ike, 1, "authentication of '%s' (myself) with pre-shared key", ike->local_id.text);
	err = ask_mac(ike, true, on_request_mac);
	if (err < 0)
		connect_fail(ike, err, mac_error(err));
}

static void on_child_done(struct ike_sa *ike, struct child_nego *n, int error)
{
	struct child_sa *c = sa_find_child(ike->agent, n->child_id);
	struct outcome o;

	setup_free(ike);
	if (error || !c) {
		outcome_set(&o, error ? error : -EIO, "installing the CHILD_SA failed: %s",
			    strerror(-error));
		ike_log_group(ike, LOG_CHILD, 0, "installing CHILD_SA %s failed: %s", n->conf->name,
			      strerror(-error));
		task_finish(ike, &o);
		return;
	}
	error = child_activate(c, NULL);
	if (error < 0)
		outcome_set(&o, error, "CHILD_SA %s cannot be put into force: %s", c->conf->name,
			    strerror(-error));
	else
		outcome_set(&o, 0, "CHILD_SA %s{%u} established", c->conf->name, c->id);
	task_finish(ike, &o);
	contact_established(ike, false);
}

/* The IKE SA is up; the child is not: RFC 7296 2.21.2, it lives on without. */
static void child_failed(struct ike_sa *ike, const struct outcome *o, uint32_t spi)
{
	ike_log_group(ike, LOG_CHILD, 0, "failed to establish CHILD_SA, keeping IKE_SA: %s", o->text);
	setup_free(ike);
	if (spi) {
		struct task *t = task_new(ike, TASK_CHILD_DELETE, 0);

		/* The peer believes that it is there. */
		if (t) {
			t->spi = spi;
			task_queue(ike, t);
		}
	}
	task_finish(ike, o);
	contact_established(ike, false);
}

static void reject_peer(struct ike_sa *ike, const char *why)
{
	struct outcome o;

	core_count(ike->agent, auth_failed);
	ike_log(ike, 0, "authentication of '%s' with pre-shared key failed: %s", ike->remote_id.text, why);
	outcome_set(&o, -EACCES, "authentication of the peer '%.60s' failed: %.80s", ike->remote_id.text,
		    why);
	/* RFC 7296 2.21.2: the responder believes it is established; tell it. */
	ike_delete(ike, END_FAILED, N_AUTHENTICATION_FAILED, NULL);
	task_finish(ike, &o);
}

static void on_response_mac(void *ctx, struct job_ref ref, const struct keys_mac *r)
{
	struct ike_sa *ike = resume(ctx, ref);
	struct task *t = ike ? task_active(ike) : NULL;
	struct outcome o;
	struct setup *s;

	if (!t || !t->nego)
		return;
	s = ike->setup;
	if (ike_authenticate(ike, r) < 0) {
		reject_peer(ike, r->error ? mac_error(r->error) : "MAC mismatch");
		return;
	}
	ike_log(ike, 1, "authentication of '%s' with pre-shared key successful", ike->remote_id.text);
	established(ike);
	if (s->child_error) {
		outcome_by_peer(&o, -EPROTO, s->child_error);
		ike_log_group(ike, LOG_CHILD, 1, "received %s notify, no CHILD_SA built",
			      ike_notify_name(s->child_error) ? ike_notify_name(s->child_error) : "error");
		child_failed(ike, &o, 0);
		return;
	}
	if (s->child_bad) {
		outcome_set(&o, -EPROTO, "peer answered with a CHILD_SA that was not offered");
		child_failed(ike, &o, t->nego->spi_in);
		return;
	}
	t->nego->ni = s->ni;
	t->nego->nr = s->nr;
	nego_install(ike, t->nego, on_child_done);
}

/* The error notify that speaks of the IKE SA, not of the child. */
static bool fatal_error(uint16_t type)
{
	return type == N_AUTHENTICATION_FAILED || type == N_INVALID_SYNTAX ||
	       type == N_UNSUPPORTED_CRITICAL_PAYLOAD || type == N_INVALID_MAJOR_VERSION;
}

void auth_response(struct ike_sa *ike, const struct ike_msg *msg)
{
	const struct ike_notify_pl *n = msg_error_notify(msg);
	struct setup *s = ike->setup;
	struct task *t = task_active(ike);
	struct outcome o;
	int err;

	if (n && (fatal_error(n->type) || !msg_has(msg, IKE_PL_AUTH) || !msg_has(msg, IKE_PL_IDR))) {
		outcome_by_peer(&o, -EACCES, n->type);
		core_count(ike->agent, auth_failed);
		ike_log(ike, 0, "received %s notify error",
			ike_notify_name(n->type) ? ike_notify_name(n->type) : "unknown");
		ike_end(ike, END_FAILED, &o);
		return;
	}
	if (!remote_id_fits(ike->conn, &ike->remote.ip, &msg->id_r)) {
		char got[ID_STRLEN];

		ike_log(ike, 0, "IDr payload contains '%s', but '%s' is required", id_str(&msg->id_r, got),
			ike->remote_id.text);
		reject_peer(ike, "identity is not the one required");
		return;
	}
	id_store(&msg->id_r, &ike->remote_id);
	if (msg->auth.method != AUTH_METHOD_PSK || msg->auth.data.n > sizeof(s->peer_auth) ||
	    !t->nego) {
		reject_peer(ike, "authentication method is not pre-shared key");
		return;
	}
	memcpy(s->peer_auth, msg->auth.data.p, msg->auth.data.n);
	s->peer_auth_len = msg->auth.data.n;
	s->child_error = n ? n->type : 0;
	if (!n)
		s->child_bad = nego_answer(ike, t->nego, msg, NULL, &o) < 0;
	err = ask_mac(ike, false, on_response_mac);
	if (err < 0)
		reject_peer(ike, mac_error(err));
}

/* ---- responder ------------------------------------------------------------------------------------------- */

static void refuse_peer(struct ike_sa *ike, const char *why)
{
	struct outcome o;
	char from[ENDPOINT_STRLEN];

	core_count(ike->agent, auth_failed);
	ike_log(ike, 0, "authentication of '%s' (%s) failed: %s, sending AUTHENTICATION_FAILED",
		ike->remote_id.type ? ike->remote_id.text : "?", endpoint_str(&ike->remote, from), why);
	outcome_set(&o, -EACCES, "%s", why);
	reply_notify(ike, N_AUTHENTICATION_FAILED, slice_of(NULL, 0));
	ike_end(ike, END_FAILED, &o);
}

static void auth_reply(struct ike_sa *ike, struct child_nego *n)
{
	struct exchange_in *in = ike->in;
	struct ike_id id = conf_id_view(&ike->local_id);
	struct msg_wr chain;

	chain_start(ike->agent, &chain);
	msg_put_id(&chain, IKE_PL_IDR, &id);
	msg_put_auth(&chain, AUTH_METHOD_PSK, slice_of(in->auth, in->auth_len));
	if (n->error_notify)
		msg_put_notify(&chain, IKE_PROTO_NONE, n->error_notify, slice_of(NULL, 0),
			       slice_of(NULL, 0));
	else
		nego_put_answer(n, &chain);
	reply_send(ike, &chain);
}

static void auth_complete(struct ike_sa *ike, struct child_nego *n, int error)
{
	struct agent *a = ike->agent;
	struct child_sa *c = sa_find_child(a, n->child_id);
	bool initial = ike->setup->initial_contact;

	if (error)
		n->error_notify = N_TEMPORARY_FAILURE;
	if (!n->error_notify &&
	    (!c || (initial ? child_activate_beside(c) : child_activate(c, NULL)) < 0))
		n->error_notify = N_TEMPORARY_FAILURE;
	if (n->error_notify)
		ike_log_group(ike, LOG_CHILD, 0, "failed to establish CHILD_SA, keeping IKE_SA: %s%s%s",
			      ike_notify_name(n->error_notify), error ? ", " : "",
			      error ? strerror(-error) : "");
	auth_reply(ike, n);
	nego_free(a, n);
	free(ike->in);
	ike->in = NULL;
	setup_free(ike);
	contact_established(ike, initial);
}

static void on_own_mac(void *ctx, struct job_ref ref, const struct keys_mac *r)
{
	struct ike_sa *ike = resume(ctx, ref);
	struct child_nego *n;

	if (!ike || !ike->in || !ike->in->nego)
		return;
	if (r->error) {
		refuse_peer(ike, mac_error(r->error));
		return;
	}
	n = ike->in->nego;
	memcpy(ike->in->auth, r->mac, r->len);
	ike->in->auth_len = r->len;
	ike_log(ike, 1, "authentication of '%s' (myself) with pre-shared key", ike->local_id.text);
	established(ike);
	n->ni = ike->setup->ni;
	n->nr = ike->setup->nr;
	if (n->error_notify)
		auth_complete(ike, n, 0);
	else
		nego_install(ike, n, auth_complete);
}

static void on_peer_mac(void *ctx, struct job_ref ref, const struct keys_mac *r)
{
	struct ike_sa *ike = resume(ctx, ref);
	int err;

	if (!ike || !ike->in)
		return;
	if (ike_authenticate(ike, r) < 0) {
		refuse_peer(ike, r->error ? mac_error(r->error) : "MAC mismatch");
		return;
	}
	ike_log(ike, 1, "authentication of '%s' with pre-shared key successful", ike->remote_id.text);
	err = ask_mac(ike, false, on_own_mac);
	if (err < 0)
		refuse_peer(ike, mac_error(err));
}

/* The connection that the identities belong to; it may be another than the addresses alone gave. */
static bool switch_conn(struct ike_sa *ike, const struct ike_msg *msg)
{
	struct path path = {.local = ike->local, .remote = ike->remote};
	struct conn_conf *conn = conn_by_ids(ike->agent, &path, &ike->proposal, &msg->id_i, &msg->id_r,
					     ike->conn);

	if (!conn)
		return false;
	if (conn != ike->conn) {
		ike_log(ike, 1, "selected peer config '%s'", conn->name);
		conn_conf_unref(ike->conn);
		ike->conn = conn_conf_ref(conn);
	}
	local_id_of(conn, &ike->local.ip, &ike->local_id);
	return true;
}

void auth_request(struct ike_sa *ike, const struct ike_msg *msg)
{
	struct agent *a = ike->agent;
	struct setup *s = ike->setup;
	int err;

	id_store(&msg->id_i, &ike->remote_id);
	if (msg->id_i.data.n > sizeof(ike->remote_id.b) || !switch_conn(ike, msg)) {
		refuse_peer(ike, "no connection matches the identities");
		return;
	}
	/* RFC 7296 2.16: without AUTH the peer asks for EAP, which no connection here allows. */
	if (!msg_has(msg, IKE_PL_AUTH) || msg->auth.method != AUTH_METHOD_PSK ||
	    msg->auth.data.n > sizeof(s->peer_auth) || ike->conn->remote_auth != CONF_AUTH_PSK) {
		refuse_peer(ike, "authentication method is not the one configured");
		return;
	}
	memcpy(s->peer_auth, msg->auth.data.p, msg->auth.data.n);
	s->peer_auth_len = msg->auth.data.n;
	s->initial_contact = msg_notify(msg, N_INITIAL_CONTACT) != NULL;
	ike->in = calloc(1, sizeof(*ike->in));
	if (ike->in)
		ike->in->nego = nego_new(ike, false, NULL);
	if (!ike->in || !ike->in->nego) {
		free(ike->in);
		ike->in = NULL;
		ike->req.open = false;
		core_count(a, no_memory);
		return;
	}
	ike->in->nego->error_notify = nego_accept(ike, ike->in->nego, msg, NULL, true);
	err = ask_mac(ike, true, on_peer_mac);
	if (err < 0)
		refuse_peer(ike, mac_error(err));
}
