/* SPDX-License-Identifier: BSD-2-Clause */
#include "crypt.h"
#include "sig_int.h"

#include <openssl/core_names.h>
#include <openssl/decoder.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { PRIVATE_MAX = 1 << 16 };

struct sig_key {
	EVP_PKEY *pkey;
	struct sig_key_info info;
	uint8_t *spki;
	size_t spki_len;
};

static int reject(const char **why, const char *text, int error)
{
	if (why)
		*why = text;
	return error;
}

static int check_rsa(const EVP_PKEY *p, struct sig_key_info *k, const char **why)
{
	BIGNUM *e = NULL;
	int bits = EVP_PKEY_get_bits(p), r = 0;

	if (!EVP_PKEY_get_bn_param(p, OSSL_PKEY_PARAM_RSA_E, &e))
		return reject(why, "RSA key without exponent", -EBADMSG);
	if (bits < SIG_RSA_BITS_MIN)
		r = reject(why, "RSA key of less than 2048 bits", -EKEYREJECTED);
	else if (bits > SIG_RSA_BITS_MAX)
		r = reject(why, "RSA key of more than 8192 bits", -EKEYREJECTED);
	else if (BN_num_bits(e) < 17 || !BN_is_odd(e))
		r = reject(why, "RSA exponent below 65537 or even", -EKEYREJECTED);
	else if (BN_num_bits(e) > 64)
		r = reject(why, "RSA exponent of more than 64 bits", -EKEYREJECTED);
	BN_free(e);
	k->bits = (uint16_t)bits;
	return r;
}

static int check_ec(const EVP_PKEY *p, struct sig_key_info *k, const char **why)
{
	static const struct {
		int nid;
		uint16_t bits;
		uint8_t old;
	} curves[] = {
	    {NID_X9_62_prime256v1, 256, SIG_ECDSA_256},
	    {NID_secp384r1, 384, SIG_ECDSA_384},
	    {NID_secp521r1, 521, SIG_ECDSA_521},
	    {NID_brainpoolP256r1, 256, 0},
	    {NID_brainpoolP384r1, 384, 0},
	    {NID_brainpoolP512r1, 512, 0},
	};
	char name[64];
	size_t n;
	int nid, explicit_params = 0;

	if (!EVP_PKEY_get_int_param(p, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS,
				    &explicit_params) ||
	    explicit_params)
		return reject(why, "curve by parameters instead of by name", -EKEYREJECTED);
	if (!EVP_PKEY_get_group_name(p, name, sizeof(name), &n))
		return reject(why, "curve without name", -ENOTSUP);
	nid = OBJ_sn2nid(name);
	for (size_t i = 0; i < sizeof(curves) / sizeof(*curves); i++) {
		if (curves[i].nid != nid)
			continue;
		k->bits = curves[i].bits;
		k->old_curve = curves[i].old;
		return 0;
	}
	return reject(why, "curve that is not supported", -ENOTSUP);
}

static int check_pkey(const EVP_PKEY *p, struct sig_key_info *k, const char **why)
{
	switch (EVP_PKEY_get_base_id(p)) {
	case EVP_PKEY_RSA:
		k->type = SIG_KEY_RSA;
		return check_rsa(p, k, why);
	case EVP_PKEY_RSA_PSS:
		k->type = SIG_KEY_RSA_PSS;
		return check_rsa(p, k, why);
	case EVP_PKEY_EC:
		k->type = SIG_KEY_EC;
		return check_ec(p, k, why);
	case EVP_PKEY_ED25519:
		k->type = SIG_KEY_ED25519;
		k->bits = 256;
		return 0;
	case EVP_PKEY_ED448:
		k->type = SIG_KEY_ED448;
		k->bits = 456;
		return 0;
	default:
		return reject(why, "key of a type that is not supported", -ENOTSUP);
	}
}

/* The key behind an SPKI when it is good enough. */
static int public_from(struct slice spki, EVP_PKEY **out, struct sig_key_info *k, const char **why)
{
	const uint8_t *at = spki.p;
	EVP_PKEY *p;
	int r;

	*k = (struct sig_key_info){0};
	if (!spki.n || spki.n > SIG_SPKI_MAX)
		return reject(why, "no public key, or one that is too long", -EBADMSG);
	p = d2i_PUBKEY(NULL, &at, (long)spki.n);
	if (!p || at != spki.p + spki.n) {
		EVP_PKEY_free(p);
		ERR_clear_error();
		return reject(why, "malformed public key", -EBADMSG);
	}
	r = check_pkey(p, k, why);
	if (!r)
		r = sha1(&spki, 1, k->id);
	ERR_clear_error();
	if (r)
		EVP_PKEY_free(p);
	else
		*out = p;
	return r;
}

int sig_key_check(struct slice spki, struct sig_key_info *info, const char **why)
{
	EVP_PKEY *p;
	int r = public_from(spki, &p, info, why);

	if (!r)
		EVP_PKEY_free(p);
	return r;
}

/* Padding and salt of RSA; the digest stands in the context already. */
static int padding(EVP_PKEY_CTX *c, enum sig_scheme s)
{
	if (s >= SIG_PSS_SHA256 && s <= SIG_PSS_SHA512)
		// RFC 7427 A.4: the salt is as long as the AlgorithmIdentifier says, no other
		return EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_PSS_PADDING) > 0 &&
		       EVP_PKEY_CTX_set_rsa_mgf1_md_name(c, sig_row(s)->digest, NULL) > 0 &&
		       EVP_PKEY_CTX_set_rsa_pss_saltlen(c, sig_row(s)->len) > 0;
	if (s >= SIG_RSA_SHA1 && s <= SIG_RSA_SHA512)
		return EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_PADDING) > 0;
	return 1;
}

static bool is_raw(enum sig_scheme s)
{
	return s >= SIG_ECDSA_256 && s <= SIG_ECDSA_521;
}

/* r | s, each as long as the order, to DER. */
static int raw_to_der(enum sig_scheme s, struct slice raw, uint8_t der[SIG_MAX], size_t *n)
{
	size_t half = sig_row(s)->len;
	ECDSA_SIG *sig = ECDSA_SIG_new();
	BIGNUM *a = NULL, *b = NULL;
	int len = -1;

	// RFC 4754 7: exactly two values of the curve's length
	if (sig && raw.n == 2 * half) {
		a = BN_bin2bn(raw.p, (int)half, NULL);
		b = BN_bin2bn(raw.p + half, (int)half, NULL);
	}
	if (a && b && ECDSA_SIG_set0(sig, a, b)) {
		uint8_t *at = der;

		a = b = NULL;
		len = i2d_ECDSA_SIG(sig, &at);
	}
	BN_free(a);
	BN_free(b);
	ECDSA_SIG_free(sig);
	*n = len > 0 ? (size_t)len : 0;
	return len > 0 ? 0 : -EBADMSG;
}

static int der_to_raw(enum sig_scheme s, uint8_t sig[SIG_MAX], size_t *n)
{
	int half = sig_row(s)->len, ok;
	const uint8_t *at = sig;
	ECDSA_SIG *e = d2i_ECDSA_SIG(NULL, &at, (long)*n);

	ok = e && BN_bn2binpad(ECDSA_SIG_get0_r(e), sig, half) == half &&
	     BN_bn2binpad(ECDSA_SIG_get0_s(e), sig + half, half) == half;
	ECDSA_SIG_free(e);
	*n = ok ? 2 * (size_t)half : 0;
	return ok ? 0 : -EIO;
}

int sig_verify(enum sig_scheme s, struct slice spki, struct slice octets, struct slice signature)
{
	uint8_t der[SIG_MAX];
	struct sig_key_info k;
	EVP_PKEY *p = NULL;
	EVP_PKEY_CTX *c = NULL;
	EVP_MD_CTX *m;
	int r = public_from(spki, &p, &k, NULL), ok;

	if (r)
		return r;
	if (!sig_key_fits(&k, s) || !signature.n || signature.n > SIG_MAX)
		r = sig_key_fits(&k, s) ? -EBADMSG : -ENOTSUP;
	else if (is_raw(s))
		r = raw_to_der(s, signature, der, &signature.n);
	if (r) {
		EVP_PKEY_free(p);
		ERR_clear_error();
		return r;
	}
	if (is_raw(s))
		signature.p = der;
	m = EVP_MD_CTX_new();
	/* OpenSSL encodes what PKCS#1 v1.5 and DER must look like, and compares: nothing is
	 * skipped. */
	ok = m && EVP_DigestVerifyInit_ex(m, &c, sig_row(s)->digest, NULL, NULL, p, NULL) > 0 &&
	     padding(c, s);
	r = ok ? 0 : -ENOTSUP;
	if (ok && EVP_DigestVerify(m, signature.p, signature.n, octets.p, octets.n) != 1)
		r = -EBADMSG;
	EVP_MD_CTX_free(m);
	EVP_PKEY_free(p);
	ERR_clear_error();
	return r;
}

int sig_sign(const struct sig_key *k, enum sig_scheme s, struct slice octets, uint8_t out[SIG_MAX],
	     size_t *n)
{
	EVP_PKEY_CTX *c = NULL;
	EVP_MD_CTX *m;
	int ok, r;

	if (!sig_key_fits(&k->info, s))
		return -ENOTSUP;
	m = EVP_MD_CTX_new();
	*n = SIG_MAX;
	ok = m && EVP_DigestSignInit_ex(m, &c, sig_row(s)->digest, NULL, NULL, k->pkey, NULL) > 0 &&
	     padding(c, s) && EVP_DigestSign(m, out, n, octets.p, octets.n) == 1;
	r = ok ? 0 : -EIO;
	if (ok && is_raw(s))
		r = der_to_raw(s, out, n);
	EVP_MD_CTX_free(m);
	ERR_clear_error();
	return r;
}

/* ---- private keys -------------------------------------------------------------------------------
 */
struct passphrase {
	const char *text;
	bool asked;
};

static int give_passphrase(char *buf, int size, int rwflag, void *arg)
{
	struct passphrase *p = arg;
	size_t n = p->text ? strlen(p->text) : 0;

	(void)rwflag;
	p->asked = true;
	if (!n || n > (size_t)size)
		return -1;
	memcpy(buf, p->text, n);
	return (int)n;
}

static EVP_PKEY *private_decode(struct slice bytes, struct passphrase *pass)
{
	BIO *bio = BIO_new_mem_buf(bytes.p, (int)bytes.n);
	EVP_PKEY *p = NULL;
	OSSL_DECODER_CTX *d =
	    OSSL_DECODER_CTX_new_for_pkey(&p, NULL, NULL, NULL, EVP_PKEY_KEYPAIR, NULL, NULL);
	int at = -1;

	if (!bio || !d || !OSSL_DECODER_CTX_set_pem_password_cb(d, give_passphrase, pass))
		goto out;
	/* A PEM file may begin with other blocks: EC PARAMETERS does. */
	while (!OSSL_DECODER_from_bio(d, bio) || !p) {
		int now = (int)BIO_tell(bio);

		if (now <= at || BIO_eof(bio))
			break;
		at = now;
	}
out:
	OSSL_DECODER_CTX_free(d);
	BIO_free(bio);
	ERR_clear_error();
	return p;
}

/* Signs and verifies: a key whose halves do not belong together would only fail in front of peers.
 */
static int prove(const struct sig_key *k)
{
	static const uint8_t text[] = "xdpsec";
	struct slice octets = slice_of(text, sizeof(text));
	uint8_t out[SIG_MAX];
	size_t n;

	for (enum sig_scheme s = SIG_PSS_SHA256; s < SIG_SCHEMES; s++) {
		if (!sig_key_fits(&k->info, s))
			continue;
		if (sig_sign(k, s, octets, out, &n))
			return -EBADMSG;
		return sig_verify(s, sig_private_spki(k), octets, slice_of(out, n));
	}
	return -ENOTSUP;
}

int sig_private_load(struct slice bytes, const char *passphrase, struct sig_key **out)
{
	struct passphrase pass = {.text = passphrase};
	struct sig_key *k;
	int r, n;

	*out = NULL;
	if (!bytes.n || bytes.n > PRIVATE_MAX)
		return -EBADMSG;
	k = calloc(1, sizeof(*k));
	if (!k)
		return -ENOMEM;
	k->pkey = private_decode(bytes, &pass);
	n = k->pkey ? i2d_PUBKEY(k->pkey, &k->spki) : -1;
	if (!k->pkey)
		r = pass.asked ? -EACCES : -EBADMSG;
	else
		r = n > 0 ? 0 : -EBADMSG;
	if (!r) {
		k->spki_len = (size_t)n;
		r = sig_key_check(sig_private_spki(k), &k->info, NULL);
	}
	if (!r)
		r = prove(k);
	ERR_clear_error();
	if (r)
		sig_private_free(k);
	else
		*out = k;
	return r;
}

void sig_private_free(struct sig_key *k)
{
	if (!k)
		return;
	EVP_PKEY_free(k->pkey);
	OPENSSL_free(k->spki);
	free(k);
}

const struct sig_key_info *sig_private_info(const struct sig_key *k)
{
	return &k->info;
}

struct slice sig_private_spki(const struct sig_key *k)
{
	return slice_of(k->spki, k->spki_len);
}

int sig_init(void)
{
	static const char *const keys[] = {"RSA", "RSA-PSS", "EC", "ED25519", "ED448"};
	static const char *const digests[] = {"SHA1", "SHA256", "SHA384", "SHA512"};
	int r = crypt_init();

	/* Fetching fills the library's cache, which lives as long as the process. */
	for (size_t i = 0; !r && i < sizeof(keys) / sizeof(*keys); i++) {
		EVP_KEYMGMT *m = EVP_KEYMGMT_fetch(NULL, keys[i], NULL);

		r = m ? 0 : -ENOTSUP;
		EVP_KEYMGMT_free(m);
	}
	for (size_t i = 0; !r && i < sizeof(digests) / sizeof(*digests); i++) {
		EVP_MD *m = EVP_MD_fetch(NULL, digests[i], NULL);

		r = m ? 0 : -ENOTSUP;
		EVP_MD_free(m);
	}
	ERR_clear_error();
	return r;
}
