#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Reauthentication under a numbered stream: make before break loses nothing, from either side, by command, by
# swanctl and by time. Break before make closes what it protected and brings it again.
. "$(dirname "$0")/../lib.sh"
test_lab "$@"
ike_id() { xd "$1" --json show sa | jq -r '[.[] | select(.state == "ESTABLISHED") | .id] | max'; }
younger() { [ "$(ikes "$1")" = 1 ] && [ "$(ike_id "$1")" -gt "$2" ]; }
make='gw=ike { make_before_break = yes }'
pair_up "$make"
lab_udp 200 2000 7 >"$W/stream" &
stream=$!
sleep 0.3 # the stream runs before the first of them
for g in ga gb ga gb; do
    before=$(ike_spi $g)
    check "$g reauthenticates" xd $g reauth gw
    eventually 10 "one IKE SA at $g" ikes_is $g 1
    eventually 10 "one child at $g" children_is $g 1
    [ "$(ike_spi $g)" != "$before" ] || fail "the same IKE SA"
done
command -v swanctl >/dev/null && check "swanctl --reauth" sw ga --rekey --ike gw --reauth
wait $stream
jq . "$W/stream"
check "no packet lost" jq -e '.lost == 0 and .sent > 1000' "$W/stream"
check "none doubled" jq -e '.duplicate == 0' "$W/stream"
refused "a child cannot be" 'IKE SA' xd ga reauth --child net
refused "what is not there" 'no matching' xd ga reauth nothing

# by time
gw_conf ga "$make" 'conn=reauth_time = 4s
 rand_time = 1s'
check "reload" xd ga reload
eventually 5 "closed" ikes_is ga 0
check "initiate" xd ga initiate net
was=$(ike_id ga)
eventually 10 "another IKE SA by itself" younger ga "$was"
check "ping" lab_ping 3

# break before make
gw_conf ga; gw_conf gb
xd ga flush >/dev/null
gw_kill ga agent; gw_agent ga || fail "ga again"
xd ga initiate net >/dev/null
check "ping" lab_ping 3
check "break before make" xd ga reauth gw
check "said so" log_has ga agent 'break before make'
check "ping" lab_ping 3
check "nothing in clear" no_clear
