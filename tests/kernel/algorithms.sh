#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What the kernel can do for ESP stands in `show algorithms`, with no dataplane anywhere; IKE's sockets are exempt from the
# kernel's policies, and ESP in UDP ends in the kernel.
. "$(dirname "$0")/../lib.sh"
needs_guest
test_lab "$@"
. tests/kernel/lib.sh
kernel_up
alg() { xd ga --json show algorithms | jq -e ".[] | select(.keyword == \"$1\") | $2" >/dev/null; }
for keyword in aes128gcm16 aes256ccm8 chacha20poly1305 aes256 aes192ctr aes128gmac null sha256 aesxcbc sha256_96; do
    check "$keyword in the kernel" alg $keyword '.engines == ["kernel"]'
done
check "a group is in no engine" alg x25519 '.engines == null'
check "so says the table" grep -q 'aes256gcm16 .* kernel *$' <(xd ga show algorithms)
check "what is not known is said" grep -q 'dataplane not connected' <(xd ga show algorithms)
exempt() { [ "$(ip -n ga xfrm policy | grep -c 'socket in')" -ge 8 ]; }
check "IKE's sockets have policies" exempt
ip -n ga xfrm policy add src 0.0.0.0/0 dst 0.0.0.0/0 dir out action block priority 1
ip -n ga xfrm policy add src 0.0.0.0/0 dst 0.0.0.0/0 dir in action block priority 1
stopped() { ! nsx ga ping -q -c 1 -W 1 192.0.2.2 >/dev/null 2>&1; }
check "the policy stops others" stopped
check "but not IKE" xd ga initiate net
