"""scikit-learn's interface of a detector: fit, score_samples, decision_function, predict."""

from __future__ import annotations

import abc
import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from lren_tf.data.scene import Scene
from lren_tf.detectors.samples import FittedBands, Samples
from lren_tf.errors import InputError
from lren_tf.evaluation.threshold import calibrated_threshold, checked_rate, threshold_at

if TYPE_CHECKING:
    from typing_extensions import Self

NORMAL, ANOMALY, NO_DATA = 1, -1, 0
"""Labels of `predict`."""


def _scores_others(detector: Estimator) -> bool:
    """Return whether a detector scores other data than those of `fit`."""
    if not detector.inductive:
        raise AttributeError(
            f"{detector.title} scores only what it is fitted on: {detector.why_not_inductive}; "
            "take fit_predict, or score"
        )
    return True


class Estimator(OutlierMixin, BaseEstimator):  # type: ignore[misc]
    """An outlier detector as scikit-learn knows it.

    X of every method is a cube ``[H, W, L]`` (also masked, or of xarray), a
    :class:`~lren_tf.Scene`, or a table ``[N, L]`` (also a data frame) where `takes_tables`. Results
    have its shape: ``[H, W]`` or ``[N]``. `y` is ignored: nothing is learned of a truth.

    The sign is scikit-learn's: `score_samples` and `decision_function` are higher where a pixel is
    more normal. `score` of a detector, and everything else of this package, is higher where it is
    more anomalous.

    Attributes:
        n_features_in_: number of bands L of the data of `fit`.
        feature_names_in_: names of its columns, where it was a table that has some.
        threshold_: the :class:`~lren_tf.evaluation.threshold.Threshold` on the scores of the data
            of `fit`, for the false-alarm rate.
        offset_: its negative, which `decision_function` is `score_samples` without.
    """

    title: ClassVar[str]
    false_alarm_rate: float
    inductive: ClassVar[bool] = False
    """True if it scores other data than those of `fit`."""
    why_not_inductive: ClassVar[str] = "it does not say what it learns"
    """Half a sentence, of a detector that is not `inductive`."""

    def __new__(cls, *arguments: Any, **settings: Any) -> Self:
        # A frozen dataclass lets nobody set anything, and `Pipeline` leaves its context here.
        for each in cls.__mro__:
            if issubclass(each, Estimator) and each is not Estimator:
                for method in ("__setattr__", "__delattr__"):
                    if method in vars(each):
                        delattr(each, method)
        return super().__new__(cls)

    def __setattr__(self, name: str, value: Any) -> None:
        self._refuse_public(name)
        super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        self._refuse_public(name)
        super().__delattr__(name)

    @staticmethod
    def _refuse_public(name: str) -> None:
        if not name.startswith("_"):
            raise dataclasses.FrozenInstanceError(
                f"cannot assign to {name!r}; expected set_params, which checks it"
            )

    @property
    def calibrated(self) -> bool:
        """True if a score is −log₁₀ of the estimated share of background pixels above it."""
        return False

    @property
    def takes_tables(self) -> bool:
        """True if X can be a table, whose samples have no neighbours."""
        return False

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn what other data are scored by, and the threshold for the false-alarm rate.

        Args:
            X: see the class. The region that `Scene.background` marks is what is learned of, where
                the detector takes one.
            y: ignored.

        Raises:
            InputError: the data cannot be used, or not with these settings.
        """
        self._fit_scores(X)
        return self

    def fit_predict(self, X: Any, y: Any = None) -> Any:
        """`fit`, then `predict` of the same data, which are scored once.

        Args:
            X, y: as for `fit`.

        Returns:
            As of `predict`.
        """
        samples, scores = self._fit_scores(X)
        return samples.labelled(self._labels(scores), "label")

    @available_if(_scores_others)
    def score_samples(self, X: Any) -> Any:
        """Return how normal every pixel is: `score` with its sign turned; NaN without data.

        Args:
            X: see the class; of the bands of the data of `fit`, of which the same are used.

        Returns:
            float32 ``[H, W]``, of a table float64 ``[N]``, of an xarray object a `DataArray`.

        Raises:
            NotFittedError: `fit` was not called.
            InputError: the data cannot be used.
        """
        samples, scores = self._scores_of(X)
        return samples.labelled(-scores, "score_samples")

    @available_if(_scores_others)
    def decision_function(self, X: Any) -> Any:
        """Return `score_samples` less `offset_`, float64: below 0 for anomalies.

        Args:
            X: as for `score_samples`.
        """
        samples, scores = self._scores_of(X)
        return samples.labelled(self._margins(scores), "decision_function")

    @available_if(_scores_others)
    def predict(self, X: Any) -> Any:
        """Return −1 for anomalies, 1 for normal pixels and 0 where there is no data.

        Args:
            X: as for `score_samples`.
        """
        samples, scores = self._scores_of(X)
        return samples.labelled(self._labels(scores), "label")

    def set_params(self, **params: Any) -> Self:
        """Change parameters of the constructor, all or none; other ones need a new `fit`.

        Raises:
            InputError: there is no such parameter, or a value is not allowed.
        """
        known = self.get_params(deep=False)
        for name in params:
            if name not in known:
                raise InputError(
                    f"{type(self).__name__} has no parameter {name!r}; expected one of "
                    f"{', '.join(known)}."
                )
        made = type(self)(**{**known, **params})
        for name in params:
            if getattr(made, name) is not known[name]:
                self._forget()
            self.__dict__[name] = getattr(made, name)
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = self.takes_tables
        tags.input_tags.three_d_array = True
        return tags

    @abc.abstractmethod
    def _fitted(self, scene: Scene) -> tuple[Any, np.ndarray]:
        """Learn from a scene; return what was learned and the scores [n] of its valid pixels."""

    def _scored(self, learned: Any, scene: Scene) -> np.ndarray:
        """Scores [n] of the pixels of a scene that hold data, by what was learned of another."""
        raise NotImplementedError

    def _fit_scores(self, X: Any) -> tuple[Samples, np.ndarray]:
        rate = checked_rate(self.false_alarm_rate)
        bands = FittedBands()
        samples = bands.learn(X, type(self).__name__, tables=self.takes_tables)
        learned, scores = self._fitted(samples.scene)
        scores = samples.spread(scores)
        threshold = (calibrated_threshold if self.calibrated else threshold_at)(scores, rate)
        self._forget()
        # The classes of detectors are frozen: no other code changes them.
        self.__dict__.update(
            {name: value for name, value in vars(bands).items() if name.endswith("_")},
            threshold_=threshold, offset_=-threshold.threshold, _bands=bands, _learned=learned,
        )  # fmt: skip
        return samples, scores

    def _scores_of(self, X: Any) -> tuple[Samples, np.ndarray]:
        check_is_fitted(self)
        samples = self._bands.read(X, type(self).__name__, tables=self.takes_tables)
        return samples, samples.spread(self._scored(self._learned, samples.scene))

    def _forget(self) -> None:
        state = self.__dict__
        for name in [n for n in state if n.endswith("_") or n in ("_bands", "_learned")]:
            del state[name]

    def _margins(self, scores: np.ndarray) -> np.ndarray:
        return self.threshold_.threshold - scores.astype(np.float64)

    def _labels(self, scores: np.ndarray) -> np.ndarray:
        labels = np.where(self._margins(scores) < 0, ANOMALY, NORMAL)
        labels[np.isnan(scores)] = NO_DATA
        return labels
