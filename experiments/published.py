"""Numbers that others published; nothing here was measured by this project."""

from __future__ import annotations

from typing import NamedTuple

from experiments.reporting.names import SCENES


class Areas(NamedTuple):
    """AUC(Pd,Pf) and AUC(Pf,τ)."""

    pd_pf: float
    pf_tau: float


class Area(NamedTuple):
    """One of the two areas that the paper reports."""

    field: str
    """Of :class:`Areas`."""
    symbol: str
    table: str
    better: str

    @property
    def title(self) -> str:
        """Symbol, and which values are good."""
        return f"{self.symbol}, {self.better} is better"


AREAS = {
    "auc_pd_pf": Area("pd_pf", "AUC(Pd,Pf)", "Table 2", "higher"),
    "auc_pf_tau": Area("pf_tau", "AUC(Pf,τ)", "Table 3", "lower"),
}
"""Both areas by their name in a record's metrics."""


def _by_scene(pd_pf: tuple[float, ...], pf_tau: tuple[float, ...]) -> dict[str, Areas]:
    return dict(zip(SCENES, map(Areas, pd_pf, pf_tau), strict=True))


PAPER = {
    "RX": _by_scene((0.9403, 0.9763, 0.9946, 0.9887), (0.0599, 0.0390, 0.0145, 0.0268)),
    "LRX": _by_scene((0.9687, 0.9327, 0.9926, 0.9840), (0.0025, 0.0050, 0.0015, 0.0178)),
    "ADLR": _by_scene((0.9894, 0.9962, 0.9937, 0.9507), (0.3049, 0.0060, 0.4658, 0.4615)),
    "PAB_DC": _by_scene((0.9861, 0.9983, 0.9870, 0.9000), (0.1193, 0.0060, 0.0067, 0.3425)),
    "AAE": _by_scene((0.9595, 0.9218, 0.9681, 0.9822), (0.0324, 0.0106, 0.0433, 0.0189)),
    "Proposed": _by_scene((0.9897, 0.9998, 0.9982, 0.9925), (0.0134, 0.0102, 0.0276, 0.0433)),
}
"""Tables 2 and 3 of the paper, column by column."""

PAPER_PROPOSED = PAPER["Proposed"]
"""LREN in Tables 2 and 3."""

AUTHORS_LOG = {
    "sandiego": Areas(0.99002, 0.00906),
    "hydice": Areas(0.99976, 0.00868),
    "coast": Areas(0.99807, 0.01955),
    "pavia": Areas(0.99286, 0.04318),
}
"""The logs that came with the authors' program: another run than the tables'."""

TABLE1 = {
    "A": Areas(0.8692, 0.1418),
    "B": Areas(0.7677, 0.2180),
    "C": Areas(0.9843, 0.0329),
    "D": Areas(0.9428, 0.1554),
    "E": Areas(0.9951, 0.0236),
}
"""Table 1 of the paper: averages over the four scenes."""

ODDS = {"thyroid": Areas(0.9910, 0.0980), "arrhythmia": Areas(0.8353, 0.0490)}
"""LREN on two tables of the ODDS library, from the README of the authors' program."""

LAMBDA = {
    "paper": {"sandiego": 1e-2, "hydice": 1e-2, "coast": 1e-2, "pavia": 1e-3},
    "release": {"sandiego": 1e-2, "hydice": 1e-2, "coast": 1e-2, "pavia": 1e-4},
}
"""λ per scene: Figure 3 of the paper for ``paper``, file names and logs for ``release``.
Both were chosen on the ground truth of the scene."""

AUTHORS_SEED = 123


RECENT: dict[str, dict[str, float]] = {
    "KIFD": {"airport-1": 0.9359},
    "Auto-AD": {"airport-1": 0.9207},
    "PCA-TLRSR": {"airport-1": 0.9455, "airport-3": 0.9574, "sandiego-58": 0.9957},
}
"""AUC(Pd,Pf) of three methods where the scene is one of this project's. KIFD, Auto-AD and
PCA-TLRSR on airport-1 are rows of the table of GT-HAD (J. Lian et al., IEEE TNNLS, 2024); the
other two are PCA-TLRSR's own. Its settings were chosen for each scene."""


class Cited(NamedTuple):
    """An area that others report on their own crop of a scene."""

    method: str
    pd_pf: float
    how: str
    """How it was obtained."""


_TRAINED = "trained on each scene on a GPU, one setting, its seed chosen for the scene"
_BEST_SEED = "best of three seeds by the truth"
_PRETRAINED = "pretrained on other scenes"
_CLASSICAL = "classical, no training"

FURTHER_SCENES: dict[str, tuple[Cited, ...]] = {
    "airport-1": (
        Cited("GT-HAD", 0.9515, _TRAINED),
        Cited("SM-HAD", 0.9793, _BEST_SEED),
        Cited("FERS", 0.9515, _PRETRAINED),
    ),
    "airport-3": (
        Cited("FERS", 0.9715, _PRETRAINED),
        Cited("PCA-TLRSR", 0.9574, _CLASSICAL),
    ),
    "urban-3": (Cited("FERS", 0.9756, _PRETRAINED),),
    "sandiego-58": (Cited("PCA-TLRSR", 0.9957, _CLASSICAL),),
}
"""The best known figures on further scenes, each on its authors' own crop."""
