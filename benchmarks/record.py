"""What benchmarks measured, printed and written with its provenance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks import performance, tables
from experiments.reporting import provenance


def print_table(title: str, rows: Sequence[tuple[str, str]]) -> None:
    """Two columns under a title."""
    width = max(len(name) for name, _ in rows)
    print(title)
    for name, value in rows:
        print(f"  {name:<{width}}  {value}")


def keep(record: dict[str, Any]) -> None:
    """Write ``benchmarks/results/<benchmark>.json`` and fill ``docs/performance.md`` from it."""
    path = tables.RESULTS / f"{record['benchmark']}.json"
    provenance.write_record(path, {**record, **provenance.provenance()})
    print(f"wrote {path}")
    performance.fill()
