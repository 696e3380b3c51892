/* SPDX-License-Identifier: BSD-2-Clause */
#include "cred_int.h"

#include <openssl/err.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/*
 * Is a certificate revoked? For each of the chain but the anchor, the first of these that knows:
 * a CRL at hand that revokes it; OCSP; CRLs, at hand or fetched. URIs come from the configuration
 * and from certificates whose path was verified before anybody asks here.
 */
struct uris {
	char uri[2 * CRED_URIS_MAX][CRED_URI_MAX];
	bool configured[2 * CRED_URIS_MAX];
	unsigned int n;
	bool any; /* of any scheme */
};

struct asking {
	const struct cred *cred;
	const struct rev_cache *cache;
	X509 *cert, *issuer;
	int64_t now;
	bool final;
	struct rev_wants *wants;
	struct uris ocsp, crl;
	char why[128];
};

static void uri_add(struct uris *u, const char *p, size_t n, bool configured)
{
	char *to = u->uri[u->n < 2 * CRED_URIS_MAX ? u->n : 0];

	u->any = true;
	if (u->n == 2 * CRED_URIS_MAX || n >= CRED_URI_MAX || n < 8 || strncasecmp(p, "http://", 7))
		return;
	for (size_t i = 0; i < n; i++)
		if (p[i] <= ' ' || p[i] >= 0x7f)
			return;
	memcpy(to, p, n);
	to[n] = '\0';
	for (unsigned int i = 0; i < u->n; i++)
		if (!strcmp(u->uri[i], to))
			return;
	u->configured[u->n++] = configured;
}

static void name_add(struct uris *u, const GENERAL_NAME *g)
{
	int type;
	const ASN1_STRING *s = GENERAL_NAME_get0_value(g, &type);

	if (type == GEN_URI)
		uri_add(u, (const char *)ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s),
			false);
}

static void crl_points(struct asking *a)
{
	STACK_OF(DIST_POINT) *points =
	    X509_get_ext_d2i(a->cert, NID_crl_distribution_points, NULL, NULL);

	for (int i = 0; i < sk_DIST_POINT_num(points); i++) {
		const DIST_POINT *p = sk_DIST_POINT_value(points, i);

		/* another issuer's CRL, or one for some reasons alone, is not what we can use */
		if (!p->distpoint || p->distpoint->type != 0 || p->CRLissuer || p->reasons)
			continue;
		for (int k = 0; k < sk_GENERAL_NAME_num(p->distpoint->name.fullname); k++)
			name_add(&a->crl, sk_GENERAL_NAME_value(p->distpoint->name.fullname, k));
	}
	sk_DIST_POINT_pop_free(points, DIST_POINT_free);
}

static void ocsp_points(struct asking *a)
{
	AUTHORITY_INFO_ACCESS *info = X509_get_ext_d2i(a->cert, NID_info_access, NULL, NULL);

	for (int i = 0; i < sk_ACCESS_DESCRIPTION_num(info); i++) {
		const ACCESS_DESCRIPTION *d = sk_ACCESS_DESCRIPTION_value(info, i);

		if (OBJ_obj2nid(d->method) == NID_ad_OCSP)
			name_add(&a->ocsp, d->location);
	}
	AUTHORITY_INFO_ACCESS_free(info);
}

static void uris_collect(struct asking *a)
{
	for (unsigned int i = 0; i < a->cred->n_authorities; i++) {
		const struct cred_authority *au = &a->cred->authority[i];

		if (X509_cmp(au->ca->x, a->issuer) != 0)
			continue;
		for (unsigned int k = 0; k < au->n_ocsp; k++)
			uri_add(&a->ocsp, au->ocsp_uri[k], strlen(au->ocsp_uri[k]), true);
		for (unsigned int k = 0; k < au->n_crl; k++)
			uri_add(&a->crl, au->crl_uri[k], strlen(au->crl_uri[k]), true);
	}
	crl_points(a);
	ocsp_points(a);
	ERR_clear_error();
}

static int crl_key(const char *uri, uint8_t key[REV_KEY_LEN])
{
	static const char kind[] = "crl";
	struct slice parts[] = {slice_of(kind, sizeof(kind)), slice_of(uri, strlen(uri) + 1)};

	return sha256(parts, 2, key);
}

/* Asks for one URI, when there is still somebody to ask. */
static bool want(struct asking *a, enum rev_kind kind, const char *uri, bool configured,
		 const uint8_t key[REV_KEY_LEN])
{
	struct rev_want *w;

	if (a->final || a->wants->n == REV_WANTS_MAX)
		return false;
	w = &a->wants->want[a->wants->n];
	*w = (struct rev_want){.kind = kind, .configured = configured};
	memcpy(w->key, key, REV_KEY_LEN);
	snprintf(w->uri, sizeof(w->uri), "%s", uri);
	if (kind == REV_OCSP && ocsp_request(a->cert, a->issuer, w))
		return false;
	a->wants->n++;
	return true;
}

/* ---- CRLs
 * ---------------------------------------------------------------------------------------------- */
/* Only CRLs that the issuer has signed count: a forged one cannot stand in front of a true one. */
static void crl_offer(struct asking *a, STACK_OF(X509_CRL) * to, X509_CRL *crl)
{
	EVP_PKEY *key = X509_get0_pubkey(a->issuer);

	if (X509_NAME_cmp(X509_CRL_get_issuer(crl), X509_get_subject_name(a->issuer)) != 0)
		return;
	if (!key || X509_CRL_verify(crl, key) != 1)
		snprintf(a->why, sizeof(a->why), "the CRL is not signed by the issuer");
	else
		sk_X509_CRL_push(to, crl);
}

/* One that is old or not valid yet still revokes what it lists; what else is wrong ends the check.
 */
static int on_crl_error(int ok, X509_STORE_CTX *ctx)
{
	int e = X509_STORE_CTX_get_error(ctx);
	int *late = X509_STORE_CTX_get_app_data(ctx);

	if (!ok && (e == X509_V_ERR_CRL_HAS_EXPIRED || e == X509_V_ERR_CRL_NOT_YET_VALID)) {
		*late = e;
		return 1;
	}
	return ok;
}

static enum rev_status crls_ask(struct asking *a, STACK_OF(X509_CRL) * crls)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	STACK_OF(X509) *anchor = sk_X509_new_null();
	int ok = 0, e = X509_V_ERR_OUT_OF_MEM, late = 0;

	if (store && ctx && anchor && sk_X509_push(anchor, a->issuer) > 0 &&
	    X509_STORE_CTX_init(ctx, store, a->cert, NULL)) {
		X509_VERIFY_PARAM *p = X509_STORE_CTX_get0_param(ctx);

		X509_STORE_CTX_set0_trusted_stack(ctx, anchor);
		X509_STORE_CTX_set0_crls(ctx, crls);
		X509_VERIFY_PARAM_set_time(p, (time_t)a->now);
		X509_VERIFY_PARAM_set_flags(p, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_CRL_CHECK);
		X509_STORE_CTX_set_app_data(ctx, &late);
		X509_STORE_CTX_set_verify_cb(ctx, on_crl_error);
		ok = X509_verify_cert(ctx) == 1;
		e = X509_STORE_CTX_get_error(ctx);
	}
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	sk_X509_free(anchor);
	ERR_clear_error();
	if (!ok && e == X509_V_ERR_CERT_REVOKED)
		return REV_REVOKED;
	if (ok && !late)
		return REV_GOOD;
	if (sk_X509_CRL_num(crls) > 0 || !a->why[0])
		snprintf(a->why, sizeof(a->why), "%s",
			 X509_verify_cert_error_string(late ? late : e));
	return REV_UNKNOWN;
}

static enum rev_status crl_status(struct asking *a)
{
	STACK_OF(X509_CRL) *crls = sk_X509_CRL_new_null();
	enum rev_status s = REV_UNKNOWN;
	uint8_t key[REV_KEY_LEN];

	for (unsigned int i = 0; crls && i < a->cred->n_items; i++)
		if (a->cred->item[i]->kind == CRED_CRL)
			crl_offer(a, crls, a->cred->item[i]->crl);
	for (unsigned int i = 0; crls && i < a->crl.n; i++) {
		const struct rev_entry *e =
		    crl_key(a->crl.uri[i], key) ? NULL : rev_cache_find(a->cache, key, a->now);

		if (e && e->crl)
			crl_offer(a, crls, e->crl);
		else if (e)
			snprintf(a->why, sizeof(a->why), "%s", e->why);
	}
	if (crls && sk_X509_CRL_num(crls) > 0)
		s = crls_ask(a, crls);
	else if (!a->why[0])
		snprintf(a->why, sizeof(a->why), "no CRL of its issuer");
	sk_X509_CRL_free(crls);
	return s;
}

static bool crl_fetch(struct asking *a)
{
	uint8_t key[REV_KEY_LEN];

	for (unsigned int i = 0; i < a->crl.n; i++)
		if (!crl_key(a->crl.uri[i], key) && !rev_cache_find(a->cache, key, a->now))
			return want(a, REV_CRL, a->crl.uri[i], a->crl.configured[i], key);
	return false;
}

/* ---- OCSP
 * -----------------------------------------------------------------------------------------------
 */
/* The first responder that knows; *fetch when one has yet to be asked. */
static enum rev_status ocsp_ask(struct asking *a, bool *fetch)
{
	uint8_t key[REV_KEY_LEN];

	for (unsigned int i = 0; i < a->ocsp.n; i++) {
		const struct rev_entry *e;
		enum rev_status s;

		if (ocsp_key(a->cert, a->issuer, a->ocsp.uri[i], key))
			return REV_UNKNOWN;
		e = rev_cache_find(a->cache, key, a->now);
		if (!e) {
			*fetch = want(a, REV_OCSP, a->ocsp.uri[i], a->ocsp.configured[i], key);
			if (*fetch)
				return REV_UNKNOWN;
			continue;
		}
		if (!e->ocsp) {
			snprintf(a->why, sizeof(a->why), "%s", e->why);
			continue;
		}
		s = ocsp_status(a->cred, slice_of(e->ocsp, e->ocsp_len), a->cert, a->issuer, a->now,
				a->why, sizeof(a->why));
		if (s != REV_UNKNOWN)
			return s;
	}
	return REV_UNKNOWN;
}

/* -EAGAIN while something is to be fetched, else 0 and what is known. */
static int one_status(struct asking *a, enum rev_status *out)
{
	enum rev_status crl;
	bool fetch = false;

	uris_collect(a);
	crl = crl_status(a);
	*out = crl;
	if (crl == REV_REVOKED)
		return 0;
	*out = ocsp_ask(a, &fetch);
	if (fetch)
		return -EAGAIN;
	if (*out != REV_UNKNOWN)
		return 0;
	*out = crl;
	return crl == REV_UNKNOWN && crl_fetch(a) ? -EAGAIN : 0;
}

static int refuse(char text[CRED_TEXT_MAX], X509 *x, const char *what, const char *why)
{
	char subject[CRED_TEXT_MAX];

	name_str(X509_get_subject_name(x), subject, sizeof(subject));
	snprintf(text, CRED_TEXT_MAX, "certificate '%.110s': %s%s%.90s", subject, what,
		 why[0] ? ": " : "", why);
	return -EACCES;
}

int rev_check(const struct cred *c, const struct rev_cache *cache, const struct cred_chain *ch,
	      enum cred_revocation policy, int64_t now, bool final, struct rev_wants *wants,
	      char text[CRED_TEXT_MAX])
{
	wants->n = 0;
	for (unsigned int i = 0; i + 1 < ch->n; i++) {
		struct asking a = {.cred = c,
				   .cache = cache,
				   .cert = ch->cert[i],
				   .issuer = ch->cert[i + 1],
				   .now = now,
				   .final = final,
				   .wants = wants};
		enum rev_status s = REV_UNKNOWN;

		if (one_status(&a, &s))
			continue;
		if (s == REV_REVOKED)
			return refuse(text, a.cert, "revoked", "");
		if (s == REV_GOOD)
			continue;
		if (policy == CRED_REVOCATION_STRICT ||
		    (policy == CRED_REVOCATION_IFURI && (a.ocsp.any || a.crl.any)))
			return refuse(text, a.cert, "its revocation status is not known", a.why);
	}
	return wants->n ? -EAGAIN : 0;
}
