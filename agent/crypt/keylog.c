/* SPDX-License-Identifier: BSD-2-Clause */
#include "keylog.h"

#include "common/rd.h"
#include "common/wr.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <strings.h>

enum { FIELDS_MAX = 10, NAME_MAX_LEN = 64 };

/* ---- names of algorithms -------------------------------------------------------------------------- */

static const char *encr_name(const struct alg *a, char buf[NAME_MAX_LEN])
{
	switch (a->mode) {
	case ALG_GCM:
	case ALG_CCM:
		snprintf(buf, NAME_MAX_LEN, "AES-%s-%u with %u octet ICV [RFC5282]", a->mode == ALG_GCM ? "GCM" : "CCM",
			 a->key_bits, a->icv_len);
		return buf;
	case ALG_CTR:
		snprintf(buf, NAME_MAX_LEN, "AES-CTR-%u [RFC5930]", a->key_bits);
		return buf;
	case ALG_NULL:
		return "NULL [RFC2410]";
	case ALG_CBC:
		if (a->id == ENCR_3DES)
			return "3DES [RFC2451]";
		if (a->id != ENCR_AES_CBC)
			return a->text;
		snprintf(buf, NAME_MAX_LEN, "AES-CBC-%u [RFC3602]", a->key_bits);
		return buf;
	default:
		return a->text;
	}
}

static const struct {
	uint16_t id;
	const char *ike, *esp;
} integ_names[] = {
	{AUTH_NONE, "NONE [RFC4306]", "NULL"},
	{AUTH_HMAC_MD5_96, "HMAC_MD5_96 [RFC2403]", "HMAC-MD5-96 [RFC2403]"},
	{AUTH_HMAC_SHA1_96, "HMAC_SHA1_96 [RFC2404]", "HMAC-SHA-1-96 [RFC2404]"},
	{AUTH_HMAC_SHA2_256_128, "HMAC_SHA2_256_128 [RFC4868]", "HMAC-SHA-256-128 [RFC4868]"},
	{AUTH_HMAC_SHA2_384_192, "HMAC_SHA2_384_192 [RFC4868]", "HMAC-SHA-384-192 [RFC4868]"},
	{AUTH_HMAC_SHA2_512_256, "HMAC_SHA2_512_256 [RFC4868]", "HMAC-SHA-512-256 [RFC4868]"},
};

static const char *integ_name(uint16_t id)
{
	const struct alg *a;

	for (size_t i = 0; i < sizeof(integ_names) / sizeof(integ_names[0]); i++)
		if (integ_names[i].id == id)
			return integ_names[i].ike;
	a = alg_find(IKE_T_INTEG, id, 0);
	return a ? a->text : NULL;
}

/* Names are compared up to the reference in brackets, which nobody types. */
static bool same_name(const char *a, const char *b)
{
	size_t n = strcspn(a, "["), m = strcspn(b, "[");

	while (n && a[n - 1] == ' ')
		n--;
	while (m && b[m - 1] == ' ')
		m--;
	return n == m && strncasecmp(a, b, n) == 0;
}

static int encr_find(const char *name, struct ike_suite *s)
{
	char buf[NAME_MAX_LEN];
	const struct alg *a;

	for (unsigned int i = 0; (a = alg_at(i)); i++) {
		if (a->type != IKE_T_ENCR || a->variant ||
		    (!same_name(name, encr_name(a, buf)) && !same_name(name, a->text)))
			continue;
		s->encr = a->id;
		s->encr_bits = a->key_bits;
		return 0;
	}
	return -ENOTSUP;
}

/* In ESP the length of the key says which. */
static int esp_encr_find(const char *name, size_t key_len, struct ike_suite *s)
{
	static const struct {
		const char *name;
		uint8_t mode, icv_len;
		uint16_t id;
	} names[] = {
		{"NULL", ALG_NULL, 0, ENCR_NULL},
		{"TripleDES-CBC", ALG_CBC, 0, ENCR_3DES},
		{"AES-CBC", ALG_CBC, 0, ENCR_AES_CBC},
		{"AES-CTR", ALG_CTR, 0, ENCR_AES_CTR},
		{"AES-GCM", ALG_GCM, 16, ENCR_AES_GCM_16},
		{"AES-GCM with 8 octet ICV", ALG_GCM, 8, ENCR_AES_GCM_8},
		{"AES-GCM with 12 octet ICV", ALG_GCM, 12, ENCR_AES_GCM_12},
		{"AES-GCM with 16 octet ICV", ALG_GCM, 16, ENCR_AES_GCM_16},
	};
	const struct alg *a;

	for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++) {
		if (!same_name(name, names[k].name))
			continue;
		for (unsigned int i = 0; (a = alg_at(i)); i++) {
			if (a->type != IKE_T_ENCR || a->variant || a->id != names[k].id ||
			    (size_t)a->key_len + a->salt_len != key_len)
				continue;
			s->encr = a->id;
			s->encr_bits = a->key_bits;
			return 0;
		}
		return -EBADMSG;
	}
	return encr_find(name, s);
}

static int integ_find(const char *name, struct ike_suite *s)
{
	const struct alg *a;

	for (size_t i = 0; i < sizeof(integ_names) / sizeof(integ_names[0]); i++) {
		if (same_name(name, integ_names[i].ike) || same_name(name, integ_names[i].esp)) {
			s->integ = integ_names[i].id;
			return 0;
		}
	}
	if (!*name) {
		s->integ = AUTH_NONE;
		return 0;
	}
	for (unsigned int i = 0; (a = alg_at(i)); i++) {
		if (a->type == IKE_T_INTEG && !a->variant && same_name(name, a->text)) {
			s->integ = a->id;
			return 0;
		}
	}
	return -ENOTSUP;
}

/* ---- fields ------------------------------------------------------------------------------------------ */

struct fields {
	char text[KEYLOG_LINE_MAX];
	char *f[FIELDS_MAX];
	unsigned int n;
};

/* Fields by commas, quoted or not; blanks around them do not count. */
static char *skip_blanks(char *p)
{
	while (isspace((unsigned char)*p))
		p++;
	return p;
}

static int fields_of(const char *line, struct fields *out)
{
	char *p = out->text;

	if (strlen(line) >= sizeof(out->text))
		return -EINVAL;
	strcpy(out->text, line);
	for (out->n = 0; out->n < FIELDS_MAX;) {
		char *start = skip_blanks(p), *end, *next;
		bool quoted = *start == '"', more;

		start += quoted;
		end = start + strcspn(start, quoted ? "\"" : ",");
		if (quoted && !*end)
			return -EINVAL;
		next = skip_blanks(quoted ? end + 1 : end);
		more = *next == ',';
		if (*next && !more)
			return -EINVAL;
		while (!quoted && end > start && isspace((unsigned char)end[-1]))
			end--;
		*end = '\0';
		out->f[out->n++] = start;
		if (!more)
			return 0;
		p = next + 1;
	}
	return -EINVAL;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Hex digits, after 0x or not, as bytes. Their number or -EINVAL. */
static int hex_read(const char *s, uint8_t *out, size_t cap)
{
	size_t n = 0;

	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X'))
		s += 2;
	for (; s[0]; s += 2) {
		int hi = hex_value(s[0]), lo = s[1] ? hex_value(s[1]) : -1;

		if (hi < 0 || lo < 0 || n == cap)
			return -EINVAL;
		out[n++] = (uint8_t)(hi << 4 | lo);
	}
	return (int)n;
}

static int spi_read(const char *s, size_t len, uint64_t *spi)
{
	uint8_t b[8];
	struct rd r;

	if (hex_read(s, b, sizeof(b)) != (int)len)
		return -EINVAL;
	r = rd_of(slice_of(b, len));
	*spi = rd_be(&r, len);
	return *spi ? 0 : -EINVAL;
}

static int key_read(const char *s, struct secret *out)
{
	uint8_t b[256];
	int n = hex_read(s, b, sizeof(b)), err = -EINVAL;

	if (n >= 0)
		err = n ? secret_dup(out, slice_of(b, (size_t)n)) : 0;
	secret_wipe(b, sizeof(b));
	return err;
}

static bool lengths_fit(const struct ike_suite *s, const struct secret *ek, const struct secret *ak)
{
	const struct alg *e = alg_find(IKE_T_ENCR, s->encr, s->encr_bits);
	const struct alg *i = alg_find(IKE_T_INTEG, s->integ, 0);

	if (!e || (e->aead && s->integ != AUTH_NONE) || (!e->aead && s->integ == AUTH_NONE))
		return false;
	return ek->n == (size_t)e->key_len + e->salt_len && (!i || s->integ == AUTH_NONE || ak->n == i->key_len);
}

void ike_key_free(struct ike_key *k)
{
	secret_free(&k->ei);
	secret_free(&k->er);
	secret_free(&k->ai);
	secret_free(&k->ar);
}

void esp_key_free(struct esp_key *k)
{
	secret_free(&k->ek);
	secret_free(&k->ak);
}

static int ike_from(const struct fields *f, struct ike_key *k)
{
	int err = f->n == 8 ? 0 : -EINVAL;

	if (!err)
		err = spi_read(f->f[0], 8, &k->spi_i);
	if (!err)
		err = spi_read(f->f[1], 8, &k->spi_r);
	if (!err)
		err = key_read(f->f[2], &k->ei);
	if (!err)
		err = key_read(f->f[3], &k->er);
	if (!err)
		err = encr_find(f->f[4], &k->suite);
	if (!err)
		err = key_read(f->f[5], &k->ai);
	if (!err)
		err = key_read(f->f[6], &k->ar);
	if (!err)
		err = integ_find(f->f[7], &k->suite);
	if (!err && (!lengths_fit(&k->suite, &k->ei, &k->ai) || !lengths_fit(&k->suite, &k->er, &k->ar)))
		err = -EBADMSG;
	return err;
}

int keylog_read_ike(const char *line, struct ike_key *out)
{
	struct fields f;
	int err = fields_of(line, &f);

	*out = (struct ike_key){0};
	if (!err)
		err = ike_from(&f, out);
	if (err)
		ike_key_free(out);
	secret_wipe(&f, sizeof(f));
	return err;
}

static int addr_read(const char *s, struct ip_addr *a)
{
	*a = (struct ip_addr){0};
	return strcmp(s, "*") == 0 || !*s ? 0 : addr_parse(s, a);
}

static int esp_from(const struct fields *f, struct esp_key *k)
{
	uint64_t spi = 0;
	int err = f->n >= 8 && (!strcasecmp(f->f[0], "IPv4") || !strcasecmp(f->f[0], "IPv6") ||
				!strcasecmp(f->f[0], "Any")) ? 0 : -EINVAL;

	if (!err)
		err = addr_read(f->f[1], &k->from);
	if (!err)
		err = addr_read(f->f[2], &k->to);
	if (!err)
		err = spi_read(f->f[3], 4, &spi);
	k->spi = (uint32_t)spi;
	if (!err)
		err = key_read(f->f[5], &k->ek);
	if (!err)
		err = esp_encr_find(f->f[4], k->ek.n, &k->suite);
	if (!err)
		err = integ_find(f->f[6], &k->suite);
	if (!err)
		err = key_read(f->f[7], &k->ak);
	if (!err && !lengths_fit(&k->suite, &k->ek, &k->ak))
		err = -EBADMSG;
	return err;
}

int keylog_read_esp(const char *line, struct esp_key *out)
{
	struct fields f;
	int err = fields_of(line, &f);

	*out = (struct esp_key){0};
	if (!err)
		err = esp_from(&f, out);
	if (err)
		esp_key_free(out);
	secret_wipe(&f, sizeof(f));
	return err;
}

/* ---- writing -------------------------------------------------------------------------------------------- */

static void put_text(struct wr *w, const char *s)
{
	wr_bytes(w, s, strlen(s));
}

static void put_hex(struct wr *w, struct slice s)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < s.n; i++) {
		wr_u8(w, (uint8_t)digits[s.p[i] >> 4]);
		wr_u8(w, (uint8_t)digits[s.p[i] & 15]);
	}
	wr_u8(w, ',');
}

static void put_name(struct wr *w, const char *name)
{
	wr_u8(w, '"');
	put_text(w, name);
	wr_u8(w, '"');
}

int keylog_write_ike(const struct ike_suite *s, uint64_t spi_i, uint64_t spi_r, const struct ike_keys *k, char *buf,
		     size_t n)
{
	const struct alg *encr = alg_find(IKE_T_ENCR, s->encr, s->encr_bits);
	const char *integ = integ_name(s->integ);
	char name[NAME_MAX_LEN], spis[40];
	struct wr w = wr_of(buf, n);

	if (!encr || !integ)
		return -ENOTSUP;
	snprintf(spis, sizeof(spis), "%016llx,%016llx,", (unsigned long long)spi_i, (unsigned long long)spi_r);
	put_text(&w, spis);
	put_hex(&w, secret_slice(&k->ei));
	put_hex(&w, secret_slice(&k->er));
	put_name(&w, encr_name(encr, name));
	put_text(&w, ",");
	put_hex(&w, secret_slice(&k->ai));
	put_hex(&w, secret_slice(&k->ar));
	put_name(&w, integ);
	wr_u8(&w, 0);
	if (wr_ok(&w))
		return (int)w.n - 1;
	secret_wipe(buf, n);
	return -ENOSPC;
}
