#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# IKE fragments on a path that carries no larger IKE packet: set-up, rekeys, delete, and a fragment lost on the way.
. "$(dirname "$0")/../lib.sh"
test_lab "$@"
command -v nft >/dev/null || skip "nft is not installed"
small=(gw='ike { fragment_size = 200
 retransmit_timeout = 0.5 }')
gw_conf ga "${small[@]}"; gw_conf gb "${small[@]}"
gw_up ga && gw_up gb || fail "gateways"
for g in ga gb; do
    nsx $g nft -f - <<NFT
table ip narrow {
    counter large { }
    chain out { type filter hook output priority 0; udp dport { 500, 4500 } ip length > 200 @th,208,8 != 34 counter name large drop; }
}
NFT
done
# 64 bits of UDP header and 144 to byte 18 of the IKE header, the exchange; 34 is IKE_SA_INIT, which
# cannot be cut
large() { nsx "$1" nft -j list counter ip narrow large | jq '[.nftables[].counter.packets // empty][0]'; }
check "initiate" xd ga initiate net
check "ping" lab_ping 2
check "rekey of the child" xd gb rekey net
check "rekey of the IKE SA" xd ga rekey --ike gw
check "ping" lab_ping 2
for g in ga gb; do
    [ "$(counter $g fragment_out)" -ge 2 ] || fail "$g did not cut"
    [ "$(counter $g fragment_in)" -ge 4 ] || fail "$g got no fragments"
    [ "$(large $g)" = 0 ] || fail "$g sent a larger packet"
done
check "terminate" xd ga terminate --ike gw
# the second packet of IKE_AUTH is lost, once: the set comes again
nsx gb nft -f - <<'NFT'
table ip lossy {
    set seen { type ipv4_addr; flags dynamic; size 4; }
    chain in { type filter hook input priority 0;
        udp dport 500 @th,208,8 35 @th,320,16 2 add @seen { ip saddr limit rate over 1/hour burst 1 packets } accept
        udp dport 500 @th,208,8 35 @th,320,16 2 drop; }
}
NFT
check "initiate with a lost fragment" xd ga initiate net
[ "$(counter ga retransmit_out)" -ge 1 ] || fail "nothing was lost"
check "ping" lab_ping 2
# a size that takes the whole message: nothing is cut
cut=$(counter ga fragment_out)
check "terminate" xd ga terminate --ike gw
nsx gb nft delete table ip lossy
for g in ga gb; do gw_conf $g "${small[@]}" conn='fragmentation = accept'; check "reload" xd $g reload; done
for g in ga gb; do nsx $g nft delete table ip narrow; done
check "initiate without cutting" xd ga initiate net
[ "$(counter ga fragment_out)" = "$cut" ] || fail "cut, though told not to"
