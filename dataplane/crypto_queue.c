/* SPDX-License-Identifier: BSD-2-Clause */
#if HAVE_DPDK

#include "crypto_dpdk.h"

#include <errno.h>
#include <string.h>

/*
 * Crypto through queue pairs: for hardware, and for software PMDs without a synchronous path, which do all
 * their work in dequeue. Packets are copied into buffers that the device can reach and back: the worker's
 * own memory need not be mapped for it. A worker has the queue pair of its number.
 */
enum {
	QUEUE_DEPTH = 128,
	BUF_ROOM = 4096 + 256,
	PRIV_AAD = 16,		       /* behind the IV */
	PRIV_LEN = 48,
	WAIT_MS = 500, /* a device that takes longer is given up */
};

static struct rte_mempool *op_pool, *buf_pool;

static int pools_open(unsigned int workers)
{
	unsigned int n = workers * QUEUE_DEPTH;

	if (op_pool)
		return 0;
	op_pool = rte_crypto_op_pool_create("xdpsec_op", RTE_CRYPTO_OP_TYPE_SYMMETRIC, n, 0, PRIV_LEN,
					    SOCKET_ID_ANY);
	buf_pool = rte_pktmbuf_pool_create("xdpsec_buf", n, 0, 0, BUF_ROOM, SOCKET_ID_ANY);
	return op_pool && buf_pool ? 0 : -ENOMEM;
}

int dpdk_queue_open(struct dpdk_dev *dev, unsigned int workers)
{
	struct rte_cryptodev_config config = {.socket_id = SOCKET_ID_ANY,
					      .nb_queue_pairs = (uint16_t)workers};
	struct rte_cryptodev_qp_conf qp = {.nb_descriptors = QUEUE_DEPTH};
	struct rte_cryptodev_info info;
	int err;

	rte_cryptodev_info_get(dev->id, &info);
	config.ff_disable = info.feature_flags &
			    (RTE_CRYPTODEV_FF_ASYMMETRIC_CRYPTO | RTE_CRYPTODEV_FF_SECURITY);
	config.socket_id = rte_cryptodev_socket_id(dev->id);
	if (info.max_nb_queue_pairs < workers)
		return -ENOSPC;
	err = dev->sync ? 0 : pools_open(workers);
	if (!err)
		err = rte_cryptodev_configure(dev->id, &config);
	for (unsigned int i = 0; i < workers && !err; i++)
		err = rte_cryptodev_queue_pair_setup(dev->id, (uint16_t)i, &qp, config.socket_id);
	return err ? err : rte_cryptodev_start(dev->id);
}

static void op_fill(const struct dpdk_burst *b, struct rte_crypto_op *op, struct rte_mbuf *m,
		    const struct dpdk_job *job)
{
	struct rte_crypto_sym_op *sym = op->sym;
	uint8_t *digest = rte_pktmbuf_mtod_offset(m, uint8_t *, job->len);
	uint32_t cipher_len = job->len - b->head - b->tail;

	m->data_len = (uint16_t)job->len;
	m->pkt_len = job->len;
	memcpy(rte_pktmbuf_mtod(m, void *), job->base, job->len);
	if (b->iv_len)
		memcpy(rte_crypto_op_ctod_offset(op, uint8_t *, DPDK_IV_OFFSET), job->iv, b->iv_len);
	rte_crypto_op_attach_sym_session(op, b->session);
	sym->m_src = m;
	sym->m_dst = NULL;
	if (b->op == DPDK_AEAD) {
		if (b->verify)
			memcpy(digest, job->digest, b->digest_len);
		sym->aead.data.offset = 0;
		sym->aead.data.length = job->len;
		sym->aead.digest.data = digest;
		sym->aead.digest.phys_addr = rte_pktmbuf_iova_offset(m, job->len);
		sym->aead.aad.data = rte_crypto_op_ctod_offset(op, uint8_t *, DPDK_IV_OFFSET + PRIV_AAD);
		sym->aead.aad.phys_addr = rte_crypto_op_ctophys_offset(op, DPDK_IV_OFFSET + PRIV_AAD);
		memcpy(sym->aead.aad.data, job->aad, b->aad_len);
		return;
	}
	sym->cipher.data.offset = b->head;
	sym->cipher.data.length = cipher_len;
	sym->auth.data.offset = 0;
	sym->auth.data.length = job->len;
	sym->auth.digest.data = digest;
	sym->auth.digest.phys_addr = rte_pktmbuf_iova_offset(m, job->len);
}

static int32_t status_of(const struct rte_crypto_op *op)
{
	switch (op->status) {
	case RTE_CRYPTO_OP_STATUS_SUCCESS:
		return 0;
	case RTE_CRYPTO_OP_STATUS_AUTH_FAILED:
		return EBADMSG;
	default:
		return EIO;
	}
}

/* op->private is not ours with every PMD: the job is found by its buffer. */
static void op_finish(const struct dpdk_burst *b, struct rte_crypto_op *op, struct dpdk_job *job,
		      struct rte_mbuf *const *buf, unsigned int n)
{
	struct rte_mbuf *m = op->sym->m_src;

	for (unsigned int i = 0; i < n; i++) {
		if (buf[i] != m)
			continue;
		job[i].status = status_of(op);
		if (b->op != DPDK_AUTH)
			memcpy(job[i].base, rte_pktmbuf_mtod(m, void *), job[i].len);
		if (b->digest_len && !b->verify)
			memcpy(job[i].digest, rte_pktmbuf_mtod_offset(m, uint8_t *, job[i].len),
			       b->digest_len);
		break;
	}
	rte_pktmbuf_free(m);
	rte_crypto_op_free(op);
}

void dpdk_queue_run(const struct dpdk_burst *b, struct dpdk_job *job, unsigned int n)
{
	struct rte_crypto_op *op[PKT_BURST], *done[PKT_BURST];
	struct rte_mbuf *buf[PKT_BURST] = {NULL};
	uint16_t queue = (uint16_t)b->worker, sent, got;
	uint64_t until = rte_get_timer_cycles() + rte_get_timer_hz() * WAIT_MS / 1000;
	unsigned int left;

	for (unsigned int i = 0; i < n; i++)
		job[i].status = EBUSY;
	if (b->dev->dead || rte_crypto_op_bulk_alloc(op_pool, RTE_CRYPTO_OP_TYPE_SYMMETRIC, op, (uint16_t)n) != n)
		return;
	if (rte_pktmbuf_alloc_bulk(buf_pool, buf, n) != 0) {
		rte_mempool_put_bulk(op_pool, (void **)op, n);
		return;
	}
	for (unsigned int i = 0; i < n; i++)
		op_fill(b, op[i], buf[i], &job[i]);
	sent = rte_cryptodev_enqueue_burst(b->dev->id, queue, op, (uint16_t)n);
	for (unsigned int i = sent; i < n; i++) {
		rte_pktmbuf_free(buf[i]);
		rte_crypto_op_free(op[i]);
	}
	for (left = sent; left; left -= got) {
		got = rte_cryptodev_dequeue_burst(b->dev->id, queue, done, (uint16_t)left);
		for (unsigned int i = 0; i < got; i++)
			op_finish(b, done[i], job, buf, sent);
		if (!got && rte_get_timer_cycles() > until) {
			/* What it holds may still be written to: those buffers stay lost. */
			b->dev->dead = true;
			return;
		}
	}
}

#endif
