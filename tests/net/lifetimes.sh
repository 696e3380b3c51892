#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Limits of a Child SA by bytes and packets, soft and hard, counted by real packets; by time; and inactivity.
. "$(dirname "$0")/../lib.sh"
test_lab "$@"
rekeyed() { [ "$(counter "$1" rekey_child)" -ge "$2" ]; }
again() { # child lines of ga: a configuration, and a tunnel of it
    gw_conf ga "child=$1" ${2:+"gw=$2"}
    check "reload: ${1%%$'\n'*}" xd ga reload
    xd ga terminate --ike gw >/dev/null 2>&1
    check "initiate" xd ga initiate net
}
gw_conf ga && gw_conf gb && gw_up ga && gw_up gb || fail "the gateways do not come up"

again 'rekey_packets = 60
 rand_packets = 20'
old=$(spi_out ga)
check "packets below the soft limit" lab_ping 30
[ "$(spi_out ga)" = "$old" ] || fail "rekeyed too early"
check "packets over the soft limit" lab_ping 40
eventually 5 "rekeyed by packets" sh -c "[ \"\$($BUILD/xdpsec -s $W/ga/run/xdpsecd.vici --json show sa | jq -r '[.[].children[]|select(.state==\"INSTALLED\")|.spi_out][0]')\" != $old ]"
check "ping" lab_ping 3

again 'rekey_bytes = 20k
 rand_bytes = 1k'
n=$(counter ga rekey_child)
check "bytes over the soft limit" nsx ha ping -q -n -c 20 -i 0.05 -s 1200 -W 2 10.2.0.2
eventually 5 "rekeyed by bytes" rekeyed ga $((n + 1))
check "ping" lab_ping 3

# hard, and the peer does not answer the rekey: closed at once, and nothing in clear
again 'rekey_packets = 60
 life_packets = 80
 rand_packets = 0'
check "the peer's agent stops" kill -STOP "$(gw_pid gb agent)"
lab_ping 100
eventually 5 "closed by the hard limit" children_is ga 0
[ "$(counter ga timeout)" = 0 ] || fail "only the retransmissions ended it"
lab_ping 3 && fail "traffic without an SA"
check "the policy is closed" test "$(map_rows ga policy | jq -s -c 'map(.action)')" = "[4]"
check "the peer's agent goes on" kill -CONT "$(gw_pid gb agent)"
eventually 20 "the answer brings the new one" children_is ga 1
eventually 5 "ping" lab_ping 3
check "nothing in clear" no_clear

again 'rekey_time = 2s
 rand_time = 0
 life_time = 10s'
n=$(counter ga rekey_child)
eventually 8 "rekeyed by time" rekeyed ga $((n + 1))
check "ping" lab_ping 3

again 'inactivity = 2s' 'ike { inactivity_close_ike = yes }'
for _ in 1 2 3 4 5 6; do lab_ping 1; sleep 0.5; done
check "traffic keeps it" children_is ga 1
eventually 8 "without traffic it is closed" children_is ga 0
eventually 3 "and its IKE SA" ikes_is ga 0
check "counted" test "$(counter ga inactive)" = 1
