/* SPDX-License-Identifier: BSD-2-Clause */
#include "fetch.h"

#include "agent/keys/child.h"
#include "common/log.h"
#include "fetch_wire.h"

#include <event2/event.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/*
 * Times:
 *   START_MS   a role that is started must be ready by then
 *   SPARE_MS   on top of FETCH_TIMEOUT_MS, until a request fails though the role says nothing
 *   IDLE_MS    without a request, after which the role is ended
 *   RATE_MS    one request each, after a burst of BURST
 */
enum {
	START_MS = 5000,
	SPARE_MS = 2000,
	IDLE_MS = 60000,
	RATE_MS = 100,
	BURST = 64,
	TICK_MS = 500
};

struct pending {
	TAILQ_ENTRY(pending) next;
	struct fetch_request q;
	fetch_done_fn done;
	void *ctx;
	uint64_t user_id;
	uint64_t asked_ms;
	bool sent;
	uint8_t *body;
	size_t n;
};
TAILQ_HEAD(pending_list, pending);

struct fetch {
	struct event_base *base;
	char *exe;
	pid_t pid; /* 0: no role */
	int fd;
	bool ready;
	struct event *readable, *writable, *tick;
	struct pending_list open;
	unsigned int n_open;
	uint64_t next_id, started_ms, busy_ms;
	uint64_t tokens_ms; /* of the rate: the time up to which requests are paid for */
	pid_t zombie;
	struct fetch_reply buf;
};

static bool unsandboxed;

void fetch_allow_unsandboxed(void)
{
	unsandboxed = true;
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void tick_arm(struct fetch *f)
{
	static const struct timeval tick = {.tv_usec = TICK_MS * 1000};

	if (!evtimer_pending(f->tick, NULL))
		evtimer_add(f->tick, &tick);
}

static void pending_free(struct pending *p)
{
	free(p->body);
	free(p);
}

static void call_back(struct pending *p, int error, const char *text)
{
	struct fetch_result r = {.error = error, .body = slice_of(p->body, p->n)};

	snprintf(r.text, sizeof(r.text), "%s", text);
	p->done(p->ctx, p->user_id, &r);
	pending_free(p);
}

static void finish(struct fetch *f, struct pending *p, int error, const char *text)
{
	TAILQ_REMOVE(&f->open, p, next);
	f->n_open--;
	f->busy_ms = now_ms();
	call_back(p, error, text);
}

/* ---- the role
 * ----------------------------------------------------------------------------------------- */
static void role_end(struct fetch *f)
{
	if (!f->pid)
		return;
	event_free(f->readable);
	event_free(f->writable);
	close(f->fd);
	/* Not allowed when it is nobody and the agent has given up CAP_KILL: the closed socket will
	 * do. */
	kill(f->pid, SIGKILL);
	if (!keys_child_reaped(f->pid))
		f->zombie = f->pid;
	f->pid = 0;
	f->ready = false;
}

static void role_lost(struct fetch *f, const char *why)
{
	struct pending_list lost = TAILQ_HEAD_INITIALIZER(lost);
	struct pending *p;
	char text[sizeof(f->buf.text)];

	snprintf(text, sizeof(text), "%s", why); /* it may stand in the buffer */
	log_line(LOG_DAEMON, 0, "fetch role, process %d: %s", (int)f->pid, text);
	role_end(f);
	tick_arm(f);
	/* a callback may ask for more: that is for the next role */
	TAILQ_CONCAT(&lost, &f->open, next);
	f->n_open = 0;
	while ((p = TAILQ_FIRST(&lost))) {
		TAILQ_REMOVE(&lost, p, next);
		call_back(p, -EIO, text);
	}
}

static void pump(struct fetch *f)
{
	struct pending *p;

	TAILQ_FOREACH (p, &f->open, next) {
		if (p->sent)
			continue;
		if (send(f->fd, &p->q, sizeof(p->q), MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
			event_add(f->writable, NULL);
			return;
		}
		p->sent = true;
	}
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	pump(arg);
}

static struct pending *pending_find(struct fetch *f, uint64_t id)
{
	struct pending *p;

	TAILQ_FOREACH (p, &f->open, next)
		if (p->q.id == id && p->sent)
			return p;
	return NULL;
}

static int body_add(struct pending *p, const uint8_t *b, size_t n)
{
	uint8_t *more;

	if (p->n + n > FETCH_BYTES_MAX)
		return -EMSGSIZE;
	more = realloc(p->body, p->n + n ? p->n + n : 1);
	if (!more)
		return -ENOMEM;
	p->body = more;
	if (n)
		memcpy(p->body + p->n, b, n);
	p->n += n;
	return 0;
}

/* One message. False when the role is gone. */
static bool message(struct fetch *f, size_t n)
{
	struct fetch_reply *m = &f->buf;
	struct pending *p;

	if (n < FETCH_REPLY_MIN || m->n != n - FETCH_REPLY_MIN ||
	    (!f->ready && m->type != FETCH_HELLO)) {
		role_lost(f, "does not speak our protocol");
		return false;
	}
	m->text[sizeof(m->text) - 1] = '\0';
	if (m->type == FETCH_HELLO) {
		if (m->error) {
			role_lost(f, m->text);
			return false;
		}
		f->ready = true;
		log_line(LOG_DAEMON, 1, "fetch role ready: process %d", (int)f->pid);
		pump(f);
		return true;
	}
	p = pending_find(f, m->id);
	if (p && m->type == FETCH_END)
		finish(f, p, m->error, m->text);
	else if (p && body_add(p, m->data, m->n))
		finish(f, p, -EMSGSIZE, "too large");
	return true;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct fetch *f = arg;
	pid_t pid = f->pid;

	(void)what;
	for (int i = 0; i < 64 && f->pid == pid; i++) {
		ssize_t n = recv(fd, &f->buf, sizeof(f->buf), 0);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			role_lost(f, "ended");
			return;
		}
		if (!message(f, (size_t)n))
			return;
	}
}

static int role_start(struct fetch *f)
{
	char *argv[] = {(char *)"xdpsecd",
			(char *)"--role",
			(char *)"fetch",
			(char *)"--fd",
			(char *)"3",
			unsandboxed ? (char *)"--no-sandbox" : NULL,
			NULL};
	int fds[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds))
		return -errno;
	r = fcntl(fds[0], F_SETFL, O_NONBLOCK) ? -errno : role_spawn(&f->pid, f->exe, argv, fds[1]);
	close(fds[1]);
	if (r) {
		close(fds[0]);
		f->pid = 0;
		return r;
	}
	f->fd = fds[0];
	f->ready = false;
	f->started_ms = f->busy_ms = now_ms();
	f->readable = event_new(f->base, f->fd, EV_READ | EV_PERSIST, on_readable, f);
	f->writable = event_new(f->base, f->fd, EV_WRITE, on_writable, f);
	if (!f->readable || !f->writable || event_add(f->readable, NULL)) {
		if (f->readable)
			event_free(f->readable);
		if (f->writable)
			event_free(f->writable);
		close(f->fd);
		kill(f->pid, SIGKILL);
		f->zombie = f->pid;
		f->pid = 0;
		return -ENOMEM;
	}
	return 0;
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct fetch *f = arg;
	uint64_t now = now_ms();
	struct pending *p, *after;

	(void)fd;
	(void)what;
	if (f->zombie && keys_child_reaped(f->zombie))
		f->zombie = 0;
	if (f->pid && !f->ready && now - f->started_ms > START_MS)
		role_lost(f, "not ready in time");
	for (p = TAILQ_FIRST(&f->open); p; p = after) {
		after = TAILQ_NEXT(p, next);
		if (now - p->asked_ms > FETCH_TIMEOUT_MS + SPARE_MS)
			finish(f, p, -ETIMEDOUT, "no answer in time");
	}
	if (f->pid && !f->n_open && now - f->busy_ms > IDLE_MS)
		role_end(f);
	if (f->pid || f->zombie || f->n_open)
		tick_arm(f);
}

/* ---- requests
 * ------------------------------------------------------------------------------------------- */
struct fetch *fetch_new(struct event_base *base, const char *exe)
{
	struct fetch *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->base = base;
	f->fd = -1;
	TAILQ_INIT(&f->open);
	f->exe = strdup(exe);
	f->tick = evtimer_new(base, on_tick, f);
	if (!f->exe || !f->tick) {
		fetch_free(f);
		errno = ENOMEM;
		return NULL;
	}
	return f;
}

void fetch_free(struct fetch *f)
{
	struct pending *p;

	if (!f)
		return;
	role_end(f);
	while ((p = TAILQ_FIRST(&f->open))) {
		TAILQ_REMOVE(&f->open, p, next);
		pending_free(p);
	}
	if (f->zombie)
		keys_child_reaped(f->zombie);
	if (f->tick)
		event_free(f->tick);
	free(f->exe);
	free(f);
}

int fetch_pid(const struct fetch *f)
{
	return (int)f->pid;
}

/* RATE_MS a request, BURST of them in advance. */
static bool rate_allows(struct fetch *f, uint64_t now)
{
	if (f->tokens_ms + BURST * RATE_MS < now)
		f->tokens_ms = now - BURST * RATE_MS;
	if (f->tokens_ms + RATE_MS > now)
		return false;
	f->tokens_ms += RATE_MS;
	return true;
}

static int submit(struct fetch *f, const char *uri, bool configured, const char *content_type,
		  struct slice body, fetch_done_fn done, void *ctx, uint64_t id)
{
	uint64_t now = now_ms();
	struct pending *p;
	int r;

	if (strncasecmp(uri, "http://", 7) != 0)
		return -EINVAL;
	if (strlen(uri) >= FETCH_URI_MAX || body.n > FETCH_BODY_MAX)
		return -EMSGSIZE;
	if (f->n_open >= FETCH_OPEN_MAX || !rate_allows(f, now))
		return -EBUSY;
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->q.id = ++f->next_id;
	p->q.configured = configured;
	p->q.post = content_type != NULL;
	p->q.body_len = (uint16_t)body.n;
	snprintf(p->q.uri, sizeof(p->q.uri), "%s", uri);
	snprintf(p->q.content_type, sizeof(p->q.content_type), "%s",
		 content_type ? content_type : "");
	if (body.n)
		memcpy(p->q.body, body.p, body.n);
	p->done = done;
	p->ctx = ctx;
	p->user_id = id;
	p->asked_ms = now;
	r = f->pid ? 0 : role_start(f);
	if (r) {
		pending_free(p);
		return r;
	}
	TAILQ_INSERT_TAIL(&f->open, p, next);
	f->n_open++;
	tick_arm(f);
	if (f->ready)
		pump(f);
	return 0;
}

int fetch_get(struct fetch *f, const char *uri, bool configured, fetch_done_fn done, void *ctx,
	      uint64_t id)
{
	return submit(f, uri, configured, NULL, slice_of(NULL, 0), done, ctx, id);
}

int fetch_post(struct fetch *f, const char *uri, bool configured, const char *content_type,
	       struct slice body, fetch_done_fn done, void *ctx, uint64_t id)
{
	return submit(f, uri, configured, content_type, body, done, ctx, id);
}
