/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/wire/msg.h"
#include "tests/wire_hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/*
 * What the decoder must refuse and what it must let pass, by hand-written bytes. A payload is written
 * "next flags length body"; the IKE header in front is made here.
 */
enum { CHAIN_MAX = 8192 };

/* Decodes a copy in a heap block of exactly its size; the caller frees *keep after looking at slices. */
static enum wire_err decode_exact(const uint8_t *p, size_t n, struct ike_msg *m, void **keep)
{
	*keep = malloc(n ? n : 1);
	assert_non_null(*keep);
	memcpy(*keep, p, n);
	return msg_decode(slice_of(*keep, n), m);
}

static enum wire_err decode_chain(uint8_t first, const char *hex, struct ike_msg *m, void **keep)
{
	static uint8_t d[IKE_HDR_LEN + CHAIN_MAX];
	size_t n = IKE_HDR_LEN + unhex(hex, d + IKE_HDR_LEN, CHAIN_MAX);
	struct wr w = wr_of(d, IKE_HDR_LEN);

	ike_hdr_put(&w, &(struct ike_hdr){.spi_i = 0x1122334455667788, .next = first,
					  .version = IKE_VERSION, .exchange = IKE_SA_INIT,
					  .flags = IKE_FLAG_INITIATOR, .length = (uint32_t)n});
	return decode_exact(d, n, m, keep);
}

struct chain_case {
	const char *what;
	uint8_t first;
	const char *hex;
	enum wire_err want;
	uint8_t bad;
};

#define N16 "000102030405060708090a0b0c0d0e0f "
#define N64 N16 N16 N16 N16
#define T_GCM "0300000c 01000014 800e0100 "
#define T_PRF "03000008 02000005 "
#define T_KE_LAST "00000008 0400001f "
#define SA_OK "00000024 01010003 " T_GCM T_PRF T_KE_LAST
#define TS4 "0700 0010 0000ffff 0a000000 0a0000ff "
#define TS6 "0800 0028 0000ffff 20010db8000000000000000000000000 20010db80000000000000000000000ff "

static const struct chain_case cases[] = {
	{"empty message", 0, "", WIRE_OK, 0},
	{"bytes behind an empty chain", 0, "00", WIRE_TRAILING, 0},
	{"bytes behind the last payload", 40, "00 00 0014" N16 "00", WIRE_TRAILING, 0},
	{"next payload, but the end", 40, "28 00 0014" N16, WIRE_SHORT, 40},
	{"payload header cut", 40, "00 00 00", WIRE_SHORT, 40},
	{"payload length 0", 43, "00 00 0000", WIRE_SYNTAX, 43},
	{"payload length 3", 43, "00 00 0003", WIRE_SYNTAX, 43},
	{"payload beyond the datagram", 43, "00 00 0005", WIRE_SHORT, 43},
	{"payload length 65535", 43, "00 00 ffff", WIRE_SHORT, 43},

	/* RFC 7296 2.5 */
	{"unknown payload", 200, "00 00 0006 abcd", WIRE_OK, 0},
	{"unknown payload, reserved bits", 200, "00 7f 0006 abcd", WIRE_OK, 0},
	{"unknown critical payload", 200, "00 80 0006 abcd", WIRE_CRITICAL, 200},
	{"unknown critical payload behind a known one", 40, "c8 00 0014" N16 "00 80 0004", WIRE_CRITICAL, 200},
	{"payload type of IKEv1", 1, "00 00 0006 abcd", WIRE_OK, 0},
	{"known payload with the critical bit", 40, "00 80 0014" N16, WIRE_OK, 0},
	{"8 unknown payloads", 200, "c8000004c8000004c8000004c8000004c8000004c8000004c800000400000004", WIRE_OK, 0},
	{"9 unknown payloads", 200, "c8000004c8000004c8000004c8000004c8000004c8000004c8000004c800000400000004",
	 WIRE_TOO_MANY, 200},

	/* once only */
	{"two nonces", 40, "28 00 0014" N16 "00 00 0014" N16, WIRE_REPEATED, 40},
	{"two SA", 33, "21 00 0028" SA_OK "00 00 0028" SA_OK, WIRE_REPEATED, 33},
	{"two IDi", 35, "23 00 0009 02000000 61 00 00 0009 02000000 61", WIRE_REPEATED, 35},
	{"IDi and IDr", 35, "24 00 0009 02000000 61 00 00 0009 02000000 61", WIRE_OK, 0},
	{"two TSi", 44, "2c 00 0018 01000000" TS4 "00 00 0018 01000000" TS4, WIRE_REPEATED, 44},
	{"two vendor ids", 43, "2b 00 0005 01 00 00 0004", WIRE_OK, 0},

	/* KE */
	{"KE", 34, "00 00 000a 001f 0000 abcd", WIRE_OK, 0},
	{"KE, reserved field set", 34, "00 00 000a 001f ffff abcd", WIRE_OK, 0},
	{"KE without data", 34, "00 00 0008 001f 0000", WIRE_SHORT, 34},
	{"KE without group", 34, "00 00 0005 00", WIRE_SHORT, 34},

	/* nonce */
	{"nonce of 15", 40, "00 00 0013 000102030405060708090a0b0c0d0e", WIRE_SHORT, 40},
	{"nonce of 16", 40, "00 00 0014" N16, WIRE_OK, 0},
	{"nonce of 256", 40, "00 00 0104" N64 N64 N64 N64, WIRE_OK, 0},
	{"nonce of 257", 40, "00 00 0105" N64 N64 N64 N64 "00", WIRE_SYNTAX, 40},

	/* identities */
	{"ID type 0", 35, "00 00 0009 00000000 61", WIRE_SYNTAX, 35},
	{"ID, reserved field set", 35, "00 00 0009 02ffffff 61", WIRE_OK, 0},
	{"ID cut in its header", 35, "00 00 0007 020000", WIRE_SHORT, 35},
	{"ID_NULL", 36, "00 00 0008 0d000000", WIRE_OK, 0},
	{"ID of an unknown type", 36, "00 00 0009 c8000000 01", WIRE_OK, 0},
	{"IPv4 ID of 4", 35, "00 00 000c 01000000 0a000001", WIRE_OK, 0},
	{"IPv4 ID of 3", 35, "00 00 000b 01000000 0a0000", WIRE_SYNTAX, 35},
	{"IPv4 ID of 5", 36, "00 00 000d 01000000 0a00000100", WIRE_SYNTAX, 36},
	{"IPv6 ID of 16", 35, "00 00 0018 05000000" N16, WIRE_OK, 0},
	{"IPv6 ID of 4", 35, "00 00 000c 05000000 0a000001", WIRE_SYNTAX, 35},
	{"ID of 512", 35, "00 00 0208 02000000" N64 N64 N64 N64 N64 N64 N64 N64, WIRE_OK, 0},
	{"ID of 513", 35, "00 00 0209 02000000" N64 N64 N64 N64 N64 N64 N64 N64 "00", WIRE_SYNTAX, 35},

	/* AUTH, CERT, CERTREQ, CP, EAP */
	{"AUTH", 39, "00 00 0009 02000000 aa", WIRE_OK, 0},
	{"AUTH, reserved field set", 39, "00 00 0009 02ffffff aa", WIRE_OK, 0},
	{"AUTH without data", 39, "00 00 0008 02000000", WIRE_SHORT, 39},
	{"CERT", 37, "00 00 0006 04 aa", WIRE_OK, 0},
	{"CERT without data", 37, "00 00 0005 04", WIRE_SHORT, 37},
	{"CERTREQ without authority", 38, "00 00 0005 04", WIRE_OK, 0},
	{"CERTREQ without encoding", 38, "00 00 0004", WIRE_SHORT, 38},
	{"CP", 47, "00 00 0008 01000000", WIRE_OK, 0},
	{"CP cut", 47, "00 00 0007 010000", WIRE_SHORT, 47},
	{"EAP", 48, "00 00 0008 03010004", WIRE_OK, 0},
	{"EAP cut", 48, "00 00 0007 030100", WIRE_SHORT, 48},

	/* notify */
	{"notify", 41, "00 00 0008 00 00 4000", WIRE_OK, 0},
	{"notify cut in its header", 41, "00 00 0007 00 00 40", WIRE_SHORT, 41},
	{"REKEY_SA, protocol 3", 41, "00 00 000c 03 04 4009 c0000001", WIRE_OK, 0},
	{"REKEY_SA, protocol 1, no SPI", 41, "00 00 0008 01 00 4009", WIRE_OK, 0},
	{"REKEY_SA, protocol 0, no SPI", 41, "00 00 0008 00 00 4009", WIRE_OK, 0},
	{"REKEY_SA, protocol 1, SPI of zeroes", 41, "00 00 0010 01 08 4009 0000000000000000", WIRE_OK, 0},
	{"notify, SPI longer than the payload", 41, "00 00 000c 03 05 4009 c0000001", WIRE_SHORT, 41},
	{"notify, SPI of 255 in an empty one", 41, "00 00 0008 03 ff 4009", WIRE_SHORT, 41},
	{"INVALID_KE_PAYLOAD", 41, "00 00 000a 00 00 0011 001f", WIRE_OK, 0},
	{"INVALID_KE_PAYLOAD without group", 41, "00 00 0008 00 00 0011", WIRE_SYNTAX, 41},
	{"INVALID_KE_PAYLOAD of 1", 41, "00 00 0009 00 00 0011 1f", WIRE_SYNTAX, 41},
	{"INVALID_KE_PAYLOAD of 3", 41, "00 00 000b 00 00 0011 00001f", WIRE_SYNTAX, 41},
	{"COOKIE of 0", 41, "00 00 0008 00 00 4006", WIRE_SYNTAX, 41},
	{"COOKIE of 1", 41, "00 00 0009 00 00 4006 01", WIRE_OK, 0},
	{"COOKIE of 64", 41, "00 00 0048 00 00 4006" N64, WIRE_OK, 0},
	{"COOKIE of 65", 41, "00 00 0049 00 00 4006" N64 "00", WIRE_SYNTAX, 41},
	{"NAT_DETECTION_SOURCE_IP of 20", 41, "00 00 001c 00 00 4004" N16 "00010203", WIRE_OK, 0},
	{"NAT_DETECTION_SOURCE_IP of 16", 41, "00 00 0018 00 00 4004" N16, WIRE_SYNTAX, 41},
	{"NAT_DETECTION_DESTINATION_IP of 21", 41, "00 00 001d 00 00 4005" N16 "0001020304", WIRE_SYNTAX, 41},
	{"SET_WINDOW_SIZE of 4", 41, "00 00 000c 00 00 4001 00000001", WIRE_OK, 0},
	{"SET_WINDOW_SIZE of 2", 41, "00 00 000a 00 00 4001 0001", WIRE_SYNTAX, 41},
	{"IPCOMP_SUPPORTED", 41, "00 00 000b 00 00 4003 0100 02", WIRE_OK, 0},
	{"IPCOMP_SUPPORTED with attributes", 41, "00 00 000f 00 00 4003 0100 03 00000000", WIRE_OK, 0},
	{"IPCOMP_SUPPORTED without transform", 41, "00 00 000a 00 00 4003 0100", WIRE_SYNTAX, 41},
	{"IPCOMP_SUPPORTED of nothing", 41, "00 00 0008 00 00 4003", WIRE_SYNTAX, 41},

	/* delete */
	{"delete IKE", 42, "00 00 0008 01 00 0000", WIRE_OK, 0},
	{"delete IKE with a count", 42, "00 00 0008 01 00 0001", WIRE_OK, 0},
	{"delete IKE with an SPI", 42, "00 00 0010 01 08 0001 0102030405060708", WIRE_SYNTAX, 42},
	{"delete IKE with bytes", 42, "00 00 0009 01 00 0000 00", WIRE_TRAILING, 42},
	{"delete ESP", 42, "00 00 0010 03 04 0002 c0000001c0000002", WIRE_OK, 0},
	{"delete ESP, no SPI", 42, "00 00 0008 03 04 0000", WIRE_OK, 0},
	{"delete ESP, one too few", 42, "00 00 000c 03 04 0002 c0000001", WIRE_SHORT, 42},
	{"delete ESP, one too many", 42, "00 00 0010 03 04 0001 c0000001c0000002", WIRE_TRAILING, 42},
	{"delete ESP, SPIs of 8", 42, "00 00 0010 03 08 0001 c0000001c0000002", WIRE_SYNTAX, 42},
	{"delete ESP, 65535 SPIs", 42, "00 00 000c 03 04 ffff c0000001", WIRE_TOO_MANY, 42},
	{"delete of an unknown protocol", 42, "00 00 000c 07 02 0002 00010002", WIRE_OK, 0},
	{"delete of an unknown protocol, cut", 42, "00 00 000a 07 02 0002 0001", WIRE_SHORT, 42},
	{"delete cut", 42, "00 00 0007 01 00 00", WIRE_SHORT, 42},

	/* encrypted */
	{"SK", 46, "23 00 0024" N16 N16, WIRE_OK, 0},
	{"SK of nothing", 46, "23 00 0004", WIRE_SHORT, 46},
	{"bytes behind SK", 46, "23 00 0014" N16 "00", WIRE_TRAILING, 46},
	{"payload behind SK", 46, "28 00 0014" N16 "00 00 0014" N16, WIRE_TRAILING, 46},
	{"payload in front of SK", 41, "2e 00 0008 00 00 4000 00 00 0014" N16, WIRE_OK, 0},
	{"SKF 1 of 2", 53, "23 00 0018 0001 0002" N16, WIRE_OK, 0},
	{"SKF 2 of 2", 53, "00 00 0018 0002 0002" N16, WIRE_OK, 0},
	{"SKF 0 of 2", 53, "23 00 0018 0000 0002" N16, WIRE_SYNTAX, 53},
	{"SKF 3 of 2", 53, "23 00 0018 0003 0002" N16, WIRE_SYNTAX, 53},
	{"SKF 0 of 0", 53, "23 00 0018 0000 0000" N16, WIRE_SYNTAX, 53},
	{"SKF of nothing", 53, "23 00 0008 0001 0001", WIRE_SHORT, 53},

	/* traffic selectors */
	{"TS4", 44, "00 00 0018 01000000" TS4, WIRE_OK, 0},
	{"TS6", 45, "00 00 0030 01000000" TS6, WIRE_OK, 0},
	{"TS, both families, reserved field set", 44, "00 00 0040 02ffffff" TS4 TS6, WIRE_OK, 0},
	{"TS, none", 44, "00 00 0008 00000000", WIRE_SHORT, 44},
	{"TS, none but bytes", 44, "00 00 000c 00000000 00000000", WIRE_SYNTAX, 44},
	{"TS, one more announced", 44, "00 00 0018 02000000" TS4, WIRE_SHORT, 44},
	{"TS, one less announced", 44, "00 00 0028 01000000" TS4 TS4, WIRE_TRAILING, 44},
	{"TS of an unknown type", 44, "00 00 0010 01000000 0900 0008 00000000", WIRE_OK, 0},
	{"TS of an unknown type, empty", 44, "00 00 000c 01000000 0900 0004", WIRE_OK, 0},
	{"TS of an unknown type, length 3", 44, "00 00 000c 01000000 0900 0003", WIRE_SYNTAX, 44},
	{"TS of an unknown type, too long", 44, "00 00 000c 01000000 0900 0005", WIRE_SHORT, 44},
	{"TS4 with the length of TS6", 44, "00 00 0030 01000000 0700 0028 0000ffff" N16 N16, WIRE_SYNTAX, 44},
	{"TS4, length one less", 44, "00 00 0017 01000000 0700 000f 0000ffff 0a000000 0a0000", WIRE_SYNTAX, 44},
	{"TS4, first above last", 44, "00 00 0018 01000000 0700 0010 0000ffff 0a000001 0a000000", WIRE_SYNTAX, 44},
	{"TS4, ports reversed", 44, "00 00 0018 01000000 0706 0010 00020001 0a000000 0a000000", WIRE_SYNTAX, 44},
	{"TS4, OPAQUE ports", 44, "00 00 0018 01000000 0706 0010 ffff0000 0a000000 0a000000", WIRE_OK, 0},
	{"TS4, OPAQUE almost", 44, "00 00 0018 01000000 0706 0010 ffff0001 0a000000 0a000000", WIRE_SYNTAX, 44},

	/* SA */
	{"SA", 33, "00 00 0028" SA_OK, WIRE_OK, 0},
	{"SA, none", 33, "00 00 0004", WIRE_SHORT, 33},
	{"SA, no transform", 33, "00 00 000c 00000008 01010000", WIRE_OK, 0},
	{"SA, proposal cut", 33, "00 00 000c 0000000c 01010000", WIRE_SHORT, 33},
	{"SA, proposal length 7", 33, "00 00 000c 00000007 01010000", WIRE_SYNTAX, 33},
	{"SA, proposal length 3", 33, "00 00 000c 02000003 01010000", WIRE_SYNTAX, 33},
	{"SA, bytes behind a proposal", 33, "00 00 000d 00000008 01010000 00", WIRE_SYNTAX, 33},
	{"SA, more announced", 33, "00 00 000c 02000008 01010000", WIRE_SYNTAX, 33},
	{"SA, more not announced", 33, "00 00 0014 00000008 01010000 00000008 02010000", WIRE_SYNTAX, 33},
	{"SA, neither", 33, "00 00 0014 03000008 01010000 00000008 02010000", WIRE_SYNTAX, 33},
	{"SA, two", 33, "00 00 0014 02000008 01010000 00000008 02010000", WIRE_OK, 0},
	{"SA, numbers 1 1", 33, "00 00 0014 02000008 01010000 00000008 01010000", WIRE_SYNTAX, 33},
	{"SA, numbers 1 3", 33, "00 00 0014 02000008 01010000 00000008 03010000", WIRE_SYNTAX, 33},
	{"SA, number 0", 33, "00 00 000c 00000008 00010000", WIRE_SYNTAX, 33},
	{"SA, answer with number 5", 33, "00 00 000c 00000008 05010000", WIRE_OK, 0},
	{"SA, IKE SPI of 8", 33, "00 00 0014 00000010 01010800 0102030405060708", WIRE_OK, 0},
	{"SA, IKE SPI of 4", 33, "00 00 0010 0000000c 01010400 01020304", WIRE_SYNTAX, 33},
	{"SA, ESP SPI of 4", 33, "00 00 0010 0000000c 01030400 01020304", WIRE_OK, 0},
	{"SA, ESP SPI of 0", 33, "00 00 000c 00000008 01030000", WIRE_SYNTAX, 33},
	{"SA, ESP SPI beyond the proposal", 33, "00 00 000c 00000008 01030400", WIRE_SHORT, 33},
	{"SA, unknown protocol, SPI of 2", 33, "00 00 000e 0000000a 01040200 0102", WIRE_OK, 0},
	{"SA, unknown protocol, SPI of 8", 33, "00 00 0014 00000010 01040800 0102030405060708", WIRE_OK, 0},
	{"SA, unknown protocol, SPI of 9", 33, "00 00 0015 00000011 01040900 010203040506070809", WIRE_SYNTAX, 33},
	{"SA, transform announced", 33, "00 00 000c 00000008 01010001", WIRE_SHORT, 33},
	{"SA, transform not announced", 33, "00 00 0014 00000010 01010000" T_KE_LAST, WIRE_TRAILING, 33},
	{"SA, transform says more", 33, "00 00 0014 00000010 01010001 03000008 0400001f", WIRE_SYNTAX, 33},
	{"SA, transform says last", 33, "00 00 001c 00000018 01010002 00000008 02000005" T_KE_LAST, WIRE_SYNTAX, 33},
	{"SA, transform length 7", 33, "00 00 0014 00000010 01010001 00000007 0400001f", WIRE_SYNTAX, 33},
	{"SA, transform beyond", 33, "00 00 0014 00000010 01010001 00000009 0400001f", WIRE_SHORT, 33},
	{"SA, attribute cut", 33, "00 00 0017 00000013 01010001 0000000b 01000014 800e01", WIRE_SHORT, 33},
	{"SA, long attribute beyond", 33, "00 00 0018 00000014 01010001 0000000c 01000014 00030001", WIRE_SHORT, 33},
	{"SA, 65 transforms announced", 33, "00 00 000c 00000008 01010041", WIRE_TOO_MANY, 33},
};

static void chains(void **state)
{
	unsigned int bad = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct chain_case *c = &cases[i];
		struct ike_msg m;
		void *keep;
		enum wire_err got = decode_chain(c->first, c->hex, &m, &keep);

		free(keep);
		if (got == c->want && m.bad_payload == c->bad)
			continue;
		print_error("%s: %s in %u, want %s in %u\n", c->what, wire_err_str(got), m.bad_payload,
			    wire_err_str(c->want), c->bad);
		bad++;
	}
	assert_int_equal(bad, 0);
}

struct hdr_case {
	const char *what, *hex;
	enum wire_err want;
};

static const struct hdr_case hdr_cases[] = {
	{"smallest", "0102030405060708 0000000000000000 00 20 22 08 00000000 0000001c", WIRE_OK},
	{"minor version 15, reserved flags", "0102030405060708 0000000000000000 00 2f 22 ff 00000000 0000001c", WIRE_OK},
	{"nothing", "", WIRE_SHORT},
	{"27 bytes", "0102030405060708 0000000000000000 00 20 22 08 00000000 000000", WIRE_SHORT},
	{"version 3.0", "0102030405060708 0000000000000000 00 30 22 08 00000000 0000001c", WIRE_VERSION},
	{"version 15.15", "0102030405060708 0000000000000000 00 ff 22 08 00000000 0000001c", WIRE_VERSION},
	{"version 3.0, other length", "0102030405060708 0000000000000000 00 30 22 08 00000000 0000ffff", WIRE_VERSION},
	{"IKEv1", "0102030405060708 0000000000000000 00 10 02 00 00000000 0000001c", WIRE_OLD_VERSION},
	{"version 0", "0102030405060708 0000000000000000 00 00 22 08 00000000 0000001c", WIRE_OLD_VERSION},
	{"length 27", "0102030405060708 0000000000000000 00 20 22 08 00000000 0000001b", WIRE_LENGTH},
	{"length 29", "0102030405060708 0000000000000000 00 20 22 08 00000000 0000001d", WIRE_LENGTH},
	{"length 0", "0102030405060708 0000000000000000 00 20 22 08 00000000 00000000", WIRE_LENGTH},
	{"length 4 GB", "0102030405060708 0000000000000000 00 20 22 08 00000000 ffffffff", WIRE_LENGTH},
	{"more bytes than the length", "0102030405060708 0000000000000000 00 20 22 08 00000000 0000001c 00", WIRE_LENGTH},
	{"SPIi 0", "0000000000000000 0000000000000001 00 20 22 08 00000000 0000001c", WIRE_SYNTAX},
};

static void headers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(hdr_cases) / sizeof(hdr_cases[0]); i++) {
		const struct hdr_case *c = &hdr_cases[i];
		uint8_t d[64];
		size_t n = unhex(c->hex, d, sizeof(d));
		struct ike_msg m;
		struct ike_hdr h;
		void *keep;
		enum wire_err got = decode_exact(d, n, &m, &keep);

		assert_int_equal(ike_hdr_decode(slice_of(keep, n), &h), got);
		free(keep);
		if (got != c->want)
			fail_msg("%s: %s", c->what, wire_err_str(got));
		if (n < IKE_HDR_LEN)
			continue;
		/* answers to what we refuse are made from the header, so it is filled whatever follows */
		assert_int_equal(h.length, m.hdr.length);
		assert_int_equal(h.exchange, c->want == WIRE_OLD_VERSION && h.version == 0x10 ? 2 : 34);
	}
}

static void header_fields(void **state)
{
	uint8_t d[IKE_HDR_LEN];
	struct ike_hdr h;

	(void)state;
	unhex("0102030405060708 1112131415161718 00 20 25 28 000000a7 0000001c", d, sizeof(d));
	assert_int_equal(ike_hdr_decode(slice_of(d, sizeof(d)), &h), WIRE_OK);
	assert_true(h.spi_i == 0x0102030405060708 && h.spi_r == 0x1112131415161718);
	assert_int_equal(h.next, 0);
	assert_int_equal(h.version, IKE_VERSION);
	assert_int_equal(h.exchange, IKE_INFORMATIONAL);
	assert_int_equal(h.flags, IKE_FLAG_INITIATOR | IKE_FLAG_RESPONSE);
	assert_int_equal(h.mid, 0xa7);
	assert_int_equal(h.length, IKE_HDR_LEN);
}

/* n times the same payload in a chain, each naming itself as the next. */
static enum wire_err decode_many(uint8_t type, const char *body, unsigned int n, struct ike_msg *m)
{
	char *hex = malloc(CHAIN_MAX * 2 + 1), *at = hex;
	enum wire_err got;
	void *keep;

	assert_non_null(hex);
	for (unsigned int i = 0; i < n; i++)
		at += sprintf(at, "%02x00%04zx%s", i + 1 < n ? type : 0, 4 + strlen(body) / 2, body);
	got = decode_chain(type, hex, m, &keep);
	free(keep);
	free(hex);
	return got;
}

static void limits(void **state)
{
	static const struct {
		uint8_t type;
		const char *body;
		unsigned int max;
	} l[] = {
		{IKE_PL_NOTIFY, "00004000", IKE_NOTIFIES_MAX},
		{IKE_PL_DELETE, "01000000", IKE_DELETES_MAX},
		{IKE_PL_VENDOR, "aa", IKE_VENDORS_MAX},
		{IKE_PL_CERT, "04aa", IKE_CERTS_MAX},
		{IKE_PL_CERTREQ, "04aa", IKE_CERTREQS_MAX},
	};
	struct ike_msg m;

	(void)state;
	for (size_t i = 0; i < sizeof(l) / sizeof(l[0]); i++) {
		assert_int_equal(decode_many(l[i].type, l[i].body, l[i].max, &m), WIRE_OK);
		assert_int_equal(m.n_payloads, l[i].max);
		assert_int_equal(decode_many(l[i].type, l[i].body, l[i].max + 1, &m), WIRE_TOO_MANY);
		assert_int_equal(m.bad_payload, l[i].type);
	}
}

/* Proposals, transforms, SPIs: one more than the array holds. Of selectors, which may be narrowed, the first ones. */
static void limits_inside(void **state)
{
	struct ts_list ts = {.n = IKE_TS_MAX};
	uint32_t spis[IKE_DELETE_SPIS_MAX + 1] = {0};
	static uint8_t buf[CHAIN_MAX], d[IKE_HDR_LEN + CHAIN_MAX];
	struct ike_hdr h = {.spi_i = 1, .version = IKE_VERSION};
	struct ike_msg m;
	struct msg_wr c;
	struct wr w;
	char hex[2 * CHAIN_MAX], *at;
	void *keep;

	(void)state;
	for (unsigned int i = 0; i < IKE_TS_MAX; i++)
		ts_of_addr(&(struct ip_addr){.family = 4, .b = {10, 0, 0, (uint8_t)i}}, &ts.ts[i]);
	msg_wr_init(&c, buf, sizeof(buf));
	msg_put_ts(&c, IKE_PL_TSI, &ts);
	msg_put_delete(&c, IKE_PROTO_ESP, spis, IKE_DELETE_SPIS_MAX);
	w = wr_of(d, sizeof(d));
	assert_int_equal(msg_seal_plain(&h, &c, &w), 0);
	assert_int_equal(msg_decode(wr_slice(&w), &m), WIRE_OK);
	assert_int_equal(m.ts_i.n, IKE_TS_MAX);
	assert_int_equal(m.del[0].n, IKE_DELETE_SPIS_MAX);

	msg_wr_init(&c, buf, sizeof(buf));
	msg_put_delete(&c, IKE_PROTO_ESP, spis, IKE_DELETE_SPIS_MAX + 1);
	w = wr_of(d, sizeof(d));
	assert_int_equal(msg_seal_plain(&h, &c, &w), 0);
	assert_int_equal(msg_decode(wr_slice(&w), &m), WIRE_TOO_MANY);

	assert_false(m.ts_i.more);

	for (unsigned int n = IKE_TS_MAX + 1; n < 256; n += 255 - (IKE_TS_MAX + 1)) {
		at = hex + sprintf(hex, "0000%04x%02x000000", 8 + 16 * n, n);
		for (unsigned int i = 0; i < n; i++)
			at += sprintf(at, "070000100000ffff0a0000%02x0a0000ff", i);
		assert_int_equal(decode_chain(IKE_PL_TSI, hex, &m, &keep), WIRE_OK);
		assert_int_equal(m.ts_i.n, IKE_TS_MAX);
		assert_true(m.ts_i.more);
		assert_int_equal(m.ts_i.ts[IKE_TS_MAX - 1].lo.b[3], IKE_TS_MAX - 1);
		free(keep);
		/* the last one is looked at as well as the first */
		memcpy(hex + strlen(hex) - 32, "07000010ffff0001", 16);
		assert_int_equal(decode_chain(IKE_PL_TSI, hex, &m, &keep), WIRE_SYNTAX);
		free(keep);
	}

	at = hex + sprintf(hex, "0000%04x", 4 + 8 * (IKE_PROPOSALS_MAX + 1));
	for (unsigned int i = 0; i <= IKE_PROPOSALS_MAX; i++)
		at += sprintf(at, "%02x000008%02x010000", i < IKE_PROPOSALS_MAX ? 2 : 0, i + 1);
	assert_int_equal(decode_chain(IKE_PL_SA, hex, &m, &keep), WIRE_TOO_MANY);
	free(keep);
}

static void payloads_in_one_message(void **state)
{
	char hex[CHAIN_MAX], *at = hex;
	struct ike_msg m;
	void *keep;

	(void)state;
	/* 48 notifies and 16 vendor ids are the 64 that are allowed; the 65th would be a known one */
	for (unsigned int i = 0; i < IKE_NOTIFIES_MAX; i++)
		at += sprintf(at, "%02x00000800004000", i + 1 < IKE_NOTIFIES_MAX ? 41 : 43);
	for (unsigned int i = 0; i < IKE_VENDORS_MAX; i++)
		at += sprintf(at, "%02x000004", i + 1 < IKE_VENDORS_MAX ? 43 : 40);
	sprintf(at, "00000014" "000102030405060708090a0b0c0d0e0f");
	assert_int_equal(decode_chain(IKE_PL_NOTIFY, hex, &m, &keep), WIRE_TOO_MANY);
	assert_int_equal(m.n_payloads, IKE_PAYLOADS_MAX);
	assert_int_equal(m.bad_payload, IKE_PL_NONCE);
	free(keep);
}

/* RFC 7296 3.3.6: an attribute that we do not understand spoils its transform and nothing else. */
static void attributes(void **state)
{
	static const struct {
		const char *attr;
		uint16_t id, bits;
	} a[] = {
		{"", 20, 0},
		{"800e0100", 20, 256},
		{"800e0000", TRANSFORM_UNUSABLE, 0},		   /* key length 0 */
		{"800e0100800e0100", TRANSFORM_UNUSABLE, 0},	   /* twice */
		{"800f0100", TRANSFORM_UNUSABLE, 0},		   /* another attribute */
		{"800e0100800f0001", TRANSFORM_UNUSABLE, 0},	   /* another one beside */
		{"000e00020100", TRANSFORM_UNUSABLE, 0},	   /* key length in the long form */
		{"000e0000", TRANSFORM_UNUSABLE, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(a) / sizeof(a[0]); i++) {
		size_t n = strlen(a[i].attr) / 2;
		struct ike_msg m;
		char hex[256];
		void *keep;

		sprintf(hex, "0000%04zx 0000%04zx01010002 0300%04zx01000014%s 0000000802000005",
			28 + n, 24 + n, 8 + n, a[i].attr);
		assert_int_equal(decode_chain(IKE_PL_SA, hex, &m, &keep), WIRE_OK);
		free(keep);
		assert_int_equal(m.sa.n, 1);
		assert_int_equal(m.sa.p[0].n, 2);
		assert_int_equal(m.sa.p[0].t[0].type, IKE_T_ENCR);
		assert_int_equal(m.sa.p[0].t[0].id, a[i].id);
		assert_int_equal(m.sa.p[0].t[0].key_bits, a[i].bits);
		assert_true(proposal_has(&m.sa.p[0], IKE_T_PRF, PRF_HMAC_SHA2_256, 0));
	}
}

static void unknown_selectors_are_left_out(void **state)
{
	struct ike_msg m;
	void *keep;

	(void)state;
	assert_int_equal(decode_chain(IKE_PL_TSI, "00 00 0020 03000000 0900 0004" TS4 "0a00 0004", &m, &keep), WIRE_OK);
	assert_int_equal(m.ts_i.n, 1);
	assert_int_equal(m.ts_i.ts[0].lo.b[0], 10);
	free(keep);
	assert_int_equal(decode_chain(IKE_PL_TSI, "00 00 000c 01000000 0900 0004", &m, &keep), WIRE_OK);
	assert_true(msg_has(&m, IKE_PL_TSI));
	assert_int_equal(m.ts_i.n, 0);
	free(keep);
}

static void encrypted_part(void **state)
{
	struct ike_msg m;
	uint8_t *d;
	void *keep;

	(void)state;
	assert_int_equal(decode_chain(IKE_PL_NOTIFY, "2e 00 0008 00 00 4000 23 00 0014" N16, &m, &keep), WIRE_OK);
	d = keep;
	assert_true(m.sk.present && !m.sk.fragment);
	assert_int_equal(m.sk.first, IKE_PL_IDI);
	assert_int_equal(m.sk.body.n, 16);
	assert_ptr_equal(m.sk.aad.p, d);
	assert_int_equal(m.sk.aad.n, IKE_HDR_LEN + 8 + 4);
	assert_ptr_equal(m.sk.body.p, d + m.sk.aad.n);
	free(keep);

	assert_int_equal(decode_chain(IKE_PL_SKF, "23 00 0018 0001 0002" N16, &m, &keep), WIRE_OK);
	d = keep;
	assert_true(m.sk.present && m.sk.fragment);
	assert_int_equal(m.sk.number, 1);
	assert_int_equal(m.sk.total, 2);
	/* RFC 7383 2.5: the fragment numbers are covered, too */
	assert_int_equal(m.sk.aad.n, IKE_HDR_LEN + 8);
	assert_ptr_equal(m.sk.body.p, d + m.sk.aad.n);
	free(keep);
}

static void inner_payloads(void **state)
{
	static const struct chain_case in[] = {
		{"nothing", 0, "", WIRE_OK, 0},
		{"bytes, but no payload", 0, "00", WIRE_TRAILING, 0},
		{"payload, but no bytes", 40, "", WIRE_SHORT, 40},
		{"IDi", 35, "00 00 0009 02000000 61", WIRE_OK, 0},
		{"nonce that stood outside already", 40, "00 00 0014" N16, WIRE_REPEATED, 40},
		{"notify, outside and inside", 41, "00 00 0008 00 00 4000", WIRE_OK, 0},
		{"SK in SK", 46, "00 00 0014" N16, WIRE_SYNTAX, 46},
		{"SKF in SK", 53, "00 00 0018 0001 0001" N16, WIRE_SYNTAX, 53},
		{"SK in SK behind a payload", 35, "2e 00 0009 02000000 61 00 00 0014" N16, WIRE_SYNTAX, 46},
		{"unknown critical", 99, "00 80 0004", WIRE_CRITICAL, 99},
		{"trailing", 35, "00 00 0009 02000000 61 00", WIRE_TRAILING, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(in) / sizeof(in[0]); i++) {
		uint8_t plain[64], *p;
		size_t n = unhex(in[i].hex, plain, sizeof(plain));
		struct ike_msg m;
		void *keep;

		assert_int_equal(decode_chain(IKE_PL_NONCE, "29 00 0014" N16 "2e 00 0008 00 00 4000 23 00 0014" N16,
					      &m, &keep), WIRE_OK);
		p = malloc(n ? n : 1);
		assert_non_null(p);
		memcpy(p, plain, n);
		if (msg_decode_inner(slice_of(p, n), in[i].first, &m) != in[i].want || m.bad_payload != in[i].bad)
			fail_msg("%s", in[i].what);
		assert_true(m.sk.present);
		free(p);
		free(keep);
	}
}

static void notify_search(void **state)
{
	struct ike_msg m;
	void *keep;

	(void)state;
	assert_int_equal(decode_chain(IKE_PL_NOTIFY, "29 00 0008 00 00 4000 29 00 0009 00 00 000e aa 00 00 0008 00 00 0018",
				      &m, &keep), WIRE_OK);
	assert_ptr_equal(msg_notify(&m, N_INITIAL_CONTACT), &m.notify[0]);
	assert_ptr_equal(msg_error_notify(&m), &m.notify[1]);
	assert_int_equal(msg_error_notify(&m)->type, N_NO_PROPOSAL_CHOSEN);
	assert_ptr_equal(msg_notify(&m, N_AUTHENTICATION_FAILED), &m.notify[2]);
	assert_null(msg_notify(&m, N_REKEY_SA));
	free(keep);
	assert_int_equal(decode_chain(IKE_PL_NOTIFY, "00 00 0008 00 00 4000", &m, &keep), WIRE_OK);
	assert_null(msg_error_notify(&m));
	free(keep);
	/* the last number of an error, 16383 */
	assert_int_equal(decode_chain(IKE_PL_NOTIFY, "00 00 0008 00 00 3fff", &m, &keep), WIRE_OK);
	assert_ptr_equal(msg_error_notify(&m), &m.notify[0]);
	free(keep);
}

static void names(void **state)
{
	(void)state;
	assert_string_equal(ike_exchange_name(IKE_CREATE_CHILD_SA), "CREATE_CHILD_SA");
	assert_null(ike_exchange_name(33));
	assert_string_equal(ike_payload_name(IKE_PL_TSI), "TSi");
	assert_null(ike_payload_name(0));
	assert_string_equal(ike_notify_name(N_CHILD_SA_NOT_FOUND), "CHILD_SA_NOT_FOUND");
	assert_null(ike_notify_name(N_ERROR_MAX));
	assert_string_equal(ike_id_type_name(ID_KEY_ID), "ID_KEY_ID");
	assert_null(ike_id_type_name(0));
	for (int e = 0; e < WIRE_ERRS; e++)
		assert_non_null(wire_err_str((enum wire_err)e));
	assert_non_null(wire_err_str(WIRE_ERRS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chains),
		cmocka_unit_test(headers),
		cmocka_unit_test(header_fields),
		cmocka_unit_test(limits),
		cmocka_unit_test(limits_inside),
		cmocka_unit_test(payloads_in_one_message),
		cmocka_unit_test(attributes),
		cmocka_unit_test(unknown_selectors_are_left_out),
		cmocka_unit_test(encrypted_part),
		cmocka_unit_test(inner_payloads),
		cmocka_unit_test(notify_search),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
