/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

/*
 * Functions of the kernel and its modules that not every kernel has. They are weak, so that the
 * object loads without; calls stand behind constants that the loader sets when it found them.
 */

struct bpf_xfrm_info {
	__u32 if_id;
	int link;
};

extern int bpf_skb_set_xfrm_info(struct __sk_buff *skb,
				 const struct bpf_xfrm_info *from) __weak __ksym;

struct bpf_xfrm_state_opts {
	__s32 error;
	__s32 netns_id;
	__u32 mark;
	__u32 daddr[4];
	__u32 spi;
	__u8 proto;
	__u16 family;
};

/* What we read of it, wherever this kernel has it. */
struct xfrm_state {
	struct {
		__u32 spi;
	} id;
	struct {
		__u32 reqid;
	} props;
	__u32 if_id;
} __attribute__((preserve_access_index));

extern struct xfrm_state *bpf_xdp_get_xfrm_state(struct xdp_md *ctx,
						 struct bpf_xfrm_state_opts *opts,
						 __u32 opts__sz) __weak __ksym;
extern void bpf_xdp_xfrm_state_release(struct xfrm_state *x) __weak __ksym;
