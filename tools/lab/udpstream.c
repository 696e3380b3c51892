/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A numbered UDP stream, to count what is lost, doubled or late on the way:
 *   udpstream recv PORT                          until the sender says it ended; one JSON object
 *   udpstream send ADDRESS PORT SIZE PPS SECONDS SIZE of the UDP payload, PPS 0 = as fast as it goes
 */
#include "common/addr.h"
#include "common/rd.h"
#include "common/wr.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 32, SIZE_MIN = 16, SIZE_MAX_UDP = 9000, NUMBERS_MAX = 1 << 27, END_TIMES = 20 };
static const uint32_t MAGIC_DATA = 0x78647374, MAGIC_END = 0x78646e64;

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

static int die(const char *what)
{
	fprintf(stderr, "udpstream: %s: %s\n", what, strerror(errno));
	return 1;
}

static void number(uint8_t *buf, uint32_t magic, uint64_t n)
{
	struct wr w = wr_of(buf, SIZE_MIN);

	wr_u32(&w, magic);
	wr_u64(&w, n);
}

struct seen {
	uint64_t unique, duplicate, reordered, highest, total;
	uint64_t first_ns, last_ns, longest_gap_ns;
	uint8_t *bits;
};

static void take(struct seen *s, uint64_t n, uint64_t at)
{
	if (n >= NUMBERS_MAX)
		return;
	if (s->bits[n / 8] & (1 << (n % 8))) {
		s->duplicate++;
		return;
	}
	s->bits[n / 8] |= (uint8_t)(1 << (n % 8));
	if (s->unique && n < s->highest)
		s->reordered++;
	if (n > s->highest)
		s->highest = n;
	if (s->unique && at - s->last_ns > s->longest_gap_ns)
		s->longest_gap_ns = at - s->last_ns;
	if (!s->unique)
		s->first_ns = at;
	s->last_ns = at;
	s->unique++;
}

static void report(const struct seen *s)
{
	double secs = (double)(s->last_ns - s->first_ns) / 1e9;

	printf("{\"sent\":%llu,\"received\":%llu,\"lost\":%llu,\"duplicate\":%llu,\"reordered\":%llu,"
	       "\"pps\":%.0f,\"longest_gap_us\":%llu}\n",
	       (unsigned long long)s->total, (unsigned long long)s->unique,
	       (unsigned long long)(s->total - s->unique), (unsigned long long)s->duplicate,
	       (unsigned long long)s->reordered, secs > 0 ? (double)s->unique / secs : 0.0,
	       (unsigned long long)(s->longest_gap_ns / 1000));
}

static int recv_main(uint16_t port)
{
	static uint8_t buf[BATCH][SIZE_MAX_UDP];
	struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_port = htons(port)}; /* and IPv4 */
	struct mmsghdr msg[BATCH] = {0};
	struct iovec iov[BATCH];
	struct seen s = {.bits = calloc(1, NUMBERS_MAX / 8)};
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), size = 64 << 20;

	if (fd < 0 || !s.bits || bind(fd, (struct sockaddr *)&at, sizeof(at)))
		return die("bind");
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	for (int i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){buf[i], sizeof(buf[i])};
		msg[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1};
	}
	for (;;) {
		int n = recvmmsg(fd, msg, BATCH, MSG_WAITFORONE, NULL);
		uint64_t t = now_ns();

		if (n < 0)
			return die("recvmmsg");
		for (int i = 0; i < n; i++) {
			struct rd r = rd_of(slice_of(buf[i], msg[i].msg_len));
			uint32_t magic = rd_u32(&r);
			uint64_t v = rd_u64(&r);

			if (magic == MAGIC_DATA && !r.failed)
				take(&s, v, t);
			if (magic == MAGIC_END && !r.failed) {
				s.total = v;
				report(&s);
				free(s.bits);
				close(fd);
				return 0;
			}
		}
	}
}

static void pause_until(uint64_t ns)
{
	struct timespec ts = {.tv_sec = (time_t)(ns / 1000000000ULL),
			      .tv_nsec = (long)(ns % 1000000000ULL)};

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

static int send_main(const char *addr, uint16_t port, size_t size, double pps, double seconds)
{
	static uint8_t buf[BATCH][SIZE_MAX_UDP];
	struct endpoint peer = {.port = port};
	struct sockaddr_storage to;
	struct mmsghdr msg[BATCH] = {0};
	struct iovec iov[BATCH];
	int fd, sndbuf = 4 << 20;
	uint64_t sent = 0, start, end;
	socklen_t to_len;

	if (addr_parse(addr, &peer.ip) || size < SIZE_MIN || size > SIZE_MAX_UDP)
		return die(addr);
	to_len = endpoint_to_sockaddr(&peer, &to);
	fd = socket(to.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, to_len))
		return die(addr);
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &sndbuf, sizeof(sndbuf));
	for (int i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){buf[i], size};
		msg[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1};
	}
	start = now_ns();
	end = start + (uint64_t)(seconds * 1e9);
	while (now_ns() < end && sent + BATCH < NUMBERS_MAX) {
		unsigned int batch = pps > 0 ? 1 : BATCH;
		int n;

		for (unsigned int i = 0; i < batch; i++)
			number(buf[i], MAGIC_DATA, sent + i);
		n = sendmmsg(fd, msg, batch, 0);
		if (n > 0)
			sent += (unsigned int)n;
		if (pps > 0)
			pause_until(start + (uint64_t)((double)sent / pps * 1e9));
	}
	/* several times: the end itself may be lost */
	for (int i = 0; i < END_TIMES; i++) {
		number(buf[0], MAGIC_END, sent);
		pause_until(now_ns() + 50000000);
		if (send(fd, buf[0], SIZE_MIN, 0) < 0 && errno == ECONNREFUSED)
			break;
	}
	close(fd);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "recv"))
		return recv_main((uint16_t)atoi(argv[2]));
	if (argc == 7 && !strcmp(argv[1], "send"))
		return send_main(argv[2], (uint16_t)atoi(argv[3]), (size_t)atoi(argv[4]),
				 atof(argv[5]), atof(argv[6]));
	fprintf(stderr, "usage: udpstream recv PORT | send ADDRESS PORT SIZE PPS SECONDS\n");
	return 2;
}
