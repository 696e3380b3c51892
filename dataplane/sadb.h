/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "crypto.h"
#include "iv.h"
#include "mtu.h"
#include "outer.h"
#include "replay.h"

#include "common/plane_msg.h"
#include "maps/layout.h"

#include <stdatomic.h>
#include <stddef.h>

/*
 * Security associations as the packet path sees them. A record is built whole by the control thread, handed to the
 * worker that owns the slot, and from then on belongs to that worker alone until it hands it back;
 * so there are no locks and nothing is ever changed under a reader. What each packet needs
 * comes first.
 */
typedef unsigned __int128 sa_u128;

/* One traffic selector as numbers. */
struct sa_ts {
	sa_u128 lo, hi;
	uint16_t port_lo, port_hi;
	uint8_t protocol;
	uint8_t family; /* 4 or 6: "any IPv6 address" holds no IPv4 ones, mapped or not */
	uint8_t pad[12];
};

/* Counters of one direction: the worker counts here and stores into the map, which it never reads. */
struct sa_count {
	uint64_t packets, bytes;
	uint64_t soft_packets, soft_bytes, hard_packets, hard_bytes; /* UINT64_MAX = none */
};

enum {
	SA_ESN = 1,
	SA_COPY_ECN = 2,
	SA_COPY_DSCP = 4,
	SA_HARD = 8,	   /* a hard limit was reached: nothing passes any more */
	SA_SOFT_SENT = 16, /* said once */
	SA_CYCLED = 32,	   /* the sequence space is used up */
	SA_TRANSPORT = 64,
};

struct sa_in {
	/* hot */
	uint32_t slot, generation, spi;
	uint8_t flags, iv_len, icv_len, align;
	struct crypto_session *session;
	volatile struct xs_sa_dir_stat *stat;
	volatile struct xs_sa_seq *seq_map;
	uint16_t n_local, n_remote;
	uint16_t sport; /* peer's UDP port, 0 = plain ESP */
	uint16_t worker;
	uint64_t nat_event_ns; /* when NAT_CHANGE was last raised */
	struct sa_count count;
	/* warm */
	uint8_t src[16]; /* peer */
	struct sa_ts remote[PLANE_TS_MAX], local[PLANE_TS_MAX];
	struct replay replay;
};

struct sa_out {
	/* hot */
	uint32_t slot, generation, spi;
	uint8_t flags, iv_len, icv_len, align;
	struct crypto_session *session;
	volatile struct xs_sa_dir_stat *stat;
	uint64_t seq;	   /* last number used */
	uint64_t reserved; /* numbers up to here are written off in sa_seq */
	volatile struct xs_sa_seq *seq_map;
	uint16_t ip_id;
	uint16_t tfc; /* pad to this length now: what is wanted, as far as the path takes it */
	uint16_t worker;
	bool random_iv;
	struct outer outer;
	struct sa_count count;
	/* warm */
	uint16_t tfc_wanted;
	uint64_t iv_offset; /* counter IVs are number plus this: 0, except where an IV is given (tests/vectors) */
	struct esp_shape shape;
	uint16_t mtu_told; /* largest inner packet that the agent heard of */
	uint8_t src[16], dst[16];
	struct iv_gen iv;
};

_Static_assert(offsetof(struct sa_in, count) <= 64, "inbound: the first line has all but the counters");
_Static_assert(offsetof(struct sa_out, outer) == 64, "outbound: sequence and session in the first line");
_Static_assert(offsetof(struct sa_out, count) <= 128, "outbound: headers in the second");

struct xs_maps;

/*
 * Builds a record from the agent's message, its keys into a crypto session. 0, or -errno and one line
 * in err. The message still has to be wiped by the caller.
 */
int sa_in_new(struct sa_in **out, const struct plane_sa_add *add, struct xs_maps *maps,
	      const struct crypto_backend *backend, char *err, size_t errlen);
int sa_out_new(struct sa_out **out, const struct plane_sa_add *add, struct xs_maps *maps,
	       const struct crypto_backend *backend, char *err, size_t errlen);
/* Wipes; NULL is harmless. */
void sa_in_free(struct sa_in *sa);
void sa_out_free(struct sa_out *sa);

sa_u128 sa_addr(const uint8_t mapped[16]);
/* True when family, protocol, address and port lie inside one of the n selectors. ports_known false: a later
 * fragment, which only selectors with any port or OPAQUE take. */
bool sa_ts_match(const struct sa_ts *ts, unsigned int n, uint8_t family, uint8_t protocol, sa_u128 addr,
		 uint16_t port, bool ports_known);

/* ---- slots ------------------------------------------------------------------------------------ */

/* What a worker owns, by slot. Only its own thread touches it. */
struct sa_pair {
	struct sa_in *in;
	struct sa_out *out;
};

/* Which worker owns a slot, for all to read; written by the control thread before it installs. */
struct sa_owner {
	_Atomic uint8_t worker;
};
