/* SPDX-License-Identifier: BSD-2-Clause */
#include "dn.h"

#include "common/hex.h"

#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/x509.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* The first word of an attribute is the one that is printed. */
static const struct keyword {
	const char *word;
	int nid;
} keywords[] = {
    {"C", NID_countryName},
    {"ST", NID_stateOrProvinceName},
    {"L", NID_localityName},
    {"O", NID_organizationName},
    {"OU", NID_organizationalUnitName},
    {"CN", NID_commonName},
    {"E", NID_pkcs9_emailAddress},
    {"emailAddress", NID_pkcs9_emailAddress},
    {"email", NID_pkcs9_emailAddress},
    {"S", NID_surname},
    {"surname", NID_surname},
    {"SN", NID_serialNumber},
    {"serialNumber", NID_serialNumber},
    {"G", NID_givenName},
    {"GN", NID_givenName},
    {"givenName", NID_givenName},
    {"I", NID_initials},
    {"initials", NID_initials},
    {"T", NID_title},
    {"title", NID_title},
    {"D", NID_description},
    {"description", NID_description},
    {"N", NID_name},
    {"name", NID_name},
    {"DC", NID_domainComponent},
    {"UID", NID_userId},
    {"userId", NID_userId},
    {"UN", NID_pkcs9_unstructuredName},
    {"unstructuredName", NID_pkcs9_unstructuredName},
    {"UA", NID_pkcs9_unstructuredAddress},
    {"unstructuredAddress", NID_pkcs9_unstructuredAddress},
    {"dnQualifier", NID_dnQualifier},
    {"pseudonym", NID_pseudonym},
    {"generationQualifier", NID_generationQualifier},
    {"street", NID_streetAddress},
    {"postalCode", NID_postalCode},
    {"businessCategory", NID_businessCategory},
};

enum { KEYWORDS = sizeof(keywords) / sizeof(*keywords), WORD_MAX = 64, VALUE_MAX = 256 };

/* The attribute of a word of n bytes, to be freed; NULL when it is none. */
static ASN1_OBJECT *attribute(const char *word, size_t n)
{
	char text[WORD_MAX];

	while (n && word[n - 1] == ' ')
		n--;
	if (!n || n >= sizeof(text))
		return NULL;
	memcpy(text, word, n);
	text[n] = '\0';
	for (size_t i = 0; i < KEYWORDS; i++)
		if (!strcasecmp(keywords[i].word, text))
			return OBJ_nid2obj(keywords[i].nid);
	/* OpenSSL takes an arc without digits for a zero */
	if (strspn(text, "0123456789.") != n || text[0] == '.' || text[n - 1] == '.' || strstr(text, ".."))
		return NULL;
	return OBJ_txt2obj(text, 1);
}

struct value {
	char b[VALUE_MAX];
	size_t n;
	size_t hard;  /* bytes that were quoted or escaped up to here: no blanks to be cut */
	bool literal; /* some of it was: an asterisk is no wildcard then */
};

static bool value_put(struct value *v, char c, bool hard)
{
	if (v->n == sizeof(v->b) || !c)
		return false;
	v->b[v->n++] = c;
	if (hard) {
		v->hard = v->n;
		v->literal = true;
	}
	return true;
}

/* One escape behind a backslash; bytes taken, 0 when it is wrong. */
static size_t value_escape(struct value *v, const char *p)
{
	int hi = p[0] ? hex_digit(p[0]) : -1, lo = hi < 0 ? -1 : hex_digit(p[1]);

	if (lo >= 0)
		return value_put(v, (char)(hi << 4 | lo), true) ? 2 : 0;
	return p[0] && value_put(v, p[0], true) ? 1 : 0;
}

/* Does another attribute of the same part begin here, behind a plus sign? */
static bool plus_begins(const char *p)
{
	const char *end;
	ASN1_OBJECT *o;

	p += strspn(p, " ");
	end = strpbrk(p, "=,/+\"\\");
	o = end && *end == '=' ? attribute(p, (size_t)(end - p)) : NULL;
	ASN1_OBJECT_free(o);
	return o != NULL;
}

/* The value up to an unquoted separator or plus sign; the place behind it, NULL when it is wrong.
 */
static const char *value_read(const char *p, char separator, struct value *v)
{
	bool quoted = false;

	p += strspn(p, " ");
	while (*p && (quoted || (*p != separator && !(*p == '+' && plus_begins(p + 1))))) {
		if (*p == '"') {
			quoted = !quoted;
			v->literal = true;
			v->hard = v->n;
			p++;
		} else if (*p == '\\') {
			size_t used = value_escape(v, p + 1);

			if (!used)
				return NULL;
			p += 1 + used;
		} else if (!value_put(v, *p++, quoted)) {
			return NULL;
		}
	}
	while (v->n > v->hard && v->b[v->n - 1] == ' ')
		v->n--;
	return quoted || !v->n ? NULL : p;
}

static int string_type(const ASN1_OBJECT *o, const struct value *v)
{
	int nid = OBJ_obj2nid(o);
	bool ascii = true;

	for (size_t i = 0; i < v->n; i++)
		ascii = ascii && (unsigned char)v->b[i] < 0x80;
	if (!ascii)
		return V_ASN1_UTF8STRING;
	if (nid == NID_pkcs9_emailAddress || nid == NID_domainComponent)
		return V_ASN1_IA5STRING;
	return ASN1_PRINTABLE_type((const unsigned char *)v->b, (int)v->n) == V_ASN1_PRINTABLESTRING
		   ? V_ASN1_PRINTABLESTRING
		   : V_ASN1_UTF8STRING;
}

static bool utf8_valid(const struct value *v)
{
	const unsigned char *p = (const unsigned char *)v->b;
	size_t left = v->n;

	while (left) {
		unsigned long c;
		int n = UTF8_getc(p, (int)left, &c);

		if (n <= 0)
			return false;
		p += n;
		left -= (size_t)n;
	}
	return true;
}

/* One attribute into the name; the place behind it, NULL when it is wrong. */
static const char *attribute_read(const char *p, char separator, X509_NAME *name, bool same_part,
				  bool *wild)
{
	const char *equals;
	struct value v = {.n = 0};
	ASN1_OBJECT *o;
	int ok;

	p += strspn(p, " ");
	equals = strchr(p, '=');
	o = equals ? attribute(p, (size_t)(equals - p)) : NULL;
	if (!o)
		return NULL;
	p = value_read(equals + 1, separator, &v);
	ok = p && utf8_valid(&v) &&
	     X509_NAME_add_entry_by_OBJ(name, o, string_type(o, &v), (const unsigned char *)v.b,
					(int)v.n, -1, same_part ? -1 : 0);
	if (v.n == 1 && v.b[0] == '*' && !v.literal)
		*wild = true;
	ASN1_OBJECT_free(o);
	return ok ? p : NULL;
}

static bool name_read(const char *p, X509_NAME *name, bool *wild)
{
	char separator = *p == '/' ? '/' : ',';
	bool same_part = false;

	if (separator == '/')
		p++;
	do {
		if (X509_NAME_entry_count(name) == DN_ATTRIBUTES_MAX)
			return false;
		p = attribute_read(p, separator, name, same_part, wild);
		if (!p)
			return false;
		same_part = *p == '+';
	} while (*p++);
	return true;
}

int dn_parse(const char *text, uint8_t out[DN_MAX], size_t *n, bool *wild)
{
	X509_NAME *name = X509_NAME_new();
	bool any = false;
	int len = -1;

	if (name && name_read(text, name, &any))
		len = i2d_X509_NAME(name, NULL);
	if (len > 0 && len <= DN_MAX) {
		uint8_t *at = out;

		*n = (size_t)i2d_X509_NAME(name, &at);
		*wild = any;
	}
	X509_NAME_free(name);
	ERR_clear_error();
	return len > 0 && len <= DN_MAX ? 0 : -EINVAL;
}

/* ---- from DER
 * ------------------------------------------------------------------------------------ */
static X509_NAME *name_of(struct slice der)
{
	const uint8_t *at = der.p;
	X509_NAME *name = NULL;

	if (der.n && der.n <= 4 * DN_MAX)
		name = d2i_X509_NAME(NULL, &at, (long)der.n);
	if (name && (at != der.p + der.n || X509_NAME_entry_count(name) > DN_ATTRIBUTES_MAX)) {
		X509_NAME_free(name);
		name = NULL;
	}
	ERR_clear_error();
	return name;
}

bool dn_valid(struct slice der)
{
	X509_NAME *name = name_of(der);
	bool valid = name && X509_NAME_entry_count(name) > 0;

	X509_NAME_free(name);
	return valid;
}

struct text {
	char *b;
	size_t n, at;
};

static void put(struct text *t, const char *s)
{
	size_t len = strlen(s);

	if (t->at + len + 1 >
	    t->n) { /* whole pieces alone, and nothing behind the first left out */
		t->n = t->at + 1;
		return;
	}
	memcpy(t->b + t->at, s, len + 1);
	t->at += len;
}

static void put_type(struct text *t, const ASN1_OBJECT *o)
{
	int nid = OBJ_obj2nid(o);
	char oid[80];

	for (size_t i = 0; i < KEYWORDS; i++) {
		if (nid != NID_undef && keywords[i].nid == nid) {
			put(t, keywords[i].word);
			return;
		}
	}
	OBJ_obj2txt(oid, sizeof(oid), o, 1);
	put(t, oid);
}

static void put_byte(struct text *t, uint8_t c, bool edge, bool alone)
{
	char piece[4] = {(char)c};

	if (c < ' ' || c >= 0x7f || (c == ' ' && edge))
		snprintf(piece, sizeof(piece), "\\%02x", c);
	else if (strchr(",/+\"\\=", c) || (c == '*' && alone))
		snprintf(piece, sizeof(piece), "\\%c", c);
	put(t, piece);
}

static void put_value(struct text *t, const ASN1_STRING *s)
{
	unsigned char *utf8 = NULL;
	int n = ASN1_STRING_to_UTF8(&utf8, s);

	ERR_clear_error();
	if (n < 0) { /* no text: its bytes, which dn_parse does not take */
		const uint8_t *p = ASN1_STRING_get0_data(s);
		char hex[3];

		put(t, "#");
		for (int i = 0; i < ASN1_STRING_length(s); i++) {
			snprintf(hex, sizeof(hex), "%02x", p[i]);
			put(t, hex);
		}
		return;
	}
	for (int i = 0; i < n; i++)
		put_byte(t, utf8[i], i == 0 || i == n - 1, n == 1);
	OPENSSL_free(utf8);
}

const char *dn_str(struct slice der, char *buf, size_t n)
{
	X509_NAME *name = name_of(der);
	struct text t = {buf, n, 0};
	int part = -1;

	buf[0] = '\0';
	if (!name) {
		put(&t, "{no name}");
		return buf;
	}
	for (int i = 0; i < X509_NAME_entry_count(name); i++) {
		const X509_NAME_ENTRY *e = X509_NAME_get_entry(name, i);

		if (i)
			put(&t, X509_NAME_ENTRY_set(e) == part ? "+" : ", ");
		part = X509_NAME_ENTRY_set(e);
		put_type(&t, X509_NAME_ENTRY_get_object(e));
		put(&t, "=");
		put_value(&t, X509_NAME_ENTRY_get_data(e));
	}
	X509_NAME_free(name);
	return buf;
}

bool dn_equal(struct slice a, struct slice b)
{
	X509_NAME *x = name_of(a), *y = name_of(b);
	bool equal = x && y && X509_NAME_cmp(x, y) == 0;

	X509_NAME_free(x);
	X509_NAME_free(y);
	ERR_clear_error();
	return equal;
}

static bool is_wild(const X509_NAME_ENTRY *e)
{
	const ASN1_STRING *s = X509_NAME_ENTRY_get_data(e);

	return ASN1_STRING_length(s) == 1 && ASN1_STRING_get0_data(s)[0] == '*';
}

/* Compares a name of one attribute each: OpenSSL knows how. */
static bool entry_equal(const X509_NAME_ENTRY *a, const X509_NAME_ENTRY *b)
{
	X509_NAME *x = X509_NAME_new(), *y = X509_NAME_new();
	bool equal = x && y && X509_NAME_add_entry(x, a, -1, 0) &&
		     X509_NAME_add_entry(y, b, -1, 0) && X509_NAME_cmp(x, y) == 0;

	X509_NAME_free(x);
	X509_NAME_free(y);
	return equal;
}

static bool entry_matches(const X509_NAME_ENTRY *want, const X509_NAME_ENTRY *got)
{
	if (OBJ_cmp(X509_NAME_ENTRY_get_object(want), X509_NAME_ENTRY_get_object(got)) ||
	    X509_NAME_ENTRY_set(want) != X509_NAME_ENTRY_set(got))
		return false;
	return is_wild(want) || entry_equal(want, got);
}

bool dn_matches(struct slice pattern, struct slice der)
{
	X509_NAME *want = name_of(pattern), *got = name_of(der);
	bool ok = want && got && X509_NAME_entry_count(want) == X509_NAME_entry_count(got);

	for (int i = 0; ok && i < X509_NAME_entry_count(want); i++)
		ok = entry_matches(X509_NAME_get_entry(want, i), X509_NAME_get_entry(got, i));
	X509_NAME_free(want);
	X509_NAME_free(got);
	ERR_clear_error();
	return ok;
}
