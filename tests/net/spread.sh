#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# ESP of the kernel engine is spread over CPUs by SA: one SA stays on one CPU and in order, several use several.
. "$(dirname "$0")/../lib.sh"
test_lab "$@"
[ "$(nproc)" -gt 1 ] || skip "one CPU"
rows() { "$BUILD/tests/net/rows" "$W/bpf/ga" "$@"; }
spread_conf() { # what interface wan0 says
    gw_conf ga
    sed -i "s/wan0 { role = wan }/wan0 {\n role = wan\n $1\n }/" "$W/ga/xdpsec.conf"
}
loader() { nsx ga "$BUILD/xdpsec-loader" -c "$W/ga/xdpsec.conf" "$@"; }
spread_conf 'spread = 0-99'
refused "more CPUs than one can name" 'more than 64 CPUs' loader load
spread_conf 'spread = 60'
refused "a CPU that is not there" 'spread to CPU 60: this machine has none' loader load
spread_conf 'spread = often'
refused "neither" "spread: 'often' is not allowed" loader load
spread_conf 'spread = no'
check "load without" loader load
port_row() { map_rows ga port | jq -c 'select(.ifname | startswith("wan0")) | [.n_spread, .spread[0:.n_spread]]'; }
[ "$(port_row)" = "[0,[]]" ] || fail "spread all the same: $(port_row)"
spread_conf 'attach = generic'
loader unload >/dev/null
check "load, generic" loader load
[ "$(port_row)" = "[0,[]]" ] || fail "generic mode is spread by itself: $(port_row)"
loader unload >/dev/null
spread_conf 'spread = auto'
loader load >"$W/loaded" || fail "load"
cat "$W/loaded"
check "fewer queues than CPUs: spread by itself" grep -qE 'wan0: .*native.*ESP over [0-9]+ CPUs' "$W/loaded"
[ "$(port_row)" = "[$(nproc),$(seq -s, 0 $(($(nproc) - 1)) | sed 's/.*/[&]/')]" ] || echo "CPUs: $(port_row)"

# eight SAs, slots 1 to 8
for s in {1..8}; do rows in "0xc000000$s" 192.0.2.1 kernel; done
cat >"$W/in.py" <<'PY'
import socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 50)
s.setsockopt(socket.SOL_SOCKET, 33, 1 << 24)
s.settimeout(5)
print("ready", flush=True)
last, n, wrong = {}, 0, 0
want = int(sys.argv[1])
try:
    while n < want:
        spi, seq = struct.unpack("!II", s.recv(2048)[20:28])
        wrong += seq != last.get(spi, 0) + 1
        last[spi] = seq
        n += 1
except TimeoutError:
    pass
print(n, wrong)
PY
cat >"$W/out.py" <<'PY'
import socket, struct, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 50)
def send(b):
    while True:
        try:
            return s.sendto(b, ("192.0.2.1", 0))
        except OSError as e: # ENOBUFS: the kernel's queue of a busy machine
            if e.errno != 105:
                raise
            time.sleep(0.005)

for seq in range(1, int(sys.argv[1]) + 1):
    for slot in range(1, 9):
        send(struct.pack("!II", 0xc0000000 | slot, seq) + bytes(64))
    if seq % 25 == 0:
        time.sleep(0.01)
PY
from=gb
crosses() { # SAs' packets arrive, all, each SA's in their order
    nsx ga python3 "$W/in.py" $((8 * $1)) >"$W/got" &
    local in=$!
    lab_wait 10 grep -q ready "$W/got"
    nsx $from python3 "$W/out.py" "$1" || return 1
    wait $in
    [ "$(tail -n 1 "$W/got")" = "$((8 * $1)) 0" ] || { cat "$W/got"; return 1; }
}
cpus_of() { # the CPUs that have seen an SA
    "$BPFTOOL" -j map lookup pinned "$W/bpf/ga/sa_rx" key "$1" 0 0 0 |
        jq -c '[.formatted.values[] | select(.value.packets > 0) | .cpu]'
}
# eight SAs of one receive queue: whatever CPU took a packet in, its SA's did the rest
check "all arrive, each SA's in order" crosses 1000
for s in {1..8}; do
    [ "$(cpus_of $s | jq length)" = 1 ] || fail "SA $s was on CPUs $(cpus_of $s)"
    [ "$(cpus_of $s)" = "$(map_rows ga port | jq -c --argjson s "$s" 'select(.ifname | startswith("wan0")) | [.spread[$s % .n_spread]]')" ] ||
        fail "SA $s was on $(cpus_of $s)"
done
used=$(for s in {1..8}; do cpus_of $s; done | sort -u | wc -l)
[ "$used" = "$(map_rows ga port | jq 'select(.ifname | startswith("wan0")) | [.n_spread, 8] | min')" ] || fail "$used CPUs used"
echo "ok: eight SAs on $used CPUs"
check "load again, with packets under way" loader load
check "all arrive, each SA's in order" crosses 200
# a list, and generic mode
loader unload >/dev/null
spread_conf 'attach = generic\n spread = 1'
check "load, generic, with a list" loader load
for s in {1..8}; do rows in "0xc000000$s" 192.0.2.1 kernel; done
# generic XDP does not look at what tc redirected: the next hop on the wire sends
from=wan
ip -n wan addr add 192.0.2.3/24 dev toa
ip -n wan neigh add 192.0.2.1 lladdr "$(ip -n ga -j link show wan0 | jq -r '.[0].address')" dev toa
check "all arrive, each SA's in order" crosses 200
[ "$(for s in {1..8}; do cpus_of $s; done | sort -u)" = "[1]" ] || fail "on $(for s in {1..8}; do cpus_of $s; done | xargs)"
check "unload" loader unload
