/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * The internet checksum (RFC 1071) in native byte order: sums of 16-bit words may be added up in
 * any width, so the long runs go 32 bits at a time into 64-bit lanes.
 */
typedef uint64_t csum_lanes __attribute__((vector_size(16)));

static inline uint64_t csum_add(const void *p, size_t n, uint64_t sum)
{
	const uint8_t *b = p;
	csum_lanes even = {0, 0}, odd = {0, 0}, low = {UINT32_MAX, UINT32_MAX};
	uint32_t w32;
	uint16_t w16;

	for (; n >= 32; b += 32, n -= 32) {
		csum_lanes v, u;

		memcpy(&v, b, sizeof(v));
		memcpy(&u, b + 16, sizeof(u));
		even += (v & low) + (u & low);
		odd += (v >> 32) + (u >> 32);
	}
	even += odd;
	sum += even[0] + even[1];
	for (; n >= 4; b += 4, n -= 4) {
		memcpy(&w32, b, 4);
		sum += w32;
	}
	if (n >= 2) {
		memcpy(&w16, b, 2);
		sum += w16;
		b += 2;
		n -= 2;
	}
	if (n) {
		uint8_t last[2] = {*b, 0};

		memcpy(&w16, last, 2);
		sum += w16;
	}
	return sum;
}

/* Folds to 16 bits, not complemented. */
static inline uint16_t csum_fold(uint64_t sum)
{
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* The value for a checksum field. */
static inline uint16_t csum_finish(uint64_t sum)
{
	return (uint16_t)~csum_fold(sum);
}

/* RFC 1624: the checksum after one 16-bit word of what it covers changed. */
static inline uint16_t csum_replace(uint16_t check, uint16_t from, uint16_t to)
{
	uint64_t sum = (uint16_t)~check;

	return csum_finish(sum + (uint16_t)~from + to);
}
