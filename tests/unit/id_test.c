// SPDX-License-Identifier: BSD-2-Clause
#include "agent/conf/conf.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct ike_id received(uint8_t type, const char *bytes)
{
	return (struct ike_id){.type = type, .data = slice_of(bytes, strlen(bytes))};
}

static void parse(void **state)
{
	static const struct {
		const char *text;
		int rc;
		uint8_t type;
		const char *shown; /* by id_str */
		size_t n;
	} t[] = {
	    {"192.0.2.1", 0, ID_IPV4_ADDR, "192.0.2.1", 4},
	    {"2001:db8::1", 0, ID_IPV6_ADDR, "2001:db8::1", 16},
	    {"gw.example", 0, ID_FQDN, "gw.example", 10},
	    {"gw", 0, ID_FQDN, "gw", 2},
	    {"@gw.example", 0, ID_FQDN, "gw.example", 10},
	    {"a@b.c", 0, ID_RFC822_ADDR, "a@b.c", 5},
	    {"@@b.c", 0, ID_RFC822_ADDR, "b.c", 3},
	    {"@#6b6579", 0, ID_KEY_ID, "key", 3},
	    {"@#6B:65:79", 0, ID_KEY_ID, "key", 3},
	    {"@#00ff", 0, ID_KEY_ID, "@#00ff", 2},
	    {"ipv4:192.0.2.1", 0, ID_IPV4_ADDR, "192.0.2.1", 4},
	    {"ipv4:#c0000201", 0, ID_IPV4_ADDR, "192.0.2.1", 4},
	    {"ipv6:2001:db8::1", 0, ID_IPV6_ADDR, "2001:db8::1", 16},
	    {"fqdn:192.0.2.1", 0, ID_FQDN, "192.0.2.1", 9},
	    {"dns:gw", 0, ID_FQDN, "gw", 2},
	    {"FQDN:#6777", 0, ID_FQDN, "gw", 2},
	    {"email:a@b", 0, ID_RFC822_ADDR, "a@b", 3},
	    {"rfc822:a@b", 0, ID_RFC822_ADDR, "a@b", 3},
	    {"userfqdn:a@b", 0, ID_RFC822_ADDR, "a@b", 3},
	    {"keyid:a key", 0, ID_KEY_ID, "a key", 5},
	    {"keyid:#0102", 0, ID_KEY_ID, "@#0102", 2},
	    {"", -EINVAL, 0, NULL, 0},
	    {"@", -EINVAL, 0, NULL, 0},
	    {"@@", -EINVAL, 0, NULL, 0},
	    {"@#", -EINVAL, 0, NULL, 0},
	    {"@#6", -EINVAL, 0, NULL, 0},
	    {"@#6g", -EINVAL, 0, NULL, 0},
	    {"@#6b:", -EINVAL, 0, NULL, 0},
	    {"keyid:", -EINVAL, 0, NULL, 0},
	    {"two words", -EINVAL, 0, NULL, 0},
	    {"tab\there", -EINVAL, 0, NULL, 0},
	    {"\xc3\xa9", -EINVAL, 0, NULL, 0},
	    {"ipv4:2001:db8::1", -EINVAL, 0, NULL, 0},
	    {"ipv6:192.0.2.1", -EINVAL, 0, NULL, 0},
	    {"ipv4:#c00002", -EINVAL, 0, NULL, 0},
	    {"ipv6:#c0000201", -EINVAL, 0, NULL, 0},
	    {"asn1gn:#3000", -ENOTSUP, 0, NULL, 0},
	    {"*.example", -ENOTSUP, 0, NULL, 0},
	    {"*@example", -ENOTSUP, 0, NULL, 0},
	    {"fqdn:^gw$", -ENOTSUP, 0, NULL, 0},
	    {"*gw.example", -ENOTSUP, 0, NULL, 0},
	    {"*.*.example", -ENOTSUP, 0, NULL, 0},
	    {"C=CH, CN=*", -ENOTSUP, 0, NULL, 0},
	    {"C=CH, XY=gw", -EINVAL, 0, NULL, 0},
	    {"asn1dn:#3001", -EINVAL, 0, NULL, 0},
	    {"asn1dn:#300000", -EINVAL, 0, NULL, 0},
	    {"asn1dn:", -EINVAL, 0, NULL, 0},
	    {"C=CH, CN=gw", 0, ID_DER_ASN1_DN, "C=CH, CN=gw", 28},
	    {"/C=CH/CN=gw", 0, ID_DER_ASN1_DN, "C=CH, CN=gw", 28},
	    {"asn1dn:C=CH", 0, ID_DER_ASN1_DN, "C=CH", 15},
	    {"asn1dn:#300d310b3009060355040613024348", 0, ID_DER_ASN1_DN, "C=CH", 15},
	    {"asn1dn:#3000", -EINVAL, 0, NULL, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		struct conf_id id, before;
		struct ike_id view;
		char buf[ID_STRLEN];

		memset(&id, 0x77, sizeof(id));
		before = id;
		if (conf_id_parse(t[i].text, &id) != t[i].rc)
			fail_msg("%s", t[i].text);
		if (t[i].rc < 0) {
			assert_memory_equal(&id, &before, sizeof(id));
			continue;
		}
		view = conf_id_view(&id);
		assert_int_equal(view.type, t[i].type);
		assert_int_equal(view.data.n, t[i].n);
		assert_string_equal(id_str(&view, buf), t[i].shown);
		assert_string_equal(id.text, t[i].text);
		assert_false(id.any);
	}
}

static void any(void **state)
{
	static const char *const words[] = {"%any", "%any6", "*", "0.0.0.0", "::"};
	struct ike_id got = received(ID_FQDN, "x"), none = {0};
	struct conf_id id;

	(void)state;
	for (size_t i = 0; i < COUNT(words); i++) {
		assert_int_equal(conf_id_parse(words[i], &id), 0);
		assert_true(id.any && id.type == 0);
		assert_true(conf_id_matches(&id, &got));
		assert_false(conf_id_matches(&id, &none));
	}
	/* Not given at all is not "any". */
	memset(&id, 0, sizeof(id));
	assert_false(conf_id_matches(&id, &got));
	assert_false(conf_id_matches(&id, &none));
}

static void lengths(void **state)
{
	char text[400];
	struct conf_id id;

	(void)state;
	memset(text, 'a', sizeof(text));
	text[255] = 0;
	assert_int_equal(conf_id_parse(text, &id), 0);
	text[255] = 'a';
	text[256] = 0;
	assert_int_equal(conf_id_parse(text, &id), -EINVAL);
}

static void matching(void **state)
{
	static const struct {
		const char *want;
		uint8_t type;
		const char *bytes;
		bool match;
	} t[] = {
	    {"gw.example", ID_FQDN, "gw.example", true},
	    {"gw.example", ID_FQDN, "GW.Example", true},
	    {"GW.example", ID_FQDN, "gw.exAMple", true},
	    {"gw.example", ID_FQDN, "gw.exampl", false},
	    {"gw.example", ID_FQDN, "gw.example.", false},
	    {"gw.example", ID_FQDN, "gw-example", false},
	    {"gw.example", ID_RFC822_ADDR, "gw.example", false},
	    {"gw.example", ID_KEY_ID, "gw.example", false},
	    {"a@b", ID_RFC822_ADDR, "A@B", true},
	    {"keyid:abc", ID_KEY_ID, "abc", true},
	    {"keyid:abc", ID_KEY_ID, "ABC", false},
	    {"keyid:[", ID_KEY_ID, "{", false},
	    {"fqdn:[", ID_FQDN, "{", false},
	    {"65.66.67.68", ID_IPV4_ADDR, "ABCD", true},
	    {"65.66.67.68", ID_IPV4_ADDR, "abcd", false},
	    {"65.66.67.68", ID_FQDN, "65.66.67.68", false},
	    {"*.example", ID_FQDN, "gw.example", true},
	    {"*.example", ID_FQDN, "a.b.EXAMPLE", true},
	    {"*.example", ID_FQDN, "*.example", true},
	    {"*.example", ID_FQDN, ".example", false},
	    {"*.example", ID_FQDN, "example", false},
	    {"*.example", ID_FQDN, "gwexample", false},
	    {"*.example", ID_FQDN, "gw.example.org", false},
	    {"*.example", ID_FQDN, "a b.example", false},
	    {"*.example", ID_RFC822_ADDR, "gw.example", false},
	    {"*.example", ID_KEY_ID, "gw.example", false},
	    {"*@example", ID_RFC822_ADDR, "a@example", true},
	    {"*@example", ID_RFC822_ADDR, "@example", false},
	    {"*@example", ID_RFC822_ADDR, "a@b@example", false},
	    {"*@example", ID_RFC822_ADDR, "a@b.example", false},
	    {"*@example", ID_FQDN, "a@example", false},
	    {"email:*.example", ID_RFC822_ADDR, "a@b.example", false},
	    {"gw.example", ID_FQDN, "*.example", false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		struct ike_id got = received(t[i].type, t[i].bytes);
		struct conf_id id;

		assert_int_equal(conf_id_parse_pattern(t[i].want, &id), 0);
		assert_int_equal(conf_id_parse(t[i].want, &id), id.wild ? -ENOTSUP : 0);
		if (conf_id_matches(&id, &got) != t[i].match)
			fail_msg("%s: %u %s", t[i].want, t[i].type, t[i].bytes);
	}
}

/* An embedded NUL or another name in front makes nobody a member of a domain. */
static void wild_bytes(void **state)
{
	static const uint8_t nul[] = "evil\0.example", high[] = "\xff.example";
	struct ike_id got = {.type = ID_FQDN, .data = slice_of(nul, sizeof(nul) - 1)};
	struct conf_id id;

	(void)state;
	assert_int_equal(conf_id_parse_pattern("*.example", &id), 0);
	assert_false(conf_id_matches(&id, &got));
	got.data = slice_of(high, sizeof(high) - 1);
	assert_false(conf_id_matches(&id, &got));
	got.data = slice_of(NULL, 0);
	assert_false(conf_id_matches(&id, &got));
}

static void names(void **state)
{
	static const struct {
		const char *want, *got;
		bool match;
	} t[] = {
	    {"C=CH, O=x, CN=gw", "C=CH, O=x, CN=gw", true},
	    {"C=CH, O=x, CN=gw", "c=ch, o=X,  cn=GW", true},
	    {"C=CH, O=x, CN=gw", "CN=gw, O=x, C=CH", false},
	    {"C=CH, O=x, CN=gw", "C=CH, O=x", false},
	    {"C=CH, O=x, CN=gw", "C=CH, O=x, CN=gw2", false},
	    {"C=CH, O=*, CN=gw", "C=CH, O=any thing, CN=gw", true},
	    {"C=CH, O=*, CN=gw", "C=CH, OU=any thing, CN=gw", false},
	    {"C=CH, O=*, CN=gw", "C=CH, O=x, CN=other", false},
	    {"C=CH, O=*, CN=gw", "C=CH, O=x, OU=y, CN=gw", false},
	    {"C=CH, O=*, CN=gw", "C=CH, CN=gw", false},
	    {"C=*, O=*, CN=*", "C=CH, O=x, CN=gw", true},
	    {"CN=*", "C=CH, CN=gw", false},
	    {"CN=\\*", "CN=gw", false},
	    {"CN=\\*", "CN=\\*", true},
	    {"CN=gw", "CN=\\*", false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		struct conf_id want, got;
		struct ike_id view;

		assert_int_equal(conf_id_parse_pattern(t[i].want, &want), 0);
		assert_int_equal(conf_id_parse(t[i].got, &got), 0);
		view = conf_id_view(&got);
		if (conf_id_matches(&want, &view) != t[i].match)
			fail_msg("%s: %s", t[i].want, t[i].got);
		view.type = ID_KEY_ID;
		assert_false(conf_id_matches(&want, &view));
		view = (struct ike_id){.type = ID_DER_ASN1_DN, .data = slice_of("CN=gw", 5)};
		assert_false(conf_id_matches(&want, &view));
	}
}

/* What a peer sends is shown, and can do no harm on the way. */
static void shown(void **state)
{
	char big[600], buf[ID_STRLEN];
	struct ike_id id = received(ID_FQDN, "a\nb\x1b\\\xff");

	(void)state;
	assert_string_equal(id_str(&id, buf), "a\\x0ab\\x1b\\x5c\\xff");
	id = (struct ike_id){0};
	assert_string_equal(id_str(&id, buf), "%any");
	id = received(ID_IPV4_ADDR, "ABC");
	assert_string_equal(id_str(&id, buf), "{1}:#414243");
	id = received(ID_DER_ASN1_DN, "0");
	assert_string_equal(id_str(&id, buf), "{9}:#30");
	id = (struct ike_id){.type = ID_FQDN};
	assert_string_equal(id_str(&id, buf), "");
	id = (struct ike_id){.type = ID_KEY_ID};
	assert_string_equal(id_str(&id, buf), "@#");
	for (int fill = 1; fill < 256; fill += 64) {
		memset(big, fill, sizeof(big));
		for (unsigned int type = 1; type <= 11; type++) {
			id = (struct ike_id){.type = (uint8_t)type,
					     .data = slice_of(big, sizeof(big))};
			assert_true(strlen(id_str(&id, buf)) < ID_STRLEN);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(parse),	cmocka_unit_test(any),	 cmocka_unit_test(lengths),
	    cmocka_unit_test(matching), cmocka_unit_test(shown), cmocka_unit_test(wild_bytes),
	    cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
