#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A NAT between the gateways, all of it IPv6 (NAT66): detection, the float to 4500, ESP in UDP over IPv6 with
# checksums that a NAT may touch, rekeys, and a mapping that changes.
. "$(dirname "$0")/../lib.sh"
[ "$(id -u)" = 0 ] || skip "needs root"
LAB_NAT=1 LAB_OUTER=6 LAB_INNER=46
test_lab "$@"
nsx wan nft list ruleset >/dev/null 2>&1 || skip "nft does not work here"
gw_conf ga 'gw=ike { keep_alive = 1s }'; gw_conf gb
gw_up ga && gw_up gb || fail "gateways"
check "initiate" xd ga initiate net
check "ping6" lab_ping6 3
check "ping back" lab_ping_back 3
xd ga --json show sa | jq -e '.[0].nat_local == true' >/dev/null || fail "ga does not know that it is behind a NAT"
xd gb --json show sa | jq -e '.[0].nat_remote == true' >/dev/null || fail "gb does not know that its peer is behind a NAT"
for g in ga gb; do
    check "$g rekeys the child" xd $g rekey net
    check "ping6" lab_ping6 3
    check "$g rekeys the IKE SA" xd $g rekey --ike gw
    check "ping6 back" lab_ping6_back 3
done
remote_is() { xd gb --json show sa | jq -e --arg a "$1" '.[0].remote_host == $a'; }
check "gb sees the NAT's address" remote_is 2001:db8:fe::254
nsx wan ip addr del 2001:db8:fe::254/64 dev tob
nsx wan ip addr add 2001:db8:fe::253/64 dev tob
check "traffic from inside" lab_wait 5 lab_ping6 1
eventually 5 "gb follows the new mapping" remote_is 2001:db8:fe::253
eventually 5 "traffic from outside" lab_ping6_back 1
