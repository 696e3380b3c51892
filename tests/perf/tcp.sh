#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# One TCP stream through a pair of gateways: xdpsec with each backend, strongSwan's kernel-libipsec, and plain
# forwarding, interleaved, on the same lab: tests/perf/tcp.sh [ROUNDS (5)] [SECONDS (4)]. JSON lines, then medians.
. "$(dirname "$0")/../lib.sh"
test_lab "$@"
rounds=${1:-5} seconds=${2:-4}
contenders="plain xdpsec-cryptodev xdpsec-openssl"
swan_available && contenders="$contenders strongswan"

busy() { awk '/^cpu / {print $2 + $3 + $4 + $7 + $8}' /proc/stat; }
hz=$(getconf CLK_TCK)

up() {
    case $1 in
    plain) return 0 ;;
    xdpsec-*)
        LAB_CRYPTO=${1#xdpsec-}
        gw_conf ga && gw_conf gb && gw_up ga && gw_up gb && xd ga initiate net
        ;;
    strongswan) swan_conf ga && swan_conf gb && swan_up ga && swan_up gb && swan ga --initiate --child net --timeout 10 ;;
    esac
}
down() {
    case $1 in
    xdpsec-*) gw_down ga; gw_down gb ;;
    strongswan) swan_down ga; swan_down gb ;;
    esac
}

nsx ha ethtool -k eth0 | grep -E 'tcp-segmentation-offload|generic-segmentation|generic-receive|tx-checksumming' |
    sed 's/^/# ha eth0: /'
for r in $(seq "$rounds"); do
    for c in $contenders; do
        up "$c" >"$W/up.log" 2>&1 || { cat "$W/up.log"; fail "$c does not come up"; }
        lab_ping 5 || fail "$c: no ping"
        b0=$(busy)
        mbps=$(lab_tcp "$seconds") || fail "$c: iperf3"
        cpu=$(awk -v a="$b0" -v b="$(busy)" -v hz="$hz" -v m="$mbps" -v s="$seconds" \
            'BEGIN {printf "%.2f", (b - a) / hz / (m * s / 1000)}')
        down "$c" >/dev/null 2>&1
        jq -cn --arg c "$c" --argjson r "$r" --argjson m "$mbps" --argjson u "$cpu" \
            '{round: $r, contender: $c, mbps: $m, cpu_seconds_per_gigabit: $u}' | tee -a "$W/tcp.jsonl"
    done
done
jq -s -r 'def med: sort | .[length / 2 | floor];
    group_by(.contender) | map({key: .[0].contender,
        value: {mbps: (map(.mbps) | med), cpu: (map(.cpu_seconds_per_gigabit) | med)}}) | from_entries as $m |
    (["contender", "Mbit/s", "of plain", "CPU s/Gbit"] | @tsv),
    ($m | to_entries[] | [.key, .value.mbps, (100 * .value.mbps / $m.plain.mbps | round / 100), .value.cpu] | @tsv),
    (if $m.strongswan then "xdpsec-cryptodev / strongswan = \(10 * $m["xdpsec-cryptodev"].mbps / $m.strongswan.mbps | round / 10)" else empty end)' "$W/tcp.jsonl"
