/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli.h"

#include <stdio.h>

static const struct field drop_table[] = {
	{"packets", "packets", FIELD_NUMBER},
	{"bpf", "bpf", FIELD_NUMBER},
	{"dataplane", "dataplane", FIELD_NUMBER},
	{"text", "text", FIELD_TEXT},
	{0},
};

static json_t *drop_array(const json_t *answer, bool all)
{
	json_t *array = json_array(), *raw;
	const char *reason;

	json_object_foreach(json_object_get(answer, "drops"), reason, raw) {
		json_t *o, *fields;

		if (!all && !number_of(raw, "packets"))
			continue;
		o = json_object();
		fields = fields_apply(drop_table, raw);
		json_object_set_new(o, "reason", json_string(reason));
		json_object_update(o, fields);
		json_decref(fields);
		json_array_append_new(array, o);
	}
	return array;
}

enum { COLUMNS = 5 };

static void print_drops(const json_t *array)
{
	static const struct column columns[COLUMNS] = {
		{.name = "REASON"},
		{.name = "PACKETS", .right = true},
		{.name = "BPF", .right = true},
		{.name = "DATAPLANE", .right = true},
		{.name = "MEANING"},
	};
	static const char *const keys[] = {"packets", "bpf", "dataplane"};
	struct libscols_table *t = table_new(columns, COLUMNS);
	json_t *d;
	size_t i;

	json_array_foreach(array, i, d) {
		char n[3][24];
		const char *cells[COLUMNS] = {text_of(d, "reason"), n[0], n[1], n[2], text_of(d, "text")};

		for (unsigned int k = 0; k < 3; k++)
			snprintf(n[k], sizeof(n[k]), "%lld", (long long)number_of(d, keys[k]));
		table_row(t, cells, COLUMNS);
	}
	table_print(t, "no packet was dropped");
}

int run_show_drop(const struct cli *cli)
{
	json_t *answer = link_ask(cli, "show-drops", NULL, NULL, NULL), *array;
	int ret = answer ? answer_check(cli, NULL, answer) : CLI_FAILED;

	if (ret) {
		json_decref(answer);
		return ret;
	}
	array = drop_array(answer, cli->all);
	json_decref(answer);
	if (cli->json)
		return cli_print_json(array);
	print_drops(array);
	json_decref(array);
	return CLI_OK;
}
