/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "dataplane/crypto.h"

#include "common/gateway_conf.h"

#include <stdio.h>

/* The backends that start here: OpenSSL, and cryptodev with the devices of the defaults or with TEST_DEVICE. */
static const struct crypto_backend *backends[2];
static unsigned int n_backends;

static inline int backends_start(void **state)
{
	struct gateway_conf conf;
	char err[160];

	(void)state;
	backends[n_backends++] = &crypto_openssl;
	gateway_conf_defaults(&conf);
#ifdef TEST_DEVICE
	snprintf(conf.dataplane.device, sizeof(conf.dataplane.device), "%s", TEST_DEVICE);
#endif
	if (crypto_cryptodev_start(&conf.dataplane, 1, 4096, &backends[1], err, sizeof(err)) == 0) {
		n_backends++;
		printf("# cryptodev: %s\n", crypto_cryptodev_devices());
	} else {
		printf("# no cryptodev here: %s\n", err);
	}
	return 0;
}
