# SPDX-License-Identifier: MIT
# Containers of an ordinary user, with and without subordinate ids: run, exec, logs, sizes, volumes, ports, bundle.
source "$(dirname "$0")/lib.sh"
need crun runc jq catatonit
source "$(dirname "$0")/users_lib.sh"

user() { "${as_user[@]}" env ${runtime:+OBLEA_RUNTIME="$runtime"} "$@" 2>"$work/err"; }
status_of() {
    local status=0
    user "$@" >/dev/null || status=$?
    echo "$status"
}
is_logged() { [[ $(user oblea logs server) == *"$1"* ]]; }

use_containers() {
    local said
    user oblea import "$work/image" small:latest >/dev/null
    assert_eq "a program" "Hello, world!" "$(user oblea run --rm small:latest hello)"
    assert_eq "standard input" "through a pipe" "$(echo through a pipe | user oblea run -i --rm small:latest cat)"
    assert_eq "root inside" "0 0" "$(user oblea run --rm small:latest sh -c 'echo $(id -u) $(id -g)')"
    assert_eq "first process" 1 "$(user oblea run --rm small:latest sh -c 'echo $$')"
    assert_eq "the command's exit status" 7 "$(status_of oblea run --rm small:latest sh -c 'exit 7')"
    assert_eq "a command that is not found" 127 "$(status_of oblea run --rm small:latest no-such-program)"
    assert_eq "what cannot be executed" 126 "$(status_of oblea run --rm small:latest /etc/issue)"
    assert_eq "network none" lo "$(user oblea run --rm --network none small:latest ls /sys/class/net)"
    assert_eq "a first process that reaps" /dev/init "$(user oblea run --rm --init small:latest sh -c 'tr "\0" "\n" </proc/1/cmdline | head -1')"
    assert_eq "a limit that wants root" 125 "$(status_of oblea run --rm --memory 64m small:latest true)"
    assert_contains "why it does" "$(cat "$work/err")" "--memory wants a cgroup for the container, which only root may make"
    assert_eq "a limit of the processes" 64 "$(user oblea run --rm --ulimit nofile=64 small:latest sh -c 'ulimit -n')"
    user mkdir -p shared
    assert_eq "a device" "3 0" "$(user oblea run --rm --device /dev/zero:/dev/nothing small:latest sh -c 'echo $(head -c 3 /dev/nothing | wc -c) $(head -c 3 /dev/nothing | tr -d "\\0" | wc -c)')"
    assert_eq "a volume" mine "$(user oblea run --rm -v "$home/shared:/mnt" small:latest sh -c 'echo mine >/mnt/file; cat /mnt/file')"
    assert_eq "owner of a file in a volume" "$(stat -c %u "$home")" "$(stat -c %u "$home/shared/file")"
    said=$(user oblea run --rm -v kept:/srv/data small:latest sh -c 'echo $(stat -c "%a %u:%g" /srv/data /srv/data/first); echo x >/srv/data/x
        mkdir -m 700 /srv/data/closed; chown 33 /srv/data/closed 2>/dev/null || true')
    assert_eq "the image's content of a volume" "2775 0:$volume_group 640 $volume_user:$volume_group" "$said"
    user oblea create --name keeper -v kept:/mnt small:latest true >/dev/null
    assert_eq "removal of a volume in use" 1 "$(status_of oblea volume rm kept)"
    user oblea cp -q keeper:/mnt/x from-volume || fail "cp out of a volume: $(cat "$work/err")"
    assert_eq "what came out of a volume" x "$(user cat from-volume)"
    user oblea rm keeper >/dev/null
    assert_contains "df" "$(user oblea df)" "Local Volumes"
    assert_eq "info" 0 "$(status_of oblea info)"
    user oblea volume rm kept >/dev/null || fail "volume rm: $(cat "$work/err")"
    assert_eq "volumes at the end" "" "$(ls "$home/.local/share/oblea/volumes")"

    user oblea run -d --name server small:latest sh -c 'trap "exit 9" TERM; echo started; while :; do sleep 0.1; done' >/dev/null
    until_true is_logged started
    said=$(user oblea exec -e V=inside server sh -c 'echo $V; echo changed >/srv/changed') || fail "exec: $(cat "$work/err")"
    assert_eq "exec" inside "$said"
    assert_eq "exit status of exec" 5 "$(status_of oblea exec server sh -c 'exit 5')"
    assert_contains "diff of a running container" "$(user oblea diff server)" "A /srv/changed"
    user sh -c 'echo copied >copied' && user oblea cp -q copied server:/srv/copied
    assert_eq "what was copied into it" copied "$(user oblea exec server cat /srv/copied)"
    user oblea commit server "changed:${runtime:+own}1" >/dev/null
    assert_eq "commit" changed "$(user oblea run --rm "changed:${runtime:+own}1" cat /srv/changed)"
    user oblea stop -t 60 server >/dev/null
    assert_contains "status after stop" "$(user oblea ps -a --format '{{.Status}}')" "Exited (9) "
    assert_contains "size" "$(user oblea ps -a -s --format '{{.Size}}')" "15B (virtual "
    user oblea rm server >/dev/null

    # A monitor that is killed takes its container along.
    user oblea run -d --name lost small:latest sleep 1000 >/dev/null
    OBLEA_ROOT=$home/.local/share/oblea
    local state init
    state=$(container_folder lost)/state.json
    init=$(jq .init_pid "$state")
    kill -9 "$(jq .monitor_pid "$state")"
    ended() { [[ ! -e /proc/$1 || $(awk '/^State/ { print $2 }' "/proc/$1/status") == Z ]]; }
    until_true ended "$init"
    assert_contains "status of a lost container" "$(user oblea ps -a --format '{{.Status}}')" "Exited (255) "
    user oblea rm lost >/dev/null
    assert_eq "containers at the end" "" "$(ls "$OBLEA_ROOT/containers")"
    nobody_sees_mounts() { [[ -z $(grep -lsF "$OBLEA_ROOT" /proc/[0-9]*/mountinfo) ]]; }
    until_true nobody_sees_mounts
}

# Their own files in the user's home, and no limits, which need a cgroup of the user's.
use_bundle() {
    local said
    user oblea bundle --name "bundle-$1" small:latest box hello >/dev/null
    user mkdir -p run
    said=$(user "$@" run --bundle box "box-$1") || fail "a bundle and $1: $(cat "$work/err")"
    assert_eq "a bundle run by $1" "Hello, world!" "$said"
    user oblea umount box/rootfs >/dev/null
    user oblea rm "bundle-$1" >/dev/null
}
use_bundles() {
    # crun refuses machines that mix the versions of cgroups, or have none.
    [[ ! -e /sys/fs/cgroup/unified && $(stat -f -c %T /sys/fs/cgroup) != sysfs ]] || mount -t tmpfs covered /sys/fs/cgroup
    use_bundle crun --root run --cgroup-manager=disabled
    ! grep -q ' - tmpfs covered ' /proc/self/mountinfo || umount /sys/fs/cgroup
    use_bundle runc --root run
}
runtime=
# Bundles first as root, who is an ordinary user of them too.
as_user=()
cd "$work"
user oblea import "$work/image" small:latest >/dev/null
use_bundles
add_user_without_ids
volume_user=0 volume_group=0
use_containers
runtime=oblea
use_containers
runtime=
use_bundles
add_user_with_ids
volume_user=1000 volume_group=33
use_containers
runtime=oblea
use_containers
assert_eq "another user inside" "33 33" "$(user oblea run --rm -u www-data small:latest sh -c 'echo $(id -u) $(id -g)')"
assert_eq "owners are the image's" 1000:33 "$(user oblea run --rm small:latest stat -c %u:%g /srv/data/first)"
runtime=
use_bundles

# Where neither is installed nobody has to ask.
for program in crun runc; do
    mount --bind /dev/null "$(command -v $program)"
done
assert_eq "without an OCI runtime" "Hello, world!" "$(user oblea run --rm small:latest hello)"
as_user=()
assert_eq "without an OCI runtime, as root" "Hello, world!" "$(user oblea run --rm small:latest hello)"
