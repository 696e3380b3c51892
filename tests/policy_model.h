/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "maps/layout.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/*
 * The slow model of the policy database: every policy is looked at for every packet. And random
 * policies and packets in a world so small that they meet.
 */
enum { MODEL_MAX = 2048 };

struct model {
	struct xs_policy row[MODEL_MAX];
	uint32_t id[MODEL_MAX];
	uint32_t n;
};

struct model_verdict {
	uint32_t policy; /* 0 = none */
	bool blocked;	 /* a fragment that may belong to what this policy does not let pass */
};

static inline bool model_within(const struct xs_addr *a, const struct xs_addr *lo,
				const struct xs_addr *hi)
{
	return memcmp(a, lo, 16) >= 0 && memcmp(a, hi, 16) <= 0;
}

static inline bool model_port_any(uint16_t lo, uint16_t hi)
{
	return (lo == 0 && hi == 65535) || lo > hi; /* ANY, OPAQUE */
}

static inline struct model_verdict model_lookup(const struct model *m, const struct xs_tuple *t)
{
	struct model_verdict v = {0};
	uint32_t best = UINT32_MAX;

	for (uint32_t i = 0; i < m->n; i++) {
		const struct xs_policy *p = &m->row[i];
		bool blocked = false;

		if ((p->family == 6) != !!(t->flags & XS_TUPLE_V6) ||
		    !model_within(&t->src, &p->src_lo, &p->src_hi) ||
		    !model_within(&t->dst, &p->dst_lo, &p->dst_hi) ||
		    (p->protocol && p->protocol != t->protocol))
			continue;
		if (t->flags & XS_TUPLE_NO_PORTS) {
			blocked = !model_port_any(p->sport_lo, p->sport_hi) ||
				  !model_port_any(p->dport_lo, p->dport_hi);
			if (blocked && p->action == XS_BYPASS)
				continue;
		} else if (t->sport < p->sport_lo || t->sport > p->sport_hi ||
			   t->dport < p->dport_lo || t->dport > p->dport_hi) {
			continue;
		}
		if (p->priority >= best)
			continue;
		best = p->priority;
		v = (struct model_verdict){.policy = m->id[i], .blocked = blocked};
	}
	return v;
}

static inline void model_add(struct model *m, uint32_t id, const struct xs_policy *row)
{
	m->row[m->n] = *row;
	m->id[m->n++] = id;
}

static inline void model_del(struct model *m, uint32_t at)
{
	m->n--;
	m->row[at] = m->row[m->n];
	m->id[at] = m->id[m->n];
}

static inline uint32_t model_rand(uint32_t n)
{
	return (uint32_t)rand() % n;
}

/* The last byte is what differs; IPv4 10.9.8.x or IPv6 2001:db8::x. */
static inline struct xs_addr model_addr(uint8_t family, uint8_t last)
{
	struct xs_addr a4 = {.b = {[10] = 255, 255, 10, 9, 8, last}};
	struct xs_addr a6 = {.b = {0x20, 1, 0xd, 0xb8, [15] = last}};

	return family == 4 ? a4 : a6;
}

static inline void model_random_range(uint8_t family, struct xs_addr *lo, struct xs_addr *hi)
{
	static const uint8_t sizes[] = {1, 1, 4, 16};
	uint8_t size = sizes[model_rand(4)], first = (uint8_t)model_rand(24);

	switch (model_rand(8)) {
	case 0: /* the whole family */
		memset(lo, 0, 16);
		memset(hi, 0xff, 16);
		if (family == 4) {
			memcpy(lo, &(struct xs_addr){.b = {[10] = 255, 255}}, 16);
			memcpy(hi, &(struct xs_addr){.b = {[10] = 255, 255, 255, 255, 255, 255}},
			       16);
		}
		return;
	case 1: /* a true range */
		*lo = model_addr(family, first);
		*hi = model_addr(family, (uint8_t)(first + model_rand(9)));
		return;
	}
	first = (uint8_t)(first / size * size);
	*lo = model_addr(family, first);
	*hi = model_addr(family, (uint8_t)(first + size - 1));
}

static inline void model_random_ports(uint16_t *lo, uint16_t *hi)
{
	*lo = 0;
	*hi = 65535;
	switch (model_rand(6)) {
	case 0:
		*lo = *hi = (uint16_t)model_rand(6);
		break;
	case 1:
		*lo = (uint16_t)model_rand(5);
		*hi = (uint16_t)(*lo + model_rand(5));
		break;
	case 2:
		if (!model_rand(4)) {
			*lo = 65535;
			*hi = 0;
		}
		break;
	}
}

static inline struct xs_policy model_random_policy(uint32_t priority)
{
	static const uint8_t protocols[] = {0, 0, 6, 17};
	struct xs_policy p = {
	    .family = model_rand(4) ? 4 : 6,
	    .protocol = protocols[model_rand(4)],
	    .action = (uint8_t)(XS_BYPASS + model_rand(4)),
	    .priority = priority,
	};

	model_random_range(p.family, &p.src_lo, &p.src_hi);
	model_random_range(p.family, &p.dst_lo, &p.dst_hi);
	model_random_ports(&p.sport_lo, &p.sport_hi);
	model_random_ports(&p.dport_lo, &p.dport_hi);
	return p;
}

static inline struct xs_tuple model_random_tuple(void)
{
	static const uint8_t protocols[] = {6, 17, 17, 47};
	uint8_t family = model_rand(4) ? 4 : 6;
	struct xs_tuple t = {
	    .src = model_addr(family, (uint8_t)model_rand(30)),
	    .dst = model_addr(family, (uint8_t)model_rand(30)),
	    .protocol = protocols[model_rand(4)],
	    .flags = family == 6 ? XS_TUPLE_V6 : 0,
	};

	if (!model_rand(5)) {
		t.flags |= XS_TUPLE_NO_PORTS;
	} else if (t.protocol != 47) {
		t.sport = (uint16_t)model_rand(8);
		t.dport = (uint16_t)model_rand(8);
	}
	return t;
}
