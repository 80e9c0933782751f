"""Catalogue of a batch: a table of scenes, all detections, and an index page."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lren_tf.batch.finished import placed
from lren_tf.batch.index_page import Card, index_page
from lren_tf.io.detections_of_scenes import (
    SceneDetections,
    has_geoparquet,
    write_geojson_of_scenes,
    write_geoparquet_of_scenes,
)
from lren_tf.runtime.files import atomic_path

SCENES, GEOJSON, GEOPARQUET, INDEX = (
    "scenes.csv", "detections.geojson", "detections.parquet", "index.html",
)  # fmt: skip
"""Names of its files."""

COLUMNS = (
    "scene", "status", "reason", "source", "time", "rows", "columns", "bands", "valid_pixels",
    "sha256", "detector", "preset", "threshold", "detections", "detected_pixels", "auc_pd_pf",
    "seconds", "report",
)  # fmt: skip
"""Columns of the table of scenes."""


@dataclass(frozen=True)
class Entry:
    """One scene of a batch: its result, or why there is none.

    Attributes:
        name: of the scene.
        source: its path, or its name again.
        report: path of its report.
        content: the report, or None of a scene that failed.
        failure: why it failed, a sentence without its full stop; None of one that is done.
    """

    name: str
    source: str
    report: Path
    content: dict[str, Any] | None
    failure: str | None = None

    def row(self, folder: Path) -> dict[str, Any]:
        """Row of the table of scenes; None is an empty cell.

        Args:
            folder: of the catalogue, to which the path of the report is relative.
        """
        row: dict[str, Any] = dict.fromkeys(COLUMNS)
        row |= {"scene": self.name, "source": self.source, "reason": self.failure}
        row["status"] = "failed" if self.content is None else "done"
        if self.content is None:
            return row
        scene, threshold = self.content["scene"], self.content.get("threshold") or {}
        rows, columns, bands = scene["shape"]
        return row | {
            "time": scene.get("acquired"),
            "rows": rows,
            "columns": columns,
            "bands": bands,
            "valid_pixels": scene.get("valid", rows * columns),
            "sha256": scene["sha256"],
            "detector": self.content["detector"],
            "preset": self.content.get("preset"),
            "threshold": threshold.get("threshold"),
            "detections": threshold.get("detections"),
            "detected_pixels": threshold.get("detected_pixels"),
            "auc_pd_pf": (self.content.get("metrics") or {}).get("auc_pd_pf"),
            "seconds": round(sum(self.content["seconds"].values()), 3),
            "report": self.report.relative_to(folder).as_posix(),
        }

    def file(self, what: str) -> Path | None:
        """One of the files that the report names, or None where it names none."""
        named = None if self.content is None else self.content["files"].get(what)
        return None if named is None else placed(self.report, named)


def write_catalogue(folder: Path, entries: Sequence[Entry]) -> dict[str, Path]:
    """Write the catalogue; what an earlier one had and this one has not is removed.

    Detections are written where a scene has a list of them, which a false-alarm rate gives it;
    as GeoParquet where pyarrow is installed.

    Args:
        folder: where to; above the folders of the scenes.
        entries: one for each scene.

    Returns:
        The files by what they are.

    Raises:
        InputError: a file cannot be written.
    """
    files = {"scenes": folder / SCENES}
    rows = [entry.row(folder) for entry in entries]
    with atomic_path(files["scenes"]) as temporary:
        _write_rows(temporary, rows)
    geojson, geoparquet = folder / GEOJSON, folder / GEOPARQUET
    if any(entry.file("geojson") for entry in entries):
        files["detections"] = geojson
        write_geojson_of_scenes(geojson, _detections(entries))
        if has_geoparquet():
            files["geoparquet"] = geoparquet
            write_geoparquet_of_scenes(geoparquet, _detections(entries), _evidence(entries))
    for path in {geojson, geoparquet} - set(files.values()):
        path.unlink(missing_ok=True)
    files["index"] = folder / INDEX
    cards = [
        Card(row, entry.file("picture")) for row, entry in zip(rows, entries, strict=True)
    ]
    with atomic_path(files["index"]) as temporary:
        temporary.write_text(index_page(cards, folder), encoding="utf-8")
    return files


def totals(entries: Sequence[Entry], folder: Path) -> dict[str, int]:
    """Scenes done and failed, detections and detected pixels, summed over the table."""
    rows = [entry.row(folder) for entry in entries]
    return {
        "done": sum(row["status"] == "done" for row in rows),
        "failed": sum(row["status"] == "failed" for row in rows),
        "detections": sum(row["detections"] or 0 for row in rows),
        "detected_pixels": sum(row["detected_pixels"] or 0 for row in rows),
    }


def _write_rows(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    # A path on a disk need not be text in any encoding.
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _detections(entries: Sequence[Entry]) -> Iterator[SceneDetections]:
    for entry in entries:
        path = entry.file("geojson")
        if path is not None and entry.content is not None:
            yield SceneDetections(entry.name, entry.content["scene"].get("acquired"), path)


def _evidence(entries: Sequence[Entry]) -> list[str]:
    """Names of the evidence that any scene's detections are made of."""
    found: dict[str, None] = {}
    for entry in entries:
        shares = ((entry.content or {}).get("threshold") or {}).get("evidence") or {}
        for each in shares.values():
            found |= dict.fromkeys(each)
    return list(found)
