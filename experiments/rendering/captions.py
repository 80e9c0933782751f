"""Titles and captions of every table and figure, in the order of the report.

Keys are files below the root of tables and figures. A
file without an entry still gets into the report, after
the others and under its own name.
"""

from __future__ import annotations

from typing import NamedTuple

from experiments.runs.run import Workspace


class Caption(NamedTuple):
    """What stands beside a table or figure."""

    title: str
    text: str
    studies: tuple[str, ...] = ()
    """Folders of `results/` with the runs behind it, the one it is about first."""
    alt: str = ""
    """What a figure shows, for those who do not see it; "" for tables."""


_LAMBDA = (
    "λ is the one published for each scene; **it was chosen on the ground truth** of that scene, "
    "by the authors and therefore also here."
)
_PRESETS = "`release` is what the authors ran, `paper` is what the paper says."

_FIXED = (
    "One setting per detector, the same on every scene: its defaults, or the variant `release` of "
    "ADLR. Of the comparison methods, this project chose only CRD's with the truth of these "
    "scenes. Detectors that draw random numbers: mean ± standard deviation over seeds 0 to 4."
)
_LREN_ROWS = (
    f"LREN's rows “as released” and “as written” have the authors' seed, 123. {_LAMBDA} Its row "
    "“robust” has one setting for every scene and no λ: mean ± standard deviation over ten seeds."
)
_FIRST = "Of a stochastic detector the map of its first seed, 0, is shown; LREN has seed 123."

_MAIN: dict[str, Caption] = {
    "tables/proposed.md": Caption(
        "LREN compared with the paper: Tables 2 and 3, row “Proposed”",
        f"{_PRESETS} Both with the authors' seed, 123. {_LAMBDA} “− paper” is the value here "
        "minus the one in the paper.",
        ("proposed",),
    ),
    "tables/agreement.md": Caption(
        "LREN compared with what its authors released",
        "The preset `release` against the score maps and the logs that came with the authors' "
        "program.",
        ("proposed",),
    ),
    "figures/detection_maps.png": Caption(
        "Score maps of LREN",
        "Pseudo-colour, truth, and the normalised scores of every preset, seed 123, on one scale.",
        ("proposed", "robust"),
        "One row for each scene: pseudo-colour picture, ground truth, and the score maps of LREN "
        "as released, as written and with the preset robust. The released one is dark but for the "
        "anomalies; the one as written shows more of the background. The robust one is dark, but "
        "on SanDiego its highest scores lie at the lower right, on what the truth does not mark.",
    ),
    "figures/roc_curves.png": Caption(
        "ROC curves of LREN",
        "Pd against Pf for every preset, seed 123. Pf is logarithmic from 10⁻⁴; points further "
        "left lie on the edge.",
        ("proposed", "robust"),
        "One panel for each scene: detection probability against false-alarm probability for "
        "LREN as released, as written and with the preset robust. The released curve lies above "
        "that as written nearly everywhere; on Pavia the two cross.",
    ),
    "tables/table2.md": Caption(
        "Table 2: AUC(Pd,Pf) of every method",
        f"{_FIXED} {_LREN_ROWS}",
        ("comparison", "proposed", "robust"),
    ),
    "tables/table3.md": Caption(
        "Table 3: AUC(Pf,τ) of every method",
        f"Exact: the mean normalised score of the background. {_FIXED} {_LREN_ROWS}",
        ("comparison", "proposed", "robust"),
    ),
    "tables/table3_paper_grid.md": Caption(
        "Table 3 in the paper's convention",
        "On the grid of thresholds that the paper's comparator rows carry, which adds 0.001. "
        "RX then agrees to the last digit on three scenes; LREN's own row was not computed this "
        "way by its authors.",
        ("comparison", "proposed", "robust"),
    ),
    "figures/figure1_separability.png": Caption(
        "Figure 1: separability of anomaly and background",
        f"Normalised scores: quartiles, median, 10th to 90th percentile. {_FIRST}",
        ("comparison", "proposed", "robust"),
        "One panel for each scene: for every method a blue box of background scores beside a red "
        "box of anomaly scores. The farther apart the boxes, the better.",
    ),
    "figures/figure4_maps.png": Caption(
        "Figure 4: pseudo-colour, truth, and the map of every method",
        f"Scores normalised to [0, 1], one colour scale. {_FIRST}",
        ("comparison", "proposed", "robust"),
        "For each scene the pseudo-colour picture, the ground truth and the score map of every "
        "method.",
    ),
    "figures/figure5_roc.png": Caption(
        "Figure 5: ROC curves, Pd against Pf",
        f"Pf is logarithmic from 10⁻⁴ to 1; points further left lie on the edge. {_FIRST}",
        ("comparison", "proposed", "robust"),
        "One panel for each scene: detection probability against false-alarm probability, a line "
        "for every method.",
    ),
    "figures/figure6_pf_tau.png": Caption(
        "Figure 6: ROC curves, Pf against τ",
        f"Share of the background above a threshold on the normalised score. {_FIRST}",
        ("comparison", "proposed", "robust"),
        "One panel for each scene: false-alarm probability against the threshold, a line for "
        "every method. The faster a line falls, the darker the background of that map.",
    ),
    "tables/roc3d.md": Caption(
        "3-D ROC measures",
        "Mean over seeds. TD = AUC(Pd,Pf) + AUC(Pd,τ); BS = AUC(Pd,Pf) − AUC(Pf,τ); "
        "TDBS = AUC(Pd,τ) − AUC(Pf,τ); ODP = AUC(Pd,τ) + 1 − AUC(Pf,τ); "
        "OD = AUC(Pd,Pf) + AUC(Pd,τ) − AUC(Pf,τ); SNPR = AUC(Pd,τ) / AUC(Pf,τ).",
        ("comparison", "proposed", "robust"),
    ),
    "tables/detectors.md": Caption(
        "Settings of every method",
        f"{_FIXED}",
        ("comparison",),
    ),
    "tables/robust_study.md": Caption(
        "Settings around the preset `robust`",
        "AUC(Pd,Pf), mean over the seeds 123, 1 and 2. Every variant scores the same trained "
        "networks. The last columns are the groups on which settings are to be chosen and "
        "confirmed; “one component” is nearly RX of the trimmed latent samples.",
        ("robust_study",),
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
    "lrx": "LRX", "adlr": "ADLR", "pab_dc": "PAB_DC", "aae_rx": "AAE-RX"
}.items():
    _MAIN[f"figures/sensitivity_{_name}.png"] = Caption(
        f"{_title}: settings × scenes",
        f"AUC(Pd,Pf), coloured by its distance from Table 2. {_SETTINGS_TEXT}",
        ("sensitivity",),
        f"A heat map of AUC(Pd,Pf) of {_title}: a row for each setting, a column for each scene.",
    )
    _MAIN[f"tables/sensitivity_{_name}.md"] = Caption(
        f"{_title}: settings × scenes, both areas",
        f"AUC(Pd,Pf) / AUC(Pf,τ). {_SETTINGS_TEXT}",
        ("sensitivity",),
    )

_MAIN["tables/comparators.md"] = Caption(
    "ADLR with one rule for eleven scenes",
    "AUC(Pd,Pf). The rule draws nothing and was chosen on these scenes; `release` is mean ± "
    "standard deviation over the seeds of Tables 2 and 3.",
    ("comparators", "comparison"),
)

_MAIN["tables/comparators_pab_dc.md"] = Caption(
    "PAB_DC with one rule for four scenes",
    "AUC(Pd,Pf). The rule draws nothing; `release` is mean ± standard deviation over the seeds of "
    "Tables 2 and 3.",
    ("comparators", "comparison"),
)

_MAIN["tables/recent_methods.md"] = Caption(
    "KIFD, Auto-AD and PCA-TLRSR on eleven scenes",
    "AUC(Pd,Pf), published → here where a figure is published; mean ± standard deviation over "
    "three seeds of KIFD; Auto-AD has one seed on one scene. One setting per detector, its "
    "defaults, chosen here without the truth. The "
    "last column has the settings of PCA-TLRSR's authors for that scene.",
    ("recent_methods",),
)
_MAIN["tables/recent_methods_as_long.md"] = Caption(
    "KIFD and Auto-AD with the amount of work of their authors' programs",
    "AUC(Pd,Pf) on scenes where the default misses, and on one where it does not; mean ± standard "
    "deviation over three seeds of KIFD, one run of Auto-AD.",
    ("recent_methods",),
)
_MAIN["tables/recent_methods_costs.md"] = Caption(
    "Run time of KIFD, Auto-AD and PCA-TLRSR",
    "Seconds of one run on one core, while other runs used the same machine, over all runs.",
    ("recent_methods",),
)

_TRAININGS = (
    "Ten seeds, the authors' 123 and 1 to 9, none left out; failed is a run that gave no map."
)
_ABLATION = (
    "Seeds 123 and 1 to 4, of every one the mean over the four scenes. A scenario is the paper's "
    f"half a sentence, read as the table says. {_LAMBDA}"
)
_ROBUST = (
    "`robust` is this project's: one setting for every scene, no λ, the energy of the background "
    "in place of the low-rank residual."
)
_ASKED = (
    "All trainings, both presets with ten seeds on every scene, none left out but those that "
    "gave no model. **The truth was used to explain**, after training, not to choose anything."
)
_EVIDENCE = (
    "“Spectrum alone” is the score that the evidence replaced, from the same trainings. The truth "
    "of these scenes was used to choose the settings of the evidence: see the choice."
)
STUDIES: dict[str, Caption] = {
    "tables/robust.md": Caption(
        "LREN with the preset `robust`",
        f"{_ROBUST} It never sees the ground truth, which is used only to evaluate its maps. "
        f"{_TRAININGS} The paper's values are those of its LREN, with a λ for each scene that was "
        "chosen on the ground truth.",
        ("robust",),
    ),
    "tables/robust_lines.md": Caption(
        "Targets of the preset `robust`",
        "Over ten seeds on each of the four scenes, evaluated with the ground truth. Cost is time "
        "on the processor that the runs name, relative to the run of `release` in the row "
        "“Proposed”.",
        ("robust", "comparison", "proposed"),
    ),
    "tables/evidence_targets.md": Caption(
        "Targets of the evidence",
        f"Medians over the seeds on eleven scenes. {_EVIDENCE}",
        ("evidence",),
    ),
    "tables/evidence_scenes.md": Caption(
        "The preset `robust` and other detectors on eleven scenes",
        "Medians over the seeds; HADGAN has seed 0. Every detector has one setting "
        "for all scenes. What others published comes from their own crops. "
        f"{_EVIDENCE}",
        ("evidence",),
    ),
    "tables/evidence_simulated.md": Caption(
        "The preset `robust` on the simulated scenes",
        "With all evidence and with the spectrum alone.",
        ("evidence",),
    ),
    "tables/implants.md": Caption(
        "The preset `robust` on implants",
        "Targets of one real scene in the background of another: means over three draws of the "
        "targets, seed 123, with all evidence and with the spectrum alone.",
        ("implants",),
    ),
    "tables/implants_targets.md": Caption(
        "Targets of the implants", "From the means of the table of implants.", ("implants",)
    ),
    "tables/training_bound.md": Caption(
        "Short trainings of the preset `robust` on scenes of many pixels",
        "Simulated scenes; means over the seeds, and behind ± half their range where there are "
        "two.",
        ("training_bound",),
    ),
    "tables/evidence_ablation.md": Caption(
        "Contribution of each evidence",
        "Means over the eleven scenes of the medians over the seeds, from the trainings of the "
        f"preset. The weights are those of the preset. {_EVIDENCE}",
        ("evidence",),
    ),
    "tables/evidence_rates.md": Caption(
        "Realised over requested false-alarm rate",
        "The share of pixels without a target above the threshold, divided by the requested rate; "
        "1 is right. Rare things that the truth does not mark count as false alarms. `robust` is "
        "cut at −log₁₀ of the rate; the other thresholds come from a tail fitted to the scores. "
        "Seed 123.",
        ("evidence",),
    ),
    "tables/evidence_choice.md": Caption(
        "How the settings of the evidence were chosen",
        "Each scene, and each five scenes, with the candidate chosen on the others. Medians over "
        "three seeds.",
        ("evidence_choice",),
    ),
    "tables/seeds.md": Caption(
        "Results with seeds other than the authors'",
        f"{_PRESETS} {_TRAININGS} {_LAMBDA} {_ROBUST}",
        ("trainings", "robust"),
    ),
    "figures/seeds_pd_pf.png": Caption(
        "Spread over seeds: AUC(Pd,Pf)",
        f"A dot for every seed, a bar at the median, the paper's value dashed. {_TRAININGS}",
        ("trainings", "robust"),
        "One panel for each scene: AUC(Pd,Pf) of each seed as a dot, a column for each preset, "
        "with the published value as a dashed line.",
    ),
    "figures/seeds_pf_tau.png": Caption(
        "Spread over seeds: AUC(Pf,τ)",
        f"A dot for every seed, a bar at the median, the paper's value dashed. {_TRAININGS}",
        ("trainings", "robust"),
        "One panel for each scene: AUC(Pf,τ) of each seed as a dot, a column for each preset, "
        "with the published value as a dashed line.",
    ),
    "tables/failures_summary.md": Caption(
        "Why the same program detects with one seed and fails with another",
        "Medians over the good runs, the bad ones and those between, by AUC(Pd,Pf) of their "
        "score. An atom that is an anomaly lets the dictionary represent anomalies, which then "
        "leave little residual. The last columns are other scores of the same networks: the energy "
        "of the background, as `robust` takes it of one network, with the pixel's neighbourhood; "
        f"RX of the latent samples; the reconstruction error. {_ASKED}",
        ("failures",),
    ),
    "figures/failures.png": Caption(
        "The preset `release` by its score and by other scores of the same networks",
        "AUC(Pd,Pf). A dot for every seed, a bar at the median, the paper's value dashed. "
        "“Without the best atom” leaves out the one whose removal helps most, which only the "
        f"truth can tell. {_ASKED}",
        ("failures",),
        "One panel for each scene: AUC(Pd,Pf) of each seed as a dot, in columns for the residual, "
        "the residual without one atom, the energy of the background, RX of the latent samples "
        "and the reconstruction error, with the published value as a dashed line.",
    ),
    "tables/failures.md": Caption(
        "Every training and what goes with its score",
        "“Without residual” is the share of the pixels that the dictionary represents. "
        "Removing the best atom means the one whose removal helps most, which only the truth can "
        "tell. The large λ is the smallest of those tried at which at most a tenth of the pixels "
        "is left with a residual; the norm of the multiplier of the low-rank step is looked at "
        "there, alone and to break the ties of the score. A dash where there is none: atoms that "
        f"span fewer dimensions than the samples leave a residual everywhere. {_ASKED}",
        ("failures",),
    ),
    "tables/failures_scale.md": Caption(
        "λ beside the size of the latent samples",
        "In eq. (1), samples and atoms s times as large are the same as a λ s times as large: what "
        "counts is λ times the length of a sample. The iteration, whose μ starts and grows the "
        "same at every size, keeps to that roughly. The best λ is the one of the highest "
        f"AUC(Pd,Pf) on its path. {_ASKED}",
        ("failures", "trainings"),
    ),
    "figures/figure3_lambda.png": Caption(
        "Figure 3: both areas over λ",
        "Median and range over ten seeds on the same trained networks, 13 values of λ from 1e-4 "
        "to 1; the triangles are the published λ. Where λ is so large that every pixel is "
        "represented the map is 0, its AUC(Pd,Pf) one half and its AUC(Pf,τ) 0.",
        ("trainings",),
        "For each scene AUC(Pd,Pf) above AUC(Pf,τ), over λ on a logarithmic axis: a line at the "
        "median and a band from the lowest to the highest seed, for both presets.",
    ),
    "tables/figure3.md": Caption(
        "Figure 3 in numbers: the published λ and the one of the highest median",
        "Medians over ten seeds. Both λ were chosen on the ground truth: this says whether the "
        "published ones are the best, and is no way to choose one.",
        ("trainings",),
    ),
    "tables/table1.md": Caption(
        "Table 1: ablation", _ABLATION, ("ablation", "trainings")
    ),
    "tables/table1_readings.md": Caption(
        "Table 1: other ways to read a scenario",
        f"Measured on the same trainings, since the paper does not say. {_ABLATION}",
        ("ablation", "trainings"),
    ),
    "tables/table1_scenes.md": Caption(
        "Table 1 scene by scene",
        f"Seeds 123 and 1 to 4; the paper gives averages only. {_LAMBDA}",
        ("ablation", "trainings"),
    ),
    "tables/odds.md": Caption(
        "LREN on tables of the ODDS library",
        "Thyroid, 3772 × 6, and Arrhythmia, 452 × 274, beside the README of the authors' program. "
        "Its settings for them are unknown: the presets are taken as they are for scenes, widths "
        "and λ included. Seeds 123 and 1 to 4.",
        ("odds",),
    ),
}
"""Captions of the studies that have commands of their own."""


def captions(space: Workspace) -> dict[str, Caption]:
    """Return the captions of the tables and figures that a workspace holds, in the report's order.

    A caption names those studies only that have records in the workspace.
    """
    held = {}
    for name, caption in {**_MAIN, **STUDIES}.items():
        folder = space.tables if name.startswith("tables/") else space.figures
        if (folder / name.partition("/")[2]).is_file():
            studies = tuple(s for s in caption.studies if (space.records / s).is_dir())
            held[name] = caption._replace(studies=studies)
    return held
