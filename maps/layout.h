/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

/*
 * The contract between agent, dataplane, loader and BPF programs: every key and value of every
 * pinned map, once. Kernel types only. Numbers are host order unless a name ends in _be; addresses
 * are 16 bytes in network order, IPv4 as ::ffff:a.b.c.d. No field here ever holds a key byte.
 *
 * Hot and cold are split. The packet path reads small arrays (sa_slot, bundle, selector, flow); the
 * tables a person reads (sa_in, sa_out, policy, port, next_hop) are hashes, so that a dump
 * has the live rows and nothing else. What is in use is never edited in place: a row is written to
 * a free place and published with one 8-byte store.
 */
#ifndef __bpf__
#include <linux/types.h>
#include <stddef.h>
#endif
#include "drop.h"

#define XS_LAYOUT_VERSION 3

enum {
	XS_SA_SLOTS_MAX = 65536,  /* default number of slots; slot 0 is never used */
	XS_POLICIES_MAX = 131072, /* default; policy 0 and bundle 0 are never used */
	XS_MASKS_MAX = 32,	  /* tuple-space: masks looked at for one packet */
	XS_MASK_ROWS = 8,	  /* generations of the mask table */
	XS_RANGES_MAX = 8,	  /* true port ranges (or priorities) behind one selector */
	XS_PORTS_MAX = 32,
	XS_QUEUES_MAX = 16, /* receive queues of one port */
	XS_WORKERS_MAX = 16,
	XS_SPREAD_MAX = 64, /* CPUs that the ESP of one port is spread over */
	XS_NAME_LEN = 32,
	XS_META_MAGIC = 0x58445053, /* "XDPS" */
};

enum xs_action { XS_BYPASS = 1, XS_DISCARD, XS_PROTECT, XS_TRAP };
/* OFFLOAD: the kernel's SA, and a card that encrypts: packets are plain on this side of it. */
enum xs_engine { XS_ENGINE_NONE, XS_ENGINE_KERNEL, XS_ENGINE_DATAPLANE, XS_ENGINE_OFFLOAD };
enum xs_mode { XS_TUNNEL, XS_TRANSPORT };
/* RAMP: the far end of the pair that this host's own packets come by. */
enum xs_role { XS_ROLE_WAN = 1, XS_ROLE_LAN, XS_ROLE_RAMP };

/* Aligned, so that BPF compares and masks it in two loads. */
struct xs_addr {
	__u8 b[16];
} __attribute__((aligned(8)));

/* sa_slot: array by slot, what xdp_wan needs. The SPI is written last: 0 = free. */
struct xs_sa_slot {
	struct xs_addr dst; /* our address */
	__u32 spi;
	__u32 generation;
	__u32 policy;
	__u16 sport, dport; /* of UDP encapsulation as received; 0 = plain ESP */
	__u16 worker;
	__u8 engine;
	__u8 protocol; /* 51: AH; else ESP */
	__u8 pad[4];
};

/* sa_in and sa_out: hash by SPI (ours) and by slot; for people, not for packets. */
struct xs_sa_in_key {
	__u32 spi;
};

struct xs_sa_out_key {
	__u32 slot;
};

struct xs_sa {
	__u32 spi; /* sa_out: the peer's */
	__u32 slot;
	__u32 generation;
	__u32 reqid;
	struct xs_addr src, dst;
	__u16 sport, dport;    /* UDP encapsulation, 0 = plain ESP */
	__u16 encr, encr_bits; /* IKEv2 transform ids */
	__u16 integ;
	__u16 worker;
	__u16 replay_window; /* sa_in */
	__u8 protocol;	     /* 50, or 51: AH */
	__u8 mode;	     /* enum xs_mode */
	__u8 engine;	     /* enum xs_engine */
	__u8 esn;
	__u16 mtu;	/* sa_out: largest inner packet, 0 = not known yet */
	__u32 next_hop; /* sa_out */
	__u32 bundle;
	__u32 child_id;	    /* the agent's #n of the Child SA */
	__u32 ike_id;	    /* and of its IKE SA */
	__u64 installed_ns; /* CLOCK_BOOTTIME */
	__u64 expires_ns;   /* hard limit by time, 0 = none */
	char conn[XS_NAME_LEN];
	char child[XS_NAME_LEN];
};

/*
 * bundle: mmapable array of one u64: what a policy encrypts with now; 0 = nothing. Of engine OFFLOAD
 * `worker` is the index of the port whose card does it.
 */
#define XS_BUNDLE(slot, generation, worker, engine)                                                \
	((__u64)(slot) | ((__u64)((generation)&0xffffff) << 24) | ((__u64)((worker)&0xff) << 48) | \
	 ((__u64)((engine)&0xff) << 56))
#define XS_BUNDLE_SLOT(w)	((__u32)((w)&0xffffff))
#define XS_BUNDLE_GENERATION(w) ((__u32)(((w) >> 24) & 0xffffff))
#define XS_BUNDLE_WORKER(w)	((__u32)(((w) >> 48) & 0xff))
#define XS_BUNDLE_ENGINE(w)	((__u32)((w) >> 56))
#define XS_BUNDLE_PORT(w)	XS_BUNDLE_WORKER(w)

/*
 * The kernel engine's if_id of a slot: states and policies of a pair have it, and tc_out names it to
 * the XFRM interface. The same range as reqids: what is in it is ours.
 */
#define XS_XFRM_IDS	   0x58000000u
#define XS_XFRM_IF_ID(slot) (XS_XFRM_IDS | (slot))
/*
 * But inbound states and policies of transport mode have this one. The interface in collect-metadata
 * mode takes what any state of the namespace has opened, and Linux (6.12, 7.2) then discards packets
 * of transport mode: they go by the metadata as if it were a route. An ordinary XFRM interface of
 * their own if_id comes first.
 */
#define XS_XFRM_TRANSPORT_IF_ID 0x58ffffffu

/* policy: hash by id; a traffic selector pair as negotiated. */
struct xs_policy_key {
	__u32 id;
};

struct xs_policy {
	struct xs_addr src_lo, src_hi, dst_lo, dst_hi; /* of a packet on its way out */
	__u16 sport_lo, sport_hi, dport_lo, dport_hi;  /* ICMP: type in sport, code in dport */
	__u32 priority;				       /* lower wins */
	__u32 bundle;
	__u32 reqid;
	__u32 child_id;
	__u8 protocol; /* 0 = any */
	__u8 action;   /* enum xs_action */
	__u8 family;   /* 4 or 6 */
	__u8 pad[5];
	char conn[XS_NAME_LEN];
	char child[XS_NAME_LEN];
};

/*
 * What a packet is looked up by. IPv4 addresses are mapped; XS_TUPLE_V6 keeps "any IPv6 address"
 * apart from them. flow: per-CPU LRU.
 */
enum {
	XS_TUPLE_NO_PORTS = 1, /* a non-first fragment: only port-any selectors match */
	XS_TUPLE_V6 = 2,
};

/* Decisions differ by who asks: on a LAN port what is for this host passes. */
enum { XS_FLOW_WAN, XS_FLOW_LAN };

struct xs_tuple {
	struct xs_addr src, dst;
	__u16 sport, dport;
	__u8 protocol;
	__u8 flags;    /* XS_TUPLE_* */
	__u16 mask_id; /* selector: which mask made this key; flow: XS_FLOW_* */
};

struct xs_decision {
	__u32 policy; /* 0 = no policy: bypass */
	__u32 bundle;
	__u32 priority;
	__u8 action;
	__u8 drop; /* enum xs_drop: the reason to count where action is XS_DISCARD; 0 = discard */
	__u8 pad[2];
};

struct xs_flow {
	__u64 epoch;
	struct xs_decision decision;
};

/*
 * selector: hash; key is a tuple under a mask. Up to XS_RANGES_MAX entries, best priority first.
 * Ports with lo > hi are OPAQUE: only what has no ports matches. Behind a mask that names a port,
 * the key with XS_TUPLE_NO_PORTS and ports 0 holds the best policy that a fragment could have
 * belonged to. Rows move in memory while they are replaced: what was read holds when ctl.change
 * stood still meanwhile.
 */
struct xs_range {
	__u16 sport_lo, sport_hi, dport_lo, dport_hi;
	struct xs_decision decision;
};

struct xs_selector {
	__u32 n;
	__u32 pad;
	struct xs_range range[XS_RANGES_MAX];
};

/* selector_mask: array of XS_MASK_ROWS rows; the row in force is ctl.epoch % XS_MASK_ROWS. */
struct xs_mask {
	struct xs_addr src, dst; /* bits that count */
	__u16 sport, dport;	 /* 0xffff or 0 */
	__u8 protocol;		 /* 0xff or 0 */
	__u8 pad;
	__u16 id;
	__u32 best; /* best priority behind this mask: the search stops when the hit beats it */
	__u32 rows;
};

struct xs_masks {
	__u32 n;
	__u32 pad;
	struct xs_mask mask[XS_MASKS_MAX]; /* by best priority */
};

/* ctl: mmapable array of one row. */
struct xs_ctl {
	/* Bumped after every change of policies: flow rows of another epoch are void. */
	__u64 epoch;
	/* Odd while selectors and masks are being written, and another number after. */
	__u64 change;
	__u64 agent_pid;
	__u64 dataplane_pid;
	__u64 sa_slots;
	__u64 policies;
	__u64 ike_rate; /* IKE datagrams a second and source that xdp_wan lets through; 0 = no limit
			 */
	__u64 ports;	/* UDP: port | port_nat_t << 16 */
	__u64 dataplane_instance; /* whose SAs the rows describe: an agent that starts again
				     compares */
	__u64 xfrm_dev; /* ifindex of the XFRM interface that tc_out sends into; 0: there is none,
			   and the kernel engine needs ordinary policies */
	__u64 xfrm_transport_dev; /* of the one for XS_XFRM_TRANSPORT_IF_ID; 0: no transport mode
				     by xfrm_dev */
};

/* layout: array of one row, written by the loader; everybody who opens the maps checks it. */
struct xs_layout {
	__u32 version;
	__u32 sizes[15]; /* sizeof of the structs above, in the order of XS_LAYOUT_SIZES */
};

#define XS_LAYOUT_SIZES                                                                            \
	{                                                                                          \
		sizeof(struct xs_sa_slot), sizeof(struct xs_sa), sizeof(struct xs_policy),         \
		    sizeof(struct xs_tuple), sizeof(struct xs_flow), sizeof(struct xs_selector),   \
		    sizeof(struct xs_masks), sizeof(struct xs_ctl), sizeof(struct xs_port),        \
		    sizeof(struct xs_meta), sizeof(struct xs_sa_stat), sizeof(struct xs_sa_seq),   \
		    sizeof(struct xs_event), sizeof(struct xs_next_hop), sizeof(struct xs_budget)  \
	}

/* port: hash by ifindex. Sockets of port p, queue q sit in xsk[p * XS_QUEUES_MAX + q]. */
struct xs_port_key {
	__u32 ifindex;
};

struct xs_port {
	__u32 index; /* p */
	__u32 role;  /* enum xs_role */
	__u32 queues;
	__u32 mtu;
	__u8 mac[6];
	__u8 native; /* XDP mode that was got: 1 native, 0 generic */
	__u8 n_spread; /* ESP of kernel SAs goes to cpu[slot % n_spread]; 0: it stays where it is */
	__u16 spread[XS_SPREAD_MAX];
	char ifname[16];
};

/* local: hash by address: this host's own addresses. */
struct xs_local {
	__u32 ifindex;
};

/* next_hop: hash by address, written by the dataplane and by xdp_lan for people to read. */
struct xs_next_hop {
	__u8 mac[6];
	__u8 src_mac[6];
	__u32 ifindex;
	__u32 mtu; /* 0: the dataplane's row */
	__u32 pad;
	__u64 used_ns;
};

/* In front of a packet that goes to an AF_XDP socket, just below its first byte. */
/* HOLD: to be protected, and there is no SA yet; slot and generation are 0. */
enum xs_meta_kind { XS_META_OUT = 1, XS_META_IN, XS_META_HOLD };

struct xs_meta {
	__u32 slot;
	__u32 generation;
	__u32 policy;
	__u8 kind;
	__u8 port; /* index of the port it came in on */
	__u16 l3;  /* offset of the outer IP header from the first byte */
	__u32 bundle; /* out: where a successor is found when the SA goes while the packet waits */
	__u32 magic; /* last: next to the packet */
};

/*
 * sa_stat: mmapable array by slot; one writer, the worker that owns the SA. Row 0 belongs to no SA:
 * its drop counters are the dataplane's totals, of packets with an SA (counted in its row, too) and
 * without.
 */
struct xs_sa_dir_stat {
	__u64 packets, bytes; /* bytes of inner packets */
	__u64 last_ns; /* CLOCK_MONOTONIC of the last packet; in: of the last authenticated one */
	__u64 drop[XS_DROP_MAX];
};

struct xs_sa_stat {
	struct xs_sa_dir_stat in, out;
};

/*
 * Per-CPU arrays, counted by the classifier. sa_rx, by slot: what came for an SA, before any tag was
 * checked; with spread on the CPU that it was sent to. sa_tx, by slot: what was handed to the kernel
 * or to a card in plain, as the SA's. policy_stat: by policy id.
 */
struct xs_count {
	__u64 packets, bytes;
};

/* sa_seq: mmapable array by slot. Outbound numbers up to `out` may have been used. */
struct xs_sa_seq {
	__u64 out;
	__u64 in_top;
	__u32 generation;
	__u32 pad;
};

/* ike_budget: LRU hash by source address (IPv6: by its /64). */
struct xs_budget {
	__u64 tat_ns; /* when the next datagram would be due at exactly the allowed rate */
};

/* event: ring buffer, from BPF. */
enum xs_event_kind { XS_EV_ACQUIRE = 1, XS_EV_UNKNOWN_SPI, XS_EV_LEAK };

struct xs_event {
	__u32 kind;
	__u32 policy;
	__u32 spi;
	__u32 ifindex;
	__u64 ns;
	struct xs_tuple tuple; /* the packet that raised it */
};

#ifndef __bpf__
_Static_assert(sizeof(struct xs_sa_slot) == 40, "sa_slot");
_Static_assert(sizeof(struct xs_tuple) == 40, "tuple");
_Static_assert(sizeof(struct xs_decision) == 16, "decision");
_Static_assert(sizeof(struct xs_meta) == 24, "meta: a multiple of 4, at most 32");
_Static_assert(offsetof(struct xs_meta, magic) == sizeof(struct xs_meta) - 4, "magic last");
_Static_assert(sizeof(struct xs_sa) % 8 == 0, "sa");
_Static_assert(sizeof(struct xs_policy) == 160, "policy: no hidden padding");
_Static_assert(sizeof(struct xs_masks) % 8 == 0, "masks");
_Static_assert(sizeof(struct xs_port) == 168, "port: no hidden padding");
_Static_assert(sizeof(struct xs_next_hop) == 32, "next_hop: no hidden padding");
#endif
