/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "common/transform.h"

#include <stdint.h>

/* Numbers of RFC 7296 and the IANA registry, and every limit of the decoder, on one page. */

enum {
	IKE_HDR_LEN = 28,
	IKE_SPI_LEN = 8,
	IKE_PAYLOAD_HDR_LEN = 4,
	IKE_SKF_HDR_LEN = 8,	  /* RFC 7383 2.5: generic header, number, total */
	IKE_MSG_MAX = 65535,	  /* bytes of a datagram that we look at */
	IKE_VERSION = 0x20,	  /* major 2, minor 0 */
	IKE_NONCE_MIN = 16,	  /* RFC 7296 3.9 */
	IKE_NONCE_MAX = 256,
	IKE_NONCE_LEN = 32,	  /* what we send */
	IKE_COOKIE_MAX = 64,	  /* RFC 7296 2.6 */
	IKE_PAYLOADS_MAX = 64,	  /* in one message */
	IKE_UNKNOWN_MAX = 8,	  /* unknown payloads in one message */
	IKE_PROPOSALS_MAX = 16,
	IKE_TRANSFORMS_MAX = 64,  /* in one proposal */
	IKE_NOTIFIES_MAX = 48,
	IKE_DELETES_MAX = 4,
	IKE_DELETE_SPIS_MAX = 32,
	IKE_VENDORS_MAX = 16,
	IKE_CERTS_MAX = 8,
	IKE_CERTREQS_MAX = 8,
	IKE_TS_MAX = 64,	  /* selectors a side of a message that are looked at; further ones are narrowed away */
	IKE_TS_AGREED_MAX = 16,	  /* configured, and agreed on */
	IKE_ID_MAX = 512,
	IKE_FRAGMENTS_MAX = 256,  /* of one message, ours and the peer's */
};

enum ike_flag { IKE_FLAG_INITIATOR = 0x08, IKE_FLAG_VERSION = 0x10, IKE_FLAG_RESPONSE = 0x20 };

enum ike_exchange {
	IKE_SA_INIT = 34,
	IKE_AUTH = 35,
	IKE_CREATE_CHILD_SA = 36,
	IKE_INFORMATIONAL = 37,
	IKE_SESSION_RESUME = 38,
	IKE_INTERMEDIATE = 43,
	IKE_FOLLOWUP_KE = 44,
};

enum ike_payload {
	IKE_PL_NONE = 0,
	IKE_PL_SA = 33,
	IKE_PL_KE = 34,
	IKE_PL_IDI = 35,
	IKE_PL_IDR = 36,
	IKE_PL_CERT = 37,
	IKE_PL_CERTREQ = 38,
	IKE_PL_AUTH = 39,
	IKE_PL_NONCE = 40,
	IKE_PL_NOTIFY = 41,
	IKE_PL_DELETE = 42,
	IKE_PL_VENDOR = 43,
	IKE_PL_TSI = 44,
	IKE_PL_TSR = 45,
	IKE_PL_SK = 46,
	IKE_PL_CP = 47,
	IKE_PL_EAP = 48,
	IKE_PL_SKF = 53,
};

/* IPComp (RFC 7296 2.22): transforms, and the CPIs that peers may choose (RFC 3173 3.3). */
enum { IPCOMP_DEFLATE = 2, IPCOMP_CPI_MIN = 256, IPCOMP_CPI_MAX = 61439 };
enum ike_proto { IKE_PROTO_NONE = 0, IKE_PROTO_IKE = 1, IKE_PROTO_AH = 2, IKE_PROTO_ESP = 3 };

enum ike_id_type {
	ID_IPV4_ADDR = 1,
	ID_FQDN = 2,
	ID_RFC822_ADDR = 3,
	ID_IPV6_ADDR = 5,
	ID_DER_ASN1_DN = 9,
	ID_DER_ASN1_GN = 10,
	ID_KEY_ID = 11,
};

enum ike_auth_method {
	AUTH_METHOD_RSA = 1,
	AUTH_METHOD_PSK = 2,
	AUTH_METHOD_ECDSA_256 = 9,
	AUTH_METHOD_ECDSA_384 = 10,
	AUTH_METHOD_ECDSA_521 = 11,
	AUTH_METHOD_NULL = 13,
	AUTH_METHOD_SIGNATURE = 14,
};

enum ike_ts_type { TS_IPV4_ADDR_RANGE = 7, TS_IPV6_ADDR_RANGE = 8 };

enum ike_notify {
	N_UNSUPPORTED_CRITICAL_PAYLOAD = 1,
	N_INVALID_IKE_SPI = 4,
	N_INVALID_MAJOR_VERSION = 5,
	N_INVALID_SYNTAX = 7,
	N_INVALID_MESSAGE_ID = 9,
	N_INVALID_SPI = 11,
	N_NO_PROPOSAL_CHOSEN = 14,
	N_INVALID_KE_PAYLOAD = 17,
	N_AUTHENTICATION_FAILED = 24,
	N_SINGLE_PAIR_REQUIRED = 34,
	N_NO_ADDITIONAL_SAS = 35,
	N_INTERNAL_ADDRESS_FAILURE = 36,
	N_FAILED_CP_REQUIRED = 37,
	N_TS_UNACCEPTABLE = 38,
	N_INVALID_SELECTORS = 39,
	N_UNACCEPTABLE_ADDRESSES = 40,
	N_UNEXPECTED_NAT_DETECTED = 41,
	N_TEMPORARY_FAILURE = 43,
	N_CHILD_SA_NOT_FOUND = 44,
	N_ERROR_MAX = 16383, /* status types are above */
	N_INITIAL_CONTACT = 16384,
	N_SET_WINDOW_SIZE = 16385,
	N_ADDITIONAL_TS_POSSIBLE = 16386,
	N_IPCOMP_SUPPORTED = 16387,
	N_NAT_DETECTION_SOURCE_IP = 16388,
	N_NAT_DETECTION_DESTINATION_IP = 16389,
	N_COOKIE = 16390,
	N_USE_TRANSPORT_MODE = 16391,
	N_HTTP_CERT_LOOKUP_SUPPORTED = 16392,
	N_REKEY_SA = 16393,
	N_ESP_TFC_PADDING_NOT_SUPPORTED = 16394,
	N_NON_FIRST_FRAGMENTS_ALSO = 16395,
	N_MOBIKE_SUPPORTED = 16396,
	N_ADDITIONAL_IP4_ADDRESS = 16397,
	N_ADDITIONAL_IP6_ADDRESS = 16398,
	N_NO_ADDITIONAL_ADDRESSES = 16399,
	N_UPDATE_SA_ADDRESSES = 16400,
	N_COOKIE2 = 16401,
	N_NO_NATS_ALLOWED = 16402,
	N_AUTH_LIFETIME = 16403,
	N_EAP_ONLY_AUTHENTICATION = 16417,
	N_CHILDLESS_IKEV2_SUPPORTED = 16418,
	N_IKEV2_FRAGMENTATION_SUPPORTED = 16430,
	N_SIGNATURE_HASH_ALGORITHMS = 16431,
	N_USE_PPK = 16435,
	N_INTERMEDIATE_EXCHANGE_SUPPORTED = 16438,
};

/* Names as in the RFC, for logs and people; "unknown" with the number in a static buffer is never
 * used: an unknown number gives NULL. */
const char *ike_exchange_name(unsigned int v);
const char *ike_payload_name(unsigned int v);
const char *ike_notify_name(unsigned int v);
const char *ike_id_type_name(unsigned int v);
