/* SPDX-License-Identifier: BSD-2-Clause */
#include "exch.h"

#include <errno.h>

/* INFORMATIONAL: Delete of Child and IKE SAs, liveness, late errors (RFC 7296 1.4, 2.4, 2.21, 2.25). */

/* ---- what we ask ------------------------------------------------------------------------------- */

static void put_error(struct msg_wr *chain, uint16_t type)
{
	msg_put_notify(chain, IKE_PROTO_NONE, type, slice_of(NULL, 0), slice_of(NULL, 0));
}

static bool child_delete_put(struct ike_sa *ike, struct task *t, struct msg_wr *chain)
{
	struct child_sa *c = sa_find_child(ike->agent, t->child_id);
	struct outcome o;

	if (!t->spi && (!c || c->ike != ike)) {
		outcome_set(&o, 0, "the CHILD_SA is gone already");
		task_finish(ike, &o);
		return false;
	}
	if (c) {
		t->spi = c->spi_in;
		t->proto = child_sa_proto(c);
		if (c->state != CHILD_DELETING)
			child_state_set(c, CHILD_DELETING);
		ike_log_group(ike, LOG_CHILD, 1, "sending DELETE for %s CHILD_SA with SPI %08x",
			      proto_text(t->proto), t->spi);
	}
	msg_put_delete(chain, t->proto, &t->spi, 1);
	return true;
}

void informational_start(struct ike_sa *ike, struct task *t)
{
	struct msg_wr chain;
	struct outcome o;

	chain_start(ike->agent, &chain);
	switch (t->kind) {
	case TASK_CHILD_DELETE:
		if (!child_delete_put(ike, t, &chain))
			return;
		break;
	case TASK_IKE_DELETE:
		if (ike->state != IKE_DELETING)
			ike_state_set(ike, IKE_DELETING);
		if (t->say) {
			put_error(&chain, t->say);
		} else {
			ike_log(ike, 1, "deleting IKE_SA %s[%u]", ike_conn_name(ike), ike->id);
			msg_put_delete_ike(&chain);
		}
		break;
	default:
		core_count(ike->agent, dpd_out);
		ike_log(ike, 2, "sending DPD request");
	}
	if (request_send(ike, IKE_INFORMATIONAL, &chain) == 0)
		return;
	outcome_set(&o, -ENOMEM, "INFORMATIONAL request cannot be made");
	if (t->kind == TASK_IKE_DELETE)
		ike_end(ike, (enum ike_end)t->why, &o);
	else
		task_finish(ike, &o);
}

void informational_response(struct ike_sa *ike, const struct ike_msg *msg)
{
	struct task *t = task_active(ike);
	struct child_sa *c = sa_find_child(ike->agent, t->child_id);
	struct outcome o;

	(void)msg;
	switch (t->kind) {
	case TASK_IKE_DELETE:
		ike_log(ike, 1, "IKE_SA deleted");
		outcome_set(&o, 0, "IKE_SA %s[%u] closed", ike_conn_name(ike), ike->id);
		ike_end(ike, (enum ike_end)t->why, &o);
		return;
	case TASK_CHILD_DELETE:
		/* RFC 7296 1.4.1: the answer names the other half, or nothing when both deleted at once. */
		if (c)
			outcome_set(&o, 0, "CHILD_SA %s{%u} closed", c->conf->name, c->id);
		else
			outcome_set(&o, 0, "CHILD_SA closed");
		if (c)
			child_gone(c, t->recreate ? CONF_ACTION_START : CONF_ACTION_NONE);
		break;
	default:
		outcome_set(&o, 0, "peer is alive");
	}
	task_finish(ike, &o);
}

void liveness_hint(struct ike_sa *ike)
{
	uint64_t now = sa_now_ms();
	struct task *t;

	if (ike->state != IKE_ESTABLISHED || !TAILQ_EMPTY(&ike->tasks) ||
	    (ike->hint_ms && now - ike->hint_ms < LIVENESS_HINT_MS))
		return;
	ike->hint_ms = now;
	t = task_new(ike, TASK_DPD, 0);
	if (t)
		task_queue(ike, t);
}

/* ---- what the peer asks --------------------------------------------------------------------------- */

static void peer_deletes_ike(struct ike_sa *ike)
{
	struct task *t = task_active(ike);
	struct outcome o;

	ike_log(ike, 1, "received DELETE for IKE_SA %s[%u]", ike_conn_name(ike), ike->id);
	reply_empty(ike);
	/* RFC 7296 2.25.2: our own rekey is forgotten; the peer's, if it made one, goes on. */
	rekey_ike_adopt_peer(ike);
	if (ike->state == IKE_REKEYED) {
		outcome_set(&o, 0, "IKE_SA was rekeyed by the peer");
		ike_end(ike, END_REPLACED, &o);
	} else if (ike->state == IKE_DELETING && t && t->kind == TASK_IKE_DELETE) {
		outcome_set(&o, 0, "IKE_SA %s[%u] closed", ike_conn_name(ike), ike->id);
		ike_end(ike, (enum ike_end)t->why, &o);
	} else {
		outcome_set(&o, -ECONNRESET, "peer deleted the IKE_SA");
		ike_end(ike, END_PEER, &o);
	}
}

/* Our halves of what the peer deleted, of one protocol. */
struct gone {
	uint32_t spi[IKE_DELETES_MAX * IKE_DELETE_SPIS_MAX];
	uint16_t n;
};

static void peer_deletes(struct ike_sa *ike, const struct ike_delete_pl *del, struct gone *gone)
{
	struct child_sa *c;

	for (unsigned int i = 0; i < del->n; i++) {
		c = child_find_spi_out(ike, del->proto, del->spi[i]);
		if (!c || c->state == CHILD_INSTALLING)
			continue;
		ike_log_group(ike, LOG_CHILD, 1, "received DELETE for %s CHILD_SA with SPI %08x",
			      proto_text(del->proto), c->spi_out);
		if (c->state != CHILD_DELETING)
			gone->spi[gone->n++] = c->spi_in;
		child_gone(c, c->state == CHILD_DELETING ? CONF_ACTION_NONE : c->conf->close_action);
	}
}

/* RFC 7296 1.4.1, 2.25.1: our half is named in the answer unless we are deleting it ourselves. RFC 7296 3.11: a Delete
 * names SPIs of one protocol. */
static void peer_deletes_children(struct ike_sa *ike, const struct ike_msg *msg)
{
	struct gone esp = {.n = 0}, ah = {.n = 0};
	struct msg_wr chain;

	for (unsigned int d = 0; d < msg->n_delete; d++)
		peer_deletes(ike, &msg->del[d], msg->del[d].proto == IKE_PROTO_AH ? &ah : &esp);
	chain_start(ike->agent, &chain);
	if (esp.n)
		msg_put_delete(&chain, IKE_PROTO_ESP, esp.spi, esp.n);
	if (ah.n)
		msg_put_delete(&chain, IKE_PROTO_AH, ah.spi, ah.n);
	reply_send(ike, &chain);
}

void informational_request(struct ike_sa *ike, const struct ike_msg *msg)
{
	const struct ike_notify_pl *error = msg_error_notify(msg);
	struct outcome o;

	for (unsigned int d = 0; d < msg->n_delete; d++) {
		if (msg->del[d].proto == IKE_PROTO_IKE) {
			peer_deletes_ike(ike);
			return;
		}
	}
	if (msg->n_delete && ike->undecided) {
		/* Its children are not here yet: unanswered, the request comes again when they are. */
		ike->req.open = false;
		return;
	}
	if (msg->n_delete) {
		peer_deletes_children(ike, msg);
		return;
	}
	lifetime_take(ike, lifetime_of(msg));
	reply_empty(ike);
	if (!error)
		return;
	ike_log(ike, 1, "received %s notify error",
		ike_notify_name(error->type) ? ike_notify_name(error->type) : "unknown");
	/* RFC 7296 2.21.2: the initiator did not accept who we are. */
	if (error->type == N_AUTHENTICATION_FAILED) {
		core_count(ike->agent, auth_failed);
		outcome_by_peer(&o, -EACCES, error->type);
		ike_end(ike, END_FAILED, &o);
	}
}
