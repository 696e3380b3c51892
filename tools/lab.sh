# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
#
# A laboratory of network namespaces, sourced by tools/demo, the tests and the benchmarks.
#
#   ha 10.1.0.2 --- 10.1.0.1 lan0 [ga] wan0 192.0.2.1 --- toa [wan] tob --- 192.0.2.2 wan0 [gb] lan0 10.2.0.1 --- 10.2.0.2 hb
#
# and in IPv6 2001:db8:1::2 --- 2001:db8:1::1 [ga] 2001:db8:ff::1 --- 2001:db8:ff::2 [gb] 2001:db8:2::1 --- 2001:db8:2::2.
# LAB_OUTER=6: the gateways talk over IPv6. LAB_INNER=6, 46: the networks behind them are IPv6, or both.
# LAB_ENGINE: who does the gateways' ESP. kernel: Linux, and no dataplane runs (a kernel that has ESP: tests/kernel/guest);
# auto: the agent chooses, with a dataplane there; unset: the dataplane, without a word in the configuration.
#
# [wan] forwards frames between its two ends with tc and counts them by kind: what crossed the
# wire is counted by a third party, whatever the gateways say.
#
# lab_enter runs the calling script again in mount, PID and network name spaces of its own: when
# its first process ends, however it ends, every process, mount and interface of the lab is gone.

LAB_SELF=${LAB_SELF:-$0}
LAB_TOP=${LAB_TOP:-$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}
BUILD=${BUILD:-$LAB_TOP/build}

lab_die() { echo "$(basename "$LAB_SELF"): $*" >&2; exit 1; }

# Must be called first, with the script's own arguments.
lab_enter() {
    [ "$(id -u)" = 0 ] || lab_die "needs root (network namespaces, BPF): run it with sudo"
    [ -n "${XDPSEC_LAB:-}" ] && return 0
    local dir
    lab_remove_stale
    dir=$(mktemp -d "${TMPDIR:-/tmp}/xdpsec-lab.XXXXXX") || exit 1
    export XDPSEC_LAB=$dir BUILD
    exec {LAB_WATCH}> >(lab_watch "$dir" >/dev/null 2>&1)
    # A background process ignores Ctrl-C; what this one gets it hands to the lab's first process,
    # which cleans up. Ten seconds later the lab is ended without being asked.
    unshare --mount --pid --net --fork --kill-child --mount-proc --propagation private \
        bash "$LAB_SELF" "$@" <&0 {LAB_WATCH}>&- &
    local pid=$! rc=
    trap 'lab_stop $pid' INT TERM HUP
    echo "$pid" >&"$LAB_WATCH"
    lab_process "$pid" >"$dir/owner"
    if [ "${DEMO_KEEP:-0}" = 1 ]; then
        while kill -0 $pid 2>/dev/null && [ ! -e "$dir/ready" ]; do sleep 0.1; done
        [ -e "$dir/ready" ] && lab_kept $pid
    fi
    # a signal ends a wait early; one that was over before the first look has its status still
    while kill -0 $pid 2>/dev/null; do wait $pid; rc=$?; done
    [ -n "$rc" ] || { wait $pid; rc=$?; }
    rm -rf "$dir"
    echo over >&"$LAB_WATCH"
    exit $rc
}

# What is true of one process and of no other: PID namespace, PID and time of birth; fails when it is gone.
lab_process() {
    local stat
    { stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 1
    read -ra stat <<<"${stat##*) }"
    echo "$(readlink /proc/self/ns/pid) $1 ${stat[19]}"
}

# Reads the PID of the lab, and a word when all is well. Without the word whoever started the lab was
# killed: nobody waits for the lab any more, and it ends.
lab_watch() {
    local pid='' word=''
    trap '' INT TERM HUP
    read -r pid
    read -r word
    [ -n "$word" ] && exit
    [ -n "$pid" ] && kill -KILL "$pid"
    for _ in {1..50}; do
        rm -rf "$1" && sleep 0.1 && [ ! -e "$1" ] && exit
        sleep 0.1
    done
}

# Directories of labs whose watcher was killed too. Only those of this PID namespace: of the others
# nobody here knows whether they are alive.
lab_remove_stale() {
    local dir ns pid birth
    for dir in "${TMPDIR:-/tmp}"/xdpsec-lab.*; do
        [ -d "$dir" ] && [ ! -L "$dir" ] && [ -O "$dir" ] && [ -f "$dir/owner" ] || continue
        read -r ns pid birth <"$dir/owner" || continue
        [ "$ns" = "$(readlink /proc/self/ns/pid)" ] || continue
        [ "$(lab_process "$pid")" = "$ns $pid $birth" ] || rm -rf "$dir"
    done
}

# The lab stays: says how to look around and how to end it, and lets the lab have the last word.
lab_kept() {
    local first
    disown
    echo kept >&"$LAB_WATCH"
    first=$(cat "/proc/$1/task/$1/children")
    first=${first// /}
    cat <<TEXT
The lab is still up, in $XDPSEC_LAB. To look around (ga gb ha hb wan are the namespaces), enter it:
  nsenter -t $first -m -p bash
and in that shell, for example:
  nsenter --net=/run/netns/ha ping 10.2.0.2
  $BUILD/xdpsec -s $XDPSEC_LAB/ga/run/xdpsecd.vici show sa
  bpftool map dump pinned $XDPSEC_LAB/bpf/ga/sa_in
  tail $XDPSEC_LAB/ga/*.log
To end it, and remove all of it:
  kill $first
TEXT
    touch "$XDPSEC_LAB/told"
    lab_wait 10 test -e "$XDPSEC_LAB/kept" || exit 1
    exit "$(<"$XDPSEC_LAB/kept")"
}

# All processes that came of one.
lab_family() {
    local child
    for child in $(cat "/proc/$1/task/$1/children" 2>/dev/null); do
        echo "$child"
        lab_family "$child"
    done
}

# The first process hears of it only when what it waits for is over: that is told, too.
lab_stop() {
    local family
    family=$(lab_family "$1")
    # shellcheck disable=SC2086
    [ -n "$family" ] && kill -TERM $family 2>/dev/null
    (
        exec {LAB_WATCH}>&-
        for _ in {1..100}; do
            kill -0 "$1" || exit
            sleep 0.1
        done
        kill -KILL "$1"
    ) >/dev/null 2>&1 &
}

# The lab's first process stays until somebody ends it; whoever waits goes, with this exit status.
lab_stay() {
    echo "$1" >"$XDPSEC_LAB/status" && mv "$XDPSEC_LAB/status" "$XDPSEC_LAB/kept"
    exec >/dev/null 2>&1 </dev/null
    trap lab_end TERM INT HUP
    while :; do sleep 3600 & wait $!; done
}

# Ends all that is in a lab that stayed; only ever as the first process of its PID namespace.
lab_end() {
    [ $$ = 1 ] || exit 1
    kill -KILL -1
    umount -l "$XDPSEC_LAB/bpf"
    rm -rf "$XDPSEC_LAB"
    exit 0
}

# Runs a command in a namespace of the lab: nsx ga ip addr
nsx() {
    local ns=$1
    shift
    nsenter --net="/run/netns/$ns" -- "$@"
}

# Waits until a command succeeds: lab_wait SECONDS command...; 1 when it never did. LAB_SLOW: so many times longer,
# where all is slow (an emulated machine).
lab_wait() {
    local end=$((SECONDS + $1 * ${LAB_SLOW:-1}))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.05
    done
}

lab_veth() { # nsX ifX nsY ifY
    ip -n "$1" link add "$2" type veth peer name "$4" netns "$3" || return 1
    local ns if
    for ns in "$1 $2" "$3 $4"; do
        read -r ns if <<<"$ns"
        nsx "$ns" ethtool -K "$if" tso off gso off gro off >/dev/null 2>&1
        ip -n "$ns" link set "$if" up
    done
}

# The wan: what comes in at one end leaves at the other, counted by kind at prio 10..60, IPv6 one behind.
lab_wan_end() { # from to
    local d="dev $1 ingress" out="action mirred egress redirect dev $2"
    tc qdisc add dev "$1" clsact
    # shellcheck disable=SC2086
    {
        tc filter add $d prio 10 protocol ip u32 match ip protocol 50 0xff $out
        tc filter add $d prio 20 protocol ip u32 match ip protocol 17 0xff \
            match ip dport 4500 0xffff $out
        tc filter add $d prio 30 protocol ip u32 match ip protocol 17 0xff \
            match ip dport 500 0xffff $out
        tc filter add $d prio 11 protocol ipv6 u32 match ip6 protocol 50 0xff $out
        tc filter add $d prio 21 protocol ipv6 u32 match ip6 protocol 17 0xff \
            match ip6 dport 4500 0xffff $out
        tc filter add $d prio 31 protocol ipv6 u32 match ip6 protocol 17 0xff \
            match ip6 dport 500 0xffff $out
        tc filter add $d prio 40 protocol arp u32 match u32 0 0 $out
        tc filter add $d prio 41 protocol ipv6 u32 match ip6 protocol 58 0xff match u8 135 0xff at 40 $out
        tc filter add $d prio 41 protocol ipv6 u32 match ip6 protocol 58 0xff match u8 136 0xff at 40 $out
        tc filter add $d prio 41 protocol ipv6 u32 match ip6 dst ff02::/16 $out
        tc filter add $d prio 51 protocol ipv6 u32 match u32 0 0 $out
        tc filter add $d prio 50 protocol ip u32 match u32 0 0 $out
        tc filter add $d prio 60 protocol all u32 match u32 0 0 $out
    }
}

# LAB_NAT=1: the wan routes, gb is 198.51.100.2, and ga is seen as 198.51.100.254; 2001:db8:fe::2, and ::254.
# LAB_NAT_IN=1: what arrives there for IKE and ESP in UDP goes on to ga, so that gb can call. lab_wire knows esp,
# udp4500, ike and clear (networks behind the gateways that are seen by themselves).
lab_wan_nat() {
    ip -n ga addr flush dev wan0 && ip -n gb addr flush dev wan0
    ip -n ga addr add 192.0.2.1/24 dev wan0
    ip -n gb addr add 198.51.100.2/24 dev wan0
    ip -n wan addr add 192.0.2.254/24 dev toa
    ip -n wan addr add 198.51.100.254/24 dev tob
    ip -n ga route add 198.51.100.0/24 via 192.0.2.254
    ip -n ga addr add 2001:db8:ff::1/64 dev wan0
    ip -n gb addr add 2001:db8:fe::2/64 dev wan0
    ip -n wan addr add 2001:db8:ff::254/64 dev toa
    ip -n wan addr add 2001:db8:fe::254/64 dev tob
    ip -n ga route add 2001:db8:fe::/64 via 2001:db8:ff::254
    nsx wan sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
    ip -n gb route add 10.1.0.0/24 via 198.51.100.254
    ip -n gb route add 2001:db8:1::/64 via 2001:db8:fe::254
    ip -n ga route add 10.2.0.0/24 via 192.0.2.254
    ip -n ga route add 2001:db8:2::/64 via 2001:db8:ff::254
    nsx wan nft -f - <<NFT
table inet wire {
    counter wire_esp { }
    counter wire_udp4500 { }
    counter wire_ike { }
    counter wire_clear { }
    chain pre {
        type filter hook prerouting priority raw;
        meta l4proto esp counter name wire_esp
        udp dport 4500 counter name wire_udp4500
        udp sport 4500 udp dport != 4500 counter name wire_udp4500
        udp dport 500 counter name wire_ike
        udp sport 500 udp dport != 500 counter name wire_ike
        ip daddr { 10.1.0.0/24, 10.2.0.0/24 } counter name wire_clear
        ip6 daddr { 2001:db8:1::/64, 2001:db8:2::/64 } counter name wire_clear
    }
}
NFT
    [ "${LAB_NAT_IN:-0}" = 1 ] && nsx wan nft -f - <<NFT
table ip in {
    chain pre {
        type nat hook prerouting priority dstnat;
        iifname "tob" ip daddr 198.51.100.254 udp dport { 500, 4500 } dnat to 192.0.2.1
    }
}
table ip6 in {
    chain pre {
        type nat hook prerouting priority dstnat;
        iifname "tob" ip6 daddr 2001:db8:fe::254 udp dport { 500, 4500 } dnat to 2001:db8:ff::1
    }
}
NFT
    nsx wan nft -f - <<NFT
table ip6 nat {
    chain post {
        type nat hook postrouting priority srcnat;
        oifname "tob" ip6 saddr 2001:db8:ff::/64 udp sport 1-65535 masquerade to :20000-29999
    }
}
table ip nat {
    chain post {
        type nat hook postrouting priority srcnat;
        oifname "tob" ip saddr 192.0.2.0/24 ip protocol udp masquerade to :20000-29999
        oifname "tob" ip saddr 192.0.2.0/24 masquerade
    }
}
NFT
}

# Builds the lab. LAB_MTU (1500): of the wan.
lab_build() {
    local ns
    W=$XDPSEC_LAB
    mkdir -p /run/netns "$W/bpf"
    mount -t tmpfs lab /run/netns || return 1
    mount -t bpf bpf "$W/bpf" || return 1
    for ns in ha ga wan gb hb; do
        ip netns add $ns || return 1
        nsx $ns sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 \
            net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0
        ip -n $ns link set lo up
    done
    lab_veth ha eth0 ga lan0 && lab_veth hb eth0 gb lan0 &&
        lab_veth ga wan0 wan toa && lab_veth gb wan0 wan tob || return 1
    ip -n ha addr add 10.1.0.2/24 dev eth0
    ip -n ga addr add 10.1.0.1/24 dev lan0
    ip -n ga addr add 192.0.2.1/24 dev wan0
    ip -n gb addr add 192.0.2.2/24 dev wan0
    ip -n gb addr add 10.2.0.1/24 dev lan0
    ip -n hb addr add 10.2.0.2/24 dev eth0
    ip -n ha addr add 2001:db8:1::2/64 dev eth0
    ip -n ga addr add 2001:db8:1::1/64 dev lan0
    ip -n ga addr add 2001:db8:ff::1/64 dev wan0
    ip -n gb addr add 2001:db8:ff::2/64 dev wan0
    ip -n gb addr add 2001:db8:2::1/64 dev lan0
    ip -n hb addr add 2001:db8:2::2/64 dev eth0
    for ns in ga gb; do
        nsx $ns sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
        ip -n $ns link set wan0 mtu "${LAB_MTU:-1500}"
    done
    for ns in toa tob; do
        ip -n wan link set $ns mtu "${LAB_MTU:-1500}"
    done
    ip -n ha route add default via 10.1.0.1
    ip -n hb route add default via 10.2.0.1
    ip -n ha route add default via 2001:db8:1::1
    ip -n hb route add default via 2001:db8:2::1
    [ "${LAB_NAT:-0}" = 1 ] && { lab_wan_nat; return; }
    # the way in clear exists on purpose: a leak would be seen on the wire
    ip -n ga route add 10.2.0.0/24 via 192.0.2.2
    ip -n gb route add 10.1.0.0/24 via 192.0.2.1
    ip -n ga route add 2001:db8:2::/64 via 2001:db8:ff::2
    ip -n gb route add 2001:db8:1::/64 via 2001:db8:ff::1
    # where tests send what must not arrive: not every kernel has tc's own drop
    ip -n wan link add hole type veth peer name nowhere && ip -n wan link set hole up
    nsx wan bash -c "$(declare -f lab_wan_end); lab_wan_end toa tob && lab_wan_end tob toa"
}

# Packets of a kind that crossed the wire in both directions, of both families: esp udp4500 ike arp (and what IPv6
# has instead) clear other; esp6, udp4500_6, ike6, clear6: IPv6 alone
lab_wire() {
    local prios
    case $1 in
    esp) prios="10, 11" ;; udp4500) prios="20, 21" ;; ike) prios="30, 31" ;; arp) prios="40, 41" ;;
    clear) prios="50, 51" ;; other) prios=60 ;;
    esp6) prios=11 ;; udp4500_6) prios=21 ;; ike6) prios=31 ;; clear6) prios=51 ;;
    *) lab_die "lab_wire: $1" ;;
    esac
    if [ "${LAB_NAT:-0}" = 1 ]; then
        nsx wan nft -j list counters table inet wire |
            jq --arg kind "$1" '[.nftables[].counter? | select(.name == "wire_" + $kind) | .packets] | add'
        return
    fi
    nsx wan sh -c 'for end in toa tob; do tc -s -j filter show dev $end ingress; done' |
        jq -s "add | [.[] | select(.pref | IN($prios)) | .options.actions[]?.stats.packets // 0] | add // 0"
}

lab_addr() {
    if [ "${LAB_OUTER:-4}" = 6 ]; then
        [ "$1" = ga ] && echo 2001:db8:ff::1 && return
        [ "${LAB_NAT:-0}" = 1 ] && echo 2001:db8:fe::2 || echo 2001:db8:ff::2
        return
    fi
    [ "$1" = ga ] && echo 192.0.2.1 && return
    [ "${LAB_NAT:-0}" = 1 ] && echo 198.51.100.2 || echo 192.0.2.2
}
# Where a gateway looks for the other one.
lab_remote() {
    [ "${LAB_NAT:-0}$1" = 1gb ] || { lab_addr "$(lab_peer "$1")"; return; }
    [ "${LAB_NAT_IN:-0}" = 1 ] || { echo %any; return; }
    [ "${LAB_OUTER:-4}" = 6 ] && echo 2001:db8:fe::254 || echo 198.51.100.254
}
lab_peer() { [ "$1" = ga ] && echo gb || echo ga; }
lab_lan() {
    local n=1
    [ "$1" = ga ] || n=2
    case ${LAB_INNER:-4} in
    4) echo 10.$n.0.0/24 ;;
    6) echo 2001:db8:$n::/64 ;;
    46) echo "10.$n.0.0/24, 2001:db8:$n::/64" ;;
    *) lab_die "LAB_INNER=$LAB_INNER" ;;
    esac
}

# Writes the configuration of an xdpsec gateway: gw_conf ga [key=value...]
#   ike= esp= start= secret= crypto= rekey= childrekey= dpd= localts= remotets= conn=LINES child=LINES gw=LINES
gw_conf() {
    local g=$1 peer me kv
    local ike=aes128gcm16-prfsha256-x25519 esp=aes128gcm16 start=none secret='lab secret of both ends'
    local crypto=${LAB_CRYPTO:-cryptodev} rekey=4h childrekey=1h dpd=0s localts remotets conn='' child='' gw=''
    local mine='auth = psk' theirs='auth = psk'
    peer=$(lab_peer "$g") me=$g
    localts=$(lab_lan "$g") remotets=$(lab_lan "$peer")
    shift
    for kv in "$@"; do
        case ${kv%%=*} in
        ike | esp | start | secret | crypto | rekey | childrekey | dpd | localts | remotets | conn | child | gw | mine | theirs)
            printf -v "${kv%%=*}" %s "${kv#*=}" ;;
        *) lab_die "gw_conf: unknown ${kv%%=*}" ;;
        esac
    done
    # a test may have its own
    [[ $gw == *engine\ =* ]] || gw="${LAB_ENGINE:+engine = $LAB_ENGINE}
    $gw"
    mkdir -p "$W/$me/run"
    cat >"$W/$me/xdpsec.conf" <<CONF
xdpsec {
    pin_dir = $W/bpf/$me
    run_dir = $W/$me/run
    swanctl_conf = $W/$me/swanctl.conf
    interfaces {
        wan0 { role = wan }
        lan0 { role = lan }
    }
    dataplane { crypto = $crypto }
    $gw
}
CONF
    swanctl_conf "$me" "$W/$me/swanctl.conf"
}

# The same swanctl.conf for xdpsec and strongSwan; uses the variables of its caller.
swanctl_conf() {
    cat >"$2" <<CONF
connections {
    gw {
        version = 2
        local_addrs = $(lab_addr "$1")
        remote_addrs = $(lab_remote "$1")
        proposals = $ike
        mobike = no
        rekey_time = $rekey
        dpd_delay = $dpd
        $conn
        local {
            $mine
            id = $1.example
        }
        remote {
            $theirs
            id = $(lab_peer "$1").example
        }
        children {
            net {
                local_ts = $localts
                remote_ts = $remotets
                esp_proposals = $esp
                rekey_time = $childrekey
                start_action = $start
                $child
            }
        }
    }
}
secrets {
    ike-lab {
        id-1 = ga.example
        id-2 = gb.example
        secret = "$secret"
    }
}
CONF
}

# One program of a gateway in the background, its output in $W/ga/NAME.log, its PID in $W/ga/NAME.pid.
gw_spawn() {
    local g=$1 name=$2
    shift 2
    (
        # the PID written must be the program's own: kill -9 in a test means it
        exec 9>&- </dev/null >>"$W/$g/$name.log" 2>&1
        exec setsid nsenter --net="/run/netns/$g" -- "$@"
    ) &
    echo $! >"$W/$g/$name.pid"
}

gw_load() { nsx "$1" "$BUILD/xdpsec-loader" -c "$W/$1/xdpsec.conf" load >>"$W/$1/loader.log" 2>&1; }
gw_unload() { nsx "$1" "$BUILD/xdpsec-loader" -c "$W/$1/xdpsec.conf" unload >>"$W/$1/loader.log" 2>&1; }

gw_dataplane() {
    [ "${LAB_ENGINE:-}" != kernel ] || return 0
    gw_spawn "$1" dataplane "$BUILD/xdpsec-dataplane" -c "$W/$1/xdpsec.conf"
    lab_wait 20 test -S "$W/$1/run/dataplane.sock"
}

gw_agent() {
    rm -f "$W/$1/run/xdpsecd.vici"
    gw_spawn "$1" agent "$BUILD/xdpsecd" -c "$W/$1/xdpsec.conf"
    lab_wait 20 xd "$1" status
}

# Loader, dataplane and agent of one gateway; its logs on standard error when one does not come up.
gw_up() {
    local part
    for part in gw_load gw_dataplane gw_agent; do
        $part "$1" && continue
        echo "$part $1 failed" >&2
        tail -n 15 "$W/$1"/*.log >&2
        return 1
    done
    # a first Child SA needs the dataplane: wait until agent and dataplane have met
    lab_wait 10 gw_plane_ready "$1"
}

gw_plane_ready() {
    [ "${LAB_ENGINE:-}" != kernel ] || return 0
    xd "$1" --json show plane | jq -e '.connected == true'
}
gw_pid() { cat "$W/$1/$2.pid"; }

# Ends one program of a gateway (agent, dataplane) with a signal and waits for its end.
gw_kill() {
    local pid
    [ "${LAB_ENGINE:-}$2" != kerneldataplane ] || return 0
    pid=$(gw_pid "$1" "$2") || return 1
    kill "-${3:-TERM}" "$pid" 2>/dev/null
    lab_wait 10 gw_gone "$pid"
}
gw_gone() { ! kill -0 "$1" 2>/dev/null || grep -q '^State:.*Z' "/proc/$1/status"; }

gw_down() {
    gw_kill "$1" agent
    gw_kill "$1" dataplane
    gw_unload "$1"
}

# The command line of a gateway: xd ga show sa
xd() {
    local g=$1
    shift
    "$BUILD/xdpsec" -s "$W/$g/run/xdpsecd.vici" "$@"
}

# ---- strongSwan in a gateway: charon-systemd with its user-space ESP ---------------------------
# LAB_SS_KERNEL=yes: the kernel does its ESP (kernel-netlink). That needs a kernel that can: tests/kernel/guest.
# SWAN_ROOT: a folder with another Debian, whose charon is to be used; swanctl is this machine's.
swan_available() {
    [ -x "${SWAN_ROOT:-}/usr/sbin/charon-systemd" ] && [ -x "$(command -v swanctl)" ] &&
        [ -e "${SWAN_ROOT:-}/usr/lib/ipsec/plugins/libstrongswan-kernel-libipsec.so" ]
}

# In mount namespaces of their own; the lab is at the same place in the folder.
swan_charon() { # place of /run
    mkdir -p "$1" || return 1
    [ -n "${SWAN_ROOT:-}" ] || { mount --bind "$1" /run && exec /usr/sbin/charon-systemd; return 1; }
    mount -t tmpfs tmp "$SWAN_ROOT/tmp" && mkdir -p "$SWAN_ROOT$XDPSEC_LAB" &&
        mount --bind "$XDPSEC_LAB" "$SWAN_ROOT$XDPSEC_LAB" && mount --bind "$1" "$SWAN_ROOT/run" &&
        mount --rbind /dev "$SWAN_ROOT/dev" && mount -t proc proc "$SWAN_ROOT/proc" &&
        exec chroot "$SWAN_ROOT" /usr/sbin/charon-systemd
}

# swan_conf gb [key=value...]: keys as gw_conf, less crypto and gw
swan_conf() {
    local g=$1 kv
    local ike=aes128gcm16-prfsha256-x25519 esp=aes128gcm16 start=none secret='lab secret of both ends'
    local rekey=4h childrekey=1h dpd=0s localts remotets conn='' child=''
    local mine='auth = psk' theirs='auth = psk'
    localts=$(lab_lan "$g") remotets=$(lab_lan "$(lab_peer "$g")")
    shift
    for kv in "$@"; do
        case ${kv%%=*} in
        ike | esp | start | secret | rekey | childrekey | dpd | localts | remotets | conn | child | mine | theirs)
            printf -v "${kv%%=*}" %s "${kv#*=}" ;;
        *) lab_die "swan_conf: unknown ${kv%%=*}" ;;
        esac
    done
    mkdir -p "$W/$g"
    swanctl_conf "$g" "$W/$g/swanctl.conf"
}

swan_up() {
    local g=$1 libipsec=kernel-libipsec
    [ "${LAB_SS_KERNEL:-no}" = yes ] && libipsec=
    cat >"$W/$g/strongswan.conf" <<CONF
charon-systemd {
    install_routes = ${SS_ROUTES:-yes}
    ${SS_EXTRA:-}
    filelog { l { path = $W/$g/charon.log
        default = ${SS_DEBUG:-1}
        flush_line = yes
        ike_name = yes } }
    journal { default = -1 }
    syslog { daemon { default = -1 } auth { default = -1 } }
    load_modular = no
    ${SS_CHARON:-}
    load = aesni aes sha2 sha1 random nonce x509 revocation constraints pubkey pkcs1 pkcs8 pem openssl gmp mgf1 curve25519 hmac kdf ctr ccm gcm drbg ${SS_PLUGINS:-} $libipsec kernel-netlink socket-default vici updown
    plugins {
        vici { socket = unix://$W/$g/vici }
        kernel-libipsec { allow_peer_ts = yes }
    }
}
swanctl { load = random nonce x509 pkcs1 pkcs8 pem pubkey openssl curve25519 sha1 sha2 aes }
CONF
    mkdir -p "$W/run"
    (
        exec </dev/null >>"$W/$g/charon.out" 2>&1
        # its PID file is at a fixed place: a private /run for each instance
        STRONGSWAN_CONF=$W/$g/strongswan.conf exec setsid nsenter --net="/run/netns/$g" -- \
            unshare --mount --propagation private bash -c "$(declare -f swan_charon); swan_charon $W/$g/rundir"
    ) &
    echo $! >"$W/$g/charon.pid"
    lab_wait 20 swan "$g" --version &&
        swan "$g" --load-all --file "$W/$g/swanctl.conf" >"$W/$g/load-all" 2>&1 && return
    echo "strongSwan did not come up in $g" >&2
    tail -n 15 "$W/$g"/charon.* "$W/$g/load-all" >&2
    return 1
}

swan_down() {
    kill "$(cat "$W/$1/charon.pid")" 2>/dev/null
    lab_wait 10 gw_gone "$(cat "$W/$1/charon.pid")"
}

# swanctl against the strongSwan of a gateway: swan gb --list-sas
swan() {
    local g=$1
    shift
    STRONGSWAN_CONF=$W/$g/strongswan.conf SWANCTL_DIR=$W/$g swanctl "$@" --uri "unix://$W/$g/vici"
}

# Debian's swanctl against xdpsecd: sw ga --list-sas
sw() {
    local g=$1
    shift
    : >"$W/swanctl-defaults" # the machine's own strongswan.conf must not matter
    STRONGSWAN_CONF=$W/swanctl-defaults stdbuf -oL swanctl "$@" --uri "unix://$W/$g/run/xdpsecd.vici"
}

# ---- traffic ------------------------------------------------------------------------------------
lab_ping() { nsx ha ping -q -n -c "${1:-3}" -i 0.05 -W 2 10.2.0.2 >/dev/null; }
lab_ping_back() { nsx hb ping -q -n -c "${1:-3}" -i 0.05 -W 2 10.1.0.2 >/dev/null; }
lab_ping6() { nsx ha ping -6 -q -n -c "${1:-3}" -i 0.05 -W 2 2001:db8:2::2 >/dev/null; }
lab_ping6_back() { nsx hb ping -6 -q -n -c "${1:-3}" -i 0.05 -W 2 2001:db8:1::2 >/dev/null; }

# One TCP stream ha -> hb; prints received Mbit/s. lab_tcp SECONDS [ADDRESS]
lab_tcp() {
    nsx hb iperf3 -s -1 -D -I "$W/iperf.pid" >/dev/null 2>&1
    lab_wait 5 nsx hb sh -c "ss -ltn | grep -q :5201" || return 1
    nsx ha iperf3 -c "${2:-10.2.0.2}" -t "$1" -J 2>"$W/iperf.err" |
        jq -e '.end.sum_received.bits_per_second / 1e6 | floor'
}

lab_tcp6() { lab_tcp "$1" 2001:db8:2::2; }

lab_on_exit() { # command: run when the script ends, however
    # shellcheck disable=SC2064
    trap "$1" EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
}

# Numbered UDP stream ha -> hb; prints the receiver's JSON. lab_udp SIZE PPS SECONDS [ADDRESS]
lab_udp() {
    local pid
    rm -f "$W/udp.json"
    nsx hb "$BUILD/lab/udpstream" recv 9 >"$W/udp.json" &
    pid=$!
    lab_wait 5 nsx hb sh -c "ss -lun | grep -q ':9 '"
    nsx ha "$BUILD/lab/udpstream" send "${4:-10.2.0.2}" 9 "$1" "$2" "$3"
    lab_wait 5 test -s "$W/udp.json" || kill $pid 2>/dev/null
    cat "$W/udp.json"
}
