/* SPDX-License-Identifier: BSD-2-Clause */
#include "codec.h"

#include <libmnl/libmnl.h>
#include <linux/netlink.h>
#include <linux/xfrm.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Attributes by type; what this table has no place for is passed over. */
struct attrs {
	const struct nlattr *at[XF_A_SA_PCPU + 1];
};

static int keep_attr(const struct nlattr *a, void *arg)
{
	struct attrs *t = arg;
	uint16_t type = mnl_attr_get_type(a);

	if (type <= XF_A_SA_PCPU)
		t->at[type] = a;
	return MNL_CB_OK;
}

/* The fixed part into *head, the attributes into *t. Whatever is shorter than the kernel's struct
 * is malformed. */
static int split(const struct nlmsghdr *nlh, void *head, size_t head_len, struct attrs *t)
{
	size_t len = mnl_nlmsg_get_payload_len(nlh), skip = MNL_ALIGN(head_len);
	const uint8_t *p = mnl_nlmsg_get_payload(nlh);

	*t = (struct attrs){0};
	if (len < head_len)
		return -EBADMSG;
	if (head_len)
		memcpy(head, p, head_len);
	if (len > skip)
		mnl_attr_parse_payload(p + skip, len - skip, keep_attr, t);
	return 0;
}

/* Copies an attribute of n bytes at least; false when it is not there, or too short: then it is as
 * if not there. */
static bool take(const struct attrs *t, uint16_t type, void *to, size_t n)
{
	const struct nlattr *a = t->at[type];

	if (!a || mnl_attr_get_payload_len(a) < n)
		return false;
	memcpy(to, mnl_attr_get_payload(a), n);
	return true;
}

static uint32_t take_u32(const struct attrs *t, uint16_t type)
{
	uint32_t v = 0;

	take(t, type, &v, sizeof(v));
	return v;
}

static void get_addr(struct ip_addr *to, const xfrm_address_t *a, uint16_t family)
{
	*to = (struct ip_addr){.family = family == AF_INET ? 4 : family == AF_INET6 ? 6 : 0};
	memcpy(to->b, a, addr_len(to));
}

static void get_selector(struct xf_selector *to, const struct xfrm_selector *s)
{
	*to = (struct xf_selector){
	    .src_len = s->prefixlen_s,
	    .dst_len = s->prefixlen_d,
	    .protocol = s->proto,
	    .sport = ntohs(s->sport),
	    .sport_mask = ntohs(s->sport_mask),
	    .dport = ntohs(s->dport),
	    .dport_mask = ntohs(s->dport_mask),
	    .ifindex = s->ifindex,
	};
	get_addr(&to->src, &s->saddr, s->family);
	get_addr(&to->dst, &s->daddr, s->family);
}

static uint64_t limit(uint64_t v)
{
	return v == XFRM_INF ? 0 : v;
}

static void get_limits(struct xf_limits *to, const struct xfrm_lifetime_cfg *l)
{
	*to = (struct xf_limits){
	    .soft_bytes = limit(l->soft_byte_limit),
	    .hard_bytes = limit(l->hard_byte_limit),
	    .soft_packets = limit(l->soft_packet_limit),
	    .hard_packets = limit(l->hard_packet_limit),
	    .soft_s = l->soft_add_expires_seconds,
	    .hard_s = l->hard_add_expires_seconds,
	};
}

static void get_mark(const struct attrs *t, struct xf_mark *to)
{
	struct xfrm_mark m;

	if (take(t, XFRMA_MARK, &m, sizeof(m)))
		*to = (struct xf_mark){.value = m.v, .mask = m.m};
}

static void get_offload(const struct attrs *t, struct xf_offload *to)
{
	struct xfrm_user_offload u;

	if (!take(t, XFRMA_OFFLOAD_DEV, &u, sizeof(u)))
		return;
	to->ifindex = u.ifindex;
	to->wish = u.flags & XFRM_OFFLOAD_PACKET ? XF_OFFLOAD_PACKET : XF_OFFLOAD_CRYPTO;
}

const struct nlmsghdr *xfrm_next_message(struct slice *left)
{
	const struct nlmsghdr *nlh = (const void *)left->p;
	size_t n;

	if (left->n < sizeof(*nlh) || nlh->nlmsg_len < sizeof(*nlh) || nlh->nlmsg_len > left->n)
		return NULL;
	n = MNL_ALIGN((size_t)nlh->nlmsg_len);
	if (n > left->n)
		n = left->n;
	left->p += n;
	left->n -= n;
	return nlh;
}

/* ---- SAs
 * --------------------------------------------------------------------------------------------- */

static void get_name(char to[XF_ALG_NAME_MAX], const char from[64])
{
	memcpy(to, from, XF_ALG_NAME_MAX);
	to[XF_ALG_NAME_MAX - 1] = 0;
}

/* Names and sizes; the keys behind them are not looked at. */
static void get_ciphers(const struct attrs *t, struct xfrm_sa_info *out)
{
	struct xfrm_algo_aead aead;
	struct xfrm_algo_auth auth;
	struct xfrm_algo plain;

	if (take(t, XFRMA_ALG_AEAD, &aead, sizeof(aead))) {
		get_name(out->encr, aead.alg_name);
		out->encr_bits = (uint16_t)aead.alg_key_len;
		out->icv_bits = (uint16_t)aead.alg_icv_len;
	}
	if (take(t, XFRMA_ALG_CRYPT, &plain, sizeof(plain))) {
		get_name(out->encr, plain.alg_name);
		out->encr_bits = (uint16_t)plain.alg_key_len;
	}
	if (take(t, XFRMA_ALG_COMP, &plain, sizeof(plain)))
		get_name(out->comp, plain.alg_name);
	if (take(t, XFRMA_ALG_AUTH_TRUNC, &auth, sizeof(auth))) {
		get_name(out->integ, auth.alg_name);
		out->integ_bits = (uint16_t)auth.alg_key_len;
		out->icv_bits = (uint16_t)auth.alg_trunc_len;
	} else if (take(t, XFRMA_ALG_AUTH, &plain, sizeof(plain))) {
		get_name(out->integ, plain.alg_name);
		out->integ_bits = (uint16_t)plain.alg_key_len;
	}
}

static void get_window(const struct attrs *t, struct xfrm_sa_info *out)
{
	struct xfrm_replay_state_esn wide;
	struct xfrm_replay_state narrow;

	if (take(t, XFRMA_REPLAY_ESN_VAL, &wide, sizeof(wide))) {
		out->spec.window = wide.replay_window;
		out->seq = (uint64_t)wide.seq_hi << 32 | wide.seq;
		out->oseq = (uint64_t)wide.oseq_hi << 32 | wide.oseq;
	} else if (take(t, XFRMA_REPLAY_VAL, &narrow, sizeof(narrow))) {
		out->seq = narrow.seq;
		out->oseq = narrow.oseq;
	}
}

static void get_encap(const struct attrs *t, uint16_t family, struct xf_encap *to)
{
	struct xfrm_encap_tmpl e;

	if (!take(t, XFRMA_ENCAP, &e, sizeof(e)))
		return;
	to->sport = ntohs(e.encap_sport);
	to->dport = ntohs(e.encap_dport);
	get_addr(&to->oa, &e.encap_oa, family);
	if (addr_is_any(&to->oa))
		to->oa = (struct ip_addr){0};
}

static void get_flags(const struct xfrm_usersa_info *h, uint32_t extra, struct xfrm_sa_spec *s)
{
	s->esn = h->flags & XFRM_STATE_ESN;
	s->flags = (struct xf_flags){
	    .no_ecn = h->flags & XFRM_STATE_NOECN,
	    .no_pmtu = h->flags & XFRM_STATE_NOPMTUDISC,
	    .decap_dscp = h->flags & XFRM_STATE_DECAP_DSCP,
	    .no_encap_dscp = extra & XFRM_SA_XFLAG_DONT_ENCAP_DSCP,
	    .icmp = h->flags & XFRM_STATE_ICMP,
	    .wild_recv = h->flags & XFRM_STATE_WILDRECV,
	    .align4 = h->flags & XFRM_STATE_ALIGN4,
	    .oseq_may_wrap = extra & XFRM_SA_XFLAG_OSEQ_MAY_WRAP,
	};
}

static void get_dir(const struct attrs *t, struct xfrm_sa_info *out)
{
	uint8_t dir;

	if (!take(t, XF_A_SA_DIR, &dir, sizeof(dir)) || (dir != 1 && dir != 2))
		return;
	out->dir_known = true;
	out->spec.dir = dir == 1 ? XF_IN : XF_OUT;
}

static void get_sa_attrs(const struct attrs *t, uint16_t family, struct xfrm_sa_info *out)
{
	struct xfrm_sa_spec *s = &out->spec;
	const struct nlattr *a = t->at[XFRMA_LASTUSED];

	get_ciphers(t, out);
	get_window(t, out);
	get_encap(t, family, &s->encap);
	get_mark(t, &s->mark);
	get_offload(t, &s->offload);
	get_dir(t, out);
	s->if_id = take_u32(t, XFRMA_IF_ID);
	s->tfc_pad = take_u32(t, XFRMA_TFCPAD);
	s->set_mark.value = take_u32(t, XFRMA_SET_MARK);
	s->set_mark.mask = take_u32(t, XFRMA_SET_MARK_MASK);
	s->per_cpu = take(t, XF_A_SA_PCPU, &s->cpu, sizeof(s->cpu));
	if (a && mnl_attr_get_payload_len(a) >= sizeof(uint64_t))
		memcpy(&out->last_used_s, mnl_attr_get_payload(a), sizeof(uint64_t));
}

static void get_sa_info(const struct xfrm_usersa_info *h, const struct attrs *t,
			struct xfrm_sa_info *out)
{
	struct xfrm_sa_spec *s = &out->spec;

	memset(out, 0, sizeof(*out));
	get_addr(&s->src, &h->saddr, h->family);
	get_addr(&s->dst, &h->id.daddr, h->family);
	s->spi = ntohl(h->id.spi);
	s->proto = h->id.proto;
	s->mode = h->mode;
	s->reqid = h->reqid;
	s->window = h->replay_window;
	get_selector(&s->sel, &h->sel);
	get_limits(&s->limits, &h->lft);
	get_flags(h, take_u32(t, XFRMA_SA_EXTRA_FLAGS), s);
	out->bytes = h->curlft.bytes;
	out->packets = h->curlft.packets;
	out->added_s = h->curlft.add_time;
	out->first_used_s = h->curlft.use_time;
	out->replay_window_drops = h->stats.replay_window;
	out->replay_drops = h->stats.replay;
	out->integrity_drops = h->stats.integrity_failed;
	get_sa_attrs(t, h->family, out);
}

int xfrm_get_sa(const struct nlmsghdr *nlh, struct xfrm_sa_info *out)
{
	struct xfrm_usersa_info h;
	struct attrs t;

	if (nlh->nlmsg_type != XFRM_MSG_NEWSA || split(nlh, &h, sizeof(h), &t))
		return -EBADMSG;
	get_sa_info(&h, &t, out);
	return 0;
}

/* ---- policies
 * ------------------------------------------------------------------------------------------ */

static void get_templates(const struct attrs *t, struct xfrm_policy_spec *out)
{
	const struct nlattr *a = t->at[XFRMA_TMPL];
	struct xfrm_user_tmpl u;
	size_t n = a ? mnl_attr_get_payload_len(a) / sizeof(u) : 0;

	for (size_t i = 0; i < n && out->n_tmpl < XF_TMPL_MAX; i++) {
		struct xfrm_tmpl *to = &out->tmpl[out->n_tmpl++];

		memcpy(&u, (const uint8_t *)mnl_attr_get_payload(a) + i * sizeof(u), sizeof(u));
		get_addr(&to->src, &u.saddr, u.family);
		get_addr(&to->dst, &u.id.daddr, u.family);
		to->spi = ntohl(u.id.spi);
		to->proto = u.id.proto;
		to->mode = u.mode;
		to->reqid = u.reqid;
		to->optional = u.optional;
	}
}

static void get_policy_info(const struct xfrm_userpolicy_info *h, const struct attrs *t,
			    struct xfrm_policy_spec *p)
{
	memset(p, 0, sizeof(*p));
	p->dir = h->dir;
	p->action = h->action == XFRM_POLICY_BLOCK ? XF_BLOCK : XF_ALLOW;
	p->priority = h->priority;
	p->icmp = h->flags & XFRM_POLICY_ICMP;
	p->cpu_acquire = h->flags & XF_POLICY_CPU_ACQUIRE;
	p->if_id = take_u32(t, XFRMA_IF_ID);
	get_selector(&p->sel, &h->sel);
	get_mark(t, &p->mark);
	get_templates(t, p);
	get_offload(t, &p->offload);
}

int xfrm_get_policy(const struct nlmsghdr *nlh, struct xfrm_policy_info *out)
{
	struct xfrm_userpolicy_info h;
	struct attrs t;

	/* Policies of sockets are shown, too, with directions of their own. */
	if (nlh->nlmsg_type != XFRM_MSG_NEWPOLICY || split(nlh, &h, sizeof(h), &t))
		return -EBADMSG;
	get_policy_info(&h, &t, &out->spec);
	out->index = h.index;
	out->added_s = h.curlft.add_time;
	out->used_s = h.curlft.use_time;
	return 0;
}

/* ---- answers
 * --------------------------------------------------------------------------------------------- */

static int keep_text(const struct nlattr *a, void *arg)
{
	char *text = arg;
	size_t n = mnl_attr_get_payload_len(a);

	if (mnl_attr_get_type(a) == NLMSGERR_ATTR_MSG)
		snprintf(text, XF_TEXT_MAX, "%.*s", (int)strnlen(mnl_attr_get_payload(a), n),
			 (const char *)mnl_attr_get_payload(a));
	return MNL_CB_OK;
}

int xfrm_get_ack(const struct nlmsghdr *nlh, int *error, char *text)
{
	size_t len = mnl_nlmsg_get_payload_len(nlh), skip = sizeof(struct nlmsgerr);
	const uint8_t *p = mnl_nlmsg_get_payload(nlh);
	struct nlmsgerr e;

	text[0] = 0;
	if (nlh->nlmsg_type != NLMSG_ERROR || len < sizeof(e))
		return -EBADMSG;
	memcpy(&e, p, sizeof(e));
	if (e.error > 0 || e.error < -4095)
		return -EBADMSG;
	*error = e.error;
	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS))
		return 0;
	if (!(nlh->nlmsg_flags & NLM_F_CAPPED) && e.msg.nlmsg_len > NLMSG_HDRLEN)
		skip += MNL_ALIGN((size_t)e.msg.nlmsg_len - NLMSG_HDRLEN);
	if (len > skip)
		mnl_attr_parse_payload(p + skip, len - skip, keep_text, text);
	return 0;
}

/* ---- events
 * ------------------------------------------------------------------------------------------------
 */

static int event_acquire(const struct nlmsghdr *nlh, struct xfrm_event *ev)
{
	struct xfrm_user_acquire h;
	struct attrs t;

	if (split(nlh, &h, sizeof(h), &t))
		return -EBADMSG;
	ev->kind = XF_EV_ACQUIRE;
	get_selector(&ev->acquire.sel, &h.sel);
	get_policy_info(&h.policy, &t, &ev->acquire.policy);
	ev->acquire.index = h.policy.index;
	ev->acquire.per_cpu = take(&t, XF_A_SA_PCPU, &ev->acquire.cpu, sizeof(ev->acquire.cpu));
	return 1;
}

static int event_expire(const struct nlmsghdr *nlh, struct xfrm_event *ev)
{
	struct xfrm_user_expire h;
	struct xfrm_sa_info sa;
	struct attrs t;

	if (split(nlh, &h, sizeof(h), &t))
		return -EBADMSG;
	get_sa_info(&h.state, &t, &sa);
	ev->kind = XF_EV_EXPIRE;
	ev->expire.id = (struct xfrm_sa_id){
	    .dst = sa.spec.dst, .spi = sa.spec.spi, .proto = sa.spec.proto, .mark = sa.spec.mark};
	ev->expire.src = sa.spec.src;
	ev->expire.reqid = sa.spec.reqid;
	ev->expire.if_id = sa.spec.if_id;
	ev->expire.hard = h.hard;
	ev->expire.bytes = sa.bytes;
	ev->expire.packets = sa.packets;
	ev->expire.added_s = sa.added_s;
	return 1;
}

static int event_mapping(const struct nlmsghdr *nlh, struct xfrm_event *ev)
{
	struct xfrm_user_mapping h;
	struct attrs t;

	if (split(nlh, &h, sizeof(h), &t))
		return -EBADMSG;
	ev->kind = XF_EV_MAPPING;
	get_addr(&ev->mapping.id.dst, &h.id.daddr, h.id.family);
	ev->mapping.id.spi = ntohl(h.id.spi);
	ev->mapping.id.proto = h.id.proto;
	ev->mapping.reqid = h.reqid;
	get_addr(&ev->mapping.from.ip, &h.old_saddr, h.id.family);
	get_addr(&ev->mapping.to.ip, &h.new_saddr, h.id.family);
	ev->mapping.from.port = ntohs(h.old_sport);
	ev->mapping.to.port = ntohs(h.new_sport);
	return 1;
}

/* The SA that was deleted stands in an attribute behind its name. */
static int event_sa_gone(const struct nlmsghdr *nlh, struct xfrm_event *ev)
{
	struct xfrm_usersa_info info;
	struct xfrm_usersa_id h;
	struct attrs t;

	if (split(nlh, &h, sizeof(h), &t))
		return -EBADMSG;
	ev->kind = XF_EV_SA_GONE;
	get_addr(&ev->sa.id.dst, &h.daddr, h.family);
	ev->sa.id.spi = ntohl(h.spi);
	ev->sa.id.proto = h.proto;
	get_mark(&t, &ev->sa.id.mark);
	ev->sa.if_id = take_u32(&t, XFRMA_IF_ID);
	if (take(&t, XFRMA_SA, &info, sizeof(info))) {
		get_addr(&ev->sa.src, &info.saddr, info.family);
		ev->sa.reqid = info.reqid;
	}
	return 1;
}

/* Deleted by name: the policy stands in an attribute. A name alone is that of one asked for by
 * index. */
static int event_policy_gone(const struct nlmsghdr *nlh, struct xfrm_event *ev)
{
	struct xfrm_userpolicy_info info;
	struct xfrm_userpolicy_id h;
	struct attrs t;

	if (split(nlh, &h, sizeof(h), &t))
		return -EBADMSG;
	ev->kind = XF_EV_POLICY_GONE;
	ev->policy.id.dir = h.dir;
	ev->policy.index = h.index;
	get_selector(&ev->policy.id.sel, &h.sel);
	if (take(&t, XFRMA_POLICY, &info, sizeof(info))) {
		get_selector(&ev->policy.id.sel, &info.sel);
		ev->policy.index = info.index;
	}
	get_mark(&t, &ev->policy.id.mark);
	ev->policy.id.if_id = take_u32(&t, XFRMA_IF_ID);
	return 1;
}

int xfrm_get_event(const struct nlmsghdr *nlh, struct xfrm_event *ev)
{
	struct xfrm_usersa_flush flush;
	struct attrs t;

	memset(ev, 0, sizeof(*ev));
	switch (nlh->nlmsg_type) {
	case XFRM_MSG_ACQUIRE:
		return event_acquire(nlh, ev);
	case XFRM_MSG_EXPIRE:
		return event_expire(nlh, ev);
	case XFRM_MSG_MAPPING:
		return event_mapping(nlh, ev);
	case XFRM_MSG_DELSA:
		return event_sa_gone(nlh, ev);
	case XFRM_MSG_DELPOLICY:
		return event_policy_gone(nlh, ev);
	case XFRM_MSG_FLUSHSA:
		if (split(nlh, &flush, sizeof(flush), &t))
			return -EBADMSG;
		ev->kind = XF_EV_SA_FLUSHED;
		ev->proto = flush.proto;
		return 1;
	case XFRM_MSG_FLUSHPOLICY:
		ev->kind = XF_EV_POLICY_FLUSHED;
		return 1;
	default:
		return 0;
	}
}
