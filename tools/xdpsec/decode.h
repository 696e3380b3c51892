/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "agent/crypt/keylog.h"
#include "agent/wire/msg.h"
#include "common/addr.h"

#include <jansson.h>
#include <stdio.h>

/*
 * IKE, ESP and AH as an engineer reads them. What a datagram says becomes one JSON value (decode_ike.c, decode_esp.c, decode_ah.c), by the agent's own
 * decoders and table of algorithms; --json prints that, decode_print.c writes it for people.
 */

/* ---- decode_capture.c: where datagrams come from ---- */
enum frame_kind { FRAME_IKE, FRAME_ESP, FRAME_AH, FRAME_KEEPALIVE };
struct frame {
	unsigned long number; /* packet of the capture, or line */
	char time[40];	      /* ISO 8601, or "" */
	bool addressed;	      /* from and to are known */
	bool encap;	      /* ESP in UDP */
	bool cut;	      /* the capture does not have all of it, or it is the first of IP fragments */
	struct endpoint from, to;
	enum frame_kind kind;
	struct slice bytes; /* IKE header on, or ESP or AH header on; valid until the next call */
};
struct capture;
/* A pcap or pcapng file, or lines of hex; "-" is standard input. NULL, with text in err. */
struct capture *capture_open(const char *path, char *err, size_t errlen);
/* 1 and the next frame of ours, 0 at the end, -1 with text in err: of a line, then it goes on behind it; or *fatal. */
int capture_next(struct capture *c, struct frame *f, bool *fatal, char *err, size_t errlen);
void capture_close(struct capture *c);

/* ---- decode_frame.c ---- */
/* What a UDP payload, without its port, or a line of hex is. */
void frame_guess(struct frame *f, struct slice bytes);
/* A packet that begins with its IP header. False when it is nothing of ours. */
bool frame_of_ip(struct frame *f, struct slice packet);

/* ---- decode_keys.c ---- */
struct decode_keys {
	struct ike_key *ike;
	struct esp_key *esp;
	unsigned int n_ike, n_esp;
};
/* Lines of a file, `#` comments. 0 or -1 with text in err. */
int keys_load(struct decode_keys *k, const char *path, char *err, size_t errlen);
/* One line; 0 or -errno as keylog_read_ike, or -ENOMEM. */
int keys_add(struct decode_keys *k, const char *line);
void keys_free(struct decode_keys *k);
const struct ike_key *keys_of_ike(const struct decode_keys *k, uint64_t spi_i, uint64_t spi_r);
const struct esp_key *keys_of_esp(const struct decode_keys *k, uint32_t spi, const struct frame *f);

/* ---- decode_join.c: payloads of messages that came in fragments ---- */
struct joiner;
struct joiner *joiner_new(void);
void joiner_free(struct joiner *j);
/* A fragment's plain text. When it was the last that was missing: the whole, malloced, its length and first type; else NULL. */
uint8_t *joiner_add(struct joiner *j, const struct ike_msg *msg, struct slice plain, size_t *n, uint8_t *first);

/* ---- decode_ah.c ---- */
json_t *decode_ah(const struct frame *f);
/* 0 when it is too short for one. */
uint32_t ah_spi(struct slice bytes);

/* ---- decode_ike.c, decode_esp.c ---- */
/* keys and join may be NULL. A new object. */
json_t *decode_ike(struct slice datagram, const struct decode_keys *keys, struct joiner *join);
json_t *decode_esp(const struct frame *f, const struct decode_keys *keys);

/* ---- decode_payload.c ---- */
/* Adds to `o` what the payload says, as far as it can be read. */
void decode_payload(json_t *o, const struct payload_at *p);
json_t *hex_new(struct slice s);
/* Text with what is not printable ASCII as '?'. */
json_t *text_new(struct slice s);

/* ---- decode_cert.c: the subject of a certificate, DER; "" when it is none ---- */
void cert_subject(struct slice der, char *buf, size_t n);

/* ---- decode_print.c ---- */
void decode_print(FILE *to, const json_t *frame);
