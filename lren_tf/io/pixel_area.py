"""Area that a pixel covers on the ground."""

from __future__ import annotations

from lren_tf.data.georeference import Georeference
from lren_tf.io.base.crs import METRES_OF_A_DEGREE, is_geographic, metres_of_a_unit


def pixel_area(georeference: Georeference | None, shape: tuple[int, ...]) -> float | None:
    """Square metres of a pixel in the middle of a scene.

    Args:
        georeference: of the scene, or None.
        shape: (H, W, …) of the scene.

    Returns:
        None where nothing says it: no georeference, pixels that form no grid on the map, a
        coordinate system that is missing or not understood, or rasterio is not installed.
    """
    if georeference is None or georeference.transform is None:
        return None
    a, b, _, d, e, _ = georeference.transform
    _, latitude = georeference.coordinates(shape[0] / 2, shape[1] / 2) or (0.0, 0.0)
    metres = metres_of_a_unit(georeference.crs, latitude)
    if metres is None or a * e == b * d:
        return None
    up = METRES_OF_A_DEGREE if is_geographic(georeference.crs) else metres
    return abs(a * e - b * d) * metres * up
