# SPDX-License-Identifier: MIT
# `oblea diff`, `commit` and `export`: what was changed becomes a layer, and the image made of it shows the same tree.
source "$(dirname "$0")/lib.sh"
need_fuse
small_image
oblea import "$small/oci" small:latest >/dev/null

# A container with one of everything.
oblea chroot --name mine small:latest sh -ec '
    echo new >/srv/new
    echo more >>/etc/issue
    rm /etc/debian_version
    rm -r /usr/share/base-files
    rm -r /usr/share/doc && mkdir /usr/share/doc && echo doc >/usr/share/doc/file
    mv /etc/default /srv/moved
    chmod 700 /var/cache
    ln /srv/new /srv/second
    ln -s new /srv/soft
    mkfifo /srv/fifo
    mkdir -p /srv/deep/er && echo deep >/srv/deep/er/file
    dd if=/dev/zero of=/srv/sparse bs=4096 seek=1000 count=1 2>/dev/null
    touch -d "2001-02-03 04:05:06.789" /srv/deep
'
changes=$(oblea diff mine)
for line in "A /srv/new" "C /etc/issue" "C /etc" "D /etc/debian_version" "D /usr/share/base-files" "C /usr/share/doc" \
    "A /usr/share/doc/file" "D /etc/default" "A /srv/moved" "C /var/cache" "C /var" "A /srv/second" "A /srv/deep/er/file"; do
    grep -qxF -- "$line" <<<"$changes" || fail "diff does not say '$line': $changes"
done
assert_eq "lines of diff, sorted" "$(LC_ALL=C sort -k2 <<<"$changes")" "$changes"
assert_eq "folders of the image that only lead to a removed name" "" "$(grep -x 'A /usr' <<<"$changes" || true)"

# What is as it was has no diff, and its commit no layer.
oblea chroot --name same small:latest sh -c 'chmod 700 /var && chmod 755 /var'
assert_eq "diff of an untouched container" "" "$(oblea diff same)"
oblea commit same same:1 >/dev/null
assert_eq "layers of an image committed without changes" "$(jq '.images[]|select(.names[0]|test("small"))|.layers|length' "$OBLEA_ROOT/images.json")" \
    "$(jq '.images[]|select(.names[0]|test("same"))|.layers|length' "$OBLEA_ROOT/images.json")"

# The same image twice, byte for byte; remembered are author, message, changes and parent.
export SOURCE_DATE_EPOCH=1700000000
first=$(oblea commit -a "Ada <ada@example.org>" -m "what was done" -c 'CMD ["hello"]' -c 'ENV KEY="a value"' mine committed:1)
second=$(oblea commit -a "Ada <ada@example.org>" -m "what was done" -c 'CMD ["hello"]' -c 'ENV KEY="a value"' mine committed:1)
assert_eq "the id of the same commit" "$first" "$second"
unset SOURCE_DATE_EPOCH
top_layer() {
    jq -r '.rootfs.diff_ids[-1]' "$OBLEA_ROOT/blobs/sha256/${1#sha256:}"
}
third=$(oblea commit mine timed:1)
assert_eq "the layer of another commit" "$(top_layer "$third")" "$(top_layer "$(oblea commit -m again mine timed:1)")"
config=$OBLEA_ROOT/blobs/sha256/${first#sha256:}
assert_eq "author" "Ada <ada@example.org>" "$(jq -r .author "$config")"
assert_eq "message" "what was done" "$(jq -r '.history[-1].comment' "$config")"
assert_eq "command" '["hello"]' "$(jq -c .config.Cmd "$config")"
assert_eq "variable" "KEY=a value" "$(jq -r '.config.Env[-1]' "$config")"
assert_eq "layers and the history's" "$(jq '.rootfs.diff_ids|length' "$config")" \
    "$(jq '[.history[]|select(.empty_layer|not)]|length' "$config")"
assert_eq "parent" "$(jq -r '.images[]|select(.names[]?|test("small:latest"))|.id' "$OBLEA_ROOT/images.json")" \
    "$(jq -r --arg id "$first" '.images[]|select(.id==$id)|.parent' "$OBLEA_ROOT/images.json")"
assert_eq "what the new image runs" "Hello, world!" "$(oblea chroot committed:1)"

# Container, new image, and the image of its export show one tree, inode by inode.
if ((EUID == 0)); then
    mkdir "$work/container" "$work/image" "$work/flat"
    oblea mount --name mine small:latest "$work/container" >/dev/null
    assert_eq "diff of a mounted container" "$changes" "$(oblea diff mine)"
    oblea mount --read-only timed:1 "$work/image" >/dev/null
    assert_same_tree "$work/container" "$work/image"
    oblea export -o "$work/flat.tar" mine
    oblea import "$work/flat.tar" flat:1 >/dev/null
    oblea mount --read-only flat:1 "$work/flat" >/dev/null
    assert_same_tree "$work/container" "$work/flat"
    first_data() {
        python3 -c 'import os, sys; print(os.lseek(os.open(sys.argv[1], os.O_RDONLY), 0, os.SEEK_DATA))' "$1"
    }
    assert_eq "the first data of the sparse file" 4096000 "$(first_data "$work/image/srv/sparse")"
    assert_eq "the hard link" "$(stat -c %i "$work/image/srv/new")" "$(stat -c %i "$work/image/srv/second")"
fi

assert_fails oblea commit nobody
assert_contains "an unknown container" "$message" "No such container: nobody"
assert_fails oblea commit mine Bad:1
assert_contains "a bad name" "$message" "must be lowercase"
assert_fails oblea commit -c "FROM x" mine
assert_contains "a bad change" "$message" "it is not one instruction"
assert_fails oblea diff nobody

# A running container stands still meanwhile: of two files that grow in turns, the image has as many lines, or one more in the first.
oblea run -d --name busy small:latest sh -c 'while :; do echo line >>/srv/first; echo line >>/srv/second; done' >/dev/null
until_true oblea exec busy test -s /srv/second
for ((i = 0; i < 3; ++i)); do
    oblea commit busy moment:1 >/dev/null
    ahead=$(($(oblea cat moment:1 /srv/first | wc -l) - $(oblea cat moment:1 /srv/second | wc -l)))
    ((ahead == 0 || ahead == 1)) || fail "the image has $ahead lines more in the first file"
done
lines=$(oblea exec busy sh -c 'wc -l </srv/second')
goes_on() { (($(oblea exec busy sh -c 'wc -l </srv/second') > lines)); }
until_true goes_on
oblea rm -f busy >/dev/null
