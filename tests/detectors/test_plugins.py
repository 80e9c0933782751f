"""Detectors of other packages: one is a detector like any other, a broken one costs only itself."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from lren_tf import datasets, detectors
from lren_tf.cli import main
from lren_tf.errors import InputError

SCENE = datasets.simulate(14, 12, 6, seed=1)

DETECTOR = '''from dataclasses import dataclass

import numpy as np
from lren_tf.detectors import Detector


@dataclass(frozen=True)
class Brightness(Detector):
    """How bright a pixel is."""

    name = "brightness"
    title = "Brightness"
    spatial = False

    power: float = 1.0

    def _score(self, cube):
        return np.linalg.norm(cube, axis=2) ** self.power
'''
PROJECT = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "plug-brightness"
version = "1.0"

[project.entry-points."lren_tf.detectors"]
brightness = "plug_brightness:Brightness"

[tool.setuptools]
py-modules = ["plug_brightness"]
"""


def wheel(folder: Path) -> Path:
    folder.mkdir()
    (folder / "pyproject.toml").write_text(PROJECT)
    (folder / "plug_brightness.py").write_text(DETECTOR)
    program = "from setuptools import build_meta; print(build_meta.build_wheel('.'))"
    subprocess.run(
        [sys.executable, "-c", program], cwd=folder, check=True, capture_output=True, timeout=120
    )
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture
def offer(tmp_path, monkeypatch):
    """Install a package as an installation leaves it: a module, and its entry point beside it."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(tmp_path / "site")

    def add(source: str, name: str = "brightness", module: str = "plug_brightness") -> None:
        information = tmp_path / "site" / f"{module}-1.0.dist-info"
        information.mkdir(parents=True)
        (information.parent / f"{module}.py").write_text(source)
        meta = f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n"
        (information / "METADATA").write_text(meta)
        point = f"[lren_tf.detectors]\n{name} = {module}:Brightness\n"
        (information / "entry_points.txt").write_text(point)
        # What is on the path is looked up once for every path.
        monkeypatch.syspath_prepend(tmp_path / f"site-{module}-{name}")

    yield add
    for name in set(sys.modules) - before:
        if name.startswith("plug_"):
            del sys.modules[name]


def scene_file(folder: Path) -> str:
    path = folder / "field.mat"
    scipy.io.savemat(path, {"data": SCENE.cube, "map": SCENE.truth.astype(np.uint8)})
    return str(path)


@pytest.mark.slow
@pytest.mark.filterwarnings("error::UserWarning")
def test_a_wheel_adds_a_detector(tmp_path, monkeypatch, capsys):
    with zipfile.ZipFile(wheel(tmp_path / "project")) as archive:
        archive.extractall(tmp_path / "site")
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.chdir(tmp_path)
    assert detectors.names()[-1] == "brightness" and len(detectors.names()) > 11
    path = scene_file(tmp_path)
    run = ["detect", path, "--detector", "brightness", "--set", "power=2", "--out", "out"]
    assert main(run) == 0
    want = np.square(np.linalg.norm(SCENE.cube.astype(float), axis=2)).astype(np.float32)
    np.testing.assert_array_equal(np.load("out/field_score.npy"), want)
    assert json.loads(Path("out/field_report.json").read_text())["settings"] == {"power": 2.0}
    assert main(["compare", path, "--detectors", "rx,brightness", "--out", "out"]) == 0
    with np.load("out/field_comparison.npz") as maps:
        assert list(maps) == ["rx", "brightness"]
    assert main(["benchmark", path, "--detectors", "rx,brightness", "--out", "bench"]) == 0
    record = json.loads(Path("bench/runs/field/brightness.json").read_text())
    assert record["batch"]["settings"]["plugin"] == "'brightness' of plug-brightness"
    capsys.readouterr()
    assert main(["detect", path, "--detector", "brightnes"]) == 2
    assert "Did you mean 'brightness'?" in capsys.readouterr().err
    sys.modules.pop("plug_brightness")


class TestOne:
    def test_it_is_an_estimator(self, offer):
        offer(DETECTOR)
        made = detectors.create("brightness", power=2, false_alarm_rate=0.05)
        assert made.fit_predict(SCENE).shape == (14, 12)
        with pytest.raises(InputError, match="'pover' is unknown to Brightness"):
            detectors.create("brightness", pover=2)

    @pytest.mark.parametrize(
        ("scores", "said"),
        [
            ("{}['oh']", "the plug-in 'brightness' of plug_brightness failed (KeyError: 'oh')"),
            ("cube", "Brightness gave scores of shape (14, 12, 6) for 168 pixels"),
            ("cube[:, :, 0] * np.nan", "Brightness gave 168 scores that are NaN"),
        ],
    )
    def test_its_mistakes_are_told_as_its_own(self, offer, scores, said):
        offer(DETECTOR.replace("np.linalg.norm(cube, axis=2) ** self.power", scores))
        made = detectors.create("brightness")
        for method in (made.score, made.fit):
            with pytest.raises(InputError) as refusal:
                method(SCENE)
            assert said in str(refusal.value)

    def test_one_that_cannot_be_made(self, offer):
        failing = "    def __post_init__(self):\n        1 / 0\n\n    def _score"
        offer(DETECTOR.replace("    def _score", failing))
        with pytest.raises(InputError, match="of plug_brightness failed") as said:
            detectors.create("brightness")
        assert "ZeroDivisionError" in str(said.value)


BROKEN = {
    "raise RuntimeError('out of order')": "RuntimeError: out of order",
    "raise SystemExit(3)": "SystemExit: 3",
    "def Brightness(): pass": "is no subclass of Detector",
    "import a_package_that_is_not_there": "ModuleNotFoundError",
    DETECTOR.replace("@dataclass(frozen=True)\n", ""): "is no dataclass(frozen=True)",
    DETECTOR.replace("_score", "_scores"): "does not define _score",
    DETECTOR.replace('name = "brightness"', 'name = "other"'): "is not that of the entry point",
    DETECTOR.replace('"Brightness"\n', "''\n"): "has no title",
    DETECTOR.replace("power: float = 1.0", "seed: int = 0"): "has to have a seed",
    DETECTOR.replace("power: float = 1.0", "power: float").replace(
        "frozen=True", "frozen=True, kw_only=True"
    ): "has no default for power",
}


class TestBroken:
    @pytest.mark.parametrize("source", BROKEN)
    def test_costs_only_itself(self, offer, source):
        offer(source)
        with pytest.warns(UserWarning, match="'brightness' of plug_brightness") as said:
            assert "brightness" not in detectors.names()
        assert len(said) == 1 and BROKEN[source] in str(said[0].message)
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # it is told once
            assert "rx" in detectors.names()
        with pytest.raises(InputError, match="report it to the author") as said:
            detectors.create("brightness")
        assert "cannot be used" in str(said.value) and BROKEN[source] in str(said.value)

    def test_the_name_of_a_detector_of_lren_tf(self, offer):
        offer(DETECTOR.replace('"brightness"', '"rx"'), name="rx")
        with pytest.warns(UserWarning, match="lren_tf has a detector of this name"):
            assert detectors.names().count("rx") == 1
        assert detectors.create("rx").title == "RX"

    def test_a_comparison_goes_on_without_it(self, offer, tmp_path, monkeypatch, capsys):
        monkeypatch.chdir(tmp_path)
        rx = {"rx": detectors._HOMES["rx"]}
        monkeypatch.setattr(detectors, "_HOMES", rx)
        offer("raise RuntimeError('out of order')")
        assert main(["compare", scene_file(tmp_path)]) == 0
        assert "lren-tf: note: the plug-in 'brightness' of plug" in capsys.readouterr().err
        report = json.loads(Path("field_comparison.json").read_text())
        assert list(report["detectors"]) == ["rx"] and "out of order" in report["notices"][0]


def test_the_rate_is_no_setting_of_a_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    run = ["detect", scene_file(tmp_path), "--detector", "rx", "--set", "false_alarm_rate=0.1"]
    assert main(run) == 2
    err = capsys.readouterr().err
    assert "no setting of RX" in err and "--false-alarm-rate" in err
