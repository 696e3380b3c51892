/* SPDX-License-Identifier: BSD-2-Clause */
#include "cred_int.h"

#include "dn.h"

#include <openssl/err.h>

#include <string.h>
#include <time.h>

struct slice name_der(const X509_NAME *name)
{
	const unsigned char *p = NULL;
	size_t n = 0;

	if (!X509_NAME_get0_der(name, &p, &n))
		n = 0;
	return slice_of(p, n);
}

const char *name_str(const X509_NAME *name, char *buf, size_t n)
{
	return dn_str(name_der(name), buf, n);
}

int64_t asn1_seconds(const ASN1_TIME *t)
{
	struct tm tm;

	if (!t || !ASN1_TIME_to_tm(t, &tm))
		return INT64_MIN;
	return timegm(&tm);
}

static bool bytes_equal(const ASN1_STRING *s, struct slice want)
{
	return (size_t)ASN1_STRING_length(s) == want.n && want.n &&
	       secret_equal(ASN1_STRING_get0_data(s), want.p, want.n);
}

/* One name of subjectAltName as an identity of ours; type 0 when it is of no such kind. */
static struct ike_id id_of(const GENERAL_NAME *g)
{
	static const struct {
		int gen;
		uint8_t type;
	} map[] = {{GEN_DNS, ID_FQDN}, {GEN_EMAIL, ID_RFC822_ADDR}};
	struct ike_id id = {0};
	int type;
	const ASN1_STRING *s = GENERAL_NAME_get0_value(g, &type);

	if (type == GEN_DIRNAME) {
		id.type = ID_DER_ASN1_DN;
		id.data = name_der(g->d.directoryName);
		return id;
	}
	for (size_t i = 0; i < sizeof(map) / sizeof(*map); i++)
		if (map[i].gen == type)
			id.type = map[i].type;
	if (type == GEN_IPADD && ASN1_STRING_length(s) == 4)
		id.type = ID_IPV4_ADDR;
	if (type == GEN_IPADD && ASN1_STRING_length(s) == 16)
		id.type = ID_IPV6_ADDR;
	if (id.type)
		id.data = slice_of(ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s));
	return id;
}

static bool alt_has(const X509 *x, const struct ike_id *id)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
	bool found = false;

	for (int i = 0; !found && i < sk_GENERAL_NAME_num(names); i++) {
		struct ike_id one = id_of(sk_GENERAL_NAME_value(names, i));

		// RFC 4945 3.1: names are compared whole, a wildcard in a certificate is none
		found = one.type == id->type && id_equal(&one, id);
	}
	GENERAL_NAMES_free(names);
	ERR_clear_error();
	return found;
}

bool cert_has_id(const X509 *x, const struct sig_key_info *key, const struct ike_id *id)
{
	const ASN1_OCTET_STRING *skid;

	if (!id->data.n)
		return false;
	switch (id->type) {
	case ID_DER_ASN1_DN:
		return dn_equal(name_der(X509_get_subject_name(x)), id->data) || alt_has(x, id);
	case ID_FQDN:
	case ID_RFC822_ADDR:
	case ID_IPV4_ADDR:
	case ID_IPV6_ADDR:
		return alt_has(x, id);
	case ID_KEY_ID:
		skid = X509_get0_subject_key_id((X509 *)x);
		return (skid && bytes_equal(skid, id->data)) ||
		       (id->data.n == sizeof(key->id) &&
			secret_equal(key->id, id->data.p, sizeof(key->id)));
	default:
		return false;
	}
}

bool cert_fits_id(const X509 *x, const struct conf_id *want)
{
	struct ike_id subject = {.type = ID_DER_ASN1_DN,
				 .data = name_der(X509_get_subject_name(x))};
	GENERAL_NAMES *names;
	bool found = conf_id_matches(want, &subject);

	names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
	for (int i = 0; !found && i < sk_GENERAL_NAME_num(names); i++) {
		struct ike_id one = id_of(sk_GENERAL_NAME_value(names, i));

		found = one.type && conf_id_matches(want, &one);
	}
	GENERAL_NAMES_free(names);
	ERR_clear_error();
	return found;
}
