"""``lren-tf evaluate``: the metrics of an existing score map."""

from __future__ import annotations

import argparse

import numpy as np

from lren_tf.cli.console import renamed
from lren_tf.errors import Argument, InputError
from lren_tf.io import load_map, load_placed_map, load_scene
from lren_tf.records import json_text


def evaluate(arguments: argparse.Namespace) -> None:
    """Print every metric of a score map as JSON."""
    with renamed(key="score_key"):
        score = load_placed_map(arguments.score, key=arguments.score_key).values
    with renamed(key="truth_key"):
        truth = _truth(arguments.truth, arguments.truth_key)
    from lren_tf.evaluation import metrics

    print(json_text(metrics.evaluate(score, truth)), end="")


def _truth(path: str, key: str | None) -> np.ndarray:
    """The truth in a file that holds a map, or a cube and its truth."""
    if key is not None:
        return load_map(path, key=key)
    try:
        # First, since it knows which of several maps beside a cube is the truth, if any.
        scene = load_scene(path)
    except InputError:
        return load_map(path)
    if scene.truth is None:
        raise InputError(
            argument="truth_key",
            received=f"{path} holds a cube without truth",
            expected="a truth map",
            remedy=("pass its variable with ", Argument("truth_key"), " or another file"),
        )
    return scene.truth
