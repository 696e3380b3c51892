/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "common/vici.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* The command line: one table of commands (command.c), one file a concept, vici underneath. */
enum cli_exit { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

#define CLI_SOCKET_DEFAULT "/run/xdpsec/xdpsecd.vici"
#define CLI_SOCKET_ENV "XDPSEC_SOCKET"

/* What the options said. */
struct cli {
	const char *socket;
	bool json, force, all, help, with_keys;
	int verbose;
	const char *child, *ike; /* names, or "#n" */
	const char *child_id, *ike_id;
	const char *keys, *spi; /* decode */
	int64_t timeout_ms; /* 0 = until the outcome is there */
	const char *command; /* as in the table, for messages */
	int argc;	     /* what is left behind the command and the options */
	char **argv;
};

/* ---- command.c ---- */
/* Parses argv, runs the command, returns the exit code. */
int cli_main(int argc, char **argv);
void cli_help(FILE *to);

/* ---- message.c ---- */
/* One line on standard error, "xdpsec: ..."; returns CLI_FAILED. */
int cli_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int cli_usage(const struct cli *cli, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Prints a value as JSON with a newline, and frees it; CLI_OK. */
int cli_print_json(json_t *value);

/* ---- link.c: the connection ---- */
struct link {
	int fd;
	uint8_t *buf;
	size_t have, taken;
	const char *path;
};

/* 0, or -errno after a message with the next step. */
int link_open(struct link *l, const char *path);
void link_close(struct link *l);
/* The next packet; its slices are valid until the next call. -EINTR when a signal came. */
int link_recv(struct link *l, struct vici_packet *p);
int link_send(struct link *l, struct slice packet);
/* 0, or -errno after a message. */
int link_register(struct link *l, const char *event);

/* Each event that comes before the answer: its name and its message. */
typedef void (*link_event_fn)(void *ctx, const char *event, json_t *message);
/* A request under construction. */
struct request {
	uint8_t buf[4096];
	struct vici_wr v;
};
void request_init(struct request *r, const char *command);
/*
 * Sends it and waits for the answer, NULL after a message when there is none. `fn` may be NULL.
 * The caller drops the answer's reference.
 */
json_t *link_request(struct link *l, const char *command, struct request *r, link_event_fn fn, void *ctx);
/* Opens, registers `event` (or NULL), sends a request without parameters, closes. */
json_t *link_ask(const struct cli *cli, const char *command, const char *event, link_event_fn fn, void *ctx);
/* Did the answer refuse? Says so and gives CLI_FAILED; CLI_OK otherwise. `what` may be NULL. */
int answer_check(const struct cli *cli, const char *what, const json_t *answer);

/* ---- tree.c: messages as JSON ---- */
/* A message with sections as objects, lists as arrays, values as text; NULL when it is malformed. Control
 * characters and what is not UTF-8 become '?'. */
json_t *tree_of(struct slice body);

enum field_kind { FIELD_TEXT, FIELD_NUMBER, FIELD_BOOL, FIELD_LIST };
struct field {
	const char *vici, *json;
	enum field_kind kind;
};
/* A typed object: number and text null when absent, bool false, list empty. Ends with .vici NULL. */
json_t *fields_apply(const struct field *f, const json_t *from);
const char *text_of(const json_t *o, const char *key); /* "" when absent */
int64_t number_of(const json_t *o, const char *key);   /* 0 when absent */

/* ---- table.c: columns for people ---- */
struct libscols_table;
struct column {
	const char *name;
	bool right;
};
struct libscols_table *table_new(const struct column *columns, unsigned int n);
/* n texts, one a column; NULL prints nothing. */
void table_row(struct libscols_table *t, const char *const *cells, unsigned int n);
/* Prints, or says `none` when there is no row; frees. */
void table_print(struct libscols_table *t, const char *none);
/* "3h 37m", "51m 2s", "9s" */
const char *duration_str(int64_t seconds, char *buf, size_t n);
/* "1.5 MiB", "12 B" */
const char *bytes_str(int64_t bytes, char *buf, size_t n);
/* Items of an array, joined. */
const char *join_str(const json_t *array, const char *sep, char *buf, size_t n);

/* ---- sa.c ---- */
/* Typed object of an IKE SA, or of a child; from the fields of list-sa. */
json_t *ike_object(const char *name, const json_t *raw);
json_t *child_object(const json_t *raw);
/* Array of IKE SAs with their children; NULL after a message. */
json_t *sa_array(const struct cli *cli);
int run_show_sa(const struct cli *cli);

/* ---- keys.c ---- */
int show_keys(const struct cli *cli);

/* ---- the other commands ---- */
int run_initiate(const struct cli *cli);
int run_rekey(const struct cli *cli);
int run_reauth(const struct cli *cli);
int run_terminate(const struct cli *cli);
int run_flush(const struct cli *cli);
int run_reload(const struct cli *cli);
int run_set(const struct cli *cli);
int run_flush_certs(const struct cli *cli);
json_t *conn_array(const struct cli *cli);
int run_show_child(const struct cli *cli);
int run_show_conn(const struct cli *cli);
int run_show_policy(const struct cli *cli);
int run_show_certs(const struct cli *cli);
int run_show_authorities(const struct cli *cli);
int run_show_keys(const struct cli *cli);
int run_show_drop(const struct cli *cli);
int run_show_algorithms(const struct cli *cli);
int run_show_counters(const struct cli *cli);
int run_show_plane(const struct cli *cli);
int run_show_limits(const struct cli *cli);
int run_status(const struct cli *cli);
int run_monitor(const struct cli *cli);
int run_log(const struct cli *cli);
int run_decode(const struct cli *cli);
int run_version(const struct cli *cli);
int run_help(const struct cli *cli);
