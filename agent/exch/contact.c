/* SPDX-License-Identifier: BSD-2-Clause */
#include "exch.h"

#include <errno.h>

/* Several IKE SAs between the same two peers: leftovers of a peer that restarted, and both calling at once. */

bool contact_same_peers(const struct ike_sa *a, const struct ike_sa *b)
{
	return id_same(a->local_id, b->local_id) && id_same(a->remote_id, b->remote_id);
}

/* RFC 7296 2.4: said when we know of no other IKE SA with this peer. */
bool contact_is_initial(const struct ike_sa *ike)
{
	const struct ike_sa *other;

	if (ike->conn->unique == CONF_UNIQUE_NEVER)
		return false;
	TAILQ_FOREACH (other, &ike->of_conn->list, in_conn)
		if (other != ike && other->authenticated)
			return false;
	return true;
}

/* Both were under way at the same time, one from each side. */
static bool crossing(const struct ike_sa *a, const struct ike_sa *b)
{
	return a->initiator != b->initiator && !a->rekeyed && !b->rekeyed &&
	       a->created_ms <= b->established_ms && b->created_ms <= a->established_ms;
}

/* Who knows a shared secret, which may be that of a group, does not end what a private key has proved. */
static bool is_weaker(const struct ike_sa *ike, const struct ike_sa *other)
{
	return ike->conn->remote_auth == CONF_AUTH_PSK && other->conn->remote_auth == CONF_AUTH_PUBKEY;
}

bool contact_supersedes(const struct ike_sa *ike, const struct ike_sa *other)
{
	return other != ike && other->authenticated && contact_same_peers(ike, other) && !crossing(ike, other) &&
	       !is_weaker(ike, other);
}

/* unique = keep: the peer is who it says, and has one. Who says INITIAL_CONTACT has lost that one (RFC 7296 2.4). */
bool contact_kept_out(struct ike_sa *ike)
{
	struct ike_sa *other;

	if (ike->conn->unique != CONF_UNIQUE_KEEP || ike->setup->initial_contact)
		return false;
	for (int initiator = 0; initiator < 2; initiator++) {
		for (other = NULL; (other = ike_next_same_peers(ike, initiator, other));) {
			/* Both call at once: one of the two goes, see below. */
			if (other == ike || !ike_usable(other) || is_weaker(other, ike) ||
			    (initiator && other->established_ms >= ike->created_ms))
				continue;
			liveness_hint(other);
			return true;
		}
	}
	return false;
}

static void on_older(struct timer *timer)
{
	struct ike_sa *ike = timer_owner(timer, struct ike_sa, half_open_timer);
	struct outcome o;

	outcome_set(&o, -ECONNRESET, "the peer started over");
	ike_end(ike, END_PEER, &o);
}

static void on_duplicate(struct timer *timer)
{
	ike_delete(timer_owner(timer, struct ike_sa, half_open_timer), END_REPLACED, 0, NULL);
}

/*
 * RFC 7296 2.4: only of the same authenticated identities, and none that is as young as this one. Not at once:
 * the peer's data plane may have outlived its agent, and uses the old Child SAs until it has our answer.
 */
static void drop_older(struct ike_sa *ike, uint64_t wait_ms, timer_fn then, const char *why)
{
	bool initiator = false;
	struct ike_sa *other = ike_next_same_peers(ike, initiator, NULL);

	for (;; other = ike_next_same_peers(ike, initiator, other)) {
		if (!other && initiator)
			return;
		if (!other) {
			initiator = true;
			continue;
		}
		if (!contact_supersedes(ike, other))
			continue;
		ike_log(other, 1, "destroying duplicate IKE_SA for peer '%s', %s",
			other->remote_id->text, why);
		timer_arm(&ike->agent->core->timers, &other->half_open_timer,
			  sa_now_ms() + wait_ms, then);
	}
}

/*
 * Both sides initiated the same connection and both succeeded. As with rekeys, the IKE SA with the lowest nonce
 * loses and its initiator deletes it; a peer that knows no such rule leaves that to us.
 */
static void settle_crossing(struct ike_sa *ike, struct ike_sa *other)
{
	bool lower = nonce_cmp(slice_of(ike->nonce_low, IKE_NONCE_LEN),
			       slice_of(other->nonce_low, IKE_NONCE_LEN)) < 0;
	struct ike_sa *loser = lower ? ike : other;

	ike_log(loser, 1, "both peers initiated, IKE_SA [%u] is superfluous", loser->id);
	if (loser->initiator)
		ike_delete(loser, END_REPLACED, 0, NULL);
	else
		timer_arm(&ike->agent->core->timers, &loser->half_open_timer,
			  sa_now_ms() + DUPLICATE_WAIT_MS, on_duplicate);
}

/* The peer was faster: what we were only about to ask for is there. IKE_AUTH of ours has not gone out. */
static void join_attempt(struct ike_sa *ike, struct ike_sa *own)
{
	struct outcome o;
	struct task *t;

	ike_log(own, 1, "peer established IKE_SA [%u] first, giving up ours", ike->id);
	while ((t = TAILQ_FIRST(&own->tasks))) {
		struct child_sa *c;

		c = t->conf ? child_find_up(ike->agent, ike->conn->name, t->conf->name, NULL) : NULL;
		if (c)
			outcome_set(&o, 0, "CHILD_SA %s{%u} established by the peer", c->conf->name, c->id);
		else
			outcome_set(&o, 0, "IKE_SA %s[%u] established by the peer", ike->conn->name, ike->id);
		if (c || !t->conf) {
			task_drop(own, t, &o);
			continue;
		}
		TAILQ_REMOVE(&own->tasks, t, next);
		nego_free(ike->agent, t->nego);
		t->nego = NULL;
		t->kind = TASK_CHILD_CREATE;
		task_queue(ike, t);
	}
	ike_end(own, END_REPLACED, NULL);
}

void contact_established(struct ike_sa *ike, bool initial_contact)
{
	struct ike_sa *other, *next;

	if (!ike_usable(ike))
		return;
	if (initial_contact && ike->conn->unique != CONF_UNIQUE_NEVER)
		drop_older(ike, CONTACT_WAIT_MS, on_older, "received INITIAL_CONTACT");
	else if (ike->conn->unique == CONF_UNIQUE_REPLACE)
		/*
		 * A peer that reauthenticates deletes the old one itself when it has all children anew; any
		 * other must be told.
		 */
		drop_older(ike, DUPLICATE_WAIT_MS, on_duplicate, "replaced");
	for (other = ike->initiator ? NULL : TAILQ_FIRST(&ike->of_conn->attempts); other; other = next) {
		next = TAILQ_NEXT(other, in_attempts);
		if (other != ike && !other->auth_sent && !other->rekeyed)
			join_attempt(ike, other);
	}
	for (other = ike_next_same_peers(ike, !ike->initiator, NULL); other; other = next) {
		next = ike_next_same_peers(ike, !ike->initiator, other);
		if (other->of_conn == ike->of_conn && other->state == IKE_ESTABLISHED &&
		    ike->state == IKE_ESTABLISHED && crossing(ike, other))
			settle_crossing(ike, other);
	}
}
