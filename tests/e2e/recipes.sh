#!/bin/bash
# SPDX-License-Identifier: MIT
# The recipe gives every layer's tar back byte for byte: all layers of all test images, when nothing is left of how they came.
#
# With OBLEA_TEST_IMAGES=all also of the images that take longest to make (scripts/test --long recipes).
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need python3 zstd
small_image

# unpack_layers: what is in an archive that save wrote, as tars named by the diff IDs that the image's config gives them, in order.
unpack_layers() { # ARCHIVE FOLDER
    python3 - "$@" <<'END'
import gzip, hashlib, json, shutil, sys, tarfile

archive, folder = sys.argv[1:]
tar = tarfile.open(archive)
for image in json.load(tar.extractfile("manifest.json")):
    config = json.load(tar.extractfile(image["Config"]))
    layers = image["Layers"]
    diff_ids = config["rootfs"]["diff_ids"]
    if len(layers) != len(diff_ids):
        sys.exit(f"{archive}: {len(layers)} layers and {len(diff_ids)} diff IDs")
    for number, (name, diff_id) in enumerate(zip(layers, diff_ids)):
        stream = tar.extractfile(name)
        plain = gzip.open(stream) if stream.read(2) == b"\x1f\x8b" else stream
        stream.seek(0)
        digest = hashlib.sha256()
        with open(f"{folder}/{number + 1}.tar", "wb") as out:
            while piece := plain.read(1 << 20):
                digest.update(piece)
                out.write(piece)
        if f"sha256:{digest.hexdigest()}" != diff_id:
            sys.exit(f"layer {number + 1} is sha256:{digest.hexdigest()} and was {diff_id}")
print(len(diff_ids))
END
}

images=0
layers=0
# check_layers SOURCE: leaves the tars in $work/layers.
check_layers() {
    local count kept
    rm -rf "$OBLEA_ROOT" "$work/layers" "$work/saved.tar"
    mkdir "$work/layers"
    oblea import -q "$1" checked:1 >/dev/null
    oblea gc --blobs -q >/dev/null
    # What is left in blobs/ are documents.
    kept=$(find "$OBLEA_ROOT/blobs" -type f -exec sh -c 'head -c 1 "$1" | grep -q "{" || echo "$1"' sh {} \;)
    assert_eq "$1: layers as they came" "" "$kept"
    oblea save -o "$work/saved.tar" checked:1 >/dev/null 2>&1
    count=$(unpack_layers "$work/saved.tar" "$work/layers") || fail "$1: a layer is not what came"
    : $((images += 1, layers += count))
}

# Tars of many writers, each of which is a layer.
mkdir "$work/corpus" "$work/tars"
"$tests/unit/layer/make_corpus" "$work/corpus" >/dev/null
for tar in "$work"/corpus/*.tar "$tests"/golden/tars/*; do
    name=$work/tars/$(basename "${tar%.gz}")
    case $tar in
    *.gz) gzip -dc "$tar" >"$name" ;;
    *.zst) zstd -qdc "$tar" >"${name%.zst}" ;;
    *) cp "$tar" "$name" ;;
    esac
done
PYTHONPATH=$tests/images python3 - "$work" <<'END'
import pathlib, sys
import oci_image

work = sys.argv[1]
tars = sorted(str(path) for path in pathlib.Path(work, "tars").iterdir())
config = oci_image.make_config(tars, [path.rsplit("/", 1)[1] for path in tars], {}, "amd64")
oci_image.write_docker_archive(f"{work}/corpus-image.tar", tars, config, "example.org/corpus:1")
END
check_layers "$work/corpus-image.tar"
number=0
for tar in "$work"/tars/*; do
    cmp "$tar" "$work/layers/$((number += 1)).tar" || fail "$(basename "$tar") came back otherwise"
done

for source in oci oci.tar docker.tar; do
    check_layers "$small/$source"
    for number in 1 2 3; do
        cmp "$small/layers/$number.tar" "$work/layers/$number.tar" || fail "$source: layer $number came back otherwise"
    done
done

((EUID != 0)) || check_layers "$("$tests/images/real")/oci.tar"

if [[ ${OBLEA_TEST_IMAGES:-} == all ]]; then
    real=$("$tests/images/real")
    check_layers "$real/docker.tar"
    check_layers "$real/docker.tar.gz"
    for kind in small apache; do
        for layout in "$("$tests/images/seeds" "$kind")"/*/; do check_layers "$layout"; done
    done
    check_layers "$("$tests/images/apt")/rootfs.tar"
fi
echo "$layers layers of $images images came back byte for byte"
