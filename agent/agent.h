/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "agent/crypt/job.h"
#include "agent/engine/engine.h"
#include "agent/keys/keys.h"
#include "agent/net/net.h"
#include "agent/sa/sa.h"
#include "common/gateway_conf.h"

/*
 * The protocol core and the parts it works with. main.c opens the parts and hands them over; the core
 * keeps its own state (tables, counters, cookie secret) in `core`, which only agent/sa and agent/exch see.
 */
struct agent_core;
struct creds;
struct agent_parts;

struct agent {
	struct event_base *base;
	struct gateway_conf gw;
	struct net *net;
	struct jobs *jobs;
	struct keys *keys;
	struct creds *creds; /* certificates; outlives the core */
	struct engine *engine; /* NULL: no maps; IKE works, Child SAs are refused */
	const struct agent_parts *parts; /* NULL: the real ones, agent/exch/parts.h */
	struct agent_core *core;
};

/* agent/exch: the core. 0 or -errno. The parts are set before; conf comes by sa_configure. */
int agent_core_open(struct agent *a);
/* Sends Deletes for all IKE SAs when `polite`, frees everything. SAs in the engine are removed only when polite. */
void agent_core_close(struct agent *a, bool polite);
/* The callbacks that main.c gives to net_open and engine_open, ctx = struct agent. */
void agent_recv(void *ctx, const struct endpoint *from, const struct endpoint *to, struct slice datagram);
void agent_engine_event(void *ctx, const struct engine_event *ev);
