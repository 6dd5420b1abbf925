# SPDX-License-Identifier: MIT
# A build is ended at random moments, by a signal, by kill -9 of the builder, of a stage, or of all of its processes at once: nothing stays
# mounted or running, gc takes the rest, the store is whole, and the next build goes on from the cache and gives the same.
#
# build_kills.sh [ROUNDS]; OBLEA_SEED settles the moments.
source "$(dirname "$0")/lib.sh"
need_fuse
need crun pgrep
rounds=${1:-4}
RANDOM=${OBLEA_SEED:-$$}
echo "OBLEA_SEED=${OBLEA_SEED:-$$}"
small_image
oblea import "$small/oci" debian >/dev/null
mkdir "$work/c" && cd "$work/c"
for ((i = 0; i < 200; ++i)); do echo "file $i"; done >files
cat >Dockerfile <<'END'
FROM debian AS left
RUN for i in 1 2 3 4 5 6 7 8 9; do echo $i >/srv/$i; done
RUN --mount=type=cache,target=/cache sleep 0.1; echo left >/left
FROM debian AS right
COPY files /files
RUN --mount=type=bind,target=/context,source=. sleep 0.1; cp /context/files /right
FROM debian
COPY --from=left /left /srv /all/
COPY --from=right /right /all/
WORKDIR /all
RUN ls >list
ENV LAST=step
END

# All that descends from the builder.
family() {
    local child
    echo "$1"
    for child in $(pgrep -P "$1"); do
        family "$child"
    done
}

# No container of a build is left, once gc has run where nobody was there any more to tidy up.
is_quiet() {
    [[ -n $(oblea ps -aq) ]] || return 0
    [[ $way == TERM ]] || oblea gc -q
    return 1
}

# What was started with the variable that tells this run, and lives.
survivors() {
    grep -lsz "^KILLS_TEST=$work\$" /proc/[0-9]*/environ | cut -d/ -f3
}
none_survives() {
    [[ -z $(survivors) ]]
}
test_cleanup() {
    survivors | xargs -r kill -KILL
}

# A monitor that is killed when the runtime has just made the container: what was made and never started is known to nobody.
mkdir "$work/bin"
real=$(command -v crun)
cat >"$work/bin/crun" <<WRAPPER
#!/bin/bash
[[ " \$* " == *" create "* ]] || exec $real "\$@"
$real "\$@"
echo "\$PPID" >"$work/monitor.new"
mv "$work/monitor.new" "$work/monitor"
exec sleep 1000
WRAPPER
chmod +x "$work/bin/crun"
for way in monitor all; do
    rm -f "$work/monitor"
    KILLS_TEST=$work OBLEA_RUNTIME=$work/bin/crun setsid "$oblea" build --no-cache --target left . >"$work/out" 2>&1 &
    builder=$!
    until_true test -s "$work/monitor"
    monitor=$(cat "$work/monitor")
    killed=("$builder" $(pgrep -P "$builder") "$monitor")
    # Where all are killed, the guard is, too: only what was made is spared, which has its FIFO open.
    if [[ $way == all ]]; then
        for child in $(pgrep -P "$monitor"); do
            find "/proc/$child/fd" -lname '*/exec.fifo' | grep -q . || killed+=("$child")
        done
    fi
    kill -KILL "${killed[@]}"
    wait "$builder" 2>/dev/null || true
    [[ $way == monitor ]] || oblea gc -q >/dev/null
    until_true none_survives
    until_true is_quiet
done

for ((round = 1; round <= rounds; ++round)); do
    ways=(TERM KILL stage all)
    way=${ways[RANDOM % ${#ways[@]}]}
    delay=$(printf '%d.%03d' $((RANDOM % 2)) $((RANDOM % 1000)))
    KILLS_TEST=$work setsid "$oblea" build -t kills $([[ $((RANDOM % 2)) == 0 ]] || echo --no-cache) . >"$work/out" 2>&1 &
    builder=$!
    sleep "$delay"
    case $way in
    TERM) kill -TERM "$builder" 2>/dev/null || true ;;
    KILL) kill -KILL "$builder" 2>/dev/null || true ;;
    stage) pgrep -P "$builder" | shuf -n 1 --random-source=<(yes "$RANDOM") | xargs -r kill -KILL 2>/dev/null || true ;;
    all) family "$builder" | xargs -r kill -KILL 2>/dev/null || true ;;
    esac
    wait "$builder" 2>/dev/null || true
    echo "round $round: $way after $delay s"
    until_true is_quiet
    until_true none_survives
done

assert_eq "mounts below the store" 0 "$(grep -c "$OBLEA_ROOT" /proc/self/mountinfo || true)"
oblea build -t kills . >"$work/out"
assert_eq "what came of it" "1 2 3 4 5 6 7 8 9 data left link list pipe right" "$(oblea run --rm kills sh -c 'echo $(cat list)')"
oblea gc -q >/dev/null
assert_contains "verify" "$(oblea verify)" "No faults"
assert_eq "leases" "" "$(find "$OBLEA_ROOT/leases" -type f)"
