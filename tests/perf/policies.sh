#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What a packet costs against the number of policies, by the kernel's ESP: tests/kernel/guest tests/perf/policies.sh
#   kernel: ordinary policies of the kernel    device: our selector maps, and the XFRM interface
#   nets: policies of other networks           ports: of the same networks and other ports
# The packet meets the last policy. It is this host's own, and its sender does all the work: lookup, ESP with null
# ciphers, a device that drops. Nanoseconds a packet, the quickest of 50 rounds, and the ratio to one policy. The guest is
# emulated: only the ratios of one run mean anything.
. "$(dirname "$0")/../lib.sh"
[ "$(id -u)" = 0 ] || skip "needs root"
[ -n "${XDPSEC_GUEST:-}" ] || skip "needs a kernel with ESP: tests/kernel/guest runs it there"
NETS=${NETS:-1 100 1000 10000 100000} PORTS=${PORTS:-100 1000 10000}
W=$(mktemp -d) || exit 1
trap 'rm -rf "$W"' EXIT
cat >"$W/xdpsec.conf" <<CONF
xdpsec {
    pin_dir = /sys/fs/bpf/policies
    interfaces { wan0 {
        role = wan
        attach = generic
    } }
}
CONF
loader() { "$BUILD/xdpsec-loader" -c "$W/xdpsec.conf" "$@" >>"$W/log" 2>&1 || { cat "$W/log"; fail "loader $*"; }; }
rows() { "$BUILD/tests/net/rows" /sys/fs/bpf/policies "$@" >/dev/null || fail "rows $*"; }
apply() { ip -batch "$W/batch" || fail "ip xfrm"; }
ID=0x58000005

# a wire that swallows: ESP leaves, and nobody answers
ip link add wan0 type dummy && ip link set wan0 up && ip addr add 192.0.2.1/24 dev wan0 || fail "wan0"
ip addr add 10.1.0.1/32 dev lo
ip neigh add 192.0.2.2 lladdr 02:00:00:00:00:02 dev wan0
ip route add 10.2.0.0/24 via 192.0.2.2 src 10.1.0.1
tmpl="tmpl src 192.0.2.1 dst 192.0.2.2 proto esp reqid 5 mode tunnel"

state() { # if_id
    echo "xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 0xd0000005 reqid 5 mode tunnel $1" \
        "enc ecb(cipher_null) '' auth digest_null ''"
}
selector() { # nets|ports N: of the policies in front, one a line
    awk -v kind="$1" -v n="$2" 'BEGIN {
        for (i = 0; i < n; i++)
            if (kind == "ports")
                printf "src 10.1.0.0/24 dst 10.2.0.0/24 proto udp dport %d\n", 1000 + i
            else
                printf "src 172.%d.%d.%d/32 dst 10.99.0.0/16\n", 16 + i / 65536, i / 256 % 256, i % 256
    }'
}
encrypted() { ip -s xfrm state | awk '/lifetime current/ { getline; sub(/\(packets.*/, ""); print $NF; exit }'; }
measure() { # mode kind N
    local before after ns
    before=$(encrypted)
    ns=$("$BUILD/tests/net/burst" 10.1.0.1 10.2.0.2 9 640 50) || fail "burst"
    after=$(encrypted)
    [ $((after - before)) -ge 30000 ] || fail "$1, $2, $3: $((after - before)) were encrypted"
    echo "$1 $2 $3 $ns" >>"$W/results"
    echo "$1, $2, $3: $ns ns" >&2
}
by_kernel() { # kind N: N - 1 policies before the one that is met
    {
        state ""
        selector "$1" $(($2 - 1)) | sed "s/^/xfrm policy add /;s/\$/ dir out priority 1000 $tmpl/"
        echo "xfrm policy add src 10.1.0.0/24 dst 10.2.0.0/24 dir out priority 2000 $tmpl"
    } >"$W/batch"
    apply
    measure kernel "$1" "$2"
    ip xfrm policy flush && ip xfrm state flush
}
by_device() { # kind N: as many rows, and as many pairs in the kernel, each by its if_id
    loader load
    {
        state "if_id $ID"
        awk -v n="$2" -v tmpl="$tmpl" 'BEGIN {
            for (i = 0; i < n; i++)
                printf "xfrm policy add src 0.0.0.0/0 dst 0.0.0.0/0 dir out if_id 0x%x %s\n", 1476395008 + (i ? i + 16 : 5), tmpl
        }'
    } >"$W/batch"
    apply
    [ "$2" = 1 ] || rows policies "$1" $(($2 - 1)) kernel 6
    rows policy 10.1.0.0/24 10.2.0.0/24 protect kernel 5
    measure device "$1" "$2"
    ip xfrm policy flush && ip xfrm state flush
    loader unload
}
for kind in nets ports; do
    counts=$NETS
    [ $kind = nets ] || counts=$PORTS
    for n in $counts; do
        by_kernel $kind "$n"
        by_device $kind "$n"
    done
done
awk '{ id = $1 " " $2; if ($3 == 1) base[$1] = $4; ns[id " " $3] = $4; if (!($2 " " $3 in seen)) { seen[$2 " " $3] = 1; order[++n] = $2 " " $3 } }
    END { print "| policies | kernel, ns | ratio | device, ns | ratio |"; print "|---|---|---|---|---|"
        for (i = 1; i <= n; i++) { split(order[i], o, " ")
            k = ns["kernel " order[i]]; d = ns["device " order[i]]
            printf "| %d, %s | %d | %.2f | %d | %.2f |\n", o[2], o[1], k, k / base["kernel"], d, d / base["device"] } }' "$W/results"
