/* SPDX-License-Identifier: BSD-2-Clause */
#include "pair.h"

/*
 * Both sides at once (RFC 7296 2.8.1, 2.8.2, 2.25): every order in which the datagrams of two crossing exchanges
 * can arrive, each also with one of them lost, ends in one IKE SA and one Child SA pair, and at no
 * step does one side send on an SA that the other does not have.
 */
enum { CHOICES_MAX = 64 };

/* One walk: at step i the choice[i]-th of `width[i]` ways was taken. */
static unsigned int choice[CHOICES_MAX], width[CHOICES_MAX], depth;

static unsigned int choose(unsigned int n)
{
	if (n < 2)
		return 0;
	assert_true(depth < CHOICES_MAX);
	width[depth] = n;
	return choice[depth++] % n;
}

/* The next walk in order; false after the last. What lies behind the last branch is forgotten. */
static bool next_walk(void)
{
	for (unsigned int i = depth; i-- > 0;) {
		if (choice[i] + 1 < width[i]) {
			choice[i]++;
			memset(&choice[i + 1], 0, (CHOICES_MAX - i - 1) * sizeof(choice[0]));
			return true;
		}
	}
	return false;
}

/* Delivers all there is, in an order that the walk chooses; the `lost`-th datagram is lost. */
static void run_chosen(unsigned int lost)
{
	unsigned int n = 0;

	settle();
	while (w.n_queue) {
		unsigned int i = choose(w.n_queue);

		if (n++ == lost) {
			free(w.queue[i].p);
			memmove(&w.queue[i], &w.queue[i + 1], (--w.n_queue - i) * sizeof(w.queue[0]));
			continue;
		}
		deliver_at(i);
		settle();
	}
}

typedef void (*start_fn)(struct outcome **a, struct outcome **b);

static void start_child_child(struct outcome **a, struct outcome **b)
{
	*a = rekey(A, NULL, "net");
	*b = rekey(B, NULL, "net");
}

static void start_ike_ike(struct outcome **a, struct outcome **b)
{
	*a = rekey(A, "gw", NULL);
	*b = rekey(B, "gw", NULL);
}

static void start_child_ike(struct outcome **a, struct outcome **b)
{
	*a = rekey(A, NULL, "net");
	*b = rekey(B, "gw", NULL);
}

static void start_ike_child(struct outcome **a, struct outcome **b)
{
	*a = rekey(A, "gw", NULL);
	*b = rekey(B, NULL, "net");
}

static void start_both_both(struct outcome **a, struct outcome **b)
{
	rekey(A, NULL, "net");
	rekey(B, "gw", NULL);
	*a = rekey(A, "gw", NULL);
	*b = rekey(B, NULL, "net");
}

/* All orders, each without loss and with the n-th datagram lost; ways: how many lost datagrams are tried. */
static void walk(start_fn start, unsigned int losses, bool traffic)
{
	unsigned int walks = 0;

	world_close(NULL);
	for (unsigned int lost = 0; lost <= losses; lost++) {
		memset(choice, 0, sizeof(choice));
		do {
			struct outcome *a, *b;

			world_open(NULL);
			w.seed += walks * 7919;
			establish();
			w.engine[A].peer_sends = w.engine[B].peer_sends = traffic;
			depth = 0;
			start(&a, &b);
			run_chosen(lost == losses ? UINT32_MAX : lost);
			advance(200000);
			assert_one_pair();
			assert_int_equal(a->error, 0);
			assert_int_equal(b->error, 0);
			/* Nothing is left behind: both can go on. */
			a = rekey(A, NULL, "net");
			run();
			b = rekey(B, "gw", NULL);
			run();
			advance(20000);
			assert_int_equal(a->error, 0);
			assert_int_equal(b->error, 0);
			assert_one_pair();
			world_close(NULL);
			walks++;
		} while (next_walk());
	}
	world_open(NULL);
	print_message("%u walks\n", walks);
}

static void both_rekey_the_child(void **state)
{
	(void)state;
	walk(start_child_child, 8, true);
	walk(start_child_child, 8, false);
}

static void both_rekey_the_ike_sa(void **state)
{
	(void)state;
	walk(start_ike_ike, 8, true);
}

static void child_and_ike_rekey_cross(void **state)
{
	(void)state;
	walk(start_child_ike, 6, true);
	walk(start_ike_child, 6, true);
}

static void two_rekeys_each(void **state)
{
	(void)state;
	walk(start_both_both, 0, true);
}

/* ---- deletes against rekeys: both sides must agree on what is left ----------------------------------- */

static void assert_agreement(void)
{
	struct ike_sa *a = first_ike(A), *b = first_ike(B);

	assert_int_equal(count_ikes(A), count_ikes(B));
	assert_int_equal(count_children(A), count_children(B));
	assert_in_range(count_ikes(A), 0, 1);
	assert_in_range(count_children(A), 0, 1);
	if (!a || !b)
		return;
	assert_true(a->spi_i == b->spi_i && a->spi_r == b->spi_r);
	assert_int_equal(a->state, IKE_ESTABLISHED);
	assert_int_equal(b->state, IKE_ESTABLISHED);
	if (count_children(A))
		assert_one_pair();
}

static void walk_deletes(start_fn start, unsigned int losses)
{
	unsigned int walks = 0, left = 0;

	world_close(NULL);
	for (unsigned int lost = 0; lost <= losses; lost++) {
		memset(choice, 0, sizeof(choice));
		do {
			struct outcome *a, *b;

			world_open(NULL);
			w.seed += walks * 7919;
			establish();
			w.guard = false;
			depth = 0;
			start(&a, &b);
			run_chosen(lost == losses ? UINT32_MAX : lost);
			advance(400000);
			assert_agreement();
			assert_true(a->error != INT32_MAX);
			assert_true(b->error != INT32_MAX);
			left += count_children(A);
			a = initiate(A);
			advance(10000);
			assert_int_equal(a->error, 0);
			assert_one_pair();
			world_close(NULL);
			walks++;
		} while (next_walk());
	}
	world_open(NULL);
	print_message("%u walks, a Child SA left in %u\n", walks, left);
}

static void start_delete_child_rekey_child(struct outcome **a, struct outcome **b)
{
	*a = terminate(A, NULL, "net", false);
	*b = rekey(B, NULL, "net");
}

static void start_delete_child_rekey_ike(struct outcome **a, struct outcome **b)
{
	*a = terminate(A, NULL, "net", false);
	*b = rekey(B, "gw", NULL);
}

static void start_delete_ike_rekey_child(struct outcome **a, struct outcome **b)
{
	*a = terminate(A, "gw", NULL, false);
	*b = rekey(B, NULL, "net");
}

static void start_delete_ike_rekey_ike(struct outcome **a, struct outcome **b)
{
	*a = terminate(A, "gw", NULL, false);
	*b = rekey(B, "gw", NULL);
}

static void start_rekey_then_delete(struct outcome **a, struct outcome **b)
{
	rekey(A, "gw", NULL);
	*a = terminate(A, "gw", NULL, false);
	*b = rekey(B, "gw", NULL);
}

static void deletes_cross_rekeys(void **state)
{
	(void)state;
	walk_deletes(start_delete_child_rekey_child, 4);
	walk_deletes(start_delete_child_rekey_ike, 4);
	walk_deletes(start_delete_ike_rekey_child, 4);
	walk_deletes(start_delete_ike_rekey_ike, 4);
	walk_deletes(start_rekey_then_delete, 4);
}

/* ---- both initiate the same connection ------------------------------------------------------------------ */

static void both_initiate(void **state)
{
	unsigned int walks = 0;

	(void)state;
	world_close(NULL);
	for (unsigned int lost = 0; lost <= 8; lost++) {
		memset(choice, 0, sizeof(choice));
		do {
			struct outcome *a, *b;

			world_open(NULL);
			w.seed += walks * 7919;
			configure(A, "remote_addrs = 198.51.100.2", "");
			configure_text(B, "connections { gw { local_addrs = 198.51.100.2 \n"
					  " remote_addrs = 192.0.2.1 \n"
					  " proposals = aes128gcm16-prfsha256-x25519 \n"
					  " local { auth = psk \n id = b.example } \n"
					  " remote { auth = psk \n id = a.example } \n"
					  " children { net { local_ts = 10.2.0.0/24 \n"
					  " remote_ts = 10.1.0.0/24 \n"
					  " esp_proposals = aes128gcm16-x25519 } } } }");
			depth = 0;
			a = initiate(A);
			b = initiate(B);
			run_chosen(lost == 8 ? UINT32_MAX : lost);
			advance(200000);
			assert_one_pair();
			assert_int_equal(a->error, 0);
			assert_int_equal(b->error, 0);
			world_close(NULL);
			walks++;
		} while (next_walk());
	}
	world_open(NULL);
	print_message("%u walks\n", walks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(both_rekey_the_child, world_open, world_close),
		cmocka_unit_test_setup_teardown(both_rekey_the_ike_sa, world_open, world_close),
		cmocka_unit_test_setup_teardown(child_and_ike_rekey_cross, world_open, world_close),
		cmocka_unit_test_setup_teardown(two_rekeys_each, world_open, world_close),
		cmocka_unit_test_setup_teardown(deletes_cross_rekeys, world_open, world_close),
		cmocka_unit_test_setup_teardown(both_initiate, world_open, world_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
