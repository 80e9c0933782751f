"""LREN on scenes with pixels without data and bands that are not good."""

import keras
import numpy as np
import pytest

from lren_tf.data.scene import Scene
from lren_tf.datasets.simulation import simulate
from lren_tf.errors import InputError
from lren_tf.model.lren import LREN
from lren_tf.records import dictionary_record

CUBE = simulate(14, 11, 12, seed=2).cube
SMALL = {"hidden_units": 8, "estimator_units": 4, "components": 3, "latent_units": 3,
         "solver_iterations": 30, "device": "/CPU:0"}  # fmt: skip
VALID = np.ones((14, 11), bool)
VALID[:2, :7] = VALID[9, 3] = False
GOOD = np.arange(14) % 9 != 4  # of the fourteen bands of MASKED


def masked(fill=np.nan):
    """CUBE with two bad bands put in, at 4 and 13, and without data where not VALID."""
    cube = np.insert(CUBE.astype(np.float64), [4, 12], fill, axis=2)
    cube[~VALID] = fill
    return Scene(cube, valid=VALID, good_bands=GOOD)


@pytest.fixture(
    scope="module", params=["paper", pytest.param("release", marks=pytest.mark.slow)]
)
def model(request):
    made = LREN(request.param, **SMALL)
    made.fit(masked(), epochs=2, verbose=0)
    return made


@pytest.mark.slow
def test_it_is_as_if_only_the_rest_were_there(model):
    alone = LREN(model.preset, **SMALL)
    alone.fit(CUBE[VALID], epochs=2, verbose=0)
    score = model.score(masked())
    assert score.shape == (14, 11) and score.dtype == np.float32
    np.testing.assert_array_equal(np.isnan(score), ~VALID)
    np.testing.assert_array_equal(score[VALID], alone.score(CUBE[VALID]))


def test_decompose_has_a_row_for_every_pixel(model):
    result = model.decompose(masked())
    assert len(result.A) == len(result.W) == len(result.Y) == 14 * 11
    for part in (result.A, result.W, result.Y):
        np.testing.assert_array_equal(np.isnan(part).any(axis=1), ~VALID.reshape(-1))
    np.testing.assert_array_equal(
        model.score_of(result).reshape(14, 11), model.score(masked())
    )


def test_atoms_name_pixels_of_the_image(model):
    scene = masked()
    atoms = model.dictionary
    copied = atoms.pixels >= 0
    assert copied.any()
    assert VALID.reshape(-1)[atoms.pixels[copied]].all()
    latent = model(scene.pixels[atoms.pixels[copied]])["latent"].numpy()
    np.testing.assert_allclose(latent, atoms.atoms[copied], rtol=1e-4, atol=1e-5)
    for atom, pixel in zip(dictionary_record(atoms, 11)["atoms"], atoms.pixels, strict=True):
        assert atom["pixel"] == (None if pixel < 0 else list(divmod(int(pixel), 11)))


def test_it_remembers_which_bands_of_the_sensor_it_uses(model, tmp_path):
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    other = np.insert(simulate(6, 7, 12, seed=5).cube, [4, 12], 3.0, axis=2)
    expected = model.score(other)
    assert np.isfinite(expected).all()
    # Whatever the other scene says of its bands, and whatever is in those it was not fitted on.
    wild = other.astype(np.float64)
    wild[:, :, [4, 13]] = np.nan
    for scene in (wild, Scene(wild, good_bands=GOOD), Scene(other, good_bands=np.arange(14) > 5)):
        np.testing.assert_array_equal(loaded.score(scene), expected)
    wild[2, 3, 5] = np.nan
    with pytest.raises(InputError, match=r"1 value is NaN .* at row 2, column 3, band 5"):
        loaded.score(wild)


def test_reconstruction_is_zero_where_a_band_was_no_use(model):
    values = model(masked(fill=1.0).pixels[:5])["reconstruction"].numpy()
    np.testing.assert_allclose(values[:, [4, 13]], 0.0, atol=1e-5)
    assert np.isfinite(values).all()


@pytest.mark.slow
def test_no_notice_of_bands_that_were_left_out_on_purpose(recwarn):
    LREN(**SMALL).fit(masked(), epochs=1, verbose=0)
    assert not [w for w in recwarn if issubclass(w.category, UserWarning)]
    cube = np.array(masked().cube)
    cube[:, :, 6] = 1.0
    with pytest.warns(UserWarning, match="1 constant bands are dropped: 6"):
        LREN(**SMALL).fit(Scene(cube, valid=VALID, good_bands=GOOD), epochs=1, verbose=0)


def test_too_few_valid_pixels():
    one = np.zeros((14, 11), bool)
    one[3, 3:5] = True
    with pytest.raises(InputError, match="2 pixels for 3 mixture components"):
        LREN(**SMALL).fit(Scene(CUBE, valid=one), epochs=1, verbose=0)


@pytest.mark.slow
def test_other_settings_reuse_the_network(model):
    score = model.with_settings(masked(), dictionary="kmeans").score(masked())
    np.testing.assert_array_equal(np.isnan(score), ~VALID)


class TestMaskedArrays:
    """The mask of a `numpy.ma` array says where there is no data, as a scene would."""

    def test_a_cube_is_as_the_scene_it_stands_for(self, model):
        scene = masked(fill=1e6)
        hidden = np.zeros(scene.shape, bool)
        hidden[~VALID] = hidden[..., ~GOOD] = True
        cube = np.ma.array(np.asarray(scene.cube), mask=hidden)
        again = LREN(model.preset, **SMALL)
        again.fit(cube, epochs=2, verbose=0)
        np.testing.assert_array_equal(again.score(cube), model.score(masked()))

    def test_one_hidden_value_leaves_its_sample_of_a_table_out(self):
        table = CUBE.reshape(-1, 12).astype(np.float64)
        hidden = np.zeros(table.shape, bool)
        hidden[17, 3] = True
        spoilt = np.where(hidden, 1e6, table)
        score = LREN("release", **SMALL)
        score.fit(np.ma.array(spoilt, mask=hidden), epochs=1, verbose=0)
        alone = LREN("release", **SMALL)
        alone.fit(np.delete(table, 17, axis=0), epochs=1, verbose=0)
        found = score.score(np.ma.array(spoilt, mask=hidden))
        assert np.flatnonzero(np.isnan(found)).tolist() == [17]
        np.testing.assert_array_equal(
            np.delete(found, 17), alone.score(np.delete(table, 17, axis=0))
        )

    @pytest.mark.parametrize("shape", [(20, 12), (5, 4, 12)])
    def test_a_mask_over_everything_is_refused(self, shape):
        with pytest.raises(InputError, match=r"mask|data"):
            LREN("release", **SMALL).fit(np.ma.masked_all(shape), epochs=1, verbose=0)

    @pytest.mark.slow
    def test_an_array_with_nothing_masked_is_the_plain_one(self, model):
        plain = np.ma.array(CUBE)
        pair = [LREN(model.preset, **SMALL) for _ in range(2)]
        for each, cube in zip(pair, (plain, CUBE), strict=True):
            each.fit(cube, epochs=1, verbose=0)
        np.testing.assert_array_equal(pair[0].score(plain), pair[1].score(CUBE))
