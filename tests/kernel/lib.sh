# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# What tests of the kernel engine share, after tests/lib.sh and test_lab.

modprobe -qa esp4 esp6 gcm seqiv xfrm_user xfrm_interface

# without those of sockets: IKE's have some of their own as long as the agent lives
kernel_tables() { ip -n "$1" xfrm state | grep -v 'lastused\|anti-replay'; ip -n "$1" xfrm policy list nosock; }

# Somebody else's SA and policy, and what the tables are then.
kernel_found() {
    ip -n "$1" xfrm state add src 203.0.113.1 dst 203.0.113.2 proto esp spi 0x1234 reqid 77 mode tunnel \
        aead 'rfc4106(gcm(aes))' 0x0102030405060708090a0b0c0d0e0f1011121314 128 2>/dev/null
    ip -n "$1" xfrm policy add src 172.16.0.0/24 dst 172.17.0.0/24 dir out priority 5 \
        tmpl src 203.0.113.1 dst 203.0.113.2 proto esp reqid 77 mode tunnel 2>/dev/null
    kernel_tables "$1" >"$W/$1.found"
    [ "$(grep -c 'reqid 77' "$W/$1.found")" = 2 ] || fail "ip xfrm cannot add to $1"
}
kernel_as_found() { diff "$W/$1.found" <(kernel_tables "$1"); }

# Both gateways without a dataplane; arguments go to both configurations.
kernel_up() {
    local g
    for g in ga gb; do
        gw_conf $g "$@"
        gw_load $g && gw_agent $g || { tail -n 20 "$W/$g"/*.log; fail "$g does not come up"; }
    done
}

engine_of() { xd "$1" --json show sa | jq -r '[.[].children[]? | select(.state == "INSTALLED") | .engine][0]'; }
engine_is() { [ "$(engine_of "$1")" = "$2" ]; }
# SAs of ours
kernel_sas() { [ "$(ip -n "$1" xfrm state | grep 'reqid 1476' | grep -vc 'spi 0x00000000')" = "$2" ]; }
kernel_policies_are() { [ "$(ip -n "$1" xfrm policy | grep -c 'reqid 1476')" = "$2" ]; }
by_device() { # ga yes
    local n
    n=$(ip -n "$1" xfrm state | grep -c 'if_id 0x58')
    [ "$2" = yes ] && [ "$n" -gt 0 ] || { [ "$2" = no ] && [ "$n" = 0 ]; }
}
kernel_counts() { [ "$(xd "$1" --json show sa | jq '[.[].children[]?.packets_out] | add')" -gt 50 ]; }
