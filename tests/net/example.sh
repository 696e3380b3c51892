#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# deploy/swanctl-certs.conf.example as it stands, the openssl commands of its comments included: a ping brings the
# tunnel up. Only the peer's address is the lab's.
. "$(dirname "$0")/../lib.sh"
test_lab "$@"
example=$LAB_TOP/deploy/swanctl-certs.conf.example
mirror() { # the same for the other gateway
    sed 's/gw-a/gw-@/g; s/gw-b/gw-a/g; s/gw-@/gw-b/g; s/192\.0\.2\.1/@/; s/192\.0\.2\.2/192.0.2.1/; s/@/192.0.2.2/
        s/10\.1\.0/@/; s/10\.2\.0/10.1.0/; s/@/10.2.0/'
}
files() { # ga gw-a
    local d
    for d in private x509 x509ca; do mkdir -p "$W/$1/$d"; done
    install -m 0600 "$W/$2.key" "$W/$1/private/" && cp "$W/$2.pem" "$W/$1/x509/" && cp "$W/ca.pem" "$W/$1/x509ca/"
}
sed 's/198\.51\.100\.1/192.0.2.2/' "$example" >"$W/a.conf"
mirror <"$W/a.conf" >"$W/b.conf"
gw_conf ga; gw_conf gb
cp "$W/a.conf" "$W/ga/swanctl.conf"; cp "$W/b.conf" "$W/gb/swanctl.conf"
sed -n 's/^# *\(openssl .*\)/\1/p' "$W/a.conf" >"$W/commands"
sed -n 's/^# *\(openssl .*-CA .*\)/\1/p' "$W/b.conf" >>"$W/commands"
check "three commands" [ "$(wc -l <"$W/commands")" = 3 ]
check "the commands of the comments" sh -ec "cd '$W' && . ./commands"
files ga gw-a; files gb gw-b
check "the example is without mistakes" "$BUILD/xdpsecd" -c "$W/ga/xdpsec.conf" --check
gw_up ga && gw_up gb || fail "the gateways do not come up"
eventually 10 "a packet brings the tunnel up" lab_ping 1
check "one tunnel" ikes_is ga 1
check "by certificates" sh -c "'$BUILD/xdpsec' -s '$W/ga/run/xdpsecd.vici' show certs | grep -q 'CN=gw-a.example'"
check "nothing crossed in clear" no_clear
