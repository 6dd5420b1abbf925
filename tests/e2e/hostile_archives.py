# SPDX-License-Identifier: MIT
"""Writes archives that are damaged or mean harm into a folder, one file or layout each; their names say what is wrong."""
import gzip
import json
import os
import random
import shutil
import sys
import tarfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "images"))
import oci_image  # noqa: E402

work, out = sys.argv[1:]
BLOCK = 512


def raw_header(name, size_field, kind=b"0", linkname=b""):
    """A ustar header whose size field is given as the 12 bytes that stand in it."""
    header = bytearray(BLOCK)
    header[0:len(name)] = name
    header[100:108] = b"0000644\0"
    header[108:116] = header[116:124] = b"0000000\0"
    header[124:136] = size_field
    header[136:148] = b"00000000000\0"
    header[156:157] = kind
    header[157:157 + len(linkname)] = linkname
    header[257:265] = b"ustar\x0000"
    header[148:156] = b"        "
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


def octal(size):
    return b"%011o\0" % size


def base256(size):
    return bytes([0x80]) + size.to_bytes(11, "big")


def layer_of(build):
    layer = oci_image.LayerTar()
    build(layer)
    path = os.path.join(work, "layer.tar")
    layer.save(path)
    return path


def layer_of_bytes(data):
    path = os.path.join(work, "layer.tar")
    with open(path, "wb") as file:
        file.write(data)
    return path


def good_layer(layer):
    layer.directory("etc")
    layer.file("etc/file", "content\n" * 1000)
    layer.file("large", random.Random(1).randbytes(300_000))


def layout(name, layers, change_config=lambda config: None, compression="gzip"):
    config = oci_image.make_config(layers, ["layer"] * len(layers), {}, "amd64")
    change_config(config)
    path = os.path.join(out, name)
    oci_image.write_layout(path, layers, config, "bad", [compression] * len(layers))
    return path


def read_manifest(path):
    with open(path + "/index.json", encoding="utf-8") as file:
        index = json.load(file)
    with open(path + "/blobs/sha256/" + index["manifests"][0]["digest"][7:], encoding="utf-8") as file:
        return index, json.load(file)


def rewrite_manifest(path, change):
    """Changes the manifest of a layout and all that refers to it, so that only the change is wrong."""
    index, manifest = read_manifest(path)
    change(manifest)
    index["manifests"][0].update(oci_image._put_blob(path, oci_image.canonical(manifest)))
    with open(path + "/index.json", "wb") as file:
        file.write(oci_image.canonical(index))


# Names and links that lead out of the tree.
layout("name-above-root", [layer_of(lambda l: l.file("../outside", "x"))])
layout("name-with-dots-inside", [layer_of(lambda l: l.file("a/../../outside", "x"))])
layout("hard-link-above-root", [layer_of(lambda l: l.hardlink("passwd", "../../etc/passwd"))])
layout("hard-link-to-nothing", [layer_of(lambda l: l.hardlink("passwd", "etc/passwd"))])


def through_link(layer):
    layer.symlink("etc", "/")
    layer.file("etc/evil", "x")


def whiteout_through_link(layer):
    layer.symlink("etc", "/")
    layer.whiteout("etc/passwd")


layout("file-through-link", [layer_of(through_link)])
layout("whiteout-through-link", [layer_of(whiteout_through_link)])
layout("whiteout-of-nothing", [layer_of(lambda l: l.file("etc/.wh.", ""))])
layout("whiteout-of-parent", [layer_of(lambda l: l.file("etc/.wh...", ""))])

# Sizes.
for how, field in (("octal", octal(1 << 30)), ("2-to-60", base256(1 << 60)), ("2-to-87", base256((1 << 87) - 1)),
                   ("negative", b"\xff" * 12), ("letters", b"size please\0")):
    layout("size-" + how, [layer_of_bytes(raw_header(b"file", field) + b"x" * BLOCK)])
layout("long-name-2-to-60", [layer_of_bytes(raw_header(b"././@LongLink", base256(1 << 60), b"L") + b"x" * BLOCK)])
layout("pax-2-to-60", [layer_of_bytes(raw_header(b"pax", base256(1 << 60), b"x") + b"x" * BLOCK)])
layout("pax-length-wrong", [layer_of_bytes(raw_header(b"pax", octal(30), b"x") + b"999 path=x\n".ljust(BLOCK, b"\0") +
                                           raw_header(b"f", octal(0)) + bytes(2 * BLOCK))])
layout("pax-size-2-to-62", [layer_of_bytes(raw_header(b"pax", octal(28), b"x") +
                                           b"28 size=4611686018427387904\n".ljust(BLOCK, b"\0") +
                                           raw_header(b"f", octal(3)) + b"abc".ljust(BLOCK, b"\0") + bytes(2 * BLOCK))])
damaged = bytearray(open(layer_of(good_layer), "rb").read())
damaged[3] ^= 0x20
layout("header-checksum-wrong", [layer_of_bytes(bytes(damaged))])
layout("no-tar-at-all", [layer_of_bytes(b"not a tar, whatever the manifest says\n" * 100)])

# Digests and descriptors.
good = layer_of(good_layer)
layout("diff-id-wrong", [good], lambda c: c["rootfs"].update(diff_ids=["sha256:" + "0" * 64]))
layout("diff-ids-missing", [good], lambda c: c["rootfs"].update(diff_ids=[]))
layout("diff-ids-too-many", [good], lambda c: c["rootfs"]["diff_ids"].append("sha256:" + "0" * 64))
layout("rootfs-unknown", [good], lambda c: c["rootfs"].update(type="tree"))
for fault, change in {
        "layer-size-wrong": lambda m: m["layers"][0].update(size=m["layers"][0]["size"] + 1),
        "layer-size-2-to-60": lambda m: m["layers"][0].update(size=1 << 60),
        "layer-size-negative": lambda m: m["layers"][0].update(size=-1),
        "layer-missing": lambda m: m["layers"][0].update(digest="sha256:" + "1" * 64),
        "layer-digest-is-path": lambda m: m["layers"][0].update(digest="sha256:../../../../etc/passwd"),
        "layer-digest-short": lambda m: m["layers"][0].update(digest="sha256:abc"),
        "config-missing": lambda m: m["config"].update(digest="sha256:" + "2" * 64),
        "config-size-2-to-60": lambda m: m["config"].update(size=1 << 60),
        "layers-no-list": lambda m: m.update(layers="none")}.items():
    rewrite_manifest(layout(fault, [good]), change)

flipped = layout("layer-bit-flipped", [good])
blob = flipped + "/blobs/sha256/" + read_manifest(flipped)[1]["layers"][0]["digest"][7:]
data = bytearray(open(blob, "rb").read())
data[len(data) // 2] ^= 1
open(blob, "wb").write(data)

cut = layout("layer-gzip-cut", [good])
index, manifest = read_manifest(cut)
blob = cut + "/blobs/sha256/" + manifest["layers"][0]["digest"][7:]
half = open(blob, "rb").read()[:-1000]
rewrite_manifest(cut, lambda m: m["layers"][0].update(oci_image._put_blob(cut, half)))

# Files of the layout itself.
for fault, text in (("index-no-json", "{"), ("index-empty", ""), ("index-nested", "[" * 200_000),
                    ("index-no-manifests", "{\"schemaVersion\":2}")):
    path = layout(fault, [good])
    open(path + "/index.json", "w", encoding="utf-8").write(text)
link = layout("blob-is-link", [good])
target = link + "/blobs/sha256/" + read_manifest(link)[1]["layers"][0]["digest"][7:]
os.remove(target)
os.symlink("/etc/passwd", target)

# Whole archives cut off and with single bits changed.
whole = layout("whole", [good], compression="none")
oci_image.archive_layout(whole, os.path.join(work, "whole.tar"))
shutil.rmtree(whole)
data = open(os.path.join(work, "whole.tar"), "rb").read()
for percent in (1, 30, 60, 90):
    open(f"{out}/archive-cut-{percent}.tar", "wb").write(data[:len(data) * percent // 100])
with open(f"{out}/archive-cut.tar.gz", "wb") as file:
    file.write(gzip.compress(data)[:-5000])
# Where the large content of the layer lies: nothing but the digests can tell.
middle = data.index(random.Random(1).randbytes(300_000)[:64]) + 1000
changed = bytearray(data)
changed[middle] ^= 4
open(f"{out}/archive-bit-flipped.tar", "wb").write(changed)


def docker(name, change, extra=lambda tar: None):
    config = oci_image.make_config([good], ["layer"], {}, "amd64")
    path = f"{work}/docker.tar"
    oci_image.write_docker_archive(path, [good], config, "example.org/bad:latest")
    with tarfile.open(path) as source, tarfile.open(f"{out}/{name}.tar", "w") as target:
        for member in source:
            content = source.extractfile(member)
            if member.name == "manifest.json":
                manifest = json.load(content)
                change(manifest[0])
                extra(target)
                oci_image._add_bytes(target, "manifest.json", oci_image.canonical(manifest))
            else:
                target.addfile(member, content)


def link_member(name, to):
    def add(tar):
        info = tarfile.TarInfo(name)
        info.type, info.linkname = tarfile.SYMTYPE, to
        tar.addfile(info)
    return add


docker("docker-layer-is-path", lambda m: m.update(Layers=["../../../../etc/passwd"]))
docker("docker-layer-missing", lambda m: m.update(Layers=["none/layer.tar"]))
docker("docker-config-missing", lambda m: m.update(Config="none.json"))
docker("docker-layer-links-out", lambda m: m.update(Layers=["x/layer.tar"]), link_member("x/layer.tar", "/etc/passwd"))
docker("docker-layer-links-to-itself", lambda m: m.update(Layers=["x/layer.tar"]), link_member("x/layer.tar", "layer.tar"))
docker("docker-two-layers-claimed", lambda m: m.update(Layers=m["Layers"] * 2))

# Root file systems.
for fault, build in {"rootfs-name-above-root": lambda l: l.file("../../outside", "x"),
                     "rootfs-through-link": through_link}.items():
    shutil.copy(layer_of(build), f"{out}/{fault}.tar")
open(f"{out}/rootfs-size-2-to-60.tar", "wb").write(raw_header(b"file", base256(1 << 60)) + bytes(4 * BLOCK))

# No archives at all.
open(f"{out}/empty", "wb").close()
open(f"{out}/text", "w", encoding="utf-8").write("just words\n" * 1000)
open(f"{out}/noise", "wb").write(random.Random(2).randbytes(100_000))
