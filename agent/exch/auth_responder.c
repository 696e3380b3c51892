/* SPDX-License-Identifier: BSD-2-Clause */
#include "auth.h"

#include <errno.h>
#include <stdlib.h>

/*
 * IKE_AUTH as responder. The order is what keeps work away from strangers: the peer's AUTH is checked before
 * ours is made (with a pre-shared key: used, auth_psk.c), and nothing is installed before both are done.
 */

static void refuse_peer(struct ike_sa *ike, const struct auth_fault *f)
{
	struct outcome o;

	auth_fault_note(ike, f, ", sending AUTHENTICATION_FAILED");
	outcome_set(&o, -EACCES, "%s", f->text);
	reply_notify(ike, N_AUTHENTICATION_FAILED, slice_of(NULL, 0));
	ike_end(ike, END_FAILED, &o);
}

static void auth_reply(struct ike_sa *ike, struct child_nego *n)
{
	struct ike_id id = conf_id_view(ike->local_id);
	struct msg_wr chain;

	chain_start(ike->agent, &chain);
	msg_put_id(&chain, IKE_PL_IDR, &id);
	if (ike->setup->own_method->put)
		ike->setup->own_method->put(ike, &chain);
	auth_put_own(ike, &chain);
	lifetime_put(ike, &chain);
	if (n && n->error_notify)
		msg_put_notify(&chain, IKE_PROTO_NONE, n->error_notify, slice_of(NULL, 0),
			       slice_of(NULL, 0));
	else if (n)
		nego_put_answer(n, &chain);
	reply_send(ike, &chain);
}

static void auth_end(struct ike_sa *ike)
{
	bool initial = ike->setup->initial_contact;

	auth_reply(ike, ike->in->nego);
	nego_free(ike->agent, ike->in->nego);
	free(ike->in);
	ike->in = NULL;
	setup_free(ike);
	contact_established(ike, initial);
}

static void auth_complete(struct ike_sa *ike, struct child_nego *n, int error)
{
	struct agent *a = ike->agent;
	struct child_sa *c = sa_find_child(a, n->child_id);
	bool initial = ike->setup->initial_contact;

	if (error)
		n->error_notify = N_TEMPORARY_FAILURE;
	if (!n->error_notify &&
	    (!c || child_activate_beside(c, initial) < 0))
		n->error_notify = N_TEMPORARY_FAILURE;
	if (n->error_notify)
		ike_log_group(ike, LOG_CHILD, 0, "failed to establish CHILD_SA, keeping IKE_SA: %s%s%s",
			      ike_notify_name(n->error_notify), error ? ", " : "",
			      error ? strerror(-error) : "");
	auth_end(ike);
}

void responder_prepared(struct ike_sa *ike, const struct auth_fault *fault)
{
	struct child_nego *n;

	if (!ike->in)
		return;
	if (fault) {
		refuse_peer(ike, fault);
		return;
	}
	n = ike->in->nego;
	auth_established(ike);
	if (!n) {
		auth_end(ike);
		return;
	}
	n->ni = ike->setup->ni;
	n->nr = ike->setup->nr;
	if (n->error_notify)
		auth_complete(ike, n, 0);
	else
		nego_install(ike, n, auth_complete);
}

static bool take_request(struct ike_sa *ike, const struct ike_msg *msg)
{
	ike->in = calloc(1, sizeof(*ike->in));
	if (!ike->in)
		return false;
	if (ike->setup->childless)
		return true;
	ike->in->nego = nego_new(ike, false, NULL);
	if (!ike->in->nego) {
		free(ike->in);
		ike->in = NULL;
		return false;
	}
	ike->in->nego->error_notify = nego_accept(ike, ike->in->nego, msg, NULL, true);
	return true;
}

/* The same request by the rules of another connection. False: there is none. */
static bool check_by_next(struct ike_sa *ike, const struct auth_fault *fault)
{
	struct auth_fault f;
	struct ike_msg *msg;

	if (!auth_next(ike, fault, &msg))
		return false;
	nego_free(ike->agent, ike->in->nego);
	free(ike->in);
	ike->in = NULL;
	if (take_request(ike, msg)) {
		auth_check(ike, msg);
	} else {
		auth_fault_set(&f, IKE_C_no_memory, -ENOMEM, "no memory");
		refuse_peer(ike, &f);
	}
	free(msg);
	return true;
}

/* Too much to do at this moment says nothing of the peer: its request is forgotten, and comes again (RFC 7296 2.1). */
static bool put_off(struct ike_sa *ike, const struct auth_fault *fault)
{
	if (!fault || (fault->error != -EBUSY && fault->error != -ENOMEM))
		return false;
	core_count(ike->agent, busy);
	auth_again_free(ike->setup);
	nego_free(ike->agent, ike->in->nego);
	free(ike->in);
	ike->in = NULL;
	ike->req.open = false;
	return true;
}

void responder_checked(struct ike_sa *ike, const struct auth_fault *fault)
{
	struct auth_fault kept;

	if (!ike->in || put_off(ike, fault))
		return;
	if (!fault && contact_kept_out(ike)) {
		auth_fault_set(&kept, IKE_C_auth_unique, -EEXIST,
			       "it has an IKE_SA already, which unique = keep keeps");
		fault = &kept;
	}
	if (!fault)
		auth_prepare(ike);
	else if (!check_by_next(ike, fault))
		refuse_peer(ike, fault);
}

bool responder_take_conn(struct ike_sa *ike, struct conn_conf *conn)
{
	struct conf_id mine;

	if (conn != ike->conn) {
		ike_log(ike, 1, "selected peer config '%s'", conn->name);
		if (ike_set_conn(ike, conn) < 0)
			return false;
	}
	local_id_of(conn, &ike->local.ip, &mine);
	return ike_set_local_id(ike, &mine) == 0;
}

/* The connection that the identities belong to; it may be another than the addresses alone gave. */
static bool switch_conn(struct ike_sa *ike, const struct ike_msg *msg)
{
	struct path path = {.local = ike->local, .remote = ike->remote};
	struct conn_query q = conn_query_of(ike, &path, msg);
	struct conn_conf *conn = conn_by_ids(ike->agent, &q, ike->conn);

	return conn && responder_take_conn(ike, conn);
}

/* childless = never and force: said before any work is done for the peer; it is not an answer to who it is. */
static bool childless_fits(struct ike_sa *ike, bool childless)
{
	uint16_t say = childless ? N_INVALID_SYNTAX : N_NO_ADDITIONAL_SAS;
	struct auth_fault f;
	struct outcome o;

	if (conn_childless_fits(ike->conn, childless))
		return true;
	auth_fault_set(&f, IKE_C_auth_childless, -EACCES, "%s",
		       childless ? "it asks for no CHILD_SA, which childless = never refuses"
				 : "it asks for a CHILD_SA at once, which childless = force refuses");
	auth_fault_note(ike, &f, childless ? ", sending INVALID_SYNTAX" : ", sending NO_ADDITIONAL_SAS");
	outcome_set(&o, -EACCES, "%s", f.text);
	/* RFC 6023 3: as who does not know the extension. */
	reply_notify(ike, say, slice_of(NULL, 0));
	ike_end(ike, END_FAILED, &o);
	return false;
}

void auth_request(struct ike_sa *ike, const struct ike_msg *msg)
{
	struct conf_id theirs;
	struct auth_fault f;

	id_store(&msg->id_i, &theirs);
	if (ike_set_remote_id(ike, &theirs) < 0) {
		auth_fault_set(&f, IKE_C_no_memory, -ENOMEM, "no memory");
		refuse_peer(ike, &f);
		return;
	}
	if (msg->id_i.data.n > sizeof(theirs.b) || !switch_conn(ike, msg)) {
		auth_fault_set(&f, IKE_C_auth_no_conn, -EACCES, "no connection matches the identities");
		refuse_peer(ike, &f);
		return;
	}
	ike->setup->childless = !msg_has(msg, IKE_PL_SA);
	if (!childless_fits(ike, ike->setup->childless))
		return;
	certreq_take(ike->setup, msg);
	ike->setup->initial_contact = msg_notify(msg, N_INITIAL_CONTACT) != NULL;
	if (!take_request(ike, msg)) {
		ike->req.open = false;
		core_count(ike->agent, no_memory);
		return;
	}
	auth_keep(ike, msg);
	auth_check(ike, msg);
}
