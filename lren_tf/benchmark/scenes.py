"""Scenes of a benchmark: files, names, implants; each with a truth to evaluate scores with."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lren_tf.batch.scenes import ListedScene, listed_scenes
from lren_tf.data.band_selection import ranges_text
from lren_tf.data.scene import Scene, data_sha256
from lren_tf.datasets import by_name, implant
from lren_tf.errors import Argument, InputError
from lren_tf.evaluation.objects import truth_objects
from lren_tf.io import load_scene
from lren_tf.io.pixel_area import pixel_area

IMPLANTS = "implants:"
"""Beginning of a scene that is made of two: ``implants:TARGETS:BACKGROUND``, both names."""


@dataclass(frozen=True)
class JudgedScene:
    """A scene whose truth has anomalies and background.

    Attributes:
        name: what its results are called.
        path: an absolute path, or a name.
        reading: options of `load_scene`, of a file.
        content: what the results depend on, as `content_of` says it.
    """

    name: str
    path: str
    reading: Mapping[str, Any]
    content: Mapping[str, Any]

    def record(self) -> dict[str, Any]:
        """All attributes but the name, for JSON."""
        return {n: v for n, v in asdict(self).items() if n != "name"}

    def load(self) -> Scene:
        """Read the scene; the last one that was read is kept.

        Raises:
            InputError: it cannot be read, or is not what it was.
        """
        return _loaded(self.name, json.dumps(self.record(), sort_keys=True))


def judged_scenes(given: Iterable[str], reading: Mapping[str, Any]) -> list[JudgedScene]:
    """Read the scenes that arguments mean, and say what they are.

    Args:
        given: as for `lren_tf.batch.scenes.listed_scenes`, and implants.
        reading: options of `load_scene` for files; ``{scene}`` in ``truth`` and ``mask`` stands
            for the name of a scene.

    Raises:
        InputError: a scene cannot be read or judged, or no file is there for the options.
    """
    listed = listed_scenes(given, _is_name)
    if reading and all(scene.file is None for scene in listed):
        raise InputError(
            f"options that say how a file is read were given ({', '.join(sorted(reading))}), and "
            "no scene is a file; expected one, leave them out."
        )
    return [_judged(scene, reading) for scene in listed]


def content_of(scene: Scene) -> dict[str, Any]:
    """Record of what results depend on: hashes of cube, truth and mask, bands, size of a pixel.

    Raises:
        InputError: no detector can use the scene, or scores cannot be judged by its truth.
    """
    scene.check_usable()
    if scene.truth is None:
        raise InputError(
            argument="truth",
            received=f"{scene.name} has no truth",
            expected="one, by which a benchmark judges",
            remedy=("pass ", Argument("truth_key"), " or ", Argument("truth")),
        )
    seen = scene.truth if scene.valid is None else scene.truth[scene.valid]
    if seen.all() or not seen.any():
        kind = "background" if seen.all() else "anomalous"
        raise InputError(
            f"the truth of {scene.name} has no {kind} pixel; expected both kinds, by which scores "
            "are judged."
        )
    return {
        "shape": list(scene.shape),
        "anomalous": int(np.count_nonzero(seen)),
        "objects": int(truth_objects(scene.truth, scene.valid).max()),
        "pixel_area_m2": pixel_area(scene.georeference, scene.shape),
        "sha256": data_sha256(scene.cube),
        "truth_sha256": data_sha256(scene.truth),
        "mask_sha256": None if scene.valid is None else data_sha256(scene.valid),
        "bands_left_out": (
            None if scene.good_bands is None else ranges_text(~scene.good_bands)
        ),
    }


def _is_name(text: str) -> bool:
    return by_name.is_name(text) or _parts(text) is not None


def _parts(text: str) -> tuple[str, str] | None:
    """Names of the targets' and the background's scene; None of any other text."""
    if not text.startswith(IMPLANTS):
        return None
    targets, _, background = text.removeprefix(IMPLANTS).partition(":")
    for name in (targets, background):
        if not by_name.is_name(name):
            raise InputError(
                f"{text} names {name!r}; expected {IMPLANTS}TARGETS:BACKGROUND with two of "
                f"{', '.join([by_name.SIMULATED, *by_name.scene_names()])}."
            )
    return targets, background


def _judged(listed: ListedScene, reading: Mapping[str, Any]) -> JudgedScene:
    # A colon in the name of a file is none on every system.
    name = listed.name.replace(":", "-")
    own: dict[str, Any] = {}
    if listed.file is not None:
        own = dict(reading)
        for option in ("truth", "mask"):
            if option in own:
                own[option] = str(Path(own[option].replace("{scene}", name)).absolute())
    return JudgedScene(name, listed.path, own, content_of(_read(listed.path, own)))


def _read(path: str, reading: Mapping[str, Any]) -> Scene:
    parts = _parts(path)
    if parts is not None:
        targets, background = map(by_name.scene_by_name, parts)
        return implant(targets, background).scene
    if Path(path).is_absolute():
        return load_scene(path, **reading)
    return by_name.scene_by_name(path)


@functools.lru_cache(maxsize=1)
def _loaded(name: str, record: str) -> Scene:
    known = json.loads(record)
    scene = _read(known["path"], known["reading"])
    if json.loads(json.dumps(content_of(scene))) != known["content"]:
        raise InputError(
            f"{known['path']} is not what it was when the benchmark began; expected files that "
            "stay as they are, give the scene again to see what has changed."
        )
    return scene
