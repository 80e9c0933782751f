"""The two scorings answer the same questions, and refuse what makes no sense for them."""

import functools

import numpy as np
import pytest

from lren_tf import LREN, InputError
from lren_tf.model.scoring import EnergyScoring, ResidualScoring, scoring_of
from lren_tf.runtime.workers import Workers
from tests.model.small_models import SCENE, SMALL, fitted

FEW = {"members": 2, "device": "/CPU:0", "evidence": ("spectrum",)}


@functools.cache
def energy_model(data="scene"):
    return fitted("robust", SCENE if data == "scene" else SCENE.pixels, 2, **FEW)


@functools.cache
def residual_model():
    return fitted("release", device="/CPU:0")


def scoring(model):
    return scoring_of(model, Workers())


def test_the_setting_chooses():
    assert isinstance(scoring(residual_model()), ResidualScoring)
    assert isinstance(scoring(energy_model()), EnergyScoring)


def test_scores_come_with_the_low_rank_step_where_there_is_one():
    model = residual_model()
    values, details = model.scored(SCENE, lam=0.03)
    np.testing.assert_array_equal(values, model.score(SCENE, lam=0.03))
    np.testing.assert_array_equal(details.A, model.decompose(SCENE, lam=0.03).A)
    np.testing.assert_array_equal(model.score_of(details).reshape(values.shape), values)
    values, details = energy_model().scored(SCENE)
    assert details is None and values.shape == (12, 11)
    np.testing.assert_array_equal(values, energy_model().score(SCENE))


def test_only_energies_of_an_image_need_the_image():
    assert not scoring(residual_model()).needs_image
    assert scoring(energy_model()).needs_image
    assert not scoring(energy_model("table")).needs_image
    assert energy_model().scores_images() and not energy_model("table").scores_images()


def test_what_makes_no_sense_is_refused():
    residual, energy = scoring(residual_model()), scoring(energy_model())
    residual.require_low_rank_step()
    energy.require_member_scores()
    with pytest.raises(InputError, match="has no low-rank step"):
        energy.require_low_rank_step()
    with pytest.raises(InputError, match="members have scores of their own"):
        residual.require_member_scores()
    with pytest.raises(InputError, match="keeps no background"):
        residual.backgrounds()
    assert len(energy.backgrounds()) == 2


def test_fitted_is_a_property_of_the_model():
    model = LREN("robust", **SMALL, **FEW)
    assert not model.fitted
    model.build((None, 20))
    assert not model.fitted
    assert energy_model().fitted and residual_model().fitted
