/* SPDX-License-Identifier: BSD-2-Clause */
#include "pair.h"

/* How SAs end and come back: reauthentication, hard limits, close and DPD actions, inactivity, uniqueness. */

static uint64_t counter(int side, enum ike_counter c)
{
	return sa_counter(&w.agent[side], c);
}

static struct outcome *reauth(int side)
{
	struct sa_select sel = {.ike = "gw"};
	struct outcome *o = outcome_place(), now;

	assert_int_equal(sa_reauth(&w.agent[side], &sel, on_outcome, o, &now), 0);
	return o;
}

static void set_make(bool make)
{
	w.agent[A].gw.ike.make_before_break = w.agent[B].gw.ike.make_before_break = make;
}

static struct child_sa *first_child(int side)
{
	return TAILQ_FIRST(&first_ike(side)->children);
}

/* ---- reauthentication, corner 14 ------------------------------------------------------------------ */

/* Not one packet is lost at any step: the guard of the world looks after each. */
static void reauth_make_before_break(void **state)
{
	uint64_t spi;

	(void)state;
	set_make(true);
	establish();
	for (int side = A; side <= B; side++) {
		struct outcome *o;

		spi = first_ike(A)->spi_i;
		o = reauth(side);
		run();
		assert_int_equal(o->error, 0);
		assert_non_null(strstr(o->text, "reauthenticated"));
		advance(10000);
		assert_one_pair();
		assert_true(first_ike(A)->spi_i != spi);
		assert_false(first_ike(side)->rekeyed);
		assert_int_equal(first_ike(side)->initiator, true);
		assert_int_equal(counter(side, IKE_C_reauth), 1);
	}
}

/* Every one of its messages lost once, and each repeated. */
static unsigned int drop_nth, dropped_at;

static bool drop_one(const struct test_datagram *d)
{
	(void)d;
	return dropped_at++ == drop_nth;
}

static void reauth_with_a_message_lost(void **state)
{
	(void)state;
	for (drop_nth = 0; drop_nth < 8; drop_nth++) {
		struct outcome *o;

		set_make(true);
		establish();
		dropped_at = 0;
		w.drop = drop_one;
		o = reauth(A);
		advance(60000);
		w.drop = NULL;
		assert_int_equal(o->error, 0);
		assert_one_pair();
		world_close(NULL);
		world_open(NULL);
	}
}

/* RFC 7296 2.8.3: two at once end in one, too. */
static void reauth_from_both_sides(void **state)
{
	struct outcome *a, *b;

	(void)state;
	set_make(true);
	establish();
	a = reauth(A);
	b = reauth(B);
	advance(60000);
	assert_true(a->error != INT32_MAX && b->error != INT32_MAX);
	assert_true(!a->error || !b->error);
	assert_one_pair();
}

static bool drop_all(const struct test_datagram *d)
{
	(void)d;
	return true;
}

/* The new one cannot be had: the old one works on and is tried again later. */
static void reauth_that_fails_keeps_the_old(void **state)
{
	struct outcome *o;
	uint64_t spi;

	(void)state;
	set_make(true);
	establish_with("reauth_time = 1h \n over_time = 10m \n rand_time = 0", "");
	spi = first_ike(A)->spi_i;
	w.psk[B] = NULL;
	o = reauth(A);
	run();
	assert_int_equal(o->error, -EACCES);
	assert_one_pair();
	assert_true(first_ike(A)->spi_i == spi);
	w.psk[B] = w.psk[A];
	advance(40000);
	assert_one_pair();
	assert_true(first_ike(A)->spi_i != spi);
}

static void reauth_break_before_make(void **state)
{
	struct outcome *o;
	uint64_t spi;

	(void)state;
	set_make(false);
	establish();
	w.guard = false;
	spi = first_ike(A)->spi_i;
	o = reauth(A);
	settle();
	deliver_to(B);
	settle();
	assert_int_equal(count_ikes(B), 0);
	run();
	/* What it protected was closed meanwhile. */
	assert_int_equal(w.engine[A].traps, 1);
	assert_int_equal(o->error, 0);
	assert_one_pair();
	assert_true(first_ike(A)->spi_i != spi);
}

/* By time, on both sides, and a rekey does not put it off. */
static void reauth_by_time(void **state)
{
	uint64_t spi;

	(void)state;
	set_make(true);
	establish_with("reauth_time = 2h \n rand_time = 5m", "");
	spi = first_ike(A)->spi_i;
	rekey(A, "gw", NULL);
	advance(3600 * 1000);
	assert_true(first_ike(A)->rekeyed);
	advance(3600 * 1000);
	assert_false(first_ike(A)->rekeyed);
	assert_true(first_ike(A)->spi_i != spi);
	assert_true(counter(A, IKE_C_reauth) + counter(B, IKE_C_reauth) >= 1);
	assert_one_pair();
}

/* Nobody answers: closed at reauth_time + over_time. */
static void reauth_over_time(void **state)
{
	(void)state;
	set_make(true);
	establish_with("rekey_time = 0 \n reauth_time = 1h \n over_time = 60s \n rand_time = 0", "rekey_time = 5h");
	w.guard = false;
	w.drop = drop_all;
	advance(3600 * 1000 + 59000);
	assert_int_equal(count_children(A), 1);
	advance(2000 + 170000);
	assert_int_equal(count_ikes(A), 0);
}

static void reauth_is_refused_where_it_cannot_be(void **state)
{
	struct sa_select child = {.child = "net"};
	struct outcome *o, now;

	(void)state;
	w.nat = true;
	establish();
	w.guard = false;
	assert_int_equal(sa_reauth(&w.agent[A], &child, on_outcome, NULL, &now), -EINVAL);
	o = reauth(B);
	run();
	assert_int_equal(o->error, -EDESTADDRREQ);
	assert_one_pair();
}

/* A duplicate that nobody asked to replace anything stays beside the first until the peer uses it: corner 14. */
static void equal_selectors_are_tolerated(void **state)
{
	struct ike_sa *ike;
	uint32_t spi;
	struct task *t;

	(void)state;
	establish();
	ike = first_ike(A);
	spi = active_slot(B)->spi_in;
	t = task_new(ike, TASK_CHILD_CREATE, 0);
	t->conn = conn_conf_ref(ike->conn);
	t->conf = first_child(A)->conf;
	task_queue(ike, t);
	settle();
	deliver_to(B);
	settle();
	assert_int_equal(count_children(B), 2);
	assert_int_equal(active_slot(B)->spi_in, spi);
	assert_true(TAILQ_FIRST(&first_ike(B)->children)->active);
	run();
	advance(5000);
	/* A is on the new one, and B saw it. */
	assert_true(active_slot(B)->spi_in != spi);
	assert_false(TAILQ_FIRST(&first_ike(B)->children)->active);
	check_flow(A);
	check_flow(B);
	/* The first goes, the second stays in force. */
	terminate(A, NULL, "net", false);
	t = TAILQ_FIRST(&ike->tasks);
	w.guard = false;
	advance(10000);
	assert_int_equal(count_children(A), 0);
}

/* ---- hard limits, corner 33 ------------------------------------------------------------------------------- */

static void hard_limit_beats_the_answer(void **state)
{
	struct outcome *o;
	uint32_t spi;

	(void)state;
	configure(A, "", "rekey_time = 100s \n life_time = 110s \n rand_time = 0");
	configure(B, "", "");
	initiate(A);
	run();
	spi = active_slot(A)->spi_in;
	w.drop = drop_all;
	advance(100000);
	assert_int_equal(first_child(A)->state, CHILD_REKEYING);
	assert_int_equal(w.engine[A].traps, 0);
	advance(10000);
	/* The request is still under way, the keys are gone, and what they protected is closed. */
	assert_int_equal(count_children(A), 0);
	assert_null(active_slot(A));
	assert_int_equal(w.engine[A].traps, 1);
	w.drop = NULL;
	advance(20000);
	assert_one_pair();
	assert_true(active_slot(A)->spi_in != spi);
	o = rekey(B, NULL, "net");
	advance(10000);
	assert_int_equal(o->error, 0);
	assert_one_pair();
}

static void engine_says_hard(void **state)
{
	struct engine_event ev = {.kind = ENGINE_HARD};

	(void)state;
	establish_with("", "start_action = start");
	w.guard = false;
	ev.sa = first_child(A)->engine;
	agent_engine_event(&w.agent[A], &ev);
	assert_int_equal(count_children(A), 0);
	advance(1000);
	assert_one_pair();
}

static void engine_says_soft(void **state)
{
	struct engine_event ev = {.kind = ENGINE_SOFT};
	uint32_t spi;

	(void)state;
	establish();
	spi = active_slot(A)->spi_in;
	ev.sa = first_child(A)->engine;
	agent_engine_event(&w.agent[A], &ev);
	agent_engine_event(&w.agent[A], &ev);
	advance(10000);
	assert_one_pair();
	assert_true(active_slot(A)->spi_in != spi);
	assert_int_equal(counter(A, IKE_C_rekey_child), 1);
}

/* ---- actions when it ends ------------------------------------------------------------------------------- */

/* The peer is dead: what dpd_action says of each. */
static void dpd_actions(void **state)
{
	static const struct {
		const char *action;
		unsigned int traps;
		bool again;
	} t[] = {{"clear", 0, false}, {"trap", 1, false}, {"restart", 1, true}};
	char child[64];

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		snprintf(child, sizeof(child), "dpd_action = %s", t[i].action);
		configure(A, "dpd_delay = 10s", child);
		configure(B, "", "");
		initiate(A);
		run();
		assert_one_pair();
		w.engine[A].peer_sends = false;
		w.drop = drop_all;
		advance(10000 + 166000);
		assert_int_equal(count_children(A), 0);
		assert_int_equal(w.engine[A].traps, t[i].traps);
		assert_true(counter(A, IKE_C_timeout) >= 1);
		w.drop = NULL;
		advance(100000);
		assert_int_equal(count_children(A), t[i].again);
		if (t[i].again)
			advance(400000);
		world_close(NULL);
		world_open(NULL);
	}
}

static void close_actions(void **state)
{
	static const struct {
		const char *action;
		unsigned int traps;
		bool again;
	} t[] = {{"none", 0, false}, {"trap", 1, false}, {"start", 1, true}};
	char child[64];

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(t) / sizeof(t[0]); i++) {
		bool whole = i % 2;

		snprintf(child, sizeof(child), "close_action = %s", t[i / 2].action);
		configure(A, "", child);
		configure(B, "", "");
		initiate(A);
		run();
		terminate(B, whole ? "gw" : NULL, whole ? NULL : "net", false);
		run();
		assert_int_equal(count_children(A), 0);
		assert_int_equal(w.engine[A].traps, t[i / 2].traps);
		advance(10000);
		assert_int_equal(count_children(A), t[i / 2].again);
		world_close(NULL);
		world_open(NULL);
	}
}

/* ---- inactivity ------------------------------------------------------------------------------------------------ */

static void inactivity(void **state)
{
	(void)state;
	configure(A, "", "inactivity = 60s \n rekey_time = 100s");
	configure(B, "", "");
	initiate(A);
	run();
	/* Traffic keeps it, also over rekeys. */
	advance(300000);
	assert_one_pair();
	assert_true(counter(A, IKE_C_rekey_child) >= 2);
	w.engine[A].peer_sends = w.engine[B].peer_sends = false;
	advance(61000);
	assert_int_equal(count_children(A), 0);
	assert_int_equal(count_ikes(A), 1);
	assert_int_equal(counter(A, IKE_C_inactive), 1);
	assert_int_equal(w.engine[A].traps, 0);
}

/* A rekey is no traffic: it is closed though it was rekeyed in between. */
static void inactivity_over_a_rekey(void **state)
{
	(void)state;
	configure(A, "", "inactivity = 300s \n rekey_time = 100s");
	configure(B, "", "");
	initiate(A);
	run();
	w.engine[A].peer_sends = w.engine[B].peer_sends = false;
	advance(290000);
	assert_int_equal(count_children(A) > 0, true);
	assert_true(counter(A, IKE_C_rekey_child) >= 2);
	advance(200000);
	assert_int_equal(count_children(A), 0);
}

static void inactivity_takes_the_ike_sa(void **state)
{
	(void)state;
	w.agent[A].gw.ike.inactivity_close_ike = true;
	configure(A, "", "inactivity = 60s");
	configure(B, "", "");
	initiate(A);
	run();
	w.engine[A].peer_sends = false;
	advance(61000);
	assert_int_equal(count_ikes(A), 0);
	assert_int_equal(count_ikes(B), 0);
}

/* ---- who may connect ------------------------------------------------------------------------------------------------ */

static void restart_side(int side)
{
	w.guard = false;
	world_close_side(side, false);
	memset(&w.engine[side].slot, 0, sizeof(w.engine[side].slot));
	world_open_side(side);
}

/* Corner 6: the same identity and no other; `keep` refuses a second one, unless the first is said to be lost. */
static void unique_keep(void **state)
{
	struct outcome *o;

	(void)state;
	configure(A, "unique = never", "");
	configure(B, "unique = keep", "");
	initiate(A);
	run();
	assert_one_pair();
	restart_side(A);
	configure(A, "unique = never", "");
	o = initiate(A);
	run();
	assert_int_equal(o->error, -EACCES);
	assert_int_equal(counter(B, IKE_C_auth_unique), 1);
	restart_side(A);
	configure(A, "", "");
	o = initiate(A);
	run();
	assert_int_equal(o->error, 0);
	advance(1000);
	assert_one_pair();
}

static void unique_replace(void **state)
{
	(void)state;
	configure(A, "unique = never", "");
	configure(B, "unique = replace", "");
	initiate(A);
	run();
	restart_side(A);
	configure(A, "unique = never", "");
	initiate(A);
	run();
	assert_int_equal(count_ikes(B), 2);
	/* A does not answer to what it has forgotten. */
	advance(200000);
	assert_one_pair();
}

static void unique_never(void **state)
{
	(void)state;
	configure(A, "unique = never", "");
	configure(B, "unique = never", "");
	initiate(A);
	run();
	restart_side(A);
	configure(A, "", "");
	initiate(A);
	advance(10000);
	assert_int_equal(count_ikes(B), 2);
}

static const char two_peers[] =
	"connections {"
	" gw { local_addrs = 198.51.100.2 \n remote_addrs = %any \n proposals = aes128gcm16-prfsha256-x25519 \n"
	" local { auth = psk \n id = b.example } \n remote { auth = psk \n id = %any } \n"
	" children { net { local_ts = 10.2.0.0/24 \n remote_ts = 10.1.0.0/24 \n esp_proposals = aes128gcm16 } } } }";

/* Corner 6: INITIAL_CONTACT of one identity says nothing about another, also behind the same address. */
static void initial_contact_of_another(void **state)
{
	static const char of_c[] =
		"connections { gw { local_addrs = 192.0.2.1 \n remote_addrs = 198.51.100.2 \n"
		" proposals = aes128gcm16-prfsha256-x25519 \n local { auth = psk \n id = c.example } \n"
		" remote { auth = psk \n id = b.example } \n children { net { local_ts = 10.1.0.0/24 \n"
		" remote_ts = 10.2.0.0/24 \n esp_proposals = aes128gcm16 } } } }";

	(void)state;
	configure(A, "", "");
	configure_text(B, two_peers);
	initiate(A);
	run();
	assert_int_equal(count_ikes(B), 1);
	restart_side(A);
	configure_text(A, of_c);
	initiate(A);
	advance(10000);
	assert_int_equal(count_ikes(B), 2);
	assert_int_equal(count_children(B), 2);
}

static void initiator_only(void **state)
{
	struct outcome *o;

	(void)state;
	configure(A, "", "");
	configure(B, "", "");
	w.agent[B].gw.ike.initiator_only = true;
	o = initiate(A);
	advance(20000);
	assert_int_equal(o->error, INT32_MAX);
	assert_int_equal(count_ikes(B), 0);
	assert_true(counter(B, IKE_C_initiator_only) >= 3);
	/* Switched while it runs: the next retransmission gets its answer. */
	w.agent[B].gw.ike.initiator_only = false;
	advance(60000);
	assert_int_equal(o->error, 0);
	assert_one_pair();
}

static void child_failure_closes(void **state)
{
	struct outcome *o;

	(void)state;
	for (int i = 0; i < 2; i++) {
		w.agent[A].gw.ike.close_ike_on_child_failure = i;
		configure(A, "", "esp_proposals = aes256gcm16");
		configure(B, "", "");
		o = initiate(A);
		run();
		assert_int_equal(o->notify, N_NO_PROPOSAL_CHOSEN);
		assert_int_equal(count_ikes(A), !i);
		assert_int_equal(count_ikes(B), !i);
		world_close(NULL);
		world_open(NULL);
	}
}

/* ---- limits ------------------------------------------------------------------------------------------------------------ */

static void queue_child(int side)
{
	struct ike_sa *ike = first_ike(side);
	struct task *t = task_new(ike, TASK_CHILD_CREATE, 0);

	t->conn = conn_conf_ref(ike->conn);
	t->conf = first_child(side)->conf;
	task_queue(ike, t);
	run();
}

/* A peer with the keys cannot make us hold any number of Child SAs. */
static void child_limit(void **state)
{
	struct outcome *o;

	(void)state;
	w.agent[B].gw.ike.child_sa_limit = 3;
	establish();
	for (int i = 0; i < 5; i++)
		queue_child(A);
	assert_int_equal(count_children(B), 3);
	assert_int_equal(counter(B, IKE_C_child_limit), 3);
	/* A rekey is no further one. */
	o = rekey(A, NULL, "net");
	run();
	assert_int_equal(o->error, 0);
	w.guard = false;
}

/* ---- traps ----------------------------------------------------------------------------------------------------------------- */

static void packet(int side, const char *src, const char *dst, uint8_t protocol, uint16_t sport, uint16_t dport)
{
	struct engine_event ev = {.kind = ENGINE_ACQUIRE, .conn = "gw", .child = "net"};
	struct ip_addr ip;

	addr_parse(src, &ip);
	addr_to_mapped(&ip, ev.tuple.src.b);
	addr_parse(dst, &ip);
	addr_to_mapped(&ip, ev.tuple.dst.b);
	ev.tuple.protocol = protocol;
	ev.tuple.sport = sport;
	ev.tuple.dport = dport;
	agent_engine_event(&w.agent[side], &ev);
	run();
}

/* What a trap asked for and did not get is not asked for by every packet. */
static void acquire_timeout(void **state)
{
	uint64_t asked;

	(void)state;
	configure(A, "", "start_action = trap \n esp_proposals = aes256gcm16");
	configure(B, "", "");
	packet(A, "10.1.0.5", "10.2.0.6", 17, 1000, 53);
	assert_int_equal(count_ikes(A), 1);
	assert_int_equal(count_children(A), 0);
	asked = w.sent[A];
	for (int i = 0; i < 29; i++) {
		packet(A, "10.1.0.5", "10.2.0.6", 17, 1000, 53);
		advance(1000);
	}
	assert_int_equal(w.sent[A], asked);
	advance(1000);
	packet(A, "10.1.0.5", "10.2.0.6", 17, 1000, 53);
	assert_int_equal(w.sent[A], asked + 1);
	/* One that came up may end and be asked for again at once. */
	configure(B, "", "esp_proposals = aes256gcm16");
	w.agent[A].gw.ike.acquire_timeout_s = 0;
	advance(31000);
	packet(A, "10.1.0.5", "10.2.0.6", 17, 1000, 53);
	advance(1000);
	packet(A, "10.1.0.5", "10.2.0.6", 17, 1000, 53);
	assert_int_equal(count_children(A), 1);
	w.agent[A].gw.ike.acquire_timeout_s = 30;
	terminate(A, NULL, "net", false);
	run();
	packet(A, "10.1.0.5", "10.2.0.6", 17, 1000, 53);
	assert_int_equal(count_children(A), 1);
	terminate(A, NULL, "net", false);
	run();
	packet(A, "10.1.0.5", "10.2.0.6", 17, 1000, 53);
	assert_int_equal(count_children(A), 1);
}

static void one_ike_sa_a_child(void **state)
{
	struct outcome *o, now;

	(void)state;
	w.agent[A].gw.ike.reuse_ikesa = false;
	establish();
	o = outcome_place();
	assert_int_equal(sa_initiate(&w.agent[A], "gw", "net", on_outcome, o, &now), 0);
	run();
	assert_non_null(strstr(o->text, "already"));
	terminate(A, NULL, "net", false);
	w.guard = false;
	run();
	initiate(A);
	run();
	assert_int_equal(count_ikes(A), 2);
	assert_int_equal(count_children(A), 1);
}

static const char by_name[] =
	"connections { gw { remote_addrs = gw.invalid \n proposals = aes128gcm16-prfsha256-x25519 \n"
	" local { auth = psk \n id = a.example } \n remote { auth = psk \n id = b.example } \n"
	" children { net { local_ts = 10.1.0.0/24 \n remote_ts = 10.2.0.0/24 \n esp_proposals = aes128gcm16 } } } }";

/* A name that cannot be resolved now: who waits hears of it, and it is tried again when the interval says so. */
static void retry_initiate_interval(void **state)
{
	struct outcome *o;

	(void)state;
	configure_text(A, by_name);
	o = initiate(A);
	run();
	assert_int_equal(o->error, -EHOSTUNREACH);
	assert_true(TAILQ_EMPTY(&w.agent[A].core->intents));
	w.agent[A].gw.ike.retry_initiate_interval_s = 10;
	o = initiate(A);
	run();
	assert_int_equal(o->error, -EHOSTUNREACH);
	for (int i = 0; i < 3; i++) {
		assert_false(TAILQ_EMPTY(&w.agent[A].core->intents));
		advance(10000);
	}
	assert_int_equal(w.agent[A].core->next_ike_id, 5);
}

static const char by_addr[] =
	"connections { gw { remote_addrs = 198.51.100.2 \n local_addrs = %s \n"
	" proposals = aes128gcm16-prfsha256-x25519 \n"
	" local { auth = psk \n id = a.example } \n remote { auth = psk \n id = b.example } \n"
	" children { net { local_ts = 10.1.0.0/24 \n remote_ts = 10.2.0.0/24 \n esp_proposals = aes128gcm16 } } } }";

static int no_source(const struct ip_addr *to, struct ip_addr *out)
{
	(void)to;
	(void)out;
	return -ENETUNREACH;
}

/* Nothing can be sent now, for want of a route or of an address that local_addrs allows: likewise. */
static void retry_without_route(void **state)
{
	struct agent *a = &w.agent[A];
	struct outcome *o;
	struct agent_parts parts = *a->core->parts;
	const struct agent_parts *was = a->core->parts;
	char text[1024];

	(void)state;
	parts.source_for = no_source;
	snprintf(text, sizeof(text), by_addr, "%any");
	configure_text(A, text);
	configure(B, "", "");
	a->gw.ike.retry_initiate_interval_s = 10;
	a->core->parts = &parts;
	o = initiate(A);
	run();
	assert_int_equal(o->error, -EHOSTUNREACH);
	assert_false(TAILQ_EMPTY(&a->core->intents));
	advance(10000);
	assert_int_equal(count_ikes(A), 0);
	/* the route comes */
	a->core->parts = was;
	advance(10000);
	run();
	assert_one_pair();
	assert_true(TAILQ_EMPTY(&a->core->intents));
	terminate(A, "gw", NULL, false);
	run();
	snprintf(text, sizeof(text), by_addr, "203.0.113.0/24");
	configure_text(A, text);
	o = initiate(A);
	run();
	assert_int_equal(o->error, -EADDRNOTAVAIL);
	assert_false(TAILQ_EMPTY(&a->core->intents));
	/* not when it is off, which is the default */
	a->gw.ike.retry_initiate_interval_s = 0;
	advance(10000);
	assert_true(TAILQ_EMPTY(&a->core->intents));
	assert_int_equal(count_ikes(A), 0);
}

#define PAIR_TEST(t) cmocka_unit_test_setup_teardown(t, world_open, world_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAIR_TEST(reauth_make_before_break),
		PAIR_TEST(reauth_with_a_message_lost),
		PAIR_TEST(reauth_from_both_sides),
		PAIR_TEST(reauth_that_fails_keeps_the_old),
		PAIR_TEST(reauth_break_before_make),
		PAIR_TEST(reauth_by_time),
		PAIR_TEST(reauth_over_time),
		PAIR_TEST(reauth_is_refused_where_it_cannot_be),
		PAIR_TEST(equal_selectors_are_tolerated),
		PAIR_TEST(hard_limit_beats_the_answer),
		PAIR_TEST(engine_says_hard),
		PAIR_TEST(engine_says_soft),
		PAIR_TEST(dpd_actions),
		PAIR_TEST(close_actions),
		PAIR_TEST(inactivity),
		PAIR_TEST(inactivity_over_a_rekey),
		PAIR_TEST(inactivity_takes_the_ike_sa),
		PAIR_TEST(unique_keep),
		PAIR_TEST(unique_replace),
		PAIR_TEST(unique_never),
		PAIR_TEST(initial_contact_of_another),
		PAIR_TEST(initiator_only),
		PAIR_TEST(child_failure_closes),
		PAIR_TEST(child_limit),
		PAIR_TEST(acquire_timeout),
		PAIR_TEST(one_ike_sa_a_child),
		PAIR_TEST(retry_initiate_interval),
		PAIR_TEST(retry_without_route),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
