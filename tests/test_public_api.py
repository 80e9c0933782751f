"""The public names are one list, load lazily, and agree with what type checkers read."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import lren_tf

PACKAGE = Path(lren_tf.__file__).parent
STUB = ast.parse((PACKAGE / "__init__.pyi").read_text(encoding="utf-8"))


def fresh(code: str) -> str:
    """Output of code in a new process that has imported nothing."""
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False
    )
    assert process.returncode == 0, process.stderr
    return process.stdout


def test_every_public_name_loads():
    for name in lren_tf.__all__:
        assert getattr(lren_tf, name) is not None, name


def test_a_loaded_name_is_that_of_its_module():
    for name, module in lren_tf._HOMES.items():
        assert getattr(lren_tf, name) is getattr(importlib.import_module(module), name)
    for name, module in lren_tf._MODULES.items():
        assert getattr(lren_tf, name) is importlib.import_module(module)


def test_the_stub_names_what_the_package_loads():
    homes = {}
    for node in STUB.body:
        if isinstance(node, ast.ImportFrom):
            (alias,) = node.names
            # "import X as X" is how a stub exports a name.
            assert alias.asname == alias.name
            module = f"{node.module}.{alias.name}"
            homes[alias.name] = module if alias.name in lren_tf._MODULES else node.module
    assert homes == {**lren_tf._HOMES, **lren_tf._MODULES, "__version__": "lren_tf.version"}


def test_the_stub_exports_all():
    (exported,) = (n.value for n in STUB.body if isinstance(n, ast.Assign))
    names = ast.literal_eval(exported)
    assert len(names) == len(set(names))
    assert set(names) == set(lren_tf.__all__)


def test_dir_lists_them_all():
    assert set(lren_tf.__all__) <= set(dir(lren_tf))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'lren_tf' has no attribute 'nonsense'"):
        _ = lren_tf.nonsense


@pytest.mark.parametrize(
    "expression",
    [
        "lren_tf.io.save_map", "lren_tf.detectors.names", "lren_tf.plots.score_map",
        "lren_tf.metrics.evaluate", "lren_tf.datasets.names",
    ],
)  # fmt: skip
def test_modules_work_with_nothing_imported_before(expression):
    assert fresh(f"import lren_tf; print(callable({expression}))") == "True\n"


def test_a_module_can_be_imported_by_its_public_name():
    assert fresh("from lren_tf import metrics; print(metrics.__name__)") == (
        "lren_tf.evaluation.metrics\n"
    )


def test_importing_the_package_loads_next_to_nothing():
    loaded = fresh(
        "import sys; before = set(sys.modules); import lren_tf, importlib\n"
        "print(*sorted({m.split('.')[0] for m in set(sys.modules) - before}))\n"
        "print(*sorted(m for m in sys.modules if m.startswith('lren_tf')))"
    ).splitlines()
    assert set(loaded[0].split()) - set(sys.stdlib_module_names) == {"lren_tf"}
    assert loaded[1].split() == ["lren_tf", "lren_tf.version"]


def test_the_stub_is_shipped():
    config = (PACKAGE.parent / "setup.cfg").read_text(encoding="utf-8")
    assert "py.typed" in config
    assert "__init__.pyi" in config
