/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine_env.h"

/* The agent dies with a pair in force, and another one starts. */
static struct engine_orphan restart_with_one(struct env_sa *s)
{
	struct engine_orphan o[4];

	env_up(s, "gw", "10.2.0.0");
	env_crash();
	env_open();
	assert_int_equal(engine_orphans(env.e, o, 4), 1);
	return o[0];
}

static void agent_that_starts_again_finds_what_is_there(void **state)
{
	struct env_policies before, after;
	struct engine_orphan o;
	struct engine_sa sa;
	struct env_sa s;
	uint32_t spi;

	(void)state;
	ENV_NEEDED();
	env_up(&s, "gw", "10.2.0.0");
	before = env_policies();
	env_crash();
	env_open();
	after = env_policies();
	assert_memory_equal(&after, &before, sizeof(after));
	assert_int_equal(engine_orphans(env.e, NULL, 0), 1);
	assert_int_equal(engine_orphans(env.e, &o, 1), 1);
	assert_string_equal(o.conn, "gw");
	assert_string_equal(o.child, "net");
	assert_int_equal(o.sa.slot, s.sa.slot);
	assert_int_equal(o.sa.generation, s.sa.generation);
	assert_int_equal(o.spi_in, s.c.spi_in);
	assert_int_equal(o.spi_out, s.c.spi_out);
	assert_true(addr_equal(&o.local, &s.c.local.ip));
	assert_true(addr_equal(&o.remote, &s.c.remote.ip));
	assert_true(o.expires_ns > engine_boottime_ns());
	after = env_policies();
	assert_in_force(&after.row[0], s.sa);
	/* nothing is said to the dataplane about it, and its slot is nobody's */
	env_until(&env.events[ENGINE_UP], 2);
	assert_false(env.last.new_instance);
	assert_int_equal(env.held, 2);
	for (int i = 1; i < ENV_SLOTS - 1; i++) {
		assert_int_equal(engine_spi_alloc(env.e, &sa, &spi), 0);
		assert_int_not_equal(sa.slot, s.sa.slot);
	}
	assert_int_equal(engine_spi_alloc(env.e, &sa, &spi), -ENOSPC);
}

static void new_pair_takes_over_policies_and_bundle(void **state)
{
	struct env_policies before, after;
	struct env_sa old, new;
	uint64_t end;

	(void)state;
	ENV_NEEDED();
	restart_with_one(&old);
	before = env_policies();
	env_until(&env.events[ENGINE_UP], 2);
	env_up(&new, "gw", "10.2.0.0");
	after = env_policies();
	assert_int_equal(after.n, 1);
	assert_int_equal(after.id[0], before.id[0]);
	assert_int_equal(after.row[0].bundle, before.row[0].bundle);
	assert_in_force(&after.row[0], new.sa);
	assert_int_equal(engine_orphans(env.e, NULL, 0), 0);
	/* the old one goes after its grace, which is none here, at the next look */
	for (end = env_now() + 4000; env_rows_in() > 1 && env_now() < end; usleep(10000))
		env_run();
	env_run();
	assert_int_equal(env_rows_in(), 1);
	assert_int_equal(env.held, 2);
	assert_int_equal(env.events[ENGINE_ORPHAN_EXPIRED], 0);
	after = env_policies();
	assert_in_force(&after.row[0], new.sa);
}

/* Many peers may share one connection: only the same peer's orphan is replaced. */
static void orphan_of_another_peer_stays(void **state)
{
	struct env_sa old, new;

	(void)state;
	ENV_NEEDED();
	restart_with_one(&old);
	env_until(&env.events[ENGINE_UP], 2);
	env_sa_init(&new, "gw", "10.3.0.0");
	addr_parse("192.0.2.77", &new.c.remote.ip);
	assert_int_equal(env_install(&new, PLANE_IN), 0);
	assert_int_equal(env_install(&new, PLANE_OUT), 0);
	env_until(&env.dones, 4);
	assert_int_equal(engine_activate(env.e, new.sa, &new.c), 0);
	assert_int_equal(engine_orphans(env.e, NULL, 0), 1);
}

static void orphan_removed_by_hand(void **state)
{
	struct engine_orphan o;
	struct env_sa s;

	(void)state;
	ENV_NEEDED();
	o = restart_with_one(&s);
	env_until(&env.events[ENGINE_UP], 2);
	engine_orphan_remove(env.e, o.sa);
	env_run();
	assert_int_equal(env_policies().n, 0);
	assert_int_equal(env_rows_in() + env_rows_out(), 0);
	assert_int_equal(env.held, 0);
	assert_int_equal(engine_orphans(env.e, NULL, 0), 0);
}

static void orphan_ends_at_its_hard_limit(void **state)
{
	struct env_sa s;

	(void)state;
	ENV_NEEDED();
	env_sa_init(&s, "gw", "10.2.0.0");
	s.c.life_s = 1;
	assert_int_equal(env_install(&s, PLANE_IN), 0);
	assert_int_equal(env_install(&s, PLANE_OUT), 0);
	env_until(&env.dones, 2);
	assert_int_equal(engine_activate(env.e, s.sa, &s.c), 0);
	env_crash();
	env_open();
	env_until(&env.events[ENGINE_ORPHAN_EXPIRED], 1);
	assert_string_equal(env.last.conn, "gw");
	assert_string_equal(env.last.child, "net");
	env_run();
	assert_int_equal(env_policies().n, 0);
	assert_int_equal(env.held, 0);
}

static void orphan_without_a_time_limit_stays(void **state)
{
	struct engine_orphan o;
	struct env_sa s;

	(void)state;
	ENV_NEEDED();
	env_sa_init(&s, "gw", "10.2.0.0");
	s.c.life_s = 0;
	assert_int_equal(env_install(&s, PLANE_IN), 0);
	assert_int_equal(env_install(&s, PLANE_OUT), 0);
	env_until(&env.dones, 2);
	assert_int_equal(engine_activate(env.e, s.sa, &s.c), 0);
	env_crash();
	env_open();
	for (uint64_t end = env_now() + 1500; env_now() < end; usleep(10000))
		env_run();
	assert_int_equal(engine_orphans(env.e, &o, 1), 1);
	assert_int_equal(o.expires_ns, 0);
}

/* Agent and dataplane both died: the keys are gone, and the policies ask for new ones. */
static void orphans_die_with_their_dataplane(void **state)
{
	struct env_policies p;
	struct env_sa s, new;

	(void)state;
	ENV_NEEDED();
	env_up(&s, "gw", "10.2.0.0");
	env_plane_down(true);
	env_crash();
	env_open();
	assert_int_equal(engine_orphans(env.e, NULL, 0), 1);
	env_plane_up();
	assert_true(env.last.new_instance);
	assert_int_equal(engine_orphans(env.e, NULL, 0), 0);
	assert_int_equal(env_rows_in() + env_rows_out(), 0);
	assert_int_equal(env.dels, 0);
	p = env_policies();
	assert_int_equal(p.n, 1);
	assert_int_equal(p.row[0].action, XS_TRAP);
	assert_int_equal(xs_bundle_get(env.m, p.row[0].bundle), 0);
	env_up(&new, "gw", "10.2.0.0");
	p = env_policies();
	assert_int_equal(p.n, 1);
	assert_in_force(&p.row[0], new.sa);
	/* the trap was for the time between only */
	engine_remove(env.e, new.sa, false);
	assert_int_equal(env_policies().n, 0);
}

static void trap_of_an_earlier_agent_is_claimed(void **state)
{
	struct conn_conf conn = {.name = "gw"};
	struct env_policies before, after;
	struct ts_list l = {0}, r = {0};

	(void)state;
	ENV_NEEDED();
	env_ts(&l, "10.1.0.0", 24);
	env_ts(&r, "10.2.0.0", 24);
	assert_int_equal(engine_trap(env.e, &conn, &env_child_conf, &l, &r), 0);
	before = env_policies();
	env_crash();
	env_open();
	assert_int_equal(engine_orphans(env.e, NULL, 0), 0);
	assert_int_equal(engine_trap(env.e, &conn, &env_child_conf, &l, &r), 0);
	after = env_policies();
	assert_int_equal(after.n, 1);
	assert_int_equal(after.id[0], before.id[0]);
	assert_int_equal(engine_untrap(env.e, "gw", "net"), 0);
	assert_int_equal(env_policies().n, 0);
}

/* A row that points nowhere, as after a death between two writes, is cleaned away. */
static void half_written_rows_are_cleaned(void **state)
{
	struct xs_sa row = {.spi = 0x1000 | 9, .slot = 9, .generation = 5, .engine = XS_ENGINE_DATAPLANE};
	struct xs_sa wrong = {.spi = 0x2000 | 9, .slot = 9, .generation = 6, .engine = XS_ENGINE_DATAPLANE};

	(void)state;
	ENV_NEEDED();
	assert_int_equal(xs_sa_in_put(env.m, &row, 0), 0);
	assert_int_equal(xs_sa_out_put(env.m, &wrong), 0);
	env.m->sa_slot[9].spi = 0;
	env_crash();
	env_open();
	assert_int_equal(env_rows_in(), 0);
	/* an outbound half alone is an orphan, too: it may be in use */
	assert_int_equal(env_rows_out(), 1);
	assert_int_equal(engine_orphans(env.e, NULL, 0), 1);
}

static void hard_limit_of_an_orphan_ends_it(void **state)
{
	struct plane_event ev = {.hdr = {.type = PLANE_EVENT, .len = sizeof(ev)}, .kind = PLANE_EV_HARD};
	struct env_sa s;

	(void)state;
	ENV_NEEDED();
	restart_with_one(&s);
	env_until(&env.events[ENGINE_UP], 2);
	ev.slot = s.sa.slot;
	ev.generation = s.sa.generation;
	assert_int_equal(send(env.plane, &ev, sizeof(ev), 0), sizeof(ev));
	env_until(&env.events[ENGINE_ORPHAN_EXPIRED], 1);
	assert_int_equal(env_policies().n, 0);
}

static uint16_t mtu_of_row(uint32_t slot)
{
	struct xs_sa_out_key key = {.slot = slot};
	struct xs_sa row = {0};

	bpf_map_lookup_elem(env.m->fd[XS_MAP_sa_out], &key, &row);
	return row.mtu;
}

/* The size that fits is in the row, of an inherited pair too, and another generation's is nobody's. */
static void mtu_reaches_the_row(void **state)
{
	struct plane_event ev = {.hdr = {.type = PLANE_EVENT, .len = sizeof(ev)}, .kind = PLANE_EV_MTU,
				 .direction = PLANE_OUT, .mtu = 1438};
	struct env_sa s;

	(void)state;
	ENV_NEEDED();
	restart_with_one(&s);
	env_until(&env.events[ENGINE_UP], 2);
	assert_int_equal(mtu_of_row(s.sa.slot), 0);
	ev.slot = s.sa.slot;
	ev.generation = s.sa.generation;
	assert_int_equal(send(env.plane, &ev, sizeof(ev), 0), sizeof(ev));
	ev.generation++;
	ev.mtu = 1;
	assert_int_equal(send(env.plane, &ev, sizeof(ev), 0), sizeof(ev));
	ev.generation--;
	for (uint64_t end = env_now() + 5000; mtu_of_row(s.sa.slot) != 1438 && env_now() < end;)
		env_run();
	ev.kind = PLANE_EV_SOFT; /* an event that comes behind them, and says nothing of orphans */
	assert_int_equal(send(env.plane, &ev, sizeof(ev), 0), sizeof(ev));
	for (unsigned int i = 0; i < 20; i++)
		env_run();
	assert_int_equal(mtu_of_row(s.sa.slot), 1438);
	ev.kind = PLANE_EV_HARD;
	assert_int_equal(send(env.plane, &ev, sizeof(ev), 0), sizeof(ev));
	env_until(&env.events[ENGINE_ORPHAN_EXPIRED], 1);
}

struct asked {
	unsigned int n, carried;
	bool keep;
};

static bool keep_or_not(void *ctx, struct engine_inherited *p)
{
	struct asked *a = ctx;

	assert_string_equal(p->child, "net");
	assert_int_not_equal(p->n, 0);
	a->n++;
	a->carried += p->carried;
	strcpy(p->child, "net of many words, of which no row holds all");
	return a->keep;
}

/* The agent and the dataplane die with a pair in force; the next ones start, in this order. */
static void restart_both(struct env_sa *s)
{
	env_up(s, "gw", "10.2.0.0");
	env_plane_down(true);
	env_crash();
	env_open();
	env_plane_up();
}

static void policy_of_a_configured_child_stays_closed(void **state)
{
	struct asked asked = {.keep = true};
	struct env_policies p;
	struct env_sa s;

	(void)state;
	ENV_NEEDED();
	restart_both(&s);
	assert_int_equal(engine_sort_inherited(env.e, keep_or_not, &asked), 0);
	assert_int_equal(asked.n, 1);
	assert_int_equal(asked.carried, 0);
	p = env_policies();
	assert_int_equal(p.n, 1);
	assert_int_equal(p.row[0].action, XS_TRAP);
	assert_string_equal(policies_by_id(env.e->policies, p.id[0])->child,
			    "net of many words, of which no row holds all");
	/* the agent dies again before it was up: still closed, still asked about */
	env_crash();
	env_open();
	assert_int_equal(env_policies().n, 1);
	asked = (struct asked){.keep = false};
	assert_int_equal(engine_sort_inherited(env.e, keep_or_not, &asked), 1);
	assert_int_equal(asked.n, 1);
	assert_int_equal(env_policies().n, 0);
	assert_int_equal(engine_sort_inherited(env.e, keep_or_not, &asked), 0);
	assert_int_equal(asked.n, 1);
}

static void carried_policy_goes_with_its_sa_only_when_not_kept(void **state)
{
	struct asked asked = {.keep = false};
	struct env_policies p;
	struct engine_orphan o;
	struct env_sa s;

	(void)state;
	ENV_NEEDED();
	o = restart_with_one(&s);
	env_until(&env.events[ENGINE_UP], 2);
	assert_int_equal(engine_sort_inherited(env.e, keep_or_not, &asked), 1);
	p = env_policies();
	assert_in_force(&p.row[0], s.sa);
	asked.keep = true;
	assert_int_equal(engine_sort_inherited(env.e, keep_or_not, &asked), 0);
	assert_int_equal(asked.carried, 2);
	engine_orphan_remove(env.e, o.sa);
	p = env_policies();
	assert_int_equal(p.n, 1);
	assert_int_equal(p.row[0].action, XS_TRAP);
	assert_int_equal(engine_sort_inherited(env.e, NULL, NULL), 1);
	assert_int_equal(env_policies().n, 0);
}

/* The peer narrows it to something else this time: what was wider goes, what another peer had stays. */
static void kept_policy_goes_when_another_stands_for_it(void **state)
{
	struct asked asked = {.keep = true};
	struct env_sa a, b, new;
	struct env_policies p;

	(void)state;
	ENV_NEEDED();
	env_up(&a, "gw", "10.2.0.0");
	env_up(&b, "gw", "10.3.0.0");
	env_plane_down(true);
	env_crash();
	env_open();
	env_plane_up();
	assert_int_equal(engine_sort_inherited(env.e, keep_or_not, &asked), 0);
	assert_int_equal(asked.n, 2);
	env_sa_init(&new, "gw", "10.2.0.0");
	new.remote.n = 0;
	env_ts(&new.remote, "10.2.0.0", 25);
	assert_int_equal(env_install(&new, PLANE_IN), 0);
	assert_int_equal(env_install(&new, PLANE_OUT), 0);
	env_until(&env.dones, env.dones + 2);
	assert_int_equal(engine_activate(env.e, new.sa, &new.c), 0);
	p = env_policies();
	assert_int_equal(p.n, 2);
	for (unsigned int i = 0; i < p.n; i++) {
		if (p.row[i].dst_lo.b[13] == 2)
			assert_in_force(&p.row[i], new.sa);
		else
			assert_int_equal(p.row[i].action, XS_TRAP);
	}
	engine_remove(env.e, new.sa, false);
	assert_int_equal(env_policies().n, 1);
}

/* Replaced by narrower selectors while it still carries traffic: closed nowhere after its grace. */
static void carried_policy_goes_when_another_stands_for_it(void **state)
{
	struct asked asked = {.keep = true};
	struct env_policies p;
	struct env_sa old, new;
	uint64_t end;

	(void)state;
	ENV_NEEDED();
	restart_with_one(&old);
	env_until(&env.events[ENGINE_UP], 2);
	assert_int_equal(engine_sort_inherited(env.e, keep_or_not, &asked), 0);
	env_sa_init(&new, "gw", "10.2.0.0");
	new.remote.n = 0;
	env_ts(&new.remote, "10.2.0.0", 25);
	assert_int_equal(env_install(&new, PLANE_IN), 0);
	assert_int_equal(env_install(&new, PLANE_OUT), 0);
	env_until(&env.dones, env.dones + 2);
	assert_int_equal(engine_activate(env.e, new.sa, &new.c), 0);
	for (end = env_now() + 4000; env_policies().n > 1 && env_now() < end; usleep(10000))
		env_run();
	p = env_policies();
	assert_int_equal(p.n, 1);
	assert_in_force(&p.row[0], new.sa);
}

static void lost_sa_of_a_trap_is_told_once(void **state)
{
	struct conn_conf conn = {.name = "gw"};
	struct asked asked = {.keep = false};
	struct env_sa s;

	(void)state;
	ENV_NEEDED();
	restart_both(&s);
	assert_int_equal(engine_trap(env.e, &conn, &env_child_conf, &s.local, &s.remote), 0);
	assert_int_equal(engine_sort_inherited(env.e, keep_or_not, &asked), 0);
	assert_int_equal(asked.n, 1);
	assert_int_equal(env_policies().n, 1);
	assert_int_equal(engine_sort_inherited(env.e, keep_or_not, &asked), 0);
	assert_int_equal(asked.n, 1);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, env_setup, env_teardown)
		T(agent_that_starts_again_finds_what_is_there),
		T(new_pair_takes_over_policies_and_bundle),
		T(orphan_of_another_peer_stays),
		T(orphan_removed_by_hand),
		T(orphan_ends_at_its_hard_limit),
		T(orphan_without_a_time_limit_stays),
		T(orphans_die_with_their_dataplane),
		T(trap_of_an_earlier_agent_is_claimed),
		T(half_written_rows_are_cleaned),
		T(hard_limit_of_an_orphan_ends_it),
		T(mtu_reaches_the_row),
		T(policy_of_a_configured_child_stays_closed),
		T(carried_policy_goes_with_its_sa_only_when_not_kept),
		T(kept_policy_goes_when_another_stands_for_it),
		T(carried_policy_goes_when_another_stands_for_it),
		T(lost_sa_of_a_trap_is_told_once),
#undef T
	};

	(void)argc;
	env_init(argv[0]);
	return cmocka_run_group_tests_name("engine_orphan", tests, NULL, NULL);
}
