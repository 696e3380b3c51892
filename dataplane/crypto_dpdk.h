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
 * Between the two halves of the cryptodev backend: crypto_cryptodev.c (devices, sessions, the synchronous
 * path of software PMDs) and crypto_queue.c (queue pairs, for devices without one).
 */
enum { DPDK_DIGEST_MAX = 64 };

struct dpdk_dev {
	uint8_t id;
	bool sync; /* has the synchronous CPU path */
	bool dead; /* kept operations to itself: used no more */
	char name[64];
};

/* One operation on one contiguous run of bytes, in place. */
struct dpdk_job {
	uint8_t *base;
	uint32_t len;
	uint8_t *iv;
	uint8_t *aad;	 /* AEAD */
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

/* Queue pairs, operation and buffer pools of one device; 0 or -errno. */
int dpdk_queue_open(struct dpdk_dev *dev, unsigned int workers);
/* Enqueues the jobs of a burst and waits for all of them. */
void dpdk_queue_run(const struct dpdk_burst *b, struct dpdk_job *job, unsigned int n);
