/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "agent/wire/msg.h"
#include "common/addr.h"

/* What the exchanges decide without state: proposals, NAT detection, nonces. */

/*
 * RFC 7296 2.7, 3.3: the first of `offered` (in their order, or in ours when prefer_own) that one
 * of `mine` accepts: one transform of each type, exact key lengths, unknown transforms skipped
 * alone, a proposal with an unknown type or without a demanded one skipped whole, AEAD without
 * INTEG or with NONE. `out` echoes the number and SPI of the offer, and NONE where NONE was taken.
 * 0, or -ENOENT: NO_PROPOSAL_CHOSEN. strip_ke: key exchange transforms do not count and are left
 * out (IKE_AUTH).
 */
int proposal_select(const struct proposals *mine, const struct proposals *offered, bool prefer_own,
		    bool strip_ke, struct proposal *out);
/*
 * Is the responder's answer one of what we offered: one proposal, one transform of each type? 0 or
 * -EINVAL (RFC 7296 2.7). `out`: the answer without transforms that say NONE. `offered` is what was
 * sent.
 */
int proposal_verify(const struct proposals *offered, const struct proposals *answer,
		    struct proposal *out);
/* Group to propose first / to ask for in INVALID_KE_PAYLOAD; 0 when there is none. */
uint16_t proposals_first_ke(const struct proposals *p);
bool proposals_have_ke(const struct proposals *p, uint16_t group);
/* A copy for the wire: numbers 1.., this SPI, KE transforms left out when strip_ke, proposals of ESP
 * and AH without an ESN transform get the one that says no. */
void proposals_prepare(const struct proposals *in, const uint8_t *spi, uint8_t spi_len,
		       bool strip_ke, struct proposals *out);

/* RFC 7296 2.23: SHA-1(SPIi | SPIr | IP | port). */
void natd_hash(uint64_t spi_i, uint64_t spi_r, const struct endpoint *e, uint8_t out[20]);

/* RFC 7296 2.10-1: half the PRF's key at least. 16 bytes, the least of all, are the decoder's to demand. */
bool nonce_fits(struct slice nonce, uint16_t prf_id);
/* RFC 7296 2.8.1: octet by octet, the shorter is lower when it is a prefix. */
int nonce_cmp(struct slice a, struct slice b);
