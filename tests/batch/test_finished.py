"""A result is found again by what it is: content, settings, version, and its files."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import numpy as np
import pytest

from lren_tf.batch import finished
from lren_tf.batch.finished import ENTRY, Result
from lren_tf.errors import InputError
from lren_tf.records import json_text

OLD = 1_700_000_000.0
"""A time long past, the same in every process of a test run."""


def write(path: Path, text: str, at: float = OLD) -> Path:
    path.write_text(text)
    os.utime(path, (at, at))
    return path


@pytest.fixture
def made(tmp_path):
    """A finished result of one file."""
    scene = write(tmp_path / "scene.npy", "values")
    output = tmp_path / "score.npy"
    output.touch()
    result = Result(tmp_path / "report.json", {"lam": 0.1, "of": (1, 2)}, {"scene": [scene]})
    report = {"files": {"score": str(output)}, ENTRY: result.entry()}
    result.report.write_text(json_text(report))
    return result


def looked_at(result: Result) -> tuple[bool, bool]:
    """Whether it is found without reading, and by reading its files."""
    return result.found() is not None, result.found_by(result.entry()) is not None


def test_nothing_has_changed(made):
    assert looked_at(made) == (True, True)


def test_none_is_there(made):
    made.report.unlink()
    assert looked_at(made) == (False, False)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"batch": 3}', '{"batch": {}, "files": 1}'])
def test_a_report_of_something_else(made, text):
    made.report.write_text(text)
    assert looked_at(made) == (False, False)


def test_other_values(made):
    write(made.files["scene"][0], "others")  # as many bytes and the same time
    assert made.found() is not None  # what no one can know without reading
    assert made.found_by(made.entry()) is None


@pytest.mark.parametrize(("text", "at"), [("others", OLD + 1), ("more values", OLD)])
def test_other_values_of_another_time_or_size(made, text, at):
    write(made.files["scene"][0], text, at)
    assert looked_at(made) == (False, False)


def test_the_same_values_written_again(made):
    write(made.files["scene"][0], "values", OLD + 5)
    assert looked_at(made) == (False, True)
    # Next time nothing has to be read.
    assert looked_at(made) == (True, True)


def test_a_file_that_may_still_change_is_read(made):
    write(made.files["scene"][0], "values", time.time())
    assert looked_at(made) == (False, True)
    assert looked_at(made) == (False, True)


def test_a_file_that_is_gone(made):
    made.files["scene"][0].unlink()
    assert made.found() is None
    with pytest.raises(InputError, match="cannot be read"):
        made.entry()


@pytest.mark.parametrize("settings", [{}, {"lam": 0.2, "of": [1, 2]}, {"lam": 0.1, "of": [1]}])
def test_other_settings(made, settings):
    other = Result(made.report, settings, made.files)
    assert looked_at(other) == (False, False)


def test_the_same_settings_of_other_types(made):
    same = {"of": [1, 2], "lam": np.float64(0.1)}
    assert looked_at(Result(made.report, same, made.files)) == (True, True)


def test_another_file_more(made, tmp_path):
    mask = write(tmp_path / "mask.npy", "mask")
    other = Result(made.report, made.settings, {**made.files, "mask": [mask]})
    assert looked_at(other) == (False, False)


def test_another_version(made, monkeypatch):
    monkeypatch.setattr(finished, "__version__", "99")
    assert looked_at(made) == (False, False)


def test_an_output_that_is_gone(made, tmp_path):
    (tmp_path / "score.npy").unlink()
    assert looked_at(made) == (False, False)


def test_results_that_were_moved_together(made, tmp_path):
    report = json.loads(made.report.read_text())
    report["files"]["score"] = "/elsewhere/score.npy"
    made.report.write_text(json.dumps(report))
    assert looked_at(made) == (True, True)


def test_a_file_that_changes_meanwhile(made):
    entry = made.entry()
    made.check_unchanged(entry)
    write(made.files["scene"][0], "others", OLD + 1)
    with pytest.raises(InputError, match=r"was changed while it was worked on"):
        made.check_unchanged(entry)
