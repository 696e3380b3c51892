/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "pair.h"

/* Messages written by hand: side A with its own keys and no manners, or in side B's place. */

static uint64_t counter(int side, enum ike_counter c)
{
	return sa_counter(&w.agent[side], c);
}

static struct msg_wr chain;

static struct msg_wr *craft(void)
{
	chain_start(&w.agent[A], &chain);
	return &chain;
}

/* The chain as A's next request. */
static void ask(uint8_t exchange)
{
	struct ike_sa *ike = first_ike(A);

	request_once(ike, exchange, &chain);
	ike->send_mid++;
	settle();
}

/* The chain as B's answer to the request that waits in the queue, instead of what B would say. */
static void answer_instead(uint8_t exchange)
{
	struct ike_sa *ike = first_ike(B);
	struct ike_hdr hdr;

	assert_int_equal(w.n_queue, 1);
	assert_int_equal(ike_hdr_decode(slice_of(w.queue[0].p, w.queue[0].n), &hdr), WIRE_OK);
	ike->req = (struct request_in){.open = true,
				       .exchange = exchange,
				       .mid = hdr.mid,
				       .local = w.queue[0].to,
				       .remote = w.queue[0].from};
	lose_all();
	assert_int_equal(reply_send(ike, &chain), 0);
	settle();
}

static uint8_t plain[65536];

/* What side `to` reads in the oldest datagram for it. */
static void open_for(int to, const struct test_datagram *d, struct ike_msg *msg, size_t *n)
{
	struct ike_sa *ike = first_ike(to);

	assert_int_equal(msg_decode(slice_of(d->p, d->n), msg), WIRE_OK);
	assert_int_equal(sk_open(&ike->suite, ike->initiator ? &ike->keys.er : &ike->keys.ei,
				 ike->initiator ? &ike->keys.ar : &ike->keys.ai, msg, plain,
				 sizeof(plain), n),
			 0);
}

/* B's answer, delivered to nobody; 0 or its first error notify. */
static unsigned int answer_of_b(struct ike_msg *msg)
{
	size_t n;

	assert_true(deliver_to(B));
	settle();
	assert_int_equal(w.n_queue, 1);
	open_for(A, &w.queue[0], msg, &n);
	assert_int_equal(msg_decode_inner(slice_of(plain, n), msg->sk.first, msg), WIRE_OK);
	lose_all();
	return msg_error_notify(msg) ? msg_error_notify(msg)->type : 0;
}

static void put_child_offer(const struct child_nego *n)
{
	nego_put_offer(n, &chain);
}

static struct child_nego *offer(bool first)
{
	struct ike_sa *ike = first_ike(A);
	struct child_nego *n = nego_new(ike, true, &ike->conn->child[0]);
	struct outcome why;

	assert_int_equal(nego_offer(ike, n, NULL, first, &why), 0);
	n->kx.ke = ke_new(n->kx.group);
	return n;
}
