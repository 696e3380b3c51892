/* SPDX-License-Identifier: BSD-2-Clause */
#include "select.h"

#include "agent/crypt/crypt.h"
#include "common/rd.h"
#include "common/wr.h"

#include <errno.h>
#include <string.h>

enum {
	TRANSFORM_NONE = 0, /* of INTEG and KE: the same as none of that type (RFC 7296 3.3.2) */
	SPI_RESERVED = 255, /* RFC 4302 2.4, RFC 4303 2.1: not on the wire */
};

static bool is_aead(const struct transform *encr)
{
	const struct alg *a = alg_find(IKE_T_ENCR, encr->id, encr->key_bits);

	return a && a->aead;
}

static bool has(const struct proposal *p, const struct transform *t)
{
	return proposal_has(p, t->type, t->id, t->key_bits);
}

static bool has_none(const struct proposal *p, unsigned int type)
{
	return proposal_has(p, type, TRANSFORM_NONE, 0);
}

static void add(struct proposal *p, const struct transform *t)
{
	if (p->n < IKE_TRANSFORMS_MAX)
		p->t[p->n++] = *t;
}

static bool spi_usable(const struct proposal *p)
{
	struct rd r = rd_of(slice_of(p->spi, p->spi_len));

	if (p->proto == IKE_PROTO_IKE)
		return p->spi_len == 0 || (p->spi_len == IKE_SPI_LEN && rd_u64(&r));
	return p->spi_len == 4 && rd_u32(&r) > SPI_RESERVED;
}

/* RFC 7296 3.3.3 wants an ESN transform in every proposal of ESP and AH; ours without one means "no". */
static void add_esn(struct proposal *p)
{
	if (p->proto != IKE_PROTO_IKE && !proposal_find(p, IKE_T_ESN))
		add(p, &(struct transform){.type = IKE_T_ESN, .id = ESN_NO});
}

/* Has it the types that RFC 7296 3.3.3 demands, and only types that we can answer (3.3.6)? */
static bool answerable(const struct proposal *p, bool strip_ke)
{
	bool ike = p->proto == IKE_PROTO_IKE, ah = p->proto == IKE_PROTO_AH;

	if (!ike && !ah && p->proto != IKE_PROTO_ESP)
		return false;
	for (unsigned int i = 0; i < p->n; i++) {
		if (p->t[i].type < IKE_T_ENCR || p->t[i].type > IKE_T_ESN)
			return false;
	}
	/* AH: INTEG and ESN, and no encryption. */
	if (ah == (proposal_find(p, IKE_T_ENCR) != NULL) || (ah && !proposal_find(p, IKE_T_INTEG)))
		return false;
	if (ike)
		return proposal_find(p, IKE_T_PRF) && (strip_ke || proposal_find(p, IKE_T_KE)) &&
		       !proposal_find(p, IKE_T_ESN);
	return proposal_find(p, IKE_T_ESN) && !proposal_find(p, IKE_T_PRF);
}

/* First transform of a type in `lead` that is also in `other`; NONE only when that is a choice. */
static const struct transform *pick(const struct proposal *lead, const struct proposal *other,
				    unsigned int type, bool none_too)
{
	for (unsigned int i = 0; i < lead->n; i++) {
		const struct transform *t = &lead->t[i];

		if (t->type != type || t->id == TRANSFORM_UNUSABLE || !has(other, t))
			continue;
		if (none_too || t->id != TRANSFORM_NONE)
			return t;
	}
	return NULL;
}

struct pair {
	const struct proposal *mine, *offer;
	bool prefer_own;
};

static const struct transform *pick_pair(const struct pair *p, unsigned int type, bool none_too)
{
	return p->prefer_own ? pick(p->mine, p->offer, type, none_too)
			     : pick(p->offer, p->mine, type, none_too);
}

static bool choose_integ(const struct pair *p, bool aead, struct proposal *out)
{
	const struct transform *t;

	if (aead) {
		/* RFC 5282 8: nothing but NONE beside an AEAD; offered, it has to be echoed */
		if (!proposal_find(p->offer, IKE_T_INTEG))
			return true;
		if (!has_none(p->offer, IKE_T_INTEG))
			return false;
		add(out, &(struct transform){.type = IKE_T_INTEG, .id = TRANSFORM_NONE});
		return true;
	}
	t = pick_pair(p, IKE_T_INTEG, false);
	if (t)
		add(out, t);
	return t;
}

/* Encryption and integrity hang together: the first cipher that has its integrity is taken. */
static bool choose_encr(const struct pair *p, struct proposal *out)
{
	const struct proposal *lead = p->prefer_own ? p->mine : p->offer;
	const struct proposal *other = p->prefer_own ? p->offer : p->mine;

	for (unsigned int i = 0; i < lead->n; i++) {
		const struct transform *t = &lead->t[i];

		if (t->type != IKE_T_ENCR || t->id == TRANSFORM_UNUSABLE || !has(other, t))
			continue;
		out->n = 0;
		add(out, t);
		if (choose_integ(p, is_aead(t), out))
			return true;
	}
	return false;
}

static bool choose_ke(const struct pair *p, bool strip_ke, struct proposal *out)
{
	bool child = p->offer->proto != IKE_PROTO_IKE;
	const struct transform *t = NULL;

	if (!strip_ke) {
		if (child && !proposal_find(p->offer, IKE_T_KE))
			return !proposal_find(p->mine, IKE_T_KE) || has_none(p->mine, IKE_T_KE);
		t = pick_pair(p, IKE_T_KE, child);
		if (t) {
			add(out, t);
			return true;
		}
		if (!child || proposal_find(p->mine, IKE_T_KE))
			return false;
	}
	/* without a group on our side, which is NONE; offered, it has to be echoed */
	if (has_none(p->offer, IKE_T_KE)) {
		add(out, &(struct transform){.type = IKE_T_KE, .id = TRANSFORM_NONE});
		return true;
	}
	return strip_ke;
}

static bool choose_one(const struct pair *p, unsigned int type, struct proposal *out)
{
	const struct transform *t = pick_pair(p, type, true);

	if (t)
		add(out, t);
	return t;
}

static bool choose_ciphers(const struct pair *p, struct proposal *out)
{
	if (p->offer->proto != IKE_PROTO_AH)
		return choose_encr(p, out);
	out->n = 0;
	return choose_integ(p, false, out);
}

static bool accept_offer(const struct pair *p, bool strip_ke, struct proposal *out)
{
	bool ike = p->offer->proto == IKE_PROTO_IKE;

	if (p->mine->proto != p->offer->proto || !spi_usable(p->offer) ||
	    !answerable(p->offer, strip_ke))
		return false;
	*out = *p->offer;
	return choose_ciphers(p, out) && (!ike || choose_one(p, IKE_T_PRF, out)) &&
	       choose_ke(p, strip_ke, out) && (ike || choose_one(p, IKE_T_ESN, out));
}

static bool try_pair(const struct proposal *mine, const struct proposal *offer, bool prefer_own,
		     bool strip_ke, struct proposal *out)
{
	struct proposal m = *mine;

	add_esn(&m);
	return accept_offer(&(struct pair){&m, offer, prefer_own}, strip_ke, out);
}

int proposal_select(const struct proposals *mine, const struct proposals *offered, bool prefer_own,
		    bool strip_ke, struct proposal *out)
{
	unsigned int outer = prefer_own ? mine->n : offered->n;
	unsigned int inner = prefer_own ? offered->n : mine->n;

	for (unsigned int i = 0; i < outer; i++) {
		for (unsigned int k = 0; k < inner; k++) {
			const struct proposal *m = &mine->p[prefer_own ? i : k];
			const struct proposal *o = &offered->p[prefer_own ? k : i];

			if (try_pair(m, o, prefer_own, strip_ke, out))
				return 0;
		}
	}
	return -ENOENT;
}

/* ---- the initiator's side ------------------------------------------------------------------ */

static const struct proposal *offer_of(const struct proposals *offered,
				       const struct proposal *answer)
{
	for (unsigned int i = 0; i < offered->n; i++) {
		const struct proposal *o = &offered->p[i];

		if (o->number == answer->number && o->proto == answer->proto &&
		    o->spi_len == answer->spi_len)
			return o;
	}
	return NULL;
}

/* The answer without transforms that say NONE; -EINVAL when a type stands twice. */
static int without_none(const struct proposal *answer, struct proposal *out)
{
	unsigned int seen = 0;

	*out = *answer;
	out->n = 0;
	for (unsigned int i = 0; i < answer->n; i++) {
		const struct transform *t = &answer->t[i];

		if (t->type < IKE_T_ENCR || t->type > IKE_T_ESN || seen & 1U << t->type)
			return -EINVAL;
		seen |= 1U << t->type;
		if (t->id == TRANSFORM_NONE && (t->type == IKE_T_INTEG || t->type == IKE_T_KE))
			continue;
		add(out, t);
	}
	return 0;
}

/* Every type that we offered is answered, where NONE was no choice. */
static bool answers_all(const struct proposal *offer, const struct proposal *answer)
{
	const struct transform *encr = proposal_find(answer, IKE_T_ENCR);
	bool integ = proposal_find(answer, IKE_T_INTEG) != NULL;

	if (answer->proto == IKE_PROTO_AH ? !integ : !encr || is_aead(encr) == integ)
		return false;
	for (unsigned int i = 0; i < offer->n; i++) {
		unsigned int type = offer->t[i].type;

		if (type == IKE_T_INTEG || proposal_find(answer, type))
			continue;
		if (type != IKE_T_KE || !has_none(offer, IKE_T_KE))
			return false;
	}
	return true;
}

int proposal_verify(const struct proposals *offered, const struct proposals *answer,
		    struct proposal *out)
{
	const struct proposal *offer;

	if (answer->n != 1 || !spi_usable(&answer->p[0]))
		return -EINVAL;
	offer = offer_of(offered, &answer->p[0]);
	if (!offer || without_none(&answer->p[0], out))
		return -EINVAL;
	for (unsigned int i = 0; i < out->n; i++) {
		if (!has(offer, &out->t[i]))
			return -EINVAL;
	}
	return answers_all(offer, out) ? 0 : -EINVAL;
}

uint16_t proposals_first_ke(const struct proposals *p)
{
	for (unsigned int i = 0; i < p->n; i++) {
		for (unsigned int k = 0; k < p->p[i].n; k++) {
			const struct transform *t = &p->p[i].t[k];

			if (t->type == IKE_T_KE && t->id != KE_NONE && t->id != TRANSFORM_UNUSABLE)
				return t->id;
		}
	}
	return KE_NONE;
}

bool proposals_have_ke(const struct proposals *p, uint16_t group)
{
	for (unsigned int i = 0; i < p->n; i++) {
		if (proposal_has(&p->p[i], IKE_T_KE, group, 0))
			return true;
	}
	return false;
}

void proposals_prepare(const struct proposals *in, const uint8_t *spi, uint8_t spi_len,
		       bool strip_ke, struct proposals *out)
{
	uint8_t len = spi_len <= IKE_SPI_LEN ? spi_len : 0;

	*out = (struct proposals){0};
	for (unsigned int i = 0; i < in->n; i++) {
		struct proposal *p = &out->p[out->n++];

		p->number = (uint8_t)out->n;
		p->proto = in->p[i].proto;
		p->spi_len = len;
		if (len)
			memcpy(p->spi, spi, len);
		for (unsigned int k = 0; k < in->p[i].n; k++) {
			if (!strip_ke || in->p[i].t[k].type != IKE_T_KE)
				add(p, &in->p[i].t[k]);
		}
		add_esn(p);
	}
}

/* ---- NAT detection, nonces ----------------------------------------------------------------- */

void natd_hash(uint64_t spi_i, uint64_t spi_r, const struct endpoint *e, uint8_t out[20])
{
	uint8_t buf[2 * IKE_SPI_LEN + sizeof(e->ip.b) + 2];
	struct wr w = wr_of(buf, sizeof(buf));
	struct slice all;

	wr_u64(&w, spi_i);
	wr_u64(&w, spi_r);
	wr_bytes(&w, e->ip.b, addr_len(&e->ip));
	wr_u16(&w, e->port);
	all = wr_slice(&w);
	/* a hash that matches nothing reads as "NAT between us": the safe side */
	if (sha1(&all, 1, out))
		memset(out, 0, 20);
}

bool nonce_fits(struct slice nonce, uint16_t prf_id)
{
	const struct alg *a = alg_find(IKE_T_PRF, prf_id, 0);

	return a && 2 * nonce.n >= a->key_len;
}

int nonce_cmp(struct slice a, struct slice b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c = n ? memcmp(a.p, b.p, n) : 0;

	if (c)
		return c;
	return a.n < b.n ? -1 : a.n > b.n;
}
