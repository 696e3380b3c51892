/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "pkt.h"

/*
 * Packets that a policy protects and that have no SA yet. They wait for the negotiation that they asked for; as soon as
 * policies or bundles have changed they go through the classifier once more, by the near end of the on-ramp, and either
 * meet their SA or come back with the time that they began to wait. What is held is bounded: in number, for each
 * policy, and in time.
 */
enum {
	HOLD_MAX = 512,	    /* of a worker */
	HOLD_A_POLICY = 64,
	HOLD_POLL_MS = 5,   /* how often a worker that holds something looks */
	HOLD_LOOK_MS = 1,   /* and one that does not sleep, at most */
	HOLD_RETRY_MS = 20, /* between two rounds through the classifier, when something changed */
	HOLD_AGAIN_MS = 250, /* when nothing did: an acquire that was not raised, or got lost, is raised again */
};

struct held {
	struct pkt p; /* an IP packet at data */
	uint64_t since_ms;
};

struct hold {
	struct held v[HOLD_MAX];
	unsigned int n;
	uint64_t epoch; /* of policies when the classifier last had them all */
	uint64_t tried_ns, looked_ns;
	uint32_t time_ms; /* 0: nothing is held */
	int fd;		  /* into the on-ramp; -1: there is none */
};

struct worker;

/* Opens the way back; needs CAP_NET_RAW. Without an on-ramp nothing is held. */
void hold_open(struct hold *h, uint32_t time_ms);
void hold_close(struct hold *h);
/* Takes a packet of kind XS_META_HOLD as received: kept, or dropped and counted. */
void hold_put(struct worker *w, struct pkt *p);
/* Between two bursts: lets go what may have its SA now, and what waited too long. */
void hold_poll(struct worker *w);
