"""EnMAP and DESIS: a GeoTIFF with wavelengths, scale and quality layers beside it."""

import numpy as np
import pytest

from lren_tf.cli import main
from lren_tf.errors import InputError
from lren_tf.io import load_scene
from lren_tf.io.scene_files import files_of
from tests.io.products import cube, write_dlr

VALUES = cube(5, 4, 6, "int16")
VALUES[4, 3] = -32768
GAINS = 1e-4 * np.arange(1, 7)


def layer(*pixels, value=1):
    values = np.zeros((5, 4), np.uint8)
    for pixel in pixels:
        values[pixel] = value
    return values


ENMAP = {
    "QL_QUALITY_CLOUD": layer((0, 0)), "QL_QUALITY_CIRRUS": layer((1, 1), value=2),
    "QL_QUALITY_SNOW": layer((2, 2)), "QL_QUALITY_CLASSES": layer((3, 0), value=3) + layer((0, 3)),
}  # fmt: skip
DESIS = {
    "QL_QUALITY-2": np.stack([
        layer((0, 1)), layer((0, 2)), layer((2, 2)), layer(), layer((1, 0)), layer((0, 0)),
        layer((1, 1)), layer((3, 3)), layer(), layer((4, 0), value=9),
    ])
}  # fmt: skip


def left_out(scene):
    return [tuple(at) for at in np.argwhere(~scene.valid).tolist()]


@pytest.mark.parametrize("desis", [False, True])
def test_values_wavelengths_place(tmp_path, desis, capsys):
    path = write_dlr(tmp_path, VALUES, desis=desis, gains=(1e-4, 0.5))
    scene = load_scene(path)
    expected = (VALUES * GAINS + 0.5).astype(np.float32)
    np.testing.assert_allclose(scene.cube[scene.valid], expected[scene.valid], rtol=1e-6)
    assert left_out(scene) == [(4, 3)]
    np.testing.assert_allclose(scene.wavelengths, np.linspace(420, 1000 if desis else 2440, 6))
    assert scene.georeference.transform == (30.0, 0.0, 500000.0, 0.0, -30.0, 4000000.0)
    assert scene.acquired == "2022-07-24T10:45:26.5Z"
    assert main(["info", str(path)]) == 0
    said = capsys.readouterr().out
    assert "stored values × 0.0001 to 0.0006 (by band) + 0.5" in said and "bands by " in said


def test_raw(tmp_path):
    scene = load_scene(write_dlr(tmp_path, VALUES), raw=True)
    np.testing.assert_array_equal(scene.cube, VALUES)
    assert left_out(scene) == [(4, 3)]


def test_flags_of_enmap(tmp_path):
    path = write_dlr(tmp_path, VALUES, layers=ENMAP)
    assert left_out(load_scene(path)) == [(0, 0), (1, 1), (3, 0), (4, 3)]
    assert left_out(load_scene(path, mask_bands="snow")) == [(2, 2), (3, 0), (4, 3)]
    assert left_out(load_scene(path, mask_bands="none")) == [(3, 0), (4, 3)]
    with pytest.raises(InputError, match="no flag called 'haze'; expected some of cloud, cirrus,"):
        load_scene(path, mask_bands="haze")


def test_flags_of_desis(tmp_path):
    path = write_dlr(tmp_path, VALUES, desis=True, layers=DESIS)
    assert left_out(load_scene(path)) == [(0, 0), (1, 1), (4, 3)]
    assert left_out(load_scene(path, mask_bands="haze,shadow")) == [(0, 1), (1, 0), (4, 3)]


@pytest.mark.parametrize("named", ["folder", "xml"])
@pytest.mark.parametrize("desis", [False, True])
def test_by_its_folder_or_its_xml(tmp_path, named, desis):
    image = write_dlr(tmp_path, VALUES, desis=desis, layers=DESIS if desis else ENMAP)
    xml = next(each for each in tmp_path.iterdir() if each.suffix.lower() == ".xml")
    scene = load_scene(tmp_path if named == "folder" else xml)
    np.testing.assert_array_equal(scene.cube, load_scene(image).cube)
    assert scene.name == image.stem


def test_cloud_optimised_copies(tmp_path):
    path = write_dlr(tmp_path, VALUES, layers=ENMAP, cog="_COG")
    assert left_out(load_scene(path)) == [(0, 0), (1, 1), (3, 0), (4, 3)]


def test_files_of_the_scene(tmp_path):
    path = write_dlr(tmp_path, VALUES, layers=ENMAP)
    assert {each.name for each in files_of(path)} == {each.name for each in tmp_path.iterdir()}


def test_every_value_missing(tmp_path):
    with pytest.raises(InputError, match="none of the 5 × 4 pixels holds data"):
        load_scene(write_dlr(tmp_path, np.full_like(VALUES, -32768)))


def test_a_layer_of_another_size(tmp_path):
    wrong = {"QL_QUALITY_CLOUD": np.zeros((4, 4), np.uint8)}
    with pytest.raises(InputError, match=r"\(4, 4\) rows and columns, the image \(5, 4\)"):
        load_scene(write_dlr(tmp_path, VALUES, layers=wrong))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("</specific>", "", "not a readable metadata of a product"),
        ("bandCharacterisation", "bands", "has no bandCharacterisation"),
        ("<wavelengthCenterOfBand>420.0", "<wavelengthCenterOfBand>blue", "could not convert"),
        ("number='1'", "number='1' />\n<bandID number='7'", "band 1 has no wavelength"),
        ("<level_X", "<!DOCTYPE a [<!ENTITY b 'c'>]><level_X", "declares entities"),
    ],
)
def test_damaged_metadata(tmp_path, old, new, said):
    path = write_dlr(tmp_path, VALUES)
    xml = next(tmp_path.glob("*.XML"))
    xml.write_text(xml.read_text().replace(old, new))
    with pytest.raises(InputError, match=said):
        load_scene(path)


def test_metadata_of_another_image(tmp_path):
    write_dlr(tmp_path, VALUES[:, :, :4])
    xml = next(tmp_path.glob("*.XML")).read_text()
    path = write_dlr(tmp_path, VALUES)
    next(tmp_path.glob("*.XML")).write_text(xml)
    with pytest.raises(InputError, match="lists 4 bands, the image has 6"):
        load_scene(path)


def test_without_metadata_it_is_a_plain_tiff(tmp_path):
    path = write_dlr(tmp_path, VALUES)
    next(tmp_path.glob("*.XML")).unlink()
    scene = load_scene(path)
    assert scene.wavelengths is None and scene.cube.dtype == np.int16
