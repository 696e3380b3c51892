#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The BPF tests and the loader on another kernel: verifiers differ, and where it has freplace and agrees with the
# installed libxdp, the loader goes through libxdp's dispatcher.
. "$(dirname "$0")/../lib.sh"
needs_guest
test_lab "$@"
for t in "$BUILD"/tests/bpf/*_test; do
    CMOCKA_MESSAGE_OUTPUT=TAP check "bpf/${t##*/}" "$t"
done
gw_conf ga
loader() { nsx ga "$BUILD/xdpsec-loader" -c "$W/ga/xdpsec.conf" "$@"; }
has_xdp() { ip -n ga -d link show "$1" | grep -q prog/xdp; }
has_dispatcher() { [ "$("$BPFTOOL" -j prog show | jq '[.[] | select(.name == "xdp_dispatcher")] | length')" = "$1" ]; }
pins() { find "$W/bpf/ga" -mindepth 1 2>/dev/null | wc -l; }
nothing_left() {
    ! has_xdp wan0 && ! has_xdp lan0 && [ "$(pins)" = 0 ] && has_dispatcher 0 &&
        ! nsx ga tc qdisc show | grep -q clsact
}
check "probe" loader probe
# one a port: wan0, lan0 and the ramp
loader probe | grep -qE '^freplace +yes' && shared=3 || shared=0
echo "dispatchers expected: $shared"
for option in "" --single; do
    [ "$option" = --single ] && shared=0
    # shellcheck disable=SC2086
    check "load $option" loader $option load
    check "XDP on wan0" has_xdp wan0
    check "XDP on lan0" has_xdp lan0
    check "dispatchers" has_dispatcher $shared
    # shellcheck disable=SC2086
    check "load $option again" loader $option load
    check "status" loader status
    check "unload" loader unload
    check "nothing is left" nothing_left
done
