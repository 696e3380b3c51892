/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "codec.h"
#include "common/log.h"
#include "common/secret.h"

#include <sys/queue.h>

struct event;
struct mnl_socket;

/*
 * The client from inside. Two sockets: what is asked goes by `ask` and is answered inside the
 * system call that sends it, so that nothing is ever under way there; what the kernel tells comes
 * by `hear`. Messages hold keys both ways (a state is shown with its keys), so both buffers are
 * locked memory and wiped after use.
 */
enum {
	XF_BATCH_BYTES = 32768,
	XF_BATCH_MESSAGES = 64,
	XF_ANSWER_BYTES = 32768, /* what a dump puts into one datagram at most */
	XF_REQUEST_RCVBUF = 1 << 20,
	XF_EVENT_RCVBUF = 4 << 20,
	XF_EVENTS_A_TURN = 64,
};

enum ask_kind {
	ASK_SA_ADD,
	ASK_SA_DEL,
	ASK_POLICY_ADD,
	ASK_POLICY_PUT,
	ASK_POLICY_DEL,
	ASK_MIGRATE
};

/* What was asked, as far as it takes to find out whether it was done when the answer is lost. */
struct asked {
	enum ask_kind kind;
	uint32_t seq;
	struct xfrm_wait wait;
	union {
		struct {
			struct xfrm_sa_id id;
			struct ip_addr src;
			uint32_t reqid;
		} sa;
		struct {
			struct xfrm_policy_id id;
			uint32_t priority, reqid, spi; /* of the first template */
			struct ip_addr dst;
		} policy;
	};
	bool answered;
	int error;
	char text[XF_TEXT_MAX];
	TAILQ_ENTRY(asked) next;
};
TAILQ_HEAD(asked_list, asked);

struct xfrm_client {
	struct event_base *base;
	const struct xfrm_client_ops *ops;
	void *ctx;
	struct mnl_socket *ask, *hear;
	struct event *turn, *news;
	struct xfrm_caps caps;
	struct secret batch, answer;
	size_t used;	     /* of the batch */
	unsigned int queued; /* messages in it */
	uint32_t seq;
	struct asked_list under_way; /* in the batch, in order */
	struct asked_list done;	     /* with an answer that nobody was told yet */
	struct xfrm_client_stat stat;
	struct log_budget budget, event_budget;
};

/* client.c: sends the batch and reads its answers; callbacks wait for the turn. */
void client_send(struct xfrm_client *c);
/* Number and sender of a request. */
void client_sign(struct xfrm_client *c, struct nlmsghdr *nlh);
/* A record without an answer, to be answered by client_answer. NULL. */
struct asked *asked_new(enum ask_kind kind, const struct xfrm_wait *w);
void asked_sa(struct asked *a, const struct xfrm_sa_spec *s);
void client_answer(struct xfrm_client *c, struct asked *a, int error, const char *text);

/* ask.c: one message, answered at once: the number is filled in. The batch must be empty. fn gets
 * each message that is no acknowledgement, NULL: none is expected. 0 or -errno, the kernel's words
 * in text (XF_TEXT_MAX bytes). */
typedef bool (*answer_fn)(void *ctx, const struct nlmsghdr *nlh);
int client_exchange(struct xfrm_client *c, void *msg, size_t len, answer_fn fn, void *ctx,
		    char *text);
/* One datagram of answers into c->answer. Bytes, 0: there is none, -ENOBUFS: some were lost, or
 * -errno. */
int client_receive(struct xfrm_client *c);
/* After a lost answer: 0 or -errno, by what the kernel holds. */
int client_find_out(struct xfrm_client *c, const struct asked *a);

/* events.c */
int client_hear(struct xfrm_client *c);
void client_deaf(struct xfrm_client *c);

/* offload.c: adds an SA that wishes for offload, at once. 0 or -errno: then there is no answer. */
int client_add_offloaded(struct xfrm_client *c, const struct xfrm_sa_spec *s,
			 const struct xfrm_wait *w, char *why);
