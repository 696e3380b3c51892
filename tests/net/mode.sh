#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Transport mode between the gateways' own addresses: negotiated, installed as such, traffic both ways, rekeyed; a peer that
# declines makes it a tunnel.
. "$(dirname "$0")/../lib.sh"
test_lab "$@"
mode_is() { [ "$(xd "$1" --json show sa | jq -r '[.[].children[]? | select(.state == "INSTALLED") | .mode | ascii_downcase][0]')" = "$2" ]; }
own_ping() { nsx ga ping -q -n -c 3 -i 0.05 -W 2 192.0.2.2 && nsx gb ping -q -n -c 3 -i 0.05 -W 2 192.0.2.1; }
for g in ga gb; do gw_conf $g localts=dynamic remotets=dynamic 'child=mode = transport'; done
gw_up ga && gw_up gb || fail "the gateways do not come up"
check "initiate" xd ga initiate net
check "transport mode at ga" mode_is ga transport
check "transport mode at gb" mode_is gb transport
esp=$(lab_wire esp)
check "traffic" own_ping
[ "$(lab_wire esp)" -gt "$esp" ] || fail "no ESP on the wire"
for g in ga gb; do
    check "$g rekeys" xd $g rekey net
    check "transport mode still" mode_is $g transport
    check "traffic" own_ping
done
check "nothing in clear" no_clear
gw_conf gb localts=dynamic remotets=dynamic
check "reload" xd gb reload
xd ga terminate --ike gw >/dev/null 2>&1
check "initiate" xd ga initiate net
check "the peer declines: a tunnel at ga" mode_is ga tunnel
check "a tunnel at gb" mode_is gb tunnel
check "said so" log_has ga agent 'declines transport mode'
check "traffic" own_ping
