/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "agent/cred/cred_int.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/*
 * A public key infrastructure made at run time, with OpenSSL alone: certificates by a row of what
 * is to stand in them, files beside a swanctl.conf in a directory of its own.
 */
#define DAY 86400

struct pki_ext {
	const char *name, *value;
};

/* One certificate; zero is a leaf with an EC key, valid from yesterday for 30 days. */
struct pki {
	const char *subject;	  /* as dn_parse wants it */
	const struct pki *issuer; /* NULL: self-signed */
	enum { LEAF, CA, V1 } kind;
	struct pki_ext ext[6];
	int64_t from, to;   /* seconds from now; 0 the defaults */
	const char *digest; /* NULL: SHA256 */
	const char *group;  /* EC; NULL: P-256 */
	unsigned int rsa, e;
	X509 *x;
	EVP_PKEY *key;
};

static inline EVP_PKEY *pki_key(const struct pki *p)
{
	EVP_PKEY_CTX *c;
	EVP_PKEY *k = NULL;
	BIGNUM *e = BN_new();

	if (!p->rsa) {
		BN_free(e);
		if (p->group && !strncmp(p->group, "ED", 2))
			return EVP_PKEY_Q_keygen(NULL, NULL, p->group);
		return EVP_EC_gen(p->group ? p->group : "P-256");
	}
	c = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	BN_set_word(e, p->e ? p->e : 65537);
	EVP_PKEY_keygen_init(c);
	EVP_PKEY_CTX_set_rsa_keygen_bits(c, (int)p->rsa);
	EVP_PKEY_CTX_set1_rsa_keygen_pubexp(c, e);
	EVP_PKEY_generate(c, &k);
	BN_free(e);
	EVP_PKEY_CTX_free(c);
	return k;
}

static inline X509_NAME *pki_name(const char *text)
{
	uint8_t der[512];
	const uint8_t *at = der;
	struct conf_id id;
	X509_NAME *n;

	assert_int_equal(conf_id_parse_pattern(text, &id), 0);
	memcpy(der, id.b, id.n);
	n = d2i_X509_NAME(NULL, &at, id.n);
	assert_non_null(n);
	return n;
}

static inline void pki_ext_add(X509 *x, X509 *issuer, const char *name, const char *value)
{
	static const char section[] = "[dn]\nCN = alt\n";
	BIO *bio = BIO_new_mem_buf(section, -1);
	CONF *conf = NCONF_new(NULL);
	X509V3_CTX ctx;
	X509_EXTENSION *e;

	assert_true(NCONF_load_bio(conf, bio, NULL) > 0);
	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	X509V3_set_nconf(&ctx, conf);
	e = X509V3_EXT_nconf(conf, &ctx, name, value);
	BIO_free(bio);
	NCONF_free(conf);
	if (!e)
		fail_msg("extension %s = %s", name, value);
	X509_add_ext(x, e, -1);
	X509_EXTENSION_free(e);
}

/* Makes it, with a new key unless it has one. */
static inline void pki_make(struct pki *p)
{
	static long serial = 1000;
	X509 *x = X509_new();
	X509_NAME *n = pki_name(p->subject);
	const struct pki *by = p->issuer ? p->issuer : p;
	X509 *issuer = p->issuer ? p->issuer->x : x;
	const EVP_MD *md;

	if (!p->key)
		p->key = pki_key(p);
	ASN1_INTEGER_set(X509_get_serialNumber(x), serial++);
	X509_set_version(x, p->kind == V1 ? X509_VERSION_1 : X509_VERSION_3);
	X509_set_subject_name(x, n);
	X509_NAME_free(n);
	n = pki_name(by->subject);
	X509_set_issuer_name(x, n);
	X509_NAME_free(n);
	X509_gmtime_adj(X509_getm_notBefore(x), p->from ? p->from : -DAY);
	X509_gmtime_adj(X509_getm_notAfter(x), p->to ? p->to : 30 * DAY);
	X509_set_pubkey(x, p->key);
	if (p->kind != V1) {
		bool has_basic = false;

		for (int i = 0; i < 6 && p->ext[i].name; i++)
			has_basic = has_basic || !strcmp(p->ext[i].name, "basicConstraints");
		if (p->kind == CA && !has_basic)
			pki_ext_add(x, issuer, "basicConstraints", "critical,CA:TRUE");
		pki_ext_add(x, issuer, "subjectKeyIdentifier", "hash");
	}
	for (int i = 0; i < 6 && p->ext[i].name; i++)
		pki_ext_add(x, issuer, p->ext[i].name, p->ext[i].value);
	md = EVP_get_digestbyname(p->digest ? p->digest : "SHA256");
	if (EVP_PKEY_get_base_id(by->key) == EVP_PKEY_ED25519)
		md = NULL;
	assert_true(X509_sign(x, by->key, md) > 0);
	X509_free(p->x);
	p->x = x;
}

static inline void pki_drop(struct pki *p)
{
	X509_free(p->x);
	EVP_PKEY_free(p->key);
	p->x = NULL;
	p->key = NULL;
}

/* A CRL that revokes these; from, to in seconds from now. */
static inline X509_CRL *pki_crl(const struct pki *by, const EVP_PKEY *key,
				const struct pki *const *revoked, int64_t from, int64_t to)
{
	X509_CRL *c = X509_CRL_new();
	ASN1_TIME *t = ASN1_TIME_new();
	ASN1_INTEGER *number = ASN1_INTEGER_new();

	X509_CRL_set_version(c, X509_CRL_VERSION_2);
	X509_CRL_set_issuer_name(c, X509_get_subject_name(by->x));
	X509_CRL_set1_lastUpdate(c, X509_gmtime_adj(t, from));
	X509_CRL_set1_nextUpdate(c, X509_gmtime_adj(t, to));
	for (; revoked && *revoked; revoked++) {
		X509_REVOKED *r = X509_REVOKED_new();

		X509_REVOKED_set_serialNumber(r, X509_get_serialNumber((*revoked)->x));
		X509_REVOKED_set_revocationDate(r, X509_gmtime_adj(t, -60));
		X509_CRL_add0_revoked(c, r);
	}
	ASN1_INTEGER_set(number, 1);
	X509_CRL_add1_ext_i2d(c, NID_crl_number, number, 0, 0);
	X509_CRL_sort(c);
	assert_true(X509_CRL_sign(c, (EVP_PKEY *)key, EVP_sha256()) > 0);
	ASN1_INTEGER_free(number);
	ASN1_TIME_free(t);
	return c;
}

/* DER in a static store of eight. */
static inline struct slice pki_der(X509 *x)
{
	static uint8_t store[8][8192];
	static unsigned int next;
	uint8_t *b = store[next++ % 8], *at = b;
	int n = i2d_X509(x, NULL);

	assert_true(n > 0 && n < 8192);
	i2d_X509(x, &at);
	return slice_of(b, (size_t)n);
}

/* ---- files -------------------------------------------------------------------------------------
 */
static char pki_dir[64];

static inline const char *pki_path(const char *name)
{
	static char path[4][300];
	static unsigned int next;
	char *p = path[next++ % 4];

	snprintf(p, 300, "%s/%s", pki_dir, name);
	return p;
}

static inline void pki_open(void)
{
	static const char *const dirs[] = {"x509", "x509ca", "x509ocsp", "x509crl", "pubkey"};

	strcpy(pki_dir, "/tmp/cred-test-XXXXXX");
	assert_non_null(mkdtemp(pki_dir));
	for (int i = 0; i < 5; i++)
		mkdir(pki_path(dirs[i]), 0700);
}

static inline void pki_close(void)
{
	char command[100];

	snprintf(command, sizeof(command), "rm -rf %s", pki_dir);
	if (pki_dir[0] && system(command))
		print_message("%s stays\n", pki_dir);
	pki_dir[0] = '\0';
}

static inline void pki_write(const char *name, const void *b, size_t n)
{
	FILE *f = fopen(pki_path(name), "w");

	assert_non_null(f);
	assert_int_equal(fwrite(b, 1, n, f), n);
	fclose(f);
}

static inline void pki_text(const char *name, const char *text)
{
	pki_write(name, text, strlen(text));
}

static inline void pki_put(const char *name, const struct pki *p)
{
	FILE *f = fopen(pki_path(name), "a");

	assert_non_null(f);
	assert_true(PEM_write_X509(f, p->x));
	fclose(f);
}

static inline void pki_put_crl(const char *name, X509_CRL *c)
{
	FILE *f = fopen(pki_path(name), "a");

	assert_non_null(f);
	assert_true(PEM_write_X509_CRL(f, c));
	fclose(f);
}

static inline void pki_put_pubkey(const char *name, EVP_PKEY *k)
{
	FILE *f = fopen(pki_path(name), "a");

	assert_non_null(f);
	assert_true(PEM_write_PUBKEY(f, k));
	fclose(f);
}

static inline struct cred *pki_load(void)
{
	struct settings_error err = {0};
	struct cred *c = cred_load(pki_path("swanctl.conf"), NULL, &err);
	char text[600];

	if (!c)
		fail_msg("%s", settings_error_str(&err, text, sizeof(text)));
	return c;
}

/* ---- a peer ------------------------------------------------------------------------------------
 */
static const uint8_t pki_octets[] = "octets to be signed";

struct pki_peer {
	const struct pki *leaf; /* signs, and is the first certificate */
	const struct pki *chain[8];
	const char *id; /* NULL: the leaf's subject */
	const struct cred_rules *rules;
	int64_t now; /* seconds from now */
	bool no_cert, final;
	struct rev_cache *cache;
	struct cred_check *check; /* kept when wanted: to be freed */
};

static inline enum sig_scheme pki_sign(EVP_PKEY *key, uint8_t auth[SIG_AUTH_MAX], size_t *n)
{
	uint8_t sig[SIG_MAX], der[8192], *at = der;
	struct wr w = wr_of(auth, SIG_AUTH_MAX);
	int len = i2d_PrivateKey(key, &at);
	struct sig_key *k = NULL;
	enum sig_scheme s = SIG_NONE;
	size_t sig_len = 64;

	memset(sig, 0, sizeof(sig));
	if (!sig_private_load(slice_of(der, (size_t)len), NULL, &k)) {
		s = sig_choose(sig_private_info(k), SIG_HASHES_OURS, NULL);
		assert_int_equal(
		    sig_sign(k, s, slice_of(pki_octets, sizeof(pki_octets)), sig, &sig_len), 0);
	}
	sig_auth_put(&w, s ? s : SIG_RSA_SHA256, slice_of(sig, sig_len));
	sig_private_free(k);
	*n = w.n;
	return s;
}

static inline struct cred_verdict pki_judge(struct cred *c, struct pki_peer *p)
{
	static const struct cred_rules none;
	struct ike_cert_pl cert[IKE_CERTS_MAX] = {0};
	struct cred_peer peer = {.cert = cert, .method = 14, .hashes = SIG_HASHES_OURS};
	struct rev_cache *empty = rev_cache_new();
	uint8_t auth[SIG_AUTH_MAX];
	struct cred_verdict v;
	struct cred_check *k;
	struct conf_id id;
	size_t n;

	pki_sign(p->leaf->key, auth, &n);
	peer.auth = slice_of(auth, n);
	peer.octets = slice_of(pki_octets, sizeof(pki_octets));
	peer.rules = p->rules ? p->rules : &none;
	assert_int_equal(conf_id_parse(p->id ? p->id : p->leaf->subject, &id), 0);
	peer.id = conf_id_view(&id);
	if (!p->no_cert)
		cert[peer.n_certs++] = (struct ike_cert_pl){CERT_X509, pki_der(p->leaf->x)};
	for (int i = 0; i < 7 && p->chain[i]; i++)
		cert[peer.n_certs++] = (struct ike_cert_pl){CERT_X509, pki_der(p->chain[i]->x)};
	k = cred_check_new(c, p->cache ? p->cache : empty, &peer);
	assert_non_null(k);
	k->now = time(NULL) + p->now;
	k->final = p->final;
	cred_check_run(k);
	v = k->verdict;
	rev_cache_unref(empty);
	cred_check_free(p->check);
	p->check = k;
	return v;
}
