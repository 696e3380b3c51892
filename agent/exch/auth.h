/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "agent/cred/cred.h"
#include "exch.h"

/*
 * The inside of IKE_AUTH (RFC 7296 1.2, 2.15). auth_initiator.c and auth_responder.c know the order of things,
 * a row of methods how one side proves itself, auth.c alone turns a check that went well into the proof. All
 * that takes time is asynchronous: a method finds its IKE SA again by handle (auth_resume) and ends by exactly
 * one call of auth_prepared or auth_checked, at once or later. Several round trips of IKE_AUTH are several of
 * these steps on the same struct setup.
 */

/* Why it failed: the counter of that reason, and words for our log and our user. A peer hears
 * AUTHENTICATION_FAILED and nothing else. */
struct auth_fault {
	enum ike_counter reason;
	int error;
	/* The rules of the connection were at fault, another's may take the peer. */
	bool by_rules;
	char text[160];
};

struct auth_method {
	const char *name; /* for people: "pre-shared key" */
	enum conf_auth conf;
	/* Is this number of an AUTH payload one of the method's? */
	bool (*speaks)(uint8_t number);
	/* Makes our AUTH: auth_own_set, then auth_prepared. */
	void (*prepare)(struct ike_sa *ike);
	/* Payloads that come before our AUTH; NULL: none. */
	void (*put)(struct ike_sa *ike, struct msg_wr *chain);
	/* Checks the AUTH of the peer in this message, whose bytes do not outlive the call: then auth_checked. */
	void (*check)(struct ike_sa *ike, const struct ike_msg *msg);
};

extern const struct auth_method auth_psk_method, auth_sig_method;

/* The row that a connection wants of us, of the peer. */
const struct auth_method *auth_method_of(enum conf_auth conf);

/* Our AUTH, or why there is none. The IKE SA may be gone afterwards. */
void auth_prepare(struct ike_sa *ike);
void auth_prepared(struct ike_sa *ike, const struct auth_fault *fault);
/* Takes a copy: what auth_put_own writes. 0 or -ENOMEM. */
int auth_own_set(struct ike_sa *ike, uint8_t method, struct slice data);
void auth_put_own(struct ike_sa *ike, struct msg_wr *chain);

/* The peer's AUTH by the row of its connection. The IKE SA may be gone afterwards. */
void auth_check(struct ike_sa *ike, const struct ike_msg *msg);
/* fault NULL: the peer is who it says: the proof is made here and nowhere else. */
void auth_checked(struct ike_sa *ike, const struct auth_fault *fault);

/* What is signed or MACed, RFC 7296 2.15; of_initiator says whose AUTH it is. Freed by the caller. 0 or -errno. */
int auth_octets(struct ike_sa *ike, bool of_initiator, uint8_t **p, size_t *n);
/* A reference to wait with, and the IKE SA that it belongs to when the wait is over; NULL: gone. */
struct job_ref auth_wait(struct ike_sa *ike);
struct ike_sa *auth_resume(struct agent *a, struct job_ref ref);

/* What we sign with: certificate, key and the snapshot that they lie in. */
struct auth_own {
	struct cred *cred; /* reference */
	struct cred_own own;
	enum sig_scheme scheme;
};
/* On the snapshot of now; NULL: there is none, or no memory. */
struct auth_own *auth_own_new(struct agent *a);
/* The CERTREQ payloads that the peer sent, at most two. How many. */
unsigned int auth_asked(const struct setup *s, struct ike_cert_pl out[2]);

void auth_fault_set(struct auth_fault *f, enum ike_counter reason, int error, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* Counts it, and says it within the budget of such lines. */
void auth_fault_note(struct ike_sa *ike, const struct auth_fault *f, const char *what);
void auth_established(struct ike_sa *ike);

/* The continuations of the two sides. */
void initiator_prepared(struct ike_sa *ike, const struct auth_fault *fault);
void initiator_checked(struct ike_sa *ike, const struct auth_fault *fault);
void responder_prepared(struct ike_sa *ike, const struct auth_fault *fault);
void responder_checked(struct ike_sa *ike, const struct auth_fault *fault);

/*
 * auth_next.c: the rules of the chosen connection do not take the peer, another's may. auth_keep copies the request
 * when there is such a connection, at most AUTH_CONNS_MAX are tried; auth_next moves to the next one and gives the
 * request again: *msg is freed by the caller. False: there is no other, or no memory.
 */
void auth_keep(struct ike_sa *ike, const struct ike_msg *msg);
bool auth_next(struct ike_sa *ike, const struct auth_fault *f, struct ike_msg **msg);
void auth_again_free(struct setup *s);
struct conn_query conn_query_of(const struct ike_sa *ike, const struct path *path, const struct ike_msg *msg);
/* Connection and with it our identity. False: no memory. */
bool responder_take_conn(struct ike_sa *ike, struct conn_conf *conn);
