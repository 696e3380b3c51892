/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/rd.h"
#include "common/wr.h"
#include "crypt.h"
#include "prf.h"

#include <errno.h>

/* Takes the next n bytes of key material as a secret of its own. */
static int cut(struct rd *r, size_t n, struct secret *out)
{
	struct slice s = rd_bytes(r, n);

	if (r->failed)
		return -EINVAL;
	return secret_dup(out, s);
}

static const struct alg *find_available(unsigned int type, unsigned int id, unsigned int bits)
{
	const struct alg *a = alg_find(type, id, bits);

	return a && crypt_available(a) ? a : NULL;
}

/* ENCR and INTEG must fit together: an AEAD alone, anything else with integrity. */
static int ciphers_find(uint16_t encr_id, uint16_t bits, uint16_t integ_id, const struct alg **encr,
			const struct alg **integ)
{
	*encr = find_available(IKE_T_ENCR, encr_id, bits);
	*integ = find_available(IKE_T_INTEG, integ_id, 0);
	if (!*encr || (*encr)->aead != (integ_id == AUTH_NONE) ||
	    (integ_id != AUTH_NONE && (!*integ || (*integ)->variant)))
		return -ENOTSUP;
	return 0;
}

static uint16_t transform_id(const struct proposal *p, unsigned int type)
{
	const struct transform *t = proposal_find(p, type);

	return t ? t->id : 0;
}

int ike_suite_from(const struct proposal *p, struct ike_suite *s)
{
	const struct transform *t = proposal_find(p, IKE_T_ENCR);
	const struct alg *encr, *integ, *prf_row, *ke;

	if (!t)
		return -ENOTSUP;
	s->encr = t->id;
	s->encr_bits = t->key_bits;
	s->prf = transform_id(p, IKE_T_PRF);
	s->integ = transform_id(p, IKE_T_INTEG);
	s->ke = transform_id(p, IKE_T_KE);
	prf_row = find_available(IKE_T_PRF, s->prf, 0);
	ke = find_available(IKE_T_KE, s->ke, 0);
	if (ciphers_find(s->encr, s->encr_bits, s->integ, &encr, &integ) || !prf_row || !ke)
		return -ENOTSUP;
	if (!encr->ike || !prf_row->ike || !ke->ike || (integ && !integ->ike))
		return -ENOTSUP;
	return 0;
}

/* AH has integrity alone (RFC 7296 3.3.3), ESP what ciphers_find says. encr NULL: AH. */
static int child_rows(const struct child_suite *s, const struct alg **encr, const struct alg **integ)
{
	int r = 0;

	*encr = NULL;
	if (s->ah) {
		*integ = find_available(IKE_T_INTEG, s->integ, 0);
		if (!*integ || (*integ)->variant || s->encr)
			r = -ENOTSUP;
	} else {
		r = ciphers_find(s->encr, s->encr_bits, s->integ, encr, integ);
	}
	return r;
}

int child_suite_from(const struct proposal *p, struct child_suite *s)
{
	const struct transform *t = proposal_find(p, IKE_T_ENCR);
	const struct alg *encr, *integ;

	*s = (struct child_suite){.ah = p->proto == IKE_PROTO_AH};
	if (s->ah != !t)
		return -ENOTSUP;
	if (t) {
		s->encr = t->id;
		s->encr_bits = t->key_bits;
	}
	s->integ = transform_id(p, IKE_T_INTEG);
	s->ke = transform_id(p, IKE_T_KE);
	s->esn = transform_id(p, IKE_T_ESN) == ESN_YES;
	if (child_rows(s, &encr, &integ))
		return -ENOTSUP;
	if ((encr && !encr->esp) || (integ && !integ->esp) || !find_available(IKE_T_KE, s->ke, 0))
		return -ENOTSUP;
	return 0;
}

void ike_keys_free(struct ike_keys *k)
{
	secret_free(&k->d);
	secret_free(&k->ai);
	secret_free(&k->ar);
	secret_free(&k->ei);
	secret_free(&k->er);
	secret_free(&k->pi);
	secret_free(&k->pr);
}

void child_keys_free(struct child_keys *k)
{
	secret_free(&k->encr_i);
	secret_free(&k->integ_i);
	secret_free(&k->encr_r);
	secret_free(&k->integ_r);
}

/* RFC 7296 2.14: {SK_d | SK_ai | SK_ar | SK_ei | SK_er | SK_pi | SK_pr} = prf+(SKEYSEED, Ni | Nr |
 * SPIi | SPIr). */
static int keys_expand(const struct ike_suite *s, struct slice skeyseed, struct slice ni,
		       struct slice nr, uint64_t spi_i, uint64_t spi_r, struct ike_keys *k)
{
	const struct alg *encr, *integ, *prf_row = alg_find(IKE_T_PRF, s->prf, 0);
	struct secret material = {0};
	size_t n_prf, n_encr, n_integ;
	uint8_t spis[2 * IKE_SPI_LEN];
	struct wr w = wr_of(spis, sizeof(spis));
	struct slice seed[] = {ni, nr, slice_of(spis, sizeof(spis))};
	struct rd rd;
	int r = ciphers_find(s->encr, s->encr_bits, s->integ, &encr, &integ);

	if (r || !prf_row)
		return -ENOTSUP;
	wr_u64(&w, spi_i);
	wr_u64(&w, spi_r);
	n_prf = prf_row->key_len;
	n_integ = integ ? integ->key_len : 0;
	n_encr = (size_t)encr->key_len + encr->salt_len;
	r = prf_plus_parts(s->prf, skeyseed, seed, 3, &material,
			   3 * n_prf + 2 * n_integ + 2 * n_encr);
	if (r)
		return r;
	rd = rd_of(secret_slice(&material));
	if ((r = cut(&rd, n_prf, &k->d)) || (r = cut(&rd, n_integ, &k->ai)) ||
	    (r = cut(&rd, n_integ, &k->ar)) || (r = cut(&rd, n_encr, &k->ei)) ||
	    (r = cut(&rd, n_encr, &k->er)) || (r = cut(&rd, n_prf, &k->pi)) ||
	    (r = cut(&rd, n_prf, &k->pr)))
		ike_keys_free(k);
	secret_free(&material);
	return r;
}

/* RFC 7296 2.14: with the two PRFs made of AES only the first 64 bits of each nonce key SKEYSEED.
 */
static size_t nonce_part(uint16_t prf_id)
{
	return prf_id == PRF_AES128_XCBC || prf_id == PRF_AES128_CMAC ? 8 : SIZE_MAX;
}

int kdf_ike(const struct ike_suite *s, struct slice ni, struct slice nr, struct slice shared,
	    uint64_t spi_i, uint64_t spi_r, struct ike_keys *k)
{
	uint8_t nonces[2 * IKE_NONCE_MAX], skeyseed[CRYPT_PRF_MAX];
	struct wr key = wr_of(nonces, sizeof(nonces));
	size_t most = nonce_part(s->prf);
	int r;

	/* RFC 7296 2.14: SKEYSEED = prf(Ni | Nr, g^ir) */
	wr_bytes(&key, ni.p, ni.n < most ? ni.n : most);
	wr_bytes(&key, nr.p, nr.n < most ? nr.n : most);
	if (!wr_ok(&key) || !shared.n)
		return -EINVAL;
	r = prf(s->prf, wr_slice(&key), &shared, 1, skeyseed);
	if (!r)
		r = keys_expand(s, slice_of(skeyseed, prf_len(s->prf)), ni, nr, spi_i, spi_r, k);
	secret_wipe(skeyseed, sizeof(skeyseed));
	return r;
}

int kdf_ike_rekey(uint16_t old_prf, const struct secret *old_sk_d, const struct ike_suite *s,
		  struct slice ni, struct slice nr, struct slice shared, uint64_t spi_i,
		  uint64_t spi_r, struct ike_keys *k)
{
	/* RFC 7296 2.18: SKEYSEED = prf(SK_d (old), g^ir (new) | Ni | Nr), with the PRF of the old
	 * SA */
	struct slice parts[] = {shared, ni, nr};
	uint8_t skeyseed[CRYPT_PRF_MAX];
	int r;

	if (!shared.n)
		return -EINVAL;
	r = prf(old_prf, secret_slice(old_sk_d), parts, 3, skeyseed);
	if (!r)
		r = keys_expand(s, slice_of(skeyseed, prf_len(old_prf)), ni, nr, spi_i, spi_r, k);
	secret_wipe(skeyseed, sizeof(skeyseed));
	return r;
}

int kdf_child(uint16_t prf_id, const struct secret *sk_d, const struct child_suite *s,
	      struct slice shared, struct slice ni, struct slice nr, struct child_keys *k)
{
	/* RFC 7296 2.17: KEYMAT = prf+(SK_d, [g^ir (new) |] Ni | Nr), initiator's direction first,
	 * encryption before integrity; AH takes integrity keys alone. */
	struct slice seed[] = {shared, ni, nr};
	const struct alg *encr, *integ;
	struct secret material = {0};
	size_t n_encr, n_integ;
	struct rd rd;
	int r = child_rows(s, &encr, &integ);

	if (r)
		return r;
	n_encr = encr ? (size_t)encr->key_len + encr->salt_len : 0;
	n_integ = integ ? integ->key_len : 0;
	r = prf_plus_parts(prf_id, secret_slice(sk_d), seed, 3, &material, 2 * (n_encr + n_integ));
	if (r)
		return r;
	rd = rd_of(secret_slice(&material));
	if ((r = cut(&rd, n_encr, &k->encr_i)) || (r = cut(&rd, n_integ, &k->integ_i)) ||
	    (r = cut(&rd, n_encr, &k->encr_r)) || (r = cut(&rd, n_integ, &k->integ_r)))
		child_keys_free(k);
	secret_free(&material);
	return r;
}
