"""Settings of LREN: every choice that can change a result, with its source and its range."""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_type_hints

from lren_tf.errors import InputError
from lren_tf.validators import (
    AtLeast,
    Constraint,
    OneOf,
    Whole,
    not_negative,
    optional,
    positive,
    share,
)

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


def _evidence(name: str, given: Any) -> tuple[str, ...]:
    """The evidence of a setting, in the order of EVIDENCE; from text or a sequence of names."""
    names = [n.strip() for n in given.split(",")] if isinstance(given, str) else given
    if isinstance(names, (list, tuple)) and names and all(n in EVIDENCE for n in names):
        return tuple(n for n in EVIDENCE if n in names)
    raise InputError(
        f"setting {name!r} is {given!r}; expected one or more of {', '.join(EVIDENCE)}."
    )


@dataclass(frozen=True)
class Settings:
    """All settings of LREN; the defaults are the preset ``paper``.

    The annotation of a field names its type and its constraint. The largest allowed values are
    those that seeds of generators and the solver's counter can hold.

    Raises:
        InputError: a value outside its range or its list of choices.
    """

    # --- scaling -------------------------------------------------------------------
    scaling: Annotated[str, OneOf("zscore", "minmax_zscore")] = "zscore"
    """``"zscore"``: each band to mean 0, population standard deviation 1 (the paper is
    silent). ``"minmax_zscore"``: the whole cube to [0, 1] first (release; the z-score
    undoes it up to rounding)."""

    # --- network -------------------------------------------------------------------
    hidden_units: Annotated[int, Whole(1)] = 400
    """Width of the hidden layers of encoder and decoder (release; the paper gives none)."""
    latent_units: Annotated[int, Whole(1)] = 9
    """l, width of the latent representation (paper, "Implementation details")."""
    estimator_units: Annotated[int, Whole(1)] = 60
    """Width of the hidden layer of the density estimator (release)."""
    components: Annotated[int, Whole(1)] = 7
    """k, number of mixture components (paper, "Implementation details")."""
    latent_activation: Annotated[str, OneOf("linear", "tanh")] = "linear"
    """Activation of the latent layer: ``"linear"`` (release) or ``"tanh"`` (the paper's
    sentence read word for word). Hidden layers are tanh in both; the reconstruction is
    always linear, since a tanh cannot reach z-scored values beyond ±1."""
    initial_weights: Annotated[
        str, OneOf("glorot_uniform", "tf1_glorot_uniform")
    ] = "glorot_uniform"
    """``"glorot_uniform"``: Keras (the paper is silent). ``"tf1_glorot_uniform"``: the
    draws TensorFlow 1 makes for graph seed ``seed`` in the release's order of creation."""
    seed: Annotated[int, Whole(0, 2**64 - 1)] = 123
    """Seed of the initial weights; 123 is the release's graph seed. Seeds of further
    members are derived from it."""
    members: Annotated[int, Whole(1)] = 1
    """Networks that are trained side by side on the same batches; the score is the mean of
    theirs. More than one only with ``scoring="energy"`` (robust)."""

    # --- training ------------------------------------------------------------------
    optimizer: Annotated[str, OneOf("sgd", "adam")] = "sgd"
    """``"sgd"`` (paper) or ``"adam"``: β 0.9/0.999, ε 1e-8 added to √v (release)."""
    learning_rate: Annotated[float, positive] = 1e-4
    """Paper, "Implementation details"; the release agrees."""
    sample_learning_rate: Annotated[float | None, optional(positive)] = None
    """Learning rate of a training on a sample of the scene, ``training_pixels``, whose steps are
    few for what a large scene holds; None is ``learning_rate`` (paper, release)."""
    batch_size: Annotated[int | None, optional(Whole(1))] = None
    """Pixels per step; None is all pixels (paper); 4096 in the release."""
    batch_seed: Annotated[int, Whole(0, 2**32 - 1)] = 123
    """Seed of the single permutation that fixes the batches (release); unused when one
    batch holds all pixels."""
    training_pixels: Annotated[int | None, optional(Whole(1))] = None
    """Most pixels that the network is trained on; of a larger scene a sample takes part in the
    training, one pixel of each of as many equal stretches, drawn by ``batch_seed``. So the number
    of steps does not grow with the scene. Standardisation, mixture, background and scores are of
    all pixels. None is all pixels (paper, release)."""
    epochs: Annotated[int, Whole(1)] = 1000
    """Paper, "Implementation details"; the release agrees. Of each part where ``training``
    is ``"separate"``."""
    training: Annotated[str, OneOf("joint", "separate")] = "joint"
    """``"joint"``: eq. (2) in one training (paper, release). ``"separate"``: first the
    autoencoder on eq. (5) alone, then, with a new optimiser, the estimator on its terms of
    the loss over the latent samples of the frozen encoder (Table 1, scenario D; the paper
    gives no order and no epochs). With ``dictionary="kmeans"`` the second part has nothing
    to learn and is left out."""
    energy_weight: Annotated[float, not_negative] = 1.0
    """Weight of the mean energy, eq. (8): 1 in eq. (2), 0.1 in the release."""
    covariance_penalty: Annotated[float, not_negative] = 0.0
    """Weight of Σₖ Σ_d 1/Γₖ,dd: absent from the paper, 1e-4 in the release."""

    # --- mixture -------------------------------------------------------------------
    mixture_dtype: Annotated[str, OneOf("float64", "float32")] = "float64"
    """Precision of eqs. (8)-(11). The release ran float32, which ends in NaN near epoch
    500 on SanDiego."""
    covariance_floor: Annotated[float, positive] = 1e-6
    """ε: Γₖ + εI is factored in the energy (release), and 1/max(Γₖ,dd, ε) is what the
    covariance penalty sums, so that a collapsed component stays finite."""
    empty_mass: Annotated[float, positive] = 1e-10
    """A component whose soft count Σᵢ βᵢₖ is below this many pixels is empty: it leaves
    the energy and the penalty and gives no atoms (no source: division by zero)."""

    # --- dictionary ----------------------------------------------------------------
    dictionary: Annotated[
        str, OneOf("centroid_farthest", "extreme_assignment", "kmeans")
    ] = "centroid_farthest"
    """``"centroid_farthest"``: μₖ and the member farthest from it (paper).
    ``"extreme_assignment"``: the members with the largest and the smallest βₖ, looked up
    as the release does, ties included. ``"kmeans"``: the centre of each of k clusters that
    k-means finds among the latent samples and the member farthest from it (Table 1,
    scenario B; the paper gives no number of clusters and no atoms). Its draws follow
    ``seed``."""

    # --- low-rank step -------------------------------------------------------------
    lam: Annotated[float, positive] = 1e-2
    """λ of eq. (1): 1e-2 in the paper for every scene but Pavia. It was chosen on ground
    truth there."""
    low_rank_space: Annotated[str, OneOf("latent", "original")] = "latent"
    """Samples that the low-rank step splits: ``"latent"``, the latent samples (eq. 1), or
    ``"original"``, the standardised spectra (Table 1, scenario C). Atoms are then the spectra
    of the pixels that the dictionary's rule chose, and a centroid the mean spectrum with the
    weights of its component (the paper is silent)."""
    solver_loss: Annotated[str, OneOf("l21", "l1", "frobenius")] = "l21"
    """Loss on the residual A: ``"l21"`` (eq. 1), ``"l1"`` or ``"frobenius"`` (½‖A‖²_F, no
    sparsity; Table 1, scenario A)."""
    solver_order: Annotated[str, OneOf("JWA", "JAW")] = "JWA"
    """Order of the updates: ``"JWA"`` as eqs. (15)-(18) are listed, ``"JAW"`` as the
    release computes them."""
    solver_mu: Annotated[float, positive] = 1e-3
    """Initial penalty μ of eq. (13) (release; the paper gives none)."""
    solver_rho: Annotated[float, AtLeast(1)] = 1.2
    """Factor of μ per iteration (release)."""
    solver_mu_max: Annotated[float, positive] = 1e10
    """Largest μ (release)."""
    solver_tolerance: Annotated[float, positive] = 1e-8
    """Stop when the largest absolute change of W, A, J and both residuals are below it
    (release)."""
    solver_iterations: Annotated[int, Whole(1, 2**31 - 1)] = 500
    """Largest number of iterations (release)."""
    solver_dtype: Annotated[str, OneOf("float64", "float32")] = "float64"
    """Precision of the solver; the release's float32 never meets its own tolerance."""
    score_norm: Annotated[str, OneOf("l1", "l2")] = "l1"
    """Norm of the residual of a pixel that is its score: ``"l1"`` (paper), ``"l2"``
    (release)."""

    # --- scoring -------------------------------------------------------------------
    scoring: Annotated[str, OneOf("residual", "energy")] = "residual"
    """Score of a pixel: ``"residual"``, the norm of its residual in the low-rank
    step (paper, release), or ``"energy"``, its energy, eq. (8), under the mixture of the
    background, see :mod:`lren_tf.latent.background` (robust)."""
    component_share: Annotated[float, share] = 0.05
    """Smallest share of the pixels that a component of the background needs."""
    trimmed_share: Annotated[float, share] = 0.02
    """Share of the pixels with the highest energies that the background is estimated without."""
    ridge: Annotated[float, positive] = 0.02
    """Share of a feature's variance over the scene that is added to its variance in every
    component of the background."""
    neighbourhood: Annotated[float, not_negative] = 0.7
    """Standard deviation, in pixels, of the Gaussian mean over the image that stands beside a
    pixel's own latent sample; 0 for none. A table has no neighbourhood."""
    evidence: Annotated[tuple[str, ...], _evidence] = ("spectrum",)
    """Parts of the score. ``("spectrum",)`` is the energy as it is. With
    ``"structure"`` or ``"surroundings"`` in it every evidence is calibrated, and the score is
    −log₁₀ of the share of the background that scores higher, see
    :mod:`lren_tf.evidence.fusion` (robust: all three). Also text, with commas."""

    def __post_init__(self) -> None:
        for name, check in _constraints().items():
            object.__setattr__(self, name, check(name, getattr(self, name)))
        if self.solver_mu_max < self.solver_mu:
            raise InputError(
                f"setting 'solver_mu_max' is {self.solver_mu_max}; expected at least "
                f"'solver_mu' ({self.solver_mu})."
            )
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

    def samples(self, pixels: int) -> bool:
        """Return whether a training on a scene of so many pixels takes a sample of them."""
        return self.training_pixels is not None and pixels > self.training_pixels

    def learning_rate_of(self, pixels: int) -> float:
        """Return the learning rate of a training on a scene of so many pixels."""
        rate = self.sample_learning_rate
        return self.learning_rate if rate is None or not self.samples(pixels) else rate

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


@functools.cache
def _constraints() -> dict[str, Constraint]:
    """Constraint of every field by its name: the second part of its annotation."""
    hints = get_type_hints(Settings, include_extras=True)
    return {field.name: get_args(hints[field.name])[1] for field in dataclasses.fields(Settings)}


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
