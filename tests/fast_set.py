"""The choice of tests/slow.txt: tests that `make test-fast` leaves out because others suffice.

``python -m tests.fast_set`` takes the last full measurement of :mod:`tests.coverage_gap`, in which
every line knows the tests that reach it, and leaves out the tests that take longest for the lines
that nothing else reaches, until the rest takes :data:`SECONDS` or the lines left out are
:data:`GIVEN_UP` of all. Tests with a mark of their own are out already. A test that is not on the
list is in the fast set: a new one needs no entry, and one that was renamed needs a new choice.

``--more`` adds to the list by the last measurement of the fast set alone, which takes minutes
instead of half an hour: the lines that count then are those that the fast set reaches.
"""

from __future__ import annotations

import argparse
import ast
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path
from xml.etree import ElementTree

from coverage import Coverage

from tests.coverage_gap import FAST, FOLDER, ROOT

LIST = ROOT / "tests" / "slow.txt"
SECONDS = 130.0
"""Of all tests that stay, as the full measurement timed them, on one core without imports."""
GIVEN_UP = 0.004
"""Share of the lines that the chosen tests alone reach, at most."""
SHORT = 0.1
"""Seconds below which leaving a test out gains nothing."""

Line = tuple[str, int]


def seconds_of(report: Path) -> dict[str, float]:
    """Seconds of every test in a JUnit report, by its id."""
    found = {}
    for case in ElementTree.parse(report).iter("testcase"):
        module = case.get("classname", "")
        parts = module.split(".")
        # tests.io.test_a.TestB: the file ends where the path does.
        for count in range(len(parts), 0, -1):
            file = Path(*parts[:count]).with_suffix(".py")
            if (ROOT / file).is_file():
                name = "::".join([file.as_posix(), *parts[count:], case.get("name", "")])
                found[name] = float(case.get("time", 0))
                break
    return found


def tests_by_line(data_file: Path) -> dict[Line, set[str]]:
    """Ids of the tests that reach each line of a function.

    Lines of modules and classes run when they are imported, by whichever test comes first. A line
    that only child processes reach has no test, as coverage knows none there.
    """
    measured = Coverage(data_file=str(data_file), config_file=str(ROOT / "setup.cfg"))
    measured.load()
    data = measured.get_data()
    lines: dict[Line, set[str]] = {}
    for file in data.measured_files():
        inside = lines_of_functions(Path(file).read_text(encoding="utf-8"))
        for line, contexts in data.contexts_by_lineno(file).items():
            if line in inside:
                lines[file, line] = {one.partition("|")[0] for one in contexts} - {""}
    return lines


def lines_of_functions(source: str) -> set[int]:
    """Numbers of the lines in the bodies of functions."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    found: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, functions):
            found |= set(range(node.body[0].lineno, (node.end_lineno or 0) + 1))
    return found


def chosen(
    lines: dict[Line, set[str]], seconds: dict[str, float], fast: set[str],
    *, target: float, budget: int,
) -> list[str]:  # fmt: skip
    """Ids of the tests to leave out, the most seconds for a lost line first.

    Args:
        lines: ids of all tests by line.
        seconds: of every test by its id.
        fast: ids of the tests in the fast set before the choice.
        target: seconds that the rest may take.
        budget: lines that may be lost.
    """
    reaching = {line: ids & fast for line, ids in lines.items()}
    of_test: dict[str, list[Line]] = defaultdict(list)
    for line, ids in reaching.items():
        for one in ids:
            of_test[one].append(line)
    left = Counter({line: len(ids) for line, ids in reaching.items()})
    candidates = {one for one in fast if seconds.get(one, 0) > SHORT}
    total, out = sum(seconds.get(one, 0) for one in fast), []

    def lost(one: str) -> int:
        return sum(left[line] == 1 for line in of_test[one])

    while total > target and candidates:
        worth = {one: (seconds[one] / (lost(one) + 0.5), one) for one in candidates}
        one = max(worth, key=lambda name: worth[name])
        candidates.remove(one)
        if lost(one) > budget:
            continue
        budget -= lost(one)
        left.subtract(of_test[one])
        total -= seconds[one]
        out.append(one)
    return sorted(out)


def main(arguments: list[str] | None = None) -> int:
    """Choose, write the list, and print what it saves."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--more", action="store_true", help="leave out further tests")
    parser.add_argument(
        "--seconds", type=float, default=SECONDS, help="that the rest may take, as measured"
    )
    options = parser.parse_args(arguments)
    more = options.more
    measured = FOLDER / ("fast" if more else "full")
    collected = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider",
         *FAST[:2], *([] if more else ["--all-fast"])],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    fast = {line for line in collected if "::" in line}
    seconds = seconds_of(measured.with_suffix(".xml"))
    lines = tests_by_line(measured)
    budget = int(GIVEN_UP * len(lines))
    out = chosen(lines, seconds, fast, target=options.seconds, budget=budget)
    before = sum(seconds.get(one, 0) for one in fast)
    after = before - sum(seconds[one] for one in out)
    print(f"{len(out)} of {len(fast)} tests left out: {before:.0f} s before, {after:.0f} s after")
    if more:
        out = sorted({*out, *LIST.read_text(encoding="utf-8").splitlines()})
    LIST.write_text("".join(f"{one}\n" for one in out), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
