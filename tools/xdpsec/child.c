/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli.h"

#include <stdio.h>
#include <string.h>

/* Configured children beside what is up of them: which engine has each, or would have it, and why. */

static bool is_child(const json_t *ike, const char *conn, const json_t *sa, const char *child)
{
	return !strcmp(text_of(ike, "name"), conn) && !strcmp(text_of(sa, "name"), child);
}

static json_t *row(const char *conn, const json_t *child, const json_t *sa)
{
	const json_t *from = sa && *text_of(sa, "engine") ? sa : child;
	static const char *const of_sa[] = {"id", "spi_in", "spi_out", "reqid", "protocol"};
	json_t *o = json_object(), *value;

	json_object_set_new(o, "connection", json_string(conn));
	json_object_set_new(o, "name", json_string(text_of(child, "name")));
	json_object_set_new(o, "mode", json_string(text_of(child, "mode")));
	json_object_set_new(o, "state", json_string(sa ? text_of(sa, "state") : "DOWN"));
	json_object_set_new(o, "engine", json_string(text_of(from, "engine")));
	json_object_set_new(o, "engine_why", json_string(text_of(from, "engine_why")));
	for (size_t i = 0; i < sizeof(of_sa) / sizeof(of_sa[0]); i++) {
		value = sa ? json_object_get(sa, of_sa[i]) : NULL;
		json_object_set_new(o, of_sa[i], value ? json_incref(value) : json_null());
	}
	return o;
}

/* A row for each of its Child SAs, or one that says that there is none. */
static void rows_of(json_t *rows, const json_t *sas, const char *conn, const json_t *child)
{
	size_t before = json_array_size(rows), i, k;
	json_t *ike, *sa;

	json_array_foreach(sas, i, ike)
		json_array_foreach(json_object_get(ike, "children"), k, sa)
			if (is_child(ike, conn, sa, text_of(child, "name")))
				json_array_append_new(rows, row(conn, child, sa));
	if (json_array_size(rows) == before)
		json_array_append_new(rows, row(conn, child, NULL));
}

static json_t *child_rows(const json_t *conns, const json_t *sas)
{
	json_t *rows = json_array(), *conn, *child;
	size_t i, k;

	json_array_foreach(conns, i, conn)
		json_array_foreach(json_object_get(conn, "children"), k, child)
			rows_of(rows, sas, text_of(conn, "name"), child);
	return rows;
}

enum { COLUMNS = 7 };

static void print_rows(const json_t *rows)
{
	static const struct column columns[COLUMNS] = {
		{.name = "CONNECTION"}, {.name = "CHILD"}, {.name = "STATE"}, {.name = "ENGINE"},
		{.name = "SPI-IN"}, {.name = "SPI-OUT"}, {.name = "WHY"},
	};
	struct libscols_table *t = table_new(columns, COLUMNS);
	json_t *o;
	size_t i;

	json_array_foreach(rows, i, o) {
		const char *cells[COLUMNS] = {text_of(o, "connection"), text_of(o, "name"), text_of(o, "state"),
					      text_of(o, "engine"), text_of(o, "spi_in"), text_of(o, "spi_out"),
					      text_of(o, "engine_why")};

		table_row(t, cells, COLUMNS);
	}
	table_print(t, "no child is configured");
}

int run_show_child(const struct cli *cli)
{
	json_t *conns = conn_array(cli), *sas = conns ? sa_array(cli) : NULL, *rows;

	if (!sas) {
		json_decref(conns);
		return CLI_FAILED;
	}
	rows = child_rows(conns, sas);
	json_decref(conns);
	json_decref(sas);
	if (cli->json)
		return cli_print_json(rows);
	print_rows(rows);
	json_decref(rows);
	return CLI_OK;
}
