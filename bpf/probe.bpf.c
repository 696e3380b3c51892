// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

/*
 * For xdpsec-loader's probe only, never attached to an interface: does this kernel let one program
 * replace a function of another? The libxdp dispatcher needs that. Kernels since 6.13, and Debian's
 * 6.12, refuse a replacement that changes packets where the original does not: the functions of the
 * dispatcher of libxdp 1.3 do not, xdp_wan and xdp_lan do, so that is what is tried.
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
	return bpf_xdp_adjust_head(ctx, 0) ? XDP_ABORTED : XDP_PASS;
}

char xs_license[] SEC("license") = "Dual BSD/GPL";
