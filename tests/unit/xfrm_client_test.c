/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/net/net.h"
#include "tests/unit/xfrm_world.h"

/* Policies and events of policies, which every kernel with XFRM has. */

static void policy_life(void **state)
{
	struct side *s;
	struct xfrm_policy_spec p = policy(1, XF_OUT);
	struct xfrm_policy_id id = name_of(&p);
	struct xfrm_policy_info got;

	(void)state;
	need_world();
	s = side_new(0, 0);
	p.if_id = id.if_id = 0x58000001;
	assert_int_equal(xfrm_policy_get(s->c, &id, &got), -ENOENT);
	assert_int_equal(DO(s, xfrm_policy_del(s->c, &id, &wt)), -ENOENT);
	assert_int_equal(DO(s, xfrm_policy_add(s->c, &p, &wt, NULL)), 0);
	assert_int_equal(xfrm_policy_get(s->c, &id, &got), 0);
	assert_true(same_selector(&got.spec.sel, &p.sel));
	assert_true(got.spec.priority == 1000 && got.spec.if_id == 0x58000001 &&
		    got.spec.tmpl[0].spi == 0x1001);
	assert_true(got.index && got.added_s);
	/* add does not replace, put does. */
	p.tmpl[0].spi = 0x2222;
	assert_int_equal(DO(s, xfrm_policy_add(s->c, &p, &wt, NULL)), -EEXIST);
	assert_int_equal(xfrm_policy_get(s->c, &id, &got), 0);
	assert_int_equal(got.spec.tmpl[0].spi, 0x1001);
	assert_int_equal(DO(s, xfrm_policy_put(s->c, &p, &wt, NULL)), 0);
	assert_int_equal(xfrm_policy_get(s->c, &id, &got), 0);
	assert_int_equal(got.spec.tmpl[0].spi, 0x2222);
	/* The same selectors for another interface are another policy. */
	id.if_id = 2;
	assert_int_equal(xfrm_policy_get(s->c, &id, &got), -ENOENT);
	assert_int_equal(DO(s, xfrm_policy_del(s->c, &id, &wt)), -ENOENT);
	assert_int_equal(policies_there(s), 1);
	id.if_id = p.if_id;
	assert_int_equal(DO(s, xfrm_policy_del(s->c, &id, &wt)), 0);
	assert_int_equal(policies_there(s), 0);
	turns();
	assert_int_equal(s->events, 0); /* ours are no news */
	side_free(s);
}

/* What the encoder refuses is an error of the call, and nothing is asked. */
static void refused(void **state)
{
	struct side *s;
	struct xfrm_policy_spec p = policy(1, XF_OUT);
	struct xfrm_client_stat stat;
	struct xfrm_wait wt;
	char why[XF_TEXT_MAX];

	(void)state;
	need_world();
	s = side_new(0, 0);
	wt = wait_for(s, 0);
	p.sel.src_len = 33;
	assert_int_equal(xfrm_policy_add(s->c, &p, &wt, why), -EINVAL);
	assert_non_null(strstr(why, "prefix"));
	xfrm_flush(s->c);
	turns();
	assert_int_equal(s->answers, 0);
	xfrm_client_stat_get(s->c, &stat);
	assert_true(!stat.requests && !stat.batches);
	side_free(s);
}

/* Answers come at the end of the turn, in the order asked, whatever number fits into one call. */
static void batches(void **state)
{
	struct side *s;
	struct xfrm_client_stat stat;

	(void)state;
	need_world();
	s = side_new(0, 0);
	for (unsigned int i = 0; i < 1000; i++) {
		struct xfrm_policy_spec p = policy(i, XF_OUT);
		struct xfrm_wait wt = wait_for(s, i);

		assert_int_equal(xfrm_policy_add(s->c, &p, &wt, NULL), 0);
		assert_int_equal(s->answers, 0);
	}
	turns();
	assert_int_equal(s->answers, 1000);
	for (unsigned int i = 0; i < 1000; i++)
		assert_int_equal(s->error[i], 0);
	assert_int_equal(policies_there(s), 1000);
	xfrm_client_stat_get(s->c, &stat);
	assert_true(stat.requests == 1000 && stat.batches < 20 && !stat.failed &&
		    !stat.lost_answers);
	/* Every second one is deleted twice: half of the answers are failures, each with its own
	 * number. */
	for (unsigned int i = 0; i < 1000; i++) {
		struct xfrm_policy_spec p = policy(i & ~1U, XF_OUT);
		struct xfrm_policy_id id = name_of(&p);
		struct xfrm_wait wt = wait_for(s, i);

		assert_int_equal(xfrm_policy_del(s->c, &id, &wt), 0);
	}
	turns();
	assert_int_equal(s->answers, 2000);
	for (unsigned int i = 0; i < 1000; i++)
		assert_int_equal(s->error[i], i & 1 ? -ENOENT : 0);
	assert_int_equal(policies_there(s), 500);
	clean("policy");
	side_free(s);
}

/* A socket too small for the answers: what holds is asked, and each gets the answer that is true.
 */
static void lost_answers(void **state)
{
	struct side *s;
	struct xfrm_client_stat stat;

	(void)state;
	need_world();
	s = side_new(1, 0);
	for (unsigned int i = 0; i < 60; i++) {
		struct xfrm_policy_spec p = policy(i, XF_OUT);
		struct xfrm_wait wt = wait_for(s, i);

		assert_int_equal(xfrm_policy_add(s->c, &p, &wt, NULL), 0);
	}
	turns();
	assert_int_equal(s->answers, 60);
	for (unsigned int i = 0; i < 60; i++)
		assert_int_equal(s->error[i], 0);
	xfrm_client_stat_get(s->c, &stat);
	assert_true(stat.lost_answers > 10);
	assert_int_equal(policies_there(s), 60);
	/* Ten are there, with another SA: those were not added; fifty are deleted; ten were never
	 * there. */
	for (unsigned int i = 0; i < 60; i++) {
		struct xfrm_policy_spec p = policy(i < 10 ? i : i + 1000, XF_OUT);
		struct xfrm_wait wt = wait_for(s, i);
		struct xfrm_policy_id id;

		p.tmpl[0].spi = 7;
		if (i < 10) {
			assert_int_equal(xfrm_policy_add(s->c, &p, &wt, NULL), 0);
			continue;
		}
		p = policy(i, XF_OUT);
		id = name_of(&p);
		assert_int_equal(xfrm_policy_del(s->c, &id, &wt), 0);
	}
	turns();
	for (unsigned int i = 0; i < 60; i++)
		assert_int_equal(s->error[i], i < 10 ? -EEXIST : 0);
	assert_int_equal(policies_there(s), 10);
	clean("policy");
	side_free(s);
}

static void ask_again(void *ctx, struct sa_ref ref, uint64_t tag, int error, const char *text)
{
	struct side *s = ctx;
	struct xfrm_policy_spec p = policy((unsigned int)tag + 1, XF_OUT);
	struct xfrm_wait wt = {.done = ask_again, .ctx = s, .ref = ref, .tag = tag + 1};

	(void)text;
	assert_int_equal(error, 0);
	if (++s->answers < 20)
		assert_int_equal(xfrm_policy_add(s->c, &p, &wt, NULL), 0);
	if (s->answers == 10)
		xfrm_flush(s->c); /* inside a callback */
}

static void callbacks_ask(void **state)
{
	struct side *s;
	struct xfrm_policy_spec p = policy(0, XF_OUT);
	struct xfrm_wait wt = {.done = ask_again};

	(void)state;
	need_world();
	s = side_new(0, 0);
	wt.ctx = s;
	assert_int_equal(xfrm_policy_add(s->c, &p, &wt, NULL), 0);
	for (int i = 0; i < 4; i++)
		turns();
	assert_int_equal(s->answers, 20);
	assert_int_equal(policies_there(s), 20);
	/* What is queued when the client goes is sent, and nobody is told. */
	p = policy(100, XF_OUT);
	wt = wait_for(s, 5);
	assert_int_equal(xfrm_policy_add(s->c, &p, &wt, NULL), 0);
	xfrm_client_free(s->c);
	assert_int_equal(s->answers, 20);
	free(s);
	s = side_new(0, 0);
	assert_int_equal(policies_there(s), 21);
	clean("policy");
	side_free(s);
}

/* ---- events
 * ------------------------------------------------------------------------------------------- */

static void others(void **state)
{
	struct side *us, *they;
	struct xfrm_policy_spec p = policy(1, XF_FWD);
	struct xfrm_policy_id id;
	const struct xfrm_event *ev;

	(void)state;
	need_world();
	us = side_new(0, 0);
	they = side_new(0, 0);
	p.mark = (struct xf_mark){0x2a, 0xff};
	p.if_id = 9;
	id = name_of(&p);
	assert_int_equal(DO(us, xfrm_policy_add(us->c, &p, &wt, NULL)), 0);
	assert_int_equal(DO(they, xfrm_policy_del(they->c, &id, &wt)), 0);
	assert_true(run_until_event(us, XF_EV_POLICY_GONE));
	ev = event_of(us, XF_EV_POLICY_GONE);
	assert_true(same_selector(&ev->policy.id.sel, &p.sel));
	assert_true(ev->policy.id.dir == XF_FWD && ev->policy.id.if_id == 9 &&
		    ev->policy.id.mark.value == 0x2a);
	assert_int_equal(they->events, 0);
	assert_int_equal(DO(us, xfrm_policy_add(us->c, &p, &wt, NULL)), 0);
	clean("policy");
	assert_true(run_until_event(us, XF_EV_POLICY_FLUSHED));
	side_free(us);
	side_free(they);
}

/* Events for which there is no room: the owner is told that it must look. */
static void overrun(void **state)
{
	struct side *us, *they;
	struct xfrm_policy_spec p;
	struct xfrm_client_stat stat;

	(void)state;
	need_world();
	us = side_new(0, 1);
	they = side_new(0, 0);
	for (unsigned int i = 0; i < 200; i++) {
		struct xfrm_policy_id id;

		p = policy(i, XF_OUT);
		id = name_of(&p);
		assert_int_equal(xfrm_policy_add(they->c, &p, NULL, NULL), 0);
		assert_int_equal(xfrm_policy_del(they->c, &id, NULL), 0);
	}
	xfrm_flush(they->c);
	assert_true(run_until_event(us, XF_EV_OVERRUN));
	xfrm_client_stat_get(us->c, &stat);
	assert_true(stat.overruns && stat.events < 200);
	/* It goes on hearing. */
	us->events = 0;
	p = policy(1, XF_OUT);
	assert_int_equal(DO(they, xfrm_policy_add(they->c, &p, &wt, NULL)), 0);
	clean("policy");
	assert_true(run_until_event(us, XF_EV_POLICY_FLUSHED));
	side_free(us);
	side_free(they);
}

static void acquire(void **state)
{
	struct side *s;
	struct xfrm_policy_spec p = policy(1, XF_OUT);
	const struct xfrm_event *ev;

	(void)state;
	need_world();
	s = side_new(0, 0);
	/* Not lo, which has no IPsec. */
	assert_int_equal(
	    system(
		"ip link add acq0 type veth peer acq1 && ip addr add 198.51.100.1/24 dev acq0 && "
		"ip link set acq0 up && ip link set acq1 up"),
	    0);
	p.sel.src = ip("0.0.0.0");
	p.sel.src_len = 0;
	p.sel.dst = ip("198.51.100.7");
	p.tmpl[0].spi = 0;
	assert_int_equal(DO(s, xfrm_policy_add(s->c, &p, &wt, NULL)), 0);
	knock("198.51.100.7");
	assert_true(run_until_event(s, XF_EV_ACQUIRE));
	ev = event_of(s, XF_EV_ACQUIRE);
	assert_true(addr_equal(&ev->acquire.sel.dst, &p.sel.dst) && ev->acquire.sel.dport == 9);
	assert_true(ev->acquire.policy.n_tmpl == 1 &&
		    ev->acquire.policy.tmpl[0].reqid == REQID + 1);
	assert_int_equal(ev->acquire.policy.priority, 1000);
	assert_int_equal(system("ip link del acq0"), 0);
	clean("policy");
	clean("state");
	side_free(s);
}

static void no_datagram(void *ctx, const struct endpoint *from, const struct endpoint *to,
			struct slice d)
{
	(void)ctx;
	(void)from;
	(void)to;
	(void)d;
}

/* A policy that stops everything does not stop IKE, once the sockets are exempt; and theirs is in
 * no list of ours. */
static void ike_is_exempt(void **state)
{
	struct endpoint from = {.port = 500}, to = {.ip = ip("198.51.100.7"), .port = 500};
	struct xfrm_policy_spec p = policy(1, XF_OUT);
	struct side *s;
	struct net *n;
	char err[256] = "";

	(void)state;
	need_world();
	assert_int_equal(
	    system(
		"ip link add ike0 type veth peer ike1 && ip addr add 198.51.100.1/24 dev ike0 && "
		"ip link set ike0 up && ip link set ike1 up"),
	    0);
	s = side_new(0, 0);
	p.sel = (struct xf_selector){.src = ip("0.0.0.0"), .dst = ip("0.0.0.0")};
	p.action = XF_BLOCK;
	p.n_tmpl = 0;
	assert_int_equal(DO(s, xfrm_policy_add(s->c, &p, &wt, NULL)), 0);
	n = net_open(w.base, 500, 4500, no_datagram, NULL, err, sizeof(err));
	assert_non_null(n);
	assert_int_equal(net_send(n, &from, &to, slice_of("ike", 3)), -EPERM);
	assert_int_equal(net_kernel_esp(n, err, sizeof(err)), 0);
	assert_int_equal(net_send(n, &from, &to, slice_of("ike", 3)), 0);
	from.port = to.port = 4500;
	assert_int_equal(net_send(n, &from, &to, slice_of("ike", 3)), 0);
	assert_int_equal(policies_there(s), 1);
	net_close(n);
	clean("policy");
	assert_int_equal(system("ip link del ike0"), 0);
	side_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(policy_life),   cmocka_unit_test(refused),
	    cmocka_unit_test(batches),	     cmocka_unit_test(lost_answers),
	    cmocka_unit_test(callbacks_ask), cmocka_unit_test(others),
	    cmocka_unit_test(overrun),	     cmocka_unit_test(acquire),
	    cmocka_unit_test(ike_is_exempt),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
