"""Estimates of time and memory beside the runs that are on record."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from pathlib import Path
from statistics import median

import pytest

from lren_tf import detectors, presets
from lren_tf.detectors import estimates
from lren_tf.detectors.estimates import Estimate, estimate
from lren_tf.detectors.working_memory import Size, needed_bytes
from lren_tf.settings import Settings

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "experiments" / "results"


def runs(study: str):
    for path in sorted((RESULTS / study).glob("*/*.json")):
        run = json.loads(path.read_text("utf-8"))
        if run.get("seconds", {}).get("score") is not None:
            yield run


def of_defaults(run) -> bool:
    default = detectors.create(run["detector"]).get_config()
    return all(default[name] == value for name, value in run["settings"].items() if name != "seed")


def on_record() -> dict[str, list[tuple[Size, float]]]:
    """Size and seconds of the runs of every detector that is not LREN."""
    found = defaultdict(list)
    for study in ("comparison", "comparators", "recent_methods"):
        for run in runs(study):
            name = run["detector"]
            if name == "adlr" and study == "comparison":
                continue  # the variant of the release, which is not the default
            if study == "recent_methods" and not of_defaults(run):
                continue
            found[name].append((Size(*run["scene"]["shape"]), run["seconds"]["score"]))
    return found


def test_seconds_are_medians_of_the_runs_on_record():
    record = on_record()
    assert set(estimates.SECONDS) == set(record) == set(detectors.names()) - {"lren"}
    for name, seconds in estimates.SECONDS.items():
        measured = median(s / (size.pixels * size.bands / 1e6) for size, s in record[name])
        # Runs are made again now and then, on machines that are more or less busy.
        assert seconds == pytest.approx(measured, rel=0.4), name


def test_robust_is_right_within_a_factor_of_three():
    robust = presets.PRESETS["robust"]
    ratios = []
    for run in runs("evidence"):
        if run.get("preset") == "robust":
            found = estimate("lren", Size(*run["scene"]["shape"]), robust)
            spent = run["seconds"]["train"] + run["seconds"]["score"]
            ratios.append(found.seconds / spent)
    assert len(ratios) > 30
    assert min(ratios) > 1 / 3 and max(ratios) < 3
    assert 0.8 < median(ratios) < 2


def test_whole_batches_are_right_within_a_factor_of_two():
    cases = json.loads((ROOT / "benchmarks/results/memory.json").read_text("utf-8"))["cases"]
    for case in cases:
        paper = Settings(epochs=3)
        side = math.isqrt(case["pixels"])
        found = estimate("lren", Size(side, side, case["bands"]), paper)
        assert 0.5 < found.seconds / case["seconds"] < 2


def test_memory_of_small_scenes_is_right_within_a_factor_of_two():
    cases = json.loads((ROOT / "benchmarks/results/small_scenes.json").read_text("utf-8"))["cases"]
    assert len(cases) == 9
    for case in cases:
        settings = dict(case["settings"])
        resolved = presets.resolve(settings.pop("preset"), **settings)
        found = estimate("lren", Size(case["height"], case["width"], case["bands"]), resolved)
        assert 0.6 < found.bytes / case["peak_bytes"] < 2


def test_memory_of_a_large_scene_is_right_within_a_factor_of_two():
    large = json.loads((ROOT / "benchmarks/results/robust.json").read_text("utf-8"))["large"]
    side = math.isqrt(large["pixels"])
    found = estimate("lren", Size(side, side, large["bands"]), presets.PRESETS["robust"])
    assert 0.6 < found.bytes / large["lren"]["peak_anonymous_bytes"] < 2


def test_a_trained_model_only_scores():
    size = Size(100, 100, 100)
    robust = presets.PRESETS["robust"]
    applied = estimate("lren", size, robust, trained=True)
    trained = estimate("lren", size, robust)
    assert applied.seconds < trained.seconds
    assert applied.bytes <= trained.bytes
    paper = presets.resolve("paper", epochs=3)
    assert (
        estimate("lren", Size(300, 300, 100), paper, trained=True).bytes
        < estimate("lren", Size(300, 300, 100), paper, memory_limit=1 << 40).bytes
    )


def test_a_limit_bounds_the_memory_of_a_training():
    size, paper = Size(300, 300, 200), presets.PRESETS["paper"]
    free = estimate("lren", size, paper, memory_limit=1 << 40).bytes
    limited = estimate("lren", size, paper, memory_limit=200 << 20).bytes
    least = estimate("lren", size, paper, memory_limit=1).bytes
    assert free > limited >= least


def test_settings_of_the_detector_serve_too():
    size = Size(50, 40, 30)
    detector = detectors.create("lren", preset="paper", settings={"epochs": 10})
    assert estimate("lren", size, detector.get_config()) == estimate(
        "lren", size, Settings(epochs=10)
    )


def test_others_ask_for_their_working_memory():
    size = Size(50, 40, 30)
    settings = detectors.create("rx").get_config()
    found = estimate("rx", size, settings)
    assert found.bytes == needed_bytes("rx", size, settings)
    assert found.seconds == pytest.approx(estimates.SECONDS["rx"] * 0.06)


def test_a_plug_in_is_not_known():
    assert estimate("of_another_package", Size(5, 4, 3), {}) == Estimate(None, None)
