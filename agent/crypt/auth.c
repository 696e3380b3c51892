/* SPDX-License-Identifier: BSD-2-Clause */
#include "crypt.h"

int auth_maced_id(uint16_t prf_id, const struct secret *sk_p, struct slice id_body,
		  uint8_t out[CRYPT_PRF_MAX])
{
	return prf(prf_id, secret_slice(sk_p), &id_body, 1, out);
}

int auth_psk_key(uint16_t prf_id, struct slice psk, uint8_t out[CRYPT_PRF_MAX])
{
	/* RFC 7296 2.15: 17 ASCII characters without a terminating zero */
	static const char pad[] = "Key Pad for IKEv2";
	struct slice pad_slice = slice_of(pad, sizeof(pad) - 1);

	return prf(prf_id, psk, &pad_slice, 1, out);
}

int auth_psk(uint16_t prf_id, struct slice psk, const struct slice *octets, unsigned int n,
	     uint8_t out[CRYPT_PRF_MAX])
{
	uint8_t key[CRYPT_PRF_MAX];
	int r = auth_psk_key(prf_id, psk, key);

	if (!r)
		r = prf(prf_id, slice_of(key, prf_len(prf_id)), octets, n, out);
	secret_wipe(key, sizeof(key));
	return r;
}
