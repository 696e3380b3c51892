#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# strongSwan calls xdpsec: every suite, cookies, traffic, and an answer that says why it refuses.
. "$(dirname "$0")/../lib.sh"
swan_available || skip "strongSwan with kernel-libipsec is not installed"
test_lab "$@"
. tests/interop/suites.sh
gw_conf ga 'gw=ike { cookie_threshold = always }'; swan_conf gb
gw_up ga && swan_up gb || fail "gateways"
while read -r ike esp pfs; do
    gw_conf ga "ike=$ike" "esp=$esp" 'gw=ike { cookie_threshold = always }'
    swan_conf gb "ike=$ike" "esp=$esp"
    check "reload" xd ga reload
    check "load-conns" swan gb --load-conns --file "$W/gb/swanctl.conf"
    check "$ike $esp: initiate" swan gb --initiate --child net --timeout 10
    eventually 5 "$ike $esp: ping" lab_ping 3
    check "$ike $esp: terminate" swan gb --terminate --ike gw --timeout 10
    eventually 5 "$ike $esp: gone" ikes_is ga 0
done < <(suites)
[ "$(counter ga cookie_sent)" -gt 0 ] || fail "no cookie was asked for"
# INVALID_KE_PAYLOAD: their first group is not ours
swan_conf gb ike=aes128-sha256-modp2048-x25519 esp=aes128gcm16
gw_conf ga ike=aes128-sha256-x25519 esp=aes128gcm16 'gw=ike { cookie_threshold = always }'
check "reload" xd ga reload
check "load-conns" swan gb --load-conns --file "$W/gb/swanctl.conf"
check "another group" swan gb --initiate --child net --timeout 10
eventually 5 "ping" lab_ping 3
check "terminate" swan gb --terminate --ike gw --timeout 10
# nothing in common, wrong selectors, wrong secret
swan_conf gb ike=aes256-sha512-modp3072 esp=aes128gcm16
check "load-conns" swan gb --load-conns --file "$W/gb/swanctl.conf"
refused "no proposal" 'NO_PROPOSAL_CHOSEN|NO_PROP' swan gb --initiate --child net --timeout 10
swan_conf gb ike=aes128-sha256-x25519 esp=aes128gcm16 localts=10.77.0.0/24
check "load-conns" swan gb --load-conns --file "$W/gb/swanctl.conf"
refused "no selectors" 'TS_UNACC' swan gb --initiate --child net --timeout 10
check "terminate" swan gb --terminate --ike gw --timeout 10
swan_conf gb ike=aes128-sha256-x25519 esp=aes128gcm16 'secret=a wrong one in this test'
check "load-all" swan gb --load-all --clear --file "$W/gb/swanctl.conf"
refused "wrong secret" 'AUTH' swan gb --initiate --child net --timeout 10
check "we say why" log_has ga agent 'AUTH|authentication'
grep -q 'a wrong one' "$W"/ga/*.log && fail "a secret is in our log"
check "no SA is left" ikes_is ga 0
