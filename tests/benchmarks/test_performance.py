"""What docs/performance.md says is what the benchmarks' JSON files hold."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import numpy as np
import pytest

from benchmarks import large_scenes, operations, performance, tables
from lren_tf import LREN, datasets, detectors, presets
from lren_tf.runtime.files import atomic_path
from lren_tf.runtime.peak_memory import PeakMemory

PAGE = performance.PAGE.read_text(encoding="utf-8")
RESULTS = sorted(tables.RESULTS.glob("*.json"))
SCALING = {
    "side": 100,
    "bands": 200,
    "cases": [
        {"pixels": n, "bands": b, "memory_limit": limit, "us_per_pixel_and_epoch": us,
         "beside_us": [4.0, 6.0], "ratio": us / 5, "share": 0.5, "counted_flop_per_pixel": 1e6}
        for n, b, limit, us in (
            (10_000, 50, None, 2.0), (10_000, 400, None, 9.0), (1_000_000, 200, "2GiB", 6.0),
        )
    ],
}  # fmt: skip


def block(name: str) -> str:
    match = re.search(rf"<!-- {name}:begin -->\n(.*?)<!-- {name}:end -->", PAGE, re.DOTALL)
    assert match, f"the page has no block {name}"
    return match[1].strip()


def test_every_block_is_that_of_the_results():
    made = performance.blocks()
    on_page = re.findall(r"<!-- (\w+):begin -->", PAGE)
    assert sorted(on_page) == sorted(made)
    for name, body in made.items():
        assert block(name) == body, name


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_results_say_where_they_come_from(path):
    record = json.loads(path.read_text(encoding="utf-8"))
    assert record["benchmark"] == path.stem
    assert record["clean"] is True, "measured from a tree with changes"
    assert len(record["commit"]) == 40
    assert {"time", "processor", "cores", "versions"} <= set(record)


@pytest.mark.parametrize("preset", presets.PRESETS)
def test_operations_are_those_of_the_network(preset):
    """Six operations per weight, but for the first layer's four."""
    settings = presets.PRESETS[preset]
    model = LREN(preset)
    model.build((None, 30))
    kernels = [v for v in model.trainable_variables if v.name == "kernel"]
    assert [v.shape[0] for v in kernels] == 6 * [settings.members]
    weights = sum(int(np.prod(v.shape)) for v in kernels)
    first = 30 * settings.hidden_units * settings.members
    assert settings.members * operations.weights_of(30, settings) == weights
    assert operations.operations_per_pixel(30, settings) == 6 * weights - 2 * first


def test_a_projection_is_operations_by_the_time_of_one():
    rows = tables.scenes_table(SCALING).splitlines()[2:]
    name, pixels, bands = tables.SCENES[0]
    paper = presets.PRESETS["paper"]
    seconds = operations.operations_per_pixel(bands, paper) * 1000 * pixels * 6e-12
    assert rows[0].startswith(f"| {name} | {pixels:,} × {bands} | {seconds:.0f} s |")


def test_more_machines_share_the_pixels_and_add_the_exchange():
    rows = [row.split(" | ") for row in tables.machines_table(SCALING).splitlines()[2:]]
    one, two = (float(row[1].removesuffix(" s")) for row in rows[:2])
    assert [row[0].removeprefix("| ") for row in rows] == [str(n) for n in tables.MACHINES]
    alone, exchanged = (float(row[3].removesuffix(" s |")) for row in rows[:2])
    assert alone == 0 < exchanged < 0.1
    assert two == pytest.approx(one / 2 + exchanged, abs=0.01)


def test_a_benchmark_that_was_not_run_has_no_block(tmp_path):
    assert set(performance.blocks(tmp_path)) == {"cost", "against", "large"}
    with atomic_path(tmp_path / "scaling.json") as temporary:
        temporary.write_text(json.dumps(SCALING))
    made = performance.blocks(tmp_path)
    assert {"growth", "scenes", "machines"} <= set(made)
    assert "| 1,000,000 | 200 | 2GiB | 6.00 µs | 5.00 µs | 1.20 | 50% |" in made["growth"]


def test_a_detector_ran_or_refused_or_was_stopped():
    cases = [
        {"detector": name, "shape": [9, 9, 5], "outcome": "ran", "seconds": 12.3,
         "anonymous_bytes": 2**29}
        for name in detectors.names()
    ]  # fmt: skip
    cases[1] = {"detector": "lrx", "shape": [9, 9, 5], "outcome": "stopped", "seconds": 1800}
    cases[2] = {"detector": "adlr", "shape": [9, 9, 5], "outcome": "refused"}
    header, _, *rows = tables.large_scenes_table({"cases": cases}).splitlines()
    assert header.startswith("| detector | 9 × 9 × 5 | needs, 1000 × 1000 × 100 |")
    assert rows[0].startswith("| `rx` | 12 s, 0.50 GiB | 0.1 GiB |")
    assert "| not within 30 min |" in rows[1] and "| refused |" in rows[2]
    unmeasured = tables.large_scenes_table(None).splitlines()
    assert unmeasured[2].startswith("| `rx` | 0.1 GiB |") and len(unmeasured) == len(rows) + 2


def test_rx_is_held_against_spy(tmp_path):
    record = {"shape": [9, 8, 5], "threads": 2, "ratio": {"array": 6.0, "file": 5.5},
              "seconds": {"spy": [3.0], "array": [0.5], "file": [0.55]},
              "anonymous_bytes": {"spy": 2**30, "array": 2**20, "file": 2**21}}  # fmt: skip
    with atomic_path(tmp_path / "rx.json") as temporary:
        temporary.write_text(json.dumps(record))
    rows = tables.against_table(tmp_path).splitlines()[2:]
    assert len(rows) == 2 and rows[1].endswith("| RX of SPy, 3.0 s, 1024 MiB | 5.5 times as fast |")


of_linux = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="Linux alone says RssAnon"
)


@of_linux
def test_own_memory_is_what_was_allocated_meanwhile():
    with PeakMemory() as peak:
        held = np.ones(8 << 20)
        time.sleep(0.1)
    assert held.nbytes <= peak.bytes + (1 << 20) and peak.bytes < 4 * held.nbytes


@of_linux
def test_large_scenes_are_measured_in_processes_of_their_own(tmp_path):
    scene = datasets.simulate(12, 11, 9, seed=1)
    np.save(tmp_path / "scene.npy", scene.cube)
    np.save(tmp_path / "scene.truth.npy", scene.truth)
    case = large_scenes.measure("rx", tmp_path / "scene.npy")
    assert case["outcome"] == "ran" and case["auc_pd_pf"] > 0.5 and "AUC" in large_scenes.said(case)
    refused = large_scenes.measure("lrx", tmp_path / "scene.npy")
    assert refused["outcome"] == "refused" and "'outer' is 21" in large_scenes.said(refused)


def test_the_figure_has_both_kinds_of_step():
    over_pixels, over_bands = performance.growth_figure(SCALING).axes
    labels = [text.get_text() for text in over_pixels.get_legend().get_texts()]
    assert labels == ["held in memory", "in bounded memory", "1.3 times 10,000 pixels"]
    assert list(over_bands.lines[0].get_xdata()) == [50, 400]


def test_batches_say_seconds_for_a_scene_and_which_is_fastest():
    record = {"scenes": 8, "seconds": {"1 worker × 1 thread": 80.0, "2 workers × 1 thread": 40.0}}
    one, two = (row.split(" | ") for row in tables.batch_table(record).splitlines()[2:])
    assert one[1:] == ["80 s", "10.0 s", "2.00 |"]
    assert two[1:] == ["40 s", "5.0 s", "1.00 |"]
