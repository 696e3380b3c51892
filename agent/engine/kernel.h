/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "agent/engine/xfrm/probe.h"
#include "agent/engine/xfrm/xfrm.h"
#include "kernel_selectors.h"
#include "pair.h"

/*
 * The back end that hands ESP to Linux's XFRM. Two ways for packets to find their SA:
 *
 *   device    ctl.xfrm_dev is there: tc_out names the pair by its if_id (XS_XFRM_IF_ID of the slot), so our maps
 *             alone choose. One OUT policy a pair and inner family, installed with the outbound half, selects everything
 *             of that if_id; IN and FWD policies have the negotiated selectors. Nothing is shared by pairs.
 *   ordinary  without that interface, or when the user's marks or interface ids choose: IN, FWD and OUT policies with the
 *             negotiated selectors. Pairs that replace each other share them: each holds a claim, the newest is what
 *             the kernel has. OUT claims are made when a pair is put into force.
 *
 * What is ours in the kernel: the reqid or if_id is in CONF_CHOSEN_FIRST..LAST, or a row of ours names the state.
 */
enum { KERNEL_WHY_MAX = ENGINE_WHY_MAX };

TAILQ_HEAD(kernel_claims, kernel_claim);

/* What all pairs of one conn, child and selectors have in common, over rekeys. */
struct kernel_group {
	struct policy_set_key key;
	UT_hash_handle hh, by_reqid;
	char conn[CONF_NAME_MAX], child[CONF_NAME_MAX];
	unsigned int pairs;
	bool listed; /* found by its key and reqid */
	uint32_t reqid;
	struct kernel_selectors out, in; /* as packets of that direction have them; none with policies = no */
	struct xf_mark mark_in, mark_out;
	uint32_t if_id_in, if_id_out; /* the user's; 0 = none */
};

/* A pair's part in the kernel. */
struct kernel_pair {
	struct kernel_group *group; /* NULL: an earlier agent's */
	struct kernel_claims claims[2]; /* by half; ordinary policies */
	bool device;
	bool own_routes; /* the user's marks or interface ids choose: no rows in the selector maps */
	struct xf_mark mark[2];
	uint32_t if_id[2];
	struct xf_offload offload;
	bool mark_in_sa;
	bool told_lost;
	uint64_t hard_bytes, hard_packets;
	int ifindex; /* policies hold for this interface alone; 0 = for all */
	bool fwd_out;
	bool around; /* what it opens goes round once more: transport mode, also that below IPComp */
	uint16_t cpi[2]; /* IPComp between what it protects and ESP or AH, by half; 0 = none */
	struct {
		struct endpoint src, dst; /* where the kernel has it */
		uint64_t packets, looked_ns, last_ns;
		bool policies; /* of device mode, asked for */
	} at[2];
};

/* An ordinary policy in the kernel that is ours, and who wants it so; the first is what the kernel has. */
struct kernel_policy {
	struct xfrm_policy_id id; /* key: all bytes count */
	UT_hash_handle hh;
	struct kernel_claims claims;
	bool foreign; /* somebody else had one of this name: it is not touched */
};

struct kernel_claim {
	struct kernel_policy *policy;
	struct sa_pair *p;	  /* NULL: a trap's */
	struct kernel_trap *trap;
	enum half_dir half;
	uint32_t priority;
	bool bare; /* without templates: policies_fwd_out */
	uint64_t tag; /* of the request that asked for it */
	TAILQ_ENTRY(kernel_claim) of_policy, of_pair;
};

/*
 * Closed while there is no SA, where the classifier has no rows (kernel_own_routes): OUT policies whose SA nobody has.
 * They lie below those of pairs, and a packet that meets them raises an acquire.
 */
struct kernel_trap {
	char conn[CONF_NAME_MAX], child[CONF_NAME_MAX];
	bool held; /* nobody configured it: until the next SA is in force */
	uint32_t reqid;
	uint8_t proto;
	struct kernel_claims claims;
	TAILQ_ENTRY(kernel_trap) next;
};
TAILQ_HEAD(kernel_traps, kernel_trap);

struct kernel_answer;
TAILQ_HEAD(kernel_answers, kernel_answer);

struct kernel_engine {
	struct engine *e;
	struct xfrm_client *client;
	struct xfrm_probe probe;
	struct kernel_group *groups, *by_reqid;
	struct kernel_policy *policies;
	struct kernel_traps traps;
	uint32_t next_reqid, next_unique;
	unsigned int waiting;	       /* answers that are due */
	bool flushing;		       /* answers come from under a call: kept until the loop's next turn */
	struct kernel_answers under_way, answers; /* due; those kept */
	struct event *deliver;
	struct event *resync;
	bool check_states, check_policies;
	struct log_budget budget;
};

/* ---- kernel_backend.c ---- */
/* Sends what is queued; what is answered to back end and engine comes from the loop's next turn. */
void kernel_flush(struct kernel_engine *k);
void kernel_endpoints(const struct xs_sa *row, struct endpoint *src, struct endpoint *dst);
struct kernel_pair *kernel_pair_new(struct sa_pair *p); /* NULL: no memory */
/* Our memory of a pair; the kernel is not asked. */
void kernel_pair_free(struct kernel_engine *k, struct sa_pair *p);
int kernel_backend_events(struct kernel_engine *k);
void kernel_answers_free(struct kernel_engine *k);
/* A wait for requests whose failure is expected: what is to be deleted may be gone. */
extern const struct xfrm_wait kernel_nobody;
struct xfrm_sa_id kernel_sa_id(const struct sa_pair *p, enum half_dir dir);

/* ---- kernel_ipcomp.c ---- */
/* From the SA of a half, whose mode becomes transport: the compression goes around what it protects. */
void kernel_ipcomp_spec(const struct sa_pair *p, enum half_dir dir, struct xfrm_sa_spec *esp, struct xfrm_sa_spec *comp);
/* The template of a half, which becomes the outer of two. */
void kernel_ipcomp_tmpl(const struct sa_pair *p, enum half_dir dir, struct xfrm_policy_spec *s);
struct xfrm_sa_id kernel_ipcomp_id(const struct sa_pair *p, enum half_dir dir);
void kernel_ipcomp_del(struct kernel_engine *k, const struct sa_pair *p, enum half_dir dir);
/* Is this state of an earlier agent the compression of this half? Then it is from here on. */
bool kernel_ipcomp_adopt(struct sa_pair *p, enum half_dir dir, const struct xfrm_sa_info *sa);

/* ---- kernel_groups.c ---- */
/* The group of a child's selectors, with one pair more. NULL, errno and words in `why`. */
struct kernel_group *kernel_group_take(struct kernel_engine *k, const struct engine_child *c, char why[KERNEL_WHY_MAX]);
void kernel_group_drop(struct kernel_engine *k, struct kernel_group *g);
/* One of our choice that nobody has. */
uint32_t kernel_reqid_new(struct kernel_engine *k);
/* Is it of our range, or a live group's? */
bool kernel_reqid_ours(const struct kernel_engine *k, uint32_t reqid);

/* ---- kernel_policies.c ---- */
/* Policies of a half on its way in. Each that is asked for, *n, is answered to `w`, with a tag that counts up from
 * w.tag. 0, or -errno and words in `why`: then some may have been asked for. */
int kernel_policies_add(struct kernel_engine *k, struct sa_pair *p, enum half_dir half, struct xfrm_wait w,
			unsigned int *n, char *why);
void kernel_policies_del(struct kernel_engine *k, struct sa_pair *p, enum half_dir half);
/* Ordinary OUT policies: this pair's, from now on. 0 or -errno. */
int kernel_policies_switch(struct kernel_engine *k, struct sa_pair *p);
/* Not this pair's any more; the inbound ones stay. */
void kernel_policies_withdraw(struct kernel_engine *k, struct sa_pair *p);
/* The request of this tag found somebody else's policy. */
void kernel_policy_foreign(struct sa_pair *p, enum half_dir half, uint64_t tag);
/* A policy that an earlier agent left, found at the start, for its pair. -ENOMEM. */
int kernel_policy_adopt(struct kernel_engine *k, struct sa_pair *p, enum half_dir half,
			const struct xfrm_policy_spec *spec);
/* Puts into the kernel what it should have of this pair. */
void kernel_policies_restore(struct kernel_engine *k, struct sa_pair *p);
/* Whose policy this is, or NULL. */
struct sa_pair *kernel_policy_pair(struct kernel_engine *k, const struct xfrm_policy_id *id);
/* Forgets what a pair claims; the kernel is not asked. */
void kernel_claims_free(struct kernel_engine *k, struct sa_pair *p);
/* The pair that an interface id of ours names, or NULL. */
struct sa_pair *kernel_device_pair(struct kernel_engine *k, uint32_t if_id);
/* All bytes of *id are set: it may be a key. */
void kernel_policy_id(const struct xfrm_policy_spec *s, struct xfrm_policy_id *id);
/* The policies of a half in device mode, until fn returns non-zero, which is returned. */
typedef int (*kernel_spec_fn)(void *ctx, const struct xfrm_policy_spec *s);
int kernel_policies_each(const struct sa_pair *p, enum half_dir half, kernel_spec_fn fn, void *ctx);

/* A trap's claim on a policy of this id, below all others; -ENOMEM. And the end of any claim. */
int kernel_trap_claim(struct kernel_engine *k, struct kernel_trap *t, const struct xfrm_policy_spec *s);
void kernel_claim_drop(struct kernel_engine *k, struct kernel_claim *c);
void kernel_claim_forget(struct kernel_engine *k, struct kernel_claim *c);
void kernel_trap_restore(struct kernel_engine *k, struct kernel_trap *t);
/* The trap that this policy belongs to now, or NULL. */
const struct kernel_trap *kernel_policy_trap(struct kernel_engine *k, const struct xfrm_policy_spec *s);

/* ---- kernel_traps.c ---- */
void kernel_traps_free(struct kernel_engine *k);
/* The end of a pair whose selectors are to stay closed; it is there still. */
void kernel_trap_hold(struct kernel_engine *k, const struct sa_pair *p);
/* A pair of that child is in force. */
void kernel_trap_release(struct kernel_engine *k, const char *conn, const char *child);

/* ---- kernel_stat.c, kernel_move.c ---- */
void kernel_stat(struct engine *e, struct sa_pair *p, struct engine_stat *out);
int kernel_move(struct engine *e, struct sa_pair *p, enum half_dir dir);

/* ---- kernel_events.c ---- */
void kernel_event(void *ctx, const struct xfrm_event *ev);
int kernel_events_open(struct kernel_engine *k);

/* ---- kernel_start.c ---- */
/* What an earlier agent left in the kernel: adopts what belongs to inherited pairs, removes the rest of ours; pairs whose
 * SAs are gone are lost. 0 or -errno. */
int kernel_adopt(struct kernel_engine *k);
