/* SPDX-License-Identifier: BSD-2-Clause */
#include "cred_pki.h"

#include "common/log.h"

/* Revocation: CRLs from files and from a cache, OCSP answers, the three
 * policies. */

#define CRL_URI	 "http://crl.example/root.crl"
#define OCSP_URI "http://ocsp.example:8080/"

static struct pki root = {.subject = "C=CH, CN=root", .kind = CA},
		  stranger = {.subject = "C=CH, CN=root", .kind = CA},
		  no_crlsign = {.subject = "CN=no crl",
				.kind = CA,
				.ext = {{"keyUsage", "keyCertSign"}}},
		  sub = {.subject = "CN=sub", .issuer = &root, .kind = CA},
		  plain = {.subject = "CN=plain", .issuer = &root},
		  bad = {.subject = "CN=bad", .issuer = &root},
		  with_crl = {.subject = "CN=crl",
			      .issuer = &root,
			      .ext = {{"crlDistributionPoints", "URI:" CRL_URI}}},
		  with_ocsp = {.subject = "CN=ocsp",
			       .issuer = &root,
			       .ext = {{"authorityInfoAccess", "OCSP;URI:" OCSP_URI}}},
		  with_both = {.subject = "CN=both",
			       .issuer = &root,
			       .ext = {{"crlDistributionPoints", "URI:" CRL_URI},
				       {"authorityInfoAccess", "OCSP;URI:" OCSP_URI}}},
		  with_ldap = {.subject = "CN=ldap",
			       .issuer = &root,
			       .ext = {{"crlDistributionPoints", "URI:ldap://crl.example/"}}},
		  below = {.subject = "CN=below", .issuer = &sub},
		  odd = {.subject = "CN=odd", .issuer = &no_crlsign},
		  responder = {.subject = "CN=responder",
			       .issuer = &root,
			       .ext = {{"extendedKeyUsage", "OCSPSigning"}}},
		  no_responder = {.subject = "CN=no responder", .issuer = &root},
		  late_responder = {.subject = "CN=late",
				    .issuer = &root,
				    .from = -9 * DAY,
				    .to = -DAY,
				    .ext = {{"extendedKeyUsage", "OCSPSigning"}}},
		  our_responder = {.subject = "CN=ours"};

static struct pki *const all[] = {&root,      &stranger,     &no_crlsign,     &sub,
				  &plain,     &bad,	     &with_crl,	      &with_ocsp,
				  &with_both, &with_ldap,    &below,	      &odd,
				  &responder, &no_responder, &late_responder, &our_responder};

static const struct cred_rules relaxed = {.revocation = CRED_REVOCATION_RELAXED},
			       ifuri = {.revocation = CRED_REVOCATION_IFURI},
			       strict = {.revocation = CRED_REVOCATION_STRICT};

static struct cred *cred;

static void expect(const char *what, struct cred_verdict v, int error, const char *text)
{
	if (v.error != error || !strstr(v.text, text))
		fail_msg("%s: %d '%s' instead of %d '%s'", what, v.error, v.text, error, text);
}

static struct cred_verdict judge(const struct pki *leaf, const struct cred_rules *rules, bool final)
{
	struct pki_peer p = {.leaf = leaf, .rules = rules, .final = final};
	struct cred_verdict v;

	if (leaf == &below)
		p.chain[0] = &sub;
	v = pki_judge(cred, &p);
	cred_check_free(p.check);
	return v;
}

/* Without any CRL, responder or URI. */
static void nothing_known(void **state)
{
	(void)state;
	expect("relaxed", judge(&plain, &relaxed, false), 0, "");
	expect("ifuri", judge(&plain, &ifuri, false), 0, "");
	expect("strict", judge(&plain, &strict, false), -EACCES, "status is not known");
	expect("ldap", judge(&with_ldap, &relaxed, false), 0, "");
	expect("ldap", judge(&with_ldap, &ifuri, false), -EACCES, "status is not known");
	expect("unfetched", judge(&with_crl, &relaxed, false), -EAGAIN, "");
	expect("unfetched", judge(&with_crl, &relaxed, true), 0, "");
	expect("unfetched", judge(&with_crl, &ifuri, true), -EACCES, "status is not known");
	expect("unfetched", judge(&with_crl, &strict, true), -EACCES, "status is not known");
}

static void files(void **state)
{
	static const struct {
		const char *what;
		const struct pki *by, *key;
		int64_t from, to;
		bool sub_too;
		const struct pki *leaf;
		const struct cred_rules *rules;
		int error;
		const char *text;
	} t[] = {
	    {"good", &root, &root, -60, DAY, false, &plain, &strict, 0, ""},
	    {"revoked", &root, &root, -60, DAY, false, &bad, &strict, -EACCES, "CN=bad': revoked"},
	    {"revoked", &root, &root, -60, DAY, false, &bad, &relaxed, -EACCES, "CN=bad': revoked"},
	    {"old", &root, &root, -DAY, -60, false, &plain, &strict, -EACCES, "CRL has expired"},
	    {"old", &root, &root, -DAY, -60, false, &plain, &relaxed, 0, ""},
	    {"old, but it revokes", &root, &root, -DAY, -60, false, &bad, &relaxed, -EACCES,
	     "revoked"},
	    {"of tomorrow", &root, &root, 3600, DAY, false, &plain, &strict, -EACCES,
	     "not yet valid"},
	    {"forged", &root, &stranger, -60, DAY, false, &plain, &strict, -EACCES,
	     "not signed by"},
	    {"forged, revokes", &root, &stranger, -60, DAY, false, &bad, &relaxed, 0, ""},
	    {"of another", &sub, &sub, -60, DAY, false, &plain, &strict, -EACCES, "no CRL"},
	    {"issuer may not", &no_crlsign, &no_crlsign, -60, DAY, false, &odd, &strict, -EACCES,
	     "key usage"},
	    {"of one of two", &root, &root, -60, DAY, false, &below, &strict, -EACCES, "CN=below"},
	    {"of both", &root, &root, -60, DAY, true, &below, &strict, 0, ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		const struct pki *gone[] = {&bad, NULL};
		X509_CRL *c = pki_crl(t[i].by, t[i].key->key, gone, t[i].from, t[i].to);
		X509_CRL *more = pki_crl(&sub, sub.key, NULL, -60, DAY);

		pki_put_crl("x509crl/a.crl", c);
		if (t[i].sub_too)
			pki_put_crl("x509crl/a.crl", more);
		cred_unref(cred);
		cred = pki_load();
		expect(t[i].what, judge(t[i].leaf, t[i].rules, true), t[i].error, t[i].text);
		unlink(pki_path("x509crl/a.crl"));
		X509_CRL_free(c);
		X509_CRL_free(more);
	}
	cred_unref(cred);
	cred = pki_load();
}

/* A forged CRL beside the true one hides nothing. */
static void forged_in_front(void **state)
{
	const struct pki *gone[] = {&bad, NULL};
	X509_CRL *c = pki_crl(&root, root.key, gone, -60, DAY);
	X509_CRL *forged = pki_crl(&root, stranger.key, NULL, -1, 2 * DAY);

	(void)state;
	pki_put_crl("x509crl/a.crl", forged);
	pki_put_crl("x509crl/b.crl", c);
	cred_unref(cred);
	cred = pki_load();
	expect("revoked", judge(&bad, &relaxed, true), -EACCES, "revoked");
	expect("good", judge(&plain, &strict, true), 0, "");
	unlink(pki_path("x509crl/a.crl"));
	unlink(pki_path("x509crl/b.crl"));
	cred_unref(cred);
	cred = pki_load();
	X509_CRL_free(c);
	X509_CRL_free(forged);
}

/* An intermediate that was revoked takes along what it issued. */
static void revoked_intermediate(void **state)
{
	const struct pki *gone[] = {&sub, NULL};
	X509_CRL *c = pki_crl(&root, root.key, gone, -60, DAY);

	(void)state;
	pki_put_crl("x509crl/a.crl", c);
	cred_unref(cred);
	cred = pki_load();
	expect("below", judge(&below, &relaxed, true), -EACCES, "CN=sub': revoked");
	unlink(pki_path("x509crl/a.crl"));
	cred_unref(cred);
	cred = pki_load();
	X509_CRL_free(c);
}

/* ---- fetched
 * -----------------------------------------------------------------------------------
 */
static struct slice crl_der(X509_CRL *c)
{
	static uint8_t b[4096];
	uint8_t *at = b;

	return slice_of(b, (size_t)i2d_X509_CRL(c, &at));
}

/* Judges, hands over what was wanted, judges again. The wants must be these, in
 * order. */
static struct cred_verdict twice(const struct pki *leaf, const struct cred_rules *rules,
				 enum rev_kind kind, const char *uri, struct slice body,
				 struct rev_entry *(*make)(const struct rev_want *w))
{
	struct pki_peer p = {.leaf = leaf, .rules = rules, .cache = rev_cache_new()};
	struct cred_verdict v = pki_judge(cred, &p);
	struct rev_wants *w = &p.check->wants;
	struct rev_entry *e;

	assert_int_equal(v.error, -EAGAIN);
	assert_int_equal(w->n, 1);
	assert_int_equal(w->want[0].kind, kind);
	assert_string_equal(w->want[0].uri, uri);
	assert_false(w->want[0].configured);
	e = make ? make(&w->want[0]) : rev_entry_from(&w->want[0], body, time(NULL));
	p.cache = rev_cache_add(p.cache, e, time(NULL));
	v = pki_judge(cred, &p);
	cred_check_free(p.check);
	rev_cache_unref(p.cache);
	return v;
}

static struct rev_entry *unreachable(const struct rev_want *w)
{
	return rev_entry_failed(w, "no route", time(NULL));
}

static void crl_fetched(void **state)
{
	const struct pki *gone[] = {&with_crl, NULL};
	X509_CRL *good = pki_crl(&root, root.key, NULL, -60, DAY),
		 *revokes = pki_crl(&root, root.key, gone, -60, DAY),
		 *old = pki_crl(&root, root.key, NULL, -DAY, -60),
		 *forged = pki_crl(&root, stranger.key, gone, -60, DAY);
	struct slice none = {0};

	(void)state;
	expect("good", twice(&with_crl, &strict, REV_CRL, CRL_URI, crl_der(good), NULL), 0, "");
	expect("revoked", twice(&with_crl, &relaxed, REV_CRL, CRL_URI, crl_der(revokes), NULL),
	       -EACCES, "revoked");
	expect("old", twice(&with_crl, &strict, REV_CRL, CRL_URI, crl_der(old), NULL), -EACCES,
	       "expired");
	expect("old", twice(&with_crl, &relaxed, REV_CRL, CRL_URI, crl_der(old), NULL), 0, "");
	expect("forged", twice(&with_crl, &ifuri, REV_CRL, CRL_URI, crl_der(forged), NULL), -EACCES,
	       "not signed by");
	expect("forged", twice(&with_crl, &relaxed, REV_CRL, CRL_URI, crl_der(forged), NULL), 0,
	       "");
	expect("empty", twice(&with_crl, &ifuri, REV_CRL, CRL_URI, none, NULL), -EACCES, "no CRL");
	expect("page", twice(&with_crl, &ifuri, REV_CRL, CRL_URI, slice_of("<html>", 6), NULL),
	       -EACCES, "no CRL");
	expect("unreachable", twice(&with_crl, &ifuri, REV_CRL, CRL_URI, none, unreachable),
	       -EACCES, "no route");
	expect("unreachable", twice(&with_crl, &relaxed, REV_CRL, CRL_URI, none, unreachable), 0,
	       "");
	X509_CRL_free(good);
	X509_CRL_free(revokes);
	X509_CRL_free(old);
	X509_CRL_free(forged);
}

/* ---- OCSP
 * ---------------------------------------------------------------------------------------
 */
static struct {
	int status;
	const struct pki *about, *signer;
	int64_t from, to; /* 0: no nextUpdate */
	int nonce;	  /* 0 as sent, 1 none, 2 another */
	bool flip;
} ocsp;

static struct rev_entry *answered(const struct rev_want *w)
{
	const uint8_t *at = w->request;
	OCSP_REQUEST *q = d2i_OCSP_REQUEST(NULL, &at, (long)w->request_len);
	OCSP_BASICRESP *b = OCSP_BASICRESP_new();
	OCSP_CERTID *id = OCSP_cert_to_id(NULL, ocsp.about->x, root.x);
	ASN1_TIME *from = X509_gmtime_adj(NULL, ocsp.from),
		  *to = ocsp.to ? X509_gmtime_adj(NULL, ocsp.to) : NULL,
		  *when =
		      ocsp.status == V_OCSP_CERTSTATUS_REVOKED ? X509_gmtime_adj(NULL, -60) : NULL;
	uint8_t der[8192], *out = der, nonce[32] = {7};
	OCSP_RESPONSE *r;
	int n;

	assert_non_null(q);
	assert_int_equal(OCSP_request_onereq_count(q), 1);
	OCSP_basic_add1_status(b, id, ocsp.status, 0, when, from, to);
	if (ocsp.nonce == 0)
		OCSP_copy_nonce(b, q);
	else if (ocsp.nonce == 2)
		OCSP_basic_add1_nonce(b, nonce, sizeof(nonce));
	assert_true(OCSP_basic_sign(b, ocsp.signer->x, ocsp.signer->key, EVP_sha256(), NULL, 0));
	r = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, b);
	n = i2d_OCSP_RESPONSE(r, &out);
	if (ocsp.flip)
		der[n / 3] ^= 1;
	OCSP_RESPONSE_free(r);
	OCSP_BASICRESP_free(b);
	OCSP_CERTID_free(id);
	OCSP_REQUEST_free(q);
	ASN1_TIME_free(from);
	ASN1_TIME_free(to);
	ASN1_TIME_free(when);
	return rev_entry_from(w, slice_of(der, (size_t)n), time(NULL));
}

static void answers(void **state)
{
	enum {
		GOOD = V_OCSP_CERTSTATUS_GOOD,
		GONE = V_OCSP_CERTSTATUS_REVOKED,
		UNKNOWN = V_OCSP_CERTSTATUS_UNKNOWN
	};
	static const struct {
		const char *what;
		int status;
		const struct pki *about, *signer;
		int64_t from, to;
		int nonce;
		int error; /* with strict */
		const char *text;
		int relaxed;
	} t[] = {
	    {"good", GOOD, &with_ocsp, &root, -60, 3600, 0, 0, "", 0},
	    {"good, no nextUpdate", GOOD, &with_ocsp, &root, -60, 0, 0, 0, "", 0},
	    {"no nonce", GOOD, &with_ocsp, &root, -60, 3600, 1, 0, "", 0},
	    {"another nonce", GOOD, &with_ocsp, &root, -60, 3600, 2, -EACCES, "nonce", 0},
	    {"another nonce, revoked", GONE, &with_ocsp, &root, -60, 3600, 2, -EACCES, "nonce", 0},
	    {"revoked", GONE, &with_ocsp, &root, -60, 3600, 0, -EACCES, "revoked", -EACCES},
	    {"unknown", UNKNOWN, &with_ocsp, &root, -60, 3600, 0, -EACCES, "does not know", 0},
	    {"expired", GOOD, &with_ocsp, &root, -DAY, -3600, 0, -EACCES, "not of now", 0},
	    {"old, no nextUpdate", GOOD, &with_ocsp, &root, -3600, 0, 0, -EACCES, "not of now", 0},
	    {"of tomorrow", GOOD, &with_ocsp, &root, 3600, DAY, 0, -EACCES, "not of now", 0},
	    {"about another", GOOD, &plain, &root, -60, 3600, 0, -EACCES, "about another", 0},
	    {"appointed", GOOD, &with_ocsp, &responder, -60, 3600, 0, 0, "", 0},
	    {"appointed, revoked", GONE, &with_ocsp, &responder, -60, 3600, 0, -EACCES, "revoked",
	     -EACCES},
	    {"not appointed", GOOD, &with_ocsp, &no_responder, -60, 3600, 0, -EACCES, "not signed",
	     0},
	    {"not appointed, revoked", GONE, &with_ocsp, &no_responder, -60, 3600, 0, -EACCES,
	     "not signed", 0},
	    {"appointed, expired", GOOD, &with_ocsp, &late_responder, -60, 3600, 0, -EACCES,
	     "not signed", 0},
	    {"a stranger of the same name", GOOD, &with_ocsp, &stranger, -60, 3600, 0, -EACCES,
	     "not signed", 0},
	    {"the certificate itself", GOOD, &with_ocsp, &with_ocsp, -60, 3600, 0, -EACCES,
	     "not signed", 0},
	    {"configured", GOOD, &with_ocsp, &our_responder, -60, 3600, 0, 0, "", 0},
	};
	struct slice none = {0};

	(void)state;
	pki_put("x509ocsp/ours.pem", &our_responder);
	cred_unref(cred);
	cred = pki_load();
	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		ocsp.status = t[i].status;
		ocsp.about = t[i].about;
		ocsp.signer = t[i].signer;
		ocsp.from = t[i].from;
		ocsp.to = t[i].to;
		ocsp.nonce = t[i].nonce;
		expect(t[i].what, twice(&with_ocsp, &strict, REV_OCSP, OCSP_URI, none, answered),
		       t[i].error, t[i].text);
		expect(t[i].what, twice(&with_ocsp, &relaxed, REV_OCSP, OCSP_URI, none, answered),
		       t[i].relaxed, "");
	}
	ocsp.about = &with_ocsp;
	ocsp.signer = &root;
	ocsp.status = GOOD;
	ocsp.flip = true;
	assert_int_not_equal(twice(&with_ocsp, &strict, REV_OCSP, OCSP_URI, none, answered).error,
			     0);
	ocsp.flip = false;
	expect("empty", twice(&with_ocsp, &strict, REV_OCSP, OCSP_URI, none, NULL), -EACCES,
	       "no OCSP answer");
	expect("tryLater",
	       twice(&with_ocsp, &strict, REV_OCSP, OCSP_URI, slice_of("\x30\x03\x0a\x01\x03", 5),
		     NULL),
	       -EACCES, "trylater");
	expect("unreachable", twice(&with_ocsp, &relaxed, REV_OCSP, OCSP_URI, none, unreachable), 0,
	       "");
	unlink(pki_path("x509ocsp/ours.pem"));
	cred_unref(cred);
	cred = pki_load();
}

/* When the responder fails, the CRL is asked for; a CRL at hand that revokes
 * needs neither. */
static void both(void **state)
{
	const struct pki *gone[] = {&with_both, NULL};
	X509_CRL *revokes = pki_crl(&root, root.key, gone, -60, DAY);
	struct pki_peer p = {.leaf = &with_both, .rules = &strict, .cache = rev_cache_new()};
	struct cred_verdict v = pki_judge(cred, &p);

	(void)state;
	assert_int_equal(v.error, -EAGAIN);
	assert_int_equal(p.check->wants.want[0].kind, REV_OCSP);
	p.cache = rev_cache_add(p.cache, unreachable(&p.check->wants.want[0]), time(NULL));
	v = pki_judge(cred, &p);
	assert_int_equal(v.error, -EAGAIN);
	assert_int_equal(p.check->wants.want[0].kind, REV_CRL);
	p.cache = rev_cache_add(
	    p.cache, rev_entry_from(&p.check->wants.want[0], crl_der(revokes), time(NULL)),
	    time(NULL));
	expect("revoked", pki_judge(cred, &p), -EACCES, "revoked");
	cred_check_free(p.check);
	p.check = NULL;
	rev_cache_unref(p.cache);
	p.cache = NULL;
	pki_put_crl("x509crl/a.crl", revokes);
	cred_unref(cred);
	cred = pki_load();
	expect("at hand", pki_judge(cred, &p), -EACCES, "revoked");
	cred_check_free(p.check);
	unlink(pki_path("x509crl/a.crl"));
	cred_unref(cred);
	cred = pki_load();
	X509_CRL_free(revokes);
}

/* URIs of certificates are asked for only when all else is right. */
static void no_fetch_before_proof(void **state)
{
	static struct pki thief = {.subject = "CN=crl"},
			  foreign = {.subject = "CN=f",
				     .issuer = &stranger,
				     .ext = {{"crlDistributionPoints", "URI:" CRL_URI}}};
	struct pki_peer p = {.leaf = &thief, .rules = &strict};
	struct cred_verdict v;

	(void)state;
	/* a certificate of another with the key of mine */
	pki_make(&thief);
	X509_free(thief.x);
	thief.x = with_crl.x;
	v = pki_judge(cred, &p);
	assert_int_equal(v.error, -EBADMSG);
	assert_int_equal(p.check->wants.n, 0);
	thief.x = NULL;
	pki_drop(&thief);
	/* a chain that ends at nobody we trust */
	pki_make(&foreign);
	p.leaf = &foreign;
	v = pki_judge(cred, &p);
	assert_int_equal(v.error, -EACCES);
	assert_int_equal(p.check->wants.n, 0);
	/* an identity that is not his */
	p.leaf = &with_crl;
	p.id = "CN=somebody";
	v = pki_judge(cred, &p);
	assert_int_equal(v.error, -EACCES);
	assert_int_equal(p.check->wants.n, 0);
	cred_check_free(p.check);
	pki_drop(&foreign);
}

/* URIs that the administrator gives a CA come first. */
static void authorities(void **state)
{
	struct pki_peer p = {.leaf = &plain, .rules = &relaxed};

	(void)state;
	pki_text("swanctl.conf", "authorities { a {\n cacert = root.pem\n"
				 " crl_uris = http://mine/1.crl, http://mine/2.crl\n"
				 " ocsp_uris = http://mine/ocsp\n} }\n");
	cred_unref(cred);
	cred = pki_load();
	p.cache = rev_cache_new();
	for (int i = 0; i < 3; i++) {
		static const char *const uris[] = {"http://mine/ocsp", "http://mine/1.crl",
						   "http://mine/2.crl"};
		struct cred_verdict v = pki_judge(cred, &p);

		assert_int_equal(v.error, -EAGAIN);
		assert_int_equal(p.check->wants.n, 1);
		assert_string_equal(p.check->wants.want[0].uri, uris[i]);
		assert_true(p.check->wants.want[0].configured);
		p.cache = rev_cache_add(p.cache, unreachable(&p.check->wants.want[0]), time(NULL));
	}
	assert_int_equal(pki_judge(cred, &p).error, 0);
	cred_check_free(p.check);
	rev_cache_unref(p.cache);
	pki_text("swanctl.conf", "");
	cred_unref(cred);
	cred = pki_load();
}

/* ---- the cache
 * ------------------------------------------------------------------------------------
 */
static void cache(void **state)
{
	struct rev_cache *c = rev_cache_new(), *before;
	struct rev_want w = {.kind = REV_CRL};
	uint8_t key[REV_KEY_LEN] = {0};
	int64_t now = 1000;

	(void)state;
	for (unsigned int i = 0; i < REV_ENTRIES_MAX + 50; i++) {
		w.key[0] = (uint8_t)i;
		w.key[1] = (uint8_t)(i >> 8);
		c = rev_cache_add(c, rev_entry_failed(&w, "x", now + i), now);
		assert_non_null(c);
	}
	assert_int_equal(c->n, REV_ENTRIES_MAX);
	assert_null(rev_cache_find(c, key, now)); /* the oldest went */
	key[0] = 200;
	assert_non_null(rev_cache_find(c, key, now));
	assert_null(rev_cache_find(c, key, now + 200 + REV_FAILED_S));
	/* whoever holds an older one keeps it; the same key is replaced */
	before = rev_cache_ref(c);
	memcpy(w.key, key, sizeof(key));
	c = rev_cache_add(c, rev_entry_failed(&w, "y", now + 1000), now);
	assert_int_equal(c->n, REV_ENTRIES_MAX);
	assert_string_equal(rev_cache_find(before, key, now)->why, "x");
	assert_string_equal(rev_cache_find(c, key, now)->why, "y");
	rev_cache_unref(before);
	/* too many bytes push out others, ended ones go at once */
	for (int i = 0; i < 40; i++) {
		struct rev_entry *e = rev_entry_failed(&w, "z", now + 2000);

		e->key[2] = (uint8_t)(i + 1);
		e->size = REV_BYTES_MAX / 16;
		c = rev_cache_add(c, e, now);
		assert_true(c->bytes <= REV_BYTES_MAX);
	}
	assert_true(c->n <= 16 && c->n >= 15);
	w.key[3] = 1;
	c = rev_cache_add(c, rev_entry_failed(&w, "last", now + 9000), now + 9000);
	assert_int_equal(c->n, 1);
	rev_cache_unref(c);
}

/* How long something is kept: until nextUpdate, but neither for ever nor not at
 * all. */
static void keeping(void **state)
{
	static const struct {
		int64_t next, want;
	} t[] = {{3600, 3600}, {-60, REV_FAILED_S}, {30, REV_FAILED_S}, {90 * DAY, REV_KEEP_MAX_S}};
	struct rev_want w = {.kind = REV_CRL};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		X509_CRL *c = pki_crl(&root, root.key, NULL, -3600, t[i].next);
		int64_t now = time(NULL);
		struct rev_entry *e = rev_entry_from(&w, crl_der(c), now);

		assert_non_null(e->crl);
		assert_true(e->until >= now + t[i].want - 5 && e->until <= now + t[i].want + 5);
		rev_entry_unref(e);
		X509_CRL_free(c);
	}
}

static int setup(void **state)
{
	(void)state;
	pki_open();
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		pki_make(all[i]);
	pki_put("x509ca/root.pem", &root);
	pki_put("x509ca/nocrl.pem", &no_crlsign);
	pki_text("swanctl.conf", "");
	cred = pki_load();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	cred_unref(cred);
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		pki_drop(all[i]);
	pki_close();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_known),
	    cmocka_unit_test(files),
	    cmocka_unit_test(forged_in_front),
	    cmocka_unit_test(revoked_intermediate),
	    cmocka_unit_test(crl_fetched),
	    cmocka_unit_test(answers),
	    cmocka_unit_test(both),
	    cmocka_unit_test(no_fetch_before_proof),
	    cmocka_unit_test(authorities),
	    cmocka_unit_test(cache),
	    cmocka_unit_test(keeping),
	};

	if (sig_init())
		return 1;
	log_set_level_all(0);
	return cmocka_run_group_tests_name("cred_revoke", tests, setup, teardown);
}
