/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The value of a hex digit in either case, or -1. Of the locale it knows nothing. */
static inline int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}
