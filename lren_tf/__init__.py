"""LREN (Low-Rank Embedded Network, AAAI 2021) for hyperspectral anomaly detection."""

from lren_tf.version import __version__

__all__ = ["__version__"]
