/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "ip.h"

/* The headers of an IPv6 packet, from the fixed one to what a selector can name. */
enum {
	IP6_EXT_MAX = 8, /* as many as the classifier takes (bpf/parse.h) */
	IP6_FRAG_MORE = 1,
	IP6_FRAG_OFFSET = 0xfff8,
};

struct ip6_walk {
	uint32_t off;	  /* of the upper layer's header, from the IP header */
	uint8_t protocol; /* the upper layer's */
	bool fragment;	  /* of several; an "atomic" one (RFC 6946) is a whole packet */
	bool later;	  /* not the first one: the upper layer's header is elsewhere */
	bool on_the_way;  /* a routing header with segments left: dst is not the last destination */
};

/*
 * Checks an IPv6 header against the bytes that are there: 0, and *len is the length that it gives
 * itself, or -1. Jumbograms (RFC 2675) are no packets of ours, nor are IPv4 addresses in an IPv6 header
 * (RFC 4942 2.2): our tables know IPv4 by that form.
 */
int ip6_check(const uint8_t *p, uint32_t have, uint32_t *len);
/*
 * RFC 8200 4.1: over the extension headers of a packet that ip6_check took. 0, or -1 when they are cut off, too
 * many, or hide the protocol in another fragment.
 */
int ip6_walk(const uint8_t *p, uint32_t len, struct ip6_walk *w);

static inline uint8_t ip6_tos(const struct ip6_hdr_fixed *ip)
{
	return (uint8_t)(be32(ip->ver_class_flow_be) >> 20);
}

static inline void ip6_set_tos(struct ip6_hdr_fixed *ip, uint8_t tos)
{
	ip->ver_class_flow_be = (ip->ver_class_flow_be & ~be32(0xffu << 20)) | be32((uint32_t)tos << 20);
}
