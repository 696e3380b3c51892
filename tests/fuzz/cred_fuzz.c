/* SPDX-License-Identifier: BSD-2-Clause */
/* fuzz-rooms: common agent/conf agent/wire agent/crypt agent/cred agent/fetch agent/keys */
#include "agent/cred/cred_int.h"
#include "common/log.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/*
 * The verification of a peer, with a chain that is right but for what the input changes. The first
 * byte chooses what is edited (leaf, intermediate, CRL, OCSP answer, AUTH, identity) and whether it
 * is signed again by who signs such things: a fuzzer does not find signatures. Behind it are edits
 * of four bytes: where (two), what, with which byte. Nobody is accepted whose bytes were changed
 * behind the back of the one who signed them.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

enum { LEAF, SUB, CRL, OCSP, AUTH, IDENTITY, TARGETS, DER_MAX = 8192 };

static struct {
	EVP_PKEY *root_key, *sub_key, *leaf_key;
	X509 *root, *sub, *leaf;
	struct cred *cred;
	uint8_t der[TARGETS][DER_MAX];
	size_t n[TARGETS];
	uint8_t octets[32];
} w;

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void ext(X509 *x, X509 *issuer, const char *name, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *e;

	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	e = X509V3_EXT_nconf(NULL, &ctx, name, value);
	check(e && X509_add_ext(x, e, -1));
	X509_EXTENSION_free(e);
}

static X509 *cert(const char *cn, EVP_PKEY *key, X509 *issuer, EVP_PKEY *by)
{
	static long serial = 1;
	X509 *x = X509_new();
	X509_NAME *n = X509_get_subject_name(x);

	X509_set_version(x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x), serial++);
	X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_ASC, (const uint8_t *)cn, -1, -1, 0);
	X509_set_issuer_name(x, issuer ? X509_get_subject_name(issuer) : n);
	X509_gmtime_adj(X509_getm_notBefore(x), -86400);
	X509_gmtime_adj(X509_getm_notAfter(x), 86400);
	X509_set_pubkey(x, key);
	if (key != w.leaf_key) {
		ext(x, issuer ? issuer : x, "basicConstraints", "critical,CA:TRUE,pathlen:3");
		ext(x, issuer ? issuer : x, "keyUsage", "critical,keyCertSign,cRLSign");
		ext(x, issuer ? issuer : x, "nameConstraints",
		    "permitted;DNS:example,permitted;email:example,excluded;IP:10.0.0.0/255.0.0.0");
	} else {
		ext(x, issuer, "subjectAltName",
		    "DNS:gw.example,email:a@example,IP:192.0.2.1,IP:2001:db8::1,URI:http://x/");
		ext(x, issuer, "keyUsage", "critical,digitalSignature");
		ext(x, issuer, "extendedKeyUsage", "serverAuth,1.3.6.1.5.5.7.3.17");
		ext(x, issuer, "crlDistributionPoints", "URI:http://crl.example/a,URI:ldap://b/");
		ext(x, issuer, "authorityInfoAccess", "OCSP;URI:http://ocsp.example/");
		ext(x, issuer, "subjectKeyIdentifier", "hash");
	}
	check(X509_sign(x, by, EVP_sha256()) > 0);
	return x;
}

static void crl_make(void)
{
	X509_CRL *c = X509_CRL_new();
	X509_REVOKED *r = X509_REVOKED_new();
	ASN1_INTEGER *serial = ASN1_INTEGER_new();
	ASN1_TIME *t = ASN1_TIME_new();
	uint8_t *at = w.der[CRL];

	X509_CRL_set_version(c, X509_CRL_VERSION_2);
	X509_CRL_set_issuer_name(c, X509_get_subject_name(w.sub));
	X509_CRL_set1_lastUpdate(c, X509_gmtime_adj(t, -60));
	X509_CRL_set1_nextUpdate(c, X509_gmtime_adj(t, 86400));
	ASN1_INTEGER_set(serial, 99);
	X509_REVOKED_set_serialNumber(r, serial);
	X509_REVOKED_set_revocationDate(r, X509_gmtime_adj(t, -60));
	X509_CRL_add0_revoked(c, r);
	check(X509_CRL_sign(c, w.sub_key, EVP_sha256()) > 0);
	w.n[CRL] = (size_t)i2d_X509_CRL(c, &at);
	X509_CRL_free(c);
	ASN1_INTEGER_free(serial);
	ASN1_TIME_free(t);
}

static void ocsp_make(void)
{
	OCSP_BASICRESP *b = OCSP_BASICRESP_new();
	OCSP_CERTID *id = OCSP_cert_to_id(NULL, w.leaf, w.sub);
	ASN1_TIME *from = X509_gmtime_adj(NULL, -60), *to = X509_gmtime_adj(NULL, 86400);
	OCSP_RESPONSE *r;
	uint8_t *at = w.der[OCSP];

	OCSP_basic_add1_status(b, id, V_OCSP_CERTSTATUS_GOOD, 0, NULL, from, to);
	check(OCSP_basic_sign(b, w.sub, w.sub_key, EVP_sha256(), NULL, 0));
	r = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, b);
	w.n[OCSP] = (size_t)i2d_OCSP_RESPONSE(r, &at);
	OCSP_RESPONSE_free(r);
	OCSP_BASICRESP_free(b);
	OCSP_CERTID_free(id);
	ASN1_TIME_free(from);
	ASN1_TIME_free(to);
}

static void auth_make(void)
{
	uint8_t der[DER_MAX], *at = der, sig[SIG_MAX];
	struct wr auth = wr_of(w.der[AUTH], DER_MAX);
	int n = i2d_PrivateKey(w.leaf_key, &at);
	struct sig_key *k;
	size_t len;

	check(!sig_private_load(slice_of(der, (size_t)n), NULL, &k));
	check(!sig_sign(k, SIG_ECDSA_SHA256, slice_of(w.octets, sizeof(w.octets)), sig, &len));
	sig_auth_put(&auth, SIG_ECDSA_SHA256, slice_of(sig, len));
	w.n[AUTH] = auth.n;
	sig_private_free(k);
}

/* The snapshot: the root alone. */
static void snapshot_make(void)
{
	char dir[] = "/tmp/cred-fuzz-XXXXXX", path[300];
	struct settings_error err;
	uint8_t der[DER_MAX], *at = der;
	FILE *f;

	check(mkdtemp(dir) != NULL);
	snprintf(path, sizeof(path), "%s/x509ca", dir);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/x509ca/root.der", dir);
	f = fopen(path, "w");
	check(f && fwrite(der, (size_t)i2d_X509(w.root, &at), 1, f) == 1);
	fclose(f);
	snprintf(path, sizeof(path), "%s/swanctl.conf", dir);
	f = fopen(path, "w");
	check(f && !fclose(f));
	w.cred = cred_load(path, NULL, &err);
	check(w.cred != NULL);
	unlink(path);
	snprintf(path, sizeof(path), "%s/x509ca/root.der", dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/x509ca", dir);
	rmdir(path);
	rmdir(dir);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	uint8_t *at;

	(void)argc;
	(void)argv;
	log_set_level_all(0);
	check(!sig_init());
	w.root_key = EVP_EC_gen("P-256");
	w.sub_key = EVP_EC_gen("P-256");
	w.leaf_key = EVP_EC_gen("P-256");
	w.root = cert("root", w.root_key, NULL, w.root_key);
	w.sub = cert("sub", w.sub_key, w.root, w.root_key);
	w.leaf = cert("gw", w.leaf_key, w.sub, w.sub_key);
	at = w.der[LEAF];
	w.n[LEAF] = (size_t)i2d_X509(w.leaf, &at);
	at = w.der[SUB];
	w.n[SUB] = (size_t)i2d_X509(w.sub, &at);
	crl_make();
	ocsp_make();
	auth_make();
	memcpy(w.der[IDENTITY], "gw.example", 10);
	w.n[IDENTITY] = 10;
	snapshot_make();
	return 0;
}

/* Changes, puts in, takes out or repeats a byte. */
static size_t edit(uint8_t *b, size_t n, const uint8_t e[4])
{
	size_t at = n ? ((size_t)e[0] << 8 | e[1]) % n : 0;

	if (!n || n + 1 >= DER_MAX)
		return n;
	switch (e[2] % 4) {
	case 0:
		b[at] = e[3];
		return n;
	case 1:
		memmove(b + at + 1, b + at, n - at);
		b[at] = e[3];
		return n + 1;
	case 2:
		memmove(b + at, b + at + 1, n - at - 1);
		return n - 1;
	default:
		b[at] ^= (uint8_t)(1 << (e[3] & 7));
		return n;
	}
}

static size_t head_put(uint8_t *to, uint8_t tag, size_t n)
{
	to[0] = tag;
	to[1] = 0x82;
	to[2] = (uint8_t)(n >> 8);
	to[3] = (uint8_t)n;
	return 4;
}

/* SEQUENCE { tbs, ecdsa-with-SHA256, signature by this key }. */
static size_t sign_again(uint8_t *b, size_t n, EVP_PKEY *key)
{
	static const uint8_t alg[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86,
				      0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
	uint8_t whole[2 * DER_MAX], sig[256];
	size_t sig_len = sizeof(sig), at = 4;
	EVP_MD_CTX *m = EVP_MD_CTX_new();

	check(EVP_DigestSignInit(m, NULL, EVP_sha256(), NULL, key) > 0 &&
	      EVP_DigestSign(m, sig, &sig_len, b, n) > 0);
	EVP_MD_CTX_free(m);
	memcpy(whole + at, b, n);
	at += n;
	memcpy(whole + at, alg, sizeof(alg));
	at += sizeof(alg);
	whole[at++] = 0x03;
	whole[at++] = (uint8_t)(sig_len + 1);
	whole[at++] = 0;
	memcpy(whole + at, sig, sig_len);
	at += sig_len;
	head_put(whole, 0x30, at - 4);
	if (at > DER_MAX)
		return n;
	memcpy(b, whole, at);
	return at;
}

/* The part that is signed; all of these have lengths of two bytes or of one. */
static struct slice signed_part(const uint8_t *b, size_t n)
{
	size_t at = b[1] == 0x82 ? 4 : b[1] == 0x81 ? 3 : 2, len;
	const uint8_t *p = b + at;

	len = p[1] == 0x82 ? 4 + ((size_t)p[2] << 8 | p[3]) : p[1] == 0x81 ? 3 + p[2] : 2 + p[1];
	check(at + len <= n);
	return slice_of(p, len);
}

static struct rev_cache *cache_fill(uint8_t der[TARGETS][DER_MAX], const size_t n[TARGETS],
				    const struct rev_wants *wants, int64_t now)
{
	struct rev_cache *c = rev_cache_new();

	for (unsigned int i = 0; i < wants->n; i++) {
		int t = wants->want[i].kind == REV_CRL ? CRL : OCSP;
		uint8_t *exact = malloc(n[t] ? n[t] : 1);

		memcpy(exact, der[t], n[t]);
		c = rev_cache_add(c, rev_entry_from(&wants->want[i], slice_of(exact, n[t]), now),
				  now);
		free(exact);
	}
	return c;
}

static struct cred_verdict judge(uint8_t der[TARGETS][DER_MAX], const size_t n[TARGETS],
				 enum cred_revocation policy, int only)
{
	struct ike_cert_pl pl[2] = {{CERT_X509, slice_of(der[LEAF], n[LEAF])},
				    {CERT_X509, slice_of(der[SUB], n[SUB])}};
	struct cred_rules rules = {.revocation = policy};
	struct cred_peer p = {.cert = pl,
			      .n_certs = 2,
			      .method = 14,
			      .rules = &rules,
			      .hashes = SIG_HASHES_OURS,
			      .id = {ID_FQDN, slice_of(der[IDENTITY], n[IDENTITY])},
			      .auth = slice_of(der[AUTH], n[AUTH]),
			      .octets = slice_of(w.octets, sizeof(w.octets))};
	struct rev_cache *c = rev_cache_new(), *more;
	struct cred_verdict v = {.error = -1};
	struct cred_check *k;

	if (n[IDENTITY] > IKE_ID_MAX) {
		rev_cache_unref(c);
		return v;
	}
	for (int round = 0; round < 4; round++) {
		k = cred_check_new(w.cred, c, &p);
		check(k != NULL);
		k->final = round == 3;
		cred_check_run(k);
		v = k->verdict;
		check(v.error || v.text[0]);
		check(v.error == -EAGAIN || v.text[0]);
		for (const char *t = v.text; *t; t++)
			check(*t >= ' ' && *t < 0x7f);
		check((v.error == -EAGAIN) == (k->wants.n > 0) || round == 3 || v.error);
		/* the responder fails, so that the CRL is wanted */
		for (unsigned int i = 0; only == CRL && i < k->wants.n; i++)
			if (k->wants.want[i].kind == REV_OCSP)
				c = rev_cache_add(
				    c, rev_entry_failed(&k->wants.want[i], "x", k->now), k->now);
		more = v.error == -EAGAIN ? cache_fill(der, n, &k->wants, k->now) : NULL;
		for (unsigned int i = 0; more && i < more->n; i++) {
			if (only == CRL && !more->e[i]->crl)
				continue;
			atomic_fetch_add(&more->e[i]->refs, 1);
			c = rev_cache_add(c, more->e[i], k->now);
		}
		rev_cache_unref(more);
		cred_check_free(k);
		if (v.error != -EAGAIN)
			break;
	}
	rev_cache_unref(c);
	return v;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t der[TARGETS][DER_MAX];
	size_t n[TARGETS];
	struct cred_verdict v;
	struct slice part = {0};
	bool again, changed = false;
	int target;

	if (!size)
		return 0;
	target = (data[0] & 15) % TARGETS;
	again = data[0] & 16 && target <= CRL;
	memcpy(der, w.der, sizeof(der));
	memcpy(n, w.n, sizeof(n));
	if (again) {
		part = signed_part(der[target], n[target]);
		n[target] = part.n;
		memmove(der[target], part.p, part.n);
	}
	for (size_t i = 1; i + 4 <= size && i < 400; i += 4)
		n[target] = edit(der[target], n[target], data + i);
	if (again)
		n[target] =
		    sign_again(der[target], n[target], target == SUB ? w.root_key : w.sub_key);
	else
		changed = n[target] != w.n[target] || memcmp(der[target], w.der[target], n[target]);
	v = judge(der, n, data[0] & 32 ? CRED_REVOCATION_IFURI : CRED_REVOCATION_RELAXED, target);
	/* what is signed was changed, in place: nobody is accepted */
	if (changed && target <= SUB && n[target] == w.n[target]) {
		struct slice a = signed_part(w.der[target], w.n[target]);
		size_t at = (size_t)(a.p - w.der[target]);

		if (memcmp(der[target] + at, a.p, a.n))
			check(v.error != 0);
	}
	if (!changed && !again)
		check(v.error == 0);
	return 0;
}
