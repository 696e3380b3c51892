/* SPDX-License-Identifier: BSD-2-Clause */
#include "exch.h"

#include <errno.h>
#include <stdlib.h>

/* What IKE_AUTH and CREATE_CHILD_SA share: agreeing on one Child SA (RFC 7296 1.3.1, 2.7, 2.9, 2.17). */

struct child_nego *nego_new(struct ike_sa *ike, bool initiator, const struct child_conf *conf)
{
	struct child_nego *n = calloc(1, sizeof(*n));

	if (!n) {
		core_count(ike->agent, no_memory);
		return NULL;
	}
	n->kx.id = ++ike->agent->core->next_nego;
	n->initiator = initiator;
	n->conn = conn_conf_ref(ike->conn);
	n->conf = conf;
	return n;
}

void nego_free(struct agent *a, struct child_nego *n)
{
	if (!n)
		return;
	if (n->have_slot)
		a->core->parts->spi_free(a->engine, n->slot);
	ipcomp_drop(a, n);
	conn_conf_unref(n->conn);
	kx_free(&n->kx);
	child_keys_free(&n->keys);
	free(n->offer);
	free(n);
}

struct child_nego *nego_find(const struct ike_sa *ike, uint64_t id)
{
	const struct task *t = task_active(ike);

	if (t && t->nego && t->nego->kx.id == id)
		return t->nego;
	if (ike->in && ike->in->nego && ike->in->nego->kx.id == id)
		return ike->in->nego;
	return NULL;
}

bool engine_usable(const struct agent *a, const char *conn, const struct child_conf *conf,
		   const struct child_suite *suite, struct outcome *why)
{
	const struct engine_want want = {.conf = conf, .engine = child_engine_wish(a, conn, conf), .suite = suite};
	struct engine_pick pick;
	int err;

	if (!a->engine) {
		outcome_set(why, -ENODEV, "no engine: the pinned maps could not be opened");
		return false;
	}
	err = a->core->parts->engine_pick(a->engine, &want, &pick);
	if (err)
		outcome_set(why, err, "%s", pick.why);
	return !err;
}

/* Selectors of a configured child, "dynamic" being the outer addresses. */
void child_ts(const struct child_conf *conf, const struct endpoint *local, const struct endpoint *remote,
	      struct ts_list *ts_local, struct ts_list *ts_remote)
{
	ts_list_copy(ts_local, conf->local_ts);
	ts_list_copy(ts_remote, conf->remote_ts);
	if (conf->local_dynamic)
		ts_local->ts[0].lo = ts_local->ts[0].hi = local->ip;
	if (conf->remote_dynamic)
		ts_remote->ts[0].lo = ts_remote->ts[0].hi = remote->ip;
}

const char *proto_text(uint8_t proto)
{
	return proto == IKE_PROTO_AH ? "AH" : "ESP";
}

static bool behind_nat(const struct ike_sa *ike)
{
	return ike->nat_local || ike->nat_remote || ike->nat_forced;
}

/* AH protects the addresses that a NAT changes, and RFC 3948 has ESP alone in UDP. */
static bool ah_meets_nat(const struct ike_sa *ike, const struct child_conf *conf, struct outcome *why)
{
	if (child_proto(conf) != IKE_PROTO_AH || !behind_nat(ike))
		return false;
	outcome_set(why, -EPROTONOSUPPORT,
		    "AH cannot pass the NAT between the peers: CHILD_SA %s needs esp_proposals here", conf->name);
	return true;
}

static int take_slot(struct agent *a, struct child_nego *n, const struct child_suite *suite, struct outcome *why)
{
	int err;

	if (!engine_usable(a, n->conn->name, n->conf, suite, why))
		return why->error;
	err = a->core->parts->spi_alloc(a->engine, &n->slot, &n->spi_in);
	if (err < 0)
		return outcome_set(why, err, "no free SA slot: %s",
				   err == -ENOSPC ? "all sa_slots of xdpsec.conf are taken, or were just now" : strerror(-err));
	n->have_slot = true;
	return 0;
}

static struct slice spi_bytes(uint32_t spi, uint8_t buf[4])
{
	struct wr w = wr_of(buf, 4);

	wr_u32(&w, spi);
	return wr_slice(&w);
}

/* ---- initiator ------------------------------------------------------------------------------------ */

/* RFC 7296 2.9: the packet first, so that no narrowing leaves it out. */
static void put_first(struct ts_list *l, const struct ts *first)
{
	if (l->n == IKE_TS_AGREED_MAX || !ts_within(first, l) || ts_equal(&l->ts[0], first))
		return;
	memmove(&l->ts[1], &l->ts[0], l->n * sizeof(l->ts[0]));
	l->ts[0] = *first;
	l->n++;
}

static void offer_ts(struct ike_sa *ike, struct child_nego *n)
{
	const struct task *t = task_active(ike);

	child_ts(n->conf, &ike->local, &ike->remote, &n->ts_local, &n->ts_remote);
	if (!t || !t->trigger.given || (ike->agent->gw.ike.ignore_acquire_ts && !t->single))
		return;
	if (t->single) {
		n->ts_local = (struct ts_list){.n = 1, .ts = {t->trigger.local}};
		n->ts_remote = (struct ts_list){.n = 1, .ts = {t->trigger.remote}};
		return;
	}
	put_first(&n->ts_local, &t->trigger.local);
	put_first(&n->ts_remote, &t->trigger.remote);
}

int nego_offer(struct ike_sa *ike, struct child_nego *n, const struct child_sa *old, bool first,
	       struct outcome *why)
{
	struct agent *a = ike->agent;
	struct proposals able;
	uint8_t spi[4];

	if (ah_meets_nat(ike, n->conf, why) || (!n->have_slot && take_slot(a, n, NULL, why) < 0) ||
	    nego_able(ike, n, &able, why) < 0)
		return why->error;
	if (!n->offer)
		n->offer = malloc(sizeof(*n->offer));
	if (!n->offer)
		return outcome_set(why, -ENOMEM, "no memory");
	proposals_prepare(&able, spi_bytes(n->spi_in, spi).p, 4, first, n->offer);
	/* RFC 7296 2.9.2: a rekey asks for what is in use. */
	if (old) {
		ts_list_copy(&n->ts_local, old->ts_local);
		ts_list_copy(&n->ts_remote, old->ts_remote);
		n->old_id = old->id;
		n->reqid = old->reqid;
	} else {
		offer_ts(ike, n);
	}
	n->transport = transport_wanted(ike, n, old);
	ipcomp_offer(ike, n);
	n->first = first;
	if (first)
		return 0;
	n->ni.n = IKE_NONCE_LEN;
	if (a->core->parts->random(n->ni.b, IKE_NONCE_LEN) < 0)
		return outcome_set(why, -EIO, "no randomness");
	if (!n->kx.group)
		n->kx.group = proposals_first_ke(n->offer);
	return 0;
}

static void put_status(struct msg_wr *chain, uint16_t type)
{
	msg_put_notify(chain, IKE_PROTO_NONE, type, slice_of(NULL, 0), slice_of(NULL, 0));
}

void nego_put_offer(const struct child_nego *n, struct msg_wr *chain)
{
	if (n->transport)
		put_status(chain, N_USE_TRANSPORT_MODE);
	ipcomp_put(n, chain);
	msg_put_sa(chain, n->offer);
	if (!n->first)
		msg_put_nonce(chain, slice_of(n->ni.b, n->ni.n));
	if (n->kx.group)
		msg_put_ke(chain, n->kx.group, ke_public(n->kx.ke));
	msg_put_ts(chain, IKE_PL_TSI, &n->ts_local);
	msg_put_ts(chain, IKE_PL_TSR, &n->ts_remote);
}

static int take_chosen(struct child_nego *n)
{
	struct rd r = rd_of(slice_of(n->chosen.spi, n->chosen.spi_len));

	n->spi_out = rd_u32(&r);
	if (!rd_done(&r) || !n->spi_out)
		return -EPROTO;
	return child_suite_from(&n->chosen, &n->suite);
}

int nego_answer(struct ike_sa *ike, struct child_nego *n, const struct ike_msg *msg,
		const struct child_sa *old, struct outcome *why)
{
	struct ts_list local, remote;

	if (!msg_has(msg, IKE_PL_SA) || !msg_has(msg, IKE_PL_TSI) || !msg_has(msg, IKE_PL_TSR))
		return outcome_set(why, -EPROTO, "peer's answer lacks SA or traffic selectors");
	if (proposal_verify(n->offer, &msg->sa, &n->chosen) < 0 || take_chosen(n) < 0)
		return outcome_set(why, -EPROTO, "peer chose an %s proposal that was not offered",
				   proto_text(child_proto(n->conf)));
	/* RFC 7296 1.3.1: the group that we sent a value for. */
	if (n->suite.ke && (n->suite.ke != n->kx.group || !msg_has(msg, IKE_PL_KE) ||
			    msg->ke.group != n->kx.group))
		return outcome_set(why, -EPROTO, "peer's key exchange is not the one proposed");
	if (transport_answered(ike, n, msg, &local, &remote, why) < 0 || ipcomp_answered(ike, n, msg, why) < 0)
		return why->error;
	if (local.more || remote.more || local.n > IKE_TS_AGREED_MAX || remote.n > IKE_TS_AGREED_MAX)
		return outcome_set(why, -EPROTO, "peer's answer has more than %d traffic selectors a side",
				   IKE_TS_AGREED_MAX);
	/* RFC 7296 2.9: never wider than asked. */
	if (!ts_list_subset(&local, &n->ts_local) || !ts_list_subset(&remote, &n->ts_remote))
		return outcome_set(why, -EPROTO, "peer's traffic selectors are wider than proposed");
	if (old && (!ts_list_subset(old->ts_local, &local) || !ts_list_subset(old->ts_remote, &remote)))
		return outcome_set(why, -EPROTO,
				   "peer narrowed the traffic selectors of a CHILD_SA in use");
	if (!n->first && !nonce_fits(msg->nonce, ike->suite.prf))
		return outcome_set(why, -EPROTO, "peer's nonce is too short for the PRF");
	if (msg_notify(msg, N_ADDITIONAL_TS_POSSIBLE))
		ike_log_group(ike, LOG_CHILD, 1,
			      "received ADDITIONAL_TS_POSSIBLE: the peer takes the other selectors of %s in a "
			      "CHILD_SA of their own",
			      n->conf->name);
	n->ts_local = local;
	n->ts_remote = remote;
	n->no_tfc = msg_notify(msg, N_ESP_TFC_PADDING_NOT_SUPPORTED) != NULL;
	if (!n->first) {
		n->nr.n = (uint16_t)msg->nonce.n;
		memcpy(n->nr.b, msg->nonce.p, msg->nonce.n);
	}
	return 0;
}

/* ---- responder ------------------------------------------------------------------------------------- */

/* An offer as this side sees it: for a tunnel as it came, for transport mode with our idea of the addresses. */
struct offered {
	const struct ts_list *local, *remote;
};

static bool narrow(struct ike_sa *ike, const struct child_conf *conf, const struct offered *o,
		   struct ts_list *local, struct ts_list *remote)
{
	struct ts_list mine_local, mine_remote;

	child_ts(conf, &ike->local, &ike->remote, &mine_local, &mine_remote);
	return ts_narrow(&mine_local, o->local, local) && ts_narrow(&mine_remote, o->remote, remote);
}

/*
 * How well an answer serves the offer: all of it, or with the first selectors, which may be a packet's
 * (RFC 7296 2.9), or only in part.
 */
static unsigned int answer_worth(const struct offered *o, const struct ts_list *local, const struct ts_list *remote)
{
	if (!local->more && !remote->more && ts_list_subset(o->local, local) && ts_list_subset(o->remote, remote))
		return 3;
	return ts_within(&o->local->ts[0], local) && ts_within(&o->remote->ts[0], remote) ? 2 : 1;
}

static bool is_sa(const struct child_conf *conf)
{
	return conf->mode == CONF_MODE_TUNNEL || conf->mode == CONF_MODE_TRANSPORT;
}

/* The child whose selectors meet the offer best; of those of transport mode only where `transport` says so. */
static const struct child_conf *choose_child(struct ike_sa *ike, const struct offered *o, bool transport,
					     struct ts_list *local, struct ts_list *remote)
{
	const struct child_conf *best = NULL;
	unsigned int worth, best_worth = 0;
	struct ts_list l, r;

	for (unsigned int i = 0; i < ike->conn->n_children; i++) {
		const struct child_conf *conf = &ike->conn->child[i];

		if (!is_sa(conf) || (transport && conf->mode != CONF_MODE_TRANSPORT) || !narrow(ike, conf, o, &l, &r))
			continue;
		worth = answer_worth(o, &l, &r);
		if (worth <= best_worth)
			continue;
		best = conf;
		best_worth = worth;
		*local = l;
		*remote = r;
	}
	return best;
}

/* Child and selectors under this view of the offer. */
static const struct child_conf *answer_ts(struct ike_sa *ike, struct child_nego *n, const struct offered *o,
					  const struct child_sa *old, bool transport)
{
	if (!old)
		return choose_child(ike, o, transport, &n->ts_local, &n->ts_remote);
	if ((transport && old->conf->mode != CONF_MODE_TRANSPORT) ||
	    !narrow(ike, old->conf, o, &n->ts_local, &n->ts_remote))
		return NULL;
	/* RFC 7296 2.9.2: not narrower than what is in use. */
	return ts_list_subset(old->ts_local, &n->ts_local) && ts_list_subset(old->ts_remote, &n->ts_remote)
		       ? old->conf
		       : NULL;
}

/* RFC 7296 1.3.1, 2.23.1: in transport mode when both want it and the selectors fit, else a tunnel. */
static void answer_mode(struct ike_sa *ike, struct child_nego *n, const struct ike_msg *msg,
			const struct child_sa *old)
{
	struct ts_list local, remote;
	struct offered own = {.local = &local, .remote = &remote};
	struct offered raw = {.local = &msg->ts_r, .remote = &msg->ts_i};

	if (transport_asked(ike, msg, &local, &remote)) {
		n->conf = answer_ts(ike, n, &own, old, true);
		n->transport = n->conf && transport_fits(ike, &n->ts_local, &n->ts_remote);
	}
	if (!n->transport) {
		n->conf = answer_ts(ike, n, &raw, old, false);
		return;
	}
	n->said_local = msg->ts_r.ts[0].lo;
	n->said_remote = msg->ts_i.ts[0].lo;
}

static void log_no_ts(struct ike_sa *ike, const struct ike_msg *msg)
{
	char local[TS_STRLEN * 2], remote[TS_STRLEN * 2];

	core_count(ike->agent, no_ts);
	ike_log_group(ike, LOG_CHILD, 1, "traffic selectors %s === %s unacceptable",
		      ts_list_str(&msg->ts_r, local, sizeof(local)),
		      ts_list_str(&msg->ts_i, remote, sizeof(remote)));
}

/* Corner 19: what shows only at the first rekey, where it can be known before: a peer may list its groups in IKE_AUTH. */
static void warn_pfs(struct ike_sa *ike, const struct child_conf *conf, const struct proposals *theirs)
{
	struct proposal chosen;

	if (!proposals_first_ke(theirs) || proposal_select(conf->proposals, theirs, true, false, &chosen) == 0)
		return;
	ike_log_group(ike, LOG_CHILD, 0,
		      "CHILD_SA %s cannot be rekeyed: its key exchanges (PFS) and the peer's have none in common",
		      conf->name);
}

static void log_no_proposal(struct ike_sa *ike, const struct child_nego *n, const struct ike_msg *msg)
{
	const char *proto = proto_text(child_proto(n->conf));
	struct proposal chosen;

	if (proposal_select(n->conf->proposals, &msg->sa, true, true, &chosen) == 0)
		ike_log_group(ike, LOG_CHILD, 0,
			      "no acceptable %s proposal for CHILD_SA %s: only the key exchange (PFS) differs",
			      proto, n->conf->name);
	else
		ike_log_group(ike, LOG_CHILD, 1, "no acceptable %s proposal for CHILD_SA %s", proto, n->conf->name);
}

uint16_t nego_accept(struct ike_sa *ike, struct child_nego *n, const struct ike_msg *msg,
		     const struct child_sa *old, bool first)
{
	struct proposals able;
	struct outcome why;

	if (!msg_has(msg, IKE_PL_SA) || !msg_has(msg, IKE_PL_TSI) || !msg_has(msg, IKE_PL_TSR))
		return N_INVALID_SYNTAX;
	if (!first && !nonce_fits(msg->nonce, ike->suite.prf))
		return N_INVALID_SYNTAX;
	/* RFC 7296 2.23-3: a NAT, and the peer stays where there is no ESP in UDP. */
	if (behind_nat(ike) && !ike->floated) {
		ike_log_group(ike, LOG_CHILD, 1, "refusing a CHILD_SA: there is a NAT, and the peer stays on port %u",
			      ike->local.port);
		return N_NO_ADDITIONAL_SAS;
	}
	answer_mode(ike, n, msg, old);
	if (old) {
		n->old_id = old->id;
		n->reqid = old->reqid;
	}
	if (!n->conf) {
		log_no_ts(ike, msg);
		return N_TS_UNACCEPTABLE;
	}
	if (ah_meets_nat(ike, n->conf, &why)) {
		core_count(ike->agent, no_proposal);
		ike_log_group(ike, LOG_CHILD, 0, "refusing a CHILD_SA: %s", why.text);
		return N_NO_PROPOSAL_CHOSEN;
	}
	if (nego_able(ike, n, &able, &why) < 0) {
		core_count(ike->agent, no_proposal);
		ike_log_group(ike, LOG_CHILD, 0, "refusing CHILD_SA %s: %s", n->conf->name, why.text);
		return N_NO_PROPOSAL_CHOSEN;
	}
	if (proposal_select(&able, &msg->sa, true, first, &n->chosen) < 0 || take_chosen(n) < 0) {
		core_count(ike->agent, no_proposal);
		log_no_proposal(ike, n, msg);
		return N_NO_PROPOSAL_CHOSEN;
	}
	if (first)
		warn_pfs(ike, n->conf, &msg->sa);
	if (!engine_usable(ike->agent, n->conn->name, n->conf, &n->suite, &why)) {
		ike_log_group(ike, LOG_CHILD, 0, "refusing CHILD_SA %s: %s", n->conf->name, why.text);
		return N_TEMPORARY_FAILURE;
	}
	n->no_tfc = msg_notify(msg, N_ESP_TFC_PADDING_NOT_SUPPORTED) != NULL;
	ipcomp_asked(ike, n, msg);
	n->first = first;
	if (first)
		return 0;
	n->ni.n = (uint16_t)msg->nonce.n;
	memcpy(n->ni.b, msg->nonce.p, msg->nonce.n);
	n->nr.n = IKE_NONCE_LEN;
	if (ike->agent->core->parts->random(n->nr.b, IKE_NONCE_LEN) < 0)
		return N_TEMPORARY_FAILURE;
	n->kx.group = n->suite.ke;
	return 0;
}

void nego_put_answer(const struct child_nego *n, struct msg_wr *chain)
{
	struct proposals answer = {.n = 1, .p = {n->chosen}};
	struct ts_list local, remote;
	uint8_t spi[4];

	transport_restore(n, &local, &remote);
	if (n->transport)
		put_status(chain, N_USE_TRANSPORT_MODE);
	ipcomp_put(n, chain);
	answer.p[0].spi_len = 4;
	memcpy(answer.p[0].spi, spi_bytes(n->spi_in, spi).p, 4);
	msg_put_sa(chain, &answer);
	if (!n->first)
		msg_put_nonce(chain, slice_of(n->nr.b, n->nr.n));
	if (n->kx.public_value)
		msg_put_ke(chain, n->kx.group, slice_of(n->kx.public_value, n->kx.public_len));
	msg_put_ts(chain, IKE_PL_TSI, &remote);
	msg_put_ts(chain, IKE_PL_TSR, &local);
	/* RFC 7296 2.9: there was no room for others, which we take in a Child SA of their own. */
	if (n->ts_local.more || n->ts_remote.more)
		put_status(chain, N_ADDITIONAL_TS_POSSIBLE);
}

/* ---- both: keys and engine ---------------------------------------------------------------------------- */

static void install_end(struct ike_sa *ike, struct child_nego *n, int error)
{
	struct agent *a = ike->agent;
	struct child_sa *c = n->child_id ? sa_find_child(a, n->child_id) : NULL;

	child_keys_free(&n->keys);
	if (error && c) {
		a->core->parts->remove(a->engine, c->engine, false);
		child_drop(c);
		n->child_id = 0;
	}
	n->done(ike, n, error);
}

/* The negotiation that an engine's answer belongs to; NULL when it died meanwhile. */
static struct child_nego *install_resume(struct agent *a, struct sa_ref ref, uint64_t tag,
					 struct ike_sa **ike)
{
	struct child_nego *n;

	*ike = ike_find_ref(a, ref);
	n = *ike ? nego_find(*ike, tag) : NULL;
	return n && n->child_id && sa_find_child(a, n->child_id) ? n : NULL;
}

static void on_out(void *ctx, struct sa_ref ref, uint64_t tag, int error)
{
	struct ike_sa *ike;
	struct child_nego *n = install_resume(ctx, ref, tag, &ike);

	if (n)
		install_end(ike, n, error);
}

/* What follows the inbound half is on its way already: only a refusal has something to say. */
static void on_in(void *ctx, struct sa_ref ref, uint64_t tag, int error)
{
	struct ike_sa *ike;
	struct child_nego *n = error ? install_resume(ctx, ref, tag, &ike) : NULL;

	if (n)
		install_end(ike, n, error);
}

/* Asked for without waiting for the inbound half: the engine does one after the other, in this order. */
static void install_outbound(struct agent *a, struct sa_ref ref, uint64_t tag)
{
	struct ike_sa *ike;
	struct child_nego *n = install_resume(a, ref, tag, &ike);
	struct engine_child view;
	struct child_sa *c;
	int err;

	/* An engine that is not there says so at once, and all is over. */
	if (!n)
		return;
	c = sa_find_child(a, n->child_id);
	child_engine_view(c, &view);
	err = a->core->parts->install_out(a->engine, &ike->proof, c->engine, &view,
					  n->initiator ? &n->keys.encr_i : &n->keys.encr_r,
					  n->initiator ? &n->keys.integ_i : &n->keys.integ_r, on_out, a, ref,
					  tag);
	if (err < 0)
		install_end(ike, n, err);
}

static struct child_sa *make_child(struct ike_sa *ike, struct child_nego *n)
{
	struct child_sa *c = child_new(ike, n->conn, n->conf, n->slot, &n->chosen, &n->ts_local,
				       &n->ts_remote);
	const struct nonce *low = &n->ni;

	if (!c)
		return NULL;
	n->have_slot = false;
	n->child_id = c->id;
	c->suite = n->suite;
	c->mode = n->transport ? CONF_MODE_TRANSPORT : CONF_MODE_TUNNEL;
	c->no_tfc = n->no_tfc;
	c->encap = behind_nat(ike);
	c->cpi_in = n->cpi_in;
	c->cpi_out = n->cpi_out;
	n->cpi_given = true;
	c->spi_in = n->spi_in;
	c->spi_out = n->spi_out;
	if (!n->reqid)
		n->reqid = n->conf->reqid ? n->conf->reqid : ++ike->agent->core->next_reqid;
	c->reqid = n->reqid;
	if (nonce_cmp(slice_of(n->nr.b, n->nr.n), slice_of(n->ni.b, n->ni.n)) < 0)
		low = &n->nr;
	memcpy(c->nonce_low, low->b, low->n);
	c->nonce_low_len = low->n;
	child_state_set(c, CHILD_INSTALLING);
	return c;
}

void nego_install(struct ike_sa *ike, struct child_nego *n, nego_done_fn done)
{
	struct agent *a = ike->agent;
	struct sa_ref ref = ike->ref;
	uint64_t tag = n->kx.id;
	struct engine_child view;
	struct outcome why;
	struct child_sa *c;
	int err;

	n->done = done;
	if (!n->have_slot && take_slot(a, n, &n->suite, &why) < 0) {
		ike_log_group(ike, LOG_CHILD, 0, "CHILD_SA %s: %s", n->conf->name, why.text);
		install_end(ike, n, why.error);
		return;
	}
	err = kdf_child(ike->suite.prf, &ike->keys.d, &n->suite, secret_slice(&n->kx.shared),
			slice_of(n->ni.b, n->ni.n), slice_of(n->nr.b, n->nr.n), &n->keys);
	secret_free(&n->kx.shared);
	c = err < 0 ? NULL : make_child(ike, n);
	if (!c) {
		install_end(ike, n, err < 0 ? err : -ENOMEM);
		return;
	}
	child_engine_view(c, &view);
	err = a->core->parts->install_in(a->engine, &ike->proof, c->engine, &view,
					 n->initiator ? &n->keys.encr_r : &n->keys.encr_i,
					 n->initiator ? &n->keys.integ_r : &n->keys.integ_i, on_in, a,
					 ref, tag);
	if (err < 0)
		install_end(ike, n, err);
	else
		install_outbound(a, ref, tag);
}
