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

_FIXED = (
    "One setting per detector, its defaults, the same on every scene; none was chosen on the "
    "truth of these scenes. Stochastic detectors: mean ± standard deviation over seeds 0 to 4."
)
_LREN_ROWS = f"LREN's rows have the authors' seed, 123. {_LAMBDA}"
_FIRST = "Of a stochastic detector the map of its first seed, 0, is shown; LREN has seed 123."

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
    "tables/table2.md": Caption(
        "Table 2: AUC(Pd,Pf) of every method",
        f"{_FIXED} {_LREN_ROWS}",
        ("comparison", "proposed"),
    ),
    "tables/table3.md": Caption(
        "Table 3: AUC(Pf,τ) of every method",
        f"Exact: the mean normalised score of the background. {_FIXED} {_LREN_ROWS}",
        ("comparison", "proposed"),
    ),
    "tables/table3_paper_grid.md": Caption(
        "Table 3 in the paper's convention",
        "On the grid of thresholds that the paper's comparator rows carry, which adds 0.001. "
        "RX then agrees to the last digit on three scenes; LREN's own row was not computed this "
        "way by its authors.",
        ("comparison", "proposed"),
    ),
    "figures/figure1_separability.png": Caption(
        "Figure 1: separability of anomaly and background",
        f"Normalised scores: quartiles, median, 10th to 90th percentile. {_FIRST}",
        ("comparison", "proposed"),
        "One panel for each scene: for every method a blue box of background scores beside a red "
        "box of anomaly scores. The farther apart the boxes, the better.",
    ),
    "figures/figure4_maps.png": Caption(
        "Figure 4: pseudo-colour, truth, and the map of every method",
        f"Scores normalised to [0, 1], one colour scale. {_FIRST}",
        ("comparison", "proposed"),
        "For each scene the pseudo-colour picture, the ground truth and the score map of every "
        "method.",
    ),
    "figures/figure5_roc.png": Caption(
        "Figure 5: ROC curves, Pd against Pf",
        f"Pf is logarithmic from 10⁻⁴ to 1; points further left lie on the edge. {_FIRST}",
        ("comparison", "proposed"),
        "One panel for each scene: detection probability against false-alarm probability, a line "
        "for every method.",
    ),
    "figures/figure6_pf_tau.png": Caption(
        "Figure 6: ROC curves, Pf against τ",
        f"Share of the background above a threshold on the normalised score. {_FIRST}",
        ("comparison", "proposed"),
        "One panel for each scene: false-alarm probability against the threshold, a line for "
        "every method. The faster a line falls, the darker the background of that map.",
    ),
    "tables/roc3d.md": Caption(
        "3-D ROC measures",
        "Mean over seeds. TD = AUC(Pd,Pf) + AUC(Pd,τ); BS = AUC(Pd,Pf) − AUC(Pf,τ); "
        "TDBS = AUC(Pd,τ) − AUC(Pf,τ); ODP = AUC(Pd,τ) + 1 − AUC(Pf,τ); "
        "OD = AUC(Pd,Pf) + AUC(Pd,τ) − AUC(Pf,τ); SNPR = AUC(Pd,τ) / AUC(Pf,τ).",
        ("comparison", "proposed"),
    ),
    "tables/detectors.md": Caption(
        "What every method ran with",
        f"{_FIXED}",
        ("comparison",),
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

_SETTINGS_TEXT = (
    "Settings leave the default one at a time, or in pairs that belong together; seed 0 "
    "(ADLR: mean over seeds 0 to 2; a dash where a run gave no map). Every cell was judged with "
    "the truth of its scene: this shows how far a setting the paper does not give can move its "
    "value, and is no way to choose one."
)
for _name, _title in {
    "lrx": "LRX", "adlr": "ADLR", "pab_dc": "PAB_DC"
}.items():
    CAPTIONS[f"figures/sensitivity_{_name}.png"] = Caption(
        f"{_title}: settings × scenes",
        f"AUC(Pd,Pf), coloured by its distance from Table 2. {_SETTINGS_TEXT}",
        ("sensitivity",),
        f"A heat map of AUC(Pd,Pf) of {_title}: a row for each setting, a column for each scene.",
    )
    CAPTIONS[f"tables/sensitivity_{_name}.md"] = Caption(
        f"{_title}: settings × scenes, both areas",
        f"AUC(Pd,Pf) / AUC(Pf,τ). {_SETTINGS_TEXT}",
        ("sensitivity",),
    )
