/* SPDX-License-Identifier: BSD-2-Clause */
#include "plane_client.h"

#include "common/log.h"
#include "common/secret.h"
#include "maps/layout.h"

#include <event2/event.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum state { IDLE, GREETING, UP };

enum { READ_BURST = 64 };

struct request {
	TAILQ_ENTRY(request) next;
	uint32_t id;
	uint64_t deadline_ms;
	plane_done_fn done;
	void *ctx;
	struct secret unsent; /* the message, while the socket takes no more */
};
TAILQ_HEAD(request_list, request);

struct plane_client {
	struct event_base *base;
	struct sockaddr_un addr;
	struct plane_client_ops ops;
	void *ctx;
	enum state state;
	int fd;
	struct event *readable, *writable, *retry, *patience;
	unsigned int retry_ms;
	struct request_list requests; /* in the order of their numbers */
	unsigned int n_requests;
	uint32_t next_id;
	bool mismatch_said, info_asked, have_info;
	struct log_budget budget;
	struct plane_info info;
};

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void timer_set(struct event *ev, uint64_t ms)
{
	struct timeval tv = {.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000)};

	evtimer_add(ev, &tv);
}

static void retry_later(struct plane_client *pc)
{
	if (pc->ops.urgent(pc->ctx) && !pc->mismatch_said)
		pc->retry_ms = PLANE_RETRY_MIN_MS;
	timer_set(pc->retry, pc->retry_ms);
	pc->retry_ms *= 2;
	if (pc->retry_ms > PLANE_RETRY_MAX_MS)
		pc->retry_ms = PLANE_RETRY_MAX_MS;
}

static void request_end(struct request *r, int error, const struct plane_ack *ack)
{
	secret_free(&r->unsent);
	if (r->done)
		r->done(r->ctx, error, ack);
	free(r);
}

static void hang_up(struct plane_client *pc)
{
	if (pc->readable)
		event_free(pc->readable);
	if (pc->writable)
		event_free(pc->writable);
	pc->readable = pc->writable = NULL;
	if (pc->fd >= 0)
		close(pc->fd);
	pc->fd = -1;
	evtimer_del(pc->patience);
	pc->info_asked = false;
	pc->have_info = false;
}

/* The connection is over. Everything that waits fails; callbacks see the client as down. */
static void lose(struct plane_client *pc, int error)
{
	enum state was = pc->state;
	struct request_list failed = TAILQ_HEAD_INITIALIZER(failed);
	struct request *r;

	hang_up(pc);
	pc->state = IDLE;
	TAILQ_CONCAT(&failed, &pc->requests, next);
	pc->n_requests = 0;
	retry_later(pc);
	while ((r = TAILQ_FIRST(&failed))) {
		TAILQ_REMOVE(&failed, r, next);
		request_end(r, error, NULL);
	}
	if (was == UP)
		pc->ops.down(pc->ctx);
}

static void mind_patience(struct plane_client *pc)
{
	struct request *r = TAILQ_FIRST(&pc->requests);
	uint64_t now = now_ms();

	if (!r)
		evtimer_del(pc->patience);
	else
		timer_set(pc->patience, r->deadline_ms > now ? r->deadline_ms - now : 0);
}

static void on_patience(evutil_socket_t fd, short what, void *arg)
{
	struct plane_client *pc = arg;

	(void)fd;
	(void)what;
	log_limited(&pc->budget, LOG_KERNEL, 1, "the dataplane does not answer: connecting again");
	lose(pc, -ETIMEDOUT);
}

static int send_now(struct plane_client *pc, const void *p, size_t n)
{
	ssize_t sent = send(pc->fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (sent < 0)
		return -errno;
	return (size_t)sent == n ? 0 : -EMSGSIZE;
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct plane_client *pc = arg;
	struct request *r;

	(void)fd;
	(void)what;
	TAILQ_FOREACH(r, &pc->requests, next) {
		int err;

		if (!r->unsent.p)
			continue;
		err = send_now(pc, r->unsent.p, r->unsent.n);
		if (err == -EAGAIN) {
			event_add(pc->writable, NULL);
			return;
		}
		if (err) {
			lose(pc, -ECONNRESET);
			return;
		}
		secret_free(&r->unsent);
	}
}

static void ask_info(struct plane_client *pc)
{
	union plane_msg m = {.hdr = {.type = PLANE_INFO_GET}};

	if (!plane_client_request(pc, &m, sizeof(m.hdr), NULL, NULL))
		pc->info_asked = true;
}

static void take_hello(struct plane_client *pc, const struct plane_hello *h)
{
	if (h->protocol != PLANE_PROTOCOL || h->layout_version != XS_LAYOUT_VERSION) {
		if (!pc->mismatch_said)
			log_line(LOG_KERNEL, 0,
				 "the dataplane speaks protocol %u with map layout %u, this agent %u with "
				 "%u: install the same version of both",
				 h->protocol, h->layout_version, PLANE_PROTOCOL, XS_LAYOUT_VERSION);
		pc->mismatch_said = true;
		lose(pc, -EPROTO);
		return;
	}
	pc->mismatch_said = false;
	pc->state = UP;
	pc->retry_ms = PLANE_RETRY_MIN_MS;
	evtimer_del(pc->patience);
	ask_info(pc);
	pc->ops.up(pc->ctx, h->instance);
}

/* Answers come in the order of the requests; anything else is a confused peer. */
static void take_answer(struct plane_client *pc, const union plane_msg *m)
{
	struct request *r = TAILQ_FIRST(&pc->requests);

	if (!r || r->id != m->hdr.request || r->unsent.p) {
		log_limited(&pc->budget, LOG_KERNEL, 1, "the dataplane answered request %u out of turn",
			    m->hdr.request);
		lose(pc, -EPROTO);
		return;
	}
	TAILQ_REMOVE(&pc->requests, r, next);
	pc->n_requests--;
	mind_patience(pc);
	if (m->hdr.type == PLANE_INFO) {
		pc->info = m->info;
		pc->info.crypto[sizeof(pc->info.crypto) - 1] = '\0';
		if (pc->info.n_ports > PLANE_PORTS_MAX)
			pc->info.n_ports = PLANE_PORTS_MAX;
		pc->info_asked = false;
		pc->have_info = true;
		request_end(r, 0, NULL);
		return;
	}
	request_end(r, m->ack.error, &m->ack);
}

static bool complete(const union plane_msg *m, size_t n)
{
	if (n < sizeof(m->hdr) || m->hdr.len != n)
		return false;
	switch (m->hdr.type) {
	case PLANE_HELLO:
		return n == sizeof(m->hello);
	case PLANE_ACK:
		return n == sizeof(m->ack) && m->ack.error <= 0;
	case PLANE_INFO:
		return n == sizeof(m->info);
	case PLANE_EVENT:
		return n == sizeof(m->event);
	default:
		return false;
	}
}

static void dispatch(struct plane_client *pc, union plane_msg *m)
{
	switch (m->hdr.type) {
	case PLANE_HELLO:
		if (pc->state == GREETING)
			take_hello(pc, &m->hello);
		return;
	case PLANE_EVENT:
		if (pc->state == UP)
			pc->ops.event(pc->ctx, &m->event);
		return;
	default:
		if (m->hdr.type == PLANE_ACK)
			m->ack.text[sizeof(m->ack.text) - 1] = '\0';
		take_answer(pc, m);
	}
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct plane_client *pc = arg;

	(void)what;
	for (int i = 0; i < READ_BURST && pc->fd == fd; i++) {
		union plane_msg m;
		ssize_t n = recv(fd, &m, sizeof(m), MSG_DONTWAIT | MSG_TRUNC);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			lose(pc, -ECONNRESET);
			return;
		}
		if ((size_t)n > sizeof(m) || !complete(&m, (size_t)n)) {
			log_limited(&pc->budget, LOG_KERNEL, 1,
				    "the dataplane sent a message that cannot be read");
			lose(pc, -EPROTO);
			return;
		}
		dispatch(pc, &m);
		/* No answer is due: one call saved that says so. The loop comes back for events and an end. */
		if (pc->state == UP && !pc->n_requests)
			return;
	}
}

static int greet(struct plane_client *pc)
{
	struct plane_hello h = {
		.hdr = {.type = PLANE_HELLO, .len = sizeof(h)},
		.protocol = PLANE_PROTOCOL,
		.layout_version = XS_LAYOUT_VERSION,
	};

	return send_now(pc, &h, sizeof(h));
}

static int dial(struct plane_client *pc)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	pc->fd = fd;
	if (connect(fd, (struct sockaddr *)&pc->addr, sizeof(pc->addr)))
		return -errno;
	pc->readable = event_new(pc->base, fd, EV_READ | EV_PERSIST, on_readable, pc);
	pc->writable = event_new(pc->base, fd, EV_WRITE, on_writable, pc);
	if (!pc->readable || !pc->writable || event_add(pc->readable, NULL))
		return -ENOMEM;
	return greet(pc);
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct plane_client *pc = arg;

	(void)fd;
	(void)what;
	if (pc->state != IDLE)
		return;
	if (dial(pc)) {
		hang_up(pc);
		retry_later(pc);
		return;
	}
	pc->state = GREETING;
	timer_set(pc->patience, PLANE_PATIENCE_MS);
}

struct plane_client *plane_client_new(struct event_base *base, const char *path,
				      const struct plane_client_ops *ops, void *ctx)
{
	struct plane_client *pc;

	if (strlen(path) >= sizeof(pc->addr.sun_path)) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	pc = calloc(1, sizeof(*pc));
	if (!pc)
		return NULL;
	pc->base = base;
	pc->ops = *ops;
	pc->ctx = ctx;
	pc->fd = -1;
	pc->budget = (struct log_budget)LOG_BUDGET_INIT;
	pc->retry_ms = PLANE_RETRY_MIN_MS;
	pc->addr.sun_family = AF_UNIX;
	memcpy(pc->addr.sun_path, path, strlen(path) + 1);
	TAILQ_INIT(&pc->requests);
	pc->retry = evtimer_new(base, on_retry, pc);
	pc->patience = evtimer_new(base, on_patience, pc);
	if (!pc->retry || !pc->patience) {
		plane_client_free(pc);
		errno = ENOMEM;
		return NULL;
	}
	timer_set(pc->retry, 0);
	return pc;
}

void plane_client_free(struct plane_client *pc)
{
	struct request *r;

	if (!pc)
		return;
	if (pc->patience)
		hang_up(pc);
	pc->state = IDLE;
	while ((r = TAILQ_FIRST(&pc->requests))) {
		TAILQ_REMOVE(&pc->requests, r, next);
		request_end(r, -ECANCELED, NULL);
	}
	if (pc->retry)
		event_free(pc->retry);
	if (pc->patience)
		event_free(pc->patience);
	free(pc);
}

bool plane_client_up(const struct plane_client *pc)
{
	return pc->state == UP;
}

bool plane_client_greeting(const struct plane_client *pc)
{
	return pc->state == GREETING;
}

unsigned int plane_client_waiting(const struct plane_client *pc)
{
	return pc->n_requests;
}

/* Sent at once when the socket takes it and nobody waits in front. */
static int put_out(struct plane_client *pc, struct request *r, const union plane_msg *msg, size_t len)
{
	struct request *last = TAILQ_LAST(&pc->requests, request_list);
	int err = last && last->unsent.p ? -EAGAIN : send_now(pc, msg, len);

	if (err != -EAGAIN)
		return err;
	err = secret_dup(&r->unsent, slice_of(msg, len));
	if (!err)
		event_add(pc->writable, NULL);
	return err;
}

int plane_client_request(struct plane_client *pc, union plane_msg *msg, size_t len, plane_done_fn done,
			 void *ctx)
{
	struct request *r;
	int err;

	if (pc->state != UP)
		return -ENOTCONN;
	if (pc->n_requests >= PLANE_QUEUE_MAX)
		return -ENOBUFS;
	r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	if (!++pc->next_id)
		pc->next_id = 1; /* 0 is for events */
	r->id = pc->next_id;
	r->done = done;
	r->ctx = ctx;
	r->deadline_ms = now_ms() + PLANE_PATIENCE_MS;
	msg->hdr.len = (uint16_t)len;
	msg->hdr.request = r->id;
	err = put_out(pc, r, msg, len);
	if (err) {
		free(r);
		return err == -ENOMEM ? err : -ENOTCONN; /* the loop will see that it broke */
	}
	TAILQ_INSERT_TAIL(&pc->requests, r, next);
	if (!pc->n_requests++)
		mind_patience(pc);
	return 0;
}

void plane_client_info_ask(struct plane_client *pc)
{
	if (pc->state == UP && !pc->info_asked)
		ask_info(pc);
}

const struct plane_info *plane_client_info(const struct plane_client *pc)
{
	return pc->have_info ? &pc->info : NULL;
}
