# SPDX-License-Identifier: MIT
# Completion offers commands, options, values and the names of images and containers, in bash, fish and zsh.
source "$(dirname "$0")/lib.sh"
need fish zsh tmux
printf 'a' >"$work/file"
tar -C "$work" -cf "$work/rootfs.tar" file
oblea import -q --as rootfs "$work/rootfs.tar" hello:1 >/dev/null
oblea tag hello:1 help/me:2
oblea create --name stopped hello:1 true >/dev/null
for shell in bash fish zsh; do
    oblea help --completion "$shell" >"$work/_oblea.$shell"
    "$shell" -n "$work/_oblea.$shell" || fail "the script for $shell"
done

bash_offers() { # WORDS...: the last one is being typed
    bash -c '
        source "$1"
        compopt() { :; }
        COMP_WORDS=("${@:2}") COMP_CWORD=$(($# - 2)) COMPREPLY=()
        _oblea
        echo "${COMPREPLY[*]}"' _ "$work/_oblea.bash" "$@"
}
assert_eq "bash: a command" history "$(bash_offers oblea hist)"
assert_eq "bash: a command of a group" inspect "$(bash_offers oblea image ins)"
assert_eq "bash: an option" --filter "$(bash_offers oblea images --fil)"
assert_eq "bash: a value" rootfs "$(bash_offers oblea import --as r)"
assert_eq "bash: an image" hello:1 "$(bash_offers oblea history hell)"
assert_eq "bash: the tag of an image" 1 "$(bash_offers oblea history hello:)"
assert_eq "bash: a container" stopped "$(bash_offers oblea start stop)"
assert_eq "bash: a container of a two-word command" stopped "$(bash_offers oblea container rm stop)"
assert_eq "bash: an image of a two-word command" help/me:2 "$(bash_offers oblea image history help)"

fish_offers() { # LINE
    fish -c "source $work/_oblea.fish; complete -C '$1'" | cut -f1 | xargs
}
assert_eq "fish: a command" history "$(fish_offers 'oblea hist')"
assert_eq "fish: a command of a group" inspect "$(fish_offers 'oblea image ins')"
assert_eq "fish: an option" --filter "$(fish_offers 'oblea images --fil')"
assert_eq "fish: a value" rootfs "$(fish_offers 'oblea import --as r')"
assert_eq "fish: an image" hello:1 "$(fish_offers 'oblea history hell')"

assert_eq "fish: a container" stopped "$(fish_offers 'oblea start stop')"

# zsh completes only where somebody types.
mkdir "$work/functions"
mv "$work/_oblea.zsh" "$work/functions/_oblea"
cat >"$work/.zshrc" <<END
fpath=($work/functions \$fpath)
autoload -Uz compinit && compinit -u -d $work/dump
PS1='ready> '
END
socket=$work/tmux
test_cleanup() { tmux -S "$socket" kill-server 2>/dev/null; }
ZDOTDIR=$work tmux -S "$socket" -f /dev/null new-session -d -x 100 -y 20 zsh -i
await_screen() { # TEXT WHAT
    local screen end=$((SECONDS + 60))
    while ((SECONDS <= end)); do
        screen=$(tmux -S "$socket" capture-pane -p)
        [[ $screen != *"$1"* ]] || return 0
        sleep 0.1
    done
    fail "$2: '$1' is missing in: $screen"
}
await_screen 'ready>' "zsh's prompt"
zsh_completes() { # TYPED COMPLETED
    tmux -S "$socket" send-keys C-u "$1" Tab
    await_screen "ready> $2" "zsh"
}
zsh_completes "oblea hist" "oblea history"
zsh_completes "oblea image ins" "oblea image inspect"
zsh_completes "oblea images --fil" "oblea images --filter"
zsh_completes "oblea import --as r" "oblea import --as rootfs"
zsh_completes "oblea history hell" "oblea history hello:1"
zsh_completes "oblea image history help" "oblea image history help/me:2"
zsh_completes "oblea start stop" "oblea start stopped"
