"""``lren-tf datasets``: the benchmark scenes and where they are."""

from __future__ import annotations

import argparse

from lren_tf import datasets


def list_datasets(arguments: argparse.Namespace) -> None:
    """Print the benchmark scenes and where they are."""
    rows = []
    for entry in datasets.BENCHMARKS.values():
        size = " × ".join(map(str, entry.shape))
        path = datasets.find(entry.name) or f"not found; published at {entry.url}"
        rows.append(f"{entry.name:<10}{size:<17}{entry.anomalous:>4} anomalous  {path}")
    print("\n".join(rows))
