# SPDX-License-Identifier: MIT
# A pull that is killed at random moments goes on where it was; two pulls of one image share one download.
#
#   registry_resume.sh [KILLS] [MEGABYTES] [PER CENT] [BYTES PER SECOND]
#
# What a killed pull had in its sockets and buffers is sent again: some 100 KB for each kill, so the share depends on the size.
source "$(dirname "$0")/lib.sh"
source "$(dirname "$0")/registry_lib.sh"
need umoci
kills=${1:-10} megabytes=${2:-40} percent=${3:-12} rate=${4:-20000000}
RANDOM=${OBLEA_SEED:-$$}
echo "seed: ${OBLEA_SEED:-$$}"

# One layer of several parts, and two small ones; nothing of it compresses.
umoci init --layout "$work/layout"
umoci new --image "$work/layout:demo"
for size in "$megabytes" 3 1; do
    mkdir -p "$work/tree/etc"
    head -c "${size}M" /dev/urandom >"$work/tree/etc/random-$size"
    umoci insert --image "$work/layout:demo" "$work/tree/etc/random-$size" "/etc/random-$size" >/dev/null
done
total=$(du -cb "$work"/layout/blobs/sha256/* | tail -n 1 | cut -f 1)
start_server "$tests/e2e/registry_slow_server.py" "$work/layout" "$rate"
sent() {
    curl -s "http://$host/sent"
}

for ((i = 0; i < kills; ++i)); do
    oblea pull -q "$host/demo:1" >/dev/null 2>&1 &
    pull=$!
    sleep "0.$((RANDOM % 30 + 10))"
    kill -KILL "$pull" 2>/dev/null || true  # it may be done already
    wait "$pull" 2>/dev/null || true
done
assert_eq "gc of waiting downloads" "" "$(oblea gc | grep download || true)"
oblea pull -q "$host/demo:1" >/dev/null
over=$(($(sent) - total))
echo "$kills times killed: $over of $total bytes were sent twice or more"
((over * 100 < total * percent)) || fail "$over of $total bytes were sent again"
for size in "$megabytes" 3 1; do
    oblea cat "$host/demo:1" "etc/random-$size" | cmp - "$work/tree/etc/random-$size"
done
assert_eq "what waits after a pull" "" "$(find "$OBLEA_ROOT/tmp" -name 'download.*')"

# Interrupted as a user does it, then by two at once.
export OBLEA_ROOT=$work/shared
before=$(sent)
oblea pull -q "$host/demo:1" >/dev/null 2>&1 &
pull=$!
# A megabyte, of files with holes.
has_downloaded() { (($(find "$OBLEA_ROOT/tmp" -name 'download.*' -printf '%b\n' | paste -sd+) > 2048)); }
until_true has_downloaded
kill -TERM "$pull"
wait "$pull" && fail "a pull that was interrupted succeeded"
has_downloaded || fail "nothing was kept"
oblea pull -q "$host/demo:1" >/dev/null &
pull=$!
oblea pull -q "$host/demo:1" >/dev/null
wait "$pull"
over=$(($(sent) - before - total))
((over * 100 < total * percent)) || fail "two pulls, one of them interrupted: $over of $total bytes were sent again"
assert_eq "images" 1 "$(oblea images -q | wc -l)"
