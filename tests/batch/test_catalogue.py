"""Tables, detections and index page of reports that were made up."""

from __future__ import annotations

import csv
import html
import json
import re
from pathlib import Path
from urllib.parse import unquote

import numpy as np
from PIL import Image

from lren_tf.batch import catalogue
from lren_tf.batch.catalogue import COLUMNS, Entry, totals, write_catalogue
from lren_tf.batch.index_page import thumbnail
from lren_tf.evaluation.detections import find_detections
from lren_tf.io.detections import write_geojson


def entry(folder: Path, name: str, count: int | None = 2, **scene: object) -> Entry:
    """A scene with a report; `count` is the number of its detections."""
    place = folder / "scenes" / name
    place.mkdir(parents=True)
    picture = place / f"{name}_score.png"
    Image.fromarray(np.zeros((600, 1200, 3), np.uint8)).save(picture)
    files = {"picture": str(picture)}
    content = {
        "scene": {"name": name, "shape": [6, 5, 7], "sha256": "ab", **scene},
        "detector": "rx", "seconds": {"read": 1.0, "score": 0.25}, "metrics": None,
    }  # fmt: skip
    if count is not None:
        score = np.zeros((6, 5))
        score[::2, ::2].flat[:count] = np.arange(2, 2 + count)
        listed = find_detections(score, 1).listed
        files["geojson"] = str(place / f"{name}.geojson")
        write_geojson(files["geojson"], listed)
        content["threshold"] = {"threshold": 1.0, "detections": count, "detected_pixels": count}
    content["files"] = files
    return Entry(name, f"/data/{name}.npy", place / f"{name}_report.json", content)


def failed(folder: Path, name: str) -> Entry:
    report = folder / "scenes" / name / "r.json"
    return Entry(name, name, report, None, "it is <cut>; expected, all")


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "scenes.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_everything_agrees(tmp_path):
    entries = [
        entry(tmp_path, "a", 2, acquired="2020-01-02", valid=29), failed(tmp_path, "b"),
        entry(tmp_path, "ä & <c>", 3),
    ]  # fmt: skip
    files = write_catalogue(tmp_path, entries)
    assert {what: path.name for what, path in files.items()} == {
        "scenes": "scenes.csv", "detections": "detections.geojson",
        "geoparquet": "detections.parquet", "index": "index.html",
    }  # fmt: skip
    table = rows(tmp_path)
    assert list(table[0]) == list(COLUMNS)
    assert [row["status"] for row in table] == ["done", "failed", "done"]
    assert (table[0]["time"], table[0]["valid_pixels"], table[0]["seconds"]) == (
        "2020-01-02", "29", "1.25"
    )  # fmt: skip
    assert table[1]["reason"] == "it is <cut>; expected, all"
    assert table[2]["valid_pixels"] == "30"
    features = json.loads((tmp_path / "detections.geojson").read_text("ascii"))["features"]
    assert [feature["properties"]["scene"] for feature in features] == 2 * ["a"] + 3 * ["ä & <c>"]
    assert [feature["properties"]["time"] for feature in features][1:3] == ["2020-01-02", None]
    assert totals(entries, tmp_path) == {
        "done": 2, "failed": 1, "detections": 5, "detected_pixels": 5
    }  # fmt: skip


def test_the_page(tmp_path):
    entries = [entry(tmp_path, "a"), failed(tmp_path, "b"), entry(tmp_path, "ä&'c")]
    write_catalogue(tmp_path, entries)
    page = (tmp_path / "index.html").read_text("utf-8")
    assert "<h1>3 scenes: 2 done, 1 failed</h1>" in page
    assert "<b>b</b> failed: it is &lt;cut&gt;; expected, all" in page
    assert html.escape("ä&'c") in page
    addresses = re.findall(r"(?:href|src)='([^']*)'", page)
    assert len(addresses) == 1 + 2 * 3
    for address in addresses:
        path = tmp_path / unquote(address)
        assert path.exists() or path.name.endswith("_report.json"), address
    assert page.index("<b>b</b>") < page.index("scenes/a/")


def test_thumbnails_are_made_when_needed(tmp_path):
    picture = entry(tmp_path, "a").file("picture")
    small = thumbnail(picture)
    with Image.open(small) as image:
        assert image.size == (480, 240)
    made = small.stat().st_mtime_ns
    assert thumbnail(picture).stat().st_mtime_ns == made
    Image.fromarray(np.zeros((100, 100, 3), np.uint8)).save(picture)
    with Image.open(thumbnail(picture)) as image:
        assert image.size == (100, 100)


def test_without_detections_there_is_no_list_of_them(tmp_path):
    write_catalogue(tmp_path, [entry(tmp_path, "a")])
    assert (tmp_path / "detections.geojson").exists()
    files = write_catalogue(tmp_path, [entry(tmp_path, "b", None)])
    assert set(files) == {"scenes", "index"}
    # That of an earlier run would be taken for one of this.
    assert not (tmp_path / "detections.geojson").exists()
    assert not (tmp_path / "detections.parquet").exists()


def test_without_pyarrow(tmp_path, monkeypatch):
    write_catalogue(tmp_path, [entry(tmp_path, "a")])
    monkeypatch.setattr(catalogue, "has_geoparquet", lambda: False)
    assert "geoparquet" not in write_catalogue(tmp_path, [entry(tmp_path, "b")])
    assert not (tmp_path / "detections.parquet").exists()


def test_evidence_gets_columns(tmp_path):
    from pyarrow import parquet

    made = entry(tmp_path, "a")
    made.content["threshold"]["evidence"] = {"1": {"spectrum": 0.7, "structure": 0.3}}
    write_catalogue(tmp_path, [entry(tmp_path, "b"), made])
    names = parquet.read_schema(tmp_path / "detections.parquet").names
    assert {"evidence_spectrum", "evidence_structure"} <= set(names)


def test_a_name_that_is_no_text(tmp_path):
    odd = Entry("a\udcff", "/data/a\udcff.npy", tmp_path / "r.json", None, "cut")
    write_catalogue(tmp_path, [odd])
    assert rows(tmp_path)[0]["scene"] == "a\\udcff"
