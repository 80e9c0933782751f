"""``lren-tf info``: the properties of a scene as they were read, before any computation."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from lren_tf.cli.console import collected_notices, result, say
from lren_tf.cli.options.dry_run import tell_plan
from lren_tf.cli.options.scene import check_scene, read_scene
from lren_tf.data.band_quality import band_quality
from lren_tf.data.band_selection import ranges_text, unused_bands, water_bands
from lren_tf.data.georeference import Georeference
from lren_tf.data.pseudo_colour import picture_bands, pseudo_colour
from lren_tf.data.scene import Scene
from lren_tf.data.standardisation import extremes
from lren_tf.errors import InputError
from lren_tf.runtime.files import atomic_path, ensure_writable_target

_REASONS = {
    "bad": "listed as bad, without data, or not selected",
    "water": "absorbed by water vapour",
    "constant": "constant",
}


def info(arguments: argparse.Namespace) -> None:
    """Print the properties of a scene as they were read; write its picture on request."""
    target = _target(arguments.picture)
    check_scene(arguments)
    with collected_notices():
        scene = read_scene(arguments)
        lines = list(_described(scene, drop_water=arguments.drop_water_bands))
        if arguments.dry_run:
            tell_plan(arguments, {} if target is None else {"picture": target})
            return
        if target is not None:
            _write_picture(scene, target)
            lines.append(("picture", f"{target}, {_picture_text(scene)}"))
    result(
        properties=[{"name": what, "text": text} for what, text in lines],
        files={} if target is None else {"picture": str(target)},
    )
    width = max(len(what) for what, _ in lines) + 2
    for what, text in lines:
        say(f"{what + ':':<{width}}{text}")


def _target(picture: str | None) -> Path | None:
    if picture is None:
        return None
    if not picture.lower().endswith(".png"):
        raise InputError(f"--picture is {picture!r}; expected a name that ends in .png, add it.")
    return ensure_writable_target(picture)


def _described(scene: Scene, *, drop_water: bool) -> Iterator[tuple[str, str]]:
    yield "scene", scene.name
    yield "format", scene.source_format or ("simulated" if scene.simulated else "unknown")
    yield "size", f"{scene.height} rows × {scene.width} columns × {scene.bands} bands"
    for text in scene.reading:
        yield "read as", text
    yield "values", f"{scene.rows.dtype}, {_range_text(scene)}"
    count = scene.height * scene.width
    yield "valid pixels", f"{scene.valid_count} of {count} ({scene.valid_count / count:.1%})"
    unused = unused_bands(scene)
    if drop_water and scene.wavelengths is not None:
        # They left the good bands when the file was read.
        unused["water"] = unused["bad"] & water_bands(scene.wavelengths)
        unused["bad"] = unused["bad"] & ~unused["water"]
    used = ~np.any(list(unused.values()), axis=0)
    yield "used bands", f"{np.count_nonzero(used)} of {scene.bands}: {ranges_text(used) or 'none'}"
    for reason, text in _REASONS.items():
        if unused[reason].any():
            yield (
                "unused bands",
                f"{np.count_nonzero(unused[reason])} {text}: {ranges_text(unused[reason])}",
            )
    yield from _quality_lines(scene, used)
    yield "wavelengths", _wavelengths_text(scene)
    if scene.acquired is not None:
        yield "acquired", scene.acquired
    yield from _georeference_lines(scene.georeference)
    yield "truth", _truth_text(scene)


def _quality_lines(scene: Scene, used: np.ndarray) -> Iterator[tuple[str, str]]:
    """Yield lines on faulty bands, columns and rows in use, and on the bands that are left."""
    if not used.any() or scene.valid_count == 0:
        return
    quality = band_quality(scene)
    flagged = {
        "dead bands": (quality.dead, "one value nearly everywhere"),
        "noisy bands": (quality.noisy, "unlike the bands next to them"),
        "striped bands": (quality.striped, "many columns or rows stand out"),
    }
    for what, (found, why) in flagged.items():
        if (found & used).any():
            count = np.count_nonzero(found & used)
            yield what, f"{count}, {why}: {ranges_text(found & used)}"
    rest = used & ~quality.bad
    if (quality.bad & used).any() and rest.any():
        yield "without them", f"--bands {ranges_text(rest)}"
    for what, found in (("striped columns", quality.columns), ("striped rows", quality.rows)):
        if found.any():
            text = f"{np.count_nonzero(found)}, off or dead in many bands: {ranges_text(found)}"
            yield what, f"{text} (leave them out with --mask)"


def _range_text(scene: Scene) -> str:
    rows = scene.rows if scene.good_bands is None else scene.rows.of_bands(scene.good_bands)
    low, high = extremes(rows)
    return f"{low:.6g} to {high:.6g}"


def _wavelengths_text(scene: Scene) -> str:
    if scene.wavelengths is None:
        return "none"
    low, high = scene.wavelengths.min(), scene.wavelengths.max()
    return f"{low:.1f} to {high:.1f} nm"


def _georeference_lines(georeference: Georeference | None) -> Iterator[tuple[str, str]]:
    if georeference is None:
        yield "georeference", "none"
        return
    crs = " ".join((georeference.crs or "unknown system").split())
    # The name is the first text in quotes: PROJCS["WGS 84 / UTM zone 33N", ...
    name = crs.split('"')[1] if crs.count('"') > 1 else crs[:60]
    if georeference.transform is not None:
        a, b, c, d, e, f = georeference.transform
        wide, high = np.hypot(a, d), np.hypot(b, e)
        yield "georeference", f"{name}; corner {c:.10g}, {f:.10g}; pixel {wide:.6g} × {high:.6g}"
    elif georeference.positions is not None:
        low, high = georeference.positions.min(axis=(0, 1)), georeference.positions.max(axis=(0, 1))
        yield (
            "georeference",
            f"{name}; a position for each pixel, {low[0]:.6g} to {high[0]:.6g}, "
            f"{low[1]:.6g} to {high[1]:.6g} (sensor geometry)",
        )
    else:
        yield "georeference", f"{name}; no coordinates of pixels"


def _truth_text(scene: Scene) -> str:
    if scene.truth is None:
        return "none"
    anomalous = np.count_nonzero(scene.truth)
    if scene.valid is None:
        return f"{anomalous} anomalous pixels"
    return f"{anomalous} anomalous pixels, {np.count_nonzero(scene.truth & scene.valid)} valid"


def _picture_text(scene: Scene) -> str:
    bands = picture_bands(scene)
    if scene.wavelengths is None:
        return "bands " + ", ".join(map(str, bands))
    return "bands " + ", ".join(f"{band} ({scene.wavelengths[band]:.0f} nm)" for band in bands)


def _write_picture(scene: Scene, target: Path) -> None:
    from lren_tf import plots

    with atomic_path(target) as temporary:
        plots.save_pixels(pseudo_colour(scene), temporary)
