/* SPDX-License-Identifier: BSD-2-Clause */
#include "decode.h"

#include "common/hex.h"

#include <pcap/pcap.h>

#include <errno.h>
#include <stdlib.h>
#include <time.h>

/* Captures by libpcap, which reads pcap and pcapng, and lines of hex. */

enum { LINE_BYTES_MAX = 70000, VLANS_MAX = 3 };

struct capture {
	FILE *file;
	pcap_t *pcap; /* NULL: hex; owns file */
	int link;
	unsigned long number;
	char *line;
	size_t line_cap;
	uint8_t *bytes; /* of a line */
};

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
