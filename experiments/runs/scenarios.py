"""The five scenarios of the paper's ablation (Table 1), each as settings of the library.

The paper gives each of them half a sentence. Where that can be read in more than one way, the
one in Table 1 here is the first below, and the others are measured beside it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from lren_tf import Scene, metrics

if TYPE_CHECKING:
    from lren_tf import LREN


class Reading(NamedTuple):
    """One way to read a scenario."""

    scenario: str
    """Its letter in the paper."""
    sentence: str
    """What it is, in a sentence of its own."""
    training: str
    """The setting of this name, the only one that needs another training."""
    settings: Mapping[str, Any]
    """What else differs from the preset."""


READINGS: dict[str, Reading] = {
    "A": Reading(
        "A",
        "Without the ℓ2,1 norm of the anomaly: the residual is penalised by ½‖A‖²_F, which asks "
        "for no sparse pixels, with the same λ.",
        "joint",
        {"solver_loss": "frobenius"},
    ),
    "B": Reading(
        "B",
        "k-means in place of the density estimation: the autoencoder learns its reconstruction "
        "loss alone, k-means finds k clusters of its latent samples, and the centre of each and "
        "the member farthest from it are the atoms.",
        "separate",
        {"dictionary": "kmeans"},
    ),
    "C": Reading(
        "C",
        "Low rank in the original space: the network and its choice of atoms are those of (E), "
        "but the low-rank step splits the standardised spectra, by the spectra of those atoms.",
        "joint",
        {"low_rank_space": "original"},
    ),
    "D": Reading(
        "D",
        "Mapping and dictionary learned separately: first the autoencoder on its reconstruction "
        "loss, then the estimator on its terms of the loss over the frozen latent samples, each "
        "for all epochs.",
        "separate",
        {},
    ),
    "E": Reading("E", "The full model.", "joint", {}),
    "A_l1": Reading(
        "A",
        "(A) with the entrywise ℓ1 norm: entries are sparse, pixels are not kept together.",
        "joint",
        {"solver_loss": "l1"},
    ),
    "A_none": Reading(
        "A",
        "(A) with no penalty on the residual at all (the limit of λ to 0): W is 0, A is the "
        "latent sample, and the score is its norm, whatever the dictionary.",
        "joint",
        {"lam": 1e-9},
    ),
    "B_joint": Reading(
        "B",
        "(B) with the network of (E): k-means clusters latent samples that the density "
        "estimation has shaped.",
        "joint",
        {"dictionary": "kmeans"},
    ),
}
"""All readings by name; the first five are Table 1."""
TABLE1 = ("A", "B", "C", "D", "E")
OTHERS = tuple(name for name in READINGS if name not in TABLE1)

SILENT = (
    "The paper does not say: what takes the place of the norm in (A); whether the autoencoder in "
    "(B) is still trained with the density estimation, how many clusters there are, and which "
    "atoms they give; what the dictionary in (C) is made of, and at which scale of the spectra; "
    "the order and the epochs of the two trainings in (D); λ in any of them, which is that of "
    "(E) here."
)


def measure(model: LREN, scene: Scene, training: str) -> dict[str, Any]:
    """Areas of every reading that needs this training but for the model's own.

    Args:
        model: fitted on `scene` with this training and otherwise the settings of its preset.
        scene: with its truth.
        training: the setting.
    """
    found = {}
    for name, reading in READINGS.items():
        if reading.training != training or not reading.settings:
            continue
        started = time.perf_counter()
        variant = model.with_settings(scene, **reading.settings)
        solution = variant.decompose(scene)
        score = variant.score_of(solution).reshape(scene.shape[:2])
        found[name] = {
            "settings": dict(reading.settings),
            "auc_pd_pf": metrics.auc_pd_pf(score, scene.truth),
            "auc_pf_tau": metrics.auc_pf_tau(score, scene.truth),
            "iterations": solution.iterations,
            "converged": solution.converged,
            "seconds": time.perf_counter() - started,
        }
    return found
