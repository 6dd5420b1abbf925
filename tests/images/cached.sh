# SPDX-License-Identifier: MIT
# Sourced by the image scripts: keeps what a script makes under a name that depends on the script.
#
# cached_image NAME FILES...: leaves when the cache has the result of these FILES, after printing its folder. Else it sets
# `work`, a temporary folder, and `target`, the folder inside it that publish_image makes the result.

images_cache=${XDG_CACHE_HOME:-$HOME/.cache}/oblea/test-images
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

cached_image() {
    local name=$1
    shift
    result=$images_cache/$name-$(cat "$@" "${BASH_SOURCE[0]}" <(dpkg --print-architecture) | sha256sum | cut -c 1-16)
    if [[ -d $result ]]; then
        echo "$result"
        exit 0
    fi
    mkdir -p "$images_cache"
    # Two that want the same image at the same time: the second finds it made.
    exec 8>"$images_cache/$name.lock"
    flock 8
    if [[ -d $result ]]; then
        echo "$result"
        exit 0
    fi
    work=$(mktemp -d "$images_cache/work.XXXXXX")
    trap 'remove_work' EXIT
    target=$work/result
    mkdir "$target"
}

remove_work() {
    rm -rf "$work"
}

publish_image() {
    # Results of earlier states of the scripts are of no use to anybody.
    find "$images_cache" -maxdepth 1 -name "$1-*" -type d -exec rm -rf {} +
    mv -T "$target" "$result"
    echo "$result"
}

# debian_root VARIANT PACKAGES TARGET OPTIONS...: Debian's packages of the release and from the archive that this machine uses.
debian_root() {
    local variant=$1 packages=$2 root=$3 suite hook=customize
    shift 3
    # The variant extract stops before customize hooks.
    [[ $variant != extract ]] || hook=extract
    suite=$("$repository/scripts/debian-archive" suite)
    "$repository/scripts/debian-archive" aptconf >"$work/apt.conf"
    echo "deb [signed-by=$("$repository/scripts/debian-archive" keyring)]" \
        "$("$repository/scripts/debian-archive" uri) $suite main" >"$work/debian.list"
    # With the time of the packages' own files for all else, the same packages give the same image.
    SOURCE_DATE_EPOCH=1686355200 mmdebstrap --quiet --variant="$variant" ${packages:+--include="$packages"} \
        --aptopt="$work/apt.conf" --$hook-hook='rm -f "$1"/etc/apt/apt.conf.d/99mmdebstrap' "$@" \
        "$suite" "$root" "$work/debian.list" >&2
}
