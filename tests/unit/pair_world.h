/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "agent/cred/cred.h"
#include "pair_engine.h"

#include <errno.h>
#include <event2/event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/*
 * Two protocol cores in one process. Between them a queue of datagrams, a clock, the randomness, the keys
 * role's answers and two engines that remember what they were told: all under the control of the test.
 * After every step of the world check_world() holds both engines to the promises of make before break.
 */
enum { PAIR_QUEUE = 256, PAIR_MACS = 16, PAIR_OUTCOMES = 16, PAIR_KEYS = 16 };
enum { A = 0, B = 1 };

struct test_mac {
	int side;
	uint8_t mac[CRYPT_PRF_MAX], more[CRYPT_PRF_MAX];
	size_t len, more_len;
	int error;
	keys_mac_fn done;
	keys_sign_fn sign_done; /* a signature instead */
	struct keys_signature sign;
	struct job_ref ref;
};

struct test_datagram {
	struct endpoint from, to;
	int side; /* receiver */
	size_t n;
	uint8_t *p;
};

struct world {
	uint64_t now;
	uint64_t seed;
	struct event_base *base; /* for the jobs alone: timers run when the test says so */
	struct agent agent[2];
	struct engine engine[2];
	const char *psk[2];
	struct sig_key *key[2][PAIR_KEYS]; /* of the keys roles: real keys, real signatures */
	unsigned int n_keys[2], signs[2];
	bool spoil_sign; /* the next signatures have a wrong bit */
	int fail_sign;	 /* -errno of the next signatures */
	struct test_datagram queue[PAIR_QUEUE];
	unsigned int n_queue;
	struct test_mac mac[PAIR_MACS];
	unsigned int n_mac;
	bool (*drop)(const struct test_datagram *d); /* true: the datagram is lost */
	unsigned int sent[2], keepalives[2];
	bool nat;     /* B sees A's packets from another address and port */
	bool guard;   /* hold the engines to "no packet lost" from now on */
	struct outcome outcome[PAIR_OUTCOMES];
	unsigned int n_outcomes;
	uint8_t nonce[16][IKE_NONCE_LEN]; /* next nonces, when n_nonces */
	unsigned int n_nonces, at_nonce;
	unsigned int mac_busy[2]; /* so many requests the keys role does not take */
	unsigned int events[2][SA_EV_CHILD_REKEY + 1];
	int acting; /* whose turn it is, for the log */
	char last_line[LOG_LINE_MAX];
};

static struct world w;

static uint64_t test_now(void)
{
	return w.now;
}

/* ---- parts ------------------------------------------------------------------------------------ */

static int test_random(void *p, size_t n)
{
	uint8_t *b = p;

	if (n == IKE_NONCE_LEN && w.at_nonce < w.n_nonces) {
		memcpy(p, w.nonce[w.at_nonce++], n);
		return 0;
	}
	for (size_t i = 0; i < n; i++) {
		w.seed ^= w.seed << 13;
		w.seed ^= w.seed >> 7;
		w.seed ^= w.seed << 17;
		b[i] = (uint8_t)(w.seed >> 24);
	}
	return 0;
}

static int side_of(const struct agent *a)
{
	return a == &w.agent[B];
}

static const struct ip_addr *addr_of(int side)
{
	static struct ip_addr ip[3];
	static const char *const text[3] = {"192.0.2.1", "198.51.100.2", "203.0.113.9"};

	addr_parse(text[side], &ip[side]);
	return &ip[side];
}

static int test_send(struct agent *a, const struct endpoint *from, const struct endpoint *to,
		     struct slice datagram)
{
	struct test_datagram d = {.from = *from, .to = *to, .side = 1 - side_of(a), .n = datagram.n};

	assert_true(w.n_queue < PAIR_QUEUE);
	w.sent[side_of(a)]++;
	/* The NAT in front of A: 203.0.113.9, another port outside. */
	if (w.nat && side_of(a) == A) {
		d.from.ip = *addr_of(2);
		d.from.port = (uint16_t)(d.from.port + 20000);
	}
	if (w.nat && side_of(a) == B) {
		if (!addr_equal(&to->ip, addr_of(2)))
			return 0;
		d.to.ip = *addr_of(A);
		d.to.port = (uint16_t)(d.to.port - 20000);
	}
	if (w.drop && w.drop(&d))
		return 0;
	d.p = malloc(datagram.n ? datagram.n : 1);
	memcpy(d.p, datagram.p, datagram.n);
	w.queue[w.n_queue++] = d;
	return 0;
}

static int test_keepalive(struct agent *a, const struct endpoint *from, const struct endpoint *to)
{
	(void)from;
	(void)to;
	w.keepalives[side_of(a)]++;
	return 0;
}

static int test_source(const struct ip_addr *to, struct ip_addr *out)
{
	*out = *addr_of(addr_equal(to, addr_of(A)) ? B : A);
	return 0;
}

static int test_psk(struct agent *a, const struct ike_id *local, const struct ike_id *remote,
		    uint16_t prf_id, struct slice octets, struct slice more, keys_mac_fn done,
		    struct job_ref ref)
{
	struct test_mac *m = &w.mac[w.n_mac];
	const char *psk = w.psk[side_of(a)];

	(void)local;
	(void)remote;
	if (w.mac_busy[side_of(a)]) {
		w.mac_busy[side_of(a)]--;
		return -EBUSY;
	}
	w.n_mac++;
	assert_true(w.n_mac <= PAIR_MACS);
	*m = (struct test_mac){.side = side_of(a), .done = done, .ref = ref};
	if (!psk) {
		m->error = -ENOENT;
		return 0;
	}
	assert_int_equal(auth_psk(prf_id, slice_of(psk, strlen(psk)), &octets, 1, m->mac), 0);
	if (more.n)
		assert_int_equal(auth_psk(prf_id, slice_of(psk, strlen(psk)), &more, 1, m->more), 0);
	m->len = prf_len(prf_id);
	m->more_len = more.n ? m->len : 0;
	return 0;
}

static const struct sig_key *test_key(struct agent *a, const uint8_t id[SIG_KEY_ID_LEN])
{
	int side = side_of(a);

	for (unsigned int i = 0; i < w.n_keys[side]; i++)
		if (memcmp(sig_private_info(w.key[side][i])->id, id, SIG_KEY_ID_LEN) == 0)
			return w.key[side][i];
	return NULL;
}

static bool test_has_private(struct agent *a, const uint8_t id[SIG_KEY_ID_LEN])
{
	return test_key(a, id) != NULL;
}

static int test_sign(struct agent *a, const uint8_t id[SIG_KEY_ID_LEN], enum sig_scheme scheme,
		     struct slice octets, keys_sign_fn done, struct job_ref ref)
{
	struct test_mac *m = &w.mac[w.n_mac++];
	const struct sig_key *key = test_key(a, id);

	assert_true(w.n_mac <= PAIR_MACS);
	*m = (struct test_mac){.side = side_of(a), .sign_done = done, .ref = ref};
	w.signs[side_of(a)]++;
	m->sign.error = w.fail_sign ? w.fail_sign : key ? 0 : -ENOENT;
	if (m->sign.error)
		return 0;
	assert_int_equal(sig_sign(key, scheme, octets, m->sign.signature, &m->sign.len), 0);
	if (w.spoil_sign)
		m->sign.signature[m->sign.len / 2] ^= 1;
	return 0;
}

static int test_verify(struct agent *a, const struct cred_peer *peer, cred_done_fn done, struct job_ref ref)
{
	return creds_verify(a->creds, peer, done, a, ref);
}

static const struct agent_parts test_parts = {
	.random = test_random,
	.send = test_send,
	.keepalive = test_keepalive,
	.source_for = test_source,
	.psk_mac = test_psk,
	.has_private = test_has_private,
	.sign = test_sign,
	.verify = test_verify,
	.engine_pick = test_pick,
	.engine_of = test_engine_of,
	.spi_alloc = test_spi_alloc,
	.spi_free = test_spi_free,
	.install_in = test_install_in,
	.install_out = test_install_out,
	.activate = test_activate,
	.remove = test_remove,
	.remove_out = test_remove_out,
	.stat_get = test_stat,
	.move = test_move,
	.trap = test_trap,
	.untrap = test_untrap,
	.orphans = test_orphans,
	.orphan_remove = test_orphan_remove,
	.sort_inherited = test_sort_inherited,
};

/* What a side encrypts a child's packets with; name NULL: any child. */
static const struct test_slot *active_slot_of(int side, const char *child)
{
	for (unsigned int i = 0; i < PAIR_SLOTS; i++) {
		const struct test_slot *s = &w.engine[side].slot[i];

		if (s->used && s->active && (!child || strcmp(s->child, child) == 0))
			return s;
	}
	return NULL;
}

static const struct test_slot *active_slot(int side)
{
	return active_slot_of(side, NULL);
}

/* ---- what must hold at any time -------------------------------------------------------------------- */

static bool can_open(int side, const struct test_slot *theirs)
{
	for (unsigned int i = 0; i < PAIR_SLOTS; i++) {
		const struct test_slot *s = &w.engine[side].slot[i];

		if (!s->used || !s->in || s->spi_in != theirs->spi_out)
			continue;
		assert_int_equal(s->key_in_len, theirs->key_out_len);
		assert_memory_equal(s->key_in, theirs->key_out, s->key_in_len);
		return true;
	}
	return false;
}

/* What one side encrypts with, the other can decrypt: no packet sent now is lost. */
static void check_flow(int side)
{
	assert_non_null(active_slot(side));
	for (unsigned int i = 0; i < PAIR_SLOTS; i++) {
		const struct test_slot *mine = &w.engine[side].slot[i];

		if (!mine->used || !mine->active)
			continue;
		assert_true(mine->out);
		if (!can_open(1 - side, mine))
			fail_msg("%c sends on SPI %08x, which the peer does not have", 'A' + side,
				 mine->spi_out);
	}
}

static void check_sas(int side)
{
	const struct ike_sa *ike;
	const struct child_sa *c;
	unsigned int half_open = 0;

	TAILQ_FOREACH (ike, sa_all(&w.agent[side]), all) {
		assert_true(ike->state != IKE_DEAD);
		half_open += ike->state == IKE_CONNECTING && !ike->initiator;
		TAILQ_FOREACH (c, &ike->children, next) {
			assert_ptr_equal(c->ike, ike);
			assert_true(ike->authenticated);
			assert_non_null(slot_of(&w.engine[side], c->engine));
			assert_ptr_equal(sa_find_child(&w.agent[side], c->id), c);
		}
		assert_true(!ike->authenticated || ike->proof.ike_id == ike->id);
	}
	assert_int_equal(half_open, sa_half_open(&w.agent[side]));
}

static void check_world(void)
{
	check_sas(A);
	check_sas(B);
	if (w.guard) {
		check_flow(A);
		check_flow(B);
	}
}

/* ---- moving the world ----------------------------------------------------------------------------------- */

static void deliver_at(unsigned int i)
{
	struct test_datagram d = w.queue[i];

	memmove(&w.queue[i], &w.queue[i + 1], (--w.n_queue - i) * sizeof(d));
	w.acting = d.side;
	agent_recv(&w.agent[d.side], &d.from, &d.to, slice_of(d.p, d.n));
	free(d.p);
	check_world();
}

/* The oldest datagram for a side; false when there is none. */
static bool deliver_to(int side)
{
	for (unsigned int i = 0; i < w.n_queue; i++) {
		if (w.queue[i].side != side)
			continue;
		deliver_at(i);
		return true;
	}
	return false;
}

static bool answer_mac(void)
{
	struct keys_mac r = {0};
	struct test_mac m;

	if (!w.n_mac)
		return false;
	m = w.mac[0];
	memmove(&w.mac[0], &w.mac[1], --w.n_mac * sizeof(m));
	r.error = m.error;
	r.len = m.len;
	memcpy(r.mac, m.mac, m.len);
	r.more_len = m.more_len;
	memcpy(r.more, m.more, m.more_len);
	w.acting = m.side;
	if (m.sign_done)
		m.sign_done(&w.agent[m.side], m.ref, &m.sign);
	else
		m.done(&w.agent[m.side], m.ref, &r);
	check_world();
	return true;
}

/* The oldest answer of an engine that takes its time. */
static bool answer_engine(int side)
{
	struct engine *e = &w.engine[side];
	struct test_answer a = e->answer[0];

	if (!e->n_answer)
		return false;
	memmove(&e->answer[0], &e->answer[1], --e->n_answer * sizeof(a));
	w.acting = side;
	a.done(a.ctx, a.ref, a.tag, a.error);
	check_world();
	return true;
}

/* Timers that are due now, and answers of the keys roles: what happens without a datagram. */
static void settle(void)
{
	bool again = true;

	while (again) {
		again = answer_mac();
		/* what a verification hands on from a fresh stack */
		event_base_loop(w.base, EVLOOP_NONBLOCK);
		for (int s = A; s <= B; s++) {
			if (!w.agent[s].core || timers_next(&w.agent[s].core->timers) > w.now)
				continue;
			w.acting = s;
			timers_run(&w.agent[s].core->timers, w.now);
			check_world();
			again = true;
		}
	}
}

/* Everything until nothing moves without the clock. */
static void run(void)
{
	bool again;

	settle();
	do {
		while (w.n_queue) {
			deliver_at(0);
			settle();
		}
		again = answer_engine(A) || answer_engine(B);
		settle();
	} while (again || w.n_queue);
}

/* The clock, timer by timer, with all that follows. */
static void advance(uint64_t ms)
{
	uint64_t end = w.now + ms;

	run();
	for (;;) {
		uint64_t next = UINT64_MAX;

		for (int s = A; s <= B; s++) {
			uint64_t at = w.agent[s].core ? timers_next(&w.agent[s].core->timers) : UINT64_MAX;

			next = at < next ? at : next;
		}
		if (next > end)
			break;
		w.now = next > w.now ? next : w.now;
		run();
	}
	w.now = end;
}

static void lose_all(void)
{
	while (w.n_queue)
		free(w.queue[--w.n_queue].p);
}
