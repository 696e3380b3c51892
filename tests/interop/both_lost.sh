#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# xdpsec and strongSwan want the same thing at the same time (RFC 7296 2.8.1, 2.8.2, 2.25): both requests are lost once,
# so that their retransmissions cross: new keys, ends, and calls of both. Each time one IKE SA and one pair is left, and
# traffic goes on. (What arrives while only one side is deaf: collision.sh.)
. "$(dirname "$0")/../lib.sh"
swan_available || skip "strongSwan with kernel-libipsec is not installed"
test_lab "$@"
. tests/interop/both.sh
SS_CHARON='retransmit_timeout = 0.5
    retransmit_tries = 8
    retransmit_base = 1.0'
SHORT='gw=ike { retransmit_timeout = 0.5
 retransmit_tries = 8
 retransmit_base = 1.0 }'
gw_conf $US "$SHORT" && swan_conf $THEM && gw_up $US && swan_up $THEM || fail "gateways"
# IKE of both ways goes nowhere: behind the four bytes of zeroes that distinguish it from ESP (RFC 7296 3.1)
hold() {
    local end
    for end in toa tob; do
        nsx wan tc filter add dev $end ingress prio 5 protocol ip u32 match ip protocol 17 0xff match u32 0 0xffffffff at 28 \
            action mirred egress redirect dev hole &&
            nsx wan tc filter add dev $end ingress prio 6 protocol ip u32 match ip protocol 17 0xff match ip dport 500 0xffff \
                action mirred egress redirect dev hole || fail "tc"
    done
}
held() { nsx wan tc -s -j filter show dev $1 ingress | jq '[.[] | select(.pref == 5 or .pref == 6) | .options.actions[]?.stats.packets // 0] | add // 0'; }
both_held() { [ "$(held toa)" -gt 0 ] && [ "$(held tob)" -gt 0 ]; }
let_go() {
    local end
    for end in toa tob; do
        nsx wan tc filter del dev $end ingress prio 5
        nsx wan tc filter del dev $end ingress prio 6
    done
}
# cross NAME OURS -- THEIRS: both commands begin, both requests are lost, then both arrive
cross() {
    local name=$1 ours=() ids
    shift
    while [ "$1" != -- ]; do ours+=("$1"); shift; done
    shift
    hold
    xd $US "${ours[@]}" >"$W/ours.out" 2>&1 & ids=$!
    swan $THEM "$@" >"$W/theirs.out" 2>&1 & ids="$ids $!"
    eventually 5 "$name: both ask" both_held
    let_go
    # shellcheck disable=SC2086
    wait $ids

}
# unique: when one call is through before we hear of the other, only the peer knows that they crossed
set_both "collisions" "$SHORT" 'conn=unique = replace' --
we_call "collisions"
carries "collisions"
for i in 1 2 3; do
    cross "new keys of the child" rekey net -- --rekey --child net
    eventually 10 "one pair" pairs 1 1
    carries "new keys of the child"
done
cross "new keys of the IKE SA" rekey --ike gw -- --rekey --ike gw
eventually 10 "one pair" pairs 1 1
carries "new keys of the IKE SA"
for i in 1 2 3; do
    cross "end of the IKE SA on both sides" terminate --ike gw -- --terminate --ike gw --timeout 5
    gone "end of the IKE SA on both sides"
    cross "a call of both" initiate net -- --initiate --child net --timeout 10
    eventually 10 "one came through" pairs 1 1
    carries "a call of both"
done
# who hears the other's request while its own is under way sees the collision; that depends on whose is sent again first
collided() { grep -qiE 'collision' "$W/$US/agent.log" "$W/$THEM/charon.log"; }
check "they did collide" collided
check "the wire was never in clear" no_clear
