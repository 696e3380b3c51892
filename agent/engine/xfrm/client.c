/* SPDX-License-Identifier: BSD-2-Clause */
#include "client_int.h"

#include <event2/event.h>
#include <libmnl/libmnl.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static const char *kind_text(enum ask_kind kind)
{
	static const char *const text[] = {
	    [ASK_SA_ADD] = "adding an SA",	    [ASK_SA_DEL] = "deleting an SA",
	    [ASK_POLICY_ADD] = "adding a policy",   [ASK_POLICY_PUT] = "replacing a policy",
	    [ASK_POLICY_DEL] = "deleting a policy", [ASK_MIGRATE] = "moving SAs",
	};

	return text[kind];
}

/* ---- answers
 * ------------------------------------------------------------------------------------------ */

struct asked *asked_new(enum ask_kind kind, const struct xfrm_wait *w)
{
	struct asked *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->kind = kind;
	if (w)
		a->wait = *w;
	return a;
}

void asked_sa(struct asked *a, const struct xfrm_sa_spec *s)
{
	a->sa.id =
	    (struct xfrm_sa_id){.dst = s->dst, .spi = s->spi, .proto = s->proto, .mark = s->mark};
	a->sa.src = s->src;
	a->sa.reqid = s->reqid;
}

void client_answer(struct xfrm_client *c, struct asked *a, int error, const char *text)
{
	/* A kernel built without it says so in words of its own. */
	if (a->kind == ASK_MIGRATE && (error == -ENOPROTOOPT || error == -EPROTONOSUPPORT))
		error = -EOPNOTSUPP;
	a->answered = true;
	a->error = error;
	snprintf(a->text, sizeof(a->text), "%s", text);
	c->stat.failed += error != 0;
	TAILQ_INSERT_TAIL(&c->done, a, next);
	event_active(c->turn, EV_TIMEOUT, 0);
}

static void tell(struct xfrm_client *c, const struct asked *a)
{
	if (a->wait.done)
		a->wait.done(a->wait.ctx, a->wait.ref, a->wait.tag, a->error, a->text);
	else if (a->error)
		log_limited(&c->budget, LOG_KERNEL, 1, "%s failed: %s%s%s", kind_text(a->kind),
			    strerror(-a->error), a->text[0] ? ": " : "", a->text);
}

/* Callbacks may ask again and flush: each answer is off the list before it is told. */
static void tell_all(struct xfrm_client *c)
{
	struct asked *a;

	while ((a = TAILQ_FIRST(&c->done))) {
		TAILQ_REMOVE(&c->done, a, next);
		tell(c, a);
		free(a);
	}
}

static void match(struct xfrm_client *c, const struct nlmsghdr *nlh)
{
	struct asked *a;
	char text[XF_TEXT_MAX];
	int error;

	TAILQ_FOREACH (a, &c->under_way, next)
		if (a->seq == nlh->nlmsg_seq)
			break;
	if (!a || xfrm_get_ack(nlh, &error, text)) {
		c->stat.malformed++;
		return;
	}
	TAILQ_REMOVE(&c->under_way, a, next);
	client_answer(c, a, error, text);
}

/* The kernel has answered all there is before sendmsg returned; what is not there now was lost. */
static void read_answers(struct xfrm_client *c)
{
	int n;

	while ((n = client_receive(c))) {
		struct slice left = slice_of(c->answer.p, n > 0 ? (size_t)n : 0);
		const struct nlmsghdr *nlh;

		if (n < 0 && n != -ENOBUFS)
			return;
		while ((nlh = xfrm_next_message(&left)))
			match(c, nlh);
	}
}

static void answer_lost(struct xfrm_client *c)
{
	struct asked_list lost = TAILQ_HEAD_INITIALIZER(lost);
	struct asked *a;

	TAILQ_CONCAT(&lost, &c->under_way, next);
	while ((a = TAILQ_FIRST(&lost))) {
		int error = client_find_out(c, a);

		TAILQ_REMOVE(&lost, a, next);
		c->stat.lost_answers++;
		client_answer(c, a, error, error ? "the kernel's answer was lost" : "");
	}
}

void client_send(struct xfrm_client *c)
{
	struct asked *a;
	ssize_t n;
	int error;

	if (!c->queued)
		return;
	do
		n = send(mnl_socket_get_fd(c->ask), c->batch.p, c->used, 0);
	while (n < 0 && errno == EINTR);
	error = n < 0 ? -errno : 0;
	secret_wipe(c->batch.p, c->used);
	c->used = c->queued = 0;
	c->stat.batches++;
	if (!error) {
		read_answers(c);
		answer_lost(c);
		return;
	}
	while ((a = TAILQ_FIRST(&c->under_way))) {
		TAILQ_REMOVE(&c->under_way, a, next);
		client_answer(c, a, error, "the request could not be sent");
	}
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct xfrm_client *c = arg;

	(void)fd;
	(void)what;
	xfrm_flush(c);
}

void xfrm_flush(struct xfrm_client *c)
{
	client_send(c);
	tell_all(c);
}

/* The kernel takes our word for who asked, and passes it on with the news of what was done. */
void client_sign(struct xfrm_client *c, struct nlmsghdr *nlh)
{
	nlh->nlmsg_seq = ++c->seq;
	nlh->nlmsg_pid = mnl_socket_get_portid(c->ask);
}

/* ---- requests
 * ------------------------------------------------------------------------------------------ */

/* Where the next message goes: there is always room for one. */
static uint8_t *next_place(struct xfrm_client *c)
{
	if (c->queued == XF_BATCH_MESSAGES || c->used + XF_MSG_MAX > c->batch.n)
		client_send(c);
	return c->batch.p + c->used;
}

/* `len` bytes stand at next_place; a negative one is an error of the encoder. */
static int queue(struct xfrm_client *c, struct asked *a, int len)
{
	struct nlmsghdr *nlh = (void *)(c->batch.p + c->used);

	if (len < 0) {
		secret_wipe(c->batch.p + c->used, XF_MSG_MAX);
		free(a);
		return len;
	}
	client_sign(c, nlh);
	a->seq = nlh->nlmsg_seq;
	c->used += MNL_ALIGN((size_t)len);
	c->queued++;
	c->stat.requests++;
	TAILQ_INSERT_TAIL(&c->under_way, a, next);
	event_active(c->turn, EV_TIMEOUT, 0);
	return 0;
}

int xfrm_sa_add(struct xfrm_client *c, const struct xfrm_sa_spec *s, const struct xfrm_wait *w,
		char *why)
{
	struct asked *a;

	if (why)
		why[0] = 0;
	if (s->offload.wish != XF_OFFLOAD_NO)
		return client_add_offloaded(c, s, w, why);
	a = asked_new(ASK_SA_ADD, w);
	if (!a)
		return -ENOMEM;
	asked_sa(a, s);
	return queue(c, a, xfrm_put_sa(next_place(c), XF_MSG_MAX, s, &c->caps, why));
}

int xfrm_sa_del(struct xfrm_client *c, const struct xfrm_sa_id *id, const struct xfrm_wait *w)
{
	struct asked *a = asked_new(ASK_SA_DEL, w);

	if (!a)
		return -ENOMEM;
	a->sa.id = *id;
	return queue(c, a, xfrm_put_sa_del(next_place(c), XF_MSG_MAX, id));
}

static int policy_ask(struct xfrm_client *c, enum ask_kind kind, const struct xfrm_policy_spec *p,
		      const struct xfrm_wait *w, char *why)
{
	struct asked *a = asked_new(kind, w);

	if (why)
		why[0] = 0;
	if (!a)
		return -ENOMEM;
	a->policy.id = (struct xfrm_policy_id){
	    .dir = p->dir, .sel = p->sel, .if_id = p->if_id, .mark = p->mark};
	a->policy.priority = p->priority;
	a->policy.reqid = p->tmpl[0].reqid;
	a->policy.spi = p->tmpl[0].spi;
	a->policy.dst = p->tmpl[0].dst;
	return queue(c, a,
		     xfrm_put_policy(next_place(c), XF_MSG_MAX, p, kind == ASK_POLICY_PUT, why));
}

int xfrm_policy_add(struct xfrm_client *c, const struct xfrm_policy_spec *p,
		    const struct xfrm_wait *w, char *why)
{
	return policy_ask(c, ASK_POLICY_ADD, p, w, why);
}

int xfrm_policy_put(struct xfrm_client *c, const struct xfrm_policy_spec *p,
		    const struct xfrm_wait *w, char *why)
{
	return policy_ask(c, ASK_POLICY_PUT, p, w, why);
}

int xfrm_policy_del(struct xfrm_client *c, const struct xfrm_policy_id *id,
		    const struct xfrm_wait *w)
{
	struct asked *a = asked_new(ASK_POLICY_DEL, w);

	if (!a)
		return -ENOMEM;
	a->policy.id = *id;
	return queue(c, a, xfrm_put_policy_del(next_place(c), XF_MSG_MAX, id));
}

int xfrm_migrate(struct xfrm_client *c, const struct xfrm_migrate_spec *m,
		 const struct xfrm_wait *w, char *why)
{
	struct asked *a = asked_new(ASK_MIGRATE, w);

	if (why)
		why[0] = 0;
	if (!a)
		return -ENOMEM;
	a->policy.id = m->policy;
	a->policy.dst = m->sa[0].new_dst;
	return queue(c, a, xfrm_put_migrate(next_place(c), XF_MSG_MAX, m, why));
}

/* ---- begin and end
 * -------------------------------------------------------------------------------------- */

static int open_ask(struct xfrm_client *c)
{
	int bytes = c->ops->request_rcvbuf ? c->ops->request_rcvbuf : XF_REQUEST_RCVBUF, on = 1, fd;

	c->ask = mnl_socket_open2(NETLINK_XFRM, SOCK_CLOEXEC);
	if (!c->ask || mnl_socket_bind(c->ask, 0, MNL_SOCKET_AUTOPID))
		return -errno;
	fd = mnl_socket_get_fd(c->ask);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	/* Why in words; and no copy of what was asked, which may have been keys. */
	mnl_socket_setsockopt(c->ask, NETLINK_EXT_ACK, &on, sizeof(on));
	if (mnl_socket_setsockopt(c->ask, NETLINK_CAP_ACK, &on, sizeof(on)))
		return -errno;
	return 0;
}

static int knows_attr(struct xfrm_client *c, uint16_t attr, bool *knows)
{
	char text[XF_TEXT_MAX];
	int n = xfrm_put_attr_question(c->batch.p, c->batch.n, attr), r;

	if (n < 0)
		return n;
	r = client_exchange(c, c->batch.p, (size_t)n, NULL, NULL, text);
	*knows = r == -ERANGE || r == -EINVAL;
	return r == -EPERM || r == -ENOBUFS ? r : 0;
}

static int open_all(struct xfrm_client *c)
{
	int r = open_ask(c);

	if (!r)
		r = secret_new(&c->batch, XF_BATCH_BYTES);
	if (!r)
		r = secret_new(&c->answer, XF_ANSWER_BYTES);
	if (!r)
		r = knows_attr(c, XF_A_SA_DIR, &c->caps.sa_dir);
	if (!r)
		r = knows_attr(c, XF_A_SA_PCPU, &c->caps.sa_pcpu);
	if (r || !c->base)
		return r;
	c->turn = event_new(c->base, -1, EV_TIMEOUT, on_turn, c);
	return c->turn ? client_hear(c) : -ENOMEM;
}

struct xfrm_client *xfrm_client_new(struct event_base *base, const struct xfrm_client_ops *ops,
				    void *ctx, char *err, size_t errlen)
{
	struct xfrm_client *c = calloc(1, sizeof(*c));
	int r = -ENOMEM;

	if (c) {
		c->base = base;
		c->ops = ops;
		c->ctx = ctx;
		TAILQ_INIT(&c->under_way);
		TAILQ_INIT(&c->done);
		c->budget = c->event_budget = (struct log_budget)LOG_BUDGET_INIT;
		r = open_all(c);
	}
	if (!r)
		return c;
	snprintf(err, errlen, "the kernel's IPsec: %s%s", strerror(-r),
		 r == -EPERM		 ? ": CAP_NET_ADMIN is needed (CapabilityBoundingSet)"
		 : r == -EPROTONOSUPPORT ? ": no XFRM netlink (modprobe xfrm_user)"
					 : "");
	xfrm_client_free(c);
	errno = -r;
	return NULL;
}

void xfrm_client_free(struct xfrm_client *c)
{
	struct asked *a;

	if (!c)
		return;
	client_send(c);
	while ((a = TAILQ_FIRST(&c->done))) {
		TAILQ_REMOVE(&c->done, a, next);
		free(a);
	}
	client_deaf(c);
	if (c->turn)
		event_free(c->turn);
	if (c->ask)
		mnl_socket_close(c->ask);
	secret_free(&c->batch);
	secret_free(&c->answer);
	free(c);
}

void xfrm_client_stat_get(const struct xfrm_client *c, struct xfrm_client_stat *out)
{
	*out = c->stat;
}
