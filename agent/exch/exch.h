/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "agent/sa/core.h"
#include "fragment.h"
#include "held.h"
#include "limits.h"
#include "path.h"
#include "select.h"

/*
 * The inside of the exchanges. What we ask of a peer is a task in the queue of its IKE SA, one in flight (window of one);
 * what the peer asks is a request_in with, when the answer has to wait, an exchange_in beside it. Nothing here keeps
 * a pointer across a wait: continuations find their IKE SA by handle and their negotiation by number.
 */

/* ---- negotiations ----------------------------------------------------------------------------- */

/* A key exchange: kx.c. Who waits for it is found again by handle and number, never by pointer. */
typedef void (*kx_done_fn)(struct ike_sa *ike, int error);
struct kx {
	uint64_t id;	/* of the negotiation that it belongs to */
	uint16_t group; /* 0 = none */
	unsigned int tries;
	struct ke *ke;
	struct secret shared;
	uint8_t *public_value; /* responder: ours, for the answer */
	size_t public_len;
	kx_done_fn done;
};

/* One Child SA being agreed on, either role of the exchange. */
struct child_nego;
typedef void (*nego_done_fn)(struct ike_sa *ike, struct child_nego *n, int error);
struct child_nego {
	struct kx kx; /* of PFS */
	bool initiator;	      /* of this exchange */
	bool first;	      /* in IKE_AUTH: no nonces and no key exchange of its own */
	struct conn_conf *conn; /* reference */
	const struct child_conf *conf;
	uint32_t old_id; /* Child SA being rekeyed, 0 = none */
	uint32_t rival_id; /* responder: what our own rekey of it made while this one was under way, 0 = none */
	uint32_t reqid;
	bool have_slot;
	struct engine_sa slot;
	uint32_t spi_in, spi_out;
	uint16_t cpi_in, cpi_out; /* IPComp; ours: as long as it is offered or agreed on */
	bool cpi_given; /* ours is the Child SA's now */
	struct proposals *offer; /* ours, as sent; initiator only */
	struct proposal chosen;
	struct child_suite suite;
	struct ts_list ts_local, ts_remote;
	bool transport;	/* asked for; agreed on */
	bool no_tfc;	/* the peer said ESP_TFC_PADDING_NOT_SUPPORTED */
	struct ip_addr said_local, said_remote; /* responder, transport: the addresses that the peer gave */
	struct nonce ni, nr;
	struct child_keys keys;
	uint32_t child_id; /* once there is one */
	uint16_t error_notify; /* responder: why not; initiator: what the peer said */
	nego_done_fn done;
};

/* A new IKE SA being agreed on by CREATE_CHILD_SA. */
struct ike_nego {
	struct kx kx;
	uint64_t spi_own, spi_peer;
	struct proposal chosen;
	struct ike_suite suite;
	struct nonce ni, nr;
};

/* What IKE_SA_INIT and IKE_AUTH need; freed at establishment. */
struct auth_method;
struct auth_own;
struct auth_again;
struct setup {
	struct ike_sa *ike;
	uint8_t digest[SA_DIGEST_LEN]; /* responder: of the request and where it came from */
	UT_hash_handle by_init;
	bool hashed;
	struct source_entry at_source;
	uint8_t *msg_i, *msg_r; /* the two IKE_SA_INIT as sent (RFC 7296 2.15: whole) */
	size_t msg_i_len, msg_r_len;
	struct nonce ni, nr;
	uint16_t group;
	struct ke *ke;
	uint8_t *peer_ke; /* responder: until IKE_AUTH proves that the peer exists */
	size_t peer_ke_len;
	uint8_t cookie[IKE_COOKIE_MAX];
	uint16_t cookie_len;
	uint8_t cookie_tries, ke_tries;
	uint16_t init_error; /* refusal that nobody vouches for */
	struct timer error_timer;
	bool have_keys;
	uint32_t wait; /* number of the continuation that is awaited */
	struct held_list held; /* responder: IKE_AUTH that waits for the keys */
	/* IKE_AUTH: how each side proves itself, and what of it waits */
	const struct auth_method *own_method, *peer_method;
	uint8_t *own_auth;
	size_t own_auth_len;
	uint8_t own_auth_number;
	struct auth_again *again; /* responder: for another connection */
	struct auth_own *own;  /* signatures: certificate and key, once chosen */
	uint32_t peer_hashes;  /* bits 1 << enum sig_hash; 0: the peer knows no RFC 7427 */
	bool peer_certs;       /* it sent CERT payloads */
	bool asked_cert;       /* by a CERTREQ of any encoding, */
	bool certreq_raw;      /* by one for raw keys; */
	uint8_t *certreq;      /* hashes of CAs that it trusts */
	size_t certreq_len;
	uint8_t peer_mac[CRYPT_PRF_MAX]; /* PSK */
	size_t peer_mac_len;
	uint16_t child_error; /* initiator: what the peer said of the child while its AUTH is checked */
	bool child_bad;
	bool childless; /* IKE_AUTH speaks of no child: RFC 6023 */
	bool initial_contact;
	uint32_t auth_lifetime; /* initiator: seconds, as the responder said; 0 = nothing */
};

/* The peer's request across a wait. */
struct exchange_in {
	struct child_nego *nego; /* NULL in IKE_AUTH: no child was asked for */
	struct ike_nego *rekey;
};

/* ---- tasks ------------------------------------------------------------------------------------ */
enum task_kind {
	TASK_CONNECT, /* IKE_SA_INIT and IKE_AUTH with the first child, or without (conf NULL) */
	TASK_CHILD_CREATE,
	TASK_CHILD_REKEY,
	TASK_CHILD_DELETE,
	TASK_IKE_REKEY,
	TASK_IKE_DELETE,
	TASK_DPD,
	TASK_REAUTH, /* of an IKE SA that replaces another: when the tasks before it are over */
	TASK_KINDS,
};
enum task_step { TASK_QUEUED, TASK_PREPARING, TASK_SENT, TASK_ANSWERED };

struct task {
	TAILQ_ENTRY(task) next;
	enum task_kind kind;
	enum task_step step;
	uint32_t child_id;     /* rekey, delete */
	uint32_t spi;	       /* delete of what has no Child SA here: our inbound SPI, 0 = see child_id */
	uint8_t proto;	       /* of this SPI */
	uint32_t collide_id;   /* child rekey: what the peer's rekey of the same made meanwhile */
	struct conn_conf *conn; /* reference: connect, create */
	const struct child_conf *conf;
	struct child_nego *nego;
	struct ike_nego *rekey;
	unsigned int tries; /* TEMPORARY_FAILURE so far */
	uint64_t not_before_ms;
	uint16_t say;	/* delete: an error notify instead of the Delete payload */
	int why;	/* IKE delete: enum ike_end */
	bool recreate;	/* child delete: initiate it anew afterwards */
	struct trigger trigger;	  /* connect, create: the packet that asked for it */
	bool single;		  /* the peer wants selectors of one pair of addresses */
	struct sa_ref reauth_of;  /* reauth: the old IKE SA; generation 0 = it is gone already */
	unsigned int child_count; /* reauth: Child SAs that there must be */
	struct waiter_list waiters;
};

/* task.c */
struct task *task_new(struct ike_sa *ike, enum task_kind kind, uint32_t child_id);
/* Queued, and started when nothing is in flight. A delete of the IKE SA goes to the front. */
void task_queue(struct ike_sa *ike, struct task *t);
/* The task in flight; NULL. */
struct task *task_active(const struct ike_sa *ike);
struct task *task_find(const struct ike_sa *ike, enum task_kind kind, uint32_t child_id);
/* One that will bring a child of this name. */
struct task *task_find_create(const struct ike_sa *ike, const char *child);
/* The active one is over: waiters hear, the next starts. */
void task_finish(struct ike_sa *ike, const struct outcome *o);
/* Back into the queue for later (TEMPORARY_FAILURE). */
void task_postpone(struct ike_sa *ike, uint64_t ms);
void task_run(struct ike_sa *ike);
/* Out of the queue, waiters told, freed. */
void task_drop(struct ike_sa *ike, struct task *t, const struct outcome *o);
/* Looks for work from a fresh stack. */
void task_kick(struct ike_sa *ike);
/* All that have not been sent yet go to another IKE SA. */
void tasks_move(struct ike_sa *from, struct ike_sa *to);

/* ---- window.c: one request in flight, one answer in store ----------------------------------------- */
/* Seals (or, for IKE_SA_INIT, only frames) and sends the next request. 0 or -errno. */
int request_send(struct ike_sa *ike, uint8_t exchange, const struct msg_wr *chain);
/* A whole datagram as the next request: IKE_SA_INIT. Copies. */
int request_send_raw(struct ike_sa *ike, struct slice set);
void request_end(struct ike_sa *ike);
void request_again(struct ike_sa *ike);
/* Sent once, nobody waits for an answer: the last message of an IKE SA. */
void request_once(struct ike_sa *ike, uint8_t exchange, const struct msg_wr *chain);
/* The answer to ike->req; stored for retransmits. */
int reply_send(struct ike_sa *ike, const struct msg_wr *chain);
int reply_notify(struct ike_sa *ike, uint16_t type, struct slice data);
void reply_empty(struct ike_sa *ike);
/* One datagram or a set of fragments, each as long as its header says. */
int datagrams_send(struct ike_sa *ike, const struct endpoint *local, const struct endpoint *remote,
		   struct slice set);
/* An unprotected answer made of one notify, from the request's header alone (RFC 7296 1.5, 2.21.4). */
void plain_notify(struct agent *a, const struct ike_hdr *hdr, const struct path *path, uint16_t type,
		  struct slice data);
/* A writer on the core's buffer. */
void chain_start(struct agent *a, struct msg_wr *chain);
void digest_of(struct slice datagram, const struct endpoint *from, uint8_t out[SA_DIGEST_LEN]);
/* Milliseconds from the try-th sending (0 = first) to the next, or to giving up (try == retransmit_tries). */
uint64_t retransmit_wait_ms(const struct gw_ike_conf *conf, unsigned int try, uint32_t random);

/* ---- version.c: a message of IKEv1 or of a version above 2 ------------------------------------------ */
void version_refuse(struct agent *a, const struct ike_hdr *hdr, const struct path *path, enum wire_err err);

/* ---- dispatch.c ------------------------------------------------------------------------------------ */
/* An encrypted datagram of a known IKE SA whose keys are there. */
void dispatch(struct ike_sa *ike, const struct path *path, struct slice datagram);

/* ---- init.c, init_responder.c ----------------------------------------------------------------------- */
void connect_start(struct ike_sa *ike, struct task *t);
void connect_resolved(struct ike_sa *ike, const struct ip_addr *remote);
void init_response(struct ike_sa *ike, const struct path *path, struct slice datagram);
void init_request(struct agent *a, const struct path *path, struct slice datagram);
/* The responder's keys for an IKE_AUTH that just came. */
void init_derive(struct ike_sa *ike, const struct path *path, struct slice datagram);
struct setup *setup_new(struct ike_sa *ike);
void setup_free(struct ike_sa *ike);
int setup_keys(struct ike_sa *ike, struct secret *shared);
void natd_put(struct ike_sa *ike, struct msg_wr *chain);
/* Sets nat_local and nat_remote from the peer's hashes. False when it sent none. */
bool natd_check(struct ike_sa *ike, const struct ike_msg *msg, const struct path *path);

/* ---- conn_select.c ------------------------------------------------------------------------------------ */
/* Do local_addrs allow to call `to`, by family? *from: the address to call from, NULL = the kernel's choice. */
bool conn_may_call(const struct conn_conf *conn, const struct ip_addr *to, const struct ip_addr **from);
/* Does one of ours lie in local_addrs? */
bool conn_is_local(const struct conn_conf *conn, const struct ip_addr *ours);
/* The first of remote_addrs that is one address and may be called; NULL: none. */
const struct ip_addr *conn_peer_find(const struct conn_conf *conn);
/* Best connection for these addresses that accepts one of the proposals. *any: at least one fits by address. */
struct conn_conf *conn_by_addrs(const struct agent *a, const struct path *path,
				const struct proposals *offered, struct proposal *chosen, bool *any);
/* What a peer has shown in IKE_AUTH before it is believed. */
struct conn_query {
	const struct path *path;
	const struct proposal *chosen;
	const struct ike_id *id_i, *id_r; /* id_r of type 0: absent */
	uint8_t method;			  /* of AUTH, 0: none */
};
/* Best connection for addresses, chosen proposal, identities and the peer's AUTH method; `now` wins among equals. */
struct conn_conf *conn_by_ids(const struct agent *a, const struct conn_query *q, const struct conn_conf *now);
/*
 * The best of those not tried yet, when the rules of the others did not take the peer: one that has its method and
 * names it as closely as tried[0] does; n is at least 1. NULL: there is none.
 */
struct conn_conf *conn_next(const struct agent *a, const struct conn_query *q, bool childless,
			    struct conn_conf *const *tried, unsigned int n);
/* May IKE_AUTH without a child, or with one, come by this connection? */
bool conn_childless_fits(const struct conn_conf *conn, bool childless);
/* The next for these addresses whose peers prove themselves by public keys; NULL. Start with {.conf = c}. */
const struct conn_conf *conn_next_pubkey(const struct path *path, struct conf_near *near);
/* The identity we use: configured, or the address. */
void local_id_of(const struct conn_conf *conn, const struct ip_addr *local, struct conf_id *out);
bool remote_id_fits(const struct conn_conf *conn, const struct ip_addr *remote, const struct ike_id *got);
void id_store(const struct ike_id *id, struct conf_id *out);

/* ---- resolve.c -------------------------------------------------------------------------------------------- */
/* The peer's address: connect_resolved comes, at once or later; or the connect task fails. */
void resolve_start(struct ike_sa *ike, const char *host);
/* The peer cannot be called from here now, without a name, a route or an address of ours: what waits is initiated again
 * after retry_initiate_interval, if it is set. Who waits now hears that it failed. */
void connect_retry_later(struct ike_sa *ike);

/* ---- auth.c, auth_initiator.c, auth_responder.c ----------------------------------------------------------------------------------------------- */
void auth_start(struct ike_sa *ike);
void auth_response(struct ike_sa *ike, const struct ike_msg *msg);
void auth_request(struct ike_sa *ike, const struct ike_msg *msg);
/* auth_lifetime.c, RFC 4478: what a responder says, what it said (0: nothing), and to act on it as initiator. */
void lifetime_put(const struct ike_sa *ike, struct msg_wr *chain);
uint32_t lifetime_of(const struct ike_msg *msg);
void lifetime_take(struct ike_sa *ike, uint32_t seconds);
/* auth_cert.c: of IKE_SA_INIT and IKE_AUTH */
void hashes_put(struct msg_wr *chain);
void hashes_take(struct setup *s, const struct ike_msg *msg);
void certreq_put(struct ike_sa *ike, struct msg_wr *chain);
void certreq_take(struct setup *s, const struct ike_msg *msg);
/* Frees what IKE_AUTH keeps in a setup. */
void auth_forget(struct setup *s);
/* The proof of a rekeyed IKE SA is that of the old one. 0 or -EACCES. */
int ike_inherit_proof(struct ike_sa *to, const struct ike_sa *from);

/* Of a protocol of Child SAs: "ESP", "AH". */
const char *proto_text(uint8_t proto);

/* ---- child_neg.c --------------------------------------------------------------------------------------------- */
struct child_nego *nego_new(struct ike_sa *ike, bool initiator, const struct child_conf *conf);
void nego_free(struct agent *a, struct child_nego *n);
/* Initiator: slot, SPI, proposals, selectors (of `old` when rekeying). 0, or -errno and why. */
int nego_offer(struct ike_sa *ike, struct child_nego *n, const struct child_sa *old, bool first,
	       struct outcome *why);
void nego_put_offer(const struct child_nego *n, struct msg_wr *chain);
/* Initiator: SA and TS of the answer. 0, or -errno and why. */
int nego_answer(struct ike_sa *ike, struct child_nego *n, const struct ike_msg *msg,
		const struct child_sa *old, struct outcome *why);
/* Responder: chooses child, proposal, selectors; asks the engine for nothing. 0 or the error notify to send. */
uint16_t nego_accept(struct ike_sa *ike, struct child_nego *n, const struct ike_msg *msg,
		     const struct child_sa *old, bool first);
void nego_put_answer(const struct child_nego *n, struct msg_wr *chain);
/* Both: slot (responder), keys, Child SA, both directions into the engine; done comes once, maybe at once. */
void nego_install(struct ike_sa *ike, struct child_nego *n, nego_done_fn done);
/* The negotiation of this number in flight at an IKE SA, either side. */
struct child_nego *nego_find(const struct ike_sa *ike, uint64_t id);
void child_ts(const struct child_conf *conf, const struct endpoint *local, const struct endpoint *remote,
	      struct ts_list *ts_local, struct ts_list *ts_remote);

/* ---- transport.c: transport mode and its selectors, RFC 7296 1.3.1, 2.23.1 ----------------------------------------- */
/* Are these the gateways' own addresses, one a side? */
bool transport_fits(const struct ike_sa *ike, const struct ts_list *local, const struct ts_list *remote);
/* Initiator, selectors known: does the offer say USE_TRANSPORT_MODE? */
bool transport_wanted(struct ike_sa *ike, const struct child_nego *n, const struct child_sa *old);
/* Responder: is it asked for? The offered selectors as this side sees the addresses. */
bool transport_asked(struct ike_sa *ike, const struct ike_msg *msg, struct ts_list *local, struct ts_list *remote);
/* Initiator: what became of it, and the answered selectors as this side sees the addresses. 0, or -errno and why. */
int transport_answered(struct ike_sa *ike, struct child_nego *n, const struct ike_msg *msg, struct ts_list *local,
		       struct ts_list *remote, struct outcome *why);
/* Responder: the agreed selectors as the peer wrote the addresses. */
void transport_restore(const struct child_nego *n, struct ts_list *local, struct ts_list *remote);

/* ---- ipcomp.c: compression, RFC 7296 2.22 ------------------------------------------------------------------------ */
/* Initiator: a CPI for the offer, where the child wants it. */
void ipcomp_offer(struct ike_sa *ike, struct child_nego *n);
/* Both: the notify, when there is a CPI. */
void ipcomp_put(const struct child_nego *n, struct msg_wr *chain);
/* Initiator: what became of it. 0, or -errno and why. */
int ipcomp_answered(struct ike_sa *ike, struct child_nego *n, const struct ike_msg *msg, struct outcome *why);
/* Responder: both CPIs, when both want it. */
void ipcomp_asked(struct ike_sa *ike, struct child_nego *n, const struct ike_msg *msg);
/* No compression; ours is free again. */
void ipcomp_drop(struct agent *a, struct child_nego *n);

/* ---- child_life.c: what happens to an installed Child SA -------------------------------------------------------- */
/* Into force: selectors encrypt with it; timers, log, event. `old`: the one it replaces, or NULL. */
int child_activate(struct child_sa *c, struct child_sa *old);
/* Installed, but the peer may not know yet: in force when it shows itself, `old` goes, or after SWITCH_WAIT_MS. */
void child_activate_later(struct child_sa *c, struct child_sa *old);
/* Ours, in force, and lost to the peer's `to` in a simultaneous rekey: deleted when that is in force. */
void child_give_way(struct child_sa *c, struct child_sa *to);
/* Lost to `by` in a simultaneous rekey: never in force, until the peer that made it deletes it or it expires. */
void child_stand_back(struct child_sa *c, const struct child_sa *by);
/* Made by the peer without REKEY_SA. When it has another with equal selectors (it starts over, or reauthenticates), that
 * one carries the traffic until the peer uses the new one, or the old one goes. */
int child_activate_beside(struct child_sa *c, bool initial_contact);
/* Now, if it was waiting. */
void child_switch(struct child_sa *c);
/* Gone: deleted by either side. Late packets of a replaced one are let in for the grace. */
void child_gone(struct child_sa *c, enum conf_action action);
/* A hard limit: out of the engine now, the peer hears of it when it can. */
void child_expire(struct child_sa *c);
/* A rekey failed: once more in a while. */
void child_rekey_again(struct child_sa *c);
/* Queues the rekey (or, with one queued, waits for it). batch may be NULL. */
int child_rekey(struct child_sa *c, struct batch *b);
int child_delete(struct child_sa *c, struct batch *b);
void fading_all(struct agent *a);

/* ---- kx.c: the key exchange of CREATE_CHILD_SA ------------------------------------------------------------------ */
/* Our key pair, initiator; the shared secret, either role. done comes once, maybe at once. */
void kx_generate(struct ike_sa *ike, struct kx *kx, kx_done_fn done);
void kx_finish(struct ike_sa *ike, struct kx *kx, struct slice peer, kx_done_fn done);
void kx_respond(struct ike_sa *ike, struct kx *kx, struct slice peer, kx_done_fn done);
/* RFC 7296 1.3: the group that the peer wants instead (data of INVALID_KE_PAYLOAD), if we offered it. */
bool kx_retry(struct ike_sa *ike, struct kx *kx, const struct proposals *offer, struct slice wanted);
void kx_refuse_group(struct ike_sa *ike, uint16_t group);
void kx_free(struct kx *kx);

/* ---- create_child.c ------------------------------------------------------------------------------------------------ */
void create_child_start(struct ike_sa *ike, struct task *t);
void create_child_response(struct ike_sa *ike, const struct ike_msg *msg);
void create_child_request(struct ike_sa *ike, const struct ike_msg *msg);

/* ---- rekey_ike.c ------------------------------------------------------------------------------------------------------ */
void rekey_ike_start(struct ike_sa *ike, struct task *t);
void rekey_ike_response(struct ike_sa *ike, const struct ike_msg *msg);
void rekey_ike_request(struct ike_sa *ike, const struct ike_msg *msg);
/* Our rekey came to nothing, the peer's did not: it inherits. True when there was one. */
bool rekey_ike_adopt_peer(struct ike_sa *ike);
int ike_rekey(struct ike_sa *ike, struct batch *b);
void ike_nego_free(struct ike_nego *n);

/* ---- reauth.c ------------------------------------------------------------------------------------------------------------ */
/* A new IKE SA from scratch for this one, or joins what is under way. batch may be NULL. 0, or -errno and why. */
int ike_reauth(struct ike_sa *ike, struct batch *b, struct outcome *why);
/* The peer cannot rekey on this one. */
void ike_renew(struct ike_sa *ike);
/* Break before make: the old one ends now, its children are still there. */
void reauth_broken(struct ike_sa *old);
/* TASK_REAUTH is due; it is dropped, with this outcome. */
void reauth_finish(struct ike_sa *ike, struct task *t);
void reauth_over(struct agent *a, const struct task *t, const struct outcome *o);

/* ---- informational.c ---------------------------------------------------------------------------------------------------- */
void informational_start(struct ike_sa *ike, struct task *t);
void informational_response(struct ike_sa *ike, const struct ike_msg *msg);
void informational_request(struct ike_sa *ike, const struct ike_msg *msg);
void liveness_hint(struct ike_sa *ike);

/* ---- close.c: the end of an IKE SA ------------------------------------------------------------------------------------------ */
enum ike_end {
	END_FAILED,	   /* never established */
	END_TIMEOUT,	   /* the peer is silent: dpd_action */
	END_PEER,	   /* it deleted: close_action */
	END_LOCAL,	   /* we did, as told */
	END_REPLACED,	   /* rekeyed, or superfluous */
	END_REAUTH,	   /* break before make: a new one is made at once */
	END_EXPIRED,
	END_ABANDONED, /* the agent goes, its SAs stay in the engine */
};
/* Children and tasks go with it; memory later. `o` is what waiters hear. */
void ike_end(struct ike_sa *ike, enum ike_end why, const struct outcome *o);
/* Asks the peer; the rest is refused meanwhile. batch may be NULL. `say`: error notify instead of Delete. */
int ike_delete(struct ike_sa *ike, enum ike_end why, uint16_t say, struct batch *b);
/* A Delete sent once, nobody waits; ended. */
void ike_delete_now(struct ike_sa *ike, enum ike_end why, const struct outcome *o);

/* ---- ike_timers.c --------------------------------------------------------------------------------------------------------------- */
void ike_timers_start(struct ike_sa *ike);
/* A line for each algorithm of the legacy set that protects an IKE SA that now stands. */
void ike_warn_legacy(const struct ike_sa *ike);
/* For what comes first, the rekey or the reauthentication. */
void ike_rekey_arm(struct ike_sa *ike);
void ike_keepalive_start(struct ike_sa *ike);
uint64_t ike_last_life_ms(const struct ike_sa *ike);
/* `base` seconds from now, less a random part of rand seconds, in ms; 0 when base is 0. */
uint64_t jittered_ms(struct agent *a, uint64_t base_s, uint64_t rand_s);
uint32_t random_u32(struct agent *a);
/* How long to stay away after the try-th TEMPORARY_FAILURE (1 = first). */
uint64_t temp_fail_wait_ms(struct agent *a, unsigned int try);

/* ---- contact.c: other IKE SAs of the same pair of peers --------------------------------------------------------------------------- */
bool contact_is_initial(const struct ike_sa *ike);
/* Established as responder or initiator: INITIAL_CONTACT, unique, simultaneous initiation. */
/* An older IKE SA of the same peers, not one that crossed with this: what INITIAL_CONTACT ends. */
bool contact_same_peers(const struct ike_sa *a, const struct ike_sa *b);
bool contact_supersedes(const struct ike_sa *ike, const struct ike_sa *other);
void contact_established(struct ike_sa *ike, bool initial_contact);
/* Responder, the peer has proved itself: does unique = keep refuse it? */
bool contact_kept_out(struct ike_sa *ike);

/* ---- acquire.c --------------------------------------------------------------------------------------------------------- */
/* A packet met the trap of a child. */
void acquire(struct agent *a, const struct engine_event *ev);
/* That child is up: the next packet may ask again. */
void acquire_done(struct agent *a, const char *conn, const char *child);
void acquires_forget(struct agent *a);

/* ---- ops.c, configure.c, engine_events.c ------------------------------------------------------------------------------------------------ */
/* Starts a child, or joins what is under way. batch may be NULL. -EALREADY: it is up. */
int child_initiate(struct agent *a, struct conn_conf *conn, const struct child_conf *conf,
		   const struct trigger *trigger, struct batch *b, struct outcome *o);
/* The same by name, later, from a fresh stack. */
void intend(struct agent *a, const char *conn, const char *child, uint64_t wait_ms);
/* ... for a packet. */
void intend_for(struct agent *a, const char *conn, const char *child, const struct trigger *trigger,
		uint64_t wait_ms);
void intents_run(struct agent *a, bool engine_up);
struct ike_sa *connect_new(struct agent *a, struct conn_conf *conn, uint32_t attempt);
/* Is there an engine for this child, with these algorithms (NULL: not known yet)? -ENOTCONN: not yet. */
bool engine_usable(const struct agent *a, const char *conn, const struct child_conf *conf,
		   const struct child_suite *suite, struct outcome *why);
/* able.c: the child's proposals less what its engine lacks, which `why` then names; -EOPNOTSUPP: nothing is left. */
int proposals_able(const struct agent *a, const char *conn, const struct child_conf *conf, struct proposals *out,
		   struct outcome *why);
/* The same, with a line in the log for what is left out. */
int nego_able(struct ike_sa *ike, const struct child_nego *n, struct proposals *out, struct outcome *why);
bool child_traps(const struct child_conf *conf);
/* What was closed until it would be up again opens. */
void held_release(struct agent *a);
/* conn_lacks.c: a line for each connection that lacks what it authenticates with, of those in the first twenty. */
void conns_lacking_say(struct agent *a, const struct conf *conf);
/* engine_events.c: Child SAs whose configuration says another engine than they have are rekeyed into it. */
void engines_apply(struct agent *a);
void trap_install(struct agent *a, const struct conn_conf *conn, const struct child_conf *child);
