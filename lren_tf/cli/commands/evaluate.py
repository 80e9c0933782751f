"""``lren-tf evaluate``: the metrics of an existing score map, and its objects."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from lren_tf.cli.console import renamed, result, say
from lren_tf.data.georeference import Georeference
from lren_tf.errors import Argument, InputError
from lren_tf.io import load_map, load_placed_map, load_scene
from lren_tf.io.pixel_area import pixel_area
from lren_tf.records import json_text


def evaluate(arguments: argparse.Namespace) -> None:
    """Print every metric of a score map, and the objects of the truth that it finds, as JSON."""
    with renamed(key="score_key"):
        placed = load_placed_map(arguments.score, key=arguments.score_key)
    with renamed(key="truth_key"):
        truth, georeference = _truth(arguments.truth, arguments.truth_key)
    from lren_tf.evaluation import metrics, objects

    score = placed.values
    # First, since it refuses what does not fit together.
    found: dict[str, Any] = dict(metrics.evaluate(score, truth))
    area = pixel_area(placed.georeference, score.shape) or pixel_area(georeference, truth.shape)
    found["objects"] = objects.JudgedObjects.of(score, truth).record(area)
    result(metrics=found)
    say(json_text(found).rstrip("\n"))


def _truth(path: str, key: str | None) -> tuple[np.ndarray, Georeference | None]:
    """The truth in a file that holds a map, or a cube and its truth, and where its pixels lie."""
    if key is not None:
        return load_map(path, key=key), load_placed_map(path, key=key).georeference
    try:
        # First, since it knows which of several maps beside a cube is the truth, if any.
        scene = load_scene(path)
    except InputError:
        # Values as they are stored: what the file calls no data may mark the background.
        return load_map(path), load_placed_map(path).georeference
    if scene.truth is None:
        raise InputError(
            argument="truth_key",
            received=f"{path} holds a cube without truth",
            expected="a truth map",
            remedy=("pass its variable with ", Argument("truth_key"), " or another file"),
        )
    return scene.truth, scene.georeference
