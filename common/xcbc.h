/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * AES-XCBC-MAC (RFC 3566): the one MAC of IKE and ESP that OpenSSL has no name for. Here it is AES-128-CBC of
 * OpenSSL and three derived keys.
 */
enum { XCBC_BLOCK = 16, XCBC_KEY = 16 };

struct xcbc;

/* The key is taken into the derived ones and not kept. NULL and errno. */
struct xcbc *xcbc_new(const uint8_t key[XCBC_KEY]);
void xcbc_free(struct xcbc *x); /* wipes; NULL is harmless */
/* Begins a message. The three of them are false when the cipher failed. */
bool xcbc_start(struct xcbc *x);
bool xcbc_update(struct xcbc *x, const void *data, size_t n);
/* The whole MAC: a user of 96 bits takes the first 12 bytes. */
bool xcbc_final(struct xcbc *x, uint8_t mac[XCBC_BLOCK]);
