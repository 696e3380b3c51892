/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/crypt/sig.h"

#include "agent/wire/ike.h"
#include "vectors.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/encoder.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const uint8_t msg[] = "first message | nonce | prf(SK_p, ID)";
static const struct slice octets = {msg, sizeof(msg)};

static EVP_PKEY *rsa_new(unsigned int bits, unsigned long e)
{
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	BIGNUM *exp = BN_new();
	EVP_PKEY *p = NULL;

	assert_true(BN_set_word(exp, e));
	assert_true(EVP_PKEY_keygen_init(c) > 0);
	assert_true(EVP_PKEY_CTX_set_rsa_keygen_bits(c, (int)bits) > 0);
	assert_true(EVP_PKEY_CTX_set1_rsa_keygen_pubexp(c, exp) > 0);
	assert_true(EVP_PKEY_generate(c, &p) > 0);
	BN_free(exp);
	EVP_PKEY_CTX_free(c);
	return p;
}

/* SubjectPublicKeyInfo in a static store of four. */
static struct slice spki_of(const EVP_PKEY *p)
{
	static uint8_t store[4][2048];
	static unsigned int next;
	uint8_t *buf = store[next++ % 4], *at = buf;
	int n = i2d_PUBKEY(p, NULL);

	assert_true(n > 0 && n < 2048);
	i2d_PUBKEY(p, &at);
	return slice_of(buf, (size_t)n);
}

static EVP_PKEY *rsa; /* 2048 bits, made once */

/* Bytes of a private key in a format, in a static store. */
static struct slice encode(const EVP_PKEY *p, const char *format, const char *structure,
			   const char *passphrase)
{
	static uint8_t store[16384];
	size_t n = sizeof(store);
	uint8_t *at = store;
	OSSL_ENCODER_CTX *e =
	    OSSL_ENCODER_CTX_new_for_pkey(p, EVP_PKEY_KEYPAIR, format, structure, NULL);

	assert_non_null(e);
	if (passphrase) {
		assert_true(OSSL_ENCODER_CTX_set_cipher(e, "AES-256-CBC", NULL));
		assert_true(OSSL_ENCODER_CTX_set_passphrase(e, (const unsigned char *)passphrase,
							    strlen(passphrase)));
	}
	assert_true(OSSL_ENCODER_to_data(e, &at, &n));
	OSSL_ENCODER_CTX_free(e);
	return slice_of(store, sizeof(store) - n);
}

static struct sig_key *load(const EVP_PKEY *p)
{
	struct sig_key *k;

	assert_int_equal(sig_private_load(encode(p, "DER", "PrivateKeyInfo", NULL), NULL, &k), 0);
	return k;
}

static const struct key_row {
	const char *type, *group;
	enum sig_key_type want;
	uint16_t bits;
	enum sig_scheme schemes[8];
} keys[] = {
    {"RSA",
     NULL,
     SIG_KEY_RSA,
     2048,
     {SIG_RSA_SHA1, SIG_RSA_SHA256, SIG_RSA_SHA384, SIG_RSA_SHA512, SIG_PSS_SHA256, SIG_PSS_SHA384,
      SIG_PSS_SHA512}},
    {"EC",
     "P-256",
     SIG_KEY_EC,
     256,
     {SIG_ECDSA_256, SIG_ECDSA_SHA256, SIG_ECDSA_SHA384, SIG_ECDSA_SHA512}},
    {"EC",
     "P-384",
     SIG_KEY_EC,
     384,
     {SIG_ECDSA_384, SIG_ECDSA_SHA256, SIG_ECDSA_SHA384, SIG_ECDSA_SHA512}},
    {"EC",
     "P-521",
     SIG_KEY_EC,
     521,
     {SIG_ECDSA_521, SIG_ECDSA_SHA256, SIG_ECDSA_SHA384, SIG_ECDSA_SHA512}},
    {"EC",
     "brainpoolP256r1",
     SIG_KEY_EC,
     256,
     {SIG_ECDSA_SHA256, SIG_ECDSA_SHA384, SIG_ECDSA_SHA512}},
    {"EC",
     "brainpoolP512r1",
     SIG_KEY_EC,
     512,
     {SIG_ECDSA_SHA256, SIG_ECDSA_SHA384, SIG_ECDSA_SHA512}},
    {"ED25519", NULL, SIG_KEY_ED25519, 256, {SIG_ED25519}},
    {"ED448", NULL, SIG_KEY_ED448, 456, {SIG_ED448}},
};

static EVP_PKEY *key_new(const struct key_row *r)
{
	EVP_PKEY *p;

	if (r->want == SIG_KEY_RSA) {
		EVP_PKEY_up_ref(rsa);
		return rsa;
	}
	p = r->group ? EVP_EC_gen(r->group) : EVP_PKEY_Q_keygen(NULL, NULL, r->type);
	assert_non_null(p);
	return p;
}

static bool has(const struct key_row *r, enum sig_scheme s)
{
	for (int i = 0; i < 8; i++)
		if (r->schemes[i] == s)
			return true;
	return false;
}

/* One key, one scheme: what was signed verifies, and nothing that differs in a bit or a byte. */
static void round_trip(const struct sig_key *k, struct slice spki, enum sig_scheme s)
{
	uint8_t sig[SIG_MAX + 1], auth[SIG_AUTH_MAX], other[sizeof(msg)];
	struct wr w = wr_of(auth, sizeof(auth));
	struct slice back;
	enum sig_scheme s2;
	size_t n;

	assert_int_equal(sig_sign(k, s, octets, sig, &n), 0);
	assert_int_equal(sig_verify(s, spki, octets, slice_of(sig, n)), 0);
	sig_auth_put(&w, s, slice_of(sig, n));
	assert_true(wr_ok(&w));
	assert_int_equal(sig_auth_read(sig_auth_method(s), wr_slice(&w), &s2, &back), 0);
	assert_int_equal(s2, s);
	assert_int_equal(back.n, n);
	assert_memory_equal(back.p, sig, n);

	memcpy(other, msg, sizeof(msg));
	other[0] ^= 1;
	assert_int_equal(sig_verify(s, spki, slice_of(other, sizeof(other)), slice_of(sig, n)),
			 -EBADMSG);
	assert_int_equal(sig_verify(s, spki, octets, slice_of(sig, n - 1)), -EBADMSG);
	assert_int_equal(sig_verify(s, spki, octets, slice_of(sig, 0)), -EBADMSG);
	sig[n] = 0;
	assert_int_equal(sig_verify(s, spki, octets, slice_of(sig, n + 1)), -EBADMSG);
	for (size_t i = 0; i < n; i += 7) {
		sig[i] ^= 0x10;
		assert_int_equal(sig_verify(s, spki, octets, slice_of(sig, n)), -EBADMSG);
		sig[i] ^= 0x10;
	}
}

static void test_round_trips(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		EVP_PKEY *p = key_new(&keys[i]);
		struct slice spki = spki_of(p);
		struct sig_key *k = load(p);
		struct sig_key_info info;
		uint8_t out[SIG_MAX];
		size_t n;

		assert_int_equal(sig_key_check(spki, &info, NULL), 0);
		assert_int_equal(info.type, keys[i].want);
		assert_int_equal(info.bits, keys[i].bits);
		assert_memory_equal(&info, sig_private_info(k), sizeof(info));
		for (enum sig_scheme s = SIG_NONE + 1; s < SIG_SCHEMES; s++) {
			assert_int_equal(sig_key_fits(&info, s), has(&keys[i], s));
			if (has(&keys[i], s)) {
				round_trip(k, spki, s);
				continue;
			}
			assert_int_equal(sig_sign(k, s, octets, out, &n), -ENOTSUP);
			assert_int_equal(sig_verify(s, spki, octets, octets), -ENOTSUP);
		}
		sig_private_free(k);
		EVP_PKEY_free(p);
	}
}

/* ---- keys ----------------------------------------------------------------------------------- */
static void test_weak_keys(void **state)
{
	static const struct {
		unsigned int bits;
		unsigned long e;
		int want;
	} table[] = {
	    {1024, 65537, -EKEYREJECTED}, {2048, 3, -EKEYREJECTED}, {2048, 17, -EKEYREJECTED},
	    {2047, 65537, -EKEYREJECTED}, {2048, 65539, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		EVP_PKEY *p = rsa_new(table[i].bits, table[i].e);
		struct slice der = encode(p, "DER", "PrivateKeyInfo", NULL);
		struct sig_key_info info;
		struct sig_key *k;
		const char *why = NULL;

		assert_int_equal(sig_key_check(spki_of(p), &info, &why), table[i].want);
		assert_true(!table[i].want || why);
		assert_int_equal(sig_private_load(der, NULL, &k), table[i].want);
		assert_int_equal(sig_verify(SIG_RSA_SHA256, spki_of(p), octets, octets),
				 table[i].want ? table[i].want : -EBADMSG);
		sig_private_free(k);
		EVP_PKEY_free(p);
	}
}

static void test_unsupported_keys(void **state)
{
	static const char *const curves[] = {"secp256k1", "P-224", "brainpoolP224r1", "secp521r1"};
	struct sig_key_info info;
	uint8_t long_spki[SIG_SPKI_MAX + 1] = {0x30};
	uint8_t trailing[512];
	struct slice good = spki_of(rsa);
	EVP_PKEY *p, *x;

	(void)state;
	for (size_t i = 0; i < sizeof(curves) / sizeof(*curves); i++) {
		p = EVP_EC_gen(curves[i]);
		assert_non_null(p);
		assert_int_equal(sig_key_check(spki_of(p), &info, NULL), i < 3 ? -ENOTSUP : 0);
		EVP_PKEY_free(p);
	}
	p = EVP_EC_gen("P-256");
	assert_true(EVP_PKEY_set_utf8_string_param(p, OSSL_PKEY_PARAM_EC_ENCODING, "explicit"));
	assert_int_equal(sig_key_check(spki_of(p), &info, NULL), -EKEYREJECTED);
	EVP_PKEY_free(p);
	x = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
	assert_int_equal(sig_key_check(spki_of(x), &info, NULL), -ENOTSUP);
	EVP_PKEY_free(x);
	assert_int_equal(sig_key_check(slice_of(NULL, 0), &info, NULL), -EBADMSG);
	assert_int_equal(sig_key_check(slice_of(long_spki, sizeof(long_spki)), &info, NULL),
			 -EBADMSG);
	assert_int_equal(sig_key_check(slice_of(good.p, good.n - 1), &info, NULL), -EBADMSG);
	memcpy(trailing, good.p, good.n);
	trailing[good.n] = 0;
	assert_int_equal(sig_key_check(slice_of(trailing, good.n + 1), &info, NULL), -EBADMSG);
}

static void test_private_formats(void **state)
{
	static const struct {
		const char *format, *structure;
	} forms[] = {
	    {"PEM", "PrivateKeyInfo"},
	    {"DER", "PrivateKeyInfo"},
	    {"PEM", "type-specific"},
	    {"DER", "type-specific"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		EVP_PKEY *p = key_new(&keys[i]);

		for (size_t f = 0; f < sizeof(forms) / sizeof(*forms); f++) {
			const char *st = forms[f].structure;
			struct slice b, spki = spki_of(p);
			struct sig_key *k;

			if (f >= 2 && keys[i].want >= SIG_KEY_ED25519)
				continue; /* PKCS#8 is all there is */
			b = encode(p, forms[f].format, st, NULL);
			assert_int_equal(sig_private_load(b, NULL, &k), 0);
			assert_int_equal(sig_private_spki(k).n, spki.n);
			assert_memory_equal(sig_private_spki(k).p, spki.p, spki.n);
			sig_private_free(k);
			assert_int_equal(sig_private_load(b, "unused", &k), 0);
			sig_private_free(k);
			if (f == 3)
				continue; /* traditional DER knows no encryption */
			b = encode(p, forms[f].format, f < 2 ? "EncryptedPrivateKeyInfo" : st,
				   "secret");
			assert_int_equal(sig_private_load(b, NULL, &k), -EACCES);
			assert_null(k);
			assert_int_equal(sig_private_load(b, "", &k), -EACCES);
			assert_int_equal(sig_private_load(b, "wrong", &k), -EACCES);
			assert_int_equal(sig_private_load(b, "secret", &k), 0);
			sig_private_free(k);
		}
		EVP_PKEY_free(p);
	}
}

/* What `openssl ecparam -genkey` writes: the parameters, then the key. */
static void test_private_garbage(void **state)
{
	static const char params[] = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n"
				     "-----END EC PARAMETERS-----\n";
	EVP_PKEY *p = EVP_EC_gen("P-256");
	struct slice pem = encode(p, "PEM", "type-specific", NULL), pub = spki_of(p);
	char both[2048];
	struct sig_key *k;
	int n = snprintf(both, sizeof(both), "%s%.*s", params, (int)pem.n, (const char *)pem.p);

	(void)state;
	assert_int_equal(sig_private_load(slice_of(both, (size_t)n), NULL, &k), 0);
	sig_private_free(k);
	assert_int_equal(sig_private_load(slice_of(params, sizeof(params) - 1), NULL, &k),
			 -EBADMSG);
	assert_int_equal(sig_private_load(pub, NULL, &k), -EBADMSG);
	assert_int_equal(sig_private_load(slice_of("", 0), NULL, &k), -EBADMSG);
	assert_int_equal(sig_private_load(slice_of("hello", 5), NULL, &k), -EBADMSG);
	EVP_PKEY_free(p);
}

/* ---- forgeries ------------------------------------------------------------------------------- */
enum { MODULUS = 256 };

static void raw_private(const uint8_t em[MODULUS], uint8_t sig[MODULUS])
{
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(rsa, NULL);
	size_t n = MODULUS;

	assert_true(EVP_PKEY_decrypt_init(c) > 0);
	assert_true(EVP_PKEY_CTX_set_rsa_padding(c, RSA_NO_PADDING) > 0);
	assert_true(EVP_PKEY_decrypt(c, sig, &n, em, MODULUS) > 0);
	EVP_PKEY_CTX_free(c);
}

/* 00 bt FF..FF 00 info hash garbage; pad 0: as many as fill the modulus. */
static void em_build(uint8_t em[MODULUS], uint8_t bt, size_t pad, struct slice info,
		     const uint8_t *hash, size_t hash_len)
{
	size_t fixed = 3 + info.n + hash_len, at;

	memset(em, 0x5a, MODULUS);
	if (!pad)
		pad = MODULUS - fixed;
	em[0] = 0;
	em[1] = bt;
	memset(em + 2, 0xff, pad);
	em[2 + pad] = 0;
	at = 3 + pad;
	memcpy(em + at, info.p, info.n);
	memcpy(em + at + info.n, hash, hash_len);
}

static void test_pkcs1_forgeries(void **state)
{
	static const struct {
		const char *what;
		uint8_t bt;
		size_t pad;
		const char *info;
	} table[] = {
	    {"right", 1, 0, "3031300d060960864801650304020105000420"},
	    {"block type 2", 2, 0, "3031300d060960864801650304020105000420"},
	    {"block type 0", 0, 0, "3031300d060960864801650304020105000420"},
	    {"garbage behind the hash", 1, 8, "3031300d060960864801650304020105000420"},
	    {"one byte behind the hash", 1, MODULUS - 3 - 19 - 32 - 1,
	     "3031300d060960864801650304020105000420"},
	    {"no NULL", 1, 0,
	     "302f300b0609608648016503040201"
	     "0420"},
	    {"OID of SHA-512", 1, 0, "3031300d060960864801650304020305000420"},
	    {"OID of SHA-1", 1, 0, "302d300906052b0e03021a05000420"},
	    {"parameters with garbage", 1, 0, "3033300f06096086480165030402010502aabb0420"},
	    {"long form of a length", 1, 0, "308131300d060960864801650304020105000420"},
	    {"indefinite length", 1, 0, "3080300d060960864801650304020105000420"},
	    {"no DigestInfo", 1, 0, ""},
	    {"length of the hash too large", 1, 0, "3031300d060960864801650304020105000421"},
	};
	uint8_t hash[32], em[MODULUS], sig[MODULUS + 1] = {0}, info[64];
	struct slice spki = spki_of(rsa);

	(void)state;
	assert_true(EVP_Digest(msg, sizeof(msg), hash, NULL, EVP_sha256(), NULL));
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		em_build(em, table[i].bt, table[i].pad,
			 hex_bytes(table[i].info, info, sizeof(info)), hash, 32);
		raw_private(em, sig);
		print_message("%s\n", table[i].what);
		assert_int_equal(sig_verify(SIG_RSA_SHA256, spki, octets, slice_of(sig, MODULUS)),
				 i ? -EBADMSG : 0);
	}
	em_build(em, 1, 0, HEX("3031300d060960864801650304020105000420"), hash, 32);
	em[40] = 0xfe;
	raw_private(em, sig);
	assert_int_equal(sig_verify(SIG_RSA_SHA256, spki, octets, slice_of(sig, MODULUS)),
			 -EBADMSG);
	/* the right one with a zero in front */
	em[40] = 0xff;
	raw_private(em, sig + 1);
	sig[0] = 0;
	assert_int_equal(sig_verify(SIG_RSA_SHA256, spki, octets, slice_of(sig + 1, MODULUS)), 0);
	assert_int_equal(sig_verify(SIG_RSA_SHA256, spki, octets, slice_of(sig, MODULUS + 1)),
			 -EBADMSG);
}

/* Signed by OpenSSL with parameters of the test's choice. */
static int pss_signed(const char *hash, const char *mgf, int salt)
{
	uint8_t sig[MODULUS];
	size_t n = sizeof(sig);
	EVP_MD_CTX *m = EVP_MD_CTX_new();
	EVP_PKEY_CTX *c;

	assert_true(EVP_DigestSignInit_ex(m, &c, hash, NULL, NULL, rsa, NULL) > 0);
	assert_true(EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_PSS_PADDING) > 0);
	assert_true(EVP_PKEY_CTX_set_rsa_mgf1_md_name(c, mgf, NULL) > 0);
	assert_true(EVP_PKEY_CTX_set_rsa_pss_saltlen(c, salt) > 0);
	assert_true(EVP_DigestSign(m, sig, &n, msg, sizeof(msg)) > 0);
	EVP_MD_CTX_free(m);
	return sig_verify(SIG_PSS_SHA256, spki_of(rsa), octets, slice_of(sig, n));
}

static void test_pss_parameters(void **state)
{
	(void)state;
	assert_int_equal(pss_signed("SHA256", "SHA256", 32), 0);
	assert_int_equal(pss_signed("SHA256", "SHA256", 0), -EBADMSG);
	assert_int_equal(pss_signed("SHA256", "SHA256", 31), -EBADMSG);
	assert_int_equal(pss_signed("SHA256", "SHA256", 33), -EBADMSG);
	assert_int_equal(pss_signed("SHA256", "SHA256", 222), -EBADMSG);
	assert_int_equal(pss_signed("SHA256", "SHA1", 32), -EBADMSG);
	assert_int_equal(pss_signed("SHA512", "SHA512", 64), -EBADMSG);
}

static void test_ecdsa_raw(void **state)
{
	EVP_PKEY *p = EVP_EC_gen("P-256");
	struct slice spki = spki_of(p);
	uint8_t raw[132] = {0};

	(void)state;
	/* r or s of zero, or as large as the order */
	assert_int_equal(sig_verify(SIG_ECDSA_256, spki, octets, slice_of(raw, 64)), -EBADMSG);
	memset(raw, 0xff, 64);
	assert_int_equal(sig_verify(SIG_ECDSA_256, spki, octets, slice_of(raw, 64)), -EBADMSG);
	assert_int_equal(sig_verify(SIG_ECDSA_256, spki, octets, slice_of(raw, 132)), -EBADMSG);
	assert_int_equal(sig_verify(SIG_ECDSA_384, spki, octets, slice_of(raw, 96)), -ENOTSUP);
	EVP_PKEY_free(p);
}

/* ---- AlgorithmIdentifiers and the AUTH payload ---------------------------------------------- */
static void test_algids(void **state)
{
	enum sig_scheme s;
	struct slice sig;
	uint8_t data[SIG_AUTH_MAX];

	(void)state;
	for (s = SIG_NONE; s < SIG_SCHEMES; s++) {
		struct slice id = sig_algid(s);
		const uint8_t *at = id.p;
		X509_ALGOR *a;

		assert_true(strlen(sig_scheme_name(s)) > 3);
		if (!id.n)
			continue;
		/* OpenSSL reads and writes the same bytes: valid DER */
		a = d2i_X509_ALGOR(NULL, &at, (long)id.n);
		assert_non_null(a);
		assert_ptr_equal(at, id.p + id.n);
		X509_ALGOR_free(a);
		assert_int_equal(sig_algid_find(id), s);
		assert_int_equal(sig_algid_find(slice_of(id.p, id.n - 1)), SIG_NONE);
		memcpy(data, id.p, id.n);
		for (size_t i = 0; i < id.n; i++) {
			data[i] ^= 0x80;
			assert_int_equal(sig_algid_find(slice_of(data, id.n)), SIG_NONE);
			data[i] ^= 0x80;
		}
	}
	/* sha1WithRSAEncryption, RSASSA-PSS with default parameters, ecdsa-with-SHA1 */
	assert_int_equal(sig_algid_find(HEX("300d06092a864886f70d0101050500")), SIG_NONE);
	assert_int_equal(sig_algid_find(HEX("300d06092a864886f70d01010a3000")), SIG_NONE);
	assert_int_equal(sig_algid_find(HEX("300906072a8648ce3d0401")), SIG_NONE);
	assert_int_equal(sig_algid_find(slice_of(NULL, 0)), SIG_NONE);

	assert_int_equal(sig_auth_read(14, slice_of(NULL, 0), &s, &sig), -EBADMSG);
	assert_int_equal(sig_auth_read(14, HEX("00"), &s, &sig), -EBADMSG);
	assert_int_equal(sig_auth_read(14, HEX("0730050603"), &s, &sig), -EBADMSG);
	assert_int_equal(sig_auth_read(14, HEX("07300506032b6570"), &s, &sig), -EBADMSG);
	assert_int_equal(sig_auth_read(14, HEX("07300506032b657001"), &s, &sig), 0);
	assert_true(s == SIG_ED25519 && sig.n == 1);
	assert_int_equal(sig_auth_read(14, HEX("07300506032b656f01"), &s, &sig), -ENOTSUP);
	assert_int_equal(sig_auth_read(2, HEX("00"), &s, &sig), -ENOTSUP);
	assert_int_equal(sig_auth_read(12, HEX("00"), &s, &sig), -ENOTSUP);
	assert_int_equal(sig_auth_read(0, HEX("00"), &s, &sig), -ENOTSUP);
	assert_int_equal(sig_auth_read(1, HEX("00"), &s, &sig), 0);
	assert_int_equal(s, SIG_RSA_SHA1);
}

static void test_hashes(void **state)
{
	uint8_t buf[16];
	struct wr w = wr_of(buf, sizeof(buf));

	(void)state;
	sig_hashes_put(&w, SIG_HASHES_OURS);
	assert_int_equal(wr_slice(&w).n, 8);
	assert_memory_equal(buf, "\0\2\0\3\0\4\0\5", 8);
	assert_int_equal(sig_hashes_read(wr_slice(&w)), SIG_HASHES_OURS);
	assert_int_equal(sig_hashes_read(HEX("000100060400ffff0000000a")), 1 << SIG_HASH_SHA1);
	assert_int_equal(sig_hashes_read(HEX("000200")), 1 << SIG_HASH_SHA256);
}

static void test_choice(void **state)
{
	enum { S1 = 2, S256 = 4, S384 = 8, S512 = 16, ID = 32, ALL = S256 | S384 | S512 | ID };
	static const struct sig_rules none, pkcs1 = {.schemes = 1 << SIG_RSA_SHA384},
					    sha1_rsa = {.schemes = 1 << SIG_RSA_SHA1},
					    rsa4096 = {.rsa_min = 4096}, ec384 = {.ec_min = 384},
					    only_ec = {.keys = 1 << SIG_KEY_EC};
	static const struct sig_key_info
	    rsa2 = {.type = SIG_KEY_RSA, .bits = 2048},
	    rsa4 = {.type = SIG_KEY_RSA, .bits = 4096}, rsa8 = {.type = SIG_KEY_RSA, .bits = 8192},
	    pss = {.type = SIG_KEY_RSA_PSS, .bits = 2048},
	    p256 = {.type = SIG_KEY_EC, .bits = 256, .old_curve = SIG_ECDSA_256},
	    p521 = {.type = SIG_KEY_EC, .bits = 521, .old_curve = SIG_ECDSA_521},
	    bp = {.type = SIG_KEY_EC, .bits = 384}, ed = {.type = SIG_KEY_ED25519, .bits = 256};
	static const struct {
		const struct sig_key_info *k;
		uint32_t hashes;
		const struct sig_rules *rules;
		enum sig_scheme want;
	} table[] = {
	    {&rsa2, ALL, &none, SIG_PSS_SHA256},
	    {&rsa2, ALL, NULL, SIG_PSS_SHA256},
	    {&rsa4, ALL, &none, SIG_PSS_SHA384},
	    {&rsa8, ALL, &none, SIG_PSS_SHA512},
	    {&rsa8, S256, &none, SIG_PSS_SHA256},
	    {&rsa2, ALL, &pkcs1, SIG_RSA_SHA384},
	    {&rsa2, S256, &pkcs1, SIG_NONE},
	    {&rsa2, S1, &none, SIG_NONE},
	    {&rsa2, 0, &none, SIG_RSA_SHA1},
	    {&rsa2, 0, &pkcs1, SIG_NONE},
	    {&rsa2, 0, &sha1_rsa, SIG_RSA_SHA1},
	    {&rsa2, ALL, &rsa4096, SIG_NONE},
	    {&rsa4, ALL, &rsa4096, SIG_PSS_SHA384},
	    {&rsa2, ALL, &only_ec, SIG_NONE},
	    {&pss, ALL, &none, SIG_PSS_SHA256},
	    {&pss, 0, &none, SIG_NONE},
	    {&p256, ALL, &none, SIG_ECDSA_SHA256},
	    {&p256, S512, &none, SIG_ECDSA_SHA512},
	    {&p256, 0, &none, SIG_ECDSA_256},
	    {&p256, ALL, &ec384, SIG_NONE},
	    {&p521, ALL, &none, SIG_ECDSA_SHA512},
	    {&p521, 0, &none, SIG_ECDSA_521},
	    {&bp, ALL, &none, SIG_ECDSA_SHA384},
	    {&bp, 0, &none, SIG_NONE},
	    {&ed, ALL, &none, SIG_ED25519},
	    {&ed, S256, &none, SIG_NONE},
	    {&ed, 0, &none, SIG_NONE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		assert_int_equal(sig_choose(table[i].k, table[i].hashes, table[i].rules),
				 table[i].want);
	/* a peer that announced better is not taken back to SHA-1, unless we were told so */
	assert_false(sig_allowed(&none, &rsa2, SIG_RSA_SHA1, ALL));
	assert_true(sig_allowed(&none, &rsa2, SIG_RSA_SHA1, S1));
	assert_true(sig_allowed(&none, &rsa2, SIG_RSA_SHA1, 0));
	assert_true(sig_allowed(&sha1_rsa, &rsa2, SIG_RSA_SHA1, ALL));
}

/* ---- vectors of others ------------------------------------------------------------------------
 */
static unsigned int run_file(const char *file, enum sig_scheme s)
{
	json_t *root = vectors_load(file), *group, *test;
	unsigned int ran = 0;
	size_t i, j;

	json_array_foreach(json_object_get(root, "testGroups"), i, group)
	{
		struct slice spki = vector_bytes(group, "publicKeyDer");
		struct sig_key_info info;
		uint8_t key[2048];

		memcpy(key, spki.p, spki.n);
		spki.p = key;
		if (sig_key_check(spki, &info, NULL))
			continue;
		json_array_foreach(json_object_get(group, "tests"), j, test)
		{
			const char *want = json_string_value(json_object_get(test, "result"));
			struct slice sig = vector_bytes(test, "sig");
			int r = sig_verify(s, spki, vector_bytes(test, "msg"), sig);

			ran++;
			if (strcmp(want, "acceptable") && (r == 0) != !strcmp(want, "valid"))
				fail_msg("%s: test %lld: %s, but %d", file,
					 json_integer_value(json_object_get(test, "tcId")), want,
					 r);
			/* "acceptable" is what exact encodings refuse */
			if (!strcmp(want, "acceptable"))
				assert_int_not_equal(r, 0);
		}
	}
	json_decref(root);
	return ran;
}

static void test_wycheproof(void **state)
{
	static const struct {
		const char *file;
		enum sig_scheme s;
	} files[] = {
	    {"wycheproof/rsa_signature_2048_sha256_test.json", SIG_RSA_SHA256},
	    {"wycheproof/rsa_pss_2048_sha256_mgf1_32_test.json", SIG_PSS_SHA256},
	    {"wycheproof/ecdsa_secp256r1_sha256_test.json", SIG_ECDSA_SHA256},
	    {"wycheproof/ecdsa_secp384r1_sha384_test.json", SIG_ECDSA_SHA384},
	    {"wycheproof/ecdsa_secp521r1_sha512_test.json", SIG_ECDSA_SHA512},
	    {"wycheproof/ecdsa_secp256r1_sha256_p1363_test.json", SIG_ECDSA_256},
	    {"wycheproof/ecdsa_secp384r1_sha384_p1363_test.json", SIG_ECDSA_384},
	    {"wycheproof/ecdsa_secp521r1_sha512_p1363_test.json", SIG_ECDSA_521},
	    {"wycheproof/ed25519_test.json", SIG_ED25519},
	    {"wycheproof/ed448_test.json", SIG_ED448},
	};
	unsigned int ran = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		ran += run_file(files[i].file, files[i].s);
	if (!ran)
		skip();
	print_message("%u vectors\n", ran);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_round_trips),	     cmocka_unit_test(test_weak_keys),
	    cmocka_unit_test(test_unsupported_keys), cmocka_unit_test(test_private_formats),
	    cmocka_unit_test(test_private_garbage),  cmocka_unit_test(test_pkcs1_forgeries),
	    cmocka_unit_test(test_pss_parameters),   cmocka_unit_test(test_ecdsa_raw),
	    cmocka_unit_test(test_algids),	     cmocka_unit_test(test_hashes),
	    cmocka_unit_test(test_choice),	     cmocka_unit_test(test_wycheproof),
	};
	int r;

	if (sig_init())
		return 1;
	rsa = EVP_RSA_gen(2048);
	r = cmocka_run_group_tests_name("sig", tests, NULL, NULL);
	EVP_PKEY_free(rsa);
	return r;
}
