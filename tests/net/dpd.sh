#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The peer dies without a word: liveness checks find out; with dpd_action = restart it is called again.
. "$(dirname "$0")/../lib.sh"
test_lab "$@"
fast='gw=ike { retransmit_tries = 2
 retransmit_timeout = 0.3 }'
# for ever: how long the peer takes to be back is not what is tested
gw_conf ga dpd=1s "$fast" 'child=dpd_action = restart' 'conn=keyingtries = 0'; gw_conf gb "$fast"
gw_up ga && gw_up gb || fail "gateways"
check "initiate" xd ga initiate net
check "ping" lab_ping 2
old=$(ike_spi ga)
gw_kill gb agent KILL; gw_kill gb dataplane KILL
eventually 15 "ga notices" sh -c "[ \$($BUILD/xdpsec -s $W/ga/run/xdpsecd.vici --json show counters | jq '.timeout') -gt 0 ]"
gw_unload gb
gw_up gb || fail "gb again"
eventually 20 "the tunnel is back" children_is ga 1
[ "$(ike_spi ga)" != "$old" ] || fail "the same IKE SA"
eventually 5 "ping" lab_ping 1
