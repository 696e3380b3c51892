#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Every family of IKE algorithms with strongSwan: negotiation, keys by every PRF, a rekey of the IKE SA under
# them (RFC 7296 2.18), and a second call from the other side. Then the weak ones, with the switch.
. "$(dirname "$0")/../lib.sh"
swan_available || skip "strongSwan with kernel-libipsec is not installed"
export SS_PLUGINS='xcbc cmac chapoly md5'
test_lab "$@"
. tests/interop/suites.sh
algorithms() {
    cat <<'LIST'
chacha20poly1305-prfsha256-x25519
aes256ccm16-prfsha384-x448
aes128ccm8-prfsha256-ecp256bp
aes192ccm12-prfsha512-ecp384bp
aes128gcm8-prfsha1-ecp224
aes256gcm12-prfaesxcbc-ecp521
aes128ctr-sha256-x25519
aes256ctr-aesxcbc-prfaescmac-ecp192
aes128-aesxcbc-x25519
aes192-aescmac-ecp512bp
aes256-sha1-modp3072
aes128-sha384-modp8192
aes128-sha512-prfsha1-modp6144
LIST
}
weak() {
    cat <<'LIST'
3des-md5-modp1024
aes128-md5-prfsha256-modp768
blowfish256-sha1-modp1536
LIST
}
one_suite() {
    suite "$1" aes128gcm16 -
    check "$1: initiate" xd ga initiate net
    eventually 5 "$1: ping" lab_ping 3
    check "$1: rekey of the IKE SA" xd ga rekey --ike gw
    check "$1: terminate" xd ga terminate --ike gw
    check "$1: their call" swan gb --initiate --child net --timeout 10
    check "$1: their delete" swan gb --terminate --ike gw --timeout 10
    eventually 5 "$1: gone" ikes_is ga 0
}
gw_conf ga; swan_conf gb
gw_up ga && swan_up gb || fail "gateways"
while read -r ike; do one_suite "$ike"; done < <(algorithms)
# weak ones: refused with the name of the switch, taken with it
gw_conf ga ike=3des-sha1-modp1024
refused "weak" 'legacy = yes' xd ga reload
gw_conf ga 'gw=ike { legacy = yes }'
check "stop" gw_down ga
gw_up ga || fail "gateway"
while read -r ike; do
    gw_conf ga "ike=$ike" 'gw=ike { legacy = yes }'
    swan_conf gb "ike=$ike"
    check "reload" xd ga reload
    check "load-conns" swan gb --load-conns --file "$W/gb/swanctl.conf"
    check "$ike: initiate" xd ga initiate net
    check "$ike: terminate" xd ga terminate --ike gw
done < <(weak)
check "offers are warned about" log_has ga agent 'proposals offers 3DES_CBC, which is weak'
check "SAs are warned about" log_has ga agent 'is protected by BLOWFISH_CBC_256, which is weak'
