/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/conf/conf_int.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* What `auth` allows: words to schemes, types and strengths. */

#define B(x) (1u << SIG_##x)
#define K(x) (1u << SIG_KEY_##x)
#define RSA (B(RSA_SHA256) | B(RSA_SHA384) | B(RSA_SHA512))
#define PSS (B(PSS_SHA256) | B(PSS_SHA384) | B(PSS_SHA512))
#define ECDSA (B(ECDSA_SHA256) | B(ECDSA_SHA384) | B(ECDSA_SHA512))
#define OLD_EC (B(ECDSA_256) | B(ECDSA_384) | B(ECDSA_521))
#define RSA_KEYS (K(RSA) | K(RSA_PSS))

static const struct row {
	const char *text;
	struct sig_rules ike, chain;
	bool sha1;
} rows[] = {
	{"pubkey", {0}, {0}, false},
	{"ike:pubkey", {0}, {0}, false},
	{"rsa", {RSA | B(RSA_SHA1), RSA_KEYS, 0, 0}, {0}, false},
	{"rsa/pss", {PSS, RSA_KEYS, 0, 0}, {0}, false},
	{"ecdsa", {ECDSA | OLD_EC, K(EC), 0, 0}, {0}, false},
	{"ed25519", {B(ED25519), K(ED25519), 0, 0}, {0}, false},
	{"ed448", {B(ED448), K(ED448), 0, 0}, {0}, false},
	{"rsa-sha1", {B(RSA_SHA1), RSA_KEYS, 0, 0}, {B(RSA_SHA1), RSA_KEYS, 0, 0}, true},
	{"rsa-2048-sha256",
	 {B(RSA_SHA256), RSA_KEYS, 2048, 0},
	 {B(RSA_SHA256) | B(PSS_SHA256), RSA_KEYS, 2048, 0},
	 false},
	{"ecdsa-384-sha384",
	 {B(ECDSA_SHA384) | B(ECDSA_384), K(EC), 0, 384},
	 {B(ECDSA_SHA384) | B(ECDSA_384), K(EC), 0, 384},
	 false},
	/* two types, each with its own */
	{"rsa-3072-sha256-sha384-ecdsa-256-sha512",
	 {B(RSA_SHA256) | B(RSA_SHA384) | B(ECDSA_SHA512) | B(ECDSA_521), RSA_KEYS | K(EC), 3072, 256},
	 {B(RSA_SHA256) | B(PSS_SHA256) | B(RSA_SHA384) | B(PSS_SHA384) | B(ECDSA_SHA512) | B(ECDSA_521),
	  RSA_KEYS | K(EC), 3072, 256},
	 false},
	{"pubkey-sha256",
	 {B(RSA_SHA256) | B(PSS_SHA256) | B(ECDSA_SHA256) | B(ECDSA_256), 0, 0, 0},
	 {B(RSA_SHA256) | B(PSS_SHA256) | B(ECDSA_SHA256) | B(ECDSA_256), 0, 0, 0},
	 false},
	{"pubkey-sha512",
	 {B(RSA_SHA512) | B(PSS_SHA512) | B(ECDSA_SHA512) | B(ECDSA_521) | B(ED25519) | B(ED448), 0, 0, 0},
	 {B(RSA_SHA512) | B(PSS_SHA512) | B(ECDSA_SHA512) | B(ECDSA_521) | B(ED25519) | B(ED448), 0, 0, 0},
	 false},
	/* about IKE_AUTH alone, and then the rest about the chain alone */
	{"ike:rsa/pss-sha256", {B(PSS_SHA256), RSA_KEYS, 0, 0}, {0}, false},
	{"rsa-2048-sha256, ike:rsa/pss-sha512",
	 {B(PSS_SHA512), RSA_KEYS, 0, 0},
	 {B(RSA_SHA256) | B(PSS_SHA256), RSA_KEYS, 2048, 0},
	 false},
	{"ed25519,ecdsa", {B(ED25519) | ECDSA | OLD_EC, K(ED25519) | K(EC), 0, 0}, {0}, false},
};

static void assert_rules(const char *text, const struct sig_rules *got, const struct sig_rules *want)
{
	if (got->schemes != want->schemes || got->keys != want->keys || got->rsa_min != want->rsa_min ||
	    got->ec_min != want->ec_min)
		fail_msg("%s: schemes %x, not %x; keys %x, not %x; %u %u", text, got->schemes, want->schemes,
			 got->keys, want->keys, got->rsa_min, got->ec_min);
}

static void words(void **state)
{
	struct conf_auth_rules r;
	char err[256];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_int_equal(conf_auth_parse(rows[i].text, &r, err, sizeof(err)), 0);
		assert_int_equal(r.auth, CONF_AUTH_PUBKEY);
		assert_rules(rows[i].text, &r.ike, &rows[i].ike);
		assert_rules(rows[i].text, &r.chain, &rows[i].chain);
		assert_int_equal(r.sha1, rows[i].sha1);
	}
	assert_int_equal(conf_auth_parse("psk", &r, err, sizeof(err)), 0);
	assert_int_equal(r.auth, CONF_AUTH_PSK);
}

static void mistakes(void **state)
{
	static const char *const bad[] = {
		"", "psk-sha256", "sha256", "2048", "ike:", "rsa-", "rsa--sha256", "rsa-sha3", "rsa-20x", "rsa-0",
		"rsa-99999", "pubkey-2048", "ed25519-256", "-rsa", "RSA", "ike:psk", "psk,rsa", "eap", "eap-tls",
		"xauth", "any", "bliss", "rsa/oaep",
		("rsa-sha256-sha256-sha256-sha256-sha256-sha256-sha256-sha256-sha256-sha256-sha256-sha256-sha256-"
		"sha256-sha256-sha256-sha256-sha256-sha256"),
	};
	struct conf_auth_rules r;
	char err[256];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		err[0] = 0;
		if (conf_auth_parse(bad[i], &r, err, sizeof(err)) != -EINVAL || !err[0])
			fail_msg("'%s' is accepted", bad[i]);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {cmocka_unit_test(words), cmocka_unit_test(mistakes)};

	return cmocka_run_group_tests_name("auth_conf", tests, NULL, NULL);
}
