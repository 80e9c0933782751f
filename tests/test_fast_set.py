"""The choice of the tests that `make test-fast` leaves out."""

from __future__ import annotations

import re

import pytest

from tests import fast_set
from tests.coverage_gap import ROOT

LINES = {
    ("a.py", 1): {"t::long", "t::short"},
    ("a.py", 2): {"t::long"},
    ("a.py", 3): {"t::only", "u::marked"},
    ("a.py", 4): set(),
}
TIMES = {"t::long": 9.0, "t::short": 1.0, "t::only": 5.0}


@pytest.mark.parametrize(
    ("target", "budget", "out"),
    [
        (99.0, 9, []),
        (10.0, 1, ["t::long"]),
        (0.0, 1, ["t::long"]),
        (0.0, 0, ["t::short"]),
        (0.0, 9, ["t::long", "t::only", "t::short"]),
    ],
)
def test_what_takes_long_goes_unless_lines_are_lost(target, budget, out):
    assert fast_set.chosen(LINES, TIMES, set(TIMES), target=target, budget=budget) == out


def test_only_lines_of_functions_count():
    source = "import a\n\n\ndef f(\n    x,\n):\n    y = 1\n    return y\n\n\nclass C:\n    z = 3\n"
    assert fast_set.lines_of_functions(source) == {7, 8}


def test_a_report_gives_seconds_by_id(tmp_path):
    report = tmp_path / "r.xml"
    report.write_text(
        '<testsuites><testsuite><testcase classname="tests.test_fast_set" name="test_a[1.5]"'
        ' time="2.5"/><testcase classname="tests.test_fast_set.TestB" name="test_c" time="1"/>'
        "</testsuite></testsuites>"
    )
    assert fast_set.seconds_of(report) == {
        "tests/test_fast_set.py::test_a[1.5]": 2.5, "tests/test_fast_set.py::TestB::test_c": 1.0,
    }  # fmt: skip


def test_every_test_of_the_list_exists():
    for one in fast_set.LIST.read_text(encoding="utf-8").splitlines():
        file, *classes, name = one.partition("[")[0].split("::")
        text = (ROOT / file).read_text(encoding="utf-8")
        assert re.search(rf"def {name}\b", text), f"{one}: run python -m tests.fast_set again"
        assert all(f"class {each}" in text for each in classes), one
