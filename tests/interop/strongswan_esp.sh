#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Every ESP algorithm that strongSwan's user-space ESP has: traffic, new keys by either side (with PFS where the
# proposal has a group), called and ended from either side. Then what it has not, and proposals without an overlap.
. "$(dirname "$0")/../lib.sh"
swan_available || skip "strongSwan with kernel-libipsec is not installed"
export SS_PLUGINS='xcbc cmac chapoly null'
test_lab "$@"
. tests/interop/both.sh
both_up
their_rekey() { # name
    local spi
    spi=$(spi_out $US)
    check "$1: they rekey" swan $THEM --rekey --child net
    eventually 5 "$1: other keys" other_spi "$spi"
    eventually 5 "$1: one pair" pairs 1 1
}
other_spi() { local s; s=$(spi_out $US); [ "$s" != null ] && [ "$s" != "$1" ]; }
while read -r esp; do
    set_both "$esp" "esp=$esp"
    we_call "$esp"; carries "$esp"
    check "$esp: we rekey" xd $US rekey net
    carries "$esp"; we_end "$esp"
    they_call "$esp"; carries "$esp"; their_rekey "$esp"; carries "$esp"; they_end "$esp"
done <<'LIST'
aes128gcm16
aes192gcm16-ecp256
aes256gcm16-x25519
aes256gcm12
aes128gcm8-modp2048
aes128ccm16
aes192ccm12-ecp384
aes256ccm8
chacha20poly1305-x448
aes128-sha1
aes192-sha256-ecp521
aes256-sha384
aes256-sha512-modp3072
aes128-aesxcbc
aes128-aescmac-ecp256bp
aes128ctr-sha256
aes256ctr-sha512
null-sha256
default
LIST
# PFS that the peers do not share shows when the Child SA is rekeyed, and the old one goes on
set_both "PFS here alone" esp=aes128gcm16-ecp256 -- esp=aes128gcm16
we_call "PFS here alone"
refused "our rekey is refused" 'NO_PROPOSAL_CHOSEN' xd $US rekey net
check "the pair stays" pairs 1 1
carries "PFS here alone"
# swanctl says that it went well; SAs tell the truth
spi=$(spi_out $US)
swan $THEM --rekey --child net >/dev/null 2>&1
check "we refuse theirs, and say so" lab_wait 5 log_has $US agent 'no acceptable ESP proposal for CHILD_SA net: only the key exchange'
[ "$(spi_out $US)" = "$spi" ] || fail "other keys"
eventually 5 "the pair stays" pairs 1 1
carries "PFS here alone"
we_end "PFS here alone"
set_both "optional PFS" esp=aes128gcm16-ecp256-none -- esp=aes128gcm16
we_call "optional PFS"
check "our rekey" xd $US rekey net
their_rekey "optional PFS"
carries "optional PFS"
we_end "optional PFS"

# nothing in common
set_both "other ESP algorithms" esp=aes256gcm16 -- esp=aes128-sha256
refusal "other ESP algorithms" 1 'NO_PROPOSAL_CHOSEN' 'NO_PROPOSAL_CHOSEN'
set_both "other IKE algorithms" ike=aes256-sha256-x25519 -- ike=aes128-sha512-modp3072
refusal "other IKE algorithms" 0 'NO_PROPOSAL_CHOSEN' 'NO_PROPOSAL_CHOSEN'
# what their ESP cannot do they negotiate and then take back
not_theirs() { # name, proposal
    set_both "$1" "esp=$2"
    case $(swan $THEM --version --daemon) in
    *' 5.'*) refusal "$1" 1 'NO_PROPOSAL_CHOSEN' 'failed to create SAD entry' ;;
    *) # 6.0.1 answers our call without its identity and AUTH: no IKE SA of ours can come of that
        refused "$1: we call" 'NO_PROPOSAL_CHOSEN' xd $US initiate net
        check "$1: no SA here" ikes_is $US 0
        swan $THEM --terminate --ike gw --force >/dev/null 2>&1
        refused "$1: they call" 'failed to create SAD entry' swan $THEM --initiate --child net --timeout 10
        end_all "$1"
        ;;
    esac
}
not_theirs "ESN" aes128gcm16-esn
set_both "ESN or not" esp=aes128gcm16-noesn-esn
both_call "ESN or not"
not_theirs "GMAC" aes128gmac
