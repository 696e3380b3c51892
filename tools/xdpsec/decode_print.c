/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli.h"
#include "decode.h"

/*
 * A decoded datagram for people: one line for it, one for each payload, more for what has parts. Long bytes are cut; --json has
 * them all.
 */
enum { BYTES_SHOWN = 32 };

static bool is_true(const json_t *o, const char *key)
{
	return json_is_true(json_object_get(o, key));
}

static bool has(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	return v && !json_is_null(v);
}

/* The name, or "KIND number" where there is no name. */
static void print_name(FILE *to, const json_t *o, const char *name, const char *number, const char *kind)
{
	if (has(o, name))
		fprintf(to, "%s", text_of(o, name));
	else
		fprintf(to, "%s %lld", kind, (long long)number_of(o, number));
}

static void print_hex(FILE *to, const char *label, const json_t *o, const char *key)
{
	const char *hex = text_of(o, key);
	size_t n = strlen(hex) / 2;

	if (!n)
		return;
	fprintf(to, "%s%.*s%s", label, 2 * BYTES_SHOWN, hex, n > BYTES_SHOWN ? "..." : "");
	if (n > 4)
		fprintf(to, " (%zu bytes)", n);
}

static void print_list(FILE *to, const json_t *list, const char *before)
{
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item) {
		fputs(i ? " " : before, to);
		if (json_is_string(item))
			fputs(json_string_value(item), to);
		else
			fprintf(to, "%lld", (long long)json_integer_value(item));
	}
}

static void print_proposals(FILE *to, const json_t *list, const char *indent)
{
	const json_t *p, *t;
	size_t i, k;

	json_array_foreach(list, i, p) {
		const char *type = "";

		fprintf(to, "\n%s  proposal %lld ", indent, (long long)number_of(p, "number"));
		fprintf(to, "%s", has(p, "protocol") ? text_of(p, "protocol") : "unknown protocol");
		if (*text_of(p, "spi"))
			fprintf(to, " SPI %s", text_of(p, "spi"));
		json_array_foreach(json_object_get(p, "transforms"), k, t) {
			/* one kind behind the other: ENCR a b, PRF c */
			fprintf(to, "%s", strcmp(type, text_of(t, "type")) == 0 ? " " : k ? ", " : ": ");
			if (strcmp(type, text_of(t, "type")) != 0)
				fprintf(to, "%s ", has(t, "type") ? text_of(t, "type") : "unknown type");
			type = text_of(t, "type");
			if (has(t, "name"))
				fprintf(to, "%s", text_of(t, "name"));
			else
				fprintf(to, "%lld", (long long)number_of(t, "id"));
			if (!has(t, "name") && number_of(t, "key_bits"))
				fprintf(to, "/%lld", (long long)number_of(t, "key_bits"));
		}
	}
}

static void print_notify(FILE *to, const json_t *o)
{
	fputs(" ", to);
	print_name(to, o, "notify", "notify_id", "notify");
	if (is_true(o, "error"))
		fputs(" (error)", to);
	if (number_of(o, "notify_id") && has(o, "protocol") && strcmp(text_of(o, "protocol"), "none") != 0)
		fprintf(to, " %s", text_of(o, "protocol"));
	print_hex(to, " SPI ", o, "spi");
	if (has(o, "group_id")) {
		fputs(" wants ", to);
		print_name(to, o, "group", "group_id", "group");
	} else if (has(o, "hashes")) {
		print_list(to, json_object_get(o, "hashes"), " ");
	} else if (has(o, "cpi")) {
		fprintf(to, " CPI %04llx ", (unsigned long long)number_of(o, "cpi"));
		print_name(to, o, "transform", "transform_id", "transform");
	} else {
		print_hex(to, " ", o, "data");
	}
}

static void print_fields(FILE *to, const json_t *o, const char *indent)
{
	const json_t *item;
	size_t i;

	switch (number_of(o, "type")) {
	case IKE_PL_SA:
		print_proposals(to, json_object_get(o, "proposals"), indent);
		return;
	case IKE_PL_KE:
		fputs(" ", to);
		print_name(to, o, "group", "group_id", "group");
		break;
	case IKE_PL_IDI:
	case IKE_PL_IDR:
		fputs(" ", to);
		print_name(to, o, "id_type", "id_type_id", "type");
		if (has(o, "id")) {
			fprintf(to, " %s", text_of(o, "id"));
			return;
		}
		break;
	case IKE_PL_CERT:
	case IKE_PL_CERTREQ:
		fputs(" ", to);
		print_name(to, o, "encoding", "encoding_id", "encoding");
		if (has(o, "subject")) {
			fprintf(to, " \"%s\" (%zu bytes)", text_of(o, "subject"), strlen(text_of(o, "data")) / 2);
			return;
		}
		if (has(o, "authorities")) {
			json_array_foreach(json_object_get(o, "authorities"), i, item)
				fprintf(to, "\n%s  %s", indent, json_string_value(item));
			return;
		}
		break;
	case IKE_PL_AUTH:
		fputs(" ", to);
		print_name(to, o, "method", "method_id", "method");
		break;
	case IKE_PL_NOTIFY:
		print_notify(to, o);
		return;
	case IKE_PL_DELETE:
		fprintf(to, " %s", has(o, "protocol") ? text_of(o, "protocol") : "unknown protocol");
		print_list(to, json_object_get(o, "spis"), " ");
		return;
	case IKE_PL_TSI:
	case IKE_PL_TSR:
		print_list(to, json_object_get(o, "selectors"), " ");
		return;
	case IKE_PL_CP:
		fputs(" ", to);
		print_name(to, o, "cfg", "cfg_id", "type");
		json_array_foreach(json_object_get(o, "attributes"), i, item) {
			fprintf(to, "\n%s  attribute %lld", indent, (long long)number_of(item, "attribute"));
			print_hex(to, " ", item, "data");
		}
		return;
	case IKE_PL_EAP:
		fputs(" ", to);
		print_name(to, o, "code", "code_id", "code");
		fprintf(to, " %lld", (long long)number_of(o, "identifier"));
		if (has(o, "eap_type"))
			fprintf(to, " type %lld", (long long)number_of(o, "eap_type"));
		break;
	case IKE_PL_VENDOR:
		if (has(o, "text")) {
			fprintf(to, " \"%s\"", text_of(o, "text"));
			return;
		}
		break;
	default:
		break;
	}
	print_hex(to, " ", o, "data");
}

static void print_error(FILE *to, const json_t *o, const char *indent, const char *where)
{
	const json_t *e = json_object_get(o, "error");

	if (!e)
		return;
	fprintf(to, "%sMALFORMED: ", indent);
	if (number_of(e, "payload_type"))
		print_name(to, e, "payload", "payload_type", "payload");
	else
		fputs("message", to);
	fprintf(to, " at byte %lld%s: %s: %s\n", (long long)number_of(e, "at"), where, text_of(e, "what"),
		text_of(e, "rule"));
}

static void print_payloads(FILE *to, const json_t *list, const char *indent);

static void print_sk(FILE *to, const json_t *o, const char *indent)
{
	char inner[32];

	if (has(o, "fragment"))
		fprintf(to, " fragment %lld of %lld,", (long long)number_of(o, "fragment"),
			(long long)number_of(o, "fragments"));
	fprintf(to, " %lld bytes encrypted", (long long)number_of(o, "encrypted"));
	if (strcmp(text_of(o, "keys"), "wrong") == 0)
		fputs(", WRONG KEYS or changed on the way", to);
	if (has(o, "joined"))
		fprintf(to, ", all %lld fragments together:", (long long)number_of(o, "joined"));
	fputc('\n', to);
	snprintf(inner, sizeof(inner), "%s  ", indent);
	print_payloads(to, json_object_get(o, "payloads"), inner);
	print_error(to, o, inner, " of what was decrypted");
}

static void print_payloads(FILE *to, const json_t *list, const char *indent)
{
	const json_t *o;
	size_t i;

	json_array_foreach(list, i, o) {
		fputs(indent, to);
		print_name(to, o, "payload", "type", "payload");
		if (is_true(o, "critical"))
			fputs(" critical", to);
		if (has(o, "encrypted")) {
			print_sk(to, o, indent);
			continue;
		}
		if (has(o, "malformed"))
			print_hex(to, " malformed: ", o, "data");
		else
			print_fields(to, o, indent);
		fputc('\n', to);
	}
}

static void print_ike(FILE *to, const json_t *o)
{
	if (!has(o, "spi_i")) {
		fputs("IKE\n", to);
	} else if (strcmp(text_of(o, "version"), "2.0") != 0 && !has(o, "exchange")) {
		fprintf(to, "IKE %s exchange %lld  %s:%s  ID %08llx  %lld bytes\n", text_of(o, "version"),
			(long long)number_of(o, "exchange_type"), text_of(o, "spi_i"), text_of(o, "spi_r"),
			(unsigned long long)number_of(o, "mid"), (long long)number_of(o, "length"));
	} else {
		print_name(to, o, "exchange", "exchange_type", "exchange");
		fprintf(to, " %s %lld of the %s  %s:%s  %lld bytes\n", is_true(o, "response") ? "response" : "request",
			(long long)number_of(o, "mid"), is_true(o, "initiator") ? "initiator" : "responder",
			text_of(o, "spi_i"), text_of(o, "spi_r"), (long long)number_of(o, "length"));
	}
	print_payloads(to, json_object_get(o, "payloads"), "    ");
	print_error(to, o, "    ", "");
}

static void print_esp(FILE *to, const json_t *o, bool encap)
{
	if (has(o, "spi"))
		fprintf(to, "ESP%s SPI %s seq %lld  %lld bytes", encap ? " in UDP" : "", text_of(o, "spi"),
			(long long)number_of(o, "seq"), (long long)number_of(o, "length"));
	else
		fputs("ESP", to);
	if (strcmp(text_of(o, "keys"), "wrong") == 0)
		fputs("  WRONG KEYS or changed on the way", to);
	else if (strcmp(text_of(o, "keys"), "not supported") == 0)
		fputs("  keys of an algorithm that is not opened", to);
	if (has(o, "esn"))
		fprintf(to, "  extended numbers, high half %lld", (long long)number_of(o, "esn"));
	fputc('\n', to);
	if (has(o, "malformed"))
		fprintf(to, "    MALFORMED: %s\n", text_of(o, "malformed"));
	if (!has(o, "next_header"))
		return;
	fprintf(to, "    next header %lld, %lld bytes of padding", (long long)number_of(o, "next_header"),
		(long long)number_of(o, "padding"));
	if (has(o, "inner_from"))
		fprintf(to, ", %s > %s", text_of(o, "inner_from"), text_of(o, "inner_to"));
	print_hex(to, ": ", o, "data");
	fputc('\n', to);
}

static void print_ah(FILE *to, const json_t *o)
{
	fputs("AH", to);
	if (has(o, "spi"))
		fprintf(to, " SPI %s seq %lld  %lld bytes", text_of(o, "spi"), (long long)number_of(o, "seq"),
			(long long)number_of(o, "length"));
	fputc('\n', to);
	if (has(o, "malformed")) {
		fprintf(to, "    MALFORMED: %s\n", text_of(o, "malformed"));
		return;
	}
	fprintf(to, "    next header %lld, ICV of %zu bytes", (long long)number_of(o, "next_header"),
		strlen(text_of(o, "icv")) / 2);
	if (has(o, "inner_from"))
		fprintf(to, ", %s > %s", text_of(o, "inner_from"), text_of(o, "inner_to"));
	print_hex(to, ": ", o, "data");
	fputc('\n', to);
}

void decode_print(FILE *to, const json_t *frame)
{
	if (has(frame, "time"))
		fprintf(to, "%s ", text_of(frame, "time"));
	else
		fprintf(to, "%lld: ", (long long)number_of(frame, "number"));
	if (has(frame, "from"))
		fprintf(to, "%s > %s  ", text_of(frame, "from"), text_of(frame, "to"));
	if (has(frame, "ike"))
		print_ike(to, json_object_get(frame, "ike"));
	else if (has(frame, "esp"))
		print_esp(to, json_object_get(frame, "esp"), is_true(frame, "encap"));
	else if (has(frame, "ah"))
		print_ah(to, json_object_get(frame, "ah"));
	else
		fputs("NAT keepalive\n", to);
	if (is_true(frame, "cut"))
		fputs("    not all of it is in the capture\n", to);
}
