# SPDX-License-Identifier: MIT
# `oblea run` and what belongs to it, as docker's users know them: exit status, logs, sizes, STATUS, restart, exec, rm.
source "$(dirname "$0")/lib.sh"
need_fuse
need "${OBLEA_RUNTIME:-crun}" jq
small_image
oblea import "$small/oci" small:latest >/dev/null

status_of() {
    local status=0
    "$@" >/dev/null 2>&1 || status=$?
    echo "$status"
}
status_text() {
    oblea ps -a --filter "name=^$1\$" --format '{{.Status}}'
}

# Exit status and streams.
assert_eq "a program of the image" "Hello, world!" "$(oblea run --rm small:latest hello)"
assert_eq "standard input" "through a pipe" "$(echo through a pipe | oblea run -i --rm small:latest cat)"
assert_eq "standard errors" "apart" "$(oblea run --rm small:latest sh -c 'echo apart >&2' 2>&1 >/dev/null)"
assert_eq "a megabyte of output" 1000000 "$(oblea run --rm small:latest head -c 1000000 /dev/zero | wc -c)"
# Whoever reads comes back when the container has long ended, as a pager's user may.
has_exited() { [[ $(status_text "$1") == "Exited (0) "* ]]; }
assert_eq "a megabyte that is read late" 1000000 \
    "$(oblea run --name late small:latest head -c 1000000 /dev/zero | (until_true has_exited late; sleep 3; wc -c))"
oblea rm late >/dev/null
assert_eq "the command's exit status" 7 "$(status_of oblea run --rm small:latest sh -c 'exit 7')"
assert_eq "a command that is not found" 127 "$(status_of oblea run --rm small:latest no-such-program)"
assert_eq "what cannot be executed" 126 "$(status_of oblea run --rm small:latest /etc/issue)"
assert_eq "an image that is not there" 125 "$(status_of oblea run --pull never --rm nothing:at-all true)"
assert_eq "containers left by --rm" "" "$(oblea ps -aq)"

# What it sees.
assert_eq "environment" "yes 1 2" "$(A=1 oblea run --rm -e A -e B=2 small:latest sh -c 'echo $OBLEA_SMALL $A $B')"
printf '# comment\nC=from file\n' >"$work/env"
assert_eq "environment of a file" "from file" "$(oblea run --rm --env-file "$work/env" small:latest sh -c 'echo $C')"
assert_eq "working folder" /usr/lib "$(oblea run --rm -w /usr/lib small:latest pwd)"
assert_eq "a working folder that is made" /srv/new/one "$(oblea run --rm -w /srv/new/one small:latest pwd)"
assert_eq "user" "33 33" "$(oblea run --rm -u www-data small:latest sh -c 'echo $(id -u) $(id -g)')"
assert_eq "entrypoint" "a b" "$(oblea run --rm --entrypoint echo small:latest a b)"
assert_eq "host name" box "$(oblea run --rm --hostname box small:latest cat /proc/sys/kernel/hostname)"
assert_eq "first process" 1 "$(oblea run --rm small:latest sh -c 'echo $$')"
assert_eq "network none" "lo" "$(oblea run --rm --network none small:latest ls /sys/class/net)"
assert_eq "a read-only tree" 1 "$(status_of oblea run --rm --read-only small:latest sh -c 'echo x >/srv/file || exit 1')"
mkdir "$work/shared" && echo outside >"$work/shared/file"
assert_eq "a volume" outside "$(oblea run --rm -v "$work/shared:/mnt" small:latest sh -c 'cat /mnt/file; echo inside >/mnt/new')"
assert_eq "a file written to a volume" inside "$(cat "$work/shared/new")"
assert_eq "a read-only volume" 1 "$(status_of oblea run --rm -v "$work/shared:/mnt:ro" small:latest sh -c 'echo x >/mnt/x || exit 1')"

assert_eq "a limit of the processes" 64 "$(oblea run --rm --ulimit nofile=64:128 small:latest sh -c 'ulimit -n')"
assert_eq "capabilities" 0000000000000001 "$(oblea run --rm --cap-drop ALL --cap-add CHOWN small:latest sh -c 'grep CapEff /proc/self/status | cut -f2')"

# Volumes, by whatever runs the container: what the image has there comes first, with owners; then what containers wrote.
assert_eq "the image's content of a volume" "2775 0:33 640 1000:33" \
    "$(oblea run --rm -v kept:/srv/data small:latest sh -c 'echo $(stat -c "%a %u:%g" /srv/data /srv/data/first); echo more >/srv/data/more')"
assert_eq "a volume at another place" "more 1" "$(oblea run --rm -v kept:/mnt:ro small:latest sh -c 'echo $(cat /mnt/more; (: >/mnt/x) 2>&1 | grep -c Read-only)')"
assert_eq "a volume at a place that is made" more "$(oblea run --rm -v kept:/new/one small:latest cat /new/one/more)"
oblea run --rm -v /srv/own small:latest sh -c 'echo x >/srv/own/x'
assert_eq "a volume without a name ends with --rm" kept "$(oblea volume ls -q)"
oblea volume rm kept >/dev/null

# What a container leaves: 18 bytes, and exit status 130; nothing when nothing was done.
assert_eq "exit status 130" 130 "$(status_of oblea run --name writer small:latest sh -c 'printf "eighteen bytes ..." >/file.txt; exit 130')"
assert_contains "status" "$(status_text writer)" "Exited (130) "
image_size=$(oblea images --format '{{.Size}}' small)
assert_eq "size of 18 bytes" "18B (virtual $image_size)" "$(oblea ps -a -s --format '{{.Size}}' --filter name=writer)"
assert_eq "changes" "A /file.txt" "$(oblea diff writer)"
oblea run --name idle small:latest true
assert_eq "size of nothing" "0B (virtual $image_size)" "$(oblea ps -a --format '{{.Size}}' --filter name=idle)"
assert_eq "changes of nothing" "" "$(oblea diff idle)"
assert_eq "the newest, by filter and format" "idle" "$(oblea ps -l --format '{{.Names}}')"
assert_eq "ps by exit status" writer "$(oblea ps --filter exited=130 --format '{{.Names}}')"
oblea start writer >/dev/null
assert_eq "wait" 130 "$(oblea wait writer)"
assert_eq "diff again" "A /file.txt" "$(oblea diff writer)"

# In the background.
id=$(oblea run -d --name server --label kind=test small:latest sh -c 'trap "exit 9" TERM; echo started; echo trouble >&2; while :; do sleep 0.1; done')
assert_eq "the id that run -d prints" "$id" "$(oblea ps --no-trunc -q)"
assert_contains "status of a running container" "$(status_text server)" "Up "
until_true sh -c 'oblea logs server 2>&1 | grep -q trouble'
assert_eq "logs, standard output" started "$(oblea logs server 2>/dev/null)"
assert_eq "logs, standard errors" trouble "$(oblea logs server 2>&1 >/dev/null)"
assert_eq "exec" "inside 33" "$(oblea exec -u www-data -e V=inside server sh -c 'echo $V $(id -u)')"
assert_eq "exit status of exec" 5 "$(status_of oblea exec server sh -c 'exit 5')"
assert_eq "exec of what is not found" 127 "$(status_of oblea exec server no-such-program)"
oblea exec server sh -c 'echo changed >/srv/changed'
assert_contains "diff of a running container" "$(oblea diff server)" "A /srv/changed"
oblea commit server snapshot:1 >/dev/null
assert_eq "commit of a running container" changed "$(oblea run --rm snapshot:1 cat /srv/changed)"
assert_fails oblea rm server
assert_contains "rm of a running container" "$message" "stop it first"
oblea rename server renamed
assert_eq "ps by label" renamed "$(oblea ps --filter label=kind=test --format '{{.Names}}')"
oblea stop -t 60 renamed >/dev/null
assert_contains "status after stop" "$(status_text renamed)" "Exited (9) "
assert_fails oblea exec renamed true
assert_contains "exec in a stopped container" "$message" "is not running"

# Restart policies.
oblea run -d --name again --restart on-failure:2 small:latest sh -c 'echo run; exit 3' >/dev/null
assert_eq "wait for a container that is restarted" 3 "$(oblea wait again)"
assert_eq "runs with on-failure:2" 3 "$(oblea logs again | grep -c run)"
oblea run -d --name always --restart always small:latest true >/dev/null
is_kept_up() { (($(oblea ps -a --filter name=always --format '{{.State}}' | grep -c 'running\|restarting') == 1)); }
until_true is_kept_up
oblea stop always >/dev/null
assert_contains "stopped for good" "$(status_text always)" "Exited "

# A monitor that is killed takes the container with it, and ps says so; the container can be used again.
oblea run -d --name lost small:latest sleep 1000 >/dev/null
state=$(container_folder lost)/state.json
init=$(jq .init_pid "$state")
kill -9 "$(jq .monitor_pid "$state")"
ended() { [[ ! -e /proc/$1 || $(awk '/^State/ { print $2 }' "/proc/$1/status") == Z ]]; }
until_true ended "$init"
assert_contains "status of a lost container" "$(status_text lost)" "Exited (255) "
oblea start lost >/dev/null
assert_contains "started again" "$(status_text lost)" "Up "
oblea kill lost >/dev/null
assert_eq "status of a killed container" 137 "$(oblea wait lost)"

# Nothing stays.
oblea run -d --name last small:latest sleep 1000 >/dev/null
oblea rm -f last >/dev/null
assert_eq "cgroups" "" "$(for id in $(oblea ps -aq --no-trunc); do find /sys/fs/cgroup -name "$id" 2>/dev/null; done)"
oblea container prune -f >/dev/null
assert_eq "containers after prune" "" "$(oblea ps -aq)"
assert_eq "folders of containers" "" "$(ls "$OBLEA_ROOT/containers")"
assert_eq "mounts" "" "$(grep -F "$OBLEA_ROOT" /proc/self/mountinfo || true)"
nobody_sees_mounts() { [[ -z $(grep -lsF "$OBLEA_ROOT" /proc/[0-9]*/mountinfo) ]]; }
until_true nobody_sees_mounts
