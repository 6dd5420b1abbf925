#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares what render_templates makes of templates with what Go makes of them.

    compare.py golden RENDER                 the templates of templates.txt, with Go's results of golden.json
    compare.py write-golden GO               writes golden.json anew
    compare.py random RENDER GO COUNT SEED   random templates, rendered by both

RENDER and GO are programs that take a document, and templates that end with zero bytes on standard input.
"""
import json
import pathlib
import random
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
DATA = HERE / "data.json"
GOLDEN = HERE / "golden.json"


def render(program, templates):
    text = b"".join(template.encode() + b"\0" for template in templates)
    output = subprocess.run([program, DATA], input=text, stdout=subprocess.PIPE, check=True).stdout
    results = output.decode(errors="backslashreplace").split("\0")[:-1]
    assert len(results) == len(templates), (len(results), len(templates))
    return results


def known():
    return (HERE / "templates.txt").read_text().splitlines()


# What is said of errors where Go's words depend on its own inner types, or on its version.
DEVIATIONS = [
    (r"non-comparable type .*", "non-comparable"),
    (r"error calling eq: (incompatible types for comparison|non-comparable)", "error calling eq"),
    (r"(index out of range: -?\d+|(reflect: )?slice index out of range)", "index out of range"),
    (r"range can't iterate over .*", "range can't iterate"),
    (r"error calling call: .*", "error calling call"),
    (r"wrong type for value; expected (\w+); got interface \{\}", r"invalid value; expected \1"),  # null
    (r"error calling len: .*", "error calling len"),
    (r"interface \{\}|any", "any"),
    (r"%!(\w)\(.*", r"%!\1"),  # values of a wrong kind
]


# Errors that tell of what an untyped value holds, where Go tells of the declared type; ranges over numbers and {{else with}}, which newer Go knows.
ONLY_AN_ERROR = ["interface {}", "expected []string", "non-comparable", "in else"]


def plain(result):
    if not result.startswith("error ") and "%!" not in result:
        return result
    for pattern, replacement in DEVIATIONS:
        result = re.sub(pattern, replacement, result)
    return result


def compare(templates, ours, theirs):
    wrong = 0
    for template, our, their in zip(templates, ours, theirs):
        if our.startswith("error ") and any(part in their for part in ONLY_AN_ERROR):
            continue
        if "range can't iterate over" in their:
            continue
        if plain(our) != plain(their):
            wrong += 1
            print(f"template {template!r}\n   here: {our!r}\n     Go: {their!r}")
    if wrong:
        sys.exit(f"{wrong} of {len(templates)} templates differ")
    print(f"{len(templates)} templates agree")


PIECES = """
{{ }} {{- {{  -}} | ( ) . $ $x $y := = , "a" "web" `r` 'c' 0 1 2 -1 1.5 true false nil .Name .Size .Zero .Ratio .Yes .No .Null .Missing .Labels
.Labels.version .Env .None .Numbers .Mixed .Config .Config.Cmd .Config.Deep.Deeper .Layers .Empty and or not len index slice print printf println
eq ne lt le gt ge html js urlquery json split join title lower upper pad truncate if else end range with define template block break continue
"%s" "%d" "%v" "%q" "%5d|" text
""".split()

OPERANDS = [piece for piece in PIECES if piece[0] in '."`\'0123456789-$' or piece in ("true", "false", "nil")]
ARITY = {"and": 2, "or": 2, "not": 1, "len": 1, "index": 2, "slice": 2, "print": 2, "printf": 2, "println": 2, "eq": 2, "ne": 2, "lt": 2, "le": 2,
         "gt": 2, "ge": 2, "html": 1, "js": 1, "urlquery": 1, "json": 1, "split": 2, "join": 2, "title": 1, "lower": 1, "upper": 1, "pad": 3,
         "truncate": 2}


def random_operand(rng, depth):
    if depth > 0 and rng.random() < 0.35:
        return "(" + random_pipeline(rng, depth - 1) + ")"
    return rng.choice(OPERANDS + ["$", "."])


def random_command(rng, depth):
    if rng.random() < 0.4:
        return random_operand(rng, depth)
    name = rng.choice(list(ARITY))
    arity = max(0, ARITY[name] + rng.choice([0, 0, 0, 0, 0, 0, -1, 1]))
    return " ".join([name] + [random_operand(rng, depth) for _ in range(arity)])


def random_pipeline(rng, depth):
    return " | ".join(random_command(rng, depth) for _ in range(rng.choice([1, 1, 1, 2, 3])))


def random_tree(rng, depth):
    kind = rng.random()
    if depth == 0 or kind < 0.3:
        return rng.choice(["text ", " ", "\n", "a{b}c"])
    if kind < 0.6:
        left, right = rng.choice(["{{", "{{- "]), rng.choice(["}}", " -}}"])
        return left + random_pipeline(rng, 2) + right
    if kind < 0.7:
        return "{{$x := " + random_pipeline(rng, 1) + "}}{{$x}}"
    word = rng.choice(["if", "with", "range"])
    head = rng.choice(["", "", "$x := ", "$y, $x := "]) if word == "range" else rng.choice(["", "", "$x := "])
    body = "".join(random_tree(rng, depth - 1) for _ in range(rng.randint(1, 3)))
    other = "{{else}}" + random_tree(rng, depth - 1) if rng.random() < 0.4 else ""
    return "{{" + word + " " + head + random_pipeline(rng, 1) + "}}" + body + other + "{{end}}"


def random_template(rng):
    if rng.random() < 0.25:  # any pieces in any order: parse errors
        return "{{" + " ".join(rng.choice(PIECES) for _ in range(rng.randint(1, 8))) + rng.choice(["}}", "", "}}{{end}}"])
    return "".join(random_tree(rng, 3) for _ in range(rng.randint(1, 4)))


def main():
    match sys.argv[1:]:
        case ["golden", ours]:
            golden = json.loads(GOLDEN.read_text())
            templates = known()
            assert templates == list(golden), "golden.json is not of this templates.txt: write-golden makes it anew"
            compare(templates, render(ours, templates), list(golden.values()))
        case ["write-golden", theirs]:
            templates = known()
            GOLDEN.write_text(json.dumps(dict(zip(templates, render(theirs, templates))), indent=0, ensure_ascii=True) + "\n")
        case ["random", ours, theirs, count, seed]:
            print(f"seed {seed}")
            rng = random.Random(int(seed))
            templates = [random_template(rng) for _ in range(int(count))]
            compare(templates, render(ours, templates), render(theirs, templates))
        case _:
            sys.exit(__doc__)


main()
