"""PAB_DC: potential anomaly and background dictionary construction (Huyan et al., 2019)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import PCA
from sklearn.preprocessing import normalize

from lren_tf.data.scene import Scene
from lren_tf.datasets.benchmarks import BENCHMARKS
from lren_tf.detectors.base import Detector
from lren_tf.detectors.parts.patch_clustering import cluster_windows, window_members
from lren_tf.detectors.parts.simultaneous_omp import simultaneous_omp
from lren_tf.detectors.parts.two_dictionary_decomposition import decompose
from lren_tf.detectors.usable_scene import full_cube, usable_scene
from lren_tf.errors import InputError
from lren_tf.validators import positive, whole

SCORE_PARTS = ("anomaly", "residual", "both", "relative")
"""Parts that are scored: the ℓ2 norm of D_a S (as released), of E, of D_a S + E, or of the
first two norms, each over its mean in the image."""
VARIANTS = ("release", "robust")
"""Names of the sets of defaults of :class:`PABDC`."""
STARTS = ("spread", "random")
"""Starts of the cluster centres (see `patch_clustering.cluster_windows`)."""

_SAME = 8 * np.finfo(np.float64).eps
"""Differences of spectra of norm 1 up to which they are rounding."""


class Dictionaries(NamedTuple):
    """The pixels that serve as atoms, as indices into the image, row after row."""

    background: npt.NDArray[np.intp]
    """Cluster after cluster, within one from the most used atom down."""
    anomaly: npt.NDArray[np.intp]
    """Potential anomalies, from the highest anomalous level down."""


class Parts(NamedTuple):
    """The normalised cube as background + anomaly + residual, each ``[H, W, L]``."""

    background: np.ndarray
    """D_b Z, low rank."""
    anomaly: np.ndarray
    """D_a S, sparse."""
    residual: np.ndarray
    """E, taken for noise, sparse over pixels."""
    dictionaries: Dictionaries
    """The atoms."""
    iterations: int
    """Iterations of the decomposition."""
    converged: bool
    """False if the largest number of iterations ended it."""

    def score(self, part: str) -> np.ndarray:
        """Scores ``[H, W]`` by one of :data:`SCORE_PARTS`."""
        if part == "both":
            return np.linalg.norm(self.anomaly + self.residual, axis=2)
        if part == "relative":
            return np.hypot(*(_over_mean(self.score(each)) for each in ("anomaly", "residual")))
        return np.linalg.norm({"anomaly": self.anomaly, "residual": self.residual}[part], axis=2)


@dataclass(frozen=True)
class PABDC(Detector):
    """Low-rank and sparse decomposition over a background and a potential-anomaly dictionary.

    Source: N. Huyan, X. Zhang, H. Zhou and L. Jiao, "Hyperspectral anomaly detection via
    background and potential anomaly dictionaries construction", IEEE TGRS 57(4), 2019, and
    the code its authors released (huyanning/Hyperspectral-Anomaly-Detection). The paper's
    text was not available to us; the method is read from the code, and the defaults are
    those of its demonstration on San Diego.

    1. Every spectrum is scaled to norm 1.
    2. The windows around all pixels are clustered in the space of the leading principal
       components with the image-patch distance (`patch_clustering`).
    3. Within a cluster every window is coded by simultaneous OMP (`simultaneous_omp`) with the
       centre pixels of the cluster's other windows as atoms. Over the cluster's windows,
       a_i is the sum of atom i's mean |coefficient| and f_i the number of windows using it;
       a is then scaled to norm 1 within the cluster. r_i is the mean norm of the residuals
       of pixel i's window.
    4. Background dictionary D_b: the share `background_fraction` of every cluster with the
       largest a_i. Potential anomalies D_a: the `anomaly_atoms` pixels of the image with the
       largest anomalous level r_i a_i / f_i (0 where f_i = 0).
    5. min ‖Z‖_* + β ‖S‖₁ + λ ‖E‖₂,₁ s.t. X = D_b Z + D_a S + E (`two_dictionaries`); pixel i
       scores by ‖(D_a S)_i‖₂ and ‖E_i‖₂.

    Two variants fill in what is None, each the same on every scene. The tables of this project
    use ``"release"``, the default.

    ===============  ========================  ================================================
    setting          release                   robust
    ===============  ========================  ================================================
    start            windows drawn at random   windows evenly spaced in the order of the first
                                               principal component of their pixels
    score_part       "anomaly"                 "relative"
    ===============  ========================  ================================================

    Robust draws nothing, so every seed gives the same map. It scores both parts because an anomaly
    that no atom of D_a resembles is in E; where D_a does hold anomalies, E adds false alarms.

    Assumptions, where neither the code's description nor the paper settles it:

    - A random start draws windows without replacement, and a centre is the mean of its
      windows, position by position.
    - "Mirror" borders do not repeat the border pixel.
    - The windows of a cluster with fewer than two go to the nearest centre left.
    - The pursuit ends early where no atom is left or the residual is down to rounding.
    - A share of a cluster is rounded to the nearest whole number, which may be 0; a pixel
      may be an atom of both dictionaries; ties go to the pixel that comes first.
    - The decomposition stops at a largest absolute residual below 1e-5. The code asks for
      a largest row sum below 1e-6, which depends on the number of pixels.
    - The released code scores D_a S; the other values of `score_part` are ours.

    The weights go with the size of the image. A rank-one background of N unit spectra costs
    about √(N / m_b) when its coefficients spread over all m_b atoms of D_b, and about β N over
    D_a; D_b is the cheaper one only where β exceeds 1 / √(N m_b), which with β = 0.001 and 5 %
    is above 4,500 pixels. On smaller images the default β puts the background into D_a S.

    It cannot score another scene: D_a has to hold what is anomalous in the scored one, and
    finding it there finds D_b as well.

    Not copied from the released code: it blanks the dictionary columns next to nine times the
    window's index instead of the window's own pixels, and leaves them blank for all windows
    after; takes the sixth of nine pixels for the centre; picks D_a at transposed places; and
    lets blanked columns into D_b.
    """

    name: ClassVar[str] = "pab_dc"
    title: ClassVar[str] = "PAB_DC"
    named_by: ClassVar[str] = "variant"
    why_not_inductive: ClassVar[str] = (
        "its dictionary of potential anomalies consists of pixels of the scene that it scores"
    )
    stochastic: ClassVar[bool] = True

    variant: str = "release"
    """Meaning of None in the other settings, one of :data:`VARIANTS` (see above)."""
    start: str | None = None
    """One of :data:`STARTS`."""
    window: int = 3
    """Side of the windows in pixels, odd. Released demonstration: 3."""
    clusters: int = 10
    """Clusters of windows at the start. Released demonstration: 10."""
    components: int = 20
    """Principal components used for clustering, at most. Released code: 20."""
    sparsity: int = 10
    """Atoms per window in the pursuit. Released demonstration: 10."""
    background_fraction: float = 0.05
    """Share of every cluster that becomes background atoms. Released demonstration: 5 %."""
    anomaly_atoms: int = 200
    """Potential anomalies in the whole image. Released demonstration: 200."""
    beta: float = 1e-3
    """Weight β of the anomalies' coefficients. Released demonstration: 0.001."""
    lam: float = 1e-2
    """Weight λ of the noise. Released demonstration: 0.01."""
    score_part: str | None = None
    """Part that is scored, one of :data:`SCORE_PARTS`."""
    tolerance: float = 1e-5
    """Largest absolute residual at which the decomposition stops. See the assumptions."""
    max_iterations: int = 500
    """Iterations after which it stops at the latest. Released code: 500."""
    seed: int = 0
    """Seed of the windows drawn as first centres; nothing else is drawn."""

    def __post_init__(self) -> None:
        for name in (
            "window", "clusters", "components", "sparsity", "anomaly_atoms", "max_iterations"
        ):
            object.__setattr__(self, name, whole(name, getattr(self, name), 1))
        object.__setattr__(self, "seed", whole("seed", self.seed, 0))
        for name in ("background_fraction", "beta", "lam", "tolerance"):
            object.__setattr__(self, name, positive(name, getattr(self, name)))
        if self.window % 2 == 0:
            raise InputError(
                f"setting 'window' is {self.window}; expected an odd number, so that a window "
                "has a centre."
            )
        if self.background_fraction > 1:
            raise InputError(
                f"setting 'background_fraction' is {self.background_fraction}; expected a share "
                "above 0 and at most 1."
            )
        choices = {
            "variant": VARIANTS, "start": (*STARTS, None), "score_part": (*SCORE_PARTS, None)
        }  # fmt: skip
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise InputError(
                    f"setting {name!r} is {getattr(self, name)!r}; expected one of "
                    f"{', '.join(filter(None, known))}."
                )

    def resolved(self, name: str) -> Any:
        """The value of a setting, where it is None the variant's."""
        value = getattr(self, name)
        return _DEFAULTS[self.variant][name] if value is None else value

    def effective_config(self) -> dict[str, Any]:
        """All settings by name, None replaced by what the variant has."""
        filled = {name: self.resolved(name) for name in _DEFAULTS[self.variant]}
        return {**self.get_config(), **filled}

    @property
    def chosen_on(self) -> tuple[str, ...]:
        """San Diego, for which the released demonstration has its settings; the variant robust
        was made with all four scenes of the paper in view."""
        return tuple(BENCHMARKS) if self.variant == "robust" else ("sandiego",)

    @property
    def draws(self) -> bool:
        """True if the map depends on the seed with these settings."""
        return self.resolved("start") == "random"

    def decompose(self, cube: npt.ArrayLike | Scene) -> Parts:
        """The parts of a cube ``[H, W, L]``, to compare what each of them ranks highest.

        L counts the good bands of a scene; its pixels without data are filled as in `score`.

        Raises:
            InputError: the cube cannot be used, or not with these settings.
        """
        return self._parts(full_cube(usable_scene(cube)))

    def _score(self, cube: npt.NDArray[np.float64]) -> np.ndarray:
        return self._parts(cube).score(self.resolved("score_part"))

    def _parts(self, cube: np.ndarray) -> Parts:
        shape = cube.shape
        self._check_size(*shape[:2])
        X = normalize(cube.reshape(-1, shape[2]).astype(np.float64))
        if np.ptp(X, axis=0).max() <= _SAME:
            raise InputError(
                f"all {len(X)} spectra are the same once scaled to norm 1 ({shape[2]} bands); "
                "expected spectra of different shapes, which takes two bands or more."
            )
        atoms = self._dictionaries(X, *shape[:2])
        background, anomaly, residual, iterations, converged = decompose(
            X,
            X[atoms.background],
            X[atoms.anomaly],
            self.beta,
            self.lam,
            tolerance=self.tolerance,
            max_iterations=self.max_iterations,
        )
        background, anomaly, residual = (
            part.reshape(shape) for part in (background, anomaly, residual)
        )
        return Parts(background, anomaly, residual, atoms, iterations, converged)

    def _check_size(self, height: int, width: int) -> None:
        if self.window > min(height, width):
            raise InputError(
                f"setting 'window' is {self.window} and the image {height} × {width} pixels; "
                "expected a window no larger than the image."
            )
        for name in ("clusters", "anomaly_atoms"):
            if getattr(self, name) > height * width:
                raise InputError(
                    f"setting {name!r} is {getattr(self, name)} and the image has "
                    f"{height * width} pixels; expected no more than that."
                )

    def _dictionaries(self, X: npt.NDArray[np.float64], height: int, width: int) -> Dictionaries:
        members = window_members(height, width, self.window)
        components = min(self.components, *X.shape)
        features = PCA(components, svd_solver="full").fit_transform(X)
        rng = np.random.default_rng(self.seed) if self.draws else None
        labels = cluster_windows(features, members, self.clusters, rng)

        background, level = [], np.zeros(len(X))
        for label in range(labels.max() + 1):
            pixels = np.flatnonzero(labels == label)
            strength, level[pixels] = _roles(X, members, pixels, self.sparsity)
            count = round(self.background_fraction * len(pixels))
            background.append(pixels[_largest(strength, count)])
        chosen = np.concatenate(background)
        if not chosen.size:
            raise InputError(
                f"setting 'background_fraction' is {self.background_fraction}, which leaves no "
                f"background atom in {len(background)} clusters of {len(X)} pixels; expected a "
                "larger share, or fewer clusters."
            )
        return Dictionaries(chosen, _largest(level, self.anomaly_atoms))


_DEFAULTS = {
    "robust": {"start": "spread", "score_part": "relative"},
    "release": {"start": "random", "score_part": "anomaly"},
}
"""Settings that None stands for, by variant."""


def _over_mean(norms: np.ndarray) -> np.ndarray:
    """Norms in units of their mean; those of a part that is empty stay 0."""
    return norms / (norms.mean(dtype=np.float64) or 1.0)


def _roles(
    X: npt.NDArray[np.float64],
    members: npt.NDArray[np.intp],
    pixels: npt.NDArray[np.intp],
    sparsity: int,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Strength a as an atom and anomalous level of the pixels of one cluster, ``[n]`` each."""
    place = np.full(len(X), -1)
    place[pixels] = np.arange(len(pixels))
    windows = members[pixels]
    codes = simultaneous_omp(X, windows, X[pixels], sparsity, place[windows])
    used = codes.atoms >= 0
    uses = np.bincount(codes.atoms[used], minlength=len(pixels))
    strength: npt.NDArray[np.float64] = np.asarray(
        np.bincount(codes.atoms[used], codes.weights[used], minlength=len(pixels)), np.float64
    )
    total = np.linalg.norm(strength)
    if total > 0:
        strength /= total
    return strength, codes.residual * strength / np.maximum(uses, 1)


def _largest(values: npt.NDArray[np.float64], count: int) -> npt.NDArray[np.intp]:
    return np.argsort(-values, kind="stable")[:count]
