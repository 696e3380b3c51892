/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * One request: an object of JSON. The readers fail sticky: after the first field that is missing or wrong, `error`
 * says which, all further reads give nothing, and the dispatcher answers with that text.
 */
struct vec_in {
	const json_t *o;
	char error[200];
};

/* An operation: the fields that it knows (by spaces; others are refused), and what it does. The answer is a new
 * object, or NULL after vec_fail. */
struct vec_op {
	const char *name, *fields;
	json_t *(*run)(struct vec_in *in);
};

/* The first failure of a request stays. Always NULL, for `return vec_fail(...)`. */
json_t *vec_fail(struct vec_in *in, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool vec_has(const struct vec_in *in, const char *key);
/* A number, or a string of decimal digits or 0x hex (for what JSON cannot hold); `or` when it is absent. */
uint64_t vec_uint(struct vec_in *in, const char *key, uint64_t max, uint64_t or);
uint64_t vec_uint_of(struct vec_in *in, const json_t *value, const char *key, uint64_t max);
bool vec_flag(struct vec_in *in, const char *key, bool or);
/* NULL when it is absent and was not needed. */
const char *vec_text(struct vec_in *in, const char *key, bool need);
/* Bytes of a string of hex digits; absent gives 0 bytes, or fails when needed. At most cap. */
size_t vec_hex(struct vec_in *in, const char *key, uint8_t *buf, size_t cap, bool need);
/* A 64-bit number as a string of digits, which no reader of JSON rounds. */
json_t *vec_number_new(uint64_t v);
/* The hex string of n bytes, for an answer. */
json_t *vec_hex_new(const uint8_t *p, size_t n);

/* One file an operation. */
extern const struct vec_op vec_esp_seal, vec_esp_open;
extern const struct vec_op vec_replay;
extern const struct vec_op vec_kdf, vec_decode;
