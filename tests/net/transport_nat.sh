#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Transport mode through a NAT: ESP in UDP, selectors and checksums of addresses that differ at both ends.
. "$(dirname "$0")/../lib.sh"
[ "$(id -u)" = 0 ] || skip "needs root"
LAB_NAT=1
test_lab "$@"
nsx wan nft list ruleset >/dev/null 2>&1 || skip "nft does not work here"
for g in ga gb; do
    gw_conf $g "child=mode = transport" localts=dynamic remotets=dynamic
done
gw_up ga && gw_up gb || fail "the gateways do not come up"
check "initiate" xd ga initiate net
check "in transport mode" sh -c "$BUILD/xdpsec -s $W/ga/run/xdpsecd.vici --json show sa | grep -qi '\"TRANSPORT\"'"
check "ping" nsx ga ping -q -n -c 5 -i 0.02 -W 1 198.51.100.2
check "ping back" nsx gb ping -q -n -c 5 -i 0.02 -W 1 198.51.100.254
# their sums were made over 192.0.2.1, and arrive from 198.51.100.254
nsx gb sh -c 'exec iperf3 -s -1 -p 5201' >/dev/null 2>&1 &
lab_wait 5 nsx gb sh -c 'ss -ltn | grep -q :5201'
check "TCP" nsx ga iperf3 -c 198.51.100.2 -p 5201 -t 1
nsx gb sh -c 'exec iperf3 -s -1 -p 5202' >/dev/null 2>&1 &
lab_wait 5 nsx gb sh -c 'ss -ltn | grep -q :5202'
check "UDP" nsx ga iperf3 -u -c 198.51.100.2 -p 5202 -t 1 -b 5M -l 1200
check "rekey" xd gb rekey net
check "ping" nsx ga ping -q -n -c 3 -i 0.02 -W 1 198.51.100.2
[ "$(drops gb integ_error)" = 0 ] && [ "$(drops gb policy_mismatch)" = 0 ] || fail "drops at gb"
check "terminate" xd ga terminate --ike gw
