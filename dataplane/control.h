/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "worker.h"

#include "common/plane_msg.h"

/*
 * The server end of the private socket between agent and dataplane (common/plane_msg.h): one agent at a time,
 * root or our own user. Security associations outlive the connection.
 */
struct control;

struct control_init {
	const char *run_dir; /* the socket is dataplane.sock in it, mode 0600 */
	struct xs_maps *maps;
	struct worker_shared *shared;
};

/* -EADDRINUSE when another dataplane serves this socket. NULL and errno, one line in err. */
struct control *control_open(const struct control_init *init, char *err, size_t errlen);
void control_close(struct control *c); /* removes the socket */
/* Before the first control_run: what SAs are built with, and what PLANE_INFO says of it. */
void control_crypto(struct control *c, const struct crypto_backend *backend, const char *text);
int control_fd(const struct control *c); /* readable: call control_run */
void control_run(struct control *c);
/* An event of a worker: to the agent, or kept until one is there when it matters. */
void control_event(struct control *c, const struct plane_event *event);
/* All workers learn a next hop. */
void control_next_hop(struct control *c, const struct next_hop *nh);
