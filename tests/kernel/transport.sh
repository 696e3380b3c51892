#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Transport mode between two gateways whose ESP is the kernel's, with and without the XFRM interface: what they say to each
# other is protected, over rekeys too.
. "$(dirname "$0")/../lib.sh"
needs_guest
test_lab "$@"
. tests/kernel/lib.sh
ping_gw() { nsx ga ping -q -n -c 3 -i 0.1 -W 2 192.0.2.2 && nsx gb ping -q -n -c 3 -i 0.1 -W 2 192.0.2.1; }
for device in yes no; do
    for g in ga gb; do
        [ $device = yes ] || ip -n $g link add xdpsecx type veth peer name xdpsecy
        kernel_found $g
    done
    kernel_up gw='engine = kernel' child='mode = transport' localts=dynamic remotets=dynamic
    check "$device: initiate" xd ga initiate net
    check "$device: transport mode" [ "$(ip -n ga xfrm state | grep -c 'reqid 1476.*mode transport')" = 2 ]
    esp=$(lab_wire esp)
    eventually 5 "$device: ping" ping_gw
    check "$device: as ESP" [ $(($(lab_wire esp) - esp)) -ge 12 ]
    for g in ga gb; do
        check "$device: $g rekeys" xd $g rekey net
        eventually 5 "$device: ping" ping_gw
        eventually 20 "$device: one pair" kernel_sas ga 2
    done
    check "$device: ping" ping_gw
    check "$device: flush" xd ga flush
    eventually 20 "$device: as found" kernel_as_found ga
    eventually 20 "$device: as found" kernel_as_found gb
    for g in ga gb; do gw_kill $g agent; gw_unload $g; done
done
