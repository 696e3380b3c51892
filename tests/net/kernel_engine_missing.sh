#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A kernel without ESP: a child that wants its engine is refused in words that name what is missing and what to do, and any
# other goes to the dataplane.
. "$(dirname "$0")/../lib.sh"
test_lab "$@"
ip -n wan xfrm state add src 203.0.113.1 dst 203.0.113.2 proto esp spi 0x1234 mode tunnel \
    aead 'rfc4106(gcm(aes))' 0x0102030405060708090a0b0c0d0e0f1011121314 128 2>/dev/null && skip "this kernel has ESP"
missing='child net wants engine kernel, but ESP: .*(CONFIG_INET_ESP|modprobe esp4)'
engine_is() { xd "$1" --json show sa | jq -e --arg e "$2" '.[0].children[0].engine == $e'; }
gw_conf ga child='engine = kernel'
gw_conf gb
for g in ga gb; do gw_up $g || fail "$g does not come up"; done
refused "engine = kernel" "$missing" xd ga initiate net
check "show child says why" grep -qE "net +DOWN +none .*$missing" <(xd ga show child)
# gb has a dataplane: the peer's wish is its own business, but ga refuses what it cannot do
refused "as the responder, too" '.' xd gb initiate -t 3 net
check "the log says so" log_has ga agent "refusing CHILD_SA net: $missing"
gw_conf ga
check "the wish is taken back" xd ga reload
check "initiate" xd ga initiate net
eventually 5 "ping" lab_ping 2
check "by the dataplane" engine_is ga dataplane
check "and why" grep -q 'auto: a dataplane is connected' <(xd ga show child)
check "nothing in clear" no_clear
