/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/wire/msg.h"
#include "crypt.h"
#include "evp.h"

#include <openssl/err.h>

#include <errno.h>
#include <limits.h>

enum { NONCE_MAX = 16, SK_ICV_MAX = 64 };

/* The rows of a suite and the keys of one direction, lengths checked. */
struct sk {
	const struct alg *encr, *integ; /* integ NULL with AEAD */
	const struct secret *ek, *ak;
	size_t icv_len;
};

static int suite_rows(const struct ike_suite *s, struct sk *k)
{
	k->encr = alg_find(IKE_T_ENCR, s->encr, s->encr_bits);
	k->integ = alg_find(IKE_T_INTEG, s->integ, 0);
	if (!k->encr || k->encr->aead != (s->integ == AUTH_NONE) || (!k->encr->aead && !k->integ))
		return -ENOTSUP;
	k->icv_len = k->integ ? k->integ->icv_len : k->encr->icv_len;
	return 0;
}

static int sk_of(const struct ike_suite *s, const struct secret *ek, const struct secret *ak,
		 struct sk *k)
{
	int r = suite_rows(s, k);

	if (r)
		return r;
	k->ek = ek;
	k->ak = ak;
	if (ek->n != (size_t)k->encr->key_len + k->encr->salt_len ||
	    (k->integ && ak->n != k->integ->key_len))
		return -EINVAL;
	return 0;
}

/* RFC 7296 3.14: padding makes payloads, padding and pad length a multiple of the block. */
static size_t pad_len(const struct alg *encr, size_t n)
{
	return (encr->block - (n + 1) % encr->block) % encr->block;
}

size_t sk_overhead(const struct ike_suite *s, size_t n)
{
	struct sk k;

	if (suite_rows(s, &k))
		return 0;
	return k.encr->iv_len + pad_len(k.encr, n) + 1 + k.icv_len;
}

static int iv_make(const struct alg *encr, uint64_t counter, uint8_t *iv)
{
	struct wr w = wr_of(iv, encr->iv_len);

	/* RFC 7296 3.14: unpredictable where it is the cipher's first block. RFC 5282 3.1, RFC 3686
	 * 3.1: unique under the key */
	if (encr->mode == ALG_CBC)
		return crypt_random(iv, encr->iv_len);
	wr_be(&w, counter, encr->iv_len);
	return 0;
}

/* RFC 5282 4: nonce = salt | IV. RFC 5930, RFC 3686 4: counter block = nonce of the key | IV | 1.
 * CBC takes the IV alone. Returns the length. */
static size_t nonce_make(const struct sk *k, const uint8_t *iv, uint8_t nonce[NONCE_MAX])
{
	struct wr w = wr_of(nonce, NONCE_MAX);

	wr_bytes(&w, k->ek->p + k->encr->key_len, k->encr->salt_len);
	wr_bytes(&w, iv, k->encr->iv_len);
	if (k->encr->mode == ALG_CTR)
		wr_u32(&w, 1);
	return w.n;
}

/* Length of key (Blowfish), nonce and tag (CCM) have to stand before the key. */
static bool lengths_set(EVP_CIPHER_CTX *c, const struct sk *k, size_t nonce_len, const uint8_t *tag)
{
	if (k->encr->mode == ALG_CBC)
		return EVP_CIPHER_CTX_set_key_length(c, k->encr->key_len);
	if (k->encr->mode != ALG_CCM)
		return true;
	return EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_IVLEN, (int)nonce_len, NULL) &&
	       EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, k->encr->icv_len, (void *)tag);
}

/* `tag`: of what shall be decrypted, NULL to encrypt. */
static EVP_CIPHER_CTX *cipher_begin(const struct sk *k, const uint8_t *iv, const uint8_t *tag,
				    bool encrypt)
{
	const EVP_CIPHER *cipher = evp_cipher(k->encr);
	EVP_CIPHER_CTX *c = cipher ? evp_cipher_ctx() : NULL;
	uint8_t nonce[NONCE_MAX];
	size_t n = nonce_make(k, iv, nonce);

	if (!c)
		return NULL;
	if (EVP_CipherInit_ex2(c, cipher, NULL, NULL, encrypt, NULL) && lengths_set(c, k, n, tag) &&
	    EVP_CipherInit_ex2(c, NULL, k->ek->p, nonce, encrypt, NULL) &&
	    EVP_CIPHER_CTX_set_padding(c, 0))
		return c;
	EVP_CIPHER_CTX_reset(c);
	return NULL;
}

/* RFC 5282 5.1: what stands in front of the IV is authenticated too. CCM wants to know the length
 * of the text before. */
static bool aad_add(EVP_CIPHER_CTX *c, const struct sk *k, struct slice aad, size_t n)
{
	int len;

	if (!k->encr->aead)
		return true;
	if (k->encr->mode == ALG_CCM && !EVP_CipherUpdate(c, NULL, &len, NULL, (int)n))
		return false;
	return !aad.n || EVP_CipherUpdate(c, NULL, &len, aad.p, (int)aad.n);
}

/* Encrypts n bytes in place; with AEAD also authenticates aad and writes the tag. */
static int encrypt(const struct sk *k, const uint8_t *iv, struct slice aad, uint8_t *p, size_t n,
		   uint8_t *tag)
{
	EVP_CIPHER_CTX *c = cipher_begin(k, iv, NULL, true);
	int len, ok;

	if (!c) {
		ERR_clear_error();
		return -ENOTSUP;
	}
	ok = aad_add(c, k, aad, n) && EVP_EncryptUpdate(c, p, &len, p, (int)n) && (size_t)len == n;
	ok = ok && EVP_EncryptFinal_ex(c, p + n, &len) && !len;
	ok = ok && (!k->encr->aead ||
		    EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, k->encr->icv_len, tag));
	EVP_CIPHER_CTX_reset(c);
	if (ok)
		return 0;
	ERR_clear_error();
	return -EIO;
}

/* Decrypts into p; with AEAD -EBADMSG when the tag is wrong, and nothing of the plaintext stays. */
static int decrypt(const struct sk *k, const uint8_t *iv, struct slice aad, struct slice in,
		   uint8_t *p, const uint8_t *tag)
{
	bool ccm = k->encr->mode == ALG_CCM;
	EVP_CIPHER_CTX *c = cipher_begin(k, iv, tag, false);
	int len = 0, ok;

	if (!c) {
		ERR_clear_error();
		return -ENOTSUP;
	}
	ok = !k->encr->aead || ccm ||
	     EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, k->encr->icv_len, (void *)tag);
	ok = ok && aad_add(c, k, aad, in.n);
	ok = ok && EVP_DecryptUpdate(c, p, &len, in.p, (int)in.n) > 0 && (size_t)len == in.n;
	/* CCM compares the tag in the update and has no end */
	ok = ok && (ccm || (EVP_DecryptFinal_ex(c, p + in.n, &len) && !len));
	EVP_CIPHER_CTX_reset(c);
	if (ok)
		return 0;
	secret_wipe(p, in.n);
	ERR_clear_error();
	return -EBADMSG;
}

static int icv_make(const struct sk *k, const struct slice *parts, unsigned int n,
		    uint8_t out[SK_ICV_MAX])
{
	struct evp_mac *mac = evp_mac_begin(k->integ, secret_slice(k->ak));
	int r;

	if (!mac)
		return -ENOTSUP;
	r = evp_mac_message(mac, parts, n, out);
	evp_mac_end(mac);
	return r;
}

size_t sk_piece_room(const struct ike_suite *s, size_t datagram)
{
	struct sk k;
	size_t fixed;

	if (suite_rows(s, &k))
		return 0;
	fixed = IKE_HDR_LEN + IKE_SKF_HDR_LEN + k.encr->iv_len + k.icv_len;
	if (datagram < fixed + k.encr->block)
		return 0;
	/* whole blocks, the last byte of which is the pad length */
	return (datagram - fixed) / k.encr->block * k.encr->block - 1;
}

int sk_seal(const struct ike_suite *s, const struct secret *ek, const struct secret *ak,
	    uint64_t counter, const struct ike_hdr *hdr, const struct msg_wr *chain, struct wr *out)
{
	struct sk_piece whole = {.first = chain->first, .plain = slice_of(chain->w.p, chain->w.n)};

	return wr_ok(&chain->w) ? sk_seal_piece(s, ek, ak, counter, hdr, &whole, out) : -EMSGSIZE;
}

int sk_seal_piece(const struct ike_suite *s, const struct secret *ek, const struct secret *ak,
		  uint64_t counter, const struct ike_hdr *hdr, const struct sk_piece *piece,
		  struct wr *out)
{
	size_t start = out->n, n = piece->plain.n, total, ct_len, pad;
	size_t head = piece->total ? IKE_SKF_HDR_LEN : IKE_PAYLOAD_HDR_LEN;
	uint8_t *iv, *ct, *icv, full[SK_ICV_MAX];
	struct ike_hdr h = *hdr;
	struct sk k;
	int r = sk_of(s, ek, ak, &k);

	if (r)
		return r;
	pad = pad_len(k.encr, n);
	ct_len = n + pad + 1;
	total = IKE_HDR_LEN + head + k.encr->iv_len + ct_len + k.icv_len;
	if (total > IKE_MSG_MAX)
		return -EMSGSIZE;
	h.next = piece->total ? IKE_PL_SKF : IKE_PL_SK;
	h.length = (uint32_t)total;
	ike_hdr_put(out, &h);
	wr_u8(out, piece->first);
	wr_u8(out, 0);
	wr_u16(out, (uint16_t)(total - IKE_HDR_LEN));
	if (piece->total) {
		wr_u16(out, piece->number);
		wr_u16(out, piece->total);
	}
	iv = wr_take(out, k.encr->iv_len);
	ct = wr_take(out, 0);
	wr_put(out, piece->plain);
	wr_zero(out, pad);
	wr_u8(out, (uint8_t)pad);
	icv = wr_take(out, k.icv_len);
	if (!wr_ok(out))
		return -EMSGSIZE;
	r = iv_make(k.encr, counter, iv);
	if (!r)
		r = encrypt(&k, iv, slice_of(out->p + start, IKE_HDR_LEN + head), ct, ct_len,
			    icv);
	if (!r && k.integ) {
		struct slice all = slice_of(out->p + start, total - k.icv_len);

		r = icv_make(&k, &all, 1, full);
		if (!r)
			memcpy(icv, full, k.icv_len);
	}
	if (r) {
		secret_wipe(ct, ct_len);
		out->failed = true;
	}
	return r;
}

/* What the wire bytes of SK are cut into; false when they are too short or not whole blocks. */
static bool body_cut(const struct sk *k, struct slice body, struct slice *iv, struct slice *ct,
		     struct slice *icv)
{
	struct rd r = rd_of(body);

	*iv = rd_bytes(&r, k->encr->iv_len);
	if (r.failed || r.n < k->icv_len + 1)
		return false;
	*ct = rd_bytes(&r, r.n - k->icv_len);
	*icv = rd_rest(&r);
	return ct->n % k->encr->block == 0;
}

/* IV, ciphertext and ICV, and what the ICV covers before and behind them; without the rules of padding. */
static int open_bytes(const struct sk *k, struct slice aad, struct slice body, struct slice tail, uint8_t *plain,
		      size_t cap, size_t *n)
{
	struct slice iv, ct, icv;
	int r = 0;

	if (!body_cut(k, body, &iv, &ct, &icv) || ct.n > cap || ct.n > IKE_MSG_MAX)
		return -EINVAL;
	if (k->integ) {
		const struct slice covered[] = {aad, iv, ct, tail};
		uint8_t want[SK_ICV_MAX];

		r = icv_make(k, covered, 4, want);
		if (!r && !secret_equal(want, icv.p, k->icv_len))
			r = -EBADMSG;
		secret_wipe(want, sizeof(want));
		if (r)
			return r;
	}
	if (k->encr->mode == ALG_NULL)
		memcpy(plain, ct.p, ct.n);
	else
		r = decrypt(k, iv.p, aad, ct, plain, icv.p);
	if (r == 0)
		*n = ct.n;
	return r;
}

int sk_open_esp(const struct ike_suite *s, const struct secret *ek, const struct secret *ak, const uint32_t *esn,
		struct slice packet, uint8_t *plain, size_t cap, size_t *n)
{
	struct rd r = rd_of(packet);
	uint32_t spi = rd_u32(&r), seq = rd_u32(&r);
	uint8_t aad[12], tail[4];
	struct wr w = wr_of(aad, sizeof(aad)), t = wr_of(tail, sizeof(tail));
	struct sk k;
	int err = sk_of(s, ek, ak, &k);

	*n = 0;
	if (err)
		return err;
	if (k.encr->mode == ALG_GMAC)
		return -ENOTSUP;
	if (r.failed)
		return -EINVAL;
	wr_u32(&w, spi);
	if (esn)
		wr_u32(k.encr->aead ? &w : &t, *esn);
	wr_u32(&w, seq);
	return open_bytes(&k, wr_slice(&w), rd_rest(&r), wr_slice(&t), plain, cap, n);
}

int sk_open(const struct ike_suite *s, const struct secret *ek, const struct secret *ak,
	    const struct ike_msg *msg, uint8_t *plain, size_t cap, size_t *n)
{
	size_t all = 0, pad;
	struct sk k;
	int r = sk_of(s, ek, ak, &k);

	*n = 0;
	if (r || k.encr->mode == ALG_NULL)
		return r ? r : -ENOTSUP;
	/* a message without SK is one with an empty body, which is too short */
	r = open_bytes(&k, msg->sk.aad, msg->sk.present ? msg->sk.body : slice_of(NULL, 0), slice_of(NULL, 0), plain,
		       cap, &all);
	if (r)
		return r;
	pad = plain[all - 1];
	if (pad + 1 > all) {
		secret_wipe(plain, all);
		return -EINVAL;
	}
	*n = all - 1 - pad;
	return 0;
}
