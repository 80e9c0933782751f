"""Tables of a leaderboard, as text for every form in which it is written."""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from lren_tf.benchmark.leaderboard import (
    MEASURES,
    RANKED_BY,
    UNFINISHED,
    WITH_TRUTH,
    took_part,
)
from lren_tf.evaluation.objects import RATES

MISSING = "–"
"""Cell without a value."""
TOOK_PART = "†"
"""Mark of a value on scenes whose truth took part in choosing the method."""
_RATES = dict(zip(RATES, ("1 %", "0.1 %"), strict=True))
_OBJECTS = ("objects_found", "false_alarms_per_km2")
_MIB = 1 << 20


class Table(NamedTuple):
    """One table: title, names of the columns, cells, and a note below it that may be empty."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str


def tables(board: Mapping[str, Any]) -> list[Table]:
    """The tables of a leaderboard: overall, area by scene, objects, what is not ranked, failures.

    Args:
        board: from `lren_tf.benchmark.leaderboard.leaderboard`.
    """
    methods = board["methods"]
    ranked = {key: row for key, row in methods.items() if row["not_ranked"] is None}
    found = [
        _overall(
            "Mean over the scenes", ranked, _ranking_note(board, ranked),
            over=board["ranking"]["over"],
        ),
        _by_scene(board, ranked),
        _objects(board, ranked),
    ]
    for reason, note in (
        (WITH_TRUTH, "They are not ranked: the other methods did not use the truth."),
        (UNFINISHED, "They are not ranked: some of their runs are missing."),
    ):
        apart = {key: row for key, row in methods.items() if row["not_ranked"] == reason}
        if apart:
            found.append(_overall(reason.capitalize(), apart, note))
            found.append(_by_scene(board, apart, f"{reason.capitalize()}: AUC(Pd,Pf) by scene"))
    if board["failures"]:
        rows = [
            [each["method"], each["scene"], _text(each["seed"]), each["failure"]]
            for each in board["failures"]
        ]
        found.append(Table("Failures", ["method", "scene", "seed", "reason"], rows, ""))
    return found


def markdown(board: Mapping[str, Any], level: int = 2) -> str:
    """The tables as Markdown.

    Args:
        board: the leaderboard.
        level: of the headings.
    """
    parts = []
    for table in tables(board):
        rule = ["---", *["---:"] * (len(table.header) - 1)]
        cells = (table.header, *table.rows)
        lines = ["| " + " | ".join(map(_escaped, row)) + " |" for row in cells]
        lines.insert(1, "| " + " | ".join(rule) + " |")
        parts += [f"{'#' * level} {table.title}", "\n".join(lines)]
        parts += [table.note] if table.note else []
    return "\n\n".join(parts) + "\n"


def page(board: Mapping[str, Any], picture: str) -> str:
    """The tables as one HTML page.

    Args:
        board: the leaderboard.
        picture: address of the figure, relative to the page; empty for none.
    """
    parts = [
        f"<!DOCTYPE html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n"
        f"<title>Leaderboard</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        "<h1>Leaderboard</h1>"
    ]
    for number, table in enumerate(tables(board)):
        head = "".join(f"<th>{html.escape(name)}</th>" for name in table.header)
        rows = "\n".join(
            "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>"
            for row in table.rows
        )
        parts.append(f"<h2>{html.escape(table.title)}</h2>")
        parts.append(f"<table>\n<tr>{head}</tr>\n{rows}\n</table>")
        parts += [f"<p>{html.escape(table.note)}</p>"] if table.note else []
        if number == 0 and picture:
            address = html.escape(picture)
            parts.append(f"<p><img alt='AUC(Pd,Pf) against seconds' src='{address}'></p>")
    return "\n".join(parts) + "\n</body>\n</html>\n"


def csv_text(board: Mapping[str, Any]) -> str:
    """One line for each method and scene, and one for each mean, as CSV."""
    stream = io.StringIO()
    costs = ["seconds", "peak_memory_bytes"]
    objects = [f"{what}_at_{rate}" for rate in RATES for what in _OBJECTS]
    measures = [*MEASURES, *costs, *objects]
    columns = [
        "method", "scene", "not_ranked", "chosen_with_truth", "mean_rank", "runs", "failed",
        "missing", *measures, f"{RANKED_BY}_lowest", f"{RANKED_BY}_highest",
        f"{RANKED_BY}_interval_low", f"{RANKED_BY}_interval_high",
    ]  # fmt: skip
    writer = csv.DictWriter(stream, columns, lineterminator="\n")
    writer.writeheader()
    for row in board["methods"].values():
        for scene, cell in {"mean": row["mean"], **row["by_scene"]}.items():
            low, high = (cell.get("intervals") or {}).get(RANKED_BY, (None, None))
            area = cell.get(RANKED_BY) or {}
            line = {"method": row["title"], "scene": scene, "mean_rank": row.get("mean_rank")}
            of_line = list(row["by_scene"]) if scene == "mean" else [scene]
            line |= {"not_ranked": row["not_ranked"]}
            line |= {"chosen_with_truth": bool(_chosen_on(row, of_line))}
            line |= {name: cell[name] for name in ("runs", "failed", "missing")}
            line |= {name: (cell.get(name) or {}).get("mean") for name in measures}
            line |= {f"{RANKED_BY}_{end}": area.get(end) for end in ("lowest", "highest")}
            line |= {f"{RANKED_BY}_interval_low": low, f"{RANKED_BY}_interval_high": high}
            writer.writerow(line)
    return stream.getvalue()


def _overall(
    title: str, rows: Mapping[str, Any], note: str, *, over: Sequence[str] = ()
) -> Table:
    """Table of means, with ranks where there are scenes over which they are."""
    ranks = bool(over)
    header = [
        "method", *["mean rank"] * ranks, "chosen with truth", "AUC(Pd,Pf)", "95 % interval",
        "over seeds", *list(MEASURES.values())[1:], "seconds", "peak MiB", "failed runs",
    ]  # fmt: skip
    cells = []
    for row in rows.values():
        mean = row["mean"]
        rank = _number(row.get("mean_rank"), 2)
        if row.get("as_good_as_the_best"):
            rank += " *"
        chosen = len(_chosen_on(row, list(row["by_scene"])))
        if over and _chosen_on(row, over):
            rank += f" {TOOK_PART}"
        interval = (mean.get("intervals") or {}).get(RANKED_BY)
        cells.append([
            row["title"], *[rank] * ranks,
            f"{chosen} of {len(row['by_scene'])}" if chosen else MISSING,
            _mean(mean, RANKED_BY, 4),
            MISSING if interval is None else _range(*interval), _over_seeds(row),
            *(_mean(mean, name, 4) for name in list(MEASURES)[1:]),
            _mean(mean, "seconds", 2), _mean(mean, "peak_memory_bytes", 0, _MIB),
            f"{mean['failed']} of {mean['runs']}",
        ])  # fmt: skip
    return Table(title, header, cells, note)


def _ranking_note(board: Mapping[str, Any], ranked: Mapping[str, Any]) -> str:
    ranking = board["ranking"]
    note = (
        "Mean ranks are by AUC(Pd,Pf), 1 is best; a method with a failed run ranks worst on that "
        "scene. AUC(Pf,τ), seconds and peak MiB are better when lower, the other measures when "
        f"higher. Intervals come from {board['bootstrap']['draws']} resamples of the anomalous "
        "objects."
    )
    note += _choice_note(board, ranked)
    if ranking["critical_difference"] is None:
        return (
            f"{note} Whether the ranks differ was not tested: that needs at least five scenes and "
            "two methods."
        )
    note += (
        " Two methods differ significantly if their mean ranks differ by "
        f"{ranking['critical_difference']:.2f} or more (Nemenyi, 5 %, {ranking['methods']} "
        f"methods, {ranking['scenes']} scenes); a star marks those that do not differ from the "
        "best."
    )
    if ranking["friedman"] is not None:
        note += f" Friedman's test that all methods are equal: p = {ranking['friedman']['p']:.2g}."
    return note


def _choice_note(board: Mapping[str, Any], ranked: Mapping[str, Any]) -> str:
    """Sentences on ranked methods that were chosen with the truth of scenes of the table."""
    scenes, over = list(board["scenes"]), board["ranking"]["over"]
    chosen = [row["title"] for row in ranked.values() if _chosen_on(row, scenes)]
    if not chosen:
        return ""
    note = (
        " Chosen with truth: number of scenes whose truth was used to choose the defaults of "
        f"{_listed(chosen)}."
    )
    if board["ranking"]["chosen_with_truth"]:
        return (
            f"{note} Every scene was used to choose some method, so ranks marked {TOOK_PART} "
            "partly reflect a choice made on these very scenes: they say little about the next one."
        )
    left = [scene for scene in scenes if scene not in over]
    return (
        f"{note} Ranks are over the {len(over)} scenes used in no choice: {', '.join(over)}. "
        f"The means also include the others: {', '.join(left)}."
    )


def _listed(names: Sequence[str]) -> str:
    """Names with commas, the last with "and"."""
    return " and ".join([*([", ".join(names[:-1])] if names[1:] else []), names[-1]])


def _chosen_on(row: Mapping[str, Any], scenes: Sequence[str]) -> list[str]:
    """Select the scenes whose truth took part in choosing a method."""
    return [scene for scene in scenes if took_part(row, scene)]


def _by_scene(
    board: Mapping[str, Any], rows: Mapping[str, Any], title: str = "AUC(Pd,Pf) by scene"
) -> Table:
    scenes = list(board["scenes"])
    cells = [
        [row["title"], *(_area(row, scene) for scene in scenes)] for row in rows.values()
    ]
    note = "Mean over the seeds; higher is better. A dash: no finished run."
    if any(_chosen_on(row, scenes) for row in rows.values()):
        note += f" {TOOK_PART}: the truth of this scene was used to choose the method's settings."
    return Table(title, ["method", *scenes], cells, note)


def _objects(board: Mapping[str, Any], rows: Mapping[str, Any]) -> Table:
    count = sum(content["objects"] for content in board["scenes"].values())
    placed = sum(
        content["pixel_area_m2"] is not None for content in board["scenes"].values()
    )
    header, names = ["method"], []
    for rate, shown in _RATES.items():
        header.append(f"objects found at {shown}")
        names.append(f"objects_found_at_{rate}")
        if placed:
            header.append(f"false alarms per km² at {shown}")
            names.append(f"false_alarms_per_km2_at_{rate}")
    cells = [
        [row["title"], *(_mean(row["mean"], name, 3) for name in names)] for row in rows.values()
    ]
    note = (
        f"Share of the {count} anomalous objects, mean over the scenes, at false-alarm rates of "
        "1 % and 0.1 % of the background pixels."
    )
    if placed:
        note += f" False alarms per km²: mean over the scenes whose pixel size is known, {placed}."
    return Table("Objects", header, cells, note)


def _over_seeds(row: Mapping[str, Any]) -> str:
    """Lowest and highest mean over the scenes; a dash where there is one run a scene."""
    area = row["mean"].get(RANKED_BY, {})
    if len(row["seeds"]) < 2 or "lowest" not in area:
        return MISSING
    return f"{_range(area['lowest'], area['highest'])} ({len(row['seeds'])})"


def _area(row: Mapping[str, Any], scene: str) -> str:
    text = _mean(row["by_scene"][scene], RANKED_BY, 4)
    return f"{text} {TOOK_PART}" if took_part(row, scene) and text != MISSING else text


def _mean(cell: Mapping[str, Any], name: str, digits: int, unit: float = 1) -> str:
    held = cell.get(name)
    return MISSING if held is None else _number(held["mean"] / unit, digits)


def _number(value: float | None, digits: int) -> str:
    return MISSING if value is None else f"{value:.{digits}f}"


def _range(low: float, high: float) -> str:
    return f"{low:.4f} to {high:.4f}"


def _text(value: object) -> str:
    return MISSING if value is None else str(value)


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|").replace("\n", " ")


_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem; color: #1a1a1a; }
table { border-collapse: collapse; }
th, td { padding: .3rem .8rem; border-bottom: 1px solid #ddd; text-align: right;
  vertical-align: top; font-variant-numeric: tabular-nums; }
th:first-child, td:first-child { text-align: left; }
img { max-width: 100%; height: auto; }
p { max-width: 60rem; }
"""
