"""Every command and every Python block of the README and of the guides runs as written.

The test runs a page from top to bottom in an empty folder with small simulated scenes under the
names that the pages give to the reader's files. Trainings are cut short, which cannot be seen
from outside: the test shows that the commands work and print what the page shows, not how well a
detector does.

A block has one of three languages. `sh`: each command is run, or checked by its function in
`_COMMANDS`. `python`: the block is run. `text`: below a block of commands it is their output, in
which a line `...` stands for any number of lines; in a section without commands it is a drawing.
If it is a refusal, the last command has to be refused with that sentence. Blocks that start
processes in the background are run by a shell.
"""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import inspect
import io
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from configparser import ConfigParser
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

import h5py
import numpy as np
import pytest
import scipy.io

from lren_tf import datasets, detectors, presets
from lren_tf.cli import main
from tests.io.products import write_emit, write_envi, write_geotiff, write_prisma

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", *sorted(f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md"))]
LANGUAGES = ("sh", "python", "text")
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?")
SECONDS = re.compile(r"\d+\.\d+ s\b")
# Defaults of detectors, by the name of the setting.
SHORT = {"steps": 3, "max_iterations": 20}


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: str
    line: int
    language: str
    text: str
    section: int = 0

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(page: str) -> list[Block]:
    found, inside, start, section = [], None, 0, 0
    for number, line in enumerate((ROOT / page).read_text("utf-8").splitlines(), 1):
        fence = re.match(r"\s*(`{3,}|~{3,})(.*)$", line)
        if fence and inside is None:
            inside, start, language = [], number, fence[2].strip()
        elif fence:
            found.append(Block(page, start, language, "\n".join(inside), section))
            inside = None
        elif inside is not None:
            inside.append(line)
        elif line.startswith("#"):
            section += 1
    assert inside is None, f"{page}:{start} is not closed"
    return found


def commands(block: Block) -> list[list[str]]:
    """Return the words of every command; a backslash at the end continues a line."""
    lines = block.text.replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


class Page:
    """Runs the blocks of a page in the current folder."""

    def __init__(self) -> None:
        self.printed: list[str] = []
        self.exact = True

    def run(self, block: Block, following: Block | None) -> None:
        if block.language == "python":
            with self._captured():
                exec(compile(block.text, str(block), "exec"), {"__name__": "__main__"})
            self.exact = True
        elif block.language == "sh":
            refusal = following is not None and _is_refusal(following)
            if "&\n" in block.text:
                _shell(block)
                return
            listed = commands(block)
            assert listed, f"{block} holds no command"
            with self._captured():
                for number, words in enumerate(listed, 1):
                    run = _COMMANDS.get(words[0])
                    assert run is not None, f"{block}: no rule for the command '{words[0]}'"
                    run(words[1:], 2 if refusal and number == len(listed) else 0)
            self.exact = refusal or not any(map(_trains, listed))

    @contextlib.contextmanager
    def _captured(self):
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            yield
        self.printed = out.getvalue().splitlines()

    def compare(self, block: Block) -> None:
        """Find each line among the printed ones, in order; exact runs also agree in numbers."""
        left = list(self.printed)
        for shown in block.text.splitlines():
            if shown.strip() == "...":
                continue
            while left and not self._same(shown, left[0]):
                left.pop(0)
            assert left, f"{block}: no line like {shown!r} in\n" + "\n".join(self.printed)
            left.pop(0)

    def _same(self, shown: str, printed: str) -> bool:
        shown, printed = (SECONDS.sub("# s", " ".join(line.split())) for line in (shown, printed))
        if NUMBER.sub("#", shown) != NUMBER.sub("#", printed):
            return False
        numbers = [[float(n) for n in NUMBER.findall(line)] for line in (shown, printed)]
        # Another processor may round differently.
        return not self.exact or numbers[0] == pytest.approx(numbers[1], rel=1e-3)


def _trains(words: list[str]) -> bool:
    """Return True if the figures of a command depend on a training, which is cut short here."""
    return "compare" in words or ("detect" in words and "--detector" not in words)


def _is_refusal(block: Block) -> bool:
    first = block.text.split("\n")[0]
    return block.language == "text" and bool(re.match(r"lren-tf: (?!note: )", first))


def _shell(block: Block) -> None:
    """Run a block as written, with the processes it starts."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    python = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        ["bash", "-euc", block.text], capture_output=True, text=True, timeout=200,
        env={**os.environ, "PATH": path, "PYTHONPATH": python},
    )  # fmt: skip
    assert done.returncode == 0, f"{block}: {done.stderr}"


def _lren_tf(words: list[str], code: int) -> None:
    assert main(words) == code, f"lren-tf {' '.join(words)}"


def _make(words: list[str], code: int) -> None:
    targets = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text("utf-8"), re.M)
    for word in words:
        assert "=" in word or word in targets, f"make {word}: no such target"


def _pip(words: list[str], code: int) -> None:
    assert words[0] == "install"
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg", "utf-8")
    for what in words[1:]:
        found = re.fullmatch(r"(?:\.|lren-tf)(?:\[([a-z,]+)\])?", what)
        assert found is not None, f"pip install {what}: not this project"
        for extra in (found[1] or "").split(","):
            assert not extra or extra in setup["options.extras_require"], f"pip: {extra}"


def _saved_model_cli(words: list[str], code: int) -> None:
    from tensorflow.python.tools import saved_model_cli

    saved_model_cli.create_parser().parse_args(words).func()


def _docker(words: list[str], code: int) -> None:
    """Check, without running it, that the folder it mounts holds a numbered model."""
    outside, inside = os.path.expandvars(words[words.index("-v") + 1]).split(":")
    name = words[words.index("-e") + 1].removeprefix("MODEL_NAME=")
    assert (Path(outside) / "saved_model.pb").is_file()
    assert re.fullmatch(rf"/models/{name}/\d+", inside)


def _curl(words: list[str], code: int) -> None:
    """Check, without sending it, that the request is one that the model accepts."""
    import tensorflow as tf

    request = json.loads(Path(words[words.index("-d") + 1].removeprefix("@")).read_text("utf-8"))
    model = tf.saved_model.load("served")  # a signature holds no reference to variables
    endpoint = model.signatures[request["signature_name"]]
    (score,) = endpoint(pixels=tf.constant(request["instances"], tf.float32)).values()
    assert score.shape == (len(request["instances"]),)
    assert "/v1/models/lren:predict" in words[0]


_COMMANDS: dict[str, Callable[[list[str], int], None]] = {
    "lren-tf": _lren_tf,
    "make": _make,
    "pip": _pip,
    "saved_model_cli": _saved_model_cli,
    "docker": _docker,
    "curl": _curl,
}


def write_files() -> None:
    """Write the files that the pages assume the reader has."""
    scene = datasets.simulate(48, 40, 24, seed=3, anomalies=10)
    cube, truth = scene.cube, scene.truth.astype(np.uint8)
    scipy.io.savemat("scene.mat", {"data": cube, "map": truth})
    scipy.io.savemat(
        "turned.mat", {"data": cube.transpose(2, 0, 1), "wavelengths": np.arange(420.0, 1380, 40)}
    )
    scipy.io.savemat("short.mat", {"data": cube, "wavelengths": np.arange(420.0, 1220, 40)})
    np.save("truth.npy", truth)
    mask = np.ones((48, 40), np.uint8)
    mask[:, :2] = 0
    np.save("mask.npy", mask)
    np.save("empty.npy", 0 * mask)
    with h5py.File("cubes.h5", "w") as hdf:
        hdf["first"] = cube
        hdf["site/second"] = cube
    measured = np.round(cube * 1e4).astype(np.float32)
    measured[0, :2] = -9999
    write_envi(
        Path("scene.img"), measured, "bil", data_ignore_value="-9999",
        bbl="{" + ",".join("0" if band == 11 else "1" for band in range(24)) + "}",
        reflectance_scale_factor="10000",
        wavelength="{" + ",".join(str(420 + 40 * band) for band in range(24)) + "}",
        wavelength_units="Nanometers",
        map_info="{UTM, 1, 1, 500000, 4000000, 30, 30, 33, North, WGS-84, units=Meters}",
    )  # fmt: skip
    Path("scene.img.hdr").rename("scene.hdr")
    write_envi(Path("cut.img"), cube)
    Path("cut.img").write_bytes(Path("cut.img").read_bytes()[:-100])
    write_envi(Path("alone"), cube)
    Path("alone").unlink()
    if find_spec("rasterio") is not None:
        write_geotiff(Path("scene.tif"), np.round(cube * 1e4).astype("int16"), nodata=-9999)
    write_emit(Path("emit.nc"), cube, good=np.arange(24) != 11)
    with h5py.File("emit.nc", "r+") as hdf:
        hdf.attrs["spatial_ref"] = "EPSG:4326"
    numbers = np.round(cube * 6e4).astype("u2").transpose(0, 2, 1)
    write_prisma(Path("prisma.he5"), numbers[:, :9], numbers[:, 9:])


@pytest.fixture
def reader(tmp_path, tmp_path_factory, monkeypatch):
    """Enter a folder with the reader's files, no benchmark scene, and short trainings."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PWD", str(tmp_path))
    monkeypatch.delenv("LREN_TF_DATA", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path_factory.mktemp("keras")))
    short = {name: replace(held, epochs=2, members=1) for name, held in presets.PRESETS.items()}
    monkeypatch.setattr(presets, "PRESETS", MappingProxyType(short))
    for name in detectors.names():
        made = detectors.detector_class(name).__init__
        if made.__defaults__ is not None:
            known = inspect.signature(made).parameters.values()
            keys = [p.name for p in known if p.kind is not p.KEYWORD_ONLY]
            keys = keys[-len(made.__defaults__) :]
            pairs = zip(keys, made.__defaults__, strict=True)
            monkeypatch.setattr(made, "__defaults__", tuple(SHORT.get(k, v) for k, v in pairs))
    write_files()


@pytest.mark.parametrize("page", PAGES)
def test_every_block_has_a_language(page):
    for block in blocks(page):
        assert block.language in LANGUAGES, f"{block} has the language {block.language!r}"


LONG = ("docs/archive.md", "docs/distributed.md", "docs/serving.md")
"""Pages whose blocks train in several processes or several times; in make test-slow."""


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=pytest.mark.long if page in LONG else ())
        for page in PAGES
        if blocks(page)
    ],
)
def test_every_block_runs(page, reader):
    for package in ("rasterio", "spectral", "skimage"):
        pytest.importorskip(package, reason=f"{package} is not installed, and the pages use it")
    listed, running = blocks(page), Page()
    # Text may separate the commands from the output that is shown.
    for before, block, following in zip(
        [None, *listed[:-1]], listed, [*listed[1:], None], strict=True
    ):
        if before is not None and before.section != block.section:
            running.printed = []
        if block.language != "text":
            running.run(block, following)
        elif running.printed:
            running.compare(block)
            running.printed = []
    # Files that the page names exist.
    for name in set(re.findall(r"`(out/[\w./]+)`", (ROOT / page).read_text("utf-8"))):
        assert Path(name).is_file(), f"{page} names {name}"


@pytest.mark.parametrize(("index", "prefix"), [("docs/README.md", ""), ("README.md", "docs/")])
def test_every_guide_is_in_the_index(index, prefix):
    text = (ROOT / index).read_text("utf-8")
    for page in (ROOT / "docs").glob("*.md"):
        assert page.name == "README.md" or f"({prefix}{page.name})" in text, page.name


def test_the_readme_is_short():
    """One page: a practitioner's first command stands before everything else."""
    lines = (ROOT / "README.md").read_text("utf-8").splitlines()
    assert len(lines) <= 150
    first = next(number for number, line in enumerate(lines) if line.startswith("lren-tf detect"))
    assert first < 15


@pytest.mark.parametrize("page", PAGES)
def test_python_uses_public_names_only(page):
    """A page imports the package and none of its modules."""
    for block in blocks(page):
        if block.language == "python":
            assert not re.search(r"(from|import) lren_tf\.|from lren_tf import", block.text), block


@pytest.mark.parametrize("name", detectors.names())
def test_every_detector_has_a_section_with_its_settings(name):
    """The page gives every setting and its default, in the order of the constructor."""
    made = detectors.detector_class(name)
    section = re.search(rf"\n## {made.title}\n(.*?)(?=\n## |\Z)", _page("docs/detectors.md"), re.S)
    assert section is not None, f"no section {made.title}"
    for part in ("Use", "Settings", "Source", "Assumptions", "Results"):
        assert re.search(rf"\n\*\*{part}\.\*\*\s", section[1]), f"{made.title}: no {part}"
    shown = re.findall(r"^\| `(\w+)` \| `(.*?)` \|", section[1], re.M)
    # A detector may refer to the settings of the one it extends.
    own = {name for cls in made.__mro__[:1] for name in cls.__annotations__}
    extends = "Settings.** Those of" in section[1]
    assert shown == [
        (field.name, repr(field.default))
        for field in dataclasses.fields(made)
        if field.name in made.setting_names() and (not extends or field.name in own)
    ]


def test_the_architecture_lists_every_module():
    """Every module of the package has a row, and defines what its row says."""
    package, listed = "", {}
    for line in _page("docs/architecture.md").splitlines():
        if line.startswith("### Top"):
            package = ""
        elif title := re.match(r"(?:### )?`([a-z_/]+)`[: ]", line):
            package = title[1] + "/"
        elif row := re.match(r"\| `([\w/]+)` \| (?:.*?) \| (.*?) \|", line):
            listed[f"{package}{row[1]}.py"] = set(re.findall(r"`(\w+)`", row[2]))
    root = ROOT / "lren_tf"
    modules = {path.relative_to(root).as_posix(): path for path in root.rglob("*.py")}
    missing = [name for name in modules if name not in listed and "/__" not in name]
    assert not missing
    gone = {name: names - _defined(modules[name]) for name, names in listed.items()}
    assert not {name: names for name, names in gone.items() if names}


def _defined(module: Path) -> set[str]:
    """Names of the functions and classes of a module."""
    body = ast.parse(module.read_text("utf-8")).body
    return {node.name for node in body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}


def _page(page: str) -> str:
    return (ROOT / page).read_text("utf-8")


class TestOfThisTest:
    """The checks above can fail."""

    def block(self, language: str, text: str) -> Block:
        return Block("page", 1, language, text)

    def test_commands(self):
        text = "lren-tf info a \\\n  --key b   # words\n\n# only words\nmake test"
        assert commands(self.block("sh", text)) == [
            ["lren-tf", "info", "a", "--key", "b"], ["make", "test"]
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("language", "text"),
        [
            ("sh", "lren-tf info gone.mat"),
            ("sh", "rm -rf /"),
            ("sh", "# nothing"),
            ("sh", "make tea"),
            ("sh", "pip install 'lren-tf[tea]'"),
            ("python", "1 / 0"),
        ],
    )
    def test_what_does_not_run(self, language, text, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        with pytest.raises((AssertionError, ZeroDivisionError)):
            Page().run(self.block(language, text), None)

    @pytest.mark.parametrize(
        ("shown", "same"),
        [
            ("a: 1.0001 of 5, read in 0.1 s", True),
            ("...\nb   7", True),
            ("a: 1.1 of 5, read in 0.1 s", False),
            ("b 7\na: 1 of 5, read in 2.5 s", False),
            ("c", False),
        ],
    )
    def test_what_was_not_printed(self, shown, same):
        page = Page()
        page.printed = ["a: 1.0 of 5, read in 2.5 s", "b 7"]
        with contextlib.nullcontext() if same else pytest.raises(AssertionError, match="no line"):
            page.compare(self.block("text", shown))

    def test_a_refusal_has_to_be_one(self):
        block = self.block("sh", "lren-tf info simulated")
        Page().run(block, self.block("text", "lren-tf: note: something."))
        with pytest.raises(AssertionError):
            Page().run(block, self.block("text", "lren-tf: something is wrong."))
