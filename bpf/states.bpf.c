// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "kernel.h"

#include <bpf/bpf_core_read.h>

/*
 * For `xdpsec-loader self-test` only, never attached to an interface: asks the kernel for an inbound
 * state as XDP would, by address, SPI and protocol.
 */

/* What is asked and answered, by one run. */
__u32 ask_dst[4]; /* network order; IPv4: the first */
__u32 ask_spi_be, ask_family, ask_protocol;
__u32 got_one, got_spi_be, got_reqid, got_if_id;
__s32 got_error;

SEC("?xdp")
int xdp_states(struct xdp_md *ctx)
{
	struct bpf_xfrm_state_opts opts = {.netns_id = BPF_F_CURRENT_NETNS};
	struct xfrm_state *x;

	opts.spi = ask_spi_be;
	opts.proto = ask_protocol;
	opts.family = ask_family;
	__builtin_memcpy(opts.daddr, ask_dst, sizeof(opts.daddr));
	x = bpf_xdp_get_xfrm_state(ctx, &opts, sizeof(opts));
	got_error = opts.error;
	got_one = x != NULL;
	if (!x)
		return XDP_PASS;
	got_spi_be = x->id.spi;
	got_reqid = x->props.reqid;
	got_if_id = x->if_id;
	bpf_xdp_xfrm_state_release(x);
	return XDP_PASS;
}

char xs_license[] SEC("license") = "Dual BSD/GPL";
