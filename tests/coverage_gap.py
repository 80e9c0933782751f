"""Lines of lren_tf that `make test` reaches and `make test-fast` misses.

``python -m tests.coverage_gap`` runs both sets with coverage, child processes included, prints
the lines that only the full set reaches, and exits with 1 where they are more than 1 % of what
the full set reaches. ``--keep-full`` measures the fast set alone and compares it with the last
full measurement. The data files lie in ``.coverage_gap``.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from coverage import Coverage

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".coverage_gap"
TOLERATED = 0.01
FULL = ["--numprocesses", "auto", "--maxprocesses", "4", "--dist", "worksteal"]
FAST = [
    "-m", "not (slow or processes or data or long)", "--numprocesses", "2", "--dist", "loadfile",
]  # fmt: skip

Lines = dict[str, set[int]]
"""Numbers of lines, by the path of their file below the root."""


def measure(name: str, arguments: list[str], **environment: str) -> None:
    """Run pytest with coverage; write ``.coverage_gap/NAME``."""
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob(f"{name}*"):
        old.unlink()
    environment = {**os.environ, "COVERAGE_FILE": str(FOLDER / name), **environment}
    command = [
        sys.executable, "-m", "pytest", *arguments, "--timeout", "1800", "--durations=15",
        "--cov", f"--cov-config={ROOT / 'setup.cfg'}", "--cov-report=", "--cov-context=test",
        f"--junitxml={FOLDER / name}.xml",
    ]  # fmt: skip
    code = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
    if code:
        print(f"The {name} set ended with code {code}: its failures may hide lines.")


def reached(name: str) -> Lines:
    """First lines of the statements that the set of that name reached, as measured last."""
    found = Coverage(data_file=str(FOLDER / name), config_file=str(ROOT / "setup.cfg"))
    found.load()
    lines = {}
    for file in found.get_data().measured_files():
        _, statements, _, missing, _ = found.analysis2(file)
        lines[str(Path(file).relative_to(ROOT))] = {*statements} - {*missing}
    return lines


def missed(full: Lines, fast: Lines) -> Lines:
    """Lines of `full` that are not in `fast`, without the files that lack none."""
    gaps = {file: lines - fast.get(file, set()) for file, lines in full.items()}
    return {file: lines for file, lines in sorted(gaps.items()) if lines}


def spans(lines: Iterable[int]) -> str:
    """Text such as ``3-5, 9`` of the lines 3, 4, 5 and 9."""
    runs = groupby(enumerate(sorted(lines)), key=lambda pair: pair[1] - pair[0])
    ends = [[line for _, line in run] for _, run in runs]
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in ends)


def main(arguments: list[str] | None = None) -> int:
    """Measure, print the gap, and return 1 where it is larger than tolerated."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--keep-full", action="store_true", help="measure the fast set only"
    )
    if not parser.parse_args(arguments).keep_full:
        measure("full", FULL)
    measure("fast", FAST, LREN_TF_FUZZ="0.1")
    full, fast = reached("full"), reached("fast")
    gaps = missed(full, fast)
    for file, lines in gaps.items():
        print(f"{file}: {spans(lines)}")
    total, lacking = (sum(map(len, of.values())) for of in (full, gaps))
    share = lacking / total
    print(
        f"The fast set misses {lacking} of the {total} lines that the full set reaches "
        f"({share:.2%}; at most {TOLERATED:.0%} tolerated)."
    )
    return int(share > TOLERATED)


if __name__ == "__main__":
    sys.exit(main())
