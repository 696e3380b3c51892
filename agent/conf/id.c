// SPDX-License-Identifier: BSD-2-Clause
#include "conf_int.h"

#include "agent/cred/dn.h"
#include "common/hex.h"

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

/* A name or e-mail address: visible characters. Of a wildcard what follows the asterisk is kept. */
static int set_text(struct conf_id *id, uint8_t type, const char *s)
{
	for (const char *p = s; *p; p++)
		if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f)
			return -EINVAL;
	if (s[0] == '*' && (s[1] == '.' || s[1] == '@')) {
		id->wild = true;
		s++;
	}
	if (strchr(s, '*') || *s == '^')
		return -ENOTSUP;
	return set_bytes(id, type, s, strlen(s));
}

static int set_dn(struct conf_id *id, const char *s)
{
	uint8_t der[DN_MAX];
	size_t n;
	int rc;

	if (*s == '#') {
		rc = set_hex(id, ID_DER_ASN1_DN, s + 1);
		return rc || dn_valid(slice_of(id->b, id->n)) ? rc : -EINVAL;
	}
	rc = dn_parse(s, der, &n, &id->wild);
	return rc ? rc : set_bytes(id, ID_DER_ASN1_DN, der, n);
}

static int set_typed(struct conf_id *id, uint8_t type, const char *s)
{
	if (type == ID_DER_ASN1_GN)
		return -ENOTSUP;
	if (type == ID_DER_ASN1_DN)
		return set_dn(id, s);
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
		return set_dn(id, s);
	return set_text(id, strchr(s, '@') ? ID_RFC822_ADDR : ID_FQDN, s);
}

int conf_id_parse_pattern(const char *text, struct conf_id *out)
{
	struct conf_id id = {0};
	int rc = strlen(text) < sizeof(id.text) ? parse(text, &id) : -EINVAL;

	if (rc < 0)
		return rc;
	memcpy(id.text, text, strlen(text));
	*out = id;
	return 0;
}

int conf_id_parse(const char *text, struct conf_id *out)
{
	struct conf_id id;
	int rc = conf_id_parse_pattern(text, &id);

	if (rc == 0 && id.wild)
		return -ENOTSUP;
	if (rc == 0)
		*out = id;
	return rc;
}

static int read_id(const struct settings *s, const struct settings_key *key, int rc,
		   struct settings_error *err)
{
	if (rc == -ENOTSUP)
		return settings_err(
		    err, s, key,
		    "'%.64s': wildcards are for remote ids, and only `*.name`, "
		    "`*@name` or a whole value of a distinguished name; asn1gn: and "
		    "regular expressions are not supported",
		    key->value);
	if (rc < 0)
		return settings_err(
		    err, s, key,
		    "'%.64s' is not an identity; it must be an address, a name, an "
		    "e-mail address, a distinguished name such as C=CH, CN=gw, @#hex, "
		    "or one with a prefix such as keyid:",
		    key->value);
	return 0;
}

int conf_read_id(const struct settings *s, const struct settings_key *key, struct conf_id *out,
		 struct settings_error *err)
{
	return read_id(s, key, conf_id_parse(key->value, out), err);
}

int conf_read_id_pattern(const struct settings *s, const struct settings_key *key,
			 struct conf_id *out, struct settings_error *err)
{
	return read_id(s, key, conf_id_parse_pattern(key->value, out), err);
}

struct ike_id conf_id_view(const struct conf_id *id)
{
	return (struct ike_id){.type = id->type, .data = slice_of(id->b, id->n)};
}

static bool caseless(uint8_t type)
{
	return type == ID_FQDN || type == ID_RFC822_ADDR;
}

bool id_bytes_equal(const struct ike_id *a, const struct ike_id *b)
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

bool id_equal(const struct ike_id *a, const struct ike_id *b)
{
	if (id_bytes_equal(a, b))
		return true;
	return a->type == ID_DER_ASN1_DN && b->type == ID_DER_ASN1_DN && dn_equal(a->data, b->data);
}

/* Something visible, for e-mail without another @, and then what follows the asterisk. */
static bool ends_with(const struct ike_id *got, const struct ike_id *tail)
{
	struct ike_id end = {.type = got->type};
	size_t front;

	if (got->type != tail->type || got->data.n <= tail->data.n)
		return false;
	front = got->data.n - tail->data.n;
	for (size_t i = 0; i < front; i++) {
		uint8_t c = got->data.p[i];

		if (c <= ' ' || c >= 0x7f || (c == '@' && got->type == ID_RFC822_ADDR))
			return false;
	}
	end.data = slice_of(got->data.p + front, tail->data.n);
	return id_bytes_equal(&end, tail);
}

bool conf_id_matches(const struct conf_id *want, const struct ike_id *got)
{
	struct ike_id id = conf_id_view(want);

	if (want->any)
		return got->type != 0;
	if (want->wild && want->type == ID_DER_ASN1_DN)
		return got->type == want->type && dn_matches(id.data, got->data);
	if (want->wild)
		return ends_with(got, &id);
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
	if (id->type == ID_DER_ASN1_DN && dn_valid(id->data))
		return dn_str(id->data, buf, ID_STRLEN);
	if (id->type == ID_KEY_ID)
		strcpy(buf, "@#");
	else
		snprintf(buf, ID_STRLEN, "{%u}:#", id->type);
	put_hex(buf + strlen(buf), ID_STRLEN - strlen(buf), id->data);
	return buf;
}
