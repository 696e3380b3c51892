/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "agent/sa/sa.h"
#include "agent/wire/msg.h"

/*
 * IKE fragmentation, RFC 7383. What the peer sends in fragments is collected for one message a direction, which is
 * the one that the window expects next; the collection ends with that message, so it needs no timer of its own.
 */
struct piece {
	uint8_t *p; /* NULL: has not come */
	uint16_t n;
};
struct reassembly {
	uint32_t mid;
	uint8_t exchange, first;
	uint16_t total, have;
	size_t bytes;
	uint8_t digest[SA_DIGEST_LEN]; /* of the first fragment's datagram: what a retransmit is recognised by */
	struct piece piece[];
};

/* Is it worth looking at its tag? Not when it is here already, or one of a cut into fewer fragments than those that
 * are here (RFC 7383 2.6). r may be NULL. */
bool fragment_wanted(const struct reassembly *r, const struct ike_msg *msg);
/*
 * A fragment whose tag was right, with what it says in clear; datagram is the whole of it. Copies. Makes *r, or starts over in
 * it when the message is cut into more fragments than before. 1: the message is whole; 0: others are missing; -EMSGSIZE: more
 * than `most` bytes or IKE_FRAGMENTS_MAX fragments, then all are dropped; -ENOMEM: this one is lost.
 */
int fragment_add(struct reassembly **r, const struct ike_msg *msg, struct slice plain,
		 struct slice datagram, size_t most);
/* The payloads of a whole message into out, of at least r->bytes; their length. */
size_t fragments_join(const struct reassembly *r, uint8_t *out);
void fragments_drop(struct reassembly **r);

/* Announces it in IKE_SA_INIT, unless the connection says no (RFC 7383 2.3). */
void fragmentation_put(const struct ike_sa *ike, struct msg_wr *chain);
/* Bytes of an IKE message that fits into a packet of fragment_size sent from this endpoint. */
size_t fragment_room(const struct ike_sa *ike, const struct endpoint *from);
/*
 * Seals a chain for sending from this endpoint: one datagram with SK, or, when it is larger than the connection wants and
 * the peer takes fragments, a set of datagrams with SKF, one behind the other. 0 or -errno.
 */
int message_seal(struct ike_sa *ike, const struct endpoint *from, const struct ike_hdr *hdr,
		 const struct msg_wr *chain, struct wr *out);
