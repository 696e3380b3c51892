/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "agent/crypt/crypt.h"
#include "agent/crypt/job.h"
#include "agent/crypt/sig.h"
#include "agent/wire/msg.h"

struct event_base;

/*
 * The keys role: the same binary re-executed (argv "--role keys"), holding every long-term secret.
 * It reads the secrets section of swanctl.conf and the private keys beside it itself at start, then gives up
 * files, network and privileges (seccomp; it refuses to run when it cannot lock itself in). It answers over an
 * inherited socketpair and parses nothing that came from the network: identities arrive as type and
 * bytes to be compared, octets as bytes to be MACed.
 */

/* In the child: never returns. fd is the inherited socket. */
int keys_role_main(int argc, char **argv);

/* In the agent. */
struct keys;
/* From now on roles are started with --no-sandbox: where seccomp or capabilities cannot be had.
 * Logged loudly. */
void keys_allow_unsandboxed(void);
/* Starts the role with this swanctl.conf; a file that does not exist has no secrets. Waits (at most
 * 5 s) for its first answer: EINVAL and the role's own message (file, line, key) in err when a
 * secret is wrong. NULL and errno. A role that dies later is started again, with growing waits;
 * what it was being asked fails with -EIO. */
struct keys *keys_start(struct event_base *base, const char *exe, const char *swanctl_conf,
			char *err, size_t errlen);
/* A new role process with the new file; the old one serves until the new one is ready, and answers
 * what it was asked. 0, or -errno and text in err: then all stays as it was. Blocks at most 5 s. */
int keys_reload(struct keys *k, const char *swanctl_conf, char *err, size_t errlen);
/* Ends the role. Requests that are open get no callback. */
void keys_stop(struct keys *k);
/* Process id of the role, 0 while there is none. */
int keys_pid(const struct keys *k);

struct keys_mac {
	int error; /* 0, -ENOENT no secret for these ids, -ENOTSUP the PRF, -EIO no role answers */
	uint8_t mac[CRYPT_PRF_MAX];
	uint8_t more[CRYPT_PRF_MAX];
	size_t len, more_len; /* more: 0 when no other octets were given */
};
typedef void (*keys_mac_fn)(void *ctx, struct job_ref ref, const struct keys_mac *r);
/*
 * AUTH data of method PSK over octets (first message | other nonce | MACed ID). The secret is the
 * best match for {local, remote}, see store_find: one that lists both ids, then one that lists the
 * remote's, then one that lists the local one alone, then one without ids. `more`: other octets to be MACed
 * with the same secret in the same round trip, or none. Always asynchronous; 0, or -EMSGSIZE, -EBUSY, -ENOMEM: then
 * no callback.
 */
int keys_psk_mac(struct keys *k, const struct ike_id *local, const struct ike_id *remote,
		 uint16_t prf_id, struct slice octets, struct slice more, keys_mac_fn done, void *ctx,
		 struct job_ref ref);
/* A signature over octets by one of our private keys. */
struct keys_signature {
	int error; /* 0, -ENOENT no such key, -ENOTSUP it cannot sign so, -EIO no role answers */
	uint8_t signature[SIG_MAX];
	size_t len;
};
typedef void (*keys_sign_fn)(void *ctx, struct job_ref ref, const struct keys_signature *r);
/* As keys_psk_mac; MACs that are asked for meanwhile go first, at most two signatures are before them. */
int keys_sign(struct keys *k, const uint8_t id[SIG_KEY_ID_LEN], enum sig_scheme scheme,
	      struct slice octets, keys_sign_fn done, void *ctx, struct job_ref ref);

/* A private key that the role has: from start or the last reload on, without asking it. */
struct keys_private {
	uint8_t id[SIG_KEY_ID_LEN]; /* sig_key_info.id */
	uint8_t type;		    /* enum sig_key_type */
	uint16_t bits;
	char file[128]; /* below the folder of swanctl.conf: "private/gw.pem" */
};
/* The i-th; false behind the last. */
bool keys_private_at(const struct keys *k, unsigned int i, struct keys_private *out);
bool keys_has_private(const struct keys *k, const uint8_t id[SIG_KEY_ID_LEN]);

/* Names, types and ids of the secrets, no secret bytes: for listings. Synchronous, at
 * most 1 s: how many, or -errno. */
struct keys_entry {
	char kind[16]; /* "ike", "private", "rsa" ... */
	char name[64];
	char ids[256]; /* of a passphrase: its file */
};
int keys_list(struct keys *k, struct keys_entry *out, unsigned int max);
