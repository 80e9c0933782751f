"""``--spectra`` and ``--library``: spectra of detections, and the nearest materials."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lren_tf.data.scene import Scene
from lren_tf.errors import InputError
from lren_tf.evaluation.detections import Detections
from lren_tf.explain.background import spectral_background
from lren_tf.explain.materials import Material, margin, nearest_materials
from lren_tf.explain.spectra import DetectionSpectra, detection_spectra
from lren_tf.io.base.optional import needs
from lren_tf.io.spectral_library import (
    SUFFIXES,
    SpectralLibrary,
    read_spectral_library,
    write_library_files,
)


def add_library_options(parser: argparse.ArgumentParser) -> None:
    """``--spectra`` and ``--library``."""
    parser.add_argument(
        "--spectra", action="store_const", const=True,
        help="with --false-alarm-rate: write the spectra of detections, their rings and the "
        "background as an ENVI spectral library (.sli and .hdr; extra 'geo')",
    )  # fmt: skip
    parser.add_argument(
        "--library", metavar="FILE.sli",
        help="with --false-alarm-rate: list the materials of this ENVI spectral library that are "
        "nearest to each detection, by spectral angle",
    )  # fmt: skip


def check_library_options(arguments: argparse.Namespace) -> None:
    """Refuse what can be refused without the scene.

    Raises:
        InputError: an option without a threshold, a package that is not installed, or a library
            that cannot be read.
    """
    for name in ("spectra", "library"):
        if getattr(arguments, name) is not None and arguments.false_alarm_rate is None:
            raise InputError(
                f"--{name} was given without --false-alarm-rate; expected both, since it is about "
                f"detections: add --false-alarm-rate or leave --{name} out."
            )
    if arguments.spectra:
        with needs("spectral", "writing a spectral library"):
            import spectral.io.envi  # noqa: F401
    if arguments.library is not None:
        read_spectral_library(arguments.library)


def check_library_fits(arguments: argparse.Namespace, scene: Scene) -> None:
    """Refuse a library whose bands cannot be brought together with those of the scene.

    Raises:
        InputError: they cannot.
    """
    if arguments.library is not None:
        good = np.ones(scene.bands, bool) if scene.good_bands is None else scene.good_bands
        _materials(arguments, scene, np.where(good, 1.0, np.nan)[None])


def _materials(
    arguments: argparse.Namespace, scene: Scene, spectra: np.ndarray
) -> list[list[Material]]:
    library: SpectralLibrary = read_spectral_library(arguments.library)
    return nearest_materials(
        spectra, library.spectra, library.names,
        wavelengths=scene.wavelengths, library_wavelengths=library.wavelengths,
    )  # fmt: skip


def library_endings(arguments: argparse.Namespace) -> dict[str, str]:
    """Files by kind, with the ends of their names."""
    endings: dict[str, str] = {}
    if arguments.spectra:
        endings |= {f"spectra_{suffix[1:]}": f"_spectra{suffix}" for suffix in SUFFIXES}
    if arguments.library is not None:
        endings["materials"] = "_materials.csv"
    return endings


class DetectedSpectra:
    """Spectra of the detections of a scene, and the materials that they may be.

    Args:
        arguments: of the command.
        scene: the scene.
        detections: of the scene.
        model: a fitted LREN whose components group the background, or None.

    Raises:
        InputError: the library does not fit the scene, or no pixel is background.
    """

    def __init__(
        self, arguments: argparse.Namespace, scene: Scene, detections: Detections, model: Any
    ) -> None:
        self._scene = scene
        self._background = spectral_background(scene, detections.mask == 1, model)
        self._spectra: list[DetectionSpectra] = detection_spectra(
            scene, detections, background=self._background
        )
        self._materials: list[list[Material]] = []
        if arguments.library is not None and self._spectra:
            means = np.stack([each.mean for each in self._spectra])
            self._materials = _materials(arguments, scene, means)

    def write(self, paths: Mapping[str, Path]) -> None:
        """Write the files of `library_endings` that are among the paths."""
        if "spectra_sli" in paths:
            self._write_library(paths["spectra_sli"], paths["spectra_hdr"])
        if "materials" in paths:
            self._write_materials(paths["materials"])

    def record(self) -> dict[str, Any]:
        """The part of a report: by label the nearest materials, and the margin to the next."""
        if not self._materials:
            return {}
        return {
            "materials": {
                str(each.label): {
                    "nearest": [{"name": name, "angle": angle} for name, angle in found],
                    "margin": margin(found),
                }
                for each, found in zip(self._spectra, self._materials, strict=True)
            }
        }

    def _write_library(self, library: Path, header: Path) -> None:
        spectra: dict[str, np.ndarray] = {}
        for each in self._spectra:
            spectra[f"detection {each.label} mean"] = each.mean
            if each.ring is not None:
                spectra[f"detection {each.label} ring"] = each.ring
        for number, mean in enumerate(self._background.means, 1):
            spectra[f"background {number} mean"] = mean
        good = np.isfinite(np.array(list(spectra.values()))).all(axis=0)
        wavelengths = self._scene.wavelengths
        write_library_files(
            library, header, list(spectra), np.array(list(spectra.values()))[:, good],
            None if wavelengths is None else wavelengths[good],
            f"detections of {self._scene.name}, means of their pixels and rings, and the groups "
            "of the background",
        )  # fmt: skip

    def _write_materials(self, path: Path) -> None:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["label", "rank", "material", "angle_degrees", "margin_degrees"])
            for each, found in zip(self._spectra, self._materials, strict=bool(self._materials)):
                for rank, (name, angle) in enumerate(found, 1):
                    after = margin(found[rank - 1 :])
                    writer.writerow([each.label, rank, name, angle, after])
