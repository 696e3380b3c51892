/* SPDX-License-Identifier: BSD-2-Clause */
#include "crypto.h"

#include "common/gateway_conf.h"

#include <errno.h>
#include <stdio.h>

#if !HAVE_DPDK

int crypto_cryptodev_start(const struct gw_dataplane_conf *conf, unsigned int workers,
			   uint32_t max_sas, const struct crypto_backend **out, char *err, size_t errlen)
{
	(void)conf, (void)workers, (void)max_sas, (void)out;
	snprintf(err, errlen, "built without DPDK");
	return -ENOTSUP;
}

const char *crypto_cryptodev_devices(void)
{
	return "";
}

#else

#include "crypto_dpdk.h"
#include "ip.h"

#include "common/secret.h"

#include <sched.h>
#include <stdlib.h>

enum {
	DEVS_MAX = 16,
	ARGS_MAX = 48,
	POOL_SESSIONS = 256,
	POOLS_MAX = 2048,
	MB_BASE = 16,
	SESSION_KB = 4, /* a direction of an SA: up to two sessions of 1 to 2 kB each */
	SMALL_CBC = 3,	/* bursts up to this size go faster through OpenSSL (5,400 against 18,000 cycles) */
};

struct dpdk_session {
	struct crypto_session base;
	enum crypto_dir dir;
	struct dpdk_dev *dev;
	void *main;   /* AEAD; or cipher and digest (seal); or digest (open) */
	void *second; /* cipher (open) */
	struct crypto_session *small;
	unsigned int worker;
	uint8_t salt[CRYPTO_SALT_LEN];
};

static struct {
	struct dpdk_dev dev[DEVS_MAX]; /* in order of preference */
	unsigned int n_devs;
	struct rte_mempool *pool[POOLS_MAX];
	unsigned int n_pools;
	uint32_t session_size;
	char names[256];
} dpdk;

/* ---- sessions ------------------------------------------------------------------------------- */

static struct rte_mempool *pool_add(void)
{
	char name[32];
	struct rte_mempool *mp;

	if (dpdk.n_pools == POOLS_MAX)
		return NULL;
	snprintf(name, sizeof(name), "xdpsec_sess%u", dpdk.n_pools);
	mp = rte_cryptodev_sym_session_pool_create(name, POOL_SESSIONS, dpdk.session_size, 0, 0,
						   SOCKET_ID_ANY);
	if (mp)
		dpdk.pool[dpdk.n_pools++] = mp;
	return mp;
}

static void *session_create(struct dpdk_dev *dev, struct rte_crypto_sym_xform *x)
{
	void *s;

	for (unsigned int i = dpdk.n_pools; i-- > 0;) {
		if (rte_mempool_avail_count(dpdk.pool[i]) == 0)
			continue;
		s = rte_cryptodev_sym_session_create(dev->id, x, dpdk.pool[i]);
		if (s || rte_errno != ENOMEM)
			return s;
	}
	return pool_add() ? rte_cryptodev_sym_session_create(dev->id, x, dpdk.pool[dpdk.n_pools - 1])
			  : NULL;
}

/* The element goes back to its pool with the key schedule in it; only the control thread takes elements out, so
 * it can still be wiped here. */
static void session_destroy(struct dpdk_dev *dev, void *s)
{
	uint32_t n;

	if (!s)
		return;
	n = rte_mempool_from_obj(s)->elt_size;
	if (rte_cryptodev_sym_session_free(dev->id, s) == 0)
		secret_wipe(s, n);
}

static void xform_gcm(struct rte_crypto_sym_xform *x, const struct crypto_suite *suite,
		      const struct crypto_keys *keys, enum crypto_dir dir)
{
	memset(x, 0, sizeof(*x));
	x->type = RTE_CRYPTO_SYM_XFORM_AEAD;
	x->aead.op = dir == CRYPTO_SEAL ? RTE_CRYPTO_AEAD_OP_ENCRYPT : RTE_CRYPTO_AEAD_OP_DECRYPT;
	x->aead.algo = RTE_CRYPTO_AEAD_AES_GCM;
	x->aead.key.data = keys->encr;
	x->aead.key.length = suite->key_len;
	x->aead.iv.offset = DPDK_IV_OFFSET;
	x->aead.iv.length = CRYPTO_GCM_IV;
	x->aead.digest_length = suite->icv_len;
	x->aead.aad_length = keys->esn ? 12 : 8;
}

static void xform_cbc(struct rte_crypto_sym_xform *x, const struct crypto_suite *suite,
		      const struct crypto_keys *keys, enum crypto_dir dir)
{
	memset(x, 0, sizeof(*x));
	x->type = RTE_CRYPTO_SYM_XFORM_CIPHER;
	x->cipher.op = dir == CRYPTO_SEAL ? RTE_CRYPTO_CIPHER_OP_ENCRYPT : RTE_CRYPTO_CIPHER_OP_DECRYPT;
	x->cipher.algo = RTE_CRYPTO_CIPHER_AES_CBC;
	x->cipher.key.data = keys->encr;
	x->cipher.key.length = suite->key_len;
	x->cipher.iv.offset = DPDK_IV_OFFSET;
	x->cipher.iv.length = suite->iv_len;
}

static void xform_hmac(struct rte_crypto_sym_xform *x, const struct crypto_suite *suite,
		       const struct crypto_keys *keys)
{
	memset(x, 0, sizeof(*x));
	x->type = RTE_CRYPTO_SYM_XFORM_AUTH;
	x->auth.op = RTE_CRYPTO_AUTH_OP_GENERATE;
	x->auth.algo = suite->integ == INTEG_SHA2_256_128   ? RTE_CRYPTO_AUTH_SHA256_HMAC
		       : suite->integ == INTEG_SHA2_384_192 ? RTE_CRYPTO_AUTH_SHA384_HMAC
							    : RTE_CRYPTO_AUTH_SHA512_HMAC;
	x->auth.key.data = keys->integ;
	x->auth.key.length = suite->integ_key_len;
	x->auth.digest_length = suite->icv_len;
}

static bool dev_can(const struct dpdk_dev *dev, const struct crypto_suite *suite)
{
	struct rte_cryptodev_sym_capability_idx aead = {
		.type = RTE_CRYPTO_SYM_XFORM_AEAD, .algo.aead = RTE_CRYPTO_AEAD_AES_GCM};
	struct rte_cryptodev_sym_capability_idx cipher = {
		.type = RTE_CRYPTO_SYM_XFORM_CIPHER, .algo.cipher = RTE_CRYPTO_CIPHER_AES_CBC};
	const struct rte_cryptodev_symmetric_capability *cap;

	if (dev->dead)
		return false;
	cap = rte_cryptodev_sym_capability_get(dev->id, suite->digest ? &cipher : &aead);
	if (!cap)
		return false;
	if (suite->digest)
		return rte_cryptodev_sym_capability_check_cipher(cap, suite->key_len, 16) == 0;
	return rte_cryptodev_sym_capability_check_aead(cap, suite->key_len, 16, 12, 12) == 0;
}

static int sessions_open(struct dpdk_session *s, const struct crypto_keys *keys)
{
	const struct crypto_suite *suite = s->base.suite;
	struct rte_crypto_sym_xform cipher, auth;

	if (!suite->digest) {
		xform_gcm(&cipher, suite, keys, s->dir);
		s->main = session_create(s->dev, &cipher);
		return s->main ? 0 : -ENOTSUP;
	}
	xform_cbc(&cipher, suite, keys, s->dir);
	xform_hmac(&auth, suite, keys);
	if (s->dir == CRYPTO_SEAL) {
		cipher.next = &auth;
		s->main = session_create(s->dev, &cipher);
	} else {
		s->main = session_create(s->dev, &auth);
		s->second = session_create(s->dev, &cipher);
	}
	if (!s->main || (s->dir == CRYPTO_OPEN && !s->second))
		return -ENOTSUP;
	s->small = crypto_openssl.session_new(suite, keys, s->dir, 0);
	return s->small ? 0 : -ENOMEM;
}

static void sessions_close(struct dpdk_session *s)
{
	session_destroy(s->dev, s->main);
	session_destroy(s->dev, s->second);
	crypto_session_free(s->small);
	s->main = s->second = NULL;
	s->small = NULL;
}

static const struct crypto_backend cryptodev_backend;

static void dpdk_free(struct crypto_session *base)
{
	struct dpdk_session *s = (struct dpdk_session *)base;

	sessions_close(s);
	secret_wipe(s, sizeof(*s));
	free(s);
}

static struct crypto_session *dpdk_new(const struct crypto_suite *suite, const struct crypto_keys *keys,
				       enum crypto_dir dir, unsigned int worker)
{
	struct dpdk_session *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->base.backend = &cryptodev_backend;
	s->base.suite = suite;
	s->base.esn = keys->esn;
	s->dir = dir;
	s->worker = worker;
	memcpy(s->salt, keys->encr + suite->key_len, suite->salt_len);
	for (unsigned int i = 0; i < dpdk.n_devs; i++) {
		s->dev = &dpdk.dev[i];
		if (!dev_can(s->dev, suite))
			continue;
		if (sessions_open(s, keys) == 0)
			return &s->base;
		sessions_close(s);
	}
	secret_wipe(s, sizeof(*s));
	free(s);
	errno = ENOTSUP;
	return NULL;
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
 * GCM. The PMDs' API gives no way to have the tag of what is opened: they compare it themselves. Those of
 * ipsec_mb use memcmp over 16 bytes, which the C library does as one vector comparison on x86-64 and two words
 * on arm64, so the time says only whether the tag was right, which the fate of the packet says anyway.
 */
static void gcm_run(struct dpdk_session *s, struct crypto_req *req, unsigned int n)
{
	const struct crypto_suite *suite = s->base.suite;
	struct dpdk_burst b = {.dev = s->dev, .worker = s->worker, .session = s->main, .op = DPDK_AEAD,
			       .verify = s->dir == CRYPTO_OPEN, .aad_len = s->base.esn ? 12 : 8,
			       .iv_len = CRYPTO_GCM_IV, .digest_len = suite->icv_len};
	uint8_t iv[PKT_BURST][16] __attribute__((aligned(16)));
	uint8_t aad[PKT_BURST][16] __attribute__((aligned(16)));
	struct dpdk_job job[PKT_BURST];
	uint32_t skip = (uint32_t)sizeof(struct esp_hdr) + suite->iv_len, hi;

	for (unsigned int i = 0; i < n; i++) {
		struct crypto_req *r = &req[i];

		memcpy(iv[i], s->salt, CRYPTO_SALT_LEN);
		memcpy(iv[i] + CRYPTO_SALT_LEN, r->esp + sizeof(struct esp_hdr), 8);
		if (s->base.esn) {
			hi = be32(r->seq_hi);
			memcpy(aad[i], r->esp, 4);
			memcpy(aad[i] + 4, &hi, 4);
			memcpy(aad[i] + 8, r->esp + 4, 4);
		} else {
			memcpy(aad[i], r->esp, 8);
		}
		job[i] = (struct dpdk_job){.base = r->esp + skip, .len = r->len - skip, .iv = iv[i],
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

static void cbc_seal(struct dpdk_session *s, struct crypto_req *req, unsigned int n)
{
	const struct crypto_suite *suite = s->base.suite;
	struct dpdk_burst b = {.dev = s->dev, .worker = s->worker, .session = s->main, .op = DPDK_CHAIN,
			       .head = (uint16_t)(sizeof(struct esp_hdr) + suite->iv_len),
			       .tail = s->base.esn ? 4 : 0, .iv_len = suite->iv_len,
			       .digest_len = suite->icv_len};
	uint8_t tag[PKT_BURST][DPDK_DIGEST_MAX];
	struct dpdk_job job[PKT_BURST];

	for (unsigned int i = 0; i < n; i++) {
		struct crypto_req *r = &req[i];

		job[i] = (struct dpdk_job){.base = r->esp, .len = r->len + put_high(s, r),
					   .iv = r->esp + sizeof(struct esp_hdr), .digest = tag[i]};
	}
	burst_run(&b, job, n);
	for (unsigned int i = 0; i < n; i++) {
		req[i].status = status_of(job[i].status);
		memcpy(req[i].esp + req[i].len, tag[i], suite->icv_len);
	}
}

/* Digest first, compared here in constant time; only what passed is decrypted. */
static void cbc_open(struct dpdk_session *s, struct crypto_req *req, unsigned int n)
{
	const struct crypto_suite *suite = s->base.suite;
	struct dpdk_burst b = {.dev = s->dev, .worker = s->worker, .session = s->main, .op = DPDK_AUTH,
			       .digest_len = suite->icv_len};
	uint8_t tag[PKT_BURST][DPDK_DIGEST_MAX], got[PKT_BURST][CRYPTO_ICV_MAX];
	struct dpdk_job job[PKT_BURST];
	unsigned int at[PKT_BURST], m = 0;

	for (unsigned int i = 0; i < n; i++) {
		struct crypto_req *r = &req[i];

		memcpy(got[i], r->esp + r->len, suite->icv_len);
		job[i] = (struct dpdk_job){.base = r->esp, .len = r->len + put_high(s, r),
					   .iv = r->esp + sizeof(struct esp_hdr), .digest = tag[i]};
	}
	burst_run(&b, job, n);
	for (unsigned int i = 0; i < n; i++) {
		struct crypto_req *r = &req[i];

		r->status = status_of(job[i].status);
		if (r->status == CRYPTO_OK && !secret_equal(tag[i], got[i], suite->icv_len))
			r->status = CRYPTO_BAD_TAG;
		if (r->status != CRYPTO_OK)
			continue;
		job[m] = (struct dpdk_job){.base = r->esp, .len = r->len,
					   .iv = r->esp + sizeof(struct esp_hdr)};
		at[m++] = i;
	}
	if (!m)
		return;
	b.session = s->second;
	b.op = DPDK_CIPHER;
	b.head = (uint16_t)(sizeof(struct esp_hdr) + suite->iv_len);
	b.iv_len = suite->iv_len;
	b.digest_len = 0;
	burst_run(&b, job, m);
	for (unsigned int i = 0; i < m; i++)
		req[at[i]].status = status_of(job[i].status);
}

static void dpdk_seal(struct crypto_session *base, struct crypto_req *req, unsigned int n)
{
	struct dpdk_session *s = (struct dpdk_session *)base;

	if (!base->suite->digest)
		gcm_run(s, req, n);
	else if (n <= SMALL_CBC && s->dev->sync)
		s->small->backend->seal(s->small, req, n);
	else
		cbc_seal(s, req, n);
}

static void dpdk_open(struct crypto_session *base, struct crypto_req *req, unsigned int n)
{
	struct dpdk_session *s = (struct dpdk_session *)base;

	if (!base->suite->digest)
		gcm_run(s, req, n);
	else if (n <= SMALL_CBC && s->dev->sync)
		s->small->backend->open(s->small, req, n);
	else
		cbc_open(s, req, n);
}

static const struct crypto_backend cryptodev_backend = {
	.name = "cryptodev",
	.session_new = dpdk_new,
	.session_free = dpdk_free,
	.seal = dpdk_seal,
	.open = dpdk_open,
};

/* ---- start ---------------------------------------------------------------------------------- */

struct eal_args {
	char *v[ARGS_MAX + 1];
	char text[ARGS_MAX][96];
	int n;
};

static void arg_add(struct eal_args *a, const char *s)
{
	if (a->n == ARGS_MAX)
		return;
	snprintf(a->text[a->n], sizeof(a->text[0]), "%s", s);
	a->v[a->n] = a->text[a->n];
	a->n++;
}

static bool is_pci(const char *s)
{
	return strspn(s, "0123456789abcdefABCDEF:.") == strlen(s) && strchr(s, ':') && strchr(s, '.');
}

/* Calls fn for each name of a list "a, b"; names are cut at 63 bytes. */
static void each_name(const char *list, void (*fn)(void *ctx, const char *name), void *ctx)
{
	char name[64];
	size_t n;

	while (*list) {
		list += strspn(list, ", \t");
		n = strcspn(list, ", \t");
		if (n && n < sizeof(name)) {
			memcpy(name, list, n);
			name[n] = '\0';
			fn(ctx, name);
		}
		list += n;
	}
}

static void arg_device(void *ctx, const char *name)
{
	arg_add(ctx, is_pci(name) ? "-a" : "--vdev");
	arg_add(ctx, name);
}

static void count_pci(void *ctx, const char *name)
{
	*(unsigned int *)ctx += is_pci(name);
}

static void eal_arguments(struct eal_args *a, const struct gw_dataplane_conf *conf, int cpu,
			  uint32_t max_sas)
{
	unsigned int pci = 0;
	char text[96];

	each_name(conf->device, count_pci, &pci);
	arg_add(a, "xdpsec-dataplane");
	arg_add(a, "--no-huge");
	arg_add(a, "--no-shconf");
	if (!pci)
		arg_add(a, "--no-pci");
	arg_add(a, "--iova-mode=va");
	arg_add(a, "--no-telemetry");
	arg_add(a, "--log-level=*:warning");
	arg_add(a, "-m");
	/* Reserved, not touched: pages come with use. */
	snprintf(text, sizeof(text), "%u", MB_BASE + max_sas / (1024 / (2 * SESSION_KB)));
	arg_add(a, text);
	arg_add(a, "-l");
	snprintf(text, sizeof(text), "%d", cpu);
	arg_add(a, text);
	each_name(conf->device, arg_device, a);
	each_name(conf->vdev, arg_device, a);
	a->v[a->n] = NULL;
}

/* EAL pins the thread that starts it: the affinity is put back, so that workers do not inherit it. */
static int eal_start(const struct gw_dataplane_conf *conf, uint32_t max_sas)
{
	static struct eal_args args; /* EAL keeps pointers into its argument strings */
	struct eal_args *a = &args;
	cpu_set_t cpus;
	int cpu = 0, err;

	a->n = 0;
	if (sched_getaffinity(0, sizeof(cpus), &cpus) < 0)
		CPU_ZERO(&cpus);
	while (cpu < CPU_SETSIZE - 1 && !CPU_ISSET(cpu, &cpus))
		cpu++;
	eal_arguments(a, conf, CPU_COUNT(&cpus) ? cpu : 0, max_sas);
	err = rte_eal_init(a->n, a->v) < 0 ? -rte_errno : 0;
	if (CPU_COUNT(&cpus))
		sched_setaffinity(0, sizeof(cpus), &cpus);
	return err;
}

static void dev_take(void *ctx, const char *name)
{
	unsigned int workers = *(unsigned int *)ctx;
	int id = rte_cryptodev_get_dev_id(name);
	struct rte_cryptodev_info info;
	struct dpdk_dev *dev = &dpdk.dev[dpdk.n_devs];
	char pci[80];
	size_t used;

	if (id < 0 && is_pci(name)) { /* crypto devices on a PCI device are called address_suffix */
		for (int i = 0; i < RTE_CRYPTO_MAX_DEVS && id < 0; i++) {
			const char *n = rte_cryptodev_is_valid_dev((uint8_t)i) ?
						rte_cryptodev_name_get((uint8_t)i) : NULL;

			snprintf(pci, sizeof(pci), "%s_", name);
			if (n && strncmp(n, pci, strlen(pci)) == 0)
				id = i;
		}
	}
	if (id < 0 || dpdk.n_devs == DEVS_MAX)
		return;
	rte_cryptodev_info_get((uint8_t)id, &info);
	*dev = (struct dpdk_dev){.id = (uint8_t)id,
				 .sync = info.feature_flags & RTE_CRYPTODEV_FF_SYM_CPU_CRYPTO};
	snprintf(dev->name, sizeof(dev->name), "%s", name);
	/* PMDs take what they make sessions with from a queue pair, used or not. */
	if (dpdk_queue_open(dev, dev->sync ? 1 : workers) < 0)
		return;
	if (rte_cryptodev_sym_get_private_session_size(dev->id) > dpdk.session_size)
		dpdk.session_size = rte_cryptodev_sym_get_private_session_size(dev->id);
	used = strlen(dpdk.names);
	snprintf(dpdk.names + used, sizeof(dpdk.names) - used, "%s%s", used ? ", " : "", name);
	dpdk.n_devs++;
}

int crypto_cryptodev_start(const struct gw_dataplane_conf *conf, unsigned int workers,
			   uint32_t max_sas, const struct crypto_backend **out, char *err, size_t errlen)
{
	int r;

	if (dpdk.n_devs) {
		*out = &cryptodev_backend;
		return 0;
	}
	r = eal_start(conf, max_sas);
	if (r < 0) {
		snprintf(err, errlen, "DPDK does not start: %s", rte_strerror(-r));
		return r;
	}
	each_name(conf->device, dev_take, &workers);
	each_name(conf->vdev, dev_take, &workers);
	if (!dpdk.n_devs) {
		snprintf(err, errlen, "no crypto device of \"%s%s%s\" is there", conf->device,
			 conf->device[0] && conf->vdev[0] ? ", " : "", conf->vdev);
		return -ENODEV;
	}
	if (!pool_add()) {
		snprintf(err, errlen, "no memory for crypto sessions: %s", rte_strerror(rte_errno));
		dpdk.n_devs = 0;
		return -ENOMEM;
	}
	*out = &cryptodev_backend;
	return 0;
}

const char *crypto_cryptodev_devices(void)
{
	return dpdk.names;
}

#endif
