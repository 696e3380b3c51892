#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The forwarding shortcut: a bundle word says that the card behind wan0 encrypts, and plain packets cross from LAN to
# WAN by XDP alone, with the next hop that the kernel has now; what that cannot do the stack does.
. "$(dirname "$0")/../lib.sh"
test_lab "$@"
command -v nft >/dev/null || skip "no nft"
rows() { "$BUILD/tests/net/rows" "$W/bpf/ga" "$@"; }
gw_conf ga
check "load" gw_load ga
port() { map_rows ga port | jq --arg i "$1" 'select(.ifname | startswith($i)) | .index'; }
# redirected frames are taken by a veth whose other end has GRO
nsx wan ethtool -K toa gro on
rows policy 10.1.0.0/24 10.2.0.0/24 protect offload 5 "$(port wan0)" >"$W/bundle" || fail "no policy"
rows policy 2001:db8:1::/64 2001:db8:2::/64 protect offload 5 "$(port wan0)" >/dev/null || fail "no policy"
sent() { "$BPFTOOL" -j map lookup pinned "$W/bpf/ga/sa_tx" key 5 0 0 0 | jq '[.formatted.values[].value.packets] | add'; }
through() { nsx ha ping -q -n -c "${2:-3}" -i 0.05 -W 1 "$1"; }
# The answers come in plain, as the card would have opened them. Nobody knows a neighbour yet: the stack finds it.
check "the first packet, by the stack" lab_wait 5 through 10.2.0.2 1
check "the first packet, by the stack, IPv6" lab_wait 5 through 2001:db8:2::2 1
# from here on the stack forwards nothing from LAN to WAN
nsx ga nft -f - <<'NFT'
table inet off {
    counter stack { }
    chain forward {
        type filter hook forward priority 0;
        iifname "lan0" oifname "wan0" counter name stack drop
    }
}
NFT
by_stack() { nsx ga nft -j list counter inet off stack | jq '.nftables[].counter? | select(.) | .packets'; }
before=$(sent)
check "IPv4 by the shortcut" through 10.2.0.2 10
check "IPv6 by the shortcut" through 2001:db8:2::2 10
[ $(($(sent) - before)) = 20 ] || fail "$(sent) after $before went by it"
[ "$(by_stack)" = 0 ] || fail "$(by_stack) packets by the stack"
ttl_is() { nsx hb timeout 20 tcpdump -c 1 -nv -i eth0 icmp 2>/dev/null | grep -q "ttl $1,"; }
if command -v tcpdump >/dev/null; then
    ttl_is 62 & # one hop here, one in gb
    watch=$!
    while kill -0 $watch 2>/dev/null; do through 10.2.0.2 1 >/dev/null; done
    wait $watch || fail "the hop is not counted"
    echo "ok: one hop less"
fi
check "the next hop is shown" [ "$("$BPFTOOL" -j map dump pinned "$W/bpf/ga/next_hop" | jq 'map(select(.formatted.value.mtu == 1500)) | length')" = 2 ]

# to be answered, not forwarded: by the stack
ends_here() { nsx ha ping -n -c 1 -t 1 -W 1 10.2.0.2 2>&1 | grep -q 'From 10.1.0.1.*Time to live exceeded'; }
check "the last hop is answered" ends_here
ip -n ga link set wan0 mtu 1400
told() { nsx ha ping -n -c 1 -s 1440 -M 'do' -W 1 10.2.0.2 2>&1 | grep -qE 'mtu ?= ?1400'; }
eventually 5 "what does not fit is answered" told
ip -n ga link set wan0 mtu 1500

# the next hop moves: a new address on the wire, and the way by another gateway
mac=02:00:00:00:77:01
ip -n gb link set wan0 address $mac
nsx gb arping -q -U -c 1 -I wan0 192.0.2.2 2>/dev/null
ip -n ga neigh replace 192.0.2.2 lladdr $mac dev wan0
eventually 5 "another address of the next hop" through 10.2.0.2 2
shown() { "$BPFTOOL" -j map dump pinned "$W/bpf/ga/next_hop" | jq -e --argjson m "[2,0,0,0,119,1]" 'any(.formatted.value.mac == $m)'; }
check "is shown" shown
ip -n ga neigh flush dev wan0 to 192.0.2.2
ip -n ga neigh del 192.0.2.2 dev wan0 2>/dev/null
before=$(by_stack)
asks() { through 10.2.0.2 1; [ "$(by_stack)" -gt "$before" ]; }
eventually 5 "no neighbour: the stack" asks
nsx ga nft flush chain inet off forward
check "which finds it" lab_wait 5 through 10.2.0.2 2

# the wrong port is closed: for what comes from the LAN, and for this host's own
rows bundle "$(cat "$W/bundle")" offload 5 "$(port lan0)"
through 10.2.0.2 1 >/dev/null && fail "by a port without such a card"
[ "$("$BPFTOOL" -j map lookup pinned "$W/bpf/ga/drop" key 37 0 0 0 | jq '[.formatted.values[].value] | add')" -gt 0 ] ||
    fail "not counted as wrong_port"
nsx ga ping -q -n -c 1 -W 1 -I 10.1.0.1 10.2.0.2 >/dev/null && fail "own packet by a port without such a card"
rows bundle "$(cat "$W/bundle")" offload 5 "$(port wan0)"
check "own packets by the right one" nsx ga ping -q -n -c 2 -i 0.1 -W 1 -I 10.1.0.1 10.2.0.2
check "forwarded ones too" through 10.2.0.2
check "unload" gw_unload ga
