/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/keys/wire.h"
#include "keys_fixture.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

static struct ike_id id_of(const char *text)
{
	uint8_t type = strchr(text, '@') ? ID_RFC822_ADDR : ID_FQDN;

	if (!strcmp(text, "192.0.2.1"))
		return (struct ike_id){ID_IPV4_ADDR, slice_of("\xc0\x00\x02\x01", 4)};
	if (!strcmp(text, "2001:db8::1"))
		return (struct ike_id){ID_IPV6_ADDR,
				       slice_of("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16)};
	if (!strncmp(text, "keyid:", 6))
		return (struct ike_id){ID_KEY_ID, slice_of(text + 6, strlen(text) - 6)};
	return (struct ike_id){type, slice_of(text, strlen(text))};
}

struct got {
	unsigned int calls;
	struct job_ref ref;
	struct keys_mac mac;
};

static void on_mac(void *ctx, struct job_ref ref, const struct keys_mac *r)
{
	struct got *g = ctx;

	g->calls++;
	g->ref = ref;
	g->mac = *r;
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void wait_calls(const struct got *g, unsigned int n)
{
	uint64_t until = now_ms() + 10000;

	while (g->calls < n && now_ms() < until)
		event_base_loop(base, EVLOOP_ONCE);
	assert_int_equal(g->calls, n);
}

static const struct job_ref ref = {3, 4, 5};

static int mac_for(struct keys *k, const char *local, const char *remote, struct keys_mac *out)
{
	struct ike_id l = id_of(local), r = id_of(remote);
	struct got g = {0};

	assert_int_equal(
	    keys_psk_mac(k, &l, &r, PRF_HMAC_SHA2_256, slice_of("octets", 6), slice_of(NULL, 0), on_mac, &g, ref), 0);
	assert_int_equal(g.calls, 0); /* always asynchronous */
	wait_calls(&g, 1);
	assert_int_equal(g.ref.index, 3);
	assert_int_equal(g.ref.generation, 4);
	assert_true(g.ref.tag == 5);
	*out = g.mac;
	return g.mac.error;
}

/* The MAC that this secret would give. */
static void assert_secret(struct keys *k, const char *local, const char *remote, const char *secret)
{
	struct slice octets = slice_of("octets", 6);
	uint8_t want[CRYPT_PRF_MAX];
	struct keys_mac got;
	int r = mac_for(k, local, remote, &got);

	if (!secret) {
		assert_int_equal(r, -ENOENT);
		assert_int_equal(got.len, 0);
		return;
	}
	assert_int_equal(r, 0);
	assert_int_equal(
	    auth_psk(PRF_HMAC_SHA2_256, slice_of(secret, strlen(secret)), &octets, 1, want), 0);
	assert_int_equal(got.len, 32);
	assert_memory_equal(got.mac, want, 32);
}

static void test_matching(void **state)
{
	struct keys *k =
	    start("connections { gw { } }\n"
		  "secrets {\n"
		  "  ike-none { secret = none }\n"
		  "  ike-both { id-1 = moon.example\n id-2 = sun.example\n secret = both }\n"
		  "  ike-sun { id = sun.example\n secret = sun }\n"
		  "  ike-moon { idm = moon.example\n secret = moon }\n"
		  "  ike-any { id1 = mars.example\n id2 = %any\n secret = any }\n"
		  "  ike-two { id1 = carol@x.example\n id2 = dave@x.example\n secret = two }\n"
		  "  ike-v4 { id = 192.0.2.1\n secret = v4 }\n"
		  "  ike-v6 { id = 2001:db8::1\n secret = v6 }\n"
		  "  ike-key { id = keyid:key\n secret = key }\n"
		  "}\n");

	(void)state;
	assert_secret(k, "moon.example", "sun.example", "both");
	assert_secret(k, "sun.example", "moon.example", "both");
	assert_secret(k, "venus.example", "sun.example", "sun");
	assert_secret(k, "venus.example", "moon.example", "moon");
	/* names and addresses of mail are the same in upper and lower case */
	assert_secret(k, "MOON.example", "Sun.Example", "both");
	/* ike-both names moon and sun: never used for a third, though moon is in it */
	assert_secret(k, "moon.example", "pluto.example", "moon");
	assert_secret(k, "mars.example", "pluto.example", "any");
	assert_secret(k, "mars.example", "sun.example", "sun");
	assert_secret(k, "venus.example", "carol@x.example", "two");
	assert_secret(k, "venus.example", "dave@x.example", "two");
	assert_secret(k, "carol@x.example", "pluto.example", "none");
	assert_secret(k, "a.example", "192.0.2.1", "v4");
	assert_secret(k, "a.example", "2001:db8::1", "v6");
	assert_secret(k, "a.example", "keyid:key", "key");
	assert_secret(k, "a.example", "keyid:KEY", "none");
	assert_secret(k, "a.example", "b.example", "none");
	/* the bytes of an address are no name */
	assert_secret(k, "a.example", "\xc0\x01\x02\x01", "none");
	keys_stop(k);
}

static void test_no_match(void **state)
{
	struct keys *k =
	    start("secrets {\n ike { id-a = moon.example\n id-b = sun.example\n secret = x }\n}\n");

	(void)state;
	assert_secret(k, "moon.example", "sun.example", "x");
	assert_secret(k, "moon.example", "pluto.example", NULL);
	assert_secret(k, "a.example", "b.example", NULL);
	keys_stop(k);
	k = start("");
	assert_secret(k, "a.example", "b.example", NULL);
	keys_stop(k);
}

static void test_no_file(void **state)
{
	char err[256] = "";
	struct keys_entry e[2];
	struct keys *k;

	(void)state;
	unlink(conf_path);
	k = keys_start(base, "/proc/self/exe", conf_path, err, sizeof(err));
	assert_non_null(k);
	assert_int_equal(keys_list(k, e, 2), 0);
	assert_secret(k, "a.example", "b.example", NULL);
	keys_stop(k);
}

#define LONG_SECRET                                                                                \
	"0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789"
static void test_encodings(void **state)
{
	struct keys *k = start("secrets {\n"
			       "  ike-hex { id = hex.example\n secret = 0x48656C6c6f }\n"
			       "  ike-b64 { id = b64.example\n secret = 0sSGVsbG8= }\n"
			       "  ike-txt { id = txt.example\n secret = \"Hel lo\" }\n"
			       "  ike-long { id = long.example\n secret = \"" LONG_SECRET "\" }\n"
			       "}\n");

	(void)state;
	assert_secret(k, "a.example", "hex.example", "Hello");
	assert_secret(k, "a.example", "b64.example", "Hello");
	assert_secret(k, "a.example", "txt.example", "Hel lo");
	/* RFC 7296 2.15: at least 64 octets, and no terminator among them */
	assert_in_range(strlen(LONG_SECRET), 64, 512);
	assert_secret(k, "a.example", "long.example", LONG_SECRET);
	keys_stop(k);
}

/* Each mistake: file, line and key, and no byte of the secret. */
static void test_mistakes(void **state)
{
	static const struct {
		const char *text;
		int line;
		const char *says;
	} rows[] = {
	    {"secrets {\n ike {\n  secret = 0xTOPSECRET\n }\n}\n", 3, "hex"},
	    {"secrets {\n ike {\n  secret = 0sTOPSECRET!\n }\n}\n", 3, "base64"},
	    {"secrets {\n ike {\n  secret = \"\"\n }\n}\n", 3, "empty"},
	    {"secrets {\n ike {\n  id = a.example\n }\n}\n", 2, "missing"},
	    {"secrets {\n ike {\n  secret = TOPSECRET\n  sercet = TOPSECRET\n }\n}\n", 4, "sercet"},
	    {"secrets {\n ike {\n  secret = TOPSECRET\n  x { y = 1 }\n }\n}\n", 4, "x"},
	    {"secrets {\n ike {\n  secret = TOPSECRET\n  id = TOP SECRET\n }\n}\n", 4, "identity"},
	    {"secrets {\n ike {\n  secret = TOPSECRET\n  id = *.example\n }\n}\n", 4,
	     "not supported"},
	    {"secrets {\n ike {\n  secret = TOPSECRET\n  id = XX=x\n }\n}\n", 4,
	     "not an identity"},
	    {"secrets {\n ike = TOPSECRET\n}\n", 2, "section"},
	    {"secrets {\n foo { secret = TOPSECRET }\n}\n", 2, "foo"},
	    {"secrets {\n eap-1 {\n  secret = TOPSECRET\n }\n}\n", 2, "eap are not supported yet"},
	    {"secrets {\n xauth { secret = TOPSECRET }\n}\n", 2, "xauth are not supported yet"},
	    {"secrets {\n ntlm { secret = TOPSECRET }\n}\n", 2, "ntlm are not supported yet"},
	    {"secrets {\n ppk-x { secret = TOPSECRET }\n}\n", 2, "ppk are not supported yet"},
	    {"secrets {\n private { secret = TOPSECRET }\n}\n", 2, "file is missing"},
	    {"secrets {\n rsa { secret = TOPSECRET }\n}\n", 2, "file is missing"},
	    {"secrets {\n ecdsa { secret = TOPSECRET }\n}\n", 2, "file is missing"},
	    {"secrets {\n pkcs8 { secret = TOPSECRET }\n}\n", 2, "file is missing"},
	    {"secrets {\n pkcs12 { secret = TOPSECRET }\n}\n", 2, "pkcs12 are not supported yet"},
	    {"secrets {\n token { pin = TOPSECRET }\n}\n", 2, "token are not supported yet"},
	    {"secrets {\n ike { secret = TOPSECRET\n", 0, ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char err[512] = "", want[128];

		conf_write(rows[i].text);
		errno = 0;
		assert_null(keys_start(base, "/proc/self/exe", conf_path, err, sizeof(err)));
		assert_int_equal(errno, EINVAL);
		snprintf(want, sizeof(want), "%s:%d: ", conf_path, rows[i].line);
		if (rows[i].line && strncmp(err, want, strlen(want)))
			fail_msg("case %zu: \"%s\" does not start with \"%s\"", i, err, want);
		if (!strstr(err, rows[i].says))
			fail_msg("case %zu: \"%s\" does not say \"%s\"", i, err, rows[i].says);
		assert_null(strstr(err, "TOPSECRET"));
		assert_null(strstr(err, "TOP SECRET"));
	}
}

static void test_no_program(void **state)
{
	char err[256] = "";

	(void)state;
	conf_write("");
	assert_null(keys_start(base, "/nonexistent/xdpsecd", conf_path, err, sizeof(err)));
	assert_int_equal(errno, ENOENT);
	assert_non_null(strstr(err, "/nonexistent/xdpsecd"));
	/* a program that is something else */
	assert_null(keys_start(base, "/bin/true", conf_path, err, sizeof(err)));
	assert_non_null(strstr(err, "before it was ready"));
}

static void test_list(void **state)
{
	static struct keys_entry e[300];
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);
	struct keys *k;

	(void)state;
	fprintf(f, "secrets {\n");
	for (int i = 0; i < 200; i++)
		fprintf(f, "ike-%d { id-a = a%d.example\n id-b = 192.0.2.1\n secret = SEKRET%d }\n",
			i, i, i);
	fprintf(f, "}\n");
	fclose(f);
	k = start(text);
	free(text);
	assert_int_equal(keys_list(k, e, 300), 200);
	assert_string_equal(e[0].kind, "ike");
	assert_string_equal(e[0].name, "ike-0");
	assert_string_equal(e[0].ids, "a0.example, 192.0.2.1");
	assert_string_equal(e[199].name, "ike-199");
	for (int i = 0; i < 200; i++)
		assert_null(memmem(&e[i], sizeof(e[i]), "SEKRET", 6));
	assert_int_equal(keys_list(k, e, 70), 70);
	assert_string_equal(e[69].name, "ike-69");
	assert_int_equal(keys_list(k, e, 0), 0);
	keys_stop(k);
}

/* Answers that come while the list is fetched reach their callback from the loop, not from inside.
 */
static void test_list_between(void **state)
{
	struct keys *k = start("secrets { ike { secret = x } }\n");
	struct ike_id a = id_of("a.example");
	struct keys_entry e[4];
	struct got g = {0};

	(void)state;
	for (int i = 0; i < 50; i++)
		assert_int_equal(keys_psk_mac(k, &a, &a, 5, slice_of("o", 1), slice_of(NULL, 0), on_mac, &g, ref), 0);
	assert_int_equal(keys_list(k, e, 4), 1);
	assert_int_equal(g.calls, 0);
	wait_calls(&g, 50);
	assert_int_equal(g.mac.error, 0);
	keys_stop(k);
}

/* Two octets in one request: the MACs that two requests give; together no longer than one may be. */
static void test_two_at_once(void **state)
{
	struct keys *k = start("secrets { ike { secret = x } }\n");
	struct slice one = slice_of("one", 3), two = slice_of("number two", 10);
	static uint8_t big[KEYS_OCTETS_MAX];
	struct ike_id a = id_of("a.example");
	uint8_t want[CRYPT_PRF_MAX];
	struct got g = {0};

	(void)state;
	assert_int_equal(keys_psk_mac(k, &a, &a, PRF_HMAC_SHA2_256, one, two, on_mac, &g, ref), 0);
	wait_calls(&g, 1);
	assert_int_equal(g.mac.error, 0);
	assert_int_equal(g.mac.len, 32);
	assert_int_equal(g.mac.more_len, 32);
	assert_int_equal(auth_psk(PRF_HMAC_SHA2_256, slice_of("x", 1), &one, 1, want), 0);
	assert_memory_equal(g.mac.mac, want, 32);
	assert_int_equal(auth_psk(PRF_HMAC_SHA2_256, slice_of("x", 1), &two, 1, want), 0);
	assert_memory_equal(g.mac.more, want, 32);
	assert_int_equal(keys_psk_mac(k, &a, &a, PRF_HMAC_SHA2_256, one, slice_of(NULL, 0), on_mac, &g, ref), 0);
	wait_calls(&g, 2);
	assert_int_equal(g.mac.more_len, 0);
	assert_int_equal(keys_psk_mac(k, &a, &a, 5, one, slice_of(big, KEYS_OCTETS_MAX - 3), on_mac, &g, ref), 0);
	wait_calls(&g, 3);
	assert_int_equal(g.mac.error, 0);
	assert_int_equal(keys_psk_mac(k, &a, &a, 5, one, slice_of(big, KEYS_OCTETS_MAX - 2), on_mac, &g, ref),
			 -EMSGSIZE);
	assert_int_equal(keys_psk_mac(k, &a, &a, 4711, one, two, on_mac, &g, ref), 0);
	wait_calls(&g, 4);
	assert_int_equal(g.mac.error, -ENOTSUP);
	assert_int_equal(g.mac.more_len, 0);
	keys_stop(k);
}

static void test_requests(void **state)
{
	struct keys *k = start("secrets { ike { secret = x } }\n");
	static uint8_t big[KEYS_OCTETS_MAX + 1];
	struct ike_id a = id_of("a.example"), longest = {ID_KEY_ID, slice_of(big, IKE_ID_MAX)};
	struct ike_id too_long = {ID_KEY_ID, slice_of(big, IKE_ID_MAX + 1)};
	struct got g = {0};

	(void)state;
	/* as large as they may be, many at a time: more than the socket takes at once */
	for (int i = 0; i < 100; i++)
		assert_int_equal(keys_psk_mac(k, &longest, &longest, 7,
					      slice_of(big, KEYS_OCTETS_MAX), slice_of(NULL, 0), on_mac, &g, ref),
				 0);
	wait_calls(&g, 100);
	assert_int_equal(g.mac.error, 0);
	assert_int_equal(g.mac.len, 64);
	assert_int_equal(keys_psk_mac(k, &a, &a, 5, slice_of(big, sizeof(big)), slice_of(NULL, 0), on_mac, &g, ref),
			 -EMSGSIZE);
	assert_int_equal(keys_psk_mac(k, &too_long, &a, 5, slice_of(big, 1), slice_of(NULL, 0), on_mac, &g, ref),
			 -EMSGSIZE);
	assert_int_equal(keys_psk_mac(k, &a, &too_long, 5, slice_of(big, 1), slice_of(NULL, 0), on_mac, &g, ref),
			 -EMSGSIZE);
	g.calls = 0;
	assert_int_equal(keys_psk_mac(k, &a, &a, 4711, slice_of(big, 1), slice_of(NULL, 0), on_mac, &g, ref), 0);
	wait_calls(&g, 1);
	assert_int_equal(g.mac.error, -ENOTSUP);
	/* open requests are dropped without callback */
	g.calls = 0;
	assert_int_equal(keys_psk_mac(k, &a, &a, 5, slice_of(big, 1), slice_of(NULL, 0), on_mac, &g, ref), 0);
	keys_stop(k);
	event_base_loop(base, EVLOOP_NONBLOCK);
	assert_int_equal(g.calls, 0);
}

static void wait_restart(struct keys *k, int old)
{
	uint64_t until = now_ms() + 10000;

	while ((keys_pid(k) == old || !keys_pid(k)) && now_ms() < until)
		event_base_loop(base, EVLOOP_ONCE);
	assert_true(keys_pid(k) > 0 && keys_pid(k) != old);
}

/* An ended role is not left as a zombie. */
static void wait_gone(int pid)
{
	for (int i = 0; i < 500 && !kill(pid, 0); i++) {
		event_base_loop(base, EVLOOP_NONBLOCK);
		usleep(10000);
	}
	assert_int_equal(kill(pid, 0), -1);
}

static void test_killed(void **state)
{
	struct keys *k = start("secrets { ike { secret = x } }\n");
	struct ike_id a = id_of("a.example");
	struct got g = {0}, later = {0};
	int pid = keys_pid(k);
	struct keys_entry e[1];

	(void)state;
	assert_int_equal(kill(pid, SIGSTOP), 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(keys_psk_mac(k, &a, &a, 5, slice_of("o", 1), slice_of(NULL, 0), on_mac, &g, ref), 0);
	event_base_loop(base, EVLOOP_NONBLOCK);
	assert_int_equal(g.calls, 0);
	assert_int_equal(kill(pid, SIGKILL), 0);
	wait_calls(&g, 5);
	assert_int_equal(g.mac.error, -EIO);
	/* a request in between waits for the next role */
	assert_int_equal(keys_list(k, e, 1), -EIO);
	assert_int_equal(keys_psk_mac(k, &a, &a, 5, slice_of("o", 1), slice_of(NULL, 0), on_mac, &later, ref), 0);
	wait_restart(k, pid);
	wait_calls(&later, 1);
	assert_int_equal(later.mac.error, 0);
	assert_secret(k, "a.example", "b.example", "x");
	wait_gone(pid);
	keys_stop(k);
}

/* The file became wrong meanwhile: requests fail, the role is tried again until it is right. */
static void test_restart_fails(void **state)
{
	struct keys *k = start("secrets { ike { secret = x } }\n");
	int pid = keys_pid(k);
	struct ike_id a = id_of("a.example");
	struct got g = {0};

	(void)state;
	conf_write("secrets { ike { secret = 0xqq } }\n");
	assert_int_equal(kill(pid, SIGKILL), 0);
	while (keys_pid(k) == pid)
		event_base_loop(base, EVLOOP_ONCE);
	assert_int_equal(keys_psk_mac(k, &a, &a, 5, slice_of("o", 1), slice_of(NULL, 0), on_mac, &g, ref), 0);
	wait_calls(&g, 1);
	assert_int_equal(g.mac.error, -EIO);
	conf_write("secrets { ike { secret = y } }\n");
	wait_restart(k, pid);
	assert_secret(k, "a.example", "b.example", "y");
	keys_stop(k);
}

static void test_hangs(void **state)
{
	struct keys *k = start("secrets { ike { secret = x } }\n");
	int pid = keys_pid(k);
	struct ike_id a = id_of("a.example");
	struct got g = {0};

	(void)state;
	assert_int_equal(kill(pid, SIGSTOP), 0);
	assert_int_equal(keys_psk_mac(k, &a, &a, 5, slice_of("o", 1), slice_of(NULL, 0), on_mac, &g, ref), 0);
	wait_calls(&g, 1);
	assert_int_equal(g.mac.error, -EIO);
	wait_restart(k, pid);
	assert_secret(k, "a.example", "b.example", "x");
	keys_stop(k);
}

static void test_reload(void **state)
{
	struct keys *k = start("secrets { ike { secret = old } }\n");
	struct ike_id a = id_of("a.example");
	struct slice octets = slice_of("o", 1);
	uint8_t want[CRYPT_PRF_MAX];
	struct got g = {0};
	char err[512] = "";
	int pid = keys_pid(k);

	(void)state;
	conf_write("secrets {\n ike { secret = 0xZZ }\n}\n");
	assert_int_equal(keys_reload(k, conf_path, err, sizeof(err)), -EINVAL);
	assert_non_null(strstr(err, ":2: "));
	assert_int_equal(keys_pid(k), pid);
	assert_secret(k, "a.example", "b.example", "old");

	/* what was asked before is answered with the old secret, what is asked after with the new
	 * one */
	assert_int_equal(kill(pid, SIGSTOP), 0);
	assert_int_equal(keys_psk_mac(k, &a, &a, 5, octets, slice_of(NULL, 0), on_mac, &g, ref), 0);
	conf_write("secrets { ike { secret = new } }\n");
	assert_int_equal(keys_reload(k, conf_path, err, sizeof(err)), 0);
	assert_int_not_equal(keys_pid(k), pid);
	assert_secret(k, "a.example", "b.example", "new");
	assert_int_equal(g.calls, 0);
	assert_int_equal(kill(pid, SIGCONT), 0);
	wait_calls(&g, 1);
	assert_int_equal(g.mac.error, 0);
	assert_int_equal(auth_psk(5, slice_of("old", 3), &octets, 1, want), 0);
	assert_memory_equal(g.mac.mac, want, 32);
	wait_gone(pid);
	keys_stop(k);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_matching),	  cmocka_unit_test(test_no_match),
    cmocka_unit_test(test_no_file),	  cmocka_unit_test(test_encodings),
    cmocka_unit_test(test_mistakes),	  cmocka_unit_test(test_no_program),
    cmocka_unit_test(test_list),	  cmocka_unit_test(test_list_between),
    cmocka_unit_test(test_two_at_once),
    cmocka_unit_test(test_requests),	  cmocka_unit_test(test_killed),
    cmocka_unit_test(test_restart_fails), cmocka_unit_test(test_hangs),
    cmocka_unit_test(test_reload),
};

KEYS_TEST_MAIN("keys", tests)
