/* SPDX-License-Identifier: BSD-2-Clause */
#include "decode.h"

/* What an IP packet or a datagram is: IKE, ESP, AH, a keepalive, or nothing of ours. */

enum { IKE_UDP = 500, IKE_UDP_NAT_T = 4500, PROTO_UDP = 17, PROTO_ESP = 50, PROTO_AH = 51 };

static bool looks_like_ike(struct slice s)
{
	struct ike_hdr h;
	enum wire_err err = ike_hdr_decode(s, &h);

	if (err == WIRE_OK || err == WIRE_SYNTAX)
		return true;
	if (err == WIRE_SHORT)
		return false;
	/* A wrong length, another version: by what is left. */
	return h.length == s.n || (err == WIRE_LENGTH && h.exchange >= IKE_SA_INIT && h.exchange <= IKE_FOLLOWUP_KE);
}

void frame_guess(struct frame *f, struct slice bytes)
{
	struct rd r = rd_of(bytes);

	f->bytes = bytes;
	f->kind = FRAME_ESP;
	if (bytes.n == 1 && bytes.p[0] == 0xff) {
		f->kind = FRAME_KEEPALIVE; /* RFC 3948 2.3 */
	} else if (looks_like_ike(bytes)) {
		f->kind = FRAME_IKE;
	} else if (bytes.n > 4 && rd_u32(&r) == 0) {
		f->kind = FRAME_IKE; /* RFC 3948 2.2: the marker; no ESP has SPI 0 */
		f->bytes = rd_rest(&r);
	}
}

static bool of_udp(struct frame *f, struct rd r)
{
	uint16_t len;
	struct slice data;

	f->from.port = rd_u16(&r);
	f->to.port = rd_u16(&r);
	len = rd_u16(&r);
	rd_u16(&r);
	if (r.failed || len < 8)
		return false;
	f->cut = f->cut || len - 8u > r.n;
	data = rd_bytes(&r, len - 8u < r.n ? len - 8u : r.n);
	f->bytes = data;
	if (f->from.port == IKE_UDP_NAT_T || f->to.port == IKE_UDP_NAT_T) {
		frame_guess(f, data);
		f->encap = f->kind == FRAME_ESP;
		return data.n > 0;
	}
	f->kind = FRAME_IKE;
	return f->from.port == IKE_UDP || f->to.port == IKE_UDP;
}

static bool of_proto(struct frame *f, uint8_t proto, struct rd r)
{
	if (proto == PROTO_UDP)
		return of_udp(f, r);
	f->kind = proto == PROTO_AH ? FRAME_AH : FRAME_ESP;
	f->bytes = rd_rest(&r);
	return proto == PROTO_ESP || proto == PROTO_AH;
}

static void addr_take(struct rd *r, uint8_t family, struct ip_addr *a)
{
	struct slice s = rd_bytes(r, family == 4 ? 4 : 16);

	*a = (struct ip_addr){.family = family};
	if (s.n)
		memcpy(a->b, s.p, s.n);
}

static bool of_ipv4(struct frame *f, struct rd r, uint8_t first)
{
	unsigned int head = (first & 15) * 4u, total, fragment;
	uint8_t proto;

	rd_u8(&r);
	total = rd_u16(&r);
	rd_u16(&r);
	fragment = rd_u16(&r);
	rd_u8(&r);
	proto = rd_u8(&r);
	rd_u16(&r);
	addr_take(&r, 4, &f->from.ip);
	addr_take(&r, 4, &f->to.ip);
	if (r.failed || head < 20)
		return false;
	f->addressed = true;
	rd_bytes(&r, head - 20);
	/* what follows the packet on Ethernet is padding */
	if (total >= head && total - head < r.n)
		r = rd_sub(&r, total - head);
	f->cut = (fragment & 0x2000) || (total > head && total - head > r.n);
	return !r.failed && !(fragment & 0x1fff) && of_proto(f, proto, r);
}

static bool of_ipv6(struct frame *f, struct rd r)
{
	uint16_t payload, fragment;
	uint8_t next;

	rd_bytes(&r, 3);
	payload = rd_u16(&r);
	next = rd_u8(&r);
	rd_u8(&r);
	addr_take(&r, 6, &f->from.ip);
	addr_take(&r, 6, &f->to.ip);
	if (r.failed)
		return false;
	f->addressed = true;
	f->cut = payload > r.n;
	if (payload && payload < r.n)
		r = rd_sub(&r, payload);
	/* hop-by-hop, routing, destination options, fragment */
	while (next == 0 || next == 43 || next == 60 || next == 44) {
		bool is_fragment = next == 44;
		uint8_t len;

		next = rd_u8(&r);
		len = rd_u8(&r);
		if (is_fragment) {
			fragment = rd_u16(&r);
			rd_u32(&r);
			f->cut = f->cut || (fragment & 1);
			if (fragment & 0xfff8)
				return false;
		} else {
			rd_bytes(&r, 6 + 8u * len);
		}
		if (r.failed)
			return false;
	}
	return of_proto(f, next, r);
}

bool frame_of_ip(struct frame *f, struct slice packet)
{
	struct rd r = rd_of(packet);
	uint8_t first = rd_u8(&r);

	if (first >> 4 == 4)
		return of_ipv4(f, r, first);
	return first >> 4 == 6 && of_ipv6(f, r);
}
