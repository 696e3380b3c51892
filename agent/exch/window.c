/* SPDX-License-Identifier: BSD-2-Clause */
#include "exch.h"

#include <errno.h>
#include <stdlib.h>

void chain_start(struct agent *a, struct msg_wr *chain)
{
	msg_wr_init(chain, a->core->chain, sizeof(a->core->chain));
}

void digest_of(struct slice datagram, const struct endpoint *from, uint8_t out[SA_DIGEST_LEN])
{
	uint8_t place[18] = {0}, hash[32] = {0};
	struct slice parts[2] = {datagram, slice_of(place, from ? sizeof(place) : 0)};
	struct wr w = wr_of(place, sizeof(place));
	uint8_t ip[16];

	if (from) {
		addr_to_mapped(&from->ip, ip);
		wr_bytes(&w, ip, sizeof(ip));
		wr_u16(&w, from->port);
	}
	sha256(parts, 2, hash);
	memcpy(out, hash, SA_DIGEST_LEN);
}

/* The first datagram of a set; at its end or when it makes no sense: all that is left. */
static struct slice next_datagram(struct rd *set)
{
	struct rd head = *set;
	uint32_t len;

	rd_bytes(&head, IKE_HDR_LEN - 4);
	len = rd_u32(&head);
	return head.failed || len < IKE_HDR_LEN || len > set->n ? rd_rest(set) : rd_bytes(set, len);
}

int datagrams_send(struct ike_sa *ike, const struct endpoint *local, const struct endpoint *remote,
		   struct slice set)
{
	struct rd r = rd_of(set);
	int err = 0;

	ike->last_out_ms = sa_now_ms();
	while (r.n && err == 0)
		err = ike->agent->core->parts->send(ike->agent, local, remote, next_datagram(&r));
	return err;
}

/* ---- requests -------------------------------------------------------------------------------- */

static void request_timed_out(struct ike_sa *ike)
{
	struct outcome o;
	char at[ENDPOINT_STRLEN];
	struct task *t = task_active(ike);

	core_count(ike->agent, timeout);
	ike_log(ike, 1, "giving up after %u retransmits", ike->tries);
	outcome_set(&o, -ETIMEDOUT, "peer %s does not answer", endpoint_str(&ike->remote, at));
	if (ike->state == IKE_CONNECTING && !ike->authenticated && ike->initiator)
		ike_log(ike, 1, "establishing IKE_SA failed, peer not responding");
	if (t && t->kind == TASK_IKE_DELETE)
		ike_end(ike, (enum ike_end)t->why, &o);
	else if (ike->state == IKE_REKEYED)
		ike_end(ike, END_REPLACED, &o);
	else
		ike_end(ike, END_TIMEOUT, &o);
}

static void on_retransmit(struct timer *timer);

static void retransmit_arm(struct ike_sa *ike)
{
	struct agent *a = ike->agent;
	uint64_t wait = retransmit_wait_ms(&a->gw.ike, ike->tries, random_u32(a));

	timer_arm(&a->core->timers, &ike->retransmit_timer, sa_now_ms() + wait, on_retransmit);
}

static void on_retransmit(struct timer *timer)
{
	struct ike_sa *ike = timer_owner(timer, struct ike_sa, retransmit_timer);

	if (!ike->request)
		return;
	if (ike->tries >= ike->agent->gw.ike.retransmit_tries) {
		request_timed_out(ike);
		return;
	}
	ike->tries++;
	ike_log(ike, 1, "retransmit %u of request with message ID %u", ike->tries, ike->send_mid);
	request_again(ike);
	retransmit_arm(ike);
}

void request_again(struct ike_sa *ike)
{
	core_count(ike->agent, retransmit_out);
	datagrams_send(ike, &ike->local, &ike->remote, slice_of(ike->request, ike->request_len));
}

int request_send_raw(struct ike_sa *ike, struct slice set)
{
	struct task *t = task_active(ike);
	uint8_t *copy = malloc(set.n);

	if (!copy) {
		core_count(ike->agent, no_memory);
		return -ENOMEM;
	}
	memcpy(copy, set.p, set.n);
	free(ike->request);
	ike->request = copy;
	ike->request_len = set.n;
	ike->tries = 0;
	if (t)
		t->step = TASK_SENT;
	/* A send that fails now (no route yet) is a lost packet: the retransmit tries again. */
	datagrams_send(ike, &ike->local, &ike->remote, set);
	retransmit_arm(ike);
	return 0;
}

static struct ike_hdr hdr_of(const struct ike_sa *ike, uint8_t exchange, uint32_t mid, bool response)
{
	return (struct ike_hdr){
		.spi_i = ike->spi_i,
		.spi_r = ike->spi_r,
		.version = IKE_VERSION,
		.exchange = exchange,
		.flags = (uint8_t)((ike->initiator ? IKE_FLAG_INITIATOR : 0) |
				   (response ? IKE_FLAG_RESPONSE : 0)),
		.mid = mid,
	};
}

static int seal(struct ike_sa *ike, const struct endpoint *from, const struct ike_hdr *hdr,
		const struct msg_wr *chain, struct wr *w)
{
	struct agent_core *core = ike->agent->core;
	int err;

	*w = wr_of(core->out, sizeof(core->out));
	err = message_seal(ike, from, hdr, chain, w);
	if (err < 0)
		ike_log(ike, 1, "sealing a message failed: %s", strerror(-err));
	return err;
}

int request_send(struct ike_sa *ike, uint8_t exchange, const struct msg_wr *chain)
{
	struct ike_hdr hdr = hdr_of(ike, exchange, ike->send_mid, false);
	struct wr w;
	int err = seal(ike, &ike->local, &hdr, chain, &w);

	if (err < 0)
		return err;
	ike_log_group(ike, LOG_ENCODING, 2, "sending %s request %u", ike_exchange_name(exchange),
		      hdr.mid);
	return request_send_raw(ike, wr_slice(&w));
}

/* RFC 7296 2.2: a message id never comes again: a rekey comes long before, or the end. */
static void mids_check(struct ike_sa *ike, uint32_t mid)
{
	if (mid == UINT32_MAX)
		ike_delete(ike, END_LOCAL, 0, NULL);
	else if (mid >= MID_REKEY && ike->state == IKE_ESTABLISHED)
		ike_rekey(ike, NULL);
}

void request_once(struct ike_sa *ike, uint8_t exchange, const struct msg_wr *chain)
{
	/* A request in flight may have arrived: the peer then expects the number after it. */
	struct ike_hdr hdr = hdr_of(ike, exchange, ike->send_mid + (ike->request ? 1 : 0), false);
	struct wr w;

	if (seal(ike, &ike->local, &hdr, chain, &w) == 0)
		datagrams_send(ike, &ike->local, &ike->remote, wr_slice(&w));
}

void request_end(struct ike_sa *ike)
{
	struct task *t = task_active(ike);

	timer_disarm(&ike->agent->core->timers, &ike->retransmit_timer);
	free(ike->request);
	ike->request = NULL;
	ike->request_len = 0;
	fragments_drop(&ike->frag_response);
	ike->send_mid++;
	mids_check(ike, ike->send_mid);
	if (t)
		t->step = TASK_ANSWERED;
}

/* ---- answers ---------------------------------------------------------------------------------- */

int reply_send(struct ike_sa *ike, const struct msg_wr *chain)
{
	struct ike_hdr hdr = hdr_of(ike, ike->req.exchange, ike->req.mid, true);
	struct slice set;
	uint8_t *copy;
	struct wr w;
	int err;

	if (!ike->req.open)
		return -EPERM;
	/* Without an answer the request stays unanswered and is looked at anew when it comes again. */
	ike->req.open = false;
	err = seal(ike, &ike->req.local, &hdr, chain, &w);
	if (err < 0)
		return err;
	set = wr_slice(&w);
	copy = malloc(set.n);
	if (!copy) {
		core_count(ike->agent, no_memory);
		return -ENOMEM;
	}
	memcpy(copy, set.p, set.n);
	free(ike->response);
	ike->response = copy;
	ike->response_len = set.n;
	ike->response_mid = ike->req.mid;
	ike->have_response = true;
	memcpy(ike->response_digest, ike->req.digest, SA_DIGEST_LEN);
	ike->recv_mid = ike->req.mid + 1;
	mids_check(ike, ike->recv_mid);
	ike_log_group(ike, LOG_ENCODING, 2, "sending %s response %u", ike_exchange_name(hdr.exchange),
		      hdr.mid);
	datagrams_send(ike, &ike->req.local, &ike->req.remote, set);
	task_kick(ike);
	return 0;
}

int reply_notify(struct ike_sa *ike, uint16_t type, struct slice data)
{
	struct msg_wr chain;

	chain_start(ike->agent, &chain);
	msg_put_notify(&chain, IKE_PROTO_NONE, type, slice_of(NULL, 0), data);
	return reply_send(ike, &chain);
}

void reply_empty(struct ike_sa *ike)
{
	struct msg_wr chain;

	chain_start(ike->agent, &chain);
	reply_send(ike, &chain);
}

/* ---- outside any IKE SA ---------------------------------------------------------------------------- */

static bool answer_allowed(struct agent_core *core)
{
	uint64_t now = sa_now_ms(), more = (now - core->answer_ms) / PLAIN_ANSWER_MS;

	if (more) {
		core->answer_ms += more * PLAIN_ANSWER_MS;
		more += core->answer_tokens;
		core->answer_tokens = more > PLAIN_ANSWER_BURST ? PLAIN_ANSWER_BURST : (uint32_t)more;
	}
	if (!core->answer_tokens)
		return false;
	core->answer_tokens--;
	return true;
}

void plain_notify(struct agent *a, const struct ike_hdr *hdr, const struct path *path, uint16_t type,
		  struct slice data)
{
	struct ike_hdr answer = *hdr;
	bool init = type == N_COOKIE || type == N_INVALID_KE_PAYLOAD || type == N_NO_PROPOSAL_CHOSEN;
	struct msg_wr chain;
	uint8_t buf[256];
	struct wr w = wr_of(buf, sizeof(buf));

	/* Those of IKE_SA_INIT are smaller than what they answer; the others say nothing a peer needs often. */
	if ((hdr->flags & IKE_FLAG_RESPONSE) || (!init && !answer_allowed(a->core)))
		return;
	chain_start(a, &chain);
	msg_put_notify(&chain, IKE_PROTO_NONE, type, slice_of(NULL, 0), data);
	/* RFC 7296 1.5: SPIs, exchange and message id copied; the other side's I flag. */
	answer.version = IKE_VERSION;
	answer.flags = IKE_FLAG_RESPONSE;
	if (!(hdr->flags & IKE_FLAG_INITIATOR))
		answer.flags |= IKE_FLAG_INITIATOR;
	if (msg_seal_plain(&answer, &chain, &w) == 0)
		a->core->parts->send(a, &path->local, &path->remote, wr_slice(&w));
}
