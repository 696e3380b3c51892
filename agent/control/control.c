/* SPDX-License-Identifier: BSD-2-Clause */
#include "control_int.h"

#include <event2/event.h>
#include <event2/listener.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* A process out of descriptors would be woken for the same connection again and again: rest so long. */
enum { ACCEPT_REST_S = 1, LISTEN_BACKLOG = 16 };

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *sa, int len, void *ctx)
{
	(void)l;
	(void)sa;
	(void)len;
	client_new(ctx, fd);
}

static void on_accept_error(struct evconnlistener *l, void *ctx)
{
	const struct timeval rest = {.tv_sec = ACCEPT_REST_S};
	struct control *c = ctx;

	c->stat.refused++;
	evconnlistener_disable(l);
	event_add(c->accept_again, &rest);
}

static void on_accept_again(evutil_socket_t fd, short what, void *ctx)
{
	struct control *c = ctx;

	(void)fd;
	(void)what;
	evconnlistener_enable(c->listener);
}

static int fail(char *err, size_t errlen, int error, const char *path, const char *what)
{
	snprintf(err, errlen, "control socket %s: %s: %s", path, what, strerror(error));
	return -error;
}

/* A socket file that nobody serves is what a killed agent left; one that answers is another agent. */
static int clear_stale(const struct sockaddr_un *sun, char *err, size_t errlen)
{
	struct stat st;
	int fd, ret = 0;

	if (lstat(sun->sun_path, &st))
		return 0; /* nothing is there, or bind says what is wrong */
	if (!S_ISSOCK(st.st_mode))
		return fail(err, errlen, EEXIST, sun->sun_path, "not a socket");
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fail(err, errlen, errno, sun->sun_path, "socket");
	if (!connect(fd, (const struct sockaddr *)sun, sizeof(*sun)))
		ret = fail(err, errlen, EADDRINUSE, sun->sun_path, "another xdpsecd serves it");
	else if (errno == ECONNREFUSED && unlink(sun->sun_path))
		ret = fail(err, errlen, errno, sun->sun_path, "unlink");
	close(fd);
	return ret;
}

static int listen_on(const char *path, char *err, size_t errlen)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	mode_t mask;
	int fd, ret;

	if (strlen(path) >= sizeof(sun.sun_path))
		return fail(err, errlen, ENAMETOOLONG, path, "path");
	memcpy(sun.sun_path, path, strlen(path));
	ret = clear_stale(&sun, err, errlen);
	if (ret)
		return ret;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail(err, errlen, errno, path, "socket");
	mask = umask(0117);
	ret = bind(fd, (const struct sockaddr *)&sun, sizeof(sun)) ? errno : 0;
	umask(mask);
	if (!ret && listen(fd, LISTEN_BACKLOG))
		ret = errno;
	if (ret) {
		close(fd);
		return fail(err, errlen, ret, path, "bind");
	}
	return fd;
}

static int control_listen(struct control *c, char *err, size_t errlen)
{
	int fd = listen_on(c->path, err, errlen);

	if (fd < 0)
		return fd;
	c->listener = evconnlistener_new(c->a->base, on_accept, c,
					 LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	c->accept_again = event_new(c->a->base, -1, 0, on_accept_again, c);
	if (!c->listener || !c->accept_again) {
		if (!c->listener)
			close(fd);
		unlink(c->path);
		return fail(err, errlen, ENOMEM, c->path, "listener");
	}
	evconnlistener_set_error_cb(c->listener, on_accept_error);
	return 0;
}

static void control_free(struct control *c)
{
	if (c->listener)
		evconnlistener_free(c->listener);
	if (c->accept_again)
		event_free(c->accept_again);
	free(c->scratch);
	free(c);
}

struct control *control_open(struct agent *a, const char *path, char *err, size_t errlen)
{
	struct control *c = calloc(1, sizeof(*c));
	int ret;

	if (!c || strlen(path) >= sizeof(c->path)) {
		ret = c ? ENAMETOOLONG : ENOMEM;
		free(c);
		fail(err, errlen, ret, path, "open");
		errno = ret;
		return NULL;
	}
	c->a = a;
	c->sink_level = -1;
	c->started_ms = sa_now_ms();
	memcpy(c->path, path, strlen(path) + 1);
	TAILQ_INIT(&c->clients);
	TAILQ_INIT(&c->ops);
	c->scratch = malloc(VICI_LEN_BYTES + VICI_PACKET_MAX);
	ret = c->scratch ? control_listen(c, err, errlen) : fail(err, errlen, ENOMEM, path, "buffer");
	if (ret) {
		control_free(c);
		errno = -ret;
		return NULL;
	}
	events_open(c);
	log_line(LOG_DAEMON, 1, "control socket %s", c->path);
	return c;
}

void control_close(struct control *c)
{
	if (!c)
		return;
	events_close(c);
	while (!TAILQ_EMPTY(&c->clients))
		client_free(TAILQ_FIRST(&c->clients));
	op_close_all(c);
	unlink(c->path);
	control_free(c);
}

void control_on_set(struct control *c,
		    int (*fn)(void *ctx, const char *key, const char *value, char *err, size_t errlen), void *ctx)
{
	c->set = fn;
	c->set_ctx = ctx;
}

void control_on_reload(struct control *c, int (*fn)(void *ctx, char *err, size_t errlen), void *ctx)
{
	c->reload = fn;
	c->reload_ctx = ctx;
}
