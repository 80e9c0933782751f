"""Explanations: bands that made a pixel anomalous, and spectra of its background."""

from lren_tf.explain.background import SpectralBackground, spectral_background
from lren_tf.explain.explanation import Explanation, strongest_bands
from lren_tf.explain.mahalanobis import mahalanobis
from lren_tf.explain.pixels import check_explainable, explain_pixels
from lren_tf.explain.spectra import DetectionSpectra, detection_spectra

__all__ = [
    "DetectionSpectra",
    "Explanation",
    "SpectralBackground",
    "check_explainable",
    "detection_spectra",
    "explain_pixels",
    "mahalanobis",
    "spectral_background",
    "strongest_bands",
]
