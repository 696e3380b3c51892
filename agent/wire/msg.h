/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "common/rd.h"
#include "common/wr.h"
#include "ike.h"
#include "proposal.h"
#include "ts.h"

/*
 * IKE messages: bytes to a plain struct of numbers and slices and back. Pure: no allocation, no
 * log, no SA, no decision. Slices point into the datagram (or the decrypted copy of it).
 */
enum wire_err {
	WIRE_OK = 0,
	WIRE_SHORT,	  /* a length beyond its parent */
	WIRE_TRAILING,	  /* bytes after the end */
	WIRE_LENGTH,	  /* header length is not the datagram's */
	WIRE_VERSION,	  /* major version above 2: INVALID_MAJOR_VERSION */
	WIRE_OLD_VERSION, /* IKEv1 */
	WIRE_CRITICAL,	  /* unknown payload with the critical bit; msg.bad_payload names it */
	WIRE_TOO_MANY,	  /* more of something than its limit in ike.h */
	WIRE_REPEATED,	  /* a payload that may stand only once */
	WIRE_SYNTAX,	  /* anything else a payload's own rules forbid */
	WIRE_ERRS,
};
const char *wire_err_str(enum wire_err e);

struct ike_hdr {
	uint64_t spi_i, spi_r;
	uint8_t next;
	uint8_t version;
	uint8_t exchange;
	uint8_t flags;
	uint32_t mid;
	uint32_t length;
};

struct ike_id {
	uint8_t type; /* enum ike_id_type; 0 = absent */
	struct slice data;
};

struct ike_notify_pl {
	uint8_t proto;
	uint16_t type;
	struct slice spi, data;
};

struct ike_delete_pl {
	uint8_t proto;
	uint8_t spi_len;
	uint16_t n;
	uint32_t spi[IKE_DELETE_SPIS_MAX]; /* ESP and AH; further ones are WIRE_TOO_MANY */
};

struct ike_cert_pl {
	uint8_t encoding;
	struct slice data;
};

struct ike_msg {
	struct ike_hdr hdr;
	uint64_t present;    /* bit IKE_PL_x - 32 */
	uint8_t bad_payload; /* type that decoding failed in; 0 = in the header or at the end */
	size_t bad_at; /* where that payload begins, from the start of the datagram or of what was decrypted */
	uint16_t n_payloads, n_unknown, n_vendor, n_notify, n_delete, n_cert, n_certreq;
	struct proposals sa;
	struct {
		uint16_t group;
		struct slice data;
	} ke;
	struct slice nonce;
	struct ike_id id_i, id_r;
	struct {
		uint8_t method;
		struct slice data;
	} auth;
	struct ts_list ts_i, ts_r;
	struct ike_notify_pl notify[IKE_NOTIFIES_MAX];
	struct ike_delete_pl del[IKE_DELETES_MAX];
	struct ike_cert_pl cert[IKE_CERTS_MAX], certreq[IKE_CERTREQS_MAX];
	struct slice vendor[IKE_VENDORS_MAX];
	struct slice cp, eap; /* whole bodies; their own issue decodes them */
	/* SK or SKF, always the last payload: IV, ciphertext and ICV, not looked into */
	struct {
		bool present, fragment;
		uint16_t number, total; /* SKF */
		uint8_t first;		/* type of the first payload inside */
		struct slice body;	/* IV .. ICV */
		struct slice plain;	/* what msg_decode_inner read */
		struct slice aad; /* datagram from its first byte to the end of the SK header */
	} sk;
};

#define IKE_PRESENT(type) (1ULL << ((type) - 32))
static inline bool msg_has(const struct ike_msg *m, unsigned int type)
{
	return (m->present & IKE_PRESENT(type)) != 0;
}

/* Header alone: for demultiplexing before anything is allocated. */
enum wire_err ike_hdr_decode(struct slice datagram, struct ike_hdr *hdr);
/* Header and unencrypted payloads; what is inside SK or SKF is for msg_decode_inner. */
enum wire_err msg_decode(struct slice datagram, struct ike_msg *msg);
/* The decrypted payloads of SK, joined into the same struct (sk stays). `first` is their first
 * type. What stood outside counts: a payload that may stand once stands once in both together. */
enum wire_err msg_decode_inner(struct slice plain, uint8_t first, struct ike_msg *msg);
/*
 * A chain payload by payload, for those who show it: no limits, no rules but the lengths. *type is that of the next
 * payload, the first one's to begin with. False at the end and when the chain is cut off; then r is not empty or failed.
 */
struct payload_at {
	uint8_t type, next;
	bool critical;
	struct slice body; /* behind the generic header */
};
bool payload_next(struct rd *r, uint8_t *type, struct payload_at *out);
/* One payload by the rules of its kind, into a struct that was zeroed. WIRE_OK for unknown ones. */
enum wire_err payload_look(const struct payload_at *p, struct ike_msg *m);
/* The rule that an error of decoding stands for, in words, with the section that says so. */
const char *wire_rule(enum wire_err e, unsigned int payload);
/* First notify of a type, or NULL. */
const struct ike_notify_pl *msg_notify(const struct ike_msg *m, unsigned int type);
/* First notify that is an error (type < 16384), or NULL. */
const struct ike_notify_pl *msg_error_notify(const struct ike_msg *m);

/*
 * Writing: a chain of payloads. Each put links itself behind the one before; `first` is the
 * type to store in the header (or SK header). A payload that does not fit fails the writer.
 */
struct msg_wr {
	struct wr w;
	uint8_t first;
	size_t last_next; /* place of the last payload's next-payload byte; SIZE_MAX at first */
};

void msg_wr_init(struct msg_wr *m, void *buf, size_t cap);
/* Opens a payload and returns the place of its length field; msg_close ends it. What is put in
 * between goes to m->w. */
size_t msg_open(struct msg_wr *m, unsigned int type);
void msg_close(struct msg_wr *m, size_t at);
void msg_put_sa(struct msg_wr *m, const struct proposals *sa);
void msg_put_ke(struct msg_wr *m, uint16_t group, struct slice data);
void msg_put_nonce(struct msg_wr *m, struct slice nonce);
void msg_put_id(struct msg_wr *m, unsigned int type /* IDI or IDR */, const struct ike_id *id);
void msg_put_auth(struct msg_wr *m, uint8_t method, struct slice data);
void msg_put_ts(struct msg_wr *m, unsigned int type /* TSI or TSR */, const struct ts_list *ts);
void msg_put_notify(struct msg_wr *m, uint8_t proto, uint16_t type, struct slice spi,
		    struct slice data);
void msg_put_delete_ike(struct msg_wr *m);
void msg_put_delete(struct msg_wr *m, uint8_t proto, const uint32_t *spis, uint16_t n);
void msg_put_cert(struct msg_wr *m, unsigned int type /* CERT or CERTREQ */, uint8_t encoding,
		  struct slice data);
void msg_put_raw(struct msg_wr *m, unsigned int type, struct slice body);
/* The header as it stands, `next` and `length` included. */
void ike_hdr_put(struct wr *w, const struct ike_hdr *hdr);
/* Whole unencrypted datagram from a chain: header then payloads. 0 or -EMSGSIZE. */
int msg_seal_plain(const struct ike_hdr *hdr, const struct msg_wr *chain, struct wr *out);
/* Body of an ID payload without its generic header (for AUTH): type, 3 zero bytes, data. */
void id_body(struct wr *w, const struct ike_id *id);
