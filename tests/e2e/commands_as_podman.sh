# SPDX-License-Identifier: MIT
# The same command lines through oblea and through podman: output and exit status are alike, but for what is named below.
source "$(dirname "$0")/lib.sh"
need_root
need_fuse
need podman crun
# crun takes one hierarchy of cgroups, not a mixture of both versions.
umount -R /sys/fs/cgroup 2>/dev/null || true
mount -t cgroup2 none /sys/fs/cgroup 2>/dev/null || skip "no cgroup2 here"
small_image

# podman with a store of its own, on machines without cgroups for it.
podman_options=(--root "$work/podman" --runroot "$work/podman-run" --storage-driver vfs --tmpdir "$work/podman-tmp"
    --cgroup-manager cgroupfs --events-backend file --runtime crun)
podman_run=(--network none --cgroups disabled --ulimit nofile=1024:1024 --ulimit nproc=4096:4096)
test_cleanup() {
    podman "${podman_options[@]}" system reset --force >/dev/null 2>&1
    umount /sys/fs/cgroup
}

with_podman() {
    case $1 in
    run | create) podman "${podman_options[@]}" "$1" "${podman_run[@]}" "${@:2}" ;;
    commit) podman "${podman_options[@]}" "$1" --format docker "${@:2}" ;; # else it keeps no message
    *) podman "${podman_options[@]}" "$@" ;;
    esac
}
with_oblea() {
    case $1 in
    run | create) oblea "$1" --network none "${@:2}" ;;
    *) oblea "$@" ;;
    esac
}

# What podman has otherwise than docker, each with a rule that takes it away; oblea has docker's.
as_docker=(
    -e 's/docker\.io\/library\///g; s/^localhost\///' # names in full
    -e 's/^Deleted: \([0-9a-f]\{64\}\)$/Deleted: sha256:\1/' # ids without their algorithm
    -e 's/^\([0-9a-f]\{64\}\)$/sha256:\1/'
)
# Messages are each program's own; that there is one, and the exit status, is compared.
outcome() { # ENGINE WORDS...
    local status=0
    (cd "$work" && "with_$1" "${@:2}") </dev/null >"$work/out" 2>"$work/err" || status=$?
    sed "${as_docker[@]}" "$work/out"
    if ((status != 0)) && [[ ! -s $work/out && -s $work/err ]]; then
        echo "says why"
    fi
    echo "[$status]"
}

# The lines of the table are words for the shell. One that begins with "sorted" promises no order; of one that begins with
# "status" only that is compared; "failure" is any status but 0, which docker has as 1 and podman as 125.
#
# Left out, because podman differs from docker: the size of an image (of its tars), rows that a filter by reference does not match,
# HOME of a user without an account (the working folder), an /etc/hostname without a line's end.
echo from outside >"$work/file"
count=0 different=0
while IFS= read -r line; do
    [[ -n $line && $line != '#'* ]] || continue
    eval "words=($line)"
    for engine in podman oblea; do
        case ${words[0]} in
        sorted) outcome $engine "${words[@]:1}" | sort ;;
        status) outcome $engine "${words[@]:1}" | tail -n 1 ;;
        failure) outcome $engine "${words[@]:1}" | tail -n 1 | sed 's/\[0\]/succeeded/; s/\[.*\]/failed/' ;;
        *) outcome $engine "${words[@]}" ;;
        esac >"$work/$engine.txt"
    done
    if ! diff -u --label podman --label oblea "$work/podman.txt" "$work/oblea.txt" >"$work/difference"; then
        echo "$line" && cat "$work/difference"
        different=$((different + 1))
    fi
    count=$((count + 1))
done <"$tests/e2e/commands_as_podman.txt"
echo "$count command lines"
((different == 0)) || fail "$different of them do otherwise"
