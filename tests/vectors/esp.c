/* SPDX-License-Identifier: BSD-2-Clause */
#include "vectors.h"

#include "dataplane/esp.h"

#include "common/addr.h"
#include "common/gateway_conf.h"
#include "common/secret.h"
#include "maps/maps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * ESP with the dataplane's own functions, on security associations over plain memory: esp-seal and esp-open.
 */
enum { SLOTS = 2, SLOT = 1, FRONT = 512, ROOM = 1024, PACKET_MAX = 65535 };

#define COMMON "backend mode encr integ key salt integ_key spi seq esn src dst sport dport "

struct work {
	struct xs_maps maps;
	struct xs_sa_stat stat[SLOTS];
	struct xs_sa_seq seq[SLOTS];
	struct plane_sa_add add;
	const struct crypto_backend *backend;
	const struct crypto_suite *suite;
	struct pkt p;
	uint8_t chunk[FRONT + PACKET_MAX + ROOM];
};

static const struct crypto_backend *backend_find(struct vec_in *in)
{
	const char *name = vec_text(in, "backend", false);
	const struct crypto_backend *b;
	struct gateway_conf conf;
	char err[160];

	if (!name || strcmp(name, "openssl") == 0)
		return &crypto_openssl;
	if (strcmp(name, "cryptodev") != 0) {
		vec_fail(in, "backend: neither openssl nor cryptodev");
		return NULL;
	}
	gateway_conf_defaults(&conf);
	if (crypto_cryptodev_start(&conf.dataplane, 1, 1024, &b, err, sizeof(err)) == 0)
		return b;
	vec_fail(in, "backend: %s", err);
	return NULL;
}

static const struct alg *alg_of(struct vec_in *in, const char *key, unsigned int type, bool need)
{
	const char *name = vec_text(in, key, need);
	const struct alg *a = name ? alg_by_name(name, type) : NULL;

	if (name && !a)
		vec_fail(in, "%s: no such algorithm", key);
	return a;
}

static void address(struct vec_in *in, const char *key, const char *or, uint8_t out[16])
{
	const char *text = vec_text(in, key, false);
	struct ip_addr a;

	if (addr_parse(text ? text : or, &a) < 0)
		vec_fail(in, "%s: no address", key);
	else
		addr_to_mapped(&a, out);
}

/* Everything fits: the packet's own selectors are no matter here. */
static void selectors_any(struct plane_sa_add *add)
{
	add->n_local = add->n_remote = 2;
	for (int i = 0; i < 4; i++) {
		struct plane_ts *ts = &add->ts[i];

		*ts = (struct plane_ts){.family = i & 1 ? 6 : 4, .port_hi = UINT16_MAX};
		memset(ts->hi, 0xff, sizeof(ts->hi));
		if (ts->family == 4)
			memset(ts->lo + 10, 0xff, 2), memset(ts->hi, 0, 10);
	}
}

static void keys_take(struct vec_in *in, struct work *w)
{
	struct plane_sa_add *add = &w->add;
	size_t n = vec_hex(in, "key", add->encr_key, sizeof(add->encr_key), false);

	n += vec_hex(in, "salt", add->encr_key + n, sizeof(add->encr_key) - n, false);
	if (n != (size_t)w->suite->key_len + w->suite->salt_len)
		vec_fail(in, "key: %zu bytes with salt, not %u", n, w->suite->key_len + w->suite->salt_len);
	add->encr_key_len = (uint32_t)n;
	n = vec_hex(in, "integ_key", add->integ_key, sizeof(add->integ_key), false);
	if (n != w->suite->integ_key_len)
		vec_fail(in, "integ_key: %zu bytes, not %u", n, w->suite->integ_key_len);
	add->integ_key_len = (uint32_t)n;
}

/* NULL, and the reason in in->error. */
static struct work *work_new(struct vec_in *in)
{
	const struct alg *encr = alg_of(in, "encr", IKE_T_ENCR, true);
	const struct alg *integ = alg_of(in, "integ", IKE_T_INTEG, false);
	struct work *w = calloc(1, sizeof(*w));
	const char *mode;

	if (!w)
		return NULL;
	w->backend = backend_find(in);
	w->suite = encr ? crypto_suite_find(encr->id, encr->key_bits, integ ? integ->id : AUTH_NONE) : NULL;
	if (!w->suite)
		vec_fail(in, "encr: %s", integ ? "is an AEAD, and takes no integ" : "needs integ");
	w->maps.sa_slots = SLOTS;
	w->maps.sa_stat = w->stat;
	w->maps.sa_seq = w->seq;
	w->add = (struct plane_sa_add){.slot = SLOT, .generation = 1, .spi = 256, .mode = XS_TUNNEL};
	mode = vec_text(in, "mode", false);
	if (mode && strcmp(mode, "transport") == 0)
		w->add.mode = XS_TRANSPORT;
	else if (mode && strcmp(mode, "tunnel") != 0)
		vec_fail(in, "mode: neither tunnel nor transport");
	w->add.esn = vec_flag(in, "esn", false);
	w->add.sport = (uint16_t)vec_uint(in, "sport", UINT16_MAX, 0);
	w->add.dport = (uint16_t)vec_uint(in, "dport", UINT16_MAX, 0);
	address(in, "src", "192.0.2.1", w->add.src);
	address(in, "dst", "192.0.2.2", w->add.dst);
	selectors_any(&w->add);
	if (w->suite) {
		w->add.encr = w->suite->encr;
		w->add.encr_bits = w->suite->encr_bits;
		w->add.integ = w->suite->integ;
		keys_take(in, w);
	}
	w->p.head = w->chunk;
	w->p.end = w->chunk + sizeof(w->chunk);
	w->p.data = w->chunk + FRONT;
	if (!in->error[0])
		return w;
	free(w);
	return NULL;
}

static void work_free(struct work *w)
{
	secret_wipe(w, sizeof(*w));
	free(w);
}

static json_t *dropped(const struct pkt *p)
{
	return json_pack("{s:s}", "drop", xs_drop_name(p->drop));
}

/* ---- seal --------------------------------------------------------------------------------------- */

static void iv_given(struct vec_in *in, struct sa_out *sa)
{
	uint8_t iv[CRYPTO_IV_MAX];
	uint64_t number;

	if (!vec_has(in, "iv"))
		return;
	if (vec_hex(in, "iv", iv, sizeof(iv), true) != sa->iv_len) {
		vec_fail(in, "iv: not %u bytes", sa->iv_len);
		return;
	}
	if (sa->random_iv) {
		memcpy(sa->iv.pool, iv, sa->iv_len);
		sa->iv.left = 1;
	} else if (sa->iv_len) {
		memcpy(&number, iv, sizeof(number));
		sa->iv_offset = be64(number) - (sa->seq + 1);
	}
}

static json_t *sealed(struct vec_in *in, struct work *w, struct sa_out *sa)
{
	uint32_t udp = sa->outer.len - sa->outer.ip_len, front;
	struct pkt *p = &w->p;

	sa->spi = (uint32_t)vec_uint(in, "spi", UINT32_MAX, 256); /* vectors have reserved ones */
	iv_given(in, sa);
	p->len = (uint32_t)vec_hex(in, "packet", p->data, PACKET_MAX, true);
	p->family = p->len && p->data[0] >> 4 == 6 ? 6 : 4;
	if (in->error[0])
		return NULL;
	if (p->len && p->data[0] >> 4 != p->family)
		return vec_fail(in, "packet: neither IPv4 nor IPv6");
	if (p->len < (p->family == 6 ? sizeof(struct ip6_hdr_fixed) : sizeof(struct ip4_hdr)))
		return vec_fail(in, "packet: shorter than an IP header");
	esp_seal(sa, &p, 1, 1);
	if (p->drop)
		return dropped(p);
	front = udp + (p->data[0] >> 4 == 6 ? (uint32_t)sizeof(struct ip6_hdr_fixed)
					    : ip4_hlen((const struct ip4_hdr *)p->data));
	return json_pack("{s:o, s:o, s:s}", "esp", vec_hex_new(p->data + front, p->len - front),
			 "packet", vec_hex_new(p->data, p->len), "backend", sa->session->backend->name);
}

static json_t *seal(struct vec_in *in)
{
	uint64_t seq = vec_uint(in, "seq", UINT64_MAX, 1);
	struct work *w = work_new(in);
	struct sa_out *sa = NULL;
	json_t *answer = NULL;
	char err[128] = "";

	if (!w)
		return NULL;
	if (!seq || (!w->add.esn && seq > UINT32_MAX))
		vec_fail(in, "seq: 0, or more than 32 bits without esn");
	w->add.direction = PLANE_OUT;
	w->add.seq = seq - 1;
	w->add.tfc = (uint16_t)vec_uint(in, "tfc", UINT16_MAX, 0);
	w->add.copy_df = w->add.copy_ecn = w->add.copy_dscp = 1;
	if (!in->error[0] && sa_out_new(&sa, &w->add, &w->maps, w->backend, err, sizeof(err)) < 0)
		vec_fail(in, "%s", err);
	if (!in->error[0])
		answer = sealed(in, w, sa);
	sa_out_free(sa);
	work_free(w);
	return answer;
}

/* ---- open --------------------------------------------------------------------------------------- */

/* The outer packet, whose headers go off; in tunnel mode ESP alone will do. Returns the length of ESP. */
static uint32_t esp_taken(struct vec_in *in, struct work *w)
{
	const struct ip4_hdr *ip = (const struct ip4_hdr *)w->p.data;
	struct pkt *p = &w->p;
	uint32_t n, hlen;
	bool udp;

	if (w->add.mode == XS_TUNNEL && vec_has(in, "esp"))
		return (uint32_t)vec_hex(in, "esp", p->data, PACKET_MAX, true);
	n = (uint32_t)vec_hex(in, "packet", p->data, PACKET_MAX, true);
	if (n < sizeof(struct ip6_hdr_fixed)) {
		vec_fail(in, "packet: shorter than its headers");
		return 0;
	}
	hlen = p->data[0] >> 4 == 6 ? (uint32_t)sizeof(struct ip6_hdr_fixed) : ip4_hlen(ip);
	udp = (p->data[0] >> 4 == 6 ? p->data[6] : ip->protocol) == IPPROTO_UDP;
	p->outer_len = (uint16_t)(hlen + (udp ? sizeof(struct udp_hdr) : 0));
	if (hlen < IP4_LEN_MIN || n < p->outer_len) {
		vec_fail(in, "packet: shorter than its headers");
		return 0;
	}
	p->outer_port = udp ? (uint16_t)(p->data[hlen] << 8 | p->data[hlen + 1]) : 0;
	p->outer_tos = p->data[0] >> 4 == 6 ? 0 : ip->tos;
	p->data += p->outer_len;
	return n - p->outer_len;
}

static json_t *opened(struct vec_in *in, struct work *w, struct sa_in *sa)
{
	uint32_t n = esp_taken(in, w);
	uint64_t seq = vec_uint(in, "seq", UINT64_MAX, 0), before;
	uint32_t front = (uint32_t)sizeof(struct esp_hdr) + sa->iv_len;
	uint8_t *esp = w->p.data;
	const struct pkt *nat;
	struct pkt *p = &w->p;
	json_t *answer;

	if (in->error[0])
		return NULL;
	if (n < sizeof(struct esp_hdr))
		return vec_fail(in, "esp: shorter than its header");
	p->len = n;
	sa->spi = be32(((struct esp_hdr *)esp)->spi_be);
	if (vec_has(in, "spi"))
		sa->spi = (uint32_t)vec_uint(in, "spi", UINT32_MAX, 0);
	if (seq)
		sa->replay.top = seq - 1;
	before = sa->replay.top;
	esp_open(sa, &p, 1, 1, &nat);
	answer = p->drop ? dropped(p) : json_pack("{s:o}", "packet", vec_hex_new(p->data, p->len));
	json_object_set_new(answer, "authentic", json_boolean(sa->replay.top != before));
	json_object_set_new(answer, "backend", json_string(sa->session->backend->name));
	if (sa->replay.top == before)
		return answer;
	json_object_set_new(answer, "seq", vec_number_new(sa->replay.top));
	json_object_set_new(answer, "payload", vec_hex_new(esp + front, n - front - sa->icv_len));
	return answer;
}

static json_t *open_(struct vec_in *in)
{
	struct work *w = work_new(in);
	struct sa_in *sa = NULL;
	json_t *answer = NULL;
	char err[128] = "";

	if (!w)
		return NULL;
	w->add.direction = PLANE_IN;
	w->add.replay_window = 64;
	if (sa_in_new(&sa, &w->add, &w->maps, w->backend, err, sizeof(err)) < 0)
		vec_fail(in, "%s", err);
	else
		answer = opened(in, w, sa);
	sa_in_free(sa);
	work_free(w);
	return answer;
}

const struct vec_op vec_esp_seal = {"esp-seal", COMMON "iv tfc packet", seal};
const struct vec_op vec_esp_open = {"esp-open", COMMON "esp packet", open_};
