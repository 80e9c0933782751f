"""LREN as a detector: its settings, and that it is the model."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys

import numpy as np
import pytest

from lren_tf import detectors
from lren_tf.datasets.simulation import simulate
from lren_tf.detectors.lren import LREN
from lren_tf.errors import InputError


def test_it_scores_as_the_model_does() -> None:
    from lren_tf.model import lren

    scene = simulate(20, 22, 24, seed=1)
    settings = {"epochs": 2, "hidden_units": 8, "score_norm": "l1"}
    network = lren.LREN("release", seed=5, device="/CPU:0", **settings)
    network.fit(scene, verbose=0)
    detector = LREN("release", seed=5, settings=settings, device="/CPU:0")
    np.testing.assert_array_equal(detector.score(scene), network.score(scene))
    other = LREN("release", seed=6, settings=settings, device="/CPU:0")
    assert not np.array_equal(other.score(scene), detector.score(scene))


def test_the_configuration_is_plain_and_makes_it_again() -> None:
    detector = LREN("release", 7, {"epochs": 3, "batch_size": None}, "/CPU:0")
    config = detector.get_config()
    assert config == {
        "preset": "release",
        "seed": 7,
        "settings": {"batch_size": None, "epochs": 3},
        "device": "/CPU:0",
    }
    assert detectors.create("lren", **json.loads(json.dumps(config))) == detector


def test_equal_settings_make_equal_detectors() -> None:
    one = LREN(settings={"epochs": 3, "ridge": 1})
    same = LREN(settings={"ridge": 1.0, "epochs": 3.0})
    assert one == same and hash(one) == hash(same)
    assert one != LREN(settings={"epochs": 4, "ridge": 1})
    assert one != LREN(settings={"epochs": 3, "ridge": 1}, seed=1)
    assert pickle.loads(pickle.dumps(one)) == copy.deepcopy(one) == one


def test_the_settings_cannot_be_changed_from_outside() -> None:
    given = {"epochs": 3}
    detector = LREN(settings=given)
    given["epochs"] = 4
    detector.get_config()["settings"]["epochs"] = 5
    assert detector == LREN(settings={"epochs": 3})
    with pytest.raises(TypeError):
        detector.settings["epochs"] = 6  # type: ignore[index]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"preset": "papers"}, "preset 'papers' is unknown; expected one of paper, release"),
        ({"preset": None}, "preset None is unknown"),
        ({"settings": {"epoch": 3}}, "'epoch' is unknown; .* mean 'epochs'"),
        ({"settings": {"epochs": 0}}, "'epochs' is 0; expected 1 or more"),
        ({"settings": {"seed": 1}}, "'seed' is among 'settings'; expected it beside them"),
        ({"settings": 3}, "'settings' is 3; expected a mapping"),
        ({"settings": {3: 3}}, "'settings' is {3: 3}; expected a mapping"),
        ({"settings": None}, "'settings' is None; expected a mapping"),
        ({"seed": -1}, "'seed' is -1; expected 0 or more"),
        ({"seed": None}, "'seed' is None; expected a whole number"),
        ({"device": 0}, "'device' is 0; expected a name such as /CPU:0"),
    ],
)
def test_bad_settings_are_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        LREN(**arguments)  # type: ignore[arg-type]


def test_an_unknown_device_is_refused() -> None:
    with pytest.raises(InputError, match="device 'tpu' is unknown"):
        LREN(device="tpu").score(simulate(20, 20, 10, seed=1).cube)


def test_tensorflow_is_not_imported_before_it_is_needed() -> None:
    program = (
        "import sys; from lren_tf import detectors; "
        "detectors.create('lren').get_config(); "
        "sys.exit('tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize(
    ("detector", "calibrated"),
    [
        (detectors.create("lren"), True),
        (detectors.create("lren", settings={"evidence": ("spectrum",)}), False),
        (detectors.create("lren", preset="release"), False),
        (detectors.create("rx"), False),
    ],
)
def test_scores_made_of_evidence_are_calibrated(detector, calibrated: bool) -> None:
    assert detector.calibrated is calibrated
