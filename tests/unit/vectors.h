/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "common/slice.h"

#include <jansson.h>

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Test vectors of others, read where they are: $XDPSEC_TESTDATA/vectors or
 * ../shared/testdata/vectors. A test that finds none skips.
 */
static inline json_t *vectors_load(const char *name)
{
	const char *dir = getenv("XDPSEC_TESTDATA");
	char path[512];

	snprintf(path, sizeof(path), "%s/vectors/%s", dir ? dir : "../shared/testdata", name);
	return json_load_file(path, 0, NULL);
}

/* Bytes of a hex string, at most cap of them. */
static inline struct slice hex_bytes(const char *hex, uint8_t *buf, size_t cap)
{
	size_t n = strlen(hex) / 2;

	assert(n <= cap && strlen(hex) % 2 == 0);
	for (size_t i = 0; i < n; i++) {
		unsigned int v;

		if (sscanf(hex + 2 * i, "%2x", &v) != 1)
			abort();
		buf[i] = (uint8_t)v;
	}
	return slice_of(buf, n);
}

/* The bytes of a member of an object, as long as the object lives only in this static store of 16.
 */
static inline struct slice vector_bytes(const json_t *o, const char *key)
{
	static uint8_t store[16][8192];
	static unsigned int next;
	const char *hex = json_string_value(json_object_get(o, key));
	uint8_t *buf = store[next++ % 16];

	return hex ? hex_bytes(hex, buf, sizeof(store[0])) : slice_of(NULL, 0);
}

/* Bytes of a literal, for tables of constants. */
#define HEX(literal) hex_bytes(literal, (uint8_t[sizeof(literal) / 2 + 1]){0}, sizeof(literal) / 2)
