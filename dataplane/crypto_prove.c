/* SPDX-License-Identifier: BSD-2-Clause */
#if HAVE_DPDK

#include "crypto_dpdk.h"

#include "common/secret.h"

/*
 * What a device can do is found out, not believed: at the start a burst of packets of every suite is sealed by the
 * device and by OpenSSL, with the same bytes as the result, and opened by the device; one with a wrong tag must not
 * open. PMDs have been met that say yes and leave the packet as it was.
 */
enum { PROVE_PKTS = 5, PROVE_ROOM = 256, PROVE_FRONT = 16 };

struct prove {
	uint8_t bytes[PROVE_PKTS][PROVE_ROOM];
	struct crypto_req req[PROVE_PKTS];
};

static void fill(struct prove *p, const struct crypto_suite *suite)
{
	for (unsigned int i = 0; i < PROVE_PKTS; i++) {
		for (unsigned int k = 0; k < PROVE_ROOM; k++)
			p->bytes[i][k] = (uint8_t)(i * 31 + k * 7);
		p->req[i] = (struct crypto_req){
			.esp = p->bytes[i] + PROVE_FRONT, .seq_hi = i,
			.len = 8u + suite->iv_len + (i + 1) * 2u * (suite->align > 4 ? suite->align : 12)};
	}
}

static bool all_ok(const struct prove *p, unsigned int except)
{
	for (unsigned int i = 0; i < PROVE_PKTS; i++)
		if ((p->req[i].status == CRYPTO_OK) != (i != except))
			return false;
	return true;
}

static bool proves(struct dpdk_dev *dev, const struct crypto_suite *suite, bool esn)
{
	static uint8_t key[CRYPTO_DIGEST_MAX + CRYPTO_SALT_MAX];
	const struct crypto_keys keys = {.encr = key, .integ = key, .esn = esn};
	struct crypto_session *seal, *open = NULL, *model = NULL;
	struct prove a, b, plain;
	bool ok = false;

	for (unsigned int i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)(i * 29 + 3);
	fill(&a, suite);
	fill(&b, suite);
	fill(&plain, suite);
	seal = dpdk_new_on(dev, suite, &keys, CRYPTO_SEAL, 0);
	if (seal)
		open = dpdk_new_on(dev, suite, &keys, CRYPTO_OPEN, 0);
	if (open)
		model = crypto_openssl.session_new(suite, &keys, CRYPTO_SEAL, 0);
	if (model) {
		crypto_cryptodev.seal(seal, a.req, PROVE_PKTS);
		crypto_openssl.seal(model, b.req, PROVE_PKTS);
		ok = all_ok(&a, PROVE_PKTS) && all_ok(&b, PROVE_PKTS);
		for (unsigned int i = 0; i < PROVE_PKTS && ok; i++)
			ok = secret_equal(a.req[i].esp, b.req[i].esp, a.req[i].len + suite->icv_len);
	}
	if (ok) {
		a.req[3].esp[a.req[3].len + suite->icv_len - 1] ^= 1;
		crypto_cryptodev.open(open, a.req, PROVE_PKTS);
		ok = all_ok(&a, 3);
		for (unsigned int i = 0; i < PROVE_PKTS && ok; i++)
			ok = i == 3 || secret_equal(a.req[i].esp, plain.req[i].esp, a.req[i].len);
	}
	crypto_session_free(seal);
	crypto_session_free(open);
	crypto_session_free(model);
	return ok;
}

void dpdk_prove(struct dpdk_dev *dev)
{
	const struct crypto_suite *suite;

	for (unsigned int i = 0; (suite = crypto_suite_at(i)) && i < DPDK_SUITES_MAX; i++)
		dev->proved[i] = !dev->dead && proves(dev, suite, false) && proves(dev, suite, true);
}

#endif
