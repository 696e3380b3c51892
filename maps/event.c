// SPDX-License-Identifier: BSD-2-Clause
#include "maps.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* One call handles no more: the loop that polls has other descriptors, too. */
enum { EVENTS_A_CALL = 256 };

struct xs_events {
	struct ring_buffer *ring;
	void (*fn)(void *ctx, const struct xs_event *ev);
	void *ctx;
	uint32_t left;
};

static int event_one(void *ctx, void *data, size_t size)
{
	struct xs_events *e = ctx;
	struct xs_event ev;

	if (size >= sizeof(ev)) {
		memcpy(&ev, data, sizeof(ev));
		e->fn(e->ctx, &ev);
	}
	return --e->left ? 0 : -EAGAIN;
}

struct xs_events *xs_events_open(struct xs_maps *m,
				 void (*fn)(void *ctx, const struct xs_event *ev), void *ctx)
{
	struct xs_events *e = calloc(1, sizeof(*e));
	int err;

	if (!e)
		return NULL;
	e->fn = fn;
	e->ctx = ctx;
	e->ring = ring_buffer__new(m->fd[XS_MAP_event], event_one, e, NULL);
	if (e->ring)
		return e;
	err = errno;
	free(e);
	errno = err;
	return NULL;
}

int xs_events_fd(struct xs_events *e)
{
	return ring_buffer__epoll_fd(e->ring);
}

int xs_events_read(struct xs_events *e)
{
	int n;

	e->left = EVENTS_A_CALL;
	n = ring_buffer__consume(e->ring);
	if (n < 0 && n != -EAGAIN)
		return n;
	return (int)(EVENTS_A_CALL - e->left);
}

void xs_events_close(struct xs_events *e)
{
	if (!e)
		return;
	ring_buffer__free(e->ring);
	free(e);
}
