"""``lren-tf datasets``: the benchmark scenes and where they are."""

from __future__ import annotations

import argparse
from pathlib import Path

from lren_tf import datasets
from lren_tf.cli.console import result, say


def list_datasets(arguments: argparse.Namespace) -> None:
    """Print the scenes of the paper, then the further ones, and where they are."""
    groups = (
        ("of the paper:", datasets.BENCHMARKS.values()),
        ("further:", datasets.FURTHER.values()),
    )
    lines: list[str] = []
    scenes: list[dict[str, object]] = []
    for title, entries in groups:
        lines += [f"\n{title}" if lines else title]
        for entry in entries:
            path = datasets.find(entry.name)
            lines.append(_line(entry, path))
            scenes.append({
                "name": entry.name, "shape": entry.shape, "anomalous": entry.anomalous,
                "path": None if path is None else str(path), "url": entry.url,
            })  # fmt: skip
    result(scenes=scenes)
    say("\n".join(lines))


def _line(entry: datasets.Benchmark, path: Path | None) -> str:
    size = " × ".join(map(str, entry.shape))
    where = str(path)
    if path is None:
        where = "not found; " + (
            f"published at {entry.url}"
            if entry.url is not None
            else f"by hand, as {entry.file} in {datasets.DATA_VARIABLE} ({entry.source})"
        )
    return f"{entry.name:<12}{size:<17}{entry.anomalous:>4} anomalous  {where}"
