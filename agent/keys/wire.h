/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "keys.h"

/*
 * What agent and keys role say to each other: unix SOCK_SEQPACKET, one struct a message, both ends
 * the same binary. Each request is answered by one reply with its type and id, in order; what the
 * role cannot read is answered by KEYS_REFUSED. The role speaks first: KEYS_HELLO when it is locked
 * in and ready, or with an error and text before it ends.
 */
enum {
	KEYS_TEXT_MAX = 1024,
	KEYS_LIST_MAX = 64, /* entries in one reply; the rest is asked for again */
	KEYS_OCTETS_MAX = IKE_MSG_MAX + IKE_NONCE_MAX + CRYPT_PRF_MAX,
};

enum keys_type { KEYS_HELLO = 1, KEYS_PSK_MAC, KEYS_LIST, KEYS_REFUSED, KEYS_SIGN, KEYS_PRIVATE };

struct keys_hdr {
	uint32_t type;
	uint32_t len; /* of the whole message */
	uint64_t id;
};

struct keys_hello {
	struct keys_hdr hdr;
	int32_t error;
	uint32_t secrets; /* how many were read */
	char text[KEYS_TEXT_MAX];
};

/* Followed by the bytes of the local identity, the remote identity, the octets, and other octets or none. */
struct keys_psk_request {
	struct keys_hdr hdr;
	uint16_t prf;
	uint8_t local_type, remote_type;
	uint16_t local_len, remote_len;
	uint32_t octets_len, more_len; /* KEYS_OCTETS_MAX together */
};

/* Followed by the octets. */
struct keys_sign_request {
	struct keys_hdr hdr;
	uint8_t key[SIG_KEY_ID_LEN];
	uint16_t scheme; /* enum sig_scheme */
	uint16_t pad;
	uint32_t octets_len;
	uint32_t pad2;
};

/* KEYS_LIST and KEYS_PRIVATE */
struct keys_list_request {
	struct keys_hdr hdr;
	uint32_t from;
	uint32_t pad;
};

struct keys_psk_reply {
	struct keys_hdr hdr;
	int32_t error;
	uint32_t mac_len, more_len; /* more: 0, or as long */
	uint32_t pad;
	uint8_t mac[CRYPT_PRF_MAX], more[CRYPT_PRF_MAX];
};

struct keys_sign_reply {
	struct keys_hdr hdr;
	int32_t error;
	uint32_t len;
	uint8_t signature[SIG_MAX];
};

struct keys_list_reply {
	struct keys_hdr hdr;
	int32_t error;
	uint32_t n; /* 0: no more */
	union {
		struct keys_entry entry[KEYS_LIST_MAX];
		struct keys_private key[KEYS_LIST_MAX];
	} u;
};

struct keys_refused {
	struct keys_hdr hdr;
	int32_t error;
	uint32_t pad;
};

enum {
	KEYS_REQUEST_MAX = sizeof(struct keys_psk_request) + 2 * IKE_ID_MAX + KEYS_OCTETS_MAX,
	KEYS_REPLY_MAX = sizeof(struct keys_list_reply),
};
_Static_assert(sizeof(struct keys_hello) <= KEYS_REPLY_MAX, "one buffer takes any reply");
