#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A key is given to the dataplane once: a second SA of the same slot and generation would begin to count anew under it.
. "$(dirname "$0")/../lib.sh"
test_lab "$@"
install_sa() { # generation
    nsx ga "$BUILD/tests/net/plane_client" --pin-dir "$W/bpf/ga" --socket "$W/ga/run/dataplane.sock" --slot 5 \
        --generation "$1" --local 192.0.2.1 --remote 192.0.2.2 --net-local 10.1.0.0/24 --net-remote 10.2.0.0/24 \
        >"$W/sa.log" 2>&1
}
gw_conf ga && gw_load ga && gw_dataplane ga || fail "the dataplane does not start"
check "an SA" install_sa 1
install_sa 1 && fail "the same SA again"
check "says why" grep -q 'install: File exists' "$W/sa.log"
check "another one of the slot" install_sa 2
install_sa 2 && fail "the same SA again"
check "the dataplane lives" gw_pid ga dataplane
gw_kill ga dataplane
gw_unload ga
