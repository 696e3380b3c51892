/* SPDX-License-Identifier: BSD-2-Clause */
#include "auth.h"

#include <errno.h>
#include <stdlib.h>

/* IKE_AUTH as initiator: we prove ourselves first, then the responder does (RFC 7296 1.2, 2.21.2). */

static void connect_fail(struct ike_sa *ike, int error, const char *text)
{
	struct outcome o;

	outcome_set(&o, error, "%s", text);
	ike_log(ike, 1, "establishing IKE_SA failed: %s", text);
	ike_end(ike, END_FAILED, &o);
}

/* RFC 6023 3: never without the responder's notify. False: it is needed and cannot be. */
static bool choose_childless(struct ike_sa *ike, const struct task *t)
{
	enum conf_childless conf = ike->conn->childless;
	bool must = !t->conf || conf == CONF_CHILDLESS_FORCE;

	ike->setup->childless = must || (conf == CONF_CHILDLESS_PREFER && ike->peer_childless);
	return !must || ike->peer_childless;
}

void auth_start(struct ike_sa *ike)
{
	const struct conn_conf *conn = ike->conn;
	const struct task *t = task_active(ike);
	struct conf_id mine, theirs;

	if (t && !choose_childless(ike, t)) {
		connect_fail(ike, -EOPNOTSUPP, "peer does not support an IKE_SA without CHILD_SA");
		return;
	}
	local_id_of(conn, &ike->local.ip, &mine);
	if (conn->remote_id->any)
		theirs = (struct conf_id){.any = true, .text = "%any"};
	else
		theirs = *conn->remote_id;
	if (!theirs.type && !theirs.any) {
		struct ike_id id = {.type = ike->remote.ip.family == 6 ? ID_IPV6_ADDR : ID_IPV4_ADDR,
				    .data = slice_of(ike->remote.ip.b, addr_len(&ike->remote.ip))};

		id_store(&id, &theirs);
	}
	if (ike_set_local_id(ike, &mine) < 0 || ike_set_remote_id(ike, &theirs) < 0) {
		connect_fail(ike, -ENOMEM, "no memory");
		return;
	}
	auth_prepare(ike);
}

static int offer_child(struct ike_sa *ike, struct task *t, struct outcome *why)
{
	t->nego = nego_new(ike, true, t->conf);
	if (!t->nego)
		return outcome_set(why, -ENOMEM, "no memory");
	/* A reload may have given the IKE SA an equal copy: the child's conf lies in the task's. */
	if (t->conn && t->nego->conn != t->conn) {
		conn_conf_unref(t->nego->conn);
		t->nego->conn = conn_conf_ref(t->conn);
	}
	return nego_offer(ike, t->nego, NULL, true, why);
}

void initiator_prepared(struct ike_sa *ike, const struct auth_fault *fault)
{
	struct task *t = task_active(ike);
	const struct conn_conf *conn = ike->conn;
	struct ike_id local, remote;
	struct msg_wr chain;
	struct outcome why;

	if (!t)
		return;
	if (fault) {
		ike->agent->core->counter[fault->reason]++;
		connect_fail(ike, fault->error, fault->text);
		return;
	}
	if (!ike->setup->childless && offer_child(ike, t, &why) < 0) {
		connect_fail(ike, why.error, why.text);
		return;
	}
	local = conf_id_view(ike->local_id);
	chain_start(ike->agent, &chain);
	msg_put_id(&chain, IKE_PL_IDI, &local);
	if (ike->setup->own_method->put)
		ike->setup->own_method->put(ike, &chain);
	certreq_put(ike, &chain);
	if (conn->remote_id->type && !conn->remote_id->any && !conn->remote_id->wild) {
		remote = conf_id_view(conn->remote_id);
		msg_put_id(&chain, IKE_PL_IDR, &remote);
	}
	auth_put_own(ike, &chain);
	if (contact_is_initial(ike))
		msg_put_notify(&chain, IKE_PROTO_NONE, N_INITIAL_CONTACT, slice_of(NULL, 0),
			       slice_of(NULL, 0));
	if (t->nego) {
		nego_put_offer(t->nego, &chain);
		ike_log_group(ike, LOG_CHILD, 1, "establishing CHILD_SA %s", t->conf->name);
	}
	ike->auth_sent = true;
	if (request_send(ike, IKE_AUTH, &chain) < 0)
		connect_fail(ike, -ENOMEM, "IKE_AUTH request cannot be made");
}

/* ---- the answer ----------------------------------------------------------------------------------- */

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
static void child_failed(struct ike_sa *ike, const struct outcome *o, const struct child_nego *made)
{
	ike_log_group(ike, LOG_CHILD, 0, "failed to establish CHILD_SA, keeping IKE_SA: %s", o->text);
	setup_free(ike);
	if (made) {
		struct task *t = task_new(ike, TASK_CHILD_DELETE, 0);

		/* The peer believes that it is there. */
		if (t) {
			t->spi = made->spi_in;
			t->proto = child_proto(made->conf);
			task_queue(ike, t);
		}
	}
	task_finish(ike, o);
	if (ike->agent->gw.ike.close_ike_on_child_failure)
		ike_delete(ike, END_LOCAL, 0, NULL);
	else
		contact_established(ike, false);
}

/* The child comes by CREATE_CHILD_SA, at once or when the peer may be ready for it. */
static void child_later(struct ike_sa *ike, struct task *t, bool refused)
{
	t->kind = TASK_CHILD_CREATE;
	t->tries = refused;
	if (refused)
		ike_log_group(ike, LOG_CHILD, 1,
			      "received TEMPORARY_FAILURE for CHILD_SA %s, trying again later",
			      t->conf->name);
	setup_free(ike);
	/* RFC 7296 2.25: not at once. */
	task_postpone(ike, refused ? temp_fail_wait_ms(ike->agent, t->tries) : 0);
	contact_established(ike, false);
}

static void up_without_child(struct ike_sa *ike, struct task *t)
{
	struct outcome o;

	if (t->conf) {
		child_later(ike, t, false);
		return;
	}
	setup_free(ike);
	outcome_set(&o, 0, "IKE_SA %s[%u] established", ike->conn->name, ike->id);
	task_finish(ike, &o);
	contact_established(ike, false);
}

static void reject_peer(struct ike_sa *ike, const struct auth_fault *f)
{
	struct outcome o;

	auth_fault_note(ike, f, "");
	outcome_set(&o, -EACCES, "authentication of the peer '%.48s' failed: %.100s", ike->remote_id->text,
		    f->text);
	/* RFC 7296 2.21.2: the responder believes it is established; tell it. */
	ike_delete(ike, END_FAILED, N_AUTHENTICATION_FAILED, NULL);
	task_finish(ike, &o);
}

void initiator_checked(struct ike_sa *ike, const struct auth_fault *fault)
{
	struct task *t = task_active(ike);
	struct setup *s = ike->setup;
	struct outcome o;

	if (!t || (!t->nego && !s->childless))
		return;
	if (fault) {
		reject_peer(ike, fault);
		return;
	}
	auth_established(ike);
	lifetime_take(ike, s->auth_lifetime);
	if (s->childless) {
		up_without_child(ike, t);
		return;
	}
	if (s->child_error == N_SINGLE_PAIR_REQUIRED && t->trigger.given && !t->single) {
		t->single = true;
		child_later(ike, t, false);
		return;
	}
	if (s->child_error == N_TEMPORARY_FAILURE && t->conf) {
		child_later(ike, t, true);
		return;
	}
	if (s->child_error) {
		outcome_by_peer(&o, -EPROTO, s->child_error);
		ike_log_group(ike, LOG_CHILD, 1, "received %s notify, no CHILD_SA built",
			      ike_notify_name(s->child_error) ? ike_notify_name(s->child_error) : "error");
		child_failed(ike, &o, NULL);
		return;
	}
	if (s->child_bad) {
		outcome_set(&o, -EPROTO, "peer answered with a CHILD_SA that was not offered");
		child_failed(ike, &o, t->nego);
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

static void refused_by_peer(struct ike_sa *ike, uint16_t type)
{
	struct outcome o;

	outcome_by_peer(&o, -EACCES, type);
	core_count(ike->agent, auth_failed);
	ike_log(ike, 0, "received %s notify error", ike_notify_name(type) ? ike_notify_name(type) : "unknown");
	ike_end(ike, END_FAILED, &o);
}

void auth_response(struct ike_sa *ike, const struct ike_msg *msg)
{
	const struct ike_notify_pl *n = msg_error_notify(msg);
	struct setup *s = ike->setup;
	struct task *t = task_active(ike);
	struct conf_id theirs;
	struct auth_fault f;
	struct outcome o;

	if (n && (fatal_error(n->type) || !msg_has(msg, IKE_PL_AUTH) || !msg_has(msg, IKE_PL_IDR))) {
		refused_by_peer(ike, n->type);
		return;
	}
	if (!remote_id_fits(ike->conn, &ike->remote.ip, &msg->id_r)) {
		char got[ID_STRLEN];

		auth_fault_set(&f, IKE_C_auth_identity, -EACCES, "it says '%.60s', '%.60s' is required",
			       id_str(&msg->id_r, got), ike->remote_id->text);
		reject_peer(ike, &f);
		return;
	}
	s->auth_lifetime = lifetime_of(msg);
	id_store(&msg->id_r, &theirs);
	if (ike_set_remote_id(ike, &theirs) < 0) {
		auth_fault_set(&f, IKE_C_no_memory, -ENOMEM, "no memory");
		reject_peer(ike, &f);
		return;
	}
	s->child_error = n ? n->type : 0;
	if (!n && t->nego)
		s->child_bad = nego_answer(ike, t->nego, msg, NULL, &o) < 0;
	auth_check(ike, msg);
}
