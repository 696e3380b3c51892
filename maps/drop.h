/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

/*
 * Every reason a packet is dropped for, once: id, name, sentence. The same table feeds the BPF
 * counters, the dataplane's, the command line, the metrics and the manual. Names are the field's.
 * Append only: the id is in pinned maps.
 */
#define XS_DROPS(X)                                                                                \
	X(0, none, "not dropped")                                                                  \
	X(1, malformed, "headers truncated or inconsistent")                                       \
	X(2, unknown_spi, "no inbound SA has this SPI, destination and ports")                     \
	X(3, no_engine, "the engine that owns the SA is not running")                              \
	X(4, no_sa, "the policy protects, and there is no SA yet")                                 \
	X(5, discard, "the policy says discard")                                                   \
	X(6, leak, "a packet to be protected reached the wire in clear")                           \
	X(7, plain_in, "arrived in clear though a policy protects it")                             \
	X(8, ike_budget, "more IKE datagrams from this source than its budget")                    \
	X(9, drop_fragments, "a fragment that no policy can be matched with")                      \
	X(10, lost, "the SA vanished while the packet waited")                                     \
	X(11, handoff, "could not be handed to the worker that owns the SA")                       \
	X(12, integ_error, "authentication tag or padding wrong")                                  \
	X(13, decryption_failed, "the cipher reported an error")                                   \
	X(14, crypto_engine_error, "the crypto device reported an error")                          \
	X(15, replay, "sequence number seen before or left of the window")                         \
	X(16, runt, "too short to be ESP, or not aligned")                                         \
	X(17, no_buffers, "no free buffer")                                                        \
	X(18, oversized_header, "the inner header is longer than the packet")                      \
	X(19, no_tail_space, "no room for padding and tag")                                        \
	X(20, tun_no_proto, "the inner packet is neither IPv4 nor IPv6")                           \
	X(21, unsup_payload, "an inner protocol that this SA's mode cannot carry")                 \
	X(22, seq_cycled, "the sequence number would wrap")                                        \
	X(23, crypto_queue_full, "the crypto queue is full")                                       \
	X(24, no_encryption, "no key for this SA")                                                 \
	X(25, policy_mismatch, "the inner packet lies outside the SA's traffic selectors")         \
	X(26, too_big, "larger than the path; the sender was told")                                \
	X(27, hop_limit, "TTL or hop limit exceeded")                                              \
	X(28, no_route, "no next hop, and the kernel would not take it")                           \
	X(29, stale, "waited too long in a queue")                                                 \
	X(30, tx_ring_full, "the transmit ring is full")                                           \
	X(31, hard_limit, "the SA reached its hard limit")                                         \
	X(32, tfc_dummy, "a dummy packet (RFC 4303 2.6)")                                          \
	X(33, layout, "metadata of another layout version")                                        \
	X(34, ecn, "congestion experienced outside, not ECN-capable inside (RFC 6040)")            \
	X(35, hold_overflow, "waited for an SA, and too many do")                                  \
	X(36, hold_timeout, "waited for an SA, and none came in time")                             \
	X(37, wrong_port, "would have left by a port where nothing protects it")

enum xs_drop {
#define X(id, name, text) XS_DROP_##name = id,
	XS_DROPS(X)
#undef X
	    XS_DROP_MAX = 64,
};
