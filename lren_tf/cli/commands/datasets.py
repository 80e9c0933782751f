"""``lren-tf datasets``: the benchmark scenes and where they are."""

from __future__ import annotations

import argparse

from lren_tf import datasets


def list_datasets(arguments: argparse.Namespace) -> None:
    """Print the scenes of the paper, then the further ones, and where they are."""
    groups = (
        ("of the paper:", datasets.BENCHMARKS.values()),
        ("further:", datasets.FURTHER.values()),
    )
    lines: list[str] = []
    for title, entries in groups:
        lines += [f"\n{title}" if lines else title, *map(_line, entries)]
    print("\n".join(lines))


def _line(entry: datasets.Benchmark) -> str:
    size = " × ".join(map(str, entry.shape))
    path = datasets.find(entry.name)
    where = str(path)
    if path is None:
        where = "not found; " + (
            f"published at {entry.url}"
            if entry.url is not None
            else f"by hand, as {entry.file} in {datasets.DATA_VARIABLE} ({entry.source})"
        )
    return f"{entry.name:<12}{size:<17}{entry.anomalous:>4} anomalous  {where}"
