"""What the parts share: built binaries, resource use of a child, tables."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import monotonic


def binary(options, profile: str, name: str) -> Path:
    path = options.target / ("debug" if profile == "dev" else profile) / name
    if not path.is_file():
        sys.exit(f"bench: {path} is not built: run `make bench`")
    return path


@dataclass
class Used:
    """What a process used: seconds."""

    cpu: float
    wall: float


def measure(command: list, folder: Path) -> Used:
    """Runs a command to its end in a folder; it must succeed."""
    begun = monotonic()
    with subprocess.Popen(
        command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        said = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"bench: {command[0]} failed ({process.returncode}): {said.decode(errors='replace')[-2000:]}")
    return Used(usage.ru_utime + usage.ru_stime, monotonic() - begun)


def mid(values) -> float:
    return median(list(values))


def table(title: str, headings: list[str], rows: list[list[str]]) -> None:
    widths = [max(len(str(row[i])) for row in [headings, *rows]) for i in range(len(headings))]
    print(f"\n{title}\n")
    for row in [headings, ["-" * width for width in widths], *rows]:
        cells = [str(row[0]).ljust(widths[0]), *(str(cell).rjust(width) for cell, width in zip(row[1:], widths[1:]))]
        print("  " + "  ".join(cells).rstrip(), flush=True)
