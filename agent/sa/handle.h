/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdint.h>

/* What crosses a wait instead of a pointer: a place in a table and the generation it must have. */
struct sa_ref {
	uint32_t index, generation;
};
