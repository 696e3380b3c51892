#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# AH (RFC 4302), which the kernel engine does, with a strongSwan whose kernel does it: tunnels of several suites and transport
# mode, each called, rekeyed and ended from either side; what crosses the wire is AH, as `xdpsec decode` reads it.
. "$(dirname "$0")/../lib.sh"
needs_guest
swan_available || skip "strongSwan is not installed"
LAB_SS_KERNEL=yes
test_lab "$@"
. tests/interop/both.sh
ah() { sed -i 's/esp_proposals/ah_proposals/' "$W/$US/swanctl.conf" "$W/$THEM/swanctl.conf"; }
both_up
spi_is_new() { local s; s=$(spi_out $US); [ "$s" != null ] && [ "$s" != "$1" ]; }
states() { ip -n "$1" xfrm state | grep -cE "${2:-^src}"; }
has() { [ "$(states "$1" "$2")" = "$3" ]; }
set_ah() { # NAME KEY=VALUE... [-- KEY=VALUE...]
    local name=$1 ours=() theirs=()
    shift
    while [ $# -gt 0 ] && [ "$1" != -- ]; do ours+=("$1"); shift; done
    theirs=("${ours[@]}")
    [ $# = 0 ] || { shift; theirs=("$@"); }
    gw_conf $US "${ours[@]}"; swan_conf $THEM "${theirs[@]}"
    ah
    load_both "$name"
}
captured() { [ "$("$BUILD/xdpsec" decode "$W/wire.pcap" | grep -c 'AH SPI')" -ge 8 ]; }
# what the wire carries while this is done, as our decoder reads it
crosses() { # NAME COMMAND...
    local name=$1
    shift
    nsx wan tcpdump -Z root -q -U -w "$W/wire.pcap" -i toa 'proto 51 or icmp' >"$W/tcpdump" 2>&1 &
    lab_wait 10 grep -q 'listening' "$W/tcpdump"
    "$@" "$name"
    eventually 5 "$name: captured" captured
    kill $!; wait $! 2>/dev/null
    [ "$(nsx wan tcpdump -r "$W/wire.pcap" 'not proto 51' 2>/dev/null | wc -l)" = 0 ] || fail "$name: pings without AH"
}
shown() { xd $US --json show sa | jq -e '.[0].children[0].protocol == "AH"'; }
pings() {
    eventually 5 "$1: ping" lab_ping 2
    eventually 5 "$1: ping back" lab_ping_back 2
}
both_rekey() { # NAME COMMAND
    local spi
    spi=$(spi_out $US)
    check "$1: we rekey" xd $US rekey net
    eventually 5 "$1: one pair" pairs 1 1
    $2 "$1"
    check "$1: they rekey" swan $THEM --rekey --child net
    eventually 5 "$1: other keys" spi_is_new "$spi"
    eventually 5 "$1: one pair" pairs 1 1
    $2 "$1"
}
while read -r auth; do
    set_ah "$auth" "esp=$auth"
    we_call "$auth"
    check "$auth: AH in our kernel" has $US 'proto ah .*mode tunnel' 2
    check "$auth: AH in theirs" has $THEM 'proto ah .*mode tunnel' 2
    check "$auth: shown" shown
    crosses "$auth" pings
    both_rekey "$auth" pings
    we_end "$auth"
    they_call "$auth"; crosses "$auth" pings; they_end "$auth"
    eventually 10 "$auth: our kernel has no SA" has $US '^src' 0
done <<'LIST'
sha256
sha512-esn
sha384-sha1
LIST

ping_gateways() {
    eventually 5 "$1: ping" nsx $US ping -q -n -c 2 -i 0.05 -W 2 "$(lab_addr $THEM)"
    eventually 5 "$1: ping back" nsx $THEM ping -q -n -c 2 -i 0.05 -W 2 "$(lab_addr $US)"
}
here=$(lab_addr $US)/32 there=$(lab_addr $THEM)/32
set_ah "transport" 'child=mode = transport' esp=sha256 "localts=$here" "remotets=$there" -- \
    'child=mode = transport' esp=sha256 "localts=$there" "remotets=$here"
for caller in we they; do
    ${caller}_call "transport"
    check "transport: AH in our kernel" has $US 'proto ah .*mode transport' 2
    crosses "transport" ping_gateways
    both_rekey "transport" ping_gateways
    ${caller}_end "transport"
done

# a peer that wants ESP meets none of it
set_ah "ESP there" esp=sha256
sed -i 's/ah_proposals = .*/esp_proposals = aes128gcm16/' "$W/$THEM/swanctl.conf"
load_both "ESP there"
refusal "ESP there" 1 NO_PROPOSAL_CHOSEN 'NO_PROPOSAL_CHOSEN|NO_PROP'
