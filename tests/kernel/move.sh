#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# From the dataplane into the kernel and back by a reload, under a stream and without a lost packet; a dataplane that goes
# away for good: what may goes to the kernel, and stays there when one comes back.
. "$(dirname "$0")/../lib.sh"
needs_guest
test_lab "$@"
. tests/kernel/lib.sh
engine_to() { # ga kernel
    gw_conf "$1" child="engine = $2"
    check "$1: $2 by reload" xd "$1" reload
    eventually 20 "$1: the child is in engine $2" engine_is "$1" "$2"
    eventually 20 "$1: one pair" map_count_is "$1" sa_in 1
}
LAB_CRYPTO=openssl
for g in ga gb; do kernel_found $g; done
pair_up child='engine = dataplane'
check "in the dataplane" engine_is ga dataplane
lab_udp 200 500 $((25 * ${LAB_SLOW:-1})) >"$W/stream" &
stream=$!
lab_wait 10 kernel_counts ga
engine_to ga kernel
eventually 20 "SAs of ours in the kernel" kernel_sas ga 2
engine_to gb kernel
check "ping" lab_ping 3
engine_to ga dataplane
eventually 20 "ga as found" kernel_as_found ga
engine_to gb dataplane
eventually 20 "gb as found" kernel_as_found gb
wait $stream
jq -c . "$W/stream"
check "no packet lost" jq -e '.lost == 0 and .sent > 1000' "$W/stream"
check "nothing in clear" no_clear

gw_conf ga
check "auto by reload" xd ga reload
check "it stays" engine_is ga dataplane
check "the dataplane of ga goes" gw_kill ga dataplane KILL
eventually 20 "into the kernel" engine_is ga kernel
eventually 10 "ping" lab_ping 2
check "says why" grep -q 'auto: no dataplane is connected' <(xd ga show sa)
check "it comes back" gw_dataplane ga
eventually 20 "connected" gw_plane_ready ga
check "the child stays in the kernel" engine_is ga kernel
check "ping" lab_ping 2
check "until it is rekeyed" xd ga rekey net
eventually 10 "in the dataplane again" engine_is ga dataplane
eventually 10 "ping" lab_ping 2
check "nothing in clear" no_clear
