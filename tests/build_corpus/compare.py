#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares the config of an image that buildah built with that of oblea's.

  compare.py BUILDAH.json OBLEA.json same|plain     prints what differs; status 1 when something does

Both are configs as docker has them. All of `config` that the Dockerfile decides must be the same. The texts of the history must
be too, but for these differences, which are all there are:

- buildah tells an instruction as it was written, oblea as docker's classic builder does: variables replaced, paths absolute, ports
  sorted and with their protocol, lists in Go's form, the shell in front of a shell form, HEALTHCHECK as its values.
- The digests of what was copied are counted in different ways; oblea tells --chown and its like, buildah does not.
- buildah tells the flags of RUN; oblea the arguments that the command can see ("|1 A=b"), and a digest of what else it depends on.
- A RUN that changes nothing has an empty layer for buildah, and none for oblea, as in docker.
- buildah leaves ARG out; it makes the folder of WORKDIR with the next step's layer, oblea with WORKDIR's own.
- buildah gives images from scratch a PATH, and puts a variable that is set anew behind the others.
- buildah takes /bin/sh for the shell forms of CMD and ENTRYPOINT, whatever SHELL says.
- --label is one step at the end of oblea's history, as in docker's, and a step for each label in buildah's: LABEL at the end is not
  compared.
- Dockerfile.plain says the same in other words where buildah does not know the instruction ("plain"): then the texts of the
  history are not compared at all.
"""
import json
import re
import sys

KEYS = ["User", "ExposedPorts", "Env", "Entrypoint", "Cmd", "Volumes", "WorkingDir", "Labels", "StopSignal", "Healthcheck",
        "Shell", "OnBuild"]
RESOLVED = {"WORKDIR", "HEALTHCHECK"}  # told by what they come to
LAYER_MAY_DIFFER = {"WORKDIR", "RUN"}


def words(text):
    return re.sub(r"[\s=]+", " ", re.sub(r"[\"'\[\],\\]", "", text)).strip()


def told(entry):
    """(keyword, rest) of a history entry, without what may differ."""
    text = entry.get("created_by", "")
    metadata = re.match(r".*? #\(nop\)\s+(\S+)\s*(.*)", text, re.S)
    if not metadata:
        text = re.sub(r"^\|\d+ .*?(?=/bin/sh )", "", text, flags=re.S)
        text = re.sub(r"^(/bin/sh (-e )?-c )+", "", text)
        text = re.sub(r"^(--(mount|network)=\S+ )+", "", text)
        text = re.sub(r"^\[\"/bin/sh\", \"-c\", ", "", text)
        return "RUN", words(re.sub(r" # [0-9a-f]{12}$", "", text))
    keyword, rest = metadata[1].upper(), metadata[2]
    if "$" in rest or keyword in RESOLVED:
        return keyword, None
    if keyword in ("COPY", "ADD"):
        kind, target = re.search(r"(\w+):[0-9a-f]{64} in (.*)", rest).groups()
        name = target.strip().rstrip("/").split("/")[-1]
        return keyword, None if name in ("", ".") else f"{kind} {name}"
    rest = words(rest)
    if keyword in ("CMD", "ENTRYPOINT"):
        rest = re.sub(r"^/bin/sh (-e )?-c ", "", rest)
    if keyword == "EXPOSE":
        rest = " ".join(sorted(port.replace("/tcp", "") for port in rest.split()))
    return keyword, rest


def history(config):
    entries = [(*told(entry), bool(entry.get("empty_layer"))) for entry in config.get("history", [])]
    return [entry for entry in entries if entry[0] != "ARG"]


def main():
    buildah, oblea = (json.load(open(path)) for path in sys.argv[1:3])
    faults = []

    def check(what, a, b):
        if (a or None) != (b or None):
            faults.append(f"{what}: buildah {json.dumps(a)}, oblea {json.dumps(b)}")

    for key in KEYS:
        theirs, ours = buildah["config"].get(key), oblea["config"].get(key)
        if key == "Env":
            theirs, ours = sorted(theirs or []), sorted(ours or [])
            if not any(one.startswith("PATH=") for one in ours):
                theirs = [one for one in theirs if not one.startswith("PATH=")]
        shell = oblea["config"].get("Shell")
        if key in ("Cmd", "Entrypoint") and shell and (ours or [])[:len(shell)] == shell:
            ours = ["/bin/sh", "-c", *ours[len(shell):]]
        check(key, theirs, ours)
    for key in ("author", "architecture", "os"):
        check(key, buildah.get(key), oblea.get(key))
    if sys.argv[3] == "same":
        theirs, ours = history(buildah), history(oblea)
        for entries in (theirs, ours):
            while entries and entries[-1][0] == "LABEL":
                entries.pop()
        check("history, entries", [entry[0] for entry in theirs], [entry[0] for entry in ours])
        for a, b in zip(theirs, ours):
            check("history, keyword", a[0], b[0])
            if a[0] not in LAYER_MAY_DIFFER:
                check(f"history, empty layer of {a[0]}", a[2], b[2])
            if a[1] is not None and b[1] is not None:
                check(f"history, text of {a[0]}", a[1], b[1])
    print("\n".join(faults), end="\n" if faults else "")
    sys.exit(1 if faults else 0)


main()
