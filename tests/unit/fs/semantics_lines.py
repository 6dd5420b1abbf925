#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks that every numbered line of fs/SEMANTICS.md names tests, and that these exist.

What is in brackets at the end of a line are names of Catch2 test cases in tests/, or of test files below tests/, with
semicolons between. "Model" stands for the comparison with a plain folder.
"""
import pathlib
import re
import sys

MODEL = "the union answers as a plain folder does"


def main() -> int:
    repository = pathlib.Path(__file__).resolve().parents[3]
    cases = set()
    for source in (repository / "tests").rglob("*_test.cc"):
        text = re.sub(r'"\s*\n\s*"', "", source.read_text())
        cases.update(re.findall(r'TEST_CASE(?:_METHOD)?\(\s*(?:\w+,\s*)?"([^"]+)"', text))
    text, deviations = (repository / "fs/SEMANTICS.md").read_text().split("## Deviations")
    wrong = []
    numbers = []
    for number, line in re.findall(r"^(\d+)\. (.*(?:\n +.*)*)", text, re.M):
        numbers.append(int(number))
        named = re.search(r"\[([^\]]+)\]\s*$", line)
        if not named:
            wrong.append(f"line {number} names no test")
            continue
        for name in (part.strip() for part in re.sub(r"\s+", " ", named[1]).split(";")):
            if (MODEL if name == "Model" else name) not in cases and not (repository / "tests" / name).is_file():
                wrong.append(f"line {number} names a test that does not exist: {name}")
    for used in (numbers, re.findall(r"^- (D\d+)\.", deviations, re.M)):
        wrong += [f"{number} is used twice" for number in set(used) if used.count(number) > 1]
    print("\n".join(wrong) or f"{len(numbers)} lines, each with its tests")
    return 1 if wrong or not numbers else 0


sys.exit(main())
