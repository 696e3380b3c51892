#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# IPv6 outside, inside and both: every mix of families, ESP and ESP in UDP, too large packets, hop limits, extension
# headers, and rekeys under traffic.
. "$(dirname "$0")/../lib.sh"
test_lab "$@"

both_conf() {
    for g in ga gb; do
        gw_conf $g "$@"
        check "$g reload" xd $g reload
    done
}

# the largest packet that ha may send to an address of the far side, as the gateway says: told_mtu ADDRESS
told_mtu() {
    local header=28
    [[ $1 == *:* ]] && header=48
    nsx ha ip route flush cache
    nsx ha ip -6 route flush cache
    nsx ha ping -n -c 2 -i 0.1 -M 'do' -s $((1500 - header)) -W 1 "$1" 2>&1 | tee "$W/out" |
        grep -oE 'mtu ?= ?[0-9]+' | grep -oE '[0-9]+' | head -n 1
}

mtu_row_is() { map_rows ga sa_out | jq -e --argjson m "$1" 'select(.mtu == $m)'; }
mtu_shown_is() { xd ga --json show sa | jq -e --argjson m "$1" '.[0].children[0].mtu == $m'; }

size_is_found() { # ADDRESS: what the gateway says fits, and one byte more does not
    local mtu header=28
    [[ $1 == *:* ]] && header=48
    mtu=$(told_mtu "$1")
    [ -n "$mtu" ] && [ "$mtu" -gt 1380 ] && [ "$mtu" -lt 1460 ] || { echo "MTU '$mtu'"; cat "$W/out"; return 1; }
    lab_wait 5 mtu_row_is "$mtu" && mtu_shown_is "$mtu" || { echo "not in the row of the SA"; return 1; }
    nsx ha ping -n -q -c 2 -i 0.1 -M 'do' -s $((mtu - header)) -W 1 "$1" || return 1
    nsx ha ip route flush cache
    nsx ha ip -6 route flush cache
    ! nsx ha ping -n -q -c 1 -M 'do' -s $((mtu - header + 1)) -W 1 "$1"
}

wire_only() { # what must be on the wire, then what must not: everything else
    local k
    [ "$(lab_wire "$1")" -gt 20 ] || { echo "$1: $(lab_wire "$1")"; return 1; }
    for k in clear other; do
        [ "$(lab_wire $k)" = 0 ] || { echo "$k: $(lab_wire $k)"; return 1; }
    done
}

gw_conf ga; gw_conf gb
gw_up ga && gw_up gb || fail "gateways"
for LAB_OUTER in 4 6; do
    for LAB_INNER in 4 6 46; do
        for encap in no yes; do
            what="${LAB_INNER}in$LAB_OUTER$([ $encap = yes ] && echo ' in UDP')"
            both_conf "conn=encap = $encap"
            check "$what: initiate" xd ga initiate net
            check "$what: one child" children_is ga 1
            if [[ $LAB_INNER == *4* ]]; then
                check "$what: ping" lab_ping 3
                check "$what: ping back" lab_ping_back 3
                check "$what: size of IPv4" size_is_found 10.2.0.2
                check "$what: large pings in fragments" nsx ha ping -q -n -c 2 -i 0.05 -s 3000 -W 2 10.2.0.2
                check "$what: TCP" lab_tcp 1
            fi
            if [[ $LAB_INNER == *6* ]]; then
                check "$what: ping6" lab_ping6 3
                check "$what: ping6 back" lab_ping6_back 3
                check "$what: size of IPv6" size_is_found 2001:db8:2::2
                check "$what: large pings6 in fragments" nsx ha ping -6 -q -n -c 2 -i 0.05 -s 3000 -W 2 2001:db8:2::2
                check "$what: TCP6" lab_tcp6 1
            fi
            kind=esp
            [ $encap = yes ] && kind=udp4500
            [ $LAB_OUTER = 6 ] && kind=$([ $encap = yes ] && echo udp4500_6 || echo esp6)
            check "$what: $kind on the wire and nothing in clear" wire_only $kind
            check "$what: flush" xd ga flush
            eventually 5 "$what: gb has no child" children_is gb 0
        done
    done
done

# one tunnel for both families from here on, IPv6 outside
LAB_OUTER=6 LAB_INNER=46
both_conf
check "initiate" xd ga initiate net

# hop limits: each gateway is one hop, and says so
hops_told() { nsx ha ping -6 -n -c 1 -t "$1" -W 1 2001:db8:2::2 2>&1 | grep -E "From $2.*(Time exceeded|Hop limit)"; }
check "hop limit 1: our gateway says so" hops_told 1 2001:db8:1::1
# the first packet may go by the kernel, which knows no hop here
eventually 5 "hop limit 2: the far one says so, through the tunnel" hops_told 2 2001:db8:2::1
check "hop limit 3 arrives" nsx ha ping -6 -n -q -c 1 -t 3 -W 1 2001:db8:2::2
ttl_told() { nsx ha ping -n -c 1 -t 2 -W 1 10.2.0.2 2>&1 | grep -E "From 10.2.0.1.*Time to live"; }
eventually 5 "TTL 2: the far one says so, through the tunnel" ttl_told

# a smaller network behind the far gateway: the error comes back through the tunnel
ip -n gb link set lan0 mtu 1300
ip -n hb link set eth0 mtu 1300
far_mtu() { [ "$(nsx ha ping -6 -n -c 2 -i 0.1 -M 'do' -s 1352 -W 1 2001:db8:2::2 2>&1 | grep -oE 'mtu=[0-9]+' | head -n 1)" = mtu=1300 ]; }
far_mtu4() { nsx ha ping -n -c 2 -i 0.1 -M 'do' -s 1372 -W 1 10.2.0.2 2>&1 | grep -E 'mtu ?= ?1300'; }
eventually 5 "too big behind the tunnel, IPv6" far_mtu
eventually 5 "too big behind the tunnel, IPv4" far_mtu4
[ "$(drops gb too_big)" -gt 0 ] || fail "not counted"
ip -n gb link set lan0 mtu 1500
ip -n hb link set eth0 mtu 1500

# a path that becomes smaller: the row follows; below the minimum of IPv6 nobody is told less than that
row_follows() {
    nsx ha ping -6 -n -q -c 1 -W 1 2001:db8:2::2 || return 1
    map_rows ga sa_out | jq -e --argjson p "$1" 'select(.mtu > $p - 90 and .mtu < $p - 60)'
}
for path in 1400 1280; do
    ip -n ga link set wan0 mtu $path
    eventually 5 "a path of $path: the row of the SA" row_follows $path
done
[ "$(told_mtu 2001:db8:2::2)" = 1280 ] || { cat "$W/out"; fail "told less than 1280"; }
check "the log says what does not fit" log_has ga agent 'no IPv6 network may have less than 1280'
ip -n ga link set wan0 mtu 1500
eventually 5 "the path is whole again" row_follows 1500
nsx ha ip -6 route flush cache

# rekeys of both kinds from both sides under a stream
lab_udp 200 2000 5 2001:db8:2::2 >"$W/stream" &
stream=$!
sleep 0.3 # the stream runs before the first rekey
for i in 1 2; do
    for g in ga gb; do
        check "round $i: $g rekeys the child" xd $g rekey net
        check "round $i: $g rekeys the IKE SA" xd $g rekey --ike gw
    done
done
wait $stream
jq -c . "$W/stream"
check "no packet lost" jq -e '.lost == 0 and .sent > 1000 and .duplicate == 0' "$W/stream"
check "nothing in clear" no_clear

# a trap of both families: the first IPv6 packet brings the tunnel
both_conf start=trap
check "flush" xd ga flush
eventually 5 "gb has no child" children_is gb 0
lab_ping6 1
eventually 5 "the trap brought a child" children_is ga 1
check "ping6" lab_ping6 3
check "and IPv4 by the same" lab_ping_back 3
check "one child" children_is ga 1
check "nothing in clear" no_clear
