// SPDX-License-Identifier: BSD-2-Clause
#include "common/addr.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/*
 * What a datagram costs its sender, from an unconnected socket: route, policies and SA are looked up for each.
 *   burst SRC DST PORT PACKETS ROUNDS        nanoseconds a datagram, in the quickest round
 */
enum { AT_ONCE = 32, ROUNDS_MAX = 99 };

static void die(const char *what)
{
	fprintf(stderr, "burst: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static int cmp(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t round_ns(int fd, struct mmsghdr *m, long packets)
{
	uint64_t start = now_ns();

	for (long left = packets; left > 0; left -= AT_ONCE)
		if (sendmmsg(fd, m, AT_ONCE, 0) != AT_ONCE)
			die("sendmmsg");
	return (now_ns() - start) / (uint64_t)packets;
}

int main(int argc, char **argv)
{
	struct endpoint src = {0}, dst = {0};
	struct mmsghdr m[AT_ONCE] = {0};
	struct sockaddr_storage ss;
	char body[36] = "";
	struct iovec iov = {.iov_base = body, .iov_len = sizeof(body)};
	uint64_t ns[ROUNDS_MAX];
	long packets, rounds;
	socklen_t n;
	int fd;

	if (argc != 6 || addr_parse(argv[1], &src.ip) || addr_parse(argv[2], &dst.ip))
		die("SRC DST PORT PACKETS ROUNDS");
	dst.port = (uint16_t)atoi(argv[3]);
	packets = atol(argv[4]) / AT_ONCE * AT_ONCE;
	rounds = atol(argv[5]);
	if (packets < AT_ONCE || rounds < 1 || rounds > ROUNDS_MAX)
		die("PACKETS ROUNDS");
	fd = socket(src.ip.family == 4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	n = endpoint_to_sockaddr(&src, &ss);
	if (fd < 0 || bind(fd, (struct sockaddr *)&ss, n))
		die(argv[1]);
	n = endpoint_to_sockaddr(&dst, &ss);
	for (int i = 0; i < AT_ONCE; i++)
		m[i].msg_hdr = (struct msghdr){
		    .msg_name = &ss, .msg_namelen = n, .msg_iov = &iov, .msg_iovlen = 1};
	round_ns(fd, m, packets);
	for (long i = 0; i < rounds; i++)
		ns[i] = round_ns(fd, m, packets);
	qsort(ns, (size_t)rounds, sizeof(ns[0]), cmp);
	printf("%llu\n", (unsigned long long)ns[0]);
	close(fd);
	return 0;
}
