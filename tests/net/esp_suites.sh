#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Every family of ESP algorithms from proposal to packet between two xdpsec; ESN by order; the tag cut to 96 bits.
. "$(dirname "$0")/../lib.sh"
test_lab "$@"
suites() {
    cat <<'LIST'
aes256gcm8
aes128gcm12
chacha20poly1305
aes128ccm16
aes256ccm8-esn
aes192ccm12
aes128ctr-sha256
aes256ctr-aesxcbc-esn
aes192-sha384
aes128-aescmac
aes256-sha1
aes128gmac
aes256gmac-esn
null-sha256
LIST
}
both() { # ESP proposal of ga, of gb, more for both
    gw_conf ga "esp=$1" "${@:3}"
    gw_conf gb "esp=$2" "${@:3}"
    check "reload" xd ga reload
    check "reload" xd gb reload
}
esp() { xd ga --json show sa | jq -e ".[0].children[0] | $1" >/dev/null; }
gw_conf ga; gw_conf gb
gw_up ga && gw_up gb || fail "gateways"
while read -r esp; do
    both "$esp" "$esp"
    check "$esp: initiate" xd ga initiate net
    check "$esp: ping" lab_ping 3
    check "$esp: ping back" lab_ping_back 3
    check "$esp: new keys" xd ga rekey net
    check "$esp: ping" lab_ping 3
    check "$esp: terminate" xd ga terminate --ike gw
done < <(suites)
# both kinds of numbers: who calls prefers, one of the two that has no choice decides
while read -r ours theirs esn; do
    both "aes128gcm16-$ours" "aes128gcm16-$theirs"
    check "$ours, $theirs: initiate" xd ga initiate net
    check "$ours, $theirs: ESN $esn" esp ".esn == $esn"
    check "$ours, $theirs: ping" lab_ping 3
    check "$ours, $theirs: terminate" xd ga terminate --ike gw
done <<'LIST'
esn-noesn esn-noesn true
noesn-esn noesn-esn false
esn-noesn noesn false
noesn-esn esn true
esn esn-noesn true
LIST
both aes128gcm16-esn aes128gcm16-noesn
refused "nothing in common" 'NO_PROPOSAL_CHOSEN' xd ga initiate net
# sha256_96 is not negotiated: only packets tell
both aes128-sha256 aes128-sha256 'child=sha256_96 = yes'
check "cut to 96 bits: initiate" xd ga initiate net
check "cut to 96 bits: ping" lab_ping 3
check "cut to 96 bits: terminate" xd ga terminate --ike gw
gw_conf gb esp=aes128-sha256
check "reload" xd gb reload
check "on one side only: initiate" xd ga initiate net
lab_ping 1 && fail "packets with different tags passed"
# four bytes are missing, so what is left is no whole blocks
refused_there() { [ "$(drops gb runt)" -gt 0 ]; }
eventually 5 "the short tag is counted" refused_there
check "nothing in clear" no_clear
# weak ones, on gateways that were started with the switch
for g in ga gb; do
    gw_conf $g 'gw=ike { legacy = yes }'
    gw_kill $g agent
    gw_agent $g || fail "agent"
done
for esp in 3des-md5 blowfish256-sha1 cast128-sha256; do
    both $esp $esp 'gw=ike { legacy = yes }'
    check "$esp: initiate" xd ga initiate net
    check "$esp: ping" lab_ping 3
    check "$esp: terminate" xd ga terminate --ike gw
done
