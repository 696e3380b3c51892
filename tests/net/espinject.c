/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Puts ESP on the wire that no gateway sent:
 *   espinject capture FILE IFACE N     N frames with ESP or UDP 4500 that arrive on IFACE
 *   espinject send FILE IFACE HOW      the frames of FILE out of IFACE; HOW one of
 *     same      as they are
 *     flip      each once for every byte behind the sequence number, with one bit of it turned
 *     seq       with the sequence number raised by 2^20
 *     spi       with another SPI
 *     truncate  cut to every length that still has an SPI
 *     other     plain ESP in UDP, without a checksum, and what came in UDP as plain ESP
 *     nosum     without a UDP checksum
 *     ext       IPv6: with a destination options header in front
 *     route     IPv6: with a routing header that has segments left
 *     cut       IPv6: with a destination options header that is longer than the packet
 * Prints the number of frames.
 */
#include "common/rd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FRAME_MAX = 2048, FRAMES_MAX = 256 };

struct frame {
	uint32_t len;
	uint32_t esp; /* offset of the SPI */
	uint8_t b[FRAME_MAX];
};

static int die(const char *what)
{
	fprintf(stderr, "espinject: %s: %s\n", what, strerror(errno));
	return 1;
}

/* The reader stands behind the Ethernet header; without extension headers. */
static uint32_t esp_offset6(struct rd *r)
{
	uint16_t dport;
	uint8_t next;

	rd_bytes(r, 6);
	next = rd_u8(r);
	rd_bytes(r, 33);
	if (r->failed)
		return 0;
	if (next == IPPROTO_ESP)
		return 14 + 40;
	if (next != IPPROTO_UDP)
		return 0;
	rd_u16(r);
	dport = rd_u16(r);
	rd_bytes(r, 4);
	return dport == 4500 && rd_u32(r) && !r->failed ? 14 + 40 + 8 : 0;
}

/* Offset of the ESP header, 0 when the frame has none. */
static uint32_t esp_offset(const uint8_t *b, size_t n)
{
	struct rd r = rd_of(slice_of(b, n));
	uint16_t frag, dport, type;
	uint8_t ihl, proto;

	rd_bytes(&r, 12);
	type = rd_u16(&r);
	if (type == ETH_P_IPV6)
		return esp_offset6(&r);
	if (type != ETH_P_IP)
		return 0;
	ihl = (uint8_t)((rd_u8(&r) & 15) * 4);
	rd_bytes(&r, 5);
	frag = rd_u16(&r);
	rd_u8(&r);
	proto = rd_u8(&r);
	rd_bytes(&r, ihl - 10U);
	if (r.failed || frag & 0x1fff)
		return 0;
	if (proto == IPPROTO_ESP)
		return 14U + ihl;
	if (proto != IPPROTO_UDP)
		return 0;
	rd_u16(&r);
	dport = rd_u16(&r);
	rd_bytes(&r, 4);
	return dport == 4500 && rd_u32(&r) && !r.failed ? 14U + ihl + 8U : 0;
}

static int open_on(const char *ifname)
{
	struct sockaddr_ll ll = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));

	ll.sll_ifindex = (int)if_nametoindex(ifname);
	if (fd < 0 || !ll.sll_ifindex || bind(fd, (struct sockaddr *)&ll, sizeof(ll)))
		return -1;
	return fd;
}

static int capture(const char *file, const char *ifname, unsigned int want)
{
	static struct frame f;
	int fd = open_on(ifname);
	FILE *out = fopen(file, "wb");
	unsigned int got = 0;

	if (fd < 0 || !out)
		return die(ifname);
	while (got < want) {
		struct sockaddr_ll from;
		socklen_t flen = sizeof(from);
		ssize_t n = recvfrom(fd, f.b, sizeof(f.b), 0, (struct sockaddr *)&from, &flen);

		if (n < 0)
			return die("recvfrom");
		if (from.sll_pkttype == PACKET_OUTGOING)
			continue;
		f.len = (uint32_t)n;
		f.esp = esp_offset(f.b, f.len);
		if (!f.esp)
			continue;
		if (fwrite(&f, sizeof(f), 1, out) != 1)
			return die(file);
		got++;
	}
	fclose(out);
	close(fd);
	printf("%u\n", got);
	return 0;
}

static unsigned int put(int fd, const struct frame *f, size_t len)
{
	for (int tries = 0; tries < 100; tries++) {
		if (send(fd, f->b, len, 0) >= 0)
			return 1;
		usleep(1000);
	}
	return 0;
}

static bool is_ip6(const struct frame *f)
{
	return f->b[12] == 0x86;
}

static void set_lengths6(struct frame *f, size_t len)
{
	uint16_t payload = (uint16_t)(len - 14 - 40);

	f->b[18] = (uint8_t)(payload >> 8);
	f->b[19] = (uint8_t)payload;
	if (f->b[20] == IPPROTO_UDP) {
		f->b[58] = (uint8_t)(payload >> 8);
		f->b[59] = (uint8_t)payload;
	}
}

/* An extension header of 8 bytes behind the fixed one. */
static unsigned int send_ext(int fd, const struct frame *f, uint8_t type, uint8_t units, uint8_t left)
{
	static struct frame e;

	if (!is_ip6(f) || f->len + 8 > FRAME_MAX)
		return 0;
	memcpy(e.b, f->b, 54);
	memcpy(e.b + 62, f->b + 54, f->len - 54);
	memcpy(e.b + 54, (uint8_t[]){f->b[20], units, 1, left, 0, 0, 0, 0}, 8);
	if (type == IPPROTO_DSTOPTS) /* PadN over the rest */
		memcpy(e.b + 56, (uint8_t[]){1, 4, 0, 0, 0, 0}, 6);
	e.b[20] = type;
	set_lengths6(&e, f->len + 8);
	return put(fd, &e, f->len + 8);
}

/* The IP total length (and UDP length) of a frame cut to len: the gateway must not see it by them. */
static void set_lengths(struct frame *f, size_t len)
{
	uint16_t ip = (uint16_t)(len - 14), sum = 0;
	uint32_t acc = 0;
	size_t ihl = (size_t)(f->b[14] & 15) * 4;

	if (is_ip6(f)) {
		set_lengths6(f, len);
		return;
	}
	f->b[16] = (uint8_t)(ip >> 8);
	f->b[17] = (uint8_t)ip;
	if (f->b[23] == IPPROTO_UDP) {
		uint16_t udp = (uint16_t)(ip - ihl);

		f->b[14 + ihl + 4] = (uint8_t)(udp >> 8);
		f->b[14 + ihl + 5] = (uint8_t)udp;
	}
	f->b[24] = f->b[25] = 0;
	for (size_t i = 0; i < ihl; i += 2)
		acc += (uint32_t)f->b[14 + i] << 8 | f->b[15 + i];
	while (acc >> 16)
		acc = (acc & 0xffff) + (acc >> 16);
	sum = (uint16_t)~acc;
	f->b[24] = (uint8_t)(sum >> 8);
	f->b[25] = (uint8_t)sum;
}

/* Both ports are the NAT-T one: where IKE is looked for, too. */
static unsigned int send_other(int fd, const struct frame *f)
{
	static const uint8_t udp[8] = {4500 >> 8, 4500 & 0xff, 4500 >> 8, 4500 & 0xff};
	size_t at = is_ip6(f) ? 14 + 40 : 14 + (size_t)(f->b[14] & 15) * 4, protocol = is_ip6(f) ? 20 : 23;
	bool wrap = f->esp == at;
	static struct frame e;

	e.len = wrap ? f->len + 8 : f->len - 8;
	if (e.len > FRAME_MAX)
		return 0;
	memcpy(e.b, f->b, at);
	if (wrap)
		memcpy(e.b + at, udp, 8);
	memcpy(e.b + at + (wrap ? 8 : 0), f->b + f->esp, f->len - f->esp);
	e.b[protocol] = wrap ? IPPROTO_UDP : IPPROTO_ESP;
	set_lengths(&e, e.len);
	return put(fd, &e, e.len);
}

static unsigned int send_as(int fd, struct frame *f, const char *how)
{
	unsigned int n = 0;

	if (!strcmp(how, "same"))
		return put(fd, f, f->len);
	if (!strcmp(how, "spi")) {
		f->b[f->esp] ^= 0x5a;
		f->b[f->esp + 1] ^= 0xa5;
		return put(fd, f, f->len);
	}
	if (!strcmp(how, "seq")) {
		f->b[f->esp + 5] ^= 0x10;
		return put(fd, f, f->len);
	}
	if (!strcmp(how, "nosum")) {
		f->b[f->esp - 2] = f->b[f->esp - 1] = 0;
		return put(fd, f, f->len);
	}
	if (!strcmp(how, "other"))
		return send_other(fd, f);
	if (!strcmp(how, "ext"))
		return send_ext(fd, f, IPPROTO_DSTOPTS, 0, 0);
	if (!strcmp(how, "route"))
		return send_ext(fd, f, IPPROTO_ROUTING, 0, 1);
	if (!strcmp(how, "cut"))
		return send_ext(fd, f, IPPROTO_DSTOPTS, 200, 0);
	if (!strcmp(how, "flip")) {
		for (uint32_t i = f->esp + 8; i < f->len; i++) {
			f->b[i] ^= (uint8_t)(1 << (i % 8));
			n += put(fd, f, f->len);
			f->b[i] ^= (uint8_t)(1 << (i % 8));
		}
		return n;
	}
	for (uint32_t len = f->esp + 4; len < f->len; len++) {
		set_lengths(f, len);
		n += put(fd, f, len);
	}
	return n;
}

static int send_main(const char *file, const char *ifname, const char *how)
{
	static struct frame f;
	FILE *in = fopen(file, "rb");
	int fd = open_on(ifname);
	unsigned int n = 0;

	if (fd < 0 || !in)
		return die(in ? ifname : file);
	while (fread(&f, sizeof(f), 1, in) == 1)
		n += send_as(fd, &f, how);
	fclose(in);
	close(fd);
	printf("%u\n", n);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 5 && !strcmp(argv[1], "capture"))
		return capture(argv[2], argv[3], (unsigned int)atoi(argv[4]));
	if (argc == 5 && !strcmp(argv[1], "send"))
		return send_main(argv[2], argv[3], argv[4]);
	fprintf(stderr, "usage: espinject capture FILE IFACE N | send FILE IFACE "
			"same|flip|seq|spi|truncate|other|nosum|ext|route|cut\n");
	return 2;
}
