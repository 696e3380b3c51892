// SPDX-License-Identifier: BSD-2-Clause
#include "fixture.h"

#include "tests/policy_model.h"

#include <sys/wait.h>
#include <time.h>

/* The classifier in the kernel and the policy accessors that feed it. */

#define V4(s, d) .src = s, .dst = d

/* A packet that the parser turns into this tuple. */
static size_t frame_of(const struct xs_tuple *t, uint8_t frame[FX_FRAME_MAX])
{
	char src[ADDR_STRLEN], dst[ADDR_STRLEN];
	struct ip_addr a, b;
	struct spec s = {.protocol = t->protocol, .sport = t->sport, .dport = t->dport};

	addr_from_mapped(t->src.b, &a);
	addr_from_mapped(t->dst.b, &b);
	s.src = addr_str(&a, src);
	s.dst = addr_str(&b, dst);
	if (t->flags & XS_TUPLE_NO_PORTS) {
		s.frag = t->flags & XS_TUPLE_V6 ? 8 : 1;
		s.ext[0] = 44;
		s.n_ext = t->flags & XS_TUPLE_V6 ? 1 : 0;
	}
	return fx_build(&s, frame);
}

/* Whose counter moved by the packet; 0 = no policy. */
static struct xs_decision decision_of(const struct xs_tuple *t)
{
	int cpus = libbpf_num_possible_cpus();
	struct xs_flow *rows = calloc((size_t)cpus, sizeof(*rows));
	struct xs_decision d = {.policy = UINT32_MAX};
	struct xs_tuple key = *t;

	key.mask_id = XS_FLOW_LAN;
	assert_int_equal(bpf_map_lookup_elem(fx.maps.fd[XS_MAP_flow], &key, rows), 0);
	for (int i = 0; i < cpus; i++)
		if (rows[i].epoch == fx.maps.ctl->epoch)
			d = rows[i].decision;
	free(rows);
	return d;
}

static int verdict_of(const struct model *m, struct model_verdict v, enum xs_drop *reason)
{
	*reason = XS_DROP_none;
	if (!v.policy)
		return XDP_PASS;
	if (v.blocked) {
		*reason = XS_DROP_drop_fragments;
		return XDP_DROP;
	}
	for (uint32_t i = 0; i < m->n; i++) {
		if (m->id[i] != v.policy)
			continue;
		if (m->row[i].action == XS_BYPASS)
			return XDP_PASS;
		*reason = m->row[i].action == XS_DISCARD ? XS_DROP_discard : XS_DROP_no_sa;
	}
	return XDP_DROP;
}

static void same_as_model(const struct model *m, unsigned int packets)
{
	for (unsigned int i = 0; i < packets; i++) {
		struct xs_tuple t = model_random_tuple();
		struct model_verdict want = model_lookup(m, &t);
		uint8_t frame[FX_FRAME_MAX];
		size_t n = frame_of(&t, frame);
		enum xs_drop reason;
		int verdict = verdict_of(m, want, &reason);

		fx_expect(fx.lan, frame, n, verdict, reason);
		assert_int_equal(decision_of(&t).policy, want.policy);
	}
}

static void random_step(struct model *m, uint32_t step)
{
	struct xs_policy p = model_random_policy((uint32_t)rand() % 1000 * 1000 + step);
	uint32_t at = m->n ? model_rand(m->n) : 0, id;
	int err;

	if (m->n && !model_rand(4)) {
		fx_del(m->id[at]);
		model_del(m, at);
		return;
	}
	if (m->n && !model_rand(5)) {
		m->row[at].action = (uint8_t)(XS_BYPASS + model_rand(4));
		assert_int_equal(xs_policy_set(fx.ps, m->id[at], m->row[at].action, 0), 0);
		return;
	}
	err = xs_policy_add(fx.ps, &p, &id);
	assert_true(!err || err == -E2BIG);
	if (!err)
		model_add(m, id, &p);
}

static unsigned int rows_in(enum xs_map map, size_t key_size)
{
	uint8_t key[64], next[64];
	unsigned int n = 0;
	void *at = NULL;

	while (!bpf_map_get_next_key(fx.maps.fd[map], at, next)) {
		memcpy(key, next, key_size);
		at = key;
		n++;
	}
	return n;
}

/* Adding, changing and removing, each step followed by packets that must meet what the slow model
 * says; in the middle the agent dies and another one goes on from the maps. */
static void random_against_the_model(void **state)
{
	static struct model m;

	(void)state;
	fx_need_root();
	srand((unsigned int)time(NULL));
	for (uint32_t step = 0; step < 200; step++) {
		random_step(&m, step);
		same_as_model(&m, 10);
		if (step % 50 != 49)
			continue;
		xs_policies_free(fx.ps);
		fx.ps = xs_policies_open(&fx.maps);
		assert_non_null(fx.ps);
		same_as_model(&m, 200);
	}
	assert_int_equal(rows_in(XS_MAP_policy, sizeof(struct xs_policy_key)), m.n);
	while (m.n) {
		fx_del(m.id[m.n - 1]);
		m.n--;
	}
	assert_int_equal(rows_in(XS_MAP_policy, sizeof(struct xs_policy_key)), 0);
	assert_int_equal(rows_in(XS_MAP_selector, sizeof(struct xs_tuple)), 0);
}

static void a_cached_decision_ends_with_its_epoch(void **state)
{
	struct xs_policy p = fx_policy("10.9.8.0-10.9.8.255", "10.9.7.0-10.9.7.255", XS_BYPASS, 10);
	uint32_t id;

	(void)state;
	fx_need_root();
	for (int i = 0; i < 2; i++)
		fx_expect_spec(fx.lan, XDP_PASS, 0, V4("10.9.8.1", "10.9.7.1"), .protocol = 17);
	id = fx_add(&p);
	fx_expect_spec(fx.lan, XDP_PASS, 0, V4("10.9.8.1", "10.9.7.1"), .protocol = 17);
	assert_int_equal(xs_policy_set(fx.ps, id, XS_DISCARD, 0), 0);
	fx_expect_spec(fx.lan, XDP_DROP, XS_DROP_discard, V4("10.9.8.1", "10.9.7.1"),
		       .protocol = 17);
	fx_del(id);
	fx_expect_spec(fx.lan, XDP_PASS, 0, V4("10.9.8.1", "10.9.7.1"), .protocol = 17);
}

/* Without a new epoch the cache is what answers: this is the proof that it is used at all. */
static void the_cache_answers(void **state)
{
	struct xs_policy p =
	    fx_policy("10.9.8.0-10.9.8.255", "10.9.7.0-10.9.7.255", XS_DISCARD, 10);
	uint32_t row, id;
	struct xs_masks none = {0};

	(void)state;
	fx_need_root();
	id = fx_add(&p);
	fx_expect_spec(fx.lan, XDP_DROP, XS_DROP_discard, V4("10.9.8.1", "10.9.7.1"),
		       .protocol = 17);
	row = (uint32_t)(fx.maps.ctl->epoch % XS_MASK_ROWS);
	assert_int_equal(bpf_map_update_elem(fx.maps.fd[XS_MAP_selector_mask], &row, &none, 0), 0);
	fx_expect_spec(fx.lan, XDP_DROP, XS_DROP_discard, V4("10.9.8.1", "10.9.7.1"),
		       .protocol = 17);
	fx_expect_spec(fx.lan, XDP_PASS, 0, V4("10.9.8.1", "10.9.7.1"), .protocol = 6);
	fx_del(id);
}

static void same_selectors_are_one_policy(void **state)
{
	struct xs_policy p = fx_policy("10.9.8.0-10.9.8.255", "10.9.7.0-10.9.7.255", XS_TRAP, 10);
	uint32_t id, again = 0;

	(void)state;
	fx_need_root();
	id = fx_add(&p);
	p.action = XS_BYPASS;
	assert_int_equal(xs_policy_add(fx.ps, &p, &again), -EEXIST);
	assert_int_equal(again, id);
	p.priority = 11;
	assert_int_equal(xs_policy_add(fx.ps, &p, &again), 0);
	assert_int_not_equal(again, id);
	fx_del(id);
	fx_del(again);
	assert_int_equal(xs_policy_del(fx.ps, id), -ENOENT);
	assert_int_equal(xs_policy_set(fx.ps, id, XS_BYPASS, 0), -ENOENT);
	assert_int_equal(xs_policy_get(fx.ps, id, &p), -ENOENT);
}

static void many_go_in_whole_or_not_at_all(void **state)
{
	static struct xs_policy rows[600];
	static uint32_t ids[600];
	uint64_t epoch;
	uint32_t used;

	(void)state;
	fx_need_root();
	for (uint32_t i = 0; i < 600; i++) {
		rows[i] = fx_policy("10.9.8.0-10.9.8.255", "10.9.7.0-10.9.7.255", XS_DISCARD, i);
		rows[i].dst_lo.b[14] = rows[i].dst_hi.b[14] = (uint8_t)i;
		rows[i].dst_lo.b[13] = rows[i].dst_hi.b[13] = (uint8_t)(i >> 8);
	}
	rows[599] = rows[3]; /* twice the same */
	used = rows_in(XS_MAP_policy, 4);
	assert_int_equal(xs_policy_add_many(fx.ps, rows, 600, ids), -EEXIST);
	assert_int_equal(rows_in(XS_MAP_policy, 4), used);
	assert_int_equal(rows_in(XS_MAP_selector, sizeof(struct xs_tuple)), 0);
	epoch = fx.maps.ctl->epoch;
	assert_int_equal(xs_policy_add_many(fx.ps, rows, 599, ids), 0);
	assert_int_equal(fx.maps.ctl->epoch, epoch + 1);
	assert_int_equal(rows_in(XS_MAP_policy, 4), used + 599);
	fx_expect_spec(fx.lan, XDP_DROP, XS_DROP_discard, V4("10.9.8.1", "10.1.9.1"),
		       .protocol = 17);
	/* more than the map of policies holds */
	for (uint32_t i = 0; i < 600; i++)
		rows[i].priority += 1000;
	assert_int_equal(xs_policy_add_many(fx.ps, rows, 599, NULL), -ENOSPC);
	assert_int_equal(rows_in(XS_MAP_policy, 4), used + 599);
	for (uint32_t i = 0; i < 599; i++)
		fx_del(ids[i]);
	assert_int_equal(rows_in(XS_MAP_selector, sizeof(struct xs_tuple)), 0);
}

/* An agent that died between two writes: a row without its keys, and a key without a row. */
static void opened_again_after_half_a_write(void **state)
{
	struct xs_policy p =
	    fx_policy("10.9.8.0-10.9.8.255", "10.9.7.0-10.9.7.255", XS_DISCARD, 10);
	struct xs_policy_key key = {.id = 700};
	struct xs_tuple stray = {.mask_id = 3, .protocol = 9};
	struct xs_selector sel = {.n = 1};

	(void)state;
	fx_need_root();
	assert_int_equal(bpf_map_update_elem(fx.maps.fd[XS_MAP_policy], &key, &p, 0), 0);
	assert_int_equal(bpf_map_update_elem(fx.maps.fd[XS_MAP_selector], &stray, &sel, 0), 0);
	xs_policies_free(fx.ps);
	fx.ps = xs_policies_open(&fx.maps);
	assert_non_null(fx.ps);
	assert_int_equal(rows_in(XS_MAP_selector, sizeof(stray)), 1);
	fx_expect_spec(fx.lan, XDP_DROP, XS_DROP_discard, V4("10.9.8.1", "10.9.7.1"),
		       .protocol = 17);
	fx_del(700);
	assert_int_equal(rows_in(XS_MAP_selector, sizeof(stray)), 0);
}

static void bundles(void **state)
{
	struct xs_policy p =
	    fx_policy("10.9.8.0-10.9.8.255", "10.9.7.0-10.9.7.255", XS_PROTECT, 10);
	uint32_t a, b, id;

	(void)state;
	fx_need_root();
	a = xs_bundle_alloc(fx.ps);
	b = xs_bundle_alloc(fx.ps);
	assert_true(a && b && a != b);
	xs_bundle_set(&fx.maps, a, 42);
	assert_int_equal(xs_bundle_get(&fx.maps, a), 42);
	p.bundle = b;
	id = fx_add(&p);
	/* another agent: neither is given away, one for its word, one for its policy */
	xs_policies_free(fx.ps);
	fx.ps = xs_policies_open(&fx.maps);
	for (uint32_t i = 0; i < FX_POLICIES - 3; i++) {
		uint32_t got = xs_bundle_alloc(fx.ps);

		assert_true(got && got != a && got != b);
	}
	assert_int_equal(xs_bundle_alloc(fx.ps), 0);
	xs_bundle_free(fx.ps, a);
	assert_int_equal(xs_bundle_get(&fx.maps, a), 0);
	assert_int_equal(xs_bundle_alloc(fx.ps), a);
	fx_del(id);
	xs_policies_free(fx.ps);
	fx.ps = xs_policies_open(&fx.maps);
	xs_bundle_set(&fx.maps, 0, 1); /* bundle 0 and what is out of range are nobody's */
	xs_bundle_set(&fx.maps, FX_POLICIES, 1);
	assert_int_equal(xs_bundle_get(&fx.maps, 0), 0);
	assert_int_equal(xs_bundle_get(&fx.maps, FX_POLICIES), 0);
}

static void another_layout_is_refused(void **state)
{
	struct xs_layout row, was;
	uint32_t zero = 0;
	struct xs_maps m;
	char err[256];
	int fd[XS_MAPS];

	(void)state;
	fx_need_root();
	object_map_fds(fx.skel, fd);
	assert_int_equal(bpf_map_lookup_elem(fd[XS_MAP_layout], &zero, &was), 0);
	row = was;
	row.version++;
	assert_int_equal(bpf_map_update_elem(fd[XS_MAP_layout], &zero, &row, 0), 0);
	assert_int_equal(xs_maps_adopt(&m, fd, err, sizeof(err)), -EPROTO);
	assert_non_null(strstr(err, "unload"));
	row = was;
	row.sizes[2]++;
	assert_int_equal(bpf_map_update_elem(fd[XS_MAP_layout], &zero, &row, 0), 0);
	assert_int_equal(xs_maps_adopt(&m, fd, err, sizeof(err)), -EPROTO);
	assert_int_equal(bpf_map_update_elem(fd[XS_MAP_layout], &zero, &was, 0), 0);
	fx.maps.ctl->sa_slots = 2 * FX_SLOTS;
	assert_int_equal(xs_maps_adopt(&m, fd, err, sizeof(err)), -EPROTO);
	fx.maps.ctl->sa_slots = 0;
	assert_int_equal(xs_maps_adopt(&m, fd, err, sizeof(err)), -EPROTO);
	fx.maps.ctl->sa_slots = FX_SLOTS;
	assert_int_equal(xs_maps_adopt(&m, fd, err, sizeof(err)), 0);
	xs_maps_close(&m);
	assert_int_equal(xs_maps_open(&m, "/nowhere", err, sizeof(err)), -ENOENT);
	assert_non_null(strstr(err, "xdpsec-loader load"));
}

/* The classifier reads while the agent writes: no packet may pass a policy that never stopped to
 * protect. */
static void never_a_gap_while_policies_change(void **state)
{
	struct xs_policy p =
	    fx_policy("10.9.8.0-10.9.8.255", "10.9.7.0-10.9.7.255", XS_DISCARD, 10);
	struct xs_policy other =
	    fx_policy("10.9.8.0-10.9.8.127", "10.9.6.0-10.9.6.127", XS_BYPASS, 5);
	uint8_t frame[FX_FRAME_MAX];
	size_t n;
	uint32_t id;
	pid_t pid;
	int status;

	(void)state;
	fx_need_root();
	id = fx_add(&p);
	n = fx_build(&(struct spec){V4("10.9.8.1", "10.9.7.1"), .protocol = 17}, frame);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		bool leak = false;

		for (int i = 0; i < 300000 && !leak; i++) {
			frame[34] = (uint8_t)i; /* other ports: the cache misses, too */
			frame[35] = (uint8_t)(i >> 8);
			leak = fx_run(fx.lan, frame, n) != XDP_DROP;
		}
		_exit(leak);
	}
	while (!waitpid(pid, &status, WNOHANG)) {
		uint32_t o = 0;

		assert_int_equal(xs_policy_add(fx.ps, &other, &o), 0);
		assert_int_equal(xs_policy_set(fx.ps, id, XS_TRAP, 0), 0);
		fx_del(o);
		assert_int_equal(xs_policy_set(fx.ps, id, XS_DISCARD, 0), 0);
	}
	assert_int_equal(status, 0);
	fx_del(id);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_cached_decision_ends_with_its_epoch),
	    cmocka_unit_test(the_cache_answers),
	    cmocka_unit_test(same_selectors_are_one_policy),
	    cmocka_unit_test(many_go_in_whole_or_not_at_all),
	    cmocka_unit_test(opened_again_after_half_a_write),
	    cmocka_unit_test(bundles),
	    cmocka_unit_test(another_layout_is_refused),
	    cmocka_unit_test(never_a_gap_while_policies_change),
	    cmocka_unit_test(random_against_the_model),
	};

	return cmocka_run_group_tests(tests, fx_setup, fx_teardown);
}
