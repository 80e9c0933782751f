"""Every test runs in an empty folder, with no benchmark scene to be found."""

from __future__ import annotations

import sys
import types

import numpy as np
import pytest
import scipy.io

from lren_tf import detectors
from lren_tf.cli import main
from tests.cli.common import SCENE, files


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, tmp_path_factory, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LREN_TF_DATA", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path_factory.mktemp("keras")))


@pytest.fixture
def scene_file():
    scipy.io.savemat("small.mat", {"data": SCENE.cube, "map": SCENE.truth.astype(np.uint8)})
    return "small.mat"


@pytest.fixture
def refused(capsys):
    """Run the command line and check a refusal: code 2, one sentence, no file, no stdout."""

    def run(*arguments: str) -> str:
        before = files()
        assert main(arguments) == 2
        assert files() == before
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("lren-tf: ")
        assert err.count("\n") == 1
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
