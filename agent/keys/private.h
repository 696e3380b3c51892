/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "keys.h"
#include "store.h"

/* Private keys of the folders beside swanctl.conf, in the keys role alone. */
struct private_key {
	TAILQ_ENTRY(private_key) next;
	struct sig_key *key;
	char file[sizeof(((struct keys_private *)0)->file)];
};
TAILQ_HEAD(private_list, private_key);

enum { PRIVATE_FILE_MAX = 65536, PRIVATE_KEYS_MAX = 1024 };

/*
 * Every file in private, rsa, ecdsa and pkcs8 beside `conf_path` must be a private key that opens, with the
 * passphrase that the store has for it or without; every passphrase must have its file. -EINVAL and in err the
 * file and what to do about it; no secret is in that text. A folder that is not there is empty.
 */
int private_load(struct private_list *list, const struct store *s, const char *conf_path, char *err,
		 size_t errlen);
const struct private_key *private_find(const struct private_list *list,
				       const uint8_t id[SIG_KEY_ID_LEN]);
void private_free(struct private_list *list);
