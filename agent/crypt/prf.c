/* SPDX-License-Identifier: BSD-2-Clause */
#include "prf.h"

#include "crypt.h"
#include "evp.h"

#include <errno.h>
#include <string.h>

enum { PRF_PLUS_BLOCKS_MAX = 255 };

size_t prf_len(uint16_t prf_id)
{
	const struct alg *a = alg_find(IKE_T_PRF, prf_id, 0);

	return a ? a->out_len : 0;
}

int prf(uint16_t prf_id, struct slice key, const struct slice *parts, unsigned int n,
	uint8_t out[CRYPT_PRF_MAX])
{
	const struct alg *a = alg_find(IKE_T_PRF, prf_id, 0);
	struct evp_mac *mac;
	int r;

	mac = a ? evp_mac_begin(a, key) : NULL;
	if (!mac)
		return -ENOTSUP;
	r = evp_mac_message(mac, parts, n, out);
	evp_mac_end(mac);
	return r;
}

/* RFC 7296 2.13: T1 = prf(K, S | 0x01), Tn = prf(K, Tn-1 | S | n). */
int prf_plus_parts(uint16_t prf_id, struct slice key, const struct slice *seed, unsigned int n,
		   struct secret *out, size_t len)
{
	const struct alg *a = alg_find(IKE_T_PRF, prf_id, 0);
	struct slice parts[PRF_PLUS_SEED_MAX + 2];
	uint8_t block[CRYPT_PRF_MAX], counter = 0;
	struct evp_mac *mac;
	size_t done = 0;
	int r;

	if (!a)
		return -ENOTSUP;
	if (n > PRF_PLUS_SEED_MAX || len > (size_t)PRF_PLUS_BLOCKS_MAX * a->out_len)
		return -EINVAL;
	r = secret_new(out, len);
	if (r)
		return r;
	mac = evp_mac_begin(a, key);
	if (!mac) {
		secret_free(out);
		return -ENOTSUP;
	}
	parts[0] = slice_of(NULL, 0);
	for (unsigned int i = 0; i < n; i++)
		parts[1 + i] = seed[i];
	parts[1 + n] = slice_of(&counter, 1);
	while (!r && done < len) {
		size_t take = len - done < a->out_len ? len - done : a->out_len;

		counter++;
		r = evp_mac_message(mac, parts, n + 2, block);
		memcpy(out->p + done, block, r ? 0 : take);
		done += take;
		parts[0] = slice_of(block, a->out_len);
	}
	evp_mac_end(mac);
	secret_wipe(block, sizeof(block));
	if (r)
		secret_free(out);
	return r;
}

int prf_plus(uint16_t prf_id, struct slice key, struct slice seed, struct secret *out, size_t len)
{
	return prf_plus_parts(prf_id, key, &seed, 1, out, len);
}

int hmac_sha256(struct slice key, const struct slice *parts, unsigned int n, uint8_t out[32])
{
	uint8_t full[CRYPT_PRF_MAX];
	int r = prf(PRF_HMAC_SHA2_256, key, parts, n, full);

	if (!r)
		memcpy(out, full, 32);
	secret_wipe(full, sizeof(full));
	return r;
}
