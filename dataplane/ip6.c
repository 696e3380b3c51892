/* SPDX-License-Identifier: BSD-2-Clause */
#include "ip6.h"

enum { UNIT = 8, SEGMENTS_LEFT = 3 };

int ip6_check(const uint8_t *p, uint32_t have, uint32_t *len)
{
	const struct ip6_hdr_fixed *ip = (const struct ip6_hdr_fixed *)p;
	uint32_t payload;

	if (have < sizeof(*ip) || p[0] >> 4 != 6)
		return -1;
	payload = be16(ip->len_be);
	if ((!payload && ip->next != IPPROTO_NONE) || payload > have - sizeof(*ip))
		return -1;
	if (ip_is_mapped4(ip->src) || ip_is_mapped4(ip->dst))
		return -1;
	*len = (uint32_t)sizeof(*ip) + payload;
	return 0;
}

static bool is_ext(uint8_t next)
{
	return next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_DSTOPTS ||
	       next == IPPROTO_FRAGMENT;
}

static uint32_t take_fragment(const uint8_t *ext, struct ip6_walk *w)
{
	uint16_t field = (uint16_t)(ext[2] << 8 | ext[3]);

	w->fragment |= (field & (IP6_FRAG_OFFSET | IP6_FRAG_MORE)) != 0;
	w->later |= (field & IP6_FRAG_OFFSET) != 0;
	return UNIT;
}

int ip6_walk(const uint8_t *p, uint32_t len, struct ip6_walk *w)
{
	const struct ip6_hdr_fixed *ip = (const struct ip6_hdr_fixed *)p;
	uint32_t n;

	*w = (struct ip6_walk){.off = sizeof(*ip), .protocol = ip->next};
	for (unsigned int i = 0; is_ext(w->protocol); i++) {
		const uint8_t *ext = p + w->off;

		if (i == IP6_EXT_MAX || w->later || len - w->off < UNIT)
			return -1;
		n = w->protocol == IPPROTO_FRAGMENT ? take_fragment(ext, w) : (ext[1] + 1u) * UNIT;
		if (n > len - w->off)
			return -1;
		w->on_the_way |= w->protocol == IPPROTO_ROUTING && ext[SEGMENTS_LEFT];
		w->protocol = ext[0];
		w->off += n;
	}
	return 0;
}
