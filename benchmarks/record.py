"""How benchmarks print and keep what they measured, and what the README says of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from experiments import provenance, render

RESULTS = provenance.ROOT / "benchmarks" / "results"


def print_table(title: str, rows: Sequence[tuple[str, str]]) -> None:
    """Two columns under a title."""
    width = max(len(name) for name, _ in rows)
    print(title)
    for name, value in rows:
        print(f"  {name:<{width}}  {value}")


def keep(record: dict[str, Any]) -> None:
    """Write ``benchmarks/results/<benchmark>.json`` with provenance, and the README's table."""
    path = RESULTS / f"{record['benchmark']}.json"
    provenance.write_record(path, {**record, **provenance.provenance()})
    print(f"wrote {path}")
    render.fill_readme("benchmarks", readme_table())


def readme_table(results: Path = RESULTS) -> str:
    """What was measured, against what, and the ratio; one row for each benchmark kept."""
    rows = []
    solver = _read(results / "solver.json")
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
    for size in [] if solver is None else solver.get("scaling", []):
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
    training = _read(results / "training.json")
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
    detectors = _read(results / "detectors.json")
    for case in [] if detectors is None else detectors["cases"]:
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
    return render.markdown_table(("what", "here", "against", "ratio"), rows)


def _read(path: Path) -> dict[str, Any] | None:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
