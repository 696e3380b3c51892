/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "maps/layout.h"

/*
 * The maps of maps/names.h. Every program file sees the same definitions; they are weak, so that
 * the linked object has each once. Rows counted by slot or by policy are sized by the loader.
 */
#define XS_MAP __weak SEC(".maps")

enum {
	XS_SELECTORS_A_POLICY = 2, /* keys a policy needs on average: ranges and ports take more */
	XS_FLOWS = 65536,
	XS_BUDGETS = 65536,
	XS_NEXT_HOPS = 4096,
	XS_LOCALS = 4096,
	XS_EVENT_BYTES = 256 * 1024,
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct xs_layout);
} layout XS_MAP;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct xs_ctl);
} ctl XS_MAP;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, XS_SA_SLOTS_MAX);
	__type(key, __u32);
	__type(value, struct xs_sa_slot);
} sa_slot XS_MAP;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, XS_SA_SLOTS_MAX);
	__type(key, struct xs_sa_in_key);
	__type(value, struct xs_sa);
} sa_in XS_MAP;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, XS_SA_SLOTS_MAX);
	__type(key, struct xs_sa_out_key);
	__type(value, struct xs_sa);
} sa_out XS_MAP;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, XS_POLICIES_MAX);
	__type(key, __u32);
	__type(value, __u64);
} bundle XS_MAP;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, XS_POLICIES_MAX);
	__type(key, struct xs_policy_key);
	__type(value, struct xs_policy);
} policy XS_MAP;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, XS_POLICIES_MAX *XS_SELECTORS_A_POLICY);
	__type(key, struct xs_tuple);
	__type(value, struct xs_selector);
} selector XS_MAP;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, XS_MASK_ROWS);
	__type(key, __u32);
	__type(value, struct xs_masks);
} selector_mask XS_MAP;

struct {
	__uint(type, BPF_MAP_TYPE_LRU_PERCPU_HASH);
	__uint(max_entries, XS_FLOWS);
	__type(key, struct xs_tuple);
	__type(value, struct xs_flow);
} flow XS_MAP;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, XS_PORTS_MAX);
	__type(key, struct xs_port_key);
	__type(value, struct xs_port);
} port XS_MAP;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, XS_LOCALS);
	__type(key, struct xs_addr);
	__type(value, struct xs_local);
} local XS_MAP;

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, XS_NEXT_HOPS);
	__type(key, struct xs_addr);
	__type(value, struct xs_next_hop);
} next_hop XS_MAP;

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, XS_PORTS_MAX *XS_QUEUES_MAX);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} xsk XS_MAP;

/* Rows by CPU; the loader sets their number, the kernel takes no more than it has CPUs. */
struct {
	__uint(type, BPF_MAP_TYPE_CPUMAP);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct bpf_cpumap_val));
} spread XS_MAP;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, XS_SA_SLOTS_MAX);
	__type(key, __u32);
	__type(value, struct xs_sa_stat);
} sa_stat XS_MAP;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, XS_SA_SLOTS_MAX);
	__type(key, __u32);
	__type(value, struct xs_count);
} sa_rx XS_MAP;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, XS_SA_SLOTS_MAX);
	__type(key, __u32);
	__type(value, struct xs_count);
} sa_tx XS_MAP;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, XS_POLICIES_MAX);
	__type(key, __u32);
	__type(value, struct xs_count);
} policy_stat XS_MAP;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, XS_DROP_MAX);
	__type(key, __u32);
	__type(value, __u64);
} drop XS_MAP;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, XS_SA_SLOTS_MAX);
	__type(key, __u32);
	__type(value, struct xs_sa_seq);
} sa_seq XS_MAP;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, XS_EVENT_BYTES);
} event XS_MAP;

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, XS_BUDGETS);
	__type(key, struct xs_addr);
	__type(value, struct xs_budget);
} ike_budget XS_MAP;

/* Not pinned: when a policy last raised an acquire, and an event kind an event. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, XS_POLICIES_MAX);
	__type(key, __u32);
	__type(value, __u64);
} acquired_ns XS_MAP;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u64);
} raised_ns XS_MAP;

/* Not pinned: next hops of the shortcut, of this CPU. */
struct xs_route_key {
	struct xs_addr src, dst;
	__u32 ifindex; /* that it came in on */
	__u32 tos;
};

struct xs_route {
	__u64 epoch;
	__u64 until_ns;
	__u32 ifindex;
	__u32 mtu;
	__u8 mac[6];
	__u8 src_mac[6];
	__u8 pad[4];
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_PERCPU_HASH);
	__uint(max_entries, XS_NEXT_HOPS);
	__type(key, struct xs_route_key);
	__type(value, struct xs_route);
} route XS_MAP;
