/* SPDX-License-Identifier: BSD-2-Clause */
#include "client_int.h"

#include <libmnl/libmnl.h>

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* Questions that are answered at once, and what to do when an answer got lost. */

int client_receive(struct xfrm_client *c)
{
	struct sockaddr_nl from = {0};
	struct iovec iov = {.iov_base = c->answer.p, .iov_len = c->answer.n};
	struct msghdr mh = {
	    .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	for (;;) {
		n = recvmsg(mnl_socket_get_fd(c->ask), &mh, MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -errno;
		/* Any process may write to a netlink socket; the kernel is number 0. */
		if (from.nl_pid == 0 && !(mh.msg_flags & MSG_TRUNC))
			return (int)n;
		c->stat.malformed++;
	}
}

/* One message: true when it was the last of the answer. */
static bool take_answer(struct xfrm_client *c, const struct nlmsghdr *nlh, answer_fn fn, void *ctx,
			bool *more, int *r, char *text)
{
	if (nlh->nlmsg_type == NLMSG_ERROR) {
		if (xfrm_get_ack(nlh, r, text)) {
			c->stat.malformed++;
			*r = -EBADMSG;
		}
		return true;
	}
	if (nlh->nlmsg_type == NLMSG_DONE) {
		*r = 0;
		return true;
	}
	if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
		*r = -EINTR;
	if (fn && *more)
		*more = fn(ctx, nlh);
	/* A single object, asked for without an acknowledgement, is the whole answer. */
	if (!(nlh->nlmsg_flags & NLM_F_MULTI)) {
		*r = 0;
		return true;
	}
	return false;
}

static int read_answer(struct xfrm_client *c, uint32_t seq, answer_fn fn, void *ctx, char *text)
{
	bool more = true, last = false, changed = false;
	int n, r = 0;

	while (!last) {
		struct slice left;
		const struct nlmsghdr *nlh;

		n = client_receive(c);
		if (n <= 0)
			return n ? n : -ENOBUFS;
		left = slice_of(c->answer.p, (size_t)n);
		while (!last && (nlh = xfrm_next_message(&left))) {
			if (nlh->nlmsg_seq != seq)
				continue;
			last = take_answer(c, nlh, fn, ctx, &more, &r, text);
			changed |= r == -EINTR;
		}
		secret_wipe(c->answer.p, (size_t)n); /* the kernel shows keys */
	}
	return !r && changed ? -EINTR : r;
}

int client_exchange(struct xfrm_client *c, void *msg, size_t len, answer_fn fn, void *ctx,
		    char *text)
{
	struct nlmsghdr *nlh = msg;
	ssize_t n;

	text[0] = 0;
	client_sign(c, nlh);
	do
		n = send(mnl_socket_get_fd(c->ask), msg, len, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return read_answer(c, nlh->nlmsg_seq, fn, ctx, text);
}

struct sa_answer {
	struct xfrm_sa_info *out;
	bool (*fn)(void *ctx, const struct xfrm_sa_info *sa);
	void *ctx;
	bool got;
};

static bool on_sa(void *ctx, const struct nlmsghdr *nlh)
{
	struct sa_answer *a = ctx;
	struct xfrm_sa_info sa;

	if (xfrm_get_sa(nlh, &sa))
		return true;
	a->got = true;
	if (a->out)
		*a->out = sa;
	return a->fn ? a->fn(a->ctx, &sa) : true;
}

int xfrm_sa_get(struct xfrm_client *c, const struct xfrm_sa_id *id, struct xfrm_sa_info *out)
{
	_Alignas(8) uint8_t msg[XF_MSG_MAX];
	struct sa_answer a = {.out = out};
	char text[XF_TEXT_MAX];
	int n = xfrm_put_sa_get(msg, sizeof(msg), id), r;

	if (n < 0)
		return n;
	client_send(c);
	r = client_exchange(c, msg, (size_t)n, on_sa, &a, text);
	return !r && !a.got ? -EBADMSG : r;
}

int xfrm_sa_dump(struct xfrm_client *c, bool (*fn)(void *ctx, const struct xfrm_sa_info *sa),
		 void *ctx)
{
	_Alignas(8) uint8_t msg[XF_MSG_MAX];
	struct sa_answer a = {.fn = fn, .ctx = ctx};
	char text[XF_TEXT_MAX];
	int n = xfrm_put_sa_dump(msg, sizeof(msg));

	if (n < 0)
		return n;
	client_send(c);
	return client_exchange(c, msg, (size_t)n, on_sa, &a, text);
}

struct policy_answer {
	struct xfrm_policy_info *out;
	bool (*fn)(void *ctx, const struct xfrm_policy_info *p);
	void *ctx;
	bool got;
};

static bool on_policy(void *ctx, const struct nlmsghdr *nlh)
{
	struct policy_answer *a = ctx;
	struct xfrm_policy_info p;

	/* Sockets have policies, too: they are nobody's business but theirs. */
	if (xfrm_get_policy(nlh, &p) || p.spec.dir > XF_FWD)
		return true;
	a->got = true;
	if (a->out)
		*a->out = p;
	return a->fn ? a->fn(a->ctx, &p) : true;
}

int xfrm_policy_get(struct xfrm_client *c, const struct xfrm_policy_id *id,
		    struct xfrm_policy_info *out)
{
	_Alignas(8) uint8_t msg[XF_MSG_MAX];
	struct policy_answer a = {.out = out};
	char text[XF_TEXT_MAX];
	int n = xfrm_put_policy_get(msg, sizeof(msg), id), r;

	if (n < 0)
		return n;
	client_send(c);
	r = client_exchange(c, msg, (size_t)n, on_policy, &a, text);
	return !r && !a.got ? -EBADMSG : r;
}

int xfrm_policy_dump(struct xfrm_client *c, bool (*fn)(void *ctx, const struct xfrm_policy_info *p),
		     void *ctx)
{
	_Alignas(8) uint8_t msg[XF_MSG_MAX];
	struct policy_answer a = {.fn = fn, .ctx = ctx};
	char text[XF_TEXT_MAX];
	int n = xfrm_put_policy_dump(msg, sizeof(msg));

	if (n < 0)
		return n;
	client_send(c);
	return client_exchange(c, msg, (size_t)n, on_policy, &a, text);
}

/* ---- lost answers
 * ---------------------------------------------------------------------------------------- */

static int find_out_sa(struct xfrm_client *c, const struct asked *a)
{
	struct xfrm_sa_info sa;
	int r = xfrm_sa_get(c, &a->sa.id, &sa);

	if (a->kind == ASK_SA_DEL)
		return r == -ESRCH ? 0 : -ENOBUFS;
	if (r)
		return -ENOBUFS;
	return sa.spec.reqid == a->sa.reqid && addr_equal(&sa.spec.src, &a->sa.src) ? 0 : -EEXIST;
}

static int find_out_policy(struct xfrm_client *c, const struct asked *a)
{
	struct xfrm_policy_info p;
	int r = xfrm_policy_get(c, &a->policy.id, &p);
	const struct xfrm_tmpl *t = &p.spec.tmpl[0];

	if (a->kind == ASK_POLICY_DEL)
		return r == -ENOENT ? 0 : -ENOBUFS;
	if (r)
		return -ENOBUFS;
	if (a->kind == ASK_MIGRATE)
		return p.spec.n_tmpl && addr_equal(&t->dst, &a->policy.dst) ? 0 : -ENOBUFS;
	if (p.spec.priority == a->policy.priority && t->reqid == a->policy.reqid &&
	    t->spi == a->policy.spi &&
	    (!a->policy.dst.family || addr_equal(&t->dst, &a->policy.dst)))
		return 0;
	return a->kind == ASK_POLICY_ADD ? -EEXIST : -ENOBUFS;
}

int client_find_out(struct xfrm_client *c, const struct asked *a)
{
	return a->kind == ASK_SA_ADD || a->kind == ASK_SA_DEL ? find_out_sa(c, a)
							      : find_out_policy(c, a);
}
