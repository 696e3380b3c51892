/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli.h"

#include <stdio.h>
#include <string.h>

static const struct field top_table[] = {
	{"engine", "engine", FIELD_TEXT},
	{"connected", "connected", FIELD_BOOL},
	{"pin-dir", "pin_dir", FIELD_TEXT},
	{"policy-epoch", "policy_epoch", FIELD_NUMBER},
	{0},
};

static const struct field plane_table[] = {
	{"pid", "pid", FIELD_NUMBER},	      {"workers", "workers", FIELD_NUMBER},
	{"crypto", "crypto", FIELD_TEXT},     {"sas-in", "sas_in", FIELD_NUMBER},
	{"sas-out", "sas_out", FIELD_NUMBER}, {0},
};

static const struct field socket_table[] = {
	{"kind", "kind", FIELD_TEXT},
	{"mode", "mode", FIELD_TEXT},
	{"queues", "queues", FIELD_NUMBER},
	{"mtu", "mtu", FIELD_NUMBER},
	{0},
};

static const struct field port_table[] = {
	{"ifindex", "ifindex", FIELD_NUMBER}, {"role", "role", FIELD_TEXT},
	{"port", "port", FIELD_NUMBER},	      {"queues", "queues", FIELD_NUMBER},
	{"mtu", "mtu", FIELD_NUMBER},	      {"xdp", "xdp", FIELD_TEXT},
	{0},
};

static json_t *array_of(const json_t *sections, const struct field *f)
{
	json_t *array = json_array(), *raw;
	const char *name;

	json_object_foreach((json_t *)sections, name, raw) {
		json_t *o = fields_apply(f, raw);

		json_object_set_new(o, "interface", json_string(name));
		json_array_append_new(array, o);
	}
	return array;
}

static json_t *plane_object(const json_t *answer)
{
	const json_t *plane = json_object_get(answer, "dataplane");
	json_t *o = fields_apply(top_table, answer), *more = fields_apply(plane_table, plane);

	json_object_update(o, more);
	json_decref(more);
	json_object_set_new(o, "sockets", array_of(json_object_get(plane, "sockets"), socket_table));
	json_object_set_new(o, "ports", array_of(json_object_get(answer, "ports"), port_table));
	return o;
}

static const json_t *socket_of(const json_t *o, const char *interface)
{
	json_t *s;
	size_t i;

	json_array_foreach(json_object_get(o, "sockets"), i, s)
		if (!strcmp(text_of(s, "interface"), interface))
			return s;
	return NULL;
}

enum { COLUMNS = 6 };

static void print_ports(const json_t *o)
{
	static const struct column columns[COLUMNS] = {
		{.name = "INTERFACE"}, {.name = "ROLE"},
		{.name = "XDP"},       {.name = "SOCKET"},
		{.name = "QUEUES", .right = true}, {.name = "MTU", .right = true},
	};
	struct libscols_table *t = table_new(columns, COLUMNS);
	json_t *p;
	size_t i;

	json_array_foreach(json_object_get(o, "ports"), i, p) {
		const json_t *s = socket_of(o, text_of(p, "interface"));
		char queues[24], mtu[24], socket[64];
		const char *cells[COLUMNS] = {text_of(p, "interface"), text_of(p, "role"),
					      text_of(p, "xdp"), socket, queues, mtu};

		snprintf(queues, sizeof(queues), "%lld", (long long)number_of(p, "queues"));
		snprintf(mtu, sizeof(mtu), "%lld", (long long)number_of(p, "mtu"));
		snprintf(socket, sizeof(socket), "%s%s%s", s ? text_of(s, "kind") : "none", s ? " " : "",
			 s ? text_of(s, "mode") : "");
		table_row(t, cells, COLUMNS);
	}
	table_print(t, "no port: run xdpsec-loader load");
}

static void print_plane(const json_t *o)
{
	printf("engine    %s, maps in %s\n", text_of(o, "engine"), text_of(o, "pin_dir"));
	if (!json_is_true(json_object_get(o, "connected")))
		puts("dataplane not connected: protected traffic is dropped; "
		     "systemctl start xdpsec-dataplane");
	else if (*text_of(o, "crypto"))
		printf("dataplane pid %lld, %lld workers, crypto %s, %lld SAs in, %lld out\n",
		       (long long)number_of(o, "pid"), (long long)number_of(o, "workers"),
		       text_of(o, "crypto"), (long long)number_of(o, "sas_in"),
		       (long long)number_of(o, "sas_out"));
	else
		puts("dataplane connected");
	print_ports(o);
}

int run_show_plane(const struct cli *cli)
{
	json_t *answer = link_ask(cli, "show-plane", NULL, NULL, NULL), *o;
	int ret = answer ? answer_check(cli, NULL, answer) : CLI_FAILED;

	if (!ret) {
		o = plane_object(answer);
		if (cli->json)
			ret = cli_print_json(json_incref(o));
		else
			print_plane(o);
		json_decref(o);
	}
	json_decref(answer);
	return ret;
}
