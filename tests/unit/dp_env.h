/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "dataplane/esp.h"

#include "common/addr.h"
#include "common/gateway_conf.h"
#include "common/secret.h"
#include "maps/maps.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Security associations over plain memory instead of pinned maps, and packets in chunks. */
enum { ENV_SLOTS = 8, ENV_CHUNK = 2048, ENV_FRONT = 256, ENV_SLOT = 3, ENV_GEN = 7 };

struct env {
	struct xs_maps maps;
	const struct crypto_backend *backend;
};

static inline void env_open(struct env *e, const struct crypto_backend *backend)
{
	memset(e, 0, sizeof(*e));
	e->maps.sa_slots = ENV_SLOTS;
	e->maps.sa_stat = calloc(ENV_SLOTS, sizeof(struct xs_sa_stat));
	e->maps.sa_seq = calloc(ENV_SLOTS, sizeof(struct xs_sa_seq));
	e->backend = backend;
}

static inline void env_close(struct env *e)
{
	free((void *)e->maps.sa_stat);
	free((void *)e->maps.sa_seq);
}

static inline void env_addr(uint8_t out[16], const char *text)
{
	struct ip_addr a;

	if (addr_parse(text, &a) < 0)
		abort();
	addr_to_mapped(&a, out);
}

static inline struct plane_ts env_ts(const char *lo, const char *hi, uint8_t protocol, uint16_t port_lo,
				     uint16_t port_hi)
{
	struct plane_ts ts = {.port_lo = port_lo, .port_hi = port_hi, .protocol = protocol};

	env_addr(ts.lo, lo);
	env_addr(ts.hi, hi);
	ts.family = ip_is_mapped4(ts.lo) ? 4 : 6;
	return ts;
}

/* An SA between 192.0.2.1 and 192.0.2.2 for 10.1.0.0/16 behind us, 10.2.0.0/16 behind the peer. */
static inline struct plane_sa_add env_add(const struct crypto_suite *suite, enum plane_direction dir)
{
	struct plane_sa_add add = {
		.slot = ENV_SLOT, .generation = ENV_GEN, .spi = 0xc0de0003, .direction = (uint8_t)dir,
		.copy_df = 1, .copy_ecn = 1, .copy_dscp = dir == PLANE_OUT,
		.encr = suite->encr, .encr_bits = suite->encr_bits, .integ = suite->integ,
		.replay_window = 64, .n_local = 1, .n_remote = 1,
		.encr_key_len = (uint32_t)suite->key_len + suite->salt_len,
		.integ_key_len = suite->integ_key_len,
	};

	env_addr(add.src, "192.0.2.1");
	env_addr(add.dst, "192.0.2.2");
	/* inbound at the far end: what it calls local is where the packets go */
	add.ts[0] = env_ts("10.2.0.0", "10.2.255.255", 0, 0, 65535);
	add.ts[1] = env_ts("10.1.0.0", "10.1.255.255", 0, 0, 65535);
	for (uint32_t i = 0; i < add.encr_key_len; i++)
		add.encr_key[i] = (uint8_t)(i * 7 + 1);
	for (uint32_t i = 0; i < add.integ_key_len; i++)
		add.integ_key[i] = (uint8_t)(i * 5 + 3);
	return add;
}

struct env_pkt {
	struct pkt p;
	uint8_t chunk[ENV_CHUNK];
};

static inline struct pkt *env_pkt(struct env_pkt *e, const void *bytes, uint32_t n)
{
	assert(n <= ENV_CHUNK - ENV_FRONT);
	memset(&e->p, 0, sizeof(e->p));
	memset(e->chunk, 0xa5, sizeof(e->chunk));
	e->p.head = e->chunk;
	e->p.end = e->chunk + sizeof(e->chunk);
	e->p.data = e->chunk + ENV_FRONT;
	e->p.len = n;
	memcpy(e->p.data, bytes, n);
	return &e->p;
}

/* An IPv4/UDP packet of n bytes from 10.1.0.1:1000 to 10.2.0.1:2000. */
static inline uint32_t env_inner(uint8_t *at, uint32_t n, uint8_t tos, bool df)
{
	struct ip4_hdr *ip = (struct ip4_hdr *)at;

	assert(n >= 28);
	memset(at, 0, n);
	for (uint32_t i = 28; i < n; i++)
		at[i] = (uint8_t)i;
	ip->ver_ihl = 0x45;
	ip->tos = tos;
	ip->len_be = be16((uint16_t)n);
	ip->frag_be = be16(df ? IP4_DF : 0);
	ip->ttl = 64;
	ip->protocol = IPPROTO_UDP;
	memcpy(ip->src, (uint8_t[]){10, 1, 0, 1}, 4);
	memcpy(ip->dst, (uint8_t[]){10, 2, 0, 1}, 4);
	ip->check = csum_finish(csum_add(ip, 20, 0));
	at[20] = 1000 >> 8, at[21] = 1000 & 255;
	at[22] = 2000 >> 8, at[23] = 2000 & 255;
	at[24] = (uint8_t)((n - 20) >> 8), at[25] = (uint8_t)(n - 20);
	return n;
}

/* What forward_in does before esp_open: outer headers off. */
static inline void env_outer_off(struct pkt *p, uint32_t outer_len)
{
	const struct ip4_hdr *ip = (const struct ip4_hdr *)p->data;

	p->outer_tos = ip->tos;
	ip4_to_mapped(ip->src, p->outer_src);
	if (outer_len > 20)
		p->outer_port = (uint16_t)(p->data[20] << 8 | p->data[21]);
	p->outer_len = (uint16_t)outer_len;
	p->data += outer_len;
	p->len -= outer_len;
}
