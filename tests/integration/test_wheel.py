"""The distribution: what wheel and sdist hold, and that the wheel works without the checkout."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import time
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("build")

ROOT = Path(__file__).parents[2]
SOURCES = ("setup.cfg", "setup.py", "README.md", "LICENSE")

pytestmark = [pytest.mark.slow, pytest.mark.processes, pytest.mark.timeout(1500)]


def run(*command: str | Path, cwd: Path) -> str:
    """Output of a command that knows nothing of the checkout."""
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """A folder with the wheel and the sdist of a copy, since a build writes into its source."""
    source = tmp_path_factory.mktemp("source")
    for name in SOURCES:
        shutil.copy(ROOT / name, source)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "lren_tf", source / "lren_tf", ignore=ignored)
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, ".", cwd=source)
    return out


def modules() -> set[str]:
    """Every file of the package, relative to the checkout."""
    kinds = (".py", ".pyi", ".html", ".css", ".js")
    paths = (path for path in (ROOT / "lren_tf").rglob("*.*") if path.suffix in kinds)
    return {path.relative_to(ROOT).as_posix() for path in paths} | {"lren_tf/py.typed"}


def test_the_wheel_holds_the_package_and_nothing_else(built):
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        (points,) = (n for n in archive.namelist() if n.endswith("entry_points.txt"))
        assert "lren-tf = lren_tf.cli:main" in archive.read(points).decode()
    assert names == modules()
    assert {"lren_tf/py.typed", "lren_tf/__init__.pyi"} <= names


def test_the_sdist_holds_what_a_build_needs(built):
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames() if "." in name}
    assert modules() | set(SOURCES) <= names
    assert not [name for name in names if name.startswith(("experiments", "tests", "benchmarks"))]


def test_the_package_index_shows_the_readme(built):
    """Its links are addresses: what is built says what tests/release reads in setup.py."""
    run(sys.executable, "-m", "twine", "check", "--strict", *built.iterdir(), cwd=built)
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = (n for n in archive.namelist() if n.endswith("/METADATA"))
        shown = archive.read(metadata).decode()
    assert "Description-Content-Type: text/markdown" in shown
    assert "Project-URL: Source, https://" in shown
    assert "](https://" in shown and "](docs/" not in shown


def test_the_installed_wheel_detects(built, tmp_path):
    """In a new environment that sees the dependencies of this one, but not its lren_tf."""
    (wheel,) = built.glob("*.whl")
    run(sys.executable, "-m", "venv", "env", cwd=tmp_path)
    python = tmp_path / "env" / "bin" / "python"
    find = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = Path(run(python, "-c", find, cwd=tmp_path).strip())
    # A folder named in a .pth file is searched, but its own .pth files, among them that of an
    # editable lren_tf, are not read.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    run(python, "-m", "pip", "install", "--no-deps", "--no-index", wheel, cwd=tmp_path)

    away = tmp_path / "away"
    away.mkdir()
    where = run(python, "-c", "import lren_tf; print(lren_tf.__file__)", cwd=away).strip()
    assert Path(where).is_relative_to(packages)
    said = run(
        packages.parents[2] / "bin" / "lren-tf", "detect", "simulated",
        "--false-alarm-rate", "1e-3", "--view", cwd=away,
    )  # fmt: skip
    assert "threshold: " in said
    report = json.loads((away / "simulated_report.json").read_text())
    assert report["threshold"]["false_alarm_rate"] == 1e-3
    assert report["metrics"]["auc_pd_pf"] > 0.9
    for path in report["files"].values():
        assert (away / path).is_file()
    assert (away / "simulated_view.html").stat().st_size > 1e5


@pytest.mark.long
def test_two_commands_in_an_empty_environment(built, tmp_path):
    """From the wheel to the first page of detections, with nothing installed before."""
    run(sys.executable, "-m", "venv", "env", cwd=tmp_path)
    programs = tmp_path / "env" / ("Scripts" if os.name == "nt" else "bin")
    (wheel,) = built.glob("*.whl")
    index = [programs / "python", "-m", "pip", "download", "--no-deps", "--dest", "tried", "tqdm"]
    if subprocess.run(index, cwd=tmp_path, capture_output=True, check=False).returncode:
        pytest.skip("no package index can be reached")
    begun = time.monotonic()
    run(programs / "python", "-m", "pip", "install", f"{wheel}[view]", cwd=tmp_path)
    run(
        programs / "lren-tf", "detect", "simulated", "--false-alarm-rate", "1e-3", "--view",
        cwd=tmp_path,
    )  # fmt: skip
    assert time.monotonic() - begun < 300
    report = json.loads((tmp_path / "simulated_report.json").read_text())
    assert report["metrics"]["auc_pd_pf"] > 0.9
    assert (tmp_path / "simulated_view.html").is_file()
