// SPDX-License-Identifier: BSD-2-Clause
#include "conf_int.h"

#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { TS_TEXT_MAX = 160 };

/* Known without /etc/protocols, which a small container does not have. */
static const struct {
	const char *name;
	uint8_t number;
} protocols[] = {
    {"icmp", IPPROTO_ICMP}, {"tcp", IPPROTO_TCP},	{"udp", IPPROTO_UDP},
    {"gre", IPPROTO_GRE},   {"esp", IPPROTO_ESP},	{"ipv6-icmp", IPPROTO_ICMPV6},
    {"sctp", IPPROTO_SCTP}, {"icmpv6", IPPROTO_ICMPV6},
};

static int parse_protocol(const char *s, uint8_t *out)
{
	const struct protoent *entry;
	uint64_t n;

	if (settings_uint(s, 255, &n) == 0) {
		*out = (uint8_t)n;
		return 0;
	}
	for (size_t i = 0; i < sizeof(protocols) / sizeof(*protocols); i++) {
		if (strcasecmp(s, protocols[i].name) == 0) {
			*out = protocols[i].number;
			return 0;
		}
	}
	entry = getprotobyname(s);
	if (!entry || entry->p_proto < 0 || entry->p_proto > 255)
		return -EINVAL;
	*out = (uint8_t)entry->p_proto;
	return 0;
}

static bool is_icmp(uint8_t protocol)
{
	return protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6;
}

static bool has_ports(uint8_t protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP ||
	       protocol == IPPROTO_DCCP || protocol == IPPROTO_UDPLITE;
}

static int parse_port(const char *s, uint8_t protocol, uint16_t *out)
{
	const char *name = protocol == IPPROTO_UDP ? "udp" : "tcp";
	const struct servent *entry;
	uint64_t n;

	if (settings_uint(s, 65535, &n) == 0) {
		*out = (uint16_t)n;
		return 0;
	}
	entry = has_ports(protocol) ? getservbyname(s, name) : NULL;
	if (!entry)
		return -EINVAL;
	*out = ntohs((uint16_t)entry->s_port);
	return 0;
}

/*
 * RFC 4301 4.4.1.1: type in the upper, code in the lower byte. "8" is every code of a type, "3(1)"
 * one code, a number above 255 both at once.
 */
static int parse_icmp(char *s, uint16_t *lo, uint16_t *hi)
{
	char *code = strchr(s, '('), *end = code ? strchr(code, ')') : NULL;
	uint64_t type, c;

	if (code) {
		if (!end || end[1])
			return -EINVAL;
		*code++ = 0;
		*end = 0;
		if (settings_uint(s, 255, &type) < 0 || settings_uint(code, 255, &c) < 0)
			return -EINVAL;
		*lo = *hi = (uint16_t)(type << 8 | c);
		return 0;
	}
	if (settings_uint(s, 65535, &type) < 0)
		return -EINVAL;
	*lo = (uint16_t)(type > 255 ? type : type << 8);
	*hi = (uint16_t)(type > 255 ? type : type << 8 | 0xff);
	return 0;
}

static int parse_ports(char *s, struct ts *ts)
{
	char *dash = strchr(s, '-');
	uint16_t ignore;

	if (strcasecmp(s, "opaque") == 0) {
		if (!has_ports(ts->protocol) && !is_icmp(ts->protocol))
			return -EINVAL;
		ts->port_lo = 65535;
		ts->port_hi = 0;
		return 0;
	}
	if (is_icmp(ts->protocol)) {
		if (dash)
			*dash++ = 0;
		if (parse_icmp(s, &ts->port_lo, &ts->port_hi) < 0 ||
		    (dash && parse_icmp(dash, &ignore, &ts->port_hi) < 0))
			return -EINVAL;
		return ts->port_lo <= ts->port_hi ? 0 : -EINVAL;
	}
	/* RFC 7296 3.13.1: without a protocol, or with one that has no ports, there is nothing to
	 * say. */
	if (!has_ports(ts->protocol))
		return -EINVAL;
	if (parse_port(s, ts->protocol, &ts->port_lo) == 0) {
		ts->port_hi = ts->port_lo;
		return 0;
	}
	if (!dash)
		return -EINVAL;
	*dash++ = 0;
	if (parse_port(s, ts->protocol, &ts->port_lo) < 0 ||
	    parse_port(dash, ts->protocol, &ts->port_hi) < 0)
		return -EINVAL;
	return ts->port_lo <= ts->port_hi ? 0 : -EINVAL;
}

/* What stands in brackets: "tcp", "tcp/80", "17/1000-2000". */
static int parse_restriction(char *s, struct ts *ts)
{
	char *slash = strchr(s, '/'), *end = strchr(s, ']');

	if (!end || end[1])
		return -EINVAL;
	*end = 0;
	if (slash)
		*slash++ = 0;
	if (parse_protocol(s, &ts->protocol) < 0)
		return -EINVAL;
	return slash ? parse_ports(slash, ts) : 0;
}

/* An address, a prefix (host bits do not matter) or a range. */
static int parse_range(char *s, struct ip_addr *lo, struct ip_addr *hi)
{
	char *slash = strchr(s, '/'), *dash = strchr(s, '-');
	uint64_t plen;

	if (slash) {
		*slash++ = 0;
		if (addr_parse(s, lo) < 0 || settings_uint(slash, addr_len(lo) * 8, &plen) < 0)
			return -EINVAL;
		addr_prefix_range(lo, (unsigned int)plen, lo, hi);
		return 0;
	}
	if (dash)
		*dash++ = 0;
	if (addr_parse(s, lo) < 0)
		return -EINVAL;
	*hi = *lo;
	if (dash && (addr_parse(dash, hi) < 0 || hi->family != lo->family))
		return -EINVAL;
	return addr_cmp(lo, hi) <= 0 ? 0 : -EINVAL;
}

int conf_ts_parse(const char *text, struct ts *out, bool *dynamic)
{
	struct ts ts = {.port_hi = 65535};
	char copy[TS_TEXT_MAX], *bracket;

	if (strlen(text) >= sizeof(copy))
		return -EINVAL;
	strcpy(copy, text);
	bracket = strchr(copy, '[');
	if (bracket) {
		*bracket++ = 0;
		if (parse_restriction(bracket, &ts) < 0)
			return -EINVAL;
	}
	*dynamic = strcmp(copy, "dynamic") == 0;
	if (!*dynamic && parse_range(copy, &ts.lo, &ts.hi) < 0)
		return -EINVAL;
	*out = ts;
	return 0;
}

void conf_ts_dynamic(struct ts_list *out, bool *dynamic)
{
	memset(out, 0, sizeof(*out));
	out->n = 1;
	out->ts[0].port_hi = 65535;
	*dynamic = true;
}

/* "dynamic" goes first, whatever its place in the list. */
static void insert(struct ts_list *out, const struct ts *ts, bool dynamic)
{
	if (dynamic) {
		memmove(&out->ts[1], &out->ts[0], out->n * sizeof(out->ts[0]));
		out->ts[0] = *ts;
	} else {
		out->ts[out->n] = *ts;
	}
	out->n++;
}

int conf_read_ts(const struct settings *s, const struct settings_key *key, struct ts_list *out,
		 bool *dynamic, struct settings_error *err)
{
	const char *list = key->value;
	char item[TS_TEXT_MAX];

	memset(out, 0, sizeof(*out));
	*dynamic = false;
	while (settings_item(&list, item, sizeof(item))) {
		struct ts ts;
		bool dyn;

		if (conf_ts_parse(item, &ts, &dyn) < 0)
			return settings_err(
			    err, s, key,
			    "'%.100s' is not a traffic selector such as 10.0.0.0/8, "
			    "10.0.0.1-10.0.0.9, 10.0.0.0/8[tcp/80] or dynamic",
			    item);
		if (dyn && *dynamic)
			return settings_err(err, s, key, "dynamic may stand once");
		if (out->n == IKE_TS_AGREED_MAX)
			return settings_err(err, s, key, "more than %d traffic selectors",
					    IKE_TS_AGREED_MAX);
		insert(out, &ts, dyn);
		*dynamic |= dyn;
	}
	return 0;
}

/* A name that DNS can have. One whose last label is a number was meant to be an address. */
static bool is_host(const char *s)
{
	const char *last = strrchr(s, '.');

	for (const char *p = s; *p; p++)
		if (!isascii((unsigned char)*p) ||
		    !(isalnum((unsigned char)*p) || strchr(".-_", *p)))
			return false;
	last = last ? last + 1 : s;
	return *s && *s != '.' && *s != '-' && strspn(last, "0123456789") != strlen(last);
}

int conf_addr_parse(const char *text, struct conf_addr *out)
{
	struct conf_addr a = {0};
	char copy[sizeof(a.host)];

	if (strlen(text) >= sizeof(copy))
		return -EINVAL;
	strcpy(copy, text);
	if (strcmp(text, "%any4") == 0)
		strcpy(copy, "0.0.0.0/0");
	else if (strcmp(text, "%any6") == 0)
		strcpy(copy, "::/0");
	if (strcmp(text, "%any") != 0 && parse_range(copy, &a.lo, &a.hi) < 0) {
		if (!is_host(text))
			return -EINVAL;
		a = (struct conf_addr){0};
		strcpy(a.host, text);
	} else if (addr_equal(&a.lo, &a.hi) && addr_is_any(&a.lo)) {
		/* 0.0.0.0 and :: say the same as %any. */
		a = (struct conf_addr){0};
	}
	*out = a;
	return 0;
}

int conf_read_addrs(const struct settings *s, const struct settings_key *key, struct conf_addr *out,
		    unsigned int *n, struct settings_error *err)
{
	const char *list = key->value;
	char item[260];

	*n = 0;
	while (settings_item(&list, item, sizeof(item))) {
		if (*n == CONF_ADDRS_MAX)
			return settings_err(err, s, key, "more than %d addresses", CONF_ADDRS_MAX);
		if (conf_addr_parse(item, &out[*n]) < 0)
			return settings_err(
			    err, s, key,
			    "'%.100s' is not an address, a prefix, a range, %%any or "
			    "a name",
			    item);
		(*n)++;
	}
	return 0;
}

bool conf_addr_matches(const struct conf_addr *a, const struct ip_addr *ip)
{
	if (a->lo.family == 0)
		return true;
	return a->lo.family == ip->family && addr_cmp(&a->lo, ip) <= 0 && addr_cmp(ip, &a->hi) <= 0;
}
