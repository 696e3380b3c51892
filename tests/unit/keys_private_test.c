/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/crypt/sig.h"
#include "keys_fixture.h"

#include <errno.h>
#include <time.h>

/* Private keys of the role: every form a file may have, what is refused, signatures, and MACs beside them. */

static void sh(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void sh(const char *fmt, ...)
{
	char command[1024] = "cd ";
	va_list ap;

	strcat(strcat(command, dir), " && umask 077 && (");
	va_start(ap, fmt);
	vsnprintf(command + strlen(command), sizeof(command) - strlen(command) - 32, fmt, ap);
	va_end(ap);
	strcat(command, ") >/dev/null 2>&1");
	if (system(command))
		fail_msg("%s", command);
}

static int setup(void **state)
{
	(void)state;
	sh("rm -rf private rsa ecdsa pkcs8 && mkdir private rsa ecdsa pkcs8");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	sh("rm -rf private rsa ecdsa pkcs8 *.pem *.der");
	return 0;
}

static void keys_make(void)
{
	sh("[ -e rsa.pem ] || openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa.pem");
	sh("for c in P-256 P-384 P-521; do openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:$c -out $c.pem; done");
	sh("for a in ed25519 ed448; do openssl genpkey -algorithm $a -out $a.pem; done");
}

static size_t file_read(const char *name, uint8_t *buf, size_t cap)
{
	char path[160];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "r");
	assert_non_null(f);
	n = fread(buf, 1, cap, f);
	fclose(f);
	return n;
}

struct signed_one {
	unsigned int calls;
	struct keys_signature r;
};

static void on_sign(void *ctx, struct job_ref ref, const struct keys_signature *r)
{
	struct signed_one *s = ctx;

	assert_int_equal(ref.tag, 7);
	s->calls++;
	s->r = *r;
}

static const struct job_ref ref = {1, 2, 7};

static void wait_for(const unsigned int *calls, unsigned int n)
{
	for (int i = 0; i < 20000 && *calls < n; i++)
		event_base_loop(base, EVLOOP_ONCE);
	assert_int_equal(*calls, n);
}

static int ask(struct keys *k, const uint8_t *id, enum sig_scheme scheme, struct keys_signature *out)
{
	struct signed_one s = {0};

	assert_int_equal(keys_sign(k, id, scheme, slice_of("octets", 6), on_sign, &s, ref), 0);
	assert_int_equal(s.calls, 0); /* never inside the call */
	wait_for(&s.calls, 1);
	*out = s.r;
	return s.r.error;
}

/* Each type signs by each scheme that fits it, and by no other. */
static void signs_with_every_type(void **state)
{
	static const char *const names[] = {"rsa", "P-256", "P-384", "P-521", "ed25519", "ed448"};
	struct keys_private key;
	unsigned int n = 0;
	struct keys *k;

	(void)state;
	keys_make();
	sh("cp rsa.pem P-*.pem ed*.pem private/");
	k = start("");
	while (keys_private_at(k, n, &key))
		n++;
	assert_int_equal(n, 6);
	for (size_t i = 0; i < 6; i++) {
		struct keys_signature sig;
		struct sig_key_info info;
		uint8_t spki[SIG_SPKI_MAX];
		char name[32];
		size_t len;

		sh("openssl pkey -in %s.pem -pubout -outform DER -out pub.der", names[i]);
		len = file_read("pub.der", spki, sizeof(spki));
		assert_int_equal(sig_key_check(slice_of(spki, len), &info, NULL), 0);
		assert_true(keys_has_private(k, info.id));
		snprintf(name, sizeof(name), "private/%s.pem", names[i]);
		for (n = 0; keys_private_at(k, n, &key) && strcmp(key.file, name) != 0; n++)
			;
		assert_memory_equal(key.id, info.id, SIG_KEY_ID_LEN);
		assert_int_equal(key.type, info.type);
		assert_int_equal(key.bits, info.bits);
		for (unsigned int s = SIG_NONE; s < SIG_SCHEMES; s++) {
			bool fits = sig_key_fits(&info, s);

			assert_int_equal(ask(k, info.id, s, &sig), fits ? 0 : -ENOTSUP);
			if (!fits)
				continue;
			assert_int_equal(sig_verify(s, slice_of(spki, len), slice_of("octets", 6),
						    slice_of(sig.signature, sig.len)),
					 0);
			assert_int_equal(sig_verify(s, slice_of(spki, len), slice_of("octetz", 6),
						    slice_of(sig.signature, sig.len)),
					 -EBADMSG);
		}
	}
	keys_stop(k);
}

static void unknown_key_and_scheme(void **state)
{
	static const uint8_t nobody[SIG_KEY_ID_LEN] = {1};
	struct keys_signature sig;
	struct signed_one s = {0};
	struct keys *k;

	(void)state;
	k = start("");
	assert_false(keys_has_private(k, nobody));
	assert_int_equal(ask(k, nobody, SIG_ED25519, &sig), -ENOENT);
	assert_int_equal(ask(k, nobody, SIG_SCHEMES, &sig), -EIO); /* refused as malformed */
	assert_int_equal(keys_sign(k, nobody, SIG_ED25519, slice_of(conf_path, 70000), on_sign, &s, ref),
			 -EMSGSIZE);
	keys_stop(k);
}

/* PEM and DER, PKCS#8 and traditional, encrypted or not: the same key. */
static void every_form(void **state)
{
	static const struct {
		const char *make, *conf;
	} rows[] = {
		{"cp rsa.pem private/k", ""},
		{"openssl pkcs8 -topk8 -nocrypt -in rsa.pem -outform DER -out pkcs8/k", ""},
		{"openssl rsa -in rsa.pem -traditional -out rsa/k", ""},
		{"openssl rsa -in rsa.pem -traditional -outform DER -out rsa/k", ""},
		{"openssl rsa -in rsa.pem -traditional -aes256 -passout pass:open -out rsa/k",
		 "secrets { rsa-1 { file = k \n secret = open } }"},
		{"openssl rsa -in rsa.pem -traditional -des3 -passout pass:open -out private/k",
		 "secrets { private { file = k \n secret = 0x6f70656e } }"},
		{"openssl pkcs8 -topk8 -in rsa.pem -passout pass:open -out pkcs8/k",
		 "secrets { pkcs8-x { file = k \n secret = 0sb3Blbg== } }"},
		{"openssl pkcs8 -topk8 -in rsa.pem -passout pass:open -outform DER -out pkcs8/k",
		 "secrets { pkcs8-x { file = k \n secret = open } }"},
		{"openssl ec -in P-384.pem -out ecdsa/k", ""},
		{"openssl ec -in P-384.pem -outform DER -out ecdsa/k", ""},
		{"openssl ec -in P-384.pem -aes128 -passout pass:open -out ecdsa/k",
		 "secrets { ecdsa { file = k \n secret = open } }"},
		/* the same twice is one */
		{"cp rsa.pem private/k; cp rsa.pem rsa/other; cp rsa.pem private/.hidden-editor-file", ""},
	};

	(void)state;
	keys_make();
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct keys_private key;
		struct keys *k;

		sh("rm -f private/* rsa/* ecdsa/* pkcs8/*; %s", rows[i].make);
		k = start(rows[i].conf);
		assert_true(keys_private_at(k, 0, &key));
		assert_false(keys_private_at(k, 1, &key));
		keys_stop(k);
	}
}

static void refused(const char *make, const char *conf, const char *words)
{
	char err[512] = "";
	struct keys *k;

	sh("rm -rf private/* private/.??* rsa/* ecdsa/* pkcs8/*; %s", make);
	conf_write(conf);
	k = keys_start(base, "/proc/self/exe", conf_path, err, sizeof(err));
	if (k || !strstr(err, words))
		fail_msg("%s: '%s' has no '%s'", make, err, words);
	assert_int_equal(errno, EINVAL);
	assert_null(strstr(err, "geheim"));
}

static void what_does_not_open_is_named(void **state)
{
	const char *encrypted = "openssl pkcs8 -topk8 -in rsa.pem -passout pass:right -out private/k";

	(void)state;
	keys_make();
	refused(encrypted, "", "private/k: encrypted: add secrets { private-1 { file = k");
	refused(encrypted, "secrets { private-1 { file = k \n secret = geheim } }",
		"private/k: the passphrase in the secrets section is wrong");
	/* of another folder */
	refused(encrypted, "secrets { rsa-1 { file = k \n secret = right } }", "private/k: encrypted");
	refused("openssl rsa -in rsa.pem -traditional -aes256 -passout pass:right -out rsa/k", "",
		"rsa/k: encrypted: add secrets { rsa-1");
	refused("echo hello > private/k", "", "private/k: no private key");
	refused(": > private/k", "", "private/k: empty");
	refused("mkdir private/k", "", "private/k: not a file");
	refused("head -c 70000 /dev/zero > private/k", "", "private/k: too large");
	refused("openssl pkey -in rsa.pem -pubout -out private/k", "", "private/k: no private key");
	refused("openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out private/k", "",
		"private/k: this key is too weak");
	refused("openssl genpkey -algorithm X25519 -out private/k", "", "private/k: a private key of a kind");
	refused("cp P-256.pem rsa/k", "", "rsa/k: a key of another type");
	refused("cp rsa.pem ecdsa/k", "", "ecdsa/k: a key of another type");
	refused("true", "secrets { pkcs8-9 { file = missing.pem \n secret = geheim } }",
		"pkcs8/missing.pem: secrets.pkcs8-9 has a passphrase for it: No such file");
	refused("true", "secrets { pkcs8 { file = a } }", "secret is missing");
	refused("true", "secrets { pkcs8 { secret = geheim } }", "file is missing");
	refused("true", "secrets { pkcs8 { file = /etc/passwd \n secret = geheim } }", "without a path");
	refused("true", "secrets { pkcs8 { file = a \n id = b \n secret = geheim } }", "unknown key");
	refused("true", "secrets { private { file = a \n secret = 0x00 } }", "zero byte");
	refused("true", "secrets { pkcs12 { file = a \n secret = geheim } }", "not supported yet");
}

/* A reload that cannot open a key changes nothing; one that can brings the new keys. */
static void reload_is_whole_or_not_at_all(void **state)
{
	struct keys_private key, now;
	struct keys_signature sig;
	char err[512];
	struct keys *k;

	(void)state;
	keys_make();
	sh("rm -f private/*; cp P-256.pem private/k");
	k = start("");
	assert_true(keys_private_at(k, 0, &key));
	sh("echo broken > private/k");
	assert_int_equal(keys_reload(k, conf_path, err, sizeof(err)), -EINVAL);
	assert_true(keys_private_at(k, 0, &now));
	assert_memory_equal(&now, &key, sizeof(key));
	assert_int_equal(ask(k, key.id, SIG_ECDSA_256, &sig), 0);
	sh("cp ed25519.pem private/k");
	assert_int_equal(keys_reload(k, conf_path, err, sizeof(err)), 0);
	assert_true(keys_private_at(k, 0, &now));
	assert_int_equal(now.type, SIG_KEY_ED25519);
	assert_int_equal(ask(k, key.id, SIG_ECDSA_256, &sig), -ENOENT);
	assert_int_equal(ask(k, now.id, SIG_ED25519, &sig), 0);
	keys_stop(k);
}

static unsigned int macs_done, signs_at_mac, *signs;

static void on_mac(void *ctx, struct job_ref r, const struct keys_mac *m)
{
	(void)ctx;
	(void)r;
	assert_int_equal(m->error, 0);
	macs_done++;
	signs_at_mac = *signs;
}

/* Behind a queue of slow signatures a MAC waits for the two that are under way, not for all. */
static void a_mac_does_not_wait_for_all_signatures(void **state)
{
	struct ike_id id = {ID_FQDN, slice_of("a", 1)};
	struct signed_one s = {0};
	struct keys_private key;
	struct timespec t0, t1;
	struct keys *k;
	double ms;

	(void)state;
	keys_make();
	sh("rm -f private/*; openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:4096 -out private/k");
	k = start("secrets { ike { secret = x } }");
	assert_true(keys_private_at(k, 0, &key));
	clock_gettime(CLOCK_MONOTONIC, &t0);
	for (int i = 0; i < 40; i++)
		assert_int_equal(keys_sign(k, key.id, SIG_PSS_SHA256, slice_of("o", 1), on_sign, &s, ref), 0);
	signs = &s.calls;
	macs_done = 0;
	assert_int_equal(keys_psk_mac(k, &id, &id, PRF_HMAC_SHA2_256, slice_of("o", 1), slice_of(NULL, 0), on_mac, NULL, ref),
			 0);
	wait_for(&s.calls, 40);
	clock_gettime(CLOCK_MONOTONIC, &t1);
	assert_int_equal(macs_done, 1);
	assert_true(signs_at_mac <= 3);
	ms = (double)(t1.tv_sec - t0.tv_sec) * 1e3 + (double)(t1.tv_nsec - t0.tv_nsec) / 1e6;
	print_message("RSA-4096: %.2f ms a signature\n", ms / 40);
	keys_stop(k);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(signs_with_every_type, setup, teardown),
	cmocka_unit_test_setup_teardown(unknown_key_and_scheme, setup, teardown),
	cmocka_unit_test_setup_teardown(every_form, setup, teardown),
	cmocka_unit_test_setup_teardown(what_does_not_open_is_named, setup, teardown),
	cmocka_unit_test_setup_teardown(reload_is_whole_or_not_at_all, setup, teardown),
	cmocka_unit_test_setup_teardown(a_mac_does_not_wait_for_all_signatures, setup, teardown),
};
KEYS_TEST_MAIN("keys_private", tests)
