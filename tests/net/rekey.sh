#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Rekeying of IKE and Child SA by either side under traffic: other SPIs, and no packet lost.
. "$(dirname "$0")/../lib.sh"
test_lab "$@"
pair_up
rounds=${REKEY_ROUNDS:-5}
lab_udp 200 2000 $((rounds * 2 + 1)) >"$W/stream" &
stream=$!
sleep 0.3 # the stream runs before the first rekey
for i in $(seq "$rounds"); do
    for g in ga gb; do
        spi=$(spi_out $g)
        check "round $i: $g rekeys the child" xd $g rekey net
        [ "$(spi_out $g)" != "$spi" ] || fail "same SPI after the rekey"
        ike=$(ike_spi $g)
        check "round $i: $g rekeys the IKE SA" xd $g rekey --ike gw
        [ "$(ike_spi $g)" != "$ike" ] || fail "same IKE SPI after the rekey"
    done
done
wait $stream
jq . "$W/stream"
for g in ga gb; do xd $g show drop; done
check "no packet lost" jq -e '.lost == 0 and .sent > 1000' "$W/stream"
check "none doubled" jq -e '.duplicate == 0' "$W/stream"
eventually 10 "one IKE SA at ga" ikes_is ga 1
eventually 10 "one IKE SA at gb" ikes_is gb 1
eventually 10 "one child at ga" children_is ga 1
eventually 10 "the old rows are gone" map_count_is ga sa_in 1
check "nothing in clear" no_clear
