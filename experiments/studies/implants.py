"""`make implants`: the preset ``robust`` and the spectrum alone on scenes with implants.

Targets of one real scene in the background of another, whose own anomalies are left out
(:mod:`experiments.studies.implanted_scenes`). A pair of which a scene is not at hand is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import mean
from typing import Any

from experiments import published
from experiments.rendering import tables
from experiments.reporting.markdown import markdown_table
from experiments.reporting.names import scene_title
from experiments.runs.command import carry_out
from experiments.runs.implant_run import STUDY, ImplantRun
from experiments.runs.run import Run, Workspace, load_result
from experiments.studies import evidence
from experiments.studies.implanted_scenes import DRAWS, KINDS, PAIRS, name_of

SEED = published.AUTHORS_SEED
_TITLES = {"faint": "single pixels, fill 0.1 to 0.3", "mixed": "1 to 100 pixels, fill 0.05 to 1"}


def runs_of(pair: tuple[str, str], kind: str) -> list[ImplantRun]:
    """Return the runs on every draw of a pair of scenes and a kind of targets."""
    return [ImplantRun(STUDY, name_of(*pair, kind, draw), "robust", SEED) for draw in DRAWS]


def planned(scenes: Sequence[str] = evidence.SCENES) -> list[Run]:
    """Return every run whose two real scenes are among these."""
    return [
        run
        for kind in KINDS
        for pair in PAIRS
        if {*pair} <= {*scenes}
        for run in runs_of(pair, kind)
    ]


Means = dict[str, float]


def means(
    pair: tuple[str, str], kind: str, space: Workspace, of: Callable[[dict[str, Any]], Any]
) -> Means | None:
    """Return the mean of every measure over the draws; None where a run is missing or failed."""
    records = [load_result(run, space) for run in runs_of(pair, kind)]
    if any(record is None or record["metrics"] is None for record in records):
        return None
    found = [of(record) for record in records]  # type: ignore[arg-type]
    return {name: mean(each[name] for each in found) for name in evidence.MEASURES}


def of_kind(
    kind: str, space: Workspace, of: Callable[[dict[str, Any]], Any]
) -> list[Means] | None:
    """Return the means of all pairs; None while one is missing."""
    found = [means(pair, kind, space, of) for pair in PAIRS]
    return None if None in found else found  # type: ignore[return-value]


def table(space: Workspace) -> str:
    """Both scores on every pair and kind, means over the draws."""
    header = ["targets", "from", "in"]
    for title in evidence.MEASURES.values():
        header += [f"{title}: spectrum alone", "robust"]
    rows = []
    for kind in KINDS:
        values = []
        for pair in PAIRS:
            both = [means(pair, kind, space, of) for of in (evidence.of_old, evidence.of_new)]
            line = [None if one is None else one[m] for m in evidence.MEASURES for one in both]
            values.append(line)
            names = [_TITLES[kind], *map(scene_title, pair)]
            rows.append([*names, *("–" if v is None else f"{v:.4f}" for v in line)])
        columns = list(zip(*values, strict=True))
        line = [None if None in column else mean(column) for column in columns]
        rows.append(["mean", "", "", *("–" if v is None else f"{v:.4f}" for v in line)])
    return markdown_table(header, rows)


def lines(space: Workspace) -> list[evidence.Line]:
    """Return what was asked for, measured; nothing while a run is missing."""
    area = evidence.AREA
    found = {
        kind: [of_kind(kind, space, of) for of in (evidence.of_old, evidence.of_new)]
        for kind in KINDS
    }
    if any(None in both for both in found.values()):
        return []
    by_kind = {
        kind: [mean(one[area] for one in those) for those in both]  # type: ignore[union-attr]
        for kind, both in found.items()
    }
    old, new = (mean(both[place] for both in by_kind.values()) for place in (0, 1))
    faint_old, faint_new = by_kind["faint"]
    least = faint_old - evidence.BELOW_OLD_FAINT
    return [
        evidence.Line("mean AUC(Pd,Pf) of all implants", f"at least {old:.4f} (spectrum alone)",
                      f"{new:.4f}", new >= old),
        evidence.Line("mean AUC(Pd,Pf) of single faint pixels",
                      f"at least {least:.4f} (spectrum alone − {evidence.BELOW_OLD_FAINT:g})",
                      f"{faint_new:.4f}", faint_new >= least),
    ]  # fmt: skip


def blocks(space: Workspace) -> dict[str, str]:
    """Return the blocks of this study for a page."""
    return {
        "implants": table(space), "implants_targets": evidence.lines_table(lines(space)),
    }  # fmt: skip


def write(space: Workspace, scenes: Sequence[str] = ()) -> str:
    """Write the table and return it."""
    for name, body in blocks(space).items():
        tables.write_table(name, body, space)
    return table(space)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is missing and render."""
    return carry_out(
        "implants", __doc__, arguments, planned, write, available=evidence.available,
        needs="two of the scenes",
    )  # fmt: skip


if __name__ == "__main__":
    raise SystemExit(main())
