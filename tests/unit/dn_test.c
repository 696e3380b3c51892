/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/cred/dn.h"

#include "vectors.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define COUNT(t) (sizeof(t) / sizeof(*(t)))

static void bytes(void **state)
{
	static const struct {
		const char *text, *der, *shown;
	} t[] = {
	    {"C=CH", "300d310b3009060355040613024348", "C=CH"},
	    {" c = CH ", "300d310b3009060355040613024348", "C=CH"},
	    {"/C=CH", "300d310b3009060355040613024348", "C=CH"},
	    /* printable string, UTF-8 where it must be, IA5 where the attribute wants it */
	    {"CN=a_b", "300e310c300a06035504030c03615f62", "CN=a_b"},
	    {"CN=\xc3\xa9", "300d310b300906035504030c02c3a9", "CN=\\c3\\a9"},
	    {"CN=\\c3\\a9", "300d310b300906035504030c02c3a9", "CN=\\c3\\a9"},
	    {"E=a@b", "30143112301006092a864886f70d0109011603614062", "E=a@b"},
	    {"DC=x", "30133111300f060a0992268993f22c640119160178", "DC=x"},
	    /* separators inside of values */
	    {"CN=\"a,b\"", "300e310c300a06035504031303612c62", NULL},
	    {"CN=a\\,b", "300e310c300a06035504031303612c62", NULL},
	    {"/CN=a,b", "300e310c300a06035504031303612c62", NULL},
	    {"CN=\\ a", "300d310b3009060355040313022061", "CN=\\20a"},
	    {"CN=\"a \"", "300d310b3009060355040313026120", "CN=a\\20"},
	    /* two attributes in one part, and a plus that is a plus */
	    {"CN=a+OU=b", "30163114300806035504031301613008060355040b130162", NULL},
	    {"OU=R+D", "300e310c300a060355040b1303522b44", "OU=R\\+D"},
	    {"2.5.4.3=x", "300c310a30080603550403130178", "CN=x"},
	    {"1.2.3.4=x", "300c310a300806032a0304130178", "1.2.3.4=x"},
	    {"SN=1", "300c310a30080603550405130131", "SN=1"},
	    {"serialNumber=1", "300c310a30080603550405130131", "SN=1"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		uint8_t der[DN_MAX], want[DN_MAX], again[DN_MAX];
		struct slice w = hex_bytes(t[i].der, want, sizeof(want));
		size_t n = 0, m = 0;
		bool wild = true;
		char buf[256];

		if (dn_parse(t[i].text, der, &n, &wild) || wild)
			fail_msg("%s", t[i].text);
		assert_true(dn_valid(slice_of(der, n)));
		dn_str(slice_of(der, n), buf, sizeof(buf));
		if (n != w.n || memcmp(der, w.p, n) != 0)
			fail_msg("%s is %zu bytes", t[i].text, n);
		if (t[i].shown)
			assert_string_equal(buf, t[i].shown);
		/* what is shown reads back */
		assert_int_equal(dn_parse(buf, again, &m, &wild), 0);
		assert_false(wild);
		assert_int_equal(m, n);
		assert_memory_equal(again, der, n);
	}
}

static void refused(void **state)
{
	static const char *const t[] = {
	    "",	       "CN",	  "CN=",     "=x",	"CN=a,",      "CN=a,,O=b", "XY=a",
	    "CN=\"a",  "CN=\\",	  "CN=\xff", "CN=\\ff", "CN=a, O",    "/",	   "/CN",
	    "CN=\\00", "9.9.9=x", ",CN=a",   "CN=a+O=", "CN=a O=b/,",
	    /* arcs without digits */
	    "0...1=x", ".1.2=x", "1.2.=x",
	};
	char many[DN_ATTRIBUTES_MAX * 8 + 16] = "", big[400] = "CN=";
	uint8_t der[DN_MAX];
	bool wild;
	size_t n;

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++)
		if (dn_parse(t[i], der, &n, &wild) != -EINVAL)
			fail_msg("%s", t[i]);
	for (int i = 0; i < DN_ATTRIBUTES_MAX; i++)
		strcat(many, i ? ",CN=a" : "CN=a");
	assert_int_equal(dn_parse(many, der, &n, &wild), 0);
	strcat(many, ",CN=a");
	assert_int_equal(dn_parse(many, der, &n, &wild), -EINVAL);
	memset(big + 3, 'x', 257);
	assert_int_equal(dn_parse(big, der, &n, &wild), -EINVAL);
	big[3 + 256] = '\0';
	assert_int_equal(dn_parse(big, der, &n, &wild), 0);
}

static void wildcards(void **state)
{
	static const struct {
		const char *text;
		bool wild;
	} t[] = {{"CN=*", true},
		 {"C=CH, CN= * ", true},
		 {"CN=\\*", false},
		 {"CN=\"*\"", false},
		 {"CN=*a", false}};
	uint8_t der[DN_MAX];
	size_t n;

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		bool wild = !t[i].wild;

		assert_int_equal(dn_parse(t[i].text, der, &n, &wild), 0);
		assert_int_equal(wild, t[i].wild);
	}
}

/* Bytes of peers: hostile ones are no name, are shown, and equal nothing. */
static void hostile(void **state)
{
	static const char *const t[] = {"",
					"30",
					"3000ff",
					"300d310b300906035504061302434800",
					"300d310b30090603550406130243",
					"310b3009060355040613024348",
					"3080310b3009060355040613024348"};
	struct slice good = HEX("300d310b3009060355040613024348");
	/* CN with an embedded NUL; teletex, BMP string, a bit string */
	struct slice nul = HEX("3010310e300c06035504031305676700"
			       "6767");
	struct slice bmp = HEX("300f310d300b06035504031e0400670077");
	struct slice gw = HEX("300d310b3009060355040313026777");
	struct slice bits = HEX("300d310b3009060355042d03020001");
	char buf[64], tiny[8];

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		uint8_t b[64];
		struct slice s = hex_bytes(t[i], b, sizeof(b));

		assert_false(dn_valid(s));
		assert_false(dn_equal(s, s));
		assert_false(dn_equal(s, good));
		assert_false(dn_matches(good, s));
		assert_string_equal(dn_str(s, buf, sizeof(buf)), "{no name}");
	}
	assert_string_equal(dn_str(nul, buf, sizeof(buf)), "CN=gg\\00gg");
	assert_false(dn_equal(nul, HEX("300d310b3009060355040313026767")));
	assert_true(dn_equal(bmp, gw));
	assert_string_equal(dn_str(bits, buf, sizeof(buf)), "2.5.4.45=#01");
	dn_str(good, tiny, 4);
	assert_string_equal(tiny, "C=C");
	assert_string_equal(dn_str(HEX("3000"), buf, sizeof(buf)), "");
	assert_true(dn_equal(HEX("3000"), HEX("3000")));
	assert_false(dn_valid(HEX("3000")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(bytes),
	    cmocka_unit_test(refused),
	    cmocka_unit_test(wildcards),
	    cmocka_unit_test(hostile),
	};

	return cmocka_run_group_tests_name("dn", tests, NULL, NULL);
}
