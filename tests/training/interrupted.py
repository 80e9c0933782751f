"""Small trainings that the keyboard interrupts, for tests of checkpoints and callbacks."""

import functools
import tempfile
from pathlib import Path

import keras
import pytest

from lren_tf import LREN, datasets

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


@functools.cache
def interrupted_files(run, at):
    """Names and bytes of what an interrupted training leaves: many tests begin with it."""
    with tempfile.TemporaryDirectory() as folder:
        interrupt(folder, run, at, callbacks=[keras.callbacks.Callback()])
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def interrupt(folder, run="paper", at=(3, 0), every=50, callbacks=(), **settings):
    if every == 50 and not callbacks and not settings:
        for name, content in interrupted_files(run, at).items():
            Path(folder).mkdir(parents=True, exist_ok=True)
            Path(folder, name).write_bytes(content)
        return
    with pytest.raises(KeyboardInterrupt):
        new(run, **settings).fit(
            SCENE, verbose=0, resume=folder, checkpoint_every=every,
            callbacks=[*callbacks, InterruptAt(*at)],
        )  # fmt: skip


def finish(folder, run="paper", **settings):
    model = new(run, **settings)
    return model, model.fit(SCENE, verbose=0, resume=folder)
