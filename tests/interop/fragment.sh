#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# IKE fragments between strongSwan and xdpsec, both ways, on a path that carries no larger IKE packet.
. "$(dirname "$0")/../lib.sh"
swan_available || skip "strongSwan with kernel-libipsec is not installed"
command -v nft >/dev/null || skip "nft is not installed"
test_lab "$@"
SS_CHARON='fragment_size = 200'
gw_conf ga 'gw=ike { fragment_size = 200 }'; swan_conf gb
gw_up ga && swan_up gb || fail "gateways"
nsx ga nft -f - <<'NFT'
table ip narrow {
    counter out_large { }
    counter in_large { }
    chain out { type filter hook output priority 0; udp dport { 500, 4500 } ip length > 200 @th,208,8 != 34 counter name out_large drop; }
    chain in { type filter hook input priority 0; udp dport { 500, 4500 } ip length > 200 @th,208,8 != 34 counter name in_large drop; }
}
NFT
large() { nsx ga nft -j list counters | jq '[.nftables[].counter.packets // empty] | add'; }
check "we call" xd ga initiate net
eventually 5 "ping" lab_ping 2
check "their rekey of the IKE SA" swan gb --rekey --ike gw
eventually 5 "one IKE SA" ikes_is ga 1
check "our rekey of the IKE SA" xd ga rekey --ike gw
check "our rekey of the child" xd ga rekey net
eventually 5 "ping" lab_ping 2
check "terminate" xd ga terminate --ike gw
check "they call" swan gb --initiate --child net --timeout 10
eventually 5 "ping" lab_ping 2
[ "$(counter ga fragment_out)" -ge 3 ] || fail "we did not cut"
[ "$(counter ga fragment_in)" -ge 6 ] || fail "they did not cut"
[ "$(large)" = 0 ] || fail "larger packets"
check "their terminate" swan gb --terminate --ike gw --timeout 10

# certificates: keys of 4096 bits below an intermediate CA, on a path that carries IKE packets of 1280 bytes and no larger
swan_down gb
. tests/pki.sh
pki_init
pki_ca ca; pki_ca sub ca rsa:4096
pki_leaf ga-big rsa:4096 sub DNS:ga.example
pki_leaf gb-big rsa:4096 sub DNS:gb.example
pki_clear ga; pki_clear gb
pki_give ga key:ga-big cert:ga-big ca:ca ca:sub; pki_give gb key:gb-big cert:gb-big ca:ca ca:sub
gw_conf ga 'mine=auth = pubkey' 'theirs=auth = pubkey
 cacerts = ca.pem' 'conn=send_cert = always'
swan_conf gb 'mine=auth = pubkey' 'theirs=auth = pubkey
 cacerts = ca.pem' 'conn=fragmentation = yes
 send_cert = always'
nsx ga nft -f - <<'NFT'
delete table ip narrow
table ip narrow {
    counter out_large { }
    counter in_large { }
    chain out { type filter hook output priority 0; udp dport { 500, 4500 } ip length > 1280 @th,208,8 != 34 counter name out_large drop; }
    chain in { type filter hook input priority 0; udp dport { 500, 4500 } ip length > 1280 @th,208,8 != 34 counter name in_large drop; }
}
NFT
check "reload" xd ga reload
SS_CHARON='' swan_up gb || fail "strongSwan"
for caller in ours theirs; do
    out=$(counter ga fragment_out) in=$(counter ga fragment_in)
    if [ $caller = ours ]; then
        check "large chains, we call" xd ga initiate net
    else
        check "large chains, they call" swan gb --initiate --child net --timeout 10
    fi
    eventually 5 "ping" lab_ping 2
    # one message of ours was cut, three fragments of theirs came
    [ $(($(counter ga fragment_out) - out)) -ge 1 ] || fail "large chains, $caller: we did not cut"
    [ $(($(counter ga fragment_in) - in)) -ge 3 ] || fail "large chains, $caller: they did not cut"
    check "large chains, $caller: three of ours" log_has gb charon 'received fragment #[0-9] of [3-9], reassembled'
    [ "$(large)" = 0 ] || fail "larger packets"
    check "terminate" xd ga terminate --ike gw
done
