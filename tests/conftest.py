"""Settings and fixtures for all tests."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

from tests.fuzzing import cases

# Several workers share the cores: a second thread of each would only wait for its turn. Before
# anything imports TensorFlow, which reads them once.
if "PYTEST_XDIST_WORKER" in os.environ:
    for name in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")

# A busy machine is not a bug: how long an example takes says nothing about it.
settings.register_profile("no_deadline", deadline=None, max_examples=cases(100))
settings.load_profile("no_deadline")


@pytest.fixture(autouse=True, scope="session")
def what_is_freed_is_kept():
    """Keep the memory that a benchmark gives back before and after a run.

    A process of tests has gigabytes of objects and graphs: looking through them takes seconds for
    every run. What is measured here is no figure of anything.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lren_tf.detectors.measured.give_back_freed", lambda: None)
        patch.setattr("lren_tf.benchmark.run._forget_networks", lambda: None)
        yield


_AT_IMPORT: dict[str, list[tuple[np.random.Generator, Any]]] = {}
"""Generators of a module of tests, each with its state after the import, by the module's name."""


@pytest.fixture(autouse=True)
def generators_of_the_module(request: pytest.FixtureRequest) -> None:
    """Put the generators of a module of tests back to their state after the import.

    So a test draws the same numbers whichever tests ran before it.
    """
    for generator, state in _AT_IMPORT.get(request.module.__name__, []):
        generator.bit_generator.state = state


SLOW = Path(__file__).with_name("slow.txt")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the switch with which tests/fast_set.py chooses anew."""
    parser.addoption("--all-fast", action="store_true", help="do not mark the tests of slow.txt")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the tests of slow.txt, which tests/fast_set.py writes, as slow.

    Those of the studies are long too: `make test` is about the library, and others reach the same
    lines of the studies.
    """
    for module in {item.module for item in items if isinstance(item, pytest.Function)}:
        _AT_IMPORT[module.__name__] = [
            (value, value.bit_generator.state)
            for value in vars(module).values()
            if isinstance(value, np.random.Generator)
        ]
    if config.getoption("--all-fast"):
        return
    listed = set(SLOW.read_text(encoding="utf-8").splitlines())
    for item in items:
        if item.nodeid in listed:
            item.add_marker(pytest.mark.slow)
            if item.nodeid.startswith("tests/experiments/"):
                item.add_marker(pytest.mark.long)


@pytest.fixture(scope="session")
def trained_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with ``release.keras`` and ``robust.keras`` of tests/trained.py; read only.

    The first of the processes of a run that needs them trains them; the others wait for it.
    """
    from filelock import FileLock

    from tests.trained import train

    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent  # of the folders of all workers
    folder = shared / "trained"
    with FileLock(f"{folder}.lock"):
        if not folder.is_dir():
            train(shared / "training")
            (shared / "training").rename(folder)
    return folder
