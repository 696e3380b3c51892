/* SPDX-License-Identifier: BSD-2-Clause */
#include "decode.h"

#include <pcap/pcap.h>

#include <errno.h>
#include <stdlib.h>
#include <time.h>

/* Captures by libpcap, which reads pcap and pcapng, and lines of hex. Bytes of packets are taken apart by common/rd.h alone. */

enum { IKE_UDP = 500, IKE_UDP_NAT_T = 4500, PROTO_UDP = 17, PROTO_ESP = 50, LINE_BYTES_MAX = 70000, VLANS_MAX = 3 };

struct capture {
	FILE *file;
	pcap_t *pcap; /* NULL: hex; owns file */
	int link;
	unsigned long number;
	char *line;
	size_t line_cap;
	uint8_t *bytes; /* of a line */
};

/* ---- what it is ----------------------------------------------------------------------------------- */

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
	f->kind = FRAME_ESP;
	f->bytes = rd_rest(&r);
	return proto == PROTO_ESP;
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

/* ---- captures ------------------------------------------------------------------------------------------- */

static bool of_ether(struct frame *f, struct rd r)
{
	uint16_t type;

	rd_bytes(&r, 12);
	type = rd_u16(&r);
	for (int i = 0; i < VLANS_MAX && (type == 0x8100 || type == 0x88a8); i++) {
		rd_u16(&r);
		type = rd_u16(&r);
	}
	return (type == 0x0800 || type == 0x86dd) && frame_of_ip(f, rd_rest(&r));
}

static bool of_link(struct frame *f, int link, struct slice packet)
{
	struct rd r = rd_of(packet);

	switch (link) {
	case DLT_EN10MB:
		return of_ether(f, r);
	case DLT_RAW:
	case DLT_IPV4:
	case DLT_IPV6:
		return frame_of_ip(f, packet);
	case DLT_NULL:
	case DLT_LOOP:
		rd_u32(&r);
		return frame_of_ip(f, rd_rest(&r));
	case DLT_LINUX_SLL:
		rd_bytes(&r, 16);
		return frame_of_ip(f, rd_rest(&r));
	case DLT_LINUX_SLL2:
		rd_bytes(&r, 20);
		return frame_of_ip(f, rd_rest(&r));
	default:
		return false;
	}
}

static bool link_known(int link)
{
	static const int known[] = {DLT_EN10MB, DLT_RAW,  DLT_IPV4,	 DLT_IPV6,
				    DLT_NULL,	DLT_LOOP, DLT_LINUX_SLL, DLT_LINUX_SLL2};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i] == link)
			return true;
	return false;
}

static void put_time(struct frame *f, const struct timeval *tv)
{
	char date[24];
	time_t s = tv->tv_sec;
	struct tm tm;

	f->time[0] = '\0';
	if (gmtime_r(&s, &tm) && strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm))
		snprintf(f->time, sizeof(f->time), "%s.%06ldZ", date, (long)tv->tv_usec);
}

static int next_packet(struct capture *c, struct frame *f, bool *fatal, char *err, size_t errlen)
{
	struct pcap_pkthdr *h;
	const unsigned char *p;
	int got;

	while ((got = pcap_next_ex(c->pcap, &h, &p)) == 1) {
		c->number++;
		*f = (struct frame){.number = c->number};
		if (!of_link(f, c->link, slice_of(p, h->caplen)))
			continue;
		f->cut = f->cut || h->caplen < h->len;
		put_time(f, &h->ts);
		return 1;
	}
	if (got != PCAP_ERROR)
		return 0;
	*fatal = true;
	snprintf(err, errlen, "packet %lu: %s", c->number + 1, pcap_geterr(c->pcap));
	return -1;
}

/* ---- lines of hex ------------------------------------------------------------------------------------------- */

static int hex_digit(char ch)
{
	if (ch >= '0' && ch <= '9')
		return ch - '0';
	ch = (char)(ch | 0x20);
	return ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}

/* Pairs of digits, blanks and colons between them, up to `#`. Bytes, or -1. */
static int line_bytes(const char *s, uint8_t *out)
{
	int n = 0, high = -1;

	for (; *s && *s != '#' && *s != '\n' && *s != '\r'; s++) {
		int v = hex_digit(*s);

		if (v < 0 && high < 0 && (*s == ' ' || *s == '\t' || *s == ':'))
			continue;
		if (v < 0 || n == LINE_BYTES_MAX)
			return -1;
		if (high < 0) {
			high = v;
			continue;
		}
		out[n++] = (uint8_t)(high << 4 | v);
		high = -1;
	}
	return high < 0 ? n : -1;
}

static int next_line(struct capture *c, struct frame *f, bool *fatal, char *err, size_t errlen)
{
	*fatal = false;
	while (getline(&c->line, &c->line_cap, c->file) > 0) {
		int n = line_bytes(c->line, c->bytes);

		c->number++;
		if (n < 0) {
			snprintf(err, errlen, "line %lu: not pairs of hex digits", c->number);
			return -1;
		}
		if (!n)
			continue;
		*f = (struct frame){.number = c->number};
		frame_guess(f, slice_of(c->bytes, (size_t)n));
		return 1;
	}
	return 0;
}

/* ---- both ------------------------------------------------------------------------------------------------------ */

int capture_next(struct capture *c, struct frame *f, bool *fatal, char *err, size_t errlen)
{
	*fatal = false;
	return c->pcap ? next_packet(c, f, fatal, err, errlen) : next_line(c, f, fatal, err, errlen);
}

void capture_close(struct capture *c)
{
	if (!c)
		return;
	if (c->pcap)
		pcap_close(c->pcap);
	else if (c->file && c->file != stdin)
		fclose(c->file);
	free(c->line);
	free(c->bytes);
	free(c);
}

/* Standard input may be a pipe, in which one cannot look at the start and go back. */
static FILE *seekable(FILE *in)
{
	FILE *copy;
	char buf[4096];
	size_t n;

	if (fseek(in, 0, SEEK_CUR) == 0)
		return in;
	copy = tmpfile();
	if (!copy)
		return NULL;
	while ((n = fread(buf, 1, sizeof(buf), in)) > 0) {
		if (fwrite(buf, 1, n, copy) != n) {
			fclose(copy);
			return NULL;
		}
	}
	rewind(copy);
	return copy;
}

static bool is_capture(FILE *f)
{
	static const uint8_t magics[][4] = {{0xa1, 0xb2, 0xc3, 0xd4}, {0xd4, 0xc3, 0xb2, 0xa1}, {0xa1, 0xb2, 0x3c, 0x4d},
					    {0x4d, 0x3c, 0xb2, 0xa1}, {0x0a, 0x0d, 0x0d, 0x0a}, {0xa1, 0xb2, 0xcd, 0x34},
					    {0x34, 0xcd, 0xb2, 0xa1}};
	uint8_t b[4] = {0};
	size_t n = fread(b, 1, 4, f);

	rewind(f);
	for (size_t i = 0; n == 4 && i < sizeof(magics) / sizeof(magics[0]); i++)
		if (memcmp(b, magics[i], 4) == 0)
			return true;
	return false;
}

static int open_pcap(struct capture *c, char *err, size_t errlen)
{
	char text[PCAP_ERRBUF_SIZE];

	c->pcap = pcap_fopen_offline(c->file, text);
	if (!c->pcap) {
		snprintf(err, errlen, "%s", text);
		return -1;
	}
	c->link = pcap_datalink(c->pcap);
	if (link_known(c->link))
		return 0;
	snprintf(err, errlen, "link type %d is not known", c->link);
	return -1;
}

struct capture *capture_open(const char *path, char *err, size_t errlen)
{
	struct capture *c = calloc(1, sizeof(*c));
	FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");

	if (c)
		c->bytes = malloc(LINE_BYTES_MAX);
	if (!f || !c || !c->bytes) {
		snprintf(err, errlen, "%s", strerror(errno));
		if (f && f != stdin)
			fclose(f);
		capture_close(c);
		return NULL;
	}
	c->file = seekable(f);
	if (!c->file)
		snprintf(err, errlen, "%s", strerror(errno));
	if (!c->file || (is_capture(c->file) && open_pcap(c, err, errlen) < 0)) {
		capture_close(c);
		return NULL;
	}
	return c;
}
