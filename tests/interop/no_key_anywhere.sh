#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The keys of a known handshake (strongSwan writes them into its own log) are in no map, log or JSON of ours.
. "$(dirname "$0")/../lib.sh"
swan_available || skip "strongSwan with kernel-libipsec is not installed"
test_lab "$@"
gw_conf ga ike=aes256-sha256-x25519 esp=aes256-sha256; swan_conf gb ike=aes256-sha256-x25519 esp=aes256-sha256
SS_DEBUG=4 swan_up gb && gw_up ga || fail "gateways"
sed -i 's/^xdpsec {/xdpsec {\n log { default = 4 }/' "$W/ga/xdpsec.conf"
gw_kill ga agent; gw_agent ga || fail "agent with all of its log"
check "initiate" xd ga initiate net
check "ping" lab_ping 3
check "rekey" xd ga rekey net
# a hex dump of a key in charon's log: "... => 32 bytes @ ..." and lines "   0: AA BB ..."
awk 'function done() { if (length(hex) >= 32) print tolower(hex); hex = ""; on = 0 }
     / => [0-9]+ bytes @/ { done(); on = /secret|SKEYSEED|(initiator|responder) key|prf\(secret/ && !/octets/; next }
     on && /[0-9]+: ([0-9A-F][0-9A-F] )+/ { l = $0; sub(/.*[0-9]+: /, "", l); sub(/  .*/, "", l); gsub(/ /, "", l); hex = hex l; next }
     { done() }' "$W/gb/charon.log" | sort -u >"$W/keys"
n=$(wc -l <"$W/keys")
echo "$n keys known"
[ "$n" -ge 10 ] || fail "the handshake's keys are not known"
for m in "$W"/bpf/ga/*; do
    [ -f "$m" ] && "$BPFTOOL" -j map dump pinned "$m" >"$W/map.$(basename "$m")" 2>/dev/null
done
for what in sa policy conn drop plane counters; do
    xd ga --json show $what >"$W/json.$what"
    xd ga show $what >"$W/text.$what"
done
sw ga --list-sas --raw >"$W/text.swanctl" 2>/dev/null
grep -rl 'lab secret of both ends' "$W"/ga/*.log "$W"/json.* "$W"/text.* && fail "the secret is visible"
# keys_hidden DIR: no key of DIR/keys in its logs, listings and map dumps
keys_hidden() {
    python3 - "$1" <<'PY'
import glob, json, sys
w = sys.argv[1]
keys = [k.strip() for k in open(w + "/keys")]
def places():
    for f in glob.glob(w + "/ga/*.log") + glob.glob(w + "/json.*") + glob.glob(w + "/text.*"):
        yield f, open(f, errors="replace").read().lower()
    for f in glob.glob(w + "/map.*"):
        text = open(f).read()
        try:
            rows = json.loads(text)
        except ValueError:
            continue
        # bytes of a row as bpftool shows them, and every number of the formatted row in both orders
        flat = []
        def walk(x):
            if isinstance(x, dict):
                for v in x.values(): walk(v)
            elif isinstance(x, list):
                for v in x: walk(v)
            elif isinstance(x, str) and x.startswith("0x"): flat.append(x[2:].rjust(2, "0"))
            elif isinstance(x, int) and 0 <= x < 256: flat.append("%02x" % x)
        for r in rows if isinstance(rows, list) else [rows]:
            walk({k: r[k] for k in r if k != "formatted"} if isinstance(r, dict) else r)
        yield f, "".join(flat)
bad = 0
for name, text in places():
    squeezed = text.replace(" ", "").replace(":", "")
    for k in keys:
        # any 12 bytes of a key in a row
        if any(k[i:i + 24] in squeezed for i in range(0, len(k) - 23, 8)):
            print("key visible in", name)
            bad = 1
            break
sys.exit(bad)
PY
}

# first that the search finds one, in a real row of a real map and in each kind of text
key=$(head -n 1 "$W/keys")
plant="$W/planted"
mkdir -p "$plant/ga"
echo "$key" >"$plant/keys"
hex() { sed 's/../& /g' <<<"$1"; }
row_key=$(printf '%032d' 7)
# shellcheck disable=SC2046
"$BPFTOOL" map update pinned "$W/bpf/ga/next_hop" key hex $(hex "$row_key") value hex $(hex "${key:0:32}0000000000000000") ||
    fail "cannot plant a key in a map"
for place in map.next_hop json.sa ga/agent.log; do
    if [ $place = map.next_hop ]; then
        "$BPFTOOL" -j map dump pinned "$W/bpf/ga/next_hop" >"$plant/$place"
    else
        echo "x ${key:0:32} y" >"$plant/$place"
    fi
    keys_hidden "$plant" >/dev/null && fail "a key planted in $place is not found"
    echo "ok: a key planted in $place is found"
    rm "$plant/$place"
done
check "nothing planted, nothing found" keys_hidden "$plant"
check "no key in any map, log or listing" keys_hidden "$W"
