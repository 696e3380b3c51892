/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "child.h"

#include <event2/event.h>

#include <sys/queue.h>

/* The inside of the agent's half: keys.c keeps the process, keys_ask.c asks it, keys_list.c lists. */

/* One question, from its asking until its callback has run. */
struct pending {
	TAILQ_ENTRY(pending) next;
	uint64_t id;
	uint64_t asked_ms, sent_ms;
	uint32_t type; /* KEYS_PSK_MAC or KEYS_SIGN */
	bool more;     /* MACs: two of them */
	keys_mac_fn mac_done;
	keys_sign_fn sign_done;
	void *ctx;
	struct job_ref ref;
	union {
		struct keys_mac mac;
		struct keys_signature sign;
	} result;
	size_t len;
	uint8_t message[];
};
TAILQ_HEAD(pending_list, pending);

/* One process, from its start to its end. */
struct role {
	TAILQ_ENTRY(role) next; /* in keys.retired */
	struct keys *keys;
	struct keys_child child;
	struct event *readable, *writable;
	struct pending_list sent; /* in the order in which answers come */
	unsigned int signing;	  /* of these, signatures */
	bool ready;
	uint64_t started_ms;
	struct keys_private *private_key; /* of one just started, until it takes over */
	unsigned int n_private;
};

enum { KEYS_ENDED_MAX = 16 };

struct keys {
	struct event_base *base;
	char *exe, *conf;
	struct role *role;	    /* what requests go to; NULL while it is being started again */
	TAILQ_HEAD(, role) retired; /* after a reload: they answer what they were asked, then end */
	struct pending_list waiting; /* not sent yet: MACs, */
	struct pending_list signs;   /* and signatures, which take a thousand times as long */
	struct pending_list done;    /* to be called back from the loop */
	unsigned int n_pending;
	uint64_t next_id;
	struct keys_private *private_key; /* of the last configuration, for keys_private_at */
	unsigned int n_private;
	struct event *deliver, *restart, *tick;
	unsigned int restart_ms;
	pid_t ended[KEYS_ENDED_MAX];
	unsigned int n_ended;
	_Alignas(8) uint8_t buf[KEYS_REPLY_MAX];
};

uint64_t keys_now_ms(void);
void keys_tick_arm(struct keys *k);
/* Out of its list into the one to be called back; error 0: the result is filled in. */
void keys_finish(struct keys *k, struct pending_list *from, struct pending *p, int error);
void keys_fail_all(struct keys *k, struct pending_list *from);
/* Requests without callback are freed. */
void keys_drop(struct pending_list *l);
/* Hands over what waits, as much as the socket takes and as many signatures as may be under way. */
void keys_pump(struct keys *k);
void keys_on_deliver(evutil_socket_t fd, short what, void *arg);
/* A message of n bytes in the buffer, from a role that is ready. */
void keys_answered(struct role *r, size_t n);
/* The same from one that may not be. False: it is gone. */
bool keys_role_message(struct role *r, size_t n);
/* Asks a role for its private keys: the list, freed by the caller, or NULL and *error. */
struct keys_private *keys_fetch_private(struct keys *k, struct role *r, unsigned int *n, int *error);
