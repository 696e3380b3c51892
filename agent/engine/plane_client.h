/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "common/plane_msg.h"

#include <stdbool.h>
#include <stddef.h>

struct event_base;

/*
 * The agent's end of RUN_DIR/dataplane.sock: connects again and again, agrees on protocol and
 * layout before anything else is said, and matches answers with requests. Timers:
 *   retry    50 ms while wanted (SAs exist), doubling to 1 s
 *   patience 2 s for an answer: then all that wait fail with -ETIMEDOUT and the connection is made anew
 */
enum {
	PLANE_RETRY_MIN_MS = 50,
	PLANE_RETRY_MAX_MS = 1000,
	PLANE_PATIENCE_MS = 2000,
	PLANE_QUEUE_MAX = 4096, /* requests that wait for an answer */
};

struct plane_client;
/* An answer; `ack` is NULL when error came from this side (-ENOTCONN, -ETIMEDOUT, -ECONNRESET). */
typedef void (*plane_done_fn)(void *ctx, int error, const struct plane_ack *ack);

struct plane_client_ops {
	void (*up)(void *ctx, uint64_t instance);
	void (*down)(void *ctx);
	void (*event)(void *ctx, const struct plane_event *ev);
	bool (*urgent)(void *ctx); /* SAs exist: ask often */
};

/* Starts connecting at once. NULL and errno. */
struct plane_client *plane_client_new(struct event_base *base, const char *path,
				      const struct plane_client_ops *ops, void *ctx);
/* Drops the connection; what waits ends with -ECANCELED. */
void plane_client_free(struct plane_client *pc);
bool plane_client_up(const struct plane_client *pc);
bool plane_client_greeting(const struct plane_client *pc); /* connected, its HELLO is awaited */
unsigned int plane_client_waiting(const struct plane_client *pc); /* requests without an answer */
/*
 * Sends a request (type and length are filled in the header, the number here). `done` comes exactly once
 * after a return of 0, never before it. -ENOTCONN, -ENOBUFS (queue full), -ENOMEM. The caller wipes *msg; a copy
 * that has to wait is kept in locked memory and wiped when sent.
 */
int plane_client_request(struct plane_client *pc, union plane_msg *msg, size_t len, plane_done_fn done,
			 void *ctx);
/* Asks for PLANE_INFO, unless asked already; the newest answer, or NULL. */
void plane_client_info_ask(struct plane_client *pc);
const struct plane_info *plane_client_info(const struct plane_client *pc);
