#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Transport mode between two gateways: what they say to each other is protected, by IPv4 and IPv6, and nothing else.
. "$(dirname "$0")/../lib.sh"
[ "$(id -u)" = 0 ] || skip "needs root"
LAB_OUTER=${LAB_OUTER:-4}
test_lab "$@"
a=$(lab_addr ga) b=$(lab_addr gb) bits=32
[ "$LAB_OUTER" = 6 ] && bits=128
for g in ga gb; do
    gw_conf $g "child=mode = transport" "localts=$(lab_addr $g)/$bits" "remotets=$(lab_addr "$(lab_peer $g)")/$bits"
done
gw_up ga && gw_up gb || fail "the gateways do not come up"
check "initiate" xd ga initiate net
check "in transport mode" sh -c "$BUILD/xdpsec -s $W/ga/run/xdpsecd.vici --json show sa | grep -qi '\"TRANSPORT\"'"
check "ping" nsx ga ping -q -n -c 5 -i 0.02 -W 1 "$b"
check "ping back" nsx gb ping -q -n -c 5 -i 0.02 -W 1 "$a"
nsx gb sh -c 'exec iperf3 -s -1 -p 5201' >/dev/null 2>&1 &
lab_wait 5 nsx gb sh -c 'ss -ltn | grep -q :5201'
check "TCP" nsx ga iperf3 -c "$b" -p 5201 -t 1
nsx gb sh -c 'exec iperf3 -s -1 -p 5202' >/dev/null 2>&1 &
lab_wait 5 nsx gb sh -c 'ss -ltn | grep -q :5202'
check "UDP one way" nsx ga iperf3 -u -c "$b" -p 5202 -t 1 -b 5M -l 1200
[ "$(lab_wire esp)" -gt 200 ] || fail "no ESP on the wire: $(lab_wire esp)"
check "nothing in clear" no_clear
check "rekey" xd ga rekey net
check "ping" nsx ga ping -q -n -c 3 -i 0.02 -W 1 "$b"
# larger than the path, and cut before ESP could see the whole: counted, not sent
nsx ga ping -q -n -c 2 -i 0.1 -W 1 -s 3000 "$b" >/dev/null && fail "fragments in transport mode"
[ "$(drops ga drop_fragments)" -gt 0 ] || fail "fragments are not counted"
check "nothing in clear" no_clear
check "terminate" xd ga terminate --ike gw
check "in clear again" nsx ga ping -q -n -c 1 -W 1 "$b"
