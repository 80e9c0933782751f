"""Settings of LREN: every choice that can change a result, with its source and its range."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from lren_tf.errors import InputError
from lren_tf.validators import not_negative, positive, real, whole

_CHOICES: dict[str, tuple[str, ...]] = {
    "scaling": ("zscore", "minmax_zscore"),
    "latent_activation": ("linear", "tanh"),
    "initial_weights": ("glorot_uniform", "tf1_glorot_uniform"),
    "optimizer": ("sgd", "adam"),
    "mixture_dtype": ("float64", "float32"),
    "training": ("joint", "separate"),
    "dictionary": ("centroid_farthest", "extreme_assignment", "kmeans"),
    "low_rank_space": ("latent", "original"),
    "solver_loss": ("l21", "l1", "frobenius"),
    "solver_order": ("JWA", "JAW"),
    "solver_dtype": ("float64", "float32"),
    "score_norm": ("l1", "l2"),
    "scoring": ("residual", "energy"),
}
_WHOLE_NUMBERS = {
    # name -> smallest value allowed
    "hidden_units": 1,
    "latent_units": 1,
    "estimator_units": 1,
    "components": 1,
    "members": 1,
    "seed": 0,
    "batch_seed": 0,
    "epochs": 1,
    "solver_iterations": 1,
}
_LARGEST = {
    # what the generators' keys and the solver's counter hold
    "seed": 2**64 - 1,
    "batch_seed": 2**32 - 1,
    "solver_iterations": 2**31 - 1,
}
_POSITIVE = (
    "learning_rate",
    "covariance_floor",
    "empty_mass",
    "lam",
    "solver_mu",
    "solver_mu_max",
    "solver_tolerance",
    "ridge",
)
_NOT_NEGATIVE = ("energy_weight", "covariance_penalty", "neighbourhood")
_SHARES = ("component_share", "trimmed_share")
_BY_SCORING = {
    "residual": (
        "dictionary", "lam", "low_rank_space", "solver_loss", "solver_order", "solver_mu",
        "solver_rho", "solver_mu_max", "solver_tolerance", "solver_iterations", "solver_dtype",
        "score_norm",
    ),
    "energy": ("component_share", "trimmed_share", "ridge", "neighbourhood", "evidence"),
}
"""Settings that mean nothing with the other scoring."""
EVIDENCE = ("spectrum", "structure", "surroundings")
"""Names of the evidence there is, in this order."""


@dataclass(frozen=True)
class Settings:
    """All settings of LREN; the defaults are the preset ``paper``.

    Raises:
        InputError: a value outside its range or its list of choices.
    """

    # --- scaling -------------------------------------------------------------------
    scaling: str = "zscore"
    """``"zscore"``: each band to mean 0, population standard deviation 1 (the paper is
    silent). ``"minmax_zscore"``: the whole cube to [0, 1] first (release; the z-score
    undoes it up to rounding)."""

    # --- network -------------------------------------------------------------------
    hidden_units: int = 400
    """Width of the hidden layers of encoder and decoder (release; the paper gives none)."""
    latent_units: int = 9
    """l, width of the latent representation (paper, "Implementation details")."""
    estimator_units: int = 60
    """Width of the hidden layer of the density estimator (release)."""
    components: int = 7
    """k, number of mixture components (paper, "Implementation details")."""
    latent_activation: str = "linear"
    """Activation of the latent layer: ``"linear"`` (release) or ``"tanh"`` (the paper's
    sentence read word for word). Hidden layers are tanh in both; the reconstruction is
    always linear, since a tanh cannot reach z-scored values beyond ±1."""
    initial_weights: str = "glorot_uniform"
    """``"glorot_uniform"``: Keras (the paper is silent). ``"tf1_glorot_uniform"``: the
    draws TensorFlow 1 makes for graph seed ``seed`` in the release's order of creation."""
    seed: int = 123
    """Seed of the initial weights; 123 is the release's graph seed. Seeds of further
    members are derived from it."""
    members: int = 1
    """Networks that are trained side by side on the same batches; the score is the mean of
    theirs. More than one only with ``scoring="energy"`` (robust)."""

    # --- training ------------------------------------------------------------------
    optimizer: str = "sgd"
    """``"sgd"`` (paper) or ``"adam"``: β 0.9/0.999, ε 1e-8 added to √v (release)."""
    learning_rate: float = 1e-4
    """Paper, "Implementation details"; the release agrees."""
    batch_size: int | None = None
    """Pixels per step; None is all pixels (paper); 4096 in the release."""
    batch_seed: int = 123
    """Seed of the single permutation that fixes the batches (release); unused when one
    batch holds all pixels."""
    training_pixels: int | None = None
    """Most pixels that the network is trained on; of a larger scene a sample takes part in the
    training, one pixel of each of as many equal stretches, drawn by ``batch_seed``. So the number
    of steps does not grow with the scene. Standardisation, mixture, background and scores are of
    all pixels. None is all pixels (paper, release)."""
    epochs: int = 1000
    """Paper, "Implementation details"; the release agrees. Of each part where ``training``
    is ``"separate"``."""
    training: str = "joint"
    """``"joint"``: eq. (2) in one training (paper, release). ``"separate"``: first the
    autoencoder on eq. (5) alone, then, with a new optimiser, the estimator on its terms of
    the loss over the latent samples of the frozen encoder (Table 1, scenario D; the paper
    gives no order and no epochs). With ``dictionary="kmeans"`` the second part has nothing
    to learn and is left out."""
    energy_weight: float = 1.0
    """Weight of the mean energy, eq. (8): 1 in eq. (2), 0.1 in the release."""
    covariance_penalty: float = 0.0
    """Weight of Σₖ Σ_d 1/Γₖ,dd: absent from the paper, 1e-4 in the release."""

    # --- mixture -------------------------------------------------------------------
    mixture_dtype: str = "float64"
    """Precision of eqs. (8)-(11). The release ran float32, which ends in NaN near epoch
    500 on SanDiego."""
    covariance_floor: float = 1e-6
    """ε: Γₖ + εI is factored in the energy (release), and 1/max(Γₖ,dd, ε) is what the
    covariance penalty sums, so that a collapsed component stays finite."""
    empty_mass: float = 1e-10
    """A component whose soft count Σᵢ βᵢₖ is below this many pixels is empty: it leaves
    the energy and the penalty and gives no atoms (no source: division by zero)."""

    # --- dictionary ----------------------------------------------------------------
    dictionary: str = "centroid_farthest"
    """``"centroid_farthest"``: μₖ and the member farthest from it (paper).
    ``"extreme_assignment"``: the members with the largest and the smallest βₖ, looked up
    as the release does, ties included. ``"kmeans"``: the centre of each of k clusters that
    k-means finds among the latent samples and the member farthest from it (Table 1,
    scenario B; the paper gives no number of clusters and no atoms). Its draws follow
    ``seed``."""

    # --- low-rank step -------------------------------------------------------------
    lam: float = 1e-2
    """λ of eq. (1): 1e-2 in the paper for every scene but Pavia. It was chosen on ground
    truth there."""
    low_rank_space: str = "latent"
    """Samples that the low-rank step splits: ``"latent"``, the latent samples (eq. 1), or
    ``"original"``, the standardised spectra (Table 1, scenario C). Atoms are then the spectra
    of the pixels that the dictionary's rule chose, and a centroid the mean spectrum with the
    weights of its component (the paper is silent)."""
    solver_loss: str = "l21"
    """Loss on the residual A: ``"l21"`` (eq. 1), ``"l1"`` or ``"frobenius"`` (½‖A‖²_F, no
    sparsity; Table 1, scenario A)."""
    solver_order: str = "JWA"
    """Order of the updates: ``"JWA"`` as eqs. (15)-(18) are listed, ``"JAW"`` as the
    release computes them."""
    solver_mu: float = 1e-3
    """Initial penalty μ of eq. (13) (release; the paper gives none)."""
    solver_rho: float = 1.2
    """Factor of μ per iteration (release)."""
    solver_mu_max: float = 1e10
    """Largest μ (release)."""
    solver_tolerance: float = 1e-8
    """Stop when the largest absolute change of W, A, J and both residuals are below it
    (release)."""
    solver_iterations: int = 500
    """Largest number of iterations (release)."""
    solver_dtype: str = "float64"
    """Precision of the solver; the release's float32 never meets its own tolerance."""
    score_norm: str = "l1"
    """Norm of the residual of a pixel that is its score: ``"l1"`` (paper), ``"l2"``
    (release)."""

    # --- scoring -------------------------------------------------------------------
    scoring: str = "residual"
    """Score of a pixel: ``"residual"``, the norm of its residual in the low-rank
    step (paper, release), or ``"energy"``, its energy, eq. (8), under the mixture of the
    background, see :mod:`lren_tf.latent.background` (robust)."""
    component_share: float = 0.05
    """Smallest share of the pixels that a component of the background needs."""
    trimmed_share: float = 0.02
    """Share of the pixels with the highest energies that the background is estimated without."""
    ridge: float = 0.02
    """Share of a feature's variance over the scene that is added to its variance in every
    component of the background."""
    neighbourhood: float = 0.7
    """Standard deviation, in pixels, of the Gaussian mean over the image that stands beside a
    pixel's own latent sample; 0 for none. A table has no neighbourhood."""
    evidence: tuple[str, ...] = ("spectrum",)
    """Parts of the score. ``("spectrum",)`` is the energy as it is. With
    ``"structure"`` or ``"surroundings"`` in it every evidence is calibrated, and the score is
    −log₁₀ of the share of the background that scores higher, see
    :mod:`lren_tf.evidence.fusion` (robust: all three). Also text, with commas."""

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            value = getattr(self, name)
            if not isinstance(value, str) or value not in choices:
                raise InputError(
                    f"setting {name!r} is {value!r}; expected one of {', '.join(choices)}."
                )
        for name, smallest in _WHOLE_NUMBERS.items():
            value = whole(name, getattr(self, name), smallest, _LARGEST.get(name))
            object.__setattr__(self, name, value)
        for name in ("batch_size", "training_pixels"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, whole(name, getattr(self, name), 1))
        for names, check in ((_POSITIVE, positive), (_NOT_NEGATIVE, not_negative)):
            for name in names:
                object.__setattr__(self, name, check(name, getattr(self, name)))
        object.__setattr__(self, "solver_rho", real("solver_rho", self.solver_rho))
        if self.solver_rho < 1:
            raise InputError(f"setting 'solver_rho' is {self.solver_rho}; expected 1 or more.")
        if self.solver_mu_max < self.solver_mu:
            raise InputError(
                f"setting 'solver_mu_max' is {self.solver_mu_max}; expected at least "
                f"'solver_mu' ({self.solver_mu})."
            )

        for name in _SHARES:
            share = not_negative(name, getattr(self, name))
            if share >= 1:
                raise InputError(f"setting {name!r} is {share}; expected less than 1.")
            object.__setattr__(self, name, share)
        object.__setattr__(self, "evidence", _evidence(self.evidence))
        if self.members > 1 and self.scoring != "energy":
            raise InputError(
                f"setting 'members' is {self.members} with scoring='residual'; expected 1: the "
                "low-rank step splits the samples of one network, choose scoring='energy'."
            )

    @property
    def total_epochs(self) -> int:
        """Epochs of all parts of the training."""
        two_parts = self.training == "separate" and self.dictionary != "kmeans"
        return 2 * self.epochs if two_parts else self.epochs

    @property
    def fuses_evidence(self) -> bool:
        """True if the score is made of evidence, not of the energy or the residual as it is."""
        return self.scoring == "energy" and self.evidence != ("spectrum",)

    def solver_options(self) -> dict[str, Any]:
        """Arguments of the solver of the low-rank step, except λ and the precision."""
        return {
            "loss": self.solver_loss,
            "order": self.solver_order,
            "mu": self.solver_mu,
            "rho": self.solver_rho,
            "mu_max": self.solver_mu_max,
            "tolerance": self.solver_tolerance,
            "max_iterations": self.solver_iterations,
        }

    def as_dict(self) -> dict[str, Any]:
        """All settings by name, ready for JSON: what is several names is a list."""
        return {**dataclasses.asdict(self), "evidence": list(self.evidence)}


def _evidence(given: Any) -> tuple[str, ...]:
    """The evidence of a setting, in the order of EVIDENCE; from text or a sequence of names."""
    names = [n.strip() for n in given.split(",")] if isinstance(given, str) else given
    if isinstance(names, (list, tuple)) and names and all(n in EVIDENCE for n in names):
        return tuple(name for name in EVIDENCE if name in names)
    raise InputError(
        f"setting 'evidence' is {given!r}; expected one or more of {', '.join(EVIDENCE)}."
    )


AFTER_TRAINING = (
    "dictionary", "low_rank_space", "lam", "solver_loss", "solver_order", "solver_mu",
    "solver_rho", "solver_mu_max", "solver_tolerance", "solver_iterations", "solver_dtype",
    "score_norm", "scoring", "component_share", "trimmed_share", "ridge", "neighbourhood",
    "evidence",
)
"""Settings that play no part in the training of the network."""


def no_effect(name: str, scoring: str) -> InputError:
    """The refusal of a setting that plays no part in a scoring."""
    return InputError(
        f"setting {name!r} has no effect with scoring={scoring!r}; expected it with the other "
        "scoring only, leave one of them out."
    )


def unused_settings(scoring: str) -> tuple[str, ...]:
    """Names of the settings that have no effect with a scoring."""
    return tuple(
        name for other, names in _BY_SCORING.items() if other != scoring for name in names
    )
