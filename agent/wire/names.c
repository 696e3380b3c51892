/* SPDX-License-Identifier: BSD-2-Clause */
#include "msg.h"

#include <stddef.h>

struct name {
	unsigned int v;
	const char *text;
};

#define FIND(table, v) find(table, sizeof(table) / sizeof((table)[0]), v)

static const char *find(const struct name *t, size_t n, unsigned int v)
{
	for (size_t i = 0; i < n; i++) {
		if (t[i].v == v)
			return t[i].text;
	}
	return NULL;
}

static const struct name exchanges[] = {
	{IKE_SA_INIT, "IKE_SA_INIT"},
	{IKE_AUTH, "IKE_AUTH"},
	{IKE_CREATE_CHILD_SA, "CREATE_CHILD_SA"},
	{IKE_INFORMATIONAL, "INFORMATIONAL"},
	{IKE_SESSION_RESUME, "IKE_SESSION_RESUME"},
	{IKE_INTERMEDIATE, "IKE_INTERMEDIATE"},
	{IKE_FOLLOWUP_KE, "IKE_FOLLOWUP_KE"},
};

static const struct name payloads[] = {
	{IKE_PL_SA, "SA"},
	{IKE_PL_KE, "KE"},
	{IKE_PL_IDI, "IDi"},
	{IKE_PL_IDR, "IDr"},
	{IKE_PL_CERT, "CERT"},
	{IKE_PL_CERTREQ, "CERTREQ"},
	{IKE_PL_AUTH, "AUTH"},
	{IKE_PL_NONCE, "No"},
	{IKE_PL_NOTIFY, "N"},
	{IKE_PL_DELETE, "D"},
	{IKE_PL_VENDOR, "V"},
	{IKE_PL_TSI, "TSi"},
	{IKE_PL_TSR, "TSr"},
	{IKE_PL_SK, "SK"},
	{IKE_PL_CP, "CP"},
	{IKE_PL_EAP, "EAP"},
	{IKE_PL_SKF, "SKF"},
};

#define N(name) {N_##name, #name}
static const struct name notifies[] = {
	N(UNSUPPORTED_CRITICAL_PAYLOAD),
	N(INVALID_IKE_SPI),
	N(INVALID_MAJOR_VERSION),
	N(INVALID_SYNTAX),
	N(INVALID_MESSAGE_ID),
	N(INVALID_SPI),
	N(NO_PROPOSAL_CHOSEN),
	N(INVALID_KE_PAYLOAD),
	N(AUTHENTICATION_FAILED),
	N(SINGLE_PAIR_REQUIRED),
	N(NO_ADDITIONAL_SAS),
	N(INTERNAL_ADDRESS_FAILURE),
	N(FAILED_CP_REQUIRED),
	N(TS_UNACCEPTABLE),
	N(INVALID_SELECTORS),
	N(UNACCEPTABLE_ADDRESSES),
	N(UNEXPECTED_NAT_DETECTED),
	N(TEMPORARY_FAILURE),
	N(CHILD_SA_NOT_FOUND),
	N(INITIAL_CONTACT),
	N(SET_WINDOW_SIZE),
	N(ADDITIONAL_TS_POSSIBLE),
	N(IPCOMP_SUPPORTED),
	N(NAT_DETECTION_SOURCE_IP),
	N(NAT_DETECTION_DESTINATION_IP),
	N(COOKIE),
	N(USE_TRANSPORT_MODE),
	N(HTTP_CERT_LOOKUP_SUPPORTED),
	N(REKEY_SA),
	N(ESP_TFC_PADDING_NOT_SUPPORTED),
	N(NON_FIRST_FRAGMENTS_ALSO),
	N(MOBIKE_SUPPORTED),
	N(ADDITIONAL_IP4_ADDRESS),
	N(ADDITIONAL_IP6_ADDRESS),
	N(NO_ADDITIONAL_ADDRESSES),
	N(UPDATE_SA_ADDRESSES),
	N(COOKIE2),
	N(NO_NATS_ALLOWED),
	N(EAP_ONLY_AUTHENTICATION),
	N(CHILDLESS_IKEV2_SUPPORTED),
	N(IKEV2_FRAGMENTATION_SUPPORTED),
	N(SIGNATURE_HASH_ALGORITHMS),
	N(USE_PPK),
	N(INTERMEDIATE_EXCHANGE_SUPPORTED),
};
#undef N

static const struct name id_types[] = {
	{ID_IPV4_ADDR, "ID_IPV4_ADDR"},	      {ID_FQDN, "ID_FQDN"},
	{ID_RFC822_ADDR, "ID_RFC822_ADDR"},   {ID_IPV6_ADDR, "ID_IPV6_ADDR"},
	{ID_DER_ASN1_DN, "ID_DER_ASN1_DN"},   {ID_DER_ASN1_GN, "ID_DER_ASN1_GN"},
	{ID_KEY_ID, "ID_KEY_ID"},
};

const char *ike_exchange_name(unsigned int v)
{
	return FIND(exchanges, v);
}

const char *ike_payload_name(unsigned int v)
{
	return FIND(payloads, v);
}

const char *ike_notify_name(unsigned int v)
{
	return FIND(notifies, v);
}

const char *ike_id_type_name(unsigned int v)
{
	return FIND(id_types, v);
}

static const char *const errors[WIRE_ERRS] = {
	[WIRE_OK] = "no error",
	[WIRE_SHORT] = "shorter than its contents",
	[WIRE_TRAILING] = "bytes after the end",
	[WIRE_LENGTH] = "length in the header is not that of the datagram",
	[WIRE_VERSION] = "major version above 2",
	[WIRE_OLD_VERSION] = "IKEv1",
	[WIRE_CRITICAL] = "unknown critical payload",
	[WIRE_TOO_MANY] = "too many of one kind",
	[WIRE_REPEATED] = "payload repeated",
	[WIRE_SYNTAX] = "payload malformed",
};

const char *wire_err_str(enum wire_err e)
{
	return (unsigned int)e < WIRE_ERRS ? errors[e] : "unknown error";
}
