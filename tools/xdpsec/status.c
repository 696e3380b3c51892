/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli.h"

#include <stdio.h>
#include <string.h>

static const struct field top_table[] = {
	{"daemon", "daemon", FIELD_TEXT}, {"version", "version", FIELD_TEXT},
	{"pid", "pid", FIELD_NUMBER},	  {"uptime", "uptime_s", FIELD_NUMBER},
	{"config", "config", FIELD_TEXT}, {"keys-role", "keys_role", FIELD_TEXT},
	{0},
};

static const struct field engine_table[] = {
	{"name", "name", FIELD_TEXT},
	{"connected", "connected", FIELD_BOOL},
	{"kernel", "kernel", FIELD_BOOL},
	{"kernel-why-not", "kernel_why_not", FIELD_TEXT},
	{"orphans", "orphans", FIELD_NUMBER},
	{0},
};

static const struct field ike_table[] = {
	{"total", "total", FIELD_NUMBER},
	{"established", "established", FIELD_NUMBER},
	{"half-open", "half_open", FIELD_NUMBER},
	{0},
};

static const struct field child_table[] = {
	{"total", "total", FIELD_NUMBER},
	{"installed", "installed", FIELD_NUMBER},
	{0},
};

static const struct field conf_table[] = {
	{"connections", "connections", FIELD_NUMBER},
	{"children", "children", FIELD_NUMBER},
	{"children-up", "children_up", FIELD_NUMBER},
	{"children-down", "children_down", FIELD_LIST},
	{"children-down-not-named", "children_down_not_named", FIELD_NUMBER},
	{0},
};

static json_t *status_object(const json_t *answer)
{
	json_t *o = fields_apply(top_table, answer);

	json_object_set_new(o, "engine", fields_apply(engine_table, json_object_get(answer, "engine")));
	json_object_set_new(o, "ike_sas", fields_apply(ike_table, json_object_get(answer, "ike-sas")));
	json_object_set_new(o, "child_sas", fields_apply(child_table, json_object_get(answer, "child-sas")));
	json_object_set_new(o, "configured",
			    fields_apply(conf_table, json_object_get(answer, "configured")));
	return o;
}

static void print_down(const json_t *conf)
{
	json_t *item;
	size_t i;

	json_array_foreach(json_object_get(conf, "children_down"), i, item)
		printf("%s%s", i ? ", " : "down      ", json_string_value(item));
	if (number_of(conf, "children_down_not_named"))
		printf(" and %lld more", (long long)number_of(conf, "children_down_not_named"));
	if (json_array_size(json_object_get(conf, "children_down")))
		putchar('\n');
}

static void print_status(const json_t *o)
{
	const json_t *engine = json_object_get(o, "engine"), *ike = json_object_get(o, "ike_sas");
	const json_t *child = json_object_get(o, "child_sas"), *conf = json_object_get(o, "configured");
	bool connected = json_is_true(json_object_get(engine, "connected"));
	bool kernel = json_is_true(json_object_get(engine, "kernel"));
	char up[32];

	printf("xdpsecd   %s, pid %lld, up %s, configuration %s\n", text_of(o, "version"),
	       (long long)number_of(o, "pid"), duration_str(number_of(o, "uptime_s"), up, sizeof(up)),
	       text_of(o, "config"));
	if (!strcmp(text_of(engine, "name"), "none"))
		puts("engine    none: no BPF maps, Child SAs are refused; run xdpsec-loader load, "
		     "then start xdpsecd again");
	else
		printf("engine    %s, %s\n", text_of(engine, "name"),
		       connected ? "connected"
		       : kernel  ? "not connected"
				 : "not connected: protected traffic is dropped; systemctl start "
				   "xdpsec-dataplane");
	if (json_is_true(json_object_get(engine, "kernel")))
		puts("          kernel, ready");
	else if (*text_of(engine, "kernel_why_not"))
		printf("          kernel, not usable: %s\n", text_of(engine, "kernel_why_not"));
	if (strcmp(text_of(o, "keys_role"), "running") != 0)
		puts("keys      the keys process is gone: no IKE SA can be authenticated");
	printf("IKE SAs   %lld established of %lld, %lld half open\n",
	       (long long)number_of(ike, "established"), (long long)number_of(ike, "total"),
	       (long long)number_of(ike, "half_open"));
	printf("Child SAs %lld installed of %lld", (long long)number_of(child, "installed"),
	       (long long)number_of(child, "total"));
	if (number_of(engine, "orphans"))
		printf(", %lld of an earlier agent", (long long)number_of(engine, "orphans"));
	printf("\nchildren  %lld of %lld configured are up, in %lld connections\n",
	       (long long)number_of(conf, "children_up"), (long long)number_of(conf, "children"),
	       (long long)number_of(conf, "connections"));
	print_down(conf);
}

int run_status(const struct cli *cli)
{
	json_t *answer = link_ask(cli, "status", NULL, NULL, NULL), *o;
	int ret = answer ? answer_check(cli, NULL, answer) : CLI_FAILED;

	if (!ret) {
		o = status_object(answer);
		if (cli->json)
			ret = cli_print_json(json_incref(o));
		else
			print_status(o);
		json_decref(o);
	}
	json_decref(answer);
	return ret;
}

int run_version(const struct cli *cli)
{
	json_t *answer, *o;

	if (!cli->json)
		printf("xdpsec  %s\n", XDPSEC_VERSION);
	answer = link_ask(cli, "version", NULL, NULL, NULL);
	if (!answer)
		return CLI_FAILED;
	if (cli->json) {
		o = json_object();
		json_object_set_new(o, "xdpsec", json_string(XDPSEC_VERSION));
		json_object_set(o, "xdpsecd", json_object_get(answer, "version"));
		json_object_set(o, "kernel", json_object_get(answer, "release"));
		json_object_set(o, "machine", json_object_get(answer, "machine"));
		json_decref(answer);
		return cli_print_json(o);
	}
	printf("xdpsecd %s (%s %s %s)\n", text_of(answer, "version"), text_of(answer, "sysname"),
	       text_of(answer, "release"), text_of(answer, "machine"));
	json_decref(answer);
	return CLI_OK;
}
