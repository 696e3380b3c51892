/* SPDX-License-Identifier: BSD-2-Clause */
#include "walk.h"

/*
 * Corners 12, 13, 21, 24 and 31: two agents start exchanges that cross (RFC 7296 2.8.1, 2.8.2, 2.25), and every order in
 * which their datagrams can arrive is walked, with each of the nonces that decide being the lowest, and again with one
 * datagram lost, delivered twice or late. At no step does one side send on an SA that the other does not have; all
 * ends in one IKE SA and one Child SA pair a selector, or in agreement that there is none. `make walk` has the
 * faults with every nonce and the races with too many orders for every day; WALK="child*" takes some races,
 * WALK_FAULTS=2 another number.
 */
enum { NONCES = 4, CALM_MS = 400000 };

enum ends {
	ONE_PAIR,  /* nothing but rekeys: no packet may be lost at any time */
	AGREEMENT, /* somebody deletes: both must know the same in the end */
};

struct race {
	const char *name;
	void (*start)(struct outcome **a, struct outcome **b);
	enum ends ends;
	unsigned int faults; /* when WALK_FAULTS does not say */
	bool thorough;	     /* too many for every day: make walk */
	bool slow;	     /* engines answer any time later: between request and response there are other messages */
};

static struct outcome *initiate_child(int side, const char *child)
{
	struct outcome *o = outcome_place(), now;

	assert_int_equal(sa_initiate(&w.agent[side], "gw", child, on_outcome, o, &now), 0);
	return o;
}

static void child_child(struct outcome **a, struct outcome **b)
{
	*a = rekey(A, NULL, "net");
	*b = rekey(B, NULL, "net");
}

static void ike_ike(struct outcome **a, struct outcome **b)
{
	*a = rekey(A, "gw", NULL);
	*b = rekey(B, "gw", NULL);
}

static void child_ike(struct outcome **a, struct outcome **b)
{
	*a = rekey(A, NULL, "net");
	*b = rekey(B, "gw", NULL);
}

static void ike_child(struct outcome **a, struct outcome **b)
{
	*a = rekey(A, "gw", NULL);
	*b = rekey(B, NULL, "net");
}

static void child_delete_child(struct outcome **a, struct outcome **b)
{
	*a = rekey(A, NULL, "net");
	*b = terminate(B, NULL, "net", false);
}

static void child_delete_ike(struct outcome **a, struct outcome **b)
{
	*a = rekey(A, NULL, "net");
	*b = terminate(B, "gw", NULL, false);
}

static void ike_delete_child(struct outcome **a, struct outcome **b)
{
	*a = rekey(A, "gw", NULL);
	*b = terminate(B, NULL, "net", false);
}

static void ike_delete_ike(struct outcome **a, struct outcome **b)
{
	*a = rekey(A, "gw", NULL);
	*b = terminate(B, "gw", NULL, false);
}

static void delete_child_delete_child(struct outcome **a, struct outcome **b)
{
	*a = terminate(A, NULL, "net", false);
	*b = terminate(B, NULL, "net", false);
}

static void delete_child_delete_ike(struct outcome **a, struct outcome **b)
{
	*a = terminate(A, NULL, "net", false);
	*b = terminate(B, "gw", NULL, false);
}

static void delete_ike_delete_ike(struct outcome **a, struct outcome **b)
{
	*a = terminate(A, "gw", NULL, false);
	*b = terminate(B, "gw", NULL, false);
}

static void create_create(struct outcome **a, struct outcome **b)
{
	*a = initiate_child(A, "more");
	*b = initiate_child(B, "more");
}

static void create_ike(struct outcome **a, struct outcome **b)
{
	*a = initiate_child(A, "more");
	*b = rekey(B, "gw", NULL);
}

static void create_child(struct outcome **a, struct outcome **b)
{
	*a = initiate_child(A, "more");
	*b = rekey(B, NULL, "net");
}

static void create_delete_child(struct outcome **a, struct outcome **b)
{
	*a = initiate_child(A, "more");
	*b = terminate(B, NULL, "net", false);
}

static void create_delete_ike(struct outcome **a, struct outcome **b)
{
	*a = initiate_child(A, "more");
	*b = terminate(B, "gw", NULL, false);
}

static void both_child_both_ike(struct outcome **a, struct outcome **b)
{
	rekey(A, NULL, "net");
	rekey(B, NULL, "net");
	*a = rekey(A, "gw", NULL);
	*b = rekey(B, "gw", NULL);
}

static const struct race races[] = {
	{"child rekey x child rekey", child_child, ONE_PAIR, 1, false, false},
	{"IKE rekey x IKE rekey", ike_ike, ONE_PAIR, 0, false, false},
	{"child rekey x IKE rekey", child_ike, ONE_PAIR, 1, false, false},
	{"IKE rekey x child rekey", ike_child, ONE_PAIR, 1, false, false},
	{"child and IKE rekey x child and IKE rekey", both_child_both_ike, ONE_PAIR, 0, true, false},
	{"child rekey x child delete", child_delete_child, AGREEMENT, 1, false, false},
	{"child rekey x IKE delete", child_delete_ike, AGREEMENT, 1, false, false},
	{"IKE rekey x child delete", ike_delete_child, AGREEMENT, 1, false, false},
	{"IKE rekey x IKE delete", ike_delete_ike, AGREEMENT, 1, false, false},
	{"child delete x child delete", delete_child_delete_child, AGREEMENT, 1, false, false},
	{"child delete x IKE delete", delete_child_delete_ike, AGREEMENT, 1, false, false},
	{"IKE delete x IKE delete", delete_ike_delete_ike, AGREEMENT, 1, false, false},
	{"create x create of the same", create_create, AGREEMENT, 1, false, false},
	{"create x IKE rekey", create_ike, AGREEMENT, 1, false, false},
	{"create x child rekey", create_child, AGREEMENT, 1, false, false},
	{"create x child delete", create_delete_child, AGREEMENT, 1, false, false},
	{"create x IKE delete", create_delete_ike, AGREEMENT, 1, false, false},
	{"child rekey x child rekey, slow engines", child_child, ONE_PAIR, 0, false, true},
	{"child rekey x IKE rekey, slow engines", child_ike, ONE_PAIR, 0, false, true},
	{"child rekey x child delete, slow engines", child_delete_child, AGREEMENT, 0, false, true},
	{"child rekey x IKE delete, slow engines", child_delete_ike, AGREEMENT, 0, false, true},
	{"create x create of the same, slow engines", create_create, AGREEMENT, 0, false, true},
	{"create x IKE rekey, slow engines", create_ike, AGREEMENT, 0, false, true},
	{"create x child rekey, slow engines", create_child, AGREEMENT, 0, false, true},
};

static const struct race *walking; /* NULL: no walk is under way */

/* The next four nonces, the lowest of which is the `lowest`-th that is drawn. */
static void deal_nonces(unsigned int lowest)
{
	for (unsigned int i = 0; i < NONCES; i++) {
		memset(w.nonce[i], (int)(0x80 + i), sizeof(w.nonce[i]));
		if (i == lowest)
			w.nonce[i][0] = 0;
	}
	w.n_nonces = NONCES;
	w.at_nonce = 0;
}

/* At most one Child SA of this name, and the same at both. */
static void assert_child(const char *child)
{
	const struct child_sa *c, *have[2] = {NULL, NULL};

	for (int s = A; s <= B; s++) {
		if (!first_ike(s))
			continue;
		TAILQ_FOREACH (c, &first_ike(s)->children, next) {
			if (strcmp(c->conf->name, child) != 0)
				continue;
			assert_null(have[s]);
			assert_int_equal(c->state, CHILD_INSTALLED);
			have[s] = c;
		}
	}
	assert_true(!have[A] == !have[B]);
	if (!have[A])
		return;
	assert_true(have[A]->spi_in == have[B]->spi_out && have[A]->spi_out == have[B]->spi_in);
	assert_true(active_slot_of(A, child)->spi_in == have[A]->spi_in);
	assert_true(active_slot_of(B, child)->spi_in == have[B]->spi_in);
}

static void assert_agreement(void)
{
	const struct ike_sa *a = first_ike(A), *b = first_ike(B);

	assert_int_equal(count_ikes(A), count_ikes(B));
	assert_in_range(count_ikes(A), 0, 1);
	assert_child("net");
	assert_child("more");
	if (!a)
		return;
	assert_true(a->spi_i == b->spi_i && a->spi_r == b->spi_r);
	assert_int_equal(a->state, IKE_ESTABLISHED);
	assert_int_equal(b->state, IKE_ESTABLISHED);
	if (count_children(A)) {
		check_flow(A);
		check_flow(B);
	}
}

/* Both can go on: whatever they are asked next succeeds. */
static void assert_alive(void)
{
	struct outcome *o = initiate(A);

	advance(20000);
	assert_int_equal(o->error, 0);
	o = rekey(B, NULL, "net");
	advance(20000);
	assert_int_equal(o->error, 0);
	assert_int_equal(count_ikes(A), 1);
	assert_agreement();
	assert_non_null(active_slot_of(A, "net"));
}

/* Both sides name the other, so that either can initiate; a second child waits to be. */
static void configure_both(void)
{
	static const char text[] =
		"connections { gw { local_addrs = %s \n remote_addrs = %s \n"
		" proposals = aes128gcm16-prfsha256-x25519 \n local { auth = psk \n id = %s.example } \n"
		" remote { auth = psk \n id = %s.example } \n children {"
		" net { local_ts = 10.%c.0.0/24 \n remote_ts = 10.%c.0.0/24 \n"
		" esp_proposals = aes128gcm16-x25519 } \n"
		" more { local_ts = 10.%c.1.0/24 \n remote_ts = 10.%c.1.0/24 \n"
		" esp_proposals = aes128gcm16 } } } }";
	char buf[2048];

	snprintf(buf, sizeof(buf), text, "192.0.2.1", "198.51.100.2", "a", "b", '1', '2', '1', '2');
	configure_text(A, buf);
	snprintf(buf, sizeof(buf), text, "198.51.100.2", "192.0.2.1", "b", "a", '2', '1', '2', '1');
	configure_text(B, buf);
	assert_int_equal(initiate(A)->error, INT32_MAX);
	run();
	assert_one_pair();
}

static void walk_once(const struct race *r, unsigned int lowest, unsigned int faults)
{
	struct outcome *a, *b;

	world_open(NULL);
	configure_both();
	w.guard = r->ends == ONE_PAIR;
	deal_nonces(lowest);
	w.engine[A].slow = w.engine[B].slow = r->slow;
	depth = 0;
	r->start(&a, &b);
	run_walk(faults);
	advance(CALM_MS);
	assert_true(a->error != INT32_MAX);
	assert_true(b->error != INT32_MAX);
	if (r->ends == ONE_PAIR) {
		assert_one_pair();
		assert_int_equal(a->error, 0);
		assert_int_equal(b->error, 0);
	} else {
		assert_agreement();
		assert_alive();
	}
	world_close(NULL);
}

static unsigned int wanted(const char *name, unsigned int otherwise)
{
	const char *text = getenv(name);

	return text ? (unsigned int)strtoul(text, NULL, 10) : otherwise;
}

static unsigned int walk_all_of(const struct race *r, unsigned int nonces, unsigned int faults)
{
	unsigned int walks = 0;

	for (unsigned int lowest = 0; lowest < nonces; lowest++) {
		bool repeat;

		first_walk();
		repeat = walk_repeat();
		do {
			walking = r;
			walk_once(r, lowest, faults);
			walking = NULL;
			walks++;
		} while (!repeat && next_walk());
	}
	return walks;
}

static void walk_race(void **state)
{
	const struct race *r = *state;
	bool thorough = getenv("WALK_THOROUGH") != NULL;
	unsigned int faults = wanted("WALK_FAULTS", thorough && !r->faults ? 1 : r->faults);

	if (r->thorough && !thorough)
		return;
	print_message("%s: %u walks without faults\n", r->name, walk_all_of(r, NONCES, 0));
	if (faults && !(r->thorough && !getenv("WALK_FAULTS")))
		print_message("%s: %u walks with %u\n", r->name,
			      walk_all_of(r, thorough ? NONCES : 1, faults), faults);
}

static int walk_end(void **state)
{
	(void)state;
	if (walking)
		walk_print(walking->name);
	walking = NULL;
	return 0;
}

int main(void)
{
	struct CMUnitTest tests[sizeof(races) / sizeof(races[0])];

	for (size_t i = 0; i < sizeof(races) / sizeof(races[0]); i++)
		tests[i] = (struct CMUnitTest){.name = races[i].name,
					       .test_func = walk_race,
					       .teardown_func = walk_end,
					       .initial_state = (void *)&races[i]};
	/* WALK="child rekey x*": those races alone */
	if (getenv("WALK"))
		cmocka_set_test_filter(getenv("WALK"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
