"""`make failures`: why the same program detects with one seed and fails with another.

Every training of :mod:`experiments.runs.training_run` is asked the same questions: which atoms are
anomalies, how much of the anomalies the dictionary represents, how the multiplier of the
low-rank step ranks the pixels, what happens without each atom, how large the latent samples
are beside λ, and what other scores the same network gives. The truth is used to explain, not
to choose.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage
from scipy.stats import spearmanr

from experiments import published
from experiments.rendering import tables
from experiments.reporting.markdown import markdown_table
from experiments.reporting.names import scene_title
from experiments.reporting.provenance import provenance
from experiments.runs import training_run
from experiments.runs.command import carry_out
from experiments.runs.lren_run import PresetRun
from experiments.runs.run import (
    Workspace,
    is_finished,
    keep_failure,
    keep_score,
    load_result,
)
from lren_tf import Scene, detectors, metrics, plots
from lren_tf.records import scene_record
from lren_tf.runtime.startup import quiet_start

if TYPE_CHECKING:
    from lren_tf import LREN

STUDY = "failures"
PRESETS = ("release", "paper")
GOOD, BAD = 0.98, 0.9
"""AUC(Pd,Pf) from which on a run counts as good, and below which as bad."""


@dataclass(frozen=True)
class FailureRun(PresetRun):
    """The questions to one training. Its map is the norm of the multiplier."""

    @property
    def training(self) -> training_run.TrainingRun:
        """The training that is asked."""
        return training_run.TrainingRun(training_run.STUDY, self.scene, self.preset, self.seed)

    def execute(self, scene: Scene, space: Workspace) -> dict[str, Any]:
        """Load the model, or train it where it was not kept, and ask; a training that diverged
        left nobody to ask."""
        record: dict[str, Any] = {
            "study": STUDY, "detector": "lren", "preset": self.preset, "seed": self.seed,
            "scene": scene_record(scene), **provenance(),
        }  # fmt: skip
        trained = self._trained(scene, space)
        record |= {"training_commit": trained["commit"], "settings": trained["settings"]}
        if trained["metrics"] is None:
            error = RuntimeError(f"the training gave no model: {trained['error']}")
            return keep_failure(self, space, record, "no model", error)
        with quiet_start():
            import keras

            import lren_tf.model.lren  # noqa: F401  (Keras finds the class by its import)

            model = keras.models.load_model(self.training.model_path(space))
        started = time.perf_counter()
        found, dual = ask(model, scene, trained["lambda_path"])
        record |= {
            "device": model.device,
            "seconds": {"ask": time.perf_counter() - started},
            "lam": model.settings.lam,
            **found,
        }
        return keep_score(self, scene, space, record, dual)

    def _trained(self, scene: Scene, space: Workspace) -> dict[str, Any]:
        """Record of the training, which is run where it or its model is missing."""
        kept = load_result(self.training, space)
        if kept is None or not is_finished(self.training, space):
            return self.training.execute(scene, space)
        if kept["metrics"] is not None and not self.training.model_path(space).is_file():
            return self.training.execute(scene, space)
        return kept


def ask(
    model: LREN, scene: Scene, path: dict[str, list[Any]]
) -> tuple[dict[str, Any], np.ndarray]:
    """All answers of one model, and the map of the multiplier's norm.

    Where a residual is not 0 the multiplier's norm is λ up to rounding, so it can rank those
    pixels only that the dictionary represents: it is looked at where they are nine tenths or
    more. There may be no such λ, as atoms that span fewer dimensions than the samples leave a
    residual everywhere; the map is then that of the largest λ and says nothing.

    Args:
        model: fitted on `scene`, scoring by the residual.
        scene: with its truth.
        path: what :func:`experiments.runs.training_run.lambda_path` found for it.
    """
    truth = scene.truth
    shape = scene.shape[:2]
    solution = model.decompose(scene)
    score = model.score_of(solution).reshape(shape)
    high = [
        lam for lam, share in zip(path["lam"], path["represented"], strict=True) if share >= 0.9
    ]
    large = high[0] if high else path["lam"][-1]
    sparse = model.decompose(scene, lam=large)
    dual = np.linalg.norm(sparse.Y, axis=1).astype(np.float32).reshape(shape)
    out = model(scene.pixels)
    z = out["latent"].numpy().astype(np.float64)
    length = np.linalg.norm(z, axis=1).reshape(shape)
    residual = np.linalg.norm(solution.A, axis=1).reshape(shape)
    atoms = _atoms(model, scene)
    anomalous = [atom["anomalous"] is True for atom in atoms]
    rest = model.dictionary.atoms[~np.array(anomalous)]
    broken = _ranks(model.score_of(sparse), dual.ravel()).reshape(shape)
    energy = model.with_settings(scene, scoring="energy").score(scene)
    rx = detectors.create("rx")
    spectra = scene.pixels - out["reconstruction"].numpy().astype(np.float64)
    spread = scene.pixels.std(axis=0)
    error = np.linalg.norm(spectra[:, spread > 0] / spread[spread > 0], axis=1).reshape(shape)
    return {
        "score": _areas(score, truth),
        "atoms": atoms,
        "anomalous_atoms": sum(anomalous),
        "without_anomalous_atoms": _without(model, scene, rest) if any(anomalous) else None,
        "represented": _by_class(score == 0, truth, np.mean),
        "relative_residual": _by_class(residual / np.maximum(length, 1e-300), truth, np.median),
        "large_lambda": {
            "lam": large,
            "represented": _by_class(model.score_of(sparse).reshape(shape) == 0, truth, np.mean),
            "score": _areas(model.score_of(sparse).reshape(shape), truth),
            "multiplier": _areas(dual, truth) if high else None,
            "ties_broken": _areas(broken, truth) if high else None,
        },
        "latent_length": _by_class(length, truth, np.median),
        "other_scores": {
            "energy of the background": _areas(energy, truth),
            "RX of the latent samples": _areas(rx.score(z.reshape(*shape, -1)), truth),
            "reconstruction error": _areas(error, truth),
        },
    }, dual


def _ranks(score: np.ndarray, dual: np.ndarray) -> np.ndarray:
    """Places of pixels by their score, ties of it, most of them 0, by the multiplier."""
    _, places = np.unique(np.stack([score, dual], axis=1), axis=0, return_inverse=True)
    return places.ravel().astype(np.float64)


def _atoms(model: LREN, scene: Scene) -> list[dict[str, Any]]:
    """Each atom, whether its pixel is an anomaly or touches one, and the areas without it."""
    chosen = model.dictionary
    around = ndimage.binary_dilation(scene.truth, np.ones((3, 3))).ravel()
    found = []
    for index, (component, pixel) in enumerate(
        zip(chosen.components, chosen.pixels, strict=True)
    ):
        rest = np.delete(chosen.atoms, index, axis=0)
        found.append(
            {
                "component": int(component),
                "pixel": int(pixel),
                "anomalous": None if pixel < 0 else bool(scene.truth_vector[pixel]),
                "beside_an_anomaly": None if pixel < 0 else bool(around[pixel]),
                "without": _without(model, scene, rest),
            }
        )
    return found


def _without(model: LREN, scene: Scene, atoms: np.ndarray) -> dict[str, float] | None:
    """Areas with another dictionary; None if there is no atom left."""
    if not atoms.any():
        return None
    score = model.score_of(model.decompose(scene, atoms=atoms))
    return _areas(score.reshape(scene.shape[:2]), scene.truth)


def best_to_remove(one: dict[str, Any]) -> dict[str, float] | None:
    """Areas without the atom whose removal gives the highest AUC(Pd,Pf); None where a removal
    leaves nothing."""
    there = [atom["without"] for atom in one["atoms"] if atom["without"] is not None]
    return max(there, key=lambda areas: areas["auc_pd_pf"]) if there else None


def _areas(score: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    return {
        "auc_pd_pf": metrics.auc_pd_pf(score, truth),
        "auc_pf_tau": metrics.auc_pf_tau(score, truth),
    }


def _by_class(values: np.ndarray, truth: np.ndarray, statistic: Any) -> dict[str, float]:
    return {
        "anomalies": float(statistic(values[truth])),
        "background": float(statistic(values[~truth])),
    }


def planned(scenes: Sequence[str] = tuple(published.SCENES)) -> list[FailureRun]:
    """Every training of the study of seeds."""
    return [
        FailureRun(STUDY, run.scene, run.preset, run.seed) for run in training_run.planned(scenes)
    ]


def results(preset: str, scenes: Sequence[str], space: Workspace) -> list[dict[str, Any]]:
    """Answers there are, scene by scene and seed by seed."""
    runs = [run for scene in scenes for run in planned([scene]) if run.preset == preset]
    there = [load_result(run, space) for run in runs]
    return [one for one in there if one is not None and one["metrics"] is not None]


def table(space: Workspace, scenes: Sequence[str]) -> str:
    """One row for every training: what the score is, and what goes with it."""
    header = [
        "scene", "preset", "seed", "AUC(Pd,Pf)", "anomalies among the atoms",
        "anomalies without residual", "background without residual", "without anomalous atoms",
        "without the atom whose removal helps most", "a λ that leaves a tenth", "AUC(Pd,Pf) there",
        "multiplier there", "ties broken by it", "median ‖z‖, anomalies / background",
        "energy of the background", "RX of the latent", "reconstruction error",
    ]  # fmt: skip
    body = []
    for preset in PRESETS:
        for one in results(preset, scenes, space):
            others = one["other_scores"]
            lengths = one["latent_length"]
            large = one["large_lambda"]
            high = large["multiplier"] is not None
            body.append(
                [
                    scene_title(one["scene"]["name"]),
                    f"`{preset}`",
                    str(one["seed"]),
                    _text(one["score"]),
                    f"{one['anomalous_atoms']} of {len(one['atoms'])}",
                    f"{one['represented']['anomalies']:.0%}",
                    f"{one['represented']['background']:.0%}",
                    _text(one["without_anomalous_atoms"]),
                    _text(best_to_remove(one)),
                    f"{large['lam']:g}" if high else "–",
                    _text(large["score"] if high else None),
                    _text(large["multiplier"]),
                    _text(large["ties_broken"]),
                    f"{lengths['anomalies']:.1f} / {lengths['background']:.1f}",
                    *(_text(others[name]) for name in others),
                ]
            )
    return markdown_table(header, body)


def _text(areas: dict[str, float] | None) -> str:
    return "–" if areas is None else f"{areas['auc_pd_pf']:.4f}"


def summary(space: Workspace, scenes: Sequence[str]) -> str:
    """Good and bad runs side by side, medians."""
    header = ["preset", "runs", "count", "anomalies among the atoms",
              "residual of anomalies / of background", "without anomalous atoms",
              "without the atom whose removal helps most", "multiplier at a large λ",
              "energy of the background", "RX of the latent", "reconstruction error"]  # fmt: skip
    body = []
    for preset in PRESETS:
        groups: dict[str, list[dict[str, Any]]] = {
            f"good (AUC ≥ {GOOD})": [], "between": [], f"bad (AUC < {BAD})": []
        }  # fmt: skip
        for one in results(preset, scenes, space):
            auc = one["score"]["auc_pd_pf"]
            groups[list(groups)[0 if auc >= GOOD else 2 if auc < BAD else 1]].append(one)
        for name, group in groups.items():
            if not group:
                continue
            body.append([f"`{preset}`", name, str(len(group)), *_medians(group)])
    return markdown_table(header, body)


def _medians(group: list[dict[str, Any]]) -> list[str]:
    def area(of: Any) -> str:
        values = [v["auc_pd_pf"] for v in map(of, group) if v is not None]
        return f"{median(values):.4f}" if values else "–"

    ratios = [
        one["relative_residual"]["anomalies"] / max(one["relative_residual"]["background"], 1e-12)
        for one in group
    ]
    others = list(group[0]["other_scores"])
    ratio = median(ratios)
    return [
        f"{median(one['anomalous_atoms'] for one in group):g}",
        "more than 1000" if ratio > 1000 else f"{ratio:.2g}",
        area(lambda one: one["without_anomalous_atoms"]),
        area(best_to_remove),
        area(lambda one: one["large_lambda"]["multiplier"]),
        *(area(lambda one, n=name: one["other_scores"][n]) for name in others),
    ]


def scale_table(space: Workspace, scenes: Sequence[str]) -> str:
    """λ against the size of the latent samples.

    In eq. (1), samples and atoms that are s times as large are the same as a λ that is s times
    as large, so it is λ times the length of a sample that decides. The iteration, whose μ starts
    and grows the same at every size, keeps to that roughly. For every preset and scene: that
    product at the published λ, over the seeds, and the rank correlation over seeds between it
    and AUC(Pd,Pf).
    """
    header = ["scene", "preset", "runs", "median ‖z‖ of the background, lowest to highest",
              "λ‖z‖ at the published λ", "rank correlation of ‖z‖ and AUC(Pd,Pf)",
              "best λ over the seeds, lowest to highest"]  # fmt: skip
    body = []
    for preset in PRESETS:
        for scene in scenes:
            there = results(preset, [scene], space)
            if len(there) < 3:
                continue
            sizes = [one["latent_length"]["background"] for one in there]
            areas = [one["score"]["auc_pd_pf"] for one in there]
            paths = [
                load_result(
                    training_run.TrainingRun(training_run.STUDY, scene, preset, one["seed"]), space
                )["lambda_path"]
                for one in there
            ]
            best = [p["lam"][int(np.argmax(p["auc_pd_pf"]))] for p in paths]
            product = there[0]["lam"] * median(sizes)
            # Of seeds that all give the same there is no correlation.
            same = min(len(set(sizes)), len(set(areas))) == 1
            correlation = "–" if same else f"{spearmanr(sizes, areas).statistic:+.2f}"
            body.append(
                [
                    scene_title(scene),
                    f"`{preset}`",
                    str(len(there)),
                    f"{min(sizes):.2g} to {max(sizes):.2g}",
                    f"{product:.2g}",
                    correlation,
                    f"{min(best):g} to {max(best):g}",
                ]
            )
    return markdown_table(header, body)


def draw(space: Workspace, scenes: Sequence[str]) -> list[Path]:
    """AUC of the score beside that of other scores of the same networks; returns the files."""
    values: dict[str, dict[str, list[float]]] = {}
    for scene in scenes:
        there = results("release", [scene], space)
        if not there:
            continue
        column = values.setdefault(scene_title(scene), {})
        column["residual"] = [one["score"]["auc_pd_pf"] for one in there]
        best = [best_to_remove(one) for one in there]
        column["without\nthe best\natom"] = [
            np.nan if areas is None else areas["auc_pd_pf"] for areas in best
        ]
        short = ("energy", "RX of\nlatent", "recon-\nstruction")
        for name, title in zip(there[0]["other_scores"], short, strict=True):
            column[title] = [one["other_scores"][name]["auc_pd_pf"] for one in there]
    if not values:
        return []
    reference = {
        scene_title(scene): published.PAPER_PROPOSED[scene].pd_pf for scene in scenes
    }
    return tables.save_figures(
        {"failures": lambda: plots.strip_plot(values, reference)}, space
    )


def write(space: Workspace, scenes: Sequence[str]) -> str:
    """Write tables and figure; returns the summary as Markdown."""
    tables.write_table("failures", table(space, scenes), space)
    tables.write_table("failures_summary", summary(space, scenes), space)
    tables.write_table("failures_scale", scale_table(space, scenes), space)
    draw(space, scenes)
    return summary(space, scenes)


def blocks(space: Workspace) -> dict[str, str]:
    """Return the block of good and bad runs for a page."""
    return {"failures": summary(space, tuple(published.SCENES))}


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask what was not asked before and render; nothing can be said without the real scenes."""
    return carry_out("failures", __doc__, arguments, planned, write)


if __name__ == "__main__":
    raise SystemExit(main())
