/* SPDX-License-Identifier: BSD-2-Clause */
#include "handoff.h"

#include <stdlib.h>
#include <string.h>

struct handoff *handoff_new(uint32_t room)
{
	struct handoff *h = NULL;

	if (posix_memalign((void **)&h, 64, sizeof(*h)))
		return NULL;
	h->data = malloc((size_t)room * HANDOFF_CELLS);
	if (!h->data) {
		free(h);
		return NULL;
	}
	h->room = room;
	ring_init(&h->ring, HANDOFF_CELLS);
	return h;
}

void handoff_free(struct handoff *h)
{
	if (!h)
		return;
	free(h->data);
	free(h);
}

bool handoff_put(struct handoff *h, const struct pkt *p)
{
	struct handoff_cell *c;
	uint32_t at;

	if (p->len > h->room || !ring_room(&h->ring, &at))
		return false;
	c = &h->cell[at];
	*c = (struct handoff_cell){.len = p->len, .slot = p->slot, .generation = p->generation,
				   .bundle = p->bundle, .l3 = p->l3, .port = p->port, .kind = p->kind};
	memcpy(h->data + (size_t)at * h->room, p->data, p->len);
	ring_push(&h->ring);
	return true;
}

bool handoff_take(struct handoff *h, struct pkt *p)
{
	const struct handoff_cell *c;
	uint32_t at;

	if (!ring_peek(&h->ring, &at))
		return false;
	c = &h->cell[at];
	memcpy(p->data, h->data + (size_t)at * h->room, c->len);
	p->len = c->len;
	p->slot = c->slot;
	p->generation = c->generation;
	p->bundle = c->bundle;
	p->l3 = c->l3;
	p->port = c->port;
	p->kind = c->kind;
	p->eth = p->data;
	ring_pop(&h->ring);
	return true;
}
