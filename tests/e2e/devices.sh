# SPDX-License-Identifier: MIT
# A device of the machine is out of reach for root of a container, whatever the runtime: one that it makes, and one that lies in the image, a
# volume or a folder of the machine. What docker has in /dev is there and works.
source "$(dirname "$0")/lib.sh"
need_root
need_fuse
need crun runc losetup
small_image
oblea import "$small/oci" small:latest >/dev/null

echo secret >"$work/disk" && truncate -s 1M "$work/disk"
device=$(losetup --find --show "$work/disk") || skip "no loop devices here"
test_cleanup() { losetup --detach "$device"; }
numbers=$((16#$(stat -c %t "$device"))),$((16#$(stat -c %T "$device")))
numbers=${numbers/,/ }
assert_eq "what is to be out of reach" "secret" "$(head -n 1 "$device")"

mkdir "$work/root" "$work/shown"
mknod "$work/shown/node" b $numbers
oblea mount --name noded small:latest "$work/root" >/dev/null
mknod "$work/root/srv/node" b $numbers
oblea umount "$work/root" >/dev/null
oblea commit noded noded:latest >/dev/null

cat >"$work/shown/try" <<EOF
for folder in / /tmp /dev /dev/shm /shown /volume /memory; do
    mknod "\$folder/made" b $numbers 2>/dev/null || continue
    ! head -n 1 "\$folder/made" 2>/dev/null || echo "made in \$folder"
    rm "\$folder/made"
done
for node in /srv/node /shown/node; do
    ! head -n 1 "\$node" 2>/dev/null || echo "\$node"
done
head -c 3 /dev/zero | od -An -c
echo gone >/dev/null && echo full 2>/dev/null >/dev/full || echo "full is full"
[ "\$(head -c 8 /dev/urandom | wc -c) \$(head -c 8 /dev/random | wc -c)" = "8 8" ] && [ -c /dev/tty ] && [ -c /dev/ptmx ] && ls /dev/fd/0 /dev/stdin >/dev/null && echo complete
EOF
expected=' \0 \0 \0
full is full
complete'

for runtime in crun runc oblea; do
    export OBLEA_RUNTIME=$runtime
    assert_eq "$runtime" "$expected" "$(oblea run --rm -v "$work/shown:/shown" -v data:/volume --tmpfs /memory noded:latest sh /shown/try | sed 's/  */ /g')"
    # But for those that are asked for, which are no others.
    assert_eq "$runtime: one that is asked for" "secret secret" "$(oblea run --rm --device "$device" --device "$device:/dev/disk" -v "$work/shown:/shown" noded:latest \
        sh -c "head -n 1 $device; head -n 1 /dev/disk; head -n 1 /shown/node 2>/dev/null" | xargs)"
done
unset OBLEA_RUNTIME
assert_eq "inspect" "$device /dev/disk rwm" "$(oblea create --name asked --device "$device:/dev/disk:rwm" noded:latest >/dev/null && oblea inspect -f '{{with index .HostConfig.Devices 0}}{{.PathOnHost}} {{.PathInContainer}} {{.CgroupPermissions}}{{end}}' asked)"
assert_contains "what is no device" "$(oblea create --device /etc/hosts noded:latest 2>&1)" 'custom device "/etc/hosts": not a device node'
assert_contains "what is not there" "$(oblea create --device /dev/nosuch noded:latest 2>&1)" 'custom device "/dev/nosuch": no such file or directory'
assert_contains "less than all" "$(oblea create --device /dev/null:r noded:latest 2>&1)" "with all of rwm"
assert_contains "no path" "$(oblea create --device null noded:latest 2>&1)" "invalid device specification: null"

printf 'FROM noded\nRUN sh /srv/try >/srv/said\n' | sed 's|^RUN|COPY try /srv/\nRUN|' >"$work/Dockerfile"
mkdir "$work/context" && cp "$work/shown/try" "$work/context/"
oblea build -q -t tried -f "$work/Dockerfile" "$work/context" >/dev/null
assert_eq "a step of a build" "$expected" "$(oblea cat tried /srv/said | sed 's/  */ /g')"

# Whoever asks for them has them, as docker's users know it: in a chroot the machine's root is root.
assert_eq "a chroot" "secret" "$(oblea chroot noded:latest head -n 1 /srv/node)"
