/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/xdpsec/cli.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint8_t buf[8192];

static struct vici_wr begin(void)
{
	return vici_begin(buf, sizeof(buf), VICI_CMD_RESPONSE, NULL);
}

static json_t *tree(struct vici_wr *v)
{
	struct slice s = vici_end(v);

	assert_true(s.n > VICI_LEN_BYTES);
	return tree_of(slice_of(s.p + VICI_LEN_BYTES + 1, s.n - VICI_LEN_BYTES - 1));
}

static void test_tree(void **state)
{
	struct vici_wr v = begin();
	json_t *t, *want;

	(void)state;
	vici_kv(&v, "a", "1");
	vici_section(&v, "s");
	vici_list(&v, "l");
	vici_item(&v, "x");
	vici_item(&v, "y");
	vici_list_end(&v);
	vici_section(&v, "in");
	vici_section_end(&v);
	vici_section_end(&v);
	t = tree(&v);
	want = json_pack("{s:s,s:{s:[ss],s:{}}}", "a", "1", "s", "l", "x", "y", "in");
	assert_non_null(want);
	assert_true(json_equal(t, want));
	json_decref(t);
	json_decref(want);
}

/* What a peer put into a name must not reach the terminal, nor make JSON that nobody can read. */
static void test_tree_cleans(void **state)
{
	static const char bad[] = "a\x1b[2J\n\xff\xc3\x28z", utf8[] = "gr\xc3\xbc\xc3\x9f";
	struct vici_wr v = begin();
	json_t *t;

	(void)state;
	vici_kv_bytes(&v, "bad", slice_of(bad, sizeof(bad) - 1));
	vici_kv_bytes(&v, "utf8", slice_of(utf8, sizeof(utf8) - 1));
	vici_kv_bytes(&v, "\xff", slice_of("v", 1));
	t = tree(&v);
	assert_string_equal(text_of(t, "bad"), "a?[2J???" "(z");
	assert_string_equal(text_of(t, "utf8"), utf8);
	assert_string_equal(text_of(t, "?"), "v");
	json_decref(t);
}

static void test_tree_malformed(void **state)
{
	(void)state;
	assert_null(tree_of(slice_of("\1\1s", 3)));
	assert_null(tree_of(slice_of("\5\0\1x", 4)));
	assert_null(tree_of(slice_of("\1\1s\3\1k\0\1v", 9)));
}

static void test_fields(void **state)
{
	static const struct field f[] = {
		{"some-text", "some_text", FIELD_TEXT}, {"n", "n", FIELD_NUMBER},
		{"bad-n", "bad_n", FIELD_NUMBER},	{"yes", "yes", FIELD_BOOL},
		{"l", "l", FIELD_LIST},			{"no-text", "no_text", FIELD_TEXT},
		{"no-n", "no_n", FIELD_NUMBER},		{"no-b", "no_b", FIELD_BOOL},
		{"no-l", "no_l", FIELD_LIST},		{0},
	};
	json_t *from = json_pack("{s:s,s:s,s:s,s:s,s:[s]}", "some-text", "t", "n", "17", "bad-n", "17x",
				 "yes", "yes", "l", "i");
	json_t *want = json_pack("{s:s,s:i,s:n,s:b,s:[s],s:n,s:n,s:b,s:[]}", "some_text", "t", "n", 17,
				 "bad_n", "yes", 1, "l", "i", "no_text", "no_n", "no_b", 0, "no_l");
	json_t *got = fields_apply(f, from);

	(void)state;
	assert_non_null(from);
	assert_non_null(want);
	assert_true(json_equal(got, want));
	json_decref(from);
	json_decref(want);
	json_decref(got);
}

static void test_ike(void **state)
{
	json_t *child, *raw, *ike;

	(void)state;
	raw = json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:{s:{s:s,s:s,s:s,s:s,s:s}}}", "uniqueid", "3", "state",
			"ESTABLISHED", "initiator", "yes", "encr-alg", "AES_GCM_16", "encr-keysize", "128",
			"prf-alg", "PRF_HMAC_SHA2_256", "dh-group", "CURVE_25519", "child-sas", "net-7",
			"name", "net", "uniqueid", "7", "encr-alg", "AES_CBC", "encr-keysize", "256",
			"integ-alg", "HMAC_SHA2_256_128");
	assert_non_null(raw);
	ike = ike_object("gw", raw);
	assert_string_equal(text_of(ike, "name"), "gw");
	assert_int_equal(number_of(ike, "id"), 3);
	assert_true(json_is_true(json_object_get(ike, "initiator")));
	assert_true(json_is_null(json_object_get(ike, "rekey_in_s")));
	assert_string_equal(text_of(ike, "proposal"), "AES_GCM_16_128/PRF_HMAC_SHA2_256/CURVE_25519");
	child = json_array_get(json_object_get(ike, "children"), 0);
	assert_int_equal(number_of(child, "id"), 7);
	assert_string_equal(text_of(child, "proposal"), "AES_CBC_256/HMAC_SHA2_256_128");
	assert_true(json_is_array(json_object_get(child, "local_ts")));
	json_decref(ike);
	json_decref(raw);
}

static void test_texts(void **state)
{
	static const struct {
		int64_t s;
		const char *text;
	} durations[] = {{0, "0s"}, {59, "59s"}, {60, "1m 0s"}, {3599, "59m 59s"},
			 {3600, "1h 0m"}, {86399, "23h 59m"}, {90000, "1d 1h"}};
	static const struct {
		int64_t n;
		const char *text;
	} sizes[] = {{0, "0 B"}, {1023, "1023 B"}, {1024, "1.0 KiB"}, {1536, "1.5 KiB"},
		     {5LL << 30, "5.0 GiB"}, {INT64_MAX, "8.0 EiB"}};
	json_t *list = json_pack("[sss]", "one", "two", "three");
	char text[64];

	(void)state;
	for (size_t i = 0; i < sizeof(durations) / sizeof(durations[0]); i++)
		assert_string_equal(duration_str(durations[i].s, text, sizeof(text)), durations[i].text);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		assert_string_equal(bytes_str(sizes[i].n, text, sizeof(text)), sizes[i].text);
	assert_string_equal(join_str(list, ", ", text, sizeof(text)), "one, two, three");
	assert_string_equal(join_str(NULL, ", ", text, sizeof(text)), "");
	join_str(list, ", ", text, 6); /* cut, never beyond */
	assert_true(strlen(text) < 6);
	json_decref(list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tree),   cmocka_unit_test(test_tree_cleans),
		cmocka_unit_test(test_tree_malformed), cmocka_unit_test(test_fields),
		cmocka_unit_test(test_ike),    cmocka_unit_test(test_texts),
	};

	return cmocka_run_group_tests_name("cli_rows", tests, NULL, NULL);
}
