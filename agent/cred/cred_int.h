/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "cred.h"

#include <openssl/ocsp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <stdatomic.h>

/* What the files of this folder share. Nobody outside includes this. */
enum {
	CRED_FILE_MAX = 16 << 20,
	CRED_ITEMS_MAX = 16384, /* certificates, keys and CRLs in one snapshot */
	CRED_URIS_MAX = 8,	/* of one kind for one certificate or authority */
	CRED_URI_MAX = 512,
	CRED_NAMED_MAX = 8, /* certificates and keys that one section may name */
};

/* One thing out of a file. Certificates are shared between threads by reference. */
struct cred_item {
	enum cred_kind kind;
	char *file;
	uint8_t *der;
	size_t n;
	X509 *x;       /* CRED_CERT, CRED_CA, CRED_OCSP */
	X509_CRL *crl; /* CRED_CRL */
	uint8_t *spki; /* of certificates and keys */
	size_t spki_len;
	struct sig_key_info key;
	int key_error;	 /* of sig_key_check */
	const char *why; /* with key_error */
	bool self_signed;
	bool anchor;	 /* CRED_CA: chains may end here */
	bool named_only; /* CRED_CA: trusted by the sections that name it, and by no other */
};

struct cred_authority {
	char name[CONF_NAME_MAX];
	const struct cred_item *ca;
	char *crl_uri[CRED_URIS_MAX], *ocsp_uri[CRED_URIS_MAX];
	unsigned int n_crl, n_ocsp;
};

struct cred {
	atomic_uint refs;
	char *dir; /* of swanctl.conf */
	struct cred_item **item;
	unsigned int n_items;
	struct cred_authority *authority;
	unsigned int n_authorities;
};

/* ---- load.c: files
 * ------------------------------------------------------------------------------- */
/* All of one kind that a file holds. -EINVAL and *err when it is broken or holds none. */
int cred_file_load(struct cred *c, enum cred_kind kind, const char *path, bool named_only,
		   struct settings_error *err);
/* Where a configured name of this kind lies; false when it does not fit. */
bool cred_path(const struct cred *c, enum cred_kind kind, const char *name, char *buf, size_t n);
/* The first item of this file, from *from on; NULL when there is no more. */
const struct cred_item *cred_item_next(const struct cred *c, enum cred_kind kind, const char *path,
				       unsigned int *from);
/* The items that a list in the configuration names. At most max. */
unsigned int cred_items_named(const struct cred *c, enum cred_kind kind, const char *list,
			      const struct cred_item **out, unsigned int max);
bool cred_item_in(const struct cred *c, enum cred_kind kind, const char *list, const X509 *x);

/* ---- config.c: what the configuration names
 * ------------------------------------------------------ */
int cred_config_read(struct cred *c, const struct settings *root, struct settings_error *err);

/* ---- ident.c
 * -------------------------------------------------------------------------------------- */
/* Does the certificate carry this identity? RFC 4945 3.1: the subject for a DN, subjectAltName for
 * all else; a key id is the subjectKeyIdentifier or the hash of the key. No wildcards. */
bool cert_has_id(const X509 *x, const struct sig_key_info *key, const struct ike_id *id);
/* The same for a configured identity, wildcards too, and names in subjectAltName for a DN. */
bool cert_fits_id(const X509 *x, const struct conf_id *want);
/* Subject or issuer as text, and as DER that lives as long as the name. */
const char *name_str(const X509_NAME *name, char *buf, size_t n);
struct slice name_der(const X509_NAME *name);
int64_t asn1_seconds(const ASN1_TIME *t); /* INT64_MIN when it is no time */

/* ---- path.c
 * ---------------------------------------------------------------------------------------- */
struct cred_chain {
	X509 *cert[CRED_CHAIN_MAX + 2]; /* leaf first, anchor last; references */
	unsigned int n;
	const struct cred_item *anchor;
	int64_t not_after;
};
/* Builds and checks the path from the leaf to an anchor that `rules` trust, at the time `now`. 0,
 * -EACCES, -ETIME (not valid now), -EKEYREJECTED or -ENOMEM; text says what failed, or is left
 * alone. */
int cred_path_build(const struct cred *c, const struct cred_rules *rules, X509 *leaf,
		    STACK_OF(X509) * received, int64_t now, struct cred_chain *out,
		    char text[CRED_TEXT_MAX]);
void cred_chain_free(struct cred_chain *ch);

/* ---- cache.c
 * ---------------------------------------------------------------------------------------- */
enum { REV_KEY_LEN = 32 };
/* What came from one URI. Immutable. */
struct rev_entry {
	atomic_uint refs;
	uint8_t key[REV_KEY_LEN];
	int64_t until; /* asked for again afterwards */
	X509_CRL *crl; /* one of these, or none: it could not be had */
	uint8_t *ocsp;
	size_t ocsp_len;
	size_t size;  /* in memory, about */
	char why[96]; /* when there is none */
};
/* The whole cache, immutable too: an addition makes another one. */
struct rev_cache {
	atomic_uint refs;
	unsigned int n;
	size_t bytes;
	struct rev_entry *e[];
};
enum { REV_ENTRIES_MAX = 256, REV_BYTES_MAX = 64 << 20, REV_FAILED_S = 60, REV_KEEP_MAX_S = 86400 };
struct rev_cache *rev_cache_new(void);
struct rev_cache *rev_cache_ref(struct rev_cache *c);
void rev_cache_unref(struct rev_cache *c);
/* NULL when there is none that is still to be used. */
const struct rev_entry *rev_cache_find(const struct rev_cache *c, const uint8_t key[REV_KEY_LEN],
				       int64_t now);
/* A new cache with this entry (taken) in place of the one of its key; those that ended, and the
 * oldest when there are too many, are left out. The old reference is dropped. NULL: no memory, then
 * the old one is still there and the entry is gone. */
struct rev_cache *rev_cache_add(struct rev_cache *c, struct rev_entry *e, int64_t now);
/* One without the CRLs, the OCSP answers, and what could not be had; the old reference is dropped. NULL: no memory,
 * and nothing has changed. */
struct rev_cache *rev_cache_without(struct rev_cache *c, bool crls, bool ocsp);
void rev_entry_unref(struct rev_entry *e);

/* ---- status.c, ocsp.c
 * -------------------------------------------------------------------------------- */
enum rev_kind { REV_CRL, REV_OCSP };
enum { REV_WANTS_MAX = CRED_CHAIN_MAX, REV_REQUEST_MAX = 512, REV_NONCE_LEN = 32 };
/* What must be fetched before the status can be told. */
struct rev_want {
	enum rev_kind kind;
	uint8_t key[REV_KEY_LEN];
	bool configured; /* the administrator named the URI */
	char uri[CRED_URI_MAX];
	uint8_t request[REV_REQUEST_MAX]; /* OCSP */
	size_t request_len;
	uint8_t nonce[REV_NONCE_LEN];
};
struct rev_wants {
	struct rev_want want[REV_WANTS_MAX];
	unsigned int n;
};
/*
 * Is any certificate of the chain (but the anchor) revoked? 0 when the policy is satisfied, -EACCES
 * and text when not, -EAGAIN when `wants` must be fetched first. final: nothing more can be
 * fetched, what is there must do.
 */
int rev_check(const struct cred *c, const struct rev_cache *cache, const struct cred_chain *ch,
	      enum cred_revocation policy, int64_t now, bool final, struct rev_wants *wants,
	      char text[CRED_TEXT_MAX]);

enum rev_status { REV_UNKNOWN, REV_GOOD, REV_REVOKED };
/* What an OCSP answer says of a certificate; why is filled for REV_UNKNOWN. */
enum rev_status ocsp_status(const struct cred *c, struct slice answer, X509 *cert, X509 *issuer,
			    int64_t now, char *why, size_t n);
/* Key and request of a certificate at a responder. 0 or -errno. */
int ocsp_request(X509 *cert, X509 *issuer, struct rev_want *w);
int ocsp_key(X509 *cert, X509 *issuer, const char *uri, uint8_t key[REV_KEY_LEN]);
/* An entry from what was fetched: the answer's outer form, its nonce, how long it may be kept. CRLs
 * are parsed. Never NULL but without memory: what is wrong is an entry that says so. */
struct rev_entry *rev_entry_from(const struct rev_want *w, struct slice body, int64_t now);
struct rev_entry *rev_entry_failed(const struct rev_want *w, const char *why, int64_t now);

/* ---- verify.c
 * ------------------------------------------------------------------------------------------ */
/* One verification: a pure piece of work on copies. */
struct cred_check {
	struct cred *cred;
	struct rev_cache *cache;
	struct cred_rules rules;
	struct {
		uint8_t encoding;
		uint32_t at, n; /* in `bytes` */
	} cert[IKE_CERTS_MAX];
	unsigned int n_certs;
	struct ike_id id;
	struct slice auth, octets;
	uint8_t method;
	uint32_t hashes;
	int64_t now;
	bool final;
	struct cred_verdict verdict;
	struct rev_wants wants; /* with verdict.error -EAGAIN */
	size_t n_bytes;
	uint8_t bytes[];
};
/* A copy of what the peer said; takes references. NULL and errno. */
struct cred_check *cred_check_new(struct cred *c, struct rev_cache *cache,
				  const struct cred_peer *peer);
void cred_check_free(struct cred_check *v);
void cred_check_run(struct cred_check *v);
