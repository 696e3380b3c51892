/* SPDX-License-Identifier: BSD-2-Clause */
#include "cred_int.h"

#include "agent/fetch/fetch.h"
#include "common/log.h"

#include <event2/event.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

/*
 * Verifications on their way. Each is either with a job, which owns it then, or waits in a list
 * here for what is being fetched; then it is judged once more, with what came. It never sees the
 * network: it says which URIs it wants. A URI is fetched once for all who want it.
 *
 * Times:
 *   WAIT_MS  how long a verification may wait for revocation status, all rounds together; then what
 *            is there must do
 */
enum { WAIT_MS = 20000, ROUNDS_MAX = 8, OPEN_MAX = 1024, FETCHES_MAX = FETCH_OPEN_MAX };

struct verification {
	TAILQ_ENTRY(verification) next; /* while it waits */
	struct creds *s;
	struct cred_check *check;
	unsigned int rounds;
	struct event *late;
	int64_t late_ms; /* when it fires, 0 = it has not waited yet */
	cred_done_fn done;
	void *ctx;
	struct job_ref ref;
};
TAILQ_HEAD(verification_list, verification);

/* One URI being fetched, then parsed by a job. */
struct fetching {
	struct creds *s;
	uint64_t id; /* 0 = free */
	struct rev_want want;
};

/* A body on its way through the job that parses it. */
struct parse {
	struct creds *s;
	struct rev_want want;
	uint64_t id;
	int64_t now;
	struct rev_entry *entry;
	size_t n;
	uint8_t body[];
};

struct creds {
	struct event_base *base;
	struct jobs *jobs;
	struct fetch *fetch;
	struct cred *cred;
	struct rev_cache *cache;
	struct verification_list waiting;
	unsigned int open; /* waiting or with a job */
	struct fetching fetching[FETCHES_MAX];
	uint64_t next_id;
};

static struct log_budget fetch_log = LOG_BUDGET_INIT;

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void verification_free(struct verification *v)
{
	if (v->late)
		event_free(v->late);
	cred_check_free(v->check);
	free(v);
}

static void finish(struct verification *v)
{
	v->s->open--;
	v->done(v->ctx, v->ref, &v->check->verdict);
	verification_free(v);
}

static void finish_with(struct verification *v, int error, const char *text)
{
	struct cred_verdict *o = &v->check->verdict;

	o->error = error;
	snprintf(o->text, sizeof(o->text), "%s", text);
	finish(v);
}

/* ---- jobs
 * ------------------------------------------------------------------------------------------- */
static void verify_work(void *data)
{
	struct verification *v = data;

	cred_check_run(v->check);
}

static void wait_for(struct verification *v);

static void verify_done(void *ctx, struct job_ref ref, void *data)
{
	struct verification **box = data, *v = *box;

	(void)ctx;
	(void)ref;
	*box = NULL;
	if (v->check->verdict.error == -EAGAIN)
		wait_for(v);
	else
		finish(v);
}

static void verify_box_work(void *data)
{
	verify_work(*(struct verification **)data);
}

static void verify_box_drop(void *data)
{
	struct verification **box = data;

	if (*box)
		verification_free(*box);
	free(box);
}

/* The job owns the verification until it is done. */
static int judge(struct verification *v)
{
	static const struct job_work work = {verify_box_work, verify_done, verify_box_drop};
	struct verification **box = malloc(sizeof(struct verification *));
	int r;

	if (!box)
		return -ENOMEM;
	*box = v;
	v->check->now = time(NULL);
	r = job_submit(v->s->jobs, &work, box, v->s, v->ref);
	if (r)
		free(box);
	return r;
}

/* Once more, with the newest cache. */
static void judge_again(struct verification *v)
{
	int r;

	TAILQ_REMOVE(&v->s->waiting, v, next);
	evtimer_del(v->late);
	rev_cache_unref(v->check->cache);
	v->check->cache = rev_cache_ref(v->s->cache);
	v->rounds++;
	v->check->final = v->check->final || v->rounds >= ROUNDS_MAX;
	r = judge(v);
	if (r)
		finish_with(v, r, "too busy to verify a certificate");
}

static void on_late(evutil_socket_t fd, short what, void *arg)
{
	struct verification *v = arg;

	(void)fd;
	(void)what;
	v->check->final = true;
	judge_again(v);
}

/* ---- fetching
 * --------------------------------------------------------------------------------------- */
static struct fetching *fetching_find(struct creds *s, const uint8_t key[REV_KEY_LEN])
{
	for (unsigned int i = 0; i < FETCHES_MAX; i++)
		if (s->fetching[i].id && secret_equal(s->fetching[i].want.key, key, REV_KEY_LEN))
			return &s->fetching[i];
	return NULL;
}

static bool still_wanted(struct creds *s, const struct verification *v)
{
	for (unsigned int i = 0; i < v->check->wants.n; i++)
		if (fetching_find(s, v->check->wants.want[i].key))
			return true;
	return false;
}

/* Those who wait for nothing any more are judged again. */
static void wake(struct creds *s)
{
	struct verification *v, *after;

	for (v = TAILQ_FIRST(&s->waiting); v; v = after) {
		after = TAILQ_NEXT(v, next);
		if (!still_wanted(s, v))
			judge_again(v);
	}
}

static void entry_add(struct creds *s, struct rev_entry *e)
{
	struct rev_cache *c = e ? rev_cache_add(s->cache, e, time(NULL)) : NULL;

	if (c)
		s->cache = c;
}

static void fetched(struct creds *s, struct fetching *f, struct rev_entry *e)
{
	f->id = 0;
	entry_add(s, e);
	wake(s);
}

static struct fetching *fetching_by_id(struct creds *s, uint64_t id)
{
	for (unsigned int i = 0; i < FETCHES_MAX; i++)
		if (s->fetching[i].id == id)
			return &s->fetching[i];
	return NULL;
}

static void parse_work(void *data)
{
	struct parse *p = data;

	p->entry = rev_entry_from(&p->want, slice_of(p->body, p->n), p->now);
}

static void parse_done(void *ctx, struct job_ref ref, void *data)
{
	struct parse *p = data;
	struct fetching *f = fetching_by_id(ctx, p->id);
	struct rev_entry *e = p->entry;

	(void)ref;
	p->entry = NULL;
	if (e && e->why[0])
		log_limited(&fetch_log, LOG_CONFIG, 1, "%.200s: %s", p->want.uri, e->why);
	if (f)
		fetched(ctx, f, e);
	else
		rev_entry_unref(e);
}

static void parse_drop(void *data)
{
	struct parse *p = data;

	rev_entry_unref(p->entry);
	free(p);
}

static int parse_start(struct creds *s, const struct fetching *f, struct slice body)
{
	static const struct job_work work = {parse_work, parse_done, parse_drop};
	struct parse *p = malloc(sizeof(*p) + body.n);
	int r;

	if (!p)
		return -ENOMEM;
	*p = (struct parse){.s = s, .want = f->want, .id = f->id, .now = time(NULL), .n = body.n};
	if (body.n)
		memcpy(p->body, body.p, body.n);
	r = job_submit(s->jobs, &work, p, s, (struct job_ref){0});
	if (r)
		free(p);
	return r;
}

static void on_fetched(void *ctx, uint64_t id, const struct fetch_result *r)
{
	struct creds *s = ctx;
	struct fetching *f = fetching_by_id(s, id);
	char uri[CRED_URI_MAX];

	if (!f)
		return;
	snprintf(uri, sizeof(uri), "%s", f->want.uri);
	if (!r->error && !parse_start(s, f, r->body))
		return;
	log_limited(&fetch_log, LOG_CONFIG, 1, "%.200s: %s", uri,
		    r->error ? r->text : "no memory to read it");
	fetched(s, f, rev_entry_failed(&f->want, r->text, time(NULL)));
}

static void fetch_start(struct creds *s, const struct rev_want *w)
{
	struct fetching *f = fetching_by_id(s, 0);
	int r = -EBUSY;

	if (fetching_find(s, w->key))
		return;
	if (f) {
		f->s = s;
		f->want = *w;
		f->id = ++s->next_id;
		if (w->kind == REV_OCSP)
			r = fetch_post(s->fetch, w->uri, w->configured, "application/ocsp-request",
				       slice_of(f->want.request, w->request_len), on_fetched, s,
				       f->id);
		else
			r = fetch_get(s->fetch, w->uri, w->configured, on_fetched, s, f->id);
		if (r)
			f->id = 0;
	}
	if (r && r != -EBUSY) /* those who wait see that it cannot be had */
		entry_add(s, rev_entry_failed(w, strerror(-r), time(NULL)));
}

/* Waits for what the check wants. Nothing could be asked for: then what is there must do. */
static void wait_for(struct verification *v)
{
	struct creds *s = v->s;
	int64_t now = now_ms(), left;
	bool came = false;
	struct timeval bound;

	if (!v->late_ms)
		v->late_ms = now + WAIT_MS;
	left = v->late_ms > now ? v->late_ms - now : 0;
	bound = (struct timeval){.tv_sec = left / 1000, .tv_usec = left % 1000 * 1000};
	TAILQ_INSERT_TAIL(&s->waiting, v, next);
	evtimer_add(v->late, &bound);
	for (unsigned int i = 0; i < v->check->wants.n; i++) {
		/* it may have come while the job ran, which knew the cache of before */
		if (rev_cache_find(s->cache, v->check->wants.want[i].key, time(NULL)))
			came = true;
		else
			fetch_start(s, &v->check->wants.want[i]);
	}
	if (still_wanted(s, v))
		return;
	v->check->final = v->check->final || !came;
	judge_again(v);
}

/* ---- the service
 * ------------------------------------------------------------------------------------ */
struct creds *creds_new(struct event_base *base, struct jobs *jobs, const char *exe)
{
	struct creds *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->base = base;
	s->jobs = jobs;
	TAILQ_INIT(&s->waiting);
	s->cache = rev_cache_new();
	s->fetch = s->cache ? fetch_new(base, exe) : NULL;
	if (!s->fetch) {
		creds_free(s);
		errno = ENOMEM;
		return NULL;
	}
	return s;
}

void creds_free(struct creds *s)
{
	struct verification *v;

	if (!s)
		return;
	fetch_free(s->fetch);
	while ((v = TAILQ_FIRST(&s->waiting))) {
		TAILQ_REMOVE(&s->waiting, v, next);
		verification_free(v);
	}
	cred_unref(s->cred);
	rev_cache_unref(s->cache);
	free(s);
}

void creds_set(struct creds *s, struct cred *c)
{
	cred_unref(s->cred);
	s->cred = c;
}

const struct cred *creds_get(const struct creds *s)
{
	return s->cred;
}

int creds_verify(struct creds *s, const struct cred_peer *peer, cred_done_fn done, void *ctx,
		 struct job_ref ref)
{
	struct verification *v;
	int r;

	if (!s->cred || s->open >= OPEN_MAX)
		return s->cred ? -EBUSY : -ENOENT;
	v = calloc(1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	v->s = s;
	v->done = done;
	v->ctx = ctx;
	v->ref = ref;
	v->check = cred_check_new(s->cred, s->cache, peer);
	r = v->check ? 0 : -errno;
	v->late = r ? NULL : evtimer_new(s->base, on_late, v);
	s->open++;
	if (!r)
		r = v->late ? judge(v) : -ENOMEM;
	if (r) {
		s->open--;
		verification_free(v);
	}
	return r;
}

unsigned int creds_flush(struct creds *s, bool crls, bool ocsp)
{
	unsigned int n = s->cache->n;
	struct rev_cache *c = rev_cache_without(s->cache, crls, ocsp);

	if (!c)
		return 0;
	s->cache = c;
	return n - c->n;
}
