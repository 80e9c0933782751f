"""The preset ``robust`` scored by its evidence: one state for fit, files, exports and scenes."""

from __future__ import annotations

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from lren_tf import LREN, InputError, Scene, datasets, metrics
from lren_tf.evidence.calibration import calibration, decades
from lren_tf.evidence.fusion import WEIGHTS
from lren_tf.records import scoring_record
from lren_tf.settings import EVIDENCE

SMALL = {"hidden_units": 16, "estimator_units": 8, "epochs": 4, "members": 2}
SCENE = datasets.simulate(22, 19, 20, seed=1)
OTHER = datasets.simulate(17, 24, 20, seed=5)


@functools.cache
def fitted(data=SCENE, **settings):
    model = LREN("robust", device="/CPU:0", **{**SMALL, **settings})
    model.fit(data, verbose=0)
    return model


@functools.cache
def fitted_on_a_table():
    model = LREN("robust", device="/CPU:0", **SMALL)
    with pytest.warns(UserWarning, match="a table has no neighbours.*'spectrum' alone"):
        model.fit(SCENE.pixels, verbose=0)
    return model


def test_the_preset_has_all_evidence_and_the_others_none():
    assert fitted().settings.evidence == EVIDENCE and fitted().settings.fuses_evidence
    for preset in ("paper", "release"):
        assert not LREN(preset, device="/CPU:0").settings.fuses_evidence
    assert not hasattr(fitted().members[1], "evidence_state")


def test_the_score_is_the_share_that_scores_higher():
    score = fitted().score(SCENE)
    assert score.shape == (22, 19) and score.dtype == np.float32 and np.isfinite(score).all()
    assert len(np.unique(score)) == score.size
    for rate in (0.5, 0.2, 0.1):
        assert (score > -np.log10(rate)).mean() == pytest.approx(rate, abs=0.01)


def test_every_evidence_has_a_map_in_decades():
    evidence = fitted().evidence(SCENE)
    assert tuple(evidence) == EVIDENCE
    for values in evidence.values():
        assert values.shape == (22, 19) and values.dtype == np.float32
        assert (values > 1).mean() == pytest.approx(0.1, abs=0.01)
    energy = fitted().member_scores(SCENE).mean(axis=0).astype(np.float64).ravel()
    expected = decades(energy, calibration(energy)).numpy().reshape(22, 19)
    np.testing.assert_allclose(evidence["spectrum"], expected, rtol=1e-4, atol=1e-5)


def test_the_spectrum_alone_is_the_energy_as_it_is():
    energy = fitted(evidence=("spectrum",))
    np.testing.assert_array_equal(
        energy.score(SCENE), fitted().with_settings(SCENE, evidence="spectrum").score(SCENE)
    )
    np.testing.assert_array_equal(energy.member_scores(SCENE), fitted().member_scores(SCENE))
    assert energy.score(SCENE).min() < 0
    with pytest.raises(InputError, match="energy as it is, not by evidence"):
        energy.evidence(SCENE)
    with pytest.raises(InputError, match="not calibrated"):
        energy.score(SCENE, recalibrate=True)


def test_evidence_can_be_chosen_after_the_training():
    for evidence in (("structure",), ("spectrum", "surroundings")):
        chosen = fitted().with_settings(SCENE, evidence=evidence)
        assert tuple(chosen.evidence(SCENE)) == evidence
        np.testing.assert_array_equal(
            chosen.score(SCENE), fitted(evidence=evidence).score(SCENE)
        )
    energy = fitted(evidence=("spectrum",))
    back = energy.with_settings(SCENE, evidence=EVIDENCE)
    np.testing.assert_array_equal(back.score(SCENE), fitted().score(SCENE))
    residual = LREN("paper", device="/CPU:0", hidden_units=8, epochs=1)
    residual.fit(SCENE, verbose=0)
    with pytest.raises(InputError, match="not by evidence"):
        residual.evidence(SCENE)
    with pytest.raises(InputError, match="not calibrated"):
        residual.score(SCENE, recalibrate=True)
    fused = residual.with_settings(SCENE, scoring="energy", evidence=EVIDENCE)
    assert np.isfinite(fused.score(SCENE)).all()


def test_a_model_from_a_file_scores_to_the_bit(tmp_path):
    fitted().save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    assert loaded.settings == fitted().settings
    for scene in (SCENE, OTHER):
        np.testing.assert_array_equal(loaded.score(scene), fitted().score(scene))
    np.testing.assert_array_equal(
        loaded.score(OTHER, recalibrate=True), fitted().score(OTHER, recalibrate=True)
    )


def served(folder, endpoint, pixels):
    loaded = tf.saved_model.load(folder)
    found = loaded.signatures[endpoint](pixels=tf.constant(pixels, tf.float32))
    return {name: values.numpy() for name, values in found.items()}


@pytest.mark.parametrize("kind", ["image", "table"])
def test_a_saved_model_scores_as_the_model(tmp_path, kind):
    model = fitted() if kind == "image" else fitted_on_a_table()
    model.export(tmp_path / "m")
    for scene in (SCENE, OTHER):
        data = scene.cube if kind == "image" else scene.pixels
        (score,) = served(str(tmp_path / "m"), "score", data).values()
        expected = model.score(data)
        np.testing.assert_allclose(score, expected, rtol=1e-5, atol=1e-5 * expected.max())
        evidence, expected = served(str(tmp_path / "m"), "evidence", data), model.evidence(data)
        assert sorted(evidence) == sorted(expected)
        for name, values in expected.items():
            np.testing.assert_allclose(evidence[name], values, atol=1e-5 * values.max())


def test_another_scene_is_compared_with_the_first_unless_recalibrated():
    stored, own = fitted().scored(OTHER), fitted().scored(OTHER, recalibrate=True)
    assert np.isfinite(stored.values).all() and not np.allclose(stored.values, own.values)
    assert (own.values > 1).mean() == pytest.approx(0.1, abs=0.01)
    assert not stored.details.recalibrated and own.details.recalibrated
    same = fitted().scored(SCENE, recalibrate=True)
    np.testing.assert_allclose(same.values, fitted().score(SCENE), atol=1e-6)
    with pytest.raises(InputError, match=r"lam is 0\.1"):
        fitted().score(SCENE, lam=0.1)


def test_a_report_says_which_calibration_was_used():
    record = scoring_record(fitted(), fitted().scored(OTHER, recalibrate=True).details)
    assert record["evidence"]["calibrated_on"] == "scored scene"
    assert record["evidence"]["weights"] == WEIGHTS
    assert set(record["evidence"]["calibrations"]) == {*EVIDENCE, "total"}
    record = scoring_record(fitted(), fitted().scored(OTHER).details)
    assert record["evidence"]["calibrated_on"] == "scene of the training"
    assert len(record["background"]) == 2


def test_a_table_is_scored_by_the_spectrum_alone():
    model = fitted_on_a_table()
    score = model.score(SCENE.pixels)
    assert score.shape == (22 * 19,) and np.isfinite(score).all()
    np.testing.assert_array_equal(score, model.evidence(SCENE.pixels)["spectrum"])
    assert not model.scores_images() and fitted().scores_images()


@pytest.mark.parametrize("neighbourhood", [0.0, 0.7])
def test_an_image_model_refuses_tables(neighbourhood):
    model = fitted(neighbourhood=neighbourhood)
    with pytest.raises(InputError, match="fitted on an image and is given a table"):
        model.score(SCENE.pixels)


@pytest.mark.parametrize("shape", [(1, 300, 20), (300, 1, 20)])
def test_images_one_pixel_wide_are_scored(shape, tmp_path):
    cube = SCENE.cube.reshape(-1, 20)[:300].reshape(shape)
    model = LREN("robust", device="/CPU:0", **SMALL)
    model.fit(cube, verbose=0)
    score = model.score(cube)
    assert score.shape == shape[:2] and np.isfinite(score).all()


def test_pixels_without_data_change_nothing_and_come_out_as_nan():
    valid = np.ones((22, 19), bool)
    valid[:3, :4] = valid[12, 12] = False
    scores = []
    for filler in (0, 1e6):
        cube = np.where(valid[..., None], SCENE.cube, np.float32(filler))
        model = LREN("robust", device="/CPU:0", **SMALL)
        model.fit(Scene(cube, valid=valid), verbose=0)
        evidence = model.evidence(Scene(cube, valid=valid))
        assert all((np.isnan(values) == ~valid).all() for values in evidence.values())
        scores.append(model.score(Scene(cube, valid=valid)))
    assert (np.isnan(scores[0]) == ~valid).all()
    np.testing.assert_array_equal(scores[0], scores[1])


def test_a_resumed_training_has_the_same_evidence(tmp_path):
    model = LREN("robust", device="/CPU:0", **SMALL)
    model.fit(SCENE, epochs=2, verbose=0, resume=tmp_path)
    again = LREN("robust", device="/CPU:0", **SMALL)
    again.fit(SCENE, epochs=2, verbose=0, resume=tmp_path)
    np.testing.assert_array_equal(again.score(SCENE), model.score(SCENE))


def test_a_new_training_forgets_the_reference_until_it_ends():
    model = LREN("robust", device="/CPU:0", **SMALL)
    model.fit(SCENE, verbose=0)

    def interrupt(epoch, logs):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model.fit(SCENE, verbose=0, callbacks=[keras.callbacks.LambdaCallback(
            on_epoch_end=interrupt)])  # fmt: skip
    assert not model.fitted and not model.evidence_state.stored


@pytest.mark.parametrize("given", ["colour", (), ["spectrum", "smell"], 3, None])
def test_other_evidence_is_refused(given):
    with pytest.raises(InputError, match=r"setting 'evidence'.*expected one or more of spectrum"):
        LREN("robust", evidence=given)


def test_evidence_is_text_a_list_or_a_tuple_in_any_order():
    for given in ("surroundings, spectrum", ["surroundings", "spectrum"]):
        model = LREN("robust", device="/CPU:0", evidence=given)
        assert model.settings.evidence == ("spectrum", "surroundings")


def test_it_finds_what_is_simulated():
    scene = datasets.simulate(40, 40, 30, seed=3)
    model = LREN("robust", device="/CPU:0", members=2, epochs=20, hidden_units=40)
    model.fit(scene, verbose=0)
    assert metrics.auc_pd_pf(model.score(scene), scene.truth) > 0.97
