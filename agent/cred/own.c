/* SPDX-License-Identifier: BSD-2-Clause */
#include "cred_int.h"

#include "common/rd.h"

#include <openssl/err.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The certificate of the CA that issued this one, NULL when we do not have it. */
static const struct cred_item *issuer_of(const struct cred *c, X509 *x)
{
	for (unsigned int k = 0; k < c->n_items; k++) {
		const struct cred_item *i = c->item[k];

		if ((i->kind == CRED_CA || i->kind == CRED_CERT) && i->x != x &&
		    X509_check_ca(i->x) > 0 && X509_check_issued(i->x, x) == X509_V_OK)
			return i;
	}
	return NULL;
}

/* From the certificate upwards; how many. */
static unsigned int chain_of(const struct cred *c, const struct cred_item *leaf,
			     const struct cred_item *out[CRED_CHAIN_MAX])
{
	unsigned int n = 0;

	while (leaf && n < CRED_CHAIN_MAX) {
		out[n++] = leaf;
		leaf = leaf->self_signed ? NULL : issuer_of(c, leaf->x);
	}
	ERR_clear_error();
	return n;
}

static bool asked_for(const struct cred_item *const *chain, unsigned int n,
		      const struct ike_cert_pl *req, unsigned int n_req)
{
	for (unsigned int i = 0; i < n_req; i++) {
		struct rd r = rd_of(req[i].data);

		if (req[i].encoding != CERT_X509)
			continue;
		while (r.n >= SIG_KEY_ID_LEN) {
			struct slice hash = rd_bytes(&r, SIG_KEY_ID_LEN);

			for (unsigned int k = 0; k < n; k++)
				if (secret_equal(hash.p, chain[k]->key.id, SIG_KEY_ID_LEN))
					return true;
		}
	}
	return false;
}

static bool valid_at(const struct cred_item *i, int64_t now)
{
	return asn1_seconds(X509_get0_notBefore(i->x)) <= now &&
	       asn1_seconds(X509_get0_notAfter(i->x)) >= now;
}

struct choice {
	const struct cred *c;
	const struct conf_id *id;
	const struct ike_cert_pl *req;
	unsigned int n_req;
	int64_t now;
	bool (*has_key)(void *ctx, const uint8_t id[SIG_KEY_ID_LEN]);
	void *ctx;
	const struct cred_item *best;
	int best_rank;
	bool named; /* by the connection: what is wrong with it is worth saying */
	char *text;
};

static bool wants_id(const struct choice *ch)
{
	return ch->id && ch->id->type && !ch->id->any;
}

/* Why an item cannot be used, into text; else how well it fits. */
static int rank_of(struct choice *ch, const struct cred_item *i)
{
	const struct cred_item *chain[CRED_CHAIN_MAX];
	struct ike_id id;
	unsigned int n;

	if (wants_id(ch))
		id = conf_id_view(ch->id);
	/* a peer's, for example */
	if (!ch->named && wants_id(ch) && i->x && !cert_has_id(i->x, &i->key, &id))
		return 0;
	if (i->key_error) {
		snprintf(ch->text, CRED_TEXT_MAX, "%.150s: %.80s", i->file, i->why);
		return 0;
	}
	if (ch->has_key && !ch->has_key(ch->ctx, i->key.id)) {
		snprintf(ch->text, CRED_TEXT_MAX, "%.150s: there is no private key for it",
			 i->file);
		return 0;
	}
	if (!i->x)
		return 1;
	if (wants_id(ch) && !cert_has_id(i->x, &i->key, &id)) {
		snprintf(ch->text, CRED_TEXT_MAX,
			 "%.100s: the certificate does not carry the identity '%.100s'", i->file,
			 ch->id->text);
		return 0;
	}
	n = chain_of(ch->c, i, chain);
	return 2 + (asked_for(chain, n, ch->req, ch->n_req) ? 1 : 0) +
	       (valid_at(i, ch->now) ? 2 : 0);
}

static void consider(struct choice *ch, const struct cred_item *i)
{
	int rank = rank_of(ch, i);

	if (rank > ch->best_rank) {
		ch->best = i;
		ch->best_rank = rank;
	}
}

static void id_fill(const struct choice *ch, const struct cred_item *i, struct cred_own *out)
{
	struct ike_id subject = {.type = ID_DER_ASN1_DN};

	if (wants_id(ch))
		out->id = conf_id_view(ch->id);
	if (!i->x)
		return;
	subject.data = name_der(X509_get_subject_name(i->x));
	/* as the certificate writes it: some peers compare bytes */
	if (!wants_id(ch) || id_equal(&subject, &out->id))
		out->id = subject;
}

static void own_fill(const struct choice *ch, struct cred_own *out)
{
	const struct cred_item *i = ch->best, *chain[CRED_CHAIN_MAX];
	unsigned int n;

	*out = (struct cred_own){.key = i->key, .spki = slice_of(i->spki, i->spki_len)};
	id_fill(ch, i, out);
	if (!i->x) {
		out->encoding = CERT_RAW_PUBLIC_KEY;
		out->cert[out->n_certs++] = out->spki;
		return;
	}
	out->encoding = CERT_X509;
	n = chain_of(ch->c, i, chain);
	// RFC 7296 3.6: the leaf first; the anchor is what the peer has
	for (unsigned int k = 0; k < n; k++)
		if (k == 0 || !chain[k]->self_signed)
			out->cert[out->n_certs++] = slice_of(chain[k]->der, chain[k]->n);
}

int cred_own(const struct cred *c, const struct cred_rules *local, const struct conf_id *id,
	     const struct ike_cert_pl *certreq, unsigned int n_certreq, int64_t now,
	     bool (*has_key)(void *ctx, const uint8_t id[SIG_KEY_ID_LEN]), void *ctx,
	     struct cred_own *out, char text[CRED_TEXT_MAX])
{
	struct choice ch = {.c = c,
			    .id = id,
			    .req = certreq,
			    .n_req = n_certreq,
			    .now = now,
			    .has_key = has_key,
			    .ctx = ctx,
			    .named = local->certs[0] || local->pubkeys[0],
			    .text = text};
	const struct cred_item *item[CRED_NAMED_MAX];
	unsigned int n, from = 0;

	snprintf(text, CRED_TEXT_MAX, "no certificate for the identity '%.100s'",
		 id && id->type ? id->text : "%any");
	n = cred_items_named(c, CRED_CERT, local->certs, item, CRED_NAMED_MAX);
	for (unsigned int i = 0; i < n; i++)
		consider(&ch, item[i]);
	n = cred_items_named(c, CRED_PUBKEY, local->pubkeys, item, CRED_NAMED_MAX);
	for (unsigned int i = 0; i < n; i++)
		consider(&ch, item[i]);
	if (!local->certs[0] && !local->pubkeys[0]) {
		const struct cred_item *i;

		while ((i = cred_item_next(c, CRED_CERT, NULL, &from)))
			consider(&ch, i);
	}
	if (!ch.best)
		return -ENOENT;
	own_fill(&ch, out);
	text[0] = '\0';
	return 0;
}

size_t cred_certreq(const struct cred *c, const struct cred_rules *remote, uint8_t *out, size_t cap)
{
	struct wr w = wr_of(out, cap - cap % SIG_KEY_ID_LEN);

	for (unsigned int k = 0; k < c->n_items; k++) {
		const struct cred_item *i = c->item[k];
		bool named;

		if (i->kind != CRED_CA || i->key_error || X509_check_ca(i->x) < 1)
			continue;
		named = remote->cacerts[0] && cred_item_in(c, CRED_CA, remote->cacerts, i->x);
		if (!named && (i->named_only || remote->cacerts[0]))
			continue;
		if (w.n + SIG_KEY_ID_LEN <= w.cap)
			wr_bytes(&w, i->key.id, SIG_KEY_ID_LEN);
	}
	return w.n;
}

bool cred_wants_raw(const struct cred *c, const struct cred_rules *remote)
{
	const struct cred_item *one[1];

	return cred_items_named(c, CRED_PUBKEY, remote->pubkeys, one, 1) > 0;
}
