#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# kill -9 of the agent while the kernel does the ESP: traffic goes on; the next agent adopts what belongs to rows, removes
# what does not, connects again what the kernel lost meanwhile, and leaves other programs' alone.
. "$(dirname "$0")/../lib.sh"
needs_guest
test_lab "$@"
. tests/kernel/lib.sh
for device in yes no; do
    for g in ga gb; do
        [ $device = yes ] || ip -n $g link add xdpsecx type veth peer name xdpsecy
        kernel_found $g
        rm -f "$W/$g/agent.log"
    done
    kernel_up gw='engine = kernel'
    check "$device: initiate" xd ga initiate net
    check "$device: by the interface: $device" by_device ga $device
    eventually 5 "$device: ping" lab_ping 2
    lab_udp 200 300 $((8 * ${LAB_SLOW:-1})) >"$W/stream" &
    stream=$!
    lab_wait 10 kernel_counts ga
    check "$device: kill -9 of the agent" gw_kill ga agent KILL
    check "$device: traffic without an agent" lab_ping 3
    # as after a death between two steps: SA and policy that no row knows
    ip -n ga xfrm state add src 192.0.2.2 dst 192.0.2.1 proto esp spi 0xc0de0007 reqid 1476399999 mode tunnel \
        aead 'rfc4106(gcm(aes))' 0x0102030405060708090a0b0c0d0e0f1011121314 128
    ip -n ga xfrm policy add src 10.9.0.0/24 dst 10.8.0.0/24 dir in priority 9 \
        tmpl src 192.0.2.2 dst 192.0.2.1 proto esp reqid 1476399999 mode tunnel
    check "$device: the agent starts again" gw_agent ga
    check "$device: it says what it found" log_has ga agent 'earlier agent'
    check "$device: and what it removed" log_has ga agent 'removed 1 SAs and 1 policies'
    eventually 20 "$device: the SAs are replaced" children_is ga 1
    wait $stream
    jq -c . "$W/stream"
    check "$device: no packet lost" jq -e '.lost == 0 and .sent > 500' "$W/stream"
    eventually 40 "$device: the old rows are gone" map_count_is ga sa_in 1
    eventually 20 "$device: and the old SAs" kernel_sas ga 2
    check "$device: ping back" lab_ping_back 2

    check "$device: kill -9 once more" gw_kill ga agent KILL
    check "$device: the kernel loses all" ip -n ga xfrm state deleteall reqid "$(ip -n ga xfrm state | sed -n 's/.*reqid \(1476[0-9]*\).*/\1/p' | head -1)"
    check "$device: the agent starts again" gw_agent ga
    eventually 20 "$device: up again by itself" children_is ga 1
    eventually 20 "$device: ping" lab_ping 2
    check "$device: the log says why" log_has ga agent 'gone from the kernel'
    check "$device: flush" xd ga flush
    eventually 20 "$device: as found" kernel_as_found ga
    check "$device: nothing in clear" no_clear
    for g in ga gb; do gw_kill $g agent; gw_unload $g; done
done
