#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What a gateway itself sends into a tunnel: by the on-ramp, protected, with all its hops; nothing leaves in clear,
# and nothing of the on-ramp is left behind.
. "$(dirname "$0")/../lib.sh"
test_lab "$@"
ramp_is() { [ "$(nsx "$1" ip -j link | jq '[.[] | select(.ifname | startswith("xdpsec"))] | length')" = "$2" ]; }
pair_up
check "the on-ramp is a pair" ramp_is ga 2
check "status names it" sh -c "nsenter --net=/run/netns/ga $BUILD/xdpsec-loader -c $W/ga/xdpsec.conf status | grep -q 'xdpsec1 *ramp'"
leaks=$(drops ga leak)
check "ping from the gateway" nsx ga ping -q -n -c 3 -i 0.05 -W 1 -I 10.1.0.1 10.2.0.2
check "ping from the gateway to the other one" nsx ga ping -q -n -c 3 -i 0.05 -W 1 -I 10.1.0.1 10.2.0.1
check "ping back" nsx gb ping -q -n -c 3 -i 0.05 -W 1 -I 10.2.0.1 10.1.0.2
check "no hop is lost on the way to the tunnel" nsx ga ping -q -n -c 1 -t 2 -W 1 -I 10.1.0.1 10.2.0.2
check "large and fragmented pings" nsx ga ping -q -n -c 2 -i 0.05 -s 3000 -W 2 -I 10.1.0.1 10.2.0.2
nsx ga ping -q -n -c 1 -s 1472 -M 'do' -W 1 -I 10.1.0.1 10.2.0.2 >"$W/big" 2>&1 # DF: the sender is told
eventually 3 "a size that fits is learned" sh -c "nsenter --net=/run/netns/ga ip route get 10.2.0.2 from 10.1.0.1 | grep -q 'mtu 14'"
nsx hb sh -c 'exec iperf3 -s -1 -p 5201' >/dev/null 2>&1 &
lab_wait 5 nsx hb sh -c 'ss -ltn | grep -q :5201'
check "TCP from the gateway" nsx ga iperf3 -c 10.2.0.2 -B 10.1.0.1 -p 5201 -t 1
[ "$(drops ga leak)" = "$leaks" ] || fail "counted as leaks: $(drops ga leak)"
# only the first fragment of a datagram shows its port: neither of the others leaves by that
udp_from() { # port
    nsx ga python3 -c 'import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("10.1.0.1", int(sys.argv[1])))
s.sendto(b"x" * 4000, ("10.2.0.2", 9999))' "$1"
}
check "a datagram in fragments" udp_from 7777
check "nothing in clear" no_clear
gw_kill ga dataplane KILL
nsx ga ping -q -n -c 2 -i 0.1 -W 1 -I 10.1.0.1 10.2.0.2 >/dev/null && fail "a ping without dataplane"
check "nothing in clear without dataplane" no_clear
# the sockets of a process that was killed go a moment after it, with what waits in them
counted() { nsx ga ping -q -n -c 1 -W 0.1 -I 10.1.0.1 10.2.0.2 >/dev/null; [ "$(drops ga no_engine)" -gt 0 ]; }
eventually 5 "counted" counted
check "load again keeps the pair" gw_load ga
check "the on-ramp is a pair" ramp_is ga 2
gw_kill ga agent KILL
check "a datagram in fragments from the port of IKE" udp_from 4500
clear_is() { [ "$(lab_wire clear)" = "$1" ]; }
eventually 3 "all of that leaves" clear_is 3
gw_down ga
check "unload leaves nothing" ramp_is ga 0
# a pair of that name that is not ours is left alone, and the gateway does without
nsx ga ip link add xdpsec0 type veth peer name xdpsec1
check "load" gw_load ga
check "says so" log_has ga loader 'no on-ramp xdpsec0 .there is one that is not ours'
gw_unload ga
check "it is still there" ramp_is ga 2
