/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "common/slice.h"

#include <stdbool.h>

/*
 * Distinguished names: text as swanctl.conf has it, DER as X.509 and ID payloads have it.
 */
enum { DN_MAX = 512, DN_ATTRIBUTES_MAX = 32 };

/*
 * "C=CH, O=xdpsec, CN=moon" or "/C=CH/O=xdpsec/CN=moon" to at most DN_MAX bytes of DER. A value may
 * stand in quotes; behind a backslash a character means itself, two hex digits a byte of UTF-8.
 * "CN=a+OU=b" is one part with two attributes. Keywords without regard to case, or a dotted OID.
 * A value that is `*` alone is a wildcard: *wild tells. 0 or -EINVAL.
 */
int dn_parse(const char *text, uint8_t out[DN_MAX], size_t *n, bool *wild);
/* A whole Name without trailing bytes, with one to DN_ATTRIBUTES_MAX attributes? */
bool dn_valid(struct slice der);
/* Text for people, which dn_parse reads back; cut off where buf is full; in braces when it is no
 * name. All printable ASCII. Returns buf. */
const char *dn_str(struct slice der, char *buf, size_t n);
/* RFC 5280 7.1: the same attributes in the same order, values without regard to their string type,
 * case and width of blanks. */
bool dn_equal(struct slice a, struct slice b);
/* The same, where a value of the pattern that is `*` stands for any. */
bool dn_matches(struct slice pattern, struct slice der);
