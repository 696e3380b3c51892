/* SPDX-License-Identifier: BSD-2-Clause */
#include "selectors.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

enum { PORT_MAX = 65535, ICMP_BYTE_MAX = 255, ICMP_PARTS_MAX = 3 };

struct range16 {
	uint16_t lo, hi;
};

static const struct range16 any_port = {0, PORT_MAX};

static bool range_any(struct range16 r)
{
	return r.lo == 0 && r.hi == PORT_MAX;
}

static bool is_icmp(uint8_t protocol)
{
	return protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6;
}

void policy_name(char out[XS_NAME_LEN], const char *name)
{
	size_t n = name ? strnlen(name, XS_NAME_LEN) : 0;

	if (n == XS_NAME_LEN) {
		n--;
		while (n && ((uint8_t)name[n] & 0xc0) == 0x80)
			n--;
	}
	memset(out, 0, XS_NAME_LEN);
	if (n)
		memcpy(out, name, n);
}

/*
 * RFC 4301 4.4.1.1: type and code are one number, type first. The maps keep type and code apart,
 * so a run of numbers becomes up to three rectangles of types by codes.
 */
static unsigned int icmp_parts(struct range16 r, struct range16 type[ICMP_PARTS_MAX],
			       struct range16 code[ICMP_PARTS_MAX])
{
	uint16_t t0 = r.lo >> 8, t1 = r.hi >> 8, c0 = r.lo & 0xff, c1 = r.hi & 0xff;
	unsigned int n = 0;

	if (range_any(r)) {
		type[0] = code[0] = any_port;
		return 1;
	}
	if (t0 == t1) {
		type[0] = (struct range16){t0, t0};
		code[0] = c0 == 0 && c1 == ICMP_BYTE_MAX ? any_port : (struct range16){c0, c1};
		return 1;
	}
	if (c0 != 0) {
		type[n] = (struct range16){t0, t0};
		code[n++] = (struct range16){c0, ICMP_BYTE_MAX};
		t0++;
	}
	if (c1 != ICMP_BYTE_MAX) {
		type[n] = (struct range16){t1, t1};
		code[n++] = (struct range16){0, c1};
		t1--;
	}
	if (t0 <= t1) {
		type[n] = (struct range16){t0, t1};
		code[n++] = any_port;
	}
	return n;
}

/* Bits of an address range that are fixed: the prefix length for a prefix, rounded down otherwise. */
static unsigned int fixed_bits(const struct xs_addr *lo, const struct xs_addr *hi, uint8_t family)
{
	unsigned int first = family == 4 ? 12 : 0, bits = 0;
	unsigned int borrow = 0, top = 8 * (16 - first);
	uint8_t size[16];

	/* hi - lo, then the place of its highest bit */
	for (unsigned int i = 16; i-- > first;) {
		unsigned int d = 0x100u + hi->b[i] - lo->b[i] - borrow;

		size[i] = (uint8_t)d;
		borrow = d < 0x100u;
	}
	for (unsigned int i = first; i < 16; i++) {
		if (!size[i]) {
			bits += 8;
			continue;
		}
		return bits + (unsigned int)__builtin_clz(size[i]) - 24;
	}
	return top;
}

static unsigned int port_bits(uint16_t lo, uint16_t hi)
{
	if (lo > hi || lo == hi)
		return 16;
	return (unsigned int)__builtin_clz((unsigned int)(hi - lo)) - 16;
}

uint32_t policy_priority(const struct xs_policy *row, uint32_t class)
{
	unsigned int address = fixed_bits(&row->src_lo, &row->src_hi, row->family) +
			       fixed_bits(&row->dst_lo, &row->dst_hi, row->family);
	unsigned int rest = (row->protocol ? 64 : 0) + 2 * port_bits(row->sport_lo, row->sport_hi) +
			    2 * port_bits(row->dport_lo, row->dport_hi);

	/* at most 256 * 256 and 128: addresses decide before ports do, and classes do not meet */
	return class - 256 * address - rest;
}

static bool pair_fits(const struct ts *l, const struct ts *r)
{
	if (l->lo.family != r->lo.family)
		return false;
	return !l->protocol || !r->protocol || l->protocol == r->protocol;
}

static int add_row(struct policy_rows *out, const struct xs_policy *row)
{
	struct xs_policy *more;

	for (uint32_t i = 0; i < out->n; i++)
		if (policy_row_same(&out->row[i], row))
			return 0; /* two selectors that became one when narrowed to a protocol */
	if (out->n == POLICY_ROWS_MAX)
		return -E2BIG;
	more = realloc(out->row, (out->n + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	out->row = more;
	out->row[out->n++] = *row;
	return 0;
}

static int add_pair(struct policy_rows *out, const struct ts *l, const struct ts *r,
		    struct xs_policy row, uint32_t class, uint32_t priority)
{
	struct range16 sport[ICMP_PARTS_MAX] = {{l->port_lo, l->port_hi}};
	struct range16 dport[ICMP_PARTS_MAX] = {{r->port_lo, r->port_hi}};
	unsigned int n = 1;

	addr_to_mapped(&l->lo, row.src_lo.b);
	addr_to_mapped(&l->hi, row.src_hi.b);
	addr_to_mapped(&r->lo, row.dst_lo.b);
	addr_to_mapped(&r->hi, row.dst_hi.b);
	row.family = l->lo.family;
	row.protocol = l->protocol ? l->protocol : r->protocol;
	/* RFC 7296 3.13.1: our selector lists what we may send; the peer's what it may. */
	if (is_icmp(row.protocol))
		n = l->port_lo > l->port_hi ? 0 : icmp_parts(sport[0], sport, dport);
	for (unsigned int i = 0; i < n; i++) {
		int err;

		row.sport_lo = sport[i].lo;
		row.sport_hi = sport[i].hi;
		row.dport_lo = dport[i].lo;
		row.dport_hi = dport[i].hi;
		row.priority = priority ? priority : policy_priority(&row, class);
		if (row.action == XS_TRAP)
			row.priority++; /* an SA narrowed out of it wins even when priorities are given */
		err = add_row(out, &row);
		if (err)
			return err;
	}
	return 0;
}

int policy_row_cmp(const struct xs_policy *x, const struct xs_policy *y)
{
	/* addresses and ports stand in front of all that is not a selector */
	int d = memcmp(x, y, offsetof(struct xs_policy, priority));

	return d ? d : (int)x->protocol - (int)y->protocol;
}

static int by_selector(const void *a, const void *b)
{
	return policy_row_cmp(a, b);
}

void policy_rows_sort(struct policy_rows *rows)
{
	if (rows->n > 1)
		qsort(rows->row, rows->n, sizeof(*rows->row), by_selector);
}

int policy_rows_make(const struct ts_list *local, const struct ts_list *remote, enum xs_action action,
		     uint32_t priority, const struct policy_names *names, struct policy_rows *out)
{
	uint32_t class = action == XS_BYPASS || action == XS_DISCARD ? PRIORITY_SHUNT : PRIORITY_SA;
	struct xs_policy row = {.action = (uint8_t)action};
	int err = 0;

	*out = (struct policy_rows){0};
	policy_name(row.conn, names->conn);
	policy_name(row.child, names->child);
	for (unsigned int i = 0; !err && i < local->n; i++)
		for (unsigned int k = 0; !err && k < remote->n; k++)
			if (pair_fits(&local->ts[i], &remote->ts[k]))
				err = add_pair(out, &local->ts[i], &remote->ts[k], row, class, priority);
	if (!err && !out->n)
		err = -EINVAL;
	if (err)
		policy_rows_free(out);
	policy_rows_sort(out);
	return err;
}

void policy_rows_free(struct policy_rows *rows)
{
	free(rows->row);
	*rows = (struct policy_rows){0};
}

bool policy_row_same(const struct xs_policy *a, const struct xs_policy *b)
{
	return policy_row_cmp(a, b) == 0;
}

bool policy_rows_same(const struct policy_rows *a, const struct policy_rows *b)
{
	if (a->n != b->n)
		return false;
	for (uint32_t i = 0; i < a->n; i++)
		if (!policy_row_same(&a->row[i], &b->row[i]))
			return false;
	return true;
}
