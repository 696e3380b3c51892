/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "common/index.h"
#include "agent/wire/msg.h"
#include "common/secret.h"
#include "common/settings.h"

#include <sys/queue.h>

/* The long-term secrets of one swanctl.conf, in the keys role alone. */
enum { STORE_SECRET_MAX = 4096, STORE_IDS_MAX = 64 };

struct store_secret;
struct store_id {
	struct index_node listed;
	struct store_secret *of;
	bool any;	  /* %any */
	struct ike_id id; /* data is owned */
	char *text;	  /* as configured */
};

struct store_secret {
	TAILQ_ENTRY(store_secret) next, next_loose;
	struct index_node only; /* when all ids are one */
	unsigned int place;	/* in the file */
	char *kind, *name;
	struct store_id *id;
	unsigned int n_ids;
	struct secret value;
};

/* Opens a private key: sections private, rsa, ecdsa, pkcs8. */
struct store_passphrase {
	TAILQ_ENTRY(store_passphrase) next;
	const char *kind; /* also the folder of the file */
	char *name, *file;
	struct secret text; /* ends with a zero byte */
};

struct store {
	TAILQ_HEAD(, store_secret) secrets;
	TAILQ_HEAD(, store_secret) loose; /* those without ids or with %any: tried always */
	struct index listed;		  /* struct store_id by identity */
	struct index only;		  /* struct store_secret by its one identity */
	TAILQ_HEAD(, store_passphrase) passphrases;
	unsigned int n; /* of secrets */
};

void store_init(struct store *s);
void store_free(struct store *s);
/* The passphrases alone: they have served when the keys are open. */
void store_forget_passphrases(struct store *s);
/* The section `secrets` of a file. A file that does not exist has none. -EINVAL and *err at the
 * first mistake; no secret is in its text. What was read is wiped from everywhere but the store. */
int store_load(struct store *s, const char *path, struct settings_error *err);
int store_read(struct store *s, const struct settings *root, struct settings_error *err);
/*
 * The ike secret that fits best, NULL when none does. As swanctl.conf(5) has it: ids say who shares
 * the secret. First one that lists both, then one that lists the remote identity, then one that
 * lists nobody but the local identity or %any beside it, then one without ids or with %any alone. A
 * secret that names the local identity and others, but not this remote one, is never used for it.
 * Among equals the one with fewer ids wins, then the first in the file.
 */
const struct store_secret *store_find(const struct store *s, const struct ike_id *local,
				      const struct ike_id *remote);
/* "0x" hex, "0s" base64, else the characters themselves; -EINVAL, -EMSGSIZE above STORE_SECRET_MAX
 * bytes. */
int store_decode(const char *text, struct secret *out);
