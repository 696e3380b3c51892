/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "agent/conf/conf.h"
#include "agent/crypt/job.h"
#include "agent/crypt/sig.h"
#include "agent/wire/msg.h"

/*
 * Certificates, raw public keys and what is trusted. `struct cred` is one immutable snapshot of
 * what the directories beside swanctl.conf hold (x509, x509ca, x509ocsp, x509crl, pubkey) and what
 * the configuration names; a reload makes another one. `struct creds` is the service on top of it:
 * it verifies peers by jobs on worker threads, and has revocation status fetched on the way.
 * OpenSSL reads all certificates.
 */
enum {
	CRED_LIST_MAX = 512, /* bytes of a list of files as configured */
	CRED_CHAIN_MAX = 8,  /* certificates in a chain, without the trust anchor */
	CRED_CERT_MAX = 16384,
	CRED_TEXT_MAX = 256,
};

enum cred_revocation { CRED_REVOCATION_RELAXED, CRED_REVOCATION_IFURI, CRED_REVOCATION_STRICT };

/* What one `local` or `remote` section says; lists by commas as configured. A file without a slash
 * is looked for in x509, x509ca or pubkey; `file` of sections cert<suffix> and cacert<suffix> is
 * one more item of certs and cacerts. */
struct cred_rules {
	char certs[CRED_LIST_MAX], cacerts[CRED_LIST_MAX], pubkeys[CRED_LIST_MAX];
	struct conf_id ca_id;		 /* type 0: any */
	char cert_policy[CRED_LIST_MAX]; /* OIDs, all of them must be in the peer's certificate */
	enum cred_revocation revocation;
	struct sig_rules sig;	   /* AUTH */
	struct sig_rules cert_sig; /* signatures and keys of the chain */
};

/* ---- the snapshot
 * -------------------------------------------------------------------------------- */
struct cred;
/* Reads the directories beside `conf_path` and every file that `root`, the tree of that file, names
 * in connections and authorities. A directory that does not exist is empty. NULL, errno and *err
 * (file, line, key; or the broken file). What has expired is a warning in the log. */
struct cred *cred_load(const char *conf_path, const struct settings *root,
		       struct settings_error *err);
/* References may be taken and dropped in any thread. */
struct cred *cred_ref(struct cred *c);
void cred_unref(struct cred *c);

/* For listings: the i-th certificate, raw key or CRL; false behind the last. */
enum cred_kind { CRED_CERT, CRED_CA, CRED_OCSP, CRED_CRL, CRED_PUBKEY };
struct cred_entry {
	enum cred_kind kind;
	const char *file;
	struct slice der; /* certificate, CRL or SubjectPublicKeyInfo */
	char subject[CRED_TEXT_MAX], issuer[CRED_TEXT_MAX];
	int64_t not_before, not_after; /* seconds since 1970 */
	uint8_t key_id[SIG_KEY_ID_LEN];
};
bool cred_entry_at(const struct cred *c, unsigned int i, struct cred_entry *out);

/* The i-th of the authorities that the configuration names; false behind the last. */
struct cred_authority_entry {
	const char *name, *file;
	char subject[CRED_TEXT_MAX];
	char *const *crl_uri, *const *ocsp_uri;
	unsigned int n_crl, n_ocsp;
};
bool cred_authority_at(const struct cred *c, unsigned int i, struct cred_authority_entry *out);

/* ---- our own side
 * --------------------------------------------------------------------------------- */
/* What we authenticate with; slices live as long as the snapshot. */
struct cred_own {
	struct sig_key_info key;
	struct slice spki; /* the keys role knows the private key by this, or by key.id */
	struct ike_id id;  /* the one to send: the configured one (a DN as the certificate writes
			    * it), the certificate's subject when none is; type 0 of a raw key */
	uint8_t encoding;  /* of the CERT payloads: CERT_X509 or CERT_RAW_PUBLIC_KEY */
	struct slice cert[CRED_CHAIN_MAX]; /* what to send, leaf first, no self-signed ones */
	unsigned int n_certs;
};
enum { CERT_X509 = 4, CERT_OCSP = 14, CERT_RAW_PUBLIC_KEY = 15 }; /* RFC 7296 3.6, RFC 7670 */
/*
 * Chooses the certificate or raw key for a local section: one of its certs and pubkeys, else any
 * that carries `id` (NULL or type 0: any); `has_key` says whether we have its private key. The
 * peer's CERTREQ payloads decide among several; none of them excludes. Certificates that are not
 * valid now come last. 0, or -ENOENT and why in text.
 */
int cred_own(const struct cred *c, const struct cred_rules *local, const struct conf_id *id,
	     const struct ike_cert_pl *certreq, unsigned int n_certreq, int64_t now,
	     bool (*has_key)(void *ctx, const uint8_t id[SIG_KEY_ID_LEN]), void *ctx,
	     struct cred_own *out, char text[CRED_TEXT_MAX]);
/* RFC 7296 3.7: SHA-1 hashes of the keys of the CAs that a remote section trusts, for one CERTREQ
 * of CERT_X509. How many bytes; 0 when there is none. At most cap / 20 of them. */
size_t cred_certreq(const struct cred *c, const struct cred_rules *remote, uint8_t *out,
		    size_t cap);
/* True when the remote section lists raw public keys: a CERTREQ of CERT_RAW_PUBLIC_KEY says so. */
bool cred_wants_raw(const struct cred *c, const struct cred_rules *remote);

/* ---- the peer's side
 * ------------------------------------------------------------------------------- */
/* What a peer has said; all of it is copied. */
struct cred_peer {
	const struct ike_cert_pl *cert; /* payloads as received, of any encoding */
	unsigned int n_certs;
	struct ike_id id; /* as received, and already found to be what the connection expects */
	uint8_t method;	  /* of AUTH */
	struct slice auth, octets;
	uint32_t hashes; /* that it announced, bits of enum sig_hash; 0 = no RFC 7427 */
	const struct cred_rules *rules;
};

/* Which of the rules of trust failed, with -EACCES. */
enum cred_reason { CRED_UNTRUSTED, CRED_NO_CERT, CRED_NOT_VALID_NOW, CRED_REVOKED, CRED_OTHER_ID };

/* What came out. */
struct cred_verdict {
	int error; /* 0: the peer is who it says. -EACCES not trusted, -EBADMSG signature or
		    * encoding wrong, -ENOTSUP method, -EKEYREJECTED weak or not allowed, -ENOMEM,
		    * -EBUSY */
	char text[CRED_TEXT_MAX];    /* which rule failed, or what was accepted; printable */
	enum cred_reason reason;
	char subject[CRED_TEXT_MAX]; /* of the certificate; "" for raw keys */
	char ca[CRED_TEXT_MAX];	     /* subject of the anchor; "" without one */
	enum sig_scheme scheme;
	struct sig_key_info key;
	int64_t not_after; /* the chain's earliest end, seconds since 1970; 0 without a chain */
};
typedef void (*cred_done_fn)(void *ctx, struct job_ref ref, const struct cred_verdict *v);

struct creds;
struct event_base;
/* exe: the binary to run as fetch role, "/proc/self/exe". It is started when something is to be
 * fetched for the first time. NULL and errno. */
struct creds *creds_new(struct event_base *base, struct jobs *jobs, const char *exe);
/* Behind jobs_free. Open verifications get no callback. */
void creds_free(struct creds *s);
/* Takes over a reference to the snapshot, drops the one before. Cached CRLs and OCSP answers stay.
 */
void creds_set(struct creds *s, struct cred *c);
const struct cred *creds_get(const struct creds *s); /* NULL before the first */
/*
 * Verifies a peer. Asynchronous where the jobs have threads, seconds when revocation status must be
 * fetched; one callback. 0, or -errno: -EBUSY too many at once, -EMSGSIZE, -ENOMEM: then no callback.
 */
int creds_verify(struct creds *s, const struct cred_peer *peer, cred_done_fn done, void *ctx,
		 struct job_ref ref);
/* Forgets cached CRLs, OCSP answers, and in any case what could not be had. How many. */
unsigned int creds_flush(struct creds *s, bool crls, bool ocsp);
