/* SPDX-License-Identifier: BSD-2-Clause */
/* fuzz-rooms: common agent/conf agent/wire agent/crypt agent/cred agent/fetch agent/keys */
#include "agent/conf/conf.h"
#include "agent/cred/dn.h"

#include <stdlib.h>
#include <string.h>

/*
 * Identities. The first byte says what the rest is: 0 a name as a peer sends it, 1 the text of a
 * name, 2 the text of an identity with wildcards and, behind a NUL, one that it may fit. What is
 * shown is printable; what reads back says the same.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void printable(const char *s)
{
	for (; *s; s++)
		check(*s >= ' ' && *s < 0x7f);
}

static void der(struct slice s)
{
	char text[4096], again[4096];
	uint8_t b[DN_MAX];
	bool wild;
	size_t n;

	dn_str(s, text, sizeof(text));
	printable(text);
	if (!dn_valid(s))
		return;
	check(dn_equal(s, s) && dn_matches(s, s));
	if (dn_parse(text, b, &n, &wild))
		return; /* it has a NUL, no text, or is too long */
	check(!wild && dn_valid(slice_of(b, n)));
	dn_str(slice_of(b, n), again, sizeof(again));
	check(!strcmp(text, again));
}

static void text(const char *s)
{
	uint8_t a[DN_MAX], b[DN_MAX];
	char shown[8192];
	size_t n, m;
	bool wild;

	if (dn_parse(s, a, &n, &wild))
		return;
	check(n <= DN_MAX && dn_valid(slice_of(a, n)));
	dn_str(slice_of(a, n), shown, sizeof(shown));
	printable(shown);
	check(!dn_parse(shown, b, &m, &wild) && !wild);
	check(m == n && !memcmp(a, b, n));
}

static void identities(const char *want, const char *got)
{
	struct conf_id pattern, id;
	char shown[ID_STRLEN];
	struct ike_id view;

	if (conf_id_parse_pattern(want, &pattern) || conf_id_parse(got, &id))
		return;
	check(!id.wild);
	view = conf_id_view(&id);
	printable(id_str(&view, shown));
	conf_id_matches(&pattern, &view);
	check(id.any || conf_id_matches(&id, &view));
	if (!pattern.wild && !pattern.any && conf_id_matches(&pattern, &view))
		check(conf_id_matches(&id, &(struct ike_id){pattern.type, {pattern.b, pattern.n}}));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy;

	if (!size)
		return 0;
	copy = malloc(size); /* one less, and a NUL */
	if (!copy)
		return 0;
	memcpy(copy, data + 1, size - 1);
	copy[size - 1] = '\0';
	if (data[0] % 3 == 0) {
		uint8_t *exact = malloc(size > 1 ? size - 1 : 1);

		memcpy(exact, data + 1, size - 1);
		der(slice_of(exact, size - 1));
		free(exact);
	} else if (data[0] % 3 == 1) {
		text(copy);
	} else {
		identities(copy, strlen(copy) + 1 < size ? copy + strlen(copy) + 1 : "");
	}
	free(copy);
	return 0;
}
