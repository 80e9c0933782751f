"""The checkpoint's file: written atomically, at the right epochs, without leftovers."""

import json
import os

import numpy as np
import pytest

from lren_tf import InputError
from lren_tf.training.checkpoint import read_info
from tests.training.interrupted import SCENE, finish, interrupt, new, uninterrupted


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
        assert {*os.listdir(tmp_path)} - {"lock"} == {"checkpoint.npz"}

    @pytest.mark.slow
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
        assert read_info(tmp_path).epoch == 4
        assert {*os.listdir(tmp_path)} - {"lock"} == {"checkpoint.npz"}
        np.testing.assert_array_equal(finish(tmp_path)[0].score(SCENE), uninterrupted()[0])

    @pytest.mark.parametrize(
        ("every", "written"),
        [
            (2, [2, 4, 6, 6]),
            pytest.param(4, [4, 6], marks=pytest.mark.slow),
            pytest.param(50, [6], marks=pytest.mark.slow),
        ],
    )
    def test_every_so_many_epochs_and_at_the_end(self, every, written, tmp_path, monkeypatch):
        savez, epochs = np.savez, []

        def noted(path, **arrays):
            epochs.append(json.loads(str(arrays["record"]))["epoch"])
            savez(path, **arrays)

        monkeypatch.setattr(np, "savez", noted)
        new().fit(SCENE, verbose=0, resume=tmp_path, checkpoint_every=every)
        assert epochs == written
