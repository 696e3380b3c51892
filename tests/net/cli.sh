#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The command line: the real outcome, exit codes, text and JSON.
. "$(dirname "$0")/../lib.sh"
test_lab "$@"
gw_conf ga; gw_conf gb
gw_up ga && gw_up gb || fail "gateways"
refused "unknown child" 'nosuch' xd ga initiate nosuch
refused "rekey without SA" 'net' xd ga rekey net
"$BUILD/xdpsec" -s "$W/ga/run/xdpsecd.vici" --json monitor >"$W/events" &
monitor=$!
check "initiate" xd ga initiate net
check "initiate what is up" xd ga initiate net
check "still one child" children_is ga 1
for what in sa policy conn drop plane counters algorithms; do
    check "show $what" xd ga show $what
    check "show $what --json" sh -c "$BUILD/xdpsec -s $W/ga/run/xdpsecd.vici --json show $what | jq -e ."
done
alg() { xd ga --json show algorithms | jq -e ".[] | select(.keyword == \"$1\") | $2" >/dev/null; }
check "an AEAD of both, in an engine" alg aes128gcm16 \
    '.ike and .esp and .aead and .available and .id == 20 and .key_bits == 128 and (.engines | index("openssl") != null)'
check "a PRF is in no engine" alg prfsha256 '.ike and (.esp | not) and .engines == null'
check "weak ones are off" alg 3des '.legacy and (.available | not) and .why_not == "legacy = no"'
check "GMAC is for ESP" alg aes128gmac '.esp and (.ike | not)'
check "no keyword twice" sh -c "$BUILD/xdpsec -s $W/ga/run/xdpsecd.vici --json show algorithms |
    jq -e '[.[].keyword] | length == (unique | length) and length > 70'"
check "status" xd ga status
check "show sa names the engine" sh -c "$BUILD/xdpsec -s $W/ga/run/xdpsecd.vici show sa | grep -q dataplane"
check "rekey" xd ga rekey net
check "terminate the child" xd ga terminate --child net
eventually 5 "the peer has none" children_is gb 0
check "the IKE SA stays" ikes_is ga 1
check "the child again" xd ga initiate net
check "ping" lab_ping 2
check "terminate" xd ga terminate --ike gw
eventually 5 "gone" ikes_is gb 0
check "no rows" map_count_is ga sa_out 0
check "no policies" map_count_is ga policy 0
kill $monitor; wait $monitor
check "monitor saw the child" grep -q 'child' "$W/events"
# a peer that is not there: the time-out is the outcome
gw_kill gb agent KILL
sed -i 's/xdpsec {/xdpsec {\n ike { retransmit_tries = 1\n retransmit_timeout = 0.3 }/' "$W/ga/xdpsec.conf"
gw_kill ga agent; gw_agent ga
refused "no answer" 'time|answer' xd ga initiate net
check "no half-open SA left" sh -c "$BUILD/xdpsec -s $W/ga/run/xdpsecd.vici --json show sa | jq -e 'length == 0'"
