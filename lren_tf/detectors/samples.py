"""X of scikit-learn, a cube, a scene or a table, as a scene; and scores in its shape."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from lren_tf.data.array_checks import check_finite_pixels, varying_bands
from lren_tf.data.pixel_matrix import PixelMatrix
from lren_tf.data.same_sensor import refuse_other_wavelengths, warn_of_bands_left_out
from lren_tf.data.scene import Scene
from lren_tf.errors import InputError
from lren_tf.io import scene_of


class Samples(NamedTuple):
    """Data of `fit` or of a method after it."""

    scene: Scene
    """A table [N, L] is an image of N rows and one column."""
    is_table: bool
    """True if they were a table."""

    def spread(self, scores: np.ndarray) -> np.ndarray:
        """Scores [n] of the pixels that hold data in the shape of the data, NaN in the others.

        Returns:
            float32 [H, W], as a score map is; of a table float64 [N].
        """
        if not self.is_table:
            return self.scene.spread(scores)
        out = np.full(self.scene.height, np.nan)
        out[slice(None) if self.scene.valid is None else self.scene.valid[:, 0]] = scores
        return out

    def labelled(self, values: np.ndarray, name: str) -> Any:
        """Values in the shape of the data; of an xarray object a `DataArray` on its grid."""
        labels = self.scene.labels
        return values if labels is None else labels.array(values, name)


class FittedBands(BaseEstimator):  # type: ignore[misc]
    """The bands of the data of `fit`, by which data of other bands are told.

    It is an estimator so that scikit-learn can check tables by it, and their columns by name.

    Attributes:
        n_features_in_: number of bands L, those that are not used included.
        feature_names_in_: names of the columns [L], of a table that has some.
        good_bands: bool [L], bands that are used; None for all.
        wavelengths: [L] in nanometres, or None.
    """

    good_bands: np.ndarray | None = None
    wavelengths: np.ndarray | None = None

    def learn(self, X: Any, owner: str, *, tables: bool) -> Samples:
        """Take over the bands of X, which is to be fitted.

        Args:
            X: [H, W, L] or [N, L] numbers, a scene, an xarray object, a data frame. The masked
                values of a masked array hold no data.
            owner: class of the detector, for messages.
            tables: whether it takes tables.

        Raises:
            InputError: X is nothing of this, cannot be used, or is constant.
        """
        samples = self._samples(X, owner, tables=tables, reset=True)
        scene = samples.scene
        self.good_bands, self.wavelengths = scene.good_bands, scene.wavelengths
        self._check_finite(samples)
        valid = None if scene.valid is None else scene.valid.reshape(-1)
        varying_bands(
            PixelMatrix(scene.cube), what=scene.name, valid=valid, bands=scene.good_bands
        )
        return samples

    def read(self, X: Any, owner: str, *, tables: bool) -> Samples:
        """Read X, of the same bands, of which the same are used.

        Warns of those among them that X leaves out.

        Args:
            X, owner, tables: as for `learn`.

        Raises:
            InputError: as of `learn`, or X has other bands.
        """
        samples = self._samples(X, owner, tables=tables, reset=False)
        scene = samples.scene
        refuse_other_wavelengths(
            scene.name,
            scene.wavelengths,
            None if self.wavelengths is None else tuple(self.wavelengths),
        )
        same = samples._replace(scene=replace(scene, good_bands=self.good_bands))
        self._check_finite(same)
        warn_of_bands_left_out(scene.name, scene.good_bands, self.good_bands)
        return same

    def _samples(self, X: Any, owner: str, *, tables: bool, reset: bool) -> Samples:
        labelled = scene_of(X)
        if labelled is not None:
            X = labelled
        scene = X if isinstance(X, Scene) else None
        axes = 3 if scene is not None else _axes_of(X)
        if axes > 3 or (axes < 3 and not tables):
            shape = f"shape {np.shape(X)}" if axes != 2 else "two axes, as a table"
            also = ", or a table, samples × bands" if tables else ""
            raise InputError(
                received=f"X has {shape}",
                expected=f"a scene, or a cube of rows × columns × bands{also}",
                remedy="reshape it" if tables else f"since {owner} looks at the neighbours of a "
                "pixel, which a table does not have",
            )
        if axes < 3 and not isinstance(X, np.ma.MaskedArray):
            table = self._checked_table(X, owner, reset=reset)
            return Samples(Scene(table[:, None], name="X"), True)
        if scene is None:
            scene = Scene(X if axes == 3 else X[:, None], name="X")
        if reset:
            self.n_features_in_ = scene.bands
        elif scene.bands != self.n_features_in_:
            raise InputError(
                f"{scene.name} has {scene.bands} bands, but {owner} is expecting "
                f"{self.n_features_in_}, as it was fitted on; pass a scene of the same sensor."
            )
        return Samples(scene, axes < 3)

    def _checked_table(self, X: Any, owner: str, *, reset: bool) -> np.ndarray:
        try:
            return validate_data(
                self, X, reset=reset, dtype="numeric", ensure_all_finite=False,
                ensure_min_samples=2 if reset else 1,
            )  # fmt: skip
        except ValueError as error:
            text = " ".join(str(error).replace(type(self).__name__, owner).split())
            raise InputError(text if text.endswith(".") else f"{text}.") from error

    def _check_finite(self, samples: Samples) -> None:
        scene = samples.scene
        check_finite_pixels(
            PixelMatrix(scene.cube),
            grid_width=None if samples.is_table else scene.width,
            what=scene.name,
            valid=None if scene.valid is None else scene.valid.reshape(-1),
            bands=scene.good_bands,
        )


def _axes_of(X: Any) -> int:
    """Number of axes; 2 of what is no array, for scikit-learn to look at."""
    try:
        return X.ndim if hasattr(X, "ndim") else np.asarray(X).ndim
    except ValueError:  # rows of different lengths
        return 2
