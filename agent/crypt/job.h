/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "crypt.h"

struct event_base;

/*
 * Slow crypto as jobs on copied data. A small pool of threads computes; the result comes back to
 * the loop's thread by callback. Cheap groups (x25519, P-256) run at once, inside the call, and
 * their callback runs before it returns. What crosses the wait is the caller's {id, generation} in
 * `ref`.
 */
enum { JOBS_MAX = 4096 };
struct jobs;
/* NULL and errno; without threads everything is computed inside the call. */
struct jobs *jobs_new(struct event_base *base, unsigned int threads);
/* Waits for the running ones, drops the rest without callback. Not from inside a callback. */
void jobs_free(struct jobs *j);
/* Jobs whose callback has not run yet. */
unsigned int jobs_pending(const struct jobs *j);

struct job_ref {
	uint32_t index, generation;
	uint64_t tag;
};

/* The callback takes `ke` (and sets it to NULL) and `shared` (secret_move); what it leaves is
 * freed. */
struct ke_result {
	int error;	      /* 0 or -errno */
	struct ke *ke;	      /* of generate; of finish only after -EINVAL, a bad value */
	struct secret shared; /* empty for generate */
	uint8_t public_value[CRYPT_KE_PUBLIC_MAX];
	size_t public_len;
};
typedef void (*ke_done_fn)(void *ctx, struct job_ref ref, struct ke_result *r);

/* Initiator: make a key pair. Responder: pair and shared secret from the peer's value in one job.
 * Initiator, second step: shared secret from a pair (taken) and the peer's value. 0 or -errno: then
 * no callback, and a pair stays the caller's. -EBUSY at JOBS_MAX, -ENOTSUP for a group that we do
 * not do. */
int job_ke_generate(struct jobs *j, uint16_t group, ke_done_fn done, void *ctx, struct job_ref ref);
int job_ke_respond(struct jobs *j, uint16_t group, struct slice peer, ke_done_fn done, void *ctx,
		   struct job_ref ref);
int job_ke_finish(struct jobs *j, struct ke *ke, struct slice peer, ke_done_fn done, void *ctx,
		  struct job_ref ref);

/*
 * Any other slow and pure piece of work: `work` runs on a thread and touches only `data`, `done` runs
 * on the loop's thread afterwards, then `drop` frees the data; jobs_free calls `drop` alone. Without
 * threads all of it runs inside the call. 0, or -EBUSY, -ENOMEM: then none is called.
 */
struct job_work {
	void (*work)(void *data);
	void (*done)(void *ctx, struct job_ref ref, void *data);
	void (*drop)(void *data);
};
int job_submit(struct jobs *j, const struct job_work *w, void *data, void *ctx, struct job_ref ref);
