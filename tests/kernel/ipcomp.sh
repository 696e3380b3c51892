#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# IPComp (RFC 3173) below ESP, with a strongSwan whose kernel does it: what can be compressed crosses the wire smaller,
# what cannot crosses as it is; tunnel and transport mode, rekeys from either side; a peer that does without.
. "$(dirname "$0")/../lib.sh"
needs_guest
swan_available || skip "strongSwan is not installed"
LAB_SS_KERNEL=yes
test_lab "$@"
. tests/interop/both.sh
both_up
states() { ip -n "$1" xfrm state | grep -cE "${2:-^src}"; }
has() { [ "$(states "$1" "$2")" = "$3" ]; }
wire_bytes() { ip -n wan -s -j link show toa | jq '.[0].stats64 | .rx.bytes + .tx.bytes'; }
# Ten pings of 1000 equal bytes: 20 kB both ways, or hardly any.
shrinks() { # NAME FROM-NS TO-ADDRESS yes|no
    local n
    n=$(wire_bytes)
    check "$1: pings" nsx "$2" ping -q -n -c 10 -i 0.05 -W 2 -s 1000 -p 41 "$3"
    n=$(($(wire_bytes) - n))
    if [ "$4" = yes ]; then
        [ $n -lt 8000 ] || fail "$1: $n bytes on the wire, for 20 kB that can be compressed"
    else
        [ $n -gt 20000 ] || fail "$1: only $n bytes on the wire"
    fi
}
small() { # too small to be worth it: they go through uncompressed
    check "$1: small pings" nsx ha ping -q -n -c 3 -i 0.05 -W 2 -s 16 10.2.0.2
    check "$1: small pings back" nsx hb ping -q -n -c 3 -i 0.05 -W 2 -s 16 10.1.0.2
}
both_ways() { # NAME yes|no
    shrinks "$1" ha 10.2.0.2 "$2"
    shrinks "$1: back" hb 10.1.0.2 "$2"
    small "$1"
}
cpi() { xd $US --json show sa | jq -e '.[0].children[0].cpi_in | length == 4'; }

set_both "both" 'child=ipcomp = yes'
for caller in we they; do
    ${caller}_call "both"
    check "both: shown" cpi
    check "both: in our kernel" has $US 'proto comp .*mode tunnel' 2
    check "both: in theirs" has $THEM 'proto comp .*mode tunnel' 2
    both_ways "both" yes
    check "both: we rekey" xd $US rekey net
    eventually 5 "both: one pair" pairs 1 1
    both_ways "both, rekeyed by us" yes
    check "both: they rekey" swan $THEM --rekey --child net
    eventually 5 "both: one pair" pairs 1 1
    both_ways "both, rekeyed by them" yes
    ${caller}_end "both"
    eventually 10 "both: our kernel has no SA" has $US '^src' 0
done

# an agent that was killed: what it left goes on compressing, until the next one has replaced it
set_both "crash" 'child=ipcomp = yes'
we_call "crash"
check "crash: kill -9 of the agent" gw_kill $US agent KILL
both_ways "crash: without an agent" yes
check "crash: the agent starts again" gw_agent $US
both_ways "crash: found again" yes
eventually 15 "crash: replaced" children_is $US 1
both_ways "crash: replaced" yes
eventually 20 "crash: nothing is left of the old ones" has $US 'proto comp .*mode tunnel' 2
end_all "crash"
eventually 10 "crash: our kernel has no SA" has $US '^src' 0

gw_conf $US 'child=ipcomp = yes' esp=sha256; swan_conf $THEM 'child=ipcomp = yes' esp=sha256
sed -i 's/esp_proposals/ah_proposals/' "$W/$US/swanctl.conf" "$W/$THEM/swanctl.conf"
load_both "AH"
we_call "AH"
both_ways "AH" yes
we_end "AH"

set_both "ours alone" 'child=ipcomp = yes' --
we_call "ours alone"
check "ours alone: none in our kernel" has $US 'proto comp' 0
both_ways "ours alone" no
we_end "ours alone"
they_call "ours alone"
both_ways "ours alone" no
they_end "ours alone"

ours=$(lab_addr $US)/32 theirs=$(lab_addr $THEM)/32
set_both "transport" 'child=mode = transport
ipcomp = yes' "localts=$ours" "remotets=$theirs" -- 'child=mode = transport
ipcomp = yes' "localts=$theirs" "remotets=$ours"
we_call "transport"
check "transport: in our kernel" has $US 'proto comp .*mode transport' 2
shrinks "transport" $US "$(lab_addr $THEM)" yes
shrinks "transport: back" $THEM "$(lab_addr $US)" yes
check "transport: small pings" nsx $US ping -q -n -c 3 -i 0.05 -W 2 -s 16 "$(lab_addr $THEM)"
we_end "transport"
