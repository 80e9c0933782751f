"""Messages of a start stay off stderr, and come out where the start fails."""

import os
import sys

import pytest

from lren_tf.errors import InputError
from lren_tf.runtime.startup import make_repeatable, quiet_start


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


def test_a_refusal_needs_no_messages(capfd):
    with pytest.raises(InputError):
        start(InputError("the scene is too blue."))
    assert capfd.readouterr().err == ""


def test_a_cpu_is_repeatable_as_it_is(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    make_repeatable("/CPU:0")  # imports nothing
