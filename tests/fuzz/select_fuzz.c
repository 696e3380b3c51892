/* SPDX-License-Identifier: BSD-2-Clause */
/* fuzz-rooms: common agent/wire agent/crypt agent/exch */
#include "agent/exch/select.h"
#include "tests/wire_again.h"

#include <stdlib.h>

/*
 * Selection. Each byte of the input is a transform of a small table, or begins the next proposal,
 * or turns from our proposals to the peer's. Whatever we select has to pass the check that an
 * initiator makes, through the wire.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NEXT_PROPOSAL = 0xff, OTHER_SIDE = 0xfe, IKE_PROPOSAL = 0xfd };

static const struct transform transforms[] = {
	{IKE_T_ENCR, ENCR_AES_CBC, 128},
	{IKE_T_ENCR, ENCR_AES_CBC, 256},
	{IKE_T_ENCR, ENCR_AES_GCM_16, 128},
	{IKE_T_ENCR, ENCR_AES_GCM_16, 256},
	{IKE_T_ENCR, ENCR_NULL, 0},
	{IKE_T_ENCR, TRANSFORM_UNUSABLE, 0},
	{IKE_T_PRF, PRF_HMAC_SHA2_256, 0},
	{IKE_T_PRF, PRF_HMAC_SHA2_512, 0},
	{IKE_T_INTEG, AUTH_NONE, 0},
	{IKE_T_INTEG, AUTH_HMAC_SHA2_256_128, 0},
	{IKE_T_INTEG, AUTH_HMAC_SHA2_512_256, 0},
	{IKE_T_KE, KE_NONE, 0},
	{IKE_T_KE, KE_CURVE25519, 0},
	{IKE_T_KE, KE_MODP_2048, 0},
	{IKE_T_ESN, ESN_NO, 0},
	{IKE_T_ESN, ESN_YES, 0},
	{6, 36, 0},
};
enum { TRANSFORMS = sizeof(transforms) / sizeof(transforms[0]) };

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void begin(struct proposals *s, enum ike_proto proto)
{
	struct proposal *p;

	if (s->n == IKE_PROPOSALS_MAX)
		return;
	p = &s->p[s->n++];
	*p = (struct proposal){.number = (uint8_t)s->n, .proto = (uint8_t)proto};
	if (proto == IKE_PROTO_ESP) {
		p->spi_len = 4;
		p->spi[0] = 0xc0;
	}
}

static void read_proposals(struct rd *r, struct proposals *mine, struct proposals *theirs)
{
	struct proposals *s = mine;

	while (r->n) {
		uint8_t b = rd_u8(r);

		if (b == OTHER_SIDE) {
			s = theirs;
		} else if (b == NEXT_PROPOSAL || b == IKE_PROPOSAL) {
			begin(s, b == IKE_PROPOSAL ? IKE_PROTO_IKE : IKE_PROTO_ESP);
		} else if (s->n && s->p[s->n - 1].n < IKE_TRANSFORMS_MAX) {
			struct proposal *p = &s->p[s->n - 1];

			p->t[p->n++] = transforms[b % TRANSFORMS];
		}
	}
}

/* What the other side reads of an SA payload that we write. */
static void over_the_wire(const struct proposals *in, struct proposals *out)
{
	static uint8_t buf[16384];
	static struct ike_msg m;
	struct msg_wr c;

	msg_wr_init(&c, buf, sizeof(buf));
	msg_put_sa(&c, in);
	m = (struct ike_msg){0};
	check(msg_decode_inner(wr_slice(&c.w), c.first, &m) == WIRE_OK);
	check(same_proposals(in, &m.sa));
	*out = m.sa;
}

static unsigned int of_type(const struct proposal *p, unsigned int type)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < p->n; i++)
		n += p->t[i].type == type;
	return n;
}

static void check_answer(const struct proposals *offered, const struct proposals *answer,
			 bool strip)
{
	const struct proposal *a = &answer->p[0];
	struct proposal out;

	for (unsigned int type = 0; type < 256; type++)
		check(of_type(a, type) <= 1);
	/* with strip the offer may hold groups that nobody answers; otherwise the initiator is
	 * content */
	if (!strip)
		check(proposal_verify(offered, answer, &out) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_of(slice_of(data, size));
	static struct proposals mine, theirs, offered, chosen, answer;
	uint8_t flags = rd_u8(&r);

	mine = theirs = (struct proposals){0};
	read_proposals(&r, &mine, &theirs);
	if (!theirs.n)
		return 0;
	over_the_wire(&theirs, &offered);
	chosen = (struct proposals){.n = 1};
	if (proposal_select(&mine, &offered, flags & 1, flags & 2, &chosen.p[0]))
		return 0;
	over_the_wire(&chosen, &answer);
	check_answer(&offered, &answer, flags & 2);
	return 0;
}
