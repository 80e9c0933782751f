"""The four benchmark scenes of the paper (found, verified, downloaded) and a simulated one.

Nothing here imports TensorFlow until a download is needed: finding, verifying and simulating
scenes has to stay quick.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import socket
import tempfile
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

import numpy as np

from lren_tf.data.scene import Scene
from lren_tf.errors import InputError
from lren_tf.io import load_map, load_scene
from lren_tf.runtime.files import ensure_writable_folder
from lren_tf.simulation import simulate

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

DATA_VARIABLE = "LREN_TF_DATA"

_BASE_URL = "https://github.com/xdjiangkai/LREN/raw/main/datasets/avirs/"
# Long enough for a slow network, short enough for someone who has none.
_CONNECT_SECONDS = 5.0
_SILENCE_SECONDS = 15.0


class DatasetUnavailable(InputError):
    """A benchmark scene is neither on this computer nor obtainable from where it is published.

    The message is one sentence that says where to put the file.
    """


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


def find(name: str) -> Path | None:
    """The verified file of a benchmark scene on this computer, or None.

    Looks in the folder named by the environment variable `LREN_TF_DATA`, then in
    `datasets/lren_tf` of the Keras cache (`$KERAS_HOME`, else `~/.keras`). A cached file
    with the wrong SHA-256 counts as absent, since a download replaces it.

    Raises:
        InputError: an unknown name; `LREN_TF_DATA` is not a folder, or its file does not
            have the expected SHA-256.
    """
    entry = _entry(name)
    folder = _data_folder()
    if folder is not None and (folder / entry.file).is_file():
        file = folder / entry.file
        received = _file_sha256(file)
        if received != entry.sha256:
            raise InputError(
                f"{file} has SHA-256 {received}; expected {entry.sha256}, replace it by the file "
                f"from {entry.url} or move it away."
            )
        return file
    cached = _cache_folder() / entry.file
    if cached.is_file() and _file_sha256(cached) == entry.sha256:
        return cached
    return None


def load(name: str, download: bool = True) -> Scene:
    """A benchmark scene with its truth, downloaded into the Keras cache when it is not found.

    Args:
        name: one of `names()`.
        download: whether a scene that `find` does not find may be downloaded. Progress is
            printed by Keras. Without a connection the refusal comes within seconds, and a
            download that fails leaves nothing behind.

    Returns:
        A `Scene` named by its title, cube [H, W, B] in the stored dtype, truth [H, W] bool.

    Raises:
        DatasetUnavailable: not found and not to be downloaded.
        InputError: as `find`.
    """
    entry = _entry(name)
    file = find(name)
    if file is None:
        if not download:
            raise _unavailable(entry, "was not found and may not be downloaded")
        file = _download(entry)
    scene = load_scene(file, key="data", truth_key="map")
    return dataclasses.replace(scene, name=entry.title)


def published_map(name: str) -> np.ndarray | None:
    """The detection map which the authors released for a benchmark scene.

    Read from `published_maps/` inside the folder named by `LREN_TF_DATA`, variable `array`.

    Returns:
        [H, W] float64 in [0, 1], higher means more anomalous; None when the file is not
        there, and for `coast`, where the release holds the map of Pavia by mistake.

    Raises:
        InputError: an unknown name, or a map that does not have the scene's rows × columns.
    """
    entry = _entry(name)
    folder = _data_folder()
    if folder is None or entry.map_file is None:
        return None
    file = folder / "published_maps" / entry.map_file
    if not file.is_file():
        return None
    values = load_map(file, key="array")
    if values.shape != entry.shape[:2]:
        raise InputError(
            f"{file} has shape {values.shape}; expected {entry.shape[:2]}, the rows × columns of "
            f"{entry.title}, replace it by the released map of that scene."
        )
    return values.astype(np.float64)


def _entry(name: str) -> Benchmark:
    entry = BENCHMARKS.get(name) if isinstance(name, str) else None
    if entry is None:
        raise InputError(
            f"no benchmark scene is called {name!r}; expected one of {', '.join(BENCHMARKS)}, "
            "or pass the path of a file to load_scene."
        )
    return entry


def _data_folder() -> Path | None:
    given = os.environ.get(DATA_VARIABLE)
    if not given:
        return None
    folder = Path(given).expanduser()
    if not folder.is_dir():
        raise InputError(
            f"{DATA_VARIABLE} is {given!r}, which is not a folder; expected the folder that holds "
            "the benchmark scenes, correct or unset it."
        )
    return folder


def _cache_folder() -> Path:
    home = os.environ.get("KERAS_HOME") or Path("~") / ".keras"
    return Path(home).expanduser() / "datasets" / "lren_tf"


def _file_sha256(file: Path) -> str:
    digest = hashlib.sha256()
    try:
        with file.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
    except OSError as error:
        raise InputError(
            f"{file} cannot be read ({error.strerror or error}); expected a readable file, check "
            "its permissions."
        ) from error
    return digest.hexdigest()


def _unavailable(entry: Benchmark, reason: str) -> DatasetUnavailable:
    return DatasetUnavailable(
        f"{entry.title} ({entry.file}) {reason}; expected it in the folder named by the "
        f"environment variable {DATA_VARIABLE} or in {_cache_folder()}, get it from {entry.url} "
        "and put it there."
    )


def _download(entry: Benchmark) -> Path:
    try:
        folder = ensure_writable_folder(_cache_folder())
    except InputError as error:
        raise _unavailable(
            entry, "was not found and cannot be downloaded, the cache is not writable"
        ) from error
    problem = _connection_problem(entry.url)
    if problem is not None:
        raise _unavailable(entry, f"was not found and cannot be downloaded ({problem})")

    import keras  # seconds of import, needed by nothing else in this module

    # get_file leaves a complete file with a wrong hash in place; a folder of our own, beside
    # the final place so that the move is atomic, goes away whatever happens.
    with tempfile.TemporaryDirectory(prefix=".download-", dir=folder) as scratch:
        try:
            with _socket_timeout(_SILENCE_SECONDS):
                received = keras.utils.get_file(
                    entry.file,
                    origin=entry.url,
                    file_hash=entry.sha256,
                    hash_algorithm="sha256",
                    cache_dir=scratch,
                    cache_subdir="",
                )
        except Exception as error:  # get_file raises bare Exception
            reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
            raise _unavailable(entry, f"could not be downloaded ({reason})") from error
        target = folder / entry.file
        os.replace(received, target)
    return target


def _connection_problem(url: str) -> str | None:
    """Why the host of `url` cannot be reached, or None; takes `_CONNECT_SECONDS` at most.

    Name resolution has no time-out of its own, hence the thread: it is left behind when
    it hangs.
    """
    parts = urllib.parse.urlsplit(url)
    if parts.hostname is None:  # a file: URL
        return None
    # Behind a proxy only the proxy need be reachable.
    proxy = urllib.request.getproxies().get(parts.scheme)
    if proxy and not urllib.request.proxy_bypass(parts.hostname):
        parts = urllib.parse.urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    host, port = parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)
    outcome: list[str | None] = []

    def probe() -> None:
        try:
            socket.create_connection((host, port), timeout=_CONNECT_SECONDS).close()
            outcome.append(None)
        except (OSError, UnicodeError) as error:
            outcome.append(f"no connection to {host}: {error}")

    thread = threading.Thread(target=probe, daemon=True)
    thread.start()
    thread.join(_CONNECT_SECONDS)
    return outcome[0] if outcome else f"no answer from {host} in {_CONNECT_SECONDS:g} s"


@contextmanager
def _socket_timeout(seconds: float) -> Iterator[None]:
    """Bound every silence of sockets made inside; urlretrieve has no parameter for it."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
