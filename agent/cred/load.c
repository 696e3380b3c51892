/* SPDX-License-Identifier: BSD-2-Clause */
#include "cred_int.h"

#include "common/log.h"
#include "common/secret.h"
#include "common/settings_table.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const struct {
	const char *dir, *noun;
} kinds[] = {
    [CRED_CERT] = {"x509", "certificate"},     [CRED_CA] = {"x509ca", "certificate"},
    [CRED_OCSP] = {"x509ocsp", "certificate"}, [CRED_CRL] = {"x509crl", "CRL"},
    [CRED_PUBKEY] = {"pubkey", "public key"},
};

static int broken(struct settings_error *err, const char *path, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static int broken(struct settings_error *err, const char *path, const char *fmt, ...)
{
	va_list ap;

	snprintf(err->file, sizeof(err->file), "%s", path);
	err->line = 0;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	ERR_clear_error();
	return -EINVAL;
}

static int no_memory(struct settings_error *err, const char *path)
{
	broken(err, path, "out of memory");
	return -ENOMEM;
}

static void item_free(struct cred_item *i)
{
	if (!i)
		return;
	X509_free(i->x);
	X509_CRL_free(i->crl);
	OPENSSL_free(i->der);
	if (i->kind != CRED_PUBKEY)
		OPENSSL_free(i->spki);
	free(i->file);
	free(i);
}

/* ---- one item
 * --------------------------------------------------------------------------------------- */
static void key_read(struct cred_item *i)
{
	int n = i->x ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(i->x), &i->spki) : 0;

	if (i->kind == CRED_PUBKEY) {
		i->spki = i->der;
		i->spki_len = i->n;
	} else {
		i->spki_len = n > 0 ? (size_t)n : 0;
	}
	i->key_error = sig_key_check(slice_of(i->spki, i->spki_len), &i->key, &i->why);
}

static void warn(const struct cred_item *i)
{
	int64_t now = time(NULL);

	if (i->key_error && i->kind != CRED_CRL)
		log_line(LOG_CONFIG, 1, "%s: %s: it will not be accepted", i->file, i->why);
	if (i->x && asn1_seconds(X509_get0_notAfter(i->x)) < now)
		log_line(LOG_CONFIG, 1, "%s: the certificate has expired", i->file);
	if (i->x && asn1_seconds(X509_get0_notBefore(i->x)) > now)
		log_line(LOG_CONFIG, 1, "%s: the certificate is not valid yet", i->file);
	if (i->crl && X509_CRL_get0_nextUpdate(i->crl) &&
	    asn1_seconds(X509_CRL_get0_nextUpdate(i->crl)) < now)
		log_line(LOG_CONFIG, 1, "%s: the CRL has expired", i->file);
	if (i->kind == CRED_CA && X509_check_ca(i->x) < 1)
		log_line(LOG_CONFIG, 1, "%s: not the certificate of a CA: it is not trusted as one",
			 i->file);
}

/* From DER, without trailing bytes. */
static struct cred_item *item_decode(enum cred_kind kind, const uint8_t *der, size_t n)
{
	struct cred_item *i = calloc(1, sizeof(*i));
	const uint8_t *at = der;
	EVP_PKEY *p = NULL;
	bool ok;

	if (!i)
		return NULL;
	i->kind = kind;
	if (kind == CRED_CRL)
		ok = (i->crl = d2i_X509_CRL(NULL, &at, (long)n)) != NULL;
	else if (kind == CRED_PUBKEY)
		ok = (p = d2i_PUBKEY(NULL, &at, (long)n)) != NULL;
	else
		ok = (i->x = d2i_X509(NULL, &at, (long)n)) != NULL;
	EVP_PKEY_free(p);
	i->der = ok && at == der + n ? OPENSSL_memdup(der, n) : NULL;
	if (!i->der) {
		item_free(i);
		return NULL;
	}
	i->n = n;
	if (kind != CRED_CRL)
		key_read(i);
	if (i->x) {
		/* computes what the library caches, before threads share it */
		i->self_signed = X509_self_signed(i->x, 1) == 1;
		X509_check_purpose(i->x, -1, 0);
	}
	ERR_clear_error();
	return i;
}

static int item_add(struct cred *c, struct cred_item *i, const char *path, bool named_only,
		    struct settings_error *err)
{
	struct cred_item **more;

	if (c->n_items == CRED_ITEMS_MAX) {
		item_free(i);
		return broken(err, path, "more than %d certificates, keys and CRLs",
			      CRED_ITEMS_MAX);
	}
	more = realloc(c->item, (c->n_items + 1) * sizeof(*more));
	if (more)
		c->item = more;
	i->file = more ? strdup(path) : NULL;
	if (!i->file) {
		item_free(i);
		return no_memory(err, path);
	}
	i->named_only = named_only;
	c->item[c->n_items++] = i;
	warn(i);
	return 0;
}

/* ---- one file
 * ---------------------------------------------------------------------------------------- */
static bool is_kind(enum cred_kind kind, const char *block)
{
	if (kind == CRED_CRL)
		return !strcmp(block, PEM_STRING_X509_CRL);
	if (kind == CRED_PUBKEY)
		return !strcmp(block, PEM_STRING_PUBLIC);
	return !strcmp(block, PEM_STRING_X509) || !strcmp(block, PEM_STRING_X509_OLD);
}

static int pem_read(struct cred *c, enum cred_kind kind, const char *path, bool named_only,
		    const uint8_t *text, size_t n, struct settings_error *err)
{
	BIO *bio = BIO_new_mem_buf(text, (int)n);
	unsigned char *der = NULL;
	char *block = NULL, *header = NULL;
	unsigned int found = 0;
	long len;
	int r = 0;

	while (bio && !r && PEM_read_bio(bio, &block, &header, &der, &len)) {
		if (is_kind(kind, block)) {
			struct cred_item *i = item_decode(kind, der, (size_t)len);

			r = i ? item_add(c, i, path, named_only, err)
			      : broken(err, path, "%s number %u is broken", kinds[kind].noun,
				       found + 1);
			found++;
		}
		OPENSSL_free(block);
		OPENSSL_free(header);
		OPENSSL_clear_free(der, (size_t)len); /* it may be a private key */
	}
	if (!r && ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		r = broken(err, path, "broken PEM");
	if (!r && !found)
		r = broken(err, path, "no %s in it", kinds[kind].noun);
	BIO_free(bio);
	ERR_clear_error();
	return r;
}

/* A regular file, whole; *n bytes at *out, to be freed. */
static int slurp(const char *path, uint8_t **out, size_t *n, struct settings_error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	ssize_t got;
	int r = 0;

	*out = NULL;
	*n = 0;
	if (fd < 0 || fstat(fd, &st))
		r = broken(err, path, "%s", strerror(errno));
	else if (!S_ISREG(st.st_mode))
		r = broken(err, path, "not a file");
	else if (st.st_size > CRED_FILE_MAX || !st.st_size)
		r = broken(err, path, st.st_size ? "too large" : "empty");
	else if (!(*out = malloc((size_t)st.st_size)))
		r = no_memory(err, path);
	while (!r && *n < (size_t)st.st_size) {
		got = read(fd, *out + *n, (size_t)st.st_size - *n);
		if (got > 0)
			*n += (size_t)got;
		else if (got == 0 || errno != EINTR)
			r = broken(err, path, "cannot be read");
	}
	if (fd >= 0)
		close(fd);
	return r;
}

int cred_file_load(struct cred *c, enum cred_kind kind, const char *path, bool named_only,
		   struct settings_error *err)
{
	struct cred_item *i;
	uint8_t *b;
	size_t n;
	int r = slurp(path, &b, &n, err);

	if (!r && memmem(b, n, "-----BEGIN ", 11)) {
		ERR_clear_error();
		r = pem_read(c, kind, path, named_only, b, n, err);
	} else if (!r) {
		i = item_decode(kind, b, n);
		r = i ? item_add(c, i, path, named_only, err)
		      : broken(err, path, "neither PEM nor the DER of a %s", kinds[kind].noun);
	}
	if (b)
		secret_wipe(b, n);
	free(b);
	return r;
}

/* ---- directories
 * --------------------------------------------------------------------------------------- */
static int visible(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

static int dir_load(struct cred *c, enum cred_kind kind, struct settings_error *err)
{
	struct dirent **e = NULL;
	char path[SETTINGS_PATH_MAX + 300];
	struct stat st;
	int n, r = 0;

	snprintf(path, sizeof(path), "%s/%s", c->dir, kinds[kind].dir);
	n = scandir(path, &e, visible, alphasort);
	if (n < 0)
		return errno == ENOENT ? 0 : broken(err, path, "%s", strerror(errno));
	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s/%s", c->dir, kinds[kind].dir, e[i]->d_name);
		if (!r && !(stat(path, &st) == 0 && S_ISDIR(st.st_mode)))
			r = cred_file_load(c, kind, path, false, err);
		free(e[i]);
	}
	free(e);
	return r;
}

/* Chains end at CAs that signed themselves, and at those whose issuer we do not have. */
static void anchors_find(struct cred *c)
{
	for (unsigned int i = 0; i < c->n_items; i++) {
		struct cred_item *a = c->item[i];

		if (a->kind != CRED_CA || X509_check_ca(a->x) < 1)
			continue;
		a->anchor = true;
		for (unsigned int k = 0; k < c->n_items && !a->self_signed && a->anchor; k++) {
			const struct cred_item *b = c->item[k];

			if (b != a && b->kind == CRED_CA && !b->named_only &&
			    X509_check_issued(b->x, a->x) == X509_V_OK)
				a->anchor = false;
		}
	}
	ERR_clear_error();
}

static void cred_free(struct cred *c)
{
	for (unsigned int i = 0; i < c->n_items; i++)
		item_free(c->item[i]);
	free(c->item);
	for (unsigned int i = 0; i < c->n_authorities; i++) {
		struct cred_authority *a = &c->authority[i];

		for (unsigned int k = 0; k < a->n_crl; k++)
			free(a->crl_uri[k]);
		for (unsigned int k = 0; k < a->n_ocsp; k++)
			free(a->ocsp_uri[k]);
	}
	free(c->authority);
	free(c->dir);
	free(c);
}

struct cred *cred_ref(struct cred *c)
{
	atomic_fetch_add(&c->refs, 1);
	return c;
}

void cred_unref(struct cred *c)
{
	if (c && atomic_fetch_sub(&c->refs, 1) == 1)
		cred_free(c);
}

static struct cred *cred_new(const char *conf_path)
{
	struct cred *c = calloc(1, sizeof(*c));
	const char *slash = strrchr(conf_path, '/');

	if (!c)
		return NULL;
	atomic_init(&c->refs, 1);
	c->dir = slash ? strndup(conf_path, slash > conf_path ? (size_t)(slash - conf_path) : 1)
		       : strdup(".");
	if (!c->dir) {
		free(c);
		return NULL;
	}
	return c;
}

struct cred *cred_load(const char *conf_path, const struct settings *root,
		       struct settings_error *err)
{
	struct cred *c = cred_new(conf_path);
	struct settings *own = NULL;
	int r = c ? 0 : no_memory(err, conf_path);

	if (!r && !root) {
		root = own = settings_load(conf_path, err);
		r = own ? 0 : -EINVAL;
	}
	for (enum cred_kind k = CRED_CERT; !r && k <= CRED_PUBKEY; k++)
		r = dir_load(c, k, err);
	if (!r)
		r = cred_config_read(c, root, err);
	settings_free(own);
	if (r) {
		cred_unref(c);
		errno = -r;
		return NULL;
	}
	anchors_find(c);
	return c;
}

/* ---- finding
 * -------------------------------------------------------------------------------------------- */
bool cred_path(const struct cred *c, enum cred_kind kind, const char *name, char *buf, size_t n)
{
	int len;

	if (name[0] == '/')
		len = snprintf(buf, n, "%s", name);
	else
		len = snprintf(buf, n, "%s/%s/%s", c->dir, kinds[kind].dir, name);
	return len > 0 && (size_t)len < n;
}

const struct cred_item *cred_item_next(const struct cred *c, enum cred_kind kind, const char *path,
				       unsigned int *from)
{
	while (*from < c->n_items) {
		const struct cred_item *i = c->item[(*from)++];

		if (i->kind == kind && (!path || !strcmp(i->file, path)))
			return i;
	}
	return NULL;
}

unsigned int cred_items_named(const struct cred *c, enum cred_kind kind, const char *list,
			      const struct cred_item **out, unsigned int max)
{
	char name[SETTINGS_PATH_MAX], path[2 * SETTINGS_PATH_MAX];
	const struct cred_item *i;
	unsigned int n = 0;

	while (list && *list && settings_item(&list, name, sizeof(name))) {
		unsigned int from = 0;

		if (!name[0] || !cred_path(c, kind, name, path, sizeof(path)))
			continue;
		while (n < max && (i = cred_item_next(c, kind, path, &from)))
			out[n++] = i;
	}
	return n;
}

bool cred_item_in(const struct cred *c, enum cred_kind kind, const char *list, const X509 *x)
{
	const struct cred_item *named[CRED_NAMED_MAX];
	unsigned int n = cred_items_named(c, kind, list, named, CRED_NAMED_MAX);

	for (unsigned int i = 0; i < n; i++)
		if (X509_cmp(named[i]->x, x) == 0)
			return true;
	return false;
}

bool cred_entry_at(const struct cred *c, unsigned int i, struct cred_entry *out)
{
	const struct cred_item *it = i < c->n_items ? c->item[i] : NULL;

	if (!it)
		return false;
	*out = (struct cred_entry){
	    .kind = it->kind, .file = it->file, .der = slice_of(it->der, it->n)};
	memcpy(out->key_id, it->key.id, sizeof(out->key_id));
	if (it->x) {
		name_str(X509_get_subject_name(it->x), out->subject, sizeof(out->subject));
		name_str(X509_get_issuer_name(it->x), out->issuer, sizeof(out->issuer));
		out->not_before = asn1_seconds(X509_get0_notBefore(it->x));
		out->not_after = asn1_seconds(X509_get0_notAfter(it->x));
	}
	if (it->crl) {
		const ASN1_TIME *next = X509_CRL_get0_nextUpdate(it->crl);

		name_str(X509_CRL_get_issuer(it->crl), out->issuer, sizeof(out->issuer));
		out->not_before = asn1_seconds(X509_CRL_get0_lastUpdate(it->crl));
		out->not_after = next ? asn1_seconds(next) : 0;
	}
	return true;
}

bool cred_authority_at(const struct cred *c, unsigned int i, struct cred_authority_entry *out)
{
	const struct cred_authority *a = i < c->n_authorities ? &c->authority[i] : NULL;

	if (!a)
		return false;
	*out = (struct cred_authority_entry){.name = a->name,
					     .file = a->ca->file,
					     .crl_uri = a->crl_uri,
					     .n_crl = a->n_crl,
					     .ocsp_uri = a->ocsp_uri,
					     .n_ocsp = a->n_ocsp};
	name_str(X509_get_subject_name(a->ca->x), out->subject, sizeof(out->subject));
	return true;
}
