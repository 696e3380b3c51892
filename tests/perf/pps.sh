#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What one worker encrypts a second, LAN to WAN: tests/perf/pps.sh [ROUNDS (5)] [SECONDS (3)]. JSON lines, then medians.
# The generator runs on the first processor, the worker on the second: on a machine that does other things, too, the
# figures are too low.
. "$(dirname "$0")/../lib.sh"
test_lab "$@"
rounds=${1:-5} seconds=${2:-3}

mac() { ip -n "$1" -j link show "$2" | jq -r '.[0].address'; }

for crypto in cryptodev openssl; do
    LAB_CRYPTO=$crypto
    gw_conf ga && gw_load ga && gw_dataplane ga || fail "dataplane with $crypto"
    nsx ga "$BUILD/tests/net/plane_client" --pin-dir "$W/bpf/ga" --socket "$W/ga/run/dataplane.sock" \
        --slot 5 --local 192.0.2.1 --remote 192.0.2.2 --net-local 10.1.0.0/24 --net-remote 10.2.0.0/24 ||
        fail "security association"
    # the sink answers nothing
    ip -n ga neigh replace 192.0.2.2 lladdr "$(mac gb wan0)" dev wan0 nud permanent
    for task in /proc/"$(gw_pid ga dataplane)"/task/*; do
        grep -q worker "$task/comm" && break
    done
    [ "$(nproc)" -gt 1 ] && taskset -cp 1 "${task##*/}" >/dev/null
    for r in $(seq "$rounds"); do
        for size in 64 1400; do
            out=$("$BUILD/bench/esp_pps" --gen-netns /run/netns/ha --gen-if eth0 --mac "$(mac ga lan0)" \
                --src 10.1.0.2 --dst 10.2.0.2 --sink-netns /run/netns/wan --sink-if toa \
                --size $size --seconds "$seconds" --cpu 0) || fail "esp_pps"
            jq -c --arg c $crypto --argjson r "$r" '{round: $r, crypto: $c} + .' <<<"$out" |
                tee -a "$W/pps.jsonl"
        done
    done
    gw_kill ga dataplane
    gw_unload ga
done
jq -s -r 'def med: sort | .[length / 2 | floor];
    (["crypto", "bytes", "packets/s", "Gbit/s"] | @tsv),
    (group_by([.crypto, .size])[] | (map(.encrypted_pps) | med) as $pps |
        [.[0].crypto, .[0].size, $pps, ($pps * .[0].size * 8 / 1e7 | round / 100)] | @tsv)' "$W/pps.jsonl"
