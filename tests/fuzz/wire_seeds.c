/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/wire/msg.h"

#include <stdio.h>
#include <sys/stat.h>

/* Writes the seeds of wire_fuzz, ts_fuzz and select_fuzz below a directory: `make fuzz-seeds`. */
enum { DATAGRAM = 1, INNER = 2 };

static const char *dir;
static const uint8_t letters[64] =
	"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+-";

static int save(const char *fuzzer, const char *name, struct slice first, struct slice rest)
{
	char path[512];
	FILE *f;
	bool ok;

	snprintf(path, sizeof(path), "%s/%s", dir, fuzzer);
	mkdir(path, 0777);
	snprintf(path, sizeof(path), "%s/%s/%s", dir, fuzzer, name);
	f = fopen(path, "wb");
	if (!f)
		return -1;
	ok = fwrite(first.p, 1, first.n, f) == first.n && fwrite(rest.p, 1, rest.n, f) == rest.n;
	return fclose(f) || !ok ? -1 : 0;
}

static struct slice some(size_t n)
{
	return slice_of(letters, n);
}

static void ts_range(struct msg_wr *c, unsigned int type, uint8_t net)
{
	struct ts_list l = {.n = 2};

	l.ts[0] = (struct ts){.lo = {4, {10, net, 0, 1}},
			      .hi = {4, {10, net, 0, 1}},
			      .port_lo = 80,
			      .port_hi = 80,
			      .protocol = 6};
	l.ts[1] =
		(struct ts){.lo = {4, {10, net}}, .hi = {4, {10, net, 255, 255}}, .port_hi = 65535};
	msg_put_ts(c, type, &l);
}

static void ts6(struct msg_wr *c)
{
	struct ts_list l = {.n = 1};

	l.ts[0] = (struct ts){.lo = {6, {0x20, 1, 0xd, 0xb8}},
			      .hi = {6, {0x20, 1, 0xd, 0xb8, 1}},
			      .port_lo = 65535,
			      .port_hi = 0,
			      .protocol = 58};
	msg_put_ts(c, IKE_PL_TSI, &l);
}

static void sa_ike(struct msg_wr *c, uint8_t spi_len)
{
	static struct proposals s = {.n = 2,
				     .p = {{.number = 1,
					    .proto = IKE_PROTO_IKE,
					    .spi = {1, 2, 3, 4, 5, 6, 7, 8},
					    .n = 5,
					    .t = {{IKE_T_ENCR, ENCR_AES_GCM_16, 256},
						  {IKE_T_ENCR, ENCR_AES_GCM_16, 128},
						  {IKE_T_PRF, 5, 0},
						  {IKE_T_KE, 31, 0},
						  {IKE_T_KE, 19, 0}}},
					   {.number = 2,
					    .proto = IKE_PROTO_IKE,
					    .spi = {1, 2, 3, 4, 5, 6, 7, 8},
					    .n = 4,
					    .t = {{IKE_T_ENCR, ENCR_AES_CBC, 128},
						  {IKE_T_INTEG, 12, 0},
						  {IKE_T_PRF, 5, 0},
						  {IKE_T_KE, 14, 0}}}}};

	s.p[0].spi_len = s.p[1].spi_len = spi_len;
	msg_put_sa(c, &s);
}

static void sa_esp(struct msg_wr *c)
{
	static const struct proposals s = {.n = 1,
					   .p = {{.number = 1,
						  .proto = IKE_PROTO_ESP,
						  .spi_len = 4,
						  .spi = {0xc0, 0, 0, 1},
						  .n = 4,
						  .t = {{IKE_T_ENCR, ENCR_AES_GCM_16, 128},
							{IKE_T_KE, 31, 0},
							{IKE_T_ESN, 0, 0},
							{IKE_T_ESN, 1, 0}}}}};

	msg_put_sa(c, &s);
}

static void init_request(struct msg_wr *c)
{
	sa_ike(c, 0);
	msg_put_ke(c, KE_CURVE25519, some(32));
	msg_put_nonce(c, some(32));
	msg_put_notify(c, 0, N_NAT_DETECTION_SOURCE_IP, some(0), some(20));
	msg_put_notify(c, 0, N_NAT_DETECTION_DESTINATION_IP, some(0), some(20));
	msg_put_notify(c, 0, N_IKEV2_FRAGMENTATION_SUPPORTED, some(0), some(0));
	msg_put_notify(c, 0, N_SIGNATURE_HASH_ALGORITHMS, some(0), some(8));
	msg_put_raw(c, IKE_PL_VENDOR, some(16));
	msg_put_cert(c, IKE_PL_CERTREQ, 4, some(40));
}

static void init_cookie(struct msg_wr *c)
{
	msg_put_notify(c, 0, N_COOKIE, some(0), some(20));
}

static void init_invalid_ke(struct msg_wr *c)
{
	msg_put_notify(c, 0, N_INVALID_KE_PAYLOAD, some(0), some(2));
}

static void auth_request(struct msg_wr *c)
{
	msg_put_id(c, IKE_PL_IDI, &(struct ike_id){ID_FQDN, some(9)});
	msg_put_cert(c, IKE_PL_CERT, 4, some(64));
	msg_put_notify(c, 0, N_INITIAL_CONTACT, some(0), some(0));
	msg_put_id(c, IKE_PL_IDR, &(struct ike_id){ID_IPV4_ADDR, some(4)});
	msg_put_auth(c, AUTH_METHOD_PSK, some(32));
	msg_put_raw(c, IKE_PL_CP, some(12));
	sa_esp(c);
	ts_range(c, IKE_PL_TSI, 1);
	ts_range(c, IKE_PL_TSR, 2);
	msg_put_notify(c, 0, N_MOBIKE_SUPPORTED, some(0), some(0));
}

static void auth_eap(struct msg_wr *c)
{
	msg_put_raw(c, IKE_PL_EAP, some(9));
}

static void child_rekey(struct msg_wr *c)
{
	msg_put_notify(c, IKE_PROTO_ESP, N_REKEY_SA, some(4), some(0));
	sa_esp(c);
	msg_put_nonce(c, some(32));
	msg_put_ke(c, KE_CURVE25519, some(32));
	ts6(c);
	ts_range(c, IKE_PL_TSR, 2);
}

static void child_rekey_zero(struct msg_wr *c)
{
	msg_put_notify(c, IKE_PROTO_IKE, N_REKEY_SA, some(0), some(0));
	msg_put_nonce(c, some(16));
}

static void ike_rekey(struct msg_wr *c)
{
	sa_ike(c, 8);
	msg_put_nonce(c, some(32));
	msg_put_ke(c, KE_CURVE25519, some(32));
}

static void info_delete(struct msg_wr *c)
{
	msg_put_delete(c, IKE_PROTO_ESP, (uint32_t[]){0xc0000001, 0xc0000002}, 2);
	msg_put_delete(c, IKE_PROTO_AH, (uint32_t[]){0xc0000003}, 1);
	msg_put_delete_ike(c);
}

static void unknown(struct msg_wr *c)
{
	msg_put_raw(c, 200, some(7));
	msg_put_raw(c, 49, some(0));
	msg_put_raw(c, IKE_PL_NOTIFY, some(4));
}

static void encrypted(struct msg_wr *c)
{
	msg_put_notify(c, 0, N_COOKIE, some(0), some(20));
	msg_put_raw(c, IKE_PL_SK, some(48));
}

static void encrypted_fragment(struct msg_wr *c)
{
	size_t at = msg_open(c, IKE_PL_SKF);

	wr_u16(&c->w, 1);
	wr_u16(&c->w, 2);
	wr_put(&c->w, some(48));
	msg_close(c, at);
}

static void nothing(struct msg_wr *c)
{
	(void)c;
}

static const struct {
	const char *name;
	void (*put)(struct msg_wr *c);
	uint8_t exchange;
	unsigned int as;
} seeds[] = {
	{"init_request", init_request, IKE_SA_INIT, DATAGRAM | INNER},
	{"init_cookie", init_cookie, IKE_SA_INIT, DATAGRAM},
	{"init_invalid_ke", init_invalid_ke, IKE_SA_INIT, DATAGRAM},
	{"auth_request", auth_request, IKE_AUTH, DATAGRAM | INNER},
	{"auth_eap", auth_eap, IKE_AUTH, INNER},
	{"child_rekey", child_rekey, IKE_CREATE_CHILD_SA, DATAGRAM | INNER},
	{"child_rekey_zero", child_rekey_zero, IKE_CREATE_CHILD_SA, INNER},
	{"ike_rekey", ike_rekey, IKE_CREATE_CHILD_SA, INNER},
	{"info_delete", info_delete, IKE_INFORMATIONAL, INNER},
	{"unknown", unknown, IKE_INFORMATIONAL, DATAGRAM | INNER},
	{"encrypted", encrypted, IKE_AUTH, DATAGRAM},
	{"encrypted_fragment", encrypted_fragment, IKE_AUTH, DATAGRAM},
	{"nothing", nothing, IKE_INFORMATIONAL, DATAGRAM},
};

static int wire_seed(unsigned int i)
{
	static uint8_t chain[4096], out[4096];
	struct ike_hdr hdr = {.spi_i = 0x0102030405060708,
			      .version = IKE_VERSION,
			      .exchange = seeds[i].exchange,
			      .flags = IKE_FLAG_INITIATOR};
	struct wr w = wr_of(out, sizeof(out));
	struct msg_wr c;
	char name[64];

	msg_wr_init(&c, chain, sizeof(chain));
	seeds[i].put(&c);
	if (msg_seal_plain(&hdr, &c, &w))
		return -1;
	if (seeds[i].as & DATAGRAM && save("wire", seeds[i].name, slice_of("\1", 1), wr_slice(&w)))
		return -1;
	snprintf(name, sizeof(name), "%s_inner", seeds[i].name);
	if (seeds[i].as & INNER && save("wire", name, slice_of(&c.first, 1), wr_slice(&c.w)))
		return -1;
	return 0;
}

/* Records of ten bytes and rows of transform numbers: see ts_fuzz.c and select_fuzz.c. */
static int other_seeds(void)
{
	static const uint8_t ts[] = {0, 0,  0,	  0,  0, 255, 0,    0,	 255, 255, 2, 0, 0, 5,
				     0, 5,  0,	  80, 0, 80,  0x62, 0,	 0,   4,   1, 0, 0, 70,
				     0, 90, 0x0a, 0,  0, 0,   255,  255, 0,   0,   0, 0};
	static const uint8_t ike[] = {0, 0xfd, 3,  6, 12, 0xfd, 0,  9,	  6, 13, 0xfe, 0xfd, 0,
				      1, 9,    10, 6, 7,  12,	13, 0xfd, 2, 3,	 6,    8,    12};
	static const uint8_t esp[] = {1, 0xff, 2,  3,  12, 14,	 15, 0xfe, 0xff, 3,
				      2, 11,   12, 15, 14, 0xff, 0,  9,	   14};
	static const uint8_t strip[] = {2, 0xff, 2, 12, 14, 0xfe, 0xff, 2, 11, 14, 16, 5};

	return save("ts", "two", slice_of(ts, sizeof(ts)), some(0)) ||
	       save("select", "ike", slice_of(ike, sizeof(ike)), some(0)) ||
	       save("select", "esp", slice_of(esp, sizeof(esp)), some(0)) ||
	       save("select", "strip", slice_of(strip, sizeof(strip)), some(0));
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: wire_seeds DIR\n");
		return 2;
	}
	dir = argv[1];
	mkdir(dir, 0777);
	for (unsigned int i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++) {
		if (wire_seed(i)) {
			perror(seeds[i].name);
			return 1;
		}
	}
	if (other_seeds()) {
		perror(dir);
		return 1;
	}
	return 0;
}
