"""Nothing that only Linux has: every module without fcntl and resource, encodings of text files."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("lren_tf", "experiments", "benchmarks")
_OLDEST = (3, 10)
"""The lowest Python that setup.cfg promises."""
_UNIX = ("fcntl", "resource", "pwd", "grp", "termios")
_TEXT = frozenset({"read_text", "write_text"})
_ELSEWHERE = frozenset({"rasterio", "Image", "memory", "envi", "os", "_archive", "webbrowser"})
"""Owners of an `open` of their own."""

_IMPORT = """
import importlib, pathlib, sys

class Hidden:
    # From modules of this project only: those of Python and of others have their own fall-backs.
    def find_spec(self, name, path=None, target=None):
        frame = sys._getframe(1) if name in {hidden!r} else None
        while frame is not None:
            importer = frame.f_globals.get("__name__", "").partition(".")[0]
            if importer in {packages!r}:
                raise ImportError(name)
            frame = frame.f_back if importer == "importlib" else None

for name in {hidden!r}:
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Hidden())
try:
    exec("import fcntl", {{"__name__": "lren_tf.probe"}})
except ImportError:
    print("hidden")
for name in {names!r}:
    importlib.import_module(name)
print("imported", len({names!r}))
"""


def modules() -> list[str]:
    """Names of all modules of all packages but those that run when they are imported."""
    found = []
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if path.name != "__main__.py":
                parts = path.relative_to(ROOT).with_suffix("").parts
                found.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return found


@pytest.mark.slow
@pytest.mark.processes
def test_every_module_is_imported_without_modules_of_unix():
    names = modules()
    code = _IMPORT.format(hidden=_UNIX, packages=PACKAGES, names=names)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-2:] == ["hidden", f"imported {len(names)}"]


def test_no_function_imports_them_either():
    found = [
        (path.name, alias.name)
        for path in sorted((ROOT / "lren_tf").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in [*node.names, ast.alias(getattr(node, "module", None) or "")]
    ]
    assert ("folder_lock.py", "filelock") in found
    assert not [(path, name) for path, name in found if name in _UNIX]


def undeclared(source: str) -> Iterator[tuple[int, str]]:
    """Line and text of calls that open a text file in the encoding of the system."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        function, named = node.func, {keyword.arg for keyword in node.keywords}
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        value = getattr(function, "value", None)
        owner = "" if value is None else ast.unparse(value).split(".")[-1]
        if name in _TEXT:
            first = 0 if name == "read_text" else 1
            plain = len(node.args) <= first
        elif name == "open" and owner not in _ELSEWHERE:
            words = [each.value for each in node.args if isinstance(each, ast.Constant)]
            plain = not any(set(word) & {"b"} and len(word) <= 3 for word in map(str, words))
        else:
            continue
        if plain and "encoding" not in named:
            yield node.lineno, ast.unparse(node)


def test_text_files_have_an_encoding():
    offenders = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        for line, text in undeclared(path.read_text(encoding="utf-8"))
    ]
    assert not offenders, "\n".join(offenders)


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("path.read_text()", 1), ("path.write_text(x)", 1), ("open(path)", 1),
        ("path.open('w')", 1), ("open(path, 'rb')", 0), ("path.read_text('utf-8')", 0),
        ("path.write_text(x, encoding='ascii')", 0), ("rasterio.open(path)", 0),
    ],
)  # fmt: skip
def test_the_search_finds_calls_without_one(source, count):
    assert len(list(undeclared(source))) == count


def test_every_file_is_of_the_oldest_python():
    for package in (*PACKAGES, "tests"):
        for path in sorted((ROOT / package).rglob("*.py")):
            ast.parse(path.read_text(encoding="utf-8"), str(path), feature_version=(3, 10))


def test_every_file_is_read_by_the_oldest_python():
    setup = (ROOT / "setup.cfg").read_text("utf-8")
    required = re.search(r"python_requires = >=(\d+)\.(\d+)", setup)
    assert required is not None
    assert tuple(map(int, required.groups())) == _OLDEST
    with pytest.raises(SyntaxError):
        ast.parse("try:\n    pass\nexcept* OSError:\n    pass", feature_version=_OLDEST)
    for package in (*PACKAGES, "tests"):
        for path in sorted((ROOT / package).rglob("*.py")):
            ast.parse(path.read_text(encoding="utf-8"), str(path), feature_version=_OLDEST)
