#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Malformed, truncated and senseless IKE datagrams of every kind: no crash, no state, counters; the tunnel lives.
. "$(dirname "$0")/../lib.sh"
command -v python3 >/dev/null || skip "python3 is not installed"
test_lab "$@"
pair_up
rss() { awk '/^VmRSS/ {print $2}' "/proc/$(gw_pid gb agent)/status"; }
before=$(rss)
spi=$(spi_out ga)
data=${XDPSEC_TESTDATA:-$LAB_TOP/../shared/testdata}
nsx ga python3 "$LAB_TOP/tests/net/ike_garbage.py" 192.0.2.2 "$data/corpus" >"$W/garbage" || fail "the sender failed"
cat "$W/garbage"
check "the agent lives" xd gb status
check "one IKE SA" ikes_is gb 1
[ "$(spi_out ga)" = "$spi" ] || fail "the SA was replaced"
xd gb --json show counters >"$W/counters"
for c in bad_header bad_version ikev1 bad_syntax bad_critical bad_spi; do
    [ "$(counter gb $c)" -gt 0 ] || fail "$c is not counted"
done
after=$(rss)
echo "agent: $before kB before, $after kB after"
[ $((after - before)) -lt 16384 ] || fail "memory grew by $((after - before)) kB"
lines=$(wc -l <"$W/gb/agent.log")
[ "$lines" -lt 2000 ] || fail "$lines lines of log"
check "the tunnel works" lab_ping 3
check "a rekey works" xd ga rekey net
check "and traffic" lab_ping 3
