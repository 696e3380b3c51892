#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A packet comes out of one tunnel and is routed out of the WAN again: the policies for it hold, as for any other.
. "$(dirname "$0")/../lib.sh"
test_lab "$@"
spoke() { # what protects 10.1.99.0/24 at ga, beyond the first tunnel
    cat >>"$W/ga/swanctl.conf" <<CONF
connections {
    spoke {
        remote_addrs = 192.0.2.77
        local {
            auth = psk
            id = ga.example
        }
        remote {
            auth = psk
            id = spoke.example
        }
        children {
            beyond {
                local_ts = 10.2.0.0/24
                remote_ts = 10.1.99.0/24
                start_action = trap
            }
        }
    }
}
CONF
}
send_from_hb() { # port
    nsx hb python3 -c 'import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("10.2.0.2", int(sys.argv[1])))
for i in range(5):
    s.sendto(b"x" * 100, ("10.1.99.1", 9999))' "$1"
}
clear_is() { [ "$(lab_wire clear)" = "$1" ]; }
more_than() { # packets
    [ "$(xd ga --json show sa | jq '[.[].children[]? | .packets_in // 0 | tonumber] | add // 0')" -ge "$1" ]
}
gw_conf ga localts=10.1.0.0/16 && gw_conf gb remotets=10.1.0.0/16 || fail "configuration"
spoke
gw_up ga && gw_up gb || fail "the gateways do not come up"
check "initiate" xd gb initiate net
ip -n ga route add 10.1.99.0/24 via 192.0.2.2
for i in 1 2 3; do
    nsx hb ping -q -n -c 3 -i 0.1 -W 1 10.1.99.1 >/dev/null
    check "datagrams" send_from_hb 7777
    check "datagrams from the port of IKE" send_from_hb 4500
done
eventually 3 "they came out of the tunnel" more_than 30
check "nothing in clear" no_clear
# without the policy the routes decide
gw_conf ga localts=10.1.0.0/16
check "reload" xd ga reload
check "datagrams" send_from_hb 7777
eventually 3 "what no policy protects goes on" clear_is 5
