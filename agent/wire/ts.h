/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "common/addr.h"
#include "ike.h"

#include <stdbool.h>

/* A traffic selector, RFC 7296 3.13.1. lo..hi: one family. OPAQUE ports: 65535..0. */
struct ts {
	struct ip_addr lo, hi;
	uint16_t port_lo, port_hi; /* any: 0..65535; ICMP: type << 8 | code (RFC 4301 4.4.1.1) */
	uint8_t protocol;	   /* 0 = any */
};

struct ts_list {
	uint16_t n;
	bool more; /* there are others, for which there was no room */
	struct ts ts[IKE_TS_MAX];
};

bool ts_equal(const struct ts *a, const struct ts *b);
bool ts_list_equal(const struct ts_list *a, const struct ts_list *b);
/* Largest selector inside both; false when they do not meet. */
bool ts_intersect(const struct ts *a, const struct ts *b, struct ts *out);
/* Every address, port and protocol of `in` is inside one of `of`. */
bool ts_within(const struct ts *in, const struct ts_list *of);
/* All pairwise intersections, those inside another left out, at most IKE_TS_AGREED_MAX (out->more: there are others),
 * those with their first selectors first (RFC 7296 2.9). Returns out->n; out may be either argument. */
unsigned int ts_narrow(const struct ts_list *mine, const struct ts_list *theirs,
		       struct ts_list *out);
/* All that `in` selects, `of` selects, be it by several of its selectors together; an empty list is inside nothing, so no
 * answer passes by saying nothing. */
bool ts_list_subset(const struct ts_list *in, const struct ts_list *of);
/* "10.1.0.0/24[tcp/80]" or "10.1.0.5-10.1.0.9"; returns buf. */
enum { TS_STRLEN = 128 };
const char *ts_str(const struct ts *ts, char buf[TS_STRLEN]);
/* Copies the selectors that there are; `l` may be a kept one, which ends behind its last. */
void ts_list_copy(struct ts_list *out, const struct ts_list *l);
/* The selector of exactly this address. */
void ts_of_addr(const struct ip_addr *a, struct ts *out);
