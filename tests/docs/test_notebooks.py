"""The notebooks are stored without output, and run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SECONDS = 120
"""Seconds of one core that a notebook may take; on the clock it may take longer beside others."""
THREADS = ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def test_there_are_six():
    assert [path.stem[:2] for path in NOTEBOOKS] == [f"{number}_" for number in range(1, 7)]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_stored_without_output(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    assert cells[0]["source"][0].startswith("# ")
    for cell in cells:
        if cell["cell_type"] == "code":
            assert not cell["outputs"] and cell["execution_count"] is None
            assert "".join(cell["source"]).strip()


@pytest.mark.long
@pytest.mark.processes
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs(path, tmp_path):
    """In a folder of its own, with nothing but the package, and within two minutes."""
    copy = tmp_path / path.name
    copy.write_bytes(path.read_bytes())
    python = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    without = {name: value for name, value in os.environ.items() if "PYTEST" not in name}
    without |= dict.fromkeys(THREADS, "1")
    before = os.times()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist",
         "--nbmake", f"--nbmake-timeout={5 * SECONDS}", path.name],
        cwd=tmp_path, env={**without, "PYTHONPATH": python, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True, text=True, timeout=6 * SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
    after = os.times()
    used = after.children_user + after.children_system
    assert used - before.children_user - before.children_system < SECONDS
    assert [left.name for left in tmp_path.iterdir()] == [path.name]
