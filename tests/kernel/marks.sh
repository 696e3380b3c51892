#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Children that the user's own interface ids or marks choose: everything (0.0.0.0/0) through a route-based tunnel, without
# rows in the selector maps; a trap in the kernel's policies brings it up by the first packet, and keeps it closed.
. "$(dirname "$0")/../lib.sh"
needs_guest
test_lab "$@"
. tests/kernel/lib.sh
policies_are() { [ "$(xd "$1" --json show policy | jq length)" = "$2" ]; }
route_ping() { nsx ha ping -q -n -c 2 -i 0.1 -W 2 10.2.0.2; }
for g in ga gb; do
    ip -n $g link add ipsec0 type xfrm dev wan0 if_id 42
    ip -n $g link set ipsec0 up
    nsx $g sysctl -qw net.ipv4.conf.ipsec0.forwarding=1
    # what waits for an SA is a state of the kernel's own until then
    nsx $g sysctl -qw net.core.xfrm_acq_expires=3
    kernel_found $g
done
ip -n ga route replace 10.2.0.0/24 dev ipsec0
ip -n gb route replace 10.1.0.0/24 dev ipsec0
kernel_up start=trap localts=0.0.0.0/0 remotets=0.0.0.0/0 child='if_id_in = 42
    if_id_out = 42'
check "why" grep -q 'only the kernel does if_id_in' <(xd ga show child)
check "no rows in the maps" policies_are ga 0
check "a trap in the kernel" [ "$(ip -n ga xfrm policy | grep -c 'if_id 0x2a')" = 1 ]
nsx ha ping -q -n -c 1 -W 1 10.2.0.2
eventually 20 "the first packet brings it up" children_is ga 1
eventually 10 "ping through the interface" route_ping
check "back" lab_ping_back 2
check "two SAs" kernel_sas ga 2
check "under the user's id" [ "$(ip -n ga xfrm state | grep -c 'if_id 0x2a')" -ge 2 ]
check "no rows in the maps" policies_are ga 0
check "rekey" xd ga rekey net
eventually 10 "ping" route_ping
eventually 20 "one pair" kernel_sas ga 2
check "terminate" xd ga terminate net
eventually 20 "the trap is left" sh -c "[ \$(ip -n ga xfrm policy | grep -c 'if_id 0x2a') = 1 ]"
check "nothing in clear" no_clear
for g in ga gb; do gw_conf $g; check "another configuration" xd $g reload; done
eventually 20 "as found" kernel_as_found ga

for g in ga gb; do
    ip -n $g link del ipsec0
    gw_conf $g child='mark_in = 7
    mark_out = 7'
    check "marks" xd $g reload
done
ip -n ga route replace 10.2.0.0/24 via 192.0.2.2
ip -n gb route replace 10.1.0.0/24 via 192.0.2.1
check "initiate" xd ga initiate net
esp=$(lab_wire esp)
nsx ga ping -q -n -c 2 -i 0.1 -W 1 -m 7 -I 10.1.0.1 10.2.0.1
check "what is marked is protected" [ $(($(lab_wire esp) - esp)) -ge 2 ]
check "no rows in the maps" policies_are ga 0
check "terminate" xd ga terminate net
eventually 20 "as found" kernel_as_found ga
