/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "fetch.h"

#include <stddef.h>

/*
 * What agent and fetch role say to each other: unix SOCK_SEQPACKET, one struct a message, both ends
 * the same binary. The role says FETCH_HELLO when it is locked in. A request is answered by any
 * number of FETCH_DATA and one FETCH_END.
 */
enum { FETCH_CHUNK = 16384, FETCH_TYPE_MAX = 64 };

enum fetch_type { FETCH_HELLO = 1, FETCH_DATA, FETCH_END };

struct fetch_request {
	uint64_t id;
	uint8_t configured, post;
	uint16_t body_len;
	uint32_t pad;
	char uri[FETCH_URI_MAX];
	char content_type[FETCH_TYPE_MAX];
	uint8_t body[FETCH_BODY_MAX];
};

struct fetch_reply {
	uint32_t type;
	int32_t error; /* of FETCH_END and FETCH_HELLO */
	uint64_t id;
	char text[96];
	uint32_t n; /* bytes that follow, as many as the message has */
	uint32_t pad;
	uint8_t data[FETCH_CHUNK];
};
enum { FETCH_REPLY_MIN = offsetof(struct fetch_reply, data) };
