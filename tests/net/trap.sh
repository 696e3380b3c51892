#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# start_action = trap: no SA until a packet wants one, closed before, between and after.
. "$(dirname "$0")/../lib.sh"
test_lab "$@"
policy_is() { [ "$(map_rows ga policy | jq -s -c 'map(.action)')" = "[$1]" ]; }
trap=4 protect=3 # enum xs_action
gw_conf ga start=trap && gw_conf gb && gw_up ga && gw_up gb || fail "the gateways do not come up"
check "no SA at start" children_is ga 0
check "no IKE SA either" ikes_is ga 0
check "a trap" policy_is $trap
nsx ha ping -q -n -c 1 -W 1 10.2.0.2 >/dev/null # may be lost
eventually 10 "the first packet brings the tunnel" children_is ga 1
check "the policy protects" policy_is $protect
check "traffic" lab_ping 3
check "traffic the other way" lab_ping_back 3
check "nothing in clear" no_clear

for kind in --ike --child; do
    name=$([ $kind = --ike ] && echo gw || echo net)
    check "terminate $kind" xd ga terminate $kind "$name"
    check "no SA" children_is ga 0
    check "the trap is back" policy_is $trap
    nsx ha ping -q -n -c 1 -W 1 10.2.0.2 >/dev/null
    eventually 10 "the next packet brings it again" children_is ga 1
    check "traffic" lab_ping 3
    check "nothing in clear" no_clear
done

check "the peer ends it" xd gb terminate --ike gw
eventually 5 "the trap is back" policy_is $trap
nsx ha ping -q -n -c 1 -W 1 10.2.0.2 >/dev/null
eventually 10 "the next packet brings it again" children_is ga 1
check "traffic" lab_ping 3

check "terminate" xd ga terminate --ike gw
check "the peer is away" ip -n gb link set wan0 down
lab_ping 3 && fail "traffic without a peer"
check "the trap stays" policy_is $trap
check "nothing in clear" no_clear
