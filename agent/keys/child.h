/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "wire.h"

#include <sys/types.h>

/* A process in the keys role, as the agent started it: who it is and our end of its socket. */
struct keys_child {
	pid_t pid;
	int fd; /* non-blocking, closed on exec */
};

/* Runs the binary as a role: it inherits standard error and, as descriptor ROLE_FD, `theirs`. 0 or
 * -errno. */
enum { ROLE_FD = 3 };
int role_spawn(pid_t *pid, const char *exe, char *const argv[], int theirs);
/* Starts one: `exe` with --role keys. It inherits its socket and standard error. 0 or -errno. */
int keys_child_start(struct keys_child *c, const char *exe, const char *conf, bool sandbox);
/* One message of at most cap bytes into buf: its length, 0 when the child is gone, -EAGAIN, or
 * -errno. */
ssize_t keys_child_recv(const struct keys_child *c, void *buf, size_t cap);
/* Waits at most ms for a message to come. 0, -ETIMEDOUT or -errno. */
int keys_child_wait(const struct keys_child *c, int ms);
/* Looks at the first message. 0 when the child is ready; -EINVAL and its own words in err when it
 * gave up. */
int keys_child_hello(const void *buf, size_t n, uint32_t *secrets, char *err, size_t errlen);
/* Ends it: closes the socket, which it obeys, and kills it where the agent still may. Does not
 * wait. */
void keys_child_end(struct keys_child *c);
/* Has it ended? Then its zombie is gone too. */
bool keys_child_reaped(pid_t pid);
