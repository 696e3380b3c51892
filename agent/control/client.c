/* SPDX-License-Identifier: BSD-2-Clause */
#include "control_int.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Rows a listing looks at before it lets others have the loop. */
enum { LISTING_TURN = 2048 };

static const char *const event_names[CONTROL_EVENTS_N] = {
#define X(id, name) [CONTROL_EV_##id] = name,
	CONTROL_EVENTS(X)
#undef X
};

const char *control_event_name(enum control_event ev)
{
	return event_names[ev];
}

static size_t queued(struct client *cl)
{
	return evbuffer_get_length(bufferevent_get_output(cl->bev));
}

static void send_packet(struct client *cl, struct slice packet)
{
	if (!cl->doomed && bufferevent_write(cl->bev, packet.p, packet.n))
		client_doom(cl);
}

void client_kick(struct client *cl)
{
	event_active(cl->kick, EV_TIMEOUT, 0);
}

void client_doom(struct client *cl)
{
	cl->doomed = true;
	client_kick(cl);
}

struct vici_wr reply_begin(struct client *cl)
{
	return vici_begin(cl->control->scratch, VICI_LEN_BYTES + VICI_PACKET_MAX, VICI_CMD_RESPONSE,
			  NULL);
}

void reply_end(struct client *cl, struct vici_wr *v)
{
	struct slice packet = vici_end(v);

	if (packet.n)
		send_packet(cl, packet);
	else
		reply_error(cl, "the answer is larger than a vici packet can be");
}

void reply_ok(struct client *cl)
{
	struct vici_wr v = reply_begin(cl);

	vici_kv(&v, "success", "yes");
	reply_end(cl, &v);
}

void reply_error(struct client *cl, const char *fmt, ...)
{
	struct vici_wr v = reply_begin(cl);
	char text[REPLY_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	vici_kv(&v, "success", "no");
	vici_kv(&v, "errmsg", text);
	send_packet(cl, vici_end(&v));
}

struct vici_wr event_begin(struct control *c, enum control_event ev)
{
	return vici_begin(c->scratch, VICI_LEN_BYTES + VICI_PACKET_MAX, VICI_EVENT, event_names[ev]);
}

void client_event(struct client *cl, struct slice packet)
{
	if (queued(cl) + packet.n > EVENT_QUEUE_MAX) {
		cl->events_dropped++;
		cl->control->stat.events_dropped++;
		return;
	}
	send_packet(cl, packet);
}

void event_end(struct control *c, enum control_event ev, struct vici_wr *v)
{
	struct slice packet = vici_end(v);
	struct client *cl;

	if (!packet.n)
		return;
	TAILQ_FOREACH (cl, &c->clients, next)
		if (cl->events & 1u << ev)
			client_event(cl, packet);
}

int listing_send(struct client *cl, struct vici_wr *v)
{
	struct slice packet = vici_end(v);

	if (!packet.n)
		return -EMSGSIZE;
	send_packet(cl, packet);
	return 0;
}

/* Writes rows until the client has enough to take; the write callback comes back for more. */
static void listing_pump(struct client *cl)
{
	unsigned int turn = 0;

	cl->listing.last = NULL;
	while (cl->listing.next && !cl->doomed && queued(cl) < LISTING_QUEUE) {
		if (turn++ == LISTING_TURN) {
			client_kick(cl);
			return;
		}
		if (cl->listing.next(cl, &cl->listing) >= 0)
			continue;
		struct vici_wr v = reply_begin(cl);

		cl->listing.next = NULL;
		reply_end(cl, &v);
		client_kick(cl);
	}
}

void listing_start(struct client *cl, const struct listing *l)
{
	if (!(cl->events & 1u << l->event)) {
		struct vici_wr v = reply_begin(cl);

		reply_end(cl, &v);
		return;
	}
	cl->listing = *l;
	listing_pump(cl);
}

static void send_bare(struct client *cl, enum vici_type type)
{
	uint8_t buf[16];
	struct vici_wr v = vici_begin(buf, sizeof(buf), type, NULL);

	send_packet(cl, vici_end(&v));
}

static void handle_register(struct client *cl, const struct vici_packet *p)
{
	bool on = p->type == VICI_EVENT_REGISTER;

	for (unsigned int i = 0; i < CONTROL_EVENTS_N; i++) {
		if (strlen(event_names[i]) != p->name.n ||
		    memcmp(event_names[i], p->name.p, p->name.n))
			continue;
		if (on)
			cl->events |= 1u << i;
		else
			cl->events &= ~(1u << i);
		events_update(cl->control);
		send_bare(cl, VICI_EVENT_CONFIRM);
		return;
	}
	send_bare(cl, VICI_EVENT_UNKNOWN);
}

/* 0 or -EBADMSG: then the client has lost the thread and is closed. */
static int handle_packet(struct client *cl, struct slice packet)
{
	struct vici_packet p;

	if (vici_packet_decode(packet, &p))
		return -EBADMSG;
	switch (p.type) {
	case VICI_EVENT_REGISTER:
	case VICI_EVENT_UNREGISTER:
		handle_register(cl, &p);
		return 0;
	case VICI_CMD_REQUEST:
		if (vici_check(p.body))
			return -EBADMSG;
		cl->control->stat.commands++;
		if (command_run(cl, p.name, p.body)) {
			cl->control->stat.unknown++;
			send_bare(cl, VICI_CMD_UNKNOWN);
		}
		return 0;
	default:
		return -EBADMSG;
	}
}

static void malformed(struct client *cl)
{
	static struct log_budget budget = LOG_BUDGET_INIT;

	cl->control->stat.malformed++;
	log_limited(&budget, LOG_CONFIG, 1, "control: malformed packet from pid %d uid %u, closing",
		    (int)cl->pid, (unsigned int)cl->uid);
	client_doom(cl);
}

static bool busy(const struct client *cl)
{
	return cl->doomed || cl->op || cl->listing.next;
}

static void input_process(struct client *cl)
{
	struct evbuffer *in = bufferevent_get_input(cl->bev);

	while (!busy(cl) && queued(cl) < EVENT_QUEUE_MAX) {
		uint8_t head[VICI_LEN_BYTES];
		ev_ssize_t got = evbuffer_copyout(in, head, sizeof(head));
		size_t len, have = evbuffer_get_length(in);
		uint8_t *p;

		if (got < (ev_ssize_t)sizeof(head))
			return;
		if (vici_frame(slice_of(head, sizeof(head)), &len)) {
			malformed(cl);
			return;
		}
		if (have < VICI_LEN_BYTES + len)
			return;
		p = evbuffer_pullup(in, (ev_ssize_t)(VICI_LEN_BYTES + len));
		if (!p || handle_packet(cl, slice_of(p + VICI_LEN_BYTES, len))) {
			malformed(cl);
			return;
		}
		evbuffer_drain(in, VICI_LEN_BYTES + len);
	}
}

static void on_read(struct bufferevent *bev, void *ctx)
{
	(void)bev;
	input_process(ctx);
}

static void on_write(struct bufferevent *bev, void *ctx)
{
	struct client *cl = ctx;

	(void)bev;
	listing_pump(cl);
	input_process(cl);
}

static void on_event(struct bufferevent *bev, short what, void *ctx)
{
	struct client *cl = ctx;

	(void)bev;
	if (what & BEV_EVENT_TIMEOUT && what & BEV_EVENT_WRITING) {
		cl->control->stat.slow++;
		log_line(LOG_CONFIG, 1, "control: pid %d takes no data, closing", (int)cl->pid);
	}
	client_doom(cl);
}

static void on_kick(evutil_socket_t fd, short what, void *ctx)
{
	struct client *cl = ctx;

	(void)fd;
	(void)what;
	if (cl->doomed) {
		client_free(cl);
		return;
	}
	listing_pump(cl);
	input_process(cl);
}

void client_free(struct client *cl)
{
	struct control *c = cl->control;

	op_detach_client(cl);
	TAILQ_REMOVE(&c->clients, cl, next);
	c->n_clients--;
	if (cl->events_dropped)
		log_line(LOG_CONFIG, 1, "control: pid %d missed %llu events", (int)cl->pid,
			 (unsigned long long)cl->events_dropped);
	if (cl->bev)
		bufferevent_free(cl->bev);
	if (cl->kick)
		event_free(cl->kick);
	free(cl);
	events_update(c);
}

static int client_attach(struct client *cl, int fd)
{
	struct event_base *base = cl->control->a->base;
	const struct timeval timeout = {.tv_sec = SEND_TIMEOUT_S};

	cl->kick = event_new(base, -1, 0, on_kick, cl);
	if (!cl->kick)
		return -ENOMEM;
	cl->bev = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
	if (!cl->bev)
		return -ENOMEM;
	bufferevent_setcb(cl->bev, on_read, on_write, on_event, cl);
	bufferevent_setwatermark(cl->bev, EV_READ, 0, VICI_LEN_BYTES + VICI_PACKET_MAX);
	bufferevent_setwatermark(cl->bev, EV_WRITE, LISTING_QUEUE / 2, 0);
	bufferevent_set_timeouts(cl->bev, NULL, &timeout);
	return bufferevent_enable(cl->bev, EV_READ | EV_WRITE) ? -ENOMEM : 0;
}

void client_new(struct control *c, int fd)
{
	struct ucred peer = {.pid = -1, .uid = (uid_t)-1};
	socklen_t len = sizeof(peer);
	struct client *cl;

	if (c->n_clients >= CLIENTS_MAX || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len)) {
		c->stat.refused++;
		close(fd);
		return;
	}
	cl = calloc(1, sizeof(*cl));
	if (!cl) {
		c->stat.refused++;
		close(fd);
		return;
	}
	cl->control = c;
	cl->uid = peer.uid;
	cl->pid = peer.pid;
	TAILQ_INSERT_TAIL(&c->clients, cl, next);
	c->n_clients++;
	c->stat.accepted++;
	log_line(LOG_CONFIG, 2, "control: client pid %d uid %u gid %u", (int)peer.pid,
		 (unsigned int)peer.uid, (unsigned int)peer.gid);
	if (!client_attach(cl, fd))
		return;
	if (!cl->bev)
		close(fd);
	c->stat.refused++;
	client_free(cl);
}
