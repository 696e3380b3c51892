/* SPDX-License-Identifier: BSD-2-Clause */
#include "exch.h"

#include <errno.h>
#include <stdlib.h>

/* CREATE_CHILD_SA for Child SAs: new ones and rekeys, both roles (RFC 7296 1.3.1, 1.3.3, 2.8, 2.25). */

/* ---- initiator ------------------------------------------------------------------------------------ */

/* The rekey came to nothing: the old SA works on and is tried again later. */
static void rekey_failed(struct ike_sa *ike, const struct task *t)
{
	struct child_sa *old = sa_find_child(ike->agent, t->child_id);

	/* It expired meanwhile. */
	if (!old && t->nego && t->nego->conf && (t->nego->conf->start_action & CONF_ACTION_START))
		intend(ike->agent, ike_conn_name(ike), t->nego->conf->name, RESTART_WAIT_MS);
	if (!old || old->state != CHILD_REKEYING)
		return;
	child_state_set(old, CHILD_INSTALLED);
	if (old->lost) {
		/* No keys behind it any more: only a new one helps. */
		struct task *del = task_new(ike, TASK_CHILD_DELETE, old->id);

		if (!del)
			return;
		del->recreate = true;
		task_queue(ike, del);
		return;
	}
	child_rekey_again(old);
}

static void create_fail(struct ike_sa *ike, const struct outcome *o)
{
	struct task *t = task_active(ike);

	ike_log_group(ike, LOG_CHILD, 0, "%s CHILD_SA %s failed: %s",
		      t->kind == TASK_CHILD_REKEY ? "rekeying" : "establishing",
		      t->nego && t->nego->conf ? t->nego->conf->name : "", o->text);
	if (t->kind == TASK_CHILD_REKEY)
		rekey_failed(ike, t);
	task_finish(ike, o);
}

static void create_fail_text(struct ike_sa *ike, int error, const char *text)
{
	struct outcome o;

	outcome_set(&o, error, "%s", text);
	create_fail(ike, &o);
}

/* The peer brought up meanwhile what was asked for, or at the same time: true, and the task is over. */
static bool peer_created(struct ike_sa *ike, const struct task *t)
{
	struct child_sa *c = t->collide_id ? sa_find_child(ike->agent, t->collide_id) : NULL;
	struct outcome o;

	if (!c && t->tries && t->conf)
		c = child_find_up(ike->agent, ike_conn_name(ike), t->conf->name, NULL);
	if (t->kind != TASK_CHILD_CREATE || !c || !child_up(c))
		return false;
	outcome_set(&o, 0, "CHILD_SA %s{%u} established by the peer", c->conf->name, c->id);
	task_finish(ike, &o);
	return true;
}

static void create_send(struct ike_sa *ike)
{
	struct task *t = task_active(ike);
	struct child_nego *n = t->nego;
	const struct child_sa *old = sa_find_child(ike->agent, t->child_id);
	struct msg_wr chain;
	uint8_t spi[4];
	struct wr w = wr_of(spi, sizeof(spi));

	if (peer_created(ike, t))
		return;
	chain_start(ike->agent, &chain);
	if (t->kind == TASK_CHILD_REKEY) {
		if (!old || old->state != CHILD_REKEYING) {
			create_fail_text(ike, -ENOENT, "the CHILD_SA was closed meanwhile");
			return;
		}
		/* RFC 7296 1.3.3: the SPI that the sender expects in inbound packets. */
		wr_u32(&w, old->spi_in);
		msg_put_notify(&chain, child_sa_proto(old), N_REKEY_SA, wr_slice(&w), slice_of(NULL, 0));
	}
	nego_put_offer(n, &chain);
	if (request_send(ike, IKE_CREATE_CHILD_SA, &chain) < 0)
		create_fail_text(ike, -ENOMEM, "CREATE_CHILD_SA request cannot be made");
}

static void on_ke_made(struct ike_sa *ike, int error)
{
	if (error)
		create_fail_text(ike, error, "key pair cannot be made");
	else
		create_send(ike);
}

static void create_prepare(struct ike_sa *ike)
{
	struct child_nego *n = task_active(ike)->nego;

	if (n->kx.group)
		kx_generate(ike, &n->kx, on_ke_made);
	else
		create_send(ike);
}

/* What a queued rekey finds: 0 to go on, or the outcome of a rekey that is not needed. */
static bool rekey_wanted(struct ike_sa *ike, struct child_sa *old)
{
	struct outcome o;

	if (old && old->state == CHILD_INSTALLED)
		return true;
	if (old && old->replaced_by)
		outcome_set(&o, 0, "CHILD_SA %s{%u} was rekeyed by the peer", old->conf->name, old->id);
	else
		outcome_set(&o, -ENOENT, "the CHILD_SA is gone");
	task_finish(ike, &o);
	return false;
}

void create_child_start(struct ike_sa *ike, struct task *t)
{
	struct child_sa *old = NULL;
	struct outcome why;

	if (peer_created(ike, t))
		return;
	if (t->kind == TASK_CHILD_REKEY) {
		old = sa_find_child(ike->agent, t->child_id);
		if (!rekey_wanted(ike, old))
			return;
	}
	t->nego = nego_new(ike, true, old ? old->conf : t->conf);
	if (t->nego && t->conn && t->nego->conn != t->conn) {
		conn_conf_unref(t->nego->conn);
		t->nego->conn = conn_conf_ref(t->conn);
	}
	if (!t->nego || nego_offer(ike, t->nego, old, false, &why) < 0) {
		create_fail_text(ike, t->nego ? why.error : -ENOMEM, t->nego ? why.text : "no memory");
		return;
	}
	ike_log_group(ike, LOG_CHILD, 1, "%s CHILD_SA %s%s", old ? "rekeying" : "establishing",
		      t->nego->conf->name, old ? "" : " on this IKE_SA");
	if (old)
		child_state_set(old, CHILD_REKEYING);
	create_prepare(ike);
}

/* RFC 7296 1.3: the group the peer wants, if it is one of ours; a new exchange with a new nonce. */
static bool retry_group(struct ike_sa *ike, const struct ike_notify_pl *n)
{
	struct child_nego *nego = task_active(ike)->nego;
	struct child_sa *old = sa_find_child(ike->agent, task_active(ike)->child_id);
	struct outcome why;

	if (!kx_retry(ike, &nego->kx, nego->offer, n->data))
		return false;
	if (nego_offer(ike, nego, old, false, &why) < 0)
		return false;
	create_prepare(ike);
	return true;
}

static void wait_and_retry(struct ike_sa *ike, struct task *t)
{
	struct child_sa *old = sa_find_child(ike->agent, t->child_id);
	struct outcome o;

	if (++t->tries > TEMP_FAIL_TRIES) {
		/* RFC 7296 2.25: a peer that stays so for minutes has lost its way. */
		outcome_by_peer(&o, -EAGAIN, N_TEMPORARY_FAILURE);
		create_fail(ike, &o);
		ike_delete(ike, END_TIMEOUT, 0, NULL);
		return;
	}
	if (old && old->state == CHILD_REKEYING)
		child_state_set(old, CHILD_INSTALLED);
	ike_log(ike, 1, "received TEMPORARY_FAILURE, trying again later");
	task_postpone(ike, temp_fail_wait_ms(ike->agent, t->tries));
}

/* RFC 7296 2.25.1: the peer does not have it: gone without a Delete, and made anew. */
static void not_found(struct ike_sa *ike, struct task *t)
{
	struct child_sa *old = sa_find_child(ike->agent, t->child_id);
	struct outcome o;

	outcome_by_peer(&o, -ENOENT, N_CHILD_SA_NOT_FOUND);
	if (old && !old->replaced_by) {
		intend(ike->agent, ike_conn_name(ike), old->conf->name, 0);
		child_gone(old, CONF_ACTION_TRAP);
	}
	create_fail(ike, &o);
}

/* The peer refused our rekey because its own came first: RFC 7296 2.8.1, 2.25. */
static bool peer_was_first(struct ike_sa *ike, struct task *t)
{
	struct child_sa *old = sa_find_child(ike->agent, t->child_id);
	struct outcome o;

	if (t->kind != TASK_CHILD_REKEY || (!t->collide_id && !(old && old->replaced_by)))
		return false;
	outcome_set(&o, 0, "CHILD_SA was rekeyed by the peer at the same time");
	task_finish(ike, &o);
	return true;
}

/* RFC 7296 2.9: it takes one pair of addresses an SA: that of the packet, where there is one. */
static bool retry_single(struct ike_sa *ike, struct task *t)
{
	struct outcome why;

	if (t->kind != TASK_CHILD_CREATE || t->single || !t->trigger.given)
		return false;
	t->single = true;
	ike_log_group(ike, LOG_CHILD, 1, "received SINGLE_PAIR_REQUIRED, asking for the packet's own addresses");
	if (nego_offer(ike, t->nego, NULL, false, &why) < 0)
		return false;
	create_prepare(ike);
	return true;
}

static void create_refused(struct ike_sa *ike, struct task *t, const struct ike_notify_pl *n)
{
	struct outcome o;
	bool rekeying;

	if (n->type == N_INVALID_KE_PAYLOAD && retry_group(ike, n))
		return;
	if (n->type == N_SINGLE_PAIR_REQUIRED && retry_single(ike, t))
		return;
	if (peer_was_first(ike, t) || peer_created(ike, t))
		return;
	if (n->type == N_TEMPORARY_FAILURE) {
		wait_and_retry(ike, t);
		return;
	}
	if (n->type == N_CHILD_SA_NOT_FOUND && t->kind == TASK_CHILD_REKEY) {
		not_found(ike, t);
		return;
	}
	if (n->type == N_NO_PROPOSAL_CHOSEN)
		core_count(ike->agent, no_proposal);
	rekeying = t->kind == TASK_CHILD_REKEY;
	outcome_by_peer(&o, -EPROTO, n->type);
	create_fail(ike, &o);
	if (rekeying && n->type == N_NO_ADDITIONAL_SAS)
		ike_renew(ike);
}

static void delete_child_later(struct ike_sa *ike, struct child_sa *c)
{
	if (child_delete(c, NULL) < 0)
		ike_log_group(ike, LOG_CHILD, 1, "no memory to delete CHILD_SA {%u}", c->id);
}

static bool nonce_lower(const struct child_sa *c, const struct child_sa *than)
{
	return nonce_cmp(slice_of(c->nonce_low, c->nonce_low_len),
			 slice_of(than->nonce_low, than->nonce_low_len)) < 0;
}

static void rekey_won(struct ike_sa *ike, const struct child_sa *own, struct child_sa *peer)
{
	ike_log_group(ike, LOG_CHILD, 1,
		      "CHILD_SA rekey collision won, waiting for the peer to delete {%u}", peer->id);
	child_stand_back(peer, own);
}

/*
 * RFC 7296 2.8.1: both rekeyed the same SA. Of the four nonces the lowest names the SA that loses; who made it
 * deletes it, and who made the other deletes the old one.
 */
static void settle_rekey(struct ike_sa *ike, struct task *t, struct child_sa *own, struct outcome *o)
{
	struct agent *a = ike->agent;
	struct child_sa *old = sa_find_child(a, t->child_id);
	struct child_sa *peer = t->collide_id ? sa_find_child(a, t->collide_id) : NULL;

	outcome_set(o, 0, "CHILD_SA %s{%u} rekeyed as {%u}", own->conf->name, t->child_id, own->id);
	if (ike->in && ike->in->nego->old_id == t->child_id)
		ike->in->nego->rival_id = own->id;
	if (peer && child_up(peer) && nonce_lower(own, peer)) {
		ike_log_group(ike, LOG_CHILD, 1, "CHILD_SA rekey collision lost, deleting {%u}", own->id);
		own->replaced_by = peer->id;
		child_state_set(own, CHILD_REKEYED);
		delete_child_later(ike, own);
		return;
	}
	if (old && old->state == CHILD_DELETING)
		old = NULL;
	if (child_activate(own, old ? old : peer) < 0) {
		outcome_set(o, -EIO, "CHILD_SA cannot be put into force");
		return;
	}
	if (peer && old)
		rekey_won(ike, own, peer);
	if (old)
		delete_child_later(ike, old);
}

/*
 * The same, when the peer's request came before our rekey was over and its keys or its SA were made after that: what
 * the peer asked for is `c`. The old SA is ours to delete in this case, or gone already.
 */
static void settle_late(struct ike_sa *ike, struct child_sa *c, struct child_sa *own)
{
	if (!nonce_lower(own, c)) {
		rekey_won(ike, own, c);
		return;
	}
	ike_log_group(ike, LOG_CHILD, 1, "CHILD_SA rekey collision lost, {%u} gives way to {%u}", own->id, c->id);
	child_give_way(own, c);
}

/* Both asked for the same child at once, and the peer's request had the higher nonce: its SA stays. */
static bool create_lost(struct ike_sa *ike, const struct task *t, struct child_sa *own, struct outcome *o)
{
	struct child_sa *peer = t->collide_id ? sa_find_child(ike->agent, t->collide_id) : NULL;

	if (!peer || !child_up(peer))
		return false;
	ike_log_group(ike, LOG_CHILD, 1, "peer established CHILD_SA {%u} at the same time, deleting {%u}",
		      peer->id, own->id);
	outcome_set(o, 0, "CHILD_SA %s{%u} established by the peer", peer->conf->name, peer->id);
	own->replaced_by = peer->id;
	child_state_set(own, CHILD_REKEYED);
	delete_child_later(ike, own);
	return true;
}

static void on_created(struct ike_sa *ike, struct child_nego *n, int error)
{
	struct task *t = task_active(ike);
	struct child_sa *c = sa_find_child(ike->agent, n->child_id);
	struct outcome o;

	if (error || !c) {
		struct task *del = task_new(ike, TASK_CHILD_DELETE, 0);

		if (del) {
			del->spi = n->spi_in;
			del->proto = child_proto(n->conf);
			task_queue(ike, del);
		}
		create_fail_text(ike, error ? error : -EIO, strerror(error ? -error : EIO));
		return;
	}
	if (t->kind == TASK_CHILD_REKEY) {
		settle_rekey(ike, t, c, &o);
	} else if (!create_lost(ike, t, c, &o)) {
		error = child_activate(c, NULL);
		if (error)
			outcome_set(&o, error, "CHILD_SA cannot be put into force: %s",
				    strerror(-error));
		else
			outcome_set(&o, 0, "CHILD_SA %s{%u} established", c->conf->name, c->id);
	}
	task_finish(ike, &o);
}

static void on_ke_shared(struct ike_sa *ike, int error)
{
	struct child_nego *n = task_active(ike)->nego;

	if (error)
		on_created(ike, n, error);
	else
		nego_install(ike, n, on_created);
}

/* RFC 7296 2.9: a packet asked, the peer left it out and gave what is there already: one more of that is of no use. */
static bool superfluous(const struct ike_sa *ike, const struct task *t, struct outcome *why)
{
	const struct child_nego *n = t->nego;
	const struct child_sa *c;

	if (!t->trigger.given ||
	    (ts_within(&t->trigger.local, &n->ts_local) && ts_within(&t->trigger.remote, &n->ts_remote)))
		return false;
	TAILQ_FOREACH (c, &ike->children, next) {
		if (!child_up(c) || !ts_list_subset(&n->ts_local, c->ts_local) ||
		    !ts_list_subset(&n->ts_remote, c->ts_remote))
			continue;
		outcome_set(why, -EPROTO, "peer's traffic selectors leave out the packet that asked");
		return true;
	}
	return false;
}

void create_child_response(struct ike_sa *ike, const struct ike_msg *msg)
{
	struct task *t = task_active(ike);
	struct child_nego *n = t->nego;
	const struct ike_notify_pl *error = msg_error_notify(msg);
	const struct child_sa *old = sa_find_child(ike->agent, t->child_id);
	struct outcome why;

	if (!n) {
		create_fail_text(ike, -EPROTO, "no negotiation under way");
		return;
	}
	if (error) {
		create_refused(ike, t, error);
		return;
	}
	if (nego_answer(ike, n, msg, old, &why) < 0 || superfluous(ike, t, &why)) {
		struct task *del = task_new(ike, TASK_CHILD_DELETE, 0);

		/* The peer has it installed. */
		if (del) {
			del->spi = n->spi_in;
			del->proto = child_proto(n->conf);
			task_queue(ike, del);
		}
		create_fail(ike, &why);
		return;
	}
	if (!n->suite.ke) {
		nego_install(ike, n, on_created);
		return;
	}
	kx_finish(ike, &n->kx, msg->ke.data, on_ke_shared);
}

/* ---- responder ------------------------------------------------------------------------------------- */

static void in_end(struct ike_sa *ike)
{
	nego_free(ike->agent, ike->in->nego);
	free(ike->in);
	ike->in = NULL;
}

static void answer(struct ike_sa *ike, const struct child_nego *n)
{
	struct msg_wr chain;

	chain_start(ike->agent, &chain);
	nego_put_answer(n, &chain);
	reply_send(ike, &chain);
}

static void on_responded(struct ike_sa *ike, struct child_nego *n, int error)
{
	struct agent *a = ike->agent;
	struct child_sa *c = sa_find_child(a, n->child_id);
	struct child_sa *old = n->old_id ? sa_find_child(a, n->old_id) : NULL;
	struct child_sa *rival = n->rival_id ? sa_find_child(a, n->rival_id) : NULL;
	struct task *t = task_active(ike);

	if (error || !c) {
		ike_log_group(ike, LOG_CHILD, 0, "installing CHILD_SA %s failed: %s", n->conf->name,
			      strerror(-error));
		reply_notify(ike, error == -EINVAL ? N_INVALID_SYNTAX : N_TEMPORARY_FAILURE,
			     slice_of(NULL, 0));
		in_end(ike);
		return;
	}
	if (rival && child_up(rival)) {
		answer(ike, n);
		in_end(ike);
		settle_late(ike, c, rival);
		return;
	}
	if (!old) {
		if (t && t->kind == TASK_CHILD_CREATE && t->conf == n->conf)
			t->collide_id = c->id;
		if (child_activate_beside(c, false) < 0)
			reply_notify(ike, N_TEMPORARY_FAILURE, slice_of(NULL, 0));
		else
			answer(ike, n);
		in_end(ike);
		return;
	}
	/* RFC 7296 2.8.1: ours for the same SA is under way; its answer decides which stays. */
	if (t && t->kind == TASK_CHILD_REKEY && t->child_id == old->id)
		t->collide_id = c->id;
	answer(ike, n);
	in_end(ike);
	child_activate_later(c, old);
}

static void on_ke_responded(struct ike_sa *ike, int error)
{
	struct child_nego *n = ike->in->nego;

	if (error)
		on_responded(ike, n, error);
	else
		nego_install(ike, n, on_responded);
}

/*
 * Both sides initiate the same child at once, for which RFC 7296 has no rule. The request with the higher nonce
 * stands: who sent it refuses the other for now, and who sent the other deletes what came of it
 * when it was accepted nevertheless.
 */
static bool create_wins(const struct ike_sa *ike, const struct child_nego *n)
{
	const struct task *t = task_active(ike);

	return t && t->kind == TASK_CHILD_CREATE && t->step == TASK_SENT && t->nego && t->conf == n->conf &&
	       nonce_cmp(slice_of(n->ni.b, n->ni.n), slice_of(t->nego->ni.b, t->nego->ni.n)) < 0;
}

/* RFC 7296 2.25: what stands in the way of a new Child SA; 0 when nothing does. */
static uint16_t create_obstacle(const struct ike_sa *ike)
{
	const struct task *t = task_active(ike);

	/* The peer may know already that its rekey of the IKE SA has won; we do not have the children here yet. */
	if (!ike_usable(ike) || ike->undecided)
		return N_TEMPORARY_FAILURE;
	if (ike->state == IKE_REKEYING || (t && t->kind == TASK_IKE_REKEY) || ike->rekey_peer.generation)
		return N_TEMPORARY_FAILURE;
	return 0;
}

/* A peer with the keys cannot make us hold any number: RFC 7296 1.3. Rekeyed ones that wait for their Delete count, too. */
static bool too_many(const struct ike_sa *ike, bool rekey)
{
	uint32_t limit = ike->agent->gw.ike.child_sa_limit, n = 0;
	const struct child_sa *c;

	TAILQ_FOREACH (c, &ike->children, next)
		n++;
	return limit && n >= (rekey ? 2 * (uint64_t)limit + 2 : limit);
}

/* The Child SA that REKEY_SA names; a refusal is sent when there is none or it cannot be rekeyed. */
static struct child_sa *rekey_target(struct ike_sa *ike, const struct ike_notify_pl *n)
{
	struct rd r = rd_of(n->spi);
	uint32_t spi = rd_u32(&r);
	struct child_sa *old;
	struct msg_wr chain;

	old = rd_done(&r) ? child_find_spi_out(ike, n->proto, spi) : NULL;
	if (old && child_up(old))
		return old;
	if (old) {
		/* We are closing it, or have replaced it. */
		reply_notify(ike, N_TEMPORARY_FAILURE, slice_of(NULL, 0));
		return NULL;
	}
	ike_log_group(ike, LOG_CHILD, 1, "CHILD_SA to be rekeyed not found");
	chain_start(ike->agent, &chain);
	msg_put_notify(&chain, n->proto, N_CHILD_SA_NOT_FOUND, n->spi.n <= 4 ? n->spi : slice_of(NULL, 0),
		       slice_of(NULL, 0));
	reply_send(ike, &chain);
	return NULL;
}

void create_child_request(struct ike_sa *ike, const struct ike_msg *msg)
{
	const struct ike_notify_pl *rekey = msg_notify(msg, N_REKEY_SA);
	uint16_t refusal = create_obstacle(ike);
	struct child_sa *old = NULL;
	struct child_nego *n;

	if (refusal) {
		reply_notify(ike, refusal, slice_of(NULL, 0));
		return;
	}
	if (too_many(ike, rekey != NULL)) {
		core_count(ike->agent, child_limit);
		ike_log_group(ike, LOG_CHILD, 1, "refusing one more CHILD_SA: child_sa_limit");
		reply_notify(ike, N_NO_ADDITIONAL_SAS, slice_of(NULL, 0));
		return;
	}
	if (rekey) {
		old = rekey_target(ike, rekey);
		if (!old)
			return;
	}
	ike->in = calloc(1, sizeof(*ike->in));
	n = ike->in ? nego_new(ike, false, NULL) : NULL;
	if (!n) {
		free(ike->in);
		ike->in = NULL;
		reply_notify(ike, N_TEMPORARY_FAILURE, slice_of(NULL, 0));
		return;
	}
	ike->in->nego = n;
	refusal = nego_accept(ike, n, msg, old, false);
	if (!refusal && !old && create_wins(ike, n)) {
		ike_log_group(ike, LOG_CHILD, 1, "CHILD_SA %s is being established by us already", n->conf->name);
		refusal = N_TEMPORARY_FAILURE;
	}
	if (refusal) {
		reply_notify(ike, refusal, slice_of(NULL, 0));
		in_end(ike);
		if (refusal == N_INVALID_SYNTAX)
			ike_end(ike, END_LOCAL, NULL);
		return;
	}
	if (!n->kx.group) {
		nego_install(ike, n, on_responded);
		return;
	}
	if (!msg_has(msg, IKE_PL_KE) || msg->ke.group != n->kx.group) {
		kx_refuse_group(ike, n->kx.group);
		in_end(ike);
		return;
	}
	kx_respond(ike, &n->kx, msg->ke.data, on_ke_responded);
}
