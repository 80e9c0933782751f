"""Tables of ``docs/performance.md``, from the JSON files of the benchmarks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import operations
from experiments.reporting.markdown import markdown_table
from experiments.reporting.names import scene_title
from experiments.reporting.provenance import ROOT
from lren_tf import detectors
from lren_tf.detectors.working_memory import Size, needed_bytes
from lren_tf.presets import PRESETS
from lren_tf.training.chunked_step import CHUNK

RESULTS = ROOT / "benchmarks" / "results"
SCENES = (
    ("San Diego, as in the paper", 100 * 100, 189),
    ("AVIRIS, 512 rows of a flight line", 512 * 677, 224),
    ("EMIT, one granule", 1280 * 1242, 285),
)
"""Name, pixels and bands of scenes whose cost is projected."""
ASKED = ((1000, 1000, 100), (1280, 1242, 285))
"""Scenes for which it is said how much memory each detector asks for."""
MACHINES = (1, 2, 4, 8, 16, 32, 64)
LINK_BYTES_PER_S, LATENCY_S = 1.25e9, 1e-4
"""Of the network of the projection: 10 Gbit/s, and what one exchange costs at least."""
EXCHANGES = 4
"""Sums over all workers in a step: latent samples, moments, energies, gradients."""

Record = Mapping[str, Any]


def read(name: str, results: Path = RESULTS) -> dict[str, Any] | None:
    """The record of a benchmark, None if it was not run."""
    path = results / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def against_table(results: Path = RESULTS) -> str:
    """What was measured, against what, and the ratio; one row for each benchmark kept."""
    rows = []
    solver = read("solver", results)
    if solver is not None:
        rows.append(
            [
                f"low-rank step, {solver['scene']}, {solver['pixels']} pixels, "
                f"{solver['iterations']['here']} iterations",
                f"{1e3 * median(solver['here_s']):.0f} ms",
                f"column-by-column NumPy, {median(solver['reference_s']):.1f} s",
                f"{solver['ratio']:.0f} times as fast",
            ]
        )
        settled = solver["settled"]
        rows.append(
            [
                f"the same with `settled={settled['value']:g}`, {settled['iterations']} iterations",
                f"{1e3 * median(settled['here_s']):.0f} ms",
                "the same",
                f"{settled['ratio']:.0f} times as fast",
            ]
        )
    for size in [] if solver is None else solver["scaling"]:
        times = size["ns_per_pixel_and_iteration"]
        for dtype in ("float64", "float32"):
            rows.append(
                [
                    f"low-rank step, {size['pixels']} pixels, {dtype}",
                    f"{times[dtype]:.0f} ns per pixel and iteration",
                    "its plain float64 state read and written once, "
                    f"{times['streaming']:.0f} ns per pixel",
                    f"{times[dtype] / times['streaming']:.1f} times its time",
                ]
            )
    training = read("training", results)
    if training is not None:
        rows.append(
            [
                f"training step, `paper`, {training['pixels']} × {training['bands']}",
                f"{training['step_ms']:.0f} ms",
                "2048² float32 matrix product, "
                f"{training['matrix_product_gflop_per_s']:.0f} GFLOP/s",
                f"{training['share']['median']:.0%} of its rate",
            ]
        )
    robust = read("robust", results)
    if robust is not None:
        rows += _robust_rows(robust)
    local = read("detectors", results)
    for case in [] if local is None else local["cases"]:
        shape = " × ".join(map(str, case["shape"]))
        one, all_ = case["one_thread"], case["all_threads"]
        for measured in [one] if one["threads"] == all_["threads"] else [one, all_]:
            threads = f"{measured['threads']} thread{'s' if measured['threads'] > 1 else ''}"
            rows.append(
                [
                    f"LRX, {shape}, {case['ring']} pixels in a ring, {threads}",
                    f"{median(measured['here_s']):.2f} s",
                    f"windowed RX of SPy, {median(measured['reference_s']):.1f} s",
                    f"{measured['ratio']:.0f} times as fast",
                ]
            )
    rx = read("rx", results)
    for name, where in [] if rx is None else [("array", "in memory"), ("file", "mapped")]:
        rows.append(
            [
                f"RX, {' × '.join(map(str, rx['shape']))} {where}, {rx['threads']} threads, "
                f"{rx['anonymous_bytes'][name] / 2**20:.0f} MiB of own memory",
                f"{median(rx['seconds'][name]):.2f} s",
                f"RX of SPy, {median(rx['seconds']['spy']):.1f} s, "
                f"{rx['anonymous_bytes']['spy'] / 2**20:.0f} MiB",
                f"{rx['ratio'][name]:.1f} times as fast",
            ]
        )
    return markdown_table(("what", "here", "against", "ratio"), rows)


def large_scenes_table(large: Record | None) -> str:
    """Which detector runs at which size: what was measured, and the memory that it asks for."""
    cases = [] if large is None else large["cases"]
    shapes = list(dict.fromkeys(tuple(case["shape"]) for case in cases))
    found = {(case["detector"], tuple(case["shape"])): case for case in cases}

    def measured(case: Record) -> str:
        if case["outcome"] == "stopped":
            return f"not within {_duration(case['seconds'])}"
        if case["outcome"] == "refused":
            return "refused"
        return f"{_duration(case['seconds'])}, {case['anonymous_bytes'] / 2**30:.2f} GiB"

    def counted(name: str, shape: tuple[int, int, int]) -> str:
        needed = needed_bytes(name, Size(*shape), detectors.create(name).get_config())
        return "its `memory_limit`" if needed is None else f"{needed / 2**30:.1f} GiB"

    rows = [
        [
            f"`{name}`",
            *(measured(found[name, shape]) for shape in shapes),
            *(counted(name, shape) for shape in ASKED),
        ]
        for name in detectors.names()
    ]
    header = (
        "detector",
        *(" × ".join(map(str, shape)) for shape in shapes),
        *(f"needs, {' × '.join(map(str, shape))}" for shape in ASKED),
    )
    return markdown_table(header, rows)


def granule_table(granule: Record) -> str:
    """Whole commands on one granule as several kinds of file."""
    detectors_of = list(dict.fromkeys(case["detector"] for case in granule["cases"]))
    found = {(case["form"], case["detector"]): case for case in granule["cases"]}
    sizes = {case["form"]: case["bytes"] for case in granule["cases"]}
    rows = []
    for form, size in sizes.items():
        row = [form, f"{size / 2**30:.2f} GiB"]
        for name in detectors_of:
            case = found[form, name]
            row.append(
                f"{_duration(case['seconds'])}, {case['peak_anonymous_bytes'] / 2**30:.2f} GiB, "
                f"{case['auc_pd_pf']:.4f}"
            )
        rows.append(row)
    return markdown_table(("file", "size", *(f"`{name}`" for name in detectors_of)), rows)


def _robust_rows(robust: Record) -> list[list[str]]:
    """Rows of the preset `robust`: step, fit, command, and a large scene."""
    step, large = robust["step"], robust["large"]
    rows = [
        [
            "training step, `robust`, 1024 × 205, five members",
            f"{step['step_ms']:.1f} ms",
            f"2048² float32 matrix product, {step['matrix_product_gflop_per_s']:.0f} GFLOP/s",
            f"{step['share']:.0%} of its rate",
        ]
    ]
    for name, what in (("fit_s", "fit, `robust`"), ("command_s", "`lren-tf detect`, `robust`")):
        turns = robust[name]
        now, before = (median(each[which] for each in turns) for which in ("now", "before"))
        ratio = median(each["before"] / each["now"] for each in turns)
        rows.append(
            [
                f"{what}, 100 × 100 × 205",
                f"{now:.1f} s",
                f"{robust['before']}, with one network for each member, {before:.1f} s",
                f"{ratio:.1f} times as fast",
            ]
        )
    lren, rx = large["lren"], large["rx"]
    rows.append(
        [
            f"fit and score from disk, `robust`, {large['pixels']:,} × {large['bands']}",
            f"{lren['seconds']:.0f} s, {lren['peak_anonymous_bytes'] / 2**30:.1f} GiB, "
            f"AUC(Pd,Pf) {lren['auc']:.4f}",
            f"`rx` of SPy, {rx['seconds']:.1f} s",
            f"{lren['seconds'] / rx['seconds']:.1f} times its time",
        ]
    )
    return rows


def settled_table(solver: Record) -> str:
    """Iterations with a constant ρ and with a faster one at the end, and what they do to A."""
    rows = [
        [
            ", ".join(each["order"]),
            f"{each['lambda']:g}",
            *map(str, each["iterations"]),
            f"{each['relative_difference_of_A']:.0e}",
        ]
        for each in solver["settled"]["problems"]
    ]
    value = f"`settled={solver['settled']['value']:g}`"
    return markdown_table(
        ("order", "λ", "iterations", value, "difference in A, relative to its largest entry"), rows
    )


def trials_table(trials: Record) -> str:
    """What was tried around the training step, what was expected of it and what it gave."""
    rows = [
        [
            "**the step as it is**" if name == "here" else name,
            each["expected"] or "",
            f"{each['ms']:.1f} ms",
            f"{each['of_here']:.2f}",
            f"{each['share']:.0%}",
        ]
        for name, each in trials["trials"].items()
    ]
    header = (
        "trial", "expected before the run", "measured", "relative to the step",
        "share of the limit",
    )  # fmt: skip
    return markdown_table(header, rows)


def precision_table(precision: Record) -> str:
    """Areas with products of float32 and of bfloat16 factors."""
    rows = [
        [
            scene_title(scene),
            *(f"{case[kind][area]:.4f}" for area in ("auc_pd_pf", "auc_pf_tau")
              for kind in ("float32", "bfloat16")),
        ]
        for scene, case in precision["cases"].items()
    ]  # fmt: skip
    header = (
        "scene", "AUC(Pd,Pf), float32", "bfloat16", "AUC(Pf,τ), float32", "bfloat16"
    )  # fmt: skip
    return markdown_table(header, rows)


def cost_table() -> str:
    """Operations and bytes per pixel and epoch of the presets, counted and not measured."""
    rows = []
    for preset, settings in PRESETS.items():
        for bands in (100, 200, 285):
            counted = operations.operations_per_pixel(bands, settings)
            again = operations.again_per_pixel(bands, settings)
            # Shorter batches are never cut.
            cut = settings.batch_size is None or settings.batch_size > CHUNK
            rows.append(
                [
                    f"`{preset}`, {bands} bands",
                    f"{counted / 1e6:.3f}",
                    f"{again / 1e6:.3f}" if cut else "–",
                    str(operations.bytes_per_pixel(bands) * (2 if cut else 1)),
                    str(settings.total_epochs),
                    f"{counted * settings.total_epochs / 1e6:.0f}",
                ]
            )
    header = (
        "preset", "MFLOP per pixel and epoch", "computed twice in bounded memory",
        "bytes read", "epochs", "MFLOP per pixel, whole training",
    )  # fmt: skip
    return markdown_table(header, rows)


def growth_table(scaling: Record) -> str:
    """Time per pixel and epoch over pixels and bands, beside that of the smallest scene."""
    rows = [
        [
            f"{case['pixels']:,}",
            str(case["bands"]),
            case["memory_limit"] or "none needed",
            f"{case['us_per_pixel_and_epoch']:.2f} µs",
            f"{median(case['beside_us']):.2f} µs",
            f"{case['ratio']:.2f}",
            f"{case['share']:.0%}",
        ]
        for case in scaling["cases"]
    ]
    header = (
        "pixels", "bands", "memory limit", "per pixel and epoch",
        f"{scaling['side']}² × {scaling['bands']} in the same run", "ratio",
        "share of the matrix product's rate",
    )  # fmt: skip
    return markdown_table(header, rows)


def memory_table(memory: Record) -> str:
    """Peak memory of whole processes."""
    rows = [
        [
            f"{case['pixels']:,} × {case['bands']}",
            f"{case['scene_bytes'] / 2**30:.2f} GiB",
            case["memory_limit"] or "none given",
            f"{case['peak_bytes'] / 2**30:.2f} GiB",
            f"{case['seconds']:.0f} s",
        ]
        for case in memory["cases"]
    ]
    return markdown_table(
        ("pixels × bands", "scene on disk", "memory limit", "peak resident memory", "time"), rows
    )


def workers_table(distribution: Record) -> str:
    """One worker and two on one machine, with as many threads each."""
    one, two = (distribution["epoch_s"][name] for name in ("1 worker", "2 workers"))
    differences = distribution["largest_difference"]
    rows = [
        [
            f"{distribution['pixels']:,} × {distribution['bands']}",
            f"{1e3 * one:.0f} ms",
            f"{1e3 * two:.0f} ms",
            f"{distribution['ratio']:.2f}",
            f"{distribution['bytes_per_step'] / 1e6:.2f} MB",
            f"{differences['loss, relative']:.0e}",
            f"{differences['score, of the largest']:.0e}",
        ]
    ]
    header = (
        "pixels × bands", "epoch, one worker", "two workers", "times as fast",
        "exchanged in a step", "losses differ by", "scores differ by",
    )  # fmt: skip
    return markdown_table(header, rows)


def batch_table(batch: Record) -> str:
    """Many scenes by ``lren-tf batch``: one worker and two."""
    fastest = min(batch["seconds"].values())
    rows = [
        [
            name,
            f"{seconds:.0f} s",
            f"{seconds / batch['scenes']:.1f} s",
            f"{seconds / fastest:.2f}",
        ]
        for name, seconds in batch["seconds"].items()
    ]
    header = ("workers", "whole command", "per scene", "relative to the fastest")
    return markdown_table(header, rows)


def scenes_table(scaling: Record) -> str:
    """Time of a training of ``paper`` on whole scenes: operations by the measured rate."""
    largest = max(scaling["cases"], key=lambda case: case["pixels"])
    seconds_per_operation = (
        1e-6 * largest["us_per_pixel_and_epoch"] / largest["counted_flop_per_pixel"]
    )
    settings = PRESETS["paper"]
    rows = []
    for name, pixels, bands in SCENES:
        counted = operations.operations_per_pixel(bands, settings) * settings.total_epochs
        rows.append(
            [name, f"{pixels:,} × {bands}", _duration(counted * pixels * seconds_per_operation)]
        )
    return markdown_table(("scene", "pixels × bands", "`paper`, 1000 epochs"), rows)


def machines_table(scaling: Record) -> str:
    """Seconds of an epoch of ``paper`` on several machines: arithmetic, not a measurement."""
    largest = max(scaling["cases"], key=lambda case: case["pixels"])
    _, pixels, bands = SCENES[-1]
    settings = PRESETS["paper"]
    counted = operations.operations_per_pixel(bands, settings)
    alone = 1e-6 * largest["us_per_pixel_and_epoch"] / largest["counted_flop_per_pixel"]
    alone *= counted * pixels
    exchanged = operations.bytes_exchanged(bands, settings)
    rows = []
    for count in MACHINES:
        # A ring sends every byte twice, less the share that stays.
        sent = 0.0 if count == 1 else 2 * exchanged * (count - 1) / count / LINK_BYTES_PER_S
        waits = 0.0 if count == 1 else EXCHANGES * 2 * (count - 1) * LATENCY_S
        epoch = alone / count + sent + waits
        rows.append([str(count), f"{epoch:.2f} s", f"{alone / epoch:.1f}", f"{sent + waits:.3f} s"])
    return markdown_table(
        ("machines", "epoch", "times as fast as one", "exchange per epoch"), rows
    )


def _duration(seconds: float) -> str:
    if seconds < 9.5:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
