# SPDX-License-Identifier: MIT
# Every command, flag and text of image_commands.md is what happens.
source "$(dirname "$0")/lib.sh"
mkdir "$work/tour"
export TZ=UTC
PYTHONPATH=$tests/images python3 - "$work" "$work/tour" <<'END'
import datetime
import sys
import oci_image

work, target = sys.argv[1:]
now = datetime.datetime.now(datetime.timezone.utc)


def ago(**age):
    return (now - datetime.timedelta(**age)).strftime("%Y-%m-%dT%H:%M:%SZ")


def image(file, name, created, sizes, labels=None, settings=None, extra=()):
    layers = []
    for number, size in enumerate(sizes):
        tar = oci_image.LayerTar()
        tar.file(f"data{number}", bytes([65 + number]) * size)
        layers.append(f"{work}/{file}.{number}.tar")
        tar.save(layers[-1])
    run = dict(settings or {})
    if labels:
        run["Labels"] = labels
    config = oci_image.make_config(layers, [f"ADD data{number} /" for number in range(len(sizes))], run, "amd64")
    config["created"] = created
    for entry in config["history"]:
        entry["created"] = created
    config["history"] += [{"created": created, "created_by": step, "comment": comment, "empty_layer": True} for step, comment in extra]
    oci_image.write_docker_archive(f"{target}/{file}.tar", layers, config, name)


image("debian12", "debian:12", ago(days=20), [72_900], labels={"tier": "base"}, settings={"Cmd": ["bash"], "Env": ["PATH=/bin", "A=1"]},
      extra=[("CMD [\"bash\"]", "a note")])
image("debian11", "debian:11", ago(days=100), [61_000])
image("web", "quay.io/team/web:v2", ago(hours=5), [72_900, 1_500], labels={"tier": "front", "keep": ""},
      extra=[("/bin/sh -c #(nop)  ENV A=a very long setting that goes on and on", "")])
def layered():
    """Two layers: the upper one replaces a file, deletes one, and adds one twice."""
    lower, upper = oci_image.LayerTar(), oci_image.LayerTar()
    lower.file("etc/kept", b"k" * 10)
    lower.file("etc/replaced", b"r" * 3000)
    lower.file("etc/deleted", b"d" * 1000)
    lower.symlink("conf", "etc")
    upper.file("etc/replaced", b"R" * 20)
    upper.whiteout("etc/deleted")
    upper.file("etc/<b>one", b"same" * 100)
    upper.file("etc/two", b"same" * 100)
    layers = [f"{work}/lower.tar", f"{work}/upper.tar"]
    for tar, path in zip((lower, upper), layers):
        tar.save(path)
    config = oci_image.make_config(layers, ["COPY etc /", "RUN clean </script>"], {}, "amd64")
    oci_image.write_docker_archive(f"{target}/layered.tar", layers, config, "layered:1")
    oci_image.write_docker_archive(f"{target}/lower.tar", layers[:1], oci_image.make_config(layers[:1], ["COPY etc /"], {}, "amd64"), "lower:1")


layered()
image("new", "debian:12", ago(hours=2), [80_000])
END
python3 "$tests/e2e/run_readme.py" "$tests/e2e/image_commands.md" "$work/tour" || fail "the commands do otherwise"
