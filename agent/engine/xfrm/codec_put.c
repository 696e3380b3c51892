/* SPDX-License-Identifier: BSD-2-Clause */
#include "codec.h"

#include <libmnl/libmnl.h>
#include <linux/udp.h>
#include <linux/xfrm.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A message under construction: sticky failure, so that one check at the end is enough. */
struct put {
	struct nlmsghdr *nlh;
	size_t room;
	bool failed;
};

enum { ALG_KEY_MAX = 128, MAPPING_AGE_S = 1 };

__attribute__((format(printf, 2, 3))) static int refuse(char *why, const char *fmt, ...)
{
	va_list ap;

	if (why) {
		va_start(ap, fmt);
		vsnprintf(why, XF_TEXT_MAX, fmt, ap);
		va_end(ap);
	}
	return -EINVAL;
}

/* The fixed part is copied: in a batch a message begins at any multiple of four. */
static void put_begin(struct put *m, void *buf, size_t room, uint16_t type, const void *head,
		      size_t n)
{
	*m = (struct put){.room = room, .failed = room < MNL_NLMSG_HDRLEN + MNL_ALIGN(n)};
	if (m->failed)
		return;
	m->nlh = mnl_nlmsg_put_header(buf);
	m->nlh->nlmsg_type = type;
	m->nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	memcpy(mnl_nlmsg_put_extra_header(m->nlh, n), head, n);
}

static void put_attr(struct put *m, uint16_t type, const void *data, size_t n)
{
	size_t at = m->failed ? 0 : m->nlh->nlmsg_len;

	if (m->failed || !mnl_attr_put_check(m->nlh, m->room, type, n, data)) {
		m->failed = true;
		return;
	}
	/* What stood there before is no padding. */
	at += MNL_ATTR_HDRLEN + n;
	memset((uint8_t *)m->nlh + at, 0, m->nlh->nlmsg_len - at);
}

static void put_u32(struct put *m, uint16_t type, uint32_t v)
{
	put_attr(m, type, &v, sizeof(v));
}

static int put_end(const struct put *m)
{
	return m->failed ? -ENOBUFS : (int)m->nlh->nlmsg_len;
}

static uint16_t family_of(const struct ip_addr *a)
{
	return a->family == 4 ? AF_INET : a->family == 6 ? AF_INET6 : AF_UNSPEC;
}

static void put_addr(xfrm_address_t *to, const struct ip_addr *a)
{
	memset(to, 0, sizeof(*to));
	memcpy(to, a->b, addr_len(a));
}

static void put_selector(struct xfrm_selector *to, const struct xf_selector *s)
{
	memset(to, 0, sizeof(*to));
	put_addr(&to->saddr, &s->src);
	put_addr(&to->daddr, &s->dst);
	to->prefixlen_s = s->src_len;
	to->prefixlen_d = s->dst_len;
	to->family = family_of(&s->src);
	to->proto = s->protocol;
	to->sport = htons(s->sport);
	to->sport_mask = htons(s->sport_mask);
	to->dport = htons(s->dport);
	to->dport_mask = htons(s->dport_mask);
	to->ifindex = s->ifindex;
}

static void put_limits(struct xfrm_lifetime_cfg *to, const struct xf_limits *l)
{
	*to = (struct xfrm_lifetime_cfg){
	    .soft_byte_limit = l->soft_bytes ? l->soft_bytes : XFRM_INF,
	    .hard_byte_limit = l->hard_bytes ? l->hard_bytes : XFRM_INF,
	    .soft_packet_limit = l->soft_packets ? l->soft_packets : XFRM_INF,
	    .hard_packet_limit = l->hard_packets ? l->hard_packets : XFRM_INF,
	    .soft_add_expires_seconds = l->soft_s,
	    .hard_add_expires_seconds = l->hard_s,
	};
}

static void put_mark(struct put *m, const struct xf_mark *mark)
{
	const struct xfrm_mark k = {.v = mark->value, .m = mark->mask};

	if (mark->mask || mark->value)
		put_attr(m, XFRMA_MARK, &k, sizeof(k));
}

static int check_selector(const struct xf_selector *s, char *why)
{
	unsigned int max = s->src.family == 4 ? 32 : 128;

	if (s->src.family != s->dst.family)
		return refuse(why, "selector of two address families");
	if (s->src_len > max || s->dst_len > max)
		return refuse(why, "prefix longer than an address");
	return 0;
}

/* ---- SAs
 * --------------------------------------------------------------------------------------------- */

static int check_ciphers(const struct xfrm_sa_spec *s, char *why)
{
	const struct alg *e = s->encr, *i = s->integ;

	if (s->proto == IPPROTO_COMP)
		return e || i ? refuse(why, "IPComp has no keys") : 0;
	if (s->proto == IPPROTO_AH && (e || !i))
		return refuse(why, "AH wants an integrity algorithm and nothing else");
	if (s->proto == IPPROTO_ESP && (!e || (e->aead ? !!i : !i)))
		return refuse(
		    why, "ESP wants a combined cipher, or a cipher and an integrity algorithm");
	if (e && !e->xfrm)
		return refuse(why, "%s is not in the kernel", e->name);
	if (i && !i->xfrm)
		return refuse(why, "%s is not in the kernel", i->name);
	if (e && (s->encr_key.n != (size_t)e->key_len + e->salt_len || s->encr_key.n > ALG_KEY_MAX))
		return refuse(why, "%zu bytes are no key for %s", s->encr_key.n, e->name);
	if (i && (s->integ_key.n != i->key_len || s->integ_key.n > ALG_KEY_MAX))
		return refuse(why, "%zu bytes are no key for %s", s->integ_key.n, i->name);
	return 0;
}

static int check_sa(const struct xfrm_sa_spec *s, const struct xfrm_caps *caps, char *why)
{
	bool keyed = s->proto == IPPROTO_ESP || s->proto == IPPROTO_AH;

	if (s->dir != XF_IN && s->dir != XF_OUT)
		return refuse(why, "an SA has a direction, in or out");
	if (!keyed && s->proto != IPPROTO_COMP)
		return refuse(why, "protocol %u is neither ESP, AH nor IPComp", s->proto);
	if (!s->src.family || s->src.family != s->dst.family)
		return refuse(why, "an SA has two addresses of one family");
	if (!s->spi || (s->proto == IPPROTO_COMP && s->spi > UINT16_MAX))
		return refuse(why, "SPI 0x%08x is out of range", s->spi);
	if (s->window > XF_WINDOW_MAX)
		return refuse(why, "replay window of %u packets: the kernel has %d", s->window,
			      XF_WINDOW_MAX);
	if (s->esn && !keyed)
		return refuse(why, "IPComp has no sequence numbers");
	if (s->esn && s->dir == XF_IN && !s->window)
		return refuse(
		    why, "the kernel has no extended sequence numbers without a replay window");
	if (s->encap.dport && s->proto != IPPROTO_ESP)
		return refuse(why, "only ESP goes in UDP");
	if (s->tfc_pad && (s->mode != XF_TUNNEL || s->proto != IPPROTO_ESP))
		return refuse(
		    why, "the kernel pads for traffic flow confidentiality in ESP tunnels only");
	if (s->mode == XF_BEET && !s->sel.src.family)
		return refuse(why, "BEET mode wants inner addresses");
	if (s->per_cpu && !caps->sa_pcpu)
		return refuse(why, "this kernel has no SAs of one CPU");
	return check_selector(&s->sel, why);
}

/* With a direction said, the kernel refuses flags that mean nothing in it. */
static uint8_t state_flags(const struct xfrm_sa_spec *s, bool strict)
{
	const struct xf_flags *f = &s->flags;
	bool in = !strict || s->dir == XF_IN, out = !strict || s->dir == XF_OUT;
	uint8_t flags = 0;

	flags |= f->no_ecn ? XFRM_STATE_NOECN : 0;
	flags |= f->no_pmtu && out ? XFRM_STATE_NOPMTUDISC : 0;
	flags |= f->decap_dscp && in ? XFRM_STATE_DECAP_DSCP : 0;
	flags |= f->icmp && in ? XFRM_STATE_ICMP : 0;
	flags |= f->wild_recv && in ? XFRM_STATE_WILDRECV : 0;
	flags |= f->align4 ? XFRM_STATE_ALIGN4 : 0;
	flags |= s->esn ? XFRM_STATE_ESN : 0;
	/* Else the kernel takes the outer family for the inner one. */
	flags |= !s->sel.src.family && s->mode == XF_TUNNEL ? XFRM_STATE_AF_UNSPEC : 0;
	return flags;
}

static void put_key(struct put *m, uint16_t type, const void *head, size_t head_len,
		    struct slice key)
{
	uint8_t buf[sizeof(struct xfrm_algo_auth) + ALG_KEY_MAX];

	memcpy(buf, head, head_len);
	if (key.n)
		memcpy(buf + head_len, key.p, key.n);
	put_attr(m, type, buf, head_len + key.n);
	explicit_bzero(buf, sizeof(buf));
}

static void put_ciphers(struct put *m, const struct xfrm_sa_spec *s)
{
	if (s->encr && s->encr->aead) {
		struct xfrm_algo_aead a = {.alg_key_len = (unsigned int)s->encr_key.n * 8,
					   .alg_icv_len = s->encr->icv_len * 8U};

		snprintf(a.alg_name, sizeof(a.alg_name), "%s", s->encr->xfrm);
		put_key(m, XFRMA_ALG_AEAD, &a, sizeof(a), s->encr_key);
		return;
	}
	if (s->integ) {
		struct xfrm_algo_auth a = {.alg_key_len = (unsigned int)s->integ_key.n * 8,
					   .alg_trunc_len = s->integ->icv_len * 8U};

		snprintf(a.alg_name, sizeof(a.alg_name), "%s", s->integ->xfrm);
		put_key(m, XFRMA_ALG_AUTH_TRUNC, &a, sizeof(a), s->integ_key);
	}
	if (s->encr || s->proto == IPPROTO_COMP) {
		struct xfrm_algo a = {.alg_key_len = (unsigned int)s->encr_key.n * 8};

		snprintf(a.alg_name, sizeof(a.alg_name), "%s", s->encr ? s->encr->xfrm : "deflate");
		put_key(m, s->encr ? XFRMA_ALG_CRYPT : XFRMA_ALG_COMP, &a, sizeof(a), s->encr_key);
	}
}

/* The field of the header holds 32 packets; more, and extended numbers, take the attribute. */
static bool wide_window(const struct xfrm_sa_spec *s)
{
	return s->esn || s->window > 32;
}

static void put_window(struct put *m, const struct xfrm_sa_spec *s, bool strict)
{
	struct xfrm_replay_state_esn r = {0};

	if (!wide_window(s))
		return;
	/* Without a direction the kernel wants a window of every SA with extended numbers, outbound
	 * ones too. */
	if (s->dir == XF_IN || !strict)
		r.replay_window = s->window ? s->window : 1;
	r.bmp_len = (r.replay_window + 31) / 32;
	put_attr(m, XFRMA_REPLAY_ESN_VAL, &r, sizeof(r));
}

static void put_encap(struct put *m, const struct xf_encap *e)
{
	struct xfrm_encap_tmpl t;

	if (!e->dport)
		return;
	memset(&t, 0, sizeof(t));
	t.encap_type = UDP_ENCAP_ESPINUDP;
	t.encap_sport = htons(e->sport);
	t.encap_dport = htons(e->dport);
	put_addr(&t.encap_oa, &e->oa);
	put_attr(m, XFRMA_ENCAP, &t, sizeof(t));
}

static void put_offload(struct put *m, const struct xf_offload *o, uint8_t flags)
{
	struct xfrm_user_offload u;

	if (o->wish == XF_OFFLOAD_NO || o->ifindex <= 0)
		return;
	memset(&u, 0, sizeof(u));
	u.ifindex = o->ifindex;
	u.flags = flags;
	if (o->wish == XF_OFFLOAD_PACKET)
		u.flags |= XFRM_OFFLOAD_PACKET;
	put_attr(m, XFRMA_OFFLOAD_DEV, &u, sizeof(u));
}

static void put_extras(struct put *m, const struct xfrm_sa_spec *s, const struct xfrm_caps *caps)
{
	const uint8_t dir = s->dir == XF_IN ? 1 : 2;
	uint32_t extra = 0;

	put_window(m, s, caps->sa_dir);
	put_encap(m, &s->encap);
	/* A peer behind a NAT that changes ports for each packet is told of once a second, not once
	 * a packet. */
	if (s->encap.dport && s->dir == XF_IN)
		put_u32(m, XFRMA_MTIMER_THRESH, MAPPING_AGE_S);
	if (s->tfc_pad && s->dir == XF_OUT)
		put_u32(m, XFRMA_TFCPAD, s->tfc_pad);
	put_mark(m, &s->mark);
	if (s->if_id)
		put_u32(m, XFRMA_IF_ID, s->if_id);
	if (s->dir == XF_OUT || !caps->sa_dir) {
		extra |= s->flags.no_encap_dscp ? XFRM_SA_XFLAG_DONT_ENCAP_DSCP : 0;
		extra |= s->flags.oseq_may_wrap ? XFRM_SA_XFLAG_OSEQ_MAY_WRAP : 0;
	}
	if (extra)
		put_u32(m, XFRMA_SA_EXTRA_FLAGS, extra);
	put_offload(m, &s->offload, s->dir == XF_IN ? XFRM_OFFLOAD_INBOUND : 0);
	if (caps->sa_dir)
		put_attr(m, XF_A_SA_DIR, &dir, sizeof(dir));
	if (s->set_mark.mask) {
		put_u32(m, XFRMA_SET_MARK, s->set_mark.value);
		put_u32(m, XFRMA_SET_MARK_MASK, s->set_mark.mask);
	}
	if (s->per_cpu)
		put_u32(m, XF_A_SA_PCPU, s->cpu);
}

int xfrm_put_sa(void *buf, size_t room, const struct xfrm_sa_spec *s, const struct xfrm_caps *caps,
		char *why)
{
	struct xfrm_usersa_info h = {0};
	struct put m;
	int r = check_sa(s, caps, why);

	if (!r)
		r = check_ciphers(s, why);
	if (r)
		return r;
	put_selector(&h.sel, &s->sel);
	put_addr(&h.id.daddr, &s->dst);
	put_addr(&h.saddr, &s->src);
	h.id.spi = htonl(s->spi);
	h.id.proto = s->proto;
	put_limits(&h.lft, &s->limits);
	h.reqid = s->reqid;
	h.family = family_of(&s->dst);
	h.mode = (uint8_t)s->mode;
	if (!wide_window(s) && (s->dir == XF_IN || !caps->sa_dir))
		h.replay_window = (uint8_t)s->window;
	h.flags = state_flags(s, caps->sa_dir);
	put_begin(&m, buf, room, XFRM_MSG_NEWSA, &h, sizeof(h));
	put_ciphers(&m, s);
	put_extras(&m, s, caps);
	return put_end(&m);
}

static int put_sa_id(void *buf, size_t room, uint16_t type, const struct xfrm_sa_id *id)
{
	struct xfrm_usersa_id h = {
	    .spi = htonl(id->spi), .family = family_of(&id->dst), .proto = id->proto};
	struct put m;

	put_addr(&h.daddr, &id->dst);
	put_begin(&m, buf, room, type, &h, sizeof(h));
	put_mark(&m, &id->mark);
	return put_end(&m);
}

int xfrm_put_sa_del(void *buf, size_t room, const struct xfrm_sa_id *id)
{
	return put_sa_id(buf, room, XFRM_MSG_DELSA, id);
}

/* What is asked for is the answer: no acknowledgement beside it. */
static int as_question(void *buf, int len)
{
	if (len > 0)
		((struct nlmsghdr *)buf)->nlmsg_flags = NLM_F_REQUEST;
	return len;
}

int xfrm_put_sa_get(void *buf, size_t room, const struct xfrm_sa_id *id)
{
	return as_question(buf, put_sa_id(buf, room, XFRM_MSG_GETSA, id));
}

static int put_dump(void *buf, size_t room, uint16_t type, size_t head)
{
	static const uint8_t none[sizeof(struct xfrm_userpolicy_id)];
	struct put m;

	put_begin(&m, buf, room, type, none, head);
	if (!m.failed)
		m.nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	return put_end(&m);
}

int xfrm_put_sa_dump(void *buf, size_t room)
{
	return put_dump(buf, room, XFRM_MSG_GETSA, sizeof(struct xfrm_usersa_id));
}

int xfrm_put_attr_question(void *buf, size_t room, uint16_t attr)
{
	const struct xfrm_usersa_id h = {.family = AF_INET, .proto = IPPROTO_ESP};
	const uint8_t out_of_range = 0xff;
	struct put m;

	put_begin(&m, buf, room, XFRM_MSG_GETSA, &h, sizeof(h));
	put_attr(&m, attr, &out_of_range, sizeof(out_of_range));
	return put_end(&m);
}

/* ---- policies
 * ------------------------------------------------------------------------------------------ */

static int check_policy(const struct xfrm_policy_spec *p, char *why)
{
	if (p->dir != XF_IN && p->dir != XF_OUT && p->dir != XF_FWD)
		return refuse(why, "a policy has a direction");
	if (!p->sel.src.family)
		return refuse(why, "a policy is of one address family");
	if (p->n_tmpl > XF_TMPL_MAX)
		return refuse(why, "more than %d templates", XF_TMPL_MAX);
	if (p->offload.wish != XF_OFFLOAD_NO &&
	    (p->offload.wish != XF_OFFLOAD_PACKET || p->offload.ifindex <= 0))
		return refuse(why, "a policy is offloaded whole, to an interface");
	for (unsigned int i = 0; i < p->n_tmpl; i++) {
		const struct xfrm_tmpl *t = &p->tmpl[i];

		if (t->src.family != t->dst.family)
			return refuse(why, "template of two address families");
		if (t->mode != XF_TRANSPORT && !t->dst.family)
			return refuse(why, "a tunnel's template names its ends");
	}
	return check_selector(&p->sel, why);
}

static void put_templates(struct put *m, const struct xfrm_policy_spec *p)
{
	struct xfrm_user_tmpl t[XF_TMPL_MAX];

	if (!p->n_tmpl)
		return;
	memset(t, 0, sizeof(t));
	for (unsigned int i = 0; i < p->n_tmpl; i++) {
		const struct xfrm_tmpl *from = &p->tmpl[i];

		put_addr(&t[i].id.daddr, &from->dst);
		put_addr(&t[i].saddr, &from->src);
		t[i].id.spi = htonl(from->spi);
		t[i].id.proto = from->proto;
		t[i].family = from->dst.family ? family_of(&from->dst) : family_of(&p->sel.src);
		t[i].reqid = from->reqid;
		t[i].mode = (uint8_t)from->mode;
		t[i].optional = from->optional;
		/* Which algorithms the SA uses was negotiated: any that has the right reqid will
		 * do. */
		t[i].aalgos = t[i].ealgos = t[i].calgos = ~0U;
	}
	put_attr(m, XFRMA_TMPL, t, p->n_tmpl * sizeof(t[0]));
}

int xfrm_put_policy(void *buf, size_t room, const struct xfrm_policy_spec *p, bool replace,
		    char *why)
{
	static const struct xf_limits forever;
	struct xfrm_userpolicy_info h = {0};
	struct put m;
	int r = check_policy(p, why);

	if (r)
		return r;
	put_selector(&h.sel, &p->sel);
	put_limits(&h.lft, &forever);
	h.priority = p->priority;
	h.dir = (uint8_t)p->dir;
	h.action = p->action == XF_BLOCK ? XFRM_POLICY_BLOCK : XFRM_POLICY_ALLOW;
	h.flags = (uint8_t)((p->icmp ? XFRM_POLICY_ICMP : 0) |
			    (p->cpu_acquire ? XF_POLICY_CPU_ACQUIRE : 0));
	put_begin(&m, buf, room, replace ? XFRM_MSG_UPDPOLICY : XFRM_MSG_NEWPOLICY, &h, sizeof(h));
	put_templates(&m, p);
	put_mark(&m, &p->mark);
	if (p->if_id)
		put_u32(&m, XFRMA_IF_ID, p->if_id);
	put_offload(&m, &p->offload, 0);
	return put_end(&m);
}

static void put_policy_id(struct put *m, void *buf, size_t room, uint16_t type,
			  const struct xfrm_policy_id *id)
{
	struct xfrm_userpolicy_id h = {.dir = (uint8_t)id->dir};

	put_selector(&h.sel, &id->sel);
	put_begin(m, buf, room, type, &h, sizeof(h));
}

static int put_policy_named(void *buf, size_t room, uint16_t type, const struct xfrm_policy_id *id)
{
	struct put m;

	put_policy_id(&m, buf, room, type, id);
	put_mark(&m, &id->mark);
	if (id->if_id)
		put_u32(&m, XFRMA_IF_ID, id->if_id);
	return put_end(&m);
}

int xfrm_put_policy_del(void *buf, size_t room, const struct xfrm_policy_id *id)
{
	return put_policy_named(buf, room, XFRM_MSG_DELPOLICY, id);
}

int xfrm_put_policy_get(void *buf, size_t room, const struct xfrm_policy_id *id)
{
	return as_question(buf, put_policy_named(buf, room, XFRM_MSG_GETPOLICY, id));
}

int xfrm_put_policy_dump(void *buf, size_t room)
{
	return put_dump(buf, room, XFRM_MSG_GETPOLICY, sizeof(struct xfrm_userpolicy_id));
}

int xfrm_put_migrate(void *buf, size_t room, const struct xfrm_migrate_spec *s, char *why)
{
	struct xfrm_user_migrate u[XF_MIGRATE_MAX];
	struct put m;
	int r = check_selector(&s->policy.sel, why);

	if (r)
		return r;
	if (!s->n || s->n > XF_MIGRATE_MAX)
		return refuse(why, "one to %d SAs move together", XF_MIGRATE_MAX);
	memset(u, 0, sizeof(u));
	for (unsigned int i = 0; i < s->n; i++) {
		const struct xfrm_migrate_sa *sa = &s->sa[i];

		if (!sa->old_src.family || sa->old_src.family != sa->old_dst.family ||
		    !sa->new_src.family || sa->new_src.family != sa->new_dst.family)
			return refuse(why, "an SA moves between two pairs of addresses");
		put_addr(&u[i].old_saddr, &sa->old_src);
		put_addr(&u[i].old_daddr, &sa->old_dst);
		put_addr(&u[i].new_saddr, &sa->new_src);
		put_addr(&u[i].new_daddr, &sa->new_dst);
		u[i].old_family = family_of(&sa->old_src);
		u[i].new_family = family_of(&sa->new_src);
		u[i].proto = sa->proto;
		u[i].mode = (uint8_t)sa->mode;
		u[i].reqid = sa->reqid;
	}
	put_policy_id(&m, buf, room, XFRM_MSG_MIGRATE, &s->policy);
	put_attr(&m, XFRMA_MIGRATE, u, s->n * sizeof(u[0]));
	put_encap(&m, &s->encap);
	if (s->policy.if_id)
		put_u32(&m, XFRMA_IF_ID, s->policy.if_id);
	return put_end(&m);
}
