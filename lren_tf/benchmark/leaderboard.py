"""Leaderboard of a benchmark, from the records of its runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np

from lren_tf.benchmark import statistics
from lren_tf.benchmark.methods import Method
from lren_tf.benchmark.plan import Plan
from lren_tf.benchmark.run import Run
from lren_tf.evaluation.objects import RATES
from lren_tf.version import __version__

MEASURES: Mapping[str, str] = {
    "auc_pd_pf": "AUC(Pd,Pf)",
    "auc_pf_tau": "AUC(Pf,τ)",
    "auc_pd_tau": "AUC(Pd,τ)",
    "pd_at_1_percent": "Pd at 1 %",
    "pd_at_1_permille": "Pd at 0.1 %",
    "average_precision": "average precision",
}
"""Titles of the measures, by the names of metrics; the first one ranks."""
RANKED_BY = "auc_pd_pf"

WITH_TRUTH = "chosen with the truth"
UNFINISHED = "unfinished"
"""Reasons why a method is not ranked."""

Record = Mapping[str, Any]
Cell = dict[str, Any]


@dataclass(frozen=True)
class Ended:
    """A run and its end: a record, a failure, or neither of one that was not made.

    Attributes:
        run: which.
        record: of a run that is done.
        failure: sentence without its full stop, of one that failed.
    """

    run: Run
    record: Record | None = None
    failure: str | None = None


def leaderboard(plan: Plan, ended: Sequence[Ended]) -> dict[str, Any]:
    """Everything that the tables say, ready for JSON.

    Args:
        plan: scenes and methods.
        ended: one for each run of the plan.

    Returns:
        ``scenes`` and ``methods`` by name and key, each method with a cell for each scene, whose
        ``chosen_with_truth`` says whether that scene took part in choosing the method, and
        ``mean``; ``ranking``, and the scenes ``over`` which it is; ``failures``; ``made``, time of
        the first and the last run; ``versions`` and ``machines`` of the runs.
    """
    rows = {
        key: _row(method, plan, [each for each in ended if each.run.method.key == key])
        for key, method in plan.methods.items()
    }
    ranking = _rank(list(plan.scenes), rows)
    found = [each.record for each in ended if each.record is not None]
    return {
        "version": __version__,
        "scenes": {scene.name: dict(scene.content) for scene in plan.scenes.values()},
        "measures": dict(MEASURES),
        "bootstrap": {
            "over": "anomalous objects", "draws": statistics.DRAWS, "seed": statistics.SEED,
            "interval": statistics.INTERVAL,
        },
        "ranking": ranking,
        "methods": {key: rows[key] for key in _order(rows)},
        "failures": [
            {"method": e.run.method.label, "scene": e.run.scene.name, "seed": e.run.seed,
             "failure": e.failure}
            for e in ended if e.failure is not None
        ],
        "made": sorted(record["time"] for record in found)[:: max(1, len(found) - 1)],
        "versions": _distinct([record["versions"] for record in found]),
        "machines": _distinct([record["machine"] for record in found]),
    }  # fmt: skip


def _row(method: Method, plan: Plan, ended: Sequence[Ended]) -> dict[str, Any]:
    cells: dict[str, Cell] = {}
    draws: dict[str, dict[str, np.ndarray]] = {}
    for scene in plan.scenes.values():
        own = [each for each in ended if each.run.scene.name == scene.name]
        cells[scene.name] = _counts(own)
        cells[scene.name]["chosen_with_truth"] = method.took_part(scene.content)
        records = [each.record for each in own if each.record is not None]
        if not records:
            continue
        cells[scene.name] |= _measured(records)
        if scene.content["objects"] > 1:
            objects = statistics.mean_objects([record["object_scores"] for record in records])
            draws[scene.name] = statistics.resampled(scene.name, objects)
            cells[scene.name]["intervals"] = {
                name: statistics.interval(values) for name, values in draws[scene.name].items()
            }
    counts = _counts(ended)
    reason = WITH_TRUTH if method.chosen_with_truth else None
    if counts["missing"]:
        reason = UNFINISHED
    return {
        "title": method.label,
        "detector": method.detector,
        "settings": dict(method.settings),
        "chosen_with_truth": method.chosen_with_truth,
        "seeds": sorted({e.run.seed for e in ended if e.run.seed is not None}),
        "not_ranked": reason,
        "mean": counts | _mean(cells, draws, ended),
        "by_scene": cells,
    }


def _counts(ended: Sequence[Ended]) -> Cell:
    done = sum(each.record is not None for each in ended)
    failed = sum(each.failure is not None for each in ended)
    return {"runs": len(ended), "failed": failed, "missing": len(ended) - done - failed}


def _measured(records: Sequence[Record]) -> Cell:
    """Every measure of one scene, over its runs."""
    cell: Cell = {name: _spread([r["metrics"][name] for r in records]) for name in MEASURES}
    for cost in ("seconds", "peak_memory_bytes"):
        values = [record[cost] for record in records]
        cell[cost] = None if None in values else _spread(values)
    for rate in RATES:
        at = [record["objects"][f"at_{rate}"] for record in records]
        cell[f"objects_found_at_{rate}"] = _spread([each["found"] for each in at])
        alarms = [each["false_alarms_per_km2"] for each in at]
        cell[f"false_alarms_per_km2_at_{rate}"] = None if None in alarms else _spread(alarms)
    return cell


def _mean(
    cells: Mapping[str, Cell],
    draws: Mapping[str, Mapping[str, np.ndarray]],
    ended: Sequence[Ended],
) -> Cell:
    """Mean over the scenes that have a value, and its spread over the seeds that have them all."""
    done = {name: cell for name, cell in cells.items() if RANKED_BY in cell}
    mean: Cell = {"scenes": len(done)}
    if not done:
        return mean
    measured = dict.fromkeys(name for cell in done.values() for name in cell)
    for name in measured:
        # A cell of one object has no intervals, which are drawn anew below.
        values = [cell[name] for cell in done.values() if isinstance(cell.get(name), dict)]
        if name == "intervals" or not values or "mean" not in values[0]:
            continue
        mean[name] = {"mean": fmean(value["mean"] for value in values), "scenes": len(values)}
    by_seed: dict[int | None, dict[str, Record]] = {}
    for each in ended:
        if each.record is not None:
            by_seed.setdefault(each.run.seed, {})[each.run.scene.name] = each.record
    whole = [records for records in by_seed.values() if set(records) == set(done)]
    if whole:
        for name in MEASURES:
            of_seeds = [fmean(r["metrics"][name] for r in records.values()) for records in whole]
            mean[name] |= {"lowest": min(of_seeds), "highest": max(of_seeds)}
    # A scene with one object has nothing to draw from, and stays what it is.
    if draws:
        mean["intervals"] = {}
        for name in next(iter(draws.values())):
            columns = [
                draws[scene][name] if scene in draws else np.full(
                    statistics.DRAWS, cell[name]["mean"]
                )
                for scene, cell in done.items()
            ]  # fmt: skip
            mean["intervals"][name] = statistics.interval(np.mean(columns, axis=0))
    return mean


def _rank(scenes: Sequence[str], rows: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Rank the methods that are to be; enter the mean rank of each.

    The ranks are over the scenes that took part in choosing none of them; where there is no such
    scene, over all.
    """
    ranked = {key: row for key, row in rows.items() if row["not_ranked"] is None}
    apart = [s for s in scenes if not any(took_part(row, s) for row in ranked.values())]
    blind, scenes = bool(apart), apart or scenes
    values = np.array(
        [[_ranking_value(row["by_scene"][scene]) for row in ranked.values()] for scene in scenes]
    )
    found: dict[str, Any] = {
        "measure": RANKED_BY, "scenes": len(scenes), "over": list(scenes),
        "chosen_with_truth": not blind, "methods": len(ranked), "friedman": None,
        "critical_difference": None,
    }  # fmt: skip
    if not values.size:
        return found
    ranks = statistics.ranks(values)
    means = ranks.mean(axis=0)
    if len(scenes) >= statistics.FEWEST_SCENES and len(ranked) > 1:
        test = statistics.friedman(ranks)
        found["friedman"] = None if test is None else test._asdict()
        found["critical_difference"] = statistics.critical_difference(len(ranked), len(scenes))
    for row, mean in zip(ranked.values(), means, strict=True):
        row["mean_rank"] = float(mean)
        if found["critical_difference"] is not None:
            within = mean - means.min() < found["critical_difference"]
            row["as_good_as_the_best"] = bool(within)
    return found


def took_part(row: Mapping[str, Any], scene: str) -> bool:
    """Return whether the truth of a scene took part in choosing the method of a row."""
    return bool(row["by_scene"][scene]["chosen_with_truth"])


def _ranking_value(cell: Cell) -> float:
    """Mean over the seeds; NaN if one of them failed."""
    return math.nan if cell["failed"] else float(cell[RANKED_BY]["mean"])


def _order(rows: Mapping[str, dict[str, Any]]) -> list[str]:
    """Keys: ranked methods by their mean rank, then the others by their mean area."""

    def place(key: str) -> tuple[bool, float, float]:
        row = rows[key]
        area = row["mean"].get(RANKED_BY, {"mean": -math.inf})["mean"]
        return row["not_ranked"] is not None, row.get("mean_rank", math.inf), -area

    return sorted(rows, key=place)


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {"mean": fmean(values), "lowest": min(values), "highest": max(values)}


def _distinct(records: Sequence[Any]) -> list[Any]:
    found: list[Any] = []
    for record in records:
        if record not in found:
            found.append(record)
    return found
