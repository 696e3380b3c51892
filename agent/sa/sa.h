/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "agent/conf/conf.h"
#include "agent/crypt/crypt.h"
#include "agent/engine/engine.h"
#include "common/log.h"
#include "handle.h"
#include "common/index.h"
#include "timer.h"

#include <sys/queue.h>

/* No memory for a hash table must not end the process: whoever adds asks TABLE_HAS. */
#ifndef HASH_NONFATAL_OOM
#define HASH_NONFATAL_OOM 1
#endif
#include <uthash.h>

struct agent;

enum { SA_DIGEST_LEN = 16 };

struct nonce {
	uint16_t n;
	uint8_t b[IKE_NONCE_MAX];
};

/* Few states; flags are facts. Legal arrows are in ike_sa.c, the only place that moves them. */
enum ike_state {
	IKE_CREATED,
	IKE_CONNECTING,	  /* IKE_SA_INIT or IKE_AUTH under way */
	IKE_ESTABLISHED,
	IKE_REKEYING,	  /* our or the peer's rekey under way; traffic of both SAs goes on */
	IKE_REKEYED,	  /* replaced; waits for the Delete */
	IKE_DELETING,
	IKE_DEAD,
	IKE_STATES,
};

enum child_state {
	CHILD_CREATED,
	CHILD_INSTALLING,
	CHILD_INSTALLED,
	CHILD_REKEYING,
	CHILD_REKEYED,	 /* replaced; inbound stays until Delete and grace */
	CHILD_DELETING,
	CHILD_DELETED,
	CHILD_STATES,
};
const char *ike_state_name(enum ike_state s);	  /* as vici writes them: "ESTABLISHED" */
const char *child_state_name(enum child_state s); /* "INSTALLED" */

struct child_sa {
	TAILQ_ENTRY(child_sa) next;
	struct ike_sa *ike; /* owner; moved when the IKE SA is rekeyed */
	uint32_t id;	    /* #n of people */
	enum child_state state;
	const struct child_conf *conf; /* inside ike->conn or, after a reload, inside own_conn */
	struct conn_conf *own_conn;    /* reference that keeps conf alive */
	struct child_suite suite;
	const struct proposal *proposal; /* kept; as chosen, for people */
	const struct ts_list *ts_local, *ts_remote; /* kept: ts_list_copy, never a struct copy */
	enum conf_mode mode;
	bool encap;
	bool no_tfc; /* the peer cannot take TFC padding */
	uint32_t spi_in, spi_out, reqid;
	uint16_t cpi_in, cpi_out; /* IPComp; 0 = none */
	struct engine_sa engine;
	uint64_t installed_ms, rekey_ms, expire_ms; /* monotonic, 0 = never */
	uint64_t used_ms; /* when it or what it replaced was last used, before it was made */
	struct timer rekey_timer, expire_timer;
	struct timer switch_timer; /* responder of a rekey: is the peer on the new SA already? later: inactivity */
	uint64_t switch_ms;	   /* when it switches in any case */
	uint32_t replaced_by; /* id of the successor, 0 = none */
	bool active;	      /* its selectors encrypt with it: engine_activate was called */
	bool lost;	      /* the engine forgot its keys: make it anew when a rekey is refused */
	uint8_t nonce_low[IKE_NONCE_MAX]; /* lower nonce of the exchange that made it: rekey collisions */
	uint16_t nonce_low_len;
	struct index_node by_id, by_slot;
	struct index_node by_selectors; /* of the connection, the child and both lists */
};
TAILQ_HEAD(child_list, child_sa);

/* The peer's and our outcome, for a command that waits. */
struct outcome {
	int error;	  /* 0, or -errno: -ETIMEDOUT no answer, -EACCES authentication, -EPROTO ... */
	uint16_t notify;  /* the peer's error notify, 0 = none */
	bool by_peer;	  /* the refusal was the peer's */
	char text[192];	  /* "peer refused: NO_PROPOSAL_CHOSEN" */
};
typedef void (*outcome_fn)(void *ctx, const struct outcome *o);

struct task;
TAILQ_HEAD(task_list, task);
struct reassembly;

/* The peer's request that is being answered: where the answer goes and what it must belong to. */
struct request_in {
	bool open;
	uint8_t exchange;
	uint32_t mid;
	struct endpoint local, remote;
	uint8_t digest[SA_DIGEST_LEN];
};

struct ike_sa {
	struct sa_ref ref;
	struct agent *agent;
	uint32_t id; /* #n of people */
	enum ike_state state;
	bool initiator; /* original initiator: the I flag of what we send */
	bool nat_local, nat_remote, floated, authenticated, peer_childless, peer_fragmentation;
	bool auth_sent;	 /* IKE_AUTH went out: the peer may have established it */
	bool nat_forced; /* we sent a false source hash: UDP encapsulation though there may be no NAT */
	bool attempting; /* in of_conn->attempts */
	bool rekeyed;	 /* made by a rekey, not by IKE_SA_INIT */
	bool reauthing;	 /* an IKE SA that will replace this one is being made */
	bool undecided;	 /* made by the peer's rekey while ours is under way: it has no children yet */
	uint64_t spi_own; /* ours of the two below */
	uint64_t spi_i, spi_r;
	struct conn_conf *conn; /* reference; NULL until a responder has chosen one */
	struct endpoint local, remote;
	const struct conf_id *local_id, *remote_id; /* kept, never NULL; as sent and as authenticated */
	struct ike_suite suite;
	const struct proposal *proposal; /* kept; as chosen, NULL before */
	struct ike_keys keys;
	struct ike_authenticated proof;
	uint64_t iv_counter;
	struct child_list children;
	struct task_list tasks; /* head: in flight when request_len */
	/* window of one, RFC 7296 2.3 */
	uint32_t send_mid, recv_mid;
	/* Last sent, for bit-identical retransmission: one datagram, or its fragments one behind the other. */
	uint8_t *request, *response;
	size_t request_len, response_len;
	uint32_t response_mid;
	bool have_response;
	uint8_t response_digest[SA_DIGEST_LEN]; /* of the request it answers, or of its first fragment */
	struct request_in req;
	struct reassembly *frag_request, *frag_response; /* what has come of the peer's next message */
	struct timer retransmit_timer, rekey_timer, expire_timer, dpd_timer, keepalive_timer;
	struct timer task_timer;      /* a task waits for its time */
	struct timer half_open_timer; /* before: gives up; dead: frees; established: duplicate */
	uint32_t tries;
	uint32_t attempt;	  /* keyingtries */
	uint64_t hint_ms;	  /* last liveness check that something forgeable caused */
	uint8_t nonce_low[IKE_NONCE_LEN]; /* lower nonce of IKE_SA_INIT: simultaneous initiation */
	struct sa_ref rekey_peer; /* made by the peer's rekey while ours is under way; generation 0 = none */
	struct sa_ref replaces;	  /* what it was made from by a rekey */
	uint64_t created_ms, established_ms, rekey_ms, expire_ms, reauth_ms, last_in_ms, last_out_ms;
	struct setup *setup;	 /* what IKE_SA_INIT and IKE_AUTH need and nothing after them */
	struct exchange_in *in;	 /* the peer's request being answered across a wait, or NULL */
	struct index_node by_spi;    /* by our SPI */
	struct index_node by_number; /* by id, until it is dead */
	struct index_node by_peers;  /* by both identities and role, while authenticated */
	struct conn_sas *of_conn;    /* those of the same connection's name; NULL without a connection */
	TAILQ_ENTRY(ike_sa) in_conn, in_attempts;
	TAILQ_ENTRY(ike_sa) all;
};
TAILQ_HEAD(ike_list, ike_sa);

/* ---- what others may ask (control, main) -------------------------------------------------- */
/* All SAs, oldest first. */
const struct ike_list *sa_all(const struct agent *a);
struct ike_sa *sa_find(struct agent *a, uint32_t id);
struct child_sa *sa_find_child(struct agent *a, uint32_t id);
uint64_t sa_now_ms(void); /* monotonic */

/*
 * Operations of the command line. Without a child, sa_initiate means the IKE SA alone (RFC 6023); sa_initiate_all means
 * all children of the connection. Each calls `done` exactly once, with the real outcome: after the peer's answer, a
 * time-out or an immediate refusal; never before. Names match configuration; an id of 0 = not given.
 * They return 0, or -ENOENT / -EINVAL with text in *o when nothing was started (then no callback).
 */
int sa_initiate(struct agent *a, const char *conn /* or NULL */, const char *child /* or NULL */,
		outcome_fn done, void *ctx, struct outcome *o);
int sa_initiate_all(struct agent *a, const char *conn, outcome_fn done, void *ctx, struct outcome *o);
struct sa_select {
	const char *ike, *child;    /* names or NULL */
	uint32_t ike_id, child_id;  /* 0 = any */
	bool force;		    /* terminate: do not wait for the peer */
};
/* Outcome text counts what was done: "terminated 2 IKE SAs". */
int sa_terminate(struct agent *a, const struct sa_select *sel, outcome_fn done, void *ctx,
		 struct outcome *o);
int sa_rekey(struct agent *a, const struct sa_select *sel, outcome_fn done, void *ctx, struct outcome *o);
/* IKE SAs alone; xdpsec.conf's make_before_break decides which goes first, the old or the new. */
int sa_reauth(struct agent *a, const struct sa_select *sel, outcome_fn done, void *ctx, struct outcome *o);
/* Everything: deletes sent, rows and policies removed, orphans too. */
int sa_flush(struct agent *a, outcome_fn done, void *ctx, struct outcome *o);
/* Applies a configuration whole: connections gone or changed are terminated, equal ones untouched,
 * start actions run. Takes the reference. */
void sa_configure(struct agent *a, struct conf *c);
const struct conf *sa_conf(const struct agent *a);
/* Is certificate or private key missing, without which a connection cannot authenticate us? And what was looked for. */
enum { SA_LACKS_MAX = 256 };
bool sa_conn_lacks(struct agent *a, const struct conn_conf *conn, char why[SA_LACKS_MAX]);

enum sa_event_kind { SA_EV_IKE_UP, SA_EV_IKE_DOWN, SA_EV_IKE_REKEY, SA_EV_CHILD_UP, SA_EV_CHILD_DOWN,
		     SA_EV_CHILD_REKEY };
struct sa_event {
	enum sa_event_kind kind;
	const struct ike_sa *ike, *ike_new;
	const struct child_sa *child, *child_new;
};
typedef void (*sa_observer_fn)(void *ctx, const struct sa_event *ev);
/* At most 4 observers; they look and change nothing. The pointers are valid during the call only. */
int sa_observe(struct agent *a, sa_observer_fn fn, void *ctx);

/* Counters of the protocol, one table: name and sentence. */
#define IKE_COUNTERS(X)                                                             \
	X(init_in, "IKE_SA_INIT requests received")                                 \
	X(init_out, "IKE_SA_INIT requests sent")                                    \
	X(established, "IKE SAs established")                                       \
	X(auth_failed, "IKE_AUTH failures")                                         \
	X(auth_no_conn, "IKE_AUTH: no connection for these identities")             \
	X(auth_method, "IKE_AUTH: another authentication method than configured")   \
	X(auth_identity, "IKE_AUTH: the peer is another than configured")           \
	X(auth_mac, "IKE_AUTH: wrong MAC of the pre-shared key")                    \
	X(auth_scheme, "IKE_AUTH: unknown signature scheme, or none in common")     \
	X(auth_signature, "IKE_AUTH: wrong or malformed signature")                 \
	X(auth_weak, "IKE_AUTH: key or signature too weak or not allowed")          \
	X(auth_no_cert, "IKE_AUTH: the peer sent no certificate that we can use")   \
	X(auth_untrusted, "IKE_AUTH: key or certificate of the peer not trusted")   \
	X(auth_cert_time, "IKE_AUTH: certificate not valid at this time")           \
	X(auth_cert_revoked, "IKE_AUTH: certificate revoked, or status unknown")    \
	X(cert_url, "certificates by hash and URL, not fetched")                    \
	X(auth_childless, "IKE_AUTH: with or without Child SA against childless")   \
	X(auth_unique, "IKE_AUTH refused: unique = keep")                             \
	X(auth_no_key, "IKE_AUTH: no secret or private key of ours")                \
	X(auth_no_answer, "IKE_AUTH: keys process did not answer")                  \
	X(child_up, "Child SAs established")                                        \
	X(rekey_ike, "IKE SAs rekeyed")                                             \
	X(rekey_child, "Child SAs rekeyed")                                         \
	X(reauth, "IKE SAs reauthenticated by us")                                  \
	X(retransmit_out, "requests sent again")                                    \
	X(retransmit_in, "retransmitted requests answered from store")              \
	X(timeout, "exchanges given up without an answer")                          \
	X(dpd_out, "liveness checks sent")                                          \
	X(cookie_sent, "COOKIE notifies sent")                                      \
	X(cookie_bad, "IKE_SA_INIT with a wrong or missing cookie")                 \
	X(half_open_limit, "IKE_SA_INIT refused: too many half-open IKE SAs")       \
	X(block_limit, "IKE_SA_INIT refused: too many half-open from one source")   \
	X(job_limit, "IKE_SA_INIT refused: too many key exchanges under way")       \
	X(sa_limit, "IKE_SA_INIT refused: ike_sa_limit")                            \
	X(bad_header, "datagrams without a valid IKE header")                       \
	X(bad_version, "messages of a version above 2, refused")                    \
	X(ikev1, "messages of IKEv1, refused")                                      \
	X(bad_syntax, "messages with payloads that cannot be decoded")              \
	X(bad_critical, "messages with an unknown critical payload")                \
	X(bad_integrity, "messages whose integrity check failed")                   \
	X(bad_mid, "messages with a message id outside the window")                 \
	X(bad_exchange, "exchanges not allowed in the state of the IKE SA")         \
	X(fragment_in, "fragments of IKE messages taken")                           \
	X(fragment_drop, "fragments of IKE messages that are not wanted")           \
	X(fragment_out, "IKE messages sent as fragments")                           \
	X(bad_spi, "messages for an unknown IKE SPI")                               \
	X(initiator_only, "IKE_SA_INIT not answered: initiator_only")               \
	X(child_limit, "Child SAs refused: child_sa_limit")                        \
	X(inactive, "Child SAs closed for inactivity")                             \
	X(no_conn, "IKE_SA_INIT that no connection fits")                           \
	X(no_proposal, "negotiations without a common proposal")                    \
	X(no_ts, "Child SAs without common traffic selectors")                      \
	X(bad_ke, "key exchange values refused")                                    \
	X(busy, "IKE_AUTH requests left for their retransmit, too much was under way")   \
	X(no_memory, "exchanges dropped for lack of memory")

enum ike_counter {
#define X(name, text) IKE_C_##name,
	IKE_COUNTERS(X)
#undef X
	IKE_COUNTERS_N,
};
uint64_t sa_counter(const struct agent *a, enum ike_counter c);
const char *sa_counter_name(enum ike_counter c);
const char *sa_counter_text(enum ike_counter c);
unsigned int sa_half_open(const struct agent *a);
unsigned int sa_half_open_sources(const struct agent *a);
unsigned int sa_count(const struct agent *a); /* IKE SAs in any state but dead */
