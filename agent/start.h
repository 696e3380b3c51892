/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "agent/conf/conf.h"
#include "common/gateway_conf.h"

#include <stdbool.h>
#include <stddef.h>

/* What main.c does once: the command line, the two files, the lock, the privileges. */

#define START_CONF_DEFAULT "/etc/xdpsec/xdpsec.conf"

enum { START_ERR_MAX = 1200 }; /* "file:line: text" of the longest */

struct start_options {
	const char *conf;	 /* NULL: START_CONF_DEFAULT, which may be missing */
	const char *pin_dir, *run_dir, *swanctl; /* NULL: as the file says */
	int log_level;		 /* -2: as the file says */
	bool check;
};

/* 0; 1 when all is done (--help, --version); -EINVAL after usage went to standard error. */
int start_options(int argc, char **argv, struct start_options *opt);

struct cred;
struct start_config {
	struct gateway_conf gw;
	struct conf *conf;
	struct cred *cred; /* what the folders beside swanctl.conf hold */
};
/* Drops what was not handed on. */
void start_config_drop(struct start_config *c);
/* Reads both files; on a mistake nothing is kept and err is "file:line: text". 0 or -errno. */
int start_config_load(const struct start_options *opt, struct start_config *c, char *err, size_t errlen);
void start_log_levels(const struct gateway_conf *gw, const struct start_options *opt);

/* RUN_DIR, made 0750 when it is missing, and in it xdpsecd.lock and xdpsecd.pid: one agent a directory. */
struct start_lock {
	int fd; /* 0 = none */
	char pid_file[GW_PATH_MAX + 32];
};
int start_lock(struct start_lock *l, const char *run_dir, char *err, size_t errlen);
void start_unlock(struct start_lock *l);

/* Room for locked memory, also of the keys role that a reload starts; no core files. */
void start_raise_limits(void);
/* Gives up every capability for good. -errno and a line in err: then the agent does not run. */
int start_drop_privileges(bool net_admin, char *err, size_t errlen);
/* One line to the service manager that waits on NOTIFY_SOCKET, if any does. */
void start_notify(const char *state);
