"""The four benchmark scenes of the paper: file, hash, shape, address."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType

from lren_tf.errors import InputError

_BASE_URL = "https://github.com/xdjiangkai/LREN/raw/main/datasets/avirs/"


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """One published scene.

    Attributes:
        name: the name to pass to `find` and `load`.
        title: the scene's name in tables and figures.
        file: file name in the authors' release.
        sha256: of that file.
        shape: (H, W, B).
        anomalous: number of anomalous pixels in the truth.
        map_file: file name of the authors' released detection map, or None.
        url: where the file is published.
    """

    name: str
    title: str
    file: str
    sha256: str
    shape: tuple[int, int, int]
    anomalous: int
    map_file: str | None
    url: str


def _benchmark(
    name: str,
    title: str,
    file: str,
    sha256: str,
    shape: tuple[int, int, int],
    anomalous: int,
    map_released: bool = True,
) -> Benchmark:
    map_file = file if map_released else None
    return Benchmark(name, title, file, sha256, shape, anomalous, map_file, _BASE_URL + file)


BENCHMARKS: Mapping[str, Benchmark] = MappingProxyType(
    {
        entry.name: entry
        for entry in (
            _benchmark(
                "sandiego",
                "SanDiego",
                "sandiego_plane.mat",
                "9800a9fbd9d043c46171b14c5ef1077f57be287ccf3a61198cc1746b6217d2cb",
                (100, 100, 189),
                134,
            ),
            _benchmark(
                "hydice",
                "Hydice",
                "HYDICE_data.mat",
                "04a1795af7648b16fb305d3aedbd2e4534b9c0899ecbe7f5b387af2e274b124c",
                (100, 80, 162),
                19,
            ),
            # The release's folder for Coast holds Pavia's map by mistake: there is none.
            _benchmark(
                "coast",
                "Coast",
                "abu-urban-2.mat",
                "97aca40840b854a04ebd7852cb59f3b5a40b8df6c02a274ac81fbc64efe00637",
                (100, 100, 198),
                155,
                map_released=False,
            ),
            _benchmark(
                "pavia",
                "Pavia",
                "abu-beach-4.mat",
                "bd020d4c649141e5aee2e25dae9a96d1ca8a1d180ddf3e32597494cd9c5b4c11",
                (100, 100, 102),
                68,
            ),
        )
    }
)


def names() -> list[str]:
    """The benchmark scenes that `find` and `load` know, in the paper's order."""
    return list(BENCHMARKS)


def entry_of(name: str) -> Benchmark:
    entry = BENCHMARKS.get(name) if isinstance(name, str) else None
    if entry is None:
        raise InputError(
            f"no benchmark scene is called {name!r}; expected one of {', '.join(BENCHMARKS)}, "
            "or pass the path of a file to load_scene."
        )
    return entry
