/* SPDX-License-Identifier: BSD-2-Clause */
#include "craft.h"

/* IPComp of Child SAs, RFC 7296 2.22: who offers, who accepts, and CPIs. */

static struct child_sa *first_child(int side)
{
	return TAILQ_FIRST(&first_ike(side)->children);
}

static void up(const char *a, const char *b)
{
	struct outcome *o;

	configure(A, "", a);
	configure(B, "", b);
	o = initiate(A);
	run();
	assert_int_equal(o->error, 0);
	assert_one_pair();
}

static unsigned int cpis_taken(int side)
{
	const struct cpis *c = &w.agent[side].core->cpis;
	unsigned int n = 0;

	for (size_t i = 0; i < sizeof(c->used); i++)
		n += (unsigned int)__builtin_popcount(c->used[i]);
	return n;
}

/* Both ends know the same two, or neither has any; and nothing else is held. */
static void check(bool on)
{
	const struct child_sa *a = first_child(A), *b = first_child(B);
	struct engine_child view;

	assert_int_equal(a->cpi_in != 0, on);
	assert_int_equal(a->cpi_in, b->cpi_out);
	assert_int_equal(a->cpi_out, b->cpi_in);
	child_engine_view(a, &view);
	assert_int_equal(view.cpi_in, a->cpi_in);
	assert_int_equal(view.cpi_out, a->cpi_out);
	assert_int_equal(cpis_taken(A), on);
	assert_int_equal(cpis_taken(B), on);
}

static void both_or_none(void **state)
{
	static const struct {
		const char *a, *b;
		bool on;
	} t[] = {
		{"ipcomp = yes", "ipcomp = yes", true},
		{"ipcomp = yes", "", false},
		{"", "ipcomp = yes", false},
		{"", "", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		up(t[i].a, t[i].b);
		check(t[i].on);
		assert_int_equal(terminate(A, NULL, "net", false)->error, INT32_MAX);
		run();
		assert_int_equal(cpis_taken(A) + cpis_taken(B), 0);
		world_close(NULL);
		world_open(NULL);
	}
}

/* With AH as with ESP, which have nothing to do with it. */
static void with_ah(void **state)
{
	static const char lines[] = "esp_proposals = \n ah_proposals = sha256 \n ipcomp = yes";

	(void)state;
	up(lines, lines);
	check(true);
	assert_true(first_child(A)->suite.ah);
}

/* RFC 7296 2.22: a rekey is a negotiation of its own; the Delete of the old one frees its CPIs. */
static void a_rekey_agrees_anew(void **state)
{
	(void)state;
	up("ipcomp = yes", "ipcomp = yes");
	for (int side = A; side <= B; side++) {
		uint16_t before = first_child(A)->cpi_in;

		rekey(side, NULL, "net");
		advance(10000);
		assert_one_pair();
		check(true);
		assert_true(first_child(A)->cpi_in != before);
	}
	rekey(A, NULL, "net");
	rekey(B, NULL, "net");
	run();
	advance(20000);
	assert_one_pair();
	check(true);
	/* A refused one leaves nothing behind. */
	w.engine[B].ready = false;
	rekey(A, NULL, "net");
	advance(1000);
	w.engine[B].ready = true;
	advance(60000);
	check(true);
}

static void put_ipcomp(uint16_t cpi, uint8_t transform, unsigned int more)
{
	uint8_t data[16];
	struct wr d = wr_of(data, sizeof(data));

	wr_u16(&d, cpi);
	wr_u8(&d, transform);
	wr_zero(&d, more);
	msg_put_notify(&chain, IKE_PROTO_NONE, N_IPCOMP_SUPPORTED, slice_of(NULL, 0), wr_slice(&d));
}

struct said {
	uint16_t cpi;
	uint8_t transform, more;
};

/* What a peer may offer, as responder: the first that is DEFLATE with a CPI that peers may choose. */
static void what_is_offered(void **state)
{
	static const struct {
		struct said said[3];
		uint16_t want;
	} t[] = {
		{{{256, 2, 0}}, 256},
		{{{61439, 2, 0}}, 61439},
		{{{300, 1, 0}, {301, 3, 0}, {302, 2, 0}}, 302},
		{{{300, 2, 0}, {301, 2, 0}}, 300},
		{{{300, 2, 1}, {301, 2, 0}}, 301}, /* attributes, which DEFLATE has none of */
		{{{300, 3, 0}}, 0},
		{{{255, 2, 0}}, 0},   /* RFC 3173 3.3: well known and reserved */
		{{{2, 2, 0}}, 0},
		{{{61440, 2, 0}}, 0}, /* private use */
	};

	(void)state;
	up("ipcomp = yes", "ipcomp = yes");
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct child_nego *n = offer(false);
		struct child_sa *c;
		struct ike_msg msg;

		ipcomp_drop(&w.agent[A], n);
		craft();
		for (int k = 0; k < 3; k++)
			if (t[i].said[k].cpi)
				put_ipcomp(t[i].said[k].cpi, t[i].said[k].transform, t[i].said[k].more);
		put_child_offer(n);
		ask(IKE_CREATE_CHILD_SA);
		assert_int_equal(answer_of_b(&msg), 0);
		c = TAILQ_LAST(&first_ike(B)->children, child_list);
		assert_int_equal(c->cpi_out, t[i].want);
		assert_int_equal(c->cpi_in != 0, t[i].want != 0);
		assert_int_equal(msg_notify(&msg, N_IPCOMP_SUPPORTED) != NULL, t[i].want != 0);
		nego_free(&w.agent[A], n);
	}
	w.guard = false;
}

/* A notify without a whole CPI and transform is malformed. */
static void cut_short(void **state)
{
	struct child_nego *n;
	struct ike_msg msg;

	(void)state;
	up("ipcomp = yes", "ipcomp = yes");
	n = offer(false);
	craft();
	msg_put_notify(&chain, IKE_PROTO_NONE, N_IPCOMP_SUPPORTED, slice_of(NULL, 0), slice_of("\1\1", 2));
	put_child_offer(n);
	ask(IKE_CREATE_CHILD_SA);
	assert_int_equal(answer_of_b(&msg), N_INVALID_SYNTAX);
	nego_free(&w.agent[A], n);
}

/* RFC 7296 2.22: as initiator nothing that was not proposed, and no more than one. */
static void what_is_answered(void **state)
{
	static const struct {
		bool asked;
		struct said said[2];
		bool ok;
		uint16_t want;
	} t[] = {
		{true, {{0}}, true, 0},
		{true, {{300, 2, 0}}, true, 300},
		{true, {{300, 2, 0}, {300, 2, 0}}, false, 0},
		{true, {{300, 3, 0}}, false, 0},
		{true, {{300, 2, 1}}, false, 0},
		{true, {{255, 2, 0}}, false, 0},
		{true, {{61440, 2, 0}}, false, 0},
		{false, {{300, 2, 0}}, false, 0},
		{false, {{0}}, true, 0},
	};
	static struct ike_msg msg;

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		uint8_t data[2][8];
		struct child_nego *n;
		struct outcome why;

		up(t[i].asked ? "ipcomp = yes" : "", "ipcomp = yes");
		n = offer(true);
		assert_int_equal(n->cpi_in != 0, t[i].asked);
		memset(&msg, 0, sizeof(msg));
		for (int k = 0; k < 2 && t[i].said[k].cpi; k++) {
			struct wr d = wr_of(data[k], sizeof(data[k]));

			wr_u16(&d, t[i].said[k].cpi);
			wr_u8(&d, t[i].said[k].transform);
			wr_zero(&d, t[i].said[k].more);
			msg.notify[msg.n_notify++] =
				(struct ike_notify_pl){.type = N_IPCOMP_SUPPORTED, .data = wr_slice(&d)};
		}
		assert_int_equal(ipcomp_answered(first_ike(A), n, &msg, &why), t[i].ok ? 0 : -EPROTO);
		assert_int_equal(n->cpi_out, t[i].want);
		if (t[i].ok)
			assert_int_equal(n->cpi_in != 0, t[i].want != 0);
		nego_free(&w.agent[A], n);
		world_close(NULL);
		world_open(NULL);
	}
}

/* All of them once, none twice, and one that is given back comes again last. */
static void cpis_are_unique(void **state)
{
	struct agent_core *core = w.agent[A].core;
	static bool seen[65536];
	uint16_t first = cpi_take(core), last = 0;

	(void)state;
	seen[first] = true;
	for (unsigned int i = 1; i < CPIS; i++) {
		last = cpi_take(core);
		assert_true(last >= IPCOMP_CPI_MIN && last <= IPCOMP_CPI_MAX);
		assert_false(seen[last]);
		seen[last] = true;
	}
	assert_int_equal(cpi_take(core), 0);
	cpi_drop(core, 0);
	cpi_drop(core, 255);
	cpi_drop(core, 61440);
	assert_int_equal(cpi_take(core), 0);
	/* Without one there is a Child SA, but no compression. */
	up("ipcomp = yes", "ipcomp = yes");
	assert_int_equal(first_child(A)->cpi_in + first_child(B)->cpi_in, 0);
	cpi_drop(core, last);
	cpi_drop(core, first);
	assert_int_equal(cpi_take(core), first);
	assert_int_equal(cpi_take(core), last);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_open, world_close)
	const struct CMUnitTest tests[] = {
		T(both_or_none), T(with_ah),T(a_rekey_agrees_anew), T(what_is_offered),
		T(cut_short),	 T(what_is_answered),  T(cpis_are_unique),
	};

	return cmocka_run_group_tests_name("ike_ipcomp", tests, NULL, NULL);
}
