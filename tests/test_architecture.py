"""The floors of lren_tf: imports point down, no circles, small modules, lazy imports."""

import configparser
import os
import shutil
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

import lren_tf

PACKAGE = Path(lren_tf.__file__).parent
ROOT = PACKAGE.parent
CONFIG = ROOT / ".importlinter"

MOST_ROOT_MODULES = 12
MOST_LINES = 400
FEWER_LINES = {"model/lren.py": 350}


def lint_imports(folder: Path) -> subprocess.CompletedProcess:
    """Run the contracts on the package in a folder."""
    program = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    return subprocess.run(
        [sys.executable, "-c", program, "--config", str(CONFIG), "--no-cache"],
        cwd=folder, capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, "PYTHONPATH": str(folder), "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip


def graph():
    return grimp.build_graph("lren_tf", cache_dir=None)


def test_imports_point_down():
    process = lint_imports(ROOT)
    assert process.returncode == 0, process.stdout + process.stderr
    assert "1 kept, 0 broken" in process.stdout


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("errors.py", "import lren_tf.settings"),
        ("data/scene.py", "from lren_tf.io import load_scene"),
        # For types only.
        ("low_rank/solve.py", "if TYPE_CHECKING:\n    from lren_tf.model.lren import LREN"),
        # Within a function.
        ("validators.py", "def late():\n    from lren_tf.cli import main"),
    ],
)
def test_an_upward_import_fails(tmp_path, module, line):
    shutil.copytree(PACKAGE, tmp_path / "lren_tf", ignore=shutil.ignore_patterns("__pycache__"))
    with (tmp_path / "lren_tf" / module).open("a", encoding="utf-8") as file:
        file.write(f"\n\nfrom typing import TYPE_CHECKING\n{line}\n")
    process = lint_imports(tmp_path)
    assert process.returncode == 1, process.stdout + process.stderr
    upward = "lren_tf." + module.removesuffix(".py").replace("/", ".")
    assert f"- {upward} -> lren_tf." in process.stdout


def test_every_import_counts():
    config = configparser.ConfigParser()
    config.read(CONFIG)
    assert not config.getboolean("importlinter", "exclude_type_checking_imports")
    assert not [option for section in config.values() for option in section if "ignore" in option]


def test_no_circles():
    imports = graph()
    circles = []
    for module in sorted(imports.modules):
        for imported in imports.find_modules_directly_imported_by(module):
            # A package's __init__ holds the names of its modules; they do not import it back.
            if imports.chain_exists(importer=imported, imported=module):
                circles.append(f"{module} -> {imported} -> … -> {module}")
    assert not circles, "\n".join(circles)


def test_the_root_has_few_modules():
    modules = sorted(path.name for path in PACKAGE.glob("*.py"))
    assert len(modules) <= MOST_ROOT_MODULES, modules


def test_no_module_is_long():
    lines = {
        path.relative_to(PACKAGE).as_posix(): len(path.read_text("utf-8").splitlines())
        for path in PACKAGE.rglob("*.py")
    }
    long = {name: n for name, n in lines.items() if n > FEWER_LINES.get(name, MOST_LINES)}
    assert not long


def top_level(*modules: str) -> set[str]:
    """Top-level packages that a new process has loaded after importing modules."""
    code = f"import sys, {', '.join(modules)}; print(*{{m.split('.')[0] for m in sys.modules}})"
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=True
    )
    return set(process.stdout.split())


@pytest.mark.parametrize(
    ("modules", "absent"),
    [
        # Reading a scene must not wait for what only a fit or a map projection needs.
        (
            ["lren_tf.evaluation.threshold", "lren_tf.evaluation.pareto_tail",
             "lren_tf.evaluation.detections"],
            {"scipy", "rasterio", "sklearn", "tensorflow", "keras", "matplotlib"},
        ),
        (["lren_tf.io"], {"rasterio", "sklearn", "tensorflow", "keras", "matplotlib"}),
        (["lren_tf.evaluation.metrics"], {"scipy", "sklearn", "tensorflow", "keras", "matplotlib"}),
        (["lren_tf.plots"], {"tensorflow", "keras"}),
        (
            ["lren_tf.presets", "lren_tf.settings", "lren_tf.cli"],
            {"tensorflow", "keras", "sklearn", "pandas"},
        ),
    ],
)  # fmt: skip
def test_what_an_import_leaves_for_later(modules, absent):
    assert not top_level(*modules) & absent


def test_figures_leave_the_global_state_of_matplotlib_alone():
    for path in (PACKAGE / "plots").glob("*.py"):
        assert "pyplot" not in path.read_text("utf-8"), path
