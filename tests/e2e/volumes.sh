# SPDX-License-Identifier: MIT
# Volumes that several processes make, fill, use and remove at once; damage and gc; what build and bundle make of VOLUME.
source "$(dirname "$0")/lib.sh"
need_fuse
need crun jq
small_image
oblea import "$small/oci" small:latest >/dev/null

# Each container begins with all that the image has there, whoever brought it.
for i in 1 2 3 4; do
    oblea run --rm -v shared:/srv/data small:latest sh -c 'echo $(ls /srv/data)' >"$work/seen.$i" &
done
wait
assert_eq "what containers see that start at once" "first second" "$(sort -u "$work"/seen.*)"
assert_eq "beside the data" "_data volume.json" "$(ls "$OBLEA_ROOT/volumes/shared" | xargs)"

# What a fill that was cut has left is brought to its end before a container begins, or begun anew.
mkdir "$OBLEA_ROOT/volumes/shared/filled" "$OBLEA_ROOT/volumes/shared/filling"
echo rest >"$OBLEA_ROOT/volumes/shared/filled/rest"
echo other >"$OBLEA_ROOT/volumes/shared/filled/first"
assert_eq "what was left to be moved" "rest linked twice" "$(oblea run --rm -v shared:/mnt small:latest sh -c 'echo $(cat /mnt/rest /mnt/first)')"
oblea volume create empty >/dev/null
mkdir "$OBLEA_ROOT/volumes/empty/filling"
echo part >"$OBLEA_ROOT/volumes/empty/filling/part"
assert_eq "what a part of a copy leaves" "first second" "$(oblea run --rm -v empty:/srv/data small:latest sh -c 'echo $(ls /srv/data)')"
assert_eq "beside the data, after cuts" "_data volume.json" "$(ls "$OBLEA_ROOT/volumes/empty" "$OBLEA_ROOT/volumes/shared" | grep -v : | sort -u | xargs)"

# No volume goes that a container has, whoever is faster.
for i in 1 2 3 4 5; do
    oblea create --name "user$i" -v "contended$i:/mnt" small:latest true >/dev/null &
    oblea volume rm -f "contended$i" >/dev/null 2>&1 || true
done
wait
for i in 1 2 3 4 5; do
    oblea volume inspect "contended$i" >/dev/null || fail "volume contended$i is gone below its container"
done

# What cannot be understood keeps all volumes; gc keeps them anyway.
oblea gc -q >/dev/null
assert_eq "volumes after gc" 7 "$(oblea volume ls -q | wc -l)"
oblea run -v lost:/mnt --name damaged small:latest true
file=$(container_folder damaged)/container.json
cp "$file" "$work/container.json"
echo '{' >"$file"
assert_fails oblea volume rm lost
assert_contains "rm beside a damaged container" "$message" "damaged container"
assert_fails oblea volume prune -af
cp "$work/container.json" "$file"
oblea rm damaged >/dev/null
oblea volume rm lost >/dev/null

# One that was taken away by hand is named.
oblea create --name bereft -v taken:/mnt small:latest true >/dev/null
rm -r "$OBLEA_ROOT/volumes/taken"
assert_fails oblea start bereft
assert_contains "a volume that is gone" "$message" "taken"
oblea rm bereft >/dev/null
echo '{"version":2}' >"$OBLEA_ROOT/volumes/empty/volume.json"
assert_contains "a volume of a newer version" "$(oblea volume ls 2>&1 >/dev/null)" "newer oblea"
assert_fails oblea volume rm empty
rm -r "$OBLEA_ROOT/volumes/empty"

# VOLUME of a Dockerfile: what steps write there is in the image, as BuildKit has it; containers have a volume.
printf 'FROM small\nVOLUME /srv/data\nRUN echo built >/srv/data/built\n' >"$work/Dockerfile"
oblea build -q -t with-volume "$work" >/dev/null 2>&1 || fail "the build failed"
oblea run --name user with-volume sh -c 'cat /srv/data/built; echo changed >/srv/data/built' >"$work/said"
assert_eq "what a step wrote" built "$(cat "$work/said")"
assert_eq "changes in a volume" "" "$(oblea diff user)"
oblea cp -q user:/srv/data/built "$work/built"
assert_eq "cp out of a volume" changed "$(cat "$work/built")"
name=$(oblea inspect -f '{{(index .Mounts 0).Name}}' user)
assert_eq "the mark of a volume without a name" '{"com.docker.volume.anonymous":""}' "$(oblea volume inspect -f '{{json .Labels}}' "$name")"
oblea rm user >/dev/null
assert_exists "$OBLEA_ROOT/volumes/$name/_data/built"
assert_contains "system prune" "$(oblea system prune -f --volumes)" "$name"
assert_missing "$OBLEA_ROOT/volumes/$name"

oblea bundle --name boxed -v boxed:/srv/data small:latest "$work/box" >/dev/null
assert_eq "the mount of a bundle" "$OBLEA_ROOT/volumes/boxed/_data" "$(jq -r '.mounts[] | select(.destination == "/srv/data") | .source' "$work/box/config.json")"
assert_eq "a volume of a bundle" "first second" "$(ls "$OBLEA_ROOT/volumes/boxed/_data" | xargs)"
oblea umount "$work/box/rootfs" >/dev/null
oblea rm boxed >/dev/null
