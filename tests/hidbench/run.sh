#!/usr/bin/env bash
# Runs one program inside a small virtual machine that has real hidraw devices.
#
# Why: a program that opens HID tokens goes through the kernel's hidraw, which
# no user-space stand-in replaces: enumeration over sysfs, the node under /dev,
# poll() and errno when a token is pulled. A host without USB and without the
# uhid module still gets all of that here, from a Debian kernel under QEMU's
# software emulation. Nothing is installed and no root is needed: kernel and
# busybox come from Debian packages fetched by apt into a cache folder, the rest
# is an initramfs packed on the spot.
#
#   run.sh [options] PROGRAM [ARG...]
#
#   -d SPEC        a virtual device; repeat for more (see uhid-provider.rs).
#                  Without any: name=token,serial=0001,mode=echo
#   -a FILE:PATH   also put FILE at PATH in the guest; repeat for more
#   -e NAME=VALUE  environment variable for PROGRAM; repeat for more
#   -t SECONDS     limit for the whole run (120)
#   -s FLAVOUR     Debian kernel: cloud (default: small, boots fastest,
#                  HID only) or full (also USB, dummy_hcd, usbip)
#   -m MODULE      load one more kernel module, by name, with its parameters if
#                  any (-m 'dummy-hcd num=2'); repeat for more
#   -f             only fetch and build what a run with this flavour needs; no
#                  PROGRAM
#   -k             keep the work folder and say where it is
#   -v             show the kernel's own messages as well
#
# PROGRAM runs as root with the guest's /dev/hidrawN ready. A dynamically linked
# program is fine: the libraries that ldd names are packed too. Its output comes
# out on standard output, and its exit status is the script's. In the guest,
# /run/uhid.ctl takes commands, one a line: `plug NAME`, `unplug NAME`,
# `mode NAME MODE`; and /run/uhid.log tells what has taken effect.
#
# Exit status: the program's; 124 when the limit ran out; 125 when the bench
# itself failed (a tool is missing, the guest did not come up, bad option).
#
# Environment: HIDBENCH_CACHE  folder for the packages and the built provider
#              (default: $XDG_CACHE_HOME/hidbench or ~/.cache/hidbench)
#              HIDBENCH_KERNEL exact Debian kernel package to use instead of
#              the newest of the flavour
set -euo pipefail

fail() {
    echo "hidbench: $*" >&2
    exit 125
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${HIDBENCH_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/hidbench}
devices=() adds=() envs=() modules=()
limit=120 flavour=cloud keep=no loglevel=1 fetch=no
while getopts d:a:e:t:s:m:fkv opt; do
    case $opt in
    d) devices+=("$OPTARG") ;;
    a) adds+=("$OPTARG") ;;
    e) envs+=("$OPTARG") ;;
    t) limit=$OPTARG ;;
    s) flavour=$OPTARG ;;
    m) modules+=("$OPTARG") ;;
    f) fetch=yes ;;
    k) keep=yes ;;
    v) loglevel=7 ;;
    *) fail "see the head of ${BASH_SOURCE[0]}" ;;
    esac
done
shift $((OPTIND - 1))
if [ "$fetch" = no ]; then
    [ $# -ge 1 ] || fail "no program given; see the head of ${BASH_SOURCE[0]}"
    [ -x "$1" ] && [ -f "$1" ] || fail "$1 is no executable file"
fi
[ ${#devices[@]} -gt 0 ] || devices=(name=token,serial=0001,mode=echo)
case $flavour in
cloud) meta=linux-image-cloud-amd64 ;;
full) meta=linux-image-amd64 ;;
*) fail "-s $flavour: cloud or full" ;;
esac

# --- what this needs ---------------------------------------------------------
need() { # command, Debian package
    command -v "$1" >/dev/null || missing+=("$1 (package $2)")
}
missing=()
need qemu-system-x86_64 qemu-system-x86
need apt-get apt
need apt-cache apt
need dpkg-deb dpkg
need timeout coreutils
need flock util-linux
[ ${#missing[@]} -eq 0 ] || fail "missing: ${missing[*]}"
[ "$(uname -m)" = x86_64 ] || fail "only for x86_64 hosts"

# --- kernel, busybox and provider, kept in the cache -------------------------
mkdir -p "$cache" || fail "cannot make $cache"
cache=$(cd "$cache" && pwd) # it is used from other folders as well
exec 9>"$cache/lock"
flock 9 # two runs at once must not both unpack

unpack() { # package -> prints the folder it is unpacked in
    local dir="$cache/$1"
    if [ ! -e "$dir/.complete" ]; then
        rm -rf "$dir" && mkdir -p "$dir/deb"
        # apt's unprivileged user cannot enter a private folder, hence the
        # sandbox setting; it only quiets a warning.
        (cd "$dir/deb" && apt-get -qq -o APT::Sandbox::User=root download "$1" >&2) ||
            fail "apt-get cannot download $1 (run 'apt-get update' first?)"
        dpkg-deb -x "$dir"/deb/*.deb "$dir" || fail "cannot unpack $1"
        rm -r "$dir/deb"
        touch "$dir/.complete"
    fi
    echo "$dir"
}

# The meta package names the real one. Where only older real ones are cached
# and apt knows nothing (no package lists), the newest cached one serves.
kernel=${HIDBENCH_KERNEL:-}
if [ -z "$kernel" ]; then
    kernel=$(apt-cache depends "$meta" 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)$/\1/p' | head -n 1)
fi
if [ -z "$kernel" ]; then
    kernel=$(cd "$cache" && ls -d linux-image-*-amd64 2>/dev/null | { if [ "$flavour" = cloud ]; then grep -- -cloud-; else grep -v -- -cloud-; fi; } | sort -V | tail -n 1) || true
    [ -n "$kernel" ] || fail "apt knows no $meta (run 'apt-get update')"
fi
kdir=$(unpack "$kernel")
bdir=$(unpack busybox-static)
busybox=$bdir/bin/busybox
[ -x "$busybox" ] || busybox=$bdir/usr/bin/busybox
[ -x "$busybox" ] || fail "no busybox in package busybox-static"
vmlinuz=$(ls "$kdir"/boot/vmlinuz-* 2>/dev/null | head -n 1)
[ -n "$vmlinuz" ] || fail "no kernel image in package $kernel"
release=${vmlinuz##*/vmlinuz-}

provider=$cache/uhid-provider
if [ ! -x "$provider" ] || [ "$here/uhid-provider.rs" -nt "$provider" ]; then
    command -v rustc >/dev/null || fail "missing: rustc (package rustc), to compile uhid-provider.rs"
    rustc --edition 2021 -O -C target-feature=+crt-static -C strip=symbols \
        -o "$provider.new" "$here/uhid-provider.rs" || fail "cannot compile uhid-provider.rs"
    mv "$provider.new" "$provider"
fi
flock -u 9
[ "$fetch" = no ] || exit 0

# --- the initramfs -----------------------------------------------------------
work=$(mktemp -d)
cleanup() {
    if [ "$keep" = yes ]; then echo "hidbench: kept $work" >&2; else rm -rf "$work"; fi
}
trap cleanup EXIT
root=$work/root
mkdir -p "$root"/{bin,dev,proc,sys,run,tmp,etc,lib/modules,root}
cp "$busybox" "$root/bin/busybox"
cp "$provider" "$root/bin/uhid-provider"

# Modules in the order to load them: each after those its .modinfo names.
order=()
declare -A params=()
add_module() {
    local name=${1//-/_} file dep
    case " ${order[*]-} " in *" $name "*) return ;; esac
    file=$(find "$kdir" -path "*/modules/*" \( -name "$name.ko*" -o -name "${name//_/-}.ko*" \) -print -quit)
    if [ -z "$file" ]; then
        # Not a module: either built in, or this kernel does not have it.
        grep -qsE "/(${name}|${name//_/-})\.ko$" "$kdir"/lib/modules/*/modules.builtin "$kdir"/usr/lib/modules/*/modules.builtin ||
            fail "kernel $release has no module $1"
        return
    fi
    case $file in
    *.ko) cp "$file" "$work/$name.ko" ;;
    *.xz) "$busybox" xzcat "$file" >"$work/$name.ko" ;;
    *.gz) "$busybox" zcat "$file" >"$work/$name.ko" ;;
    *) fail "unknown compression of $file" ;;
    esac
    for dep in $(tr '\0' '\n' <"$work/$name.ko" | sed -n 's/^depends=//p' | tr , ' '); do
        add_module "$dep"
    done
    mv "$work/$name.ko" "$root/lib/modules/$name.ko"
    order+=("$name")
}
for module in hid-generic uhid ${modules[@]+"${modules[@]}"}; do
    name=${module%% *}
    add_module "$name"
    [ "$name" = "$module" ] || params[${name//-/_}]=${module#* }
done

program=$1
shift
add_file() { # file on the host, path in the guest; with the libraries it needs
    local lib
    mkdir -p "$root/$(dirname "$2")"
    cp -L "$1" "$root/$2" || fail "cannot copy $1"
    [ -x "$1" ] || return 0
    for lib in $(ldd "$1" 2>/dev/null | sed -n 's/.*=> \(\/[^ ]*\).*/\1/p; s/^[[:space:]]*\(\/[^ ]*\) (.*/\1/p'); do
        [ -e "$root$lib" ] && continue
        mkdir -p "$root$(dirname "$lib")"
        cp -L "$lib" "$root$lib" || fail "cannot copy $lib, which $1 needs"
    done
}
# Under its own name, which it may look at, and apart from busybox's names.
add_file "$program" "/program/${program##*/}"
for add in ${adds[@]+"${adds[@]}"}; do
    [ "$add" != "${add#*:}" ] || fail "-a $add: wants FILE:PATH"
    [ -f "${add%%:*}" ] || fail "-a $add: no such file"
    add_file "${add%%:*}" "/${add#*:}"
done

# Everything the guest does. Lines for this script start with @hidbench.
{
    echo '#!/bin/busybox sh'
    cat <<'INIT'
/bin/busybox --install -s /bin
export PATH=/bin HOME=/root
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs tmp /tmp
mkdir -p /dev/pts && mount -t devpts pts /dev/pts
ln -s /proc/self/fd /dev/fd
stty -F /dev/ttyS0 raw 2>/dev/null
end() {
    echo "@hidbench end $1"
    sync
    reboot -f
    sleep 60
}
INIT
    for module in ${order[@]+"${order[@]}"}; do
        echo "insmod /lib/modules/$module.ko ${params[$module]-} || end 'no module $module'"
    done
    printf 'set --'
    printf ' %q' "${devices[@]}"
    echo
    cat <<'INIT'
mkfifo /run/uhid.ctl
# Held open here too, so that a command never waits for the provider to open it
# again; for reading as well, or this would wait for the provider itself.
exec 8<>/run/uhid.ctl
uhid-provider --control /run/uhid.ctl "$@" >/run/uhid.log 2>&1 8>&- &
waited=0
until grep -qs '^uhid: ready' /run/uhid.log; do
    if ! kill -0 $! 2>/dev/null || [ $waited -ge 600 ]; then
        cat /run/uhid.log
        end 'the device provider did not start'
    fi
    waited=$((waited + 1))
    usleep 50000
done
INIT
    for env in ${envs[@]+"${envs[@]}"}; do printf 'export %q\n' "$env"; done
    printf 'set --'
    [ $# -eq 0 ] || printf ' %q' "$@"
    echo
    cat <<'INIT'
cd /root
echo "@hidbench start $(cut -d ' ' -f 1 /proc/uptime)"
INIT
    printf '/program/%q "$@" </dev/null 2>&1 8>&-\n' "${program##*/}"
    echo 'end "status $?"'
} >"$root/init"
chmod +x "$root/init"
(cd "$root" && find . | "$busybox" cpio -o -H newc 2>/dev/null) >"$work/initramfs" || fail "cannot pack the initramfs"

# --- boot ---------------------------------------------------------------------
# Always software emulation: a KVM node does not mean that this kernel boots on
# it, and the same result everywhere is worth more than a second.
# Machine type pc, although microvm starts a second sooner: on microvm about one
# boot in seven hung before the kernel's first line.
# A kernel that broke ends at once: nothing after that would mean anything, and the program might hang until the limit.
status=0
timeout -k 5 "$limit" qemu-system-x86_64 \
    -accel tcg -cpu max -M pc,hpet=off -smp 1 -m 512 \
    -nodefaults -no-user-config -display none -monitor none -no-reboot \
    -serial "file:$work/console" \
    -kernel "$vmlinuz" -initrd "$work/initramfs" \
    -append "console=ttyS0 loglevel=$loglevel panic=-1 oops=panic reboot=t tsc=reliable mitigations=off random.trust_cpu=on rdinit=/init" \
    </dev/null >"$work/qemu.log" 2>&1 || status=$?

# Show what the program wrote (with -v, and where it never started, all of it).
if [ "$loglevel" = 7 ] || ! grep -aq '^@hidbench start' "$work/console"; then
    cat "$work/console" >&2
else
    sed -n '/^@hidbench start/,/^@hidbench end/{/^@hidbench/!p}' "$work/console"
fi
[ "$status" -ne 124 ] && [ "$status" -ne 137 ] || { echo "hidbench: stopped after $limit s" >&2; exit 124; }
[ "$status" -eq 0 ] || { cat "$work/qemu.log" >&2; fail "qemu ended with status $status"; }
end=$(sed -n 's/\r$//; s/^@hidbench end //p' "$work/console" | tail -n 1)
case $end in
"status "*) exit "${end#status }" ;;
"") fail "the guest ended early (a crash of its kernel?)" ;;
*) fail "in the guest: $end" ;;
esac
