/* SPDX-License-Identifier: BSD-2-Clause */
#include "worker.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>

/* What passes between a worker and the control thread: notes one way, commands the other. */

/* ---- notes: the worker's end, and the control thread's --------------------------------------------- */

void worker_event(struct worker *w, enum plane_event_kind kind, uint32_t slot, uint32_t generation,
		  uint32_t spi, enum plane_direction direction, const struct pkt *from)
{
	struct worker_note *note;
	uint32_t at;

	if (!ring_room(&w->notes, &at))
		return;
	note = &w->note[at];
	note->kind = NOTE_EVENT;
	note->event = (struct plane_event){.kind = kind, .slot = slot, .generation = generation,
					   .spi = spi, .direction = (uint8_t)direction};
	if (from) {
		note->event.port = from->outer_port;
		memcpy(note->event.addr, from->outer_src, 16);
	}
	ring_push(&w->notes);
	eventfd_write(w->shared->note_fd, 1);
}

bool worker_event_mtu(struct worker *w, const struct sa_out *sa, uint32_t mtu)
{
	struct worker_note *note;
	uint32_t at;

	if (!ring_room(&w->notes, &at))
		return false;
	note = &w->note[at];
	note->kind = NOTE_EVENT;
	note->event = (struct plane_event){.kind = PLANE_EV_MTU, .slot = sa->slot, .spi = sa->spi,
					   .generation = sa->generation, .direction = PLANE_OUT,
					   .mtu = (uint16_t)mtu};
	ring_push(&w->notes);
	eventfd_write(w->shared->note_fd, 1);
	return true;
}

bool worker_note_take(struct worker *w, struct worker_note *out)
{
	uint32_t at;

	if (!ring_peek(&w->notes, &at))
		return false;
	*out = w->note[at];
	ring_pop(&w->notes);
	return true;
}

/* ---- commands --------------------------------------------------------------------------------- */

static void sa_move(struct worker *w, struct worker_cmd *c)
{
	struct sa_pair *sa = &w->sa[c->slot];

	c->error = -ENOENT;
	if (c->direction == PLANE_IN && sa->in && sa->in->generation == c->generation) {
		memcpy(sa->in->src, c->src, 16);
		sa->in->sport = c->sport;
		sa->in->nat_event_ns = 0;
		c->error = 0;
	}
	if (c->direction == PLANE_OUT && sa->out && sa->out->generation == c->generation) {
		c->error = outer_init(&sa->out->outer, c->src, c->dst, c->sport, c->dport);
		memcpy(sa->out->src, c->src, 16);
		memcpy(sa->out->dst, c->dst, 16);
		sa->out->shape.outer_len = sa->out->outer.len;
	}
}

static void next_hop_set(struct worker *w, const struct next_hop *nh)
{
	struct next_hop *row = nh_row(w->nh, nh->dst);
	uint64_t asked = row->asked_ns;

	if (row->state == NH_EMPTY || memcmp(row->dst, nh->dst, 16) != 0)
		return; /* nobody here asks for it any more */
	*row = *nh;
	row->asked_ns = asked;
}

static void swap_in(struct sa_pair *sa, struct worker_cmd *c)
{
	struct sa_in *old = sa->in;

	sa->in = c->in;
	c->in = old;
}

static void swap_out(struct sa_pair *sa, struct worker_cmd *c)
{
	struct sa_out *old = sa->out;

	sa->out = c->out;
	c->out = old;
}

static void command(struct worker *w, struct worker_cmd *c)
{
	struct sa_pair *sa = &w->sa[c->slot];

	c->error = 0;
	switch (c->kind) {
	case CMD_SA_IN:
		if (sa->in && sa->in->generation == c->generation)
			c->error = -EEXIST;
		else
			swap_in(sa, c);
		break;
	case CMD_SA_OUT:
		if (sa->out && sa->out->generation == c->generation)
			c->error = -EEXIST;
		else
			swap_out(sa, c);
		break;
	case CMD_SA_IN_DEL:
		if (!sa->in || sa->in->generation != c->generation)
			c->error = -ENOENT;
		else
			swap_in(sa, c);
		break;
	case CMD_SA_OUT_DEL:
		if (!sa->out || sa->out->generation != c->generation)
			c->error = -ENOENT;
		else
			swap_out(sa, c);
		break;
	case CMD_SA_MOVE:
		sa_move(w, c);
		break;
	case CMD_NEXT_HOP:
		next_hop_set(w, &c->nh);
		break;
	case CMD_STOP:
		w->stop = true;
		break;
	}
}

void worker_command_poll(struct worker *w)
{
	struct worker_cmd *c = atomic_load_explicit(&w->cmd, memory_order_acquire);

	if (!c)
		return;
	atomic_store_explicit(&w->cmd, NULL, memory_order_relaxed);
	for (struct worker_cmd *i = c; i; i = i->next)
		command(w, i);
	sem_post(&c->done);
}

void worker_do(struct worker *w, struct worker_cmd *cmd)
{
	sem_init(&cmd->done, 0, 0);
	atomic_store_explicit(&w->cmd, cmd, memory_order_release);
	eventfd_write(w->wake_fd, 1);
	while (sem_wait(&cmd->done) < 0 && errno == EINTR)
		;
	sem_destroy(&cmd->done);
}
