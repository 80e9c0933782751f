"""Verified downloads of benchmark scenes by pooch, into the folder of the Keras cache."""

from __future__ import annotations

import os
import socket
import tempfile
import threading
import urllib.parse
import urllib.request
from pathlib import Path

from lren_tf.datasets.benchmarks import Benchmark
from lren_tf.errors import InputError
from lren_tf.runtime.files import ensure_writable_folder

DATA_VARIABLE = "LREN_TF_DATA"
"""Environment variable that names the folder with the scenes."""
# Long enough for a slow network, short enough for someone who has none.
_CONNECT_SECONDS = 5.0
_SILENCE_SECONDS = 15.0


class DatasetUnavailable(InputError):
    """A benchmark scene is neither on this computer nor obtainable from where it is published.

    The message is one sentence that says where to put the file.
    """


def cache_folder() -> Path:
    """Folder of the Keras cache that downloads go to."""
    home = os.environ.get("KERAS_HOME") or Path("~") / ".keras"
    return Path(home).expanduser() / "datasets" / "lren_tf"


def unavailable(entry: Benchmark, reason: str) -> DatasetUnavailable:
    """The refusal that says where the file has to be put."""
    if entry.url is None:
        return DatasetUnavailable(
            f"{entry.title} {reason}; expected {entry.file} in the folder named by the "
            f"environment variable {DATA_VARIABLE}, get the scene by hand ({entry.source}) and "
            f"put it there under that name, with variables 'data' and {entry.truth_key!r} and "
            f"SHA-256 {entry.sha256}."
        )
    return DatasetUnavailable(
        f"{entry.title} ({entry.file}) {reason}; expected it in the folder named by the "
        f"environment variable {DATA_VARIABLE} or in {cache_folder()}, get it from {entry.url} "
        "and put it there."
    )


def download(entry: Benchmark) -> Path:
    """Download the file of a benchmark scene into the cache and verify it.

    Raises:
        DatasetUnavailable: the scene has no address, the cache cannot be written, there is no
            connection, or the file has another hash.
    """
    if entry.url is None:
        raise unavailable(entry, "was not found and cannot be downloaded")
    try:
        folder = ensure_writable_folder(cache_folder())
    except InputError as error:
        raise unavailable(
            entry, "was not found and cannot be downloaded, the cache is not writable"
        ) from error
    problem = _connection_problem(entry.url)
    if problem is not None:
        raise unavailable(entry, f"was not found and cannot be downloaded ({problem})")

    import pooch  # a tenth of a second, which finding a scene does not need

    # A folder of our own, beside the final place so that the move is atomic, goes away whatever
    # happens.
    with tempfile.TemporaryDirectory(prefix=".download-", dir=folder) as scratch:
        try:
            received = pooch.retrieve(
                entry.url,
                known_hash=f"sha256:{entry.sha256}",
                fname=Path(entry.file).name,
                path=scratch,
                downloader=pooch.HTTPDownloader(timeout=_SILENCE_SECONDS),
            )
        except Exception as error:  # of requests, of the operating system, or of the hash
            reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
            raise unavailable(entry, f"could not be downloaded ({reason})") from error
        target = folder / entry.file
        os.replace(received, target)
    return target


def _connection_problem(url: str) -> str | None:
    """Reason why the host of `url` cannot be reached, or None; within `_CONNECT_SECONDS`.

    Name resolution cannot time out, hence the thread: it is left behind when
    it hangs.
    """
    parts = urllib.parse.urlsplit(url)
    if parts.hostname is None:
        return f"{url} names no host"
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
