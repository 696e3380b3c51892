/* SPDX-License-Identifier: BSD-2-Clause */
#include "cred_int.h"

#include <openssl/err.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/*
 * One verification, from the peer's bytes to a verdict. It begins with what is cheap and what
 * proves most: the signature of AUTH, so that nobody has paths built, or URIs fetched, for a
 * certificate whose key he does not have. Then the identity, the path, the rules, and whether it
 * was revoked.
 */

static int say(struct cred_check *v, int error, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static int say(struct cred_check *v, int error, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(v->verdict.text, sizeof(v->verdict.text), fmt, ap);
	va_end(ap);
	return error;
}

static struct slice cert_bytes(const struct cred_check *v, unsigned int i)
{
	return slice_of(v->bytes + v->cert[i].at, v->cert[i].n);
}

/* The key may sign so, and did. */
static int check_signature(struct cred_check *v, struct slice spki, struct slice signature)
{
	struct cred_verdict *o = &v->verdict;
	const char *why = "";
	int r = sig_key_check(spki, &o->key, &why);

	if (r)
		return say(v, r, "the peer's key: %s", why);
	if (!sig_key_fits(&o->key, o->scheme))
		return say(v, -EBADMSG, "%s does not fit the peer's %s key of %u bits",
			   sig_scheme_name(o->scheme), sig_key_type_name(o->key.type), o->key.bits);
	if (!sig_allowed(&v->rules.sig, &o->key, o->scheme, v->hashes))
		return say(v, -EKEYREJECTED, "%s with an %s key of %u bits is not allowed",
			   sig_scheme_name(o->scheme), sig_key_type_name(o->key.type), o->key.bits);
	r = sig_verify(o->scheme, spki, v->octets, signature);
	return r ? say(v, r, "the peer's signature (%s) is wrong", sig_scheme_name(o->scheme)) : 0;
}

static struct slice spki_of(X509 *x, unsigned char **der)
{
	int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), der);

	return slice_of(*der, n > 0 ? (size_t)n : 0);
}

/* ---- a certificate
 * -------------------------------------------------------------------------------- */
static int check_cert(struct cred_check *v, X509 *leaf, STACK_OF(X509) * received,
		      struct slice signature)
{
	struct cred_verdict *o = &v->verdict;
	struct cred_chain chain;
	unsigned char *der = NULL;
	char id[ID_STRLEN];
	int r = check_signature(v, spki_of(leaf, &der), signature);

	OPENSSL_free(der);
	if (r)
		return r;
	name_str(X509_get_subject_name(leaf), o->subject, sizeof(o->subject));
	// RFC 7296 3.5: the certificate must contain the identity
	o->reason = CRED_OTHER_ID;
	if (!cert_has_id(leaf, &o->key, &v->id))
		return say(v, -EACCES, "certificate '%.100s' does not carry the identity '%.100s'",
			   o->subject, id_str(&v->id, id));
	r = cred_path_build(v->cred, &v->rules, leaf, received, v->now, &chain, o->text);
	o->reason = r == -ETIME ? CRED_NOT_VALID_NOW : CRED_UNTRUSTED;
	if (r == -ETIME)
		return -EACCES;
	if (r)
		return r == -ENOMEM ? say(v, r, "out of memory") : r;
	name_str(X509_get_subject_name(chain.cert[chain.n - 1]), o->ca, sizeof(o->ca));
	o->not_after = chain.not_after;
	r = rev_check(v->cred, v->cache, &chain, v->rules.revocation, v->now, v->final, &v->wants,
		      o->text);
	cred_chain_free(&chain);
	if (r == -EACCES)
		o->reason = CRED_REVOKED;
	if (!r)
		say(v, 0, "certificate '%.100s', issued below '%.60s', %s", o->subject, o->ca,
		    sig_scheme_name(o->scheme));
	return r;
}

static X509 *cert_decode(struct slice b)
{
	const uint8_t *at = b.p;
	X509 *x = b.n ? d2i_X509(NULL, &at, (long)b.n) : NULL;

	if (x && at != b.p + b.n) {
		X509_free(x);
		x = NULL;
	}
	return x;
}

/* RFC 7296 3.6: the first certificate is that of the key that signed, the others help. */
static int check_received(struct cred_check *v, struct slice signature)
{
	STACK_OF(X509) *received = sk_X509_new_null();
	X509 *leaf = NULL;
	int r = received ? 0 : -ENOMEM;

	for (unsigned int i = 0; !r && i < v->n_certs; i++) {
		X509 *x;

		if (v->cert[i].encoding != CERT_X509)
			continue;
		x = cert_decode(cert_bytes(v, i));
		if (!x)
			r = say(v, -EBADMSG, "CERT payload %u is no certificate", i + 1);
		else if (!leaf)
			leaf = x;
		else if (sk_X509_push(received, x) <= 0) {
			X509_free(x);
			r = -ENOMEM;
		}
	}
	if (!r)
		r = check_cert(v, leaf, received, signature);
	X509_free(leaf);
	sk_X509_pop_free(received, X509_free);
	return r;
}

/* No CERT came: the certificates at hand of this peer. One whose key signed is judged alone. */
static int check_at_hand(struct cred_check *v, struct slice signature)
{
	const struct cred_item *item[CRED_NAMED_MAX];
	STACK_OF(X509) *none = sk_X509_new_null();
	unsigned int n = 0, from = 0;
	int r = -ENOENT;

	if (v->rules.certs[0]) {
		n = cred_items_named(v->cred, CRED_CERT, v->rules.certs, item, CRED_NAMED_MAX);
	} else {
		const struct cred_item *i;

		while (n < CRED_NAMED_MAX && (i = cred_item_next(v->cred, CRED_CERT, NULL, &from)))
			if (cert_has_id(i->x, &i->key, &v->id))
				item[n++] = i;
	}
	for (unsigned int i = 0; i < n && none; i++) {
		r = check_cert(v, item[i]->x, none, signature);
		if (r != -EBADMSG && r != -EKEYREJECTED)
			break;
	}
	sk_X509_free(none);
	return r;
}

/* ---- raw public keys (RFC 7670)
 * ------------------------------------------------------------------ */
/* The keys that the connection names are trusted for the identity that it expects. */
static int check_raw(struct cred_check *v, const struct slice *received, struct slice signature)
{
	const struct cred_item *item[CRED_NAMED_MAX];
	unsigned int n =
	    cred_items_named(v->cred, CRED_PUBKEY, v->rules.pubkeys, item, CRED_NAMED_MAX);
	int r = -ENOENT;

	for (unsigned int i = 0; i < n; i++) {
		struct slice spki = slice_of(item[i]->spki, item[i]->spki_len);

		if (received &&
		    (spki.n != received->n || !secret_equal(spki.p, received->p, spki.n)))
			continue;
		r = check_signature(v, spki, signature);
		if (!r)
			return say(v, 0, "raw public key %.120s, %s", item[i]->file,
				   sig_scheme_name(v->verdict.scheme));
		if (r != -EBADMSG && r != -EKEYREJECTED)
			return r;
	}
	if (received && r == -ENOENT)
		return say(v, -EACCES, "the peer's raw public key is not one of `pubkeys`");
	return r;
}

static const char *encoding_text(const struct cred_check *v)
{
	if (!v->n_certs)
		return "the peer sent no certificate, and there is none at hand for it";
	if (v->cert[0].encoding == 12 || v->cert[0].encoding == 13)
		return "the peer sent hash and URL of a certificate, which is not supported";
	return "the peer sent no certificate of an encoding that is supported";
}

static int check(struct cred_check *v)
{
	struct slice signature, raw;
	bool has_cert = false, has_raw = false;
	int r = sig_auth_read(v->method, v->auth, &v->verdict.scheme, &signature);

	if (r)
		return say(v, r,
			   r == -ENOTSUP ? "authentication method or signature algorithm is not "
					   "supported (method %u)"
					 : "malformed AUTH payload (method %u)",
			   v->method);
	for (unsigned int i = 0; i < v->n_certs && !has_cert && !has_raw; i++) {
		has_cert = v->cert[i].encoding == CERT_X509;
		has_raw = v->cert[i].encoding == CERT_RAW_PUBLIC_KEY;
		raw = cert_bytes(v, i);
	}
	if (has_raw)
		return check_raw(v, &raw, signature);
	/* who lists raw keys and nothing else takes nothing else */
	if (v->rules.pubkeys[0] && !v->rules.certs[0] && !v->rules.cacerts[0] && has_cert)
		return say(v, -EACCES, "a certificate, but the connection takes `pubkeys` alone");
	if (has_cert)
		return check_received(v, signature);
	r = check_raw(v, NULL, signature);
	if (r == -ENOENT || (r && v->rules.certs[0]))
		r = check_at_hand(v, signature);
	if (r != -ENOENT)
		return r;
	v->verdict.reason = CRED_NO_CERT;
	return say(v, -EACCES, "%s", encoding_text(v));
}

void cred_check_run(struct cred_check *v)
{
	int r;

	v->verdict = (struct cred_verdict){0};
	v->wants.n = 0;
	r = check(v);
	if (r == -ENOMEM && !v->verdict.text[0])
		say(v, r, "out of memory");
	if (r == -ENOENT)
		r = -EACCES;
	v->verdict.error = r;
	ERR_clear_error();
}

/* ---- the copy
 * ----------------------------------------------------------------------------------------- */
static struct slice copy(struct cred_check *v, size_t *at, struct slice from)
{
	uint8_t *to = v->bytes + *at;

	if (from.n)
		memcpy(to, from.p, from.n);
	*at += from.n;
	return slice_of(to, from.n);
}

struct cred_check *cred_check_new(struct cred *c, struct rev_cache *cache,
				  const struct cred_peer *p)
{
	size_t n = p->id.data.n + p->auth.n + p->octets.n, at = 0;
	struct cred_check *v;

	for (unsigned int i = 0; i < p->n_certs && i < IKE_CERTS_MAX; i++)
		n += p->cert[i].data.n;
	if (p->n_certs > IKE_CERTS_MAX || p->id.data.n > IKE_ID_MAX || n > 4 * IKE_MSG_MAX) {
		errno = EMSGSIZE;
		return NULL;
	}
	v = calloc(1, sizeof(*v) + n);
	if (!v)
		return NULL;
	v->cred = cred_ref(c);
	v->cache = rev_cache_ref(cache);
	v->rules = *p->rules;
	v->method = p->method;
	v->hashes = p->hashes;
	v->n_bytes = n;
	v->id.type = p->id.type;
	v->id.data = copy(v, &at, p->id.data);
	v->auth = copy(v, &at, p->auth);
	v->octets = copy(v, &at, p->octets);
	for (unsigned int i = 0; i < p->n_certs; i++) {
		v->cert[i].encoding = p->cert[i].encoding;
		v->cert[i].at = (uint32_t)at;
		v->cert[i].n = (uint32_t)copy(v, &at, p->cert[i].data).n;
	}
	v->n_certs = p->n_certs;
	v->now = time(NULL);
	return v;
}

void cred_check_free(struct cred_check *v)
{
	if (!v)
		return;
	cred_unref(v->cred);
	rev_cache_unref(v->cache);
	free(v);
}
