"""The gap between two measurements, without measuring."""

import pytest

pytest.importorskip("coverage", reason="coverage is not installed")

from tests import coverage_gap


def test_lines_are_written_as_spans():
    assert coverage_gap.spans({9, 3, 5, 4}) == "3-5, 9"


def test_only_files_with_a_gap_are_listed():
    full, fast = {"a.py": {1, 2, 3}, "b.py": {1}, "c.py": {7}}, {"a.py": {2}, "b.py": {1, 5}}
    assert coverage_gap.missed(full, fast) == {"a.py": {1, 3}, "c.py": {7}}


@pytest.mark.parametrize(("fast", "code"), [(range(100), 0), (range(99), 0), (range(98), 1)])
def test_more_than_one_line_in_a_hundred_is_too_many(fast, code, monkeypatch, capsys):
    lines = {"full": {"lren_tf/a.py": set(range(100))}, "fast": {"lren_tf/a.py": set(fast)}}
    monkeypatch.setattr(coverage_gap, "measure", lambda *given, **environment: None)
    monkeypatch.setattr(coverage_gap, "reached", lines.get)
    assert coverage_gap.main([]) == code
    missed = 100 - len(fast)
    assert f"misses {missed} of the 100 lines" in capsys.readouterr().out
