#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# xdpsec-loader self-test: XDP asks the kernel for every inbound state that the maps speak of, and says what is missing.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/xfrm_lab"
test_lab "$@"
xfrm_lab
loader() { nsx ga "$BUILD/xdpsec-loader" -c "$W/ga/xdpsec.conf" "$@"; }
says() { loader "${@:2}" self-test >"$W/said" 2>&1; local rc=$?; cat "$W/said"; [ $rc = "$1" ]; }
loader self-test >"$W/said" 2>&1
grep -q 'not offered by this kernel' "$W/said" && skip "no bpf_xdp_get_xfrm_state"
# the second one by IPv6, and one of AH
OUTER=6
pair_states 6
pairs_apply
nsx ga ip xfrm state add src 192.0.2.2 dst 192.0.2.1 proto ah spi 0xc0000007 reqid 7 mode transport if_id 0x58ffffff \
    auth-trunc 'hmac(sha256)' 0x000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f 128 || fail "AH"
rows in 0xc0000006 2001:db8:ff::1 kernel
rows in 0xc0000007 192.0.2.1 kernel ah 7 transport
rows in 0xc0000008 192.0.2.1 dataplane
check "three states of three" says 0
check "it says so" grep -q '^3 inbound states of the kernel engine, 0 differ' "$W/said"
nsx ga ip xfrm state delete src 2001:db8:ff::2 dst 2001:db8:ff::1 proto esp spi 0xc0000006 || fail "delete"
check "one is gone" says 1
check "its name" grep -q '^SPI c0000006 to 2001:db8:ff::1, slot 6, child -: the kernel has no such state' "$W/said"
check "the only one" grep -q '^3 inbound states of the kernel engine, 1 differ' "$W/said"
json() { loader --json self-test 2>/dev/null | jq -e '.states == 3 and .differences[0].slot == 6 and (.differences | length) == 1'; }
check "as JSON" json
rows in 0xc0000006 192.0.2.1 kernel
check "of another address" says 1
nsx ga ip xfrm state add src 192.0.2.2 dst 192.0.2.1 proto esp spi 0xc0000006 reqid 99 if_id 0x58000005 mode tunnel \
    aead 'rfc4106(gcm(aes))' "$KEY" 128 || fail "add"
check "of another request" says 1
check "its name" grep -q 'slot 6.*: reqid 99 where the maps have 1476395014' "$W/said"
rows in 0xc0000006 192.0.2.1 kernel esp 99
check "of another slot's if_id" says 1
check "its name" grep -q 'slot 6.*: if_id 0x58000005 where 0x58000006 belongs' "$W/said"
