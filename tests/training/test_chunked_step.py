"""A step a chunk at a time is the step at once: gradients, weights, scores, callbacks."""

import numpy as np
import pytest
import tensorflow as tf

from lren_tf import LREN, InputError, Scene, TrainingDiverged
from lren_tf.datasets import simulate
from lren_tf.runtime.workers import Workers
from lren_tf.training.batches import batch_rows
from lren_tf.training.chunked_step import ChunkedStep
from lren_tf.training.losses import density_losses, joint_losses, mapping_losses
from tests.covering import cover
from tests.training.networks import PIXELS, SMALL, Rows, network, several

SCENE = simulate(12, 11, 20, seed=1)
TOLERANCE = {"float32": 1e-5, "float64": 1e-10}
CHUNKS = (7, 20, 61)  # the first two leave a ragged last one
KINDS = {"joint": joint_losses, "mapping": mapping_losses, "density": density_losses}
def chunked(net, rows, kind, chunk):
    """Terms, gradients and mixture of a step."""
    step = ChunkedStep(lambda: net, None, rows, batch_rows(PIXELS, None, 0), Workers(), chunk)
    return step.gradients(0, kind)


class TestGradients:
    @pytest.mark.parametrize(
        ("dtype", "kind", "chunk"), cover(TOLERANCE, KINDS, CHUNKS, strength=1)
    )
    def test_those_of_the_step_at_once(self, dtype, kind, chunk):
        tolerance = TOLERANCE[dtype]
        rows, net = Rows(dtype), network(dtype)
        terms, gradients, _ = chunked(net, rows, kind, chunk)
        expected = KINDS[kind](net, tf.constant(rows.all))
        assert len(gradients) == len(expected.gradients)
        for got, want in zip(gradients, expected.gradients, strict=True):
            error = np.abs(got - want).max() / np.abs(want).max()
            assert error < tolerance, error
        np.testing.assert_allclose(terms[0], expected.terms.reconstruction, rtol=tolerance)
        if kind != "mapping":
            np.testing.assert_allclose(terms[1], expected.terms.energy, rtol=tolerance)
            np.testing.assert_allclose(
                terms[2], expected.terms.covariance_penalty, rtol=tolerance
            )

    @pytest.mark.parametrize("kind", KINDS)
    def test_of_a_tanh_latent_layer(self, kind):
        rows, net = Rows("float64"), network("float64", "tanh")
        _, gradients, _ = chunked(net, rows, kind, 20)
        expected = KINDS[kind](net, tf.constant(rows.all))
        for got, want in zip(gradients, expected.gradients, strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-11)

    @pytest.mark.parametrize("kind", KINDS)
    def test_of_several_networks(self, kind):
        rows = Rows("float64")
        net = several([network("float64", seed=seed) for seed in (1, 2)])
        terms, gradients, _ = chunked(net, rows, kind, 20)
        expected = KINDS[kind](net, tf.constant(rows.all))
        for got, want in zip(gradients, expected.gradients, strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-11)
        for got, want in zip(terms, expected.terms[1:], strict=True):
            if got is not None:
                np.testing.assert_allclose(got, want, rtol=1e-10)

    def test_an_empty_component_stays_out(self):
        net = network("float64")
        net.estimator[-1].assign([0.0, 0.0, -1e4])  # bias of the softmax
        _, gradients, mixture = chunked(net, Rows("float64"), "joint", 20)
        assert mixture.alive.numpy().tolist() == [True, True, False]
        expected = joint_losses(net, tf.constant(Rows("float64").all))
        for got, want in zip(gradients, expected.gradients, strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-11)


def trained(preset, data=SCENE, epochs=50, chunk=None, monkeypatch=None, **options):
    if chunk is not None:
        monkeypatch.setattr("lren_tf.training.feed.CHUNK", chunk)
        options["memory_limit"] = 1
    model = LREN(preset, **SMALL, latent_units=4, components=3, **options)
    history = model.fit(data, epochs=epochs, verbose=0)
    return model, history.history


class TestTraining:
    @pytest.mark.parametrize(
        ("together", "settings"),
        [
            pytest.param(2, {}, marks=pytest.mark.long),
            # As many as an epoch has, more than it has, and of the parts of a separate training.
            *(
                pytest.param(n, settings, marks=pytest.mark.long)
                for n, settings in [(3, {}), (7, {}), (2, {"training": "separate"})]
            ),
        ],
    )
    def test_several_steps_per_execution_are_the_same_steps(
        self, together, settings, monkeypatch
    ):
        monkeypatch.setattr("lren_tf.training.feed.CHUNK", 40)
        found = []
        for n in (1, together):
            model = LREN("release", **SMALL, memory_limit=1, **{"batch_size": 50, **settings})
            model.compile(steps_per_execution=n)
            history = model.fit(SCENE, epochs=2, verbose=0)
            assert int(model.optimizer.iterations) == 2 * 3  # of the last part
            found.append((history.history, model.get_weights()))
        (one, weights), (other, others) = found
        for name in one:
            np.testing.assert_allclose(one[name], other[name], rtol=1e-6)
        for first, second in zip(weights, others, strict=True):
            np.testing.assert_array_equal(first, second)

    @pytest.mark.slow
    @pytest.mark.parametrize("chunk", [40, 50, 132])
    def test_50_steps_end_in_the_same_weights(self, chunk, monkeypatch):
        # At the paper's rate weights hardly move in 50 steps of 132 pixels.
        whole, expected = trained("paper", learning_rate=1e-3)
        model, history = trained(
            "paper", learning_rate=1e-3, chunk=chunk, monkeypatch=monkeypatch
        )
        moved = 0.0
        start = LREN("paper", **SMALL, latent_units=4, components=3)
        start.build((None, SCENE.bands))
        for got, want, first in zip(
            model.trainable_variables, whole.trainable_variables,
            start.trainable_variables, strict=True,
        ):  # fmt: skip
            np.testing.assert_allclose(got.numpy(), want.numpy(), atol=1e-4)
            moved = max(moved, np.abs(got.numpy() - first.numpy()).max())
        assert moved > 0.01  # a hundred times the tolerance
        for name in expected:
            np.testing.assert_allclose(history[name], expected[name], rtol=1e-3)
        np.testing.assert_allclose(model.score(SCENE), whole.score(SCENE), rtol=0.02, atol=1e-3)

    @pytest.mark.parametrize(
        ("preset", "settings"),
        [
            # Batches longer than a chunk.
            pytest.param("release", {"batch_size": 50}, marks=pytest.mark.slow),
            # Batches that fit.
            pytest.param("robust", {"members": 2, "batch_size": 30}, marks=pytest.mark.slow),
            ("robust", {"members": 2, "batch_size": 100}),
            ("paper", {"training": "separate"}),
        ],
    )
    def test_every_kind_of_training(self, preset, settings, monkeypatch):
        whole, expected = trained(preset, epochs=3, **settings)
        model, history = trained(preset, epochs=3, chunk=40, monkeypatch=monkeypatch, **settings)
        for got, want in zip(model.trainable_variables, whole.trainable_variables, strict=True):
            np.testing.assert_allclose(got.numpy(), want.numpy(), atol=2e-4)
        for name in expected:
            np.testing.assert_allclose(history[name], expected[name], rtol=1e-3, atol=1e-4)

    @pytest.mark.slow
    def test_a_scene_in_a_file_with_holes_and_bad_bands(self, tmp_path, monkeypatch):
        values = np.round(SCENE.cube * 1e4).astype(">i2").transpose(0, 2, 1)
        values.tofile(tmp_path / "bil")
        mapped = np.memmap(tmp_path / "bil", ">i2", "r", shape=values.shape).transpose(0, 2, 1)
        about = {
            "valid": np.arange(132).reshape(12, 11) % 7 != 3,
            "good_bands": np.arange(20) != 4,
        }
        held = Scene(np.array(mapped), **about)
        whole, _ = trained("robust", held, epochs=3, members=2)
        model, _ = trained(
            "robust", Scene(mapped, **about), 3, 40, monkeypatch, members=2, batch_size=100
        )
        other, _ = trained("robust", held, 3, members=2, batch_size=100)
        assert "pixels" not in vars(Scene(mapped, **about))  # nothing copied
        np.testing.assert_allclose(
            model.score(held), other.score(held), rtol=1e-2, atol=1e-2, equal_nan=True
        )
        assert np.isnan(whole.score(held)).sum() == np.isnan(model.score(held)).sum() > 0

    @pytest.mark.slow
    def test_callbacks_and_resuming(self, tmp_path, monkeypatch):
        uninterrupted, _ = trained("paper", epochs=6, chunk=40, monkeypatch=monkeypatch)

        class Stop(tf.keras.callbacks.Callback):
            def on_epoch_end(self, epoch, logs=None):
                if epoch == 2:
                    raise KeyboardInterrupt

        options = {"memory_limit": 1, "latent_units": 4, "components": 3}
        with pytest.raises(KeyboardInterrupt):
            LREN("paper", **SMALL, **options).fit(
                SCENE, epochs=6, verbose=0, callbacks=[Stop()], resume=tmp_path / "a"
            )
        model = LREN("paper", **SMALL, **options)
        model.fit(SCENE, epochs=6, verbose=0, resume=tmp_path / "a")
        np.testing.assert_array_equal(model.score(SCENE), uninterrupted.score(SCENE))

    def test_divergence_names_the_component(self, monkeypatch):
        with pytest.raises(TrainingDiverged, match="epoch"):
            trained(
                "paper", chunk=40, monkeypatch=monkeypatch, learning_rate=1e30, optimizer="sgd"
            )

    @pytest.mark.slow
    def test_a_second_fit_can_hold_everything(self, monkeypatch):
        model, _ = trained("paper", epochs=2, chunk=40, monkeypatch=monkeypatch)
        model.memory_limit = None
        model.fit(SCENE, epochs=2, verbose=0)
        assert np.isfinite(model.score(SCENE)).all()


def test_what_is_no_size_or_strategy():
    with pytest.raises(InputError, match="memory_limit is 'much'; expected a size such as 2GiB"):
        LREN(memory_limit="much")
    with pytest.raises(InputError, match="strategy is str; expected a MirroredStrategy"):
        LREN(strategy="mirrored")
