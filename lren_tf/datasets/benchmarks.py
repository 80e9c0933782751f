"""Scenes with truth: the four of the paper and seven further ones; file, hash, shape, address."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType

from lren_tf.errors import InputError

_BASE_URL = "https://github.com/xdjiangkai/LREN/raw/main/datasets/avirs/"


_TRUTHS: Mapping[str, str] = MappingProxyType(
    {
        "sandiego": "6619d7e01ae6854fcdd4b03fc2e920fdbc9944dcca189ec39cae74fbfd81c23a",
        "hydice": "3afc0a73b84c11e0b518ca49b2c0d05d2ba13d56e4565010ef6380012a8b1676",
        "coast": "fe45988c6de8961b2b7ddb039cc57e5b38715bce3cd5d9d5c0fe93bf3d51b53b",
        "pavia": "d1e5749e8a7b0783ffb13b31a29815037aeda67184cc793d9614d4c7d4a53636",
        "airport-1": "3fd431dd7b2e95e5cc051725c1a6a1057d71cb6d1af0b132bb093a2da3c65c4c",
        "airport-3": "7e10d0280ec2eef5c2431faa531bc9e7b961bd3a6e5c3fac4cdc02a1ffa41167",
        "beach-2": "7e608de0c4c3fb46bca732e8562d7f54800fb881e5ea3467d76a102f6bcaf492",
        "urban-3": "5514e914637c539853083b2ef2f35e1ca161e6cad551098f5e35a09e648f3b85",
        "urban-4": "eafe83afff8760ce899d5d81678da5879f7a700a1434c9ff49788d40ca60c15f",
        "muufl": "c1a68fe359181d765b4c15cfb1d8de363c51991d3c49bacae9432af6b77b2990",
        "sandiego-58": "4a8f249df001086fc6028f0b07ab2152f5f555849683b81ed10dc74b41c69cff",
    }
)
STUDIED = (
    "sandiego", "hydice", "coast", "pavia", "airport-1", "airport-3", "beach-2", "urban-3",
    "urban-4", "muufl", "sandiego-58",
)  # fmt: skip
"""Scenes with whose truth this project has chosen settings."""


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """One published scene.

    Attributes:
        name: the name to pass to `find` and `load`.
        title: the scene's name in tables and figures.
        file: file name in the authors' release; of a further scene, its path in the folder of
            scenes, ``scenes/NAME.mat``.
        sha256: of that file.
        shape: (H, W, B).
        anomalous: number of anomalous pixels in the truth.
        map_file: file name of the authors' released detection map, or None.
        url: where the file is published; None if no address is known, so it cannot be downloaded.
        source: sensor, place and collection of a scene without an address; "" of the others.
        truth_key: variable of the truth in the file; that of the cube is ``data``.
        truth_sha256: of the truth as it is loaded, :func:`lren_tf.data.scene.data_sha256`.
    """

    name: str
    title: str
    file: str
    sha256: str
    shape: tuple[int, int, int]
    anomalous: int
    map_file: str | None
    url: str | None
    source: str = ""
    truth_key: str = "map"
    truth_sha256: str = ""


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
    return Benchmark(
        name, title, file, sha256, shape, anomalous, map_file, _BASE_URL + file,
        truth_sha256=_TRUTHS[name],
    )  # fmt: skip


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
"""The scenes of the paper, by name and in its order."""


def _further(
    name: str, sha256: str, bands: int, anomalous: int, source: str, truth_key: str = "map"
) -> Benchmark:
    file = f"scenes/{name}.mat"
    shape = (100, 100, bands)
    return Benchmark(
        name, name, file, sha256, shape, anomalous, None, None, source, truth_key, _TRUTHS[name]
    )


_ABU = (
    "ABU collection (X. Kang et al., IEEE TGRS 55(10), 2017; "
    "http://xudongkang.weebly.com/data-sets.html)"
)

FURTHER: Mapping[str, Benchmark] = MappingProxyType(
    {
        entry.name: entry
        for entry in (
            _further(
                "airport-1",
                "5de3c0b74593552e21e88ee280d02c4acae60bd48a013d72bd28ef63815485f5",
                205,
                144,
                f"AVIRIS, Los Angeles: {_ABU}",
            ),
            _further(
                "airport-3",
                "97b574be2de8c1ae3158b60b4aa34676c59a218398fc096c0dcdf125a6c74495",
                205,
                170,
                f"AVIRIS, Los Angeles: {_ABU}",
            ),
            _further(
                "beach-2",
                "3ec5f0c5c36b2f98a41f9d9e69946e9f3e6fdbeee0f42b3e402485a4efd9bb80",
                193,
                202,
                f"AVIRIS, San Diego: {_ABU}",
            ),
            _further(
                "urban-3",
                "a4e4ef3c512b72510f5852300a5050e9e544f80abb021d79ee04921c2070598b",
                191,
                52,
                f"AVIRIS, Gainesville: {_ABU}",
            ),
            _further(
                "urban-4",
                "6d6b81c9688f883a9ca59ff99ebc8053c5be1a14099960c460ba420d8507e676",
                205,
                272,
                f"AVIRIS, Los Angeles: {_ABU}",
            ),
            _further(
                "muufl",
                "daa71852a18b409393961bea5d696a2ee0a74ff44d2b76dbbd32a1c2363c8d4b",
                64,
                269,
                "CASI, Gulfport: a crop of MUUFL Gulfport (https://github.com/GatorSense/MUUFLGulfport)",
                "groundtruth",
            ),
            _further(
                "sandiego-58",
                "6830b031438366acbcf3d20f35a5589f969783471a6fd987b792954c51283b01",
                189,
                58,
                "AVIRIS, San Diego: a crop with three aircraft, of which no address is known",
            ),
        )
    }
)
"""Scenes that the paper does not have, by name. They are obtained by hand."""


def names() -> list[str]:
    """The benchmark scenes of the paper, in its order."""
    return list(BENCHMARKS)


def further_names() -> list[str]:
    """The further scenes, which the paper does not have; `find` and `load` know them too."""
    return list(FURTHER)


def entry_of(name: str) -> Benchmark:
    entry = None
    if isinstance(name, str):
        entry = BENCHMARKS.get(name) or FURTHER.get(name)
    if entry is None:
        raise InputError(
            f"no benchmark scene is called {name!r}; expected one of "
            f"{', '.join((*BENCHMARKS, *FURTHER))}, or pass the path of a file to load_scene."
        )
    return entry
