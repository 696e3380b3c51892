#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Every kind of identity that a pre-shared key can be chosen by, with strongSwan, called from either side.
. "$(dirname "$0")/../lib.sh"
swan_available || skip "strongSwan with kernel-libipsec is not installed"
test_lab "$@"
gw_conf ga; swan_conf gb
gw_up ga && swan_up gb || fail "gateways"
while read -r kind a b; do
    gw_conf ga; swan_conf gb
    sed -i "s/ga\.example/\"$a\"/; s/gb\.example/\"$b\"/" "$W/ga/swanctl.conf" "$W/gb/swanctl.conf"
    check "$kind: reload" xd ga reload
    check "$kind: load-all" swan gb --load-all --clear --file "$W/gb/swanctl.conf"
    check "$kind: we call" xd ga initiate net
    eventually 5 "$kind: ping" lab_ping 2
    check "$kind: terminate" xd ga terminate --ike gw
    check "$kind: they call" swan gb --initiate --child net --timeout 10
    eventually 5 "$kind: ping" lab_ping 2
    check "$kind: terminate" swan gb --terminate --ike gw --timeout 10
    eventually 5 "$kind: gone" ikes_is ga 0
done <<'IDS'
IPv4-address 192.0.2.1 192.0.2.2
IPv6-address 2001:db8::1 2001:db8::2
FQDN a.gateway.example b.gateway.example
e-mail ga@example.org gb@example.org
key-id @#0102030405a1 @#0102030405b2
IDS
# an identity that is not the one configured is refused, whoever has the key
sed -i 's/"@#0102030405b2"/"@#0102030405ff"/' "$W/ga/swanctl.conf"
check "reload" xd ga reload
refused "another identity" 'AUTH|identit' xd ga initiate net
