/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/xdpsec/cli.h"
#include "tools/xdpsec/decode.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* xdpsec decode: what datagrams say, what is wrong with them, captures, keys. */

static const struct ike_hdr hdr = {.spi_i = 0x1122334455667788,
				   .spi_r = 0x99aabbccddeeff00,
				   .version = IKE_VERSION,
				   .exchange = IKE_AUTH,
				   .flags = IKE_FLAG_INITIATOR,
				   .mid = 1};
static const struct ike_suite suites[] = {
	{ENCR_AES_GCM_16, 256, PRF_HMAC_SHA2_256, AUTH_NONE, KE_CURVE25519},
	{ENCR_AES_CBC, 128, PRF_HMAC_SHA2_256, AUTH_HMAC_SHA2_256_128, KE_CURVE25519},
};

static struct msg_wr chain;
static uint8_t chain_buf[4096], out_buf[8192];

static void chain_begin(void)
{
	msg_wr_init(&chain, chain_buf, sizeof(chain_buf));
}

static void put_some(void)
{
	struct ike_id id = {.type = ID_FQDN, .data = slice_of("gw.example", 10)};
	static const uint32_t spis[] = {0xc0ffee01, 2};

	msg_put_id(&chain, IKE_PL_IDI, &id);
	msg_put_notify(&chain, 0, N_INITIAL_CONTACT, slice_of(NULL, 0), slice_of(NULL, 0));
	msg_put_delete(&chain, IKE_PROTO_ESP, spis, 2);
	msg_put_delete(&chain, IKE_PROTO_AH, spis + 1, 1);
	msg_put_notify(&chain, 0, N_IPCOMP_SUPPORTED, slice_of(NULL, 0), slice_of("\x01\x23\x02", 3));
}

static struct slice plain_message(void)
{
	struct wr w = wr_of(out_buf, sizeof(out_buf));

	assert_int_equal(msg_seal_plain(&hdr, &chain, &w), 0);
	return wr_slice(&w);
}

/* The text for people and the value; the caller drops the value. */
static char text[16384];

static json_t *decoded(struct slice datagram, const struct decode_keys *keys, struct joiner *join)
{
	uint8_t *exact = malloc(datagram.n ? datagram.n : 1);
	json_t *ike, *frame;
	FILE *f = fmemopen(text, sizeof(text), "w");

	memcpy(exact, datagram.p, datagram.n);
	ike = decode_ike(slice_of(exact, datagram.n), keys, join);
	free(exact);
	frame = json_pack("{s:i, s:O}", "number", 1, "ike", ike);
	decode_print(f, frame);
	fclose(f);
	json_decref(frame);
	return ike;
}

static void assert_says(const char *what)
{
	if (!strstr(text, what))
		fail_msg("'%s' is not in:\n%s", what, text);
}

static const json_t *payload(const json_t *of, unsigned int i)
{
	return json_array_get(json_object_get(of, "payloads"), i);
}

/* ---- messages ------------------------------------------------------------------------------------------ */

static void in_clear(void **state)
{
	json_t *o;

	(void)state;
	chain_begin();
	put_some();
	o = decoded(plain_message(), NULL, NULL);
	assert_string_equal(text_of(o, "exchange"), "IKE_AUTH");
	assert_string_equal(text_of(o, "spi_i"), "1122334455667788");
	assert_int_equal(number_of(o, "mid"), 1);
	assert_true(json_is_true(json_object_get(o, "initiator")));
	assert_null(json_object_get(o, "error"));
	assert_string_equal(text_of(payload(o, 0), "id"), "gw.example");
	assert_int_equal(number_of(payload(o, 0), "at"), 28);
	assert_string_equal(text_of(payload(o, 1), "notify"), "INITIAL_CONTACT");
	assert_int_equal(number_of(payload(o, 1), "at"), 28 + 8 + 10);
	assert_says("IKE_AUTH request 1 of the initiator  1122334455667788:99aabbccddeeff00");
	assert_says("IDi ID_FQDN gw.example");
	assert_says("D ESP c0ffee01 00000002");
	assert_says("D AH 00000002");
	assert_says("IPCOMP_SUPPORTED CPI 0123 DEFLATE");
	assert_int_equal(number_of(payload(o, 4), "cpi"), 0x123);
	json_decref(o);
}

static void proposals_by_name(void **state)
{
	struct proposals sa = {.n = 1};
	struct ts_list ts = {.n = 1};
	json_t *o;

	(void)state;
	sa.p[0] = (struct proposal){.number = 1, .proto = IKE_PROTO_ESP, .spi_len = 4, .spi = {1, 2, 3, 4}, .n = 4};
	sa.p[0].t[0] = (struct transform){IKE_T_ENCR, ENCR_AES_GCM_16, 256};
	sa.p[0].t[1] = (struct transform){IKE_T_ENCR, 999, 64};
	sa.p[0].t[2] = (struct transform){IKE_T_KE, KE_CURVE25519, 0};
	sa.p[0].t[3] = (struct transform){IKE_T_ESN, ESN_NO, 0};
	assert_int_equal(addr_parse("10.1.0.0", &ts.ts[0].lo), 0);
	assert_int_equal(addr_parse("10.1.0.255", &ts.ts[0].hi), 0);
	ts.ts[0].port_hi = 65535;
	chain_begin();
	msg_put_sa(&chain, &sa);
	msg_put_ts(&chain, IKE_PL_TSI, &ts);
	msg_put_auth(&chain, AUTH_METHOD_PSK, slice_of("0123456789", 10));
	msg_put_notify(&chain, 0, N_INVALID_KE_PAYLOAD, slice_of(NULL, 0), slice_of("\0\x13", 2));
	msg_put_notify(&chain, 0, N_SIGNATURE_HASH_ALGORITHMS, slice_of(NULL, 0), slice_of("\0\x2\0\x5\0\x9", 6));
	msg_put_notify(&chain, 0, 40001, slice_of(NULL, 0), slice_of("abc", 3));
	msg_put_raw(&chain, 200, slice_of("abc", 3));
	o = decoded(plain_message(), NULL, NULL);
	assert_says("proposal 1 ESP SPI 01020304: ENCR AES_GCM_16_256 999/64, KE CURVE_25519, ESN NO_EXT_SEQ");
	assert_says("TSi 10.1.0.0/24");
	assert_says("AUTH shared key");
	assert_says("N INVALID_KE_PAYLOAD (error) wants ECP_256");
	assert_says("SIGNATURE_HASH_ALGORITHMS SHA2-256 Identity 9");
	assert_says("N notify 40001 616263");
	assert_says("payload 200 616263");
	json_decref(o);
}

static void where_and_which_rule(void **state)
{
	uint8_t *p = out_buf;
	struct slice s;
	json_t *o;
	const json_t *e;

	(void)state;
	chain_begin();
	put_some();
	msg_put_nonce(&chain, slice_of("0123456789abcdef", 16));
	s = plain_message();
	/* the Delete says ESP with SPIs of 5 bytes */
	p[28 + 18 + 8 + 5] = 5;
	o = decoded(s, NULL, NULL);
	e = json_object_get(o, "error");
	assert_string_equal(text_of(e, "payload"), "D");
	assert_int_equal(number_of(e, "at"), 28 + 18 + 8);
	assert_non_null(strstr(text_of(e, "rule"), "RFC 7296 3.11"));
	assert_says("MALFORMED: D at byte 54: payload malformed: SPIs must have 4 bytes");
	assert_says("No 30313233"); /* what comes behind it is shown all the same */
	json_decref(o);
	p[28 + 18 + 8 + 5] = 4;
	/* a length beyond the end */
	p[28 + 2] = 9;
	o = decoded(s, NULL, NULL);
	e = json_object_get(o, "error");
	assert_int_equal(number_of(e, "at"), 28);
	assert_says("MALFORMED: IDi at byte 28: shorter than its contents");
	json_decref(o);
	p[28 + 2] = 0;
	p[27]++;
	o = decoded(s, NULL, NULL);
	assert_says("length in the header");
	json_decref(o);
	o = decoded(slice_of(p, 20), NULL, NULL);
	assert_says("MALFORMED: message at byte 0: shorter than its contents");
	json_decref(o);
	p[17] = 0x10;
	o = decoded(s, NULL, NULL);
	assert_says("IKE 1.0 exchange 35");
	json_decref(o);
}

/* Each cut and each changed byte: no crash under the sanitizer, and always something to print. */
static void broken_anyhow(void **state)
{
	struct slice s;

	(void)state;
	chain_begin();
	put_some();
	msg_put_cert(&chain, IKE_PL_CERT, 4, slice_of("0123456789", 10));
	msg_put_cert(&chain, IKE_PL_CERTREQ, 4, slice_of("0123456789012345678901234", 25));
	msg_put_raw(&chain, IKE_PL_CP, slice_of("\1\0\0\0\0\1\0\4abcd\0\2\0\x9" "abc", 19));
	msg_put_raw(&chain, IKE_PL_EAP, slice_of("\1\2\0\x9\1abcd", 9));
	s = plain_message();
	for (size_t i = 0; i < s.n; i++) {
		json_decref(decoded(slice_of(s.p, i), NULL, NULL));
		for (unsigned int bit = 0; bit < 8; bit++) {
			out_buf[i] ^= (uint8_t)(1u << bit);
			json_decref(decoded(s, NULL, NULL));
			out_buf[i] ^= (uint8_t)(1u << bit);
		}
	}
}

/* ---- keys -------------------------------------------------------------------------------------------------- */

static void keys_for(const struct ike_suite *s, struct ike_keys *k, struct decode_keys *keys)
{
	struct slice nonce = slice_of("0123456789abcdef", 16);
	char line[KEYLOG_LINE_MAX];

	*k = (struct ike_keys){0};
	assert_int_equal(kdf_ike(s, nonce, nonce, nonce, hdr.spi_i, hdr.spi_r, k), 0);
	assert_true(keylog_write_ike(s, hdr.spi_i, hdr.spi_r, k, line, sizeof(line)) > 0);
	assert_int_equal(keys_add(keys, line), 0);
}

static void decrypted(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		struct wr w = wr_of(out_buf, sizeof(out_buf));
		struct decode_keys keys = {0};
		struct ike_keys k;
		json_t *o;

		chain_begin();
		put_some();
		keys_for(&suites[i], &k, &keys);
		assert_int_equal(sk_seal(&suites[i], &k.ei, &k.ai, 1, &hdr, &chain, &w), 0);
		o = decoded(wr_slice(&w), NULL, NULL);
		assert_string_equal(text_of(payload(o, 0), "keys"), "none");
		json_decref(o);
		o = decoded(wr_slice(&w), &keys, NULL);
		assert_string_equal(text_of(payload(o, 0), "keys"), "right");
		assert_string_equal(text_of(payload(payload(o, 0), 0), "id"), "gw.example");
		assert_says("      IDi ID_FQDN gw.example");
		json_decref(o);
		out_buf[w.n - 1] ^= 1;
		o = decoded(wr_slice(&w), &keys, NULL);
		assert_string_equal(text_of(payload(o, 0), "keys"), "wrong");
		assert_says("WRONG KEYS");
		json_decref(o);
		ike_keys_free(&k);
		keys_free(&keys);
	}
}

static void joined_fragments(void **state)
{
	static const unsigned int order[] = {2, 0, 0, 1};
	struct joiner *join = joiner_new();
	struct decode_keys keys = {0};
	struct ike_keys k;
	size_t part;

	(void)state;
	chain_begin();
	put_some();
	part = chain.w.n / 3;
	keys_for(&suites[0], &k, &keys);
	for (unsigned int i = 0; i < 4; i++) {
		struct wr w = wr_of(out_buf, sizeof(out_buf));
		unsigned int n = order[i];
		struct sk_piece piece = {.first = n ? 0 : chain.first, .number = (uint16_t)(n + 1), .total = 3};
		json_t *o;

		piece.plain = slice_of(chain_buf + n * part, n == 2 ? chain.w.n - 2 * part : part);
		assert_int_equal(sk_seal_piece(&suites[0], &k.ei, &k.ai, i, &hdr, &piece, &w), 0);
		o = decoded(wr_slice(&w), &keys, join);
		assert_says("fragment ");
		assert_int_equal(json_array_size(json_object_get(payload(o, 0), "payloads")), i == 3 ? 5 : 0);
		if (i == 3)
			assert_says("all 3 fragments together:");
		json_decref(o);
	}
	joiner_free(join);
	keys_free(&keys);
	ike_keys_free(&k);
}

static void lines_of_keys(void **state)
{
	static const struct {
		const char *line;
		int err;
	} rows[] = {
		{"1122334455667788,99aabbccddeeff00,00112233445566778899aabbccddeeff00010203,"
		 "00112233445566778899aabbccddeeff00010203,\"AES-GCM-128 with 16 octet ICV [RFC5282]\",,,\"NONE [RFC4306]\"", 0},
		{"0x1122334455667788, 99AABBCCDDEEFF00, 00112233445566778899aabbccddeeff00010203 ,"
		 "00112233445566778899aabbccddeeff00010203,aes-gcm-128 with 16 octet icv,,,", 0},
		{"1122334455667788,99aabbccddeeff00,0011,0011,\"AES-GCM-128 with 16 octet ICV [RFC5282]\",,,\"NONE\"", -EBADMSG},
		{"1122334455667788,99aabbccddeeff00,0011,0011,\"ROT13\",,,\"NONE\"", -ENOTSUP},
		{"11223344,99aabbccddeeff00,0011,0011,\"ROT13\",,,\"NONE\"", -EINVAL},
		{"1122334455667788,99aabbccddeeff0g,0011,0011,\"ROT13\",,,\"NONE\"", -EINVAL},
		{"1122334455667788,99aabbccddeeff00,0011,0011,\"AES", -EINVAL},
		{"1122334455667788,99aabbccddeeff00", -EINVAL},
		{"\"a\" b,c", -EINVAL},
		{"", -EINVAL},
		{"\"IPv4\",\"192.0.2.1\",\"192.0.2.2\",\"0xc0ffee01\",\"AES-GCM [RFC4106]\","
		 "\"0x00112233445566778899aabbccddeeff00010203\",\"NULL\",\"\"", 0},
		{"\"IPv4\",\"*\",\"*\",\"0xc0ffee01\",\"AES-CBC [RFC3602]\",\"0x00112233445566778899aabbccddeeff\","
		 "\"HMAC-SHA-1-96 [RFC2404]\",\"0x0011223344556677889900112233445566778899\"", 0},
		{"\"IPv4\",\"*\",\"*\",\"0xc0ffee01\",\"AES-CBC [RFC3602]\",\"0x0011\",\"NULL\",\"\"", -EBADMSG},
		{"\"IPv4\",\"x\",\"*\",\"0xc0ffee01\",\"AES-GCM [RFC4106]\",\"0x0011\",\"NULL\",\"\"", -EINVAL},
		{"\"IPv4\",\"*\",\"*\",\"0xc0ffee\",\"AES-GCM [RFC4106]\",\"0x0011\",\"NULL\",\"\"", -EINVAL},
	};
	struct decode_keys keys = {0};
	char *longer = malloc(KEYLOG_LINE_MAX + 2);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (keys_add(&keys, rows[i].line) != rows[i].err)
			fail_msg("%s", rows[i].line);
	memset(longer, '1', KEYLOG_LINE_MAX + 1);
	longer[KEYLOG_LINE_MAX + 1] = '\0';
	assert_int_equal(keys_add(&keys, longer), -EINVAL);
	assert_int_equal(keys.n_ike, 2);
	assert_int_equal(keys.n_esp, 2);
	keys_free(&keys);
	free(longer);
}

/* What we write, we read: each cipher and integrity of IKE. */
static void keys_of_every_suite(void **state)
{
	const struct alg *e, *n;

	(void)state;
	for (unsigned int i = 0; (e = alg_at(i)); i++) {
		for (unsigned int k = 0; e->type == IKE_T_ENCR && e->ike && !e->variant && (n = alg_at(k)); k++) {
			struct ike_suite s = {.encr = e->id, .encr_bits = e->key_bits, .prf = PRF_HMAC_SHA2_256};
			struct slice nonce = slice_of("0123456789abcdef", 16);
			char line[KEYLOG_LINE_MAX];
			struct ike_keys keys = {0};
			struct ike_key back;

			if (n->type != IKE_T_INTEG || n->variant || !n->ike)
				continue;
			s.integ = e->aead ? AUTH_NONE : n->id;
			if (kdf_ike(&s, nonce, nonce, nonce, 1, 2, &keys) < 0)
				continue;
			assert_true(keylog_write_ike(&s, 1, 2, &keys, line, sizeof(line)) > 0);
			if (keylog_read_ike(line, &back) != 0)
				fail_msg("%s", line);
			assert_int_equal(back.suite.encr, s.encr);
			assert_int_equal(back.suite.encr_bits, s.encr_bits);
			assert_int_equal(back.suite.integ, s.integ);
			assert_memory_equal(back.er.p, keys.er.p, keys.er.n);
			assert_int_equal(keylog_write_ike(&s, 1, 2, &keys, line, 40), -ENOSPC);
			ike_key_free(&back);
			ike_keys_free(&keys);
		}
	}
}

/* ---- ESP ------------------------------------------------------------------------------------------------------ */

static void esp_with_keys(void **state)
{
	/* sealed by the agent's own sealing of bytes: header as AAD */
	static const char line[] = "\"IPv4\",\"*\",\"*\",\"0xc0ffee01\",\"AES-GCM [RFC4106]\","
				   "\"0x00112233445566778899aabbccddeeff00010203\",\"NULL\",\"\"";
	uint8_t bytes[9] = {0xc0, 0xff, 0xee, 0x01, 0, 0, 0, 7, 0};
	struct frame f = {.kind = FRAME_ESP, .bytes = slice_of(bytes, 8)};
	struct decode_keys keys = {0};
	json_t *o;

	(void)state;
	assert_int_equal(keys_add(&keys, line), 0);
	o = decode_esp(&f, NULL);
	assert_string_equal(text_of(o, "spi"), "c0ffee01");
	assert_int_equal(number_of(o, "seq"), 7);
	assert_string_equal(text_of(o, "keys"), "none");
	json_decref(o);
	f.bytes.n = 9;
	o = decode_esp(&f, &keys);
	assert_string_equal(text_of(o, "keys"), "wrong");
	json_decref(o);
	f.bytes.n = 7;
	o = decode_esp(&f, &keys);
	assert_non_null(json_object_get(o, "malformed"));
	json_decref(o);
	keys_free(&keys);
}

/* An ESP packet made with OpenSSL alone: keys 00 01 02.., an inner IPv4 header, two bytes of padding. */
struct sealed {
	const char *encr, *integ; /* as in esp_sa */
	const char *cipher, *digest;
	unsigned int key, salt, iv, icv, auth;
};

static const struct sealed esps[] = {
	{"AES-GCM [RFC4106]", "NULL", "AES-128-GCM", NULL, 16, 4, 8, 16, 0},
	{"AES-GCM with 8 octet ICV", "NULL", "AES-256-GCM", NULL, 32, 4, 8, 8, 0},
	{"AES-CBC [RFC3602]", "HMAC-SHA-256-128 [RFC4868]", "AES-128-CBC", "SHA256", 16, 0, 16, 16, 32},
	{"AES-CBC [RFC3602]", "HMAC-SHA-1-96 [RFC2404]", "AES-256-CBC", "SHA1", 32, 0, 16, 12, 20},
	{"AES-CTR [RFC3686]", "HMAC-SHA-512-256 [RFC4868]", "AES-128-CTR", "SHA512", 16, 4, 8, 32, 64},
	{"NULL", "HMAC-SHA-256-128 [RFC4868]", NULL, "SHA256", 0, 0, 0, 16, 32},
};

static const uint8_t inner[32] = {0x45, 0, 0, 28, [8] = 64, 17, 0, 0, 10, 1, 0, 5, 10, 2, 0, 6,
				  [28] = 1, 2, /* padding, */ 2, 4};

static void key_bytes(uint8_t *p, unsigned int n, uint8_t from)
{
	for (unsigned int i = 0; i < n; i++)
		p[i] = (uint8_t)(from + i);
}

static void hex_put(char *out, const uint8_t *p, unsigned int n)
{
	out += sprintf(out, "%s", n ? "0x" : "");
	for (unsigned int i = 0; i < n; i++)
		out += sprintf(out, "%02x", p[i]);
}

/* esn: the high half, -1 without. */
static size_t esp_make(const struct sealed *s, int64_t esn, uint8_t *out, char *line)
{
	static const uint8_t head[8] = {0xc0, 0xff, 0xee, 0x01, 0xff, 0xff, 0xff, 0xfe};
	uint8_t key[64], auth[64], nonce[16] = {0}, high[4] = {0, 0, 0, (uint8_t)esn}, full[64], *iv = out + 8;
	uint8_t *ct = iv + s->iv, *icv = ct + sizeof(inner);
	char key_hex[160], auth_hex[160];
	unsigned int mac_len = 0;
	int len;

	key_bytes(key, s->key + s->salt, 1);
	key_bytes(auth, s->auth, 0x80);
	hex_put(key_hex, key, s->key + s->salt);
	hex_put(auth_hex, auth, s->auth);
	sprintf(line, "\"IPv4\",\"*\",\"*\",\"0xc0ffee01\",\"%s\",\"%s\",\"%s\",\"%s\"", s->encr, key_hex, s->integ,
		auth_hex);
	memcpy(out, head, 8);
	key_bytes(iv, s->iv, 0x33);
	memcpy(nonce, key + s->key, s->salt);
	memcpy(nonce + s->salt, iv, s->iv);
	if (strstr(s->encr, "CTR"))
		nonce[15] = 1;
	memcpy(ct, inner, sizeof(inner));
	if (s->cipher) {
		EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, s->cipher, NULL);
		EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();

		assert_true(EVP_EncryptInit_ex2(c, cipher, key, nonce, NULL));
		EVP_CIPHER_CTX_set_padding(c, 0);
		if (!s->digest) {
			EVP_EncryptUpdate(c, NULL, &len, head, 4);
			if (esn >= 0)
				EVP_EncryptUpdate(c, NULL, &len, high, 4);
			EVP_EncryptUpdate(c, NULL, &len, head + 4, 4);
		}
		assert_true(EVP_EncryptUpdate(c, ct, &len, ct, sizeof(inner)));
		assert_true(EVP_EncryptFinal_ex(c, ct + len, &len));
		if (!s->digest)
			EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, (int)s->icv, icv);
		EVP_CIPHER_CTX_free(c);
		EVP_CIPHER_free(cipher);
	}
	if (s->digest) {
		memcpy(icv, high, 4);
		assert_non_null(HMAC(EVP_get_digestbyname(s->digest), auth, (int)s->auth, out,
				     (size_t)(icv - out) + (esn >= 0 ? 4 : 0), full, &mac_len));
		memcpy(icv, full, s->icv);
	}
	return (size_t)(icv + s->icv - out);
}

static void esp_opened(void **state)
{
	static const int64_t esns[] = {-1, 0, 1, 7};
	uint8_t bytes[256];
	char line[512];

	(void)state;
	for (size_t i = 0; i < sizeof(esps) / sizeof(esps[0]); i++) {
		for (size_t k = 0; k < 4; k++) {
			struct decode_keys keys = {0};
			struct frame f = {.kind = FRAME_ESP};
			json_t *o;

			f.bytes = slice_of(bytes, esp_make(&esps[i], esns[k], bytes, line));
			assert_int_equal(keys_add(&keys, line), 0);
			o = decode_esp(&f, &keys);
			if (strcmp(text_of(o, "keys"), "right"))
				fail_msg("%s, %s, high half %d: %s", esps[i].encr, esps[i].integ, (int)esns[k],
					 text_of(o, "keys"));
			assert_string_equal(text_of(o, "inner_from"), "10.1.0.5");
			assert_int_equal(number_of(o, "padding"), 2);
			assert_int_equal(number_of(o, "next_header"), 4);
			assert_int_equal(json_object_get(o, "esn") ? number_of(o, "esn") : -1, esns[k]);
			json_decref(o);
			/* one bit of each part */
			for (size_t at = 0; at < f.bytes.n; at += 7) {
				if (at >= 1 && at < 4) /* the SPI chooses the key */
					continue;
				bytes[at ? at : 4] ^= 1;
				o = decode_esp(&f, &keys);
				assert_string_equal(text_of(o, "keys"), "wrong");
				assert_null(json_object_get(o, "data"));
				json_decref(o);
				bytes[at ? at : 4] ^= 1;
			}
			keys_free(&keys);
		}
	}
}

/* ---- captures --------------------------------------------------------------------------------------------------- */

static void guesses(void **state)
{
	uint8_t marked[] = {0, 0, 0, 0, 1, 2, 3}, esp[] = {1, 0, 0, 0, 0, 0, 0, 1}, alive[] = {0xff};
	struct frame f = {0};

	(void)state;
	chain_begin();
	put_some();
	frame_guess(&f, plain_message());
	assert_int_equal(f.kind, FRAME_IKE);
	frame_guess(&f, slice_of(marked, sizeof(marked)));
	assert_int_equal(f.kind, FRAME_IKE);
	assert_int_equal(f.bytes.n, 3);
	frame_guess(&f, slice_of(esp, sizeof(esp)));
	assert_int_equal(f.kind, FRAME_ESP);
	frame_guess(&f, slice_of(alive, 1));
	assert_int_equal(f.kind, FRAME_KEEPALIVE);
}

/* What AH covers is in clear; a length that goes past the end is told. */
static void ah_in_clear(void **state)
{
	static const uint8_t packet[] = {
		4,    4,    0, 0, 0xc0, 0xff, 0xee, 1,	  0,	0,    0,    9,			   /* header */
		1,    2,    3, 4, 5,	6,    7,    8,	  9,	10,   11,   12,			   /* ICV */
		0x45, 0,    0, 0x14, 0, 0,    0,    0,	  64,	59,   0,    0, 10, 1, 0, 1, 10, 2, 0, 1, /* inner */
	};
	struct frame f = {.kind = FRAME_AH, .bytes = slice_of(packet, sizeof(packet))};
	FILE *to = fmemopen(text, sizeof(text), "w");
	json_t *o = decode_ah(&f), *frame = json_pack("{s:i, s:O}", "number", 1, "ah", o);

	(void)state;
	assert_int_equal(ah_spi(f.bytes), 0xc0ffee01);
	assert_int_equal(number_of(o, "seq"), 9);
	assert_string_equal(text_of(o, "icv"), "0102030405060708090a0b0c");
	assert_string_equal(text_of(o, "inner_to"), "10.2.0.1");
	decode_print(to, frame);
	fclose(to);
	assert_says("AH SPI c0ffee01 seq 9  44 bytes");
	assert_says("next header 4, ICV of 12 bytes, 10.1.0.1 > 10.2.0.1: 4500");
	json_decref(frame);
	json_decref(o);
	for (size_t n = 0; n < 24; n++) {
		uint8_t *exact = malloc(n ? n : 1);

		memcpy(exact, packet, n);
		f.bytes = slice_of(exact, n);
		o = decode_ah(&f);
		assert_string_equal(text_of(o, "malformed"), "shorter than it says (RFC 4302 2.2)");
		json_decref(o);
		assert_int_equal(ah_spi(f.bytes), n < 8 ? 0 : 0xc0ffee01);
		free(exact);
	}
}

static void packets(void **state)
{
	static const struct {
		const char *hex; /* of an IP packet */
		int kind;	 /* -1: not ours */
		size_t bytes;
		bool cut;
	} rows[] = {
		{"4500001d000000004011000001010101020202020fa01194" "0009" "0000" "ff", FRAME_KEEPALIVE, 1, false},
		{"4500001e000000004011000001010101020202020fa01194" "000a" "0000" "0102", FRAME_ESP, 2, false},
		{"4500001e000000004011000001010101020202020fa00035" "000a" "0000" "0102", -1, 0, false},
		{"4500001e0000200040110000010101010202020201f401f4" "0100" "0000" "0102", FRAME_IKE, 2, true},
		{"4500001e00000001401100000101010102020202" "01f401f4000a00000102", -1, 0, false},
		{"4600002200000000401100000101010102020202" "01010101" "01f401f4000a00000102", FRAME_IKE, 2, false},
		{"45000018000000004032000001010101020202020102030405060708", FRAME_ESP, 4, false},
		{"45000018000000004033000001010101020202020102030405060708", FRAME_AH, 4, false},
		{"6000000000043340" "20010db8000000000000000000000001" "20010db8000000000000000000000002" "01020304",
		 FRAME_AH, 4, false},
		{"45000014", -1, 0, false},
		{"6000000000043240" "20010db8000000000000000000000001" "20010db8000000000000000000000002" "01020304",
		 FRAME_ESP, 4, false},
		{"6000000000143c40" "20010db8000000000000000000000001" "20010db8000000000000000000000002"
		 "2c00000000000000" "3200000000000000" "01020304", FRAME_ESP, 4, false},
		{"6000000000143c40" "20010db8000000000000000000000001" "20010db8000000000000000000000002" "2cff", -1, 0, false},
		{"50", -1, 0, false},
		{"", -1, 0, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t n = strlen(rows[i].hex) / 2;
		uint8_t *p = malloc(n ? n : 1);
		struct frame f = {0};
		bool got;

		for (size_t k = 0; k < n; k++)
			assert_int_equal(sscanf(rows[i].hex + 2 * k, "%2hhx", &p[k]), 1);
		got = frame_of_ip(&f, slice_of(p, n));
		if (got != (rows[i].kind >= 0) ||
		    (got && ((int)f.kind != rows[i].kind || f.bytes.n != rows[i].bytes || f.cut != rows[i].cut)))
			fail_msg("row %zu: %d kind %d, %zu bytes", i, got, f.kind, f.bytes.n);
		free(p);
	}
}

/* Runs the command on text in a file; its exit status. Standard output and error go to nowhere. */
static int run_on(const char *path, const char *keys)
{
	int out, err, ret;
	const char *argv[] = {path};
	struct cli cli = {.command = "decode", .argc = 1, .argv = (char **)argv, .keys = keys};
	FILE *null = fopen("/dev/null", "w");

	fflush(stdout);
	out = dup(1);
	err = dup(2);
	dup2(fileno(null), 1);
	dup2(fileno(null), 2);
	ret = run_decode(&cli);
	fflush(stdout);
	dup2(out, 1);
	dup2(err, 2);
	close(out);
	close(err);
	fclose(null);
	return ret;
}

static const char *file_with(const char *content, size_t n)
{
	static char path[64];
	int fd;

	strcpy(path, "/tmp/xdpsec-decode-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, n), (ssize_t)n);
	close(fd);
	return path;
}

static void files(void **state)
{
	static const struct {
		const char *text;
		size_t n;
		int ret;
	} rows[] = {
		{"", 0, CLI_OK},
		{"# nothing\n\n  \n", 14, CLI_OK},
		{"ff # a keepalive\n00 00:00 00 01\n0102030400000001", 48, CLI_OK},
		{"fff\n", 4, CLI_FAILED},
		{"zz\nff\n", 6, CLI_FAILED},
		/* a capture cut off in its header, in a packet, of an unknown link type */
		{"\xd4\xc3\xb2\xa1\x02\x00\x04\x00", 8, CLI_FAILED},
		{"\xd4\xc3\xb2\xa1\x02\x00\x04\x00\0\0\0\0\0\0\0\0\0\0\1\0\1\0\0\0\1\0\0\0", 28, CLI_FAILED},
		{"\xd4\xc3\xb2\xa1\x02\x00\x04\x00\0\0\0\0\0\0\0\0\0\0\1\0\x93\0\0\0", 24, CLI_FAILED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *path = file_with(rows[i].text, rows[i].n);
		int ret = run_on(path, NULL);

		unlink(path);
		if (ret != rows[i].ret)
			fail_msg("row %zu: %d", i, ret);
	}
	assert_int_equal(run_on("/nonexistent", NULL), CLI_FAILED);
	assert_int_equal(run_on("/dev/null", "/nonexistent"), CLI_FAILED);
}

/* Captures of others, when they are there: none crashes us. */
static void captures_of_others(void **state)
{
	static const char *const dirs[] = {"/pcap/tcpdump", "/pcap/scapy", "/pcap/suricata",
					   "/pcap/zeek", "/pcap/libreswan", "/corpus"};
	const char *data = getenv("XDPSEC_TESTDATA");
	unsigned int n = 0;

	(void)state;
	if (!data)
		data = "../shared/testdata";
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		char path[1024];
		struct dirent *e;
		DIR *d;

		snprintf(path, sizeof(path), "%s%s", data, dirs[i]);
		d = opendir(path);
		while (d && (e = readdir(d))) {
			if (!strstr(e->d_name, ".pcap") && !strstr(e->d_name, ".hexl"))
				continue;
			snprintf(path, sizeof(path), "%s%s/%s", data, dirs[i], e->d_name);
			if (run_on(path, NULL) != CLI_OK)
				fail_msg("%s", path);
			n++;
		}
		if (d)
			closedir(d);
	}
	if (!n)
		skip();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_clear),
		cmocka_unit_test(proposals_by_name),
		cmocka_unit_test(where_and_which_rule),
		cmocka_unit_test(broken_anyhow),
		cmocka_unit_test(decrypted),
		cmocka_unit_test(joined_fragments),
		cmocka_unit_test(lines_of_keys),
		cmocka_unit_test(keys_of_every_suite),
		cmocka_unit_test(esp_with_keys),
		cmocka_unit_test(esp_opened),
		cmocka_unit_test(guesses),
		cmocka_unit_test(packets),
		cmocka_unit_test(ah_in_clear),
		cmocka_unit_test(files),
		cmocka_unit_test(captures_of_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
