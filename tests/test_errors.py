"""Refusals in parts: one sentence in Python, one on the command line."""

import copy
import pickle

import pytest

from lren_tf.errors import Argument, InputError
from lren_tf.io import load_scene
from lren_tf.io.base.failures import damaged


def refusal():
    return InputError(
        argument="key",
        received="a.npz: several variables are cubes",
        expected="one cube",
        remedy=("pass ", Argument("key"), " to choose one, or ", Argument("axes", "row,band,x")),
    )


def test_in_python_and_on_the_command_line():
    said = "a.npz: several variables are cubes; expected one cube, "
    assert str(refusal()) == said + "pass key= to choose one, or axes=row,band,x."
    assert refusal().for_command_line() == said + "pass --key to choose one, or --axes row,band,x."


def test_renamed():
    error = refusal()
    error.rename(key="score_key", truth="something")
    assert error.argument == "score_key"
    assert "pass --score-key to choose" in error.for_command_line()
    assert "pass score_key= to choose" in str(error)


@pytest.mark.parametrize("value", ["", "True"])
def test_a_switch_has_no_value_on_the_command_line(value):
    assert Argument("drop_water_bands", value).as_option() == "--drop-water-bands"


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"received": "it is a"}, "it is a."),
        ({"received": "it is a", "expected": "b"}, "it is a; expected b."),
        ({"received": "it is a", "remedy": "do c"}, "it is a; do c."),
        ({"message": "all of it."}, "all of it."),
    ],
)
def test_parts_that_are_left_out(parts, said):
    assert str(InputError(**parts)) == said


def test_another_remedy():
    error = refusal()
    error.add_remedy("do without")
    assert str(error).endswith(", or axes=row,band,x, or do without.")
    assert isinstance(error, ValueError)


@pytest.mark.parametrize("copied", [copy.copy, lambda e: pickle.loads(pickle.dumps(e))])
def test_copies_say_the_same(copied):
    again = copied(refusal())
    assert str(again) == str(refusal())
    assert again.for_command_line() == refusal().for_command_line()


def test_names_in_a_file_are_not_taken_for_arguments(tmp_path):
    # Whatever a file is called, only what is meant as an argument becomes an option.
    name = "key=x mask=y.mat"
    (tmp_path / name).write_bytes(b"not MATLAB" * 99)
    with pytest.raises(InputError) as caught:
        load_scene(tmp_path / name)
    assert caught.value.for_command_line().startswith(f"{name}: not a readable MATLAB file")
    assert damaged(tmp_path / name, "file", "bands=2").for_command_line().count("bands=2") == 1
