/* SPDX-License-Identifier: BSD-2-Clause */
#include "craft.h"

/* Traffic selectors between two agents: narrowing on either side, and what a peer may not do (RFC 7296 2.9). Corner 15. */

static const char conf_text[] =
	"connections { gw { local_addrs = %s \n remote_addrs = %s \n"
	" proposals = aes128gcm16-prfsha256-x25519 \n local { auth = psk \n id = %s } \n"
	" remote { auth = psk \n id = %s } \n children { %s } } }";

static void children(int side, const char *list)
{
	char text[4096];

	if (side == A)
		snprintf(text, sizeof(text), conf_text, "192.0.2.1", "198.51.100.2", "a.example", "b.example", list);
	else
		snprintf(text, sizeof(text), conf_text, "198.51.100.2", "192.0.2.1", "b.example", "a.example", list);
	configure_text(side, text);
}

static void child(int side, const char *local, const char *remote)
{
	char list[1024];

	snprintf(list, sizeof(list), "net { local_ts = %s \n remote_ts = %s \n esp_proposals = aes128gcm16-x25519 }",
		 local, remote);
	children(side, list);
}

static const char *local_of(int side)
{
	static char buf[1024];

	return ts_list_str(TAILQ_FIRST(&first_ike(side)->children)->ts_local, buf, sizeof(buf));
}

static const char *remote_of(int side)
{
	static char buf[1024];

	return ts_list_str(TAILQ_FIRST(&first_ike(side)->children)->ts_remote, buf, sizeof(buf));
}

struct row {
	const char *a_local, *a_remote, *b_local, *b_remote;
	const char *local, *remote; /* of A in the end; NULL: TS_UNACCEPTABLE */
};

static const struct row rows[] = {
	{"10.1.0.0/24", "10.2.0.0/24", "10.2.0.0/24", "10.1.0.0/24", "10.1.0.0/24", "10.2.0.0/24"},
	/* the responder narrows one side, the other, both */
	{"10.1.0.0/16", "10.2.0.0/24", "10.2.0.0/24", "10.1.7.0/24", "10.1.7.0/24", "10.2.0.0/24"},
	{"10.1.0.0/24", "0.0.0.0/0", "10.2.0.0/24", "10.1.0.0/24", "10.1.0.0/24", "10.2.0.0/24"},
	{"10.0.0.0/8", "10.0.0.0/8", "10.2.0.0/24", "10.1.0.0/24", "10.1.0.0/24", "10.2.0.0/24"},
	/* and the initiator has less than the responder allows */
	{"10.1.0.0/24", "10.2.0.0/24", "0.0.0.0/0", "0.0.0.0/0", "10.1.0.0/24", "10.2.0.0/24"},
	/* several a side, some of them in common */
	{"10.1.0.0/24, 10.3.0.0/24", "10.2.0.0/24, 10.4.0.0/24", "10.2.0.0/24, 10.6.0.0/24", "10.3.0.0/24, 10.5.0.0/24",
	 "10.3.0.0/24", "10.2.0.0/24"},
	{"10.1.0.0/24, 10.3.0.0/24", "10.2.0.0/24", "10.2.0.0/24", "10.0.0.0/8", "10.1.0.0/24 10.3.0.0/24", "10.2.0.0/24"},
	/* ranges that are no prefix */
	{"10.1.0.5-10.1.0.99", "10.2.0.0/24", "10.2.0.7-10.2.0.9", "10.1.0.50-10.1.1.200", "10.1.0.50-10.1.0.99",
	 "10.2.0.7-10.2.0.9"},
	/* protocols and ports */
	{"10.1.0.0/24[tcp]", "10.2.0.0/24[tcp/80]", "10.2.0.0/24", "10.1.0.0/24", "10.1.0.0/24[tcp]", "10.2.0.0/24[tcp/80]"},
	{"10.1.0.0/24", "10.2.0.0/24", "10.2.0.0/24[udp/1000-2000]", "10.1.0.0/24[udp]", "10.1.0.0/24[udp]",
	 "10.2.0.0/24[udp/1000-2000]"},
	{"10.1.0.0/24[tcp]", "10.2.0.0/24[tcp/100-300]", "10.2.0.0/24[tcp/200-400]", "10.1.0.0/24", "10.1.0.0/24[tcp]",
	 "10.2.0.0/24[tcp/200-300]"},
	{"10.1.0.0/24[icmp/8]", "10.2.0.0/24[icmp/8]", "10.2.0.0/24[icmp]", "10.1.0.0/24[icmp]", "10.1.0.0/24[icmp/8]",
	 "10.2.0.0/24[icmp/8]"},
	{"10.1.0.0/24[icmp]", "10.2.0.0/24[icmp]", "10.2.0.0/24[icmp/3(1)]", "10.1.0.0/24[icmp/3(1)]",
	 "10.1.0.0/24[icmp/3(1)]", "10.2.0.0/24[icmp/3(1)]"},
	{"10.1.0.0/24[tcp/opaque]", "10.2.0.0/24[tcp/opaque]", "10.2.0.0/24", "10.1.0.0/24", "10.1.0.0/24[tcp/OPAQUE]",
	 "10.2.0.0/24[tcp/OPAQUE]"},
	/* both families */
	{"10.1.0.0/24, 2001:db8:1::/48", "10.2.0.0/24, 2001:db8:2::/48", "2001:db8::/32", "2001:db8::/32",
	 "2001:db8:1::/48", "2001:db8:2::/48"},
	/* nothing in common, on one side or by protocol or port */
	{"10.1.0.0/24", "10.2.0.0/24", "10.3.0.0/24", "10.1.0.0/24", NULL, NULL},
	{"10.1.0.0/24", "10.2.0.0/24", "10.2.0.0/24", "10.3.0.0/24", NULL, NULL},
	{"10.1.0.0/24[tcp]", "10.2.0.0/24[tcp]", "10.2.0.0/24[udp]", "10.1.0.0/24[udp]", NULL, NULL},
	{"10.1.0.0/24[tcp]", "10.2.0.0/24[tcp/80]", "10.2.0.0/24[tcp/443]", "10.1.0.0/24", NULL, NULL},
	{"10.1.0.0/24[tcp/opaque]", "10.2.0.0/24", "10.2.0.0/24", "10.1.0.0/24[tcp/1-65535]", NULL, NULL},
	{"10.1.0.0/24", "10.2.0.0/24", "2001:db8::/32", "2001:db8::/32", NULL, NULL},
};

/* Both sides agree, what they agree on is inside both, and a rekey by either keeps it. */
static void narrowing(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];
		struct outcome *o;

		child(A, r->a_local, r->a_remote);
		child(B, r->b_local, r->b_remote);
		o = initiate(A);
		run();
		if (!r->local) {
			assert_int_equal(o->notify, N_TS_UNACCEPTABLE);
			assert_int_equal(count_children(A) + count_children(B), 0);
			/* RFC 7296 2.21.2: the IKE SA lives on. */
			assert_int_equal(count_ikes(A), 1);
		} else {
			assert_int_equal(o->error, 0);
			for (int round = 0; round < 3; round++) {
				assert_string_equal(local_of(A), r->local);
				assert_string_equal(remote_of(A), r->remote);
				assert_string_equal(remote_of(B), r->local);
				assert_string_equal(local_of(B), r->remote);
				if (round == 2)
					break;
				o = rekey(round, NULL, "net");
				advance(10000);
				assert_int_equal(o->error, 0);
				assert_one_pair();
			}
		}
		world_close(NULL);
		world_open(NULL);
	}
}

/* What A asks, which B has not got yet; or what B answers. */
static void read_queued(struct ike_msg *msg, bool response)
{
	struct ike_sa *ike = first_ike(A);
	struct secret *e = response ? &ike->keys.er : &ike->keys.ei, *a = response ? &ike->keys.ar : &ike->keys.ai;
	size_t n;

	assert_int_equal(w.n_queue, 1);
	assert_int_equal(msg_decode(slice_of(w.queue[0].p, w.queue[0].n), msg), WIRE_OK);
	assert_int_equal(sk_open(&ike->suite, e, a, msg, plain, sizeof(plain), &n), 0);
	assert_int_equal(msg_decode_inner(slice_of(plain, n), msg->sk.first, msg), WIRE_OK);
}

static void read_request(struct ike_msg *msg)
{
	read_queued(msg, false);
}

static void packet(int side, const char *src, const char *dst)
{
	struct engine_event ev = {.kind = ENGINE_ACQUIRE, .conn = "gw", .child = "net"};
	struct ip_addr ip;

	addr_parse(src, &ip);
	addr_to_mapped(&ip, ev.tuple.src.b);
	addr_parse(dst, &ip);
	addr_to_mapped(&ip, ev.tuple.dst.b);
	ev.tuple.protocol = 17;
	ev.tuple.sport = 1000;
	ev.tuple.dport = 53;
	agent_engine_event(&w.agent[side], &ev);
}

/* Corner 15: the packet leads, and decides which of the responder's children answers. */
static void the_packet_leads(void **state)
{
	struct ike_msg msg;

	(void)state;
	child(A, "10.1.0.0/16", "10.2.0.0/16");
	children(B, "one { local_ts = 10.2.1.0/24 \n remote_ts = 10.1.0.0/16 \n esp_proposals = aes128gcm16-x25519 }"
		    " two { local_ts = 10.2.2.0/24 \n remote_ts = 10.1.0.0/16 \n esp_proposals = aes128gcm16-x25519 }");
	packet(A, "10.1.0.5", "10.2.2.6");
	settle();
	deliver_to(B);
	settle();
	deliver_to(A);
	settle();
	read_request(&msg);
	assert_int_equal(msg.ts_i.n, 2);
	assert_int_equal(msg.ts_i.ts[0].protocol, 17);
	assert_int_equal(msg.ts_i.ts[0].port_lo, 1000);
	assert_true(addr_equal(&msg.ts_i.ts[0].lo, &msg.ts_i.ts[0].hi));
	assert_int_equal(msg.ts_r.ts[0].port_hi, 53);
	run();
	assert_string_equal(remote_of(A), "10.2.2.0/24");
	assert_string_equal(TAILQ_FIRST(&first_ike(B)->children)->conf->name, "two");
	/* One for the other net, which the first does not take in. */
	packet(A, "10.1.0.5", "10.2.1.6");
	run();
	assert_int_equal(count_children(A), 2);
	assert_int_equal(count_ikes(A), 1);
	packet(A, "10.1.0.9", "10.2.1.7");
	run();
	assert_int_equal(count_children(A), 2);
	/* One that no child of the peer takes in: it answers with what is there already, and that does not add up. */
	for (int i = 0; i < 5; i++) {
		packet(A, "10.1.0.9", "10.2.3.7");
		advance(40000);
		assert_int_equal(count_children(A), 2);
		assert_int_equal(count_children(B), 2);
	}
	check_flow(A);
}

static void the_packet_is_not_told(void **state)
{
	struct ike_msg msg;

	(void)state;
	w.agent[A].gw.ike.ignore_acquire_ts = true;
	configure(A, "", "");
	configure(B, "", "");
	packet(A, "10.1.0.5", "10.2.0.6");
	settle();
	deliver_to(B);
	settle();
	deliver_to(A);
	settle();
	read_request(&msg);
	assert_int_equal(msg.ts_i.n, 1);
	run();
	assert_one_pair();
}

/* Corner 15: a peer that takes one pair of addresses an SA is asked for the packet's own, once. */
static void single_pair_required(void **state)
{
	struct ike_msg msg;

	(void)state;
	establish();
	w.guard = false;
	terminate(A, NULL, "net", false);
	run();
	packet(A, "10.1.0.5", "10.2.0.6");
	settle();
	craft();
	msg_put_notify(&chain, IKE_PROTO_NONE, N_SINGLE_PAIR_REQUIRED, slice_of(NULL, 0), slice_of(NULL, 0));
	answer_instead(IKE_CREATE_CHILD_SA);
	deliver_to(A);
	settle();
	assert_int_equal(w.n_queue, 1);
	read_request(&msg);
	assert_int_equal(msg.ts_i.n, 1);
	assert_int_equal(msg.ts_r.n, 1);
	run();
	assert_int_equal(count_children(A), 1);
	assert_string_equal(remote_of(A), "10.2.0.6/32[udp/53]");
	/* Another packet, another pair; and a peer that insists is not asked for ever. */
	packet(A, "10.1.0.7", "10.2.0.8");
	settle();
	for (int i = 0; i < 2; i++) {
		craft();
		msg_put_notify(&chain, IKE_PROTO_NONE, N_SINGLE_PAIR_REQUIRED, slice_of(NULL, 0),
			       slice_of(NULL, 0));
		answer_instead(IKE_CREATE_CHILD_SA);
		deliver_to(A);
		settle();
	}
	assert_int_equal(w.n_queue, 0);
	assert_int_equal(count_children(A), 1);
}

/* An answer with selectors of the peer's making. */
static bool answer_with(const char *ts_i, const char *ts_r)
{
	struct child_nego *n;
	struct ts_list l = {.n = 1}, r = {.n = 1};
	struct proposals sa = {.n = 1};
	struct outcome *o;
	bool dynamic, up;

	assert_int_equal(conf_ts_parse(ts_i, &l.ts[0], &dynamic), 0);
	assert_int_equal(conf_ts_parse(ts_r, &r.ts[0], &dynamic), 0);
	child(A, "10.1.0.0/25, 10.1.0.128/25", "10.2.0.0/24[tcp/1-99], 10.2.0.0/24[tcp/100-200]");
	child(B, "0.0.0.0/0", "0.0.0.0/0");
	o = initiate(A);
	run();
	assert_int_equal(o->error, 0);
	terminate(A, NULL, "net", false);
	run();
	o = initiate(A);
	settle();
	n = task_active(first_ike(A))->nego;
	sa.p[0] = n->offer->p[0];
	/* one transform of each type, as a choice has it */
	for (uint16_t i = 0, kept = 0; i < n->offer->p[0].n; i++) {
		if (!kept || sa.p[0].t[kept - 1].type != n->offer->p[0].t[i].type)
			sa.p[0].t[kept++] = n->offer->p[0].t[i];
		sa.p[0].n = kept;
	}
	sa.p[0].spi_len = 4;
	memcpy(sa.p[0].spi, "\xc1\x02\x03\x04", 4);
	craft();
	msg_put_sa(&chain, &sa);
	msg_put_nonce(&chain, slice_of("0123456789abcdef0123456789abcdef", 32));
	if (n->kx.group) {
		struct ke *ke = ke_new(n->kx.group);

		msg_put_ke(&chain, n->kx.group, ke_public(ke));
		ke_free(ke);
	}
	msg_put_ts(&chain, IKE_PL_TSI, &l);
	msg_put_ts(&chain, IKE_PL_TSR, &r);
	answer_instead(IKE_CREATE_CHILD_SA);
	deliver_to(A);
	settle();
	up = count_children(A) == 1;
	assert_int_equal(o->error, up ? 0 : -EPROTO);
	run();
	world_close(NULL);
	world_open(NULL);
	return up;
}

/* RFC 7296 2.9: a subset, also one that lies across two of ours, and nothing else. */
static void answers_outside_the_offer(void **state)
{
	(void)state;
	assert_true(answer_with("10.1.0.7", "10.2.0.0/24[tcp/80]"));
	assert_true(answer_with("10.1.0.0/24", "10.2.0.0/24[tcp/80]"));
	assert_true(answer_with("10.1.0.100-10.1.0.200", "10.2.0.0/25[tcp/50-150]"));
	assert_false(answer_with("10.1.0.0/23", "10.2.0.0/24[tcp/80]"));
	assert_false(answer_with("10.1.0.0/24", "10.2.0.0/24[tcp/80-201]"));
	assert_false(answer_with("10.1.0.0/24", "10.2.0.0/24[tcp]"));
	assert_false(answer_with("10.1.0.0/24", "10.2.0.0/24"));
	assert_false(answer_with("10.1.0.0/24", "10.2.0.0/24[udp/80]"));
	assert_false(answer_with("0.0.0.0/0", "10.2.0.0/24[tcp/80]"));
	assert_false(answer_with("2001:db8::/32", "10.2.0.0/24[tcp/80]"));
}

#define PAIR_TEST(t) cmocka_unit_test_setup_teardown(t, world_open, world_close)

/* RFC 7296 2.9: more selectors than we agree on, or look at, are narrowed, never a mistake of the peer's. */
static void more_selectors_than_we_take(void **state)
{
	static struct ts_list many;
	const struct ts_list *was;
	const struct child_sa *c;
	struct child_conf *conf;
	struct ike_msg msg;

	(void)state;
	for (unsigned int n = 17; n <= IKE_TS_MAX; n += IKE_TS_MAX - 17) {
		child(A, "10.1.0.0/24", "10.2.0.0/24");
		child(B, "10.2.0.0/24", "10.1.0.0/24, 10.9.0.0/24");
		many = (struct ts_list){.n = (uint16_t)n};
		for (unsigned int i = 0; i < n; i++)
			ts_of_addr(&(struct ip_addr){.family = 4, .b = {10, 1, 0, (uint8_t)(2 * i)}}, &many.ts[i]);
		/* no configuration of ours has as many */
		conf = &w.agent[A].core->conf->conn[0]->child[0];
		was = conf->local_ts;
		conf->local_ts = &many;
		initiate(A);
		settle();
		for (int i = 0; i < 3; i++) {
			deliver_to(i == 1 ? A : B);
			settle();
		}
		conf->local_ts = was;
		read_queued(&msg, true);
		assert_int_equal(msg.ts_i.n, IKE_TS_AGREED_MAX);
		assert_non_null(msg_notify(&msg, N_ADDITIONAL_TS_POSSIBLE));
		run();
		assert_int_equal(w.outcome[0].error, 0);
		assert_one_pair();
		c = TAILQ_FIRST(&first_ike(A)->children);
		assert_int_equal(c->ts_local->n, IKE_TS_AGREED_MAX);
		assert_true(ts_equal(&c->ts_local->ts[0], &many.ts[0]));
		assert_true(ts_list_equal(c->ts_local, TAILQ_FIRST(&first_ike(B)->children)->ts_remote));
		terminate(A, "gw", NULL, false);
		run();
		w.n_outcomes = 0;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAIR_TEST(narrowing),
		PAIR_TEST(the_packet_leads),
		PAIR_TEST(the_packet_is_not_told),
		PAIR_TEST(single_pair_required),
		PAIR_TEST(answers_outside_the_offer),
		PAIR_TEST(more_selectors_than_we_take),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
