/* SPDX-License-Identifier: BSD-2-Clause */
#include "job.h"

#include "alg.h"

#include <event2/event.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>

enum job_kind { JOB_GENERATE, JOB_RESPOND, JOB_FINISH, JOB_WORK };

struct job {
	TAILQ_ENTRY(job) next;
	enum job_kind kind;
	uint16_t group;
	struct ke *ke; /* JOB_FINISH: the pair to derive with */
	uint8_t peer[CRYPT_KE_PUBLIC_MAX];
	size_t peer_len;
	ke_done_fn done;
	void *ctx;
	struct job_ref ref;
	struct ke_result result;
	struct job_work work; /* JOB_WORK, which needs none of the above but ctx and ref */
	void *data;
};
TAILQ_HEAD(job_list, job);

struct jobs {
	pthread_mutex_t lock; /* of the next four */
	pthread_cond_t more;
	struct job_list todo, finished;
	bool stop;
	unsigned int pending; /* loop's thread only, as is all below */
	int wake;
	struct event *wake_event;
	unsigned int n_threads;
	pthread_t thread[];
};

static int shared_from(struct job *j, struct ke *ke)
{
	return ke_shared(ke, slice_of(j->peer, j->peer_len), &j->result.shared);
}

/* Pure: touches only the job. */
static void job_run(struct job *j)
{
	struct ke_result *r = &j->result;
	struct slice pub;
	struct ke *ke;

	if (j->kind == JOB_WORK) {
		j->work.work(j->data);
		return;
	}
	ke = j->kind == JOB_FINISH ? j->ke : ke_new(j->group);
	j->ke = NULL;
	if (!ke) {
		r->error = -errno;
		return;
	}
	pub = ke_public(ke);
	memcpy(r->public_value, pub.p, pub.n);
	r->public_len = pub.n;
	if (j->kind == JOB_GENERATE) {
		r->ke = ke;
		return;
	}
	r->error = shared_from(j, ke);
	if (j->kind == JOB_FINISH && r->error == -EINVAL)
		r->ke = ke;
	else
		ke_free(ke);
}

static void job_drop(struct job *j)
{
	if (j->kind == JOB_WORK)
		j->work.drop(j->data);
	ke_free(j->ke);
	ke_free(j->result.ke);
	secret_free(&j->result.shared);
}

static void job_deliver(struct job *j)
{
	if (j->kind == JOB_WORK)
		j->work.done(j->ctx, j->ref, j->data);
	else
		j->done(j->ctx, j->ref, &j->result);
	job_drop(j);
}

static void *worker(void *arg)
{
	struct jobs *p = arg;
	uint64_t one = 1;
	struct job *j;

	pthread_mutex_lock(&p->lock);
	while (!p->stop) {
		j = TAILQ_FIRST(&p->todo);
		if (!j) {
			pthread_cond_wait(&p->more, &p->lock);
			continue;
		}
		TAILQ_REMOVE(&p->todo, j, next);
		pthread_mutex_unlock(&p->lock);
		job_run(j);
		pthread_mutex_lock(&p->lock);
		TAILQ_INSERT_TAIL(&p->finished, j, next);
		if (write(p->wake, &one, sizeof(one)) < 0) {
			/* the counter is at its limit: the loop is awake anyway */
		}
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct jobs *p = arg;
	struct job_list ready = TAILQ_HEAD_INITIALIZER(ready);
	struct job *j;
	uint64_t n;

	(void)what;
	if (read(fd, &n, sizeof(n)) < 0)
		return;
	pthread_mutex_lock(&p->lock);
	TAILQ_CONCAT(&ready, &p->finished, next);
	pthread_mutex_unlock(&p->lock);
	while ((j = TAILQ_FIRST(&ready))) {
		TAILQ_REMOVE(&ready, j, next);
		p->pending--;
		job_deliver(j);
		free(j);
	}
}

static int threads_start(struct jobs *p, unsigned int threads)
{
	sigset_t all, before;
	int r = 0;

	/* Signals belong to the loop's thread. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	while (!r && p->n_threads < threads) {
		r = pthread_create(&p->thread[p->n_threads], NULL, worker, p);
		p->n_threads += !r;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r;
}

struct jobs *jobs_new(struct event_base *base, unsigned int threads)
{
	struct jobs *p = calloc(1, sizeof(*p) + threads * sizeof(p->thread[0]));
	int r;

	if (!p)
		return NULL;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->more, NULL);
	TAILQ_INIT(&p->todo);
	TAILQ_INIT(&p->finished);
	p->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = p->wake < 0 ? errno : 0;
	if (!r) {
		p->wake_event = event_new(base, p->wake, EV_READ | EV_PERSIST, on_wake, p);
		if (!p->wake_event || event_add(p->wake_event, NULL))
			r = ENOMEM;
	}
	if (!r)
		r = threads_start(p, threads);
	if (r) {
		jobs_free(p);
		errno = r;
		return NULL;
	}
	return p;
}

void jobs_free(struct jobs *p)
{
	struct job *j;

	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_cond_broadcast(&p->more);
	pthread_mutex_unlock(&p->lock);
	for (unsigned int i = 0; i < p->n_threads; i++)
		pthread_join(p->thread[i], NULL);
	TAILQ_CONCAT(&p->todo, &p->finished, next);
	while ((j = TAILQ_FIRST(&p->todo))) {
		TAILQ_REMOVE(&p->todo, j, next);
		job_drop(j);
		free(j);
	}
	if (p->wake_event)
		event_free(p->wake_event);
	if (p->wake >= 0)
		close(p->wake);
	pthread_cond_destroy(&p->more);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

unsigned int jobs_pending(const struct jobs *p)
{
	return p->pending;
}

/* At once, or a copy goes to the threads. */
static int submit(struct jobs *p, const struct job *template, bool at_once)
{
	struct job *j;

	if (at_once || !p->n_threads) {
		struct job now = *template;

		job_run(&now);
		job_deliver(&now);
		return 0;
	}
	if (p->pending >= JOBS_MAX)
		return -EBUSY;
	j = malloc(sizeof(*j));
	if (!j)
		return -ENOMEM;
	*j = *template;
	p->pending++;
	pthread_mutex_lock(&p->lock);
	TAILQ_INSERT_TAIL(&p->todo, j, next);
	pthread_cond_signal(&p->more);
	pthread_mutex_unlock(&p->lock);
	return 0;
}

static int submit_ke(struct jobs *p, const struct job *template)
{
	const struct alg *a = alg_find(IKE_T_KE, template->group, 0);

	if (!a || !ke_supported(template->group))
		return -ENOTSUP;
	return submit(p, template, a->cheap);
}

static int peer_copy(struct job *j, struct slice peer)
{
	if (peer.n > sizeof(j->peer))
		return -EINVAL;
	if (peer.n)
		memcpy(j->peer, peer.p, peer.n);
	j->peer_len = peer.n;
	return 0;
}

int job_ke_generate(struct jobs *p, uint16_t group, ke_done_fn done, void *ctx, struct job_ref ref)
{
	struct job j = {.kind = JOB_GENERATE, .group = group, .done = done, .ctx = ctx, .ref = ref};

	return submit_ke(p, &j);
}

int job_ke_respond(struct jobs *p, uint16_t group, struct slice peer, ke_done_fn done, void *ctx,
		   struct job_ref ref)
{
	struct job j = {.kind = JOB_RESPOND, .group = group, .done = done, .ctx = ctx, .ref = ref};
	int r = peer_copy(&j, peer);

	return r ? r : submit_ke(p, &j);
}

int job_ke_finish(struct jobs *p, struct ke *ke, struct slice peer, ke_done_fn done, void *ctx,
		  struct job_ref ref)
{
	struct job j = {.kind = JOB_FINISH, .ke = ke, .done = done, .ctx = ctx, .ref = ref};
	int r = peer_copy(&j, peer);

	if (r)
		return r;
	j.group = ke_group(ke);
	return submit_ke(p, &j);
}

int job_submit(struct jobs *p, const struct job_work *w, void *data, void *ctx, struct job_ref ref)
{
	struct job j = {.kind = JOB_WORK, .work = *w, .data = data, .ctx = ctx, .ref = ref};

	return submit(p, &j, false);
}
