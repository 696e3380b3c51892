/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "agent/agent.h"
#include "common/vici.h"
#include "control.h"

#include <pthread.h>
#include <sys/queue.h>
#include <sys/types.h>
#include <time.h>

/*
 * Inside of the control socket. One loop, one thread. A client answers one command at a time, what it
 * sends meanwhile waits in its input buffer. Nothing frees a client below a callback of another part:
 * it is marked doomed and its `kick` event frees it.
 */
enum {
	CLIENTS_MAX = 64,
	OPS_MAX = 256,			   /* commands under way, those whose client has gone included */
	EVENT_QUEUE_MAX = 1024 * 1024,	   /* bytes waiting for a client: beyond, events are dropped */
	LISTING_QUEUE = 128 * 1024,	   /* bytes a listing writes ahead */
	SEND_TIMEOUT_S = 30,		   /* a client that takes nothing for so long is dropped */
	SA_EVENT_SPLIT = VICI_PACKET_MAX - 64 * 1024, /* an IKE SA with more children takes another event */
	LOG_PACKET_MAX = LOG_LINE_MAX + 1024,
	REPLY_TEXT_MAX = 1536, /* file, line, key and what is wrong with it */
};

/* Events by their bit in client.events. */
#define CONTROL_EVENTS(X)                                                                          \
	X(LOG, "log") X(CONTROL_LOG, "control-log") X(LIST_SA, "list-sa") X(LIST_CONN, "list-conn")  \
	X(LIST_POLICY, "list-policy") X(LIST_CERT, "list-cert")                                     \
	X(LIST_KEY, "list-key") X(LIST_AUTHORITY, "list-authority") X(SHOW_POLICY, "show-policy")                           \
	X(IKE_UPDOWN, "ike-updown") X(IKE_REKEY, "ike-rekey") X(IKE_UPDATE, "ike-update")           \
	X(CHILD_UPDOWN, "child-updown") X(CHILD_REKEY, "child-rekey") X(ALERT, "alert")

enum control_event {
#define X(id, name) CONTROL_EV_##id,
	CONTROL_EVENTS(X)
#undef X
	CONTROL_EVENTS_N,
};
const char *control_event_name(enum control_event ev);

struct client;
struct op;

/* A listing that goes out as the client takes it: `next` sends a row (1), has none for now (0: call
 * again), or has come to the end (-ENOENT). */
struct listing {
	int (*next)(struct client *c, struct listing *l);
	enum control_event event;
	uint32_t at, child_at;
	const void *last; /* the row of `at` while the loop has not turned, else NULL */
	char ike[CONF_NAME_MAX], child[CONF_NAME_MAX];
	uint32_t ike_id, child_id;
	bool trap, pass, drop;
};

struct client {
	TAILQ_ENTRY(client) next;
	struct control *control;
	struct bufferevent *bev;
	struct event *kick;
	uint32_t events; /* bits of enum control_event */
	struct op *op;	 /* owner: control; the command that is being answered */
	struct listing listing; /* under way when .next */
	bool doomed;
	uid_t uid;
	pid_t pid;
	uint64_t events_dropped;
};
TAILQ_HEAD(client_list, client);
TAILQ_HEAD(op_list, op);

struct control_stat {
	uint64_t accepted, refused, malformed, slow, events_dropped, commands, unknown;
};

struct control {
	struct agent *a;
	struct evconnlistener *listener;
	struct event *accept_again;
	char path[GW_PATH_MAX];
	struct client_list clients;
	unsigned int n_clients;
	struct op_list ops;
	unsigned int n_ops;
	struct control_stat stat;
	int sink_level; /* of our log sink, -1 = none */
	int (*set)(void *ctx, const char *key, const char *value, char *err, size_t errlen);
	void *set_ctx;
	int (*reload)(void *ctx, char *err, size_t errlen);
	void *reload_ctx;
	uint64_t started_ms;
	pthread_t thread; /* of the loop */
	uint8_t *scratch; /* the packet being written */
	uint8_t log_scratch[LOG_PACKET_MAX]; /* a line may be logged while `scratch` is in use */
};

/* ---- client.c ---- */
void client_new(struct control *c, int fd);
void client_free(struct client *cl);
/* Closes it from the loop, soon. */
void client_doom(struct client *cl);
/* Lets it go on: its command was answered or its listing has more. */
void client_kick(struct client *cl);
/* An answer: begin, write, end. When it did not fit the client gets an error instead. */
struct vici_wr reply_begin(struct client *cl);
void reply_end(struct client *cl, struct vici_wr *v);
void reply_ok(struct client *cl);
void reply_error(struct client *cl, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Starts a listing; without the event registered there is only the final answer. */
void listing_start(struct client *cl, const struct listing *l);
/* A packet of a listing; -EMSGSIZE when it did not fit. */
int listing_send(struct client *cl, struct vici_wr *v);
/* An event for all that registered it. */
struct vici_wr event_begin(struct control *c, enum control_event ev);
void event_end(struct control *c, enum control_event ev, struct vici_wr *v);
void client_event(struct client *cl, struct slice packet);

/* ---- command.c ---- */
/* Runs a command, the client's reply comes now or later. -ENOENT when there is no such command. */
int command_run(struct client *cl, struct slice name, struct slice body);
/* Text parameter of a request that must be a name; replies with an error and gives false when it is not. */
bool param_name(struct client *cl, struct slice body, const char *key, char *buf, size_t n);
bool param_id(struct client *cl, struct slice body, const char *key, uint32_t *id);

/* ---- op.c: commands whose outcome comes later ---- */
void cmd_initiate(struct client *cl, struct slice body);
void cmd_terminate(struct client *cl, struct slice body);
void cmd_rekey(struct client *cl, struct slice body);
void cmd_flush(struct client *cl, struct slice body);
/* The client has gone; the operation goes on. */
void op_detach_client(struct client *cl);
void op_close_all(struct control *c);
/* Level up to which an operation of this client wants lines of this IKE SA, -1 = not at all. */
int op_log_level(const struct op *op, const char *name, uint32_t unique);
int op_log_level_max(const struct op *op);

/* ---- list_sa.c, list_conn.c, show.c, status.c, algorithms.c ---- */
void cmd_list_keys(struct client *cl, struct slice body);
void cmd_list_sas(struct client *cl, struct slice body);
void cmd_list_conns(struct client *cl, struct slice body);
void cmd_list_policies(struct client *cl, struct slice body);
void cmd_get_conns(struct client *cl, struct slice body);
void cmd_list_certs(struct client *cl, struct slice body);
void cmd_list_authorities(struct client *cl, struct slice body);
void cmd_get_authorities(struct client *cl, struct slice body);
void cmd_flush_certs(struct client *cl, struct slice body);
void cmd_get_keys(struct client *cl, struct slice body);
void cmd_show_keys(struct client *cl, struct slice body);
void cmd_show_policies(struct client *cl, struct slice body);
void cmd_show_drops(struct client *cl, struct slice body);
void cmd_show_plane(struct client *cl, struct slice body);
void cmd_show_ike_limits(struct client *cl, struct slice body);
void cmd_counters(struct client *cl, struct slice body);
void cmd_get_counters(struct client *cl, struct slice body);
void cmd_status(struct client *cl, struct slice body);
void cmd_stats(struct client *cl, struct slice body);
void cmd_get_algorithms(struct client *cl, struct slice body);
void cmd_show_algorithms(struct client *cl, struct slice body);
const char *mode_text(enum conf_mode mode);

/* ---- sa_fields.c: an SA as keys and values ---- */
void ike_fields(struct vici_wr *v, const struct ike_sa *ike);
/* A section "name-n". */
void child_section(struct vici_wr *v, const struct agent *a, const struct child_sa *child);
void child_fields(struct vici_wr *v, const struct agent *a, const struct child_sa *child);
const char *ike_name(const struct ike_sa *ike);

/* ---- events.c: log lines and changes of SAs to those who registered ---- */
void events_open(struct control *c);
void events_close(struct control *c);
/* Somebody registered or an operation began or ended: follow with the level of the log sink. */
void events_update(struct control *c);
