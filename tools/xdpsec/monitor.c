/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Events until Ctrl-C, each as a line at once. */
static volatile sig_atomic_t stopped;

static void on_signal(int sig)
{
	(void)sig;
	stopped = 1;
}

static void catch_signals(void)
{
	/* Without SA_RESTART: the read comes back with EINTR. */
	struct sigaction sa = {.sa_handler = on_signal};

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
}

static const char *now_str(char *buf, size_t n, const char *format)
{
	time_t t = time(NULL);
	struct tm tm;

	localtime_r(&t, &tm);
	strftime(buf, n, format, &tm);
	return buf;
}

static void print_ike(const char *what, const json_t *ike)
{
	printf("%s %s #%lld %s[%lld] %s === %s[%lld] %s", what, text_of(ike, "name"),
	       (long long)number_of(ike, "id"), text_of(ike, "local_host"),
	       (long long)number_of(ike, "local_port"), text_of(ike, "local_id"),
	       text_of(ike, "remote_host"), (long long)number_of(ike, "remote_port"),
	       text_of(ike, "remote_id"));
}

static void print_child(const char *what, const json_t *ike, const json_t *child)
{
	char local[1024], remote[1024];

	printf("%s %s/%s #%lld in %s out %s %s === %s", what, text_of(ike, "name"), text_of(child, "name"),
	       (long long)number_of(child, "id"), text_of(child, "spi_in"), text_of(child, "spi_out"),
	       join_str(json_object_get(child, "local_ts"), " ", local, sizeof(local)),
	       join_str(json_object_get(child, "remote_ts"), " ", remote, sizeof(remote)));
}

/* One event as a typed object: ike, or ike_old; child, or child_old. */
struct change {
	const char *what; /* "child up" */
	json_t *ike, *ike_old, *child, *child_old;
};

static void change_free(struct change *c)
{
	json_decref(c->ike);
	json_decref(c->ike_old);
	json_decref(c->child);
	json_decref(c->child_old);
}

/* The first object among the values of a message: the section of the IKE SA. */
static json_t *first_section(json_t *o, const char **name)
{
	json_t *v;

	json_object_foreach(o, *name, v)
		if (json_is_object(v))
			return v;
	return NULL;
}

static json_t *ike_without_children(const char *name, const json_t *raw)
{
	json_t *o = ike_object(name, raw);

	json_object_del(o, "children");
	return o;
}

static void read_change(const char *event, json_t *message, struct change *c)
{
	bool up = !strcmp(text_of(message, "up"), "yes");
	bool rekey = strstr(event, "rekey") != NULL, ike_only = !strncmp(event, "ike", 3);
	const char *name = "", *child_name;
	json_t *ike = first_section(message, &name), *child;

	*c = (struct change){.what = rekey ? (ike_only ? "ike rekeyed" : "child rekeyed")
					   : ike_only ? (up ? "ike up" : "ike down")
						      : (up ? "child up" : "child down")};
	if (rekey && ike_only) {
		c->ike = ike_without_children(name, json_object_get(ike, "new"));
		c->ike_old = ike_without_children(name, json_object_get(ike, "old"));
		return;
	}
	c->ike = ike_without_children(name, ike);
	if (ike_only)
		return;
	child = first_section(json_object_get(ike, "child-sas"), &child_name);
	c->child = child_object(rekey ? json_object_get(child, "new") : child);
	if (rekey)
		c->child_old = child_object(json_object_get(child, "old"));
}

static void print_change(const struct change *c)
{
	char now[32];

	printf("%s ", now_str(now, sizeof(now), "%H:%M:%S"));
	if (c->child)
		print_child(c->what, c->ike, c->child);
	else
		print_ike(c->what, c->ike);
	if (c->child_old)
		printf(" (was #%lld)", (long long)number_of(c->child_old, "id"));
	else if (c->ike_old)
		printf(" (was #%lld)", (long long)number_of(c->ike_old, "id"));
	putchar('\n');
}

static json_t *change_object(const char *event, const struct change *c)
{
	json_t *o = json_object();
	char now[40];

	json_object_set_new(o, "time", json_string(now_str(now, sizeof(now), "%Y-%m-%dT%H:%M:%S%z")));
	json_object_set_new(o, "event", json_string(event));
	json_object_set_new(o, "what", json_string(c->what));
	json_object_set(o, "ike", c->ike);
	if (c->ike_old)
		json_object_set(o, "ike_old", c->ike_old);
	if (c->child)
		json_object_set(o, "child", c->child);
	if (c->child_old)
		json_object_set(o, "child_old", c->child_old);
	return o;
}

static void on_change(const struct cli *cli, const char *event, json_t *message)
{
	struct change c;

	read_change(event, message, &c);
	if (cli->json)
		cli_print_json(change_object(event, &c));
	else
		print_change(&c);
	change_free(&c);
}

static const struct field log_table[] = {
	{"group", "group", FIELD_TEXT},
	{"level", "level", FIELD_NUMBER},
	{"ikesa-name", "ike", FIELD_TEXT},
	{"ikesa-uniqueid", "ike_id", FIELD_NUMBER},
	{"msg", "text", FIELD_TEXT},
	{0},
};

static void on_line(const struct cli *cli, const char *event, json_t *message)
{
	json_t *o = fields_apply(log_table, message);
	char now[40];

	(void)event;
	if (cli->json) {
		json_object_set_new(o, "time",
				    json_string(now_str(now, sizeof(now), "%Y-%m-%dT%H:%M:%S%z")));
		cli_print_json(json_incref(o));
	} else {
		printf("%s [%s] ", now_str(now, sizeof(now), "%H:%M:%S"), text_of(o, "group"));
		if (*text_of(o, "ike"))
			printf("<%s|%lld> ", text_of(o, "ike"), (long long)number_of(o, "ike_id"));
		puts(text_of(o, "text"));
	}
	json_decref(o);
}

typedef void (*stream_fn)(const struct cli *cli, const char *event, json_t *message);

static int next_event(const struct cli *cli, struct link *l, stream_fn fn)
{
	char name[VICI_NAME_MAX + 1];
	struct vici_packet p;
	int ret = link_recv(l, &p);
	json_t *message;

	if (ret)
		return ret;
	if (p.type != VICI_EVENT)
		return 0;
	message = tree_of(p.body);
	if (!message)
		return -EBADMSG;
	snprintf(name, sizeof(name), "%.*s", (int)p.name.n, (const char *)p.name.p);
	fn(cli, name, message);
	json_decref(message);
	return fflush(stdout) ? -EPIPE : 0;
}

static int stream(const struct cli *cli, const char *const *events, unsigned int n, stream_fn fn)
{
	struct link l;
	int ret = 0;

	catch_signals();
	if (link_open(&l, cli->socket))
		return CLI_FAILED;
	for (unsigned int i = 0; !ret && i < n; i++)
		ret = link_register(&l, events[i]);
	if (ret) {
		link_close(&l);
		return CLI_FAILED;
	}
	while (!stopped && !ret) {
		ret = next_event(cli, &l, fn);
		if (ret == -EINTR)
			ret = 0;
	}
	link_close(&l);
	if (ret == -EPIPE)
		return CLI_FAILED;
	return ret ? cli_fail("xdpsecd closed the connection: see its log") : CLI_OK;
}

int run_monitor(const struct cli *cli)
{
	static const char *const events[] = {"ike-updown", "ike-rekey", "child-updown", "child-rekey"};

	return stream(cli, events, 4, on_change);
}

int run_log(const struct cli *cli)
{
	static const char *const events[] = {"log"};

	return stream(cli, events, 1, on_line);
}
