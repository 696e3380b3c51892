/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/engine/kernel.h"
#include "tests/unit/engine_env.h"

/*
 * The kernel engine on the kernel's own tables, of a network namespace of this process. Without ESP in the kernel: skipped.
 */

#define KERNEL_NEEDED()                                                                            \
	do {                                                                                       \
		ENV_NEEDED();                                                                      \
		if (!engine_kernel_ready(env.e)) {                                                 \
			print_message("%s\n", engine_kernel_why_not(env.e));                       \
			skip();                                                                    \
		}                                                                                  \
	} while (0)

struct tables {
	unsigned int states, policies, out;
	uint32_t reqid;
	struct xfrm_policy_spec last_out;
};

static bool count_state(void *ctx, const struct xfrm_sa_info *sa)
{
	struct tables *t = ctx;

	t->states++;
	t->reqid = sa->spec.reqid;
	return true;
}

static bool count_policy(void *ctx, const struct xfrm_policy_info *p)
{
	struct tables *t = ctx;

	t->policies++;
	if (p->spec.dir == XF_OUT) {
		t->out++;
		t->last_out = p->spec;
	}
	return true;
}

static struct tables tables(void)
{
	struct tables t = {0};

	/* what is answered may ask for more */
	env_run();
	xfrm_flush(env.e->kernel->client);
	env_run();
	assert_int_equal(xfrm_sa_dump(env.e->kernel->client, count_state, &t), 0);
	assert_int_equal(xfrm_policy_dump(env.e->kernel->client, count_policy, &t), 0);
	return t;
}

static struct child_conf kernel_conf;

static int setup(void **state)
{
	int r = env_possible ? unshare(CLONE_NEWNET) : 0; /* nothing of the test before */

	if (!r)
		r = env_setup(state);

	kernel_conf = env_child_conf;
	kernel_conf.engine = CONF_ENGINE_KERNEL;
	if (env_possible)
		env.m->ctl->xfrm_dev = 1;
	return r;
}

static void want(struct env_sa *s, const char *conn, const char *remote)
{
	env_sa_init(s, conn, remote);
	s->c.conf = &kernel_conf;
	s->c.engine = CONF_ENGINE_KERNEL;
	s->c.encap = false;
}

static void up(struct env_sa *s, const char *conn, const char *remote)
{
	unsigned int dones = env.dones;

	want(s, conn, remote);
	assert_int_equal(env_install(s, PLANE_IN), 0);
	assert_int_equal(env_install(s, PLANE_OUT), 0);
	env_until(&env.dones, dones + 2);
	assert_int_equal(env.error, 0);
	assert_int_equal(engine_activate(env.e, s->sa, &s->c), 0);
}

/* IN and FWD with the selectors, OUT for anything of the pair's if_id; both halves; all gone afterwards. */
static void a_pair_by_the_interface(void **state)
{
	struct env_policies rows;
	struct engine_info info;
	struct env_sa s;
	struct tables t;

	(void)state;
	KERNEL_NEEDED();
	up(&s, "gw", "10.2.0.0");
	t = tables();
	assert_int_equal(t.states, 2);
	assert_int_equal(t.policies, 3);
	assert_int_equal(t.last_out.sel.src_len, 0);
	assert_int_equal(t.last_out.if_id, XS_XFRM_IF_ID(s.sa.slot));
	assert_int_equal(t.last_out.tmpl[0].spi, s.c.spi_out);
	rows = env_policies();
	assert_int_equal(rows.n, 1);
	assert_in_force(&rows.row[0], s.sa);
	assert_int_equal(XS_BUNDLE_ENGINE(xs_bundle_get(env.m, rows.row[0].bundle)), XS_ENGINE_KERNEL);
	assert_int_equal(env.m->sa_slot[s.sa.slot].engine, XS_ENGINE_KERNEL);
	assert_int_equal(engine_info_get(env.e, s.sa, &info), 0);
	assert_string_equal(info.engine, "kernel");
	assert_string_equal(info.why, "engine = kernel");
	assert_true(info.device);
	assert_in_range(info.reqid, CONF_CHOSEN_FIRST, CONF_CHOSEN_LAST);
	assert_int_equal(env.held, 0); /* the dataplane has nothing of it */
	engine_remove(env.e, s.sa, false);
	t = tables();
	assert_int_equal(t.states + t.policies, 0);
	env_run();
	assert_int_equal(env_rows_in() + env_rows_out(), 0);
}

/* The OUT policy has the SPI of the pair in force; who was before gets it back. The reqid stays. */
static void ordinary_policies_follow_the_pair_in_force(void **state)
{
	struct env_sa old, new;
	struct tables t;
	uint32_t reqid;

	(void)state;
	KERNEL_NEEDED();
	env.m->ctl->xfrm_dev = 0;
	up(&old, "gw", "10.2.0.0");
	t = tables();
	reqid = t.reqid;
	assert_int_equal(t.policies, 3);
	assert_int_equal(t.last_out.sel.src_len, 24);
	assert_int_equal(t.last_out.if_id, 0);
	assert_int_equal(t.last_out.tmpl[0].spi, old.c.spi_out);
	up(&new, "gw", "10.2.0.0");
	t = tables();
	assert_int_equal(t.states, 4);
	assert_int_equal(t.policies, 3);
	assert_int_equal(t.reqid, reqid);
	assert_int_equal(t.last_out.tmpl[0].spi, new.c.spi_out);
	engine_remove(env.e, new.sa, false);
	t = tables();
	assert_int_equal(t.policies, 3);
	assert_int_equal(t.last_out.tmpl[0].spi, old.c.spi_out);
	engine_remove_out(env.e, old.sa);
	assert_int_equal(tables().policies, 2);
	engine_remove(env.e, old.sa, false);
	t = tables();
	assert_int_equal(t.states + t.policies, 0);
}

/* Two connections with the same selectors: the younger is served, the older again when it goes. */
static void peers_with_the_same_selectors(void **state)
{
	struct env_sa a, b;
	struct tables t;

	(void)state;
	KERNEL_NEEDED();
	env.m->ctl->xfrm_dev = 0;
	up(&a, "one", "10.2.0.0");
	up(&b, "two", "10.2.0.0");
	t = tables();
	assert_int_equal(t.policies, 3);
	assert_int_equal(t.last_out.tmpl[0].spi, b.c.spi_out);
	engine_remove(env.e, b.sa, false);
	t = tables();
	assert_int_equal(t.policies, 3);
	assert_int_equal(t.last_out.tmpl[0].spi, a.c.spi_out);
	engine_remove(env.e, a.sa, false);
	assert_int_equal(tables().policies, 0);
}

static void add_foreign(enum xf_dir dir, const char *src, const char *dst)
{
	struct xfrm_policy_spec p = {.dir = dir, .sel = {.src_len = 24, .dst_len = 24}, .priority = 7};

	addr_parse(src, &p.sel.src);
	addr_parse(dst, &p.sel.dst);
	assert_int_equal(xfrm_policy_add(env.e->kernel->client, &p, NULL, NULL), 0);
	xfrm_flush(env.e->kernel->client);
}

/* Another program's policy of that name stays as it is, and the half is not there. */
static void what_others_have_is_not_replaced(void **state)
{
	struct env_sa s;
	struct tables t;

	(void)state;
	KERNEL_NEEDED();
	env.m->ctl->xfrm_dev = 0;
	add_foreign(XF_IN, "10.2.0.0", "10.1.0.0");
	want(&s, "gw", "10.2.0.0");
	assert_int_equal(env_install(&s, PLANE_IN), 0);
	env_until(&env.dones, 1);
	assert_int_equal(env.error, -EEXIST);
	t = tables();
	assert_int_equal(t.states, 0);
	assert_int_equal(t.policies, 1);
	assert_int_equal(env_rows_in(), 0);
	engine_remove(env.e, s.sa, false);
	assert_int_equal(tables().policies, 1);

	add_foreign(XF_OUT, "10.1.0.0", "10.3.0.0");
	want(&s, "gw", "10.3.0.0");
	assert_int_equal(env_install(&s, PLANE_IN), 0);
	assert_int_equal(env_install(&s, PLANE_OUT), 0);
	env_until(&env.dones, 3);
	assert_int_equal(env.error, 0);
	assert_int_equal(engine_activate(env.e, s.sa, &s.c), -EEXIST);
	assert_int_equal(env_policies().n, 0);
	engine_remove(env.e, s.sa, false);
	t = tables();
	assert_int_equal(t.states, 0);
	assert_int_equal(t.policies, 2);
}

static void refused_at_once(void **state)
{
	static const struct child_suite unknown = {.encr = 999, .encr_bits = 128};
	struct env_sa s;

	(void)state;
	KERNEL_NEEDED();
	want(&s, "gw", "10.2.0.0");
	s.c.suite = &unknown;
	assert_int_equal(env_install(&s, PLANE_IN), -EOPNOTSUPP);
	want(&s, "gw", "10.2.0.0");
	s.local.ts[0].protocol = s.remote.ts[0].protocol = 6;
	s.local.ts[0].port_lo = 65535; /* OPAQUE */
	s.local.ts[0].port_hi = 0;
	assert_int_equal(env_install(&s, PLANE_IN), -EOPNOTSUPP);
	assert_int_equal(tables().states, 0);
}

/* Of the dataplane and of the kernel side by side: what happens to one leaves the other alone. */
static void a_dataplane_that_goes_leaves_the_kernels(void **state)
{
	struct env_sa plane, kernel;

	(void)state;
	KERNEL_NEEDED();
	env_up(&plane, "gw", "10.9.0.0");
	up(&kernel, "gw", "10.2.0.0");
	assert_int_equal(engine_of(env.e, plane.sa), CONF_ENGINE_DATAPLANE);
	assert_int_equal(engine_of(env.e, kernel.sa), CONF_ENGINE_KERNEL);
	env_plane_down(true);
	env_plane_up();
	assert_int_equal(env_rows_in(), 1);
	assert_int_equal(tables().states, 2);
	engine_remove(env.e, kernel.sa, false);
}

static void vanished(struct env_sa *s)
{
	struct xfrm_sa_id id = {.dst = s->c.remote.ip, .spi = s->c.spi_out, .proto = IPPROTO_ESP};
	struct xfrm_client_ops ops = {0};
	char err[128];
	struct xfrm_client *other = xfrm_client_new(env.base, &ops, NULL, err, sizeof(err));

	assert_non_null(other);
	assert_int_equal(xfrm_sa_del(other, &id, NULL), 0);
	xfrm_flush(other);
	xfrm_client_free(other);
}

/* Somebody deletes the outbound SA: closed, told once, and the inbound one works on. */
static void what_vanishes_is_lost(void **state)
{
	struct env_policies rows;
	struct env_sa s;

	(void)state;
	KERNEL_NEEDED();
	up(&s, "gw", "10.2.0.0");
	vanished(&s);
	env_until(&env.events[ENGINE_LOST], 1);
	assert_int_equal(env.last.sa.slot, s.sa.slot);
	rows = env_policies();
	assert_int_equal(rows.row[0].action, XS_PROTECT);
	assert_int_equal(xs_bundle_get(env.m, rows.row[0].bundle), 0);
	assert_int_equal(env_rows_in(), 1);
	assert_int_equal(env_rows_out(), 0);
	engine_remove(env.e, s.sa, false);
	assert_int_equal(tables().states + tables().policies, 0);
	assert_int_equal(env.events[ENGINE_LOST], 1);
}

/* An agent that comes after a crash: what has a row and a state is adopted, the rest of ours goes, others' stays. */
static void what_a_crash_leaves_is_sorted(void **state)
{
	struct env_sa whole, lost;
	struct tables t;

	(void)state;
	KERNEL_NEEDED();
	up(&whole, "gw", "10.2.0.0");
	up(&lost, "gw", "10.3.0.0");
	tables();
	vanished(&lost); /* its news die with the agent */
	add_foreign(XF_OUT, "172.16.0.0", "172.17.0.0");
	env_crash();
	env_open();
	assert_int_equal(engine_orphans(env.e, NULL, 0), 1);
	t = tables();
	assert_int_equal(t.states, 2);
	assert_int_equal(t.policies, 4);
	engine_orphan_remove(env.e, whole.sa);
	t = tables();
	assert_int_equal(t.states, 0);
	assert_int_equal(t.policies, 1);
}

/* RFC 4301 4.4.1: closed without an SA, also where only the kernel's policies stand; below those of an SA. */
static void a_trap_of_the_kernels_own(void **state)
{
	struct conn_conf conn = {.name = "gw"};
	struct child_conf child = kernel_conf;
	struct ts_list l = {0}, r = {0};
	struct env_sa s;
	struct tables t;

	(void)state;
	KERNEL_NEEDED();
	child.kernel.mark_out = (struct conf_mark){.value = 5, .mask = 0xff};
	env_ts(&l, "10.1.0.0", 24);
	env_ts(&r, "10.2.0.0", 24);
	assert_int_equal(engine_trap(env.e, &conn, &child, &l, &r), 0);
	t = tables();
	assert_int_equal(t.policies, 1);
	assert_int_equal(t.last_out.mark.value, 5);
	kernel_conf.kernel = child.kernel;
	up(&s, "gw", "10.2.0.0");
	t = tables();
	assert_int_equal(t.out, 1);
	assert_int_equal(t.last_out.tmpl[0].spi, s.c.spi_out);
	assert_int_equal(env_policies().n, 0);
	engine_remove(env.e, s.sa, false);
	t = tables();
	assert_int_equal(t.out, 1);
	assert_int_equal(t.last_out.tmpl[0].spi, 0);
	assert_int_equal(engine_untrap(env.e, "gw", "net"), 0);
	assert_int_equal(tables().policies, 0);
	/* one that nobody configured, until the next SA */
	up(&s, "gw", "10.2.0.0");
	engine_remove(env.e, s.sa, true);
	assert_int_equal(tables().out, 1);
	up(&s, "gw", "10.2.0.0");
	engine_remove(env.e, s.sa, false);
	assert_int_equal(tables().policies, 0);
}

static void counters_and_no_time_without_packets(void **state)
{
	struct engine_stat st;
	struct env_sa s;

	(void)state;
	KERNEL_NEEDED();
	up(&s, "gw", "10.2.0.0");
	assert_int_equal(engine_stat_get(env.e, s.sa, &st), 0);
	assert_int_equal(st.in.packets + st.out.packets, 0);
	assert_int_equal(st.in.last_ns + st.out.last_ns, 0);
	engine_remove(env.e, s.sa, false);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_pair_by_the_interface, setup, env_teardown),
		cmocka_unit_test_setup_teardown(ordinary_policies_follow_the_pair_in_force, setup, env_teardown),
		cmocka_unit_test_setup_teardown(peers_with_the_same_selectors, setup, env_teardown),
		cmocka_unit_test_setup_teardown(what_others_have_is_not_replaced, setup, env_teardown),
		cmocka_unit_test_setup_teardown(refused_at_once, setup, env_teardown),
		cmocka_unit_test_setup_teardown(a_dataplane_that_goes_leaves_the_kernels, setup, env_teardown),
		cmocka_unit_test_setup_teardown(what_vanishes_is_lost, setup, env_teardown),
		cmocka_unit_test_setup_teardown(what_a_crash_leaves_is_sorted, setup, env_teardown),
		cmocka_unit_test_setup_teardown(a_trap_of_the_kernels_own, setup, env_teardown),
		cmocka_unit_test_setup_teardown(counters_and_no_time_without_packets, setup, env_teardown),
	};

	(void)argc;
	env_init(argv[0]);
	return cmocka_run_group_tests_name("engine_kernel", tests, NULL, NULL);
}
