#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The BPF tests and the loader on another kernel, in a QEMU guest: verifiers differ, and on kernels that have
# freplace the libxdp dispatcher is used. XDPSEC_KERNEL_DIR is where boot/vmlinuz-* and lib/modules/* of a
# kernel package lie (dpkg-deb -x linux-image-*.deb DIR); without it the kernels installed here are tried.
# Software emulation is enough: the guest is up in about ten seconds.
set -u
cd "$(dirname "$0")/../.." || exit 1
B=${BUILD:-build}
skipped() { echo "skipped: $*"; exit 77; }
dir=${XDPSEC_KERNEL_DIR:-}
image=$(find "$dir/boot" -maxdepth 1 -name 'vmlinuz-*' 2>/dev/null | sort -V | tail -n 1)
[ -n "$image" ] || skipped "no kernel image under $dir/boot (XDPSEC_KERNEL_DIR)"
for tool in qemu-system-x86_64 busybox cpio dash ip tc; do
    command -v $tool >/dev/null || skipped "no $tool"
done
version=${image##*/vmlinuz-}
modules=$dir/lib/modules/$version
[ -d "$modules" ] || skipped "no $modules"
W=$(mktemp -d) || exit 1
trap 'rm -rf "$W"' EXIT
R=$W/root
mkdir -p "$R"/{bin,sbin,proc,sys,dev,run,w,etc/xdpsec} "$R/lib/modules/$version"

put() { # program place: with the libraries that it needs
    cp -L "$1" "$R/$2" || exit 1
    ldd "$1" 2>/dev/null | grep -o '/[^ ]*' | while read -r lib; do
        mkdir -p "$R${lib%/*}" && cp -L "$lib" "$R$lib"
    done
}

put "$(command -v busybox)" bin/busybox
put "$(command -v dash)" bin/sh # busybox's own shell would take its own ip
put "$(command -v ip)" sbin/ip
put "$(command -v tc)" sbin/tc
for a in mount mkdir cat modprobe poweroff grep find tail; do ln -s busybox "$R/bin/$a"; done
put "$B/xdpsec-loader" w/xdpsec-loader
for t in "$B"/tests/bpf/*_test; do put "$t" "w/${t##*/}"; done
dispatcher=$(find /usr/lib -path '*/bpf/xdp-dispatcher.o' | head -n 1)
[ -z "$dispatcher" ] || { mkdir -p "$R${dispatcher%/*}" && cp "$dispatcher" "$R$dispatcher"; }
(cd "$modules" && find . \( -name 'veth.ko*' -o -name 'sch_ingress.ko*' -o -name 'cls_bpf.ko*' -o \
    -name 'esp4.ko*' -o -name 'xfrm*.ko*' -o -name 'tunnel4.ko*' -o -name 'authenc.ko*' \) -print0 |
    cpio -0pdm --quiet "$R/lib/modules/$version")
cp "$modules"/modules.{order,builtin,builtin.modinfo} "$R/lib/modules/$version/" 2>/dev/null
busybox depmod -b "$R" "$version" 2>/dev/null || depmod -b "$R" "$version" || exit 1
cat >"$R/etc/xdpsec/xdpsec.conf" <<'CONF'
xdpsec {
    sa_slots = 1024
    policies = 4096
    interfaces {
        wan0 { role = wan }
        lan0 { role = lan }
    }
}
CONF
cat >"$R/init" <<'INIT'
#!/bin/sh
export PATH=/bin:/sbin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev; mount -t bpf bpf /sys/fs/bpf
echo 1 >/proc/sys/kernel/printk
for m in veth sch_ingress cls_bpf esp4; do modprobe -q $m; done
ip link set lo up
cat /proc/version
check() { what=$1; shift; "$@" && echo "PASS $what" || echo "FAIL $what"; }
check probe /w/xdpsec-loader probe
for t in /w/*_test; do CMOCKA_MESSAGE_OUTPUT=TAP check "${t##*/}" "$t"; done
ip link add wan0 type veth peer name w1; ip link add lan0 type veth peer name l1
L=/w/xdpsec-loader
has_xdp() { ip link show "$1" | grep -q prog/xdp; }
is_clean() { ! has_xdp wan0 && ! has_xdp lan0 && [ -z "$(find /sys/fs/bpf -mindepth 1 ! -name '*.debug')" ] &&
    ! tc qdisc show | grep -q clsact; }
for how in "" --single; do
    check "load $how" $L $how load
    check "XDP on wan0" has_xdp wan0
    check "load again $how" $L $how load
    check "status $how" $L status
    check "unload $how" $L unload
    check "nothing left $how" is_clean
done
echo GUEST-DONE
poweroff -f
INIT
chmod +x "$R/init"
(cd "$R" && find . | cpio -o -H newc --quiet | gzip -1 >"$W/initrd") || exit 1
timeout 240 qemu-system-x86_64 -accel tcg,thread=multi -cpu max -m 1536 -smp 2 -nographic -no-reboot \
    -kernel "$image" -initrd "$W/initrd" -append 'console=ttyS0 panic=1 mitigations=off quiet' \
    >"$W/out" 2>&1 </dev/null
tr -d '\r' <"$W/out" | sed -n '/Linux version/,$p'
grep -q GUEST-DONE "$W/out" || { echo "the guest did not finish"; exit 1; }
! grep -q '^FAIL' "$W/out"
