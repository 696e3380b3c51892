/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* The subsystems a log level can be set for; names are those of the field. */
enum log_group {
	LOG_ASN1,
	LOG_CHILD,
	LOG_CONFIG,
	LOG_DAEMON,
	LOG_ENCODING,
	LOG_IKE,
	LOG_IPSEC,
	LOG_JOB,
	LOG_KERNEL,
	LOG_MANAGER,
	LOG_NETWORK,
	LOG_GROUPS,
};

/* Levels: 0 audit, 1 control (default), 2 detail, 3 bytes on the wire, 4 unused: keys are never logged. */
enum { LOG_LEVEL_DEFAULT = 1, LOG_LEVEL_MAX = 4, LOG_LINE_MAX = 1024 };

/* A sink gets each finished line, without newline. `name` is the IKE SA "conn" or NULL, `unique` its #n or 0. */
typedef void (*log_sink_fn)(void *ctx, enum log_group group, int level, const char *name,
			    uint32_t unique, const char *line);

const char *log_group_name(enum log_group group);
/* The group of a name such as "ike", or -1. */
int log_group_find(const char *name);
void log_set_level(enum log_group group, int level);
void log_set_level_all(int level);
int log_level(enum log_group group);
/* Standard error, with or without time stamps. On at start. */
void log_to_stderr(bool on, bool stamps);
/* At most 8 sinks; they see levels up to `level` whatever the group's own level is. 0 or -ENOSPC. */
int log_sink_add(log_sink_fn fn, void *ctx, int level);
void log_sink_remove(log_sink_fn fn, void *ctx);
/* True when a line of this group and level would reach anybody: guards costly formatting. */
bool log_wanted(enum log_group group, int level);
void log_line(enum log_group group, int level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The same, said of one IKE SA. */
void log_line_sa(enum log_group group, int level, const char *name, uint32_t unique,
		 const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/*
 * For lines that the network can cause: a token bucket of `burst` lines, refilled at one
 * each `interval_ms`. log_budget says whether one may be written now and counts those held
 * back; the count is added to the next line that passes.
 */
struct log_budget {
	uint32_t burst, interval_ms;
	uint32_t tokens, held_back;
	uint64_t last_ms;
};
#define LOG_BUDGET_INIT {.burst = 10, .interval_ms = 1000, .tokens = 10}
bool log_budget(struct log_budget *b);
void log_limited(struct log_budget *b, enum log_group group, int level, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
