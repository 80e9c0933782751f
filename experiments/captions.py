"""Titles and captions of every table and figure, in the order of the report.

Keys are files below `experiments/`. A file without an entry still gets into the report, after
the others and under its own name.
"""

from __future__ import annotations

from typing import NamedTuple


class Caption(NamedTuple):
    """What stands beside a table or figure."""

    title: str
    text: str
    studies: tuple[str, ...] = ()
    """Folders of `results/` with the runs behind it."""
    alt: str = ""
    """What a figure shows, for those who do not see it; "" for tables."""


_LAMBDA = (
    "λ is the one published for each scene; **it was chosen on the ground truth** of that scene, "
    "there and therefore here."
)
_PRESETS = "`release` is what the authors ran, `paper` is what the paper says."

CAPTIONS: dict[str, Caption] = {
    "tables/proposed.md": Caption(
        "LREN beside the paper: Tables 2 and 3, row “Proposed”",
        f"{_PRESETS} Both with the authors' seed, 123. {_LAMBDA} “− paper” is the value here "
        "minus the one in the paper.",
        ("proposed",),
    ),
    "tables/agreement.md": Caption(
        "LREN beside what its authors released",
        "The preset `release` against the score maps and the logs that came with the authors' "
        "program.",
        ("proposed",),
    ),
    "figures/detection_maps.png": Caption(
        "Score maps of LREN",
        "Pseudo-colour, truth, and the normalised scores of both presets, seed 123, on one scale.",
        ("proposed",),
        "One row for each scene: pseudo-colour picture, ground truth, and the score maps of LREN "
        "as released and as written. The released one is dark but for the anomalies; the other "
        "shows more of the background.",
    ),
    "figures/roc_curves.png": Caption(
        "ROC curves of LREN",
        "Pd against Pf for both presets, seed 123. Pf is logarithmic from 10⁻⁴; points further "
        "left lie on the edge.",
        ("proposed",),
        "One panel for each scene: detection probability against false-alarm probability for "
        "LREN as released and as written. The released curve is the higher one nearly everywhere; "
        "on Pavia the two cross.",
    ),
    "tables/seeds.md": Caption(
        "What the text of the paper gives for other seeds",
        f"The preset `paper` with seeds 1 to 5, none left out. {_LAMBDA}",
        ("seeds",),
    ),
    "tables/runs.md": Caption(
        "Runs behind the rows “Proposed”",
        "Seed, λ, time, solver, versions and commit of each run; everything else about it is "
        "below, under its name.",
        ("proposed",),
    ),
}
