"""Contributions add up, and name the bands in which a target differs, not its neighbours'."""

from __future__ import annotations

import numpy as np
import pytest

from lren_tf import LREN, InputError, datasets, detectors, explain, find_detections
from lren_tf.data.scene import Scene
from lren_tf.detectors.parts.global_background import GlobalBackground
from lren_tf.detectors.rx import global_rx
from lren_tf.evaluation.detections import detection_labels
from lren_tf.evidence.fusion import WEIGHTS
from tests.explain.scenes import NEIGHBOUR_BANDS, TARGET_BANDS, known_bands
from tests.trained import SCENE

PLACES = [(3, 4), (10, 7), (0, 0), (11, 9)]


@pytest.fixture(scope="module")
def known():
    return known_bands()


def named_bands(explanations) -> int:
    """How many explanations have their three strongest bands among the targets'."""
    return sum(set(each.strongest()) <= set(TARGET_BANDS) for each in explanations)


def total(by, scene) -> np.ndarray:
    """Scores in double precision, before they are rounded to a float32 map."""
    return by._scores_of_valid(scene)


class TestMahalanobis:
    def test_sum_is_the_distance(self):
        rng = np.random.default_rng(0)
        x = rng.normal(size=(7, 5))
        A = rng.normal(size=(5, 5))
        C, m = A @ A.T + np.eye(5), rng.normal(size=5)
        parts = explain.mahalanobis(x, m, C)
        want = np.einsum("ij,jk,ik->i", x - m, np.linalg.inv(C), x - m)
        np.testing.assert_allclose(parts.sum(axis=1), want, rtol=1e-12)
        np.testing.assert_allclose(parts[2], (x[2] - m) * (np.linalg.inv(C) @ (x[2] - m)))
        np.testing.assert_allclose(explain.mahalanobis(x[2], m, C), parts[2])

    @pytest.mark.parametrize(
        ("x", "m", "C", "said"),
        [
            (np.zeros(3), np.zeros(4), np.eye(4), "expected [..., L], [L] and [L, L]"),
            (np.zeros(4), np.zeros(4), np.eye(3), "expected [..., L], [L] and [L, L]"),
            (np.zeros(2), np.zeros(2), np.ones((2, 2)), "not positive definite"),
            (np.zeros(2), np.zeros(2), np.full((2, 2), np.nan), "not positive definite"),
        ],
    )
    def test_refusals(self, x, m, C, said):
        with pytest.raises(InputError, match="expected") as refusal:
            explain.mahalanobis(x, m, C)
        assert said in str(refusal.value)

    @pytest.mark.parametrize("ridge", [0.0, 1e-4, 1e-2])
    @pytest.mark.parametrize("kind", ["plain", "units", "repeated", "constant", "few"])
    def test_global_background_adds_up_to_rx(self, kind, ridge):
        pixels = datasets.simulate(20, 18, 9, seed=2).pixels.astype(np.float64)
        if kind == "units":
            pixels *= np.logspace(-7, 7, 9)
        elif kind == "repeated":
            pixels = np.hstack([pixels, pixels[:, :2]])
        elif kind == "constant":
            pixels[:, 3] = 5.0
        elif kind == "few":
            pixels = pixels[:7]
        background = GlobalBackground.of(pixels, ridge)
        parts = background.contributions(pixels)
        np.testing.assert_allclose(parts.sum(axis=1), global_rx(pixels, ridge), rtol=1e-9)
        if kind == "constant":
            assert not parts[:, 3].any()
        centre, precision = background.precision()
        if kind == "plain":
            d = pixels - centre
            np.testing.assert_allclose(d * (d @ precision), parts, rtol=1e-6, atol=1e-9)

    def test_equal_pixels(self):
        background = GlobalBackground.of(np.ones((5, 3)))
        assert not background.contributions(np.ones(3)).any()

    @pytest.mark.parametrize(
        "by",
        [
            detectors.create("rx"), detectors.create("rx", ridge=1e-2),
            detectors.create("lrx", inner=3, outer=7),
            detectors.create("lrx", inner=1, outer=3),  # fewer pixels in a ring than bands
        ],
        ids=lambda by: f"{by.name}{by.get_config()}",
    )
    @pytest.mark.parametrize("gaps", [False, True])
    def test_contributions_add_up_to_the_score(self, by, gaps):
        scene = datasets.simulate(14, 12, 9, seed=2)
        if gaps:
            valid = np.ones((14, 12), bool)
            valid[5:7, 2:9] = False
            good = np.ones(9, bool)
            good[4] = False
            cube = np.where(valid[..., None], scene.cube, np.nan)
            cube[..., 4] = np.nan
            scene = Scene(cube, valid=valid, good_bands=good)
        score = np.full((14, 12), np.nan)
        score[np.ones((14, 12), bool) if scene.valid is None else scene.valid] = total(by, scene)
        found = explain.explain_pixels(by, scene, PLACES)
        for each in found:
            want = score[each.row, each.column]
            assert each.value == pytest.approx(want, rel=1e-9)
            assert np.nansum(each.bands) == pytest.approx(want, rel=1e-9)
            assert (each.baseline, each.completeness) == (0, 0)
            np.testing.assert_array_equal(np.flatnonzero(np.isnan(each.bands)), [4] if gaps else [])
        assert [(each.row, each.column) for each in found] == PLACES

    @pytest.mark.parametrize("seed", [0, 1])
    @pytest.mark.parametrize("name", ["rx", "lrx"])
    def test_names_the_bands_of_the_target(self, known, name, seed):
        settings = {"inner": 5, "outer": 11} if name == "lrx" else {}
        by = detectors.create(name, **settings)
        known = known if seed == 0 else known_bands(seed=seed)
        found = explain.explain_pixels(by, known.scene, known.places)
        assert named_bands(found) >= 9
        strongest = {band for each in found for band in each.strongest()}
        assert not strongest & set(NEIGHBOUR_BANDS)


class TestRefusals:
    @pytest.mark.parametrize("by", [detectors.create("crd"), detectors.create("lren"), "rx", None])
    def test_what_has_no_contributions(self, by):
        with pytest.raises(InputError, match="expected the detector rx or lrx") as refusal:
            explain.explain_pixels(by, SCENE, [(0, 0)])
        named = "LREN that trains" if getattr(by, "name", "") == "lren" else "no contributions"
        assert ("instead of the detector that trains one" in str(refusal.value)) == (
            named == "LREN that trains"
        )

    @pytest.mark.parametrize("place", [(-1, 0), (0, 10), (12, 0)])
    def test_pixels_outside(self, place):
        with pytest.raises(InputError, match="outside the image"):
            explain.explain_pixels(detectors.create("rx"), SCENE, [(0, 0), place])

    def test_pixels_without_data(self):
        valid = np.ones((12, 10), bool)
        valid[2, 3] = False
        scene = Scene(SCENE.cube, valid=valid)
        with pytest.raises(InputError, match="row 2, column 3 holds no data"):
            explain.explain_pixels(detectors.create("rx"), scene, [(2, 3)])

    def test_nothing_to_explain(self):
        assert explain.explain_pixels(detectors.create("rx"), SCENE, []) == []


class TestStrongest:
    def test_order_and_sign(self):
        assert explain.strongest_bands(np.array([1.0, -9.0, np.nan, 3.0, 2.0])) == [3, 4, 0]
        assert explain.strongest_bands(np.array([0.0, -1.0, np.nan])) == []

    def test_of_a_residual_by_magnitude(self):
        bands = np.array([1.0, -9.0, 3.0])
        made = explain.Explanation(0, 0, "decoded residual", "r", np.nan, np.nan, bands, np.nan)
        assert made.strongest(2) == [1, 2]


@pytest.fixture(scope="module")
def robust(trained_models):
    import keras

    return keras.models.load_model(trained_models / "robust.keras")


class TestLREN:
    def test_evidence_is_explained_completely(self, robust):
        score = robust.score(SCENE)
        detections = find_detections(score, float(np.quantile(score, 0.9)))
        at = [(each.peak_row, each.peak_column) for each in detections.listed]
        labels = detection_labels(detections)
        found = explain.explain_pixels(robust, SCENE, at, labels=labels)
        evidence = robust.evidence(SCENE)
        for each in found:
            spectrum, structure, around = (
                evidence[name][each.row, each.column]
                for name in ("spectrum", "structure", "surroundings")
            )
            # Window statistics, neighbours' weights and calibrations are computed twice.
            assert each.value == pytest.approx(WEIGHTS["spectrum"] * spectrum + around, rel=1e-4)
            error = abs(each.bands.sum() - (each.value - each.baseline))
            assert error == pytest.approx(each.completeness * abs(each.value - each.baseline))
            assert each.completeness < 0.02
            assert sum(each.evidence.values()) == pytest.approx(1)
            assert (each.evidence["structure"] > 0) == (structure > 0)

    @pytest.mark.slow
    def test_recalibrated_evidence(self, robust):
        other = datasets.simulate(14, 13, 8, seed=9)
        found = explain.explain_pixels(robust, other, [(3, 3), (7, 7)], recalibrate=True)
        evidence = robust.evidence(other, recalibrate=True)
        for each in found:
            here = {name: values[each.row, each.column] for name, values in evidence.items()}
            want = WEIGHTS["spectrum"] * here["spectrum"] + here["surroundings"]
            assert each.value == pytest.approx(want, rel=1e-4)

    @pytest.mark.slow
    def test_gaps_and_bands_left_out(self, robust):
        valid = np.ones((12, 10), bool)
        valid[4:6, 3:8] = False
        cube = np.where(valid[..., None], SCENE.cube, np.nan)
        scene = Scene(cube, valid=valid)
        labels = np.zeros((12, 10), int)
        labels[6:8, 4:6] = 1
        (each,) = explain.explain_pixels(robust, scene, [(6, 4)], labels=labels)
        evidence = robust.evidence(scene)
        want = WEIGHTS["spectrum"] * evidence["spectrum"][6, 4] + evidence["surroundings"][6, 4]
        assert each.value == pytest.approx(want, rel=1e-4)
        assert each.completeness < 0.02

    @pytest.mark.slow
    def test_energy_alone(self):
        model = LREN(
            "robust", device="/CPU:0", members=2, evidence=("spectrum",), epochs=2, components=3,
            neighbourhood=0,
        )  # fmt: skip
        model.fit(SCENE, verbose=0)
        found = explain.explain_pixels(model, SCENE, PLACES)
        score = model.score(SCENE)
        spectrum = model.evidence(SCENE)["spectrum"] if model.settings.fuses_evidence else score
        for each in found:
            assert each.completeness < 0.02
            weight = WEIGHTS["spectrum"] if model.settings.fuses_evidence else 1.0
            assert each.value == pytest.approx(weight * spectrum[each.row, each.column], rel=1e-4)

    def test_residual_is_decoded(self, trained_models):
        import keras

        model = keras.models.load_model(trained_models / "release.keras")
        found = explain.explain_pixels(model, SCENE, PLACES)
        A = model.decompose(SCENE).A
        places = [row * 10 + column for row, column in PLACES]
        outputs = model(SCENE.pixels[places])
        latent = outputs["latent"].numpy() - A[places]
        decoded = model.decoder_output(model.decoder_hidden(latent))
        without = model.scaler_state.in_sensor_units(decoded, SCENE.pixels[places]).numpy()
        for each, whole, rest in zip(
            found, outputs["reconstruction"].numpy(), without, strict=True
        ):
            assert each.method == "decoded residual"
            np.testing.assert_allclose(each.bands, whole - rest, atol=1e-5)


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, 2])
def test_lren_names_the_bands_of_the_target(seed):
    known = known_bands(seed=seed)
    model = LREN("robust", device="/CPU:0")
    model.fit(known.scene, verbose=0)
    labels = detection_labels(known.detections)
    found = explain.explain_pixels(model, known.scene, known.places, labels=labels)
    assert named_bands(found) >= 9
    assert sum(each.completeness <= 0.02 for each in found) >= 0.95 * len(found)


class TestSpectra:
    def test_of_every_detection(self, known):
        found = explain.detection_spectra(known.scene, known.detections)
        truth = known.scene.truth
        for each, detection in zip(found, known.detections.listed, strict=True):
            own = detection_labels(known.detections) == detection.label
            assert each.label == detection.label
            np.testing.assert_array_equal(
                each.peak, known.scene.cube[detection.peak_row, detection.peak_column]
            )
            np.testing.assert_allclose(each.mean, known.scene.cube[own].mean(axis=0), rtol=1e-6)
            rows, columns = np.mgrid[: truth.shape[0], : truth.shape[1]]
            away = np.stack([
                np.maximum(detection.first_row - rows, rows - detection.last_row),
                np.maximum(detection.first_column - columns, columns - detection.last_column),
            ]).max(axis=0)  # fmt: skip
            ring = (away >= 2) & (away <= 4) & ~truth
            assert each.ring_pixels == ring.sum()
            np.testing.assert_allclose(each.ring, known.scene.cube[ring].mean(axis=0), rtol=1e-6)
            assert not truth[each.nearest_row, each.nearest_column]
            distance = np.square(each.nearest - each.peak).sum()
            assert distance < np.square(each.component_mean - each.peak).sum()
            assert (each.component_low <= each.component_mean).all()
            assert (each.component_mean <= each.component_high).all()

    def test_bands_and_pixels_left_out(self):
        valid, good = np.ones((12, 10), bool), np.ones(8, bool)
        valid[:, :4] = False
        good[2] = False
        scene = Scene(np.where(valid[..., None], SCENE.cube, np.nan), valid=valid, good_bands=good)
        score = np.where(valid, 0.0, np.nan)
        score[6, 4] = 1.0
        (each,) = explain.detection_spectra(scene, find_detections(score, 0.5))
        for spectrum in (each.peak, each.mean, each.ring, each.component_low, each.nearest):
            np.testing.assert_array_equal(np.flatnonzero(np.isnan(spectrum)), [2])
        assert each.nearest_column >= 4

    def test_without_a_ring(self):
        score = np.ones((12, 10))
        score[0, 0] = 0
        (each,) = explain.detection_spectra(SCENE, find_detections(score, 0.5))
        assert each.ring is None and each.ring_pixels == 0
        assert (each.nearest_row, each.nearest_column) == (0, 0)

    def test_no_background(self):
        with pytest.raises(InputError, match="no pixel outside the detections"):
            explain.detection_spectra(SCENE, find_detections(np.ones((12, 10)), 0.5))

    def test_nothing_detected(self):
        assert explain.detection_spectra(SCENE, find_detections(np.zeros((12, 10)), 0.5)) == []

    def test_groups_of_a_model(self, robust):
        background = explain.spectral_background(SCENE, model=robust)
        beta = robust(SCENE.pixels)["assignments"].numpy()[:, : robust.settings.components]
        assert len(background.means) <= robust.settings.components
        for number, mean in enumerate(background.means):
            own = background.group == number
            if own.sum() == (beta.argmax(axis=1) == beta[own][0].argmax()).sum():
                np.testing.assert_allclose(mean, background.spectra[own].mean(axis=0))
