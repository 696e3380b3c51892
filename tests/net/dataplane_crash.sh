#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# kill -9 of the dataplane: protected traffic is dropped, never in clear; started again the tunnel
# carries traffic, under new keys, so that no sequence number is used twice under one.
. "$(dirname "$0")/../lib.sh"
test_lab "$@"
pair_up
spi=$(spi_out ga)
check "kill -9 of the dataplane" gw_kill ga dataplane KILL
lab_ping 3 && fail "traffic without a dataplane"
check "nothing in clear" no_clear
[ "$(drops ga no_engine)" -gt 0 ] || fail "the drops are not counted"
nsx ha ping -n -D -i 0.02 -c 600 -W 1 10.2.0.2 >"$W/ping.log" &
ping=$!
t0=$(date +%s.%N)
gw_spawn ga dataplane "$BUILD/xdpsec-dataplane" -c "$W/ga/xdpsec.conf"
eventually 10 "traffic again" grep -q 'bytes from' "$W/ping.log"
# the figure is for people: nothing timed decides a test
awk -v t0="$t0" '/bytes from/ {gsub(/[][]/, "", $1); printf "first answer %d ms after the start\n", ($1 - t0) * 1000; exit}' "$W/ping.log"
eventually 5 "one child" children_is ga 1
[ "$(spi_out ga)" != "$spi" ] || fail "the old SPI, and with it the old key, is still in use"
kill $ping; wait $ping
check "nothing in clear" no_clear
# the peer's turn
check "kill -9 of the peer's dataplane" gw_kill gb dataplane KILL
lab_ping 2 && fail "traffic without the peer's dataplane"
check "it starts again" gw_dataplane gb
eventually 10 "traffic again" nsx ha ping -q -c 1 -W 1 10.2.0.2
check "nothing in clear" no_clear
