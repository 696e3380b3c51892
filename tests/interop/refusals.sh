#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What xdpsec and strongSwan refuse each other, whoever calls: the word of it in both command lines, and the SAs that
# are left on both sides. (Algorithms: strongswan_esp.sh; certificates: certs.sh.)
. "$(dirname "$0")/../lib.sh"
swan_available || skip "strongSwan with kernel-libipsec is not installed"
test_lab "$@"
. tests/interop/both.sh
both_up
ours_only() { sed -i "$1" "$W/$US/swanctl.conf"; }
theirs_only() { sed -i "$1" "$W/$THEM/swanctl.conf"; }

# selectors without an overlap, and with one that is too small to be any packet of the other's protocol
set_both "their network is another" -- localts=10.77.0.0/24
refusal "their network is another" 1 'TS_UNACCEPTABLE' 'TS_UNACCEPTABLE'
set_both "ours is another" localts=10.77.0.0/24 --
refusal "ours is another" 1 'TS_UNACCEPTABLE' 'TS_UNACCEPTABLE'
set_both "ranges that only touch" remotets=10.2.0.0-10.2.0.99 -- localts=10.2.0.100-10.2.0.200
refusal "ranges that only touch" 1 'TS_UNACCEPTABLE' 'TS_UNACCEPTABLE'
set_both "another protocol" 'remotets=10.2.0.0/24[tcp]' 'localts=10.1.0.0/24[tcp]' -- 'localts=10.2.0.0/24[udp]' 'remotets=10.1.0.0/24[udp]'
refusal "another protocol" 1 'TS_UNACCEPTABLE' 'TS_UNACCEPTABLE'
set_both "another family" -- localts=2001:db8:2::/64 remotets=2001:db8:1::/64
refusal "another family" 1 'TS_UNACCEPTABLE' 'TS_UNACCEPTABLE'

# who they are, and how they prove it
set_both "another secret" -- 'secret=not the one of the other side'
refusal "another secret" 0 'AUTHENTICATION_FAILED' 'AUTH_FAILED|AUTHENTICATION_FAILED'
gw_conf $US; swan_conf $THEM
theirs_only 's/id = gb\.example/id = other.example/; s/id-2 = gb.example/id-2 = other.example/'
load_both "they are somebody else"
refusal "they are somebody else" 0 'AUTHENTICATION_FAILED|identity' 'AUTH_FAILED|AUTHENTICATION_FAILED'
gw_conf $US; swan_conf $THEM
ours_only 's/id = ga\.example/id = other.example/; s/id-1 = ga.example/id-1 = other.example/'
load_both "we are somebody else"
refusal "we are somebody else" 0 'AUTHENTICATION_FAILED' 'AUTH_FAILED|AUTHENTICATION_FAILED|identit'
set_both "they want a certificate" -- 'theirs=auth = pubkey'
refusal "they want a certificate" 0 'AUTHENTICATION_FAILED' 'AUTH_FAILED|AUTHENTICATION_FAILED|constraint'
set_both "we want a certificate" 'theirs=auth = pubkey' --
refusal "we want a certificate" 0 'method is not the one configured' 'AUTH_FAILED|AUTHENTICATION_FAILED'

# a first child that one side insists on and the other forbids
set_both "childless here alone" 'conn=childless = force' -- 'conn=childless = never'
refused "childless here alone: we call" 'does not support' xd $US initiate net
refused "childless here alone: they call" 'NO_ADD_SAS|NO_ADDITIONAL_SAS' swan $THEM --initiate --child net --timeout 10
eventually 5 "childless here alone: no SA" pairs 0 0
set_both "childless there alone" 'conn=childless = never' -- 'conn=childless = force'
refused "childless there alone: we call" 'INVALID_SYNTAX' xd $US initiate net
refused "childless there alone: they call" 'does not support childless|failed' swan $THEM --initiate --child net --timeout 10
eventually 5 "childless there alone: no SA" pairs 0 0

# nobody configured for the address: refused before anything is proved
gw_conf $US; swan_conf $THEM
theirs_only 's/remote_addrs = .*/remote_addrs = 192.0.2.77/'
load_both "an unknown address"
refused "an unknown address: we call" 'NO_PROPOSAL_CHOSEN' xd $US initiate net
gw_conf $US; swan_conf $THEM
ours_only 's/remote_addrs = .*/remote_addrs = 192.0.2.77/'
load_both "an unknown address"
refused "an unknown address: they call" 'NO_PROPOSAL_CHOSEN' swan $THEM --initiate --child net --timeout 10
eventually 5 "an unknown address: no SA" pairs 0 0

# and the same two daemons still work
set_both "at last"
both_call "at last"
check "no secret in our log" sh -c "! grep -l 'not the one of the other' $W/$US/*.log"
