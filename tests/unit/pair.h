/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "common/settings.h"
#include "pair_world.h"

/* The world of two agents, set up and asked: what it is made of is in pair_world.h, its engines in pair_engine.h. */

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
	w.engine[side].peer = &w.engine[1 - side];
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
