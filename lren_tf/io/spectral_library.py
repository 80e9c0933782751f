"""Spectral libraries as ENVI files (`.sli` and `.hdr`), through SPy."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lren_tf.errors import InputError
from lren_tf.io.base.metadata import in_nanometres
from lren_tf.io.base.optional import needs
from lren_tf.runtime.files import atomic_paths

SUFFIXES = (".sli", ".hdr")
_SAFE = str.maketrans(",{}", ";()")


class SpectralLibrary(NamedTuple):
    """Spectra with names."""

    names: list[str]
    spectra: np.ndarray
    """float64 ``[n, B]``."""
    wavelengths: np.ndarray | None
    """``[B]`` in nanometres, or None where nothing says them."""


def write_spectral_library(
    path: str | os.PathLike[str],
    spectra: Mapping[str, np.ndarray],
    wavelengths: np.ndarray | None = None,
    *,
    description: str = "",
) -> list[Path]:
    """Write spectra, float32, both files or none.

    Bands in which a spectrum is NaN are left out of all of them.

    Args:
        path: of the `.sli`; the header lies beside it.
        spectra: by name ``[B]``.
        wavelengths: ``[B]`` in nanometres, or None.
        description: text for the header.

    Returns:
        Both files.

    Raises:
        InputError: SPy is not installed, there is no spectrum or no common band, or the files
            cannot be written.
    """
    values = np.array(list(spectra.values()), np.float64)
    kept = np.isfinite(values).all(axis=0) if len(values) else np.zeros(0, bool)
    if not kept.any():
        raise InputError(
            f"{len(values)} spectra have no band with a value in each of them; expected at least "
            "one spectrum with one such band, leave incomplete spectra out."
        )
    targets = [Path(path), Path(path).with_suffix(".hdr")]
    with atomic_paths(*targets) as (library, header):
        write_library_files(library, header, list(spectra), values[:, kept],
                            None if wavelengths is None else wavelengths[kept], description)
    return targets


def write_library_files(
    library: Path,
    header: Path,
    names: list[str],
    spectra: np.ndarray,
    wavelengths: np.ndarray | None,
    description: str,
) -> None:
    """Write both files of a library; not atomic, so pass temporary paths.

    Args:
        library, header: the files.
        names, spectra, wavelengths: as in `SpectralLibrary`.
        description: text for the header.

    Raises:
        InputError: SPy is not installed.
    """
    with needs("spectral", "writing a spectral library"):
        from spectral.io import envi

    entries: dict[str, object] = {
        "file type": "ENVI Spectral Library",
        "samples": spectra.shape[1],
        "lines": spectra.shape[0],
        "bands": 1,
        "header offset": 0,
        "data type": 4,
        "interleave": "bsq",
        "byte order": 0,
        # Commas and braces end an entry.
        "spectra names": [name.translate(_SAFE) for name in names],
    }
    if wavelengths is not None:
        entries |= {"wavelength units": "Nanometers",
                    "wavelength": [f"{each:.6g}" for each in wavelengths]}  # fmt: skip
    if description:
        entries["description"] = description.translate(_SAFE)
    library.write_bytes(np.ascontiguousarray(spectra, "<f4").tobytes())
    envi.write_envi_header(str(header), entries, is_library=True)


def read_spectral_library(path: str | os.PathLike[str]) -> SpectralLibrary:
    """Read an ENVI spectral library.

    Args:
        path: the `.sli` or its header.

    Raises:
        InputError: the file or its header is missing, no spectral library, or damaged; SPy is
            not installed.
    """
    with needs("spectral", "reading a spectral library"):
        from spectral.io import envi

    file = Path(path)
    header, values = library_files(file)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            library = envi.open(str(header), str(values))
        if not isinstance(library, envi.SpectralLibrary):
            raise ValueError("it is an image")
        spectra = np.asarray(library.spectra, np.float64)
        centres, unit = library.bands.centers, str(library.bands.band_unit or "")
    except Exception as error:  # SPy's own errors, and whatever a broken file makes it raise
        reason = " ".join(str(error).split()).rstrip(".")[:160]
        raise InputError(
            f"{file} is no ENVI spectral library that can be read ({reason}); expected a .sli "
            "with its .hdr."
        ) from error
    if spectra.ndim != 2 or 0 in spectra.shape or not np.isfinite(spectra).all():
        raise InputError(
            f"{file} holds spectra {spectra.shape} with values that are missing or not finite; "
            "expected at least one complete spectrum."
        )
    names = [str(name) for name in library.names]
    names += [f"spectrum {number}" for number in range(len(names), len(spectra))]
    wavelengths = None
    if centres is not None and len(centres) == spectra.shape[1]:
        wavelengths = in_nanometres(list(centres), unit)
    return SpectralLibrary(names[: len(spectra)], spectra, wavelengths)


def library_files(file: Path) -> tuple[Path, Path]:
    """Return the header and the values of a library, of which one is named.

    Raises:
        InputError: one of them is missing.
    """
    if not file.is_file():
        raise InputError(
            f"{file} does not exist; expected an ENVI spectral library (.sli with its .hdr), "
            "check the path."
        )
    header: Path | None = file
    values: Path | None = file
    if file.suffix.lower() == ".hdr":
        choices = [file.with_suffix(".sli"), file.with_suffix("")]
        values = next((each for each in choices if each.is_file()), None)
    else:
        choices = [file.with_suffix(".hdr"), file.with_name(file.name + ".hdr")]
        header = next((each for each in choices if each.is_file()), None)
    if header is None or values is None:
        missing = "values" if values is None else "header"
        raise InputError(
            f"{file} has no {missing} beside it; expected both files of an ENVI spectral library, "
            f"{' or '.join(str(each.name) for each in choices)}."
        )
    return header, values
