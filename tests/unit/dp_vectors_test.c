/* SPDX-License-Identifier: BSD-2-Clause */
#include "vectors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <libgen.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * The vectors program from outside: lines to its input, lines from its output.
 */
static FILE *to, *from;
static char program[4096];
static pid_t pid;

static json_t *ask_line(const char *line)
{
	static char buf[1 << 16];
	json_t *v;

	fprintf(to, "%s\n", line);
	fflush(to);
	if (!fgets(buf, sizeof(buf), from))
		fail_msg("no answer to %.100s", line);
	v = json_loads(buf, 0, NULL);
	assert_non_null(v);
	return v;
}

static const char *text_of(json_t *v, const char *key)
{
	const char *s = json_string_value(json_object_get(v, key));

	return s ? s : "";
}

#define KEY "000102030405060708090a0b0c0d0e0f10111213"
#define SEAL(more) "{\"op\":\"esp-seal\",\"encr\":\"aes128gcm16\",\"key\":\"" KEY "\"" more "}"

/* ---- bad input ----------------------------------------------------------------------------------- */

static void errors(void **state)
{
	static const char *const rows[][2] = {
		{"{", "not JSON"},
		{"\"op\"", "not JSON"},
		{"[]", "not an object"},
		{"{}", "op: missing"},
		{"{\"op\":7}", "op: not a string"},
		{"{\"op\":\"nothing\"}", "op: no such operation"},
		{"{\"op\":\"replay\",\"op\":\"replay\"}", "not JSON"},
		{"{\"op\":\"replay\",\"seq\":[1],\"windows\":64}", "windows: no field"},
		{"{\"op\":\"replay\"}", "seq: not a list"},
		{"{\"op\":\"replay\",\"seq\":[1],\"window\":31}", "window: 0 or 32"},
		{"{\"op\":\"replay\",\"seq\":[1],\"window\":4097}", "window: 0 or 32"},
		{"{\"op\":\"replay\",\"seq\":[1],\"window\":-1}", "window: negative"},
		{"{\"op\":\"replay\",\"seq\":[1],\"esn\":1}", "esn: neither"},
		{"{\"op\":\"replay\",\"seq\":[\"x\"]}", "seq: not a number"},
		{"{\"op\":\"replay\",\"seq\":[4294967296]}", "seq: larger"},
		{"{\"op\":\"replay\",\"seq\":[1.5]}", "seq: not a number"},
		{"{\"op\":\"esp-seal\"}", "encr: missing"},
		{SEAL(""), "packet: missing"},
		{SEAL(",\"packet\":\"\""), "packet: shorter"},
		{SEAL(",\"packet\":\"45\""), "packet: shorter"},
		{SEAL(",\"packet\":\"50\""), "packet: neither"},
		{SEAL(",\"packet\":\"4\""), "packet: not pairs"},
		{SEAL(",\"packet\":\"4g\""), "packet: not pairs"},
		{SEAL(",\"integ\":\"sha256\""), "encr: is an AEAD"},
		{SEAL(",\"integ\":\"aes128\""), "integ: no such"},
		{SEAL(",\"integ_key\":\"00\""), "integ_key: 1 bytes"},
		{SEAL(",\"salt\":\"00\""), "key: 21 bytes"},
		{SEAL(",\"seq\":0"), "seq: 0"},
		{SEAL(",\"seq\":4294967296"), "seq: 0, or more"},
		{SEAL(",\"iv\":\"00\""), "iv: not 8"},
		{SEAL(",\"src\":\"x\""), "src: no address"},
		{SEAL(",\"src\":\"2001:db8::1\""), "two families"},
		{SEAL(",\"sport\":4500"), "one UDP port"},
		{SEAL(",\"sport\":65536"), "sport: larger"},
		{SEAL(",\"backend\":\"qat\""), "backend: neither"},
		{"{\"op\":\"esp-open\",\"encr\":\"aes128\",\"key\":\"00\"}", "encr: needs integ"},
		{"{\"op\":\"esp-open\",\"encr\":\"des\"}", "encr: no such"},
		{SEAL(",\"mode\":\"beet\""), "mode: neither"},
		{"{\"op\":\"esp-open\",\"encr\":\"aes128gcm16\",\"key\":\"" KEY "\",\"packet\":\"45\"}",
		 "packet: shorter"},
		{"{\"op\":\"esp-open\",\"encr\":\"aes128gcm16\",\"key\":\"" KEY "\",\"esp\":\"00\"}",
		 "esp: shorter"},
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *v = ask_line(rows[i][0]);

		if (!strstr(text_of(v, "error"), rows[i][1]))
			fail_msg("%s: \"%s\"", rows[i][0], text_of(v, "error"));
		json_decref(v);
	}
}

static void long_line(void **state)
{
	char *line = malloc((2 << 20) + 1);
	json_t *v;

	(void)state;
	assert_non_null(line);
	memset(line, '[', 2 << 20);
	line[2 << 20] = '\0';
	v = ask_line(line);
	assert_non_null(strstr(text_of(v, "error"), "1 MB"));
	json_decref(v);
	line[1 << 19] = '\0'; /* deeper than a parser may go */
	v = ask_line(line);
	assert_non_null(strstr(text_of(v, "error"), "not JSON"));
	json_decref(v);
	free(line);
}

/* ---- replay --------------------------------------------------------------------------------------- */

static void replay_one(const char *request, const char *expect, const char *top)
{
	json_t *v = ask_line(request), *r;
	char got[256] = "";
	size_t i;

	json_array_foreach(json_object_get(v, "result"), i, r)
		strncat(got, json_string_value(r), 1);
	if (strcmp(got, expect) != 0 || strcmp(text_of(v, "top"), top) != 0)
		fail_msg("%s: %s, top %s %s", request, got, text_of(v, "top"), text_of(v, "error"));
	json_decref(v);
}

static void replay(void **state)
{
	(void)state;
	replay_one("{\"op\":\"replay\",\"window\":32,\"seq\":[1,2,2,0,40,9,8,40]}", "aarraarr", "40");
	replay_one("{\"op\":\"replay\",\"window\":0,\"seq\":[5,5,1,0]}", "aaar", "5");
	replay_one("{\"op\":\"replay\",\"window\":64,\"esn\":true,"
		   "\"seq\":[4294967200,4294967290,\"4294967300\",4294967290,\"0x100000001\",4294967291]}",
		   "aaaraa", "4294967300");
	/* further ahead than half of the space: the window cannot know */
	replay_one("{\"op\":\"replay\",\"window\":64,\"esn\":true,\"seq\":[100,\"0x200000001\"]}", "ah", "100");
}

/* ---- ESP ------------------------------------------------------------------------------------------ */

static json_t *ask(json_t *request)
{
	char *line = json_dumps(request, JSON_COMPACT);
	json_t *v = ask_line(line);

	free(line);
	json_decref(request);
	return v;
}

static bool cryptodev_here(void)
{
	json_t *v = ask_line(SEAL(",\"backend\":\"cryptodev\",\"packet\":\"4500001400000000400000000a0000010a000002\""));
	bool here = !json_object_get(v, "error");

	json_decref(v);
	return here;
}

/* One vector for both operations: it must open to the packet, and the packet must seal to it. */
struct esp_vector {
	const char *name, *encr, *integ, *key, *salt, *integ_key, *iv, *esp, *packet;
	uint64_t high; /* of the sequence number, with esn */
	bool esn;
};

static json_t *request_of(const struct esp_vector *t, const char *op, const char *backend)
{
	uint64_t seq = t->high << 32 | strtoul((char[]){t->esp[8], t->esp[9], t->esp[10], t->esp[11], t->esp[12],
							t->esp[13], t->esp[14], t->esp[15], 0}, NULL, 16);
	json_t *r = json_pack("{s:s, s:s, s:s, s:s, s:s*, s:s*, s:s*, s:b}", "op", op, "backend", backend, "encr",
			      t->encr, "key", t->key, "salt", t->salt, "integ", t->integ, "integ_key",
			      t->integ_key, "esn", t->esn);

	assert_non_null(r);
	json_object_set_new(r, "seq", json_integer((json_int_t)seq));
	return r;
}

static void esp_one(const struct esp_vector *t, const char *backend)
{
	json_t *r = request_of(t, "esp-open", backend), *v;
	char spi[] = "0x12345678", flipped[4096];
	size_t n = strlen(t->esp);

	memcpy(spi + 2, t->esp, 8);
	json_object_set_new(r, "esp", json_string(t->esp));
	v = ask(r);
	if (strcmp(text_of(v, "packet"), t->packet) != 0)
		fail_msg("%s, %s: open: %s%s", t->name, backend, text_of(v, "drop"), text_of(v, "error"));
	json_decref(v);

	snprintf(flipped, sizeof(flipped), "%s", t->esp);
	flipped[n - 1] = flipped[n - 1] == '0' ? '1' : '0';
	r = request_of(t, "esp-open", backend);
	json_object_set_new(r, "esp", json_string(flipped));
	v = ask(r);
	assert_string_equal(text_of(v, "drop"), "integ_error");
	assert_true(json_is_false(json_object_get(v, "authentic")));
	json_decref(v);

	r = request_of(t, "esp-seal", backend);
	json_object_set_new(r, "packet", json_string(t->packet));
	json_object_set_new(r, "spi", json_string(spi));
	if (t->iv)
		json_object_set_new(r, "iv", json_string(t->iv));
	v = ask(r);
	if (strcmp(text_of(v, "esp"), t->esp) != 0)
		fail_msg("%s, %s: seal: %s%s%s", t->name, backend, text_of(v, "esp"), text_of(v, "drop"),
			 text_of(v, "error"));
	json_decref(v);
}

static void esp_all(const struct esp_vector *t)
{
	esp_one(t, "openssl");
	if (cryptodev_here())
		esp_one(t, "cryptodev");
}

/* There and back in transport mode, plain and in UDP, IPv4 and IPv6. */
static void transport_mode(void **state)
{
	static const char v4[] = "4500001c1234400011010000c0000201c000020208000000aabbccdd";

	(void)state;
	for (int i = 0; i < 4; i++) {
		const char *packet = i & 1 ? "60000000000c3a1120010db8000000000000000000000001"
					     "20010db800000000000000000000000280000000aabbccdd00000000"
					   : v4;
		uint16_t port = i & 2 ? 4500 : 0;
		json_t *v, *r = json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:s, s:s}", "op", "esp-seal", "mode",
					  "transport", "encr", "aes128gcm16", "key", KEY, "packet", packet, "sport",
					  port, "dport", port, "src", i & 1 ? "2001:db8::1" : "192.0.2.1", "dst",
					  i & 1 ? "2001:db8::2" : "192.0.2.2");

		v = ask(r);
		assert_string_equal(text_of(v, "error"), "");
		r = json_pack("{s:s, s:s, s:s, s:s, s:i, s:i, s:s, s:s, s:s}", "op", "esp-open", "mode", "transport",
			      "encr", "aes128gcm16", "key", KEY, "sport", port, "dport", port, "src",
			      i & 1 ? "2001:db8::1" : "192.0.2.1", "dst", i & 1 ? "2001:db8::2" : "192.0.2.2",
			      "packet", text_of(v, "packet"));
		json_decref(v);
		v = ask(r);
		assert_true(json_is_true(json_object_get(v, "authentic")));
		/* the header's sum, left out above, is made; and of ICMPv6 in UDP its own */
		assert_int_equal(strlen(text_of(v, "packet")), strlen(packet));
		assert_memory_equal(text_of(v, "packet"), packet, 20);
		json_decref(v);
	}
}

/* RFC 7634 appendix A */
static void rfc7634(void **state)
{
	const struct esp_vector t = {
		.name = "RFC 7634", .encr = "chacha20poly1305",
		.key = "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f", .salt = "a0a1a2a3",
		.iv = "1011121314151617",
		.esp = "0102030400000005101112131415161724039428b97f417e3c13753a4f05087b67c352e6a7fab1b982d466ef"
		       "407ae5c614ee8099d52844eb61aa95dfab4c02f72aa71e7c4c4f64c9befe2facc638e8f3cbec163fac469b50"
		       "2773f6fb94e664da9165b82829f641e076aaa8266b7fb0f7b11b369907e1ad43",
		.packet = "45000054a6f200004001e778c6336405c000020508005b7a3a080000553bec100007362708090a0b0c0d0e0f"
			  "101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637",
	};

	(void)state;
	esp_all(&t);
}

static const char *string_of(json_t *v, const char *key)
{
	const char *s = json_string_value(json_object_get(v, key));

	return s && *s ? s : NULL;
}

/* The keyword of a vector that says its algorithms by its name: "pkt_aes_128_ctr_hmac_sha256" */
static bool dpdk_names(const char *name, struct esp_vector *t, char encr[32])
{
	static const char *const modes[][2] = {{"_gcm", "gcm16"}, {"_ccm", "ccm16"}, {"_ctr", "ctr"}, {"aes_128_cbc", ""}};
	static const char *const integs[][2] = {
		{"sha256", "sha256"}, {"sha384", "sha384"}, {"sha512", "sha512"}, {"md5", "md5"}, {"xcbc", "aesxcbc"}};

	encr[0] = '\0';
	for (unsigned int i = 0; i < 4 && !encr[0]; i++)
		if (strstr(name, modes[i][0]))
			snprintf(encr, 32, "aes%zu%s", strlen(t->key) * 4, modes[i][1]);
	if (strstr(name, "3des"))
		snprintf(encr, 32, "3des");
	if (strstr(name, "pkt_null_aes_xcbc"))
		snprintf(encr, 32, "null");
	for (unsigned int i = 0; i < 5 && !t->integ; i++)
		if (strstr(name, integs[i][0]))
			t->integ = integs[i][1];
	t->encr = encr;
	return encr[0] && !strstr(name, "ah_") && !strstr(name, "cbc_null");
}

/* Whole packets as DPDK's own tests have them: GCM, CCM, CTR, CBC, 3DES, NULL; IPv4 and IPv6. */
static void dpdk_packets(void **state)
{
	json_t *file = vectors_load("esp_dpdk_full_packets.json"), *v;
	unsigned int done = 0;
	size_t i;

	(void)state;
	if (!file)
		skip();
	json_array_foreach(json_object_get(file, "vectors"), i, v) {
		const char *outer = string_of(v, "protected_packet");
		struct esp_vector t = {.name = string_of(v, "name"), .key = string_of(v, "key"),
				       .salt = string_of(v, "salt"), .integ_key = string_of(v, "auth_key"),
				       .iv = string_of(v, "iv"), .packet = string_of(v, "plain_packet")};
		char encr[32];

		if (!t.key)
			t.key = "";
		if (!dpdk_names(t.name, &t, encr))
			continue;
		t.esp = outer + (outer[0] == '6' ? 80 : 40);
		esp_all(&t);
		done++;
	}
	json_decref(file);
	assert_true(done >= 18);
}

/* Packets that Linux made: GCM, CCM and GMAC, with extended numbers too. */
static void linux_packets(void **state)
{
	static const char *const algs[][2] = {
		{"AES-GCM", "aes128gcm16"}, {"AES-CCM", "aes128ccm8"}, {"AES-NULL-GMAC", "aes128gmac"}};
	json_t *file = vectors_load("esp_linux_reference_packets.json"), *v;
	unsigned int done = 0;
	size_t i;

	(void)state;
	if (!file)
		skip();
	json_array_foreach(json_object_get(file, "vectors"), i, v) {
		const char *algo = string_of(v, "crypt_algo"), *packet = string_of(v, "packet");
		char key[41] = "", iv[17] = "", inner[169] = "";
		struct esp_vector t = {.name = string_of(v, "title"), .key = key, .iv = iv, .packet = inner};

		for (unsigned int k = 0; k < 3; k++)
			if (strcmp(algo, algs[k][0]) == 0)
				t.encr = algs[k][1];
		if (!t.encr)
			continue;
		sscanf(strstr(string_of(v, "xfrm_command"), "'0x") + 3, "%40[0-9a-f]", key);
		t.esn = strstr(t.name, "ESN") != NULL;
		t.high = t.esn; /* they began with the high half 1 */
		t.esp = packet + 40;
		memcpy(iv, t.esp + 16, 16);
		memcpy(inner, string_of(v, "scapy_decrypted_packet") + 40, 168);
		esp_all(&t);
		done++;
	}
	json_decref(file);
	assert_true(done >= 5);
}

/* draft-mcgrew-gcm-test-01: what counts is tag and text, as trailers are odd there on purpose. */
static void mcgrew_packets(void **state)
{
	json_t *file = vectors_load("esp_gcm_mcgrew.json"), *v, *a;
	size_t i;

	(void)state;
	if (!file)
		skip();
	json_array_foreach(json_object_get(file, "vectors"), i, v) {
		char encr[32];

		snprintf(encr, sizeof(encr), "aes%zugcm16", strlen(string_of(v, "key")) * 4);
		a = ask(json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:O}", "op", "esp-open", "encr", encr, "key",
				  string_of(v, "key"), "salt", string_of(v, "salt"), "esp",
				  string_of(v, "esp_packet"), "seq", string_of(v, "seq"), "esn",
				  json_object_get(v, "esn")));
		assert_true(json_is_true(json_object_get(a, "authentic")));
		assert_string_equal(text_of(a, "payload"), string_of(v, "plaintext_with_trailer"));
		assert_string_equal(text_of(a, "seq"), string_of(v, "seq"));
		json_decref(a);
	}
	assert_true(i >= 14);
	json_decref(file);
}

/* ---- start and end ----------------------------------------------------------------------------- */

static int start(void **state)
{
	int in[2], out[2];

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	if (pipe(in) < 0 || pipe(out) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		close(in[0]), close(in[1]), close(out[0]), close(out[1]);
		execl(program, program, (char *)NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	to = fdopen(in[1], "w");
	from = fdopen(out[0], "r");
	return pid > 0 && to && from ? 0 : -1;
}

/* At the end of its input it leaves with 0, whatever it was asked. */
static int end(void **state)
{
	int status;

	(void)state;
	fclose(to);
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status))
		return -1;
	fclose(from);
	return 0;
}

/* ---- key derivation and messages of IKE ------------------------------------------------------------ */

#define KDF "{\"op\":\"kdf\",\"encr\":\"aes128gcm16\",\"prf\":\"prfsha256\",\"ni\":\"00\","

static void kdf_errors(void **state)
{
	static const char *const rows[][2] = {
		{"{\"op\":\"kdf\"}", "of: missing"},
		{KDF "\"of\":\"esp\"}", "of: ike, rekey or child"},
		{KDF "\"of\":\"ike\"}", "shared: missing"},
		{KDF "\"of\":\"ike\",\"shared\":\"01\",\"spi_i\":\"01\"}", "spi_i: not 8 bytes"},
		{KDF "\"of\":\"rekey\",\"shared\":\"01\",\"spi_i\":\"0102030405060708\",\"spi_r\":\"0102030405060708\"}",
		 "sk_d: missing"},
		{KDF "\"of\":\"child\"}", "sk_d: missing"},
		{KDF "\"of\":\"child\",\"sk_d\":\"00\",\"integ\":\"sha256\"}", "not possible"},
		{KDF "\"of\":\"child\",\"sk_d\":\"00\",\"integ\":\"rot13\"}", "integ: no such algorithm"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *v = ask_line(rows[i][0]);

		if (!strstr(text_of(v, "error"), rows[i][1]))
			fail_msg("%s: '%s', not '%s'", rows[i][0], text_of(v, "error"), rows[i][1]);
		json_decref(v);
	}
}

static json_t *ask_value(json_t *request)
{
	char *line = json_dumps(request, JSON_COMPACT);
	json_t *v = ask_line(line);

	if (*text_of(v, "error"))
		fail_msg("%.200s: %s", line, text_of(v, "error"));
	free(line);
	json_decref(request);
	return v;
}

/* The keys of the answer in their order against the vector's material, as far as both go. Compared hex digits. */
static size_t same_material(json_t *answer, const char *const *keys, const char *material)
{
	char all[4096] = "";
	size_t n;

	for (; *keys; keys++)
		strcat(all, text_of(answer, *keys));
	n = strlen(all) < strlen(material) ? strlen(all) : strlen(material);
	if (strncmp(all, material, n) != 0)
		fail_msg("%s, not %s", all, material);
	json_decref(answer);
	return n;
}

static void kdf_of_nist(void **state)
{
	static const char *const ike[] = {"sk_d", "sk_ai", "sk_ar", "sk_ei", "sk_er", "sk_pi", "sk_pr", NULL};
	static const char *const child[] = {"encr_i", "integ_i", "encr_r", "integ_r", NULL};
	static const char *const hashes[][2] = {
		{"SHA-1", "prfsha1"}, {"SHA2-256", "prfsha256"}, {"SHA2-384", "prfsha384"}, {"SHA2-512", "prfsha512"}};
	json_t *file = vectors_load("ikev2_kdf.json"), *v;
	size_t i, n = 0;

	(void)state;
	if (!file)
		skip();
	json_array_foreach(json_object_get(file, "vectors"), i, v) {
		const char *prf = NULL;
		char sk_d[256];

		for (size_t k = 0; k < 4; k++)
			if (strcmp(hashes[k][0], text_of(v, "hash")) == 0)
				prf = hashes[k][1];
		assert_non_null(prf);
		n += same_material(ask_value(json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "op", "kdf", "of", "ike",
						       "encr", "aes128gcm16", "prf", prf, "ni", text_of(v, "ni"), "nr",
						       text_of(v, "nr"), "shared", text_of(v, "gir"), "spi_i",
						       text_of(v, "spii"), "spi_r", text_of(v, "spir"))),
				   ike, text_of(v, "dkm"));
		if (!*text_of(v, "dkm_child"))
			continue;
		snprintf(sk_d, sizeof(sk_d), "%.*s", (int)strlen(text_of(v, "skeyseed")), text_of(v, "dkm"));
		for (int pfs = 0; pfs < 2; pfs++)
			n += same_material(ask_value(json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "op", "kdf", "of",
							       "child", "encr", "aes256", "integ", "sha512", "prf", prf,
							       "ni", text_of(v, "ni"), "nr", text_of(v, "nr"), "sk_d",
							       sk_d, "shared", pfs ? text_of(v, "gir_new") : "")),
					   child, text_of(v, pfs ? "dkm_child_dh" : "dkm_child"));
	}
	assert_true(n > 1000);
	json_decref(file);
}

static void decode_errors(void **state)
{
	static const char *const rows[][2] = {
		{"{\"op\":\"decode\"}", "datagram: missing"},
		{"{\"op\":\"decode\",\"datagram\":\"0\"}", "not pairs of hex digits"},
		{"{\"op\":\"decode\",\"datagram\":\"00\",\"keys\":7}", "keys: not a list"},
		{"{\"op\":\"decode\",\"datagram\":\"00\",\"keys\":[\"x\"]}", "keys: line 0"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *v = ask_line(rows[i][0]);

		if (!strstr(text_of(v, "error"), rows[i][1]))
			fail_msg("%s: '%s', not '%s'", rows[i][0], text_of(v, "error"), rows[i][1]);
		json_decref(v);
	}
}

static void decode_of_wireshark(void **state)
{
	json_t *file = vectors_load("ikev2_ccm12_wireshark.json"), *m, *answer, *sk;
	unsigned int opened = 0;
	char line[512];
	size_t i;

	(void)state;
	if (!file)
		skip();
	snprintf(line, sizeof(line), "%s,%s,%s,%s,\"AES-CCM-128 with 12 octet ICV [RFC5282]\",,,\"NONE [RFC4306]\"",
		 text_of(file, "spi_i"), text_of(file, "spi_r"), text_of(file, "sk_ei"), text_of(file, "sk_er"));
	json_array_foreach(json_object_get(file, "messages"), i, m) {
		answer = ask_value(json_pack("{s:s,s:s,s:[s]}", "op", "decode", "datagram", text_of(m, "message"), "keys",
					     line));
		assert_null(json_object_get(json_object_get(answer, "ike"), "error"));
		sk = json_array_get(json_object_get(json_object_get(answer, "ike"), "payloads"), 0);
		if (strcmp(text_of(sk, "payload"), "SK") == 0) {
			assert_string_equal(text_of(sk, "keys"), "right");
			opened++;
		}
		json_decref(answer);
	}
	assert_int_equal(opened, 2);
	json_decref(file);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errors),
		cmocka_unit_test(long_line),
		cmocka_unit_test(replay),
		cmocka_unit_test(transport_mode),
		cmocka_unit_test(rfc7634),
		cmocka_unit_test(dpdk_packets),
		cmocka_unit_test(linux_packets),
		cmocka_unit_test(mcgrew_packets),
		cmocka_unit_test(kdf_errors),
		cmocka_unit_test(kdf_of_nist),
		cmocka_unit_test(decode_errors),
		cmocka_unit_test(decode_of_wireshark),
	};

	(void)argc;
	snprintf(program, sizeof(program), "%s/../vectors/vectors", dirname(argv[0]));
	return cmocka_run_group_tests(tests, start, end);
}
