/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <ctype.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* Hex digits to bytes, spaces skipped, up to the first character that is neither. The number of
 * bytes; those that do not fit `cap` are left out. */
static inline size_t unhex(const char *s, uint8_t *out, size_t cap)
{
	size_t n = 0;

	while (n < cap) {
		char two[3] = {0};

		while (*s == ' ')
			s++;
		if (!isxdigit((unsigned char)s[0]) || !isxdigit((unsigned char)s[1]))
			break;
		two[0] = s[0];
		two[1] = s[1];
		out[n++] = (uint8_t)strtoul(two, NULL, 16);
		s += 2;
	}
	return n;
}
