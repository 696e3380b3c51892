/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct field now_table[] = {
	{"half-open", "half_open", FIELD_NUMBER},
	{"sources", "sources", FIELD_NUMBER},
	{"key-exchanges", "key_exchanges", FIELD_NUMBER},
	{"ike-sas", "ike_sas", FIELD_NUMBER},
	{0},
};

/* Numbers as numbers; "always" and times in seconds as text. */
static json_t *value_of(const char *text)
{
	char *end;
	long long v = strtoll(text, &end, 10);

	return *text && !*end ? json_integer(v) : json_string(text);
}

static json_t *limits_object(const json_t *answer)
{
	json_t *o = json_object(), *limits = json_object(), *counters = json_object(), *c;
	const char *name;

	json_object_foreach(json_object_get(answer, "limits"), name, c)
		json_object_set_new(limits, name, value_of(json_string_value(c)));
	json_object_foreach(json_object_get(answer, "counters"), name, c)
		json_object_set_new(counters, name, json_integer(number_of(c, "count")));
	json_object_set_new(o, "limits", limits);
	json_object_set_new(o, "now", fields_apply(now_table, json_object_get(answer, "now")));
	json_object_set_new(o, "counters", counters);
	return o;
}

static void print_limits(const json_t *answer)
{
	const json_t *now = json_object_get(answer, "now");
	const char *name;
	json_t *c;

	json_object_foreach(json_object_get(answer, "limits"), name, c)
		printf("%-21s %s\n", name, json_string_value(c));
	printf("\nnow: %lld half open from %lld sources, %lld key exchanges under way, %lld IKE SAs\n\n",
	       (long long)number_of(now, "half-open"), (long long)number_of(now, "sources"),
	       (long long)number_of(now, "key-exchanges"), (long long)number_of(now, "ike-sas"));
	json_object_foreach(json_object_get(answer, "counters"), name, c)
		printf("%-15s %12lld  %s\n", name, (long long)number_of(c, "count"), text_of(c, "text"));
}

int run_show_limits(const struct cli *cli)
{
	json_t *answer = link_ask(cli, "show-ike-limits", NULL, NULL, NULL);
	int ret = answer ? answer_check(cli, NULL, answer) : CLI_FAILED;

	if (!ret && cli->json)
		ret = cli_print_json(limits_object(answer));
	else if (!ret)
		print_limits(answer);
	json_decref(answer);
	return ret;
}
