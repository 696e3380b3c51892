/* SPDX-License-Identifier: BSD-2-Clause */
#include "craft.h"

/* Child SAs of AH (RFC 4302; RFC 7296 3.3: protocol 2): negotiation, keys, rekey, Delete, and what there is not. */

static const char conf_text[] =
	"connections { gw { local_addrs = %s \n remote_addrs = %s \n"
	" proposals = aes128gcm16-prfsha256-x25519 \n local { auth = psk \n id = %s } \n"
	" remote { auth = psk \n id = %s } \n children { net { local_ts = %s \n remote_ts = %s \n %s } } } }";

static void child(int side, const char *lines)
{
	char text[4096];

	if (side == A)
		snprintf(text, sizeof(text), conf_text, "192.0.2.1", "198.51.100.2", "a.example", "b.example",
			 "10.1.0.0/24", "10.2.0.0/24", lines);
	else
		snprintf(text, sizeof(text), conf_text, "198.51.100.2", "%any", "b.example", "a.example",
			 "10.2.0.0/24", "10.1.0.0/24", lines);
	configure_text(side, text);
}

static struct child_sa *first_child(int side)
{
	return TAILQ_FIRST(&first_ike(side)->children);
}

static void up(const char *a, const char *b)
{
	struct outcome *o;

	child(A, a);
	child(B, b);
	o = initiate(A);
	run();
	assert_int_equal(o->error, 0);
	assert_one_pair();
}

static void again(void)
{
	world_close(NULL);
	world_open(NULL);
}

/* Both directions, and after a rekey by either side: integrity keys alone, which assert_one_pair compares. */
static void negotiated(void **state)
{
	static const struct {
		const char *a, *b;
		uint16_t integ, group; /* group: after a rekey */
		size_t key;
		bool esn;
	} t[] = {
		{"sha256", "sha256", AUTH_HMAC_SHA2_256_128, 0, 32, false},
		{"sha512-sha384-esn", "sha384-esn-noesn", AUTH_HMAC_SHA2_384_192, 0, 48, true},
		{"sha256-sha1", "sha1", AUTH_HMAC_SHA1_96, 0, 20, false},
		{"default", "aescmac, sha512", AUTH_HMAC_SHA2_512_256, 0, 64, false},
		{"aesxcbc-x25519", "aesxcbc-x25519", AUTH_AES_XCBC_96, KE_CURVE25519, 16, false},
		{"aescmac-x25519-ecp256", "aescmac-ecp256", AUTH_AES_CMAC_96, KE_ECP_256, 16, false},
	};
	char a[128], b[128];

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		snprintf(a, sizeof(a), "ah_proposals = %s", t[i].a);
		snprintf(b, sizeof(b), "ah_proposals = %s", t[i].b);
		up(a, b);
		for (int round = 0; round < 3; round++) {
			for (int side = A; side <= B; side++) {
				const struct child_sa *c = first_child(side);
				struct engine_child view;

				assert_true(c->suite.ah);
				assert_int_equal(c->suite.encr, 0);
				assert_int_equal(c->suite.integ, t[i].integ);
				assert_int_equal(c->suite.ke, round ? t[i].group : 0);
				assert_int_equal(c->suite.esn, t[i].esn);
				assert_int_equal(active_slot(side)->key_in_len, t[i].key);
				child_engine_view(c, &view);
				assert_int_equal(view.protocol, IPPROTO_AH);
			}
			if (round == 2)
				break;
			assert_int_equal(rekey(round, NULL, "net")->error, INT32_MAX);
			advance(10000);
			assert_one_pair();
		}
		again();
	}
}

/* The two protocols do not meet, whoever offers which. */
static void protocols_differ(void **state)
{
	static const char *const lines[] = {"ah_proposals = sha256", "esp_proposals = aes128-sha256"};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct outcome *o;

		child(A, lines[i]);
		child(B, lines[1 - i]);
		o = initiate(A);
		run();
		assert_int_equal(o->notify, N_NO_PROPOSAL_CHOSEN);
		assert_int_equal(count_ikes(A), 1);
		assert_int_equal(count_children(A) + count_children(B), 0);
		again();
	}
}

static void one_proposal(struct proposal *p, uint8_t number, uint8_t proto, uint32_t spi)
{
	struct wr spi_wr = wr_of(p->spi, 4);

	*p = (struct proposal){.number = number, .proto = proto, .spi_len = 4};
	wr_u32(&spi_wr, spi);
	if (proto == IKE_PROTO_ESP)
		p->t[p->n++] = (struct transform){.type = IKE_T_ENCR, .id = ENCR_AES_CBC, .key_bits = 128};
	p->t[p->n++] = (struct transform){.type = IKE_T_INTEG, .id = AUTH_HMAC_SHA2_256_128};
	p->t[p->n++] = (struct transform){.type = IKE_T_ESN, .id = ESN_NO};
}

/* RFC 7296 3.3.1: a peer may offer both, one SPI each; what is configured decides. */
static void either_offered(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		const char *lines = i ? "ah_proposals = sha256" : "esp_proposals = aes128-sha256";
		struct child_nego *n;
		struct ike_msg msg;

		up(lines, lines);
		n = offer(false);
		n->offer->n = 2;
		one_proposal(&n->offer->p[0], 1, IKE_PROTO_ESP, 0x11111111);
		one_proposal(&n->offer->p[1], 2, IKE_PROTO_AH, 0x22222222);
		craft();
		put_child_offer(n);
		ask(IKE_CREATE_CHILD_SA);
		assert_int_equal(answer_of_b(&msg), 0);
		assert_int_equal(msg.sa.n, 1);
		assert_int_equal(msg.sa.p[0].proto, i ? IKE_PROTO_AH : IKE_PROTO_ESP);
		assert_int_equal(msg.sa.p[0].number, i + 1);
		assert_int_equal(TAILQ_LAST(&first_ike(B)->children, child_list)->spi_out,
				 i ? 0x22222222 : 0x11111111);
		nego_free(&w.agent[A], n);
		again();
	}
}

/* An answer of the other protocol is none of what was offered. */
static void answered_otherwise(void **state)
{
	struct child_nego *n;
	struct ike_msg msg = {0};
	struct outcome why;

	(void)state;
	up("ah_proposals = sha256", "ah_proposals = sha256");
	n = offer(true);
	msg.present = IKE_PRESENT(IKE_PL_SA) | IKE_PRESENT(IKE_PL_TSI) | IKE_PRESENT(IKE_PL_TSR);
	msg.sa.n = 1;
	ts_list_copy(&msg.ts_i, &n->ts_local);
	ts_list_copy(&msg.ts_r, &n->ts_remote);
	one_proposal(&msg.sa.p[0], 1, IKE_PROTO_ESP, 0x11111111);
	assert_int_equal(nego_answer(first_ike(A), n, &msg, NULL, &why), -EPROTO);
	assert_string_equal(why.text, "peer chose an AH proposal that was not offered");
	/* AH with encryption */
	msg.sa.p[0].proto = IKE_PROTO_AH;
	assert_int_equal(nego_answer(first_ike(A), n, &msg, NULL, &why), -EPROTO);
	one_proposal(&msg.sa.p[0], 1, IKE_PROTO_AH, 0x11111111);
	assert_int_equal(nego_answer(first_ike(A), n, &msg, NULL, &why), 0);
	nego_free(&w.agent[A], n);
}

/* ---- NAT ----------------------------------------------------------------------------------------------- */

/* AH protects the addresses that a NAT changes: not asked for, and refused when asked for. The IKE SA stands. */
static void not_through_a_nat(void **state)
{
	struct outcome *o;

	(void)state;
	w.nat = true;
	child(A, "ah_proposals = sha256");
	child(B, "ah_proposals = sha256");
	o = initiate(A);
	run();
	assert_int_equal(o->error, -EPROTONOSUPPORT);
	assert_non_null(strstr(o->text, "AH cannot pass the NAT"));
	assert_int_equal(count_children(A) + count_children(B), 0);
	again();

	w.nat = true;
	child(A, "esp_proposals = aes128-sha256");
	child(B, "ah_proposals = sha256");
	o = initiate(A);
	run();
	assert_int_equal(o->notify, N_NO_PROPOSAL_CHOSEN);
	assert_non_null(strstr(w.last_line, "NO_PROPOSAL_CHOSEN"));
	assert_int_equal(counter(B, IKE_C_no_proposal), 1);
	assert_int_equal(count_children(A) + count_children(B), 0);
}

/* ---- Delete and REKEY_SA name the protocol ----------------------------------------------------------------- */

static void delete_of(uint8_t proto, uint32_t spi)
{
	craft();
	msg_put_delete(&chain, proto, &spi, 1);
	ask(IKE_INFORMATIONAL);
}

/* RFC 7296 3.11: an SPI of the other protocol is another SA, which is not there. */
static void delete_by_protocol(void **state)
{
	struct ike_msg msg;

	(void)state;
	up("ah_proposals = sha256", "ah_proposals = sha256");
	delete_of(IKE_PROTO_ESP, first_child(A)->spi_in);
	assert_int_equal(answer_of_b(&msg), 0);
	assert_int_equal(msg.n_delete, 0);
	assert_int_equal(count_children(B), 1);
	delete_of(IKE_PROTO_AH, first_child(A)->spi_in);
	assert_int_equal(answer_of_b(&msg), 0);
	assert_int_equal(msg.n_delete, 1);
	assert_int_equal(msg.del[0].proto, IKE_PROTO_AH);
	assert_int_equal(msg.del[0].spi[0], first_child(A)->spi_out);
	assert_int_equal(count_children(B), 0);
}

static void rekey_of(uint8_t proto, uint32_t spi, struct child_nego *n)
{
	uint8_t b[4];
	struct wr w_spi = wr_of(b, sizeof(b));

	wr_u32(&w_spi, spi);
	craft();
	msg_put_notify(&chain, proto, N_REKEY_SA, wr_slice(&w_spi), slice_of(NULL, 0));
	put_child_offer(n);
	ask(IKE_CREATE_CHILD_SA);
}

/* RFC 7296 1.3.3, 2.25: likewise a rekey, answered by CHILD_SA_NOT_FOUND with what was named. */
static void rekey_by_protocol(void **state)
{
	struct child_nego *n;
	struct ike_msg msg;

	(void)state;
	up("ah_proposals = sha256", "ah_proposals = sha256");
	n = offer(false);
	rekey_of(IKE_PROTO_ESP, first_child(A)->spi_in, n);
	assert_int_equal(answer_of_b(&msg), N_CHILD_SA_NOT_FOUND);
	assert_int_equal(msg_error_notify(&msg)->proto, IKE_PROTO_ESP);
	rekey_of(IKE_PROTO_AH, first_child(A)->spi_in, n);
	assert_int_equal(answer_of_b(&msg), 0);
	assert_int_equal(msg.sa.p[0].proto, IKE_PROTO_AH);
	assert_int_equal(count_children(B), 2);
	nego_free(&w.agent[A], n);
}

/* What an AH SA becomes when both rekey it at once. */
static void both_rekey(void **state)
{
	(void)state;
	up("ah_proposals = sha256", "ah_proposals = sha256");
	rekey(A, NULL, "net");
	rekey(B, NULL, "net");
	run();
	advance(20000);
	assert_one_pair();
	assert_true(first_child(A)->suite.ah);
}

static void terminated(void **state)
{
	struct outcome *o;

	(void)state;
	up("ah_proposals = sha256", "ah_proposals = sha256");
	o = terminate(B, NULL, "net", false);
	run();
	assert_int_equal(o->error, 0);
	assert_int_equal(count_children(A) + count_children(B), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_open, world_close)
	const struct CMUnitTest tests[] = {
		T(negotiated),	       T(protocols_differ), T(either_offered),	  T(answered_otherwise),
		T(not_through_a_nat),  T(delete_by_protocol), T(rekey_by_protocol), T(both_rekey),
		T(terminated),
	};

	return cmocka_run_group_tests_name("ike_ah", tests, NULL, NULL);
}
