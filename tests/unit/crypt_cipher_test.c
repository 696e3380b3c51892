/* SPDX-License-Identifier: BSD-2-Clause */
/* The file itself, for vectors of ciphers are no SK payloads: their last byte is no pad length. */
#include "agent/crypt/sk.c"
#include "vectors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

/* key: then salt; ct: then the tag of an AEAD. Both directions, then with every byte changed. */
static void check(unsigned int id, unsigned int bits, struct slice key, struct slice iv,
		  struct slice aad, struct slice text, struct slice ct)
{
	const struct alg *a = alg_find(IKE_T_ENCR, id, bits);
	struct secret ek = {0};
	struct sk k = {.encr = a, .ek = &ek};
	uint8_t buf[512], tag[16] = {0};
	const uint8_t *want = ct.p + text.n;

	assert_non_null(a);
	k.icv_len = a->icv_len;
	assert_int_equal(key.n, a->key_len + a->salt_len);
	assert_int_equal(iv.n, a->iv_len);
	assert_int_equal(ct.n, text.n + k.icv_len);
	assert_int_equal(secret_dup(&ek, key), 0);
	memcpy(buf, text.p, text.n);
	assert_int_equal(encrypt(&k, iv.p, aad, buf, text.n, tag), 0);
	assert_memory_equal(buf, ct.p, text.n);
	assert_memory_equal(tag, want, k.icv_len);
	assert_int_equal(decrypt(&k, iv.p, aad, slice_of(ct.p, text.n), buf, want), 0);
	assert_memory_equal(buf, text.p, text.n);
	for (size_t i = 0; a->aead && i < ct.n; i++) {
		uint8_t copy[512];

		memcpy(copy, ct.p, ct.n);
		copy[i] ^= 0x10;
		assert_int_equal(decrypt(&k, iv.p, aad, slice_of(copy, text.n), buf, copy + text.n),
				 -EBADMSG);
	}
	secret_free(&ek);
}

/* RFC 3686 6, test vectors 1, 6 and 9: key, then nonce. */
static void test_ctr(void **state)
{
	struct slice none = slice_of(NULL, 0);

	(void)state;
	check(ENCR_AES_CTR, 128, HEX("ae6852f8121067cc4bf7a5765577f39e00000030"),
	      HEX("0000000000000000"), none, slice_of("Single block msg", 16),
	      HEX("e4095d4fb7a7b3792d6175a3261311b8"));
	check(ENCR_AES_CTR, 192, HEX("02bf391ee8ecb159b959617b0965279bf59b60a786d3e0fe0007bdfd"),
	      HEX("5cbd60278dcc0912"), none,
	      HEX("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20212223"),
	      HEX("96893fc55e5c722f540b7dd1ddf7e758d288bc95c69165884536c811662f2188abee0935"));
	check(ENCR_AES_CTR, 256,
	      HEX("ff7a617ce69148e4f1726e2f43581de2aa62d9f805532edff1eed687fb54153d001cc5b7"),
	      HEX("51a51d70a1c11148"), none,
	      HEX("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20212223"),
	      HEX("eb6c52821d0bbbf7ce7594462aca4faab407df866569fd07f48cc0b583d6071f1ec0e6b8"));
}

/* RFC 7634, appendix B: an INFORMATIONAL with a DELETE; the last byte of the text is pad length. */
static void test_chacha(void **state)
{
	struct slice key =
	    HEX("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3");
	struct ike_suite s = {ENCR_CHACHA20_POLY1305, 0, PRF_HMAC_SHA2_256, AUTH_NONE,
			      KE_CURVE25519};
	struct ike_msg m = {.sk = {.present = true}};
	struct secret ek = {0}, none = {0};
	uint8_t plain[64];
	size_t n;

	(void)state;
	check(ENCR_CHACHA20_POLY1305, 0, key, HEX("1011121314151617"),
	      HEX("c0c1c2c3c4c5c6c7d0d1d2d3d4d5d6d72e202500000000090000004529000029"),
	      HEX("0000000c000040010000000a00"),
	      HEX("610394701f8d017f7c129248896b71bfe25236efd7cdc67066906315b2"));
	m.sk.aad = HEX("c0c1c2c3c4c5c6c7d0d1d2d3d4d5d6d72e202500000000090000004529000029");
	m.sk.body =
	    HEX("1011121314151617610394701f8d017f7c129248896b71bfe25236efd7cdc67066906315b2");
	assert_int_equal(secret_dup(&ek, key), 0);
	assert_int_equal(sk_open(&s, &ek, &none, &m, plain, sizeof(plain), &n), 0);
	assert_int_equal(n, 12);
	assert_memory_equal(plain, HEX("0000000c000040010000000a").p, 12);
	secret_free(&ek);
	/* the ESP example, appendix A */
	check(ENCR_CHACHA20_POLY1305, 0, key, HEX("1011121314151617"), HEX("0102030400000005"),
	      HEX("45000054a6f200004001e778c6336405c000020508005b7a3a080000553bec100007362708090a0b"
		  "0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f30313233"
		  "3435363701020204"),
	      HEX("24039428b97f417e3c13753a4f05087b67c352e6a7fab1b982d466ef407ae5c614ee8099d52844eb"
		  "61aa95dfab4c02f72aa71e7c4c4f64c9befe2facc638e8f3cbec163fac469b502773f6fb94e664da"
		  "9165b82829f641e076aaa8266b7fb0f7b11b369907e1ad43"));
}

/* RFC 3602 4, case 1; the examples of NIST SP 800-38A for 3DES have other keys: of its MMT file. */
static void test_cbc(void **state)
{
	struct slice none = slice_of(NULL, 0);

	(void)state;
	check(ENCR_AES_CBC, 128, HEX("06a9214036b8a15b512e03d534120006"),
	      HEX("3dafba429d9eb430b422da802c9fac41"), none, slice_of("Single block msg", 16),
	      HEX("e353779c1079aeb82708942dbe77181a"));
	check(ENCR_3DES, 0, HEX("627f460e08104a1043cd265d5840eaf1313edf97df2a8a8c"),
	      HEX("8e29f75ea77e5475"), none, HEX("326a494cd33fe756"), HEX("b22b8d66de970692"));
	if (!crypt_available(alg_find(IKE_T_ENCR, ENCR_BLOWFISH, 128)))
		skip();
	/* one block with a key repeated to 16 bytes is what Eric Young's set has for 8 bytes:
	 * 0123456789abcdef, Blowfish repeats its key itself */
	check(ENCR_BLOWFISH, 128, HEX("0123456789abcdef0123456789abcdef"), HEX("0000000000000000"),
	      none, HEX("1111111111111111"), HEX("61f9c3802281b096"));
	/* RFC 2144 B.1 */
	check(ENCR_CAST, 128, HEX("0123456712345678234567893456789a"), HEX("0000000000000000"),
	      none, HEX("0123456789abcdef"), HEX("238b4fe5847e44b2"));
}

/* Packets of Wireshark's test suite, with AES-CCM and a tag of 12 bytes. */
static void test_ccm_messages(void **state)
{
	json_t *root = vectors_load("ikev2_ccm12_wireshark.json"), *t;
	struct ike_suite s = {ENCR_AES_CCM_12, 128, PRF_HMAC_SHA2_256, AUTH_NONE, KE_ECP_256};
	unsigned int done = 0;
	struct secret i = {0}, r = {0}, none = {0};
	size_t at, n;

	(void)state;
	if (!root)
		skip();
	assert_int_equal(secret_dup(&i, vector_bytes(root, "sk_ei")), 0);
	assert_int_equal(secret_dup(&r, vector_bytes(root, "sk_er")), 0);
	json_array_foreach(json_object_get(root, "messages"), at, t)
	{
		struct slice d = vector_bytes(t, "message"),
			     text = vector_bytes(t, "plaintext_with_padding");
		uint8_t plain[256];
		struct ike_msg m;

		if (!text.n)
			continue;
		assert_int_equal(msg_decode(d, &m), WIRE_OK);
		assert_int_equal(sk_open(&s, m.hdr.flags & IKE_FLAG_INITIATOR ? &i : &r, &none, &m,
					 plain, sizeof(plain), &n),
				 0);
		assert_int_equal(n, text.n - 1);
		assert_memory_equal(plain, text.p, n);
		assert_int_equal(sk_open(&s, m.hdr.flags & IKE_FLAG_INITIATOR ? &r : &i, &none, &m,
					 plain, sizeof(plain), &n),
				 -EBADMSG);
		done++;
	}
	assert_int_equal(done, 2);
	secret_free(&i);
	secret_free(&r);
	json_decref(root);
}

static void of_file(const char *file, unsigned int *done)
{
	static const struct {
		const char *name;
		unsigned int id;
	} algs[] = {
	    {"ENCR_AES_CBC", ENCR_AES_CBC},
	    {"ENCR_AES_CTR", ENCR_AES_CTR},
	    {"ENCR_3DES", ENCR_3DES},
	    {"ENCR_AES_GCM_ICV8", ENCR_AES_GCM_8},
	    {"ENCR_AES_GCM_ICV12", ENCR_AES_GCM_12},
	    {"ENCR_AES_GCM_ICV16", ENCR_AES_GCM_16},
	    {"ENCR_AES_CCM_ICV8", ENCR_AES_CCM_8},
	    {"ENCR_AES_CCM_ICV12", ENCR_AES_CCM_12},
	    {"ENCR_AES_CCM_ICV16", ENCR_AES_CCM_16},
	    {"ENCR_CHACHA20_POLY1305", ENCR_CHACHA20_POLY1305},
	};
	json_t *root = vectors_load("strongswan_test_vectors.json"), *t;
	json_t *list =
	    json_object_get(json_object_get(json_object_get(root, "files"), file), "vectors");
	size_t i;

	json_array_foreach(list, i, t)
	{
		const char *name = json_string_value(json_object_get(t, "alg"));
		int bytes = atoi(json_string_value(json_object_get(t, "key_size")));

		for (size_t k = 0; k < sizeof(algs) / sizeof(*algs); k++) {
			struct slice plain = vector_bytes(t, "plain");
			struct slice key = vector_bytes(t, "key");
			const struct alg *a;

			if (strcmp(algs[k].name, name) || !plain.n)
				continue;
			a = alg_find(IKE_T_ENCR, algs[k].id, (unsigned int)bytes * 8);
			if (!a)
				a = alg_find(IKE_T_ENCR, algs[k].id, 0);
			/* one key is longer than its cipher takes */
			key.n = (size_t)a->key_len + a->salt_len;
			check(a->id, a->key_bits, key, vector_bytes(t, "iv"),
			      vector_bytes(t, "adata"), plain, vector_bytes(t, "cipher"));
			(*done)++;
		}
	}
	json_decref(root);
}

static void test_vectors_of_others(void **state)
{
	unsigned int done = 0;

	(void)state;
	of_file("aes_cbc.c", &done);
	of_file("aes_ctr.c", &done);
	of_file("aes_gcm.c", &done);
	of_file("aes_ccm.c", &done);
	of_file("chacha20poly1305.c", &done);
	of_file("3des_cbc.c", &done);
	if (!done)
		skip();
	assert_true(done > 45);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_ctr),
	    cmocka_unit_test(test_chacha),
	    cmocka_unit_test(test_cbc),
	    cmocka_unit_test(test_ccm_messages),
	    cmocka_unit_test(test_vectors_of_others),
	};

	crypt_legacy();
	return cmocka_run_group_tests_name("cipher", tests, NULL, NULL);
}
