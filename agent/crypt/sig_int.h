/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "sig.h"

/* One row a scheme, shared by sig.c and sig_names.c. */
struct sig_row {
	const char *name;
	const char *digest; /* EVP name, NULL where the scheme hashes itself */
	uint8_t len;	    /* hash; of raw ECDSA half a signature; of EdDSA a signature */
	uint8_t hash;	    /* enum sig_hash */
	uint8_t method;	    /* enum ike_auth_method */
	const uint8_t *algid;
	uint8_t algid_len;
};

/* The row of SIG_NONE for what is none. */
const struct sig_row *sig_row(enum sig_scheme s);
