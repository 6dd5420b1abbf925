# SPDX-License-Identifier: MIT
# Sourced after lib.sh by tests of ordinary users, which root runs: users that are there for the time of the test, with the program
# and the small image where any of them gets at both. /dev/fuse is opened to them in the test's mount namespace.

need_root
need_fuse
need useradd userdel setpriv fusermount3 newuidmap
small_image

# The program and the image where any user gets at them.
cp -L "$oblea" "$work/oblea"
cp -a "$small/oci" "$work/image"
chmod -R a+rX "$work/image" "$work/oblea"
mknod -m 666 "$work/fuse" c 10 229 2>/dev/null || skip "device nodes cannot be made here"
mount --bind "$work/fuse" /dev/fuse
{ : <>/dev/fuse; } 2>/dev/null || skip "device nodes do not work in $work"

# end_processes_of ID: what a user of the test left running, as podman's keeper of the user's namespace, which takes no SIGTERM.
end_processes_of() {
    local pid
    for pid in $(ps -o pid= -U "$1"); do
        kill -KILL "$pid" 2>/dev/null
    done
}

# accounts COMMAND...: changes users or groups, one test at a time.
accounts() { flock /etc "$@"; }

users=()
test_cleanup() {
    umount /dev/fuse
    local user id
    for user in "${users[@]}"; do
        if id=$(id -u "$user"); then
            end_processes_of "$id"
            # What podman leaves outside of the home.
            rm -rf "/tmp/podman-run-$id" "/tmp/containers-user-$id"
        fi
        accounts userdel -f "$user" 2>/dev/null
    done
}

# add_user NAME: sets `as_user`, the words that run a command as the new user, and `home`.
add_user() {
    local user=$1
    home=$work/home-$user
    users+=("$user")
    accounts useradd --no-log-init --create-home --home-dir "$home" --shell /bin/sh "$user"
    as_user=(setpriv --reuid "$(id -u "$user")" --regid "$(id -g "$user")" --init-groups
        env -i PATH="$work:$PATH" HOME="$home" USER="$user" LANG=C.UTF-8 sh -c 'cd && exec "$@"' sh)
}

# Two kinds of them.
add_user_without_ids() {
    add_user "oblea-one-$$"
    accounts sed -i "/^oblea-one-$$:/d" /etc/subuid /etc/subgid
}

add_user_with_ids() {
    add_user "oblea-many-$$"
    grep -q "^oblea-many-$$:" /etc/subuid ||
        accounts usermod --add-subuids 700000-765535 --add-subgids 700000-765535 "oblea-many-$$"
}
