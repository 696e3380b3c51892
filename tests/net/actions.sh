#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What follows when the peer is gone or says good-bye: dpd_action and close_action, each of them; keyingtries;
# initiator_only switched while it runs; a rekey that the peers' PFS policies make impossible is reported as such.
. "$(dirname "$0")/../lib.sh"
test_lab "$@"
actions() { map_rows ga policy | jq -s -c 'map(.action)'; }
trap=4
fast='gw=ike { retransmit_tries = 1
 retransmit_timeout = 0.3
 retransmit_base = 1 }'
gw_conf ga && gw_conf gb && gw_up ga && gw_up gb || fail "the gateways do not come up"

for action in clear trap restart; do
    gw_conf ga "$fast" dpd=1s "conn=keyingtries = 0" "child=dpd_action = $action"
    check "$action: reload" xd ga reload
    check "$action: initiate" xd ga initiate net
    check "$action: ping" lab_ping 2
    gw_kill gb agent KILL; gw_kill gb dataplane KILL
    eventually 10 "$action: the dead peer is noticed" children_is ga 0
    case $action in
    clear) check "clear: no policy is left" test "$(actions)" = "[]" ;;
    *) check "$action: what was protected is closed" test "$(actions)" = "[$trap]" ;;
    esac
    gw_unload gb
    gw_up gb || fail "gb again"
    case $action in
    clear) check "clear: nothing comes back" children_is ga 0 ;;
    trap) nsx ha ping -q -n -c 1 -W 1 10.2.0.2 >/dev/null
        eventually 10 "trap: the next packet brings it" children_is ga 1 ;;
    restart) eventually 20 "restart: called for ever, it is back" children_is ga 1 ;;
    esac
    xd ga flush >/dev/null; xd gb flush >/dev/null
done

for action in none trap start; do
    gw_conf ga "child=close_action = $action"
    check "$action: reload" xd ga reload
    for what in --child --ike; do
        xd ga initiate net >/dev/null
        check "$action: ping" lab_ping 2
        old=$(spi_out ga)
        check "$action: the peer closes $what" xd gb terminate $what "$([ $what = --ike ] && echo gw || echo net)"
        case $action in
        none) check "none: no policy is left" test "$(actions)" = "[]" ;;
        trap) check "trap: closed" test "$(actions)" = "[$trap]"
            nsx ha ping -q -n -c 1 -W 1 10.2.0.2 >/dev/null
            eventually 10 "trap: the next packet brings it" children_is ga 1 ;;
        start) eventually 10 "start: it is back" children_is ga 1
            [ "$(spi_out ga)" != "$old" ] || fail "the same SA" ;;
        esac
    done
    xd ga flush >/dev/null; xd gb flush >/dev/null
done

check "set" xd ga set ike initiator-only yes
refused "nobody calls" 'not established|no answer' xd gb initiate net -t 1
check "said so" test "$(counter ga initiator_only)" -gt 0
check "we do" xd ga initiate net
xd ga flush >/dev/null; xd gb flush >/dev/null
check "set back" xd ga set ike initiator-only no
check "now they may" xd gb initiate net
refused "a key that is none" 'unknown key' xd ga set ike initiate-only no
refused "a value that is none" 'must be' xd ga set ike initiator-only perhaps
refused "a port" 'started again' xd ga set ike port 501

# corner 19: it establishes, and cannot be rekeyed; the command says so
xd ga flush >/dev/null; xd gb flush >/dev/null
gw_conf ga esp=aes128gcm16-x25519; gw_conf gb esp=aes128gcm16
check "reload" xd ga reload
check "reload" xd gb reload
check "initiate" xd ga initiate net
refused "the rekey is reported as it went" 'NO_PROPOSAL_CHOSEN' xd ga rekey net
xd ga rekey net >/dev/null 2>&1
[ $? = 1 ] || fail "exit status of a refused rekey"
check "why, at the peer" log_has gb agent 'PFS|key exchange'
refused "from the other side" 'NO_PROPOSAL_CHOSEN' xd gb rekey net
check "the old one works on" lab_ping 3
