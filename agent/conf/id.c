// SPDX-License-Identifier: BSD-2-Clause
#include "conf_int.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const struct prefix {
	const char *word;
	uint8_t type;
} prefixes[] = {
    {"ipv4:", ID_IPV4_ADDR},
    {"ipv6:", ID_IPV6_ADDR},
    {"fqdn:", ID_FQDN},
    {"dns:", ID_FQDN},
    {"email:", ID_RFC822_ADDR},
    {"rfc822:", ID_RFC822_ADDR},
    {"userfqdn:", ID_RFC822_ADDR},
    {"keyid:", ID_KEY_ID},
    {"asn1dn:", ID_DER_ASN1_DN},
    {"asn1gn:", ID_DER_ASN1_GN},
};

static int set_bytes(struct conf_id *id, uint8_t type, const void *p, size_t n)
{
	if (n == 0 || n > sizeof(id->b))
		return -EINVAL;
	id->type = type;
	id->n = (uint16_t)n;
	memcpy(id->b, p, n);
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Pairs of hex digits, colons between them allowed. */
static int set_hex(struct conf_id *id, uint8_t type, const char *s)
{
	uint8_t b[sizeof(id->b)];
	size_t n = 0;

	while (*s) {
		int hi = hex_digit(s[0]), lo = hi < 0 ? -1 : hex_digit(s[1]);

		if (lo < 0 || n == sizeof(b))
			return -EINVAL;
		b[n++] = (uint8_t)(hi << 4 | lo);
		s += 2;
		if (*s == ':' && s[1])
			s++;
	}
	if ((type == ID_IPV4_ADDR && n != 4) || (type == ID_IPV6_ADDR && n != 16))
		return -EINVAL;
	return set_bytes(id, type, b, n);
}

static int set_addr(struct conf_id *id, const char *s, uint8_t family)
{
	struct ip_addr a;

	if (addr_parse(s, &a) < 0 || (family && a.family != family))
		return -EINVAL;
	return set_bytes(id, a.family == 4 ? ID_IPV4_ADDR : ID_IPV6_ADDR, a.b, addr_len(&a));
}

/* A name or e-mail address: visible characters; `*` would be a wildcard. */
static int set_text(struct conf_id *id, uint8_t type, const char *s)
{
	for (const char *p = s; *p; p++)
		if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f)
			return -EINVAL;
	if (strchr(s, '*') || *s == '^')
		return -ENOTSUP;
	return set_bytes(id, type, s, strlen(s));
}

static int set_typed(struct conf_id *id, uint8_t type, const char *s)
{
	if (type == ID_DER_ASN1_DN || type == ID_DER_ASN1_GN)
		return -ENOTSUP;
	if (*s == '#')
		return set_hex(id, type, s + 1);
	if (type == ID_IPV4_ADDR || type == ID_IPV6_ADDR)
		return set_addr(id, s, type == ID_IPV4_ADDR ? 4 : 6);
	if (type == ID_KEY_ID)
		return set_bytes(id, type, s, strlen(s));
	return set_text(id, type, s);
}

static bool says_any(const char *s)
{
	return !strcmp(s, "%any") || !strcmp(s, "%any6") || !strcmp(s, "*") ||
	       !strcmp(s, "0.0.0.0") || !strcmp(s, "::");
}

static int parse(const char *s, struct conf_id *id)
{
	if (says_any(s)) {
		id->any = true;
		return 0;
	}
	if (set_addr(id, s, 0) == 0)
		return 0;
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++) {
		size_t n = strlen(prefixes[i].word);

		if (strncasecmp(s, prefixes[i].word, n) == 0)
			return set_typed(id, prefixes[i].type, s + n);
	}
	if (s[0] == '@' && s[1] == '#')
		return set_hex(id, ID_KEY_ID, s + 2);
	if (s[0] == '@' && s[1] == '@')
		return set_text(id, ID_RFC822_ADDR, s + 2);
	if (s[0] == '@')
		return set_text(id, ID_FQDN, s + 1);
	if (strchr(s, '='))
		return -ENOTSUP;
	return set_text(id, strchr(s, '@') ? ID_RFC822_ADDR : ID_FQDN, s);
}

int conf_id_parse(const char *text, struct conf_id *out)
{
	struct conf_id id = {0};
	int rc = strlen(text) < sizeof(id.text) ? parse(text, &id) : -EINVAL;

	if (rc < 0)
		return rc;
	memcpy(id.text, text, strlen(text));
	*out = id;
	return 0;
}

int conf_read_id(const struct settings *s, const struct settings_key *key, struct conf_id *out,
		 struct settings_error *err)
{
	int rc = conf_id_parse(key->value, out);

	if (rc == -ENOTSUP)
		return settings_err(
		    err, s, key, "'%.64s': distinguished names and wildcards are not supported yet",
		    key->value);
	if (rc < 0)
		return settings_err(err, s, key,
				    "'%.64s' is not an identity; it must be an address, a name, an "
				    "e-mail address, @#hex, or one with a prefix such as keyid:",
				    key->value);
	return 0;
}

struct ike_id conf_id_view(const struct conf_id *id)
{
	return (struct ike_id){.type = id->type, .data = slice_of(id->b, id->n)};
}

static bool caseless(uint8_t type)
{
	return type == ID_FQDN || type == ID_RFC822_ADDR;
}

bool id_equal(const struct ike_id *a, const struct ike_id *b)
{
	if (a->type != b->type || a->data.n != b->data.n)
		return false;
	for (size_t i = 0; i < a->data.n; i++) {
		int x = a->data.p[i], y = b->data.p[i];

		/* ASCII alone, whatever the locale says. */
		if (caseless(a->type) && x >= 'A' && x <= 'Z')
			x += 'a' - 'A';
		if (caseless(a->type) && y >= 'A' && y <= 'Z')
			y += 'a' - 'A';
		if (x != y)
			return false;
	}
	return true;
}

bool conf_id_matches(const struct conf_id *want, const struct ike_id *got)
{
	struct ike_id id = conf_id_view(want);

	if (want->any)
		return got->type != 0;
	return want->type != 0 && id_equal(&id, got);
}

static bool printable(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < ' ' || s.p[i] >= 0x7f)
			return false;
	return s.n > 0;
}

/* As much of the bytes as fits, in hex. */
static void put_hex(char *buf, size_t room, struct slice s)
{
	for (size_t i = 0; i < s.n && 2 * i + 2 < room; i++)
		snprintf(buf + 2 * i, 3, "%02x", s.p[i]);
}

static void put_escaped(char *buf, size_t room, struct slice s)
{
	size_t at = 0;

	for (size_t i = 0; i < s.n && at + 4 < room; i++) {
		bool plain = s.p[i] >= ' ' && s.p[i] < 0x7f && s.p[i] != '\\';

		at += (size_t)snprintf(buf + at, room - at, plain ? "%c" : "\\x%02x", s.p[i]);
	}
}

const char *id_str(const struct ike_id *id, char buf[ID_STRLEN])
{
	struct ip_addr a = {0};

	buf[0] = 0;
	if (id->type == 0)
		return strcpy(buf, "%any");
	if ((id->type == ID_IPV4_ADDR && id->data.n == 4) ||
	    (id->type == ID_IPV6_ADDR && id->data.n == 16)) {
		a.family = id->type == ID_IPV4_ADDR ? 4 : 6;
		memcpy(a.b, id->data.p, id->data.n);
		return addr_str(&a, buf);
	}
	if (id->type == ID_FQDN || id->type == ID_RFC822_ADDR ||
	    (id->type == ID_KEY_ID && printable(id->data))) {
		put_escaped(buf, ID_STRLEN, id->data);
		return buf;
	}
	if (id->type == ID_KEY_ID)
		strcpy(buf, "@#");
	else
		snprintf(buf, ID_STRLEN, "{%u}:#", id->type);
	put_hex(buf + strlen(buf), ID_STRLEN - strlen(buf), id->data);
	return buf;
}
