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
