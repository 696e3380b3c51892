#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What strangers, one peer and its data can make the agent write is bounded, and what is held back is counted.
. "$(dirname "$0")/../lib.sh"
test_lab "$@"
# shellcheck source=tests/perf/initiators.sh
. tests/perf/initiators.sh
initiators_conf ga x25519 'ike { cookie_threshold = 0
        block_threshold = 0 }'
initiators_routes && gw_up ga || fail "gateway"
lines() { wc -l <"$W/ga/agent.log"; }
# grew BEFORE MOST: at most so many lines more; ten a second go on
grew() {
    local n=$(($(lines) - $1))
    [ $n -le "$2" ] || fail "$n lines, not $2"
    echo "ok: $n lines"
}

before=$(lines) start=$SECONDS
check "3000 strangers that go no further" initiators 3000 --parallel 64 --half --from 198.19.0.0/16
grew "$before" $((60 + 10 * (SECONDS - start + 2)))
# one peer, authenticated, again and again: hundreds at once, then ten a second
before=$(lines) start=$SECONDS
check "1000 times the same peer" initiators 1000 --parallel 16 --id again.example
grew "$before" $((300 + 60 + 20 * (SECONDS - start + 2)))
# and another is heard of all the same
check "another" initiators 1 --first 5000 --id other.example
log_has ga agent 'other.example' || fail "nothing of the other peer"
told() { initiators 1 --first 6000 --id again.example && log_has ga agent 'lines held back'; }
eventually 3 "the first one says how much was held back" told
# data that nobody asked for: strangers' messages of all kinds
before=$(lines) start=$SECONDS
check "messages for no SA" nsx gb python3 - <<'PY'
import os, socket, struct
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range(20000):
    kind = i % 5
    spi_r = os.urandom(8) if kind else bytes(8)
    version = [0x20, 0x20, 0x10, 0x30, 0x20][kind]
    exchange = [34, 35, 34, 37, 36][kind]
    body = os.urandom(40)
    s.sendto(os.urandom(8) + spi_r + struct.pack("!BBBBII", 46 if kind else 33, version, exchange, 8, 0, 28 + len(body))
             + body, ("192.0.2.1", 500))
PY
grew "$before" $((60 + 20 + 20 * (SECONDS - start + 2)))
