"""Readers of other packages: one adds a format, and one that fails costs only itself."""

import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest

from lren_tf.cli import main
from lren_tf.errors import InputError
from lren_tf.io import load_map, load_scene
from lren_tf.io.load import scene_stem
from tests.io.products import cube

CUBE = cube(8, 7, 5).astype(np.float64)

READER = '''"""Cubes as lines of text: their shape first, then one number a line."""

import numpy as np

from lren_tf.io import Details, Reader, Reading, Variable


class Lines(Reader):
    title = "lines of text"
    suffixes = (".lines",)

    def __init__(self, source):
        super().__init__(source)
        self._shape = tuple(map(int, source.start_over().readline().split()))
        self.variables = [Variable("", self._shape, "float64", readable=True)]

    def read(self, name="", how=Reading()):
        return np.loadtxt(self.source.stream).reshape(self._shape)

    def details(self, name="", how=Reading()):
        return Details(wavelengths=np.linspace(400, 900, self._shape[-1]))
'''
PROJECT = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "lines-of-text"
version = "1.0"

[project.entry-points."lren_tf.readers"]
lines = "lines_of_text:Lines"

[tool.setuptools]
py-modules = ["lines_of_text"]
"""


def wheel(folder: Path) -> Path:
    """The wheel of a project whose only module is the reader above."""
    folder.mkdir()
    (folder / "pyproject.toml").write_text(PROJECT)
    (folder / "lines_of_text.py").write_text(READER)
    program = "from setuptools import build_meta; print(build_meta.build_wheel('.'))"
    subprocess.run(
        [sys.executable, "-c", program], cwd=folder, check=True, capture_output=True, timeout=120
    )
    (found,) = folder.glob("*.whl")
    return found


def offer(folder: Path, module: str, source: str, points: str) -> Path:
    """A package as an installation leaves it: a module, and its entry points beside it."""
    information = folder / f"{module}-1.0.dist-info"
    information.mkdir(parents=True)
    (folder / f"{module}.py").write_text(source)
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(f"[lren_tf.readers]\n{points}\n")
    return folder


@pytest.fixture
def lines(tmp_path):
    path = tmp_path / "field.lines"
    numbers = "\n".join(map(str, CUBE.ravel().tolist()))
    path.write_text(f"{' '.join(map(str, CUBE.shape))}\n{numbers}\n")
    return path


@pytest.fixture
def forget():
    """Modules of plug-ins, and what was found on the path, are not those of the next test."""
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.split("_")[0] in ("lines", "plug"):
            del sys.modules[name]


@pytest.mark.slow
def test_a_wheel_adds_a_format(tmp_path, lines, monkeypatch, capsys, forget):
    with zipfile.ZipFile(wheel(tmp_path / "project")) as archive:
        archive.extractall(tmp_path / "site")
    monkeypatch.syspath_prepend(tmp_path / "site")
    assert main(["info", str(lines)]) == 0
    out, err = capsys.readouterr()
    assert "lines of text" in out and "8 rows × 7 columns × 5 bands" in out and err == ""
    run = ["detect", str(lines), "--detector", "rx", "--out", str(tmp_path / "out")]
    assert main(run) == 0
    assert np.load(tmp_path / "out" / "field_score.npy").shape == (8, 7)


class TestOnePlugin:
    @pytest.fixture(autouse=True)
    def installed(self, tmp_path, monkeypatch, forget):
        site = offer(tmp_path / "site", "lines_of_text", READER, "lines = lines_of_text:Lines")
        monkeypatch.syspath_prepend(site)

    @pytest.mark.filterwarnings("error")
    def test_it_is_a_format_like_any_other(self, lines):
        scene = load_scene(lines, axes="row,column,band")
        np.testing.assert_array_equal(scene.cube, CUBE)
        assert (scene.name, scene.source_format) == ("field", "lines of text")
        np.testing.assert_allclose(scene.wavelengths, np.linspace(400, 900, 5))
        assert scene_stem(lines) == "field"

    def test_other_files_are_none_of_its_business(self, tmp_path):
        np.save(tmp_path / "a.npy", CUBE)
        assert load_scene(tmp_path / "a.npy").source_format == "NumPy"
        (tmp_path / "a.xyz").write_text("x")
        with pytest.raises(InputError, match=r"expected one of \.lines, \.mat"):
            load_scene(tmp_path / "a.xyz")

    @pytest.mark.parametrize("content", ["", "eight 7 5\n1\n", "8 7 5\n1\n2\n", "8 7 5\nx\n"])
    def test_its_mistakes_are_told_as_its_own(self, tmp_path, content):
        (tmp_path / "a.lines").write_text(content)
        with pytest.raises(InputError) as refusal:
            load_scene(tmp_path / "a.lines")
        text = str(refusal.value)
        assert "a.lines is empty" in text if not content else "the plug-in 'lines' failed" in text
        assert "\n" not in text and text.endswith(".")


BROKEN = {
    "raise RuntimeError('out of order')": "RuntimeError: out of order",
    "import a_package_that_is_not_there": "ModuleNotFoundError: No module named",
    "raise SystemExit(3)": "SystemExit: 3",
    "def Lines(source): pass": "plug_broken:Lines is no subclass of Reader",
    "def syntax error": "SyntaxError",
    "Other = 1": "has no attribute 'Lines'",
}


class TestBroken:
    @pytest.mark.parametrize("source", BROKEN)
    def test_costs_only_itself(self, tmp_path, lines, monkeypatch, source, forget):
        site = offer(tmp_path / "site", "plug_broken", source, "broken = plug_broken:Lines")
        offer(tmp_path / "site", "lines_of_text", READER, "lines = lines_of_text:Lines")
        monkeypatch.syspath_prepend(site)
        with pytest.warns(UserWarning, match="the plug-in 'broken' of plug_broken") as said:
            np.testing.assert_array_equal(load_scene(lines).cube, CUBE)
        assert len(said) == 1 and BROKEN[source] in str(said[0].message)
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # it is told once
            np.save(tmp_path / "a.npy", CUBE)
            np.testing.assert_array_equal(load_scene(tmp_path / "a.npy").cube, CUBE)

    def test_one_that_fails_when_asked(self, tmp_path, monkeypatch, forget):
        source = READER.replace(
            "    def __init__", "    @classmethod\n    def recognises(cls, source):\n"
            "        raise KeyError('oh')\n\n    def __init__",
        )  # fmt: skip
        site = offer(tmp_path / "site", "plug_asked", source, "asked = plug_asked:Lines")
        monkeypatch.syspath_prepend(site)
        np.save(tmp_path / "a.npy", CUBE[:, :, 0])
        with pytest.warns(UserWarning, match=r"the plug-in 'asked' is not asked to read a\.npy"):
            np.testing.assert_array_equal(load_map(tmp_path / "a.npy"), CUBE[:, :, 0])

    def test_two_of_one_name(self, tmp_path, lines, monkeypatch, forget):
        offer(tmp_path / "site", "lines_of_text", READER, "lines = lines_of_text:Lines")
        site = offer(tmp_path / "site", "plug_second", READER, "lines = plug_second:Lines")
        monkeypatch.syspath_prepend(site)
        with pytest.warns(UserWarning, match="'lines' of plug_second .* name comes first"):
            assert load_scene(lines).shape == CUBE.shape
