/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "agent/agent.h"
#include "agent/exch/cookie.h"
#include "agent/exch/parts.h"
#include "sa.h"

/* The inside of the protocol core: for agent/sa and agent/exch only. */

struct setup;

struct ike_slot {
	struct ike_sa *ike;
	uint32_t generation, next_free;
};

/* The IKE SAs of one connection, by its name: the connection itself may be another after a reload. */
struct conn_sas {
	char name[CONF_NAME_MAX];
	TAILQ_HEAD(, ike_sa) list;     /* oldest first */
	TAILQ_HEAD(, ike_sa) attempts; /* of them: ours, neither established nor dead */
	UT_hash_handle hh;
};

/* Lines about one peer, however often it comes back: so many at once, then one an interval; more for levels that are
 * off by default. Peers that share a place share its lines. */
enum {
	LOG_PEERS = 1024,
	LOG_PEER_BURST = 300,
	LOG_PEER_MS = 100,
	LOG_DETAIL_BURST = 2000,
	LOG_DETAIL_MS = 10,
};

enum {
	SOURCE_GRACE_MS = 1000, /* a half-open IKE SA does not count against its source before */
	SOURCE_BURST = 200,	/* ... but so many at once, times the threshold, are enough */
};

/* One half-open IKE SA of a source. */
struct source_entry {
	TAILQ_ENTRY(source_entry) next;
	struct source *source; /* NULL: not counted */
	uint64_t since_ms;
	bool slow;
};

/* Half-open IKE SAs of one source: an IPv4 address, or the /64 of an IPv6 address. */
struct source {
	uint8_t key[16];
	uint32_t half_open, slow;
	TAILQ_HEAD(, source_entry) waiting; /* oldest first */
	struct source_entry *young;	    /* the first that is not known as slow */
	UT_hash_handle hh;
};

/* A command (or nobody) that waits for one or several tasks: called once, when the last has ended. */
struct batch {
	TAILQ_ENTRY(batch) next; /* when over: in core->over */
	outcome_fn done;
	void *ctx;
	unsigned int open, ok, failed;
	struct outcome first_bad, last_ok;
	char what[64]; /* "terminated", for the count; "" = the text of the last */
};
TAILQ_HEAD(batch_list, batch);

struct waiter {
	STAILQ_ENTRY(waiter) next;
	struct batch *batch;
};
STAILQ_HEAD(waiter_list, waiter);

/* An engine pair whose Child SA is gone, kept for late packets. */
struct fading {
	TAILQ_ENTRY(fading) next;
	struct timer timer;
	struct agent *agent;
	struct engine_sa sa;
};
TAILQ_HEAD(fading_list, fading);

/* The packet that wants a Child SA, as selectors. */
struct trigger {
	bool given;
	struct ts local, remote;
};

/* A child to be initiated from a fresh stack: start actions, restarts, traps. */
struct intent {
	TAILQ_ENTRY(intent) next;
	uint64_t due_ms;
	bool when_ready; /* waits for the engine */
	struct trigger trigger;
	char conn[CONF_NAME_MAX], child[CONF_NAME_MAX];
};
TAILQ_HEAD(intent_list, intent);

struct observer {
	sa_observer_fn fn;
	void *ctx;
};

/* Who spoke another version of IKE lately, so that it is said once. */
enum { VERSION_PEERS_MAX = 64 };
struct version_peers {
	struct ip_addr ip[VERSION_PEERS_MAX];
	unsigned int n, at;
};

/* CPIs of ours: one word beside each IPComp SA, told apart by our address alone, whoever the peer is. */
enum { CPIS = IPCOMP_CPI_MAX - IPCOMP_CPI_MIN + 1 };
struct cpis {
	uint8_t used[(CPIS + 7) / 8];
	uint32_t next; /* where to look; those just left rest while the others go round */
	bool begun;
};

struct agent_core {
	struct agent *agent;
	const struct agent_parts *parts;
	struct conf *conf;
	bool configured; /* sa_configure was called: the orphans are dealt with */
	struct timers timers;
	struct timer plane_timer; /* the dataplane is away: what may goes to the kernel */
	struct timer later; /* outcomes, intents and what is to be freed, from a fresh stack */

	struct ike_list all, dead;
	struct ike_slot *slots;
	uint32_t n_slots, free_slot;
	uint32_t n_ike; /* in `all` */
	struct index by_spi, by_number, by_peers; /* struct ike_sa */
	struct index by_id, by_slot, by_selectors; /* struct child_sa */
	struct conn_sas *by_conn;
	struct setup *by_init;
	struct source *sources;
	unsigned int half_open;
	uint32_t next_ike_id, next_child_id, next_reqid;
	uint64_t next_nego;
	struct cpis cpis;

	struct child_list freed_children;
	struct fading_list fading;
	struct intent_list intents;
	struct acquire *acquires; /* by names */
	bool held_traps;	  /* policies may be closed that no configuration has a trap for */
	struct batch_list over;
	struct observer observer[4];
	unsigned int n_observers;

	struct cookie_jar jar;
	uint64_t counter[IKE_COUNTERS_N];
	uint64_t answer_ms;
	uint32_t answer_tokens;
	struct log_budget log_init, log_bad, log_auth, log_engine;
	struct log_budget log_peer[LOG_PEERS], log_detail[LOG_PEERS]; /* by hash of who is at the other end */
	struct version_peers version_peers;
	uint8_t chain[32768]; /* payloads being written */
	uint8_t out[IKE_MSG_MAX + 1];
	uint8_t plain[IKE_MSG_MAX + 1]; /* payloads just decrypted */
};

#define core_count(a, name) ((a)->core->counter[IKE_C_##name]++)
#define TABLE_ADD(hh, head, field, elm) HASH_ADD(hh, head, field, sizeof((elm)->field), elm)
/* Did TABLE_ADD find memory? */
#define TABLE_HAS(hh, head, elm) ((head) && (elm)->hh.tbl)

#define ike_log(ike, level, ...) ike_log_group(ike, LOG_IKE, level, __VA_ARGS__)

/* ---- table.c -------------------------------------------------------------------------------- */
/* A new IKE SA in state CREATED with a fresh SPI of ours (or spi when not 0). NULL: no memory. */
struct ike_sa *ike_new(struct agent *a, bool initiator, uint64_t spi);
/* A random SPI that no IKE SA of ours has; 0 when there is no randomness. */
uint64_t ike_spi_new(struct agent *a);
struct ike_sa *ike_find_ref(const struct agent *a, struct sa_ref ref);
struct ike_sa *ike_find_spi(const struct agent *a, uint64_t own_spi);
/* Whose connection it is, by a reference of its own; NULL: nobody's. 0, or -ENOMEM: as before. */
int ike_set_conn(struct ike_sa *ike, struct conn_conf *conn);
/* The IKE SAs of a connection of this name; NULL: none. */
struct conn_sas *conn_sas_find(const struct agent *a, const char *conn);
/* Established or dead. */
void ike_attempt_over(struct ike_sa *ike);
bool id_same(const struct conf_id *a, const struct conf_id *b);
/* Spreads an identity; equal ones have one value. */
uint32_t id_hash(uint32_t h, const struct conf_id *id);
/* Authenticated: found by its identities from now on, until it is dead. */
void ike_index_peers(struct ike_sa *ike);
/* Authenticated IKE SAs of the same two identities with the role `initiator` of ours, newest first; prev NULL at first. */
struct ike_sa *ike_next_same_peers(const struct ike_sa *ike, bool initiator, const struct ike_sa *prev);
/* A new value of a kept member; 0 or -ENOMEM: then the old one stays. */
int ike_set_proposal(struct ike_sa *ike, const struct proposal *chosen);
int ike_set_local_id(struct ike_sa *ike, const struct conf_id *id);
int ike_set_remote_id(struct ike_sa *ike, const struct conf_id *id);
/* Ends the handle: no reference finds it any more. */
void ike_ref_end(struct ike_sa *ike);
/* Out of all tables and freed. Only for one that is DEAD. */
void ike_free(struct ike_sa *ike);

/* ---- source.c ------------------------------------------------------------------------------- */
/* Counts a half-open IKE SA from now on; 0 or -ENOMEM. */
int source_add(struct agent *a, struct source_entry *e, const struct ip_addr *ip);
/* Harmless when it does not count. */
void source_drop(struct agent *a, struct source_entry *e);
/*
 * Has it too many half-open ones? Those that finish within the grace do not count, so that many peers behind one
 * NAT may come at once. A threshold of 0 blocks nobody.
 */
bool source_blocked(struct agent *a, const struct ip_addr *ip, uint32_t threshold);

/* ---- ike_sa.c ------------------------------------------------------------------------------- */
bool ike_state_legal(enum ike_state from, enum ike_state to);
/* The one place that moves the state of an IKE SA; an illegal arrow is refused, logged and counted nowhere: -EPERM. */
int ike_state_set(struct ike_sa *ike, enum ike_state to);
void ike_log_group(const struct ike_sa *ike, enum log_group group, int level, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
static inline const char *ike_conn_name(const struct ike_sa *ike)
{
	return ike->conn ? ike->conn->name : "unnamed";
}
/* Established and not on its way out: new Child SAs may be asked for here. */
static inline bool ike_usable(const struct ike_sa *ike)
{
	return ike->state == IKE_ESTABLISHED || ike->state == IKE_REKEYING;
}

/* ---- child_sa.c ----------------------------------------------------------------------------- */
bool child_state_legal(enum child_state from, enum child_state to);
int child_state_set(struct child_sa *c, enum child_state to);
/* A new Child SA in state CREATED of this IKE SA, owner of the engine's slot; conf lies in conn. Keeps copies of
 * proposal and selectors. NULL: no memory. */
struct child_sa *child_new(struct ike_sa *ike, struct conn_conf *conn, const struct child_conf *conf,
			   struct engine_sa sa, const struct proposal *chosen,
			   const struct ts_list *ts_local, const struct ts_list *ts_remote);
/* Drops what it refers to, and frees it. Out of all tables already. */
void child_free(struct child_sa *c);
struct child_sa *child_find_slot(const struct agent *a, struct engine_sa sa);
/* Child SAs of the same names and selectors, newest first, `c` itself among them; prev NULL at first. */
struct child_sa *child_next_same(const struct child_sa *c, const struct child_sa *prev);
/* cpi.c: one that no Child SA has, 0 when all are taken; and back. */
uint16_t cpi_take(struct agent_core *core);
void cpi_drop(struct agent_core *core, uint16_t cpi);
/* The protocols have SPIs of their own: the peer may have chosen the same for ESP and for AH. */
struct child_sa *child_find_spi_out(const struct ike_sa *ike, uint8_t proto, uint32_t spi);
static inline uint8_t child_sa_proto(const struct child_sa *c)
{
	return c->suite.ah ? IKE_PROTO_AH : IKE_PROTO_ESP;
}
/* Carries traffic or may: INSTALLED or REKEYING. */
static inline bool child_up(const struct child_sa *c)
{
	return c->state == CHILD_INSTALLED || c->state == CHILD_REKEYING;
}
/* An up child of this name under any IKE SA that is not being closed, other than `not`; NULL. */
struct child_sa *child_find_up(const struct agent *a, const char *conn, const char *child,
			       const struct child_sa *not);
/* What the engine wants to know of it. */
/* Who is to do the work of a child, by the newest configuration: an SA outlives the one it was made from. */
enum conf_engine child_engine_wish(const struct agent *a, const char *conn, const struct child_conf *conf);
void child_engine_view(const struct child_sa *c, struct engine_child *out);
/* To another IKE SA (rekey). */
void child_move(struct child_sa *c, struct ike_sa *to);
/* Out of all tables, state DELETED; its memory goes later. The engine's pair is the caller's affair. */
void child_drop(struct child_sa *c);
/* "10.1.0.0/24 10.9.0.0/16" into buf; returns buf. */
const char *ts_list_str(const struct ts_list *l, char *buf, size_t n);

/* ---- outcome.c ------------------------------------------------------------------------------ */
struct batch *batch_new(outcome_fn done, void *ctx, const char *what);
/* One more thing to wait for. 0 or -ENOMEM. */
int batch_wait(struct batch *b, struct waiter_list *list);
/* One of them ended. The last one calls back, from a fresh stack. */
void batch_report(struct agent *a, struct batch *b, const struct outcome *o);
/* The starter's own hold: taken by batch_new, released here, so that a batch never ends while it is filled. */
void batch_close(struct agent *a, struct batch *b);
void waiters_report(struct agent *a, struct waiter_list *list, const struct outcome *o);
void outcomes_deliver(struct agent *a);
/* Fills an outcome; returns its error. */
int outcome_set(struct outcome *o, int error, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int outcome_by_peer(struct outcome *o, int error, uint16_t notify);
void observe(struct agent *a, enum sa_event_kind kind, const struct ike_sa *ike,
	     const struct ike_sa *ike_new, const struct child_sa *child, const struct child_sa *child_new);
/* Arms core->later. */
void core_later(struct agent *a, uint64_t due_ms);
