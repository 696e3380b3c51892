/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "agent/conf/conf.h"
#include "maps/maps.h"
#include "selectors.h"

#include <sys/queue.h>
#include <uthash.h>

/*
 * Sets of policies: the rows that one Child SA (or one configured trap) has in the maps, the
 * bundle they encrypt with, and who owns them now. A rekey finds the set of the pair before it and
 * changes nothing but the bundle word.
 */
struct sa_pair;
TAILQ_HEAD(sa_pairs, sa_pair);

/* What makes two sets the same: names as the maps hold them, and all selectors. */
struct policy_set_key {
	char conn[XS_NAME_LEN], child[XS_NAME_LEN];
	uint64_t digest;
	uint64_t n;
};

struct policy_set {
	struct policy_set_key key;
	UT_hash_handle hh;
	TAILQ_ENTRY(policy_set) lacking; /* on policies.lacking while n_lacking */
	char conn[CONF_NAME_MAX], child[CONF_NAME_MAX];
	struct policy_rows rows;
	uint32_t *id;	    /* [rows.n]; 0: a newer set has this very row */
	uint32_t n_lacking;
	uint32_t bundle;    /* 0: none yet */
	enum xs_action action;
	enum xs_action rest; /* what it is without an SA: XS_TRAP, a shunt, or 0 = it goes */
	bool held;	     /* rest is a trap that nobody configured: only until the next SA is in force */
	bool inherited;	    /* left by an earlier agent, not claimed by this one yet */
	bool lost;	    /* its SA, an earlier agent's, is gone: wants to be connected again */
	struct sa_pair *owner;	/* the pair it encrypts with */
	struct sa_pairs members; /* all pairs that have these selectors, newest first */
};

/* Of these names and selectors, the same for each pair that replaces another. */
struct policy_set_key policy_key(const struct policy_names *names, const struct policy_rows *rows);

struct policies;
/* Opens the index and reads what an earlier agent left, as inherited sets. NULL and errno. */
struct policies *policies_open(struct xs_maps *m);
void policies_close(struct policies *p);
struct policy_set *policies_find(struct policies *p, const struct policy_names *names,
				 const struct policy_rows *rows);
/* The set that holds a policy id, or NULL. */
struct policy_set *policies_by_id(struct policies *p, uint32_t id);
/* The set whose rows use a bundle, or NULL: how inherited SAs find their policies. */
struct policy_set *policies_by_bundle(struct policies *p, uint32_t bundle);
/* Adds rows (taken in any case) with their action; XS_PROTECT gets a bundle that says `word`. NULL and
 * errno: nothing was added. Rows that another set holds with the same priority come over to this one. */
struct policy_set *policies_add(struct policies *p, const struct policy_names *names,
				struct policy_rows *rows, enum xs_action action, uint64_t word);
/* Publishes what the set encrypts with: one store when it protects already. 0 or -errno: as before. */
int policy_set_protect(struct policies *p, struct policy_set *s, uint64_t word);
/* Without an SA: withdraws the word, then the rows become `action`. What fails stays closed. */
void policy_set_rest(struct policies *p, struct policy_set *s, enum xs_action action);
/* Deletes the rows and the set; rows it took from another set go back there. */
void policy_set_del(struct policies *p, struct policy_set *s);
/* Voids what flows remember of decisions; policies stay. */
void policies_refresh(struct policies *p);
/* Calls fn for each set; fn may delete the set it is given. */
void policies_each(struct policies *p, void (*fn)(void *ctx, struct policy_set *s), void *ctx);
