/* SPDX-License-Identifier: BSD-2-Clause */
#include "exch.h"

#include <errno.h>

/*
 * What is accepted when. A row says which exchange, request or response, in which states and (for IKE_AUTH) in which
 * role, and which payloads there must be; no handler checks that again. What no row allows is counted
 * and ignored, before anything of it is decrypted (RFC 7296 2.21, CVE-2026-78135 class).
 */
enum { ANY_ROLE, INITIATOR, RESPONDER };

struct rule {
	uint8_t exchange;
	bool response;
	uint8_t role; /* as original initiator of the IKE SA */
	unsigned int states;
	uint64_t required;	 /* of these all; a response with an error notify may lack them */
	uint64_t together;	 /* of these all or none */
	uint64_t allowed;	 /* others are ignored (RFC 7296 2.5) */
	void (*handler)(struct ike_sa *ike, const struct ike_msg *msg);
};

#define ST(s) (1u << (s))
#define UP (ST(IKE_ESTABLISHED) | ST(IKE_REKEYING) | ST(IKE_REKEYED) | ST(IKE_DELETING))
#define P(type) IKE_PRESENT(IKE_PL_##type)
#define EVERYWHERE (P(NOTIFY) | P(VENDOR) | P(SK))
/* RFC 6023 4: a childless IKE_AUTH lacks all of them. */
#define FIRST_CHILD (P(SA) | P(TSI) | P(TSR))

static void create_or_rekey_response(struct ike_sa *ike, const struct ike_msg *msg)
{
	if (task_active(ike)->kind == TASK_IKE_REKEY)
		rekey_ike_response(ike, msg);
	else
		create_child_response(ike, msg);
}

static void create_or_rekey_request(struct ike_sa *ike, const struct ike_msg *msg)
{
	if (msg->sa.n && msg->sa.p[0].proto == IKE_PROTO_IKE)
		rekey_ike_request(ike, msg);
	else
		create_child_request(ike, msg);
}

static const struct rule rules[] = {
	{IKE_AUTH, false, RESPONDER, ST(IKE_CONNECTING), P(IDI), FIRST_CHILD,
	 P(IDI) | P(IDR) | P(AUTH) | P(SA) | P(TSI) | P(TSR) | P(CERT) | P(CERTREQ) | P(CP),
	 auth_request},
	{IKE_AUTH, true, INITIATOR, ST(IKE_CONNECTING), P(IDR) | P(AUTH), FIRST_CHILD,
	 P(IDR) | P(AUTH) | P(SA) | P(TSI) | P(TSR) | P(CERT) | P(CP), auth_response},
	{IKE_CREATE_CHILD_SA, false, ANY_ROLE, UP, P(SA) | P(NONCE), 0,
	 P(SA) | P(NONCE) | P(KE) | P(TSI) | P(TSR), create_or_rekey_request},
	{IKE_CREATE_CHILD_SA, true, ANY_ROLE, UP, P(SA) | P(NONCE), 0,
	 P(SA) | P(NONCE) | P(KE) | P(TSI) | P(TSR), create_or_rekey_response},
	{IKE_INFORMATIONAL, false, ANY_ROLE, UP, 0, 0, P(DELETE) | P(CP), informational_request},
	{IKE_INFORMATIONAL, true, ANY_ROLE, UP, 0, 0, P(DELETE) | P(CP), informational_response},
};

static const struct rule *rule_find(const struct ike_sa *ike, const struct ike_hdr *hdr)
{
	bool response = hdr->flags & IKE_FLAG_RESPONSE;

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		const struct rule *r = &rules[i];

		if (r->exchange == hdr->exchange && r->response == response &&
		    (r->states & ST(ike->state)) &&
		    (r->role == ANY_ROLE || (r->role == INITIATOR) == ike->initiator))
			return r;
	}
	return NULL;
}

/* The exchange that a response must belong to. */
static uint8_t task_exchange(const struct ike_sa *ike, const struct task *t)
{
	switch (t->kind) {
	case TASK_CONNECT:
		return ike->setup && ike->setup->have_keys ? IKE_AUTH : IKE_SA_INIT;
	case TASK_CHILD_CREATE:
	case TASK_CHILD_REKEY:
	case TASK_IKE_REKEY:
		return IKE_CREATE_CHILD_SA;
	default:
		return IKE_INFORMATIONAL;
	}
}

/* Decrypts into core->plain. 0 or -errno, counted. */
static int open_sealed(struct ike_sa *ike, const struct ike_msg *msg, size_t *n)
{
	struct agent_core *core = ike->agent->core;
	int err = sk_open(&ike->suite, ike->initiator ? &ike->keys.er : &ike->keys.ei,
			  ike->initiator ? &ike->keys.ar : &ike->keys.ai, msg, core->plain,
			  sizeof(core->plain), n);

	if (err == 0)
		return 0;
	core_count(ike->agent, bad_integrity);
	if (log_budget(&core->log_bad))
		ike_log(ike, 2, "integrity check of a message with ID %u failed", msg->hdr.mid);
	return err;
}

/*
 * Is it the request that the answer in store answers? A fragment other than the first never is: each retransmit has one
 * first (RFC 7383 2.6.1). A first fragment with other bytes is one, when its tag is right: the peer tries smaller ones.
 */
static bool answered_before(struct ike_sa *ike, struct slice datagram)
{
	uint8_t digest[SA_DIGEST_LEN];
	struct ike_msg msg;
	size_t n;

	digest_of(datagram, NULL, digest);
	if (secret_equal(digest, ike->response_digest, sizeof(digest)))
		return true;
	return msg_decode(datagram, &msg) == WIRE_OK && msg.sk.fragment && msg.sk.number == 1 &&
	       open_sealed(ike, &msg, &n) == 0;
}

/* True when the answer in store belongs to exactly this request: sent again as it was. */
static bool resend(struct ike_sa *ike, const struct path *path, const struct ike_hdr *hdr,
		   struct slice datagram)
{
	if (!ike->have_response || hdr->mid != ike->response_mid || !answered_before(ike, datagram))
		return false;
	core_count(ike->agent, retransmit_in);
	ike_log(ike, 2, "received retransmit of request with ID %u, retransmitting response", hdr->mid);
	datagrams_send(ike, &path->local, &path->remote, slice_of(ike->response, ike->response_len));
	return true;
}

/* Message ids and states, all that can be said before the keys are used. */
static const struct rule *gate(struct ike_sa *ike, const struct path *path, const struct ike_hdr *hdr,
			       struct slice datagram)
{
	struct agent *a = ike->agent;
	const struct task *t = task_active(ike);
	const struct rule *r;

	if (hdr->flags & IKE_FLAG_RESPONSE) {
		if (!ike->request || !t || t->step != TASK_SENT || hdr->mid != ike->send_mid ||
		    hdr->exchange != task_exchange(ike, t)) {
			core_count(a, bad_mid);
			return NULL;
		}
	} else if (hdr->mid != ike->recv_mid || ike->req.open || ike->state == IKE_DEAD) {
		/* The request that is being answered came again: its answer will come. */
		if (resend(ike, path, hdr, datagram) || (hdr->mid == ike->recv_mid && ike->req.open))
			return NULL;
		if (hdr->next == IKE_PL_SKF && ike->have_response && hdr->mid == ike->response_mid)
			core_count(a, fragment_drop);
		else
			core_count(a, bad_mid);
		return NULL;
	}
	r = rule_find(ike, hdr);
	if (!r)
		core_count(a, bad_exchange);
	return r;
}

/* RFC 7296 2.23: an authenticated message, the newest, from elsewhere: the NAT in front of the peer moved it. */
static void follow(struct ike_sa *ike, const struct path *path)
{
	struct agent *a = ike->agent;
	char was[ENDPOINT_STRLEN], is[ENDPOINT_STRLEN];
	struct child_sa *c;

	if (endpoint_equal(&ike->remote, &path->remote) && endpoint_equal(&ike->local, &path->local))
		return;
	if (ike->state == IKE_CONNECTING && !ike->initiator) {
		ike->floated = path->local.port == a->gw.ike.port_nat_t;
	} else {
		if (!ike->nat_remote || ike->nat_local)
			return;
		ike_log(ike, 1, "remote endpoint changed from %s to %s",
			endpoint_str(&ike->remote, was), endpoint_str(&path->remote, is));
	}
	ike->remote = path->remote;
	ike->local = path->local;
	TAILQ_FOREACH (c, &ike->children, next)
		if (c->encap && c->state != CHILD_CREATED)
			a->core->parts->move(a->engine, c->engine, &ike->local, &ike->remote);
}

/* A peer with the keys that cannot write a message: RFC 7296 2.21.3 makes it fatal. */
static void refuse(struct ike_sa *ike, const struct ike_hdr *hdr, enum wire_err err, uint8_t payload)
{
	struct outcome o;

	ike_log(ike, 1, "%s message with ID %u cannot be used: %s%s%s", ike_exchange_name(hdr->exchange),
		hdr->mid, wire_err_str(err), payload ? ", payload " : "",
		payload && ike_payload_name(payload) ? ike_payload_name(payload) : "");
	core_count(ike->agent, bad_syntax);
	if (err == WIRE_CRITICAL)
		core_count(ike->agent, bad_critical);
	outcome_set(&o, -EPROTO, "peer sent a malformed message: %s", wire_err_str(err));
	if (hdr->flags & IKE_FLAG_RESPONSE) {
		request_end(ike);
		ike_delete(ike, END_LOCAL, 0, NULL);
		task_finish(ike, &o);
		return;
	}
	if (err == WIRE_CRITICAL)
		reply_notify(ike, N_UNSUPPORTED_CRITICAL_PAYLOAD, slice_of(&payload, 1));
	else
		reply_notify(ike, N_INVALID_SYNTAX, slice_of(NULL, 0));
	if (err != WIRE_CRITICAL || hdr->exchange == IKE_AUTH)
		ike_end(ike, END_LOCAL, &o);
}

static bool payloads_fit(const struct rule *r, uint64_t present)
{
	uint64_t group = present & r->together;

	return (present & r->required) == r->required && (!group || group == r->together);
}

/* A message whose payloads lie in core->plain; digest: of its datagram, or of its first fragment. */
static void accept_msg(struct ike_sa *ike, const struct path *path, const struct rule *rule,
		       struct ike_msg *msg, size_t plain_len, const uint8_t digest[SA_DIGEST_LEN])
{
	struct agent_core *core = ike->agent->core;
	bool response = msg->hdr.flags & IKE_FLAG_RESPONSE;
	enum wire_err err;

	ike->last_in_ms = sa_now_ms();
	follow(ike, path);
	if (!response) {
		ike->req = (struct request_in){.open = true,
					       .exchange = msg->hdr.exchange,
					       .mid = msg->hdr.mid,
					       .local = path->local,
					       .remote = path->remote};
		memcpy(ike->req.digest, digest, SA_DIGEST_LEN);
	}
	err = msg_decode_inner(slice_of(core->plain, plain_len), msg->sk.first, msg);
	if (err == WIRE_OK && !(response && msg_error_notify(msg)) && !payloads_fit(rule, msg->present))
		err = WIRE_SYNTAX;
	if (err != WIRE_OK) {
		refuse(ike, &msg->hdr, err, msg->bad_payload);
		return;
	}
	ike_log_group(ike, LOG_ENCODING, 2, "received %s %s %u", ike_exchange_name(msg->hdr.exchange),
		      response ? "response" : "request", msg->hdr.mid);
	msg->present &= rule->allowed | EVERYWHERE;
	if (response)
		request_end(ike);
	rule->handler(ike, msg);
}

static struct reassembly **collection_of(struct ike_sa *ike, const struct ike_hdr *hdr)
{
	return hdr->flags & IKE_FLAG_RESPONSE ? &ike->frag_response : &ike->frag_request;
}

/* RFC 7383 2.6: what is cheap first, then the tag, and only then it is kept. */
static void take_fragment(struct ike_sa *ike, const struct path *path, const struct rule *rule,
			  struct slice datagram, struct ike_msg *msg)
{
	struct agent *a = ike->agent;
	struct reassembly **r = collection_of(ike, &msg->hdr), *whole;
	size_t n = 0;
	int err;

	/* A fragment holds nothing beside itself: no exchange that we know has payloads in clear there (2.5.3). */
	if (msg->n_payloads != 1 || msg->sk.total > IKE_FRAGMENTS_MAX || !fragment_wanted(*r, msg)) {
		core_count(a, fragment_drop);
		return;
	}
	if (open_sealed(ike, msg, &n) < 0)
		return;
	err = fragment_add(r, msg, slice_of(a->core->plain, n), datagram,
			   ike->authenticated ? IKE_MSG_MAX : AUTH_MESSAGE_MAX);
	if (err == -EMSGSIZE)
		core_count(a, fragment_drop);
	else if (err == -ENOMEM)
		core_count(a, no_memory);
	else
		core_count(a, fragment_in);
	if (err <= 0)
		return;
	whole = *r;
	*r = NULL;
	msg->sk.first = whole->first;
	accept_msg(ike, path, rule, msg, fragments_join(whole, a->core->plain), whole->digest);
	fragments_drop(&whole);
}

void dispatch(struct ike_sa *ike, const struct path *path, struct slice datagram)
{
	struct agent *a = ike->agent;
	uint8_t digest[SA_DIGEST_LEN] = {0};
	const struct rule *rule;
	struct ike_msg msg;
	struct ike_hdr hdr;
	size_t n = 0;

	if (ike_hdr_decode(datagram, &hdr) != WIRE_OK)
		return;
	rule = gate(ike, path, &hdr, datagram);
	if (!rule)
		return;
	/* Nobody vouches for a message without SK. */
	if (msg_decode(datagram, &msg) != WIRE_OK || !msg.sk.present) {
		if ((hdr.flags & IKE_FLAG_RESPONSE) && msg_notify(&msg, N_INVALID_IKE_SPI))
			liveness_hint(ike);
		core_count(a, bad_syntax);
		return;
	}
	if (msg.sk.fragment) {
		take_fragment(ike, path, rule, datagram, &msg);
		return;
	}
	if (open_sealed(ike, &msg, &n) < 0)
		return;
	if (!(hdr.flags & IKE_FLAG_RESPONSE))
		digest_of(datagram, NULL, digest);
	/* The same message came in one piece: its fragments are of no use any more. */
	fragments_drop(collection_of(ike, &hdr));
	accept_msg(ike, path, rule, &msg, n, digest);
}

static void to_ike_sa(struct agent *a, const struct ike_hdr *hdr, const struct path *path,
		      struct slice datagram)
{
	bool from_initiator = hdr->flags & IKE_FLAG_INITIATOR;
	struct ike_sa *ike = ike_find_spi(a, from_initiator ? hdr->spi_r : hdr->spi_i);

	if (!ike || ike->initiator == from_initiator || ike->spi_i != hdr->spi_i ||
	    ike->spi_r != hdr->spi_r) {
		core_count(a, bad_spi);
		/* RFC 7296 2.21.4: says so to a request, never to a response. */
		plain_notify(a, hdr, path, N_INVALID_IKE_SPI, slice_of(NULL, 0));
		return;
	}
	if (ike->state == IKE_CONNECTING && ike->setup && !ike->setup->have_keys) {
		if (!ike->initiator && hdr->exchange == IKE_AUTH && !(hdr->flags & IKE_FLAG_RESPONSE))
			init_derive(ike, path, datagram);
		else
			core_count(a, bad_exchange);
		return;
	}
	dispatch(ike, path, datagram);
}

static void init_exchange(struct agent *a, const struct ike_hdr *hdr, const struct path *path,
			  struct slice datagram)
{
	struct ike_sa *ike;

	if (!(hdr->flags & IKE_FLAG_RESPONSE)) {
		if (!(hdr->flags & IKE_FLAG_INITIATOR) || !hdr->spi_i || hdr->spi_r || hdr->mid) {
			core_count(a, bad_header);
			return;
		}
		init_request(a, path, datagram);
		return;
	}
	ike = ike_find_spi(a, hdr->spi_i);
	if ((hdr->flags & IKE_FLAG_INITIATOR) || hdr->mid || !ike || !ike->initiator) {
		core_count(a, bad_spi);
		return;
	}
	init_response(ike, path, datagram);
}

void agent_recv(void *ctx, const struct endpoint *from, const struct endpoint *to, struct slice datagram)
{
	struct path path = {.local = *to, .remote = *from};
	struct agent *a = ctx;
	struct ike_hdr hdr;
	enum wire_err err;

	if (!a->core || datagram.n > IKE_MSG_MAX)
		return;
	err = ike_hdr_decode(datagram, &hdr);
	if (err == WIRE_VERSION || err == WIRE_OLD_VERSION) {
		version_refuse(a, &hdr, &path, err);
		return;
	}
	if (err != WIRE_OK) {
		core_count(a, bad_header);
		return;
	}
	if (hdr.exchange == IKE_SA_INIT)
		init_exchange(a, &hdr, &path, datagram);
	else
		to_ike_sa(a, &hdr, &path, datagram);
}
