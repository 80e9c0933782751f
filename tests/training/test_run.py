"""The training of a model: the optimisers' formulas, and what a call of fit is checked for."""

import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from lren_tf import InputError, presets
from lren_tf.data.pixel_matrix import PixelMatrix
from lren_tf.runtime.workers import Workers
from lren_tf.training.optimizer import make_optimizer
from lren_tf.training.run import TrainingRun


def run(optimizer, start, gradients):
    variable = keras.Variable(start, dtype="float32")
    optimizer.build([variable])
    for gradient in gradients:
        optimizer.apply([tf.constant(gradient, tf.float32)], [variable])
    return variable.numpy()


class TestOptimizer:
    # Entries whose √v is far above, near and far below ε = 1e-8.
    GRADIENTS = np.array([[1.0, 1e-6, 1e-7, -1e-8], [2.0, -1e-6, 3e-7, 1e-9], [-1.0, 0, 0, 0]])

    def adam(self, outside, epsilon=1e-8, rate=1e-4):
        """Adam with ε added to √v (TensorFlow 1) or to √v̂ (the paper of Adam)."""
        w, m, v = np.zeros((3, 4))
        for t, g in enumerate(self.GRADIENTS, start=1):
            m = 0.9 * m + 0.1 * g
            v = 0.999 * v + 0.001 * g**2
            if outside:
                w -= rate * np.sqrt(1 - 0.999**t) / (1 - 0.9**t) * m / (np.sqrt(v) + epsilon)
            else:
                w -= rate * m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + epsilon)
        return w

    def test_adam_places_epsilon_as_tensorflow_1_does(self):
        got = run(make_optimizer(presets.RELEASE), np.zeros(4), self.GRADIENTS)
        np.testing.assert_allclose(got, self.adam(outside=True), rtol=2e-4)
        # The other placement is far off where √v is small: the test can tell them apart.
        assert abs(self.adam(outside=False)[3] / got[3]) > 2

    def test_sgd_is_plain(self):
        optimizer = make_optimizer(presets.PAPER)
        got = run(optimizer, np.ones(4), self.GRADIENTS)
        np.testing.assert_allclose(got, 1 - 1e-4 * self.GRADIENTS.sum(axis=0), rtol=1e-6)
        assert not optimizer.momentum

    @pytest.mark.parametrize("name", ["paper", "release"])
    def test_the_learning_rate_is_the_setting(self, name):
        optimizer = make_optimizer(presets.resolve(name, learning_rate=0.25))
        assert float(optimizer.learning_rate) == 0.25
        assert not optimizer.weight_decay
        assert not optimizer.use_ema


class TestSettingsOfFit:
    def run(self, **settings):
        return TrainingRun(keras.Model(), list, presets.resolve("paper", **settings), Workers())

    def test_a_call_replaces_epochs_and_batch_size(self):
        got = self.run(epochs=7).settings_of_fit(9, 50, 3, resumes=False)
        assert (got.epochs, got.batch_size) == (9, 50)
        kept = self.run(epochs=7, batch_size=5).settings_of_fit(None, None, 0, resumes=True)
        assert (kept.epochs, kept.batch_size) == (7, 5)

    def test_an_initial_epoch_within_all_epochs_and_not_with_resume(self):
        run = self.run(epochs=2, training="separate")
        assert run.settings_of_fit(None, None, 3, resumes=False).total_epochs == 4
        with pytest.raises(InputError, match="initial_epoch is 4 of 4 epochs"):
            run.settings_of_fit(None, None, 4, resumes=False)
        with pytest.raises(InputError, match="initial_epoch is 1 beside resume"):
            run.settings_of_fit(None, None, 1, resumes=True)


def test_too_few_pixels_are_refused_before_anything_changes():
    model = keras.Model()
    run = TrainingRun(model, list, presets.PAPER, Workers())
    pixels = PixelMatrix(np.random.default_rng(0).normal(size=(6, 4)))
    options = {
        "refuse_non_finite": list, "initial_epoch": 0, "resume": None, "checkpoint_every": 50,
    }  # fmt: skip
    with pytest.raises(InputError, match="6 pixels for 7 mixture components"):
        run.plan(presets.PAPER, pixels, None, "/CPU:0", **options)
    few = presets.resolve("paper", components=6)
    plan = run.plan(few, pixels, None, "/CPU:0", **options)
    assert not plan.fingerprint and plan.scaler.used.all() and not model.compiled


@pytest.mark.parametrize(
    ("together", "calls"),
    [(1, [[0], [1], [2]]), (2, [[0, 1], [2]]), (3, [[0, 1, 2]]), (9, [[0, 1, 2]])],
)
def test_a_step_that_reads_its_rows_takes_as_many_steps_as_keras_counts(together, calls):
    taken = []

    def train_step(batch):
        taken.append(batch)
        return {"loss": batch}

    model = types.SimpleNamespace(steps_per_execution=together, train_step=train_step)
    run = TrainingRun(model, list, presets.RELEASE, None)
    run._chunked_step = object()
    function, batches = run.train_function(), iter(range(3))
    for expected in calls:
        taken.clear()
        assert function(batches) == {"loss": expected[-1]}
        assert taken == expected
    with pytest.raises(StopIteration):  # which tells Keras that the epoch has ended
        function(batches)
