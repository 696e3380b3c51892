/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Every constant of the exchanges that is not the protocol's own (wire/ike.h) or configured. */
enum {
	INIT_COOKIE_TRIES = 3,	   /* COOKIE answers followed for one IKE_SA_INIT */
	INIT_KE_TRIES = 3,	   /* INVALID_KE_PAYLOAD answers followed, in any exchange */
	INIT_ERROR_WAIT_MS = 1000, /* an unauthenticated refusal must stand that long unanswered */
	INIT_DATAGRAM_MAX = 8192,  /* IKE_SA_INIT kept for AUTH: bounds the memory of a half-open IKE SA */
	AUTH_MESSAGE_MAX = 32768,  /* IKE_AUTH kept while the shared secret is computed, in fragments or whole */
	HELD_MAX = 64,		   /* datagrams of it */
	CERTREQ_SEND_MAX = 32,	   /* hashes of CAs in one CERTREQ of ours */
	CERTREQ_RULES_MAX = 32,	   /* different rules of trust that it is made from */
	AUTH_CONNS_MAX = 8,	   /* connections whose rules are tried for one peer */
	CERTREQ_KEEP_MAX = 4000,   /* bytes of such hashes kept of a peer */
	MSG_CHAIN_MAX = 32768,	   /* payloads of a message that we write */
	DEAD_LINGER_MS = 15000,	   /* the last answer of a deleted IKE SA stays for retransmits */
	SWITCH_POLL_MS = 20,	   /* responder of a rekey looks whether the peer uses the new SA */
	SWITCH_SLOW_MS = 2000,	   /* ... so often only that long, then ... */
	SWITCH_RARE_MS = 500,	   /* ... so often: the answer was lost and will be asked for again */
	SWITCH_WAIT_MS = 180000,   /* ... and switches then in any case: the peer has given up long since */
	TEMP_FAIL_FIRST_MS = 1000, /* doubles with each TEMPORARY_FAILURE */
	TEMP_FAIL_TRIES = 7,	   /* two minutes in all, then the IKE SA is closed (RFC 7296 2.25) */
	REKEY_RETRY_MS = 30000,	   /* after a refused rekey or reauthentication */
	CONTACT_WAIT_MS = 300,	   /* a peer that starts over has our answer by then: the older SAs end */
	DUPLICATE_WAIT_MS = 5000,  /* the peer deletes its superfluous IKE SA, or we do */
	LIVENESS_HINT_MS = 10000,  /* at most one liveness check an IKE SA for forgeable hints */
	PLAIN_ANSWER_BURST = 20,   /* unprotected error notifies */
	PLAIN_ANSWER_MS = 100,	   /* one more each */
	RESTART_WAIT_MS = 100,	   /* between the end of an SA and its re-initiation */
	RESOLVE_WAIT_S = 10,	   /* DNS */
	IKE_PORT = 500,
	IKE_PORT_NAT_T = 4500,
	MID_REKEY = 0x7fffffff,	   /* message id from which the IKE SA is rekeyed at once */
	OBSERVERS_MAX = 4,
	ORPHANS_MAX = 4096,
};
