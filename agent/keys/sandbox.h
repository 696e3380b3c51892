/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Closes every descriptor but standard error and `keep`. To be called before anything is opened. */
int sandbox_close_all(int keep);
/*
 * Gives up, for good: capabilities, the user (root becomes nobody where it may), new privileges,
 * files, processes, core dumps, and all system calls but the few that answering takes. With
 * `seccomp` false the last is left out. 0, or -errno and what failed in err: then the process must
 * end.
 */
int sandbox_enter(bool seccomp, char *err, size_t errlen);
/* The same for a process that talks IPv4 and IPv6 to others: it may make sockets of these families and
 * connect them, and nothing else beside the above. */
int sandbox_enter_network(bool seccomp, char *err, size_t errlen);
/* False where sanitizers need more system calls than a filter can allow. */
bool sandbox_has_seccomp(void);
