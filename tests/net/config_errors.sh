#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A mistake in a configuration: file, line and key; nothing half applied.
. "$(dirname "$0")/../lib.sh"
test_lab "$@"
gw_conf ga; gw_conf gb
check_conf() { nsx ga "$BUILD/xdpsecd" -c "$W/ga/xdpsec.conf" --check; }
check "a good configuration" check_conf
bad() { # name pattern sed-expression file
    cp "$W/ga/$4" "$W/saved"
    sed -i "$3" "$W/ga/$4"
    refused "$1" "$2" check_conf
    cp "$W/saved" "$W/ga/$4"
}
bad "unknown key" "swanctl.conf:[0-9]+:.*connections.gw.*remote_adrs" 's/remote_addrs/remote_adrs/' swanctl.conf
bad "bad proposal" "swanctl.conf:[0-9]+:.*aes129" 's/aes128gcm16-prf/aes129gcm16-prf/' swanctl.conf
bad "bad selector" "swanctl.conf:[0-9]+:.*10.1.0.0/33" 's,10.1.0.0/24,10.1.0.0/33,' swanctl.conf
bad "bad duration" "swanctl.conf:[0-9]+:.*rekey_time" 's/rekey_time = 4h/rekey_time = 4x/' swanctl.conf
bad "unclosed section" "swanctl.conf:[0-9]+" '$d' swanctl.conf
bad "unknown role" "xdpsec.conf:[0-9]+:.*role" 's/role = wan/role = want/' xdpsec.conf
bad "unknown section" "xdpsec.conf:[0-9]+:.*dataplan" 's/dataplane {/dataplan {/' xdpsec.conf
bad "empty secret" "swanctl.conf:[0-9]+" 's/secret = .*/secrt = x/' swanctl.conf
bad "no such engine" "swanctl.conf:[0-9]+:.*engine.*auto, kernel, dataplane" 's/remote_ts = .*/&\nengine = linux/' swanctl.conf
bad "a mark in the dataplane" "swanctl.conf:[0-9]+:.*dataplane cannot do mark_out" 's/remote_ts = .*/&\nengine = dataplane\nmark_out = 7/' swanctl.conf
# an interface that does not exist
sed -i 's/wan0/wan7/' "$W/ga/xdpsec.conf"
refused "missing interface" 'wan7' nsx ga "$BUILD/xdpsec-loader" -c "$W/ga/xdpsec.conf" load
[ -e "$W/bpf/ga/links" ] && [ -n "$(ls "$W/bpf/ga/links")" ] && fail "half loaded"
sed -i 's/wan7/wan0/' "$W/ga/xdpsec.conf"
# a reload with a mistake changes nothing
gw_up ga && gw_up gb || fail "gateways"
check "initiate" xd ga initiate net
sed -i 's/remote_ts = .*/remote_ts = 10.9.0.0\/33/' "$W/ga/swanctl.conf"
refused "reload with a mistake" 'swanctl.conf:[0-9]+:' xd ga reload
check "the tunnel is still there" lab_ping 2
check "unchanged" children_is ga 1
# an equal configuration touches nothing
gw_conf ga
spi=$(spi_out ga)
check "reload" xd ga reload
[ "$(spi_out ga)" = "$spi" ] || fail "a reload without a change replaced the SA"
# programs without their parts
refused "an agent without maps" 'xdpsec-loader' nsx hb "$BUILD/xdpsecd" -c "$W/ga/xdpsec.conf" --pin-dir "$W/bpf/none" --run-dir "$W/none"
refused "a second agent" 'already|running|lock' nsx ga "$BUILD/xdpsecd" -c "$W/ga/xdpsec.conf"
refused "no agent" 'xdpsecd' "$BUILD/xdpsec" -s "$W/none/vici" show sa
refused "no configuration" '/nonexistent' "$BUILD/xdpsecd" -c /nonexistent
"$BUILD/xdpsec" nosuchcommand >/dev/null 2>&1
[ $? = 2 ] || fail "usage error is not exit 2"
