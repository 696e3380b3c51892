/* SPDX-License-Identifier: BSD-2-Clause */
#include "decode.h"

#include <stdlib.h>

/* A few messages at a time, the oldest makes room: a capture may begin and end anywhere. */
enum { MESSAGES_MAX = 8 };

struct message {
	bool used;
	uint64_t spi_i, spi_r;
	uint32_t mid;
	uint8_t flags, exchange, first;
	uint16_t total, have;
	struct {
		uint8_t *p;
		size_t n;
	} piece[IKE_FRAGMENTS_MAX];
};

struct joiner {
	struct message m[MESSAGES_MAX];
	unsigned int next;
};

struct joiner *joiner_new(void)
{
	return calloc(1, sizeof(struct joiner));
}

static void message_drop(struct message *m)
{
	for (unsigned int i = 0; i < IKE_FRAGMENTS_MAX; i++)
		free(m->piece[i].p);
	*m = (struct message){0};
}

void joiner_free(struct joiner *j)
{
	if (!j)
		return;
	for (unsigned int i = 0; i < MESSAGES_MAX; i++)
		message_drop(&j->m[i]);
	free(j);
}

static struct message *message_of(struct joiner *j, const struct ike_msg *msg)
{
	const struct ike_hdr *h = &msg->hdr;
	struct message *m;

	for (unsigned int i = 0; i < MESSAGES_MAX; i++) {
		m = &j->m[i];
		if (m->used && m->spi_i == h->spi_i && m->spi_r == h->spi_r && m->mid == h->mid &&
		    m->flags == h->flags && m->exchange == h->exchange && m->total == msg->sk.total)
			return m;
	}
	m = &j->m[j->next];
	j->next = (j->next + 1) % MESSAGES_MAX;
	message_drop(m);
	*m = (struct message){.used = true, .spi_i = h->spi_i, .spi_r = h->spi_r, .mid = h->mid, .flags = h->flags,
			      .exchange = h->exchange, .total = msg->sk.total};
	return m;
}

static uint8_t *join(struct message *m, size_t *n)
{
	uint8_t *out;

	*n = 0;
	for (unsigned int i = 0; i < m->total; i++)
		*n += m->piece[i].n;
	out = malloc(*n ? *n : 1);
	if (!out)
		return NULL;
	for (unsigned int i = 0, at = 0; i < m->total; at += (unsigned int)m->piece[i++].n)
		memcpy(out + at, m->piece[i].p, m->piece[i].n);
	return out;
}

uint8_t *joiner_add(struct joiner *j, const struct ike_msg *msg, struct slice plain, size_t *n, uint8_t *first)
{
	struct message *m;
	uint8_t *out, *copy;
	uint16_t at = (uint16_t)(msg->sk.number - 1u);

	if (!j || msg->sk.total > IKE_FRAGMENTS_MAX || at >= msg->sk.total)
		return NULL;
	m = message_of(j, msg);
	if (m->piece[at].p)
		return NULL;
	copy = malloc(plain.n ? plain.n : 1);
	if (!copy)
		return NULL;
	memcpy(copy, plain.p, plain.n);
	m->piece[at].p = copy;
	m->piece[at].n = plain.n;
	if (at == 0)
		m->first = msg->sk.first;
	if (++m->have < m->total)
		return NULL;
	*first = m->first;
	out = join(m, n);
	message_drop(m);
	return out;
}
