/* SPDX-License-Identifier: BSD-2-Clause */
#include "control.h"

#include "common/log.h"
#include "common/secret.h"
#include "maps/maps.h"

#include <errno.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 4, BATCH = 64 };

/* What the control thread remembers of a slot: which generations live, and what the agent has to hear. */
struct slot_note {
	uint32_t in_generation, out_generation;
	uint32_t in_spi, out_spi;
	bool in, out;
	uint8_t pending[2]; /* by direction: 1 << PLANE_EV_SOFT, 1 << PLANE_EV_HARD */
	uint16_t mtu;	    /* of the outbound half, 0 = not known yet */
};

/* A PLANE_SA_ADD that was read: the SA is made, its worker does not have it yet. */
struct adding {
	struct worker_cmd cmd; /* without an SA when it was refused */
	struct worker *worker;
	struct plane_ack ack;
};

struct control {
	struct control_init init;
	const struct crypto_backend *backend;
	char crypto_text[64];
	uint8_t engine[ALG_ROWS_MAX];
	struct sockaddr_un addr;
	uint64_t instance;
	int epoll, listen, agent;
	bool greeted;
	struct slot_note *slot;
	uint32_t n_in, n_out;
	struct adding adding[BATCH]; /* both halves of a pair, and pairs that come together, wake a worker once */
	unsigned int n_adding;
};

/* ---- to the agent ------------------------------------------------------------------------- */

static void agent_drop(struct control *c, const char *why)
{
	if (c->agent < 0)
		return;
	log_line(LOG_DAEMON, 1, "agent disconnected: %s (%u inbound and %u outbound SAs stay)", why, c->n_in,
		 c->n_out);
	close(c->agent);
	c->agent = -1;
	c->greeted = false;
}

static bool agent_send(struct control *c, const void *msg, size_t n)
{
	if (c->agent < 0)
		return false;
	return send(c->agent, msg, n, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)n;
}

static void hello_send(struct control *c)
{
	const struct plane_hello hello = {
		.hdr = {.type = PLANE_HELLO, .len = sizeof(hello)},
		.protocol = PLANE_PROTOCOL,
		.layout_version = XS_LAYOUT_VERSION,
		.instance = c->instance,
	};

	agent_send(c, &hello, sizeof(hello));
}

static bool event_send(struct control *c, const struct plane_event *event)
{
	struct plane_event ev = *event;

	ev.hdr = (struct plane_hdr){.type = PLANE_EVENT, .len = sizeof(ev)};
	return c->greeted && agent_send(c, &ev, sizeof(ev));
}

void control_event(struct control *c, const struct plane_event *event)
{
	struct slot_note *s = event->slot < c->init.maps->sa_slots ? &c->slot[event->slot] : NULL;

	if (s && (event->kind == PLANE_EV_SOFT || event->kind == PLANE_EV_HARD))
		s->pending[event->direction] |= (uint8_t)(1 << event->kind);
	if (s && event->kind == PLANE_EV_MTU && s->out && s->out_generation == event->generation)
		s->mtu = event->mtu;
	event_send(c, event);
}

/* A limit that was reached while no agent listened is said to the next one. */
static void events_repeat(struct control *c)
{
	for (uint32_t i = 1; i < c->init.maps->sa_slots; i++) {
		const struct slot_note *s = &c->slot[i];
		const struct plane_event mtu = {.kind = PLANE_EV_MTU, .slot = i, .direction = PLANE_OUT,
						.generation = s->out_generation, .spi = s->out_spi,
						.mtu = s->mtu};

		if (s->out && s->mtu)
			event_send(c, &mtu);
		for (int d = PLANE_IN; d <= PLANE_OUT; d++)
			for (int k = PLANE_EV_SOFT; k <= PLANE_EV_HARD; k++) {
				struct plane_event ev = {
					.kind = (uint32_t)k, .slot = i, .direction = (uint8_t)d,
					.generation = d ? s->out_generation : s->in_generation,
					.spi = d ? s->out_spi : s->in_spi};

				if (s->pending[d] & 1 << k)
					event_send(c, &ev);
			}
	}
}

/* ---- requests ----------------------------------------------------------------------------- */

static struct worker *worker_of(struct control *c, uint32_t slot)
{
	uint8_t id = atomic_load(&c->init.shared->owner[slot].worker);

	return &c->init.shared->workers[id];
}

static bool slot_ok(const struct control *c, uint32_t slot)
{
	return slot && slot < c->init.maps->sa_slots;
}

/* Both directions of a slot have one owner; the slot moves to another worker only when it is empty. */
static struct worker *owner_take(struct control *c, uint32_t slot, uint16_t wanted)
{
	struct slot_note *s = &c->slot[slot];

	if (!s->in && !s->out)
		atomic_store(&c->init.shared->owner[slot].worker,
			     (uint8_t)(wanted % c->init.shared->n_workers));
	return worker_of(c, slot);
}

static int sa_add_in(struct control *c, struct plane_sa_add *add, struct adding *a)
{
	struct slot_note *s = &c->slot[add->slot];
	int err;

	if (s->in && s->in_generation == add->generation)
		return -EEXIST;
	add->worker = (uint16_t)owner_take(c, add->slot, add->worker)->id;
	err = sa_in_new(&a->cmd.in, add, c->init.maps, c->backend, a->ack.text, sizeof(a->ack.text));
	if (err < 0)
		return err;
	a->cmd.kind = CMD_SA_IN;
	c->n_in += !s->in;
	s->in = true;
	s->in_generation = add->generation;
	s->in_spi = add->spi;
	s->pending[PLANE_IN] = 0;
	return 0;
}

static int sa_add_out(struct control *c, struct plane_sa_add *add, struct adding *a)
{
	struct slot_note *s = &c->slot[add->slot];
	int err;

	if (s->out && s->out_generation == add->generation)
		return -EEXIST;
	add->worker = (uint16_t)owner_take(c, add->slot, add->worker)->id;
	err = sa_out_new(&a->cmd.out, add, c->init.maps, c->backend, a->ack.text, sizeof(a->ack.text));
	if (err < 0)
		return err;
	a->cmd.kind = CMD_SA_OUT;
	c->n_out += !s->out;
	s->out = true;
	s->out_generation = add->generation;
	s->out_spi = add->spi;
	s->pending[PLANE_OUT] = 0;
	s->mtu = 0;
	return 0;
}

/* Makes the SA; sa_add_all hands it over and answers. */
static int sa_add(struct control *c, struct plane_sa_add *add, struct adding *a)
{
	int err;

	if (!slot_ok(c, add->slot) || add->direction > PLANE_OUT) {
		snprintf(a->ack.text, sizeof(a->ack.text), "no such slot or direction");
		return -EINVAL;
	}
	err = add->direction == PLANE_IN ? sa_add_in(c, add, a) : sa_add_out(c, add, a);
	if (err < 0 && !a->ack.text[0])
		snprintf(a->ack.text, sizeof(a->ack.text), "%s", strerror(-err));
	if (!err)
		a->worker = worker_of(c, add->slot);
	return err;
}

/* To each worker in the order in which they came, which is inbound before outbound. */
static void adding_hand_over(struct control *c)
{
	for (unsigned int w = 0; w < c->init.shared->n_workers; w++) {
		struct worker *to = &c->init.shared->workers[w];
		struct worker_cmd *first = NULL, **end = &first;

		for (unsigned int i = 0; i < c->n_adding; i++) {
			if (c->adding[i].worker != to)
				continue;
			*end = &c->adding[i].cmd;
			end = &c->adding[i].cmd.next;
		}
		if (first)
			worker_do(to, first);
	}
}

/* Answers go after the SAs have arrived. */
static bool adding_answer(struct control *c)
{
	struct mmsghdr mh[BATCH] = {0};
	struct iovec iov[BATCH];

	for (unsigned int i = 0; i < c->n_adding; i++) {
		iov[i] = (struct iovec){.iov_base = &c->adding[i].ack, .iov_len = sizeof(c->adding[i].ack)};
		mh[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1};
	}
	return c->agent >= 0 &&
	       sendmmsg(c->agent, mh, c->n_adding, MSG_DONTWAIT | MSG_NOSIGNAL) == (int)c->n_adding;
}

static void sa_add_all(struct control *c)
{
	if (!c->n_adding)
		return;
	adding_hand_over(c);
	for (unsigned int i = 0; i < c->n_adding; i++) {
		struct worker_cmd *cmd = &c->adding[i].cmd;

		/* what the worker had there before */
		sa_in_free(cmd->in);
		sa_out_free(cmd->out);
	}
	if (!adding_answer(c))
		agent_drop(c, "does not read its answers");
	c->n_adding = 0;
}

static int sa_del(struct control *c, const struct plane_sa_del *del, struct plane_ack *ack)
{
	struct worker_cmd cmd = {.slot = del->slot, .generation = del->generation};
	struct slot_note *s;

	if (!slot_ok(c, del->slot) || del->direction > PLANE_OUT)
		return -EINVAL;
	s = &c->slot[del->slot];
	cmd.kind = del->direction == PLANE_IN ? CMD_SA_IN_DEL : CMD_SA_OUT_DEL;
	worker_do(worker_of(c, del->slot), &cmd);
	if (cmd.error)
		return cmd.error;
	if (cmd.in) {
		ack->packets = cmd.in->count.packets;
		ack->bytes = cmd.in->count.bytes;
		ack->seq = cmd.in->replay.top;
		s->in = false;
		c->n_in--;
	}
	if (cmd.out) {
		ack->packets = cmd.out->count.packets;
		ack->bytes = cmd.out->count.bytes;
		ack->seq = cmd.out->seq;
		s->out = false;
		c->n_out--;
	}
	s->pending[del->direction] = 0;
	sa_in_free(cmd.in);
	sa_out_free(cmd.out);
	return 0;
}

static int sa_move(struct control *c, const struct plane_sa_move *move, struct plane_ack *ack)
{
	struct worker_cmd cmd = {.kind = CMD_SA_MOVE, .slot = move->slot,
				 .generation = move->generation, .direction = move->direction,
				 .sport = move->sport, .dport = move->dport};

	if (!slot_ok(c, move->slot) || move->direction > PLANE_OUT || !move->sport != !move->dport)
		return -EINVAL;
	if (ip_is_mapped4(move->src) != ip_is_mapped4(move->dst)) {
		snprintf(ack->text, sizeof(ack->text), "outer addresses of two families");
		return -EAFNOSUPPORT;
	}
	memcpy(cmd.src, move->src, 16);
	memcpy(cmd.dst, move->dst, 16);
	worker_do(worker_of(c, move->slot), &cmd);
	return cmd.error;
}

static void info_send(struct control *c, uint32_t request)
{
	const struct worker_shared *sh = c->init.shared;
	struct plane_info info = {
		.hdr = {.type = PLANE_INFO, .len = sizeof(info), .request = request},
		.pid = (uint32_t)getpid(),
		.workers = sh->n_workers,
		.sas_in = c->n_in,
		.sas_out = c->n_out,
		.n_ports = sh->n_ports,
	};

	snprintf(info.crypto, sizeof(info.crypto), "%s", c->crypto_text);
	memcpy(info.engine, c->engine, sizeof(info.engine));
	for (unsigned int i = 0; i < sh->n_ports && i < PLANE_PORTS_MAX; i++) {
		struct plane_info_port *p = &info.port[i];

		snprintf(p->ifname, sizeof(p->ifname), "%s", sh->ports[i].ifname);
		snprintf(p->kind, sizeof(p->kind), "xsk");
		snprintf(p->mode, sizeof(p->mode), "%s", sh->ports[i].mode);
		p->queues = sh->ports[i].queues;
		p->mtu = atomic_load(&sh->ports[i].mtu);
	}
	agent_send(c, &info, sizeof(info));
}

/* ---- messages ----------------------------------------------------------------------------------- */

static size_t size_of(uint16_t type)
{
	switch (type) {
	case PLANE_HELLO:
		return sizeof(struct plane_hello);
	case PLANE_SA_ADD:
		return sizeof(struct plane_sa_add);
	case PLANE_SA_DEL:
		return sizeof(struct plane_sa_del);
	case PLANE_SA_MOVE:
		return sizeof(struct plane_sa_move);
	case PLANE_INFO_GET:
		return sizeof(struct plane_hdr);
	default:
		return 0;
	}
}

static void hello_take(struct control *c, const struct plane_hello *hello)
{
	if (hello->protocol != PLANE_PROTOCOL || hello->layout_version != XS_LAYOUT_VERSION) {
		log_line(LOG_DAEMON, 0,
			 "the agent speaks protocol %u with map layout %u, the dataplane %u with %u: "
			 "install one version of both",
			 hello->protocol, hello->layout_version, PLANE_PROTOCOL, XS_LAYOUT_VERSION);
		agent_drop(c, "other version");
		return;
	}
	c->greeted = true;
	log_line(LOG_DAEMON, 1, "agent connected (%u inbound and %u outbound SAs are here)", c->n_in, c->n_out);
	events_repeat(c);
}

static void sa_log(const char *what, uint32_t slot, uint32_t generation, uint8_t direction,
		   const struct plane_ack *ack)
{
	log_line(LOG_IPSEC, ack->error ? 1 : 2, "%s slot %u generation %u %s: %s", what, slot, generation,
		 direction == PLANE_IN ? "in" : "out",
		 !ack->error ? "done" : ack->text[0] ? ack->text : strerror(-ack->error));
}

static void request_add(struct control *c, struct plane_sa_add *add)
{
	struct adding *a = &c->adding[c->n_adding++];

	memset(a, 0, sizeof(*a));
	a->cmd.slot = add->slot;
	a->cmd.generation = add->generation;
	a->ack.hdr = (struct plane_hdr){.type = PLANE_ACK, .len = sizeof(a->ack), .request = add->hdr.request};
	a->ack.error = sa_add(c, add, a);
	sa_log("add", add->slot, add->generation, add->direction, &a->ack);
}

static void request(struct control *c, union plane_msg *m)
{
	struct plane_ack ack = {
		.hdr = {.type = PLANE_ACK, .len = sizeof(ack), .request = m->hdr.request}};

	if (m->hdr.type == PLANE_SA_ADD) {
		request_add(c, &m->add);
		return;
	}
	sa_add_all(c); /* it may be about one of them, and answers keep their order */
	switch (m->hdr.type) {
	case PLANE_SA_DEL:
		ack.error = sa_del(c, &m->del, &ack);
		sa_log("delete", m->del.slot, m->del.generation, m->del.direction, &ack);
		break;
	case PLANE_SA_MOVE:
		ack.error = sa_move(c, &m->move, &ack);
		sa_log("move", m->move.slot, m->move.generation, m->move.direction, &ack);
		break;
	case PLANE_INFO_GET:
		info_send(c, m->hdr.request);
		return;
	}
	if (ack.error && !ack.text[0])
		snprintf(ack.text, sizeof(ack.text), "%s", strerror(-ack.error));
	if (!agent_send(c, &ack, sizeof(ack)))
		agent_drop(c, "does not read its answers");
}

static void agent_readable(struct control *c)
{
	union plane_msg m;
	ssize_t n;

	for (unsigned int i = 0; i < BATCH && c->agent >= 0; i++) {
		n = recv(c->agent, &m, sizeof(m), MSG_DONTWAIT | MSG_TRUNC);
		if (n < 0 && errno == EAGAIN)
			break;
		if (n <= 0)
			agent_drop(c, n ? strerror(errno) : "closed");
		else if ((size_t)n < sizeof(m.hdr) || m.hdr.len != n || (size_t)n != size_of(m.hdr.type) ||
			 c->greeted == (m.hdr.type == PLANE_HELLO))
			agent_drop(c, "not what the protocol says");
		else if (m.hdr.type == PLANE_HELLO)
			hello_take(c, &m.hello);
		else
			request(c, &m);
	}
	sa_add_all(c);
	secret_wipe(&m, sizeof(m)); /* keys travelled in it */
}

static bool peer_allowed(int fd)
{
	struct ucred cred;
	socklen_t n = sizeof(cred);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) == 0 &&
	       (cred.uid == 0 || cred.uid == geteuid());
}

static void agent_accept(struct control *c)
{
	struct epoll_event ev = {.events = EPOLLIN};
	int fd = accept4(c->listen, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	ev.data.fd = fd;
	if (!peer_allowed(fd) || epoll_ctl(c->epoll, EPOLL_CTL_ADD, fd, &ev) < 0) {
		close(fd);
		return;
	}
	agent_drop(c, "another one came");
	c->agent = fd;
	hello_send(c);
}

void control_run(struct control *c)
{
	struct epoll_event ev[4];
	int n = epoll_wait(c->epoll, ev, 4, 0);

	for (int i = 0; i < n; i++) {
		if (ev[i].data.fd == c->listen)
			agent_accept(c);
		else if (ev[i].data.fd == c->agent)
			agent_readable(c);
	}
}

void control_next_hop(struct control *c, const struct next_hop *nh)
{
	for (unsigned int i = 0; i < c->init.shared->n_workers; i++) {
		struct worker_cmd cmd = {.kind = CMD_NEXT_HOP, .nh = *nh};

		worker_do(&c->init.shared->workers[i], &cmd);
	}
}

/* ---- open and close ------------------------------------------------------------------------------ */

static int listen_open(struct control *c, char *err, size_t errlen)
{
	const struct sockaddr *addr = (const struct sockaddr *)&c->addr;
	struct epoll_event ev = {.events = EPOLLIN};
	int probe = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), e = 0;
	mode_t mask;

	if (probe >= 0 && connect(probe, addr, sizeof(c->addr)) == 0)
		e = -EADDRINUSE;
	if (probe >= 0)
		close(probe);
	if (e) {
		snprintf(err, errlen, "%s: another dataplane runs", c->addr.sun_path);
		return e;
	}
	unlink(c->addr.sun_path);
	mask = umask(0177);
	c->listen = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->listen < 0 || bind(c->listen, addr, sizeof(c->addr)) < 0 || listen(c->listen, BACKLOG) < 0)
		e = -errno;
	umask(mask);
	ev.data.fd = c->listen;
	if (!e && epoll_ctl(c->epoll, EPOLL_CTL_ADD, c->listen, &ev) < 0)
		e = -errno;
	if (e)
		snprintf(err, errlen, "%s: %s", c->addr.sun_path, strerror(-e));
	return e;
}

struct control *control_open(const struct control_init *init, char *err, size_t errlen)
{
	struct control *c = calloc(1, sizeof(*c));
	int e;

	if (!c)
		return NULL;
	c->init = *init;
	c->listen = c->agent = -1;
	c->addr.sun_family = AF_UNIX;
	snprintf(c->addr.sun_path, sizeof(c->addr.sun_path), "%s/dataplane.sock", init->run_dir);
	c->slot = calloc(init->maps->sa_slots, sizeof(*c->slot));
	c->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (!c->slot || c->epoll < 0 || RAND_bytes((uint8_t *)&c->instance, sizeof(c->instance)) != 1) {
		snprintf(err, errlen, "control: %s", strerror(errno));
		e = -ENOMEM;
	} else {
		mkdir(init->run_dir, 0755);
		e = listen_open(c, err, errlen);
	}
	if (!e)
		return c;
	if (c->listen >= 0)
		close(c->listen);
	if (c->epoll >= 0)
		close(c->epoll);
	free(c->slot);
	free(c);
	errno = -e;
	return NULL;
}

void control_close(struct control *c)
{
	if (c->agent >= 0)
		close(c->agent);
	unlink(c->addr.sun_path);
	close(c->listen);
	close(c->epoll);
	free(c->slot);
	free(c);
}

void control_crypto(struct control *c, const struct crypto_backend *backend, const char *text)
{
	const struct alg *row;

	c->backend = backend;
	for (unsigned int i = 0; (row = alg_at(i)); i++) {
		bool esp = row->esp && (row->type == IKE_T_ENCR || row->type == IKE_T_INTEG);

		c->engine[i] = esp && crypto_can(&crypto_openssl, row) ? PLANE_ENGINE_OPENSSL : 0;
		if (esp && backend != &crypto_openssl && crypto_can(backend, row))
			c->engine[i] |= PLANE_ENGINE_CRYPTODEV;
	}
	snprintf(c->crypto_text, sizeof(c->crypto_text), "%s", text);
}

int control_fd(const struct control *c)
{
	return c->epoll;
}
