/* SPDX-License-Identifier: BSD-2-Clause */
#include "keys.h"

#include "child.h"
#include "common/log.h"

#include <event2/event.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/*
 * Times:
 *   START_MS    a role that is started must be ready by then
 *   ANSWER_MS   a request that is older than this means that the role hangs: it is ended, the
 * request fails RESTART_*   waits before a role that died is started again, doubled each time
 *   STEADY_MS   a role that lived this long has the waits start anew
 *   TICK_MS     how often the first two, and ended children, are looked at; only while there are
 * any
 */
enum {
	START_MS = 5000,
	ANSWER_MS = 5000,
	LIST_MS = 1000,
	RESTART_MIN_MS = 50,
	RESTART_MAX_MS = 10000,
	STEADY_MS = 60000,
	TICK_MS = 250,
	STOP_WAIT_MS = 1000,
	PENDING_MAX = 4096,
	ENDED_MAX = 16,
};

struct pending {
	TAILQ_ENTRY(pending) next;
	uint64_t id;
	uint64_t asked_ms;
	keys_mac_fn done;
	void *ctx;
	struct job_ref ref;
	struct keys_mac result;
	size_t len;
	uint8_t message[];
};
TAILQ_HEAD(pending_list, pending);

/* One process, from its start to its end. */
struct role {
	TAILQ_ENTRY(role) next; /* in keys.retired */
	struct keys *keys;
	struct keys_child child;
	struct event *readable, *writable;
	struct pending_list sent; /* in the order in which answers come */
	bool ready;
	uint64_t started_ms;
};

struct keys {
	struct event_base *base;
	char *exe, *conf;
	struct role *role;	    /* what requests go to; NULL while it is being started again */
	TAILQ_HEAD(, role) retired; /* after a reload: they answer what they were asked, then end */
	struct pending_list waiting; /* not sent yet */
	struct pending_list done;    /* to be called back from the loop */
	unsigned int n_pending;
	uint64_t next_id;
	struct event *deliver, *restart, *tick;
	unsigned int restart_ms;
	pid_t ended[ENDED_MAX];
	unsigned int n_ended;
	_Alignas(8) uint8_t buf[KEYS_REPLY_MAX];
};

static bool unsandboxed;

void keys_allow_unsandboxed(void)
{
	unsandboxed = true;
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static struct timeval ms_timeval(unsigned int ms)
{
	return (struct timeval){.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};
}

static void tick_arm(struct keys *k)
{
	struct timeval tick = ms_timeval(TICK_MS);

	if (!evtimer_pending(k->tick, NULL))
		evtimer_add(k->tick, &tick);
}

static void finish(struct keys *k, struct pending_list *from, struct pending *p, int error)
{
	TAILQ_REMOVE(from, p, next);
	if (error)
		p->result = (struct keys_mac){.error = error};
	TAILQ_INSERT_TAIL(&k->done, p, next);
	event_active(k->deliver, EV_TIMEOUT, 0);
}

static void fail_all(struct keys *k, struct pending_list *from)
{
	while (!TAILQ_EMPTY(from))
		finish(k, from, TAILQ_FIRST(from), -EIO);
}

static void on_deliver(evutil_socket_t fd, short what, void *arg)
{
	struct keys *k = arg;
	struct pending_list now = TAILQ_HEAD_INITIALIZER(now);
	struct pending *p;

	(void)fd;
	(void)what;
	TAILQ_CONCAT(&now, &k->done, next);
	while ((p = TAILQ_FIRST(&now))) {
		TAILQ_REMOVE(&now, p, next);
		k->n_pending--;
		p->done(p->ctx, p->ref, &p->result);
		secret_wipe(&p->result, sizeof(p->result));
		free(p);
	}
}

static void drop_list(struct pending_list *l)
{
	struct pending *p;

	while ((p = TAILQ_FIRST(l))) {
		TAILQ_REMOVE(l, p, next);
		free(p);
	}
}

static void on_readable(evutil_socket_t fd, short what, void *arg);
static void on_writable(evutil_socket_t fd, short what, void *arg);

/* The process is ended and forgotten, but for its zombie. What it was asked fails. */
static void role_free(struct role *r)
{
	struct keys *k = r->keys;

	fail_all(k, &r->sent);
	if (r->readable)
		event_free(r->readable);
	if (r->writable)
		event_free(r->writable);
	keys_child_end(&r->child);
	if (!keys_child_reaped(r->child.pid) && k->n_ended < ENDED_MAX) {
		k->ended[k->n_ended++] = r->child.pid;
		tick_arm(k);
	}
	free(r);
}

static struct role *role_new(struct keys *k, const char *conf)
{
	struct role *r = calloc(1, sizeof(*r));
	int error;

	if (!r)
		return NULL;
	r->keys = k;
	r->started_ms = now_ms();
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
	tick_arm(k);
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
	if (!error)
		role_ready(r, secrets);
	return error;
}

static void restart_later(struct keys *k)
{
	struct timeval wait = ms_timeval(k->restart_ms);

	evtimer_add(k->restart, &wait);
	k->restart_ms = k->restart_ms < RESTART_MAX_MS / 2 ? 2 * k->restart_ms : RESTART_MAX_MS;
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
	if (was_ready && now_ms() - r->started_ms > STEADY_MS)
		k->restart_ms = RESTART_MIN_MS;
	log_line(LOG_DAEMON, 0, "keys role, process %d: %s; started again in %u ms",
		 (int)r->child.pid, why, k->restart_ms);
	k->role = NULL;
	role_free(r);
	if (!was_ready)
		fail_all(k, &k->waiting);
	restart_later(k);
}

/* Hands over what waits, as much as the socket takes. */
static void pump(struct keys *k)
{
	struct role *r = k->role;
	struct pending *p;

	while (r && r->ready && (p = TAILQ_FIRST(&k->waiting))) {
		ssize_t n = send(r->child.fd, p->message, p->len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			/* full: later; broken: the read side will notice */
			if (errno == EAGAIN)
				event_add(r->writable, NULL);
			return;
		}
		TAILQ_REMOVE(&k->waiting, p, next);
		TAILQ_INSERT_TAIL(&r->sent, p, next);
	}
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	pump(((struct role *)arg)->keys);
}

static struct pending *sent_find(struct role *r, uint64_t id)
{
	struct pending *p;

	TAILQ_FOREACH (p, &r->sent, next) {
		if (p->id == id)
			return p;
	}
	return NULL;
}

static void psk_answered(struct role *r, struct pending *p, size_t n)
{
	struct keys_psk_reply a;

	if (n != sizeof(a)) {
		finish(r->keys, &r->sent, p, -EIO);
		return;
	}
	memcpy(&a, r->keys->buf, sizeof(a));
	if (!a.error && a.mac_len <= sizeof(a.mac)) {
		p->result.len = a.mac_len;
		memcpy(p->result.mac, a.mac, a.mac_len);
	}
	finish(r->keys, &r->sent, p, a.error);
	secret_wipe(&a, sizeof(a));
}

/* A message of n bytes in the buffer. False when the role is of no use any more: then it is gone.
 */
static bool role_message(struct role *r, size_t n)
{
	struct keys_hdr hdr = {0};
	struct pending *p;
	char err[KEYS_TEXT_MAX];
	uint32_t secrets;

	if (!r->ready) {
		if (keys_child_hello(r->keys->buf, n, &secrets, err, sizeof(err))) {
			role_lost(r, err);
			return false;
		}
		role_ready(r, secrets);
		pump(r->keys);
		return true;
	}
	memcpy(&hdr, r->keys->buf, n < sizeof(hdr) ? n : sizeof(hdr));
	p = sent_find(r, hdr.id);
	if (p && hdr.len == n && hdr.type == KEYS_PSK_MAC)
		psk_answered(r, p, n);
	else if (p)
		finish(r->keys, &r->sent, p, -EIO);
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
		if (!role_message(r, (size_t)n))
			return;
		if (r != k->role && TAILQ_EMPTY(&r->sent)) {
			role_lost(r, "retired");
			return;
		}
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
	fail_all(k, &k->waiting);
	restart_later(k);
}

static bool hangs(const struct role *r, uint64_t now)
{
	const struct pending *p = TAILQ_FIRST(&r->sent);

	if (!r->ready)
		return now - r->started_ms > START_MS;
	return p && now - p->asked_ms > ANSWER_MS;
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct keys *k = arg;
	uint64_t now = now_ms();
	struct role *r, *next;
	struct pending *p;

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
	while ((p = TAILQ_FIRST(&k->waiting)) && now - p->asked_ms > ANSWER_MS)
		finish(k, &k->waiting, p, -EIO);
	if (k->n_ended || k->n_pending || (k->role && !k->role->ready) || !TAILQ_EMPTY(&k->retired))
		tick_arm(k);
}

static int events_make(struct keys *k)
{
	k->deliver = event_new(k->base, -1, 0, on_deliver, k);
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
	if (!r)
		return k;
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
	pump(k);
	return 0;
}

static void wait_for_ended(struct keys *k)
{
	const struct timespec step = {.tv_nsec = 2000000};
	uint64_t until = now_ms() + STOP_WAIT_MS;

	while (k->n_ended && now_ms() < until) {
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
	drop_list(&k->waiting);
	drop_list(&k->done);
	if (k->deliver)
		event_free(k->deliver);
	if (k->restart)
		event_free(k->restart);
	if (k->tick)
		event_free(k->tick);
	free(k->exe);
	free(k->conf);
	free(k);
}

int keys_pid(const struct keys *k)
{
	return k->role && k->role->ready ? (int)k->role->child.pid : 0;
}

int keys_psk_mac(struct keys *k, const struct ike_id *local, const struct ike_id *remote,
		 uint16_t prf_id, struct slice octets, keys_mac_fn done, void *ctx,
		 struct job_ref ref)
{
	struct keys_psk_request q = {
	    .prf = prf_id, .local_type = local->type, .remote_type = remote->type};
	size_t len = sizeof(q) + local->data.n + remote->data.n + octets.n;
	struct pending *p;
	struct wr w;

	if (local->data.n > IKE_ID_MAX || remote->data.n > IKE_ID_MAX || octets.n > KEYS_OCTETS_MAX)
		return -EMSGSIZE;
	if (k->n_pending >= PENDING_MAX)
		return -EBUSY;
	p = calloc(1, sizeof(*p) + len);
	if (!p)
		return -ENOMEM;
	q.local_len = (uint16_t)local->data.n;
	q.remote_len = (uint16_t)remote->data.n;
	q.octets_len = (uint32_t)octets.n;
	q.hdr = (struct keys_hdr){.type = KEYS_PSK_MAC, .len = (uint32_t)len, .id = ++k->next_id};
	w = wr_of(p->message, len);
	wr_bytes(&w, &q, sizeof(q));
	wr_put(&w, local->data);
	wr_put(&w, remote->data);
	wr_put(&w, octets);
	p->len = len;
	p->id = q.hdr.id;
	p->asked_ms = now_ms();
	p->done = done;
	p->ctx = ctx;
	p->ref = ref;
	k->n_pending++;
	TAILQ_INSERT_TAIL(&k->waiting, p, next);
	tick_arm(k);
	pump(k);
	return 0;
}

/* One page of the list; MACs that are answered meanwhile wait for the loop. */
static int list_page(struct keys *k, uint32_t from, struct keys_list_reply *out, uint64_t until)
{
	struct keys_list_request q = {.from = from};
	struct role *r = k->role;

	q.hdr = (struct keys_hdr){.type = KEYS_LIST, .len = sizeof(q), .id = ++k->next_id};
	if (send(r->child.fd, &q, sizeof(q), MSG_NOSIGNAL | MSG_DONTWAIT) != sizeof(q))
		return -EIO;
	for (;;) {
		uint64_t now = now_ms();
		ssize_t n;
		int error = keys_child_wait(&r->child, now < until ? (int)(until - now) : 0);

		if (error)
			return error;
		n = keys_child_recv(&r->child, k->buf, sizeof(k->buf));
		if (n == -EAGAIN)
			continue;
		if (n <= 0)
			return -EIO;
		memcpy(out, k->buf, (size_t)n < sizeof(*out) ? (size_t)n : sizeof(*out));
		if (n == sizeof(*out) && out->hdr.type == KEYS_LIST && out->hdr.id == q.hdr.id)
			return out->n <= KEYS_LIST_MAX ? 0 : -EIO;
		role_message(r, (size_t)n);
	}
}

int keys_list(struct keys *k, struct keys_entry *out, unsigned int max)
{
	struct keys_list_reply *page = malloc(sizeof(*page));
	uint64_t until = now_ms() + LIST_MS;
	unsigned int n = 0;
	int r = page ? 0 : -ENOMEM;

	if (!r && (!k->role || !k->role->ready))
		r = -EIO;
	while (!r && n < max) {
		r = list_page(k, n, page, until);
		if (r || !page->n)
			break;
		for (uint32_t i = 0; i < page->n && n < max; i++)
			out[n++] = page->entry[i];
	}
	free(page);
	return r ? r : (int)n;
}
