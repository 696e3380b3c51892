/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "common/gateway_conf.h"
#include "backend.h"
#include "engine.h"
#include "local_addrs.h"
#include "plane_client.h"
#include "policies.h"
#include "slots.h"

#include <event2/event.h>

/*
 * The engine from inside: one record a slot, two halves each. A half exists in three places, and
 * they change in this order: the back end holds the SA, then the rows lead to it, then the bundle
 * word does. Taking down goes the other way round. A pair has one back end for its life.
 */
enum half_state {
	HALF_NONE,
	HALF_ADDING,   /* the back end was asked to add it */
	HALF_HELD,     /* it has it */
	HALF_DROPPING, /* it may have it and must not: removal is due, or under way when `asked` */
};

struct sa_half {
	enum half_state state;
	bool rows; /* in the maps */
	bool asked;
	struct xs_sa row;
};

struct sa_pair {
	uint32_t slot, generation;
	struct sa_half half[2]; /* by enum half_dir */
	const struct engine_backend *backend;
	enum engine_why why;	    /* it was chosen for */
	const char *need;	    /* what only the kernel does of it, or NULL */
	struct kernel_pair *kernel; /* the kernel back end's */
	bool encap;
	bool leaving;	    /* nobody's any more: goes when both halves are HALF_NONE */
	bool inherited;	    /* an earlier agent's */
	uint64_t retire_ms; /* inherited and replaced: removed then; 0 = not */
	struct policy_set *set;
	TAILQ_ENTRY(sa_pair) member; /* of set */
	bool due;		     /* on engine.due of its back end */
	TAILQ_ENTRY(sa_pair) next_due;
};

struct engine {
	struct event_base *base;
	engine_event_fn fn;
	void *ctx;
	struct xs_maps maps;
	struct policies *policies;
	struct slots *slots;
	struct plane_client *plane;
	struct kernel_engine *kernel; /* NULL: there is none, and why */
	char kernel_why[ENGINE_WHY_MAX];
	enum gw_engine standard; /* of children that do not say */
	struct xs_events *events;
	struct event *events_ready;
	struct local_addrs *local_addrs;
	struct event *sweep;	  /* once a second while anything is inherited */
	bool inherited_policies; /* there may be some; false: there are none */
	uint64_t retire_grace_ms;
	uint32_t workers;
	struct sa_pair **pair; /* by slot */
	uint32_t n_pairs, n_inherited;
	struct sa_pairs due[ENGINE_BACKENDS]; /* have a removal that could not be asked yet */
	int lock_fd;	     /* of the pin directory: one agent */
	bool open;	     /* the maps are ours */
	bool closing;	     /* answers reach nobody any more */
	struct log_budget spi_budget, leak_budget, refused_budget;
};

uint64_t engine_now_ms(void);	   /* CLOCK_MONOTONIC */
uint64_t engine_boottime_ns(void); /* what the rows count in */

/* To the agent, unless the engine is closing. */
void engine_tell(struct engine *e, const struct engine_event *ev);

/* The pair of this slot and generation, also one that is leaving, or NULL. */
struct sa_pair *pair_at(struct engine *e, struct engine_sa sa);
/* The live pair of this slot and generation, or NULL. */
struct sa_pair *pair_find(struct engine *e, struct engine_sa sa);
struct engine_sa pair_handle(const struct sa_pair *p);
/* An empty record for a slot that slots.h says is ours, of the first back end; NULL and errno. */
struct sa_pair *pair_new(struct engine *e, uint32_t slot, uint32_t generation);
/* Is it the classifier that chooses this pair, or the user's own marks and interfaces? */
bool pair_classified(const struct sa_pair *p);
/* What a bundle holds to encrypt with this pair. */
uint64_t pair_word(const struct sa_pair *p);
/* The dataplane says how large an inner packet may be: into the row that people read. */
void pair_set_mtu(struct engine *e, struct sa_pair *p, uint16_t mtu);
/* Takes the rows of one half away, then its SA; pair_go does both halves and forgets the pair in the end. */
void pair_drop_half(struct engine *e, struct sa_pair *p, enum half_dir dir);
void pair_go(struct engine *e, struct sa_pair *p);
/* Takes the pair out of its policy set; when it was the one in force another member follows, or the
 * policies rest (`trap`, or what the set rests as) or go. */
void pair_leave_set(struct engine *e, struct sa_pair *p, bool trap);
void pair_join_set(struct sa_pair *p, struct policy_set *s);
/* Another pair of the set than `not` whose outbound half is in place: the newest, or NULL. */
struct sa_pair *set_heir(const struct policy_set *s, const struct sa_pair *not);
/* Deletes a set; its members live on without policies. */
void set_go(struct engine *e, struct policy_set *s);
/* Publishes what a set encrypts with, in the back end first. 0 or -errno: as before. */
int set_encrypt(struct engine *e, struct policy_set *s, struct sa_pair *p);
/* A half vanished from its back end: no rows, and closed when it was in force. */
void pair_half_lost(struct engine *e, struct sa_pair *p, enum half_dir dir);
/* The back end holds nothing any more: halves that were held are lost. */
void pairs_lost(struct engine *e, const struct engine_backend *b);
/* The back end is there, or has room again: asks it for what it was not told to remove yet. */
void pairs_ask_due(struct engine *e, const struct engine_backend *b);

/* orphans.c: rows into records, then a timer that ends them. 0 or -errno. */
int orphans_load(struct engine *e);
int orphans_watch(struct engine *e);
/* A new pair is in force: inherited ones it replaces go after the grace. */
void orphans_replaced(struct engine *e, const struct sa_pair *by, struct sa_pair *owner_before);
/* They died with the back end that held them. */
void orphans_lost(struct engine *e, const struct engine_backend *b);
/* One of them did. */
void orphan_lost(struct engine *e, struct sa_pair *p);
void orphan_expire(struct engine *e, struct sa_pair *p);

/* inherited.c: do policies of the same child select any packet that an older set selects? Not true of the set itself. */
bool set_stands_for(const struct policy_set *s, const struct policy_set *old);
/* A set is in force: inherited ones without an SA that it stands for go. */
void inherited_replaced(struct engine *e, const struct policy_set *by);
