/* SPDX-License-Identifier: BSD-2-Clause */
#include "parts.h"

static int real_send(struct agent *a, const struct endpoint *from, const struct endpoint *to,
		     struct slice datagram)
{
	return net_send(a->net, from, to, datagram);
}

static int real_keepalive(struct agent *a, const struct endpoint *from, const struct endpoint *to)
{
	return net_keepalive(a->net, from, to);
}

static int real_psk_mac(struct agent *a, const struct ike_id *local, const struct ike_id *remote,
			uint16_t prf_id, struct slice octets, struct slice more, keys_mac_fn done,
			struct job_ref ref)
{
	return keys_psk_mac(a->keys, local, remote, prf_id, octets, more, done, a, ref);
}

static bool real_has_private(struct agent *a, const uint8_t id[SIG_KEY_ID_LEN])
{
	return keys_has_private(a->keys, id);
}

static int real_sign(struct agent *a, const uint8_t id[SIG_KEY_ID_LEN], enum sig_scheme scheme,
		     struct slice octets, keys_sign_fn done, struct job_ref ref)
{
	return keys_sign(a->keys, id, scheme, octets, done, a, ref);
}

static int real_verify(struct agent *a, const struct cred_peer *peer, cred_done_fn done, struct job_ref ref)
{
	return creds_verify(a->creds, peer, done, a, ref);
}

const struct agent_parts agent_parts_real = {
	.random = crypt_random,
	.send = real_send,
	.keepalive = real_keepalive,
	.source_for = net_source_for,
	.psk_mac = real_psk_mac,
	.has_private = real_has_private,
	.sign = real_sign,
	.verify = real_verify,
	.engine_pick = engine_pick,
	.spi_alloc = engine_spi_alloc,
	.spi_free = engine_spi_free,
	.install_in = engine_install_in,
	.install_out = engine_install_out,
	.activate = engine_activate,
	.remove = engine_remove,
	.remove_out = engine_remove_out,
	.stat_get = engine_stat_get,
	.engine_of = engine_of,
	.move = engine_move,
	.trap = engine_trap,
	.untrap = engine_untrap,
	.orphans = engine_orphans,
	.orphan_remove = engine_orphan_remove,
	.sort_inherited = engine_sort_inherited,
};
