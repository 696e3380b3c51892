/* SPDX-License-Identifier: BSD-2-Clause */
#include "vectors.h"

#include "agent/crypt/crypt.h"

#include <string.h>

/*
 * Key derivation of RFC 7296 from given secrets: 2.14 (an IKE SA), 2.18 (its rekey), 2.17 (a Child SA, with PFS or without).
 */
enum { SECRET_MAX = 2048, NONCES_MAX = 512 };

struct given {
	struct ike_suite suite;
	uint8_t ni[NONCES_MAX], nr[NONCES_MAX], shared[SECRET_MAX], sk_d[CRYPT_PRF_MAX];
	size_t n_ni, n_nr, n_shared, n_sk_d;
	uint64_t spi_i, spi_r;
};

static const struct alg *row(struct vec_in *in, const char *key, unsigned int type, bool need)
{
	const char *name = vec_text(in, key, need);
	const struct alg *a = name ? alg_by_name(name, type) : NULL;

	if (name && !a)
		vec_fail(in, "%s: no such algorithm", key);
	return a;
}

static uint64_t spi_of(struct vec_in *in, const char *key)
{
	uint8_t b[8];
	size_t n = vec_hex(in, key, b, sizeof(b), true);
	uint64_t v = 0;

	if (!in->error[0] && n != 8)
		vec_fail(in, "%s: not 8 bytes", key);
	for (size_t i = 0; i < n; i++)
		v = v << 8 | b[i];
	return v;
}

static void read_given(struct vec_in *in, struct given *g, bool ike, bool need_shared)
{
	const struct alg *encr = row(in, "encr", IKE_T_ENCR, true), *integ = row(in, "integ", IKE_T_INTEG, false);
	const struct alg *prf_row = row(in, "prf", IKE_T_PRF, true);

	g->n_ni = vec_hex(in, "ni", g->ni, sizeof(g->ni), true);
	g->n_nr = vec_hex(in, "nr", g->nr, sizeof(g->nr), false);
	g->n_shared = vec_hex(in, "shared", g->shared, sizeof(g->shared), need_shared);
	if (ike) {
		g->spi_i = spi_of(in, "spi_i");
		g->spi_r = spi_of(in, "spi_r");
	}
	if (in->error[0])
		return;
	g->suite = (struct ike_suite){.encr = encr->id,
				      .encr_bits = encr->key_bits,
				      .integ = integ ? integ->id : AUTH_NONE,
				      .prf = prf_row->id};
}

static void put(json_t *o, const char *key, const struct secret *s)
{
	json_object_set_new(o, key, vec_hex_new(s->p, s->n));
}

static json_t *ike_answer(struct vec_in *in, int err, struct ike_keys *k)
{
	json_t *o;

	if (err)
		return vec_fail(in, "not possible: %s", strerror(-err));
	o = json_object();
	put(o, "sk_d", &k->d);
	put(o, "sk_ai", &k->ai);
	put(o, "sk_ar", &k->ar);
	put(o, "sk_ei", &k->ei);
	put(o, "sk_er", &k->er);
	put(o, "sk_pi", &k->pi);
	put(o, "sk_pr", &k->pr);
	ike_keys_free(k);
	return o;
}

static json_t *run_ike(struct vec_in *in)
{
	struct ike_keys k = {0};
	struct given g = {0};

	read_given(in, &g, true, true);
	if (in->error[0])
		return NULL;
	return ike_answer(in,
			  kdf_ike(&g.suite, slice_of(g.ni, g.n_ni), slice_of(g.nr, g.n_nr),
				  slice_of(g.shared, g.n_shared), g.spi_i, g.spi_r, &k),
			  &k);
}

static json_t *run_rekey(struct vec_in *in)
{
	const struct alg *old = row(in, "old_prf", IKE_T_PRF, false);
	struct secret sk_d = {0};
	struct ike_keys k = {0};
	struct given g = {0};
	int err;

	read_given(in, &g, true, true);
	g.n_sk_d = vec_hex(in, "sk_d", g.sk_d, sizeof(g.sk_d), true);
	if (in->error[0])
		return NULL;
	err = secret_dup(&sk_d, slice_of(g.sk_d, g.n_sk_d));
	if (!err)
		err = kdf_ike_rekey(old ? old->id : g.suite.prf, &sk_d, &g.suite, slice_of(g.ni, g.n_ni),
				    slice_of(g.nr, g.n_nr), slice_of(g.shared, g.n_shared), g.spi_i, g.spi_r, &k);
	secret_free(&sk_d);
	return ike_answer(in, err, &k);
}

static json_t *run_child(struct vec_in *in)
{
	struct child_keys k = {0};
	struct child_suite suite;
	struct secret sk_d = {0};
	struct given g = {0};
	json_t *o;
	int err;

	read_given(in, &g, false, false);
	g.n_sk_d = vec_hex(in, "sk_d", g.sk_d, sizeof(g.sk_d), true);
	if (in->error[0])
		return NULL;
	suite = (struct child_suite){.encr = g.suite.encr, .encr_bits = g.suite.encr_bits, .integ = g.suite.integ};
	err = secret_dup(&sk_d, slice_of(g.sk_d, g.n_sk_d));
	if (!err)
		err = kdf_child(g.suite.prf, &sk_d, &suite, slice_of(g.shared, g.n_shared),
				slice_of(g.ni, g.n_ni), slice_of(g.nr, g.n_nr), &k);
	secret_free(&sk_d);
	if (err)
		return vec_fail(in, "not possible: %s", strerror(-err));
	o = json_object();
	put(o, "encr_i", &k.encr_i);
	put(o, "integ_i", &k.integ_i);
	put(o, "encr_r", &k.encr_r);
	put(o, "integ_r", &k.integ_r);
	child_keys_free(&k);
	return o;
}

static json_t *run(struct vec_in *in)
{
	const char *of = vec_text(in, "of", true);

	if (!of)
		return NULL;
	if (strcmp(of, "ike") == 0)
		return run_ike(in);
	if (strcmp(of, "rekey") == 0)
		return run_rekey(in);
	if (strcmp(of, "child") == 0)
		return run_child(in);
	return vec_fail(in, "of: ike, rekey or child");
}

const struct vec_op vec_kdf = {"kdf", "of encr integ prf old_prf ni nr shared spi_i spi_r sk_d", run};
