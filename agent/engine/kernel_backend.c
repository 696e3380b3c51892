/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel.h"

#include "common/log.h"
#include "common/secret.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * ESP and AH in the kernel. A half is one SA and its policies; all that is asked for in a turn of the loop goes in one
 * batch. The kernel has the limits by bytes and packets, and one by time behind ours: it counts by the wall clock, which
 * may jump.
 */

/* Behind our own limit by time, which a monotonic clock keeps. */
enum { BACKSTOP_S = 60, BACKSTOP_SHARE = 10 };
/* Of requests for a half: 0 is its SA, this the compression, others are policies. */
static const uint64_t TAG_IPCOMP = UINT64_MAX;

static void on_nobody(void *ctx, struct sa_ref ref, uint64_t tag, int error, const char *text)
{
	(void)ctx;
	(void)ref;
	(void)tag;
	(void)error;
	(void)text;
}

const struct xfrm_wait kernel_nobody = {.done = on_nobody};

static bool ready(const struct engine *e)
{
	return e->kernel != NULL;
}

static bool has_alg(const struct engine *e, unsigned int type, unsigned int id, unsigned int bits,
		    char why[ENGINE_WHY_MAX])
{
	const struct alg *a = id ? alg_find(type, id, bits) : NULL;

	if (!id || (a && e->kernel->probe.alg[alg_index(a)]))
		return true;
	snprintf(why, ENGINE_WHY_MAX, "this kernel lacks %s%s%s", a ? a->name : "its algorithms",
		 a && a->xfrm ? ", it has no " : "", a && a->xfrm ? a->xfrm : "");
	return false;
}

static bool able(const struct engine *e, const struct child_suite *s, char why[ENGINE_WHY_MAX])
{
	if (s->ah && !e->kernel->probe.has[XF_AH]) {
		snprintf(why, ENGINE_WHY_MAX, "%s", e->kernel->probe.why_not[XF_AH]);
		return false;
	}
	return has_alg(e, IKE_T_ENCR, s->encr, s->encr_bits, why) && has_alg(e, IKE_T_INTEG, s->integ, 0, why);
}

/* ---- an SA's words ---------------------------------------------------------------------------------- */
void kernel_endpoints(const struct xs_sa *row, struct endpoint *src, struct endpoint *dst)
{
	addr_from_mapped(row->src.b, &src->ip);
	addr_from_mapped(row->dst.b, &dst->ip);
	src->port = row->sport;
	dst->port = row->dport;
}

struct xfrm_sa_id kernel_sa_id(const struct sa_pair *p, enum half_dir dir)
{
	const struct kernel_pair *kp = p->kernel;
	struct xfrm_sa_id id = {.dst = kp->at[dir].dst.ip, .spi = p->half[dir].row.spi, .proto = p->half[dir].row.protocol};

	if (dir == HALF_OUT || kp->mark_in_sa)
		id.mark = kp->mark[dir];
	return id;
}

static struct xf_mark set_mark(const struct conf_mark *m, const struct xf_mark *same)
{
	if (m->pick == CONF_PICK_SAME)
		return (struct xf_mark){.value = same->value, .mask = m->mask ? m->mask : same->mask};
	return (struct xf_mark){.value = m->value, .mask = m->mask};
}

static const struct alg *row_alg(unsigned int type, unsigned int id, unsigned int bits)
{
	return id ? alg_find(type, id, bits) : NULL;
}

static uint64_t backstop_s(uint64_t life_s)
{
	return life_s ? life_s + life_s / BACKSTOP_SHARE + BACKSTOP_S : 0;
}

static void fill_flags(const struct engine_child *c, struct xf_flags *f)
{
	f->no_ecn = !c->conf->copy_ecn;
	f->no_pmtu = !c->conf->copy_df;
	f->decap_dscp = c->conf->copy_dscp_in;
	f->no_encap_dscp = !c->conf->copy_dscp_out;
}

static void fill_spec(const struct sa_pair *p, const struct engine_child *c, enum half_dir dir,
		      const struct secret *encr, const struct secret *integ, struct xfrm_sa_spec *s)
{
	const struct kernel_pair *kp = p->kernel;
	const struct xs_sa *row = &p->half[dir].row;

	*s = (struct xfrm_sa_spec){
		.dir = dir == HALF_IN ? XF_IN : XF_OUT,
		.src = kp->at[dir].src.ip,
		.dst = kp->at[dir].dst.ip,
		.spi = row->spi,
		.proto = row->protocol,
		.mode = row->mode == XS_TRANSPORT ? XF_TRANSPORT : XF_TUNNEL,
		.reqid = row->reqid,
		.if_id = kp->if_id[dir],
		.encap = {.sport = row->sport, .dport = row->dport},
		.esn = row->esn,
		.window = row->replay_window,
		.encr = row_alg(IKE_T_ENCR, row->encr, row->encr_bits),
		.integ = row_alg(IKE_T_INTEG, row->integ, 0),
		.encr_key = secret_slice(encr),
		.integ_key = secret_slice(integ),
		.limits = {.soft_bytes = c->soft_bytes, .hard_bytes = c->hard_bytes, .soft_packets = c->soft_packets,
			   .hard_packets = c->hard_packets, .hard_s = backstop_s(c->life_s)},
		.offload = kp->offload,
		.tfc_pad = dir == HALF_OUT && !c->no_tfc ? c->conf->tfc_padding : 0, /* RFC 7296 1.3.1 */
	};
	if (dir == HALF_OUT || kp->mark_in_sa)
		s->mark = kp->mark[dir];
	s->set_mark = dir == HALF_IN ? set_mark(&c->conf->kernel.set_mark_in, &kp->mark[HALF_IN])
				     : set_mark(&c->conf->kernel.set_mark_out, &kp->mark[HALF_OUT]);
	fill_flags(c, &s->flags);
	/* RFC 4302 3.3.3.2.1: IPv4 has words of 32 bits, which the kernel does when told. */
	s->flags.align4 = s->proto == IPPROTO_AH && s->src.family == 4;
	/* The kernel has no extended numbers without a window: then the one that lets most through. */
	if (dir == HALF_IN && s->esn && !s->window)
		s->window = XF_WINDOW_MAX;
}

/* ---- what a pair gets --------------------------------------------------------------------------------- */
struct kernel_pair *kernel_pair_new(struct sa_pair *p)
{
	struct kernel_pair *kp = calloc(1, sizeof(*kp));

	if (!kp)
		return NULL;
	TAILQ_INIT(&kp->claims[HALF_IN]);
	TAILQ_INIT(&kp->claims[HALF_OUT]);
	p->kernel = kp;
	return kp;
}

static enum xf_offload_wish offload_wish(enum conf_offload o)
{
	switch (o) {
	case CONF_OFFLOAD_CRYPTO:
		return XF_OFFLOAD_CRYPTO;
	case CONF_OFFLOAD_PACKET:
		return XF_OFFLOAD_PACKET;
	case CONF_OFFLOAD_AUTO:
		return XF_OFFLOAD_AUTO;
	default:
		return XF_OFFLOAD_NO;
	}
}

bool kernel_own_routes(const struct child_conf *c)
{
	const struct conf_kernel *k = &c->kernel;

	return k->mark_out.mask || k->mark_in.mask || k->if_id_out.value || k->if_id_in.value ||
	       k->if_id_out.pick != CONF_PICK_FIXED || k->if_id_in.pick != CONF_PICK_FIXED || k->no_policies;
}

bool pair_classified(const struct sa_pair *p)
{
	return !p->kernel || !p->kernel->own_routes;
}

static int interface_of(const struct conf_kernel *c, struct kernel_pair *kp, char why[KERNEL_WHY_MAX])
{
	if (!c->interface[0])
		return 0;
	kp->ifindex = (int)if_nametoindex(c->interface);
	if (kp->ifindex)
		return 0;
	snprintf(why, KERNEL_WHY_MAX, "there is no interface %s", c->interface);
	return -ENODEV;
}

static int prepare(struct engine *e, struct sa_pair *p, const struct engine_child *c, char why[KERNEL_WHY_MAX])
{
	const struct conf_kernel *conf = &c->conf->kernel;
	struct kernel_group *g;
	struct kernel_pair *kp;
	int err;

	if (p->kernel)
		return 0;
	if (c->cpi_in && !e->kernel->probe.has[XF_IPCOMP]) {
		snprintf(why, KERNEL_WHY_MAX, "%s", e->kernel->probe.why_not[XF_IPCOMP]);
		return -EPROTONOSUPPORT;
	}
	if ((c->mode == CONF_MODE_TRANSPORT || c->cpi_in) && e->maps.ctl->xfrm_dev && !e->maps.ctl->xfrm_transport_dev) {
		snprintf(why, KERNEL_WHY_MAX, "transport mode and IPComp need the XFRM interface " GW_XFRM_TRANSPORT_DEV
					      ", which is not there: xdpsec-loader load");
		return -ENODEV;
	}
	g = kernel_group_take(e->kernel, c, why);
	if (!g)
		return -errno;
	kp = kernel_pair_new(p);
	err = kp ? interface_of(conf, kp, why) : -ENOMEM;
	if (err) {
		kernel_group_drop(e->kernel, g);
		free(kp);
		p->kernel = NULL;
		return err;
	}
	kp->group = g;
	kp->cpi[HALF_IN] = c->cpi_in;
	kp->cpi[HALF_OUT] = c->cpi_out;
	kp->around = c->mode == CONF_MODE_TRANSPORT || c->cpi_in;
	kp->own_routes = kernel_own_routes(c->conf);
	kp->fwd_out = conf->fwd_out;
	kp->mark_in_sa = conf->mark_in_sa;
	kp->offload.wish = offload_wish(conf->offload);
	kp->mark[HALF_IN] = g->mark_in;
	kp->mark[HALF_OUT] = g->mark_out;
	/* A card that takes whole packets looks policies up itself, by their selectors. */
	kp->device = e->maps.ctl->xfrm_dev && !kp->own_routes && !kp->ifindex && !conf->fwd_out &&
		     kp->offload.wish != XF_OFFLOAD_PACKET && kp->offload.wish != XF_OFFLOAD_AUTO;
	kp->if_id[HALF_IN] = kp->device ? XS_XFRM_IF_ID(p->slot) : g->if_id_in;
	/* Linux discards that behind the interface which collects metadata, and it takes all without one of their own. */
	if (kp->around && e->maps.ctl->xfrm_dev && !g->if_id_in)
		kp->if_id[HALF_IN] = XS_XFRM_TRANSPORT_IF_ID;
	kp->if_id[HALF_OUT] = kp->device ? XS_XFRM_IF_ID(p->slot) : g->if_id_out;
	return 0;
}

static void fill_row(struct engine *e, const struct sa_pair *p, enum half_dir dir, struct xs_sa *row)
{
	(void)e;
	(void)dir;
	row->reqid = p->kernel->group->reqid;
}

void kernel_pair_free(struct kernel_engine *k, struct sa_pair *p)
{
	kernel_claims_free(k, p);
	if (p->kernel->group)
		kernel_group_drop(k, p->kernel->group);
	free(p->kernel);
	p->kernel = NULL;
}

static void forget(struct engine *e, struct sa_pair *p)
{
	if (!p->kernel)
		return;
	kernel_policies_del(e->kernel, p, HALF_OUT);
	kernel_policies_del(e->kernel, p, HALF_IN);
	kernel_pair_free(e->kernel, p);
}

/* ---- answers -------------------------------------------------------------------------------------------- */
/* A half on its way in: one answer for its SA (tag 0) and one for each policy, in any of which it may fail. */
struct kernel_answer {
	struct kernel_engine *k;
	struct sa_install *in; /* NULL: a removal */
	struct engine_sa sa;
	enum half_dir dir;
	unsigned int due;
	int error;
	uint64_t packets, bytes;
	char text[KERNEL_WHY_MAX];
	TAILQ_ENTRY(kernel_answer) next;
};

static void undo(struct kernel_engine *k, struct sa_pair *p, enum half_dir dir)
{
	const struct xfrm_sa_id id = kernel_sa_id(p, dir);

	kernel_policies_del(k, p, dir);
	xfrm_sa_del(k->client, &id, &kernel_nobody);
	kernel_ipcomp_del(k, p, dir);
}

/* The port whose card does the work: what the classifier sends its packets to. */
struct port_search {
	int ifindex;
	uint32_t index;
	bool found;
};

static int port_match(void *ctx, uint32_t ifindex, const struct xs_port *port)
{
	struct port_search *s = ctx;

	if ((int)ifindex != s->ifindex)
		return 0;
	s->index = port->index;
	s->found = true;
	return 1;
}

static void note_offload(struct kernel_engine *k, struct sa_pair *p, enum half_dir dir, const char *text)
{
	const struct xfrm_sa_id id = kernel_sa_id(p, dir);
	struct xfrm_sa_info info;
	struct port_search s = {0};

	log_line(LOG_KERNEL, 1, "ESP %s %08x: %s", dir == HALF_IN ? "in" : "out", p->half[dir].row.spi,
		 text[0] ? text : "no offload");
	if (xfrm_sa_get(k->client, &id, &info))
		return;
	p->kernel->offload = info.spec.offload;
	if (info.spec.offload.wish != XF_OFFLOAD_PACKET)
		return;
	s.ifindex = info.spec.offload.ifindex;
	xs_port_each(&k->e->maps, port_match, &s);
	if (!s.found)
		return;
	p->half[dir].row.engine = XS_ENGINE_OFFLOAD;
	p->half[dir].row.worker = (uint16_t)s.index;
}

static void deliver(struct kernel_answer *a)
{
	struct kernel_engine *k = a->k;
	struct sa_pair *p = pair_at(k->e, a->sa);
	struct sa_removal gone = {.sa = a->sa, .dir = a->dir, .gone = true, .packets = a->packets, .bytes = a->bytes,
				  .text = a->text};

	if (!a->in) {
		removal_answered(k->e, &gone);
		free(a);
		return;
	}
	if (a->error && p && p->kernel)
		undo(k, p, a->dir);
	install_answered(a->in, a->error, false, a->text);
	free(a);
}

static void on_deliver(evutil_socket_t fd, short what, void *arg)
{
	struct kernel_engine *k = arg;
	struct kernel_answer *a;

	(void)fd;
	(void)what;
	while ((a = TAILQ_FIRST(&k->answers))) {
		TAILQ_REMOVE(&k->answers, a, next);
		deliver(a);
	}
}

static void answer(struct kernel_answer *a)
{
	struct kernel_engine *k = a->k;

	k->waiting--;
	TAILQ_REMOVE(&k->under_way, a, next);
	if (!k->flushing) {
		deliver(a);
		return;
	}
	TAILQ_INSERT_TAIL(&k->answers, a, next);
	event_active(k->deliver, EV_TIMEOUT, 0);
}

void kernel_flush(struct kernel_engine *k)
{
	bool was = k->flushing;

	k->flushing = true;
	xfrm_flush(k->client);
	k->flushing = was;
}

int kernel_backend_events(struct kernel_engine *k)
{
	k->deliver = event_new(k->e->base, -1, 0, on_deliver, k);
	return k->deliver ? 0 : -ENOMEM;
}

static void list_free(struct kernel_answers *list)
{
	struct kernel_answer *a;

	while ((a = TAILQ_FIRST(list))) {
		TAILQ_REMOVE(list, a, next);
		free(a->in);
		free(a);
	}
}

/* Nobody hears of them any more. */
void kernel_answers_free(struct kernel_engine *k)
{
	list_free(&k->under_way);
	list_free(&k->answers);
	if (k->deliver)
		event_free(k->deliver);
}

/* ---- in ------------------------------------------------------------------------------------------------- */
static void on_added(void *ctx, struct sa_ref ref, uint64_t tag, int error, const char *text)
{
	struct kernel_answer *a = ctx;
	struct sa_pair *p = pair_at(a->k->e, a->sa);

	(void)ref;
	if (error && !a->error) {
		a->error = error;
		snprintf(a->text, sizeof(a->text), "%s%s%s",
			 tag == TAG_IPCOMP ? "IPComp: " : tag ? "policy: " : "", text[0] ? text : strerror(-error),
			 tag && tag != TAG_IPCOMP && error == -EEXIST ? " (another program has one with these selectors)" : "");
	}
	if (error == -EEXIST && tag && tag != TAG_IPCOMP && p && p->kernel)
		kernel_policy_foreign(p, a->dir, tag);
	if (!error && !tag && p && p->kernel && p->kernel->offload.wish != XF_OFFLOAD_NO)
		note_offload(a->k, p, a->dir, text);
	if (!--a->due)
		answer(a);
}

/* The SA of a half, and of the compression that goes with it. */
static int add_states(struct kernel_engine *k, struct sa_pair *p, struct xfrm_sa_spec *s, enum half_dir dir,
		      struct kernel_answer *a, char why[XF_TEXT_MAX])
{
	struct xfrm_wait w = {.done = on_added, .ctx = a};
	struct xfrm_sa_spec comp;
	int err;

	if (!p->kernel->cpi[dir])
		return xfrm_sa_add(k->client, s, &w, why);
	kernel_ipcomp_spec(p, dir, s, &comp);
	err = xfrm_sa_add(k->client, s, &w, why);
	if (err)
		return err;
	w.tag = TAG_IPCOMP;
	err = xfrm_sa_add(k->client, &comp, &w, why);
	if (err)
		a->error = err;
	else
		a->due++;
	return 0;
}

static int add(struct engine *e, struct sa_pair *p, const struct engine_child *c, enum half_dir dir,
	       const struct secret *encr, const struct secret *integ, struct sa_install *in)
{
	struct kernel_engine *k = e->kernel;
	struct kernel_answer *a = calloc(1, sizeof(*a));
	struct xfrm_wait w = {.done = on_added, .ctx = a};
	char why[XF_TEXT_MAX] = "";
	struct xfrm_sa_spec s;
	unsigned int n;
	int err;

	if (!a)
		return -ENOMEM;
	*a = (struct kernel_answer){.k = k, .in = in, .sa = pair_handle(p), .dir = dir, .due = 1};
	kernel_endpoints(&p->half[dir].row, &p->kernel->at[dir].src, &p->kernel->at[dir].dst);
	fill_spec(p, c, dir, encr, integ, &s);
	err = add_states(k, p, &s, dir, a, why);
	if (err) {
		log_limited(&k->budget, LOG_CHILD, 0, "CHILD_SA %s: the kernel engine cannot make SA %08x: %s", c->child,
			    s.spi, why[0] ? why : strerror(-err));
		free(a);
		return err;
	}
	k->waiting++;
	TAILQ_INSERT_TAIL(&k->under_way, a, next);
	p->kernel->hard_bytes = s.limits.hard_bytes;
	p->kernel->hard_packets = s.limits.hard_packets;
	w.tag = 1;
	err = kernel_policies_add(k, p, dir, w, &n, why);
	a->due += n;
	if (err) {
		a->error = err;
		snprintf(a->text, sizeof(a->text), "policy: %s", why[0] ? why : strerror(-err));
	}
	return 0;
}

/* ---- and out ---------------------------------------------------------------------------------------------- */
static void on_removed(void *ctx, struct sa_ref ref, uint64_t tag, int error, const char *text)
{
	struct kernel_answer *a = ctx;

	(void)ref;
	(void)tag;
	/* One that expired in the kernel, or that somebody deleted, is as gone as it should be. */
	if (error && error != -ESRCH)
		snprintf(a->text, sizeof(a->text), "%s", text[0] ? text : strerror(-error));
	answer(a);
}

static int del(struct engine *e, struct sa_pair *p, enum half_dir dir)
{
	struct kernel_engine *k = e->kernel;
	struct kernel_answer *a = calloc(1, sizeof(*a));
	const struct xfrm_wait w = {.done = on_removed, .ctx = a};
	const struct xfrm_sa_id id = kernel_sa_id(p, dir);
	struct xfrm_sa_info info;
	int err;

	if (!a)
		return -ENOMEM;
	*a = (struct kernel_answer){.k = k, .sa = pair_handle(p), .dir = dir, .due = 1};
	if (log_wanted(LOG_CHILD, 2) && !xfrm_sa_get(k->client, &id, &info)) {
		a->packets = info.packets;
		a->bytes = info.bytes;
	}
	/* Outbound: nothing may look for an SA that is not there. Inbound: what is still let in is checked. */
	if (dir == HALF_OUT)
		kernel_policies_del(k, p, dir);
	err = xfrm_sa_del(k->client, &id, &w);
	if (err) {
		free(a);
		return err;
	}
	kernel_ipcomp_del(k, p, dir);
	if (dir == HALF_IN)
		kernel_policies_del(k, p, dir);
	k->waiting++;
	TAILQ_INSERT_TAIL(&k->under_way, a, next);
	return 0;
}

/* ---- for the table ------------------------------------------------------------------------------------------- */
static unsigned int waiting(const struct engine *e)
{
	return e->kernel ? e->kernel->waiting : 0;
}

static int in_force(struct engine *e, struct sa_pair *p)
{
	return kernel_policies_switch(e->kernel, p);
}

static void out_of_force(struct engine *e, struct sa_pair *p)
{
	if (p->kernel)
		kernel_policies_withdraw(e->kernel, p);
}

const struct engine_backend kernel_backend = {
	.name = "kernel",
	.engine = XS_ENGINE_KERNEL,
	.ready = ready,
	.able = able,
	.prepare = prepare,
	.fill_row = fill_row,
	.add = add,
	.del = del,
	.move = kernel_move,
	.stat = kernel_stat,
	.in_force = in_force,
	.out_of_force = out_of_force,
	.forget = forget,
	.waiting = waiting,
};
