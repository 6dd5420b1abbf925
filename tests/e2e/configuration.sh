# SPDX-License-Identifier: MIT
# Settings: oblea.toml, the environment and options, in this order of weight, and where each value comes from.
source "$(dirname "$0")/lib.sh"
need jq

setting() { # KEY
    oblea info --format json | jq -r --arg key "$1" '.settings[$key] | (.value | join(" ")) + " from " + .source'
}

export XDG_CONFIG_HOME=$work/config
unset OBLEA_CONFIG OBLEA_ROOT
[[ ! -e /etc/oblea/oblea.toml ]] || skip "this machine is configured: /etc/oblea/oblea.toml"
mkdir -p "$XDG_CONFIG_HOME/oblea"
file=$XDG_CONFIG_HOME/oblea/oblea.toml
cat >"$file" <<TOML
# The user's own.
root = "$work/configured"
jobs = 2
progress = "none"
TOML
assert_eq "jobs" "2 from $file:3" "$(setting jobs)"
assert_eq "log_level" "warning from default" "$(setting log_level)"
assert_eq "the store" "$work/configured" "$(oblea info --format json | jq -r .store.path)"
assert_eq "what chose it" "$file:2" "$(oblea info --format json | jq -r .store.chosen_by)"
assert_contains "info" "$(oblea info)" "progress:       none ($file:4)"
assert_eq "jobs of the environment" "3 from OBLEA_JOBS" "$(OBLEA_JOBS=3 setting jobs)"
assert_eq "jobs of the command line" "5 from --jobs" \
    "$(OBLEA_JOBS=3 oblea --jobs 5 info --format json | jq -r '.settings.jobs | .value[0] + " from " + .source')"

echo 'jobs = 1' >"$work/other.toml"
assert_eq "jobs of OBLEA_CONFIG's file" "1 from $work/other.toml:1" "$(OBLEA_CONFIG=$work/other.toml setting jobs)"
assert_eq "nothing of the user's file" "auto from default" "$(OBLEA_CONFIG=$work/other.toml setting progress)"
OBLEA_CONFIG=$work/missing assert_fails oblea images
assert_contains "a file that is missing" "$message" "$work/missing: "

printf 'jobs = 1\n\njbos = 2\n' >"$work/other.toml"
OBLEA_CONFIG=$work/other.toml assert_fails oblea images
assert_eq "an unknown key" "oblea: $work/other.toml:3: no key 'jbos'; did you mean 'jobs'?" "$message"
OBLEA_CONFIG=$work/other.toml oblea help images >/dev/null
OBLEA_JOBS=many assert_fails oblea images
assert_eq "a wrong value" "oblea: OBLEA_JOBS: jobs takes a number, not 'many'" "$message"
