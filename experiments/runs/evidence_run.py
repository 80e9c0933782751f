"""Trainings of the preset ``robust`` for the study of its evidence, and detectors beside it.

From one training come the score with all evidence, the score of the spectrum alone that it
replaced, every combination of evidence, and fewer networks. The latent samples of a scene are
kept beside its map, so that the study of the choice trains nothing.
"""

from __future__ import annotations

import itertools
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from experiments.reporting.provenance import provenance, write_record
from experiments.runs.detector_run import DetectorRun
from experiments.runs.lren_run import LrenRun
from experiments.runs.run import Run, Workspace, keep_score, load_result, load_scene
from experiments.studies import varied_scenes
from lren_tf import Scene, metrics
from lren_tf.errors import InputError
from lren_tf.evaluation.threshold import calibrated_threshold, threshold_at
from lren_tf.runtime.files import atomic_path

if TYPE_CHECKING:
    from lren_tf import LREN

STUDY = "evidence"
RATES = (0.01, 0.001)
"""False-alarm rates that are asked for."""
FIRST_SEED = 123
"""Seed with which the time of both scores is measured too."""
FEWER_NETWORKS = (1, 3)


@dataclass(frozen=True)
class EvidenceRun(LrenRun):
    """The preset with all evidence, and what its training gives otherwise."""

    def load(self) -> Scene:
        """A real scene or a varied one by its name."""
        make = varied_scenes.SCENES.get(self.scene)
        return load_scene(self.scene) if make is None else make()

    def latents_path(self, space: Workspace) -> Path:
        """The latents, beside the map and like it not committed."""
        return self.map_path(space).with_suffix(".npz")

    def execute(self, scene: Scene, space: Workspace) -> dict[str, Any]:
        """Train, score, and write map and JSON with the realised false-alarm rates."""
        record = super().execute(scene, space)
        return with_rates(self, scene, space, record, calibrated=True)

    def further(self, model: LREN, scene: Scene) -> dict[str, Any]:
        """Figures of the old score, of every combination of evidence and of fewer networks."""
        latents = latents_of(model, scene)
        _latest.clear()
        _latest[id(model)] = latents
        old = old_score(latents)
        found: dict[str, Any] = {
            "old": {
                **metrics.evaluate(old, scene.truth),
                "realised_rates": realised_rates(old, scene.truth, calibrated=False),
            },
            "ablation": ablation(latents, scene.truth),
        }
        if self.seed == FIRST_SEED:
            found["seconds_after_training"] = _seconds_after_training(model, scene)
        return found

    def score_again(self, space: Workspace) -> dict[str, Any]:
        """Score the kept latents with this code, and write map and record; nothing is trained.

        The record keeps the commit of its training, and gets that of the scoring.
        """
        from lren_tf.evidence.fusion import WEIGHTS, Samples, estimated

        scene, latents = self.load(), load_latents(self.latents_path(space))
        record = load_result(self, space)
        assert record is not None
        grid = tuple(map(int, latents.grid))
        samples = Samples(
            as_tensor(latents.energy.mean(axis=0)), as_tensor(latents.components),
            map(as_tensor, latents.features), grid, None,
        )  # fmt: skip
        _, weighed = estimated(samples, tuple(WEIGHTS))
        score = weighed.score.numpy().astype(np.float32).reshape(grid)
        record = keep_score(self, scene, space, record, score)
        record["scored"] = _when()
        rates = realised_rates(old_score(latents), scene.truth, calibrated=False)
        record["old"] = {**record["old"], "realised_rates": rates}
        return with_rates(self, scene, space, record, calibrated=True)

    def keep_model(self, model: LREN, space: Workspace) -> None:
        """Keep the latents instead of the model, which says less and takes longer to ask."""
        latents = _latest.pop(id(model))
        path = self.latents_path(space)
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as temporary, Path(temporary).open("wb") as stream:
            np.savez(stream, **latents._asdict())


def _when() -> dict[str, Any]:
    """Commit and time of this code."""
    found = provenance()
    return {name: found[name] for name in ("commit", "clean", "time")}


_latest: dict[int, Latents] = {}
"""Latents of the last model, between the two questions that a run asks of it."""


@dataclass(frozen=True)
class ComparedRun(DetectorRun):
    """Another detector with its fixed settings on one of the scenes."""

    def execute(self, scene: Scene, space: Workspace) -> dict[str, Any]:
        """Score, and write map and JSON with the realised false-alarm rates."""
        record = super().execute(scene, space)
        return with_rates(self, scene, space, record, calibrated=False)

    def judge_again(self, space: Workspace) -> dict[str, Any]:
        """Find thresholds of the kept map with this code, and write the record."""
        record = load_result(self, space)
        assert record is not None
        record["scored"] = _when()
        return with_rates(self, self.load(), space, record, calibrated=False)


def with_rates(
    run: Run, scene: Scene, space: Workspace, record: dict[str, Any], *, calibrated: bool
) -> dict[str, Any]:
    """Add the realised false-alarm rates of a run's map to its record, and write it again."""
    if record["metrics"] is None:
        return record
    rates = realised_rates(np.load(run.map_path(space)), scene.truth, calibrated=calibrated)
    record = {**record, "realised_rates": rates}
    write_record(run.result_path(space), record)
    return record


def realised_rates(
    score: np.ndarray, truth: np.ndarray, *, calibrated: bool
) -> dict[str, float | None]:
    """Return the share of the background above the threshold of every rate asked for.

    Args:
        score, truth: ``[H, W]``.
        calibrated: whether the score is −log₁₀ of that share by itself; else a tail is fitted.

    Returns:
        By the rate as text; None where no threshold can be had.
    """
    found: dict[str, float | None] = {}
    for rate in RATES:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            try:
                found_at = (calibrated_threshold if calibrated else threshold_at)(score, rate)
            except InputError:
                found[f"{rate:g}"] = None
                continue
        found[f"{rate:g}"] = float((score[~truth] > found_at.threshold).mean())
    return found


def _seconds_after_training(model: LREN, scene: Scene) -> dict[str, float]:
    """Seconds from the trained networks to the map, with all evidence and with the old score."""
    found = {}
    for name, settings in {"all": {}, "spectrum": {"evidence": ("spectrum",)}}.items():
        started = time.perf_counter()
        model.with_settings(scene, **settings).score(scene)
        found[name] = time.perf_counter() - started
    return found


# --- evidence from latents -------------------------------------------------------------------


class Latents(NamedTuple):
    """What the evidence of an image without missing pixels is made of, float64."""

    energy: np.ndarray
    """``[members, n]``."""
    features: np.ndarray
    """``[members, n, d]``."""
    components: np.ndarray
    """``[n, c]``: principal components of unit variance."""
    grid: np.ndarray
    """H and W."""

    def first(self, members: int) -> Latents:
        """Return those of the first networks."""
        return self._replace(energy=self.energy[:members], features=self.features[:members])


def latents_of(model: LREN, scene: Scene) -> Latents:
    """Return the latents of a fitted model on the scene it was fitted on."""
    from lren_tf.evidence.structure import principal_components, projected
    from lren_tf.model.inputs import as_model_input
    from lren_tf.training.pixel_reader import StandardisedPixels

    data = as_model_input(scene)
    if data.valid is not None:
        raise ValueError("the study has no scenes with missing pixels")
    pixels = StandardisedPixels(data.pixels, model.scaler_state.load())
    z, _ = model.embed(pixels)
    energies = model.background_state.energies(z, data.grid).numpy()
    features = model.background_state.features(z, data.grid, None).numpy()
    components = projected(pixels, *principal_components(pixels)).numpy()
    return Latents(energies, features, components, np.array(data.grid))


def as_tensor(values: np.ndarray) -> Any:
    """Return values as a tensor."""
    import tensorflow as tf

    return tf.constant(values)


def load_latents(path: Path) -> Latents:
    """Return the latents in a file."""
    with np.load(path) as held:
        return Latents(**{name: held[name] for name in Latents._fields})


def old_score(latents: Latents) -> np.ndarray:
    """Return the score of the spectrum alone, float32 ``[H, W]``: the mean energy."""
    return latents.energy.mean(axis=0).astype(np.float32).reshape(tuple(latents.grid))


class Trimming(NamedTuple):
    """What the surroundings leave out, and how much the scene counts in them."""

    guess: float
    """Share of the pixels with the highest first guess."""
    spectrum: float
    """Share of the pixels with the highest evidence of the spectrum."""
    scene_pixels: float
    """As how many pixels of every window the scene counts."""


class Parts:
    """Evidence of a scene from its latents, with settings that the library has fixed.

    Args:
        latents: of the scene.
    """

    def __init__(self, latents: Latents) -> None:
        from lren_tf.evidence.structure import structure

        self._latents = latents
        self._grid = tuple(map(int, latents.grid))
        self.raw = {
            "spectrum": latents.energy.mean(axis=0).reshape(self._grid),
            "structure": structure(as_tensor(latents.components.reshape(*self._grid, -1))).numpy(),
        }
        self.calibrated = {name: in_decades(values) for name, values in self.raw.items()}
        (self.guess,) = standing([sum(self.calibrated.values())])

    def surroundings(self, trimming: Trimming) -> np.ndarray:
        """Return the raw evidence of the surroundings, ``[H, W]``."""
        from lren_tf.evidence.surroundings import SCENE_PIXELS, scene_moments, surroundings

        weights = np.ones(self._grid)
        for values, share in (
            (self.guess, trimming.guess), (self.calibrated["spectrum"], trimming.spectrum),
        ):  # fmt: skip
            weights *= values <= _limit(values, share)
        total = np.zeros(self._grid)
        for features in self._latents.features:
            scene = scene_moments(as_tensor(features), as_tensor(weights.ravel()))
            # The library counts the scene as SCENE_PIXELS times these moments.
            scene = scene._replace(moments=scene.moments * (trimming.scene_pixels / SCENE_PIXELS))
            image = as_tensor(features.reshape(*self._grid, -1))
            total += surroundings(image, as_tensor(weights), scene).numpy()
        return total / len(self._latents.features)


def _limit(values: np.ndarray, share: float) -> float:
    """The value that a share of the pixels lies above, as the library takes it."""
    s = np.sort(values, axis=None)
    last = len(s) - 1 - int(share * len(s))
    return 0.5 * (s[last] + s[min(last + 1, len(s) - 1)])


def in_decades(values: np.ndarray) -> np.ndarray:
    """Return evidence as −log₁₀ of its tail probability in its own scene."""
    from lren_tf.evidence.calibration import calibration, decades

    return decades(values, calibration(values.ravel())).numpy()


def standing(
    totals: Sequence[np.ndarray], sizes: Sequence[int] | None = None, kept: float | None = None
) -> np.ndarray:
    """Return what stands out of sums of evidence, with the share that is kept whatever its size.

    Args:
        totals: N maps ``[H, W]``.
        sizes: of the openings; None for the library's.
        kept: the share; None for the library's.

    Returns:
        ``[N, H, W]``.
    """
    from lren_tf.evidence.fusion import KEPT
    from lren_tf.evidence.structure import SIZES, openings

    maps = np.stack(totals, axis=-1)
    sizes = SIZES if sizes is None else sizes
    opened = [each.numpy() for each in openings(as_tensor(maps), sizes)]
    small = sum(maps - each for each in opened) / len(sizes)
    return np.moveaxis(small + (KEPT if kept is None else kept) * maps, -1, 0)


def ablation(latents: Latents, truth: np.ndarray) -> dict[str, dict[str, float]]:
    """Return the figures of every combination of evidence, and of other ways to join it.

    Args:
        latents: of a scene.
        truth: its truth.
    """
    from lren_tf.evidence.fusion import TRIMMED, WEIGHTS
    from lren_tf.evidence.surroundings import SCENE_PIXELS

    trimming = Trimming(TRIMMED, TRIMMED, SCENE_PIXELS)
    parts = Parts(latents)
    raw = {**parts.raw, "surroundings": parts.surroundings(trimming)}
    evidence = {**parts.calibrated, "surroundings": in_decades(raw["surroundings"])}
    plain = {
        " + ".join(names): weighted(evidence, names, WEIGHTS)
        for count in range(1, len(WEIGHTS) + 1)
        for names in itertools.combinations(WEIGHTS, count)
    }
    totals = dict(plain)
    totals["not calibrated"] = weighted(
        {name: (v - v.mean()) / v.std() for name, v in raw.items()}, tuple(WEIGHTS), WEIGHTS
    )
    totals["ranks"] = weighted(
        {name: _by_rank(v) for name, v in raw.items()}, tuple(WEIGHTS), WEIGHTS
    )
    for members in FEWER_NETWORKS:
        fewer = Parts(latents.first(members))
        of_them = {
            **fewer.calibrated, "surroundings": in_decades(fewer.surroundings(trimming)),
        }  # fmt: skip
        totals[f"networks: {members}"] = weighted(of_them, tuple(WEIGHTS), WEIGHTS)
    maps = dict(zip(totals, standing(list(totals.values())), strict=True))
    maps |= {f"{name}, without standing out": total for name, total in plain.items()}
    return {name: figures(score, truth) for name, score in maps.items()}


def weighted(
    evidence: Mapping[str, np.ndarray], names: Sequence[str], weights: Mapping[str, float]
) -> np.ndarray:
    """Return the weighted sum of evidence of these names; one alone counts as it is."""
    if len(names) == 1:
        return evidence[names[0]]
    return sum(weights[name] * evidence[name] for name in names)  # type: ignore[return-value]


def _by_rank(values: np.ndarray) -> np.ndarray:
    """−log₁₀ of the share of the pixels above, counted throughout."""
    ranks = values.ravel().argsort().argsort().reshape(values.shape)
    return -np.log10(1 - (ranks + 0.5) / values.size)


def figures(score: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Return AUC(Pd,Pf) and Pd at every rate."""
    return {
        "auc_pd_pf": metrics.auc_pd_pf(score, truth),
        "pd_at_1_percent": metrics.pd_at_pf(score, truth, 0.01),
        "pd_at_1_permille": metrics.pd_at_pf(score, truth, 0.001),
    }
