#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What one pair of IKE SA and Child SA costs the responder: tests/perf/ike.sh [PAIRS (20000)] [PAIRS OF STRONGSWAN (2000)]
# Initiators of our own (bench/ike_load) with pre-shared keys, each with an address and an identity of its own, against
# xdpsecd, then against strongSwan (user-space ESP), each alone; then the ratio of CPU time. IKE_KE: groups; IKE_PEER=no:
# without strongSwan; IKE_OTHERS: so many more connections and secrets. CPU is that of all processes of the responder.
. "$(dirname "$0")/../lib.sh"
test_lab "$@"
pairs=${1:-20000} peer_pairs=${2:-2000} kes=${IKE_KE:-x25519 modp2048}

# shellcheck source=tests/perf/initiators.sh
. tests/perf/initiators.sh

load() { # key exchange, pairs, step, pid...
    local ke=$1 n=$2 step=$3 pid
    shift 3
    for pid; do set -- "$@" --pid "$pid"; shift; done
    initiators "$n" --ke "$ke" --step "$step" --parallel "${IKE_PARALLEL:-8}" "$@"
}

family() { echo "$1"; cat "/proc/$1/task/"*/children; }

initiators_routes || fail routes

for ke in $kes; do
    initiators_conf ga "$ke" 'ike { source_rate = 0 }'
    [ "${IKE_OTHERS:-0}" -gt 0 ] && initiators_others "$IKE_OTHERS" "$W/ga/swanctl.conf"
    gw_up ga || fail "xdpsec"
    echo "memory of the agent alone: $(awk '/^VmRSS/{print $2}' "/proc/$(gw_pid ga agent)/status") kB before"
    if [ -n "${IKE_PERF:-}" ]; then
        # shellcheck disable=SC2046
        perf record -q ${IKE_PERF_FLAGS:---call-graph dwarf,16384 -F 997} -p "$(echo $(family "$(gw_pid ga agent)") | tr ' ' ,)" -o "$IKE_PERF" >/dev/null 2>&1 &
        perf=$!
        lab_wait 5 test -s "$IKE_PERF"
    fi
    # shellcheck disable=SC2046
    load "$ke" "$pairs" "$((pairs / 20 > 1000 ? pairs / 20 : 1000))" \
        $(family "$(gw_pid ga agent)") "$(gw_pid ga dataplane)" >"$W/ours" || fail "load on xdpsec"
    jq -c --arg ke "$ke" '{responder: "xdpsec", ke: $ke} + .' "$W/ours"
    xd ga --json show counters >"$W/counters"
    echo "memory of the agent alone: $(awk '/^VmRSS/{print $2}' "/proc/$(gw_pid ga agent)/status") kB with $pairs pairs"
    gw_kill ga agent KILL
    gw_kill ga dataplane KILL
    [ -n "${IKE_PERF:-}" ] && wait "$perf"
    gw_unload ga
    if [ "${IKE_PEER:-}" = no ] || ! swan_available; then continue; fi
    mkdir -p "$W/ga" && initiators_swanctl "$ke" "$W/ga/swanctl.conf"
    # its log at the level that ours has: both are what a gateway runs with
    SS_DEBUG=1 SS_ROUTES=no SS_EXTRA='dos_protection = no
    ikesa_table_size = 4096
    ikesa_table_segments = 32' swan_up ga || fail "strongSwan"
    load "$ke" "$peer_pairs" "$peer_pairs" "$(cat "$W/ga/charon.pid")" >"$W/theirs" || fail "load on strongSwan"
    jq -c --arg ke "$ke" '{responder: "strongswan", ke: $ke} + .' "$W/theirs"
    swan_down ga
    jq -rn --arg ke "$ke" --slurpfile o "$W/ours" --slurpfile t "$W/theirs" \
        '(([$o[] | .cpu_us * .of] | add) / ([$o[].of] | add)) as $us | $t[0].cpu_us as $them |
        "\($ke): xdpsec \($us | round) us, strongSwan \($them | round) us a pair: \($them / $us * 10 | round / 10) times less"'
done
