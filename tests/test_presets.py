"""The presets hold the published choices, and no setting takes a value it cannot use."""

import ast
import dataclasses
import inspect
import itertools
import json
import re

import numpy as np
import pytest

from lren_tf import presets
from lren_tf import settings as settings_module
from lren_tf.errors import InputError
from lren_tf.presets import PAPER, PRESETS, RELEASE, ROBUST, Settings, resolve, setting_names
from lren_tf.settings import AFTER_TRAINING

# Written out in full: a changed default must be changed here too, with a reason.
PAPER_VALUES = {
    "scaling": "zscore",
    "hidden_units": 400,
    "latent_units": 9,
    "estimator_units": 60,
    "components": 7,
    "latent_activation": "linear",
    "initial_weights": "glorot_uniform",
    "seed": 123,
    "members": 1,
    "optimizer": "sgd",
    "learning_rate": 1e-4,
    "sample_learning_rate": None,
    "batch_size": None,
    "batch_seed": 123,
    "training_pixels": None,
    "epochs": 1000,
    "training": "joint",
    "energy_weight": 1.0,
    "covariance_penalty": 0.0,
    "mixture_dtype": "float64",
    "covariance_floor": 1e-6,
    "empty_mass": 1e-10,
    "dictionary": "centroid_farthest",
    "lam": 1e-2,
    "low_rank_space": "latent",
    "solver_loss": "l21",
    "solver_order": "JWA",
    "solver_mu": 1e-3,
    "solver_rho": 1.2,
    "solver_mu_max": 1e10,
    "solver_tolerance": 1e-8,
    "solver_iterations": 500,
    "solver_dtype": "float64",
    "score_norm": "l1",
    "scoring": "residual",
    "component_share": 0.05,
    "trimmed_share": 0.02,
    "ridge": 0.02,
    "neighbourhood": 0.7,
    "evidence": ["spectrum"],
}
RELEASE_VALUES = PAPER_VALUES | {
    "scaling": "minmax_zscore",
    "initial_weights": "tf1_glorot_uniform",
    "optimizer": "adam",
    "batch_size": 4096,
    "energy_weight": 0.1,
    "covariance_penalty": 1e-4,
    "dictionary": "extreme_assignment",
    "solver_order": "JAW",
    "score_norm": "l2",
}
ROBUST_VALUES = PAPER_VALUES | {
    "hidden_units": 100,
    "members": 5,
    "optimizer": "adam",
    "learning_rate": 1e-3,
    "batch_size": 1024,
    "training_pixels": 40_960,
    "epochs": 30,
    "energy_weight": 0.1,
    "covariance_penalty": 1e-4,
    "scoring": "energy",
    "evidence": ["spectrum", "structure", "surroundings"],
}
CHOICES = {
    "scaling": ["zscore", "minmax_zscore"],
    "latent_activation": ["linear", "tanh"],
    "initial_weights": ["glorot_uniform", "tf1_glorot_uniform"],
    "optimizer": ["sgd", "adam"],
    "mixture_dtype": ["float64", "float32"],
    "training": ["joint", "separate"],
    "dictionary": ["centroid_farthest", "extreme_assignment", "kmeans"],
    "low_rank_space": ["latent", "original"],
    "solver_loss": ["l21", "l1", "frobenius"],
    "solver_order": ["JWA", "JAW"],
    "solver_dtype": ["float64", "float32"],
    "score_norm": ["l1", "l2"],
    "scoring": ["residual", "energy"],
}
WHOLE = {
    "hidden_units": 1,
    "latent_units": 1,
    "estimator_units": 1,
    "components": 1,
    "members": 1,
    "seed": 0,
    "batch_seed": 0,
    "batch_size": 1,
    "training_pixels": 1,
    "epochs": 1,
    "solver_iterations": 1,
}
POSITIVE = [
    "learning_rate",
    "sample_learning_rate",
    "covariance_floor",
    "empty_mass",
    "lam",
    "solver_mu",
    "solver_mu_max",
    "solver_tolerance",
    "ridge",
]
NOT_NEGATIVE = [
    "energy_weight", "covariance_penalty", "neighbourhood", "component_share", "trimmed_share",
]  # fmt: skip
ENERGY = ["members", "component_share", "trimmed_share", "ridge", "neighbourhood", "evidence"]
SEVERAL = {"evidence": ["spectrum", "structure", "surroundings"]}
REAL = [*POSITIVE, *NOT_NEGATIVE, "solver_rho"]


@pytest.mark.parametrize(
    ("settings", "values"),
    [(PAPER, PAPER_VALUES), (RELEASE, RELEASE_VALUES), (ROBUST, ROBUST_VALUES)],
    ids=["paper", "release", "robust"],
)
def test_a_preset_is_exactly_its_published_column(settings, values):
    assert settings.as_dict() == values


def test_the_presets_go_by_name_and_paper_is_the_default():
    assert dict(PRESETS) == {"paper": PAPER, "release": RELEASE, "robust": ROBUST}
    assert resolve() == resolve("paper") == Settings() == PAPER
    assert resolve("release") == RELEASE


def test_every_setting_is_covered_by_the_tables_of_this_file():
    # A new setting without a validation test fails here.
    assert set(setting_names()) == {*CHOICES, *WHOLE, *REAL, *SEVERAL}
    assert setting_names() == tuple(PAPER_VALUES)


@pytest.mark.parametrize(("name", "choices"), SEVERAL.items())
def test_several_of_some_choices_are_kept_in_one_order(name, choices):
    for count in range(1, len(choices) + 1):
        for chosen in itertools.permutations(choices, count):
            ordered = tuple(choice for choice in choices if choice in chosen)
            for given in (chosen, list(chosen), ", ".join(chosen)):
                assert getattr(Settings(**{name: given}), name) == ordered
    for wrong in ("", "colour", (), ["spectrum", "colour"], 1, None, {"spectrum"}, [["spectrum"]]):
        with pytest.raises(InputError, match=rf"setting '{name}' is .*; expected one or more of"):
            Settings(**{name: wrong})


def test_epochs_count_every_part_of_the_training():
    assert Settings(epochs=5).total_epochs == 5
    assert Settings(epochs=5, training="separate").total_epochs == 10
    # k-means has nothing to learn.
    assert Settings(epochs=5, training="separate", dictionary="kmeans").total_epochs == 5


def test_what_comes_after_training_are_settings():
    assert set(AFTER_TRAINING) < set(setting_names())


def test_settings_of_one_scoring_are_refused_beside_the_other():
    for preset, name in (("robust", "lam"), ("robust", "dictionary"), ("paper", "ridge")):
        value = "kmeans" if name == "dictionary" else 0.5
        with pytest.raises(InputError, match=f"setting '{name}' has no effect with scoring="):
            resolve(preset, **{name: value})
    assert resolve("release", scoring="energy", ridge=0.5).ridge == 0.5
    assert resolve("robust", scoring="residual", members=1, lam=0.5).lam == 0.5


def test_only_the_energy_has_members():
    with pytest.raises(InputError, match="'members' is 2 with scoring='residual'"):
        Settings(members=2)


@pytest.mark.parametrize("name", ["component_share", "trimmed_share"])
def test_a_share_is_less_than_one(name):
    with pytest.raises(InputError, match=f"setting '{name}' is 1.0; expected less than 1"):
        Settings(**{name: 1})


def test_settings_survive_json():
    assert Settings(**json.loads(json.dumps(RELEASE.as_dict()))) == RELEASE


def test_settings_cannot_be_changed_in_place():
    with pytest.raises(dataclasses.FrozenInstanceError):
        PAPER.lam = 1.0


def other_value(name):
    if name in SEVERAL:
        return SEVERAL[name][1:]
    if name in CHOICES:
        return {v for v in CHOICES[name] if v != getattr(PAPER, name)}.pop()
    odd = {"batch_size": 17, "solver_rho": 1.5, "members": 1}
    return odd.get(name, getattr(PAPER, name) or 3) * 2


@pytest.mark.parametrize("preset", ["paper", "release"])
def test_each_setting_is_overridden_alone(preset):
    for name in PAPER_VALUES:
        # The settings that only the energy uses need it.
        others = {"scoring": "energy"} if name in ENERGY else {}
        value = other_value(name)
        changed = resolve(preset, **others, **{name: value}).as_dict()
        assert changed == PRESETS[preset].as_dict() | others | {name: value}


def test_a_release_batch_can_be_set_back_to_all_pixels():
    assert resolve("release", batch_size=None).batch_size is None


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("epochs", "5", 5), ("epochs", "1e3", 1000.0), ("lam", "1e-2", 0.01), ("lam", "2", 2.0),
        ("batch_size", "None", None), ("batch_size", "64", 64), ("optimizer", "adam", "adam"),
        ("optimizer", "none", "none"), ("epochs", "many", "many"), ("nonsense", "5", "5"),
    ],
)
def test_text_is_read_as_the_type_of_its_setting(name, text, value):
    # Settings refuses text for numbers; this is the one way from a command line to one.
    got = presets.parse(name, text)
    assert got == value
    assert type(got) is type(value)


def test_an_unknown_preset_is_refused_with_the_known_ones():
    with pytest.raises(InputError, match=r"'papers' is unknown; expected one of paper, release"):
        resolve("papers")


def test_an_unknown_setting_is_refused_with_all_known_ones_and_the_nearest():
    with pytest.raises(InputError) as refusal:
        resolve("paper", learning_rat=1e-3)
    message = str(refusal.value)
    assert message.startswith("setting 'learning_rat' is unknown")
    assert all(name in message for name in setting_names())
    assert message.endswith("Did you mean 'learning_rate'?")


def refusal_of(name, value):
    """The message that refuses a value; fails, naming both, where none is raised."""
    try:
        Settings(**{name: value})
    except InputError as error:
        return str(error)
    raise AssertionError(f"{name}={value!r} was accepted")


def test_every_listed_choice_is_accepted():
    for name, choices in CHOICES.items():
        for choice in choices:
            assert getattr(Settings(**{name: choice}), name) == choice


@pytest.mark.parametrize("value", ["", "other", None, True, 1, float("nan"), ["zscore"]])
def test_other_choices_are_refused_with_the_list(value):
    for name, choices in CHOICES.items():
        message = refusal_of(name, value)
        assert f"setting {name!r} is {value!r}" in message
        assert ", ".join(choices) in message


def test_an_array_is_not_a_choice():
    # array(["zscore"]) == "zscore" is truthy, so it used to pass and fail much later.
    with pytest.raises(InputError, match="'scaling'"):
        Settings(scaling=np.array(["zscore"]))


@pytest.mark.parametrize(
    "value",
    [
        True, False, np.True_, "5", b"5", 2.5, float("nan"), float("inf"), np.float32(2.5), [3],
        np.array([3, 4]), 2 + 0j,
    ],
    ids=repr,
)
def test_whole_numbers_refuse_everything_else(value):
    for name in WHOLE:
        pattern = rf"setting '{name}' is .*; expected a whole number"
        assert re.search(pattern, refusal_of(name, value), re.DOTALL)


def test_whole_numbers_have_a_smallest_value():
    for name, smallest in WHOLE.items():
        for value in (smallest, np.int64(smallest), np.uint8(smallest), float(smallest)):
            kept = getattr(Settings(**{name: value}), name)
            assert kept == smallest
            assert type(kept) is int  # so that JSON and Keras can store it
        pattern = rf"setting '{name}' is {smallest - 1}; .*{smallest} or"
        assert re.search(pattern, refusal_of(name, smallest - 1))


def test_only_numbers_of_pixels_may_be_none():
    for name in {*WHOLE} - {"batch_size", "training_pixels"}:
        assert "whole number" in refusal_of(name, None)


@pytest.mark.parametrize(
    ("name", "largest"),
    [("seed", 2**64 - 1), ("batch_seed", 2**32 - 1), ("solver_iterations", 2**31 - 1)],
)
def test_whole_numbers_end_where_generators_and_counters_end(name, largest):
    # Beyond them NumPy or TensorFlow refused, but only when fit was under way.
    assert getattr(Settings(**{name: largest}), name) == largest
    with pytest.raises(InputError, match=f"'{name}' is {largest + 1}; expected {largest} or less"):
        Settings(**{name: largest + 1})


@pytest.mark.parametrize(
    "value",
    [
        True, np.True_, "0.1", b"0.1", None, float("nan"), float("inf"), -float("inf"), 10**400,
        [0.1], 1 + 0j,
    ],
    ids=lambda value: repr(value)[:12],
)
def test_real_numbers_refuse_everything_else(value):
    for name in REAL:
        if value is None and name == "sample_learning_rate":
            continue  # that of every training
        pattern = rf"setting '{name}' is .*; expected a finite number"
        assert re.search(pattern, refusal_of(name, value), re.DOTALL)


def test_real_numbers_become_floats():
    values = {"solver_mu_max": 1e10, "component_share": 0, "trimmed_share": 0}
    for name in REAL:
        value = values.get(name, 2)
        for given in (value, np.float32(value), np.float64(value)):
            assert type(getattr(Settings(**{name: given}), name)) is float


def test_positive_settings_refuse_zero():
    for name, value in itertools.product(POSITIVE, (0, 0.0, -1e-3)):
        pattern = rf"setting '{name}' is .*; expected a number above 0"
        assert re.search(pattern, refusal_of(name, value))


def test_weights_may_be_zero_but_not_negative():
    for name in NOT_NEGATIVE:
        assert getattr(Settings(**{name: 0}), name) == 0
        assert f"setting '{name}' is -0.1; expected 0 or" in refusal_of(name, -0.1)


def test_the_penalty_factor_is_at_least_one():
    assert Settings(solver_rho=1).solver_rho == 1
    with pytest.raises(InputError, match=r"'solver_rho' is 0\.99; expected 1 or more"):
        Settings(solver_rho=0.99)


def test_the_largest_penalty_is_not_below_the_first():
    assert Settings(solver_mu=1.0, solver_mu_max=1.0).solver_mu_max == 1
    with pytest.raises(InputError, match=r"'solver_mu_max' is 0.5; expected at least 'solver_mu'"):
        Settings(solver_mu=1.0, solver_mu_max=0.5)


def test_resolve_validates_overrides():
    with pytest.raises(InputError, match="'lam' is -1"):
        resolve("release", lam=-1)


def test_every_setting_documents_itself():
    # The source of a choice is part of the setting: a string follows each field.

    body = next(
        node for node in ast.parse(inspect.getsource(settings_module)).body
        if isinstance(node, ast.ClassDef) and node.name == "Settings"
    ).body
    for field, following in itertools.pairwise(body):
        if isinstance(field, ast.AnnAssign):
            text = following.value if isinstance(following, ast.Expr) else None
            assert isinstance(text, ast.Constant), field.target.id
            assert isinstance(text.value, str)
