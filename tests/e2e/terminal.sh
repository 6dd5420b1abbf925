# SPDX-License-Identifier: MIT
# `oblea run -it` in a terminal: its size, resizing, Ctrl-C, detach keys, attach, and that nothing works without one.
source "$(dirname "$0")/lib.sh"
need_fuse
need crun tmux
small_image
oblea import "$small/oci" small:latest >/dev/null

screen() { tmux -S "$work/tmux" "$@"; }
test_cleanup() { screen kill-server 2>/dev/null; }
type_in() { screen send-keys -t 0 "$@"; }
# shows TEXT: a line of the screen ends so, soon.
shows() {
    local end=$((SECONDS + 60))
    while ((SECONDS <= end)); do
        screen capture-pane -p -t 0 >"$work/shown"
        ! grep -q -- "$1\$" "$work/shown" || return 0
        sleep 0.05
    done
    cat "$work/shown" >&2
    fail "not on the screen: $1"
}

# With -d and a command of our own: the user's configuration decides nothing.
screen -f /dev/null new-session -d -x 90 -y 25 "env OBLEA_ROOT=$OBLEA_ROOT sh"
type_in "PS1='outside> '" Enter
type_in "$oblea run -it --name shell small:latest sh" Enter
type_in "PS1='inside> '" Enter
shows 'inside>'
type_in 'stty size' Enter
shows '25 90'
type_in 'tty' Enter
shows '/dev/pts/[0-9]*'
screen resize-window -t 0 -x 100 -y 30
# The new size is told to the container a moment later.
type_in 'until [ "$(stty size)" != "25 90" ]; do sleep 0.1; done; stty size' Enter
shows '30 100'
# Once it runs: what waits to be read goes with Ctrl-C.
type_in 'sh -c "echo runs; exec sleep 1000"' Enter
shows '^runs'
type_in C-c
type_in 'echo status $?' Enter
shows 'status 130'

# Detached, it goes on; attached again, it is the same shell.
type_in 'KEPT=yes' Enter
type_in C-p C-q
shows 'outside>'
assert_eq "after the detach keys" shell "$(oblea ps --format '{{.Names}}')"
type_in "$oblea attach shell; echo ended \$?" Enter
type_in 'echo kept=$KEPT' Enter
shows 'kept=yes'
type_in 'exit 7' Enter
shows 'ended 7'
assert_contains "its status" "$(oblea ps -a --format '{{.Status}}')" "Exited (7) "

# The terminal of exec.
oblea run -d --name server small:latest sleep 1000 >/dev/null
type_in clear Enter
type_in "$oblea exec -it server sh -c 'stty size; exit 3'; echo exec \$?" Enter
shows 'exec 3'
shows '30 100'

# Without a terminal -it is refused, as docker does.
assert_fails oblea run -it --rm small:latest true </dev/null
assert_contains "no terminal" "$message" "the input device is not a TTY"
oblea rm -f shell server >/dev/null
