/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli.h"

#include <stdio.h>
#include <string.h>

static const struct field net_table[] = {
	{"in", "in", FIELD_NUMBER},
	{"strangers", "strangers", FIELD_NUMBER},
	{"out", "out", FIELD_NUMBER},
	{"keepalives", "keepalives", FIELD_NUMBER},
	{"stray-esp", "stray_esp", FIELD_NUMBER},
	{"runt", "runt", FIELD_NUMBER},
	{"send-failed", "send_failed", FIELD_NUMBER},
	{0},
};

static const struct field control_table[] = {
	{"accepted", "accepted", FIELD_NUMBER},
	{"refused", "refused", FIELD_NUMBER},
	{"commands", "commands", FIELD_NUMBER},
	{"unknown", "unknown", FIELD_NUMBER},
	{"malformed", "malformed", FIELD_NUMBER},
	{"slow", "slow", FIELD_NUMBER},
	{"events-dropped", "events_dropped", FIELD_NUMBER},
	{0},
};

/* The protocol's counters by name at the top, those of the sockets in objects beside them. */
static json_t *counters_object(const json_t *answer)
{
	json_t *o = json_object(), *c;
	const char *name;

	json_object_foreach(json_object_get(answer, "ike"), name, c)
		json_object_set_new(o, name, json_integer(number_of(c, "count")));
	json_object_set_new(o, "net", fields_apply(net_table, json_object_get(answer, "net")));
	json_object_set_new(o, "control", fields_apply(control_table, json_object_get(answer, "control")));
	return o;
}

static const struct {
	const char *name, *text;
} meanings[] = {
	{"net.in", "IKE datagrams received"},
	{"net.strangers", "of them first messages without a cookie"},
	{"net.out", "IKE datagrams sent"},
	{"net.keepalives", "NAT keepalives received"},
	{"net.stray_esp", "ESP that reached the IKE socket: no XDP program on its interface"},
	{"net.runt", "datagrams too short for anything"},
	{"net.send_failed", "datagrams that could not be sent"},
	{"control.accepted", "clients of the control socket"},
	{"control.refused", "clients refused: too many"},
	{"control.commands", "commands"},
	{"control.unknown", "commands that do not exist"},
	{"control.malformed", "clients closed for what is not vici"},
	{"control.slow", "clients closed that took nothing"},
	{"control.events_dropped", "events dropped for clients that read too slowly"},
};

static const char *meaning(const char *name)
{
	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
		if (!strcmp(meanings[i].name, name))
			return meanings[i].text;
	return NULL;
}

enum { COLUMNS = 3 };

static void row(struct libscols_table *t, bool all, const char *group, const char *name,
		int64_t count, const char *text)
{
	char full[128], n[24];
	const char *cells[COLUMNS] = {full, n, text};

	if (!all && !count)
		return;
	snprintf(full, sizeof(full), "%s%s", group, name);
	cells[2] = text ? text : meaning(full);
	snprintf(n, sizeof(n), "%lld", (long long)count);
	table_row(t, cells, COLUMNS);
}

static void print_counters(const json_t *answer, const json_t *typed, bool all)
{
	static const struct column columns[COLUMNS] = {
		{.name = "COUNTER"}, {.name = "COUNT", .right = true}, {.name = "MEANING"}};
	static const char *const groups[] = {"net", "control"};
	struct libscols_table *t = table_new(columns, COLUMNS);
	const char *name;
	json_t *c;

	json_object_foreach(json_object_get(answer, "ike"), name, c)
		row(t, all, "", name, number_of(c, "count"), text_of(c, "text"));
	for (unsigned int i = 0; i < 2; i++) {
		char group[16];

		snprintf(group, sizeof(group), "%s.", groups[i]);
		json_object_foreach(json_object_get(typed, groups[i]), name, c)
			row(t, all, group, name, json_integer_value(c), NULL);
	}
	table_print(t, "all counters are zero");
}

int run_show_counters(const struct cli *cli)
{
	json_t *answer = link_ask(cli, "counters", NULL, NULL, NULL), *o;
	int ret = answer ? answer_check(cli, NULL, answer) : CLI_FAILED;

	if (ret) {
		json_decref(answer);
		return ret;
	}
	o = counters_object(answer);
	if (cli->json)
		ret = cli_print_json(json_incref(o));
	else
		print_counters(answer, o, cli->all);
	json_decref(o);
	json_decref(answer);
	return ret;
}
