/* SPDX-License-Identifier: BSD-2-Clause */
#include "sadb.h"

#include "common/secret.h"
#include "maps/maps.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static int fail(char *err, size_t errlen, int error, const char *text)
{
	snprintf(err, errlen, "%s", text);
	return error;
}

sa_u128 sa_addr(const uint8_t a[16])
{
	uint64_t hi, lo;

	memcpy(&hi, a, 8);
	memcpy(&lo, a + 8, 8);
	return (sa_u128)be64(hi) << 64 | be64(lo);
}

static void ts_build(struct sa_ts *to, const struct plane_ts *from, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		to[i].lo = sa_addr(from[i].lo);
		to[i].hi = sa_addr(from[i].hi);
		to[i].port_lo = from[i].port_lo;
		to[i].port_hi = from[i].port_hi;
		to[i].protocol = from[i].protocol;
		to[i].family = from[i].family;
	}
}

static bool port_match(const struct sa_ts *ts, uint16_t port, bool known)
{
	bool any = ts->port_lo == 0 && ts->port_hi == UINT16_MAX;
	bool opaque = ts->port_lo > ts->port_hi;

	/* RFC 7296 3.13.1: OPAQUE is for packets whose ports cannot be seen. */
	if (!known)
		return any || opaque;
	return !opaque && port >= ts->port_lo && port <= ts->port_hi;
}

bool sa_ts_match(const struct sa_ts *ts, unsigned int n, uint8_t family, uint8_t protocol, sa_u128 addr,
		 uint16_t port, bool ports_known)
{
	for (unsigned int i = 0; i < n; i++)
		if (addr >= ts[i].lo && addr <= ts[i].hi && ts[i].family == family &&
		    (!ts[i].protocol || ts[i].protocol == protocol) &&
		    port_match(&ts[i], port, ports_known))
			return true;
	return false;
}

static uint64_t limit(uint64_t v)
{
	return v ? v : UINT64_MAX;
}

static void count_init(struct sa_count *c, const struct plane_sa_add *add)
{
	*c = (struct sa_count){.soft_packets = limit(add->soft_packets),
			       .soft_bytes = limit(add->soft_bytes),
			       .hard_packets = limit(add->hard_packets),
			       .hard_bytes = limit(add->hard_bytes)};
}

static bool ts_ok(const struct plane_ts *ts)
{
	if (ts->family == 4)
		return ip_is_mapped4(ts->lo) && ip_is_mapped4(ts->hi);
	return ts->family == 6;
}

static int check(const struct plane_sa_add *add, const struct xs_maps *maps,
		 const struct crypto_suite **suite, char *err, size_t errlen)
{
	const struct crypto_suite *s;

	if (!add->slot || add->slot >= maps->sa_slots)
		return fail(err, errlen, -EINVAL, "no such slot");
	if (add->spi < 256) /* RFC 4303 2.1: reserved */
		return fail(err, errlen, -EINVAL, "reserved SPI");
	if (add->mode != XS_TUNNEL && add->mode != XS_TRANSPORT)
		return fail(err, errlen, -EOPNOTSUPP, "neither tunnel nor transport mode");
	if (ip_is_mapped4(add->src) != ip_is_mapped4(add->dst))
		return fail(err, errlen, -EAFNOSUPPORT, "outer addresses of two families");
	if (!add->sport != !add->dport)
		return fail(err, errlen, -EINVAL, "one UDP port without the other");
	if (!add->n_local || add->n_local > PLANE_TS_MAX || !add->n_remote || add->n_remote > PLANE_TS_MAX)
		return fail(err, errlen, -EINVAL, "1 to 16 traffic selectors a side");
	for (unsigned int i = 0; i < add->n_local + add->n_remote; i++)
		if (!ts_ok(&add->ts[i]))
			return fail(err, errlen, -EINVAL, "a traffic selector is of neither family");
	s = crypto_suite_find(add->encr, add->encr_bits, add->integ);
	if (!s)
		return fail(err, errlen, -ENOTSUP, "no such pair of algorithms");
	if (add->encr_key_len != (uint32_t)s->key_len + s->salt_len || add->integ_key_len != s->integ_key_len)
		return fail(err, errlen, -EINVAL, "key length does not fit the algorithms");
	*suite = s;
	return 0;
}

static struct crypto_session *session(const struct plane_sa_add *add, const struct crypto_suite *suite,
				      enum crypto_dir dir, const struct crypto_backend *backend)
{
	const struct crypto_keys keys = {
		.encr = add->encr_key, .integ = add->integ_key, .esn = add->esn != 0};

	return crypto_session_new(backend, suite, &keys, dir, add->worker);
}

int sa_in_new(struct sa_in **out, const struct plane_sa_add *add, struct xs_maps *maps,
	      const struct crypto_backend *backend, char *err, size_t errlen)
{
	const struct crypto_suite *suite;
	struct sa_in *sa = NULL;
	int r = check(add, maps, &suite, err, errlen);

	if (r < 0)
		return r;
	if (posix_memalign((void **)&sa, 64, sizeof(*sa)))
		return fail(err, errlen, -ENOMEM, "out of memory");
	memset(sa, 0, sizeof(*sa));
	if (replay_init(&sa->replay, add->replay_window, add->esn != 0) < 0) {
		free(sa);
		return fail(err, errlen, -EINVAL, "replay window: 0 or 32 to 4096");
	}
	sa->session = session(add, suite, CRYPTO_OPEN, backend);
	if (!sa->session) {
		free(sa);
		return fail(err, errlen, -ENOTSUP, "no crypto backend takes these algorithms");
	}
	sa->slot = add->slot;
	sa->generation = add->generation;
	sa->spi = add->spi;
	sa->flags = (uint8_t)((add->esn ? SA_ESN : 0) | (add->copy_ecn ? SA_COPY_ECN : 0) |
			      (add->copy_dscp ? SA_COPY_DSCP : 0) |
			      (add->mode == XS_TRANSPORT ? SA_TRANSPORT : 0));
	sa->iv_len = suite->iv_len;
	sa->icv_len = suite->icv_len;
	sa->align = suite->align;
	sa->stat = &maps->sa_stat[add->slot].in;
	sa->seq_map = &maps->sa_seq[add->slot];
	sa->sport = add->sport;
	sa->worker = add->worker;
	memcpy(sa->src, add->src, sizeof(sa->src));
	sa->n_local = (uint16_t)add->n_local;
	sa->n_remote = (uint16_t)add->n_remote;
	ts_build(sa->local, add->ts, add->n_local);
	ts_build(sa->remote, add->ts + add->n_local, add->n_remote);
	count_init(&sa->count, add);
	*out = sa;
	return 0;
}

/* A number that may have been used before is never used again: the message says one, the map says one. */
static uint64_t first_seq(const struct plane_sa_add *add, const volatile struct xs_sa_seq *seq)
{
	if (seq->generation == add->generation && seq->out > add->seq)
		return seq->out;
	return add->seq;
}

int sa_out_new(struct sa_out **out, const struct plane_sa_add *add, struct xs_maps *maps,
	       const struct crypto_backend *backend, char *err, size_t errlen)
{
	const struct crypto_suite *suite;
	struct sa_out *sa = NULL;
	int r = check(add, maps, &suite, err, errlen);

	if (r < 0)
		return r;
	if (posix_memalign((void **)&sa, 64, sizeof(*sa)))
		return fail(err, errlen, -ENOMEM, "out of memory");
	memset(sa, 0, sizeof(*sa));
	sa->outer.copy_df = add->copy_df != 0;
	sa->outer.copy_ecn = add->copy_ecn != 0;
	sa->outer.copy_dscp = add->copy_dscp != 0;
	sa->random_iv = suite->random_iv;
	sa->session = session(add, suite, CRYPTO_SEAL, backend);
	if (!sa->session || outer_init(&sa->outer, add->src, add->dst, add->sport, add->dport) < 0 ||
	    (sa->random_iv && iv_gen_init(&sa->iv) < 0)) {
		sa_out_free(sa);
		return fail(err, errlen, -ENOTSUP, "no crypto backend takes these algorithms");
	}
	sa->slot = add->slot;
	sa->generation = add->generation;
	sa->spi = add->spi;
	sa->flags = (uint8_t)((add->esn ? SA_ESN : 0) | (add->mode == XS_TRANSPORT ? SA_TRANSPORT : 0));
	sa->iv_len = suite->iv_len;
	sa->icv_len = suite->icv_len;
	sa->align = suite->align;
	sa->stat = &maps->sa_stat[add->slot].out;
	sa->seq_map = &maps->sa_seq[add->slot];
	sa->seq = sa->reserved = first_seq(add, sa->seq_map);
	sa->tfc = sa->tfc_wanted = add->mode == XS_TUNNEL ? add->tfc : 0; /* RFC 4303 2.7 */
	sa->worker = add->worker;
	sa->shape = (struct esp_shape){.outer_len = sa->outer.len, .iv_len = suite->iv_len,
				       .icv_len = suite->icv_len, .align = suite->align};
	memcpy(sa->src, add->src, sizeof(sa->src));
	memcpy(sa->dst, add->dst, sizeof(sa->dst));
	count_init(&sa->count, add);
	*out = sa;
	return 0;
}

void sa_in_free(struct sa_in *sa)
{
	if (!sa)
		return;
	crypto_session_free(sa->session);
	secret_wipe(sa, sizeof(*sa));
	free(sa);
}

void sa_out_free(struct sa_out *sa)
{
	if (!sa)
		return;
	crypto_session_free(sa->session);
	if (sa->random_iv)
		iv_gen_close(&sa->iv);
	secret_wipe(sa, sizeof(*sa));
	free(sa);
}
