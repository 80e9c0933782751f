"""Callbacks: faults that end a training, progress on a terminal and in a log, a log of epochs."""

import csv

import pytest
import tensorflow as tf

from lren_tf.errors import TrainingDiverged
from lren_tf.training import callbacks
from lren_tf.training.callbacks import EpochLog, EpochProgress, StopOnFault
from tests.training.interrupted import SCENE, interrupt, new, uninterrupted


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
    def play(self, epochs=3, **options):
        progress = EpochProgress("work", epochs, **options)
        progress.on_train_begin()
        for epoch in range(epochs):
            progress.on_epoch_end(epoch, {"loss": 10.0 / (epoch + 1), "energy": 1.0})
        progress.on_train_end({"loss": 10.0 / epochs})

    def test_a_process_without_stdout(self, monkeypatch, caplog):
        caplog.set_level("INFO", "lren_tf")
        monkeypatch.setattr("sys.stdout", None)
        self.play()
        assert len(caplog.messages) == 2

    def test_two_messages_and_nothing_printed(self, capsys, caplog):
        caplog.set_level("INFO", "lren_tf")
        self.play()
        assert capsys.readouterr() == ("", "")
        first, second = caplog.messages
        assert {each.name for each in caplog.records} == {"lren_tf.training.callbacks"}
        assert first == "work: 3 epochs"
        assert second.startswith("work: trained in ")
        assert second.endswith(" s, loss 3.33333")

    def test_one_bar_on_a_terminal(self, capsys, caplog, monkeypatch):
        caplog.set_level("INFO", "lren_tf")
        monkeypatch.setattr(callbacks.sys.stdout, "isatty", lambda: True, raising=False)
        self.play()
        out = capsys.readouterr().out
        # The last epoch is shown though it comes sooner than the bar's interval.
        last = out.splitlines()[-1].split("\r")[-1]
        assert "3/3" in last
        assert "loss: 3.3333" in last
        assert out.endswith("\n")
        assert caplog.messages == ["work: 3 epochs"]

    def test_no_bar_where_none_is_wanted(self, capsys, monkeypatch):
        monkeypatch.setattr(callbacks.sys.stdout, "isatty", lambda: True, raising=False)
        self.play(bar=False)
        assert capsys.readouterr().out == ""

    def test_a_bar_ended_early_shows_where(self, capsys, monkeypatch):
        monkeypatch.setattr(callbacks.sys.stdout, "isatty", lambda: True, raising=False)
        progress = EpochProgress("work", 30)
        progress.on_train_begin()
        for epoch in range(4):
            progress.on_epoch_end(epoch, {"loss": 2.0})
        progress.on_train_end({"loss": 2.0})
        assert "4/30" in capsys.readouterr().out.splitlines()[-1].split("\r")[-1]

    def test_an_end_without_a_loss_is_said_without_one(self, caplog):
        caplog.set_level("INFO", "lren_tf")
        progress = EpochProgress("work", 3)
        progress.on_train_begin()
        progress.on_train_end({})
        assert "loss" not in caplog.text
        assert "trained in" not in caplog.text


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

    @pytest.mark.slow
    def test_a_finished_training_leaves_it_alone(self, tmp_path):
        path = tmp_path / "log.csv"
        self.fit(tmp_path / "run", path)
        before = path.read_bytes()
        self.fit(tmp_path / "run", path)
        assert path.read_bytes() == before

    @pytest.mark.parametrize(
        "content",
        [
            pytest.param(None, marks=pytest.mark.slow),
            pytest.param("", marks=pytest.mark.slow),
            "an older log\r\n0\r\n",
        ],
    )
    def test_a_new_training_begins_a_new_file(self, content, tmp_path):
        path = tmp_path / "log.csv"
        if content is not None:
            path.write_text(content)
        self.fit(tmp_path / "run", path)
        assert [row["epoch"] for row in self.rows(path)] == list("012345")

    @pytest.mark.slow
    @pytest.mark.parametrize("content", [None, ""])
    def test_one_that_is_gone_begins_where_the_training_goes_on(self, content, tmp_path):
        path = tmp_path / "log.csv"
        interrupt(tmp_path / "run", at=(4, 0))
        if content is not None:
            path.write_text(content)
        self.fit(tmp_path / "run", path)
        assert [row["epoch"] for row in self.rows(path)] == ["4", "5"]
