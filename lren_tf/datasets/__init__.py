"""The four scenes of the paper (found, verified, downloaded) and a simulated one."""

from lren_tf.datasets.benchmarks import BENCHMARKS, Benchmark, names
from lren_tf.datasets.catalogue import find, load, published_map
from lren_tf.datasets.download import DATA_VARIABLE, DatasetUnavailable
from lren_tf.datasets.simulation import simulate

__all__ = [
    "BENCHMARKS",
    "DATA_VARIABLE",
    "Benchmark",
    "DatasetUnavailable",
    "find",
    "load",
    "names",
    "published_map",
    "simulate",
]
