#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Two gateways whose ESP is the kernel's, no dataplane anywhere: SAs found by the XFRM interface, and by ordinary policies.
# Traffic both ways, rekeys from both sides under a stream, the end: the kernel's tables are as they were found.
. "$(dirname "$0")/../lib.sh"
needs_guest
test_lab "$@"
. tests/kernel/lib.sh
for device in yes no; do
    for g in ga gb; do
        [ $device = yes ] || ip -n $g link add xdpsecx type veth peer name xdpsecy # a stranger has the name
        kernel_found $g
    done
    kernel_up gw='engine = kernel'
    check "$device: initiate" xd ga initiate net
    check "$device: the kernel has it" engine_is ga kernel
    check "$device: says why" grep -q 'engine = kernel' <(xd ga show child)
    check "$device: by the interface: $device" by_device ga $device
    eventually 5 "$device: ping" lab_ping 5
    eventually 5 "$device: ping back" lab_ping_back 5
    check "$device: this host's own" nsx ga ping -q -n -c 2 -i 0.1 -W 2 -I 10.1.0.1 10.2.0.2
    check "$device: TCP" lab_tcp 1
    lab_udp 200 500 $((8 * ${LAB_SLOW:-1})) >"$W/stream" &
    stream=$!
    lab_wait 5 kernel_counts ga
    for g in ga gb; do
        spi=$(spi_out $g)
        check "$device: $g rekeys" xd $g rekey net
        check "$device: other keys" [ "$(spi_out $g)" != "$spi" ]
    done
    wait $stream
    jq -c . "$W/stream"
    check "$device: no packet lost" jq -e '.lost == 0 and .sent > 1000' "$W/stream"
    eventually 20 "$device: one pair of SAs" kernel_sas ga 2
    check "$device: counted" sh -c "[ $(xd ga --json show sa | jq '.[0].children[0].packets_out') -gt 0 ]"
    check "$device: nothing in clear" no_clear
    check "$device: terminate" xd ga terminate net
    eventually 20 "$device: ga as found" kernel_as_found ga
    eventually 20 "$device: gb as found" kernel_as_found gb
    check "$device: initiate again" xd gb initiate net
    eventually 5 "$device: ping" lab_ping 2
    check "$device: flush" xd ga flush
    eventually 20 "$device: ga as found after flush" kernel_as_found ga
    check "$device: once more" xd gb initiate net
    check "$device: the agent ends" gw_kill gb agent
    check "$device: gb as found after a polite end" kernel_as_found gb
    check "$device: the agent ends" gw_kill ga agent
    check "$device: ga as found after a polite end" kernel_as_found ga
    for g in ga gb; do gw_unload $g; done
done
