#!/usr/bin/env python3
"""Counts lines of code by room at two commits: `scripts/lines.py d960c3b HEAD`. Reads git objects only, without a checkout.

A line of code is neither blank nor only a comment. Rust under `tests/`, in test modules (`#[cfg(test)]`), in files
that only tests include (`tests.rs`, `*_tests.rs`, `testing.rs`), and in `vod-testkit` counts as test. Shell is every `*.sh` file. The stubs and
tests of the shell scripts are Python: stubs are the modules of `tests/infra` that its tests import.
"""

import re
import subprocess
import sys
from collections import Counter

STUB = re.compile(r"tests/infra/(?!test_|costs)\w+\.py")
TEST_FILE = re.compile(r"(^|/)(tests?|benches|examples|fuzz|vod-testkit)/|(^|/)(tests|testing|\w+_tests?)\.rs$|(^|/)testing/|red_team")


def git(*arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], check=True, stdout=subprocess.PIPE).stdout


def files(commit: str) -> dict[str, str]:
    """The text of each Rust, shell and Python file of a commit."""
    listed = [line.split("\t") for line in git("ls-tree", "-r", commit).decode().splitlines()]
    blobs = [(path, about.split()[2]) for about, path in listed if path.endswith((".rs", ".sh", ".py"))]
    batch = subprocess.run(["git", "cat-file", "--batch"], input="\n".join(blob for _, blob in blobs).encode(),
                           check=True, stdout=subprocess.PIPE).stdout
    texts, at = {}, 0
    for path, _ in blobs:
        end = batch.index(b"\n", at)
        size = int(batch[at:end].split()[2])
        texts[path] = batch[end + 1:end + 1 + size].decode()
        at = end + 1 + size + 1
    return texts


def room(path: str) -> str:
    """The crate or folder that a file belongs to."""
    parts = path.split("/")
    return "/".join(parts[:2]) if parts[0] in ("crates", "functions", "tests") else parts[0]


def rust(text: str) -> tuple[int, int]:
    """Lines of code outside and inside test modules."""
    code = tests = depth = 0
    in_test = in_comment = False
    pending = False
    for line in text.splitlines():
        line = line.strip()
        if in_comment:
            in_comment = "*/" not in line
            continue
        if line.startswith("/*") and "*/" not in line:
            in_comment = True
            continue
        if not line or line.startswith("//"):
            continue
        if not in_test and re.fullmatch(r"#\[cfg\(.*\btest\b.*\)\]", line):
            pending = True
        if pending or in_test:
            tests += 1
            # Braces in strings are balanced in nearly all tests; the closing brace of a module is at the margin.
            depth += line.count("{") - line.count("}")
            if pending and not line.startswith("#"):
                in_test, pending = "{" in line, False
                if not in_test:
                    depth = 0
            elif in_test and depth <= 0:
                in_test, depth = False, 0
        else:
            code += 1
    return code, tests


def script(text: str) -> int:
    lines = (line.strip() for line in text.splitlines())
    return sum(1 for line in lines if line and not line.startswith("#"))


def count(commit: str) -> dict[str, Counter]:
    found = {"Rust": Counter(), "Rust tests": Counter(), "shell and its stubs": Counter(), "other Python": Counter()}
    for path, text in files(commit).items():
        if path.endswith((".sh", ".py")):
            stub = STUB.fullmatch(path)
            kind = "shell and its stubs" if stub or path.endswith(".sh") else "other Python"
            found[kind]["stubs in tests/infra" if stub else room(path)] += script(text)
            continue
        code, tests = rust(text)
        if TEST_FILE.search(path) or path.startswith(("tests/", "fuzz/")):
            code, tests = 0, code + tests
        found["Rust"][room(path)] += code
        found["Rust tests"][room(path)] += tests
    return found


def table(title: str, before: Counter, after: Counter, names: list[str]) -> None:
    print(f"{title:<28}{names[0]:>12}{names[1]:>12}{'change':>9}")
    for key in sorted(key for key in {*before, *after} if before[key] or after[key]):
        print(f"  {key:<26}{before[key]:>12,}{after[key]:>12,}{after[key] - before[key]:>+9,}")
    first, second = sum(before.values()), sum(after.values())
    print(f"  {'sum':<26}{first:>12,}{second:>12,}{second - first:>+9,}\n")


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit("usage: scripts/lines.py COMMIT COMMIT")
    names = sys.argv[1:]
    before, after = (count(name) for name in names)
    for title in before:
        table(title, before[title], after[title], [name[:10] for name in names])


if __name__ == "__main__":
    main()
