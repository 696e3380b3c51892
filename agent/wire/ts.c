/* SPDX-License-Identifier: BSD-2-Clause */
#include "ts.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

/*
 * Ports, RFC 4301 4.4.1.1: ANY (0..65535) takes in everything, packets without visible ports too;
 * OPAQUE (65535..0) is exactly those; any other range is visible ports only.
 */
static bool port_any(const struct ts *ts)
{
	return ts->port_lo == 0 && ts->port_hi == 65535;
}

static bool port_opaque(const struct ts *ts)
{
	return ts->port_lo > ts->port_hi;
}

bool ts_equal(const struct ts *a, const struct ts *b)
{
	return a->protocol == b->protocol && a->port_lo == b->port_lo && a->port_hi == b->port_hi &&
	       addr_equal(&a->lo, &b->lo) && addr_equal(&a->hi, &b->hi);
}

bool ts_list_equal(const struct ts_list *a, const struct ts_list *b)
{
	if (a->n != b->n)
		return false;
	for (unsigned int i = 0; i < a->n; i++) {
		if (!ts_equal(&a->ts[i], &b->ts[i]))
			return false;
	}
	return true;
}

static bool port_intersect(const struct ts *a, const struct ts *b, struct ts *out)
{
	if (port_opaque(a) || port_opaque(b)) {
		const struct ts *opaque = port_opaque(a) ? a : b, *other = port_opaque(a) ? b : a;

		out->port_lo = opaque->port_lo;
		out->port_hi = opaque->port_hi;
		return port_opaque(other) || port_any(other);
	}
	out->port_lo = a->port_lo > b->port_lo ? a->port_lo : b->port_lo;
	out->port_hi = a->port_hi < b->port_hi ? a->port_hi : b->port_hi;
	return out->port_lo <= out->port_hi;
}

bool ts_intersect(const struct ts *a, const struct ts *b, struct ts *out)
{
	struct ts t = {0};

	if (a->lo.family != b->lo.family)
		return false;
	if (a->protocol && b->protocol && a->protocol != b->protocol)
		return false;
	t.protocol = a->protocol ? a->protocol : b->protocol;
	if (!port_intersect(a, b, &t))
		return false;
	t.lo = addr_cmp(&a->lo, &b->lo) > 0 ? a->lo : b->lo;
	t.hi = addr_cmp(&a->hi, &b->hi) < 0 ? a->hi : b->hi;
	if (addr_cmp(&t.lo, &t.hi) > 0)
		return false;
	*out = t;
	return true;
}

static bool port_inside(const struct ts *in, const struct ts *of)
{
	if (port_any(of))
		return true;
	if (port_opaque(in) || port_opaque(of))
		return port_opaque(in) && port_opaque(of);
	return in->port_lo >= of->port_lo && in->port_hi <= of->port_hi;
}

static bool ts_inside(const struct ts *in, const struct ts *of)
{
	return in->lo.family == of->lo.family && (!of->protocol || of->protocol == in->protocol) &&
	       port_inside(in, of) && addr_cmp(&in->lo, &of->lo) >= 0 &&
	       addr_cmp(&in->hi, &of->hi) <= 0;
}

bool ts_within(const struct ts *in, const struct ts_list *of)
{
	for (unsigned int i = 0; i < of->n; i++) {
		if (ts_inside(in, &of->ts[i]))
			return true;
	}
	return false;
}

/* The neighbour above (1) or below (-1); there is one, whoever asks saw an address behind it. */
static struct ip_addr neighbour(const struct ip_addr *a, int step)
{
	struct ip_addr n = *a;

	for (size_t i = addr_len(a); i-- > 0;) {
		uint8_t was = n.b[i];

		n.b[i] = (uint8_t)(was + step);
		if (step > 0 ? was != 0xff : was != 0)
			break;
	}
	return n;
}

static bool covered(const struct ts *in, const struct ts_list *of, unsigned int from);

/* What is left of `in` at both sides of `of`, whose ports take in all of its. */
static bool rest_covered(const struct ts *in, const struct ts *of, const struct ts_list *list,
			 unsigned int from)
{
	struct ts rest = *in;

	if (addr_cmp(&in->lo, &of->lo) < 0) {
		rest.hi = neighbour(&of->lo, -1);
		if (!covered(&rest, list, from))
			return false;
	}
	rest = *in;
	if (addr_cmp(&in->hi, &of->hi) > 0) {
		rest.lo = neighbour(&of->hi, 1);
		return covered(&rest, list, from);
	}
	return true;
}

/* Ports below and above those of `of`, for the addresses of both. */
static bool ports_covered(const struct ts *in, const struct ts *both, const struct ts_list *list,
			  unsigned int from)
{
	struct ts rest = *both;

	if (port_any(in) || port_opaque(in))
		return true;
	rest.port_lo = in->port_lo;
	rest.port_hi = (uint16_t)(both->port_lo - 1);
	if (in->port_lo < both->port_lo && !covered(&rest, list, from))
		return false;
	rest.port_lo = (uint16_t)(both->port_hi + 1);
	rest.port_hi = in->port_hi;
	return in->port_hi <= both->port_hi || covered(&rest, list, from);
}

/*
 * The pieces are disjoint and cut at edges of `of` alone: at most a square of twice its selectors of them. ANY ports are
 * more than all visible ones together, and any protocol is more than the configured ones.
 */
static bool covered(const struct ts *in, const struct ts_list *of, unsigned int from)
{
	struct ts both;

	for (unsigned int i = from; i < of->n; i++) {
		const struct ts *o = &of->ts[i];

		if ((o->protocol && !in->protocol) || (port_any(in) && !port_any(o)) ||
		    !ts_intersect(in, o, &both))
			continue;
		return rest_covered(in, &both, of, i + 1) && ports_covered(in, &both, of, i + 1);
	}
	return false;
}

bool ts_list_subset(const struct ts_list *in, const struct ts_list *of)
{
	for (unsigned int i = 0; i < in->n; i++) {
		if (!covered(&in->ts[i], of, 0))
			return false;
	}
	return in->n > 0;
}

static void drop_inside(struct ts_list *l, const struct ts *of)
{
	uint16_t kept = 0;

	for (unsigned int i = 0; i < l->n; i++) {
		if (!ts_inside(&l->ts[i], of))
			l->ts[kept++] = l->ts[i];
	}
	l->n = kept;
}

/*
 * Theirs lead: their first selector may be the packet that asks for the SA, so what answers it has
 * to be in the list even when the list gets full (RFC 7296 2.9).
 */
unsigned int ts_narrow(const struct ts_list *mine, const struct ts_list *theirs,
		       struct ts_list *out)
{
	struct ts_list l = {.more = theirs->more};

	for (unsigned int i = 0; i < theirs->n; i++) {
		for (unsigned int j = 0; j < mine->n; j++) {
			struct ts t;

			if (!ts_intersect(&theirs->ts[i], &mine->ts[j], &t) || ts_within(&t, &l))
				continue;
			drop_inside(&l, &t);
			if (l.n < IKE_TS_AGREED_MAX)
				l.ts[l.n++] = t;
			else
				l.more = true;
		}
	}
	*out = l;
	return out->n;
}

void ts_list_copy(struct ts_list *out, const struct ts_list *l)
{
	*out = (struct ts_list){.n = l->n};
	for (unsigned int i = 0; i < l->n; i++)
		out->ts[i] = l->ts[i];
}

void ts_of_addr(const struct ip_addr *a, struct ts *out)
{
	*out = (struct ts){.lo = *a, .hi = *a, .port_lo = 0, .port_hi = 65535};
}

/* ---- text ---------------------------------------------------------------------------------- */

static unsigned int bit(const struct ip_addr *a, unsigned int i)
{
	return (a->b[i / 8] >> (7 - i % 8)) & 1;
}

/* Length of the prefix that is exactly lo..hi, -1 when there is none. */
static int prefix_len(const struct ip_addr *lo, const struct ip_addr *hi)
{
	unsigned int bits = (unsigned int)addr_len(lo) * 8, plen = 0;

	while (plen < bits && bit(lo, plen) == bit(hi, plen))
		plen++;
	for (unsigned int i = plen; i < bits; i++) {
		if (bit(lo, i) || !bit(hi, i))
			return -1;
	}
	return (int)plen;
}

static const char *protocol_str(uint8_t protocol, char buf[4])
{
	switch (protocol) {
	case IPPROTO_ICMP:
		return "icmp";
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	case IPPROTO_ICMPV6:
		return "ipv6-icmp";
	case IPPROTO_SCTP:
		return "sctp";
	default:
		snprintf(buf, 4, "%u", protocol);
		return buf;
	}
}

enum { PORTS_STRLEN = 32 };

/* ICMP type with its code, "8" for all codes of type 8, "8(0)", or "3(0)-3(4)". */
static void icmp_str(const struct ts *ts, char buf[PORTS_STRLEN])
{
	unsigned int lo = ts->port_lo, hi = ts->port_hi;

	if ((lo & 0xff) == 0 && (hi & 0xff) == 0xff && lo >> 8 == hi >> 8)
		snprintf(buf, PORTS_STRLEN, "/%u", lo >> 8);
	else if (lo == hi)
		snprintf(buf, PORTS_STRLEN, "/%u(%u)", lo >> 8, lo & 0xff);
	else
		snprintf(buf, PORTS_STRLEN, "/%u(%u)-%u(%u)", lo >> 8, lo & 0xff, hi >> 8,
			 hi & 0xff);
}

static void ports_str(const struct ts *ts, char buf[PORTS_STRLEN])
{
	buf[0] = '\0';
	if (port_any(ts))
		return;
	if (port_opaque(ts))
		snprintf(buf, PORTS_STRLEN, "/OPAQUE");
	else if (ts->protocol == IPPROTO_ICMP || ts->protocol == IPPROTO_ICMPV6)
		icmp_str(ts, buf);
	else if (ts->port_lo == ts->port_hi)
		snprintf(buf, PORTS_STRLEN, "/%u", ts->port_lo);
	else
		snprintf(buf, PORTS_STRLEN, "/%u-%u", ts->port_lo, ts->port_hi);
}

const char *ts_str(const struct ts *ts, char buf[TS_STRLEN])
{
	char lo[ADDR_STRLEN], hi[ADDR_STRLEN], protocol[4], ports[PORTS_STRLEN];
	int plen = prefix_len(&ts->lo, &ts->hi), n;

	addr_str(&ts->lo, lo);
	if (plen >= 0)
		n = snprintf(buf, TS_STRLEN, "%s/%d", lo, plen);
	else
		n = snprintf(buf, TS_STRLEN, "%s-%s", lo, addr_str(&ts->hi, hi));
	ports_str(ts, ports);
	if (n >= 0 && n < TS_STRLEN && (ts->protocol || ports[0]))
		snprintf(buf + n, TS_STRLEN - (size_t)n, "[%s%s]",
			 protocol_str(ts->protocol, protocol), ports);
	return buf;
}
