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
eventually 5 "ping" lab_ping 3
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
import glob, re, sys
w = sys.argv[1]
keys = [k.strip() for k in open(w + "/keys")]
def places():
    for f in glob.glob(w + "/ga/*.log") + glob.glob(w + "/json.*") + glob.glob(w + "/text.*"):
        yield f, open(f, errors="replace").read().lower()
    # bytes of the rows as bpftool shows them, "0x0a"; long runs of zeros are no key
    for f in glob.glob(w + "/map.*"):
        flat = "".join(re.findall('"0x([0-9a-f]{2})"', open(f).read()))
        yield f, re.sub("(?:00){16,}", "00", flat)
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
bytes=$("$BPFTOOL" -j map show pinned "$W/bpf/ga/next_hop" | jq .bytes_value)
row=${key:0:32}$(printf '%0*d' $((2 * bytes - 32)) 0)
# shellcheck disable=SC2046
"$BPFTOOL" map update pinned "$W/bpf/ga/next_hop" key hex $(hex "$row_key") value hex $(hex "$row") ||
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

# Private keys: two of ours sign, and neither log, map or listing nor the memory of the agent has a secret of theirs, which
# nobody but the keys role may have. The same for the shared key.
. tests/pki.sh
pki_init
pki_ca ca
pki_leaf ga-rsa rsa ca DNS:ga.example
pki_leaf ga-ec P-256 ca DNS:ga.example
pki_leaf gb-rsa rsa ca DNS:gb.example
pki_clear ga; pki_clear gb
pki_give ga key:ga-rsa cert:ga-rsa key:ga-ec cert:ga-ec ca:ca; pki_give gb key:gb-rsa cert:gb-rsa ca:ca
swan_conf gb 'mine=auth = pubkey' 'theirs=auth = pubkey' ike=aes256-sha256-x25519 esp=aes256-sha256
check "load-all" swan gb --load-all --clear --noprompt --file "$W/gb/swanctl.conf"
sed -i 's/^xdpsec {/xdpsec {\n log { default = 4 }/' "$W/ga/xdpsec.conf"
for key in rsa ec; do
    gw_conf ga "mine=auth = pubkey
 certs = ga-$key.pem" 'theirs=auth = pubkey' ike=aes256-sha256-x25519 esp=aes256-sha256 'gw=log { default = 4 }'
    check "$key: reload" xd ga reload
    check "$key: we call" xd ga initiate net
    eventually 5 "$key: ping" lab_ping 1
    check "$key: terminate" xd ga terminate --ike gw
    check "$key: they call" swan gb --initiate --child net --timeout 10
    check "$key: terminate" swan gb --terminate --ike gw --timeout 10
done
for what in sa conn certs keys authorities counters; do
    xd ga --json show $what >"$W/json.$what"
    xd ga show $what >"$W/text.$what"
done
sw ga --list-certs --raw >"$W/text.swanctl" 2>/dev/null
for m in "$W"/bpf/ga/*; do
    [ -f "$m" ] && "$BPFTOOL" -j map dump pinned "$m" >"$W/map.$(basename "$m")" 2>/dev/null
done
# numbers of a private key in hex: all but the public ones
for key in rsa ec; do
    openssl pkey -in "$W/pki/ga-$key.key" -noout -text 2>/dev/null |
        awk '/^[a-zA-Z]/ { on = /^(privateExponent|prime|priv)/; printf on ? "\n" : "" }
             on && /^ / { gsub(/[ :]/, ""); printf "%s", $0 } END { print "" }' |
        sed 's/^00//' | grep -E '^[0-9a-f]{60,}$'
done | sed -E 's/^.{8}(.{48}).*/\1/' >"$W/keys" # 24 bytes: leading zeros and the cut of a limb do not matter
[ "$(wc -l <"$W/keys")" -ge 4 ] || fail "the numbers of the private keys are not known: $(wc -l <"$W/keys")"
check "no private key in any map, log or listing" keys_hidden "$W"
# in_memory PID: which of our secrets that process has: as they are, in the order of a bignum, as PEM has them
in_memory() {
    python3 - "$1" "$W" <<'PY'
import re, sys
pid, w = sys.argv[1:]
wanted = {"the shared key": b"lab secret of both ends"}
for i, line in enumerate(open(w + "/keys")):
    n = bytes.fromhex(line.strip())
    wanted["number %d" % i] = n
    wanted["number %d, limbs" % i] = n[::-1]
for k in "rsa", "ec":
    wanted["PEM of " + k] = open(w + "/pki/ga-%s.key" % k, "rb").read().split(b"\n")[2 if k == "rsa" else 1][-40:]
found = set()
with open("/proc/%s/mem" % pid, "rb", 0) as mem:
    for line in open("/proc/%s/maps" % pid):
        m = re.match(r"([0-9a-f]+)-([0-9a-f]+) r", line)
        if not m or "[v" in line:
            continue
        lo, hi = int(m[1], 16), int(m[2], 16)
        try:
            mem.seek(lo)
            bytes_ = mem.read(hi - lo)
        except OSError:
            continue
        for what, b in wanted.items():
            if b in bytes_:
                found.add(what)
for what in sorted(found):
    print(what)
PY
}
agent=$(gw_pid ga agent)
role=$(pgrep -P "$agent" -f 'role keys' | head -n 1)
[ -n "$role" ] || fail "no keys role"
in_memory "$role" >"$W/role" || fail "memory of the keys role"
in_memory "$agent" >"$W/agent" || fail "memory of the agent"
grep -q number "$W/role" || fail "the search does not find the keys where they are"
echo "the keys role has: $(paste -sd, "$W/role")"
[ ! -s "$W/agent" ] || fail "the agent has: $(paste -sd, "$W/agent")"
echo "ok: nothing of it in the agent's memory"
