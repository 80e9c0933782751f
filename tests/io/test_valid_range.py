"""Valid ranges of netCDF and xarray: one rule, whichever way a file is opened."""

from __future__ import annotations

from pathlib import Path

import dask.array
import netCDF4
import numpy as np
import pytest
import xarray as xr

from lren_tf.io import load_scene

DIMENSIONS = ("y", "x", "band")
VALUES = np.random.default_rng(3).integers(100, 9_000, (7, 5, 6)).astype("i2")
ODD = VALUES.copy()
ODD[0, 0, 0], ODD[6, 4, 5], ODD[3, 3, 2] = -500, 20_000, -9999
LEFT_OUT = [[0, 0], [3, 3], [6, 4]]
RANGES = [
    {"valid_range": np.array([0, 10_000], "i2")},
    {"valid_min": np.int16(0), "valid_max": np.int16(10_000)},
]
pytestmark = pytest.mark.filterwarnings("ignore:.*left out")


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def written(values: np.ndarray, fill: int | None = -9999, **said: object) -> str:
    with netCDF4.Dataset("a.nc", "w") as file:
        for name, length in zip(DIMENSIONS, values.shape, strict=True):
            file.createDimension(name, length)
        variable = file.createVariable("cube", values.dtype, DIMENSIONS, fill_value=fill)
        variable.set_auto_maskandscale(False)
        variable.setncatts(said)
        variable[:] = values
    return "a.nc"


@pytest.mark.parametrize("said", RANGES)
@pytest.mark.parametrize("scaled", [{}, {"scale_factor": 1e-4}, {"scale_factor": -2.0}])
@pytest.mark.parametrize("decoded", [True, False])
@pytest.mark.parametrize("chunks", [None, {"y": 3, "band": 4}])
def test_as_the_file(said, scaled, decoded, chunks):
    path = written(ODD, **said, **scaled)
    of_file = load_scene(path)
    with xr.open_dataset(path, mask_and_scale=decoded, chunks=chunks) as opened:
        scene = load_scene(opened["cube"])
        raw = load_scene(opened["cube"], no_data=np.nan)
    assert np.argwhere(~of_file.valid).tolist() == LEFT_OUT
    np.testing.assert_array_equal(scene.valid, of_file.valid)
    expected = of_file.cube[of_file.valid]
    np.testing.assert_allclose(scene.cube[of_file.valid], expected, rtol=1e-6)
    text = "by the file, stored values outside of 0 to 10000 are no data"
    assert text in scene.reading and text in of_file.reading
    assert raw.valid is None or np.argwhere(~raw.valid).tolist() == [[3, 3]]
    assert text not in raw.reading


@pytest.mark.parametrize("decoded", [True, False])
def test_at_its_ends(decoded):
    """Limits are measurements, also where scaling has rounded them."""
    values = VALUES.copy()
    values[1, 1, 1], values[2, 2, 2], values[4, 4, 4], values[5, 0, 0] = 0, 10_000, -1, 10_001
    path = written(values, **RANGES[0], scale_factor=1e-4, add_offset=0.1)
    with xr.open_dataset(path, mask_and_scale=decoded) as opened:
        scene = load_scene(opened["cube"])
    assert np.argwhere(~scene.valid).tolist() == [[4, 4], [5, 0]]


@pytest.mark.parametrize("decoded", [True, False])
def test_of_other_values(decoded):
    path = written(ODD, valid_range=np.array([0, 1], "i2"), scale_factor=1e-4)
    told = r"lie outside of the valid range 0 to 1 .* not used"
    with xr.open_dataset(path, mask_and_scale=decoded) as opened, pytest.warns(match=told):
        scene = load_scene(opened["cube"])
    assert np.argwhere(~scene.valid).tolist() == [[3, 3]]


@pytest.mark.parametrize("decoded", [True, False])
def test_of_scaled_values(decoded):
    """Limits of another kind of number are none of the stored values."""
    path = written(ODD, valid_range=np.array([0.0, 0.5]), scale_factor=1e-4)
    with xr.open_dataset(path, mask_and_scale=decoded) as opened:
        scene = load_scene(opened["cube"])
    assert np.argwhere(~scene.valid).tolist() == [[3, 3]]


def test_nothing_outside():
    scene = load_scene(xr.DataArray(VALUES, dims=DIMENSIONS, attrs={"valid_min": np.int16(0)}))
    assert (scene.valid, scene.cube.dtype) == (None, np.int16)


@pytest.mark.parametrize("order", [("band", "y", "x"), ("x", "band", "y")])
def test_turned_floats_of_dask(order):
    values = ODD.astype("f4")
    values[5, 1, 1] = np.nan
    cube = xr.DataArray(
        dask.array.from_array(values, (2, 5, 3)), dims=DIMENSIONS,
        attrs={"valid_range": np.array([0, 1e4], "f4")},
    ).transpose(*order)  # fmt: skip
    scene = load_scene(cube)
    assert np.argwhere(~scene.valid).tolist() == [[0, 0], [3, 3], [5, 1], [6, 4]]


@pytest.mark.parametrize("decoded", [True, False, None])
def test_unsigned(decoded):
    """netCDF stores unsigned numbers as signed ones, limits and fill values too."""
    values = VALUES.astype("u2") + np.uint16(40_000)
    values[0, 0, 0], values[3, 3, 2], values[6, 4, 5] = 7, 65_535, 60_000
    limits = np.array([40_000, 50_000], "u2").view("i2")
    path = written(values.view("i2"), fill=-1, valid_range=limits, _Unsigned="true")
    if decoded is None:
        scene = load_scene(path)
    else:
        with xr.open_dataset(path, mask_and_scale=decoded) as opened:
            scene = load_scene(opened["cube"])
    assert np.argwhere(~scene.valid).tolist() == LEFT_OUT
    np.testing.assert_array_equal(scene.cube[scene.valid], values[scene.valid])


def test_a_mask_has_no_range():
    """Ranges of layers mean other things: only those of cubes count."""
    mask = xr.DataArray(np.arange(35).reshape(7, 5) % 7 > 0, dims=DIMENSIONS[:2])
    mask = mask.astype("i1").assign_attrs(valid_range=np.array([1, 9], "i1"))
    scene = load_scene(xr.DataArray(VALUES, dims=DIMENSIONS), mask=mask)
    assert np.count_nonzero(~scene.valid) == 5
