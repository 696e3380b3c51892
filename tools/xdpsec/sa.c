/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli.h"

#include <stdio.h>
#include <string.h>

static const struct field ike_table[] = {
	{"uniqueid", "id", FIELD_NUMBER},
	{"version", "version", FIELD_NUMBER},
	{"state", "state", FIELD_TEXT},
	{"local-host", "local_host", FIELD_TEXT},
	{"local-port", "local_port", FIELD_NUMBER},
	{"local-id", "local_id", FIELD_TEXT},
	{"remote-host", "remote_host", FIELD_TEXT},
	{"remote-port", "remote_port", FIELD_NUMBER},
	{"remote-id", "remote_id", FIELD_TEXT},
	{"initiator", "initiator", FIELD_BOOL},
	{"initiator-spi", "spi_i", FIELD_TEXT},
	{"responder-spi", "spi_r", FIELD_TEXT},
	{"nat-local", "nat_local", FIELD_BOOL},
	{"nat-remote", "nat_remote", FIELD_BOOL},
	{"established", "established_s", FIELD_NUMBER},
	{"rekey-time", "rekey_in_s", FIELD_NUMBER},
	{"reauth-time", "reauth_in_s", FIELD_NUMBER},
	{0},
};

static const struct field child_table[] = {
	{"uniqueid", "id", FIELD_NUMBER},
	{"name", "name", FIELD_TEXT},
	{"reqid", "reqid", FIELD_NUMBER},
	{"state", "state", FIELD_TEXT},
	{"mode", "mode", FIELD_TEXT},
	{"protocol", "protocol", FIELD_TEXT},
	{"encap", "encap", FIELD_BOOL},
	{"esn", "esn", FIELD_BOOL},
	{"spi-in", "spi_in", FIELD_TEXT},
	{"spi-out", "spi_out", FIELD_TEXT},
	{"cpi-in", "cpi_in", FIELD_TEXT},
	{"cpi-out", "cpi_out", FIELD_TEXT},
	{"packets-in", "packets_in", FIELD_NUMBER},
	{"bytes-in", "bytes_in", FIELD_NUMBER},
	{"use-in", "idle_in_s", FIELD_NUMBER},
	{"packets-out", "packets_out", FIELD_NUMBER},
	{"bytes-out", "bytes_out", FIELD_NUMBER},
	{"use-out", "idle_out_s", FIELD_NUMBER},
	{"install-time", "installed_s", FIELD_NUMBER},
	{"rekey-time", "rekey_in_s", FIELD_NUMBER},
	{"life-time", "expires_in_s", FIELD_NUMBER},
	{"engine", "engine", FIELD_TEXT},
	{"engine-why", "engine_why", FIELD_TEXT},
	{"offload", "offload", FIELD_TEXT},
	{"if-id-in", "if_id_in", FIELD_TEXT},
	{"if-id-out", "if_id_out", FIELD_TEXT},
	{"mark-in", "mark_in", FIELD_TEXT},
	{"mark-out", "mark_out", FIELD_TEXT},
	{"slot", "slot", FIELD_NUMBER},
	{"mtu", "mtu", FIELD_NUMBER},
	{"local-ts", "local_ts", FIELD_LIST},
	{"remote-ts", "remote_ts", FIELD_LIST},
	{0},
};

/* "AES_GCM_16_128/PRF_HMAC_SHA2_256/CURVE_25519", as the log writes a chosen proposal. */
static json_t *proposal(const json_t *raw)
{
	static const char *const rest[] = {"integ-alg", "prf-alg", "dh-group"};
	const char *bits = text_of(raw, "encr-keysize");
	char text[256];

	snprintf(text, sizeof(text), "%s%s%s", text_of(raw, "encr-alg"), *bits ? "_" : "", bits);
	for (size_t i = 0; i < sizeof(rest) / sizeof(rest[0]); i++) {
		const char *s = text_of(raw, rest[i]);
		size_t n = strlen(text);

		if (*s)
			snprintf(text + n, sizeof(text) - n, "/%s", s);
	}
	return *text ? json_string(text) : json_null();
}

json_t *child_object(const json_t *raw)
{
	json_t *o = fields_apply(child_table, raw);

	json_object_set_new(o, "proposal", proposal(raw));
	return o;
}

json_t *ike_object(const char *name, const json_t *raw)
{
	json_t *o = json_object(), *fields = fields_apply(ike_table, raw), *children, *child;
	const char *key;

	json_object_set_new(o, "name", json_string(name));
	json_object_update(o, fields);
	json_decref(fields);
	json_object_set_new(o, "proposal", proposal(raw));
	children = json_array();
	json_object_foreach(json_object_get(raw, "child-sas"), key, child)
		json_array_append_new(children, child_object(child));
	json_object_set_new(o, "children", children);
	return o;
}

/* An IKE SA with very many children comes in several events. */
static void on_sa(void *ctx, const char *event, json_t *message)
{
	json_t *array = ctx, *raw;
	const char *name;

	(void)event;
	json_object_foreach(message, name, raw) {
		json_t *last = json_array_get(array, json_array_size(array) - 1);
		json_t *ike = ike_object(name, raw);

		if (last && number_of(last, "id") == number_of(ike, "id")) {
			json_array_extend(json_object_get(last, "children"),
					  json_object_get(ike, "children"));
			json_decref(ike);
		} else {
			json_array_append_new(array, ike);
		}
	}
}

json_t *sa_array(const struct cli *cli)
{
	json_t *array = json_array();
	json_t *answer = link_ask(cli, "list-sas", "list-sa", on_sa, array);

	if (!answer || answer_check(cli, NULL, answer)) {
		json_decref(array);
		array = NULL;
	}
	json_decref(answer);
	return array;
}

static void print_time(const char *what, const json_t *o, const char *key, const char *after)
{
	char text[32];

	if (json_is_integer(json_object_get(o, key)))
		printf("%s%s%s", what, duration_str(number_of(o, key), text, sizeof(text)), after);
}

static void print_direction(const json_t *c, bool in)
{
	char bytes[32];

	printf("      %s  %s  %lld packets  %s", in ? "in " : "out", text_of(c, in ? "spi_in" : "spi_out"),
	       (long long)number_of(c, in ? "packets_in" : "packets_out"),
	       bytes_str(number_of(c, in ? "bytes_in" : "bytes_out"), bytes, sizeof(bytes)));
	print_time(", last ", c, in ? "idle_in_s" : "idle_out_s", " ago");
	putchar('\n');
}

static void print_child(const json_t *c)
{
	char ts[2048];

	const char *why = text_of(c, "engine_why");

	printf("  #%lld %s  %s %s  %s%s %s%s  engine %s%s slot %lld  reqid %lld\n",
	       (long long)number_of(c, "id"), text_of(c, "name"), text_of(c, "state"), text_of(c, "mode"),
	       text_of(c, "protocol"), json_is_true(json_object_get(c, "encap")) ? " in UDP" : "",
	       text_of(c, "proposal"), json_is_true(json_object_get(c, "esn")) ? " ESN" : "",
	       *text_of(c, "engine") ? text_of(c, "engine") : "none",
	       *text_of(c, "offload") ? " (offloaded)" : "", (long long)number_of(c, "slot"),
	       (long long)number_of(c, "reqid"));
	if (*text_of(c, "cpi_in"))
		printf("      IPComp DEFLATE  CPI %s in, %s out\n", text_of(c, "cpi_in"), text_of(c, "cpi_out"));
	printf("      %s", join_str(json_object_get(c, "local_ts"), " ", ts, sizeof(ts)));
	printf(" === %s\n", join_str(json_object_get(c, "remote_ts"), " ", ts, sizeof(ts)));
	if (*why)
		printf("      by %s\n", why);
	print_direction(c, true);
	print_direction(c, false);
	if (number_of(c, "mtu"))
		printf("      packets of up to %lld bytes fit\n", (long long)number_of(c, "mtu"));
	print_time("      installed ", c, "installed_s", " ago");
	print_time(", rekey in ", c, "rekey_in_s", "");
	print_time(", expires in ", c, "expires_in_s", "");
	putchar('\n');
}

static void print_ike(const json_t *ike)
{
	bool initiator = json_is_true(json_object_get(ike, "initiator"));
	bool nat_l = json_is_true(json_object_get(ike, "nat_local"));
	bool nat_r = json_is_true(json_object_get(ike, "nat_remote"));
	json_t *child;
	size_t i;

	printf("#%lld %s  %s", (long long)number_of(ike, "id"), text_of(ike, "name"),
	       text_of(ike, "state"));
	print_time("  established ", ike, "established_s", " ago");
	print_time(", rekey in ", ike, "rekey_in_s", "");
	print_time(", reauthentication in ", ike, "reauth_in_s", "");
	printf("\n  local  %s[%lld]  %s%s\n", text_of(ike, "local_host"),
	       (long long)number_of(ike, "local_port"), text_of(ike, "local_id"),
	       nat_l ? "  behind NAT" : "");
	printf("  remote %s[%lld]  %s%s\n", text_of(ike, "remote_host"),
	       (long long)number_of(ike, "remote_port"), text_of(ike, "remote_id"),
	       nat_r ? "  behind NAT" : "");
	printf("  %s  %s_i%s %s_r%s\n",
	       *text_of(ike, "proposal") ? text_of(ike, "proposal") : "no proposal chosen yet",
	       text_of(ike, "spi_i"), initiator ? "*" : "", text_of(ike, "spi_r"), initiator ? "" : "*");
	json_array_foreach(json_object_get(ike, "children"), i, child)
		print_child(child);
}

int run_show_sa(const struct cli *cli)
{
	json_t *array, *ike;
	size_t i;

	if (cli->with_keys)
		return show_keys(cli);
	array = sa_array(cli);
	if (!array)
		return CLI_FAILED;
	if (cli->json)
		return cli_print_json(array);
	json_array_foreach(array, i, ike)
		print_ike(ike);
	if (!json_array_size(array))
		puts("no IKE SA");
	json_decref(array);
	return CLI_OK;
}
