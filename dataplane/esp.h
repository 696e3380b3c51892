/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "sadb.h"

/*
 * ESP on bursts of packets of one SA, in place. These functions know buffers and
 * security associations and nothing of ports, so that tests can drive them with bytes alone.
 */
enum { ESP_EVENT_SOFT = 1, ESP_EVENT_HARD = 2, ESP_EVENT_NAT = 4, ESP_SEQ_RESERVE = 1024 };

enum { ESP_NAT_INTERVAL_S = 1 };

/*
 * RFC 4303 3.3. Each packet holds a whole IP packet at data; afterwards it holds the outer one (in transport mode the
 * same with ESP in it), or has `drop`
 * set. Numbers are reserved in the sa_seq map before they are used. Returns ESP_EVENT_* bits that
 * happened now. n is at most PKT_BURST.
 */
unsigned int esp_seal(struct sa_out *sa, struct pkt *const v[], unsigned int n, uint64_t now_ns);

/*
 * RFC 4303 3.4. Each packet holds ESP at data (the outer IP and UDP headers are off; outer_tos, outer_src,
 * outer_port and outer_len say what stood there, and for transport mode it still stands in front); afterwards it holds the inner IP packet with dst and family set, or has
 * `drop` set. The window moves for packets whose tag was right and for no other. With ESP_EVENT_NAT
 * *nat is the packet that came from another endpoint.
 */
unsigned int esp_open(struct sa_in *sa, struct pkt *const v[], unsigned int n, uint64_t now_ns,
		      const struct pkt **nat);
