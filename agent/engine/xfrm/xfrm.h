/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "agent/sa/handle.h"
#include "common/addr.h"
#include "common/alg.h"
#include "common/slice.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

struct event_base;

/*
 * The kernel's IPsec (XFRM) by netlink, in our terms: addresses with a family, numbers in host
 * order, algorithms by their rows. No name of <linux/xfrm.h> is used or needed here. All of it
 * belongs to the loop's thread. reqid range and if_id by which ours are told from others' are the
 * caller's: nothing here deletes what was not named, and nothing flushes.
 */

/* ---- what SAs and policies are made of --------------------------------------------------------
 */

/* Numbers are the kernel's, for policies as for SAs (which have no XF_FWD). */
enum xf_dir { XF_IN = 0, XF_OUT = 1, XF_FWD = 2 };
enum xf_mode { XF_TRANSPORT = 0, XF_TUNNEL = 1, XF_BEET = 4 };
/* Protocols are IPPROTO_ESP, IPPROTO_AH, IPPROTO_COMP. */

enum {
	XF_WINDOW_MAX = 4096, /* packets */
	XF_TMPL_MAX = 6,      /* the kernel's XFRM_MAX_DEPTH */
	XF_TEXT_MAX = 128,    /* of an error, with its end */
	XF_ALG_NAME_MAX = 64,
	XF_MIGRATE_MAX = 6,
};

struct xf_mark {
	uint32_t value, mask; /* mask 0: none */
};

/*
 * Traffic: two prefixes of one family, ports under masks. family 0: "any", where allowed. ICMP and
 * ICMPv6: sport is the type and dport the code, masks 0xffff; protocol 0 = any.
 */
struct xf_selector {
	struct ip_addr src, dst;
	uint8_t src_len, dst_len; /* prefix lengths */
	uint8_t protocol;
	uint16_t sport, sport_mask, dport, dport_mask;
	int ifindex; /* only what leaves by this interface; 0 = by any */
};

/* 0 = no limit, each. Seconds since the SA was added, by the kernel's wall clock. */
struct xf_limits {
	uint64_t soft_bytes, hard_bytes, soft_packets, hard_packets, soft_s, hard_s;
};

/* UDP encapsulation (RFC 3948) when dport is not 0; from the SA's source to its destination. */
struct xf_encap {
	uint16_t sport, dport;
	struct ip_addr
	    oa; /* transport mode: the peer's own address behind its NAT; family 0: unknown */
};

/*
 * Who does the work of an SA: the kernel, or a network card the cipher alone or whole packets.
 * XF_OFFLOAD_AUTO asks for packet, then crypto, then is content with none. A card that refuses what
 * was asked for by name is an error.
 */
enum xf_offload_wish { XF_OFFLOAD_NO, XF_OFFLOAD_CRYPTO, XF_OFFLOAD_PACKET, XF_OFFLOAD_AUTO };
struct xf_offload {
	enum xf_offload_wish wish; /* in what the kernel shows: what was got */
	int ifindex;		   /* 0: the interface of the route to the SA's far end */
};

struct xf_flags {
	bool no_ecn;	    /* do not carry congestion marks inside (copy_ecn = no) */
	bool no_pmtu;	    /* outer header without DF, whatever the inner says (copy_df = no) */
	bool decap_dscp;    /* inbound: the outer DSCP replaces the inner */
	bool no_encap_dscp; /* outbound: outer DSCP is zero, not the inner one */
	bool icmp;	    /* takes ICMP errors about what it protects */
	bool wild_recv;	    /* inbound: from any source */
	bool align4;	    /* AH over IPv4: ICV padded to 4 bytes, not 8 */
	bool oseq_may_wrap;
};

/*
 * An SA to add. Keys are borrowed until the call returns; encr_key has the salt behind the key, as
 * kdf_child gives it. ESP     encr with aead; or encr and integ (encr may be the NULL row) AH integ
 * alone IPComp  neither: "deflate"; spi is the CPI, below 65536 Inbound (dir XF_IN) the window is
 * checked, 0 = no check of replays; with esn it must be 1 at least (the kernel has no extended
 * numbers without a window). Outbound it has no meaning.
 */
struct xfrm_sa_spec {
	enum xf_dir dir; /* XF_IN or XF_OUT */
	struct ip_addr src, dst;
	uint32_t spi;
	uint8_t proto;
	enum xf_mode mode;
	uint32_t reqid, if_id;
	struct xf_mark mark;	 /* which packets find this SA */
	struct xf_mark set_mark; /* what packets get that went through it */
	struct xf_encap encap;
	bool esn;
	uint32_t window; /* 0..XF_WINDOW_MAX */
	const struct alg *encr, *integ;
	struct slice encr_key, integ_key;
	struct xf_limits limits;
	struct xf_flags flags;
	struct xf_offload offload;
	uint32_t tfc_pad; /* bytes, 0 = none */
	bool per_cpu;
	uint32_t cpu; /* with per_cpu */
	/* What may be inside; family 0: anything, of either family in tunnel mode. */
	struct xf_selector sel;
};

/* Names an SA. */
struct xfrm_sa_id {
	struct ip_addr dst;
	uint32_t spi;
	uint8_t proto;
	struct xf_mark mark; /* as it was added with */
};

/* An SA as the kernel shows it; no keys. */
struct xfrm_sa_info {
	struct xfrm_sa_spec
	    spec; /* slices and rows empty; dir as far as the kernel says (dir_known) */
	bool dir_known;
	char encr[XF_ALG_NAME_MAX], integ[XF_ALG_NAME_MAX],
	    comp[XF_ALG_NAME_MAX];	/* kernel's names; "" */
	uint16_t encr_bits, integ_bits; /* of the key, with salt */
	uint16_t icv_bits;
	uint64_t bytes, packets;
	uint64_t added_s, first_used_s, last_used_s; /* wall clock, 0 = never */
	uint32_t replay_window_drops, replay_drops,
	    integrity_drops; /* left of the window; seen; bad tag */
	uint64_t seq, oseq;  /* highest received; last sent */
};

/* A template of a policy: what must be done to a packet, or must have been done. */
struct xfrm_tmpl {
	struct ip_addr src, dst; /* family 0: the selector's; tunnel mode names both */
	uint32_t spi;		 /* 0 = any */
	uint8_t proto;
	enum xf_mode mode;
	uint32_t reqid;
	bool optional; /* IPComp inbound: small packets come without */
};

enum xf_action { XF_ALLOW = 0, XF_BLOCK = 1 };

struct xfrm_policy_spec {
	enum xf_dir dir;
	struct xf_selector sel; /* with a family */
	enum xf_action action;
	uint32_t priority;
	uint32_t if_id;
	struct xf_mark mark;
	unsigned int n_tmpl; /* outermost last, as applied outbound */
	struct xfrm_tmpl tmpl[XF_TMPL_MAX];
	struct xf_offload offload; /* packet or no; SAs with packet offload want their policies so,
				      with an ifindex */
	bool icmp;		   /* takes ICMP errors about what it selects */
	bool cpu_acquire;	   /* an acquire for each CPU (6.12) */
};

/* Names a policy: all that the kernel compares. */
struct xfrm_policy_id {
	enum xf_dir dir;
	struct xf_selector sel;
	uint32_t if_id;
	struct xf_mark mark;
};

struct xfrm_policy_info {
	struct xfrm_policy_spec spec;
	uint32_t index;
	uint64_t added_s, used_s;
};

/*
 * Moves SAs and the templates of one policy to other endpoints: keys, numbers and windows go on.
 * Each direction and each policy is one message; a policy whose SAs have moved already (XF_FWD, the
 * other inner family) has its templates moved.
 */
struct xfrm_migrate_spec {
	struct xfrm_policy_id policy;
	unsigned int n;
	struct xfrm_migrate_sa {
		struct ip_addr old_src, old_dst, new_src, new_dst;
		uint8_t proto;
		enum xf_mode mode;
		uint32_t reqid;
	} sa[XF_MIGRATE_MAX];
	struct xf_encap encap; /* dport 0: as it was; the kernel cannot take encapsulation off
				  (-EOPNOTSUPP then: rekey) */
};

/* ---- events
 * ---------------------------------------------------------------------------------------- */

enum xfrm_event_kind {
	XF_EV_ACQUIRE, /* a policy has no SA for a packet */
	XF_EV_EXPIRE,  /* soft or hard; after hard the SA is gone */
	XF_EV_MAPPING, /* authentic packets come from another endpoint; the kernel keeps the old one
			*/
	XF_EV_SA_GONE, /* somebody else deleted it */
	XF_EV_SA_FLUSHED, /* somebody flushed: look what is left (xfrm_sa_dump) */
	XF_EV_POLICY_GONE,
	XF_EV_POLICY_FLUSHED,
	XF_EV_OVERRUN, /* events were lost: resync by dumps */
};

struct xfrm_event {
	enum xfrm_event_kind kind;
	union {
		struct {
			struct xf_selector sel; /* of the packet, one flow */
			struct xfrm_policy_spec policy;
			uint32_t index;
			bool per_cpu;
			uint32_t cpu;
		} acquire;
		struct {
			struct xfrm_sa_id id;
			struct ip_addr src;
			uint32_t reqid, if_id;
			bool hard;
			uint64_t bytes, packets; /* when it was sent */
			uint64_t added_s;
		} expire;
		struct {
			struct xfrm_sa_id id;
			uint32_t reqid;
			struct endpoint from, to; /* old and new source */
		} mapping;
		struct {
			struct xfrm_sa_id id;
			struct ip_addr src;
			uint32_t reqid, if_id;
		} sa;
		struct {
			struct xfrm_policy_id id;
			uint32_t index;
		} policy;
		uint8_t proto; /* SA_FLUSHED: 0 = all protocols */
	};
};

/* ---- the client
 * ------------------------------------------------------------------------------------ */

struct xfrm_client;

struct xfrm_client_ops {
	/* Ours are not among the deleted and flushed. From the loop only; the client must not be
	 * freed in it. */
	void (*event)(void *ctx, const struct xfrm_event *ev);
	int request_rcvbuf, event_rcvbuf; /* bytes; 0 = enough for what is asked here */
};

/*
 * Two netlink sockets: requests, and the groups that tell of events. Takes CAP_NET_ADMIN now and
 * for each request. NULL, errno and a line in err: no XFRM in this kernel, no right.
 */
struct xfrm_client *xfrm_client_new(struct event_base *base, const struct xfrm_client_ops *ops,
				    void *ctx, char *err, size_t errlen);
/* Sends what is queued; callbacks of what was asked come no more. Leaves all SAs and policies. */
void xfrm_client_free(struct xfrm_client *c);

/*
 * How an answer comes back. error is 0 or -errno, text the kernel's own words or "". Called exactly
 * once after a call that returned 0, never inside that call: from the loop, or from xfrm_flush.
 */
typedef void (*xfrm_done_fn)(void *ctx, struct sa_ref ref, uint64_t tag, int error,
			     const char *text);
struct xfrm_wait {
	xfrm_done_fn done; /* NULL: nobody waits; failures are logged */
	void *ctx;
	struct sa_ref ref;
	uint64_t tag;
};

/*
 * Requests go into a batch, sent in one system call when it is full or at the end of the loop's
 * turn; in the order asked. 0 or -errno (then no answer comes): -EINVAL what no kernel could take,
 * with words in `why` when not NULL (XF_TEXT_MAX bytes); -ENOMEM. `w` NULL: as done NULL.
 */
/* -EEXIST: there is one. Keys are copied into locked memory, wiped as soon as they are sent. With
 * an offload wish the batch and this are sent at once, and the answer's text says who does the work
 * ("packet offload by eth0", "software: ..."); xfrm_sa_get has it as numbers. */
int xfrm_sa_add(struct xfrm_client *c, const struct xfrm_sa_spec *s, const struct xfrm_wait *w,
		char *why);
/* -ESRCH: there is none. */
int xfrm_sa_del(struct xfrm_client *c, const struct xfrm_sa_id *id, const struct xfrm_wait *w);
/* Adds; -EEXIST when any program has one with this name. What is replaced must be known to be ours:
 * xfrm_policy_put. */
int xfrm_policy_add(struct xfrm_client *c, const struct xfrm_policy_spec *p,
		    const struct xfrm_wait *w, char *why);
/* Adds or replaces, in one step that no packet can fall through. */
int xfrm_policy_put(struct xfrm_client *c, const struct xfrm_policy_spec *p,
		    const struct xfrm_wait *w, char *why);
/* -ENOENT: there is none. */
int xfrm_policy_del(struct xfrm_client *c, const struct xfrm_policy_id *id,
		    const struct xfrm_wait *w);
/* -EOPNOTSUPP: this kernel cannot, rekey instead. -ENOENT: no such policy; -ENODATA: its templates
 * do not name what is to move. That no SA was found is no error of the kernel's. */
int xfrm_migrate(struct xfrm_client *c, const struct xfrm_migrate_spec *m,
		 const struct xfrm_wait *w, char *why);
/* Sends what is queued now, and gives all answers: callbacks run inside. */
void xfrm_flush(struct xfrm_client *c);

/* These ask at once, behind what is queued. 0 or -errno; -ESRCH, -ENOENT: there is none. */
int xfrm_sa_get(struct xfrm_client *c, const struct xfrm_sa_id *id, struct xfrm_sa_info *out);
int xfrm_policy_get(struct xfrm_client *c, const struct xfrm_policy_id *id,
		    struct xfrm_policy_info *out);
/* All of this network namespace, other programs' too, and the SAs of IP in IP (IPPROTO_IPIP) that
 * the kernel makes below those of IPComp; the callback must not call back into the client, false
 * ends the walk. -EINTR: they changed meanwhile, ask again. */
int xfrm_sa_dump(struct xfrm_client *c, bool (*fn)(void *ctx, const struct xfrm_sa_info *sa),
		 void *ctx);
int xfrm_policy_dump(struct xfrm_client *c, bool (*fn)(void *ctx, const struct xfrm_policy_info *p),
		     void *ctx);

struct xfrm_client_stat {
	uint64_t requests, batches, failed;
	uint64_t lost_answers; /* found out by asking what holds */
	uint64_t events, overruns, malformed;
};
void xfrm_client_stat_get(const struct xfrm_client *c, struct xfrm_client_stat *out);
