/* SPDX-License-Identifier: BSD-2-Clause */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

/* The child starts with default signals and none blocked, whatever the agent does with them. */
int role_spawn(pid_t *pid, const char *exe, char *const argv[], int theirs)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int r = posix_spawn_file_actions_init(&files);

	if (r)
		return -r;
	r = posix_spawnattr_init(&attr);
	if (r) {
		posix_spawn_file_actions_destroy(&files);
		return -r;
	}
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	r = posix_spawn_file_actions_adddup2(&files, theirs, ROLE_FD);
	if (!r)
		r = posix_spawn(pid, exe, &files, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	return -r;
}

int keys_child_start(struct keys_child *c, const char *exe, const char *conf, bool sandbox)
{
	char *argv[] = {
	    (char *)"xdpsecd",
	    (char *)"--role",
	    (char *)"keys",
	    (char *)"--fd",
	    (char *)"3",
	    (char *)"--conf",
	    (char *)conf,
	    sandbox ? NULL : (char *)"--no-sandbox",
	    NULL,
	};
	int fds[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds))
		return -errno;
	r = fcntl(fds[0], F_SETFL, O_NONBLOCK) ? -errno : role_spawn(&c->pid, exe, argv, fds[1]);
	close(fds[1]);
	if (r) {
		close(fds[0]);
		return r;
	}
	c->fd = fds[0];
	return 0;
}

ssize_t keys_child_recv(const struct keys_child *c, void *buf, size_t cap)
{
	ssize_t n;

	do
		n = recv(c->fd, buf, cap, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == ECONNRESET)
		return 0;
	return n < 0 ? -errno : n;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int keys_child_wait(const struct keys_child *c, int ms)
{
	struct pollfd p = {.fd = c->fd, .events = POLLIN};
	int64_t until = now_ms() + ms;

	for (;;) {
		int64_t left = until - now_ms();
		int r = poll(&p, 1, left > 0 ? (int)left : 0);

		if (r > 0)
			return 0;
		if (r == 0)
			return -ETIMEDOUT;
		if (errno != EINTR)
			return -errno;
	}
}

int keys_child_hello(const void *buf, size_t n, uint32_t *secrets, char *err, size_t errlen)
{
	struct keys_hello h;

	memcpy(&h, buf, n < sizeof(h) ? n : sizeof(h));
	if (n != sizeof(h) || h.hdr.type != KEYS_HELLO || h.hdr.len != n) {
		snprintf(err, errlen, "%s",
			 n ? "the keys role does not speak our protocol"
			   : "the keys role ended before it was ready");
		return -EPROTO;
	}
	h.text[sizeof(h.text) - 1] = '\0';
	if (h.error) {
		snprintf(err, errlen, "%s", h.text);
		return -EINVAL;
	}
	*secrets = h.secrets;
	return 0;
}

void keys_child_end(struct keys_child *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	/* Not allowed when it is nobody and the agent has given up CAP_KILL: the closed socket will
	 * do. */
	kill(c->pid, SIGKILL);
}

bool keys_child_reaped(pid_t pid)
{
	pid_t r = waitpid(pid, NULL, WNOHANG);

	return r == pid || (r < 0 && errno == ECHILD);
}
