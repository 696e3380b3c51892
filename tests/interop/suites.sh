# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# IKE proposal, ESP proposal, ESP proposal with PFS for rekeying (or -)
suites() {
    cat <<'LIST'
aes128gcm16-prfsha256-x25519 aes128gcm16 -
aes256gcm16-prfsha384-ecp384 aes256gcm16 -
aes128-sha256-ecp256 aes128-sha256 -
aes256-sha384-prfsha384-modp2048 aes256-sha256 -
aes256-sha512-modp3072 aes256gcm16 -
aes256-sha256-x25519 aes128-sha256 -
LIST
}

# Both sides with one suite: xdpsec reloaded, strongSwan's connections loaded anew.
suite() {
    local esp=$2
    [ "$3" = - ] || esp=$3
    gw_conf ga "ike=$1" "esp=$esp"
    swan_conf gb "ike=$1" "esp=$esp"
    check "reload" xd ga reload
    check "load-conns" swan gb --load-conns --file "$W/gb/swanctl.conf"
}
spi_other() { local s; s=$(spi_out "$1"); [ "$s" != null ] && [ "$s" != "$2" ]; }
