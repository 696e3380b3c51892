/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "alg.h"

#include <stdint.h>

/*
 * What agent and dataplane say to each other over RUN_DIR/dataplane.sock (unix, SOCK_SEQPACKET, one
 * struct a message; the dataplane listens, checks SO_PEERCRED, and serves one agent at a time: a new
 * one replaces the old). This is the only place where ESP keys travel. SAs stay in the dataplane
 * when the agent goes away. Each request is answered by one PLANE_ACK with the same number, in order.
 */
enum { PLANE_PROTOCOL = 2, PLANE_TS_MAX = 16, PLANE_KEY_MAX = 64, PLANE_TEXT_MAX = 128,
       PLANE_PORTS_MAX = 32, PLANE_TFC_MTU = UINT16_MAX };

enum plane_type {
	PLANE_HELLO = 1, /* both ways, first */
	PLANE_SA_ADD,	 /* agent: install one direction of a slot */
	PLANE_SA_DEL,	 /* agent: remove one direction; keys are wiped */
	PLANE_SA_MOVE,	 /* agent: new outer endpoints (NAT mapping change) */
	PLANE_INFO_GET,	 /* agent */
	PLANE_ACK,	 /* dataplane */
	PLANE_INFO,	 /* dataplane: answer to PLANE_INFO_GET instead of PLANE_ACK */
	PLANE_EVENT,	 /* dataplane: unasked */
};

struct plane_hdr {
	uint16_t type;
	uint16_t len;	  /* of the whole message */
	uint32_t request; /* 0 for events */
};

struct plane_hello {
	struct plane_hdr hdr;
	uint32_t protocol;	 /* PLANE_PROTOCOL */
	uint32_t layout_version; /* XS_LAYOUT_VERSION */
	uint64_t instance;	 /* dataplane: random at start; a new value means that its SAs are gone */
};

enum plane_direction { PLANE_IN = 0, PLANE_OUT = 1 };

/* One traffic selector; addresses as in the maps (IPv4 mapped), first and last. */
struct plane_ts {
	uint8_t lo[16], hi[16];
	uint16_t port_lo, port_hi; /* host order; lo > hi: OPAQUE */
	uint8_t protocol;	   /* 0 = any */
	uint8_t family;		   /* 4 or 6 */
	uint8_t pad[2];
};

struct plane_sa_add {
	struct plane_hdr hdr;
	uint32_t slot, generation, spi;
	uint8_t direction; /* enum plane_direction */
	uint8_t mode;	   /* enum xs_mode */
	uint8_t esn;
	uint8_t copy_df, copy_ecn, copy_dscp; /* outbound header rules; 1 = yes */
	uint16_t encr, encr_bits, integ;      /* IKEv2 transform ids; integ 0 with AEAD */
	uint16_t replay_window;		      /* inbound, 0 = no check */
	uint16_t sport, dport;		      /* UDP encapsulation, 0 = plain ESP */
	uint16_t worker;
	uint16_t tfc; /* tunnel mode: pad inner packets to this length or what the path takes, 0 = no */
	uint8_t src[16], dst[16];	      /* outer addresses of packets of this direction */
	uint64_t soft_bytes, hard_bytes, soft_packets, hard_packets; /* 0 = none */
	uint64_t seq; /* outbound: last number that may have been used */
	uint32_t n_local, n_remote; /* selectors: ours, then the peer's, in ts[] */
	struct plane_ts ts[2 * PLANE_TS_MAX];
	uint32_t encr_key_len, integ_key_len; /* bytes; AEAD: key then salt */
	uint8_t encr_key[PLANE_KEY_MAX];
	uint8_t integ_key[PLANE_KEY_MAX];
};

struct plane_sa_del {
	struct plane_hdr hdr;
	uint32_t slot, generation;
	uint8_t direction;
	uint8_t pad[7];
};

struct plane_sa_move {
	struct plane_hdr hdr;
	uint32_t slot, generation;
	uint8_t direction;
	uint8_t pad[3];
	uint16_t sport, dport;
	uint8_t src[16], dst[16];
};

struct plane_ack {
	struct plane_hdr hdr;
	int32_t error; /* 0 or -errno */
	uint32_t pad;
	uint64_t packets, bytes, seq; /* PLANE_SA_DEL: what the direction ended with */
	char text[PLANE_TEXT_MAX];    /* why, when error */
};

enum plane_event_kind {
	PLANE_EV_SOFT = 1,	/* soft limit by bytes or packets, or 3/4 of the sequence space */
	PLANE_EV_HARD,		/* hard limit or end of the sequence space: the SA passes nothing more */
	PLANE_EV_NAT_CHANGE,	/* authenticated, newest packet came from another address or port */
	PLANE_EV_MTU,		/* outbound: the largest inner packet is known now, or another */
};

struct plane_event {
	struct plane_hdr hdr;
	uint32_t kind;
	uint32_t slot, generation, spi;
	uint8_t direction;
	uint8_t pad[3];
	uint16_t mtu;
	uint16_t port;
	uint8_t addr[16];
};

/* What does an algorithm; SAs of what only OpenSSL does are OpenSSL's, whatever the backend. */
enum plane_engine { PLANE_ENGINE_OPENSSL = 1, PLANE_ENGINE_CRYPTODEV = 2 };

struct plane_info_port {
	char ifname[16];
	char kind[8];  /* "xsk", ... */
	char mode[16]; /* "copy", "zero-copy" */
	uint32_t queues;
	uint32_t mtu;
};

struct plane_info {
	struct plane_hdr hdr;
	uint32_t pid;
	uint32_t workers;
	uint32_t sas_in, sas_out;
	char crypto[64]; /* "cryptodev: crypto_aesni_gcm, crypto_aesni_mb", "openssl 3.0.17" */
	uint32_t n_ports;
	uint32_t pad;
	struct plane_info_port port[PLANE_PORTS_MAX];
	uint8_t engine[ALG_ROWS_MAX]; /* ENCR and INTEG rows, by alg_index: bits of enum plane_engine, 0 = none */
};

union plane_msg {
	struct plane_hdr hdr;
	struct plane_hello hello;
	struct plane_sa_add add;
	struct plane_sa_del del;
	struct plane_sa_move move;
	struct plane_ack ack;
	struct plane_event event;
	struct plane_info info;
};
