/* SPDX-License-Identifier: BSD-2-Clause */
#include "keys_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Questions to the keys role and their answers. */
enum {
	PENDING_MAX = 4096,
	/* Signatures under way at once: a MAC waits for so many at most, and the role never for us. */
	SIGNING_MAX = 2,
};

void keys_finish(struct keys *k, struct pending_list *from, struct pending *p, int error)
{
	TAILQ_REMOVE(from, p, next);
	if (error) {
		memset(&p->result, 0, sizeof(p->result));
		if (p->type == KEYS_SIGN)
			p->result.sign.error = error;
		else
			p->result.mac.error = error;
	}
	TAILQ_INSERT_TAIL(&k->done, p, next);
	event_active(k->deliver, EV_TIMEOUT, 0);
}

void keys_fail_all(struct keys *k, struct pending_list *from)
{
	while (!TAILQ_EMPTY(from))
		keys_finish(k, from, TAILQ_FIRST(from), -EIO);
}

void keys_on_deliver(evutil_socket_t fd, short what, void *arg)
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
		if (p->type == KEYS_SIGN)
			p->sign_done(p->ctx, p->ref, &p->result.sign);
		else
			p->mac_done(p->ctx, p->ref, &p->result.mac);
		secret_wipe(&p->result, sizeof(p->result));
		free(p);
	}
}

void keys_drop(struct pending_list *l)
{
	struct pending *p;

	while ((p = TAILQ_FIRST(l))) {
		TAILQ_REMOVE(l, p, next);
		free(p);
	}
}

/* True: sent. False: not now. */
static bool hand_over(struct role *r, struct pending_list *from, struct pending *p)
{
	ssize_t n;

	do
		n = send(r->child.fd, p->message, p->len, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0) {
		/* full: later; broken: the read side will notice */
		if (errno == EAGAIN)
			event_add(r->writable, NULL);
		return false;
	}
	p->sent_ms = keys_now_ms();
	TAILQ_REMOVE(from, p, next);
	TAILQ_INSERT_TAIL(&r->sent, p, next);
	return true;
}

void keys_pump(struct keys *k)
{
	struct role *r = k->role;
	struct pending *p;

	if (!r || !r->ready)
		return;
	while ((p = TAILQ_FIRST(&k->waiting)))
		if (!hand_over(r, &k->waiting, p))
			return;
	while (r->signing < SIGNING_MAX && (p = TAILQ_FIRST(&k->signs))) {
		if (!hand_over(r, &k->signs, p))
			return;
		r->signing++;
	}
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

/* 0, or why the answer is none. */
static int psk_answer(const struct role *r, struct pending *p, size_t n)
{
	struct keys_psk_reply a;
	int error = -EIO;

	if (n != sizeof(a))
		return -EIO;
	memcpy(&a, r->keys->buf, sizeof(a));
	if (a.error || (a.mac_len <= sizeof(a.mac) && a.more_len == (p->more ? a.mac_len : 0)))
		error = a.error;
	if (!error) {
		p->result.mac.len = a.mac_len;
		memcpy(p->result.mac.mac, a.mac, a.mac_len);
		p->result.mac.more_len = a.more_len;
		memcpy(p->result.mac.more, a.more, a.more_len);
	}
	secret_wipe(&a, sizeof(a));
	return error;
}

static int sign_answer(const struct role *r, struct pending *p, size_t n)
{
	struct keys_sign_reply a;

	if (n != sizeof(a))
		return -EIO;
	memcpy(&a, r->keys->buf, sizeof(a));
	if (a.error)
		return a.error;
	if (!a.len || a.len > sizeof(a.signature))
		return -EIO;
	p->result.sign.len = a.len;
	memcpy(p->result.sign.signature, a.signature, a.len);
	return 0;
}

void keys_answered(struct role *r, size_t n)
{
	struct keys_hdr hdr = {0};
	struct pending *p;
	int error = -EIO;

	memcpy(&hdr, r->keys->buf, n < sizeof(hdr) ? n : sizeof(hdr));
	p = sent_find(r, hdr.id);
	if (!p)
		return;
	if (hdr.len == n && hdr.type == p->type)
		error = p->type == KEYS_SIGN ? sign_answer(r, p, n) : psk_answer(r, p, n);
	if (p->type == KEYS_SIGN)
		r->signing--;
	keys_finish(r->keys, &r->sent, p, error);
	keys_pump(r->keys);
}

/* Room for a message of len bytes, or NULL and *error. */
static struct pending *pending_new(struct keys *k, uint32_t type, size_t len, int *error)
{
	struct pending *p;

	*error = k->n_pending >= PENDING_MAX ? -EBUSY : -ENOMEM;
	p = k->n_pending >= PENDING_MAX ? NULL : calloc(1, sizeof(*p) + len);
	if (!p)
		return NULL;
	*error = 0;
	p->type = type;
	p->len = len;
	p->id = ++k->next_id;
	p->asked_ms = keys_now_ms();
	return p;
}

static struct keys_hdr hdr_of(const struct pending *p)
{
	return (struct keys_hdr){.type = p->type, .len = (uint32_t)p->len, .id = p->id};
}

static void pending_queue(struct keys *k, struct pending_list *to, struct pending *p, void *ctx,
			  struct job_ref ref)
{
	p->ctx = ctx;
	p->ref = ref;
	k->n_pending++;
	TAILQ_INSERT_TAIL(to, p, next);
	keys_tick_arm(k);
	keys_pump(k);
}

int keys_psk_mac(struct keys *k, const struct ike_id *local, const struct ike_id *remote,
		 uint16_t prf_id, struct slice octets, struct slice more, keys_mac_fn done, void *ctx,
		 struct job_ref ref)
{
	struct keys_psk_request q = {
	    .prf = prf_id, .local_type = local->type, .remote_type = remote->type};
	struct pending *p;
	struct wr w;
	int error;

	if (local->data.n > IKE_ID_MAX || remote->data.n > IKE_ID_MAX || octets.n > KEYS_OCTETS_MAX ||
	    more.n > KEYS_OCTETS_MAX - octets.n)
		return -EMSGSIZE;
	p = pending_new(k, KEYS_PSK_MAC, sizeof(q) + local->data.n + remote->data.n + octets.n + more.n,
			&error);
	if (!p)
		return error;
	q.local_len = (uint16_t)local->data.n;
	q.remote_len = (uint16_t)remote->data.n;
	q.octets_len = (uint32_t)octets.n;
	q.more_len = (uint32_t)more.n;
	q.hdr = hdr_of(p);
	w = wr_of(p->message, p->len);
	wr_bytes(&w, &q, sizeof(q));
	wr_put(&w, local->data);
	wr_put(&w, remote->data);
	wr_put(&w, octets);
	wr_put(&w, more);
	p->mac_done = done;
	p->more = more.n != 0;
	pending_queue(k, &k->waiting, p, ctx, ref);
	return 0;
}

int keys_sign(struct keys *k, const uint8_t id[SIG_KEY_ID_LEN], enum sig_scheme scheme,
	      struct slice octets, keys_sign_fn done, void *ctx, struct job_ref ref)
{
	struct keys_sign_request q = {.scheme = (uint16_t)scheme};
	struct pending *p;
	struct wr w;
	int error;

	if (octets.n > KEYS_OCTETS_MAX)
		return -EMSGSIZE;
	p = pending_new(k, KEYS_SIGN, sizeof(q) + octets.n, &error);
	if (!p)
		return error;
	memcpy(q.key, id, SIG_KEY_ID_LEN);
	q.octets_len = (uint32_t)octets.n;
	q.hdr = hdr_of(p);
	w = wr_of(p->message, p->len);
	wr_bytes(&w, &q, sizeof(q));
	wr_put(&w, octets);
	p->sign_done = done;
	pending_queue(k, &k->signs, p, ctx, ref);
	return 0;
}
