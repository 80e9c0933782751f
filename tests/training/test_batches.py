"""What surrounds a step: the optimisers' formulas, the fixed batches, faults, progress."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from lren_tf import presets
from lren_tf.errors import TrainingDiverged
from lren_tf.training import batches
from lren_tf.training.batches import (
    EpochProgress,
    StopOnFault,
    fixed_batches,
    make_optimizer,
)


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


class TestFixedBatches:
    X = np.arange(23, dtype=np.float32)[:, None] * [1, 100]

    def batches(self, x, *arguments):
        """The bands of every batch; what follows them in a row is alignment."""
        return [batch.numpy()[:, : x.shape[1]] for batch in fixed_batches(x, *arguments)]

    def test_one_permutation_cut_in_order_the_last_one_short(self):
        order = np.arange(23)
        np.random.RandomState(123).shuffle(order)
        got = self.batches(self.X, 5, 123)
        assert [len(batch) for batch in got] == [5, 5, 5, 5, 3]
        np.testing.assert_array_equal(np.concatenate(got), self.X[order])

    def test_the_permutation_is_recorded(self):
        # RandomState's stream is frozen by NumPy; this would show it if it were not.
        got = np.concatenate(self.batches(np.arange(10, dtype=np.float32)[:, None], 4, 123))
        assert got[:, 0].tolist() == [4, 0, 7, 5, 8, 3, 1, 6, 9, 2]

    def test_every_epoch_has_the_same_batches(self):
        dataset = fixed_batches(self.X, 5, 123)
        first, second = ([batch.numpy() for batch in dataset] for _ in range(2))
        for one, other in zip(first, second, strict=True):
            np.testing.assert_array_equal(one, other)

    def test_another_seed_gives_other_batches(self):
        assert not np.array_equal(self.batches(self.X, 5, 1)[0], self.batches(self.X, 5, 123)[0])

    @pytest.mark.parametrize("size", [None, 23, 1000])
    def test_one_batch_of_all_pixels_keeps_their_order(self, size):
        (only,) = self.batches(self.X, size, 123)
        np.testing.assert_array_equal(only, self.X)

    def test_sizes_that_divide_leave_no_empty_batch(self):
        assert [len(batch) for batch in self.batches(self.X[:20], 5, 123)] == [5] * 4

    def test_neither_the_input_nor_the_global_generator_is_touched(self):
        x = self.X.copy()
        before = np.random.get_state()[1].copy()  # noqa: NPY002 - the global generator is the point
        self.batches(x, 5, 123)
        np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
        np.testing.assert_array_equal(x, self.X)

    def test_keras_can_count_the_batches(self):
        assert int(fixed_batches(self.X, 5, 123).cardinality()) == 5


class TestStopOnFault:
    def callback(self, value):
        callback = StopOnFault(tf.Variable(value))
        callback.on_epoch_begin(6)
        return callback

    def test_a_sound_step_goes_on(self):
        self.callback(0).on_train_batch_end(0)

    @pytest.mark.parametrize(
        ("value", "where"),
        [(1, "no single mixture component"), (2, "mixture component 0"),
         (8, "mixture component 6")],
    )
    def test_a_fault_ends_training_naming_epoch_component_and_remedies(self, value, where):
        with pytest.raises(TrainingDiverged) as stop:
            self.callback(value).on_train_batch_end(0)
        message = str(stop.value)
        assert "in epoch 7 " in message  # counted from 1, as Keras prints them
        assert f"({where} to blame)" in message
        assert "the weights of the last finite step are kept" in message
        for remedy in ("learning_rate", "covariance_floor", "mixture_dtype='float64'"):
            assert remedy in message


class TestEpochProgress:
    def play(self, epochs=3):
        progress = EpochProgress("work", epochs)
        progress.on_train_begin()
        for epoch in range(epochs):
            progress.on_epoch_end(epoch, {"loss": 10.0 / (epoch + 1), "energy": 1.0})
        progress.on_train_end({"loss": 10.0 / epochs})

    def test_two_plain_lines_in_a_log(self, capsys):
        self.play()
        first, second = capsys.readouterr().out.splitlines()
        assert first == "work: 3 epochs"
        assert second.startswith("work: trained in ")
        assert second.endswith(" s, loss 3.33333")

    def test_one_bar_on_a_terminal(self, capsys, monkeypatch):
        monkeypatch.setattr(batches.sys.stdout, "isatty", lambda: True, raising=False)
        self.play()
        out = capsys.readouterr().out
        # The last epoch is shown though it comes sooner than the bar's interval.
        last = out.splitlines()[-1].split("\r")[-1]
        assert "3/3" in last
        assert "loss: 3.3333" in last
        assert out.endswith("\n")
        assert "trained in" not in out

    def test_a_bar_ended_early_shows_where(self, capsys, monkeypatch):
        monkeypatch.setattr(batches.sys.stdout, "isatty", lambda: True, raising=False)
        progress = EpochProgress("work", 30)
        progress.on_train_begin()
        for epoch in range(4):
            progress.on_epoch_end(epoch, {"loss": 2.0})
        progress.on_train_end({"loss": 2.0})
        assert "4/30" in capsys.readouterr().out.splitlines()[-1].split("\r")[-1]

    def test_an_end_without_a_loss_is_said_without_one(self, capsys):
        progress = EpochProgress("work", 3)
        progress.on_train_begin()
        progress.on_train_end({})
        assert "loss" not in capsys.readouterr().out
