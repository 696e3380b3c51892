/* SPDX-License-Identifier: BSD-2-Clause */
#include "held.h"

#include "limits.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void held_init(struct held_list *l)
{
	*l = (struct held_list){0};
	STAILQ_INIT(&l->list);
}

int held_add(struct held_list *l, const struct path *path, struct slice datagram)
{
	struct held *h;

	if (l->n == HELD_MAX || datagram.n > AUTH_MESSAGE_MAX - l->bytes)
		return -ENOSPC;
	STAILQ_FOREACH (h, &l->list, next)
		if (h->n == datagram.n && memcmp(h->b, datagram.p, h->n) == 0)
			return -EALREADY;
	h = malloc(sizeof(*h) + datagram.n);
	if (!h)
		return -ENOMEM;
	h->path = *path;
	h->n = datagram.n;
	memcpy(h->b, datagram.p, datagram.n);
	STAILQ_INSERT_TAIL(&l->list, h, next);
	l->n++;
	l->bytes += datagram.n;
	return 0;
}

struct held *held_take(struct held_list *l)
{
	struct held *h = STAILQ_FIRST(&l->list);

	if (!h)
		return NULL;
	STAILQ_REMOVE_HEAD(&l->list, next);
	l->n--;
	l->bytes -= h->n;
	return h;
}

void held_move(struct held_list *from, struct held_list *to)
{
	STAILQ_CONCAT(&to->list, &from->list);
	to->n += from->n;
	to->bytes += from->bytes;
	held_init(from);
}

void held_drop(struct held_list *l)
{
	struct held *h;

	while ((h = held_take(l)))
		free(h);
}
