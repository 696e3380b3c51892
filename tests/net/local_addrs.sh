#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Which pair of addresses a call takes: a family that both ends have, of lists and of names in local_addrs and
# remote_addrs.
. "$(dirname "$0")/../lib.sh"
test_lab "$@"
addrs() { # local_addrs remote_addrs of ga
    gw_conf ga
    sed -i "s/local_addrs = .*/local_addrs = $1/; s/remote_addrs = .*/remote_addrs = $2/" "$W/ga/swanctl.conf"
    check "reload" xd ga reload
    xd ga flush >/dev/null
}
calls() { xd ga initiate net && xd ga --json show sa | jq -e --arg a "$1" '.[0].local_host == $a'; }
gw_conf gb
sed -i "s/local_addrs = .*/local_addrs = %any/; s/remote_addrs = .*/remote_addrs = %any/" "$W/gb/swanctl.conf"
gw_conf ga
gw_up ga && gw_up gb || fail "gateways"
cat /etc/hosts - >"$W/hosts" <<HOSTS
192.0.2.2 both.lab.example
2001:db8:ff::2 both.lab.example
2001:db8:ff::2 six.lab.example
HOSTS
mount --bind "$W/hosts" /etc/hosts
addrs "192.0.2.1, 2001:db8:ff::1" "2001:db8:ff::2"
check "our IPv6 address of two" calls 2001:db8:ff::1
addrs "%any4" "2001:db8:ff::2, 192.0.2.2"
check "the peer's IPv4 address of two" calls 192.0.2.1
addrs "%any" "six.lab.example"
check "a name with an IPv6 address" calls 2001:db8:ff::1
addrs "2001:db8:ff::1" "both.lab.example"
check "a name with both, for IPv6" calls 2001:db8:ff::1
addrs "%any4" "both.lab.example"
check "a name with both, for IPv4" calls 192.0.2.1
addrs "%any6" "2001:db8:ff::2"
check "%any6" calls 2001:db8:ff::1
addrs "192.0.2.1" "2001:db8:ff::2"
refused "no address of ours for it" "unable to initiate|no address" xd ga initiate net
addrs "2001:db8:ff::100-2001:db8:ff::200" "2001:db8:ff::2"
refused "ours is not in the range" "outside of local_addrs" xd ga initiate net
