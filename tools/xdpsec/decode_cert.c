/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/cred/dn.h"
#include "decode.h"

#include <openssl/err.h>
#include <openssl/x509.h>

void cert_subject(struct slice der, char *buf, size_t n)
{
	const unsigned char *p = der.p;
	unsigned char *name = NULL;
	X509 *x = d2i_X509(NULL, &p, (long)der.n);
	int len = x ? i2d_X509_NAME(X509_get_subject_name(x), &name) : -1;

	buf[0] = '\0';
	if (len > 0)
		dn_str(slice_of(name, (size_t)len), buf, n);
	OPENSSL_free(name);
	X509_free(x);
	ERR_clear_error();
}
