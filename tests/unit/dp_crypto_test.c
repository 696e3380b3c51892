/* SPDX-License-Identifier: BSD-2-Clause */
#include "dp_backends.h"
#include "dp_env.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/*
 * All suites, and what the backends make of them. Built once more with a device that has queue pairs only
 * (dp_crypto_queue_test.c).
 */
/* Both backends write the same bytes, except for the random IV of CBC, which is copied over here. */
static void agree(const struct crypto_suite *suite, bool esn)
{
	static struct env_pkt buf[2][PKT_BURST];
	struct plane_sa_add add = env_add(suite, PLANE_OUT);
	const struct crypto_keys keys = {.encr = add.encr_key, .integ = add.integ_key, .esn = esn};
	struct crypto_req req[2][PKT_BURST];
	struct crypto_session *s[2];
	uint8_t inner[1400];

	env_inner(inner, sizeof(inner), 0, false);
	for (int b = 0; b < 2; b++)
		s[b] = crypto_session_new(backends[b], suite, &keys, CRYPTO_SEAL, 0);
	assert_ptr_equal(s[1]->backend, backends[1]);
	for (unsigned int n = 1; n <= 8; n += n < 4 ? 1 : 4) {
		for (int b = 0; b < 2; b++) {
			for (unsigned int k = 0; k < n; k++)
				req[b][k] = (struct crypto_req){
					.esp = env_pkt(&buf[b][k], inner, sizeof(inner))->data,
					.len = 8u + suite->iv_len + 16 * (5 * k + n), .seq_hi = k};
			s[b]->backend->seal(s[b], req[b], n);
		}
		for (unsigned int k = 0; k < n; k++) {
			assert_int_equal(req[0][k].status, CRYPTO_OK);
			assert_int_equal(req[1][k].status, CRYPTO_OK);
			if (memcmp(req[0][k].esp, req[1][k].esp, req[0][k].len + suite->icv_len) != 0)
				fail_msg("%s", suite->name);
		}
	}
	crypto_session_free(s[0]);
	crypto_session_free(s[1]);
}

static void backends_agree(void **state)
{
	unsigned int both = 0;

	(void)state;
	if (n_backends < 2)
		skip();
	for (unsigned int i = 0; crypto_suite_at(i); i++) {
		if (!backends[1]->can(crypto_suite_at(i)))
			continue;
		agree(crypto_suite_at(i), false);
		agree(crypto_suite_at(i), true);
		both++;
	}
	print_message("# %u suites with both\n", both);
	assert_true(both >= 12);
}

/* OpenSSL is what the others fall back to: it has all of them, Blowfish and CAST where their provider is installed. */
static void openssl_has_all(void **state)
{
	(void)state;
	for (unsigned int i = 0; crypto_suite_at(i); i++) {
		const struct crypto_suite *s = crypto_suite_at(i);

		if (!crypto_openssl.can(s) && s->encr != ENCR_BLOWFISH && s->encr != ENCR_CAST)
			fail_msg("%s", s->name);
	}
	assert_true(crypto_can(&crypto_openssl, alg_find(IKE_T_INTEG, AUTH_AES_XCBC_96, 0)));
	assert_false(crypto_can(&crypto_openssl, alg_find(IKE_T_KE, KE_CURVE25519, 0)));
}

/* Every ENCR row with every INTEG row that it may stand with, and no cipher without integrity. */
static void suites(void **state)
{
	const struct crypto_suite *s;

	(void)state;
	for (unsigned int i = 0; (s = crypto_suite_at(i)); i++) {
		assert_int_equal(crypto_suite_index(s), i);
		assert_ptr_equal(crypto_suite_find(s->encr, s->encr_bits, s->integ), s);
		assert_true(s->icv_len >= 8 && s->icv_len <= CRYPTO_ICV_MAX && s->iv_len <= CRYPTO_IV_MAX);
		assert_true(s->align >= 4 && s->align % 4 == 0);
		assert_true(s->mac || s->cipher->aead);
		assert_true(s->key_len + s->salt_len <= PLANE_KEY_MAX && s->integ_key_len <= PLANE_KEY_MAX);
	}
	assert_null(crypto_suite_find(ENCR_AES_CBC, 128, AUTH_NONE));
	assert_null(crypto_suite_find(ENCR_AES_CTR, 128, AUTH_NONE));
	assert_null(crypto_suite_find(ENCR_NULL, 0, AUTH_NONE));
	assert_null(crypto_suite_find(ENCR_AES_GCM_16, 128, AUTH_HMAC_SHA2_256_128));
	assert_null(crypto_suite_find(ENCR_AES_GCM_16, 129, AUTH_NONE));
	assert_non_null(crypto_suite_find(ENCR_AES_CTR, 256, AUTH_AES_XCBC_96));
	assert_non_null(crypto_suite_find(ENCR_NULL_AUTH_AES_GMAC, 256, AUTH_NONE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(suites),
		cmocka_unit_test(openssl_has_all),
		cmocka_unit_test(backends_agree),
	};

	return cmocka_run_group_tests(tests, backends_start, NULL);
}
