"""mypy in its strict form finds nothing, and checks every module that defines a public name."""

import configparser
import re
import subprocess
import sys
from pathlib import Path

import pytest

import lren_tf

ROOT = Path(__file__).parents[1]
CONFIG = configparser.ConfigParser()
CONFIG.read(ROOT / "setup.cfg", encoding="utf-8")
EXCLUDED = re.compile(CONFIG["mypy"]["exclude"])


def path_of(module: str) -> str:
    file = Path(sys.modules[module].__file__) if module in sys.modules else None
    assert file is not None
    return file.relative_to(ROOT).as_posix()


@pytest.mark.slow
@pytest.mark.processes
def test_mypy_finds_nothing(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--cache-dir", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_modules_of_public_names_are_checked():
    for name in lren_tf.__all__:
        module = getattr(getattr(lren_tf, name), "__module__", None) or lren_tf._HOMES.get(
            name, lren_tf._MODULES.get(name, "lren_tf")
        )
        assert not EXCLUDED.search(path_of(module)), name


def test_excluded_modules_exist():
    assert CONFIG["mypy"]["strict"] == "True"
    assert not CONFIG.getboolean("mypy", "ignore_errors", fallback=False)
    files = {path.relative_to(ROOT).as_posix() for path in (ROOT / "lren_tf").rglob("*.py")}
    listed = re.findall(r"^[ |(]*([a-z_/0-9]+)$", CONFIG["mypy"]["exclude"], re.MULTILINE)
    assert len(listed) >= 1
    missing = [name for name in listed if f"lren_tf/{name}.py" not in files]
    assert not missing
    assert sum(bool(EXCLUDED.search(file)) for file in files) == len(listed)
