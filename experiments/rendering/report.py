"""Every table, figure and run of a workspace on one HTML page that needs nothing else.

The page is made from a workspace's `tables/*.md`, `figures/*.png` and records, with titles and
captions from `captions`. Nothing is run and no number is computed here. The same files give the
same page.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from experiments.rendering.captions import Caption, captions
from experiments.rendering.html import inline, table, to_html
from experiments.reporting.provenance import write_text
from experiments.runs.run import Workspace
from lren_tf.errors import InputError

# With this, a browser refuses to fetch anything at all, whatever a table or a record holds.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_STYLE = Path(__file__).with_name("report.css")
_NONE = "–"


@dataclass(frozen=True)
class Record:
    """The JSON of one run and where it was found."""

    study: str
    name: str
    values: Mapping[str, Any]

    @property
    def anchor(self) -> str:
        """Its place on the page."""
        return _anchor(f"run/{self.study}/{self.name}")

    @property
    def commit(self) -> str:
        """Short commit, with a word where the code had been changed since."""
        commit = str(self.values.get("commit") or "unknown")[:10]
        return commit + (" + changes" if self.values.get("clean") is False else "")

    @property
    def seconds(self) -> float | None:
        """Time that the run took, all its steps together."""
        seconds = self.values.get("seconds")
        steps = list(seconds.values()) if isinstance(seconds, Mapping) else [seconds]
        known = [step for step in steps if isinstance(step, (int, float))]
        return float(sum(known)) if known else None

    @property
    def tensorflow(self) -> str | None:
        """Version of TensorFlow."""
        versions = self.values.get("versions")
        return versions.get("tensorflow") if isinstance(versions, Mapping) else None

    def area(self, name: str) -> str:
        """One of its metrics, four decimals; a dash where the record has none by that name."""
        metrics = self.values.get("metrics")
        value = metrics.get(name) if isinstance(metrics, Mapping) else None
        return f"{value:.4f}" if isinstance(value, (int, float)) else _NONE


def write_report(space: Workspace) -> Path:
    """Write the page of a workspace; returns its path."""
    write_text(space.report, page(space))
    return space.report


def page(space: Workspace) -> str:
    """The page, as one string.

    Raises:
        InputError: a record is not JSON, or a figure is not a PNG picture.
    """
    records = load_records(space.records)
    found = {
        **{f"tables/{path.name}": path for path in sorted(space.tables.glob("*.md"))},
        **{f"figures/{path.name}": path for path in sorted(space.figures.glob("*.png"))},
    }
    known = captions(space)
    titles = {**known, **{name: Caption(name, "") for name in found if name not in known}}
    articles = "\n".join(
        _article(name, found[name], caption, records) for name, caption in titles.items()
    )
    studies = list(dict.fromkeys(record.study for record in records))
    runs = "\n".join(_study(study, [r for r in records if r.study == study]) for study in studies)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>lren_tf: results</title>
<style>
{_STYLE.read_text(encoding="utf-8")}</style>
</head>
<body>
<header>
<h1>lren_tf: results</h1>
<p>Hyperspectral anomaly detection: the experiments of the LREN paper (AAAI 2021), run again.
Every number measured here comes from a run listed below, with its settings, seed, versions and
commit.</p>
<p>{_summary(records)}</p>
</header>
{_contents(titles, studies)}
<main>
<h2 id="results">Tables and figures</h2>
{articles or "<p>There is no table and no figure yet.</p>"}
<h2 id="runs">Runs</h2>
{runs or "<p>There is no run yet.</p>"}
</main>
</body>
</html>
"""


def load_records(folder: Path) -> list[Record]:
    """Every run below `results`, by study and name.

    Raises:
        InputError: a file holds no JSON object.
    """
    records = []
    for path in sorted(folder.glob("*/**/*.json")):
        study, *place = path.relative_to(folder).with_suffix("").parts
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise InputError(
                f"{path} is not JSON ({error}); expected the record of a run; remove it or run "
                "the experiment again."
            ) from error
        if not isinstance(values, dict):
            raise InputError(
                f"{path} holds a {type(values).__name__}; expected the record of a run, a JSON "
                "object; remove it or run the experiment again."
            )
        records.append(Record(study, "/".join(place), values))
    return records


def _contents(titles: Mapping[str, Caption], studies: Sequence[str]) -> str:
    entries = "\n".join(
        f'<li><a href="#{_anchor(name)}">{inline(caption.title)}</a></li>'
        for name, caption in titles.items()
    )
    runs = "\n".join(
        f'<li><a href="#{_anchor(f"study/{study}")}">Runs of “{escape(study)}”</a></li>'
        for study in studies
    )
    return f"""<nav aria-label="Contents">
<h2>Contents</h2>
<ol>
{entries}
{runs}
</ol>
</nav>"""


def _article(name: str, path: Path, caption: Caption, records: Sequence[Record]) -> str:
    text = f"<p>{inline(caption.text)}</p>" if caption.text else ""
    if path.suffix == ".md":
        body = f"{text}\n{to_html(path.read_text(encoding='utf-8'))}"
    else:
        alt = escape(caption.alt or caption.title)
        body = f"<figure>\n{_image(path, alt)}\n<figcaption>{text}</figcaption>\n</figure>"
    behind = [record for record in records if record.study in caption.studies]
    runs = ""
    if behind:
        runs = f"""
<details><summary>{_summary(behind)}</summary>
{_run_table(behind)}
</details>"""
    return f"""<article id="{_anchor(name)}">
<h3>{inline(caption.title)}</h3>
{body}{runs}
<p class="file">{escape(name)}</p>
</article>"""


def _image(path: Path, alt: str) -> str:
    data = path.read_bytes()
    if data[:8] != b"\x89PNG\r\n\x1a\n" or len(data) < 24:
        raise InputError(f"{path} is not a PNG picture; expected one; draw the figure again.")
    # Known beforehand, so that the page does not jump while it loads.
    width, height = struct.unpack(">II", data[16:24])
    return (
        f'<img alt="{alt}" width="{width}" height="{height}" '
        f'src="data:image/png;base64,{base64.b64encode(data).decode("ascii")}">'
    )


def _summary(records: Sequence[Record]) -> str:
    """How many runs, with which seeds and versions, from which commits, when."""
    if not records:
        return "No run is recorded."
    failed = sum(record.values.get("status", "finished") != "finished" for record in records)
    seconds = sorted(record.seconds for record in records if record.seconds is not None)
    days = sorted({str(r.values["time"])[:10] for r in records if r.values.get("time")})
    facts = [
        _counted(len(records), "run") + (f", {failed} of them failed" if failed else ""),
        _listed("seed", [r.values.get("seed") for r in records]),
        _range([f"{second:.0f}" for second in seconds], " s each"),
        _listed("TensorFlow", [record.tensorflow for record in records]),
        _listed("commit", [record.commit for record in records]),
        _range(days, ""),
    ]
    return escape("; ".join(fact for fact in facts if fact) + ".")


def _range(sorted_texts: Sequence[str], unit: str) -> str:
    """First and last with their unit; one of them where they agree, "" where there is none."""
    ends = dict.fromkeys((sorted_texts[0], sorted_texts[-1])) if sorted_texts else {}
    return " to ".join(ends) + unit if ends else ""


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _listed(noun: str, values: Iterable[Any]) -> str:
    """The distinct values after their noun, "" when there is none."""
    texts = dict.fromkeys(_text(value) for value in values if value is not None)
    # Numbers by size, everything else as it came.
    different = sorted(texts, key=int) if all(text.isdecimal() for text in texts) else list(texts)
    plural = "s" if len(different) > 1 and noun.islower() else ""
    return f"{noun}{plural} {', '.join(different)}" if different else ""


def _run_table(records: Sequence[Record]) -> str:
    header = ["run", "seed", "AUC(Pd,Pf)", "AUC(Pf,τ)", "Pd at 1 %", "at 0.1 %", "seconds",
              "TensorFlow", "commit", "time (UTC)"]
    rows = []
    for record in records:
        values = record.values
        name = escape(f"{record.study}/{record.name}")
        cells = [
            values.get("seed"),
            record.area("auc_pd_pf"),
            record.area("auc_pf_tau"),
            record.area("pd_at_1_percent"),
            record.area("pd_at_1_permille"),
            None if record.seconds is None else f"{record.seconds:.1f}",
            record.tensorflow,
            record.commit,
            str(values["time"])[:16].replace("T", " ") if values.get("time") else None,
        ]
        rows.append(
            [f'<a href="#{record.anchor}">{name}</a>']
            + [_NONE if cell is None else escape(str(cell)) for cell in cells]
        )
    return table(header, rows)


def _study(study: str, records: Sequence[Record]) -> str:
    details = "\n".join(_run(record) for record in records)
    return f"""<section id="{_anchor(f"study/{study}")}">
<h3>Runs of “{escape(study)}”</h3>
<p>{_summary(records)}</p>
{details}
</section>"""


def _run(record: Record) -> str:
    """Everything that the record holds, folded away."""
    values = record.values
    status = values.get("status", "finished")
    facts = [
        f"AUC(Pd,Pf) {record.area('auc_pd_pf')}",
        f"AUC(Pf,τ) {record.area('auc_pf_tau')}",
        *([str(status)] if status != "finished" else []),
    ]
    plain = {key: value for key, value in values.items() if not isinstance(value, dict)}
    groups = {"": plain, **{k: v for k, v in values.items() if isinstance(v, dict)}}
    tables = "\n".join(
        f'<table class="record">{f"<caption>{escape(name)}</caption>" if name else ""}<tbody>'
        + "".join(
            f'<tr><th scope="row">{escape(key)}</th><td>{escape(_text(value))}</td></tr>'
            for key, value in _flat(group)
        )
        + "</tbody></table>"
        for name, group in groups.items()
        if group
    )
    return f"""<details id="{record.anchor}">
<summary><b>{escape(record.name)}</b> <span>{escape(", ".join(facts))}</span></summary>
<div class="records">
{tables}
</div>
</details>"""


def _flat(group: Mapping[str, Any], before: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in group.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{key}: ")
        else:
            yield f"{before}{key}", value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _anchor(name: str) -> str:
    """An identifier for a file or run, different for different ones."""
    return "".join(c if c.isascii() and c.isalnum() else f"-{ord(c):x}-" for c in name)
