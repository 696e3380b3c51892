#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A flood of IKE_SA_INIT from random sources: the tunnel that is up loses nothing in either direction, and a client of its
# own gets an answer within 3 s, again and again. FLOOD_SECONDS (3), FLOOD_RATE (50000 a second).
. "$(dirname "$0")/../lib.sh"
test_lab "$@"
seconds=${FLOOD_SECONDS:-3} rate=${FLOOD_RATE:-50000}
extra() { # gateway
    local me=$1 peer
    peer=$(lab_peer "$me")
    cat >>"$W/$me/swanctl.conf" <<CONF
connections {
    client {
        version = 2
        local_addrs = $(lab_addr "$me")
        remote_addrs = $([ "$me" = ga ] && echo %any || lab_addr "$peer")
        proposals = aes128gcm16-prfsha256-x25519
        mobike = no
        unique = never
        local {
            auth = psk
            id = $me.client.example
        }
        remote {
            auth = psk
            id = $peer.client.example
        }
        children {
            own {
                local_ts = $(lab_lan "$me" | sed 's/^10\./10.7/')
                remote_ts = $(lab_lan "$peer" | sed 's/^10\./10.7/')
                esp_proposals = aes128gcm16
            }
        }
    }
}
secrets {
    ike-client {
        secret = "client secret"
    }
}
CONF
}
# a client that says so again when the flood drowned a message: with the default it would wait for 4 s
gw_conf ga && gw_conf gb 'gw=ike { retransmit_timeout = 0.7 }' && extra ga && extra gb
gw_up ga && gw_up gb || fail "gateways"
check "initiate" xd gb initiate net
check "ping" lab_ping 2

# answers to the flood have somewhere to go: a host that says nothing, and not past the other gateway
nsx wan tc filter add dev toa ingress prio 5 protocol ip u32 match ether dst 02:00:00:00:00:99 \
    action mirred egress redirect dev hole || fail "tc"
ip -n ga neigh add 192.0.2.99 lladdr 02:00:00:00:00:99 dev wan0 nud permanent
ip -n ga route add default via 192.0.2.99
mac=$(ip -n ga -j link show wan0 | jq -r '.[0].address')

wire_drops() { nsx ga ethtool -S wan0 | awk '/drops/ {n += $2} END {print n + 0}'; }
stream() { # from to port name
    nsx "$2" "$BUILD/lab/udpstream" recv "$3" >"$W/$4.json" &
    streams+=($!)
    lab_wait 5 nsx "$2" sh -c "ss -lun | grep -q ':$3 '"
    nsx "$1" "$BUILD/lab/udpstream" send "$([ "$2" = hb ] && echo 10.2.0.2 || echo 10.1.0.2)" "$3" 200 2000 $((seconds + 1)) &
}
streams=()
stream ha hb 91 out
stream hb ha 92 in
nsx wan "$BUILD/lab/ikeflood" toa "$mac" 192.0.2.1 "$rate" "$seconds" >"$W/flood.json" &
flood=$!
n=0 slowest=0
eventually 5 "the flood is seen" bash -c "[ \$($BUILD/xdpsec -s $W/ga/run/xdpsecd.vici --json show counters | jq .cookie_sent) -gt 100 ]"
while kill -0 $flood 2>/dev/null; do
    begin=$(date +%s%N)
    xd gb --timeout 3 initiate own >"$W/client" 2>&1 || fail "a client is kept out: $(cat "$W/client")"
    took=$((($(date +%s%N) - begin) / 1000000))
    [ $took -gt $slowest ] && slowest=$took
    n=$((n + 1))
    xd gb --timeout 3 terminate --ike client >"$W/client" 2>&1 || fail "terminate: $(cat "$W/client")"
done
[ $n -gt 0 ] || fail "no client tried"
echo "ok: $n clients one after the other, the slowest in $slowest ms"
wait $flood
for s in "${streams[@]}"; do
    lab_wait 10 gw_gone "$s" || fail "a stream does not end"
done
jq -c . "$W/flood.json"
echo "counters: $(xd ga --json show ike-limits | jq -c .counters) $(xd ga --json show counters | jq -c .net)"
# what a client says after its first message has a queue of its own: with its cookie, and all that follows
in=$(counter ga net | jq .in) strangers=$(counter ga net | jq .strangers)
[ $((in - strangers)) -ge $((3 * n)) ] && [ "$strangers" -gt "$(jq ".sent / 2 | floor" "$W/flood.json")" ] ||
    fail "$strangers of $in by strangers"
for s in out in; do
    jq -c . "$W/$s.json"
    jq -e '.lost == 0 and .received > 0' "$W/$s.json" >/dev/null || fail "the tunnel lost packets: $s"
done
echo "ok: nothing lost in the tunnel"
[ "$(counter ga established)" -ge $((n + 1)) ] || fail "clients"
