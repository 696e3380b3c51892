/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli.h"

#include <stdio.h>

static const struct field policy_table[] = {
	{"id", "id", FIELD_NUMBER},
	{"action", "action", FIELD_TEXT},
	{"conn", "conn", FIELD_TEXT},
	{"child", "child", FIELD_TEXT},
	{"local-ts", "local_ts", FIELD_TEXT},
	{"remote-ts", "remote_ts", FIELD_TEXT},
	{"priority", "priority", FIELD_NUMBER},
	{"reqid", "reqid", FIELD_NUMBER},
	{"bundle", "bundle", FIELD_NUMBER},
	{"slot", "slot", FIELD_NUMBER},
	{"child-id", "child_id", FIELD_NUMBER},
	{"packets", "packets", FIELD_NUMBER},
	{"bytes", "bytes", FIELD_NUMBER},
	{0},
};

static void on_policy(void *ctx, const char *event, json_t *message)
{
	const char *name;
	json_t *raw;

	(void)event;
	json_object_foreach(message, name, raw)
		json_array_append_new(ctx, fields_apply(policy_table, raw));
}

enum { COLUMNS = 9 };

static void policy_row(struct libscols_table *t, const json_t *p)
{
	char id[24], priority[24], slot[24] = "", packets[24], bytes[32], whose[200];
	const char *cells[COLUMNS] = {id,	 text_of(p, "action"),	  whose,
				      text_of(p, "local_ts"), text_of(p, "remote_ts"), priority,
				      slot,	 packets,		  bytes};

	snprintf(id, sizeof(id), "%lld", (long long)number_of(p, "id"));
	snprintf(whose, sizeof(whose), "%s/%s", text_of(p, "conn"), text_of(p, "child"));
	snprintf(priority, sizeof(priority), "%lld", (long long)number_of(p, "priority"));
	if (json_is_integer(json_object_get(p, "slot")))
		snprintf(slot, sizeof(slot), "%lld", (long long)number_of(p, "slot"));
	snprintf(packets, sizeof(packets), "%lld", (long long)number_of(p, "packets"));
	bytes_str(number_of(p, "bytes"), bytes, sizeof(bytes));
	table_row(t, cells, COLUMNS);
}

int run_show_policy(const struct cli *cli)
{
	static const struct column columns[COLUMNS] = {
		{.name = "ID", .right = true},
		{.name = "ACTION"},
		{.name = "CONN/CHILD"},
		{.name = "LOCAL-TS"},
		{.name = "REMOTE-TS"},
		{.name = "PRIORITY", .right = true},
		{.name = "SLOT", .right = true},
		{.name = "PACKETS", .right = true},
		{.name = "BYTES", .right = true},
	};
	json_t *array = json_array(), *p;
	json_t *answer = link_ask(cli, "show-policies", "show-policy", on_policy, array);
	int ret = answer ? answer_check(cli, NULL, answer) : CLI_FAILED;
	struct libscols_table *t;
	size_t i;

	json_decref(answer);
	if (ret) {
		json_decref(array);
		return ret;
	}
	if (cli->json)
		return cli_print_json(array);
	t = table_new(columns, COLUMNS);
	json_array_foreach(array, i, p)
		policy_row(t, p);
	table_print(t, "no policy: all traffic passes as it is");
	json_decref(array);
	return CLI_OK;
}
