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
	N(AUTH_LIFETIME),
	N(EAP_ONLY_AUTHENTICATION),
	N(CHILDLESS_IKEV2_SUPPORTED),
	N(IKEV2_FRAGMENTATION_SUPPORTED),
	N(SIGNATURE_HASH_ALGORITHMS),
	N(USE_PPK),
	N(INTERMEDIATE_EXCHANGE_SUPPORTED),
	/* What nothing here acts on, for those who read: RFC 4478, 4739, 5685, 5723, 5840, 6290, 6311, 6467, 7791, 8019, 8784,
	 * 8983, 9347, 9370 */
	{16403, "AUTH_LIFETIME"},
	{16404, "MULTIPLE_AUTH_SUPPORTED"},
	{16405, "ANOTHER_AUTH_FOLLOWS"},
	{16406, "REDIRECT_SUPPORTED"},
	{16407, "REDIRECT"},
	{16408, "REDIRECTED_FROM"},
	{16409, "TICKET_LT_OPAQUE"},
	{16410, "TICKET_REQUEST"},
	{16411, "TICKET_ACK"},
	{16412, "TICKET_NACK"},
	{16413, "TICKET_OPAQUE"},
	{16415, "USE_WESP_MODE"},
	{16416, "ROHC_SUPPORTED"},
	{16419, "QUICK_CRASH_DETECTION"},
	{16420, "IKEV2_MESSAGE_ID_SYNC_SUPPORTED"},
	{16421, "IPSEC_REPLAY_COUNTER_SYNC_SUPPORTED"},
	{16422, "IKEV2_MESSAGE_ID_SYNC"},
	{16423, "IPSEC_REPLAY_COUNTER_SYNC"},
	{16424, "SECURE_PASSWORD_METHODS"},
	{16432, "CLONE_IKE_SA_SUPPORTED"},
	{16433, "CLONE_IKE_SA"},
	{16434, "PUZZLE"},
	{16436, "PPK_IDENTITY"},
	{16437, "NO_PPK_AUTH"},
	{16439, "IP4_ALLOWED"},
	{16440, "IP6_ALLOWED"},
	{16441, "ADDITIONAL_KEY_EXCHANGE"},
	{16442, "USE_AGGFRAG"},
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

/* What WIRE_SYNTAX means in each payload. */
static const struct name syntax_rules[] = {
	{IKE_PL_NONE, "the initiator's SPI must not be zero (RFC 7296 3.1)"},
	{IKE_PL_SA, "proposals and transforms must be numbered, linked and counted as they are (RFC 7296 3.3)"},
	{IKE_PL_IDI, "an address must have the length of its type, other identities 1 to 512 bytes (RFC 7296 3.5)"},
	{IKE_PL_IDR, "an address must have the length of its type, other identities 1 to 512 bytes (RFC 7296 3.5)"},
	{IKE_PL_NONCE, "a nonce must have 16 to 256 bytes (RFC 7296 3.9)"},
	{IKE_PL_NOTIFY, "the data must have the length that this notify has (RFC 7296 3.10.1)"},
	{IKE_PL_DELETE, "SPIs must have 4 bytes with ESP and AH, and none with IKE (RFC 7296 3.11)"},
	{IKE_PL_TSI, "a selector must begin before it ends and have the length of its type (RFC 7296 3.13.1)"},
	{IKE_PL_TSR, "a selector must begin before it ends and have the length of its type (RFC 7296 3.13.1)"},
	{IKE_PL_SK, "an encrypted payload must not stand inside another (RFC 7296 3.14)"},
	{IKE_PL_SKF, "the number must be 1 up to the total, outside of other payloads (RFC 7383 2.5)"},
};

const char *wire_rule(enum wire_err e, unsigned int payload)
{
	const char *rule = e == WIRE_SYNTAX ? FIND(syntax_rules, payload) : NULL;

	if (rule)
		return rule;
	switch (e) {
	case WIRE_SHORT:
		return "a length must not reach beyond what contains it (RFC 7296 3.1, 3.2)";
	case WIRE_TRAILING:
		return "nothing may follow the last field (RFC 7296 3.1, 3.2)";
	case WIRE_LENGTH:
		return "the length in the header must be that of the datagram (RFC 7296 3.1)";
	case WIRE_VERSION:
		return "the major version must be 2 (RFC 7296 2.5)";
	case WIRE_CRITICAL:
		return "an unknown payload with the critical bit makes the message unusable (RFC 7296 2.5)";
	case WIRE_TOO_MANY:
		return "there are more of one kind than are taken";
	case WIRE_REPEATED:
		return "this payload must stand only once (RFC 7296 2.5)";
	case WIRE_SYNTAX:
		return "a payload's length must count its own header (RFC 7296 3.2)";
	default:
		return wire_err_str(e);
	}
}

const char *wire_err_str(enum wire_err e)
{
	return (unsigned int)e < WIRE_ERRS ? errors[e] : "unknown error";
}
