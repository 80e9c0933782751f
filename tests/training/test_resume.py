"""An interrupted training that is resumed equals the uninterrupted one, to the bit."""

import json
import os

import keras
import numpy as np
import pytest

from lren_tf import InputError
from lren_tf.runtime.folder_lock import exclusive_use
from lren_tf.training import resume
from lren_tf.training.checkpoint import read_info
from tests.training.interrupted import (
    RUNS,
    SCENE,
    finish,
    interrupt,
    new,
    uninterrupted,
)


@pytest.mark.parametrize(
    "run", ["paper", *(pytest.param(run, marks=pytest.mark.slow) for run in RUNS if run != "paper")]
)
def test_interrupted_and_resumed_is_uninterrupted(run, tmp_path):
    score, history = uninterrupted(run)
    for at in RUNS[run][2]:
        interrupt(tmp_path, run, at)
        found = read_info(tmp_path)
        # In the middle of an epoch the state is that of its beginning.
        assert at[0] == (0 if found is None else found.epoch)
    model, resumed = finish(tmp_path, run)
    np.testing.assert_array_equal(model.score(SCENE), score)
    assert resumed.history == history.history
    assert resumed.epoch == history.epoch
    assert {*os.listdir(tmp_path)} - {"lock"} == {"checkpoint.npz"}


@pytest.mark.slow
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
    assert read_info(tmp_path).epoch == 3
    model, history = finish(tmp_path)
    np.testing.assert_array_equal(model.score(SCENE), uninterrupted()[0])
    assert history.history == uninterrupted()[1].history


@pytest.mark.slow
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

    @pytest.mark.slow
    def test_what_comes_after_the_training_can_change(self, tmp_path):
        finish(tmp_path)
        chosen = {"lam": 0.5, "score_norm": "l2", "dictionary": "extreme_assignment"}
        model = new(**chosen)
        model.fit(SCENE, verbose=0)
        np.testing.assert_array_equal(finish(tmp_path, **chosen)[0].score(SCENE),
                                      model.score(SCENE))  # fmt: skip

    @pytest.mark.slow
    def test_an_early_end_is_an_end(self, tmp_path):
        def stopped():
            return keras.callbacks.EarlyStopping(
                "loss", patience=1, min_delta=1e9, restore_best_weights=True
            )

        first = new()
        first.fit(SCENE, verbose=0, resume=tmp_path, callbacks=[stopped()])
        found = read_info(tmp_path)
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

    @pytest.mark.slow
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
        now = resume.versions()
        monkeypatch.setattr(resume, "versions", lambda: {**now, package: "99.0"})
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
        with exclusive_use(tmp_path, "training"):
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

    @pytest.mark.slow
    def test_the_model_stays_as_it_was(self, tmp_path):
        interrupt(tmp_path)
        model = new(epochs=3)
        model.fit(SCENE, verbose=0)
        before = model.score(SCENE)
        self.refused(tmp_path, "another setting 'epochs'", model=model)
        np.testing.assert_array_equal(model.score(SCENE), before)
