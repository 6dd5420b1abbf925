#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the commands of a document's marked console blocks in one shell and compares what they print with what it says.

A block counts when the line before it is `<!-- tour -->`. Lines that begin with "$ " are commands, the others what they print,
both streams together. In these `...` stands for any text of a line, and as a line of its own for any number of lines.
"""
import re
import subprocess
import sys


def steps_of(document):
    """(line number, command, expected lines) of each command."""
    steps = []
    lines = document.splitlines()
    inside = False
    for number, line in enumerate(lines, 1):
        if inside and line == "```":
            inside = False
        elif inside and line.startswith("$ "):
            steps.append((number, line[2:], []))
        elif inside:
            steps[-1][2].append(line)
        elif line == "```console" and number > 1 and lines[number - 2] == "<!-- tour -->":
            inside = True
    return steps


def pattern_of(expected):
    """A regular expression for the whole output."""
    parts = []
    for line in expected:
        if line == "...":
            parts.append(r"(?:[^\n]*\n)*")
        else:
            parts.append("[^\n]*".join(re.escape(piece) for piece in line.split("...")) + r"\n")
    return re.compile("".join(parts) + r"\Z")


def run(steps, folder):
    shell = subprocess.Popen(["bash"], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    mark = "--end-of-step--"
    faults = 0
    for number, command, expected in steps:
        # Like at a terminal, where every command sits on a line of its own and reads nothing of the next.
        shell.stdin.write(f"{{ {command}\n}} </dev/null\nprintf '%s\\n' {mark}\n")
        shell.stdin.flush()
        output = ""
        for line in shell.stdout:
            if line == mark + "\n":
                break
            output += line
        if not pattern_of(expected).match(output):
            faults += 1
            print(f"line {number}: $ {command}\n  expected:\n    " + "\n    ".join(expected) +
                  "\n  printed:\n    " + "\n    ".join(output.splitlines()))
    shell.stdin.close()
    shell.wait()
    return faults


def main():
    document, folder = sys.argv[1:]
    with open(document, encoding="utf-8") as file:
        steps = steps_of(file.read())
    if not steps:
        sys.exit(f"{document} has no marked console block")
    faults = run(steps, folder)
    print(f"{len(steps)} commands, {faults} faults")
    sys.exit(1 if faults else 0)


main()
