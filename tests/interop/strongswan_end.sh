#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What begins by itself and what ends without a word, with strongSwan: our traps and theirs, Child SAs closed by either
# side, either daemon killed, with every dpd_action. (restart of ours: strongswan_life.sh)
. "$(dirname "$0")/../lib.sh"
swan_available || skip "strongSwan with kernel-libipsec is not installed"
command -v nft >/dev/null || skip "nft is not installed"
test_lab "$@"
. tests/interop/both.sh
SS_CHARON='retransmit_timeout = 0.4
    retransmit_tries = 1'
QUICK='gw=ike { retransmit_timeout = 0.4
 retransmit_tries = 1 }'
gw_conf $US "$QUICK" && swan_conf $THEM && gw_up $US && swan_up $THEM || fail "gateways"
# a dead host says nothing; the kernel below a dead daemon does, and that would count as packets in clear
for ns in ga gb; do
    nsx $ns nft 'add table ip quiet; add chain ip quiet out { type filter hook output priority 0; }; add rule ip quiet out icmp type destination-unreachable drop' ||
        fail "nft"
done
policy_is() { [ "$(map_rows $US policy | jq -s -c 'map(.action)')" = "[$1]" ]; }
trap=4 # enum xs_action
a_packet() { nsx ha ping -q -n -c 1 -W 1 10.2.0.2 >/dev/null; }

# closed by one side, and another pair under the same IKE SA by either
set_both "one child after the other"
they_call "one child after the other"
for who in us them; do
    old=$(ike_spi $US)
    if [ $who = us ]; then check "we close the child" xd $US terminate --child net
    else check "they close the child" swan $THEM --terminate --child net --timeout 5; fi
    eventually 5 "no child on either side" pairs 1 0
    check "we make another" xd $US initiate net
    eventually 5 "one pair" pairs 1 1
    carries "another"
    check "they close it" swan $THEM --terminate --child net --timeout 5
    eventually 5 "no child on either side" pairs 1 0
    check "they make another" swan $THEM --initiate --child net --timeout 5
    eventually 5 "one pair" pairs 1 1
    carries "another"
    [ "$(ike_spi $US)" = "$old" ] || fail "another IKE SA"
done
end_all "one child after the other"

# our trap: a packet makes the tunnel; it is closed before, between and after, whoever ends it
set_both "our trap" "$QUICK" start=trap --
check "our trap" policy_is $trap
a_packet
eventually 5 "a packet brings the tunnel" pairs 1 1
carries "our trap"
while read -r who what; do
    case $who in
    us) check "we end the $what" xd $US terminate ${what:+--$what} "$([ "$what" = ike ] && echo gw || echo net)" ;;
    them) check "they end the $what" swan $THEM --terminate --"$what" "$([ "$what" = ike ] && echo gw || echo net)" --timeout 5 ;;
    esac
    eventually 5 "the trap is back" policy_is $trap
    a_packet
    eventually 5 "a packet brings another" pairs 1 1
    carries "our trap"
done <<'ROWS'
us child
them child
us ike
them ike
ROWS
end_all "our trap"
# theirs, which their user-space ESP knows only since 6.0: before, a packet is dropped, never sent in clear
set_both "their trap" "$QUICK" -- start=trap
nsx hb ping -q -n -c 2 -i 0.1 -W 1 10.1.0.2 >/dev/null
if grep -q 'triggering acquire' "$W/$THEM/charon.log"; then
    eventually 5 "a packet of theirs brings the tunnel" pairs 1 1
    carries "their trap"
    they_end "their trap"
else
    check "theirs is closed" pairs 0 0
fi
we_call "their trap"
carries "their trap"
they_end "their trap"
check "nothing in clear" no_clear

# strongSwan dies: clear forgets, trap waits for a packet
while read -r action start; do
    set_both "dpd_action = $action" "$QUICK" dpd=1s start=none "child=dpd_action = $action" --
    we_call "dpd_action = $action"
    carries "dpd_action = $action"
    kill -KILL "$(cat "$W/$THEM/charon.pid")"
    eventually 10 "$action: we notice" ikes_is $US 0
    [ $action = clear ] || check "$action: the trap is there" policy_is $trap
    [ $action = trap ] || check "$action: no policy is left" map_count_is $US policy 0
    swan_up $THEM || fail "strongSwan again"
    if [ $action = clear ]; then we_call "$action"; else a_packet; fi
    eventually 10 "$action: back" pairs 1 1
    carries "$action"
    end_all "$action"
done <<'ROWS'
clear
trap
ROWS

# xdpsec dies, agent and dataplane
for action in clear restart; do
    set_both "their dpd_action = $action" "$QUICK" -- dpd=1s "child=dpd_action = $action" 'conn=keyingtries = 0'
    they_call "their dpd_action = $action"
    carries "their dpd_action = $action"
    gw_kill $US agent KILL
    gw_kill $US dataplane KILL
    eventually 10 "$action: they notice" sh -c "grep -q 'giving up after 1 retransmits' $W/$THEM/charon.log"
    gw_unload $US
    gw_up $US || fail "xdpsec again"
    if [ $action = clear ]; then
        eventually 5 "clear: nothing is left" pairs 0 0
        they_call clear
    fi
    eventually 20 "$action: back" pairs 1 1
    carries "$action"
    end_all "$action"
    : >"$W/$THEM/charon.log"
done
# and our agent alone: what it had is adopted or made anew, and the peer's SA is replaced
set_both "our agent dies" "$QUICK" --
gw_conf $US "$QUICK" start=start # once the peer has its side: it refuses whom it does not know
check "our agent dies: start" xd $US reload
eventually 5 "up" pairs 1 1
old=$(ike_spi $US)
gw_kill $US agent KILL
gw_agent $US || fail "agent"
eventually 10 "one pair again" pairs 1 1
[ "$(ike_spi $US)" != "$old" ] || fail "the same IKE SA"
carries "our agent dies"
