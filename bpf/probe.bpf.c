// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

/*
 * For xdpsec-loader's probe only, never attached to an interface: does this kernel let one program
 * replace a function of another? The libxdp dispatcher needs that.
 */

__noinline int xs_probe_slot(struct xdp_md *ctx)
{
	volatile int ret = XDP_PASS;

	return ctx ? ret : XDP_ABORTED;
}

SEC("?xdp")
int probe_target(struct xdp_md *ctx)
{
	return xs_probe_slot(ctx);
}

SEC("?freplace/xs_probe_slot")
int probe_replace(struct xdp_md *ctx)
{
	return ctx ? XDP_PASS : XDP_ABORTED;
}

char xs_license[] SEC("license") = "Dual BSD/GPL";
