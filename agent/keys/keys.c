/* SPDX-License-Identifier: BSD-2-Clause */
#include "keys_int.h"

#include "common/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/*
 * Times:
 *   START_MS    a role that is started must be ready by then
 *   ANSWER_MS   a request that was sent longer ago means that the role hangs: it is ended, the request
 *               fails; one that waited so long to be sent fails, too
 *   RESTART_*   waits before a role that died is started again, doubled each time
 *   STEADY_MS   a role that lived this long has the waits start anew
 *   TICK_MS     how often the first two, and ended children, are looked at; only while there are any
 */
enum {
	START_MS = 5000,
	ANSWER_MS = 5000,
	RESTART_MIN_MS = 50,
	RESTART_MAX_MS = 10000,
	STEADY_MS = 60000,
	TICK_MS = 250,
	STOP_WAIT_MS = 1000,
};

static bool unsandboxed;

void keys_allow_unsandboxed(void)
{
	unsandboxed = true;
}

uint64_t keys_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static struct timeval ms_timeval(unsigned int ms)
{
	return (struct timeval){.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};
}

void keys_tick_arm(struct keys *k)
{
	struct timeval tick = ms_timeval(TICK_MS);

	if (!evtimer_pending(k->tick, NULL))
		evtimer_add(k->tick, &tick);
}

static void on_readable(evutil_socket_t fd, short what, void *arg);
static void on_writable(evutil_socket_t fd, short what, void *arg);

/* The process is ended and forgotten, but for its zombie. What it was asked fails. */
static void role_free(struct role *r)
{
	struct keys *k = r->keys;

	keys_fail_all(k, &r->sent);
	if (r->readable)
		event_free(r->readable);
	if (r->writable)
		event_free(r->writable);
	keys_child_end(&r->child);
	if (!keys_child_reaped(r->child.pid) && k->n_ended < KEYS_ENDED_MAX) {
		k->ended[k->n_ended++] = r->child.pid;
		keys_tick_arm(k);
	}
	free(r->private_key);
	free(r);
}

static struct role *role_new(struct keys *k, const char *conf)
{
	struct role *r = calloc(1, sizeof(*r));
	int error;

	if (!r)
		return NULL;
	r->keys = k;
	r->started_ms = keys_now_ms();
	TAILQ_INIT(&r->sent);
	error = keys_child_start(&r->child, k->exe, conf, !unsandboxed);
	if (error) {
		free(r);
		errno = -error;
		return NULL;
	}
	r->readable = event_new(k->base, r->child.fd, EV_READ | EV_PERSIST, on_readable, r);
	r->writable = event_new(k->base, r->child.fd, EV_WRITE, on_writable, r);
	if (!r->readable || !r->writable || event_add(r->readable, NULL)) {
		role_free(r);
		errno = ENOMEM;
		return NULL;
	}
	keys_tick_arm(k);
	return r;
}

static void role_ready(struct role *r, uint32_t secrets)
{
	r->ready = true;
	log_line(LOG_DAEMON, 1, "keys role ready: %u secret%s, process %d", secrets,
		 secrets == 1 ? "" : "s", (int)r->child.pid);
}

/* Waits for a role that was just started. 0, or -errno and why in err. */
static int role_wait(struct role *r, char *err, size_t errlen)
{
	struct keys *k = r->keys;
	uint32_t secrets = 0;
	ssize_t n;
	int error = keys_child_wait(&r->child, START_MS);

	if (error) {
		snprintf(err, errlen, "the keys role is not ready after %d s", START_MS / 1000);
		return error;
	}
	n = keys_child_recv(&r->child, k->buf, sizeof(k->buf));
	error = keys_child_hello(k->buf, n > 0 ? (size_t)n : 0, &secrets, err, errlen);
	if (error)
		return error;
	role_ready(r, secrets);
	r->private_key = keys_fetch_private(k, r, &r->n_private, &error);
	if (error)
		snprintf(err, errlen, "the keys role does not list its keys: %s", strerror(-error));
	return error;
}

/* What the process that was just waited for has, is what can be signed with from now on. */
static void private_take(struct keys *k, struct role *r)
{
	free(k->private_key);
	k->private_key = r->private_key;
	k->n_private = r->n_private;
	r->private_key = NULL;
}

static void restart_later(struct keys *k)
{
	struct timeval wait = ms_timeval(k->restart_ms);

	evtimer_add(k->restart, &wait);
	k->restart_ms = k->restart_ms < RESTART_MAX_MS / 2 ? 2 * k->restart_ms : RESTART_MAX_MS;
}

static void waiting_fail(struct keys *k)
{
	keys_fail_all(k, &k->waiting);
	keys_fail_all(k, &k->signs);
}

/* The role is gone or of no use. Requests that wait are kept when it is the first time in a while.
 */
static void role_lost(struct role *r, const char *why)
{
	struct keys *k = r->keys;
	bool was_ready = r->ready;

	if (r != k->role) {
		TAILQ_REMOVE(&k->retired, r, next);
		role_free(r);
		return;
	}
	if (was_ready && keys_now_ms() - r->started_ms > STEADY_MS)
		k->restart_ms = RESTART_MIN_MS;
	log_line(LOG_DAEMON, 0, "keys role, process %d: %s; started again in %u ms",
		 (int)r->child.pid, why, k->restart_ms);
	k->role = NULL;
	role_free(r);
	if (!was_ready)
		waiting_fail(k);
	restart_later(k);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	keys_pump(((struct role *)arg)->keys);
}

bool keys_role_message(struct role *r, size_t n)
{
	char err[KEYS_TEXT_MAX];
	uint32_t secrets;

	if (!r->ready) {
		if (keys_child_hello(r->keys->buf, n, &secrets, err, sizeof(err))) {
			role_lost(r, err);
			return false;
		}
		role_ready(r, secrets);
		keys_pump(r->keys);
		return true;
	}
	keys_answered(r, n);
	return true;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct role *r = arg;
	struct keys *k = r->keys;
	ssize_t n;

	(void)fd;
	(void)what;
	while ((n = keys_child_recv(&r->child, k->buf, sizeof(k->buf))) > 0) {
		if (!keys_role_message(r, (size_t)n))
			return;
		if (r != k->role && TAILQ_EMPTY(&r->sent)) {
			role_lost(r, "retired");
			return;
		}
		/* Nothing else is due: one call saved that says so. The loop comes back for an end. */
		if (r->ready && TAILQ_EMPTY(&r->sent))
			return;
	}
	if (n != -EAGAIN)
		role_lost(r, "ended");
}

static void on_restart(evutil_socket_t fd, short what, void *arg)
{
	struct keys *k = arg;

	(void)fd;
	(void)what;
	k->role = role_new(k, k->conf);
	if (k->role)
		return;
	log_line(LOG_DAEMON, 0, "keys role cannot be started: %s", strerror(errno));
	waiting_fail(k);
	restart_later(k);
}

static bool hangs(const struct role *r, uint64_t now)
{
	const struct pending *p = TAILQ_FIRST(&r->sent);

	if (!r->ready)
		return now - r->started_ms > START_MS;
	return p && now - p->sent_ms > ANSWER_MS;
}

/* More than the role can do: the peers behind these requests ask again. */
static void fail_old(struct keys *k, struct pending_list *from, uint64_t now)
{
	struct pending *p;

	while ((p = TAILQ_FIRST(from)) && now - p->asked_ms > ANSWER_MS)
		keys_finish(k, from, p, -EIO);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct keys *k = arg;
	uint64_t now = keys_now_ms();
	struct role *r, *next;

	(void)fd;
	(void)what;
	for (unsigned int i = k->n_ended; i-- > 0;) {
		if (keys_child_reaped(k->ended[i]))
			k->ended[i] = k->ended[--k->n_ended];
	}
	for (r = TAILQ_FIRST(&k->retired); r; r = next) {
		next = TAILQ_NEXT(r, next);
		if (hangs(r, now))
			role_lost(r, "hangs");
	}
	if (k->role && hangs(k->role, now))
		role_lost(k->role, "does not answer");
	fail_old(k, &k->waiting, now);
	fail_old(k, &k->signs, now);
	if (k->n_ended || k->n_pending || (k->role && !k->role->ready) || !TAILQ_EMPTY(&k->retired))
		keys_tick_arm(k);
}

static int events_make(struct keys *k)
{
	k->deliver = event_new(k->base, -1, 0, keys_on_deliver, k);
	k->restart = evtimer_new(k->base, on_restart, k);
	k->tick = evtimer_new(k->base, on_tick, k);
	return k->deliver && k->restart && k->tick ? 0 : -ENOMEM;
}

struct keys *keys_start(struct event_base *base, const char *exe, const char *swanctl_conf,
			char *err, size_t errlen)
{
	struct keys *k = calloc(1, sizeof(*k));
	int r = -ENOMEM;

	if (!k)
		return NULL;
	k->base = base;
	k->restart_ms = RESTART_MIN_MS;
	TAILQ_INIT(&k->retired);
	TAILQ_INIT(&k->waiting);
	TAILQ_INIT(&k->signs);
	TAILQ_INIT(&k->done);
	k->exe = strdup(exe);
	k->conf = strdup(swanctl_conf);
	if (k->exe && k->conf && !events_make(k)) {
		k->role = role_new(k, k->conf);
		r = k->role ? role_wait(k->role, err, errlen) : -errno;
		if (!k->role)
			snprintf(err, errlen, "cannot start %s: %s", exe, strerror(-r));
	} else {
		snprintf(err, errlen, "out of memory");
	}
	if (!r) {
		private_take(k, k->role);
		return k;
	}
	keys_stop(k);
	errno = -r;
	return NULL;
}

int keys_reload(struct keys *k, const char *swanctl_conf, char *err, size_t errlen)
{
	char *conf = strdup(swanctl_conf);
	struct role *fresh = conf ? role_new(k, conf) : NULL;
	int r = fresh ? role_wait(fresh, err, errlen) : -ENOMEM;

	if (r) {
		if (fresh)
			role_free(fresh);
		else
			snprintf(err, errlen, "cannot start the keys role: %s", strerror(errno));
		free(conf);
		return r;
	}
	free(k->conf);
	k->conf = conf;
	evtimer_del(k->restart);
	k->restart_ms = RESTART_MIN_MS;
	if (k->role && TAILQ_EMPTY(&k->role->sent))
		role_free(k->role);
	else if (k->role)
		TAILQ_INSERT_TAIL(&k->retired, k->role, next);
	k->role = fresh;
	private_take(k, fresh);
	keys_pump(k);
	return 0;
}

static void wait_for_ended(struct keys *k)
{
	const struct timespec step = {.tv_nsec = 2000000};
	uint64_t until = keys_now_ms() + STOP_WAIT_MS;

	while (k->n_ended && keys_now_ms() < until) {
		if (keys_child_reaped(k->ended[k->n_ended - 1]))
			k->n_ended--;
		else
			nanosleep(&step, NULL);
	}
}

void keys_stop(struct keys *k)
{
	struct role *r;

	if (!k)
		return;
	if (k->role)
		role_free(k->role);
	while ((r = TAILQ_FIRST(&k->retired))) {
		TAILQ_REMOVE(&k->retired, r, next);
		role_free(r);
	}
	wait_for_ended(k);
	keys_drop(&k->waiting);
	keys_drop(&k->signs);
	keys_drop(&k->done);
	if (k->deliver)
		event_free(k->deliver);
	if (k->restart)
		event_free(k->restart);
	if (k->tick)
		event_free(k->tick);
	free(k->private_key);
	free(k->exe);
	free(k->conf);
	free(k);
}

int keys_pid(const struct keys *k)
{
	return k->role && k->role->ready ? (int)k->role->child.pid : 0;
}

