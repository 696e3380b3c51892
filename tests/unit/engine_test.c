/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine_env.h"

static void nothing_without_proof(void **state)
{
	struct env_sa s;

	(void)state;
	ENV_NEEDED();
	env_sa_init(&s, "gw", "10.2.0.0");
	s.proof.proof = 0;
	assert_int_equal(env_install(&s, PLANE_IN), -EPERM);
	assert_int_equal(env_install(&s, PLANE_OUT), -EPERM);
	s.proof = (struct ike_authenticated){.ike_id = 8, .proof = 1};
	assert_int_equal(env_install(&s, PLANE_IN), -EPERM);
	env_run();
	assert_int_equal(env.adds, 0);
	assert_int_equal(env.dones, 0);
	assert_int_equal(env_rows_in() + env_rows_out(), 0);
}

static void senseless_children_are_refused(void **state)
{
	struct env_sa s;

	(void)state;
	ENV_NEEDED();
	env_sa_init(&s, "gw", "10.2.0.0");
	s.c.spi_in ^= 1;
	assert_int_equal(env_install(&s, PLANE_IN), -EINVAL);
	s.c.spi_in ^= 1;
	s.c.spi_out = 0;
	assert_int_equal(env_install(&s, PLANE_OUT), -EINVAL);
	s.c.spi_out = 9;
	s.c.local.port = 0;
	assert_int_equal(env_install(&s, PLANE_OUT), -EINVAL);
	s.c.local.port = 4500;
	addr_parse("2001:db8::1", &s.c.remote.ip);
	assert_int_equal(env_install(&s, PLANE_IN), -EINVAL);
	addr_parse("192.0.2.2", &s.c.remote.ip);
	s.local.n = 0;
	assert_int_equal(env_install(&s, PLANE_IN), -EINVAL);
	s.local.n = 1;
	s.sa.generation++;
	assert_int_equal(env_install(&s, PLANE_IN), -ENOENT);
	assert_int_equal(engine_activate(env.e, s.sa, &s.c), -ENOENT);
	env_run();
	assert_int_equal(env.adds, 0);
}

static void rows_come_after_the_dataplane_has_it(void **state)
{
	struct env_sa s;

	(void)state;
	ENV_NEEDED();
	env_sa_init(&s, "gw", "10.2.0.0");
	env.mute = true;
	assert_int_equal(env_install(&s, PLANE_IN), 0);
	env_run();
	assert_int_equal(env.m->sa_slot[s.sa.slot].spi, 0);
	assert_int_equal(env_rows_in(), 0);
	assert_int_equal(env_install(&s, PLANE_IN), -EBUSY);
	env.mute = false;
	env_until(&env.dones, 1);
	assert_int_equal(env.error, 0);
	assert_int_equal(env.tag, 11);
	assert_int_equal(env.ref.index, s.sa.slot);
	assert_int_equal(env.m->sa_slot[s.sa.slot].spi, s.c.spi_in);
	assert_int_equal(env.m->sa_slot[s.sa.slot].generation, s.sa.generation);
	assert_int_equal(env_rows_in(), 1);
	assert_int_equal(env_rows_out(), 0);
}

static void dataplane_gets_each_direction_as_its_packets_see_it(void **state)
{
	struct env_sa s;
	uint8_t local[16], remote[16];

	(void)state;
	ENV_NEEDED();
	env_sa_init(&s, "gw", "10.2.0.0");
	addr_to_mapped(&s.c.local.ip, local);
	addr_to_mapped(&s.c.remote.ip, remote);
	s.c.local.port = 4501;
	assert_int_equal(env_install(&s, PLANE_IN), 0);
	env_until(&env.dones, 1);
	assert_int_equal(env.last_add.spi, s.c.spi_in);
	assert_memory_equal(env.last_add.src, remote, 16);
	assert_memory_equal(env.last_add.dst, local, 16);
	assert_int_equal(env.last_add.sport, 4500);
	assert_int_equal(env.last_add.dport, 4501);
	assert_int_equal(env.last_add.replay_window, 32);
	assert_int_equal(env.last_add.esn, 1);
	assert_int_equal(env.last_add.encr_key_len, sizeof(env_key));
	assert_memory_equal(env.last_add.encr_key, env_key, sizeof(env_key));
	assert_int_equal(env.last_add.integ_key_len, 0);
	assert_int_equal(env.last_add.n_local, 1);
	assert_int_equal(env.last_add.n_remote, 1);
	assert_int_equal(env.last_add.ts[1].lo[13], 2); /* 10.2.0.0: ours first, then the peer's */
	assert_int_equal(env_install(&s, PLANE_OUT), 0);
	env_until(&env.dones, 2);
	assert_int_equal(env.last_add.spi, s.c.spi_out);
	assert_memory_equal(env.last_add.src, local, 16);
	assert_int_equal(env.last_add.sport, 4501);
	assert_int_equal(env.last_add.replay_window, 0);
	assert_int_equal(env.last_add.seq, 0);
}

/* Only the engine knows of the tag that is cut short: what was negotiated is SHA2-256. */
static void short_tag_is_for_the_engine(void **state)
{
	struct child_suite suite = {.encr = 12, .encr_bits = 128, .integ = AUTH_HMAC_SHA2_256_128};
	struct child_conf conf = env_child_conf;
	struct env_sa s;

	(void)state;
	ENV_NEEDED();
	for (int i = 0; i < 3; i++) {
		env_sa_init(&s, "gw", "10.2.0.0");
		s.c.suite = &suite;
		s.c.conf = &conf;
		conf.sha256_96 = i > 0;
		if (i == 2)
			suite.integ = AUTH_HMAC_SHA2_384_192;
		assert_int_equal(env_install(&s, PLANE_IN), 0);
		env_until(&env.dones, (unsigned int)i + 1);
		assert_int_equal(env.last_add.integ, i == 0   ? AUTH_HMAC_SHA2_256_128
						     : i == 1 ? AUTH_HMAC_SHA2_256_96
							      : AUTH_HMAC_SHA2_384_192);
	}
}

/* RFC 8221 4: NULL encryption has no key, but what has no key at all protects nothing. */
static void no_key_at_all_is_refused(void **state)
{
	struct secret encr = {0}, integ = {0};
	struct env_sa s;

	(void)state;
	ENV_NEEDED();
	env_sa_init(&s, "gw", "10.2.0.0");
	assert_int_equal(engine_install_in(env.e, &s.proof, s.sa, &s.c, &encr, &integ, env_done, NULL,
					   (struct sa_ref){.index = s.sa.slot, .generation = 99}, 11),
			 -EINVAL);
	assert_int_equal(secret_dup(&integ, slice_of(env_key, sizeof(env_key))), 0);
	assert_int_equal(engine_install_in(env.e, &s.proof, s.sa, &s.c, &encr, &integ, env_done, NULL,
					   (struct sa_ref){.index = s.sa.slot, .generation = 99}, 11),
			 0);
	env_until(&env.dones, 1);
	assert_int_equal(env.last_add.encr_key_len, 0);
	assert_int_equal(env.last_add.integ_key_len, sizeof(env_key));
}

static void refusal_of_the_dataplane_leaves_nothing(void **state)
{
	struct env_sa s;

	(void)state;
	ENV_NEEDED();
	env_sa_init(&s, "gw", "10.2.0.0");
	env.refuse = -ENOTSUP;
	assert_int_equal(env_install(&s, PLANE_IN), 0);
	env_until(&env.dones, 1);
	assert_int_equal(env.error, -ENOTSUP);
	assert_int_equal(env_rows_in(), 0);
	engine_spi_free(env.e, s.sa);
	assert_int_equal(slots_used(env.e->slots), 0);
}

static void without_a_dataplane_the_answer_is_immediate(void **state)
{
	struct env_sa s;

	(void)state;
	ENV_NEEDED();
	env_plane_down(false);
	assert_false(engine_ready(env.e));
	env_sa_init(&s, "gw", "10.2.0.0");
	assert_int_equal(env_install(&s, PLANE_IN), 0);
	assert_int_equal(env.dones, 1);
	assert_int_equal(env.error, -ENOTCONN);
	env_plane_up();
	assert_true(engine_ready(env.e));
	assert_false(env.last.new_instance);
}

static void first_pair_brings_its_policy(void **state)
{
	struct env_policies p;
	struct env_sa s;

	(void)state;
	ENV_NEEDED();
	env_up(&s, "gw", "10.2.0.0");
	p = env_policies();
	assert_int_equal(p.n, 1);
	assert_in_force(&p.row[0], s.sa);
	assert_string_equal(p.row[0].conn, "gw");
	assert_int_equal(env.m->sa_slot[s.sa.slot].policy, p.id[0]);
	engine_remove(env.e, s.sa, false);
	assert_int_equal(env_policies().n, 0);
	assert_int_equal(xs_bundle_get(env.m, p.row[0].bundle), 0);
	assert_int_equal(env.m->sa_slot[s.sa.slot].spi, 0);
	assert_int_equal(env_rows_in() + env_rows_out(), 0);
	env_run();
	assert_int_equal(env.held, 0);
	assert_int_equal(slots_used(env.e->slots), 0);
}

/* A rekey is one store: same policy, same bundle, same epoch, another word. */
static void rekey_is_one_store(void **state)
{
	struct env_policies before, after;
	struct env_sa old, new;
	uint64_t epoch;

	(void)state;
	ENV_NEEDED();
	env_up(&old, "gw", "10.2.0.0");
	before = env_policies();
	epoch = env.m->ctl->epoch;
	env_up(&new, "gw", "10.2.0.0");
	after = env_policies();
	assert_int_equal(after.n, 1);
	assert_int_equal(after.id[0], before.id[0]);
	assert_int_equal(after.row[0].bundle, before.row[0].bundle);
	assert_int_equal(env.m->ctl->epoch, epoch);
	assert_in_force(&after.row[0], new.sa);
	engine_remove_out(env.e, old.sa);
	assert_in_force(&after.row[0], new.sa);
	assert_int_equal(env_rows_in(), 2);
	assert_int_equal(env_rows_out(), 1);
	engine_remove(env.e, old.sa, false);
	assert_in_force(&after.row[0], new.sa);
	assert_int_equal(env_policies().n, 1);
	env_run();
	assert_int_equal(env.held, 2);
}

/* A duplicate goes away again: the pair before it is in force once more. */
static void older_pair_follows_a_newer_one_that_goes(void **state)
{
	struct env_policies p;
	struct env_sa a, b;

	(void)state;
	ENV_NEEDED();
	env_up(&a, "gw", "10.2.0.0");
	env_up(&b, "gw", "10.2.0.0");
	p = env_policies();
	assert_in_force(&p.row[0], b.sa);
	engine_remove_out(env.e, b.sa);
	assert_in_force(&p.row[0], a.sa);
	engine_remove(env.e, b.sa, false);
	assert_in_force(&p.row[0], a.sa);
	engine_remove(env.e, a.sa, false);
	assert_int_equal(env_policies().n, 0);
}

static void changed_selectors_replace_policies(void **state)
{
	struct env_policies p;
	struct env_sa a, b;

	(void)state;
	ENV_NEEDED();
	env_up(&a, "gw", "10.2.0.0");
	env_up(&b, "gw", "10.3.0.0");
	assert_int_equal(env_policies().n, 2);
	engine_remove(env.e, a.sa, false);
	p = env_policies();
	assert_int_equal(p.n, 1);
	assert_in_force(&p.row[0], b.sa);
}

/* The outbound half gone and nobody to follow: closed, not open. */
static void without_outbound_half_the_policy_stays_closed(void **state)
{
	struct env_policies p;
	struct env_sa s;

	(void)state;
	ENV_NEEDED();
	env_up(&s, "gw", "10.2.0.0");
	engine_remove_out(env.e, s.sa);
	p = env_policies();
	assert_int_equal(p.n, 1);
	assert_int_equal(p.row[0].action, XS_PROTECT);
	assert_int_equal(xs_bundle_get(env.m, p.row[0].bundle), 0);
}

static void removal_may_leave_a_trap(void **state)
{
	struct env_policies before, p;
	struct env_sa s;

	(void)state;
	ENV_NEEDED();
	env_up(&s, "gw", "10.2.0.0");
	before = env_policies();
	engine_remove(env.e, s.sa, true);
	p = env_policies();
	assert_int_equal(p.n, 1);
	assert_int_equal(p.row[0].action, XS_TRAP);
	assert_int_equal(xs_bundle_get(env.m, p.row[0].bundle), 0);
	env_up(&s, "gw", "10.2.0.0");
	p = env_policies();
	assert_int_equal(p.n, 1);
	assert_int_equal(p.id[0], before.id[0]);
	assert_in_force(&p.row[0], s.sa);
}

static void configured_trap_outlives_its_sas(void **state)
{
	struct conn_conf conn = {.name = "gw"};
	struct env_policies p;
	struct env_sa s;

	(void)state;
	ENV_NEEDED();
	env_sa_init(&s, "gw", "10.2.0.0");
	assert_int_equal(engine_trap(env.e, &conn, &env_child_conf, &s.local, &s.remote), 0);
	assert_int_equal(engine_trap(env.e, &conn, &env_child_conf, &s.local, &s.remote), 0);
	p = env_policies();
	assert_int_equal(p.n, 1);
	assert_int_equal(p.row[0].action, XS_TRAP);
	env_up(&s, "gw", "10.2.0.0");
	p = env_policies();
	assert_int_equal(p.n, 1);
	assert_in_force(&p.row[0], s.sa);
	engine_remove(env.e, s.sa, false);
	p = env_policies();
	assert_int_equal(p.n, 1);
	assert_int_equal(p.row[0].action, XS_TRAP);
	assert_int_equal(engine_untrap(env.e, "gw", "other"), -ENOENT);
	assert_int_equal(engine_untrap(env.e, "gw", "net"), 0);
	assert_int_equal(env_policies().n, 0);
	assert_int_equal(engine_untrap(env.e, "gw", "net"), -ENOENT);
}

static void untrap_leaves_what_an_sa_uses(void **state)
{
	struct conn_conf conn = {.name = "gw"};
	struct env_policies p;
	struct env_sa s;

	(void)state;
	ENV_NEEDED();
	env_up(&s, "gw", "10.2.0.0");
	assert_int_equal(engine_trap(env.e, &conn, &env_child_conf, &s.local, &s.remote), 0);
	assert_int_equal(engine_untrap(env.e, "gw", "net"), 0);
	p = env_policies();
	assert_int_equal(p.n, 1);
	assert_in_force(&p.row[0], s.sa);
	engine_remove(env.e, s.sa, false);
	assert_int_equal(env_policies().n, 0);
}

static void pass_and_drop_are_shunts(void **state)
{
	struct conn_conf conn = {.name = "gw"};
	struct child_conf pass = {.name = "pass", .mode = CONF_MODE_PASS};
	struct child_conf drop = {.name = "drop", .mode = CONF_MODE_DROP};
	struct ts_list l = {0}, r = {0}, six = {0};
	struct env_policies p;

	(void)state;
	ENV_NEEDED();
	env_ts(&l, "10.1.0.0", 24);
	env_ts(&r, "10.2.0.0", 24);
	env_ts(&six, "2001:db8::", 32);
	assert_int_equal(engine_trap(env.e, &conn, &pass, &l, &r), 0);
	assert_int_equal(env_policies().row[0].action, XS_BYPASS);
	assert_int_equal(engine_untrap(env.e, "gw", "pass"), 0);
	assert_int_equal(engine_trap(env.e, &conn, &drop, &l, &r), 0);
	p = env_policies();
	assert_int_equal(p.n, 1);
	assert_int_equal(p.row[0].action, XS_DISCARD);
	assert_int_equal(engine_trap(env.e, &conn, &pass, &l, &six), -EINVAL);
}

/* Two connections want the same packets: the later has them, and gives them back. */
static void rows_of_two_connections_change_hands(void **state)
{
	struct env_policies p;
	struct env_sa a, b;

	(void)state;
	ENV_NEEDED();
	env_up(&a, "one", "10.2.0.0");
	env_up(&b, "two", "10.2.0.0");
	p = env_policies();
	assert_int_equal(p.n, 1);
	assert_in_force(&p.row[0], b.sa);
	engine_remove(env.e, b.sa, false);
	p = env_policies();
	assert_int_equal(p.n, 1);
	assert_in_force(&p.row[0], a.sa);
	engine_remove(env.e, a.sa, false);
	assert_int_equal(env_policies().n, 0);
}

static void removed_while_being_added(void **state)
{
	struct env_sa s;

	(void)state;
	ENV_NEEDED();
	env_sa_init(&s, "gw", "10.2.0.0");
	env.mute = true;
	assert_int_equal(env_install(&s, PLANE_IN), 0);
	engine_remove(env.e, s.sa, false);
	env.mute = false;
	env_until(&env.dones, 1);
	assert_int_equal(env.error, -ECANCELED);
	env_run();
	assert_int_equal(env.held, 0);
	assert_int_equal(env_rows_in(), 0);
	assert_int_equal(slots_used(env.e->slots), 0);
}

/* Nobody knows whether the SA arrived: it must be gone when the connection is back. */
static void connection_lost_while_adding(void **state)
{
	struct env_sa s;

	(void)state;
	ENV_NEEDED();
	env_sa_init(&s, "gw", "10.2.0.0");
	env.mute = true;
	assert_int_equal(env_install(&s, PLANE_IN), 0);
	env.generation[s.sa.slot][PLANE_IN] = s.sa.generation;
	env.held = 1;
	env_plane_down(false);
	assert_int_equal(env.dones, 1);
	assert_int_equal(env.error, -ECONNRESET);
	assert_int_equal(env_rows_in(), 0);
	engine_spi_free(env.e, s.sa);
	assert_int_equal(slots_used(env.e->slots), 1);
	env_plane_up();
	assert_int_equal(env.held, 0);
	assert_int_equal(slots_used(env.e->slots), 0);
}

static void removed_while_the_dataplane_is_away(void **state)
{
	struct env_sa s;

	(void)state;
	ENV_NEEDED();
	env_up(&s, "gw", "10.2.0.0");
	env_plane_down(false);
	engine_remove(env.e, s.sa, false);
	assert_int_equal(env_rows_in() + env_rows_out(), 0);
	env_plane_up();
	assert_int_equal(env.held, 0);
	assert_int_equal(slots_used(env.e->slots), 0);
}

/* A new dataplane has no keys: rows go, policies stay closed until the exchanges made new SAs. */
static void new_dataplane_means_new_sas(void **state)
{
	struct env_policies p;
	struct env_sa old, new;

	(void)state;
	ENV_NEEDED();
	env_up(&old, "gw", "10.2.0.0");
	env_plane_down(true);
	p = env_policies();
	assert_in_force(&p.row[0], old.sa);
	env_plane_up();
	assert_true(env.last.new_instance);
	assert_int_equal(env_rows_in() + env_rows_out(), 0);
	p = env_policies();
	assert_int_equal(p.n, 1);
	assert_int_equal(p.row[0].action, XS_PROTECT);
	assert_int_equal(xs_bundle_get(env.m, p.row[0].bundle), 0);
	env_up(&new, "gw", "10.2.0.0");
	engine_remove(env.e, old.sa, false);
	p = env_policies();
	assert_int_equal(p.n, 1);
	assert_in_force(&p.row[0], new.sa);
}

static void peer_moves(void **state)
{
	struct endpoint remote = {.port = 5555};
	struct env_sa s;
	uint8_t mapped[16];

	(void)state;
	ENV_NEEDED();
	env_up(&s, "gw", "10.2.0.0");
	addr_parse("198.51.100.9", &remote.ip);
	addr_to_mapped(&remote.ip, mapped);
	assert_int_equal(engine_move(env.e, s.sa, &s.c.local, &remote), 0);
	env_run();
	assert_int_equal(env.moves, 2);
	assert_int_equal(env.last_move.direction, PLANE_OUT);
	assert_int_equal(env.last_move.dport, 5555);
	assert_memory_equal(env.last_move.dst, mapped, 16);
	assert_int_equal(env.m->sa_slot[s.sa.slot].spi, s.c.spi_in);
	s.sa.generation++;
	assert_int_equal(engine_move(env.e, s.sa, &s.c.local, &remote), -ENOENT);
	s.sa.generation--;
	addr_parse("2001:db8::1", &remote.ip);
	assert_int_equal(engine_move(env.e, s.sa, &s.c.local, &remote), -EINVAL);
}

static void statistics_belong_to_one_use_of_a_slot(void **state)
{
	struct engine_stat stat;
	struct env_sa s;

	(void)state;
	ENV_NEEDED();
	env_up(&s, "gw", "10.2.0.0");
	env.m->sa_stat[s.sa.slot].in.packets = 12;
	env.m->sa_stat[s.sa.slot].out.drop[XS_DROP_seq_cycled] = 3;
	assert_int_equal(engine_stat_get(env.e, s.sa, &stat), 0);
	assert_int_equal(stat.in.packets, 12);
	assert_int_equal(stat.out.drop[XS_DROP_seq_cycled], 3);
	s.sa.generation ^= 1;
	assert_int_equal(engine_stat_get(env.e, s.sa, &stat), -ENOENT);
}

static void slots_run_out_with_an_error(void **state)
{
	struct engine_sa sa;
	uint32_t spi;

	(void)state;
	ENV_NEEDED();
	for (int i = 1; i < ENV_SLOTS; i++) {
		assert_int_equal(engine_spi_alloc(env.e, &sa, &spi), 0);
		assert_int_equal(spi & (ENV_SLOTS - 1), sa.slot);
		assert_true(spi > 255);
	}
	assert_int_equal(engine_spi_alloc(env.e, &sa, &spi), -ENOSPC);
}

/* As an exchange does it: the outbound half is asked for while the inbound one is on its way. */
static void both_halves_without_waiting(void **state)
{
	struct env_sa s, refused;

	(void)state;
	ENV_NEEDED();
	env_sa_init(&s, "gw", "10.2.0.0");
	assert_int_equal(env_install(&s, PLANE_IN), 0);
	assert_int_equal(env_install(&s, PLANE_OUT), 0);
	assert_int_equal(env.dones, 0);
	env_until(&env.dones, 2);
	assert_int_equal(env.error, 0);
	assert_int_equal(env.last_add.direction, PLANE_OUT); /* inbound went first */
	assert_int_equal(env.held, 2);
	assert_int_equal(engine_activate(env.e, s.sa, &s.c), 0);

	/* given up while both are on their way: the dataplane keeps neither */
	env_sa_init(&refused, "gw", "10.3.0.0");
	assert_int_equal(env_install(&refused, PLANE_IN), 0);
	assert_int_equal(env_install(&refused, PLANE_OUT), 0);
	engine_remove(env.e, refused.sa, false);
	env_until(&env.dones, 4);
	assert_int_equal(env.error, -ECANCELED);
	env_until(&env.dels, 2);
	assert_int_equal(env.held, 2);
	assert_int_equal(engine_activate(env.e, refused.sa, &refused.c), -ENOENT);
}

static void second_agent_on_the_same_maps_is_refused(void **state)
{
	char err[256] = "";
	struct env_sa s;

	(void)state;
	ENV_NEEDED();
	env_up(&s, "gw", "10.2.0.0");
	assert_null(engine_open(env.base, &env.gw, env_event, NULL, err, sizeof(err)));
	assert_int_equal(errno, EWOULDBLOCK);
	assert_non_null(strstr(err, "another xdpsecd"));
	assert_int_equal(env.m->ctl->agent_pid, getpid());
	assert_int_equal(env_rows_in(), 1);
}

static void without_maps_the_next_step_is_told(void **state)
{
	struct gateway_conf gw;
	char err[256] = "";

	(void)state;
	ENV_NEEDED();
	gw = env.gw;
	snprintf(gw.pin_dir, sizeof(gw.pin_dir), "/nonexistent/xdpsec");
	assert_null(engine_open(env.base, &gw, env_event, NULL, err, sizeof(err)));
	assert_non_null(strstr(err, "/nonexistent/xdpsec"));
	assert_non_null(strstr(err, "xdpsec-loader"));
}

static void no_key_byte_in_any_row(void **state)
{
	uint8_t value[sizeof(struct xs_sa_stat)];
	struct env_sa s;

	(void)state;
	ENV_NEEDED();
	env_up(&s, "gw", "10.2.0.0");
	for (int i = 0; i < XS_MAPS; i++) {
		uint32_t key[16] = {0}, next[16];
		struct bpf_map_info info = {0};
		uint32_t len = sizeof(info);
		void *at = NULL;

		assert_int_equal(bpf_obj_get_info_by_fd(env.m->fd[i], &info, &len), 0);
		if (info.value_size > sizeof(value) || info.key_size > sizeof(key))
			continue;
		while (!bpf_map_get_next_key(env.m->fd[i], at, next)) {
			memcpy(key, next, info.key_size);
			at = key;
			if (!bpf_map_lookup_elem(env.m->fd[i], key, value))
				assert_null(memmem(value, info.value_size, env_key, 4));
		}
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, env_setup, env_teardown)
		T(nothing_without_proof),
		T(senseless_children_are_refused),
		T(rows_come_after_the_dataplane_has_it),
		T(dataplane_gets_each_direction_as_its_packets_see_it),
		T(short_tag_is_for_the_engine),
		T(no_key_at_all_is_refused),
		T(refusal_of_the_dataplane_leaves_nothing),
		T(without_a_dataplane_the_answer_is_immediate),
		T(first_pair_brings_its_policy),
		T(rekey_is_one_store),
		T(older_pair_follows_a_newer_one_that_goes),
		T(changed_selectors_replace_policies),
		T(without_outbound_half_the_policy_stays_closed),
		T(removal_may_leave_a_trap),
		T(configured_trap_outlives_its_sas),
		T(untrap_leaves_what_an_sa_uses),
		T(pass_and_drop_are_shunts),
		T(rows_of_two_connections_change_hands),
		T(removed_while_being_added),
		T(connection_lost_while_adding),
		T(removed_while_the_dataplane_is_away),
		T(new_dataplane_means_new_sas),
		T(peer_moves),
		T(statistics_belong_to_one_use_of_a_slot),
		T(slots_run_out_with_an_error),
		T(both_halves_without_waiting),
		T(second_agent_on_the_same_maps_is_refused),
		T(without_maps_the_next_step_is_told),
		T(no_key_byte_in_any_row),
#undef T
	};

	(void)argc;
	env_init(argv[0]);
	return cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}
