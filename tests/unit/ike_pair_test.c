/* SPDX-License-Identifier: BSD-2-Clause */
#include "pair.h"

/* One exchange after the other between two agents: what is agreed on, refused, repeated, lost. */

static uint64_t counter(int side, enum ike_counter c)
{
	return sa_counter(&w.agent[side], c);
}

/* ---- setting up ------------------------------------------------------------------------------- */

static void establishes_and_closes(void **state)
{
	struct outcome *o;

	(void)state;
	establish();
	assert_int_equal(w.events[A][SA_EV_IKE_UP], 1);
	assert_int_equal(w.events[B][SA_EV_CHILD_UP], 1);
	assert_int_equal(counter(A, IKE_C_established), 1);
	assert_int_equal(sa_half_open(&w.agent[B]), 0);
	assert_null(first_ike(A)->setup);
	assert_null(first_ike(B)->setup);
	assert_false(first_ike(A)->floated);
	assert_false(active_slot(A)->encap);
	w.guard = false;
	o = terminate(B, "gw", NULL, false);
	run();
	assert_int_equal(o->error, 0);
	assert_int_equal(count_ikes(A), 0);
	assert_int_equal(count_ikes(B), 0);
	assert_int_equal(w.events[A][SA_EV_IKE_DOWN], 1);
	assert_int_equal(w.events[A][SA_EV_CHILD_DOWN], 1);
}

static void initiating_what_is_up_is_success(void **state)
{
	struct outcome *o;

	(void)state;
	establish();
	o = initiate(A);
	run();
	assert_int_equal(o->error, 0);
	assert_non_null(strstr(o->text, "already"));
	assert_one_pair();
}

static const char two_children[] =
	"connections { gw { local_addrs = %s \n remote_addrs = %s \n"
	" proposals = aes128gcm16-prfsha256-x25519 \n local { auth = psk \n id = %s } \n"
	" remote { auth = psk \n id = %s } \n children {"
	" one { local_ts = 10.%d.0.0/24 \n remote_ts = 10.%d.0.0/24 \n esp_proposals = aes128gcm16 }"
	" two { local_ts = 10.%d.0.0/24 \n remote_ts = 10.%d.0.0/24 \n esp_proposals = aes128gcm16 } } } }";

/* All children of a connection, under one IKE SA. A rekey of it takes both along. */
static void several_children(void **state)
{
	struct outcome *o = outcome_place(), now;
	char text[2048];

	(void)state;
	snprintf(text, sizeof(text), two_children, "192.0.2.1", "198.51.100.2", "a.example", "b.example",
		 1, 2, 3, 4);
	configure_text(A, text);
	snprintf(text, sizeof(text), two_children, "198.51.100.2", "192.0.2.1", "b.example", "a.example",
		 2, 1, 4, 3);
	configure_text(B, text);
	assert_int_equal(sa_initiate_all(&w.agent[A], "gw", on_outcome, o, &now), 0);
	run();
	assert_int_equal(o->error, 0);
	assert_int_equal(count_ikes(A), 1);
	assert_int_equal(count_children(A), 2);
	assert_int_equal(count_children(B), 2);
	o = rekey(B, "gw", NULL);
	run();
	assert_int_equal(o->error, 0);
	o = rekey(A, NULL, "two");
	advance(10000);
	assert_int_equal(o->error, 0);
	assert_int_equal(count_ikes(A), 1);
	assert_int_equal(count_children(A), 2);
	assert_int_equal(count_children(B), 2);
	o = terminate(B, NULL, "one", false);
	run();
	assert_int_equal(o->error, 0);
	assert_int_equal(count_children(A), 1);
}

static void unknown_names_are_refused_with_the_known(void **state)
{
	struct outcome o;

	(void)state;
	configure(A, "", "");
	assert_int_equal(sa_initiate(&w.agent[A], "nowhere", NULL, on_outcome, NULL, &o), -ENOENT);
	assert_non_null(strstr(o.text, "gw"));
	assert_int_equal(sa_initiate(&w.agent[A], "gw", "none", on_outcome, NULL, &o), -ENOENT);
	assert_non_null(strstr(o.text, "net"));
	assert_int_equal(sa_initiate(&w.agent[A], NULL, NULL, on_outcome, NULL, &o), -EINVAL);
	assert_int_equal(sa_rekey(&w.agent[A], &(struct sa_select){.ike = "gw"}, on_outcome, NULL, &o),
			 -ENOENT);
	assert_int_equal(sa_terminate(&w.agent[A], &(struct sa_select){.child = "net"}, on_outcome, NULL,
				      &o),
			 -ENOENT);
}

static void cookie_is_asked_for_and_followed(void **state)
{
	(void)state;
	w.agent[B].gw.ike.cookie_threshold = -1;
	establish();
	assert_int_equal(counter(B, IKE_C_cookie_sent), 1);
	assert_int_equal(counter(A, IKE_C_init_out), 2);
}

static void a_cookie_leaves_no_state(void **state)
{
	(void)state;
	w.agent[B].gw.ike.cookie_threshold = -1;
	configure(A, "", "");
	configure(B, "", "");
	initiate(A);
	settle();
	deliver_to(B);
	assert_int_equal(count_ikes(B), 0);
	assert_int_equal(sa_half_open(&w.agent[B]), 0);
	run();
	assert_one_pair();
}

/* RFC 7296 2.6.1: cookie, then another group, then the cookie is still good. */
// corner 8
static void cookie_and_invalid_ke_interleave(void **state)
{
	struct outcome *o;

	(void)state;
	w.agent[B].gw.ike.cookie_threshold = -1;
	configure(A, "proposals = aes128gcm16-prfsha256-x25519-ecp256", "");
	configure(B, "proposals = aes128gcm16-prfsha256-ecp256", "");
	o = initiate(A);
	run();
	assert_int_equal(o->error, 0);
	assert_one_pair();
	assert_int_equal(first_ike(A)->suite.ke, KE_ECP_256);
	assert_int_equal(counter(A, IKE_C_init_out), 3);
}

static void invalid_ke_is_followed_in_rekeys_too(void **state)
{
	struct outcome *o;

	(void)state;
	configure(A, "", "esp_proposals = aes128gcm16-x25519-ecp256");
	configure(B, "", "esp_proposals = aes128gcm16-ecp256");
	o = initiate(A);
	run();
	assert_int_equal(o->error, 0);
	w.guard = true;
	o = rekey(A, NULL, "net");
	run();
	assert_int_equal(o->error, 0);
	advance(10000);
	assert_one_pair();
	assert_int_equal(TAILQ_FIRST(&first_ike(A)->children)->suite.ke, KE_ECP_256);
}

static void no_common_proposal(void **state)
{
	struct outcome *o;

	(void)state;
	configure(A, "proposals = aes256gcm16-prfsha384-ecp384", "");
	configure(B, "", "");
	o = initiate(A);
	run();
	assert_int_equal(o->error, INT32_MAX); /* nobody vouches for the refusal: not at once */
	advance(INIT_ERROR_WAIT_MS);
	assert_int_equal(o->error, -EPROTO);
	assert_int_equal(o->notify, N_NO_PROPOSAL_CHOSEN);
	assert_true(o->by_peer);
	assert_int_equal(counter(B, IKE_C_no_proposal), 1);
	assert_int_equal(count_ikes(A), 0);
	assert_int_equal(count_ikes(B), 0);
}

/* A responder that can take no more work at this moment refuses nobody: the retransmit is judged. */
static void too_busy_to_check(void **state)
{
	struct outcome *o;

	(void)state;
	configure(A, "", "");
	configure(B, "", "");
	w.mac_busy[B] = 2;
	o = initiate(A);
	run();
	assert_int_equal(o->error, INT32_MAX);
	assert_int_equal(count_children(B), 0);
	advance(60000);
	assert_int_equal(o->error, 0);
	assert_int_equal(sa_counter(&w.agent[B], IKE_C_busy), 2);
	assert_one_pair();
}

static void wrong_secret(void **state)
{
	struct outcome *o;

	(void)state;
	w.psk[B] = "another secret";
	configure(A, "", "");
	configure(B, "", "");
	o = initiate(A);
	run();
	assert_int_equal(o->error, -EACCES);
	assert_int_equal(o->notify, N_AUTHENTICATION_FAILED);
	assert_int_equal(counter(B, IKE_C_auth_failed), 1);
	assert_int_equal(counter(A, IKE_C_auth_failed), 1);
	assert_int_equal(count_ikes(A) + count_ikes(B), 0);
	assert_int_equal(w.engine[A].installs + w.engine[B].installs, 0);
}

static void no_secret_at_all(void **state)
{
	struct outcome *o;

	(void)state;
	w.psk[A] = NULL;
	configure(A, "", "");
	configure(B, "", "");
	o = initiate(A);
	run();
	assert_int_equal(o->error, -ENOKEY);
	assert_int_equal(count_ikes(A), 0);
	advance(60000); /* half-open at the peer */
	assert_int_equal(count_ikes(B), 0);
}

/* The initiator does not accept the responder: RFC 7296 2.21.2, it says so. */
static void wrong_identity_of_the_responder(void **state)
{
	static const char other[] =
		"connections { gw { local_addrs = 192.0.2.1 \n remote_addrs = 198.51.100.2 \n"
		" proposals = aes128gcm16-prfsha256-x25519 \n local { auth = psk \n id = a.example } \n"
		" remote { auth = psk \n id = 198.51.100.77 } \n children { net { \n"
		" local_ts = 10.1.0.0/24 \n remote_ts = 10.2.0.0/24 \n"
		" esp_proposals = aes128gcm16 } } } }";
	static const char lenient[] =
		"connections { gw { local_addrs = 198.51.100.2 \n remote_addrs = %any \n"
		" proposals = aes128gcm16-prfsha256-x25519 \n local { auth = psk } \n"
		" remote { auth = psk \n id = a.example } \n children { net { \n"
		" local_ts = 10.2.0.0/24 \n remote_ts = 10.1.0.0/24 \n"
		" esp_proposals = aes128gcm16 } } } }";
	struct outcome *o;

	(void)state;
	configure_text(A, other);
	configure_text(B, lenient);
	o = initiate(A);
	run();
	assert_int_equal(o->error, -EACCES);
	assert_int_equal(count_ikes(A) + count_ikes(B), 0);
	assert_int_equal(count_children(B), 0);
}

static void responder_without_matching_identities(void **state)
{
	static const char stranger[] =
		"connections { gw { local_addrs = 198.51.100.2 \n remote_addrs = %any \n"
		" proposals = aes128gcm16-prfsha256-x25519 \n local { auth = psk \n id = b.example } \n"
		" remote { auth = psk \n id = stranger.example } \n children { net { local_ts = "
		"10.2.0.0/24 \n remote_ts = 10.1.0.0/24 \n esp_proposals = aes128gcm16 } } } }";
	struct outcome *o;

	(void)state;
	configure(A, "", "");
	configure_text(B, stranger);
	o = initiate(A);
	run();
	assert_int_equal(o->error, -EACCES);
	assert_int_equal(count_ikes(A) + count_ikes(B), 0);
}

/* RFC 7296 2.21.2: the IKE SA lives on without the child. */
static void child_failure_keeps_the_ike_sa(void **state)
{
	struct outcome *o;

	(void)state;
	configure(A, "", "esp_proposals = aes256gcm16");
	configure(B, "", "");
	o = initiate(A);
	run();
	assert_int_equal(o->error, -EPROTO);
	assert_int_equal(o->notify, N_NO_PROPOSAL_CHOSEN);
	assert_int_equal(count_ikes(A), 1);
	assert_int_equal(first_ike(A)->state, IKE_ESTABLISHED);
	assert_int_equal(count_children(A) + count_children(B), 0);
	assert_int_equal(counter(B, IKE_C_no_proposal), 1);
}

static void selectors_are_narrowed(void **state)
{
	struct outcome *o;

	(void)state;
	configure(A, "", "remote_ts = 10.2.0.0/16");
	configure(B, "", "");
	o = initiate(A);
	run();
	assert_int_equal(o->error, 0);
	assert_one_pair();
	assert_int_equal(TAILQ_FIRST(&first_ike(A)->children)->ts_remote->ts[0].hi.b[2], 0);
	w.guard = true;
	/* RFC 7296 2.9.2: a rekey asks for what is in use. */
	o = rekey(A, NULL, "net");
	run();
	assert_int_equal(o->error, 0);
	o = rekey(B, NULL, "net");
	advance(10000);
	assert_int_equal(o->error, 0);
	assert_one_pair();
}

static void selectors_that_do_not_meet(void **state)
{
	struct outcome *o;

	(void)state;
	configure(A, "", "remote_ts = 10.9.0.0/16");
	configure(B, "", "");
	o = initiate(A);
	run();
	assert_int_equal(o->notify, N_TS_UNACCEPTABLE);
	assert_int_equal(counter(B, IKE_C_no_ts), 1);
	assert_int_equal(count_ikes(A), 1);
}

static void no_engine_no_child(void **state)
{
	struct outcome *o;

	(void)state;
	w.engine[B].ready = false;
	configure(A, "", "");
	configure(B, "", "");
	o = initiate(A);
	run();
	/* B has none: A waits and asks again */
	assert_int_equal(o->error, INT32_MAX);
	assert_int_equal(count_ikes(A), 1);
	assert_int_equal(count_children(A), 0);
	w.engine[A].ready = false;
	o = initiate(A);
	run();
	assert_int_equal(o->error, -ENOTCONN);
	assert_non_null(strstr(o->text, "dataplane"));
}

static void engine_refuses(void **state)
{
	struct outcome *o;

	(void)state;
	w.engine[A].fail_install = -ENOSPC;
	configure(A, "", "");
	configure(B, "", "");
	o = initiate(A);
	run();
	assert_int_equal(o->error, -ENOSPC);
	assert_int_equal(count_children(A), 0);
}

/* ---- NAT -------------------------------------------------------------------------------------------- */

// corner 26
static void nat_floats_to_4500(void **state)
{
	struct outcome *o;

	(void)state;
	w.nat = true;
	configure(A, "", "");
	configure(B, "", "");
	o = initiate(A);
	run();
	assert_int_equal(o->error, 0);
	assert_one_pair();
	assert_true(first_ike(A)->nat_local && !first_ike(A)->nat_remote);
	assert_true(first_ike(B)->nat_remote && !first_ike(B)->nat_local);
	assert_int_equal(first_ike(A)->local.port, 4500);
	assert_int_equal(first_ike(A)->remote.port, 4500);
	assert_int_equal(first_ike(B)->remote.port, 24500);
	assert_true(active_slot(A)->encap && active_slot(B)->encap);
	advance(45000);
	assert_int_equal(w.keepalives[A], 2);
	assert_int_equal(w.keepalives[B], 0);
}

/* RFC 7296 2.23: the mapping changes; an authenticated message moves us along, a forged one does not. */
// corner 26
static void nat_mapping_changes(void **state)
{
	struct engine_event ev = {.kind = ENGINE_NAT_CHANGE};
	struct test_datagram *d;

	(void)state;
	w.nat = true;
	configure(A, "", "");
	configure(B, "", "");
	initiate(A);
	run();
	assert_one_pair();
	rekey(A, NULL, "net");
	settle();
	assert_int_equal(w.n_queue, 1);
	d = &w.queue[0];
	d->from.port = 31000;
	d->p[d->n - 1] ^= 1;
	agent_recv(&w.agent[B], &d->from, &d->to, slice_of(d->p, d->n));
	assert_int_equal(first_ike(B)->remote.port, 24500);
	assert_int_equal(counter(B, IKE_C_bad_integrity), 1);
	d->p[d->n - 1] ^= 1;
	agent_recv(&w.agent[B], &d->from, &d->to, slice_of(d->p, d->n));
	assert_int_equal(first_ike(B)->remote.port, 31000);
	assert_true(w.engine[B].moves > 0);
	lose_all();
	ev.sa = TAILQ_FIRST(&first_ike(B)->children)->engine;
	ev.remote = first_ike(B)->remote;
	ev.remote.port = 32000;
	agent_engine_event(&w.agent[B], &ev);
	assert_int_equal(first_ike(B)->remote.port, 32000);
	/* We are behind the NAT: the peer does not move for us. */
	ev.sa = TAILQ_FIRST(&first_ike(A)->children)->engine;
	agent_engine_event(&w.agent[A], &ev);
	assert_int_equal(first_ike(A)->remote.port, 4500);
}

static void encap_lies_about_the_source(void **state)
{
	struct outcome *o;

	(void)state;
	configure(A, "encap = yes", "");
	configure(B, "", "");
	o = initiate(A);
	run();
	assert_int_equal(o->error, 0);
	assert_true(active_slot(A)->encap && active_slot(B)->encap);
	assert_true(first_ike(A)->floated);
	assert_true(first_ike(B)->nat_remote);
	advance(60000);
	assert_int_equal(w.keepalives[A], 0);
}

/* ---- rekeys, deletes --------------------------------------------------------------------------------- */

static void rekeys(int by, const char *ike, const char *child)
{
	struct outcome *o;
	uint32_t spi;

	establish();
	spi = active_slot(A)->spi_in;
	o = rekey(by, ike, child);
	run();
	assert_int_equal(o->error, 0);
	advance(10000);
	assert_one_pair();
	if (child) {
		assert_true(active_slot(A)->spi_in != spi);
		assert_int_equal(w.events[1 - by][SA_EV_CHILD_REKEY], 1);
		assert_int_equal(counter(by, IKE_C_rekey_child), 1);
	} else {
		assert_true(active_slot(A)->spi_in == spi);
		assert_int_equal(w.events[1 - by][SA_EV_IKE_REKEY], 1);
		assert_int_equal(w.events[by][SA_EV_IKE_DOWN], 0);
		assert_int_equal(first_ike(A)->send_mid, 0);
	}
	/* What was inherited works on. */
	o = rekey(1 - by, NULL, "net");
	run();
	assert_int_equal(o->error, 0);
	o = rekey(1 - by, "gw", NULL);
	run();
	assert_int_equal(o->error, 0);
	advance(10000);
	assert_one_pair();
}

static void child_rekey_by_initiator(void **state)
{
	(void)state;
	rekeys(A, NULL, "net");
}

static void child_rekey_by_responder(void **state)
{
	(void)state;
	rekeys(B, NULL, "net");
}

static void ike_rekey_by_initiator(void **state)
{
	(void)state;
	rekeys(A, "gw", NULL);
}

static void ike_rekey_by_responder(void **state)
{
	(void)state;
	rekeys(B, "gw", NULL);
}

/* The peer sends nothing on the new SA: the responder switches when the old is deleted, else after a while. */
static void rekey_without_traffic(void **state)
{
	struct outcome *o;
	uint32_t spi;

	(void)state;
	establish();
	w.engine[A].peer_sends = w.engine[B].peer_sends = false;
	spi = active_slot(B)->spi_in;
	o = rekey(A, NULL, "net");
	settle();
	deliver_to(B);
	settle();
	assert_int_equal(active_slot(B)->spi_in, spi);
	run();
	assert_int_equal(o->error, 0);
	assert_true(active_slot(B)->spi_in != spi);
	advance(10000);
	assert_one_pair();
}

static void the_old_inbound_stays_for_its_grace(void **state)
{
	unsigned int n = 0;

	(void)state;
	establish();
	rekey(A, NULL, "net");
	run();
	for (unsigned int i = 0; i < PAIR_SLOTS; i++)
		n += w.engine[A].slot[i].in + w.engine[B].slot[i].in;
	assert_int_equal(n, 4);
	advance(4900);
	n = 0;
	for (unsigned int i = 0; i < PAIR_SLOTS; i++)
		n += w.engine[A].slot[i].in + w.engine[B].slot[i].in;
	assert_int_equal(n, 4);
	advance(200);
	n = 0;
	for (unsigned int i = 0; i < PAIR_SLOTS; i++)
		n += w.engine[A].slot[i].used + w.engine[B].slot[i].used;
	assert_int_equal(n, 2);
}

/* Without a common PFS group the first rekey fails: said, and the old SA works on. */
static void refused_rekey_is_reported(void **state)
{
	struct outcome *o;

	(void)state;
	configure(A, "", "esp_proposals = aes128gcm16");
	configure(B, "", "");
	o = initiate(A);
	run();
	assert_int_equal(o->error, 0);
	w.guard = true;
	o = rekey(A, NULL, "net");
	run();
	assert_int_equal(o->error, -EPROTO);
	assert_int_equal(o->notify, N_NO_PROPOSAL_CHOSEN);
	assert_true(o->by_peer);
	advance(5000);
	assert_one_pair();
	assert_int_equal(TAILQ_FIRST(&first_ike(A)->children)->state, CHILD_INSTALLED);
}

static void timers_rekey_with_jitter(void **state)
{
	(void)state;
	establish_with("", "rekey_time = 10m \n life_time = 11m \n rand_time = 1m");
	advance(8 * 60000);
	assert_int_equal(counter(A, IKE_C_rekey_child) + counter(B, IKE_C_rekey_child), 0);
	advance(60 * 60000);
	assert_true(counter(A, IKE_C_rekey_child) >= 5);
	/* With a collision or not: both sides end with one pair. */
	assert_one_pair();
	assert_int_equal(counter(A, IKE_C_rekey_child), counter(B, IKE_C_rekey_child));
}

static void ike_timer_rekeys(void **state)
{
	(void)state;
	establish_with("rekey_time = 30m \n over_time = 3m", "");
	advance(4 * 3600000ull);
	assert_true(counter(A, IKE_C_rekey_ike) >= 7);
	assert_one_pair();
}

static void soft_limit_rekeys_hard_limit_deletes(void **state)
{
	struct engine_event ev = {.kind = ENGINE_SOFT};

	(void)state;
	establish();
	ev.sa = TAILQ_FIRST(&first_ike(B)->children)->engine;
	agent_engine_event(&w.agent[B], &ev);
	advance(10000);
	assert_int_equal(counter(B, IKE_C_rekey_child), 1);
	assert_one_pair();
	w.guard = false;
	ev.kind = ENGINE_HARD;
	ev.sa = TAILQ_FIRST(&first_ike(B)->children)->engine;
	agent_engine_event(&w.agent[B], &ev);
	run();
	assert_int_equal(count_children(A) + count_children(B), 0);
	assert_int_equal(count_ikes(A), 1);
}

static void child_deleted(int by)
{
	struct outcome *o;

	establish();
	w.guard = false;
	o = terminate(by, NULL, "net", false);
	run();
	assert_int_equal(o->error, 0);
	assert_int_equal(count_children(A) + count_children(B), 0);
	assert_int_equal(count_ikes(A), 1);
	assert_int_equal(count_ikes(B), 1);
	o = initiate(1 - by);
	run();
	assert_int_equal(o->error, 0);
	assert_one_pair();
}

static void child_delete_by_initiator(void **state)
{
	(void)state;
	child_deleted(A);
}

static void child_delete_by_responder(void **state)
{
	(void)state;
	child_deleted(B);
}

// corner 21
static void crossing_deletes(void **state)
{
	struct outcome *a, *b;

	(void)state;
	establish();
	w.guard = false;
	a = terminate(A, NULL, "net", false);
	b = terminate(B, NULL, "net", false);
	run();
	assert_int_equal(a->error, 0);
	assert_int_equal(b->error, 0);
	assert_int_equal(count_children(A) + count_children(B), 0);
	a = terminate(A, "gw", NULL, false);
	b = terminate(B, "gw", NULL, false);
	run();
	assert_int_equal(a->error, 0);
	assert_int_equal(b->error, 0);
	assert_int_equal(count_ikes(A) + count_ikes(B), 0);
}

static void forced_terminate_waits_for_nobody(void **state)
{
	struct outcome *o;

	(void)state;
	establish();
	w.guard = false;
	o = terminate(A, "gw", NULL, true);
	settle();
	assert_int_equal(o->error, 0);
	assert_int_equal(count_ikes(A), 0);
	run();
	assert_int_equal(count_ikes(B), 0);
}

static void flush_empties(void **state)
{
	struct outcome *o = outcome_place(), now;

	(void)state;
	establish();
	w.guard = false;
	w.engine[A].n_orphans = 1;
	w.engine[A].orphan[0] = (struct engine_orphan){.conn = "gw", .child = "net", .sa = {.slot = 200}};
	assert_int_equal(sa_flush(&w.agent[A], on_outcome, o, &now), 0);
	run();
	assert_int_equal(o->error, 0);
	assert_int_equal(w.engine[A].n_orphans, 0);
	assert_int_equal(count_ikes(A) + count_ikes(B), 0);
}

static void close_action_starts_again(void **state)
{
	(void)state;
	configure(A, "", "close_action = start");
	configure(B, "", "");
	initiate(A);
	run();
	assert_one_pair();
	terminate(B, "gw", NULL, false);
	advance(1000);
	assert_one_pair();
}

#define PAIR_TEST(t) cmocka_unit_test_setup_teardown(t, world_open, world_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAIR_TEST(establishes_and_closes),
		PAIR_TEST(initiating_what_is_up_is_success),
		PAIR_TEST(several_children),
		PAIR_TEST(unknown_names_are_refused_with_the_known),
		PAIR_TEST(cookie_is_asked_for_and_followed),
		PAIR_TEST(a_cookie_leaves_no_state),
		PAIR_TEST(cookie_and_invalid_ke_interleave),
		PAIR_TEST(invalid_ke_is_followed_in_rekeys_too),
		PAIR_TEST(no_common_proposal),
		PAIR_TEST(wrong_secret),
		PAIR_TEST(too_busy_to_check),
		PAIR_TEST(no_secret_at_all),
		PAIR_TEST(wrong_identity_of_the_responder),
		PAIR_TEST(responder_without_matching_identities),
		PAIR_TEST(child_failure_keeps_the_ike_sa),
		PAIR_TEST(selectors_are_narrowed),
		PAIR_TEST(selectors_that_do_not_meet),
		PAIR_TEST(no_engine_no_child),
		PAIR_TEST(engine_refuses),
		PAIR_TEST(nat_floats_to_4500),
		PAIR_TEST(nat_mapping_changes),
		PAIR_TEST(encap_lies_about_the_source),
		PAIR_TEST(child_rekey_by_initiator),
		PAIR_TEST(child_rekey_by_responder),
		PAIR_TEST(ike_rekey_by_initiator),
		PAIR_TEST(ike_rekey_by_responder),
		PAIR_TEST(rekey_without_traffic),
		PAIR_TEST(the_old_inbound_stays_for_its_grace),
		PAIR_TEST(refused_rekey_is_reported),
		PAIR_TEST(timers_rekey_with_jitter),
		PAIR_TEST(ike_timer_rekeys),
		PAIR_TEST(soft_limit_rekeys_hard_limit_deletes),
		PAIR_TEST(child_delete_by_initiator),
		PAIR_TEST(child_delete_by_responder),
		PAIR_TEST(crossing_deletes),
		PAIR_TEST(forced_terminate_waits_for_nobody),
		PAIR_TEST(flush_empties),
		PAIR_TEST(close_action_starts_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
