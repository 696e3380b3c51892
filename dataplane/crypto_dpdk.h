/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "crypto.h"

/* The session pool call is marked experimental until 23.11, and the headers ask for undefined macros under clang. */
#define ALLOW_EXPERIMENTAL_API
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wundef"
#include <rte_cryptodev.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_mbuf.h>
#pragma GCC diagnostic pop

/*
 * Between the parts of the cryptodev backend: crypto_eal.c (start, devices), crypto_prove.c (what they can),
 * crypto_cryptodev.c (sessions, the synchronous path of software PMDs) and crypto_queue.c (queue pairs, for
 * devices without one).
 */
enum { DPDK_SUITES_MAX = 256 };

struct dpdk_dev {
	uint8_t id;
	bool sync; /* has the synchronous CPU path */
	bool dead; /* kept operations to itself: used no more */
	char name[64];
	bool proved[DPDK_SUITES_MAX]; /* by crypto_suite_index */
};

/* One operation on one contiguous run of bytes, in place. */
struct dpdk_job {
	uint8_t *base;
	uint32_t len;
	uint8_t *iv;
	uint8_t *aad;	 /* AEAD; of CCM with what the device wants in front */
	uint8_t *digest; /* written when made, read when verified */
	int32_t status;	 /* 0 or an errno; EBADMSG: digest wrong */
};

enum dpdk_op { DPDK_AEAD, DPDK_CHAIN, DPDK_CIPHER, DPDK_AUTH };

/* What is common to a burst. The cipher leaves out `head` and `tail` bytes of base, the digest none. */
struct dpdk_burst {
	struct dpdk_dev *dev;
	unsigned int worker;
	void *session;
	enum dpdk_op op;
	bool verify; /* the device checks the digest (AEAD) */
	uint16_t head, tail, aad_len, iv_len, digest_len;
};

/* IVs of a session for queue pairs sit in the operation's private area, here. */
#define DPDK_IV_OFFSET (sizeof(struct rte_crypto_op) + sizeof(struct rte_crypto_sym_op))

extern const struct crypto_backend crypto_cryptodev;

struct dpdk_dev *dpdk_dev_at(unsigned int i); /* in order of preference; NULL at the end */
/* Memory for sessions is the control thread's alone. NULL: no memory, or the device does not take it. */
void *dpdk_session_new(struct dpdk_dev *dev, struct rte_crypto_sym_xform *x);
void dpdk_session_free(struct dpdk_dev *dev, void *session); /* wipes; NULL is harmless */
/* A session on that device, proved or not. NULL and errno. */
struct crypto_session *dpdk_new_on(struct dpdk_dev *dev, const struct crypto_suite *suite,
				   const struct crypto_keys *keys, enum crypto_dir dir, unsigned int worker);
/* Fills dev->proved. */
void dpdk_prove(struct dpdk_dev *dev);

/* Queue pairs, operation and buffer pools of one device; 0 or -errno. */
int dpdk_queue_open(struct dpdk_dev *dev, unsigned int workers);
/* Enqueues the jobs of a burst and waits for all of them. */
void dpdk_queue_run(const struct dpdk_burst *b, struct dpdk_job *job, unsigned int n);
