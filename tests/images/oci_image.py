# SPDX-License-Identifier: MIT
"""Writes container images from layer tars: as OCI layout, oci-archive and docker-archive.

It knows nothing of what oblea knows, so that oblea is held against something else. The result depends on its input only:
no clock, no random order.
"""
import gzip
import hashlib
import io
import json
import os
import shutil
import tarfile

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
EPOCH = "2023-06-10T00:00:00Z"
MTIME = 1686355200


class LayerTar:
    """Collects the entries of a layer that is made by hand; `save` writes the tar."""

    def __init__(self, mtime=MTIME):
        self._mtime = mtime
        self._entries = []

    def _add(self, name, kind, mode, **fields):
        info = tarfile.TarInfo(name)
        info.type = kind
        info.mode = mode
        info.mtime = fields.pop("mtime", self._mtime)
        data = fields.pop("data", b"")
        info.size = len(data)
        info.pax_headers = {"SCHILY.xattr." + key: value for key, value in fields.pop("xattrs", {}).items()}
        for key, value in fields.items():
            setattr(info, key, value)
        self._entries.append((info, data))

    def directory(self, name, mode=0o755, **fields):
        self._add(name, tarfile.DIRTYPE, mode, **fields)

    def file(self, name, data, mode=0o644, **fields):
        self._add(name, tarfile.REGTYPE, mode, data=data.encode() if isinstance(data, str) else data, **fields)

    def symlink(self, name, target, **fields):
        self._add(name, tarfile.SYMTYPE, 0o777, linkname=target, **fields)

    def hardlink(self, name, target, mode=0o644, **fields):
        self._add(name, tarfile.LNKTYPE, mode, linkname=target, **fields)

    def device(self, name, major, minor, mode=0o666, **fields):
        self._add(name, tarfile.CHRTYPE, mode, devmajor=major, devminor=minor, **fields)

    def fifo(self, name, mode=0o644, **fields):
        self._add(name, tarfile.FIFOTYPE, mode, **fields)

    def whiteout(self, name):
        folder, base = os.path.split(name)
        self.file(os.path.join(folder, ".wh." + base), b"")

    def opaque(self, folder):
        self.file(os.path.join(folder, ".wh..wh..opq"), b"")

    def save(self, path):
        with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
            for info, data in self._entries:
                tar.addfile(info, io.BytesIO(data))


def digest_of(path):
    with open(path, "rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _put_blob(layout, data):
    name = hashlib.sha256(data).hexdigest()
    with open(os.path.join(layout, "blobs", "sha256", name), "wb") as file:
        file.write(data)
    return {"digest": "sha256:" + name, "size": len(data)}


def _put_layer(layout, tar, compression):
    blobs = os.path.join(layout, "blobs", "sha256")
    staged = os.path.join(blobs, "staged")
    if compression == "gzip":
        with open(tar, "rb") as source, open(staged, "wb") as raw:
            with gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=6, mtime=0) as target:
                shutil.copyfileobj(source, target, 1 << 20)
    else:
        shutil.copyfile(tar, staged)
    digest = digest_of(staged)
    descriptor = {"mediaType": LAYER + ("+gzip" if compression == "gzip" else ""), "digest": digest,
                  "size": os.path.getsize(staged)}
    os.rename(staged, os.path.join(blobs, digest.removeprefix("sha256:")))
    return descriptor


def make_config(layers, comments, run_config, architecture):
    return {
        "architecture": architecture,
        "os": "linux",
        "created": EPOCH,
        "config": run_config,
        "rootfs": {"type": "layers", "diff_ids": [digest_of(layer) for layer in layers]},
        "history": [{"created": EPOCH, "created_by": comment} for comment in comments],
    }


def write_layout(layout, layers, config, tag, compressions):
    """Writes an OCI image layout with one tagged image; `compressions` says gzip or none for each layer, bottom first."""
    os.makedirs(os.path.join(layout, "blobs", "sha256"))
    manifest = canonical({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": CONFIG, **_put_blob(layout, canonical(config))},
        "layers": [_put_layer(layout, tar, how) for tar, how in zip(layers, compressions, strict=True)],
    })
    index = {"schemaVersion": 2, "mediaType": INDEX,
             "manifests": [{"mediaType": MANIFEST, **_put_blob(layout, manifest),
                            "annotations": {"org.opencontainers.image.ref.name": tag}}]}
    with open(os.path.join(layout, "index.json"), "wb") as file:
        file.write(canonical(index))
    with open(os.path.join(layout, "oci-layout"), "wb") as file:
        file.write(canonical({"imageLayoutVersion": "1.0.0"}))


def _add_bytes(tar, name, data):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    info.mtime = MTIME
    tar.addfile(info, io.BytesIO(data))


def archive_layout(layout, archive):
    """Packs an OCI layout into one tar, an oci-archive."""
    with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as tar:
        for folder, _, files in sorted(os.walk(layout)):
            for name in sorted(files):
                path = os.path.join(folder, name)
                info = tar.gettarinfo(path, os.path.relpath(path, layout))
                info.uid = info.gid = 0
                info.uname = info.gname = ""
                info.mtime = MTIME
                with open(path, "rb") as file:
                    tar.addfile(info, file)


def write_docker_archive(archive, layers, config, name):
    """Writes what `docker save` writes; a layer that occurs twice is a link, as docker does it."""
    config_bytes = canonical(config)
    config_name = hashlib.sha256(config_bytes).hexdigest() + ".json"
    with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as tar:
        _add_bytes(tar, config_name, config_bytes)
        names, first_of = [], {}
        for position, (layer, diff_id) in enumerate(zip(layers, config["rootfs"]["diff_ids"], strict=True)):
            member = f"{hashlib.sha256(f'{position} {diff_id}'.encode()).hexdigest()}/layer.tar"
            names.append(member)
            info = tarfile.TarInfo(member)
            info.mtime = MTIME
            if diff_id in first_of:
                info.type, info.linkname = tarfile.SYMTYPE, "../" + first_of[diff_id]
                tar.addfile(info)
                continue
            first_of[diff_id] = member
            info.size = os.path.getsize(layer)
            with open(layer, "rb") as file:
                tar.addfile(info, file)
        _add_bytes(tar, "manifest.json", canonical([{"Config": config_name, "RepoTags": [name], "Layers": names}]))
