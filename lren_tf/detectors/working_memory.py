"""Memory that a detector needs for a scene, and the refusal of one that needs too much.

Estimates count the arrays of pixels that a detector holds at once, in addition to the scene itself;
they are meant to be right within a factor of two. :func:`refuse_too_large` checks before a detector
begins, since a process that the system kills for its memory leaves no message.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from lren_tf.errors import InputError
from lren_tf.runtime.memory import free_memory

_MIB = 1 << 20
_PASSES = 64 * _MIB
"""Chunks, strips of results and maps of a detector that reads its pixels piece by piece."""
_STRIP = 128 * _MIB
"""Rows that local detectors hold at a time, see `parts.dual_window`."""
_TRAINING = 1 << 18
"""Most pixels that are held for a training, see `parts.adversarial`."""
_APPLIED = 65536
"""Pixels passed through a network at a time, see `parts.adversarial`."""


class Size(NamedTuple):
    """Size of a scene, as a detector sees it."""

    height: int
    width: int
    bands: int

    @property
    def pixels(self) -> int:
        """Number of them."""
        return self.height * self.width


def _rx(size: Size, settings: Mapping[str, Any]) -> float:
    return _PASSES + 24 * size.pixels


def _local(size: Size, settings: Mapping[str, Any]) -> float:
    row = 8 * size.width * size.bands
    strip = min(max(_STRIP, row), row * size.height)
    return _PASSES + strip + settings["outer"] * row + 40 * size.pixels


def _aed(size: Size, settings: Mapping[str, Any]) -> float:
    return _PASSES + 8 * size.pixels * (2 * settings["components"] + 8)


def _network(size: Size, settings: Mapping[str, Any]) -> float:
    """Bytes of a training, and of passing the pixels through a network."""
    held = 8 * size.bands * min(size.pixels, _TRAINING)
    applied = 12 * settings["hidden_units"] * min(size.pixels, _APPLIED)
    return _PASSES + 300 * _MIB + max(held, applied)


def _aae_rx(size: Size, settings: Mapping[str, Any]) -> float:
    return _network(size, settings) + size.pixels * (12 * settings["latent_units"] + 24)


def _aae(size: Size, settings: Mapping[str, Any]) -> float:
    return _network(size, settings) + size.pixels * (28 * settings["latent_units"] + 80)


def _hadgan(size: Size, settings: Mapping[str, Any]) -> float:
    return _network(size, settings) + size.pixels * (4 * size.bands + 100)


def _lsdm_mog(size: Size, settings: Mapping[str, Any]) -> float:
    # Seven arrays of the scene's size, one for every component, and two covariances of the
    # coefficients of every pixel.
    k, rank = settings["components"], settings["rank"]
    return 8 * size.pixels * ((7 + k) * size.bands + 2.5 * rank**2)


def _adlr(size: Size, settings: Mapping[str, Any]) -> float:
    # Three arrays of the scene's size, and abundances with their temporaries.
    return 8 * size.pixels * (3 * size.bands + 25 * settings["endmembers"])


def _pab_dc(size: Size, settings: Mapping[str, Any]) -> float:
    # Windows coded by pursuit: as many coefficients, residuals and atoms as they have pixels.
    # Then the decomposition: coefficients of the potential anomalies with their multipliers.
    window, atoms = settings["window"] ** 2, settings["anomaly_atoms"]
    coded = 11 * size.bands + 12 * window * settings["sparsity"]
    split = 10 * size.bands + 2.5 * atoms
    return 8 * size.pixels * max(coded, split)


def _kifd(size: Size, settings: Mapping[str, Any]) -> float:
    # Components, those of the pixels of one forest again, a kernel matrix with its eigenvectors,
    # and the nodes of the trees: two for each pixel that a tree sees.
    kernel = 32 * min(size.pixels, settings["samples"]) ** 2
    trees = 240 * settings["trees"] * settings["share"] * size.pixels
    return _PASSES + kernel + trees + 8 * settings["components"] * size.pixels


def _auto_ad(size: Size, settings: Mapping[str, Any]) -> float:
    # The whole image at once, with what its gradients need of the largest scale.
    return 300 * _MIB + 4 * size.pixels * (12 * size.bands + 30 * settings["channels"])


def _pca_tlrsr(size: Size, settings: Mapping[str, Any]) -> float:
    # About fifteen tensors of the image, and twelve of coefficients: a column for each column.
    depth = min(settings["components"], size.bands) + 2
    return 8 * depth * (15 * size.pixels + 12 * size.width**2)


_NEEDED: dict[str, Callable[[Size, Mapping[str, Any]], float]] = {
    "rx": _rx,
    "lrx": _local,
    "crd": _local,
    "aed": _aed,
    "aae_rx": _aae_rx,
    "aae": _aae,
    "hadgan": _hadgan,
    "lsdm_mog": _lsdm_mog,
    "adlr": _adlr,
    "pab_dc": _pab_dc,
    "kifd": _kifd,
    "auto_ad": _auto_ad,
    "pca_tlrsr": _pca_tlrsr,
}
"""Estimates by the name of a detector; LREN has a memory limit of its own."""


def needed_bytes(detector: str, size: Size, settings: Mapping[str, Any]) -> int | None:
    """Return the bytes that a detector needs beside the scene; None if that is not known.

    Args:
        detector: its name in the registry.
        size: of the scene.
        settings: all of them, by name.
    """
    needed = _NEEDED.get(detector)
    return None if needed is None else int(needed(size, settings))


def refuse_too_large(
    detector: str, title: str, size: Size, settings: Mapping[str, Any]
) -> None:
    """Refuse a scene for which a detector needs more memory than is free.

    Args:
        detector: its name in the registry.
        title: how messages call it.
        size: of the scene.
        settings: all of them, by name.

    Raises:
        InputError: with the memory that it needs and that there is.
    """
    needed, free = needed_bytes(detector, size, settings), free_memory()
    if needed is None or free is None or needed <= free:
        return
    raise InputError(
        f"{title} needs about {needed / 2**30:.1f} GiB of memory for {size.pixels:,} pixels × "
        f"{size.bands} bands, of which {free / 2**30:.1f} GiB are free; expected a smaller scene "
        "or more memory, crop the scene or take a detector that reads it piece by piece, such as "
        "rx."
    )
