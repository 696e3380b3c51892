#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Cookies always on, and a first key exchange group that the responder does not take: both retries, one tunnel.
. "$(dirname "$0")/../lib.sh"
test_lab "$@"
gw_conf ga ike=aes128-sha256-modp2048-x25519
gw_conf gb ike=aes128-sha256-x25519 'gw=ike { cookie_threshold = always }'
gw_up ga && gw_up gb || fail "gateways"
check "initiate" xd ga initiate net
check "ping" lab_ping 2
[ "$(counter gb cookie_sent)" -gt 0 ] || fail "no cookie was asked for"
xd ga --json show sa | jq -e '.[0].proposal | test("25519")' >/dev/null || fail "not curve25519"
