/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "common/slice.h"

#include <stdbool.h>
#include <stdint.h>

struct event_base;

/*
 * Fetching by http, outside of the agent: `xdpsecd --role fetch` is the same binary executed again,
 * without files, capabilities and secrets, that talks http to where it is told and hands bytes
 * back. It parses http headers and nothing else. It is started by the first request, and ends when
 * it has had nothing to do for a while; the next one reads the resolver's configuration anew.
 */
enum {
	FETCH_URI_MAX = 512,
	FETCH_BODY_MAX = 512,	   /* of a POST */
	FETCH_BYTES_MAX = 8 << 20, /* of an answer */
	FETCH_OPEN_MAX = 32,	   /* requests at once; the next gives -EBUSY */
	FETCH_REDIRECTS_MAX = 3,
	FETCH_TIMEOUT_MS = 6000, /* for all of it */
};

/* In the child: never returns. */
int fetch_role_main(int argc, char **argv);

/* From now on roles are started with --no-sandbox. Logged loudly by the role. */
void fetch_allow_unsandboxed(void);

struct fetch;
/* Starts nothing yet. NULL and errno. */
struct fetch *fetch_new(struct event_base *base, const char *exe);
/* Ends the role. Open requests get no callback. */
void fetch_free(struct fetch *f);
/* Process id of the role, 0 while there is none. */
int fetch_pid(const struct fetch *f);

/* error 0: the body of an answer with status 200; else -errno and a text for the log. */
struct fetch_result {
	int error;
	struct slice body; /* during the callback */
	char text[96];
};
typedef void (*fetch_done_fn)(void *ctx, uint64_t id, const struct fetch_result *r);
/*
 * GET, or POST of a body with a content type. `configured`: the administrator named this URI; any
 * other, and what it is redirected to on another host or port, must not lead to this host by any of
 * its addresses, its links, or a multicast address.
 * Always asynchronous; `id` comes back. 0, -EINVAL not http://, -EBUSY, -ENOMEM, -EMSGSIZE.
 */
int fetch_get(struct fetch *f, const char *uri, bool configured, fetch_done_fn done, void *ctx,
	      uint64_t id);
int fetch_post(struct fetch *f, const char *uri, bool configured, const char *content_type,
	       struct slice body, fetch_done_fn done, void *ctx, uint64_t id);
