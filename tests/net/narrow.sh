#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Narrowing by the responder: what packets are matched with is exactly what was agreed on, also after a rekey, and what
# lies outside meets no SA. With a trap over the whole, the other packets stay closed and ask for what they need.
. "$(dirname "$0")/../lib.sh"
test_lab "$@"
rows() { xd "$1" --json show policy | jq -r '[.[] | "\(.action) \(.local_ts) \(.remote_ts)"] | sort | join("; ")'; }
rows_are() { [ "$(rows "$1")" = "$2" ] || { echo "rows: $(rows "$1")"; return 1; }; }
answer() { gw_conf gb remotets="$1" localts="$2"; }
gw_conf ga localts=10.1.0.0/16 remotets=10.2.0.0/16; answer 10.1.0.1-10.1.0.5 '10.2.0.0/24[icmp]'
gw_up ga && gw_up gb || fail "the gateways do not come up"
for round in made rekeyed; do
    [ $round = made ] && check "initiate" xd ga initiate net || check "rekey" xd gb rekey net
    check "$round: rows of ga" rows_are ga 'protect 10.1.0.1-10.1.0.5[icmp] 10.2.0.0/24[icmp]'
    check "$round: rows of gb" rows_are gb 'protect 10.2.0.0/24[icmp] 10.1.0.1-10.1.0.5[icmp]'
    check "$round: ping inside" lab_ping 3
done
check "nothing in clear" no_clear

# several a side, and ports: each pair that can meet is a row
xd ga flush >/dev/null
gw_conf ga 'localts=10.1.0.0/24, 10.3.0.0/24' 'remotets=10.2.0.0/24[udp/9], 10.2.0.0/24[icmp], 10.4.0.0/24'
answer '10.1.0.0/25, 10.3.0.0/24' '10.2.0.0/24, 10.5.0.0/24'
check "reload" xd ga reload
check "reload" xd gb reload
check "initiate" xd ga initiate net
want='protect 10.1.0.0/25[icmp] 10.2.0.0/24[icmp]; protect 10.1.0.0/25[udp] 10.2.0.0/24[udp/9]'
want+='; protect 10.3.0.0/24[icmp] 10.2.0.0/24[icmp]; protect 10.3.0.0/24[udp] 10.2.0.0/24[udp/9]'
check "rows of ga" rows_are ga "$want"
check "ping" lab_ping 3
lab_udp 100 200 1 >"$W/stream"
check "the port passes" jq -e '.lost == 0 and .sent > 0' "$W/stream"
check "nothing in clear" no_clear

# the trap takes in more than the peer gives: the rest stays closed
xd ga flush >/dev/null
gw_conf ga start=trap localts=10.1.0.0/16 remotets=10.2.0.0/16; answer 10.1.0.2 10.2.0.2
check "reload" xd ga reload
check "reload" xd gb reload
nsx ha ping -q -n -c 1 -W 1 10.2.0.2 >/dev/null
eventually 10 "the packet brings it" children_is ga 1
check "one row and the trap" rows_are ga 'protect 10.1.0.2/32 10.2.0.2/32; trap 10.1.0.0/16 10.2.0.0/16'
check "ping" lab_ping 3
nsx ha ping -q -n -c 2 -i 0.2 -W 1 10.2.0.1 >/dev/null && fail "a packet that the peer did not agree on"
check "nothing in clear" no_clear
eventually 5 "nothing superfluous stays" children_is ga 1
check "ping" lab_ping 3
