/* SPDX-License-Identifier: BSD-2-Clause */
#include "exch.h"

#include <errno.h>
#include <stdlib.h>

/* CREATE_CHILD_SA that rekeys the IKE SA, both roles (RFC 7296 1.3.2, 2.8, 2.8.2, 2.18, 2.25.2). */

void ike_nego_free(struct ike_nego *n)
{
	if (!n)
		return;
	kx_free(&n->kx);
	free(n);
}

static struct ike_nego *nego_make(struct ike_sa *ike)
{
	struct agent *a = ike->agent;
	struct ike_nego *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	n->kx.id = ++a->core->next_nego;
	n->spi_own = ike_spi_new(a);
	if (!n->spi_own) {
		free(n);
		return NULL;
	}
	return n;
}

static struct slice spi_bytes(uint64_t spi, uint8_t buf[8])
{
	struct wr w = wr_of(buf, 8);

	wr_u64(&w, spi);
	return wr_slice(&w);
}

static int take_chosen(struct ike_nego *n)
{
	struct rd r = rd_of(slice_of(n->chosen.spi, n->chosen.spi_len));

	n->spi_peer = rd_u64(&r);
	if (!rd_done(&r) || !n->spi_peer)
		return -EPROTO;
	return ike_suite_from(&n->chosen, &n->suite);
}

/* ---- the new IKE SA ------------------------------------------------------------------------------- */

static struct ike_sa *make_ike(struct ike_sa *old, struct ike_nego *n, bool initiator)
{
	struct agent *a = old->agent;
	struct ike_sa *ike = ike_new(a, initiator, n->spi_own);
	const struct nonce *low = &n->ni;
	int err;

	if (!ike)
		return NULL;
	ike->spi_i = initiator ? n->spi_own : n->spi_peer;
	ike->spi_r = initiator ? n->spi_peer : n->spi_own;
	ike->local = old->local;
	ike->remote = old->remote;
	ike->nat_local = old->nat_local;
	ike->nat_remote = old->nat_remote;
	ike->nat_forced = old->nat_forced;
	ike->floated = old->floated;
	ike->peer_childless = old->peer_childless;
	ike->peer_fragmentation = old->peer_fragmentation;
	ike->suite = n->suite;
	ike->rekeyed = true;
	ike->reauth_ms = old->reauth_ms;
	ike->established_ms = sa_now_ms();
	if (nonce_cmp(slice_of(n->nr.b, n->nr.n), slice_of(n->ni.b, n->ni.n)) < 0)
		low = &n->nr;
	memcpy(ike->nonce_low, low->b, low->n < IKE_NONCE_LEN ? low->n : IKE_NONCE_LEN);
	/* RFC 7296 2.18: with the old SK_d and the old PRF. */
	err = kdf_ike_rekey(old->suite.prf, &old->keys.d, &n->suite, slice_of(n->ni.b, n->ni.n),
			    slice_of(n->nr.b, n->nr.n), secret_slice(&n->kx.shared), ike->spi_i,
			    ike->spi_r, &ike->keys);
	secret_free(&n->kx.shared);
	if (err == 0)
		err = ike_set_conn(ike, old->conn);
	if (err == 0)
		err = ike_set_proposal(ike, &n->chosen);
	if (err == 0)
		err = ike_set_local_id(ike, old->local_id);
	if (err == 0)
		err = ike_set_remote_id(ike, old->remote_id);
	if (err < 0 || ike_inherit_proof(ike, old) < 0 || ike_state_set(ike, IKE_ESTABLISHED) < 0) {
		ike_end(ike, END_REPLACED, NULL);
		return NULL;
	}
	return ike;
}

/* The superfluous one is the peer's to delete; when it does not, we do. */
static void on_superfluous(struct timer *timer)
{
	ike_delete(timer_owner(timer, struct ike_sa, half_open_timer), END_REPLACED, 0, NULL);
}

static void expect_delete(struct ike_sa *ike, uint64_t wait_ms)
{
	timer_arm(&ike->agent->core->timers, &ike->half_open_timer, sa_now_ms() + wait_ms,
		  on_superfluous);
}

/*
 * Who rekeys again has forgotten to delete the one before, or wants us to keep any number: one that was replaced is
 * enough.
 */
static void end_before(struct ike_sa *old)
{
	struct ike_sa *before = ike_find_ref(old->agent, old->replaces);
	struct outcome o;

	if (!before || before->state != IKE_REKEYED)
		return;
	outcome_set(&o, 0, "IKE_SA was rekeyed twice");
	ike_end(before, END_REPLACED, &o);
}

/* RFC 7296 2.8: the new IKE SA inherits all children, and what was still to be asked. */
static void inherit(struct ike_sa *old, struct ike_sa *ike)
{
	struct agent_core *core = old->agent->core;
	struct child_sa *c;

	end_before(old);
	ike->replaces = old->ref;
	while ((c = TAILQ_FIRST(&old->children)))
		child_move(c, ike);
	tasks_move(old, ike);
	ike->undecided = false;
	ike_state_set(old, IKE_REKEYED);
	timer_disarm(&core->timers, &old->rekey_timer);
	timer_disarm(&core->timers, &old->expire_timer);
	timer_disarm(&core->timers, &old->dpd_timer);
	timer_disarm(&core->timers, &old->keepalive_timer);
	old->rekey_peer = (struct sa_ref){0};
	/* Who made the new one deletes the old; one that forgets it does not keep it for ever. */
	expect_delete(old, SWITCH_WAIT_MS);
	core_count(old->agent, rekey_ike);
	ike_log(ike, 0, "IKE_SA %s[%u] rekeyed between %s...%s, replaces [%u]", ike->conn->name, ike->id,
		ike->local_id->text, ike->remote_id->text, old->id);
	ike_warn_legacy(ike);
	ike_timers_start(ike);
	observe(old->agent, SA_EV_IKE_REKEY, old, ike, NULL, NULL);
}

bool rekey_ike_adopt_peer(struct ike_sa *ike)
{
	struct ike_sa *peer = ike_find_ref(ike->agent, ike->rekey_peer);

	if (!peer || peer->state != IKE_ESTABLISHED ||
	    (ike->state != IKE_ESTABLISHED && ike->state != IKE_REKEYING))
		return false;
	inherit(ike, peer);
	return true;
}

/* ---- initiator --------------------------------------------------------------------------------------- */

static void rekey_fail(struct ike_sa *ike, const struct outcome *o)
{
	struct outcome adopted;

	if (rekey_ike_adopt_peer(ike)) {
		outcome_set(&adopted, 0, "IKE_SA was rekeyed by the peer at the same time");
		expect_delete(ike, DUPLICATE_WAIT_MS);
		task_finish(ike, &adopted);
		return;
	}
	ike_log(ike, 0, "rekeying IKE_SA failed: %s", o->text);
	if (ike->state == IKE_REKEYING)
		ike_state_set(ike, IKE_ESTABLISHED);
	if (ike->rekey_ms && ike->state == IKE_ESTABLISHED) {
		ike->rekey_ms = sa_now_ms() +
				jittered_ms(ike->agent, REKEY_RETRY_MS / 1000, REKEY_RETRY_MS / 2000);
		ike_rekey_arm(ike);
	}
	task_finish(ike, o);
}

static void rekey_fail_text(struct ike_sa *ike, int error, const char *text)
{
	struct outcome o;

	outcome_set(&o, error, "%s", text);
	rekey_fail(ike, &o);
}

static void rekey_send(struct ike_sa *ike)
{
	struct ike_nego *n = task_active(ike)->rekey;
	struct proposals offer;
	struct msg_wr chain;
	uint8_t spi[8];

	proposals_prepare(ike->conn->ike, spi_bytes(n->spi_own, spi).p, 8, false, &offer);
	chain_start(ike->agent, &chain);
	msg_put_sa(&chain, &offer);
	msg_put_nonce(&chain, slice_of(n->ni.b, n->ni.n));
	msg_put_ke(&chain, n->kx.group, ke_public(n->kx.ke));
	if (request_send(ike, IKE_CREATE_CHILD_SA, &chain) < 0)
		rekey_fail_text(ike, -ENOMEM, "CREATE_CHILD_SA request cannot be made");
}

static void on_ke_made(struct ike_sa *ike, int error)
{
	if (error)
		rekey_fail_text(ike, error, "key pair cannot be made");
	else
		rekey_send(ike);
}

static void rekey_prepare(struct ike_sa *ike)
{
	struct ike_nego *n = task_active(ike)->rekey;

	n->ni.n = IKE_NONCE_LEN;
	if (ike->agent->core->parts->random(n->ni.b, IKE_NONCE_LEN) < 0) {
		rekey_fail_text(ike, -EIO, "no randomness");
		return;
	}
	kx_generate(ike, &n->kx, on_ke_made);
}

void rekey_ike_start(struct ike_sa *ike, struct task *t)
{
	t->rekey = nego_make(ike);
	if (!t->rekey) {
		rekey_fail_text(ike, -ENOMEM, "no memory");
		return;
	}
	ike_log(ike, 1, "initiating IKE_SA %s[%u] rekey", ike->conn->name, ike->id);
	ike_state_set(ike, IKE_REKEYING);
	/* The group in use is the one the peer is known to take. */
	t->rekey->kx.group = proposals_have_ke(ike->conn->ike, ike->suite.ke)
				  ? ike->suite.ke
				  : proposals_first_ke(ike->conn->ike);
	rekey_prepare(ike);
}

static bool retry_group(struct ike_sa *ike, const struct ike_notify_pl *n)
{
	if (!kx_retry(ike, &task_active(ike)->rekey->kx, ike->conn->ike, n->data))
		return false;
	rekey_prepare(ike);
	return true;
}

static void rekey_refused(struct ike_sa *ike, struct task *t, const struct ike_notify_pl *n)
{
	struct outcome o;

	if (n->type == N_INVALID_KE_PAYLOAD && retry_group(ike, n))
		return;
	outcome_by_peer(&o, -EPROTO, n->type);
	if (n->type == N_TEMPORARY_FAILURE && !ike->rekey_peer.generation) {
		ike_state_set(ike, IKE_ESTABLISHED);
		if (++t->tries <= TEMP_FAIL_TRIES) {
			ike_log(ike, 1, "received TEMPORARY_FAILURE, rekeying IKE_SA again later");
			task_postpone(ike, temp_fail_wait_ms(ike->agent, t->tries));
			return;
		}
		/* RFC 7296 2.25: minutes of it: closed. */
		ike_delete(ike, END_TIMEOUT, 0, NULL);
	}
	rekey_fail(ike, &o);
	if (n->type == N_NO_ADDITIONAL_SAS)
		ike_renew(ike);
}

/*
 * RFC 7296 2.8.2: both rekeyed. The IKE SA with the lowest of the four nonces loses and inherits nothing;
 * who made it deletes it, who made the other deletes the old one.
 */
static void settle(struct ike_sa *old, struct ike_sa *own, struct outcome *o)
{
	struct ike_sa *peer = ike_find_ref(old->agent, old->rekey_peer);

	outcome_set(o, 0, "IKE_SA %s[%u] rekeyed as [%u]", old->conn->name, old->id, own->id);
	if (peer && peer->state != IKE_ESTABLISHED)
		peer = NULL;
	if (peer && nonce_cmp(slice_of(own->nonce_low, IKE_NONCE_LEN),
			      slice_of(peer->nonce_low, IKE_NONCE_LEN)) < 0) {
		ike_log(old, 1, "IKE_SA rekey collision lost, deleting [%u]", own->id);
		inherit(old, peer);
		expect_delete(old, DUPLICATE_WAIT_MS);
		ike_delete(own, END_REPLACED, 0, NULL);
		return;
	}
	inherit(old, own);
	if (peer) {
		ike_log(old, 1, "IKE_SA rekey collision won, waiting for the peer to delete [%u]",
			peer->id);
		expect_delete(peer, DUPLICATE_WAIT_MS);
	}
	ike_delete(old, END_REPLACED, 0, NULL);
}

static void on_ke_shared(struct ike_sa *ike, int error)
{
	struct ike_sa *own;
	struct outcome o;

	if (error) {
		rekey_fail_text(ike, error, "key exchange failed");
		return;
	}
	own = make_ike(ike, task_active(ike)->rekey, true);
	if (!own) {
		rekey_fail_text(ike, -ENOMEM, "new IKE_SA cannot be made");
		return;
	}
	settle(ike, own, &o);
	task_finish(ike, &o);
}

static bool take_answer(struct ike_sa *ike, struct ike_nego *n, const struct ike_msg *msg)
{
	struct proposals offer;
	uint8_t spi[8];

	if (!msg_has(msg, IKE_PL_SA) || !msg_has(msg, IKE_PL_KE) || !msg_has(msg, IKE_PL_NONCE))
		return false;
	proposals_prepare(ike->conn->ike, spi_bytes(n->spi_own, spi).p, 8, false, &offer);
	if (proposal_verify(&offer, &msg->sa, &n->chosen) < 0 || take_chosen(n) < 0 ||
	    n->suite.ke != n->kx.group || msg->ke.group != n->kx.group ||
	    !nonce_fits(msg->nonce, n->suite.prf))
		return false;
	n->nr.n = (uint16_t)msg->nonce.n;
	memcpy(n->nr.b, msg->nonce.p, msg->nonce.n);
	return true;
}

void rekey_ike_response(struct ike_sa *ike, const struct ike_msg *msg)
{
	const struct ike_notify_pl *error = msg_error_notify(msg);
	struct task *t = task_active(ike);
	struct ike_nego *n = t->rekey;

	if (error) {
		rekey_refused(ike, t, error);
		return;
	}
	if (!take_answer(ike, n, msg)) {
		rekey_fail_text(ike, -EPROTO, "peer answered with what was not offered");
		return;
	}
	kx_finish(ike, &n->kx, msg->ke.data, on_ke_shared);
}

/* ---- responder --------------------------------------------------------------------------------------------- */

static void in_end(struct ike_sa *ike)
{
	ike_nego_free(ike->in->rekey);
	free(ike->in);
	ike->in = NULL;
}

static void answer(struct ike_sa *ike, struct ike_nego *n)
{
	struct proposals sa = {.n = 1, .p = {n->chosen}};
	struct msg_wr chain;
	uint8_t spi[8];

	sa.p[0].spi_len = 8;
	memcpy(sa.p[0].spi, spi_bytes(n->spi_own, spi).p, 8);
	chain_start(ike->agent, &chain);
	msg_put_sa(&chain, &sa);
	msg_put_nonce(&chain, slice_of(n->nr.b, n->nr.n));
	msg_put_ke(&chain, n->kx.group, slice_of(n->kx.public_value, n->kx.public_len));
	reply_send(ike, &chain);
}

static void on_ke_responded(struct ike_sa *ike, int error)
{
	struct ike_nego *n = ike->in->rekey;
	struct ike_sa *peer;
	const struct task *t;

	if (error) {
		reply_notify(ike, error == -EINVAL ? N_INVALID_SYNTAX : N_TEMPORARY_FAILURE,
			     slice_of(NULL, 0));
		in_end(ike);
		return;
	}
	peer = make_ike(ike, n, false);
	if (!peer) {
		reply_notify(ike, N_TEMPORARY_FAILURE, slice_of(NULL, 0));
		in_end(ike);
		return;
	}
	answer(ike, n);
	in_end(ike);
	t = task_active(ike);
	/* Ours is under way too: its answer decides who inherits. */
	if (t && t->kind == TASK_IKE_REKEY) {
		ike->rekey_peer = peer->ref;
		peer->undecided = true;
	} else {
		inherit(ike, peer);
	}
}

/* RFC 7296 2.25.2 */
static bool rekey_obstacle(const struct ike_sa *ike)
{
	const struct task *t = task_active(ike);

	if (!ike_usable(ike) || ike->rekey_peer.generation || ike->undecided)
		return true;
	return t && (t->kind == TASK_CHILD_CREATE || t->kind == TASK_CHILD_REKEY ||
		     t->kind == TASK_CHILD_DELETE);
}

static uint16_t take_request(struct ike_sa *ike, struct ike_nego *n, const struct ike_msg *msg)
{
	if (proposal_select(ike->conn->ike, &msg->sa, true, false, &n->chosen) < 0 ||
	    take_chosen(n) < 0) {
		core_count(ike->agent, no_proposal);
		return N_NO_PROPOSAL_CHOSEN;
	}
	if (!nonce_fits(msg->nonce, n->suite.prf))
		return N_INVALID_SYNTAX;
	n->kx.group = n->suite.ke;
	n->ni.n = (uint16_t)msg->nonce.n;
	memcpy(n->ni.b, msg->nonce.p, msg->nonce.n);
	n->nr.n = IKE_NONCE_LEN;
	if (ike->agent->core->parts->random(n->nr.b, IKE_NONCE_LEN) < 0)
		return N_TEMPORARY_FAILURE;
	return !msg_has(msg, IKE_PL_KE) || msg->ke.group != n->kx.group ? N_INVALID_KE_PAYLOAD : 0;
}

void rekey_ike_request(struct ike_sa *ike, const struct ike_msg *msg)
{
	uint16_t refusal = rekey_obstacle(ike) ? N_TEMPORARY_FAILURE : 0;
	struct ike_nego *n;

	if (refusal) {
		reply_notify(ike, refusal, slice_of(NULL, 0));
		return;
	}
	ike->in = calloc(1, sizeof(*ike->in));
	n = ike->in ? nego_make(ike) : NULL;
	if (!n) {
		free(ike->in);
		ike->in = NULL;
		reply_notify(ike, N_TEMPORARY_FAILURE, slice_of(NULL, 0));
		return;
	}
	ike->in->rekey = n;
	refusal = take_request(ike, n, msg);
	if (refusal) {
		if (refusal == N_INVALID_KE_PAYLOAD)
			kx_refuse_group(ike, n->kx.group);
		else
			reply_notify(ike, refusal, slice_of(NULL, 0));
		in_end(ike);
		return;
	}
	kx_respond(ike, &n->kx, msg->ke.data, on_ke_responded);
}

int ike_rekey(struct ike_sa *ike, struct batch *b)
{
	struct task *t = task_find(ike, TASK_IKE_REKEY, 0);
	bool fresh = !t;

	if (fresh)
		t = task_new(ike, TASK_IKE_REKEY, 0);
	if (!t || (b && batch_wait(b, &t->waiters) < 0)) {
		if (fresh)
			free(t);
		return -ENOMEM;
	}
	if (fresh)
		task_queue(ike, t);
	return 0;
}
