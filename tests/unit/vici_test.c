/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/vici.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BYTES(...) ((const uint8_t[]){__VA_ARGS__}), sizeof((const uint8_t[]){__VA_ARGS__})

static struct slice body_of(struct slice packet)
{
	struct vici_packet p;

	assert_true(packet.n > VICI_LEN_BYTES);
	assert_int_equal(vici_packet_decode(slice_of(packet.p + VICI_LEN_BYTES, packet.n - VICI_LEN_BYTES),
					    &p), 0);
	return p.body;
}

static bool slice_is(struct slice s, const char *text)
{
	return s.n == strlen(text) && (!s.n || !memcmp(s.p, text, s.n));
}

static void write_sample(struct vici_wr *v)
{
	vici_kv(v, "key1", "value1");
	vici_section(v, "section1");
	vici_section(v, "sub-section");
	vici_kv(v, "key2", "value2");
	vici_section_end(v);
	vici_list(v, "list1");
	vici_item(v, "item1");
	vici_item(v, "");
	vici_list_end(v);
	vici_section_end(v);
	vici_kvf(v, "number", "%d", 42);
}

/* Every kind of element, byte by byte. */
static void test_bytes(void **state)
{
	static const uint8_t want[] = {
		0, 0, 0, 63, 0, 4, 't', 'e', 's', 't',
		3, 4, 'k', 'e', 'y', '1', 0, 6, 'v', 'a', 'l', 'u', 'e', '1',
		1, 8, 's', 'e', 'c', 't', 'i', 'o', 'n', '1',
		1, 3, 's', 'u', 'b',
		3, 4, 'k', 'e', 'y', '2', 0, 6, 'v', 'a', 'l', 'u', 'e', '2',
		2,
		4, 5, 'l', 'i', 's', 't', '1', 5, 0, 1, 'a', 6,
		2,
	};
	uint8_t buf[256];
	struct vici_wr v = vici_begin(buf, sizeof(buf), VICI_CMD_REQUEST, "test");
	struct slice s;

	(void)state;
	vici_kv(&v, "key1", "value1");
	vici_section(&v, "section1");
	vici_section(&v, "sub");
	vici_kv(&v, "key2", "value2");
	vici_section_end(&v);
	vici_list(&v, "list1");
	vici_item(&v, "a");
	vici_list_end(&v);
	vici_section_end(&v);
	s = vici_end(&v);
	assert_int_equal(s.n, sizeof(want));
	assert_memory_equal(s.p, want, sizeof(want));
}

static void test_round(void **state)
{
	static const struct {
		enum vici_kind kind;
		const char *name, *value;
	} want[] = {
		{VICI_KEY_VALUE, "key1", "value1"}, {VICI_SECTION_START, "section1", ""},
		{VICI_SECTION_START, "sub-section", ""}, {VICI_KEY_VALUE, "key2", "value2"},
		{VICI_SECTION_END, "", ""}, {VICI_LIST_START, "list1", ""},
		{VICI_LIST_ITEM, "", "item1"}, {VICI_LIST_ITEM, "", ""},
		{VICI_LIST_END, "", ""}, {VICI_SECTION_END, "", ""},
		{VICI_KEY_VALUE, "number", "42"}, {VICI_END, "", ""},
	};
	uint8_t buf[512];
	struct vici_wr v = vici_begin(buf, sizeof(buf), VICI_CMD_RESPONSE, NULL);
	struct vici_elem e;
	struct vici_rd r;

	(void)state;
	write_sample(&v);
	r = vici_rd_of(body_of(vici_end(&v)));
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		assert_int_equal(vici_next(&r, &e), 0);
		assert_int_equal(e.kind, want[i].kind);
		assert_true(slice_is(e.name, want[i].name));
		assert_true(slice_is(e.value, want[i].value));
	}
	assert_int_equal(vici_next(&r, &e), 0);
	assert_int_equal(e.kind, VICI_END);
}

/* A message cut at any byte is malformed, except where an element at the top level ends. */
static void test_truncated(void **state)
{
	uint8_t buf[512];
	struct vici_wr v = vici_begin(buf, sizeof(buf), VICI_CMD_RESPONSE, NULL);
	struct slice body;
	size_t good = 0;

	(void)state;
	write_sample(&v);
	body = body_of(vici_end(&v));
	for (size_t n = 0; n <= body.n; n++) {
		uint8_t *copy = malloc(n ? n : 1);

		assert_non_null(copy);
		memcpy(copy, body.p, n);
		if (!vici_check(slice_of(copy, n)))
			good++;
		free(copy);
	}
	assert_int_equal(good, 4); /* empty, after key1, after section1, all */
}

static void test_malformed(void **state)
{
	const struct {
		const char *what;
		const uint8_t *p;
		size_t n;
	} cases[] = {
		{"element 0", BYTES(0)},
		{"element 7", BYTES(7)},
		{"element 255", BYTES(255)},
		{"end without section", BYTES(2)},
		{"item outside a list", BYTES(5, 0, 1, 'a')},
		{"list end outside a list", BYTES(6)},
		{"key in a list", BYTES(4, 1, 'l', 3, 1, 'k', 0, 0, 6)},
		{"section in a list", BYTES(4, 1, 'l', 1, 1, 's', 2, 6)},
		{"list in a list", BYTES(4, 1, 'l', 4, 1, 'm', 6, 6)},
		{"section end in a list", BYTES(1, 1, 's', 4, 1, 'l', 2, 6)},
		{"open section", BYTES(1, 1, 's')},
		{"open list", BYTES(4, 1, 'l')},
		{"name beyond the end", BYTES(3, 9, 'k')},
		{"value beyond the end", BYTES(3, 1, 'k', 0, 9, 'v')},
		{"value length cut", BYTES(3, 1, 'k', 0)},
		{"no value", BYTES(3, 1, 'k')},
		{"name with newline", BYTES(3, 1, '\n', 0, 0)},
		{"name with zero", BYTES(1, 1, 0, 2)},
		{"name with DEL", BYTES(4, 1, 0x7f, 6)},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct vici_rd r = vici_rd_of(slice_of(cases[i].p, cases[i].n));
		struct vici_elem e;
		int ret;

		if (!vici_check(slice_of(cases[i].p, cases[i].n)))
			fail_msg("%s: accepted", cases[i].what);
		do
			ret = vici_next(&r, &e);
		while (!ret);
		assert_int_equal(ret, -EBADMSG);
		assert_int_equal(vici_next(&r, &e), -EBADMSG); /* sticky */
		assert_int_equal(e.kind, VICI_END);
	}
	assert_int_equal(vici_check(slice_of(NULL, 0)), 0);
}

static void test_depth(void **state)
{
	uint8_t buf[4096];

	(void)state;
	for (unsigned int depth = VICI_DEPTH_MAX; depth <= VICI_DEPTH_MAX + 1; depth++) {
		size_t n = 0;

		for (unsigned int i = 0; i < depth; i++) {
			memcpy(buf + n, "\1\1s", 3);
			n += 3;
		}
		memset(buf + n, 2, depth);
		assert_int_equal(vici_check(slice_of(buf, n + depth)),
				 depth <= VICI_DEPTH_MAX ? 0 : -EBADMSG);
	}
}

static void test_packets(void **state)
{
	const struct {
		const uint8_t *p;
		size_t n;
		int ret;
	} cases[] = {
		{BYTES(0, 1, 'a'), 0},
		{BYTES(0, 1, 'a', 3, 1, 'k', 0, 0), 0},
		{BYTES(1), 0},
		{BYTES(1, 3, 1, 'k', 0, 0), 0},
		{BYTES(2), 0},
		{BYTES(3, 1, 'e'), 0},
		{BYTES(4, 1, 'e'), 0},
		{BYTES(5), 0},
		{BYTES(6), 0},
		{BYTES(7, 1, 'e'), 0},
		{NULL, 0, -EBADMSG},		  /* no type */
		{BYTES(8), -EBADMSG},		  /* unknown type */
		{BYTES(255), -EBADMSG},
		{BYTES(0), -EBADMSG},		  /* no name */
		{BYTES(0, 0), -EBADMSG},	  /* empty name */
		{BYTES(0, 2, 'a'), -EBADMSG},	  /* name cut */
		{BYTES(0, 1, '\r'), -EBADMSG},	  /* control character */
		{BYTES(2, 0), -EBADMSG},	  /* a body where there is none */
		{BYTES(5, 1), -EBADMSG},
		{BYTES(6, 1), -EBADMSG},
		{BYTES(3, 1, 'e', 0), -EBADMSG},
		{BYTES(4, 1, 'e', 3, 1, 'k', 0, 0), -EBADMSG},
	};
	struct vici_packet p;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (vici_packet_decode(slice_of(cases[i].p, cases[i].n), &p) != cases[i].ret)
			fail_msg("case %zu", i);
}

static void test_frame(void **state)
{
	const struct {
		const uint8_t *p;
		size_t n;
		int ret;
		size_t len;
	} cases[] = {
		{NULL, 0, 0, 0},
		{BYTES(0, 0, 0), 0, 0},
		{BYTES(0, 0, 0, 1), 0, 1},
		{BYTES(0, 8, 0, 0), 0, VICI_PACKET_MAX},
		{BYTES(0, 8, 0, 1), -EMSGSIZE, 0},
		{BYTES(0xff, 0xff, 0xff, 0xff), -EMSGSIZE, 0},
		{BYTES(0, 0, 0, 0), -EMSGSIZE, 0},
	};
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(vici_frame(slice_of(cases[i].p, cases[i].n), &len), cases[i].ret);
		assert_int_equal(len, cases[i].len);
	}
}

static void test_find(void **state)
{
	uint8_t buf[512];
	struct vici_wr v = vici_begin(buf, sizeof(buf), VICI_CMD_REQUEST, "c");
	struct slice body, value;
	char text[8];
	int64_t n;

	(void)state;
	vici_section(&v, "s");
	vici_kv(&v, "inner", "x");
	vici_section_end(&v);
	vici_list(&v, "child");
	vici_item(&v, "not me");
	vici_list_end(&v);
	vici_kv(&v, "child", "net");
	vici_kv(&v, "long", "12345678");
	vici_kv(&v, "ctl", "a\nb");
	vici_kv(&v, "n", "-1");
	vici_kv(&v, "bad", "12x");
	vici_kv(&v, "huge", "99999999999999999999");
	vici_kv(&v, "empty", "");
	vici_kv(&v, "yes", "yes");
	vici_kv(&v, "no", "no");
	body = body_of(vici_end(&v));
	assert_false(vici_find(body, "inner", &value)); /* not at the top */
	assert_int_equal(vici_find_text(body, "child", text, sizeof(text)), 1);
	assert_string_equal(text, "net");
	assert_int_equal(vici_find_text(body, "chil", text, sizeof(text)), 0);
	assert_int_equal(vici_find_text(body, "long", text, sizeof(text)), -EINVAL);
	assert_int_equal(vici_find_text(body, "ctl", text, sizeof(text)), -EINVAL);
	assert_int_equal(vici_find_text(body, "empty", text, sizeof(text)), 1);
	assert_int_equal(vici_find_number(body, "n", 7, &n), 0);
	assert_int_equal(n, -1);
	assert_int_equal(vici_find_number(body, "none", 7, &n), 0);
	assert_int_equal(n, 7);
	assert_int_equal(vici_find_number(body, "bad", 7, &n), -EINVAL);
	assert_int_equal(vici_find_number(body, "empty", 7, &n), -EINVAL);
	assert_int_equal(vici_find_number(body, "huge", 7, &n), -EINVAL);
	assert_int_equal(n, 7);
	assert_true(vici_find_bool(body, "yes"));
	assert_false(vici_find_bool(body, "no"));
	assert_false(vici_find_bool(body, "none"));
}

/* Each mistake of a writer, and nothing else, makes its packet empty. */
static void test_writer(void **state)
{
	static char name[VICI_NAME_MAX + 2], value[VICI_VALUE_MAX + 2];
	static uint8_t buf[2 * VICI_VALUE_MAX];

	(void)state;
	memset(name, 'n', VICI_NAME_MAX + 1);
	memset(value, 'v', VICI_VALUE_MAX + 1);
	for (int i = 0; i < 14; i++) {
		struct vici_wr v = vici_begin(buf, sizeof(buf), VICI_CMD_REQUEST, "c");

		switch (i) {
		case 0:
			vici_section(&v, "s"); /* open */
			break;
		case 1:
			vici_section_end(&v);
			break;
		case 2:
			vici_list(&v, "l"); /* open */
			break;
		case 3:
			vici_list_end(&v);
			break;
		case 4:
			vici_item(&v, "i");
			break;
		case 5:
			vici_list(&v, "l");
			vici_kv(&v, "k", "v");
			vici_list_end(&v);
			break;
		case 6:
			vici_kv(&v, name, "v");
			break;
		case 7:
			vici_kv(&v, "k", value);
			break;
		case 8:
			vici_kvf(&v, "k", "%s", value);
			break;
		case 9:
			vici_kv(&v, "k\n", "v");
			break;
		case 10:
			for (unsigned int d = 0; d <= VICI_DEPTH_MAX; d++)
				vici_section(&v, "s");
			for (unsigned int d = 0; d <= VICI_DEPTH_MAX; d++)
				vici_section_end(&v);
			break;
		case 11:
			v = vici_begin(buf, 8, VICI_CMD_REQUEST, "longer than it");
			break;
		case 12:
			v = vici_begin(buf, sizeof(buf), VICI_CMD_REQUEST, NULL);
			break;
		case 13:
			v = vici_begin(buf, sizeof(buf), VICI_CMD_RESPONSE, "name");
			break;
		}
		if (vici_end(&v).n)
			fail_msg("mistake %d passed", i);
	}
	name[VICI_NAME_MAX] = value[VICI_VALUE_MAX] = '\0';
	struct vici_wr v = vici_begin(buf, sizeof(buf), VICI_CMD_REQUEST, "c");

	vici_kv(&v, name, value);
	assert_int_equal(vici_check(body_of(vici_end(&v))), 0);
}

/* A packet is never larger than the other side takes. */
static void test_largest(void **state)
{
	size_t room = VICI_LEN_BYTES + (size_t)VICI_PACKET_MAX;
	uint8_t *buf = malloc(2 * room);
	struct vici_wr v = vici_begin(buf, 2 * room, VICI_EVENT, "e");
	size_t len;

	(void)state;
	assert_non_null(buf);
	while (wr_ok(&v.w))
		vici_kv(&v, "k", "value");
	assert_int_equal(vici_end(&v).n, 0);
	v = vici_begin(buf, 2 * room, VICI_EVENT, "e");
	for (size_t i = 0; i < 50000; i++)
		vici_kv(&v, "k", "value");
	assert_int_not_equal(vici_end(&v).n, 0);
	assert_int_equal(vici_frame(slice_of(buf, 4), &len), 0);
	assert_int_equal(len + VICI_LEN_BYTES, v.w.n);
	free(buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes),	 cmocka_unit_test(test_round),
		cmocka_unit_test(test_truncated), cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_depth),	 cmocka_unit_test(test_packets),
		cmocka_unit_test(test_frame),	 cmocka_unit_test(test_find),
		cmocka_unit_test(test_writer),	 cmocka_unit_test(test_largest),
	};

	return cmocka_run_group_tests_name("vici", tests, NULL, NULL);
}
