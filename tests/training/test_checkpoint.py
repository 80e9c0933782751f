"""An interrupted training that goes on is the uninterrupted one, to the bit."""

import csv
import functools
import json
import os

import keras
import numpy as np
import pytest

from lren_tf import LREN, InputError, datasets
from lren_tf.training import checkpoint
from lren_tf.training.checkpoint import EpochLog

SCENE = datasets.simulate(12, 11, 20, seed=1)
SMALL = {"hidden_units": 16, "estimator_units": 8, "epochs": 6, "device": "/CPU:0"}
RUNS = {
    # preset, settings, (epoch, batch) at which the keyboard interrupts, one after the other
    "paper": ("paper", {}, [(0, 0), (3, 0), (5, 0)]),
    "release": ("release", {"batch_size": 50}, [(2, 1), (3, 0), (5, 2)]),
    # Its second part, with a new optimiser, begins with epoch 6.
    "separate": (
        "release", {"batch_size": 50, "training": "separate"}, [(5, 2), (6, 0), (6, 1), (11, 2)]
    ),
    # Several networks with one optimiser.
    "robust": ("robust", {"batch_size": 50, "members": 2}, [(2, 1), (5, 0)]),
}  # fmt: skip


class InterruptAt(keras.callbacks.Callback):
    """Interrupts within an epoch, after one of its steps."""

    def __init__(self, epoch, batch):
        super().__init__()
        self._at = (epoch, batch)

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self._epoch, batch) == self._at:
            raise KeyboardInterrupt


def new(run="paper", **settings):
    preset, chosen, _ = RUNS[run]
    return LREN(preset, **{**SMALL, **chosen, **settings})


@functools.cache
def uninterrupted(run="paper"):
    model = new(run)
    history = model.fit(SCENE, verbose=0)
    return model.score(SCENE), history


def interrupt(folder, run="paper", at=(3, 0), every=50, callbacks=(), **settings):
    with pytest.raises(KeyboardInterrupt):
        new(run, **settings).fit(
            SCENE, verbose=0, resume=folder, checkpoint_every=every,
            callbacks=[*callbacks, InterruptAt(*at)],
        )  # fmt: skip


def finish(folder, run="paper", **settings):
    model = new(run, **settings)
    return model, model.fit(SCENE, verbose=0, resume=folder)


@pytest.mark.parametrize("run", RUNS)
def test_interrupted_and_resumed_is_uninterrupted(run, tmp_path):
    score, history = uninterrupted(run)
    for at in RUNS[run][2]:
        interrupt(tmp_path, run, at)
        found = checkpoint.kept(tmp_path)
        # In the middle of an epoch the state is that of its beginning.
        assert at[0] == (0 if found is None else found.epoch)
    model, resumed = finish(tmp_path, run)
    np.testing.assert_array_equal(model.score(SCENE), score)
    assert resumed.history == history.history
    assert resumed.epoch == history.epoch
    assert sorted(os.listdir(tmp_path)) == ["checkpoint.npz", "lock"]


def test_a_killed_process_leaves_the_last_state_written(tmp_path):
    # As a kill does: what is in memory is lost, what lies in the folder stays.
    class Killed(Exception):
        pass

    def kill(epoch, logs):
        if epoch == 4:
            raise Killed

    killing = keras.callbacks.LambdaCallback(on_epoch_begin=kill)
    with pytest.raises(Killed):
        new().fit(SCENE, verbose=0, resume=tmp_path, checkpoint_every=3, callbacks=[killing])
    assert checkpoint.kept(tmp_path).epoch == 3
    model, history = finish(tmp_path)
    np.testing.assert_array_equal(model.score(SCENE), uninterrupted()[0])
    assert history.history == uninterrupted()[1].history


def test_without_an_interruption_nothing_changes(tmp_path):
    model, history = finish(tmp_path / "new" / "folder")
    np.testing.assert_array_equal(model.score(SCENE), uninterrupted()[0])
    assert history.history == uninterrupted()[1].history


class TestFinished:
    def test_it_is_not_trained_again(self, tmp_path):
        finish(tmp_path)
        before = (tmp_path / "checkpoint.npz").stat().st_mtime_ns
        steps, ends = [], []
        watching = keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda batch, logs: steps.append(batch),
            on_train_end=lambda logs: ends.append(logs),
        )
        model = new()
        history = model.fit(SCENE, verbose=0, resume=tmp_path, callbacks=[watching])
        assert (steps, len(ends)) == ([], 1)
        np.testing.assert_array_equal(model.score(SCENE), uninterrupted()[0])
        assert history.history == uninterrupted()[1].history
        assert (tmp_path / "checkpoint.npz").stat().st_mtime_ns == before

    def test_what_comes_after_the_training_can_change(self, tmp_path):
        finish(tmp_path)
        chosen = {"lam": 0.5, "score_norm": "l2", "dictionary": "extreme_assignment"}
        model = new(**chosen)
        model.fit(SCENE, verbose=0)
        np.testing.assert_array_equal(finish(tmp_path, **chosen)[0].score(SCENE),
                                      model.score(SCENE))  # fmt: skip

    def test_an_early_end_is_an_end(self, tmp_path):
        def stopped():
            return keras.callbacks.EarlyStopping(
                "loss", patience=1, min_delta=1e9, restore_best_weights=True
            )

        first = new()
        first.fit(SCENE, verbose=0, resume=tmp_path, callbacks=[stopped()])
        found = checkpoint.kept(tmp_path)
        assert found.finished and found.epoch == 2
        again, history = finish(tmp_path)
        np.testing.assert_array_equal(again.score(SCENE), first.score(SCENE))
        assert history.epoch == [0, 1]


class TestRefusals:
    def refused(self, folder, said, data=SCENE, model=None, **options):
        model = model or new()
        before = {p: p.read_bytes() for p in folder.iterdir()}
        with pytest.raises(InputError, match=said) as refusal:
            model.fit(data, verbose=0, resume=folder, **options)
        assert {p: p.read_bytes() for p in folder.iterdir()} == before
        assert str(refusal.value).count(". ") == 0

    def test_another_setting(self, tmp_path):
        interrupt(tmp_path)
        self.refused(tmp_path, r"another setting 'epochs' \(6; here it is 7\)", model=new(epochs=7))
        self.refused(tmp_path, r"another setting 'epochs' \(6; here it is 9\)", epochs=9)
        self.refused(tmp_path, "another setting 'seed'", model=new(seed=5))
        self.refused(tmp_path, r"'batch_size' \(None; here it is 50\)", model=new(batch_size=50))

    def test_another_number_of_parts(self, tmp_path):
        # dictionary plays no part in a training, except where it leaves out the second one.
        interrupt(tmp_path, "separate")
        other = new("separate", dictionary="kmeans")
        self.refused(tmp_path, r"'epochs of all parts' \(12; here it is 6\)", model=other)

    @pytest.mark.parametrize("change", ["value", "dtype", "shape"])
    def test_another_scene(self, change, tmp_path):
        interrupt(tmp_path)
        cube = SCENE.cube.copy()
        cube[3, 4, 5] += change == "value"
        if change == "dtype":
            cube = cube.astype(np.float64)
        if change == "shape":
            cube = cube[:, :-1]
        self.refused(tmp_path, "training with another data .*choose another folder", cube)

    def test_another_optimizer(self, tmp_path):
        interrupt(tmp_path)
        model = new()
        model.compile(optimizer=keras.optimizers.SGD(1e-4, momentum=0.9))
        self.refused(tmp_path, "another optimizer 'momentum'", model=model)

    @pytest.mark.parametrize("package", ["lren_tf", "tensorflow", "keras"])
    def test_another_version(self, package, tmp_path, monkeypatch):
        interrupt(tmp_path)
        now = checkpoint.versions()
        monkeypatch.setattr(checkpoint, "versions", lambda: {**now, package: "99.0"})
        self.refused(tmp_path, f"another version of {package} .*here it is '99.0'")

    @pytest.mark.parametrize("content", [b"", b"not an archive", "part", "record", "array"])
    def test_a_state_that_cannot_be_read(self, content, tmp_path):
        interrupt(tmp_path)
        path = tmp_path / "checkpoint.npz"
        if content == "part":
            content = path.read_bytes()[:-200]
        if content == "record":
            np.savez(path, record=np.array(json.dumps({"epoch": 3})))
        elif content == "array":
            with open(path, "wb") as stream:
                np.save(stream, np.zeros(3))
        else:
            path.write_bytes(content)
        self.refused(tmp_path, "not a state of a training that can be read")

    def test_a_folder_in_use(self, tmp_path):
        pytest.importorskip("fcntl", reason="nothing is locked on Windows")
        with checkpoint._alone_in(tmp_path):
            self.refused(tmp_path, "is in use by another training")
        finish(tmp_path)

    def test_a_file(self, tmp_path):
        (tmp_path / "file").write_text("x")
        with pytest.raises(InputError, match="is a file; expected a folder"):
            new().fit(SCENE, verbose=0, resume=tmp_path / "file")

    @pytest.mark.parametrize("every", [0, -1, 2.5, "many"])
    def test_checkpoint_every(self, every, tmp_path):
        self.refused(tmp_path, f"'checkpoint_every' is {every!r}", checkpoint_every=every)

    def test_initial_epoch_beside_it(self, tmp_path):
        self.refused(tmp_path, "initial_epoch is 2 beside resume", initial_epoch=2)

    def test_the_model_stays_as_it_was(self, tmp_path):
        interrupt(tmp_path)
        model = new(epochs=3)
        model.fit(SCENE, verbose=0)
        before = model.score(SCENE)
        self.refused(tmp_path, "another setting 'epochs'", model=model)
        np.testing.assert_array_equal(model.score(SCENE), before)


class TestWriting:
    def test_what_killed_processes_left_is_removed(self, tmp_path):
        interrupt(tmp_path)
        (tmp_path / ".0123456789abcdef.npz").write_bytes(b"half a state")
        (tmp_path / "tmpab_d12ef").touch()
        for name in ("notes.txt", "tmpnotes", ".hidden.npz"):
            (tmp_path / name).write_text("mine")
        finish(tmp_path)
        assert sorted(os.listdir(tmp_path)) == [
            ".hidden.npz", "checkpoint.npz", "lock", "notes.txt", "tmpnotes",
        ]  # fmt: skip

    def test_a_failed_writing_leaves_the_state_before(self, tmp_path, monkeypatch):
        interrupt(tmp_path, at=(2, 0))
        before = (tmp_path / "checkpoint.npz").read_bytes()

        def fail(path, **arrays):
            path.write_bytes(b"half")
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(np, "savez", fail)
        with pytest.raises(InputError, match="No space left"):
            new().fit(SCENE, verbose=0, resume=tmp_path, checkpoint_every=1)
        assert (tmp_path / "checkpoint.npz").read_bytes() == before
        assert sorted(os.listdir(tmp_path)) == ["checkpoint.npz", "lock"]

    def test_an_interruption_while_writing(self, tmp_path, monkeypatch):
        savez, calls = np.savez, []

        def interrupted_once(path, **arrays):
            calls.append(path)
            if len(calls) == 2:
                path.write_bytes(b"half")
                raise KeyboardInterrupt
            savez(path, **arrays)

        monkeypatch.setattr(np, "savez", interrupted_once)
        interrupt(tmp_path, at=(9, 9), every=2)
        assert checkpoint.kept(tmp_path).epoch == 4
        assert sorted(os.listdir(tmp_path)) == ["checkpoint.npz", "lock"]
        np.testing.assert_array_equal(finish(tmp_path)[0].score(SCENE), uninterrupted()[0])

    @pytest.mark.parametrize(("every", "written"), [(2, [2, 4, 6, 6]), (4, [4, 6]), (50, [6])])
    def test_every_so_many_epochs_and_at_the_end(self, every, written, tmp_path, monkeypatch):
        savez, epochs = np.savez, []

        def noted(path, **arrays):
            epochs.append(json.loads(str(arrays["record"]))["epoch"])
            savez(path, **arrays)

        monkeypatch.setattr(np, "savez", noted)
        new().fit(SCENE, verbose=0, resume=tmp_path, checkpoint_every=every)
        assert epochs == written


class TestEpochLog:
    def rows(self, path):
        with open(path, newline="") as file:
            return list(csv.DictReader(file))

    def fit(self, folder, path):
        new().fit(SCENE, verbose=0, resume=folder, callbacks=[EpochLog(path)])

    def test_goes_on_without_an_epoch_twice(self, tmp_path):
        path = tmp_path / "new" / "log.csv"
        interrupt(tmp_path / "run", at=(4, 0), callbacks=[EpochLog(path)])
        assert [row["epoch"] for row in self.rows(path)] == ["0", "1", "2", "3"]
        # What a killed process has on top: epochs after its last checkpoint, and half a row.
        with open(path, "a") as file:
            file.write("4,9,9,9,9,NA,NA,NA,NA\r\n5,9")
        self.fit(tmp_path / "run", path)
        rows = self.rows(path)
        assert [row["epoch"] for row in rows] == ["0", "1", "2", "3", "4", "5"]
        history = uninterrupted()[1].history
        for name in ("loss", "energy", "reconstruction"):
            assert [float(row[name]) for row in rows] == history[name]

    def test_a_finished_training_leaves_it_alone(self, tmp_path):
        path = tmp_path / "log.csv"
        self.fit(tmp_path / "run", path)
        before = path.read_bytes()
        self.fit(tmp_path / "run", path)
        assert path.read_bytes() == before

    @pytest.mark.parametrize("content", [None, "", "an older log\r\n0\r\n"])
    def test_a_new_training_begins_a_new_file(self, content, tmp_path):
        path = tmp_path / "log.csv"
        if content is not None:
            path.write_text(content)
        self.fit(tmp_path / "run", path)
        assert [row["epoch"] for row in self.rows(path)] == list("012345")

    @pytest.mark.parametrize("content", [None, ""])
    def test_one_that_is_gone_begins_where_the_training_goes_on(self, content, tmp_path):
        path = tmp_path / "log.csv"
        interrupt(tmp_path / "run", at=(4, 0))
        if content is not None:
            path.write_text(content)
        self.fit(tmp_path / "run", path)
        assert [row["epoch"] for row in self.rows(path)] == ["4", "5"]
