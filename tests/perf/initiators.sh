# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# Many initiators in gb against the gateway ga: each with an address of 198.18.0.0/15 and an identity of its own.

# Writes the configuration of a responder for all of them: initiators_conf ga x25519 [lines for xdpsec.conf]
initiators_conf() {
    gw_conf "$1" gw="${3:-}"
    initiators_swanctl "$2" "$W/$1/swanctl.conf"
}

initiators_swanctl() { # key exchange, file
    cat >"$2" <<CONF
connections {
    gw {
        version = 2
        local_addrs = 192.0.2.1
        remote_addrs = %any
        proposals = aes128gcm16-prfsha256-$1
        mobike = no
        unique = never
        rekey_time = 0s
        local {
            auth = psk
            id = ga.example
        }
        remote {
            auth = psk
        }
        children {
            net {
                local_ts = 10.1.0.0/24
                remote_ts = 10.64.0.0/10
                esp_proposals = aes128gcm16
                rekey_time = 0s
                life_time = 0s
            }
        }
    }
}
secrets {
    ike-all {
        secret = "bench secret"
    }
}
CONF
}

# So many connections and secrets of other peers in the same file: initiators_others COUNT FILE
initiators_others() {
    awk -v n="$1" 'BEGIN {
        print "connections {"
        for (i = 0; i < n; i++)
            printf "c%d { remote_addrs = 172.%d.%d.%d\nlocal { auth = psk\nid = ga.example }\nremote { auth = psk\nid = peer%d.example }\n" \
                "children { n { local_ts = 10.1.0.0/24\nremote_ts = 10.%d.%d.0/24 } } }\n",
                i, 16 + i / 62500, i / 250 % 250, 1 + i % 250, i, 128 + i / 250, i % 250
        print "}\nsecrets {"
        for (i = 0; i < n; i++)
            printf "ike-%d { id-1 = ga.example\nid-2 = peer%d.example\nsecret = s%d }\n", i, i, i
        print "}"
    }' >>"$2"
}

initiators_routes() {
    ip -n gb route add local 198.18.0.0/15 dev lo && ip -n ga route add 198.18.0.0/15 via 192.0.2.2
}

# initiators COUNT [options of ike_load]
initiators() {
    local n=$1
    shift
    nsx gb "$BUILD/bench/ike_load" --to 192.0.2.1 --from 198.18.0.0/15 --inner 10.64.0.0/10 --ts 10.1.0.0/24 \
        --psk "bench secret" --count "$n" "$@"
}
