"""The four scenes of the paper (found, verified, downloaded), further ones, a simulated one."""

from lren_tf.datasets.benchmarks import BENCHMARKS, FURTHER, Benchmark, further_names, names
from lren_tf.datasets.catalogue import find, load, published_map
from lren_tf.datasets.download import DATA_VARIABLE, DatasetUnavailable
from lren_tf.datasets.simulation import simulate

__all__ = [
    "BENCHMARKS",
    "DATA_VARIABLE",
    "FURTHER",
    "Benchmark",
    "DatasetUnavailable",
    "find",
    "further_names",
    "load",
    "names",
    "published_map",
    "simulate",
]
