#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A capture of a whole life, read with the keys that `show sa --with-keys` gives: by decode, and by tshark where there is one.
. "$(dirname "$0")/../lib.sh"
test_lab "$@"
command -v tcpdump >/dev/null || skip "tcpdump is not installed"
gw_conf ga 'gw=ike { fragment_size = 200 }'; gw_conf gb 'gw=ike { fragment_size = 200 }'
gw_up ga && gw_up gb || fail "gateways"
nsx wan tcpdump -U -i toa -w "$W/life.pcap" 'udp or esp' 2>"$W/tcpdump.log" &
dump=$!
lab_on_exit "kill $dump 2>/dev/null; test_end"
lab_wait 5 grep -q listening "$W/tcpdump.log" || fail "tcpdump"
check "initiate" xd ga initiate net
check "rekey of the child" xd gb rekey net
check "ping" lab_ping 2
check "keys" xd ga show sa --with-keys
xd ga show sa --with-keys >"$W/keys"
xd gb show sa --with-keys >"$W/keys.gb"
diff "$W/keys" "$W/keys.gb" >/dev/null || fail "the two sides have different keys"
check "the log says who asked" log_has ga agent 'keys of the IKE SAs shown to uid 0 pid [0-9]+'
spi=$(ike_spi ga)
check "delete" xd ga terminate --ike gw
captured() { [ "$("$BUILD/xdpsec" --json decode "$W/life.pcap" | jq -s '[.[] | select(.ike.exchange == "INFORMATIONAL" and .ike.response)] | length')" -ge 2 ]; }
eventually 5 "all is captured" captured
kill $dump
"$BUILD/xdpsec" decode "$W/life.pcap" --keys "$W/keys" >"$W/life"
says() { grep -qE -- "$1" "$W/life"; }
for what in 'IKE_SA_INIT request 0 of the initiator' 'proposal 1 IKE: ENCR AES_GCM_16_128, PRF PRF_HMAC_SHA2_256, KE CURVE_25519' \
    'SKF fragment 1 of [2-9]' 'all [2-9] fragments together' 'IDi ID_FQDN ga.example' 'IDr ID_FQDN gb.example' 'AUTH shared key' \
    'proposal 1 ESP SPI [0-9a-f]{8}: ENCR AES_GCM_16_128' 'TSi 10.1.0.0/24' 'N REKEY_SA ESP SPI' 'D IKE' 'ESP SPI [0-9a-f]{8} seq 1'; do
    check "decode: $what" says "$what"
done
check "nothing is malformed" bash -c '! grep -E "MALFORMED|WRONG" "$1"' - "$W/life"
"$BUILD/xdpsec" decode "$W/life.pcap" >"$W/life"
says 'IDi ID_FQDN' && fail "identities without keys"
n=$("$BUILD/xdpsec" --json decode --spi "$spi" "$W/life.pcap" | jq -s 'length')
[ "$n" -ge 10 ] || fail "--spi shows $n messages"
[ "$("$BUILD/xdpsec" --json decode --spi 00000001 "$W/life.pcap" | wc -l)" = 0 ] || fail "--spi of nobody"
[ "$("$BUILD/xdpsec" decode - <"$W/life.pcap" | wc -l)" -gt 20 ] || fail "nothing from standard input"
# a user who may use the socket, and is not root, gets no keys
chmod 755 "$W" "$W/ga" "$W/ga/run"; chmod 666 "$W/ga/run/xdpsecd.vici"
refused "keys for nobody else" 'root alone' setpriv --reuid 65534 --clear-groups \
    "$BUILD/xdpsec" -s "$W/ga/run/xdpsecd.vici" show sa --with-keys
check "the log says who was refused" log_has ga agent 'refused to uid 65534'
command -v tshark >/dev/null || { echo "without tshark: its reading of the keys is not tested"; exit 0; }
mkdir -p "$W/home/.config/wireshark"
grep -v '^#' "$W/keys" >"$W/home/.config/wireshark/ikev2_decryption_table"
HOME=$W/home tshark -r "$W/life.pcap" -Y isakmp -T fields -e isakmp.id.data.fqdn >"$W/tshark" 2>"$W/tshark.log"
check "tshark reads the identity with our line" grep -q ga.example "$W/tshark"
