"""The SavedModel as a folder, and its endpoints where a batch matters to them."""

import os
import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from lren_tf import LREN, InputError, datasets
from lren_tf.model import forward_pass, saved_model

SCENE = datasets.simulate(12, 11, 20, seed=1)
PIXELS = SCENE.pixels.astype(np.float32)
SMALL = {"hidden_units": 16, "estimator_units": 8, "epochs": 2, "lam": 0.1}
"""With the λ of the presets these few pixels hardly bear on one another."""


@pytest.fixture(scope="module")
def model():
    model = LREN("release", **SMALL)
    model.fit(SCENE, verbose=0)
    return model


@pytest.fixture(scope="module")
def served(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("served") / "model"
    model.export(path)
    return tf.saved_model.load(path)


class TestEndpoints:
    def test_their_signatures(self, served):
        names = ["encode", "reconstruct", "responsibilities", "score"]
        assert sorted(served.signatures) == [*names, "serving_default"]
        for signature in served.signatures.values():
            assert signature.structured_input_signature[1] == {
                "pixels": tf.TensorSpec((None, 20), tf.float32, name="pixels")
            }

    def test_the_score_is_that_of_the_batch(self, model, served):
        np.testing.assert_allclose(served.score(PIXELS), model.score(PIXELS), rtol=1e-5)
        np.testing.assert_allclose(served.score(PIXELS[:50]), model.score(PIXELS[:50]), rtol=1e-5)
        alone, among = served.score(PIXELS[:50]), served.score(PIXELS)[:50]
        assert np.abs(alone - among).max() > 0.1 * np.max(among)

    @pytest.mark.parametrize("name", ["encode", "reconstruct", "responsibilities"])
    def test_the_others_treat_every_pixel_alone(self, name, served):
        whole = getattr(served, name)(PIXELS)
        np.testing.assert_allclose(getattr(served, name)(PIXELS[7:8])[0], whole[7], atol=1e-5)

    @pytest.mark.slow
    def test_long_batches_pass_the_network_in_parts(self, model, tmp_path, monkeypatch):
        # 132 pixels: two whole chunks and a short one.
        monkeypatch.setattr(forward_pass, "CHUNK", 50)
        model.export(tmp_path / "parts")
        parts = tf.saved_model.load(tmp_path / "parts")
        np.testing.assert_allclose(parts.score(PIXELS), model.score(PIXELS), rtol=1e-5)
        np.testing.assert_allclose(
            parts.reconstruct(PIXELS), model(PIXELS)["reconstruction"], rtol=1e-5, atol=1e-5
        )

    def test_no_pixels_have_no_scores(self, served):
        assert served.score(PIXELS[:0]).shape == (0,)

    def test_nan_is_refused_and_not_spread(self, served):
        pixels = PIXELS.copy()
        pixels[3, 4] = np.nan
        with pytest.raises(tf.errors.InvalidArgumentError, match="pixels hold NaN or infinity"):
            served.score(pixels)


class TestEnergy:
    """The energy of ``robust``: a background that is fixed, and neighbours."""

    CHOSEN = types.MappingProxyType(
        {"hidden_units": 16, "estimator_units": 8, "epochs": 2, "members": 2, "components": 3,
         "evidence": ("spectrum",)}
    )  # fmt: skip

    def assert_same(self, got, expected):
        # These scores pass through zero, where nothing is relative to them.
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5 * np.abs(expected).max())

    def served(self, path, data=SCENE, **settings):
        model = LREN("robust", **self.CHOSEN, **settings)
        model.fit(data, verbose=0)
        model.export(path)
        return model, tf.saved_model.load(path)

    def test_an_image(self, tmp_path):
        model, served = self.served(tmp_path / "model")
        image = SCENE.cube.astype(np.float32)
        # The Gaussian is longer than the sides of the last two, and is cut as in the model.
        for part in (image, image[:2, :5], image[4:7, 3:4]):
            self.assert_same(served.score(part), model.score(part))
        network = model(PIXELS)
        assert served.encode(PIXELS).shape == (132, 2 * 9)
        assert served.responsibilities(PIXELS).shape == (132, 2 * 3)
        for name, output in (
            ("encode", "latent"), ("reconstruct", "reconstruction"),
            ("responsibilities", "assignments"),
        ):  # fmt: skip
            np.testing.assert_allclose(getattr(served, name)(PIXELS), network[output], atol=1e-5)

    @pytest.mark.slow
    @pytest.mark.parametrize("kind", ["table", "no neighbourhood"])
    def test_pixels_alone(self, kind, tmp_path):
        model, served = (
            self.served(tmp_path / "model", SCENE.pixels)
            if kind == "table"
            else self.served(tmp_path / "model", neighbourhood=0)
        )
        whole = served.score(PIXELS)
        self.assert_same(whole, model.score(PIXELS))
        self.assert_same(served.score(PIXELS[7:8]), whole[7:8])


class TestFolder:
    @pytest.mark.slow
    def test_a_saved_model_is_replaced(self, model, tmp_path):
        other = LREN("release", **SMALL)
        other.fit(SCENE.cube[:, :, :9], verbose=0)
        other.export(tmp_path / "model")
        model.export(tmp_path / "model")
        assert tf.saved_model.load(tmp_path / "model").score(PIXELS).shape == (132,)
        assert os.listdir(tmp_path) == ["model"]

    @pytest.mark.slow
    def test_a_failure_leaves_the_earlier_one(self, model, tmp_path, monkeypatch):
        model.export(tmp_path / "model")
        before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}

        def fail(*arguments, **options):
            raise OSError("no space left")

        monkeypatch.setattr(tf.saved_model, "save", fail)
        with pytest.raises(OSError, match="no space left"):
            model.export(tmp_path / "model")
        assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before
        assert os.listdir(tmp_path) == ["model"]

    @pytest.mark.slow
    def test_an_empty_folder_is_taken(self, model, tmp_path):
        (tmp_path / "empty").mkdir()
        model.export(tmp_path / "empty")
        assert saved_model.is_saved_model(tmp_path / "empty")

    @pytest.mark.parametrize(
        ("made", "said"),
        [
            ("file", "is a file; expected a folder"),
            ("other", "is not empty and not a SavedModel"),
            ("mixed", "holds 'thesis.txt' beside a SavedModel, which would be lost"),
        ],
    )
    def test_what_would_be_lost_is_refused(self, made, said, model, tmp_path):
        target = tmp_path / "target"
        if made == "file":
            target.write_text("x")
        else:
            target.mkdir()
            (target / "thesis.txt").write_text("x")
        if made == "mixed":
            (target / "saved_model.pb").write_text("x")
            (target / "variables").mkdir()
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(InputError, match=said):
            model.export(target)
        assert sorted(tmp_path.rglob("*")) == before


def test_other_formats_are_those_of_keras(model, monkeypatch):
    asked = {}
    monkeypatch.setattr(
        keras.Model, "export", lambda self, path, **options: asked.update(options, path=path)
    )
    model.export("a.onnx", format="onnx", opset_version=18)
    (signature,) = asked.pop("input_signature")
    assert signature.shape == (None, 20)
    assert asked == {"path": "a.onnx", "format": "onnx", "verbose": False, "opset_version": 18}
