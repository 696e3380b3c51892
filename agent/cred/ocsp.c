/* SPDX-License-Identifier: BSD-2-Clause */
#include "cred_int.h"

#include <openssl/err.h>
#include <openssl/rand.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SKEW_S = 300, NO_NEXT_UPDATE_S = 300 };

static int key_of(const char *kind, const char *uri, struct slice more, uint8_t key[REV_KEY_LEN])
{
	struct slice parts[] = {slice_of(kind, strlen(kind) + 1), slice_of(uri, strlen(uri) + 1),
				more};

	return sha256(parts, 3, key);
}

int ocsp_key(X509 *cert, X509 *issuer, const char *uri, uint8_t key[REV_KEY_LEN])
{
	OCSP_CERTID *id = OCSP_cert_to_id(NULL, cert, issuer);
	unsigned char *der = NULL;
	int n = id ? i2d_OCSP_CERTID(id, &der) : -1;
	int r = n > 0 ? key_of("ocsp", uri, slice_of(der, (size_t)n), key) : -ENOMEM;

	OPENSSL_free(der);
	OCSP_CERTID_free(id);
	ERR_clear_error();
	return r;
}

int ocsp_request(X509 *cert, X509 *issuer, struct rev_want *w)
{
	OCSP_REQUEST *q = OCSP_REQUEST_new();
	OCSP_CERTID *id = OCSP_cert_to_id(NULL, cert, issuer);
	uint8_t *at = w->request;
	int n = -1;

	if (q && id && !crypt_random(w->nonce, sizeof(w->nonce)) && OCSP_request_add0_id(q, id)) {
		id = NULL;
		// RFC 8954 2.1: 32 octets
		if (OCSP_request_add1_nonce(q, w->nonce, sizeof(w->nonce)))
			n = i2d_OCSP_REQUEST(q, NULL);
	}
	if (n > 0 && n <= REV_REQUEST_MAX)
		w->request_len = (size_t)i2d_OCSP_REQUEST(q, &at);
	OCSP_CERTID_free(id);
	OCSP_REQUEST_free(q);
	ERR_clear_error();
	return n > 0 && n <= REV_REQUEST_MAX ? 0 : -ENOMEM;
}

static OCSP_RESPONSE *answer_of(struct slice b)
{
	const uint8_t *at = b.p;
	OCSP_RESPONSE *a = b.n ? d2i_OCSP_RESPONSE(NULL, &at, (long)b.n) : NULL;

	if (a && at != b.p + b.n) {
		OCSP_RESPONSE_free(a);
		a = NULL;
	}
	return a;
}

/* Certificates of x509ocsp are trusted as responders as they are. */
static STACK_OF(X509) * responders(const struct cred *c)
{
	STACK_OF(X509) *s = sk_X509_new_null();

	for (unsigned int i = 0; s && i < c->n_items; i++)
		if (c->item[i]->kind == CRED_OCSP)
			sk_X509_push(s, c->item[i]->x);
	return s;
}

/* RFC 6960 4.2.2.2: signed by the issuer, by one whom the issuer appointed, or by one of ours. */
static bool is_signed(const struct cred *c, OCSP_BASICRESP *b, X509 *issuer, int64_t now)
{
	STACK_OF(X509) *ours = responders(c), *above = sk_X509_new_null();
	X509_STORE *store = X509_STORE_new();
	bool ok = false;

	if (ours && above && store && X509_STORE_add_cert(store, issuer) &&
	    sk_X509_push(above, issuer) > 0) {
		X509_VERIFY_PARAM *p = X509_STORE_get0_param(store);

		X509_VERIFY_PARAM_set_time(p, (time_t)now);
		X509_VERIFY_PARAM_set_depth(p, 2);
		X509_VERIFY_PARAM_set_auth_level(p, 2);
		X509_VERIFY_PARAM_set_flags(p, X509_V_FLAG_PARTIAL_CHAIN);
		ok = OCSP_basic_verify(b, above, store, 0) == 1 ||
		     (sk_X509_num(ours) > 0 &&
		      OCSP_basic_verify(b, ours, store, OCSP_TRUSTOTHER) == 1);
	}
	X509_STORE_free(store);
	sk_X509_free(above);
	sk_X509_free(ours);
	return ok;
}

/* RFC 6960 3.2: thisUpdate and nextUpdate around now. Without the latter it is good for a while. */
static bool is_recent(const ASN1_GENERALIZEDTIME *from, const ASN1_GENERALIZEDTIME *to, int64_t now)
{
	int64_t a = asn1_seconds(from), b = to ? asn1_seconds(to) : 0;

	if (a == INT64_MIN || a > now + SKEW_S)
		return false;
	if (!to)
		b = a + NO_NEXT_UPDATE_S;
	return b >= a && b + SKEW_S >= now;
}

static enum rev_status status_of(OCSP_BASICRESP *b, X509 *cert, X509 *issuer, int64_t now,
				 const char **why)
{
	ASN1_GENERALIZEDTIME *from, *to;
	OCSP_CERTID *id = OCSP_cert_to_id(NULL, cert, issuer);
	int status, ok = id && OCSP_resp_find_status(b, id, &status, NULL, NULL, &from, &to);

	OCSP_CERTID_free(id);
	if (!ok)
		*why = "the OCSP answer is about another certificate";
	else if (!is_recent(from, to, now))
		*why = "the OCSP answer is not of now";
	else if (status == V_OCSP_CERTSTATUS_GOOD)
		return REV_GOOD;
	else if (status == V_OCSP_CERTSTATUS_REVOKED)
		return REV_REVOKED;
	else
		*why = "the OCSP responder does not know the certificate";
	return REV_UNKNOWN;
}

enum rev_status ocsp_status(const struct cred *c, struct slice answer, X509 *cert, X509 *issuer,
			    int64_t now, char *why, size_t n)
{
	OCSP_RESPONSE *a = answer_of(answer);
	OCSP_BASICRESP *b = a && OCSP_response_status(a) == OCSP_RESPONSE_STATUS_SUCCESSFUL
				? OCSP_response_get1_basic(a)
				: NULL;
	enum rev_status s = REV_UNKNOWN;
	const char *text = "malformed OCSP answer";

	if (b && !is_signed(c, b, issuer, now))
		text = "the OCSP answer is not signed by who may";
	else if (b)
		s = status_of(b, cert, issuer, now, &text);
	if (s == REV_UNKNOWN)
		snprintf(why, n, "%s", text);
	OCSP_BASICRESP_free(b);
	OCSP_RESPONSE_free(a);
	ERR_clear_error();
	return s;
}

/* ---- entries of the cache
 * ---------------------------------------------------------------------------- */
static struct rev_entry *entry_new(const struct rev_want *w)
{
	struct rev_entry *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	atomic_init(&e->refs, 1);
	memcpy(e->key, w->key, sizeof(e->key));
	e->size = sizeof(*e);
	return e;
}

struct rev_entry *rev_entry_failed(const struct rev_want *w, const char *why, int64_t now)
{
	struct rev_entry *e = entry_new(w);

	if (!e)
		return NULL;
	snprintf(e->why, sizeof(e->why), "%s", why);
	e->until = now + REV_FAILED_S;
	return e;
}

static int64_t keep_until(int64_t next, int64_t now)
{
	if (next <= now + REV_FAILED_S) /* old when it came: asked for again, but not at once */
		return now + REV_FAILED_S;
	return next > now + REV_KEEP_MAX_S ? now + REV_KEEP_MAX_S : next;
}

static struct rev_entry *crl_entry(const struct rev_want *w, struct slice body, int64_t now)
{
	const uint8_t *at = body.p;
	X509_CRL *crl = body.n ? d2i_X509_CRL(NULL, &at, (long)body.n) : NULL;
	const ASN1_TIME *next;
	struct rev_entry *e;

	ERR_clear_error();
	if (!crl || at != body.p + body.n) {
		X509_CRL_free(crl);
		return rev_entry_failed(w, "what was fetched is no CRL", now);
	}
	e = entry_new(w);
	if (!e) {
		X509_CRL_free(crl);
		return NULL;
	}
	next = X509_CRL_get0_nextUpdate(crl);
	e->crl = crl;
	e->size += 4 * body.n; /* about what the parsed form takes */
	e->until = keep_until(next ? asn1_seconds(next) : 0, now);
	return e;
}

/* Zero when the answer repeats another nonce than we sent; one without any is allowed. */
static int nonce_fits(OCSP_BASICRESP *b, const struct rev_want *w)
{
	const uint8_t *at = w->request;
	OCSP_REQUEST *q = d2i_OCSP_REQUEST(NULL, &at, (long)w->request_len);
	int r = q ? OCSP_check_nonce(q, b) : 0;

	OCSP_REQUEST_free(q);
	// RFC 6960 4.4.1: responders may leave it out, then thisUpdate must do
	return r == 1 || r == -1;
}

static int64_t answer_end(OCSP_BASICRESP *b, int64_t now)
{
	int64_t end = INT64_MAX;

	for (int i = 0; i < OCSP_resp_count(b); i++) {
		ASN1_GENERALIZEDTIME *from, *to = NULL;
		int64_t t;

		OCSP_single_get0_status(OCSP_resp_get0(b, i), NULL, NULL, &from, &to);
		t = to ? asn1_seconds(to) : now + NO_NEXT_UPDATE_S;
		end = t < end ? t : end;
	}
	return end;
}

static struct rev_entry *ocsp_entry(const struct rev_want *w, struct slice body, int64_t now)
{
	OCSP_RESPONSE *a = answer_of(body);
	OCSP_BASICRESP *b = NULL;
	struct rev_entry *e = NULL;

	if (!a)
		e = rev_entry_failed(w, "what was fetched is no OCSP answer", now);
	else if (OCSP_response_status(a) != OCSP_RESPONSE_STATUS_SUCCESSFUL)
		e = rev_entry_failed(w, OCSP_response_status_str(OCSP_response_status(a)), now);
	else if (!(b = OCSP_response_get1_basic(a)) || !OCSP_resp_count(b))
		e = rev_entry_failed(w, "empty OCSP answer", now);
	else if (!nonce_fits(b, w))
		e = rev_entry_failed(w, "the OCSP answer has another nonce", now);
	else if ((e = entry_new(w)) && (e->ocsp = malloc(body.n))) {
		memcpy(e->ocsp, body.p, body.n);
		e->ocsp_len = body.n;
		e->size += body.n;
		e->until = keep_until(answer_end(b, now), now);
	} else {
		rev_entry_unref(e);
		e = NULL;
	}
	OCSP_BASICRESP_free(b);
	OCSP_RESPONSE_free(a);
	ERR_clear_error();
	return e;
}

struct rev_entry *rev_entry_from(const struct rev_want *w, struct slice body, int64_t now)
{
	return w->kind == REV_CRL ? crl_entry(w, body, now) : ocsp_entry(w, body, now);
}
