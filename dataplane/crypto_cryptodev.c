/* SPDX-License-Identifier: BSD-2-Clause */
#if HAVE_DPDK

#include "crypto_dpdk.h"
#include "ip.h"

#include "common/secret.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * ESP by the devices of DPDK. A suite has one of three shapes: an AEAD; a cipher and a digest, of which opening takes
 * the digest first; a digest alone (NULL, GMAC).
 */
enum {
	SMALL = 3, /* AES-CBC bursts up to this size go faster through OpenSSL (5,400 against 18,000 cycles) */
	CCM_IV_AT = 1,
	CCM_AAD_AT = 18, /* the device builds its first block in front of it */
	AAD_ROOM = 32,
};

enum shape { SHAPE_AEAD, SHAPE_PAIR, SHAPE_DIGEST };

struct dpdk_session {
	struct crypto_session base;
	enum crypto_dir dir;
	enum shape shape;
	struct dpdk_dev *dev;
	void *main;   /* AEAD; or cipher and digest (seal); or digest (open, and alone) */
	void *second; /* cipher (open) */
	struct crypto_session *small;
	unsigned int worker;
	uint8_t salt[CRYPTO_SALT_MAX];
};

static enum shape shape_of(const struct crypto_suite *suite)
{
	if (suite->mode == ALG_GMAC || suite->mode == ALG_NULL)
		return SHAPE_DIGEST;
	return suite->mac ? SHAPE_PAIR : SHAPE_AEAD;
}

/* The row whose algorithm makes the digest: GMAC is a cipher to IKE and a digest to DPDK. */
static const struct alg *digest_row(const struct crypto_suite *suite)
{
	return suite->mac ? suite->mac : suite->cipher;
}

/* ---- what a session is made of ------------------------------------------------------------------ */

static bool xform_aead(struct rte_crypto_sym_xform *x, const struct crypto_suite *suite,
		       const struct crypto_keys *keys, enum crypto_dir dir)
{
	memset(x, 0, sizeof(*x));
	x->type = RTE_CRYPTO_SYM_XFORM_AEAD;
	x->aead.op = dir == CRYPTO_SEAL ? RTE_CRYPTO_AEAD_OP_ENCRYPT : RTE_CRYPTO_AEAD_OP_DECRYPT;
	x->aead.key.data = keys->encr;
	x->aead.key.length = suite->key_len;
	x->aead.iv.offset = DPDK_IV_OFFSET;
	x->aead.iv.length = (uint16_t)(suite->salt_len + suite->iv_len);
	x->aead.digest_length = suite->icv_len;
	x->aead.aad_length = keys->esn ? 12 : 8;
	return suite->cipher->cryptodev &&
	       rte_cryptodev_get_aead_algo_enum(&x->aead.algo, suite->cipher->cryptodev) == 0;
}

static bool xform_cipher(struct rte_crypto_sym_xform *x, const struct crypto_suite *suite,
			 const struct crypto_keys *keys, enum crypto_dir dir)
{
	memset(x, 0, sizeof(*x));
	x->type = RTE_CRYPTO_SYM_XFORM_CIPHER;
	x->cipher.op = dir == CRYPTO_SEAL ? RTE_CRYPTO_CIPHER_OP_ENCRYPT : RTE_CRYPTO_CIPHER_OP_DECRYPT;
	x->cipher.key.data = keys->encr;
	x->cipher.key.length = suite->key_len;
	x->cipher.iv.offset = DPDK_IV_OFFSET;
	x->cipher.iv.length = suite->mode == ALG_CTR ? CRYPTO_IV_MAX : suite->iv_len;
	return suite->cipher->cryptodev &&
	       rte_cryptodev_get_cipher_algo_enum(&x->cipher.algo, suite->cipher->cryptodev) == 0;
}

static bool xform_digest(struct rte_crypto_sym_xform *x, const struct crypto_suite *suite,
			 const struct crypto_keys *keys)
{
	memset(x, 0, sizeof(*x));
	x->type = RTE_CRYPTO_SYM_XFORM_AUTH;
	x->auth.op = RTE_CRYPTO_AUTH_OP_GENERATE;
	x->auth.key.data = suite->mac ? keys->integ : keys->encr;
	x->auth.key.length = suite->mac ? suite->integ_key_len : suite->key_len;
	x->auth.digest_length = suite->icv_len;
	if (!suite->mac) {
		x->auth.iv.offset = DPDK_IV_OFFSET;
		x->auth.iv.length = (uint16_t)(suite->salt_len + suite->iv_len);
	}
	return digest_row(suite)->cryptodev &&
	       rte_cryptodev_get_auth_algo_enum(&x->auth.algo, digest_row(suite)->cryptodev) == 0;
}

/* What the device says that it can; whether it is true is another question (dpdk_prove). */
static bool xform_possible(const struct dpdk_dev *dev, const struct rte_crypto_sym_xform *x)
{
	struct rte_cryptodev_sym_capability_idx idx = {.type = x->type};
	const struct rte_cryptodev_symmetric_capability *cap;

	if (x->type == RTE_CRYPTO_SYM_XFORM_AEAD)
		idx.algo.aead = x->aead.algo;
	else if (x->type == RTE_CRYPTO_SYM_XFORM_CIPHER)
		idx.algo.cipher = x->cipher.algo;
	else
		idx.algo.auth = x->auth.algo;
	cap = rte_cryptodev_sym_capability_get(dev->id, &idx);
	if (!cap)
		return false;
	if (x->type == RTE_CRYPTO_SYM_XFORM_AEAD)
		return rte_cryptodev_sym_capability_check_aead(cap, x->aead.key.length,
							       x->aead.digest_length, x->aead.aad_length,
							       x->aead.iv.length) == 0;
	if (x->type == RTE_CRYPTO_SYM_XFORM_CIPHER)
		return rte_cryptodev_sym_capability_check_cipher(cap, x->cipher.key.length,
								 x->cipher.iv.length) == 0;
	return rte_cryptodev_sym_capability_check_auth(cap, x->auth.key.length, x->auth.digest_length,
						       x->auth.iv.length) == 0;
}

/* The synchronous path of ipsec_mb gives 3DES the key schedule of AES, unless the digest is an HMAC. */
static bool dangerous(const struct crypto_suite *suite)
{
	return suite->encr == ENCR_3DES && strcmp(suite->mac->family, "HMAC") != 0;
}

static bool session_add(struct dpdk_session *s, struct rte_crypto_sym_xform *x, void **out)
{
	for (const struct rte_crypto_sym_xform *i = x; i; i = i->next)
		if (!xform_possible(s->dev, i))
			return false;
	*out = dpdk_session_new(s->dev, x);
	return *out != NULL;
}

static bool sessions_open(struct dpdk_session *s, const struct crypto_keys *keys)
{
	const struct crypto_suite *suite = s->base.suite;
	struct rte_crypto_sym_xform cipher, digest;

	if (s->shape == SHAPE_AEAD)
		return xform_aead(&cipher, suite, keys, s->dir) && session_add(s, &cipher, &s->main);
	if (!xform_digest(&digest, suite, keys))
		return false;
	if (s->shape == SHAPE_DIGEST)
		return session_add(s, &digest, &s->main);
	if (dangerous(suite) || !xform_cipher(&cipher, suite, keys, s->dir))
		return false;
	if (s->dir == CRYPTO_SEAL) {
		cipher.next = &digest;
		if (!session_add(s, &cipher, &s->main))
			return false;
	} else if (!session_add(s, &digest, &s->main) || !session_add(s, &cipher, &s->second)) {
		return false;
	}
	if (!s->dev->sync || suite->encr != ENCR_AES_CBC)
		return true;
	s->small = crypto_openssl.session_new(suite, keys, s->dir, 0);
	return s->small != NULL;
}

static void sessions_close(struct dpdk_session *s)
{
	dpdk_session_free(s->dev, s->main);
	dpdk_session_free(s->dev, s->second);
	crypto_session_free(s->small);
	s->main = s->second = NULL;
	s->small = NULL;
}

static void dpdk_free(struct crypto_session *base)
{
	struct dpdk_session *s = (struct dpdk_session *)base;

	sessions_close(s);
	secret_wipe(s, sizeof(*s));
	free(s);
}

struct crypto_session *dpdk_new_on(struct dpdk_dev *dev, const struct crypto_suite *suite,
				   const struct crypto_keys *keys, enum crypto_dir dir, unsigned int worker)
{
	struct dpdk_session *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->base.backend = &crypto_cryptodev;
	s->base.suite = suite;
	s->base.esn = keys->esn;
	s->dir = dir;
	s->shape = shape_of(suite);
	s->dev = dev;
	s->worker = worker;
	memcpy(s->salt, keys->encr + suite->key_len, suite->salt_len);
	if (sessions_open(s, keys))
		return &s->base;
	dpdk_free(&s->base);
	errno = ENOTSUP;
	return NULL;
}

static struct crypto_session *dpdk_new(const struct crypto_suite *suite, const struct crypto_keys *keys,
				       enum crypto_dir dir, unsigned int worker)
{
	struct crypto_session *s;
	struct dpdk_dev *dev;

	for (unsigned int i = 0; (dev = dpdk_dev_at(i)); i++) {
		if (dev->dead || !dev->proved[crypto_suite_index(suite)])
			continue;
		s = dpdk_new_on(dev, suite, keys, dir, worker);
		if (s)
			return s;
	}
	errno = ENOTSUP;
	return NULL;
}

static bool dpdk_can(const struct crypto_suite *suite)
{
	struct dpdk_dev *dev;

	for (unsigned int i = 0; (dev = dpdk_dev_at(i)); i++)
		if (!dev->dead && dev->proved[crypto_suite_index(suite)])
			return true;
	return false;
}

/* ---- bursts ------------------------------------------------------------------------------- */

/* The synchronous path: the PMD works on this thread, without operations, rings or buffers of its own. */
static void sync_run(const struct dpdk_burst *b, struct dpdk_job *job, unsigned int n)
{
	struct rte_crypto_vec data[PKT_BURST];
	struct rte_crypto_sgl sgl[PKT_BURST];
	struct rte_crypto_va_iova_ptr iv[PKT_BURST], digest[PKT_BURST], aad[PKT_BURST];
	int32_t status[PKT_BURST];
	union rte_crypto_sym_ofs ofs = {.raw = 0};
	struct rte_crypto_sym_vec vec = {
		.num = n, .src_sgl = sgl, .iv = iv, .digest = digest, .aad = aad, .status = status};

	ofs.ofs.cipher.head = b->head;
	ofs.ofs.cipher.tail = b->tail;
	for (unsigned int i = 0; i < n; i++) {
		data[i] = (struct rte_crypto_vec){.base = job[i].base, .len = job[i].len};
		sgl[i] = (struct rte_crypto_sgl){.vec = &data[i], .num = 1};
		iv[i].va = job[i].iv;
		digest[i].va = job[i].digest;
		aad[i].va = job[i].aad;
		status[i] = EIO;
	}
	rte_cryptodev_sym_cpu_crypto_process(b->dev->id, b->session, ofs, &vec);
	for (unsigned int i = 0; i < n; i++)
		job[i].status = status[i];
}

static void burst_run(const struct dpdk_burst *b, struct dpdk_job *job, unsigned int n)
{
	if (b->dev->sync)
		sync_run(b, job, n);
	else
		dpdk_queue_run(b, job, n);
}

static enum crypto_status status_of(int32_t status)
{
	if (status == 0)
		return CRYPTO_OK;
	if (status == EBADMSG)
		return CRYPTO_BAD_TAG;
	return status == EBUSY ? CRYPTO_QUEUE_FULL : CRYPTO_FAILED;
}

/*
 * AEADs. The PMDs' API gives no way to have the tag of what is opened: they compare it themselves. Those of
 * ipsec_mb use memcmp over the tag, which the C library does as one vector comparison or few words, so the time
 * says only whether the tag was right, which the fate of the packet says anyway.
 */
static void aead_run(struct dpdk_session *s, struct crypto_req *req, unsigned int n)
{
	const struct crypto_suite *suite = s->base.suite;
	bool ccm = suite->mode == ALG_CCM;
	unsigned int iv_at = ccm ? CCM_IV_AT : 0, aad_at = ccm ? CCM_AAD_AT : 0;
	struct dpdk_burst b = {.dev = s->dev, .worker = s->worker, .session = s->main, .op = DPDK_AEAD,
			       .verify = s->dir == CRYPTO_OPEN, .digest_len = suite->icv_len};
	uint8_t iv[PKT_BURST][CRYPTO_IV_MAX + CCM_IV_AT] __attribute__((aligned(16)));
	uint8_t aad[PKT_BURST][AAD_ROOM] __attribute__((aligned(16)));
	struct dpdk_job job[PKT_BURST];

	b.aad_len = (uint16_t)(aad_at + (s->base.esn ? 12 : 8));
	b.iv_len = (uint16_t)(iv_at + suite->salt_len + suite->iv_len);
	for (unsigned int i = 0; i < n; i++) {
		struct crypto_req *r = &req[i];

		iv[i][0] = 0;
		crypto_nonce(suite, s->salt, r, iv[i] + iv_at);
		crypto_aad(s->base.esn, r, aad[i] + aad_at);
		job[i] = (struct dpdk_job){.base = crypto_payload(suite, r),
					   .len = crypto_payload_len(suite, r), .iv = iv[i],
					   .aad = aad[i], .digest = r->esp + r->len};
	}
	burst_run(&b, job, n);
	for (unsigned int i = 0; i < n; i++)
		req[i].status = status_of(job[i].status);
}

/* RFC 4303 2.2.1: the high half of the number stands where the ICV will be while the digest is made. */
static uint32_t put_high(const struct dpdk_session *s, const struct crypto_req *r)
{
	uint32_t hi = be32(r->seq_hi);

	if (!s->base.esn)
		return 0;
	memcpy(r->esp + r->len, &hi, sizeof(hi));
	return sizeof(hi);
}

struct digests {
	uint8_t tag[PKT_BURST][CRYPTO_DIGEST_MAX];
	uint8_t iv[PKT_BURST][CRYPTO_IV_MAX];
	uint8_t front[PKT_BURST][CRYPTO_HEAD];
};

/* RFC 4543 3.3: with GMAC the high half stands between SPI and number, so the SPI moves down into what is in front
 * of the packet, and back afterwards. */
static void gmac_front(struct crypto_req *r, uint8_t keep[CRYPTO_HEAD], struct dpdk_job *job)
{
	uint32_t hi = be32(r->seq_hi);

	job->base -= CRYPTO_HEAD;
	job->len += CRYPTO_HEAD;
	memcpy(keep, job->base, CRYPTO_HEAD);
	memcpy(job->base, r->esp, 4);
	memcpy(r->esp, &hi, 4);
}

static void gmac_front_undo(struct crypto_req *r, const uint8_t keep[CRYPTO_HEAD])
{
	memcpy(r->esp, r->esp - CRYPTO_HEAD, 4);
	memcpy(r->esp - CRYPTO_HEAD, keep, CRYPTO_HEAD);
}

/* The digests of a burst into d->tag. What a device wants behind the packet it gets: the ICV must have been read. */
static void digests_run(struct dpdk_session *s, struct crypto_req *req, unsigned int n, struct digests *d)
{
	const struct crypto_suite *suite = s->base.suite;
	bool gmac = suite->mode == ALG_GMAC;
	struct dpdk_burst b = {.dev = s->dev, .worker = s->worker, .session = s->main, .op = DPDK_AUTH,
			       .digest_len = suite->icv_len};
	struct dpdk_job job[PKT_BURST];

	b.iv_len = gmac ? (uint16_t)(suite->salt_len + suite->iv_len) : 0;
	for (unsigned int i = 0; i < n; i++) {
		struct crypto_req *r = &req[i];

		job[i] = (struct dpdk_job){.base = r->esp, .len = r->len, .iv = d->iv[i], .digest = d->tag[i]};
		if (gmac)
			crypto_nonce(suite, s->salt, r, d->iv[i]);
		else
			job[i].len += put_high(s, r);
		if (gmac && s->base.esn)
			gmac_front(r, d->front[i], &job[i]);
	}
	burst_run(&b, job, n);
	for (unsigned int i = 0; i < n; i++) {
		req[i].status = status_of(job[i].status);
		if (gmac && s->base.esn)
			gmac_front_undo(&req[i], d->front[i]);
	}
}

/* The IV as a cipher takes it: of CBC where it stands, of CTR a whole block. */
static uint8_t *cipher_iv(const struct dpdk_session *s, const struct crypto_req *r,
			  uint8_t block[CRYPTO_IV_MAX])
{
	if (s->base.suite->mode != ALG_CTR)
		return r->esp + sizeof(struct esp_hdr);
	crypto_nonce(s->base.suite, s->salt, r, block);
	return block;
}

static void pair_seal(struct dpdk_session *s, struct crypto_req *req, unsigned int n)
{
	const struct crypto_suite *suite = s->base.suite;
	struct dpdk_burst b = {.dev = s->dev, .worker = s->worker, .session = s->main, .op = DPDK_CHAIN,
			       .head = (uint16_t)(sizeof(struct esp_hdr) + suite->iv_len),
			       .tail = s->base.esn ? 4 : 0, .digest_len = suite->icv_len};
	struct dpdk_job job[PKT_BURST];
	struct digests d;

	b.iv_len = suite->mode == ALG_CTR ? CRYPTO_IV_MAX : suite->iv_len;
	for (unsigned int i = 0; i < n; i++) {
		struct crypto_req *r = &req[i];

		job[i] = (struct dpdk_job){.base = r->esp, .len = r->len + put_high(s, r),
					   .iv = cipher_iv(s, r, d.iv[i]), .digest = d.tag[i]};
	}
	burst_run(&b, job, n);
	for (unsigned int i = 0; i < n; i++) {
		req[i].status = status_of(job[i].status);
		memcpy(req[i].esp + req[i].len, d.tag[i], suite->icv_len);
	}
}

static void digest_seal(struct dpdk_session *s, struct crypto_req *req, unsigned int n)
{
	struct digests d;

	digests_run(s, req, n, &d);
	for (unsigned int i = 0; i < n; i++)
		memcpy(req[i].esp + req[i].len, d.tag[i], s->base.suite->icv_len);
}

/* Digest first, compared here in constant time; only what passed is decrypted. */
static void pair_open(struct dpdk_session *s, struct crypto_req *req, unsigned int n)
{
	const struct crypto_suite *suite = s->base.suite;
	struct dpdk_burst b = {.dev = s->dev, .worker = s->worker, .session = s->second, .op = DPDK_CIPHER,
			       .head = (uint16_t)(sizeof(struct esp_hdr) + suite->iv_len)};
	uint8_t got[PKT_BURST][CRYPTO_ICV_MAX];
	struct dpdk_job job[PKT_BURST];
	unsigned int at[PKT_BURST], m = 0;
	struct digests d;

	for (unsigned int i = 0; i < n; i++)
		memcpy(got[i], req[i].esp + req[i].len, suite->icv_len);
	digests_run(s, req, n, &d);
	for (unsigned int i = 0; i < n; i++) {
		struct crypto_req *r = &req[i];

		if (r->status == CRYPTO_OK && !secret_equal(d.tag[i], got[i], suite->icv_len))
			r->status = CRYPTO_BAD_TAG;
		if (r->status != CRYPTO_OK || s->shape == SHAPE_DIGEST)
			continue;
		job[m] = (struct dpdk_job){.base = r->esp, .len = r->len, .iv = cipher_iv(s, r, d.iv[i])};
		at[m++] = i;
	}
	if (!m)
		return;
	b.iv_len = suite->mode == ALG_CTR ? CRYPTO_IV_MAX : suite->iv_len;
	burst_run(&b, job, m);
	for (unsigned int i = 0; i < m; i++)
		req[at[i]].status = status_of(job[i].status);
}

static void dpdk_seal(struct crypto_session *base, struct crypto_req *req, unsigned int n)
{
	struct dpdk_session *s = (struct dpdk_session *)base;

	if (s->shape == SHAPE_AEAD)
		aead_run(s, req, n);
	else if (s->small && n <= SMALL)
		s->small->backend->seal(s->small, req, n);
	else if (s->shape == SHAPE_DIGEST)
		digest_seal(s, req, n);
	else
		pair_seal(s, req, n);
}

static void dpdk_open(struct crypto_session *base, struct crypto_req *req, unsigned int n)
{
	struct dpdk_session *s = (struct dpdk_session *)base;

	if (s->shape == SHAPE_AEAD)
		aead_run(s, req, n);
	else if (s->small && n <= SMALL)
		s->small->backend->open(s->small, req, n);
	else
		pair_open(s, req, n);
}

const struct crypto_backend crypto_cryptodev = {
	.name = "cryptodev",
	.can = dpdk_can,
	.session_new = dpdk_new,
	.session_free = dpdk_free,
	.seal = dpdk_seal,
	.open = dpdk_open,
};

#endif
