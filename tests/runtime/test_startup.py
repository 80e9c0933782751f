"""Messages of a start stay off stderr, and come out where the start fails."""

import os
import subprocess
import sys

import keras
import pytest

from lren_tf import detectors
from lren_tf.errors import InputError
from lren_tf.runtime.startup import (
    make_repeatable,
    quiet_start,
    require_tensorflow_backend,
)


def start(error):
    """A start that writes a message and fails."""
    with quiet_start():
        os.write(2, b"from C++")
        raise error


def test_a_start_that_succeeds_is_silent(capfd):
    with quiet_start():
        os.write(2, b"from C++")
    os.write(2, b"afterwards")
    assert capfd.readouterr().err == "afterwards"


def test_a_failure_shows_what_was_held_back(capfd):
    with pytest.raises(RuntimeError):
        start(RuntimeError())
    assert capfd.readouterr().err == "from C++"


def test_a_process_without_stderr(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    with quiet_start():
        pass
    with pytest.raises(RuntimeError):
        start(RuntimeError())


def test_a_refusal_needs_no_messages(capfd):
    with pytest.raises(InputError):
        start(InputError("the scene is too blue."))
    assert capfd.readouterr().err == ""


def test_a_cpu_is_repeatable_as_it_is(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    make_repeatable("/CPU:0")  # imports nothing


class TestBackend:
    def test_tensorflow_is_accepted(self):
        require_tensorflow_backend()

    @pytest.mark.parametrize("name", ["jax", "torch", "numpy"])
    def test_another_one_that_is_loaded_is_refused(self, name, monkeypatch):
        monkeypatch.setattr(keras.config, "backend", lambda: name)
        with pytest.raises(InputError, match=f"the backend of Keras is '{name}'; expected") as said:
            require_tensorflow_backend()
        assert "KERAS_BACKEND to tensorflow" in str(said.value)
        with pytest.raises(InputError, match="backend of Keras"):
            detectors.create("hadgan")
        detectors.create("rx")

    def test_one_that_cannot_be_loaded_is_refused(self, monkeypatch):
        def fail():
            raise error

        monkeypatch.setattr(keras.config, "backend", fail)
        # A settings file of Keras chose it, the environment did, or it is none.
        error = ModuleNotFoundError("No module named 'jax'", name="jax")
        with pytest.raises(InputError, match="is 'jax'"):
            require_tensorflow_backend()
        error = ValueError("Unable to import backend : nonsense")
        monkeypatch.setenv("KERAS_BACKEND", "nonsense")
        with pytest.raises(InputError, match="is 'nonsense'"):
            require_tensorflow_backend()
        # What has nothing to do with a backend stays what it is.
        monkeypatch.delenv("KERAS_BACKEND")
        error = ImportError("libtensorflow is broken", name="tensorflow")
        with pytest.raises(ImportError, match="libtensorflow"):
            require_tensorflow_backend()

    @pytest.mark.processes
    def test_in_a_new_process_it_is_one_sentence(self):
        code = (
            "import lren_tf\nfrom lren_tf.errors import InputError\n"
            "aae = 'lren_tf.detectors.create(\"aae\")'\n"
            "for name in ('lren_tf.LREN', 'lren_tf.EpochLog', aae):\n"
            "    try:\n        eval(name)\n    except InputError as error:\n        print(error)"
        )
        process = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False,
            env={**os.environ, "KERAS_BACKEND": "jax"},
        )  # fmt: skip
        lines = process.stdout.splitlines()
        assert process.returncode == 0 and len(lines) == 3, process.stderr
        assert all(line.startswith("the backend of Keras is 'jax'; expected") for line in lines)

    def test_every_detector_that_imports_keras_is_known(self):
        with_keras = {
            name for name in detectors.names()
            if hasattr(sys.modules[detectors.detector_class(name).__module__], "keras")
        }  # fmt: skip
        assert with_keras == set(detectors._WITH_KERAS)
