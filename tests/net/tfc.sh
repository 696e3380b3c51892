#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# tfc_padding: packets of all sizes look the same on the wire, and arrive as they were sent.
. "$(dirname "$0")/../lib.sh"
test_lab "$@"
# sizes FILE N: the lengths of captured ESP frames, each once
sizes() { for ((i = 0; i < $2; i++)); do od -An -tu4 -j $((i * 2056)) -N4 "$1"; done | sort -nu | xargs; }
captured() { # PING-SIZES...: pings of these sizes, sizes of the frames that carried them both ways
    local n=$#
    nsx wan "$BUILD/tests/net/espinject" capture "$W/frames" toa "$n" >"$W/captured" &
    local capture=$!
    sleep 0.2 # the capturing socket is open
    for s; do nsx ha ping -q -n -c 1 -W 1 -s "$s" 10.2.0.2 >"$W/ping" || { cat "$W/ping"; fail "ping of $s bytes"; }; done
    wait $capture
    [ "$(cat "$W/captured")" = "$n" ] || fail "$n frames were not captured"
}
pair_up "child=tfc_padding = mtu"
captured 0 56 300 999 1400
got=$(sizes "$W/frames" 5)
echo "mtu: frames of $got bytes"
[ "$(wc -w <<<"$got")" = 1 ] || fail "not all of a size: $got"
# 1500 and an Ethernet header, less what does not fill a block of 4
[ "$got" -gt 1510 ] && [ "$got" -le 1514 ] || fail "not what the path takes: $got"
check "large and fragmented pings" nsx ha ping -q -c 2 -i 0.05 -s 3000 -W 2 10.2.0.2
check "TCP" lab_tcp 1
for g in ga gb; do gw_conf $g "child=tfc_padding = 500"; check "$g reload" xd $g reload; done
check "initiate" xd ga initiate net
captured 0 56 300
got=$(sizes "$W/frames" 3)
echo "500: frames of $got bytes"
[ "$(wc -w <<<"$got")" = 1 ] && [ "$got" -gt 550 ] && [ "$got" -le 570 ] || fail "not padded to 500: $got"
captured 56 900
[ "$(sizes "$W/frames" 2 | wc -w)" = 2 ] || fail "a longer packet was cut or padded: $(sizes "$W/frames" 2)"
check "nothing in clear" no_clear
