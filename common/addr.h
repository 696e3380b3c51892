/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum { ADDR_STRLEN = 64, ENDPOINT_STRLEN = 72 };

/* An IPv4 or IPv6 address in network order; family 4, 6, or 0 for "none" (%any). */
struct ip_addr {
	uint8_t family;
	uint8_t b[16];
};

struct endpoint {
	struct ip_addr ip;
	uint16_t port; /* host order */
};

/* Bytes of an address of this family: 4, 16 or 0. */
size_t addr_len(const struct ip_addr *a);
/* Parses "192.0.2.1" or "2001:db8::1"; 0 or -EINVAL. */
int addr_parse(const char *s, struct ip_addr *out);
/* Writes at most ADDR_STRLEN bytes, "%any" for family 0; returns buf. */
const char *addr_str(const struct ip_addr *a, char buf[ADDR_STRLEN]);
/* "192.0.2.1[500]", the way the field writes it; at most ENDPOINT_STRLEN bytes. */
const char *endpoint_str(const struct endpoint *e, char buf[ENDPOINT_STRLEN]);
int addr_cmp(const struct ip_addr *a, const struct ip_addr *b);
bool addr_equal(const struct ip_addr *a, const struct ip_addr *b);
bool addr_is_any(const struct ip_addr *a); /* family 0, 0.0.0.0 or :: */
bool endpoint_equal(const struct endpoint *a, const struct endpoint *b);
/* The 16-byte form that maps use: IPv6 as it is, IPv4 as ::ffff:a.b.c.d. */
void addr_to_mapped(const struct ip_addr *a, uint8_t out[16]);
void addr_from_mapped(const uint8_t in[16], struct ip_addr *out);
/* First and last address of the prefix that `a` lies in; plen is at most 32 or 128. */
void addr_prefix_range(const struct ip_addr *a, unsigned int plen, struct ip_addr *lo,
		       struct ip_addr *hi);
/* The socket address for an endpoint; returns its length. */
socklen_t endpoint_to_sockaddr(const struct endpoint *e, struct sockaddr_storage *ss);
int endpoint_from_sockaddr(const struct sockaddr_storage *ss, struct endpoint *out);
