"""Benchmarks share provenance and Markdown with the experiments, and nothing else."""

from __future__ import annotations

import ast

from experiments.reporting.provenance import ROOT


def imported(source: str) -> set[str]:
    """Modules that a source imports."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_benchmarks_import_the_reporting_of_the_experiments_alone():
    found = {
        (path.name, name)
        for path in (ROOT / "benchmarks").glob("*.py")
        for name in imported(path.read_text(encoding="utf-8"))
        if name.split(".")[0] == "experiments"
    }
    assert found
    assert not [one for one in found if not one[1].startswith("experiments.reporting.")]


def test_the_reporting_imports_nothing_else_of_the_experiments():
    names = {
        name
        for path in (ROOT / "experiments" / "reporting").glob("*.py")
        for name in imported(path.read_text(encoding="utf-8"))
        if name.split(".")[0] in ("experiments", "benchmarks")
    }
    assert all(name.startswith("experiments.reporting.") for name in names)
