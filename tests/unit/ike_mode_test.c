/* SPDX-License-Identifier: BSD-2-Clause */
#include "craft.h"

/* What is negotiated beside keys and selectors: transport mode, PFS, TFC padding, and notifies of what is not done here. */

static const char conf_text[] =
	"connections { gw { local_addrs = %s \n remote_addrs = %s \n"
	" proposals = aes128gcm16-prfsha256-x25519 \n local { auth = psk \n id = %s } \n"
	" remote { auth = psk \n id = %s } \n children { net { %s } } } }";

static void child(int side, const char *lines)
{
	char text[4096];

	if (side == A)
		snprintf(text, sizeof(text), conf_text, "192.0.2.1", "198.51.100.2", "a.example", "b.example", lines);
	else
		snprintf(text, sizeof(text), conf_text, "198.51.100.2", "%any", "b.example", "a.example", lines);
	configure_text(side, text);
}

static struct child_sa *first_child(int side)
{
	return TAILQ_FIRST(&first_ike(side)->children);
}

static const char *ts_of(const struct ts_list *l)
{
	static char buf[1024];

	return ts_list_str(l, buf, sizeof(buf));
}

/* ---- transport mode -------------------------------------------------------------------------------------- */

#define ESP "\n esp_proposals = aes128gcm16-x25519"

/* RFC 7296 1.3.1: both want it, or it is a tunnel, whoever of the two did not. A rekey keeps what was agreed on. */
static void transport_mode(void **state)
{
	static const struct {
		const char *a, *b;
		enum conf_mode mode;
	} t[] = {
		{"mode = transport" ESP, "mode = transport" ESP, CONF_MODE_TRANSPORT},
		{"mode = transport" ESP, "mode = tunnel" ESP, CONF_MODE_TUNNEL},
		{"mode = tunnel" ESP, "mode = transport" ESP, CONF_MODE_TUNNEL},
		{"mode = transport \n local_ts = dynamic[tcp] \n remote_ts = dynamic[tcp/80]" ESP, "mode = transport" ESP,
		 CONF_MODE_TRANSPORT},
		/* selectors that are no gateway's address */
		{"mode = transport \n local_ts = 10.1.0.0/24 \n remote_ts = 10.2.0.0/24" ESP,
		 "mode = transport \n local_ts = 10.2.0.0/24 \n remote_ts = 10.1.0.0/24" ESP, CONF_MODE_TUNNEL},
		{"mode = transport" ESP, "mode = transport \n local_ts = 0.0.0.0/0 \n remote_ts = 0.0.0.0/0" ESP,
		 CONF_MODE_TRANSPORT},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct outcome *o;

		child(A, t[i].a);
		child(B, t[i].b);
		o = initiate(A);
		run();
		assert_int_equal(o->error, 0);
		for (int round = 0; round < 3; round++) {
			assert_int_equal(first_child(A)->mode, t[i].mode);
			assert_int_equal(first_child(B)->mode, t[i].mode);
			if (round == 2)
				break;
			o = rekey(round, NULL, "net");
			advance(10000);
			assert_int_equal(o->error, 0);
			assert_one_pair();
		}
		world_close(NULL);
		world_open(NULL);
	}
}

/* RFC 7296 2.23.1: each side has the addresses that it sees; on the wire are those that each knows of itself. */
static void transport_through_a_nat(void **state)
{
	struct outcome *o;

	(void)state;
	w.nat = true;
	child(A, "mode = transport" ESP);
	child(B, "mode = transport" ESP);
	o = initiate(A);
	run();
	assert_int_equal(o->error, 0);
	for (int round = 0; round < 3; round++) {
		assert_int_equal(first_child(A)->mode, CONF_MODE_TRANSPORT);
		assert_int_equal(first_child(B)->mode, CONF_MODE_TRANSPORT);
		assert_string_equal(ts_of(first_child(A)->ts_local), "192.0.2.1/32");
		assert_string_equal(ts_of(first_child(A)->ts_remote), "198.51.100.2/32");
		assert_string_equal(ts_of(first_child(B)->ts_remote), "203.0.113.9/32");
		assert_string_equal(ts_of(first_child(B)->ts_local), "198.51.100.2/32");
		assert_true(first_child(A)->encap);
		if (round == 2)
			break;
		o = rekey(round, NULL, "net");
		advance(10000);
		assert_int_equal(o->error, 0);
	}
}

/* RFC 7296 2.23.1: through a NAT exactly one address; more is no transport mode. */
static void transport_of_a_net_through_a_nat(void **state)
{
	struct child_nego *n;
	struct ike_msg msg;
	bool dynamic;

	(void)state;
	w.nat = true;
	child(A, "mode = transport" ESP);
	child(B, "mode = transport" ESP);
	initiate(A);
	run();
	n = offer(false);
	conf_ts_parse("192.0.2.0/24", &n->ts_local.ts[0], &dynamic);
	craft();
	put_child_offer(n);
	ask(IKE_CREATE_CHILD_SA);
	assert_int_equal(answer_of_b(&msg), N_TS_UNACCEPTABLE);
	nego_free(&w.agent[A], n);
	assert_int_equal(count_children(B), 1);
}

/* Nobody asked for it. */
static void transport_mode_out_of_nothing(void **state)
{
	struct child_nego *n;
	struct ike_msg msg;

	(void)state;
	establish();
	n = offer(false);
	craft();
	msg_put_notify(&chain, IKE_PROTO_NONE, N_USE_TRANSPORT_MODE, slice_of(NULL, 0), slice_of(NULL, 0));
	put_child_offer(n);
	ask(IKE_CREATE_CHILD_SA);
	assert_int_equal(answer_of_b(&msg), 0);
	assert_null(msg_notify(&msg, N_USE_TRANSPORT_MODE));
	assert_int_equal(TAILQ_LAST(&first_ike(B)->children, child_list)->mode, CONF_MODE_TUNNEL);
	nego_free(&w.agent[A], n);
	w.guard = false;
}

/* ---- PFS ------------------------------------------------------------------------------------------------------- */

/* Corner 19: the first Child SA has none, so all of these establish; a rekey works where both can agree. */
static void pfs(void **state)
{
	static const struct {
		const char *a, *b;
		bool by_a, by_b;
		uint16_t group;
	} t[] = {
		{"aes128gcm16-x25519", "aes128gcm16-x25519", true, true, KE_CURVE25519},
		{"aes128gcm16", "aes128gcm16", true, true, 0},
		{"aes128gcm16-x25519", "aes128gcm16", false, false, 0},
		{"aes128gcm16", "aes128gcm16-x25519", false, false, 0},
		{"aes128gcm16-x25519", "aes128gcm16-ecp256", false, false, 0},
		{"aes128gcm16-x25519-none", "aes128gcm16", true, true, 0},
		{"aes128gcm16", "aes128gcm16-x25519-none", true, true, 0},
		{"aes128gcm16-x25519-none", "aes128gcm16-x25519-none", true, true, KE_CURVE25519},
		{"aes128gcm16-x25519-ecp256", "aes128gcm16-ecp256", true, true, KE_ECP_256},
		{"aes128gcm16-ecp256-none", "aes128gcm16-x25519-none", true, true, 0},
	};
	char lines[256];

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		for (int side = A; side <= B; side++) {
			bool ok = side == A ? t[i].by_a : t[i].by_b;
			struct outcome *o;

			snprintf(lines, sizeof(lines), "esp_proposals = %s", t[i].a);
			configure(A, "", lines);
			snprintf(lines, sizeof(lines), "esp_proposals = %s", t[i].b);
			configure(B, "", lines);
			o = initiate(A);
			run();
			assert_int_equal(o->error, 0);
			o = rekey(side, NULL, "net");
			advance(10000);
			if (!ok != !!o->error)
				fail_msg("%s and %s, rekeyed by %c: %s", t[i].a, t[i].b, 'A' + side, o->text);
			if (ok)
				assert_int_equal(first_child(A)->suite.ke, t[i].group);
			else
				assert_int_equal(o->notify, N_NO_PROPOSAL_CHOSEN);
			/* A refused rekey leaves the old one as it was. */
			assert_one_pair();
			world_close(NULL);
			world_open(NULL);
		}
	}
}

/* What the peer lists in IKE_AUTH, against custom, is compared at once. */
static void pfs_seen_at_establishment(void **state)
{
	struct proposals offer = {.n = 1, .p = {{.number = 1, .proto = IKE_PROTO_ESP, .spi_len = 4, .n = 3}}};
	struct ike_msg msg = {0};
	struct child_nego *n;

	(void)state;
	establish();
	offer.p[0].spi[0] = 1;
	offer.p[0].t[0] = (struct transform){.type = IKE_T_ENCR, .id = ENCR_AES_GCM_16, .key_bits = 128};
	offer.p[0].t[1] = (struct transform){.type = IKE_T_KE, .id = KE_ECP_256};
	offer.p[0].t[2] = (struct transform){.type = IKE_T_ESN, .id = 0};
	msg.present = IKE_PRESENT(IKE_PL_SA) | IKE_PRESENT(IKE_PL_TSI) | IKE_PRESENT(IKE_PL_TSR);
	msg.sa = offer;
	ts_list_copy(&msg.ts_i, first_child(A)->ts_local);
	ts_list_copy(&msg.ts_r, first_child(A)->ts_remote);
	n = nego_new(first_ike(B), false, NULL);
	assert_int_equal(nego_accept(first_ike(B), n, &msg, NULL, true), 0);
	assert_non_null(strstr(w.last_line, "cannot be rekeyed"));
	nego_free(&w.agent[B], n);
	msg.sa.p[0].t[1].id = KE_CURVE25519;
	snprintf(w.last_line, sizeof(w.last_line), "nothing");
	n = nego_new(first_ike(B), false, NULL);
	assert_int_equal(nego_accept(first_ike(B), n, &msg, NULL, true), 0);
	assert_string_equal(w.last_line, "nothing");
	nego_free(&w.agent[B], n);
}

/* RFC 7296 4: a peer that makes no SA beside the first ones gets a new IKE SA instead of the rekey. */
static void a_peer_that_cannot_rekey(void **state)
{
	(void)state;
	for (int whole = 0; whole < 2; whole++) {
		struct outcome *o;
		uint64_t spi;

		w.agent[A].gw.ike.make_before_break = true;
		establish();
		spi = first_ike(A)->spi_i;
		o = rekey(A, whole ? "gw" : NULL, whole ? NULL : "net");
		settle();
		craft();
		msg_put_notify(&chain, IKE_PROTO_NONE, N_NO_ADDITIONAL_SAS, slice_of(NULL, 0), slice_of(NULL, 0));
		answer_instead(IKE_CREATE_CHILD_SA);
		run();
		assert_int_equal(o->notify, N_NO_ADDITIONAL_SAS);
		advance(10000);
		assert_one_pair();
		assert_true(first_ike(A)->spi_i != spi);
		world_close(NULL);
		world_open(NULL);
	}
}

/* ---- notifies ----------------------------------------------------------------------------------------------------- */

enum { N_REDIRECT_SUPPORTED = 16406, N_REDIRECT = 16407, N_REDIRECTED_FROM = 16408 };

/* What is not done here is not answered, and changes nothing. TFC padding is left out for who cannot take it. */
static void notifies_of_the_child(void **state)
{
	static const uint16_t types[] = {N_ESP_TFC_PADDING_NOT_SUPPORTED, N_NON_FIRST_FRAGMENTS_ALSO,
					 N_IPCOMP_SUPPORTED, N_ADDITIONAL_TS_POSSIBLE};
	struct child_nego *n;
	struct ike_msg msg;

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		establish_with("", "tfc_padding = 512");
		n = offer(false);
		craft();
		msg_put_notify(&chain, IKE_PROTO_NONE, types[i], slice_of(NULL, 0), slice_of("\0\0\3", 3));
		put_child_offer(n);
		ask(IKE_CREATE_CHILD_SA);
		assert_int_equal(answer_of_b(&msg), 0);
		assert_null(msg_notify(&msg, types[i]));
		assert_int_equal(count_children(B), 2);
		assert_int_equal(TAILQ_LAST(&first_ike(B)->children, child_list)->no_tfc,
				 types[i] == N_ESP_TFC_PADDING_NOT_SUPPORTED);
		assert_false(first_child(B)->no_tfc);
		nego_free(&w.agent[A], n);
		world_close(NULL);
		world_open(NULL);
	}
}

/* RFC 5685 3, RFC 4555 3.1: neither was announced by us, so neither ends or moves anything. */
static void notifies_of_the_ike_sa(void **state)
{
	static const uint16_t types[] = {N_REDIRECT_SUPPORTED, N_REDIRECT, N_REDIRECTED_FROM, N_MOBIKE_SUPPORTED,
					 N_UPDATE_SA_ADDRESSES, N_NO_ADDITIONAL_ADDRESSES, N_ADDITIONAL_IP4_ADDRESS,
					 N_COOKIE2, N_NO_NATS_ALLOWED};
	static const uint8_t to[] = {1, 4, 203, 0, 113, 77};
	struct endpoint before;
	struct ike_msg msg;

	(void)state;
	establish();
	before = first_ike(B)->remote;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		craft();
		msg_put_notify(&chain, IKE_PROTO_NONE, types[i], slice_of(NULL, 0), slice_of(to, sizeof(to)));
		ask(IKE_INFORMATIONAL);
		assert_int_equal(answer_of_b(&msg), 0);
		assert_null(msg_notify(&msg, types[i]));
		assert_true(endpoint_equal(&first_ike(B)->remote, &before));
		assert_one_pair();
	}
}

/* INITIAL_CONTACT anywhere but in IKE_AUTH says nothing: corner 6. */
static void initial_contact_too_late(void **state)
{
	struct child_nego *n;
	struct ike_msg msg;

	(void)state;
	establish();
	craft();
	msg_put_notify(&chain, IKE_PROTO_NONE, N_INITIAL_CONTACT, slice_of(NULL, 0), slice_of(NULL, 0));
	ask(IKE_INFORMATIONAL);
	assert_int_equal(answer_of_b(&msg), 0);
	n = offer(false);
	craft();
	msg_put_notify(&chain, IKE_PROTO_NONE, N_INITIAL_CONTACT, slice_of(NULL, 0), slice_of(NULL, 0));
	put_child_offer(n);
	ask(IKE_CREATE_CHILD_SA);
	assert_int_equal(answer_of_b(&msg), 0);
	advance(10000);
	assert_int_equal(count_ikes(B), 1);
	assert_int_equal(count_children(B), 2);
	nego_free(&w.agent[A], n);
	w.guard = false;
}

#define PAIR_TEST(t) cmocka_unit_test_setup_teardown(t, world_open, world_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAIR_TEST(transport_mode),
		PAIR_TEST(transport_through_a_nat),
		PAIR_TEST(transport_of_a_net_through_a_nat),
		PAIR_TEST(transport_mode_out_of_nothing),
		PAIR_TEST(pfs),
		PAIR_TEST(pfs_seen_at_establishment),
		PAIR_TEST(a_peer_that_cannot_rekey),
		PAIR_TEST(notifies_of_the_child),
		PAIR_TEST(notifies_of_the_ike_sa),
		PAIR_TEST(initial_contact_too_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
