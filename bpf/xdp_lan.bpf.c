// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "maps.h"

#include "count.h"
#include "meta.h"
#include "parse.h"
#include "select.h"
#include "shortcut.h"

/*
 * The trusted side: what a policy protects leaves for the engine, everything else passes. On the
 * far end of the on-ramp nothing passes: tc_out has sent here what a policy protects.
 */

/* By the stack to a WAN port, where tc_out takes it. Without XFRM interface the kernel's own
 * policies do, wherever it leaves. */
static __always_inline int to_kernel(struct xdp_md *ctx, const struct xs_ctl *c,
				     const struct xs_port *p, const struct xs_pkt *pkt)
{
	if (p && p->role == XS_ROLE_RAMP)
		return xs_xdp_drop(XS_DROP_no_engine);
	if (c->xfrm_dev && !xs_leaves_guarded(ctx, ctx->ingress_ifindex, pkt))
		return xs_xdp_drop(XS_DROP_wrong_port);
	return XDP_PASS;
}

static __always_inline int protect(struct xdp_md *ctx, struct xs_ctl *c,
				   const struct xs_port *p, const struct xs_pkt *pkt,
				   const struct xs_decision *d)
{
	__u32 key = d->bundle;
	__u64 *word = bpf_map_lookup_elem(&bundle, &key), w = 0;

	if (word && d->action == XS_PROTECT && key)
		w = *(volatile __u64 *)word;
	if (!w) {
		struct xs_meta meta = {
		    .policy = d->policy,
		    .bundle = d->action == XS_PROTECT ? key : 0,
		    .kind = XS_META_HOLD,
		    .l3 = pkt->l3,
		};

		xs_raise(XS_EV_ACQUIRE, d->policy, 0, ctx->ingress_ifindex, &pkt->tuple);
		return xs_to_dataplane(ctx, p, &meta, XS_DROP_no_sa);
	}
	switch (XS_BUNDLE_ENGINE(w)) {
	case XS_ENGINE_KERNEL:
		return to_kernel(ctx, c, p, pkt);
	case XS_ENGINE_OFFLOAD:
		if (p && p->role == XS_ROLE_RAMP)
			break;
		return xs_shortcut(ctx, c, pkt, w);
	case XS_ENGINE_DATAPLANE: {
		struct xs_meta meta = {
		    .slot = XS_BUNDLE_SLOT(w),
		    .generation = XS_BUNDLE_GENERATION(w),
		    .policy = d->policy,
		    .bundle = d->bundle,
		    .kind = XS_META_OUT,
		    .l3 = pkt->l3,
		};

		return xs_to_dataplane(ctx, p, &meta, XS_DROP_no_engine);
	}
	}
	return xs_xdp_drop(XS_DROP_no_engine);
}

/* What this host sends: the answer is the one that tc_out had. */
static __always_inline int ramp(struct xdp_md *ctx, struct xs_ctl *c, const struct xs_port *p,
				const struct xs_pkt *pkt)
{
	struct xs_decision d;

	xs_select(&pkt->tuple, c, &d);
	if (d.policy)
		xs_count(&policy_stat, d.policy, pkt->len);
	if (d.action == XS_PROTECT || d.action == XS_TRAP)
		return protect(ctx, c, p, pkt, &d);
	return xs_xdp_drop(d.drop ? d.drop : XS_DROP_discard);
}

SEC("xdp")
int xdp_lan(struct xdp_md *ctx)
{
	struct xs_port *p = xs_port_find(ctx->ingress_ifindex);
	struct xs_ctl *c = xs_ctl_get();
	struct xs_decision d;
	struct xs_pkt pkt;
	int parsed = xs_parse(ctx, &pkt);

	if (p && p->role == XS_ROLE_RAMP) {
		if (!c || parsed != XS_PARSED_IP)
			return xs_xdp_drop(XS_DROP_malformed);
		return ramp(ctx, c, p, &pkt);
	}
	if (!c || parsed == XS_PARSED_OTHER)
		return XDP_PASS;
	/* Only what is sent to this gateway is forwarded by it. */
	if (p && !xs_mac_is(&pkt, p->mac))
		return XDP_PASS;
	if (parsed == XS_PARSED_MALFORMED)
		return xs_xdp_drop(XS_DROP_malformed);
	/* No router forwards what is link-local: the stack says so to who tries. */
	if (xs_is_link_local(&pkt.tuple) || (xs_is_nd(&pkt) && xs_stays_on_link(&pkt.tuple.dst)))
		return XDP_PASS;
	xs_select_lan(ctx, ctx->ingress_ifindex, &pkt.tuple, c, &d);
	if (d.policy)
		xs_count(&policy_stat, d.policy, pkt.len);
	switch (d.action) {
	case XS_BYPASS:
		return XDP_PASS;
	case XS_PROTECT:
	case XS_TRAP:
		return protect(ctx, c, p, &pkt, &d);
	}
	return xs_xdp_drop(d.drop ? d.drop : XS_DROP_discard);
}

char xs_license[] SEC("license") = "Dual BSD/GPL";
