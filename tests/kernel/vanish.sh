#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What others do to the kernel's tables: all SAs flushed, all policies flushed, one SA deleted, one policy deleted. Said in
# the log, the tunnel works again by itself, and nothing left in clear meanwhile.
. "$(dirname "$0")/../lib.sh"
needs_guest
test_lab "$@"
. tests/kernel/lib.sh
has_other_keys() { local s; s=$(spi_out ga); [ "$s" != null ] && [ "$s" != "$1" ]; }
lines() { grep -cE -- "$2" "$W/$1/agent.log"; }
for device in yes no; do
    for g in ga gb; do
        [ $device = yes ] || ip -n $g link add xdpsecx type veth peer name xdpsecy
        rm -f "$W/$g/agent.log"
    done
    kernel_up gw='engine = kernel'
    check "$device: initiate" xd ga initiate net
    check "$device: by the interface: $device" by_device ga $device
    eventually 5 "$device: ping" lab_ping 2

    spi=$(spi_out ga)
    check "$device: ip xfrm state flush" ip -n ga xfrm state flush
    eventually 20 "$device: other keys" has_other_keys "$spi"
    eventually 20 "$device: ping" lab_ping 2
    eventually 20 "$device: ping back" lab_ping_back 2
    check "$device: said once" [ "$(lines ga 'gone from the kernel')" = 1 ]
    eventually 20 "$device: the old ones are gone" kernel_sas ga 2

    policies=3
    eventually 20 "$device: its policies too" kernel_policies_are ga $policies
    spi=$(spi_out ga)
    check "$device: ip xfrm policy flush" ip -n ga xfrm policy flush
    eventually 10 "$device: policies are back" kernel_policies_are ga $policies
    eventually 5 "$device: ping" lab_ping 2
    eventually 5 "$device: ping back" lab_ping_back 2
    check "$device: with the same keys" [ "$(spi_out ga)" = "$spi" ]
    check "$device: the log says so" log_has ga agent 'flushed the kernel.s policies'

    for dir in out in; do
        spi=$(spi_out ga)
        [ $dir = out ] && ends="src 192.0.2.1 dst 192.0.2.2" || ends="src 192.0.2.2 dst 192.0.2.1"
        one=$(ip -n ga xfrm state | sed -n "/^$ends/{n;s/.*spi \([0-9a-fx]*\).*/\1/p}" | tail -1)
        # shellcheck disable=SC2086
        check "$device: one SA deleted ($dir)" ip -n ga xfrm state delete $ends proto esp spi "$one"
        eventually 20 "$device: other keys" has_other_keys "$spi"
        eventually 20 "$device: ping" lab_ping 2
        eventually 20 "$device: ping back" lab_ping_back 2
        check "$device: the log names it" log_has ga agent "${one#0x}.* somebody deleted it"
        eventually 20 "$device: two SAs" kernel_sas ga 2
    done
    if_id=
    [ $device = no ] || if_id=$(ip -n ga xfrm policy | sed -n 's/.*\(if_id 0x58[0-9a-f]*\).*/\1/p' | head -1)
    # shellcheck disable=SC2086
    check "$device: one policy deleted" ip -n ga xfrm policy delete src 10.2.0.0/24 dst 10.1.0.0/24 dir in $if_id
    eventually 10 "$device: it is back" kernel_policies_are ga $policies
    check "$device: ping back" lab_ping_back 2
    check "$device: nothing in clear" no_clear
    for g in ga gb; do gw_kill $g agent; gw_unload $g; done
done
