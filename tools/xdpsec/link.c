/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { LINK_BUF = VICI_LEN_BYTES + VICI_PACKET_MAX };

static int say_why(const char *path, int error)
{
	switch (error) {
	case ENOENT:
		cli_fail("no control socket %s: is xdpsecd running? systemctl start xdpsec", path);
		break;
	case ECONNREFUSED:
		cli_fail("nobody serves %s: is xdpsecd running? systemctl start xdpsec", path);
		break;
	case EACCES:
	case EPERM:
		cli_fail("%s: permission denied: run as root or join the socket's group", path);
		break;
	default:
		cli_fail("%s: %s", path, strerror(error));
	}
	return -error;
}

int link_open(struct link *l, const char *path)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int error;

	*l = (struct link){.fd = -1, .path = path};
	if (strlen(path) >= sizeof(sun.sun_path))
		return say_why(path, ENAMETOOLONG);
	memcpy(sun.sun_path, path, strlen(path));
	l->buf = malloc(LINK_BUF);
	l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (l->buf && l->fd >= 0 && !connect(l->fd, (const struct sockaddr *)&sun, sizeof(sun)))
		return 0;
	error = errno;
	link_close(l);
	return say_why(path, error);
}

void link_close(struct link *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
	free(l->buf);
	l->buf = NULL;
}

int link_send(struct link *l, struct slice packet)
{
	size_t at = 0;

	if (!packet.n)
		return -EMSGSIZE;
	while (at < packet.n) {
		ssize_t n = send(l->fd, packet.p + at, packet.n - at, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += (size_t)n;
	}
	return 0;
}

int link_recv(struct link *l, struct vici_packet *p)
{
	size_t len;

	memmove(l->buf, l->buf + l->taken, l->have - l->taken);
	l->have -= l->taken;
	l->taken = 0;
	for (;;) {
		ssize_t n;

		if (vici_frame(slice_of(l->buf, l->have), &len))
			return -EBADMSG;
		if (len && l->have >= VICI_LEN_BYTES + len)
			break;
		n = recv(l->fd, l->buf + l->have, LINK_BUF - l->have, 0);
		if (n < 0)
			return -errno;
		if (n == 0)
			return -ECONNRESET;
		l->have += (size_t)n;
	}
	l->taken = VICI_LEN_BYTES + len;
	return vici_packet_decode(slice_of(l->buf + VICI_LEN_BYTES, len), p);
}

static int lost(const struct link *l, int ret)
{
	if (ret == -ECONNRESET || ret == -EPIPE)
		cli_fail("xdpsecd closed the connection: see its log");
	else if (ret == -EBADMSG)
		cli_fail("%s: what answers there does not speak vici", l->path);
	else if (ret == -EINTR)
		cli_fail("interrupted");
	else
		cli_fail("%s: %s", l->path, strerror(-ret));
	return ret;
}

int link_register(struct link *l, const char *event)
{
	uint8_t buf[300];
	struct vici_wr v = vici_begin(buf, sizeof(buf), VICI_EVENT_REGISTER, event);
	struct vici_packet p;
	int ret = link_send(l, vici_end(&v));

	do {
		if (!ret)
			ret = link_recv(l, &p);
		if (ret)
			return lost(l, ret);
	} while (p.type == VICI_EVENT);
	if (p.type == VICI_EVENT_CONFIRM)
		return 0;
	cli_fail("xdpsecd has no event '%s': are command line and daemon of the same version?", event);
	return -ENOENT;
}

void request_init(struct request *r, const char *command)
{
	r->v = vici_begin(r->buf, sizeof(r->buf), VICI_CMD_REQUEST, command);
}

static void give_event(const struct vici_packet *p, link_event_fn fn, void *ctx)
{
	char name[VICI_NAME_MAX + 1];
	json_t *message = tree_of(p->body);

	snprintf(name, sizeof(name), "%.*s", (int)p->name.n, (const char *)p->name.p);
	if (message && fn)
		fn(ctx, name, message);
	json_decref(message);
}

json_t *link_request(struct link *l, const char *command, struct request *r, link_event_fn fn, void *ctx)
{
	int ret = link_send(l, vici_end(&r->v));
	struct vici_packet p;
	json_t *answer;

	if (ret == -EMSGSIZE) {
		cli_fail("%s: a name is too long", command);
		return NULL;
	}
	while (!ret && !(ret = link_recv(l, &p)) && p.type == VICI_EVENT)
		give_event(&p, fn, ctx);
	if (ret) {
		lost(l, ret);
		return NULL;
	}
	if (p.type == VICI_CMD_UNKNOWN) {
		cli_fail("xdpsecd has no command '%s': are command line and daemon of the same version?",
			 command);
		return NULL;
	}
	answer = p.type == VICI_CMD_RESPONSE ? tree_of(p.body) : NULL;
	if (!answer)
		lost(l, -EBADMSG);
	return answer;
}

json_t *link_ask(const struct cli *cli, const char *command, const char *event, link_event_fn fn, void *ctx)
{
	struct request r;
	struct link l;
	json_t *answer = NULL;

	if (link_open(&l, cli->socket))
		return NULL;
	request_init(&r, command);
	if (!event || !link_register(&l, event))
		answer = link_request(&l, command, &r, fn, ctx);
	link_close(&l);
	return answer;
}

int answer_check(const struct cli *cli, const char *what, const json_t *answer)
{
	if (strcmp(text_of(answer, "success"), "no") != 0)
		return CLI_OK;
	return cli_fail("%s%s%s: %s", cli->command, what ? " " : "", what ? what : "",
			text_of(answer, "errmsg"));
}
