/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/secret.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static bool all_zero(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i])
			return false;
	}
	return true;
}

static void test_new_is_zero(void **state)
{
	static const size_t lengths[] = {1,   7,   8,	15,   16,   17,	  32,	36,   64,   65,
					 100, 128, 511, 1025, 4095, 4096, 4097, 8192, 70000};

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		struct secret s = {0};
		size_t before = secret_bytes();

		for (int round = 0; round < 3; round++) {
			assert_int_equal(secret_new(&s, lengths[i]), 0);
			assert_non_null(s.p);
			assert_int_equal(s.n, lengths[i]);
			assert_true(all_zero(s.p, s.n));
			assert_int_equal((uintptr_t)s.p % 16, 0);
			assert_true(secret_bytes() >= before + lengths[i]);
			memset(s.p, 0xa5, s.n);
			secret_free(&s);
			assert_null(s.p);
			assert_int_equal(s.n, 0);
			assert_int_equal(secret_bytes(), before);
		}
	}
}

static void test_empty(void **state)
{
	struct secret s = {0};

	(void)state;
	assert_int_equal(secret_new(&s, 0), 0);
	assert_null(s.p);
	secret_free(&s);
	assert_int_equal(secret_dup(&s, slice_of(NULL, 0)), 0);
	assert_null(s.p);
	assert_int_equal(secret_new(&s, SIZE_MAX), -ENOMEM);
	assert_null(s.p);
	assert_int_equal(secret_new(&s, SIZE_MAX / 2), -ENOMEM);
	assert_null(s.p);
}

static void test_move(void **state)
{
	struct secret a = {0}, b = {0};
	uint8_t *old;

	(void)state;
	assert_int_equal(secret_dup(&a, slice_of("alpha", 5)), 0);
	assert_int_equal(secret_dup(&b, slice_of("bravo-bravo", 11)), 0);
	old = a.p;
	secret_move(&b, &a);
	assert_null(a.p);
	assert_ptr_equal(b.p, old);
	assert_int_equal(b.n, 5);
	assert_memory_equal(b.p, "alpha", 5);
	secret_move(&b, &b);
	assert_memory_equal(b.p, "alpha", 5);
	secret_free(&b);
}

/* The next owner of the same cell sees nothing of what the one before left. */
static void test_wiped(void **state)
{
	struct secret s[64] = {0};

	(void)state;
	for (size_t n = 1; n <= 256; n = n * 2 + 1) {
		for (int i = 0; i < 64; i++) {
			assert_int_equal(secret_new(&s[i], n), 0);
			memset(s[i].p, 0xff, n);
		}
		for (int i = 0; i < 64; i++)
			secret_free(&s[i]);
		for (int i = 0; i < 64; i++) {
			assert_int_equal(secret_new(&s[i], n), 0);
			assert_true(all_zero(s[i].p, n));
		}
		for (int i = 0; i < 64; i++)
			secret_free(&s[i]);
	}
}

static void test_equal_and_wipe(void **state)
{
	uint8_t a[40], b[40];

	(void)state;
	memset(a, 3, sizeof(a));
	memset(b, 3, sizeof(b));
	assert_true(secret_equal(a, b, sizeof(a)));
	assert_true(secret_equal(a, b, 0));
	for (size_t i = 0; i < sizeof(a); i++) {
		b[i] ^= 0x80;
		assert_false(secret_equal(a, b, sizeof(a)));
		assert_true(secret_equal(a, b, i));
		b[i] ^= 0x80;
	}
	secret_wipe(a, sizeof(a));
	assert_true(all_zero(a, sizeof(a)));
	secret_wipe(NULL, 0);
}

/* 20,000 IKE SAs with AES-256-GCM and SHA-256: d, ei, er, pi, pr. */
static void test_many(void **state)
{
	enum { N = 20000 * 5 };
	struct secret *s = calloc(N, sizeof(*s));
	size_t before = secret_bytes();

	(void)state;
	assert_non_null(s);
	for (int i = 0; i < N; i++) {
		assert_int_equal(secret_new(&s[i], i % 5 < 2 ? 36 : 32), 0);
		memcpy(s[i].p, &i, sizeof(i));
	}
	assert_true(secret_bytes() - before <= 4 << 20);
	for (int i = 0; i < N; i++) {
		assert_memory_equal(s[i].p, &i, sizeof(i));
		secret_free(&s[i]);
	}
	assert_int_equal(secret_bytes(), before);
	free(s);
}

static void *churn(void *arg)
{
	unsigned int seed = (unsigned int)(uintptr_t)arg;
	struct secret s[32] = {0};

	for (int i = 0; i < 20000; i++) {
		struct secret *x = &s[rand_r(&seed) % 32];

		if (x->p) {
			uint8_t tag = x->p[0];

			for (size_t k = 0; k < x->n; k++) {
				if (x->p[k] != tag)
					return (void *)1;
			}
			secret_free(x);
			continue;
		}
		if (secret_new(x, 1 + (size_t)rand_r(&seed) % 200))
			return (void *)1;
		memset(x->p, rand_r(&seed) & 0xff, x->n);
	}
	for (int i = 0; i < 32; i++)
		secret_free(&s[i]);
	return NULL;
}

static void test_threads(void **state)
{
	pthread_t t[4];
	void *bad;

	(void)state;
	for (uintptr_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, churn, (void *)(i + 1)), 0);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(t[i], &bad), 0);
		assert_null(bad);
	}
}

static void test_process(void **state)
{
	struct rlimit lim;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_CORE, &lim), 0);
	assert_int_equal(lim.rlim_max, 0);
#if !defined(__SANITIZE_ADDRESS__)
	assert_int_equal(prctl(PR_GET_DUMPABLE), 0);
#endif
}

/* Without locked memory the heap works on and says that it is not locked. */
static void test_unlocked(void **state)
{
#if defined(__SANITIZE_ADDRESS__)
	(void)state;
	skip(); /* mlock does nothing there */
#else
	struct rlimit none = {0, 0};
	int status;
	pid_t pid = fork();

	(void)state;
	if (!pid) {
		struct secret s = {0};
		int r;

		/* a privileged process is not limited: become another user first */
		if (setrlimit(RLIMIT_MEMLOCK, &none) || (!getuid() && setuid(65534)))
			_exit(77);
		r = secret_init(1 << 20);
		if (!r || secret_locked() || secret_new(&s, 64) || !all_zero(s.p, 64))
			_exit(1);
		secret_free(&s);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
#endif
}

static void test_cost(void **state)
{
	enum { N = 1000000 };
	struct timespec a, b;
	double ns;

	(void)state;
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (int i = 0; i < N; i++) {
		struct secret s = {0};

		if (secret_new(&s, 32))
			fail();
		secret_free(&s);
	}
	clock_gettime(CLOCK_MONOTONIC, &b);
	ns = ((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)) / N;
	print_message("# secret_new + secret_free: %.0f ns\n", ns);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_unlocked), cmocka_unit_test(test_new_is_zero),
	    cmocka_unit_test(test_empty),    cmocka_unit_test(test_move),
	    cmocka_unit_test(test_wiped),    cmocka_unit_test(test_equal_and_wipe),
	    cmocka_unit_test(test_many),     cmocka_unit_test(test_threads),
	    cmocka_unit_test(test_process),  cmocka_unit_test(test_cost),
	};

	if (secret_init(8 << 20))
		print_message("# memory is not locked here\n");
	return cmocka_run_group_tests_name("secret", tests, NULL, NULL);
}
