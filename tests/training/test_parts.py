"""A training in two parts: to callbacks each part is a training of its own."""

import csv

import keras
import numpy as np
import pytest

from lren_tf import LREN
from lren_tf.training.callbacks import EpochLog, train_parts
from tests.training.interrupted import SCENE, SMALL


class Part:
    """What Keras' fit would do, and stop each part after some epochs."""

    def __init__(self, most=99):
        self.calls, self._most = [], most

    def __call__(self, start, end):
        self.calls.append((start, end))
        history = keras.callbacks.History()
        history.epoch = list(range(start, min(end, start + self._most)))
        history.history = {"loss": [10.0 * epoch for epoch in history.epoch]} if start < end else {}
        return history


class TestTrainParts:
    def test_one_part_is_one_call(self):
        fit = Part()
        assert train_parts(fit, 2, [5], []).epoch == [2, 3, 4]
        assert fit.calls == [(2, 5)]

    def test_two_parts_have_one_history(self):
        history = train_parts(Part(), 0, range(3, 7, 3), [])
        assert history.epoch == [0, 1, 2, 3, 4, 5]
        assert history.history == {"loss": [0.0, 10.0, 20.0, 30.0, 40.0, 50.0]}

    def test_one_that_stops_early_is_followed_by_the_other(self):
        fit = Part(most=2)
        history = train_parts(fit, 0, [3, 6], [])
        assert fit.calls == [(0, 3), (3, 6)]
        assert history.epoch == [0, 1, 3, 4]
        assert history.history == {"loss": [0.0, 10.0, 30.0, 40.0]}

    @pytest.mark.parametrize(
        ("first", "calls"),
        [(1, [(1, 3), (3, 6)]), (3, [(3, 6)]), (4, [(4, 6)]), (6, [(6, 6)])],
    )
    def test_a_resumed_training_begins_in_its_part(self, first, calls):
        fit = Part()
        train_parts(fit, first, [3, 6], [])
        assert fit.calls == calls

    def test_callbacks_that_carry_over_are_prepared_between_the_parts(self, tmp_path):
        log = keras.callbacks.CSVLogger(tmp_path / "log.csv")
        best = keras.callbacks.ModelCheckpoint(tmp_path / "m.keras", save_best_only=True)
        best.best = 0.5
        train_parts(Part(), 3, [3, 6], [log, best])
        assert (log.append, best.best) == (False, 0.5)
        train_parts(Part(), 0, [3, 6], [log, best])
        assert (log.append, best.best) == (True, None)


def stopping(**options):
    # Never better by so much, so that it stops as soon as it may.
    return keras.callbacks.EarlyStopping("loss", patience=1, min_delta=1e9, **options)


def separate(**settings):
    chosen = {**SMALL, "epochs": 3, "training": "separate", **settings}
    return LREN("release", **chosen)


def rows_of(path):
    with open(path, encoding="utf-8", newline="") as stream:
        return [int(row["epoch"]) for row in csv.DictReader(stream)]


class TestEarlyStopping:
    @pytest.mark.slow
    def test_it_ends_a_part_and_the_estimator_still_learns(self, tmp_path):
        model = separate()
        model.build((None, 20))
        at_first = model.estimator_hidden.kernel.numpy()
        logs = keras.callbacks.CSVLogger(tmp_path / "plain.csv"), EpochLog(tmp_path / "own.csv")
        history = model.fit(SCENE, verbose=0, callbacks=[stopping(), *logs])
        assert history.epoch == model.history.epoch == [0, 1, 3, 4]
        assert [len(values) for values in history.history.values()] == [4] * 4
        # The density terms are zero in the first part.
        assert history.history["energy"][:2] == [0.0, 0.0] and history.history["energy"][2] != 0
        assert not np.array_equal(model.estimator_hidden.kernel, at_first)
        assert np.isfinite(model.score(SCENE)).all()
        for name in ("plain.csv", "own.csv"):
            assert rows_of(tmp_path / name) == [0, 1, 3, 4], name

    @pytest.mark.long
    @pytest.mark.parametrize("restore", [False, True])
    def test_it_equals_shorter_parts(self, restore):
        # One epoch and another that is no better: with the best weights back it is one epoch.
        model, epochs = separate(), 1 if restore else 2
        model.fit(SCENE, verbose=0, callbacks=stopping(restore_best_weights=restore))
        shorter = separate(epochs=epochs)
        shorter.fit(SCENE, verbose=0)
        for one, other in zip(model.get_weights(), shorter.get_weights(), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)

    @pytest.mark.long
    def test_a_callback_that_stops_by_itself_ends_a_part_too(self):
        def stop(epoch, logs):
            model.stop_training = True

        model = separate()
        stopper = keras.callbacks.LambdaCallback(on_epoch_end=stop)
        assert model.fit(SCENE, verbose=0, callbacks=stopper).epoch == [0, 3]

    @pytest.mark.long
    def test_resumed_it_keeps_its_epochs(self, tmp_path):
        def interrupt(epoch, logs):
            if epoch == 4:
                raise KeyboardInterrupt

        plain = separate()
        expected = plain.fit(SCENE, verbose=0, callbacks=stopping())
        breaking = keras.callbacks.LambdaCallback(on_epoch_begin=interrupt)
        with pytest.raises(KeyboardInterrupt):
            separate().fit(SCENE, verbose=0, resume=tmp_path, callbacks=[stopping(), breaking])
        again = separate()
        # The checkpoint holds no state of callbacks: it begins to count with epoch 4.
        history = again.fit(SCENE, verbose=0, resume=tmp_path)
        assert history.epoch == [0, 1, 3, 4, 5]
        for name, values in expected.history.items():
            assert history.history[name][:4] == values
        finished = separate().fit(SCENE, verbose=0, resume=tmp_path)
        assert (finished.epoch, finished.history) == (history.epoch, history.history)

    @pytest.mark.long
    @pytest.mark.parametrize("at", [1, 3])
    def test_a_backup_of_either_part_goes_on_where_it_was(self, at, tmp_path):
        plain = separate(epochs=2)
        plain.fit(SCENE, verbose=0)

        def interrupt(epoch, logs):
            if epoch == at:
                raise KeyboardInterrupt

        def fit(*callbacks):
            model = separate(epochs=2)
            model.build((None, 20))
            backup = keras.callbacks.BackupAndRestore(str(tmp_path))
            return model, model.fit(SCENE, verbose=0, callbacks=[backup, *callbacks])

        with pytest.raises(KeyboardInterrupt):
            fit(keras.callbacks.LambdaCallback(on_epoch_begin=interrupt))
        model, history = fit()
        assert history.epoch == list(range(at, 4))
        for one, other in zip(model.get_weights(), plain.get_weights(), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)

    @pytest.mark.long
    def test_the_progress_is_that_of_one_training(self, caplog):
        caplog.set_level("INFO", "lren_tf")
        separate(epochs=2).fit(SCENE, callbacks=stopping())
        first, second = caplog.messages
        assert first.endswith(": 4 epochs") and ": trained in " in second
