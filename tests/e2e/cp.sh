# SPDX-License-Identifier: MIT
# `oblea cp`: files and folders into containers and out of them, running or not, and as a tar.
source "$(dirname "$0")/lib.sh"
need_fuse
need crun jq
small_image
oblea import "$small/oci" small:latest >/dev/null
cd "$work"

oblea create --name box small:latest sleep 1000 >/dev/null
echo text >file
mkdir -p folder/sub && echo deep >folder/sub/file && ln -s sub/file folder/link
oblea cp file box:/srv/ 2>"$work/said"
grep -qx "Successfully copied [0-9.]*kB to box:/srv/" "$work/said" || fail "it said: $(cat "$work/said")"
oblea cp -q file box:/srv/renamed
oblea cp -q folder box:/srv
oblea cp -q folder box:/srv/other
oblea cp -q folder/. box:/srv
assert_eq "after copying in" "A /srv/file A /srv/folder A /srv/folder/link A /srv/folder/sub A /srv/folder/sub/file A /srv/other A /srv/other/link A /srv/other/sub A /srv/other/sub/file A /srv/renamed A /srv/sub A /srv/sub/file C /srv C /srv/link" \
    "$(oblea diff box | LC_ALL=C sort | paste -sd' ')"
assert_fails oblea cp -q folder box:/srv/file
assert_contains "a folder onto a file" "$message" "cannot copy directory"
assert_fails oblea cp -q file box:/nowhere/at/all
assert_contains "no folder there" "$message" 'invalid output path: directory "/nowhere/at" does not exist'
assert_fails oblea cp -q no-such-file box:/srv
assert_fails oblea cp box:/a box:/b
assert_contains "between containers" "$message" "copying between containers is not supported"
assert_fails oblea cp file folder
assert_contains "no container" "$message" "must specify at least one container source"

# What is no plain file is not replaced.
mkfifo pipe
assert_fails oblea cp -q box:/srv/file pipe
assert_contains "onto a pipe" "$message" "must be a directory or a regular file"
[[ -p pipe ]] || fail "the pipe was replaced"

# Out again.
oblea cp -q box:/srv/folder out
diff -r folder out || fail "what came out is another folder"
oblea cp -q box:/srv/renamed .
assert_eq "a file copied out" text "$(cat renamed)"
oblea cp box:/srv/folder - | tar tf - | LC_ALL=C sort >names
assert_eq "names in the tar" "folder/ folder/link folder/sub/ folder/sub/file" "$(paste -sd' ' names)"
oblea cp -q -L box:/srv/folder/link followed
assert_eq "a link that is followed" deep "$(cat followed)"

# While it runs, and as a tar.
oblea start box >/dev/null
echo changed >file
oblea cp -q file box:/srv/file
assert_eq "a running container sees it" changed "$(oblea exec box cat /srv/file)"
assert_eq "owner of what is copied in" "0:0" "$(oblea exec box stat -c %u:%g /srv/file)"
oblea exec box sh -c 'echo inside >/srv/inside'
oblea cp -q box:/srv/inside .
assert_eq "copied out of a running container" inside "$(cat inside)"
tar cf - folder | oblea cp - box:/usr
assert_eq "a tar copied in" deep "$(oblea exec box cat /usr/folder/sub/file)"

# A link in the container leads nowhere else.
oblea exec box ln -s / /srv/root
oblea cp -q file box:/srv/root/planted
assert_missing /planted
assert_eq "behind a link" changed "$(oblea exec box cat /planted)"
oblea rm -f box >/dev/null
