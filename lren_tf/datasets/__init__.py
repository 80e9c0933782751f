"""Scenes of the paper and further ones (found, verified), a simulated one, and implants."""

from lren_tf.datasets.benchmarks import BENCHMARKS, FURTHER, Benchmark, further_names, names
from lren_tf.datasets.catalogue import find, load, published_map
from lren_tf.datasets.download import DATA_VARIABLE, DatasetUnavailable
from lren_tf.datasets.implants import SIZES as IMPLANT_SIZES
from lren_tf.datasets.implants import Implants, implant
from lren_tf.datasets.simulation import simulate

__all__ = [
    "BENCHMARKS",
    "DATA_VARIABLE",
    "FURTHER",
    "IMPLANT_SIZES",
    "Benchmark",
    "DatasetUnavailable",
    "Implants",
    "find",
    "further_names",
    "implant",
    "load",
    "names",
    "published_map",
    "simulate",
]
