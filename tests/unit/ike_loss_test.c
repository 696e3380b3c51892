/* SPDX-License-Identifier: BSD-2-Clause */
#include "pair.h"

/* What goes wrong on the way and around: lost, repeated, forged, broken datagrams, dead peers, new dataplanes. */

static uint64_t counter(int side, enum ike_counter c)
{
	return sa_counter(&w.agent[side], c);
}

/* ---- loss and repetition ------------------------------------------------------------------------------- */

static void a_lost_request_goes_out_again_as_it_was(void **state)
{
	struct outcome *o;
	uint8_t first[4096];
	size_t n;

	(void)state;
	establish();
	o = rekey(A, NULL, "net");
	settle();
	n = w.queue[0].n;
	memcpy(first, w.queue[0].p, n);
	lose_all();
	w.now += 4000;
	settle();
	assert_int_equal(w.n_queue, 1);
	assert_int_equal(w.queue[0].n, n);
	assert_memory_equal(w.queue[0].p, first, n);
	run();
	assert_int_equal(o->error, 0);
	assert_int_equal(counter(A, IKE_C_retransmit_out), 1);
	advance(10000);
	assert_one_pair();
}

// corner 1
static void a_lost_answer_is_repeated_bit_for_bit(void **state)
{
	struct outcome *o;
	uint8_t first[4096];
	size_t n;

	(void)state;
	establish();
	o = rekey(A, NULL, "net");
	settle();
	deliver_to(B);
	settle();
	n = w.queue[0].n;
	memcpy(first, w.queue[0].p, n);
	lose_all();
	w.now += 4000;
	settle();
	deliver_to(B);
	assert_int_equal(w.n_queue, 1);
	assert_int_equal(w.queue[0].n, n);
	assert_memory_equal(w.queue[0].p, first, n);
	assert_int_equal(counter(B, IKE_C_retransmit_in), 1);
	run();
	assert_int_equal(o->error, 0);
	advance(10000);
	assert_one_pair();
}

static void every_message_lost_once(void **state)
{
	struct outcome *o;

	(void)state;
	/* The n-th datagram of a setup, a rekey of both kinds and a delete is lost. */
	for (unsigned int lost = 0; lost < 14; lost++) {
		unsigned int n = 0;

		world_close(NULL);
		world_open(NULL);
		configure(A, "", "");
		configure(B, "", "");
		for (int step = 0; step < 4; step++) {
			o = step == 0 ? initiate(A)
			    : step == 1 ? rekey(B, NULL, "net")
			    : step == 2 ? rekey(A, "gw", NULL)
					: terminate(A, "gw", NULL, false);
			w.guard = step == 1 || step == 2;
			settle();
			while (w.n_queue || o->error == INT32_MAX) {
				if (!w.n_queue) {
					advance(1000);
					continue;
				}
				if (n++ == lost) {
					lose_all();
					continue;
				}
				deliver_at(0);
				settle();
			}
			assert_int_equal(o->error, 0);
			advance(step == 3 ? 200 : 10000);
			if (step < 3)
				assert_one_pair();
			w.guard = false;
		}
		assert_int_equal(count_ikes(A) + count_ikes(B), 0);
	}
}

/* A copy of everything that ever crossed, played again at the end: nothing happens. */
static struct test_datagram tape[128];
static unsigned int n_tape;

static bool record(const struct test_datagram *d)
{
	return d == NULL;
}

static void replayed_messages_do_nothing(void **state)
{
	unsigned int ikes;

	(void)state;
	w.drop = record;
	configure(A, "", "");
	configure(B, "", "");
	n_tape = 0;
	for (int step = 0; step < 3; step++) {
		if (step == 0)
			initiate(A);
		else
			rekey(step == 1 ? A : B, NULL, "net");
		settle();
		while (w.n_queue) {
			struct test_datagram *d = &w.queue[0], *copy = &tape[n_tape++];

			*copy = *d;
			copy->p = malloc(d->n);
			memcpy(copy->p, d->p, d->n);
			deliver_at(0);
			settle();
		}
		advance(10000);
	}
	w.guard = true;
	ikes = count_ikes(B);
	for (unsigned int i = 0; i < n_tape; i++) {
		struct test_datagram *d = &tape[i];

		agent_recv(&w.agent[d->side], &d->from, &d->to, slice_of(d->p, d->n));
		settle();
		lose_all();
		check_world();
		free(d->p);
	}
	/* Only the first message of all can start something, which nobody continues. */
	assert_true(count_ikes(B) <= ikes + 1);
	advance(60000);
	assert_one_pair();
	assert_true(counter(B, IKE_C_bad_mid) > 0);
}

static void duplicated_datagrams(void **state)
{
	struct outcome *o;

	(void)state;
	configure(A, "", "");
	configure(B, "", "");
	for (int step = 0; step < 3; step++) {
		o = step == 0 ? initiate(A) : step == 1 ? rekey(A, NULL, "net") : rekey(B, "gw", NULL);
		settle();
		while (w.n_queue) {
			struct test_datagram *d = &w.queue[0];
			uint8_t *copy = malloc(d->n);
			struct test_datagram twice = *d;

			memcpy(copy, d->p, d->n);
			twice.p = copy;
			deliver_at(0);
			agent_recv(&w.agent[twice.side], &twice.from, &twice.to,
				   slice_of(copy, twice.n));
			free(copy);
			settle();
		}
		assert_int_equal(o->error, 0);
		advance(60000);
		assert_one_pair();
		w.guard = true;
	}
}

static bool drop_all(const struct test_datagram *d)
{
	(void)d;
	return true;
}

static void no_answer_at_all(void **state)
{
	struct outcome *o;

	(void)state;
	w.drop = drop_all;
	configure(A, "", "");
	o = initiate(A);
	advance(165000);
	assert_int_equal(o->error, INT32_MAX);
	advance(1000);
	assert_int_equal(o->error, -ETIMEDOUT);
	assert_int_equal(w.sent[A], 6);
	assert_int_equal(counter(A, IKE_C_timeout), 1);
	assert_int_equal(count_ikes(A), 0);
}

static void keyingtries_try_again(void **state)
{
	struct outcome *o;

	(void)state;
	w.drop = drop_all;
	configure(A, "keyingtries = 3", "");
	o = initiate(A);
	advance(2 * 166000);
	assert_int_equal(o->error, INT32_MAX);
	advance(166000);
	assert_int_equal(o->error, -ETIMEDOUT);
	assert_int_equal(w.sent[A], 18);
}

static void dpd_finds_a_dead_peer(void **state)
{
	(void)state;
	establish_with("dpd_delay = 10s", "dpd_action = clear");
	w.engine[A].peer_sends = w.engine[B].peer_sends = false;
	w.guard = false;
	advance(15000);
	assert_true(counter(A, IKE_C_dpd_out) + counter(B, IKE_C_dpd_out) > 0);
	assert_one_pair();
	w.drop = drop_all;
	advance(200000);
	assert_int_equal(count_ikes(A), 0);
	assert_int_equal(w.events[A][SA_EV_CHILD_DOWN], 1);
}

static void esp_is_a_sign_of_life(void **state)
{
	(void)state;
	establish_with("dpd_delay = 10s", "");
	advance(100000);
	assert_int_equal(counter(A, IKE_C_dpd_out) + counter(B, IKE_C_dpd_out), 0);
}

static void dpd_action_restart(void **state)
{
	(void)state;
	configure(A, "dpd_delay = 10s", "dpd_action = restart");
	configure(B, "", "");
	initiate(A);
	run();
	assert_one_pair();
	w.engine[A].peer_sends = false;
	/* The peer's memory is gone. */
	world_close_side(B, false);
	memset(&w.engine[B].slot, 0, sizeof(w.engine[B].slot));
	world_open_side(B);
	configure(B, "", "");
	advance(200000);
	assert_one_pair();
	assert_true(w.engine[A].traps > 0);
}

/* ---- from outside ------------------------------------------------------------------------------------------ */

// corner 23
static void unknown_spi_is_told_once_in_a_while(void **state)
{
	uint8_t datagram[28 + 8] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 9, 9, 9, 9, 9, 46, 0x20, 37, 8};
	struct endpoint from = {.ip = *addr_of(2), .port = 500}, to = {.ip = *addr_of(B), .port = 500};

	(void)state;
	datagram[27] = sizeof(datagram);
	for (int i = 0; i < 1000; i++)
		agent_recv(&w.agent[B], &from, &to, slice_of(datagram, sizeof(datagram)));
	assert_int_equal(counter(B, IKE_C_bad_spi), 1000);
	assert_int_equal(w.sent[B], PLAIN_ANSWER_BURST);
	/* Never an answer to a response. */
	w.now += 60000;
	datagram[19] |= IKE_FLAG_RESPONSE;
	agent_recv(&w.agent[B], &from, &to, slice_of(datagram, sizeof(datagram)));
	assert_int_equal(w.sent[B], PLAIN_ANSWER_BURST);
	lose_all();
}

/* RFC 7296 2.4: INVALID_IKE_SPI without protection makes us look, and nothing else. */
// corner 5
static void forged_invalid_spi_only_makes_us_look(void **state)
{
	struct ike_hdr hdr;
	struct path path;

	(void)state;
	establish();
	rekey(A, "gw", NULL);
	settle();
	assert_int_equal(ike_hdr_decode(slice_of(w.queue[0].p, w.queue[0].n), &hdr), WIRE_OK);
	path = (struct path){.local = w.queue[0].to, .remote = w.queue[0].from};
	plain_notify(&w.agent[B], &hdr, &path, N_INVALID_IKE_SPI, slice_of(NULL, 0));
	run();
	advance(10000);
	assert_one_pair();
}

/* RFC 7296 2.4: nobody vouches for what answers IKE_SA_INIT. */
// corner 5
static void forged_init_answers_do_not_kill(void **state)
{
	struct outcome *o;
	struct ike_hdr hdr;
	struct path path;

	(void)state;
	configure(A, "", "");
	configure(B, "", "");
	o = initiate(A);
	settle();
	assert_int_equal(ike_hdr_decode(slice_of(w.queue[0].p, w.queue[0].n), &hdr), WIRE_OK);
	path = (struct path){.local = w.queue[0].to, .remote = w.queue[0].from};
	plain_notify(&w.agent[B], &hdr, &path, N_NO_PROPOSAL_CHOSEN, slice_of(NULL, 0));
	plain_notify(&w.agent[B], &hdr, &path, N_INVALID_KE_PAYLOAD, slice_of("\0\x0e", 2));
	deliver_at(1);
	deliver_at(1);
	assert_int_equal(o->error, INT32_MAX);
	run();
	assert_int_equal(o->error, 0);
	advance(5000);
	assert_one_pair();
}

static void limits_hold(void **state)
{
	struct outcome *o;

	(void)state;
	w.agent[B].gw.ike.block_threshold = 1;
	w.agent[B].gw.ike.cookie_threshold = 0;
	configure(A, "", "");
	configure(B, "", "");
	/* One that never goes on. */
	initiate(A);
	settle();
	deliver_to(B);
	lose_all();
	assert_int_equal(sa_half_open(&w.agent[B]), 1);
	terminate(A, "gw", NULL, false);
	settle();
	/* It counts when it is slow. */
	advance(SOURCE_GRACE_MS);
	o = initiate(A);
	run();
	assert_int_equal(counter(B, IKE_C_block_limit), 1);
	/* Its time passes. */
	advance(60000);
	assert_int_equal(o->error, 0);
	assert_one_pair();
	w.agent[B].gw.ike.block_threshold = 0;
	w.agent[B].gw.ike.ike_sa_limit = 1;
	terminate(A, "gw", NULL, true);
	settle();
	lose_all();
	initiate(A);
	run();
	assert_int_equal(counter(B, IKE_C_sa_limit), 1);
}

/* Truncated and bit-flipped, each byte of each message: counted, and the SAs live on. */
static void broken_datagrams(void **state)
{
	struct outcome *o;

	(void)state;
	configure(A, "", "");
	configure(B, "", "");
	for (int step = 0; step < 3; step++) {
		o = step == 0 ? initiate(A) : step == 1 ? rekey(A, NULL, "net") : rekey(B, "gw", NULL);
		settle();
		while (w.n_queue) {
			struct test_datagram d = w.queue[0];

			memmove(&w.queue[0], &w.queue[1], --w.n_queue * sizeof(d));
			for (size_t i = 0; i < d.n; i++) {
				uint8_t *exact = malloc(i ? i : 1);

				memcpy(exact, d.p, i);
				agent_recv(&w.agent[d.side], &d.from, &d.to, slice_of(exact, i));
				free(exact);
				/* What has keys must not believe a flipped bit; IKE_SA_INIT has none. */
				if (d.p[18] != IKE_SA_INIT) {
					d.p[i] ^= 0x40;
					agent_recv(&w.agent[d.side], &d.from, &d.to, slice_of(d.p, d.n));
					d.p[i] ^= 0x40;
				}
			}
			lose_all();
			settle();
			agent_recv(&w.agent[d.side], &d.from, &d.to, slice_of(d.p, d.n));
			free(d.p);
			settle();
		}
		assert_int_equal(o->error, 0);
		advance(10000);
		assert_one_pair();
		w.guard = true;
	}
}

/* ---- configuration and engine ---------------------------------------------------------------------------------- */

static void configure_touches_what_differs(void **state)
{
	uint32_t spi;

	(void)state;
	establish();
	spi = active_slot(A)->spi_in;
	configure(A, "", "");
	advance(1000);
	assert_int_equal(active_slot(A)->spi_in, spi);
	assert_one_pair();
	w.guard = false;
	configure(A, "dpd_delay = 77s", "start_action = start");
	advance(1000);
	assert_true(active_slot(A)->spi_in != spi);
	assert_one_pair();
	configure_text(A, "connections { }");
	advance(1000);
	assert_int_equal(count_ikes(A) + count_ikes(B), 0);
}

static void start_action_waits_for_the_engine(void **state)
{
	struct engine_event up = {.kind = ENGINE_UP};

	(void)state;
	w.engine[A].ready = false;
	configure(B, "", "");
	configure(A, "", "start_action = start");
	advance(5000);
	assert_int_equal(count_ikes(A), 0);
	w.engine[A].ready = true;
	agent_engine_event(&w.agent[A], &up);
	run();
	assert_one_pair();
}

static void trap_and_acquire(void **state)
{
	struct engine_event ev = {.kind = ENGINE_ACQUIRE, .conn = "gw", .child = "net"};

	(void)state;
	configure(B, "", "");
	configure(A, "", "start_action = trap");
	run();
	assert_int_equal(w.engine[A].traps, 1);
	assert_int_equal(count_ikes(A), 0);
	for (int i = 0; i < 3; i++) {
		agent_engine_event(&w.agent[A], &ev);
		settle();
	}
	run();
	assert_one_pair();
}

static void new_dataplane_gets_new_keys(void **state)
{
	struct engine_event ev = {.kind = ENGINE_UP, .new_instance = true};
	uint32_t spi;

	(void)state;
	establish();
	spi = active_slot(A)->spi_in;
	agent_engine_event(&w.agent[A], &ev);
	advance(1000);
	assert_true(active_slot(A)->spi_in != spi);
	advance(10000);
	assert_one_pair();
}

/* The rekey is refused, the keys are gone: a new Child SA all the same. */
static void new_dataplane_and_a_refused_rekey(void **state)
{
	struct engine_event ev = {.kind = ENGINE_UP, .new_instance = true};
	struct outcome *o;
	uint32_t spi;

	(void)state;
	configure(A, "", "esp_proposals = aes128gcm16, aes128gcm16-x25519");
	configure(B, "", "esp_proposals = aes128gcm16-x25519 \n local_ts = 10.2.0.0/25");
	o = initiate(A);
	run();
	assert_int_equal(o->error, 0);
	spi = active_slot(A)->spi_in;
	w.engine[B].ready = false;
	agent_engine_event(&w.agent[A], &ev);
	run();
	w.engine[B].ready = true;
	advance(20000);
	assert_true(active_slot(A)->spi_in != spi);
	assert_one_pair();
}

static void orphans_are_replaced(void **state)
{
	(void)state;
	w.engine[A].n_orphans = 2;
	w.engine[A].orphan[0] = (struct engine_orphan){.conn = "gw", .child = "net", .sa = {.slot = 200}};
	w.engine[A].orphan[1] = (struct engine_orphan){.conn = "old", .child = "x", .sa = {.slot = 201}};
	configure(B, "", "");
	configure(A, "", "");
	run();
	assert_one_pair();
	assert_int_equal(w.engine[A].n_orphans, 1);
	assert_string_equal(w.engine[A].orphan[0].conn, "gw");
	w.engine[A].n_orphans = 0;
}

static void set_row(struct engine_inherited *p, struct xs_policy *row, const char *remote)
{
	struct ip_addr a;

	*row = (struct xs_policy){.family = 4};
	assert_int_equal(addr_parse("10.1.0.0", &a), 0);
	addr_to_mapped(&a, row->src_lo.b);
	addr_to_mapped(&a, row->src_hi.b);
	assert_int_equal(addr_parse(remote, &a), 0);
	addr_to_mapped(&a, row->dst_lo.b);
	addr_to_mapped(&a, row->dst_hi.b);
	p->row = row;
	p->n = 1;
}

/* Only what the configuration still says is kept, and connected again. */
static void lost_policies_are_connected_again(void **state)
{
	struct xs_policy row[3];

	(void)state;
	w.engine[A].n_inherited = 3;
	w.engine[A].inherited[0] = (struct engine_inherited){.conn = "gw", .child = "net"};
	w.engine[A].inherited[1] = (struct engine_inherited){.conn = "gw", .child = "old"};
	w.engine[A].inherited[2] = (struct engine_inherited){.conn = "gw", .child = "net"};
	set_row(&w.engine[A].inherited[0], &row[0], "10.2.0.9");
	set_row(&w.engine[A].inherited[1], &row[1], "10.2.0.9");
	set_row(&w.engine[A].inherited[2], &row[2], "172.16.0.1");
	configure(B, "", "");
	configure(A, "", "");
	assert_true(w.engine[A].kept[0]);
	assert_false(w.engine[A].kept[1]);
	assert_false(w.engine[A].kept[2]);
	run();
	assert_one_pair();
	w.engine[A].n_inherited = 0;
}

/* A restarted peer says INITIAL_CONTACT: its old SAs go, and only its. */
static void initial_contact(void **state)
{
	(void)state;
	establish();
	w.guard = false;
	world_close_side(A, false);
	memset(&w.engine[A].slot, 0, sizeof(w.engine[A].slot));
	world_open_side(A);
	configure(A, "", "");
	initiate(A);
	run();
	/* A's data plane may still use the old pair: its inbound half is there, and B sends on it */
	assert_int_equal(count_ikes(B), 2);
	assert_int_equal(count_children(B), 2);
	advance(1000);
	assert_one_pair();
}

/* The successor is on its way out itself when the old pair, which is still in force, goes: nobody took over from it. */
static void successor_goes_first(void **state)
{
	(void)state;
	establish();
	w.guard = false;
	world_close_side(A, false);
	memset(&w.engine[A].slot, 0, sizeof(w.engine[A].slot));
	world_open_side(A);
	configure(A, "", "");
	w.engine[A].fail_install = -ENOSPC;
	initiate(A);
	settle();
	while (w.n_queue && count_children(B) < 2) {
		deliver_at(0);
		settle();
	}
	lose_all();
	terminate(B, NULL, "net", false);
	settle();
	lose_all();
	/* the pair in force is removed as such, not only its outbound half: the test's engine sees to it */
	advance(2000);
	assert_null(active_slot(B));
	w.engine[A].fail_install = 0;
	advance(400000);
}

#define PAIR_TEST(t) cmocka_unit_test_setup_teardown(t, world_open, world_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAIR_TEST(a_lost_request_goes_out_again_as_it_was),
		PAIR_TEST(a_lost_answer_is_repeated_bit_for_bit),
		PAIR_TEST(every_message_lost_once),
		PAIR_TEST(replayed_messages_do_nothing),
		PAIR_TEST(duplicated_datagrams),
		PAIR_TEST(no_answer_at_all),
		PAIR_TEST(keyingtries_try_again),
		PAIR_TEST(dpd_finds_a_dead_peer),
		PAIR_TEST(esp_is_a_sign_of_life),
		PAIR_TEST(dpd_action_restart),
		PAIR_TEST(unknown_spi_is_told_once_in_a_while),
		PAIR_TEST(forged_invalid_spi_only_makes_us_look),
		PAIR_TEST(forged_init_answers_do_not_kill),
		PAIR_TEST(limits_hold),
		PAIR_TEST(broken_datagrams),
		PAIR_TEST(configure_touches_what_differs),
		PAIR_TEST(start_action_waits_for_the_engine),
		PAIR_TEST(trap_and_acquire),
		PAIR_TEST(new_dataplane_gets_new_keys),
		PAIR_TEST(new_dataplane_and_a_refused_rekey),
		PAIR_TEST(orphans_are_replaced),
		PAIR_TEST(lost_policies_are_connected_again),
		PAIR_TEST(initial_contact),
		PAIR_TEST(successor_goes_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
