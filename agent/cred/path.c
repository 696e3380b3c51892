/* SPDX-License-Identifier: BSD-2-Clause */
#include "cred_int.h"

#include "common/settings_table.h"

#include <openssl/err.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/*
 * Path building is OpenSSL's. Intermediates, whoever sent them, are never trusted; anchors are, and
 * only they end a path: those of the snapshot, and those that the connection names.
 */

static int say(char text[CRED_TEXT_MAX], int error, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static int say(char text[CRED_TEXT_MAX], int error, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, CRED_TEXT_MAX, fmt, ap);
	va_end(ap);
	return error;
}

/* "subject: text", the subject shortened so that the text stays whole. */
static int say_of(char text[CRED_TEXT_MAX], int error, const X509 *x, const char *what)
{
	char subject[CRED_TEXT_MAX];

	name_str(X509_get_subject_name(x), subject, sizeof(subject));
	return say(text, error, "certificate '%.110s': %.110s", subject, what);
}

static bool trusts(const struct cred_rules *rules, const struct cred *c, const struct cred_item *i)
{
	return i->kind == CRED_CA && i->anchor &&
	       (!i->named_only || cred_item_in(c, CRED_CA, rules->cacerts, i->x));
}

/* The leaf itself, when the connection names it and no CA stands above it. */
static bool pin(const struct cred *c, const struct cred_rules *rules, X509 *leaf,
		STACK_OF(X509) * anchors)
{
	return cred_item_in(c, CRED_CERT, rules->certs, leaf) && sk_X509_push(anchors, leaf) > 0;
}

static bool stacks_fill(const struct cred *c, const struct cred_rules *rules,
			STACK_OF(X509) * anchors, STACK_OF(X509) * untrusted)
{
	for (unsigned int k = 0; k < c->n_items; k++) {
		const struct cred_item *i = c->item[k];
		STACK_OF(X509) *to = NULL;

		if (trusts(rules, c, i))
			to = anchors;
		else if ((i->kind == CRED_CA && !i->anchor) ||
			 (i->kind == CRED_CERT && X509_check_ca(i->x) > 0))
			to = untrusted;
		if (to && sk_X509_push(to, i->x) <= 0)
			return false;
	}
	return true;
}

static const struct cred_item *item_of(const struct cred *c, const X509 *x)
{
	for (unsigned int k = 0; k < c->n_items; k++)
		if (c->item[k]->kind == CRED_CA && X509_cmp(c->item[k]->x, x) == 0)
			return c->item[k];
	return NULL;
}

/* 0 and the chain, or X509_V_ERR_* and the certificate it is about (a reference). */
static int verify(X509 *leaf, STACK_OF(X509) * anchors, STACK_OF(X509) * untrusted, int64_t now,
		  struct cred_chain *out, X509 **about)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	X509_VERIFY_PARAM *p;
	int r = X509_V_ERR_OUT_OF_MEM;

	*about = NULL;
	if (!store || !ctx || !X509_STORE_CTX_init(ctx, store, leaf, untrusted))
		goto out;
	X509_STORE_CTX_set0_trusted_stack(ctx, anchors);
	p = X509_STORE_CTX_get0_param(ctx);
	X509_VERIFY_PARAM_set_time(p, (time_t)now);
	X509_VERIFY_PARAM_set_depth(p, CRED_CHAIN_MAX - 1);
	/* 112 bits: no RSA below 2048, no signature with SHA-1 or MD5 */
	X509_VERIFY_PARAM_set_auth_level(p, 2);
	// RFC 5280 6.1: policy constraints of CAs hold, though we ask for no policy
	X509_VERIFY_PARAM_set_flags(p, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_POLICY_CHECK);
	r = X509_verify_cert(ctx) == 1 ? X509_V_OK : X509_STORE_CTX_get_error(ctx);
	if (r == X509_V_OK) {
		STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(ctx);

		for (int i = 0; i < sk_X509_num(chain) && out->n < CRED_CHAIN_MAX + 2; i++) {
			X509 *x = sk_X509_value(chain, i);

			X509_up_ref(x);
			out->cert[out->n++] = x;
		}
	} else if ((*about = X509_STORE_CTX_get_current_cert(ctx))) {
		X509_up_ref(*about);
	}
out:
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	ERR_clear_error();
	return r;
}

static bool unrooted(int error)
{
	return error == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
	       error == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT ||
	       error == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT ||
	       error == X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN ||
	       error == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE;
}

/* ---- what X509_verify_cert does not look at
 * ------------------------------------------------------ */
static int check_usage(X509 *leaf, char text[CRED_TEXT_MAX])
{
	static const char *const allowed[] = {
	    "2.5.29.37.0",						    /* any */
	    "1.3.6.1.5.5.7.3.17",					    /* ipsecIKE */
	    "1.3.6.1.5.5.8.2.2",					    /* its forerunner */
	    "1.3.6.1.5.5.7.3.5",  "1.3.6.1.5.5.7.3.6", "1.3.6.1.5.5.7.3.7", /* IPsec of old */
	    "1.3.6.1.5.5.7.3.1",  "1.3.6.1.5.5.7.3.2", /* TLS: what is issued for gateways in fact
							*/
	};
	uint32_t flags = X509_get_extension_flags(leaf);
	EXTENDED_KEY_USAGE *eku;
	bool ok = false;
	char oid[80];

	// RFC 4945 5.1.3.2: digitalSignature or nonRepudiation, where there is a key usage
	if (flags & EXFLAG_KUSAGE &&
	    !(X509_get_key_usage(leaf) & (KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION)))
		return say_of(text, -EACCES, leaf, "its key usage does not allow to sign");
	if (!(flags & EXFLAG_XKUSAGE))
		return 0;
	// RFC 4945 5.1.3.12: an extended key usage that is there must be one for us
	eku = X509_get_ext_d2i(leaf, NID_ext_key_usage, NULL, NULL);
	for (int i = 0; !ok && i < sk_ASN1_OBJECT_num(eku); i++) {
		OBJ_obj2txt(oid, sizeof(oid), sk_ASN1_OBJECT_value(eku, i), 1);
		for (size_t k = 0; !ok && k < sizeof(allowed) / sizeof(*allowed); k++)
			ok = !strcmp(oid, allowed[k]);
	}
	EXTENDED_KEY_USAGE_free(eku);
	return ok ? 0 : say_of(text, -EACCES, leaf, "its extended key usage is not one for IPsec");
}

/* The scheme that a certificate is signed with, SIG_NONE when it is none of ours. */
static enum sig_scheme cert_scheme(const X509 *x)
{
	static const struct {
		int md;
		enum sig_scheme rsa, pss, ecdsa;
	} map[] = {
	    {NID_sha256, SIG_RSA_SHA256, SIG_PSS_SHA256, SIG_ECDSA_SHA256},
	    {NID_sha384, SIG_RSA_SHA384, SIG_PSS_SHA384, SIG_ECDSA_SHA384},
	    {NID_sha512, SIG_RSA_SHA512, SIG_PSS_SHA512, SIG_ECDSA_SHA512},
	};
	int md, pk;

	if (!X509_get_signature_info((X509 *)x, &md, &pk, NULL, NULL))
		return SIG_NONE;
	if (pk == EVP_PKEY_ED25519 || pk == EVP_PKEY_ED448)
		return pk == EVP_PKEY_ED25519 ? SIG_ED25519 : SIG_ED448;
	for (size_t i = 0; i < sizeof(map) / sizeof(*map); i++) {
		if (map[i].md != md)
			continue;
		if (pk == EVP_PKEY_RSA_PSS)
			return map[i].pss;
		return pk == EVP_PKEY_RSA ? map[i].rsa : map[i].ecdsa;
	}
	return SIG_NONE;
}

static int key_of(X509 *x, struct sig_key_info *k, const char **why)
{
	unsigned char *spki = NULL;
	int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &spki), r;

	r = sig_key_check(slice_of(spki, n > 0 ? (size_t)n : 0), k, why);
	OPENSSL_free(spki);
	return r;
}

/* Keys of all of the chain, and what signed all of it but the anchor. */
static int check_strength(const struct cred_chain *ch, const struct cred_rules *rules,
			  char text[CRED_TEXT_MAX])
{
	struct sig_key_info k, issuer;
	const char *why = NULL;

	for (unsigned int i = 0; i < ch->n; i++) {
		enum sig_scheme s = cert_scheme(ch->cert[i]);
		struct sig_rules keys = rules->cert_sig;

		if (key_of(ch->cert[i], &k, &why))
			return say_of(text, -EKEYREJECTED, ch->cert[i], why);
		if (k.bits < (k.type == SIG_KEY_EC  ? keys.ec_min
			      : k.type < SIG_KEY_EC ? keys.rsa_min
						    : 0))
			return say_of(text, -EKEYREJECTED, ch->cert[i], "its key is too short");
		if (i + 1 == ch->n)
			break;
		if (key_of(ch->cert[i + 1], &issuer, &why))
			return say_of(text, -EKEYREJECTED, ch->cert[i + 1], why);
		keys.keys = 0;
		if (s == SIG_NONE || !sig_allowed(&keys, &issuer, s, 0))
			return say_of(text, -EKEYREJECTED, ch->cert[i],
				      "signed by a scheme that is not allowed");
	}
	return 0;
}

static bool has_policy(const X509 *x, const char *want)
{
	CERTIFICATEPOLICIES *p = X509_get_ext_d2i(x, NID_certificate_policies, NULL, NULL);
	bool found = false;
	char oid[128];

	for (int i = 0; !found && i < sk_POLICYINFO_num(p); i++) {
		OBJ_obj2txt(oid, sizeof(oid), sk_POLICYINFO_value(p, i)->policyid, 1);
		found = !strcmp(oid, want);
	}
	CERTIFICATEPOLICIES_free(p);
	return found;
}

static int check_rules(const struct cred *c, const struct cred_chain *ch,
		       const struct cred_rules *rules, char text[CRED_TEXT_MAX])
{
	const char *list = rules->cert_policy;
	char oid[128];
	bool found = false;

	if (rules->certs[0] && !cred_item_in(c, CRED_CERT, rules->certs, ch->cert[0]))
		return say_of(text, -EACCES, ch->cert[0], "not one of `certs`");
	for (unsigned int i = 1; rules->cacerts[0] && !found && i < ch->n; i++)
		found = cred_item_in(c, CRED_CA, rules->cacerts, ch->cert[i]);
	if (rules->cacerts[0] && !found)
		return say_of(text, -EACCES, ch->cert[0], "not issued below one of `cacerts`");
	found = false;
	for (unsigned int i = 1; rules->ca_id.type && !found && i < ch->n; i++)
		found = cert_fits_id(ch->cert[i], &rules->ca_id);
	if (rules->ca_id.type && !found)
		return say_of(text, -EACCES, ch->cert[0], "not issued below the CA of `ca_id`");
	while (*rules->cert_policy && settings_item(&list, oid, sizeof(oid)))
		if (!has_policy(ch->cert[0], oid))
			return say_of(text, -EACCES, ch->cert[0],
				      "a policy of `cert_policy` is missing");
	return 0;
}

static void end_find(struct cred_chain *ch)
{
	ch->not_after = INT64_MAX;
	for (unsigned int i = 0; i < ch->n; i++) {
		int64_t end = asn1_seconds(X509_get0_notAfter(ch->cert[i]));

		if (end < ch->not_after)
			ch->not_after = end;
	}
}

int cred_path_build(const struct cred *c, const struct cred_rules *rules, X509 *leaf,
		    STACK_OF(X509) * received, int64_t now, struct cred_chain *out,
		    char text[CRED_TEXT_MAX])
{
	STACK_OF(X509) *anchors = sk_X509_new_null(), *untrusted = sk_X509_dup(received);
	X509 *about = NULL, *again;
	int r = -ENOMEM, e;

	*out = (struct cred_chain){0};
	if (!anchors || !untrusted || !stacks_fill(c, rules, anchors, untrusted))
		goto out;
	e = verify(leaf, anchors, untrusted, now, out, &about);
	if (unrooted(e) && pin(c, rules, leaf, anchors)) {
		e = verify(leaf, anchors, untrusted, now, out, &again);
		X509_free(about);
		about = again;
	}
	if (e == X509_V_ERR_OUT_OF_MEM)
		goto out;
	if (e != X509_V_OK) {
		/* told apart, for the counter */
		r = e == X509_V_ERR_CERT_HAS_EXPIRED || e == X509_V_ERR_CERT_NOT_YET_VALID ? -ETIME
											   : -EACCES;
		r = say_of(text, r, about ? about : leaf, X509_verify_cert_error_string(e));
		goto out;
	}
	out->anchor = item_of(c, out->cert[out->n - 1]);
	end_find(out);
	r = check_usage(leaf, text);
	if (!r)
		r = check_strength(out, rules, text);
	if (!r)
		r = check_rules(c, out, rules, text);
out:
	if (r)
		cred_chain_free(out);
	X509_free(about);
	sk_X509_free(anchors);
	sk_X509_free(untrusted);
	ERR_clear_error();
	return r;
}

void cred_chain_free(struct cred_chain *ch)
{
	for (unsigned int i = 0; i < ch->n; i++)
		X509_free(ch->cert[i]);
	ch->n = 0;
}
