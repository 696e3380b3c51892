/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "common/slice.h"
#include "path.h"

#include <sys/queue.h>

/*
 * Datagrams that wait for the keys of their IKE SA: IKE_AUTH, whole or in fragments, at a responder that is still
 * computing the shared secret. Nobody vouches for them yet, so their number and size are bounded by limits.h
 * for each half-open IKE SA; what does not fit is lost and comes again.
 */
struct held {
	STAILQ_ENTRY(held) next;
	struct path path;
	size_t n;
	uint8_t b[];
};
struct held_list {
	STAILQ_HEAD(, held) list;
	unsigned int n;
	size_t bytes;
};
void held_init(struct held_list *l);
/* Copies. 0; -EALREADY when the same bytes wait already, -ENOSPC beyond the limits, -ENOMEM. */
int held_add(struct held_list *l, const struct path *path, struct slice datagram);
/* The oldest, now the caller's to free; NULL. */
struct held *held_take(struct held_list *l);
/* All of `from` behind those of `to`. */
void held_move(struct held_list *from, struct held_list *to);
void held_drop(struct held_list *l);
