/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli.h"

#include <stdio.h>

static const struct field conn_table[] = {
	{"version", "version", FIELD_TEXT},
	{"local_addrs", "local_addrs", FIELD_LIST},
	{"remote_addrs", "remote_addrs", FIELD_LIST},
	{"unique", "unique", FIELD_TEXT},
	{"rekey_time", "rekey_time_s", FIELD_NUMBER},
	{"reauth_time", "reauth_time_s", FIELD_NUMBER},
	{"dpd_delay", "dpd_delay_s", FIELD_NUMBER},
	{"lacks", "lacks", FIELD_TEXT},
	{0},
};

static const struct field auth_table[] = {
	{"class", "auth", FIELD_TEXT},
	{"id", "id", FIELD_TEXT},
	{0},
};

static const struct field child_table[] = {
	{"mode", "mode", FIELD_TEXT},
	{"local-ts", "local_ts", FIELD_LIST},
	{"remote-ts", "remote_ts", FIELD_LIST},
	{"rekey_time", "rekey_time_s", FIELD_NUMBER},
	{"rekey_bytes", "rekey_bytes", FIELD_NUMBER},
	{"rekey_packets", "rekey_packets", FIELD_NUMBER},
	{"start_action", "start_action", FIELD_TEXT},
	{"dpd_action", "dpd_action", FIELD_TEXT},
	{"close_action", "close_action", FIELD_TEXT},
	{"engine", "engine", FIELD_TEXT},
	{"engine-why", "engine_why", FIELD_TEXT},
	{0},
};

static json_t *named(const char *name, const struct field *f, const json_t *raw)
{
	json_t *o = json_object(), *fields = fields_apply(f, raw);

	json_object_set_new(o, "name", json_string(name));
	json_object_update(o, fields);
	json_decref(fields);
	return o;
}

static void on_conn(void *ctx, const char *event, json_t *message)
{
	json_t *array = ctx, *raw, *child;
	const char *name, *child_name;

	(void)event;
	json_object_foreach(message, name, raw) {
		json_t *o = named(name, conn_table, raw), *children = json_array();

		json_object_set_new(o, "local", fields_apply(auth_table, json_object_get(raw, "local-1")));
		json_object_set_new(o, "remote", fields_apply(auth_table, json_object_get(raw, "remote-1")));
		json_object_foreach(json_object_get(raw, "children"), child_name, child)
			json_array_append_new(children, named(child_name, child_table, child));
		json_object_set_new(o, "children", children);
		json_array_append_new(array, o);
	}
}

json_t *conn_array(const struct cli *cli)
{
	json_t *array = json_array();
	json_t *answer = link_ask(cli, "list-conns", "list-conn", on_conn, array);

	if (!answer || answer_check(cli, NULL, answer)) {
		json_decref(array);
		array = NULL;
	}
	json_decref(answer);
	return array;
}

enum { COLUMNS = 9 };

static void conn_rows(struct libscols_table *t, const json_t *conn)
{
	const json_t *local = json_object_get(conn, "local"), *remote = json_object_get(conn, "remote");
	char la[512], ra[512], lts[1024], rts[1024];
	json_t *child;
	size_t i;

	join_str(json_object_get(conn, "local_addrs"), ",", la, sizeof(la));
	join_str(json_object_get(conn, "remote_addrs"), ",", ra, sizeof(ra));
	if (!json_array_size(json_object_get(conn, "children"))) {
		const char *cells[COLUMNS] = {text_of(conn, "name"), la, ra, text_of(local, "id"),
					      text_of(remote, "id")};

		table_row(t, cells, COLUMNS);
	}
	json_array_foreach(json_object_get(conn, "children"), i, child) {
		const char *cells[COLUMNS] = {
			i ? NULL : text_of(conn, "name"),
			i ? NULL : la,
			i ? NULL : ra,
			i ? NULL : text_of(local, "id"),
			i ? NULL : text_of(remote, "id"),
			text_of(child, "name"),
			text_of(child, "mode"),
			join_str(json_object_get(child, "local_ts"), ",", lts, sizeof(lts)),
			join_str(json_object_get(child, "remote_ts"), ",", rts, sizeof(rts)),
		};

		table_row(t, cells, COLUMNS);
	}
}

int run_show_conn(const struct cli *cli)
{
	static const struct column columns[COLUMNS] = {
		{.name = "CONNECTION"}, {.name = "LOCAL"}, {.name = "REMOTE"},
		{.name = "LOCAL-ID"},	{.name = "REMOTE-ID"}, {.name = "CHILD"},
		{.name = "MODE"},	{.name = "LOCAL-TS"}, {.name = "REMOTE-TS"},
	};
	json_t *array = conn_array(cli), *conn;
	struct libscols_table *t;
	size_t i;

	if (!array)
		return CLI_FAILED;
	if (cli->json)
		return cli_print_json(array);
	t = table_new(columns, COLUMNS);
	json_array_foreach(array, i, conn)
		conn_rows(t, conn);
	table_print(t, "no connection is configured");
	json_array_foreach(array, i, conn)
		if (*text_of(conn, "lacks"))
			printf("%s cannot authenticate: %s\n", text_of(conn, "name"), text_of(conn, "lacks"));
	json_decref(array);
	return CLI_OK;
}
