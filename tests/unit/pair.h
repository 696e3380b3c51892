/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "agent/cred/cred.h"
#include "agent/exch/exch.h"
#include "common/settings.h"

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
/* A program takes of this what it needs. */
#pragma GCC diagnostic ignored "-Wunused-function"

enum { PAIR_QUEUE = 256, PAIR_SLOTS = 256, PAIR_MACS = 16, PAIR_OUTCOMES = 16, PAIR_KEYS = 16 };
enum { A = 0, B = 1 };

struct test_slot {
	bool used, in, out, active;
	uint32_t generation, spi_in, spi_out;
	uint8_t key_in[64], key_out[64];
	size_t key_in_len, key_out_len;
	bool encap;
	struct endpoint local, remote;
	char child[CONF_NAME_MAX];
};

struct test_mac {
	int side;
	uint8_t mac[CRYPT_PRF_MAX];
	size_t len;
	int error;
	keys_mac_fn done;
	keys_sign_fn sign_done; /* a signature instead */
	struct keys_signature sign;
	struct job_ref ref;
};

struct engine {
	int side;
	bool ready;
	struct test_slot slot[PAIR_SLOTS];
	unsigned int installs, removes, traps, moves;
	int fail_install; /* -errno of the next install */
	bool peer_sends;  /* traffic flows: inbound counters show which SA the other side uses */
	bool forget;	  /* orphans asked for */
	unsigned int n_orphans;
	struct engine_orphan orphan[4];
	unsigned int n_inherited;
	struct engine_inherited inherited[4];
	bool kept[4];
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
		    uint16_t prf_id, struct slice octets, keys_mac_fn done, struct job_ref ref)
{
	struct test_mac *m = &w.mac[w.n_mac++];
	const char *psk = w.psk[side_of(a)];

	(void)local;
	(void)remote;
	assert_true(w.n_mac <= PAIR_MACS);
	*m = (struct test_mac){.side = side_of(a), .done = done, .ref = ref};
	if (!psk) {
		m->error = -ENOENT;
		return 0;
	}
	assert_int_equal(auth_psk(prf_id, slice_of(psk, strlen(psk)), &octets, 1, m->mac), 0);
	m->len = prf_len(prf_id);
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

static bool test_ready(const struct engine *e)
{
	return e->ready;
}

static struct test_slot *slot_of(struct engine *e, struct engine_sa sa)
{
	struct test_slot *s = sa.slot < PAIR_SLOTS ? &e->slot[sa.slot] : NULL;

	return s && s->used && s->generation == sa.generation ? s : NULL;
}

static int test_spi_alloc(struct engine *e, struct engine_sa *sa, uint32_t *spi)
{
	static uint32_t generation = 1;

	for (uint32_t i = 1; i < PAIR_SLOTS; i++) {
		if (e->slot[i].used)
			continue;
		*spi = 0xc0000000u | (uint32_t)e->side << 24 | (generation & 0xffff) << 8 | i;
		e->slot[i] = (struct test_slot){
			.used = true, .generation = generation, .spi_in = *spi};
		*sa = (struct engine_sa){.slot = i, .generation = generation++};
		return 0;
	}
	return -ENOSPC;
}

static void test_spi_free(struct engine *e, struct engine_sa sa)
{
	struct test_slot *s = slot_of(e, sa);

	assert_non_null(s);
	assert_false(s->in || s->out);
	s->used = false;
}

static size_t key_copy(uint8_t out[64], const struct secret *encr, const struct secret *integ)
{
	memcpy(out, encr->p, encr->n);
	if (integ->n)
		memcpy(out + encr->n, integ->p, integ->n);
	return encr->n + integ->n;
}

static int install_common(struct engine *e, const struct ike_authenticated *proof, struct engine_sa sa,
			  const struct engine_child *c, struct test_slot **s)
{
	/* Invariant: nothing is installed for a peer that did not prove itself. */
	assert_non_null(proof);
	assert_true(proof->proof != 0);
	assert_int_equal(proof->ike_id, c->ike_id);
	*s = slot_of(e, sa);
	assert_non_null(*s);
	e->installs++;
	(*s)->spi_out = c->spi_out;
	(*s)->encap = c->encap;
	(*s)->local = c->local;
	(*s)->remote = c->remote;
	snprintf((*s)->child, sizeof((*s)->child), "%s", c->child);
	return e->fail_install;
}

static int test_install_in(struct engine *e, const struct ike_authenticated *proof, struct engine_sa sa,
			   const struct engine_child *c, struct secret *encr, struct secret *integ,
			   engine_done_fn done, void *ctx, struct sa_ref ref, uint64_t tag)
{
	struct test_slot *s;
	int err = install_common(e, proof, sa, c, &s);

	if (!err) {
		s->key_in_len = key_copy(s->key_in, encr, integ);
		s->in = true;
	}
	secret_free(encr);
	secret_free(integ);
	done(ctx, ref, tag, err);
	return 0;
}

static int test_install_out(struct engine *e, const struct ike_authenticated *proof, struct engine_sa sa,
			    const struct engine_child *c, struct secret *encr, struct secret *integ,
			    engine_done_fn done, void *ctx, struct sa_ref ref, uint64_t tag)
{
	struct test_slot *s;
	int err = install_common(e, proof, sa, c, &s);

	/* Invariant 7: inbound before outbound. */
	assert_true(s->in);
	if (!err) {
		s->key_out_len = key_copy(s->key_out, encr, integ);
		s->out = true;
	}
	secret_free(encr);
	secret_free(integ);
	done(ctx, ref, tag, err);
	return 0;
}

static int test_activate(struct engine *e, struct engine_sa sa, const struct engine_child *c)
{
	struct test_slot *s = slot_of(e, sa);

	assert_non_null(s);
	assert_true(s->in && s->out);
	for (unsigned int i = 0; i < PAIR_SLOTS; i++)
		if (strcmp(e->slot[i].child, c->child) == 0)
			e->slot[i].active = false;
	s->active = true;
	return 0;
}

static void test_remove(struct engine *e, struct engine_sa sa, bool trap)
{
	struct test_slot *s = slot_of(e, sa);

	assert_non_null(s);
	e->removes++;
	if (s->active && trap)
		e->traps++;
	*s = (struct test_slot){0};
}

static void test_remove_out(struct engine *e, struct engine_sa sa)
{
	struct test_slot *s = slot_of(e, sa);

	assert_non_null(s);
	assert_false(s->active);
	s->out = false;
}

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

static int test_stat(struct engine *e, struct engine_sa sa, struct engine_stat *out)
{
	const struct test_slot *s = slot_of(e, sa);

	*out = (struct engine_stat){0};
	if (!s)
		return -ENOENT;
	for (unsigned int i = 0; e->peer_sends && i < PAIR_SLOTS; i++) {
		const struct test_slot *theirs = &w.engine[1 - e->side].slot[i];

		if (!theirs->used || !theirs->active || theirs->spi_out != s->spi_in)
			continue;
		out->in.packets = 1;
		out->in.last_ns = w.now * 1000000;
	}
	return 0;
}

static int test_move(struct engine *e, struct engine_sa sa, const struct endpoint *local,
		     const struct endpoint *remote)
{
	struct test_slot *s = slot_of(e, sa);

	assert_non_null(s);
	e->moves++;
	s->local = *local;
	s->remote = *remote;
	return 0;
}

static int test_trap(struct engine *e, const struct conn_conf *conn, const struct child_conf *child,
		     const struct ts_list *local, const struct ts_list *remote)
{
	(void)conn;
	(void)child;
	assert_true(local->n && remote->n);
	e->traps++;
	return 0;
}

static int test_untrap(struct engine *e, const char *conn, const char *child)
{
	(void)e;
	(void)conn;
	(void)child;
	return 0;
}

static unsigned int test_orphans(struct engine *e, struct engine_orphan *out, unsigned int max)
{
	unsigned int n = e->n_orphans < max ? e->n_orphans : max;

	memcpy(out, e->orphan, n * sizeof(*out));
	return n;
}

static void test_orphan_remove(struct engine *e, struct engine_sa sa)
{
	for (unsigned int i = 0; i < e->n_orphans; i++)
		if (e->orphan[i].sa.slot == sa.slot)
			e->orphan[i] = e->orphan[--e->n_orphans];
}

static unsigned int test_sort_inherited(struct engine *e, engine_keep_fn keep, void *ctx)
{
	unsigned int gone = 0;

	for (unsigned int i = 0; i < e->n_inherited; i++) {
		e->kept[i] = keep && keep(ctx, &e->inherited[i]);
		gone += !e->kept[i];
	}
	return gone;
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
	.engine_ready = test_ready,
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
	w.acting = m.side;
	if (m.sign_done)
		m.sign_done(&w.agent[m.side], m.ref, &m.sign);
	else
		m.done(&w.agent[m.side], m.ref, &r);
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
	settle();
	while (w.n_queue) {
		deliver_at(0);
		settle();
	}
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

/* ---- set-up -------------------------------------------------------------------------------------------------- */

static const char conf_a[] =
	"connections { gw { local_addrs = 192.0.2.1 \n remote_addrs = 198.51.100.2 \n"
	" proposals = aes128gcm16-prfsha256-x25519 \n rekey_time = 4h \n %s \n"
	" local { auth = psk \n id = a.example } \n remote { auth = psk \n id = b.example } \n"
	" children { net { local_ts = 10.1.0.0/24 \n remote_ts = 10.2.0.0/24 \n"
	" esp_proposals = aes128gcm16-x25519 \n rekey_time = 1h \n %s } } } }";
static const char conf_b[] =
	"connections { gw { local_addrs = 198.51.100.2 \n remote_addrs = %%any \n"
	" proposals = aes128gcm16-prfsha256-x25519 \n rekey_time = 4h \n %s \n"
	" local { auth = psk \n id = b.example } \n remote { auth = psk \n id = a.example } \n"
	" children { net { local_ts = 10.2.0.0/24 \n remote_ts = 10.1.0.0/24 \n"
	" esp_proposals = aes128gcm16-x25519 \n rekey_time = 1h \n %s } } } }";

static struct conf *conf_of(const char *text)
{
	struct settings_error err = {0};
	struct settings *root = settings_parse("test", text, strlen(text), false, &err);
	struct conf *c;
	char line[1024];

	if (!root)
		fail_msg("%s", settings_error_str(&err, line, sizeof(line)));
	c = conf_parse(root, &err);
	if (!c)
		fail_msg("%s", settings_error_str(&err, line, sizeof(line)));
	settings_free(root);
	return c;
}

static void configure_text(int side, const char *text)
{
	sa_configure(&w.agent[side], conf_of(text));
}

static void configure(int side, const char *conn_extra, const char *child_extra)
{
	char text[4096];

	snprintf(text, sizeof(text), side == A ? conf_a : conf_b, conn_extra, child_extra);
	configure_text(side, text);
}

static void on_event(void *ctx, const struct sa_event *ev)
{
	w.events[(intptr_t)ctx][ev->kind]++;
}

static void on_log(void *ctx, enum log_group group, int level, const char *name, uint32_t unique,
		   const char *line)
{
	(void)ctx;
	(void)group;
	(void)level;
	if (getenv("PAIR_VERBOSE"))
		fprintf(stderr, "%8llu %c %s[%u] %s\n", (unsigned long long)w.now, "AB?"[w.acting],
			name ? name : "-", unique, line);
	snprintf(w.last_line, sizeof(w.last_line), "%s", line);
}

static void world_open_side(int side)
{
	struct agent *a = &w.agent[side];

	*a = (struct agent){.parts = &test_parts, .engine = &w.engine[side]};
	gateway_conf_defaults(&a->gw);
	a->jobs = jobs_new(w.base, 0);
	assert_non_null(a->jobs);
	a->creds = creds_new(w.base, a->jobs, "/proc/self/exe");
	assert_non_null(a->creds);
	w.engine[side].side = side;
	w.engine[side].ready = true;
	w.engine[side].peer_sends = true;
	assert_int_equal(agent_core_open(a), 0);
	assert_int_equal(sa_observe(a, on_event, (void *)(intptr_t)side), 0);
}

static int world_open(void **state)
{
	(void)state;
	memset(&w, 0, sizeof(w));
	w.now = 1000000;
	w.seed = 88172645463325252ull;
	w.psk[A] = w.psk[B] = "correct horse battery staple";
	log_to_stderr(false, false);
	log_sink_add(on_log, NULL, getenv("PAIR_VERBOSE") ? 2 : 1);
	sa_clock_set(test_now);
	w.base = event_base_new();
	world_open_side(A);
	world_open_side(B);
	return 0;
}

static void world_close_side(int side, bool polite)
{
	struct agent *a = &w.agent[side];

	if (!a->core)
		return;
	agent_core_close(a, polite);
	jobs_free(a->jobs);
	creds_free(a->creds);
	while (w.n_keys[side])
		sig_private_free(w.key[side][--w.n_keys[side]]);
}

static int world_close(void **state)
{
	(void)state;
	w.guard = false;
	world_close_side(A, true);
	world_close_side(B, true);
	/* Nothing is left in the engines of those who said good-bye. */
	for (int s = A; s <= B; s++)
		for (unsigned int i = 0; i < PAIR_SLOTS; i++)
			assert_false(w.engine[s].slot[i].used);
	lose_all();
	event_base_free(w.base);
	log_sink_remove(on_log, NULL);
	sa_clock_set(NULL);
	return 0;
}

/* ---- asking -------------------------------------------------------------------------------------------------------- */

static void on_outcome(void *ctx, const struct outcome *o)
{
	struct outcome *slot = ctx;

	assert_true(slot->error == INT32_MAX); /* once and only once */
	*slot = *o;
}

/* A place for the outcome of a command; error is INT32_MAX until it is there. */
static struct outcome *outcome_place(void)
{
	struct outcome *o = &w.outcome[w.n_outcomes++];

	assert_true(w.n_outcomes <= PAIR_OUTCOMES);
	*o = (struct outcome){.error = INT32_MAX};
	return o;
}

static struct outcome *initiate(int side)
{
	struct outcome *o = outcome_place(), now;

	assert_int_equal(sa_initiate(&w.agent[side], "gw", "net", on_outcome, o, &now), 0);
	return o;
}

static struct outcome *rekey(int side, const char *ike, const char *child)
{
	struct sa_select sel = {.ike = ike, .child = child};
	struct outcome *o = outcome_place(), now;

	assert_int_equal(sa_rekey(&w.agent[side], &sel, on_outcome, o, &now), 0);
	return o;
}

static struct outcome *terminate(int side, const char *ike, const char *child, bool force)
{
	struct sa_select sel = {.ike = ike, .child = child, .force = force};
	struct outcome *o = outcome_place(), now;

	assert_int_equal(sa_terminate(&w.agent[side], &sel, on_outcome, o, &now), 0);
	return o;
}

static unsigned int count_ikes(int side)
{
	unsigned int n = 0;
	const struct ike_sa *ike;

	TAILQ_FOREACH (ike, sa_all(&w.agent[side]), all)
		n++;
	return n;
}

static unsigned int count_children(int side)
{
	unsigned int n = 0;
	const struct ike_sa *ike;
	const struct child_sa *c;

	TAILQ_FOREACH (ike, sa_all(&w.agent[side]), all)
		TAILQ_FOREACH (c, &ike->children, next)
			n++;
	return n;
}

static struct ike_sa *first_ike(int side)
{
	return TAILQ_FIRST(sa_all(&w.agent[side]));
}

/* One IKE SA, one Child SA, traffic both ways: where everything must end. */
static void assert_one_pair(void)
{
	assert_int_equal(count_ikes(A), 1);
	assert_int_equal(count_ikes(B), 1);
	assert_int_equal(count_children(A), 1);
	assert_int_equal(count_children(B), 1);
	assert_int_equal(first_ike(A)->state, IKE_ESTABLISHED);
	assert_int_equal(first_ike(B)->state, IKE_ESTABLISHED);
	assert_true(first_ike(A)->initiator != first_ike(B)->initiator);
	assert_true(first_ike(A)->spi_i == first_ike(B)->spi_i);
	assert_int_equal(TAILQ_FIRST(&first_ike(A)->children)->state, CHILD_INSTALLED);
	assert_int_equal(TAILQ_FIRST(&first_ike(B)->children)->state, CHILD_INSTALLED);
	assert_true(active_slot(A)->spi_out == active_slot(B)->spi_in);
	assert_true(active_slot(B)->spi_out == active_slot(A)->spi_in);
	check_flow(A);
	check_flow(B);
}

static void establish_with(const char *conn_extra, const char *child_extra)
{
	struct outcome *o;

	configure(A, conn_extra, child_extra);
	configure(B, conn_extra, child_extra);
	o = initiate(A);
	run();
	assert_int_equal(o->error, 0);
	assert_one_pair();
	w.guard = true;
}

static void establish(void)
{
	establish_with("", "");
}
