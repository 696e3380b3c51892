// SPDX-License-Identifier: BSD-2-Clause
#include "addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

size_t addr_len(const struct ip_addr *a)
{
	return a->family == 4 ? 4 : a->family == 6 ? 16 : 0;
}

int addr_parse(const char *s, struct ip_addr *out)
{
	struct ip_addr a = {0};

	if (inet_pton(AF_INET, s, a.b) == 1)
		a.family = 4;
	else if (inet_pton(AF_INET6, s, a.b) == 1)
		a.family = 6;
	else
		return -EINVAL;
	*out = a;
	return 0;
}

const char *addr_str(const struct ip_addr *a, char buf[ADDR_STRLEN])
{
	int af = a->family == 4 ? AF_INET : AF_INET6;

	if (addr_len(a) == 0 || !inet_ntop(af, a->b, buf, ADDR_STRLEN))
		snprintf(buf, ADDR_STRLEN, "%%any");
	return buf;
}

const char *endpoint_str(const struct endpoint *e, char buf[ENDPOINT_STRLEN])
{
	char ip[ADDR_STRLEN];

	snprintf(buf, ENDPOINT_STRLEN, "%s[%u]", addr_str(&e->ip, ip), e->port);
	return buf;
}

int addr_cmp(const struct ip_addr *a, const struct ip_addr *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->b, b->b, addr_len(a));
}

bool addr_equal(const struct ip_addr *a, const struct ip_addr *b)
{
	return addr_cmp(a, b) == 0;
}

bool addr_is_any(const struct ip_addr *a)
{
	static const uint8_t zero[16];

	return memcmp(a->b, zero, addr_len(a)) == 0;
}

bool endpoint_equal(const struct endpoint *a, const struct endpoint *b)
{
	return a->port == b->port && addr_equal(&a->ip, &b->ip);
}

void addr_to_mapped(const struct ip_addr *a, uint8_t out[16])
{
	memset(out, 0, 16);
	if (a->family == 4) {
		memcpy(out, mapped_prefix, sizeof(mapped_prefix));
		memcpy(out + 12, a->b, 4);
	} else if (a->family == 6) {
		memcpy(out, a->b, 16);
	}
}

void addr_from_mapped(const uint8_t in[16], struct ip_addr *out)
{
	struct ip_addr a = {0};

	if (memcmp(in, mapped_prefix, sizeof(mapped_prefix)) == 0) {
		a.family = 4;
		memcpy(a.b, in + 12, 4);
	} else {
		a.family = 6;
		memcpy(a.b, in, 16);
	}
	*out = a;
}

void addr_prefix_range(const struct ip_addr *a, unsigned int plen, struct ip_addr *lo,
		       struct ip_addr *hi)
{
	struct ip_addr first = *a, last = *a;
	unsigned int bits = (unsigned int)addr_len(a) * 8;

	for (unsigned int bit = plen; bit < bits; bit++) {
		uint8_t mask = (uint8_t)(0x80u >> (bit % 8));

		first.b[bit / 8] = (uint8_t)(first.b[bit / 8] & ~mask);
		last.b[bit / 8] = (uint8_t)(last.b[bit / 8] | mask);
	}
	*lo = first;
	*hi = last;
}

socklen_t endpoint_to_sockaddr(const struct endpoint *e, struct sockaddr_storage *ss)
{
	memset(ss, 0, sizeof(*ss));
	if (e->ip.family == 6) {
		struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6, .sin6_port = htons(e->port)};

		memcpy(&sin6.sin6_addr, e->ip.b, 16);
		memcpy(ss, &sin6, sizeof(sin6));
		return sizeof(sin6);
	}
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons(e->port)};

	memcpy(&sin.sin_addr, e->ip.b, 4);
	memcpy(ss, &sin, sizeof(sin));
	return sizeof(sin);
}

int endpoint_from_sockaddr(const struct sockaddr_storage *ss, struct endpoint *out)
{
	struct endpoint e = {0};

	if (ss->ss_family == AF_INET) {
		struct sockaddr_in sin;

		memcpy(&sin, ss, sizeof(sin));
		e.ip.family = 4;
		memcpy(e.ip.b, &sin.sin_addr, 4);
		e.port = ntohs(sin.sin_port);
	} else if (ss->ss_family == AF_INET6) {
		struct sockaddr_in6 sin6;

		memcpy(&sin6, ss, sizeof(sin6));
		/* A dual-stack socket shows IPv4 peers as ::ffff:a.b.c.d: they are IPv4 to us. */
		addr_from_mapped(sin6.sin6_addr.s6_addr, &e.ip);
		e.port = ntohs(sin6.sin6_port);
	} else {
		return -EAFNOSUPPORT;
	}
	*out = e;
	return 0;
}
