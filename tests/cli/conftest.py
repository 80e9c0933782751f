"""Every test runs in an empty folder, with no benchmark scene to be found."""

from __future__ import annotations

import os
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from lren_tf import detectors
from lren_tf.cli import main
from tests.cli.common import SCENE, files

_DATA = os.environ.get("LREN_TF_DATA")


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, tmp_path_factory, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LREN_TF_DATA", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path_factory.mktemp("keras")))


@pytest.fixture
def real_scenes():
    """The folder of real scenes that the tests were started with; skipped without one."""
    if not _DATA:
        pytest.skip("LREN_TF_DATA is not set")
    return Path(_DATA)


@pytest.fixture
def scene_file():
    scipy.io.savemat("small.mat", {"data": SCENE.cube, "map": SCENE.truth.astype(np.uint8)})
    return "small.mat"


@pytest.fixture
def refused(capsys):
    """Run the command line and check a refusal: code 2, one sentence, no file, no stdout.

    `notes` is how many notes come before the sentence.
    """

    def run(*arguments: str, notes: int = 0) -> str:
        before = files()
        assert main(arguments) == 2
        assert files() == before
        out, err = capsys.readouterr()
        assert out == ""
        *said, err = err.splitlines(keepends=True)
        assert len(said) == notes
        assert all(line.startswith("lren-tf: note: ") for line in said)
        assert err.startswith("lren-tf: ")
        assert err.endswith((".\n", "?\n"))
        return err

    return run


@pytest.fixture
def register(monkeypatch):
    """Add detector classes to the registry, after those that are there."""

    def add(*classes: type[detectors.Detector]) -> None:
        module = types.ModuleType("lren_tf.detectors.of_a_test")
        monkeypatch.setitem(sys.modules, module.__name__, module)
        for made in classes:
            setattr(module, made.__name__, made)
            monkeypatch.setitem(detectors._HOMES, made.name, ("of_a_test", made.__name__))

    return add
