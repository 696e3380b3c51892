#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# With strongSwan: reauthentication and close by either side, narrowing both ways, and strongSwan killed.
. "$(dirname "$0")/../lib.sh"
swan_available || skip "strongSwan with kernel-libipsec is not installed"
test_lab "$@"
reconf() { # ga's values -- gb's values
    local ours=() theirs=()
    while [ "$1" != -- ]; do ours+=("$1"); shift; done
    shift
    theirs=("$@")
    gw_conf ga "${ours[@]}"; swan_conf gb "${theirs[@]}"
    xd ga flush >/dev/null
    swan gb --terminate --ike gw --force >/dev/null 2>&1
    check "reload" xd ga reload
    check "load-conns" swan gb --load-conns --file "$W/gb/swanctl.conf"
}
ts_of() { xd ga --json show sa | jq -r '[.[].children[] | select(.state == "INSTALLED") | (.local_ts | join(" ")) + " " + (.remote_ts | join(" "))][0]'; }
theirs() { swan gb --list-sas | grep -cE 'INSTALLED'; }
one() { [ "$(ikes ga)" = 1 ] && [ "$(children ga)" = 1 ] && [ "$(theirs)" = 1 ]; }
gw_conf ga; swan_conf gb
gw_up ga && swan_up gb || fail "gateways"

for mbb in yes no; do
    make="gw=ike { make_before_break = $mbb }"
    reconf "$make" --
    check "initiate" xd ga initiate net
    eventually 5 "ping" lab_ping 2
    old=$(ike_spi ga)
    check "make before break $mbb: we reauthenticate" xd ga reauth gw
    eventually 10 "one pair" one
    [ "$(ike_spi ga)" != "$old" ] || fail "the same IKE SA"
    eventually 5 "ping" lab_ping 3
done
reconf --
check "they initiate" swan gb --initiate --child net --timeout 10
old=$(ike_spi ga)
check "they reauthenticate" swan gb --rekey --ike gw --reauth
eventually 15 "another IKE SA" sh -c "[ \"\$($BUILD/xdpsec -s $W/ga/run/xdpsecd.vici --json show sa | jq -r '[.[]|select(.state==\"ESTABLISHED\")|.spi_i][0]')\" != $old ]"
eventually 15 "one pair" one
eventually 5 "ping" lab_ping 3

check "they close" swan gb --terminate --ike gw --timeout 10
eventually 5 "gone here" ikes_is ga 0
check "initiate" xd ga initiate net
check "we close the child" xd ga terminate --child net
eventually 5 "gone there" sh -c "[ \$(STRONGSWAN_CONF=$W/gb/strongswan.conf swanctl --list-sas --uri unix://$W/gb/vici | grep -c INSTALLED) = 0 ]"
check "and again under the same IKE SA" xd ga initiate net
eventually 5 "ping" lab_ping 3

# narrowing: the wider side is ours, theirs, and both overlap
while read -r who our_l our_r their_l their_r want; do
    reconf "localts=$our_l" "remotets=$our_r" -- "localts=$their_l" "remotets=$their_r"
    if [ "$who" = we ]; then check "narrowed, we call" xd ga initiate net
    else check "narrowed, they call" swan gb --initiate --child net --timeout 10; fi
    check "selectors: ${want/|/ }" test "$(ts_of)" = "${want/|/ }"
    eventually 5 "ping" lab_ping 2
    check "rekey" xd ga rekey net
    check "the same selectors: ${want/|/ }" test "$(ts_of)" = "${want/|/ }"
    eventually 5 "ping" lab_ping 2
done <<'ROWS'
we 10.1.0.0/16 10.2.0.0/16 10.2.0.0/24 10.1.0.0/24 10.1.0.0/24|10.2.0.0/24
they 10.1.0.0/16 10.2.0.0/16 10.2.0.0/24 10.1.0.0/24 10.1.0.0/24|10.2.0.0/24
we 10.1.0.0/24 10.2.0.0/24 10.0.0.0/8 10.0.0.0/8 10.1.0.0/24|10.2.0.0/24
they 10.1.0.0/24 10.2.0.0/24 10.0.0.0/8 10.0.0.0/8 10.1.0.0/24|10.2.0.0/24
we 10.1.0.0-10.1.0.99 10.2.0.0/24 10.2.0.0/24 10.1.0.0/24 10.1.0.0-10.1.0.99|10.2.0.0/24
they 10.1.0.0/24 10.2.0.0/24[icmp] 10.2.0.0/24 10.1.0.0/24[icmp] 10.1.0.0/24[icmp]|10.2.0.0/24[icmp]
ROWS

check "nothing in clear" no_clear
# killed without a word: found by dpd_delay, and called again
reconf dpd=1s 'gw=ike { retransmit_tries = 1
 retransmit_timeout = 0.4 }' 'conn=keyingtries = 0' 'child=dpd_action = restart' --
check "initiate" xd ga initiate net
eventually 5 "ping" lab_ping 2
kill -KILL "$(cat "$W/gb/charon.pid")"
eventually 10 "strongSwan's death is noticed" children_is ga 0
swan_up gb || fail "strongSwan again"
eventually 30 "the tunnel is back" children_is ga 1
eventually 5 "ping" lab_ping 3
