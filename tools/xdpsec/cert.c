/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* Certificates, raw keys and CRLs that the daemon has read, and the names of its private keys. */

static const struct field cert_table[] = {
	{"type", "type", FIELD_TEXT},
	{"flag", "flag", FIELD_TEXT},
	{"name", "subject", FIELD_TEXT},
	{"issuer", "issuer", FIELD_TEXT},
	{"valid-from", "valid_from", FIELD_NUMBER},
	{"valid-to", "valid_to", FIELD_NUMBER},
	{"has_privkey", "private_key", FIELD_BOOL},
	{"keyid", "key_id", FIELD_TEXT},
	{"file", "file", FIELD_TEXT},
	{0},
};

static const struct field key_table[] = {
	{"type", "type", FIELD_TEXT},
	{"bits", "bits", FIELD_NUMBER},
	{"keyid", "key_id", FIELD_TEXT},
	{"file", "file", FIELD_TEXT},
	{0},
};

static void on_cert(void *ctx, const char *event, json_t *message)
{
	(void)event;
	json_array_append_new(ctx, fields_apply(cert_table, message));
}

static const char *kind_of(const json_t *c)
{
	if (!strcmp(text_of(c, "type"), "X509_CRL"))
		return "CRL";
	if (!strcmp(text_of(c, "type"), "PUBKEY"))
		return "raw key";
	if (!strcmp(text_of(c, "flag"), "NONE"))
		return "certificate";
	return text_of(c, "flag");
}

static void day_str(int64_t t, char *buf, size_t n)
{
	time_t at = (time_t)t;
	struct tm tm;

	if (!t || !gmtime_r(&at, &tm) || !strftime(buf, n, "%Y-%m-%d", &tm))
		snprintf(buf, n, "%s", "");
}

enum { CERT_COLUMNS = 6, KEY_COLUMNS = 4 };

static void cert_row(struct libscols_table *t, const json_t *c)
{
	char until[32];
	const char *cells[CERT_COLUMNS] = {
		kind_of(c), text_of(c, "subject"), text_of(c, "issuer"), until,
		json_is_true(json_object_get(c, "private_key")) ? "yes" : "", text_of(c, "file"),
	};

	day_str(number_of(c, "valid_to"), until, sizeof(until));
	table_row(t, cells, CERT_COLUMNS);
}

int run_show_certs(const struct cli *cli)
{
	static const struct column columns[CERT_COLUMNS] = {
		{.name = "KIND"}, {.name = "SUBJECT"}, {.name = "ISSUER"},
		{.name = "UNTIL"}, {.name = "PRIVATE-KEY"}, {.name = "FILE"},
	};
	json_t *array = json_array(), *c;
	json_t *answer = link_ask(cli, "list-certs", "list-cert", on_cert, array);
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
	t = table_new(columns, CERT_COLUMNS);
	json_array_foreach(array, i, c)
		cert_row(t, c);
	table_print(t, "no certificate, raw key or CRL beside swanctl.conf");
	json_decref(array);
	return CLI_OK;
}

int run_show_keys(const struct cli *cli)
{
	static const struct column columns[KEY_COLUMNS] = {
		{.name = "TYPE"}, {.name = "BITS", .right = true}, {.name = "KEY-ID"}, {.name = "FILE"},
	};
	json_t *answer = link_ask(cli, "show-keys", NULL, NULL, NULL), *array = json_array(), *raw, *k;
	struct libscols_table *t;
	const char *name;
	size_t i;

	if (!answer || answer_check(cli, NULL, answer)) {
		json_decref(answer);
		json_decref(array);
		return CLI_FAILED;
	}
	json_object_foreach(answer, name, raw)
		if (json_is_object(raw))
			json_array_append_new(array, fields_apply(key_table, raw));
	json_decref(answer);
	if (cli->json)
		return cli_print_json(array);
	t = table_new(columns, KEY_COLUMNS);
	json_array_foreach(array, i, k) {
		char bits[24];
		const char *cells[KEY_COLUMNS] = {text_of(k, "type"), bits, text_of(k, "key_id"), text_of(k, "file")};

		snprintf(bits, sizeof(bits), "%lld", (long long)number_of(k, "bits"));
		table_row(t, cells, KEY_COLUMNS);
	}
	table_print(t, "no private key beside swanctl.conf");
	json_decref(array);
	return CLI_OK;
}

/* ---- authorities ---------------------------------------------------------------------------------------- */

static const struct field authority_table[] = {
	{"cacert", "subject", FIELD_TEXT},
	{"file", "file", FIELD_TEXT},
	{"crl_uris", "crl_uris", FIELD_LIST},
	{"ocsp_uris", "ocsp_uris", FIELD_LIST},
	{0},
};

static void on_authority(void *ctx, const char *event, json_t *message)
{
	const char *name;
	json_t *raw;

	(void)event;
	json_object_foreach(message, name, raw) {
		json_t *o = json_object(), *fields = fields_apply(authority_table, raw);

		json_object_set_new(o, "name", json_string(name));
		json_object_update(o, fields);
		json_decref(fields);
		json_array_append_new(ctx, o);
	}
}

enum { AUTHORITY_COLUMNS = 5 };

int run_show_authorities(const struct cli *cli)
{
	static const struct column columns[AUTHORITY_COLUMNS] = {
		{.name = "AUTHORITY"}, {.name = "SUBJECT"}, {.name = "CRL"}, {.name = "OCSP"}, {.name = "FILE"},
	};
	json_t *array = json_array(), *a;
	json_t *answer = link_ask(cli, "list-authorities", "list-authority", on_authority, array);
	int ret = answer ? answer_check(cli, NULL, answer) : CLI_FAILED;
	struct libscols_table *t;
	char crl[1024], ocsp[1024];
	size_t i;

	json_decref(answer);
	if (ret || cli->json) {
		if (!ret)
			return cli_print_json(array);
		json_decref(array);
		return ret;
	}
	t = table_new(columns, AUTHORITY_COLUMNS);
	json_array_foreach(array, i, a) {
		const char *cells[AUTHORITY_COLUMNS] = {
			text_of(a, "name"), text_of(a, "subject"),
			join_str(json_object_get(a, "crl_uris"), ",", crl, sizeof(crl)),
			join_str(json_object_get(a, "ocsp_uris"), ",", ocsp, sizeof(ocsp)), text_of(a, "file"),
		};

		table_row(t, cells, AUTHORITY_COLUMNS);
	}
	table_print(t, "no authority is configured");
	json_decref(array);
	return CLI_OK;
}
