"""Simulated scenes of varied structure, to choose settings on: no truth of a real scene needed.

Each is :func:`lren_tf.datasets.simulate` with other materials, noise and targets; two have what
it does not make: a rare material that is no target, and targets so large that they weigh on
the statistics of the scene.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from scipy import ndimage

from lren_tf import Scene, datasets

_AIRCRAFT = ("..#..", "..#..", "#####", "..#..", "..#..", ".###.")


def noisy() -> Scene:
    """Five materials, noise of 25 dB, faint sub-pixel targets."""
    return datasets.simulate(100, 100, 100, seed=1, fill=(0.05, 0.3), noise_snr_db=25.0)


def many_materials() -> Scene:
    """Ten materials in small regions, noise of 20 dB."""
    return datasets.simulate(
        90, 110, 150, seed=2, endmembers=10, smoothness=2.0, fill=(0.1, 0.4), noise_snr_db=20.0
    )


def few_materials() -> Scene:
    """Three materials in large regions, many targets."""
    return datasets.simulate(
        100, 100, 60, seed=3, endmembers=3, smoothness=8.0, anomalies=40, fill=(0.05, 0.2)
    )


def rare_material() -> Scene:
    """Patches of a material of its own, 6 % of the pixels, which are no targets."""
    scene = datasets.simulate(
        100, 100, 100, seed=7, endmembers=6, smoothness=5.0, fill=(0.1, 0.4), noise_snr_db=25.0
    )
    cube, rng = scene.cube.astype(np.float64), np.random.default_rng(8)
    field = ndimage.gaussian_filter(rng.normal(size=(100, 100)), 5.0)
    patch = (field > np.quantile(field, 0.94)) & ~scene.truth
    spectrum = scene.pixels[rng.integers(0, 10_000, 3)].mean(axis=0)
    spectrum = spectrum * (1.0 + 0.5 * np.sin(np.linspace(0.0, 5.0, 100)))
    brightness = rng.uniform(0.8, 1.2, size=(patch.sum(), 1))
    cube[patch] = 0.7 * brightness * spectrum + 0.3 * cube[patch]
    return Scene(cube.astype(np.float32), scene.truth, name="rare material", simulated=True)


def large_targets() -> Scene:
    """Seven aircraft of one paint, 2 to 3 % of the pixels, soft at their edges."""
    scene = datasets.simulate(100, 100, 100, seed=11, anomalies=0, noise_snr_db=30.0)
    cube, rng = scene.cube.astype(np.float64), np.random.default_rng(6)
    truth = np.zeros((100, 100), bool)
    paint = scene.pixels.mean(axis=0) * (1.0 + 0.3 * np.sin(np.linspace(0.0, 12.0, 100)))
    shape = np.array([[mark == "#" for mark in row] for row in _AIRCRAFT], float)
    cover = np.clip(ndimage.zoom(shape, 1.6, order=1), 0.0, 1.0)
    height, width = cover.shape
    for place in range(7):
        row, column = 4 + 13 * place, int(rng.integers(2, 98 - width))
        part = np.s_[row : row + height, column : column + width]
        painted = paint * rng.uniform(0.8, 1.2)
        cube[part] = (1.0 - cover[..., None]) * cube[part] + cover[..., None] * painted
        truth[part] |= cover > 0.25
    return Scene(cube.astype(np.float32), truth, name="large targets", simulated=True)


def small_scene() -> Scene:
    """40 × 40 pixels: few batches, few pixels a component."""
    return datasets.simulate(40, 40, 60, seed=5, noise_snr_db=25.0)


SCENES: Mapping[str, Callable[[], Scene]] = {
    make.__name__: make
    for make in (noisy, many_materials, few_materials, rare_material, large_targets, small_scene)
}
"""How to make each scene, by name."""
