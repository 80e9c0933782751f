"""mypy in its strict form checks every module and finds nothing."""

import configparser
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CONFIG = configparser.ConfigParser()
CONFIG.read(ROOT / "setup.cfg", encoding="utf-8")


@pytest.mark.slow
@pytest.mark.processes
def test_mypy_finds_nothing(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--cache-dir", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_module_is_checked():
    assert CONFIG["mypy"]["strict"] == "True"
    assert CONFIG["mypy"]["files"] == "lren_tf"
    assert "exclude" not in CONFIG["mypy"]
    ignoring = [name for name in CONFIG.sections() if CONFIG.has_option(name, "ignore_errors")]
    assert not ignoring
