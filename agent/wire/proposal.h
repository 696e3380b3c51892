/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "ike.h"

#include <stdbool.h>
#include <stdint.h>

/* Id of a decoded transform that had an attribute we do not understand: no algorithm has it, no
 * configuration names it, so nothing matches (RFC 7296 3.3.6). */
enum { TRANSFORM_UNUSABLE = 0xffff };

struct transform {
	uint8_t type;	   /* enum ike_transform */
	uint16_t id;
	uint16_t key_bits; /* Key Length attribute, 0 = absent */
};

/* One proposal, as offered or as chosen (then with one transform a type). */
struct proposal {
	uint8_t number; /* 1.. on the wire */
	uint8_t proto;	/* enum ike_proto */
	uint8_t spi_len;
	uint8_t spi[8];
	uint16_t n;
	struct transform t[IKE_TRANSFORMS_MAX];
};

struct proposals {
	uint16_t n;
	struct proposal p[IKE_PROPOSALS_MAX];
};

/* The transform of a type in a chosen proposal; NULL when it has none. */
const struct transform *proposal_find(const struct proposal *p, unsigned int type);
bool proposal_has(const struct proposal *p, unsigned int type, unsigned int id, unsigned int bits);
