/* SPDX-License-Identifier: BSD-2-Clause */
/* DPDK's crypto_openssl has no synchronous path: everything goes through queue pairs, as with hardware. */
#define TEST_DEVICE "crypto_openssl"
#include "dp_packets_test.c"
