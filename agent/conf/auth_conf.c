// SPDX-License-Identifier: BSD-2-Clause
#include "conf_int.h"

#include "agent/cred/cred.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * The value of `auth`: psk, or pubkey with constraints. Words are joined by `-`: a type of key, its least strength,
 * hashes. "rsa-3072-sha256-ecdsa-384-sha384" allows two types, each with its own. Sets are separated by commas;
 * one that begins with "ike:" is about the signature in IKE_AUTH alone, any other about the chain of certificates
 * and, when no set says "ike:", about IKE_AUTH as well.
 */
enum {
	BITS_MAX = 16384,
	HASH_SHA1 = 1u << SIG_HASH_SHA1,
	HASH_SHA2 = 1u << SIG_HASH_SHA256 | 1u << SIG_HASH_SHA384 | 1u << SIG_HASH_SHA512,
};

#define S(name) (1u << SIG_##name)
#define K(name) (1u << SIG_KEY_##name)

static const struct key_word {
	const char *word;
	uint32_t keys; /* 0: all */
	bool rsa, pss, ec, ed25519, ed448;
} key_words[] = {
    {"pubkey", 0, true, true, true, true, true},
    {"rsa", K(RSA) | K(RSA_PSS), .rsa = true},
    {"rsa/pss", K(RSA) | K(RSA_PSS), .pss = true},
    {"ecdsa", K(EC), .ec = true},
    {"ed25519", K(ED25519), .ed25519 = true},
    {"ed448", K(ED448), .ed448 = true},
};

/* One set while it is read. */
struct set {
	const struct key_word *type; /* that the following words belong to */
	uint32_t hashes;	     /* said for it */
	struct sig_rules ike, chain;
	bool constrained; /* more than a type: then the chain is bound, too */
	bool sha1;
};

static uint32_t schemes_of(const struct key_word *t, uint32_t hashes, bool chain)
{
	static const struct {
		uint32_t hash, rsa, pss, ec;
	} rows[] = {
	    {HASH_SHA1, S(RSA_SHA1), 0, 0},
	    {1u << SIG_HASH_SHA256, S(RSA_SHA256), S(PSS_SHA256), S(ECDSA_SHA256) | S(ECDSA_256)},
	    {1u << SIG_HASH_SHA384, S(RSA_SHA384), S(PSS_SHA384), S(ECDSA_SHA384) | S(ECDSA_384)},
	    {1u << SIG_HASH_SHA512, S(RSA_SHA512), S(PSS_SHA512), S(ECDSA_SHA512) | S(ECDSA_521)},
	};
	/* Nothing said: all of SHA-2, and SHA-1 for peers that know nothing else. */
	uint32_t wanted = hashes ? hashes : HASH_SHA2 | (chain ? 0 : HASH_SHA1), out = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (!(wanted & rows[i].hash))
			continue;
		out |= (t->rsa ? rows[i].rsa : 0) | (t->pss ? rows[i].pss : 0) |
		       (t->ec ? rows[i].ec : 0);
		/* How a CA pads is its affair. */
		if (chain && t->rsa)
			out |= rows[i].pss;
	}
	if (t->ed25519 && (!hashes || hashes & 1u << SIG_HASH_SHA512))
		out |= S(ED25519);
	if (t->ed448 && (!hashes || hashes & 1u << SIG_HASH_SHA512))
		out |= S(ED448);
	return out;
}

/* What was said of one type is complete. */
static void type_end(struct set *s)
{
	const struct key_word *t = s->type;

	if (!t)
		return;
	if (t->keys || s->hashes) {
		s->ike.schemes |= schemes_of(t, s->hashes, false);
		s->chain.schemes |= schemes_of(t, s->hashes, true);
	}
	s->ike.keys |= t->keys;
	s->chain.keys |= t->keys;
	s->hashes = 0;
}

static int hash_word(const char *word, uint32_t *hash)
{
	static const struct {
		const char *word;
		uint32_t hash;
	} words[] = {
	    {"sha1", HASH_SHA1},
	    {"sha256", 1u << SIG_HASH_SHA256},
	    {"sha384", 1u << SIG_HASH_SHA384},
	    {"sha512", 1u << SIG_HASH_SHA512},
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strcmp(word, words[i].word) == 0)
			return *hash = words[i].hash, 0;
	return -ENOENT;
}

static int strength_word(struct set *s, const char *word, char *err, size_t errlen)
{
	char *end;
	unsigned long bits = strtoul(word, &end, 10);
	bool rsa = s->type && (s->type->rsa || s->type->pss) && s->type->keys;
	bool ec = s->type && s->type->ec && s->type->keys;

	if (*end || !bits || bits > BITS_MAX || (!rsa && !ec)) {
		snprintf(err, errlen, "'%.32s' is neither a kind of key (psk, pubkey, rsa, rsa/pss, ecdsa, "
				      "ed25519, ed448), nor a hash (sha256, sha384, sha512, sha1), nor bits "
				      "behind rsa or ecdsa", word);
		return -EINVAL;
	}
	if (rsa)
		s->ike.rsa_min = s->chain.rsa_min = (uint16_t)bits;
	else
		s->ike.ec_min = s->chain.ec_min = (uint16_t)bits;
	s->constrained = true;
	return 0;
}

static int one_word(struct set *s, const char *word, char *err, size_t errlen)
{
	uint32_t hash;

	for (size_t i = 0; i < sizeof(key_words) / sizeof(*key_words); i++) {
		if (strcmp(word, key_words[i].word) != 0)
			continue;
		type_end(s);
		s->type = &key_words[i];
		return 0;
	}
	if (hash_word(word, &hash) < 0 || !s->type)
		return strength_word(s, word, err, errlen);
	s->hashes |= hash;
	s->sha1 |= hash == HASH_SHA1;
	s->constrained = true;
	return 0;
}

static int read_set(const char *text, struct set *s, char *err, size_t errlen)
{
	char copy[128], *at = copy, *word;
	int rc;

	if (strlen(text) >= sizeof(copy)) {
		snprintf(err, errlen, "too long");
		return -EINVAL;
	}
	strcpy(copy, text);
	while ((word = strsep(&at, "-"))) {
		rc = one_word(s, word, err, errlen);
		if (rc < 0)
			return rc;
	}
	type_end(s);
	return 0;
}

static void add(struct sig_rules *to, const struct sig_rules *from)
{
	to->schemes |= from->schemes;
	to->keys |= from->keys;
	to->rsa_min = from->rsa_min > to->rsa_min ? from->rsa_min : to->rsa_min;
	to->ec_min = from->ec_min > to->ec_min ? from->ec_min : to->ec_min;
}

static int read_sets(const char *text, struct conf_auth_rules *out, char *err, size_t errlen)
{
	struct sig_rules ike = {0}, both = {0};
	const char *list = text;
	bool said_ike = false;
	char item[160];

	while (settings_item(&list, item, sizeof(item))) {
		bool only_ike = strncmp(item, "ike:", 4) == 0;
		struct set s = {0};
		int rc = read_set(only_ike ? item + 4 : item, &s, err, errlen);

		if (rc < 0)
			return rc;
		add(only_ike ? &ike : &both, &s.ike);
		said_ike |= only_ike;
		out->sha1 |= s.sha1;
		if (!only_ike && s.constrained)
			add(&out->chain, &s.chain);
	}
	out->auth = CONF_AUTH_PUBKEY;
	out->ike = said_ike ? ike : both;
	return 0;
}

int conf_auth_parse(const char *text, struct conf_auth_rules *out, char *err, size_t errlen)
{
	*out = (struct conf_auth_rules){.auth = CONF_AUTH_PSK};
	if (strcmp(text, "psk") == 0)
		return 0;
	if (strncmp(text, "eap", 3) == 0 || strncmp(text, "xauth", 5) == 0) {
		snprintf(err, errlen, "'%.64s' is not supported yet, only psk and public keys", text);
		return -EINVAL;
	}
	return read_sets(text, out, err, errlen);
}
