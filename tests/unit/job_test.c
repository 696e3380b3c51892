/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/crypt/job.h"

#include <event2/event.h>

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct got {
	unsigned int calls;
	pthread_t thread;
	struct job_ref ref;
	int error;
	struct ke *ke;
	struct secret shared;
	uint8_t pub[CRYPT_KE_PUBLIC_MAX];
	size_t pub_len;
};

static struct event_base *base;

static void take(void *ctx, struct job_ref ref, struct ke_result *r)
{
	struct got *g = ctx;

	g->calls++;
	g->thread = pthread_self();
	g->ref = ref;
	g->error = r->error;
	g->ke = r->ke;
	r->ke = NULL;
	secret_move(&g->shared, &r->shared);
	memcpy(g->pub, r->public_value, r->public_len);
	g->pub_len = r->public_len;
}

static void leave(void *ctx, struct job_ref ref, struct ke_result *r)
{
	(void)ref;
	(void)r;
	++*(unsigned int *)ctx;
}

static void drain(const struct jobs *j)
{
	for (int i = 0; i < 10000 && jobs_pending(j); i++)
		event_base_loop(base, EVLOOP_ONCE);
	assert_int_equal(jobs_pending(j), 0);
}

static const struct job_ref ref = {7, 9, 0x1234567890};

static void whole_exchange(struct jobs *j, uint16_t group)
{
	struct got init = {0}, resp = {0}, fin = {0};

	assert_int_equal(job_ke_generate(j, group, take, &init, ref), 0);
	drain(j);
	assert_int_equal(init.calls, 1);
	assert_int_equal(init.error, 0);
	assert_int_equal(init.ref.index, 7);
	assert_int_equal(init.ref.generation, 9);
	assert_true(init.ref.tag == 0x1234567890);
	assert_non_null(init.ke);
	assert_null(init.shared.p);
	assert_int_equal(init.pub_len, ke_public_len(group));
	assert_memory_equal(init.pub, ke_public(init.ke).p, init.pub_len);

	assert_int_equal(
	    job_ke_respond(j, group, slice_of(init.pub, init.pub_len), take, &resp, ref), 0);
	drain(j);
	assert_int_equal(resp.calls, 1);
	assert_int_equal(resp.error, 0);
	assert_null(resp.ke);
	assert_non_null(resp.shared.p);

	assert_int_equal(
	    job_ke_finish(j, init.ke, slice_of(resp.pub, resp.pub_len), take, &fin, ref), 0);
	drain(j);
	assert_int_equal(fin.calls, 1);
	assert_int_equal(fin.error, 0);
	assert_null(fin.ke);
	assert_int_equal(fin.shared.n, resp.shared.n);
	assert_memory_equal(fin.shared.p, resp.shared.p, fin.shared.n);
	assert_true(pthread_equal(fin.thread, pthread_self()));
	secret_free(&fin.shared);
	secret_free(&resp.shared);
}

static void test_exchanges(void **state)
{
	static const uint16_t groups[] = {KE_CURVE25519, KE_ECP_256, KE_ECP_384, KE_MODP_2048};

	(void)state;
	for (unsigned int threads = 0; threads < 3; threads++) {
		struct jobs *j = jobs_new(base, threads);

		assert_non_null(j);
		for (size_t i = 0; i < sizeof(groups) / sizeof(*groups); i++)
			whole_exchange(j, groups[i]);
		jobs_free(j);
	}
}

static void test_cheap_at_once(void **state)
{
	struct jobs *j = jobs_new(base, 1);
	struct got g = {0};

	(void)state;
	assert_int_equal(job_ke_generate(j, KE_CURVE25519, take, &g, ref), 0);
	assert_int_equal(g.calls, 1);
	assert_int_equal(jobs_pending(j), 0);
	ke_free(g.ke);
	g = (struct got){0};
	assert_int_equal(job_ke_generate(j, KE_ECP_384, take, &g, ref), 0);
	assert_int_equal(g.calls, 0);
	assert_int_equal(jobs_pending(j), 1);
	drain(j);
	ke_free(g.ke);
	jobs_free(j);
}

/* A bad value: the responder's job fails, the initiator's gives the pair back for the next answer.
 */
static void test_bad_value(void **state)
{
	static const uint16_t groups[] = {KE_CURVE25519, KE_ECP_384, KE_MODP_2048};
	static const uint8_t zeros[CRYPT_KE_PUBLIC_MAX];
	struct jobs *j = jobs_new(base, 1);

	(void)state;
	for (size_t i = 0; i < sizeof(groups) / sizeof(*groups); i++) {
		size_t n = ke_public_len(groups[i]);
		struct got g = {0}, f = {0};

		assert_int_equal(job_ke_respond(j, groups[i], slice_of(zeros, n), take, &g, ref),
				 0);
		drain(j);
		assert_int_equal(g.error, -EINVAL);
		assert_null(g.ke);
		assert_null(g.shared.p);
		assert_int_equal(job_ke_generate(j, groups[i], take, &g, ref), 0);
		drain(j);
		assert_int_equal(job_ke_finish(j, g.ke, slice_of(zeros, n), take, &f, ref), 0);
		drain(j);
		assert_int_equal(f.error, -EINVAL);
		assert_ptr_equal(f.ke, g.ke);
		assert_int_equal(job_ke_finish(j, f.ke, slice_of(zeros, 0), take, &f, ref), 0);
		drain(j);
		assert_int_equal(f.error, -EINVAL);
		ke_free(f.ke);
	}
	jobs_free(j);
}

static void test_refused(void **state)
{
	static const uint8_t zeros[CRYPT_KE_PUBLIC_MAX + 1];
	struct jobs *j = jobs_new(base, 1);
	struct ke *ke = ke_new(KE_CURVE25519);
	struct got g = {0};

	(void)state;
	assert_int_equal(job_ke_generate(j, KE_NONE, take, &g, ref), -ENOTSUP);
	assert_int_equal(job_ke_generate(j, KE_MODP_768, take, &g, ref), -ENOTSUP);
	assert_int_equal(job_ke_respond(j, 999, slice_of(zeros, 32), take, &g, ref), -ENOTSUP);
	assert_int_equal(
	    job_ke_respond(j, KE_CURVE25519, slice_of(zeros, sizeof(zeros)), take, &g, ref),
	    -EINVAL);
	assert_int_equal(job_ke_finish(j, ke, slice_of(zeros, sizeof(zeros)), take, &g, ref),
			 -EINVAL);
	assert_int_equal(g.calls, 0);
	ke_free(ke);
	jobs_free(j);
	jobs_free(NULL);
}

/* What a callback does not take is freed (the sanitizer looks), and there is a limit. */
static void test_limit_and_leftovers(void **state)
{
	struct jobs *j = jobs_new(base, 1);
	unsigned int calls = 0, accepted = 0;
	int r;

	(void)state;
	assert_int_equal(job_ke_generate(j, KE_CURVE25519, leave, &calls, ref), 0);
	assert_int_equal(calls, 1);
	while (!(r = job_ke_generate(j, KE_MODP_4096, leave, &calls, ref)))
		accepted++;
	assert_int_equal(r, -EBUSY);
	assert_int_equal(accepted, JOBS_MAX);
	/* freed with work left: no callback comes */
	jobs_free(j);
	assert_int_equal(calls, 1);
	event_base_loop(base, EVLOOP_NONBLOCK);
	assert_int_equal(calls, 1);
}

struct errand {
	unsigned int worked, done, dropped;
	pthread_t thread;
};

static void errand_work(void *data)
{
	struct errand *e = data;

	e->worked++;
	e->thread = pthread_self();
}

static void errand_done(void *ctx, struct job_ref r, void *data)
{
	struct errand *e = data;

	assert_int_equal(r.index, ref.index);
	assert_int_equal(e->worked, 1);
	assert_int_equal(e->dropped, 0);
	e->done++;
	++*(unsigned int *)ctx;
}

static void errand_drop(void *data)
{
	((struct errand *)data)->dropped++;
}

/* Any work: on another thread, told once, freed once, and freed untold when the pool goes. */
static void test_work(void **state)
{
	static const struct job_work work = {errand_work, errand_done, errand_drop};
	struct jobs *none = jobs_new(base, 0), *j = jobs_new(base, 1);
	struct errand now = {0}, later = {0}, left = {0};
	unsigned int calls = 0;

	(void)state;
	assert_int_equal(job_submit(none, &work, &now, &calls, ref), 0);
	assert_true(calls == 1 && now.done == 1 && now.dropped == 1);
	assert_true(pthread_equal(now.thread, pthread_self()));
	jobs_free(none);
	assert_int_equal(job_submit(j, &work, &later, &calls, ref), 0);
	assert_int_equal(calls, 1);
	drain(j);
	assert_true(calls == 2 && later.done == 1 && later.dropped == 1);
	assert_false(pthread_equal(later.thread, pthread_self()));
	assert_int_equal(job_submit(j, &work, &left, &calls, ref), 0);
	jobs_free(j);
	assert_true(calls == 2 && left.done == 0 && left.dropped == 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_exchanges),		cmocka_unit_test(test_cheap_at_once),
	    cmocka_unit_test(test_bad_value),		cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_limit_and_leftovers), cmocka_unit_test(test_work),
	};
	int r;

	base = event_base_new();
	if (!base || crypt_init())
		return 1;
	r = cmocka_run_group_tests_name("job", tests, NULL, NULL);
	event_base_free(base);
	return r;
}
