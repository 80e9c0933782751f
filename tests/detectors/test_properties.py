"""What every detector's map has to bear: turned images, other units, far holes, tiny images.

Four kinds of detectors are exempt from some of it, as their docstrings say. Those that draw
pixels, entries or weights by their index give another map when the order changes. AED smooths
along rows and then along columns, first forwards and then backwards: its map of a turned image is
near the turned map, not equal to it, and it scales the map as a whole, so a region without data
counts wherever it is. PCA-TLRSR represents columns by columns, so its map of a transposed image
is another. PAB_DC decides ties of correlations by rounding. LREN's preset robust does so in
images smaller than the squares of its structure, where most pixels have the same structure to
rounding and the share of the background above them jumps; without it, and with all pixels in one
batch, the order of the pixels counts to rounding.
"""

from __future__ import annotations

import sys
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lren_tf import detectors
from lren_tf.data.scene import Scene
from lren_tf.errors import InputError

# As small as each can be, so that the smallest images give scores too.
SETTINGS: dict[str, dict[str, object]] = {
    "rx": {},
    "lrx": {"inner": 1, "outer": 3},
    "crd": {"inner": 1, "outer": 3},
    "aed": {"area": 3, "components": 1},
    "adlr": {"endmembers": 2},
    "lsdm_mog": {"rank": 1, "iterations": 15},
    "pab_dc": {
        "window": 1, "clusters": 1, "sparsity": 1, "anomaly_atoms": 1, "background_fraction": 0.5,
        "max_iterations": 20,
    },
    "aae_rx": {"steps": 3, "hidden_units": 4, "latent_units": 2},
    "aae": {"steps": 3, "hidden_units": 4, "latent_units": 2, "area": 3},
    "hadgan": {"steps": 3, "hidden_units": 4, "area": 3},
    "kifd": {"components": 4, "trees": 10, "local_trees": 5},
    "auto_ad": {"channels": 4, "scales": 2, "steps": 3},
    "pca_tlrsr": {"components": 3},
    "lren": {"settings": {"epochs": 2, "hidden_units": 4, "members": 1}},
}  # fmt: skip
CHEAP = ("rx", "lrx", "crd", "aed", "adlr", "lsdm_mog", "pca_tlrsr")
SLOW = [pytest.param(n, marks=pytest.mark.long) for n in SETTINGS if n not in CHEAP]
ALL = [*CHEAP, *SLOW]
LOCAL = ("lrx", "crd")
TURNED = ["rx", "lrx", "crd", "aed", pytest.param("adlr", marks=pytest.mark.long)]
SMALL_SHAPES = [(1, 1), (1, 2), (2, 1), (2, 2), (1, 9), (9, 1), (2, 20), (20, 2), (3, 3), (3, 40)]

# AED cuts its map at 256 levels; rounding carries a pixel over a level.
ROUNDING = {"aed": 4 / 256}

few = settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
fewer = settings(few, max_examples=2)
seeds = st.integers(0, 2**32 - 1)


def cube_of(seed: int, height: int = 12, width: int = 10, bands: int = 6) -> np.ndarray:
    """Mixtures of three positive spectra with noise, and one spectrum that is none of them."""
    rng = np.random.default_rng(seed)
    spectra = rng.uniform(0.2, 1.0, (3, bands))
    cube = rng.dirichlet(np.ones(3), (height, width)) @ spectra
    cube += 0.01 * rng.normal(size=cube.shape)
    cube[height // 2, width // 3] = rng.uniform(0.2, 1.0, bands)
    return cube


def score(name: str, cube: np.ndarray | Scene) -> np.ndarray:
    return detectors.create(name, **SETTINGS[name]).score(cube)


def assert_near(found: np.ndarray, expected: np.ndarray, share: float = 1e-5) -> None:
    """Equal within a share of the map's largest magnitude."""
    np.testing.assert_allclose(found, expected, atol=share * np.abs(expected).max(), rtol=0)


@pytest.mark.parametrize("name", TURNED)
@few
@given(seed=seeds)
def test_turned_images_have_turned_maps(name: str, seed: int) -> None:
    cube = cube_of(seed)
    share = 0.35 if name == "aed" else 1e-5
    expected = score(name, cube)
    for turn in (
        lambda image: image[::-1],
        lambda image: image[:, ::-1],
        lambda image: np.swapaxes(image, 0, 1),
    ):
        assert_near(score(name, turn(cube)), turn(expected), share)


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "chosen", "share"),
    [
        ("pab_dc", SETTINGS["pab_dc"], 0.02),
        (
            "lren",
            {"settings": {
                "epochs": 2, "hidden_units": 4, "members": 1, "batch_size": 1000,
                "evidence": ("spectrum",),
            }},
            1e-3,
        ),
    ],
)  # fmt: skip
@fewer
@given(seed=seeds)
def test_turned_images_have_turned_maps_where_a_method_trains_or_clusters(
    name: str, chosen: dict[str, object], share: float, seed: int
) -> None:
    cube, detector = cube_of(seed), detectors.create(name, **chosen)
    expected = detector.score(cube)
    assert_near(detector.score(cube[::-1]), expected[::-1], share)
    assert_near(detector.score(np.swapaxes(cube, 0, 1)), np.swapaxes(expected, 0, 1), share)


@pytest.mark.parametrize("name", TURNED)
@few
@given(seed=seeds)
def test_the_order_of_bands_does_not_matter(name: str, seed: int) -> None:
    cube = cube_of(seed)
    order = np.random.default_rng(seed).permutation(cube.shape[2])
    assert_near(score(name, cube[:, :, order]), score(name, cube), ROUNDING.get(name, 1e-5))


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("factor", [2.0**-20, 2.0**20])
def test_the_unit_of_the_cube_does_not_matter(name: str, factor: float) -> None:
    """A power of two changes no digit, so that even trainings have to take the same way."""
    for seed in range(2):
        cube = cube_of(seed)
        assert_near(score(name, cube * factor), score(name, cube), 1e-6)


@pytest.mark.parametrize("name", [*TURNED, "lsdm_mog", "pca_tlrsr"])
@pytest.mark.parametrize("factor", [1e-6, 1e6])
@few
@given(seed=seeds)
def test_a_unit_that_rounds_does_not_matter(name: str, factor: float, seed: int) -> None:
    cube = cube_of(seed)
    assert_near(score(name, cube * factor), score(name, cube), ROUNDING.get(name, 1e-4))


@pytest.mark.long
@pytest.mark.parametrize("name", ["pab_dc", "aae_rx", "aae", "hadgan", "lren"])
@fewer
@given(seed=seeds, factor=st.sampled_from([1e-6, 1e6]))
def test_nor_does_it_to_a_training(name: str, factor: float, seed: int) -> None:
    """Steps amplify the last digit of the pixels, so the bound is a wider one."""
    cube = cube_of(seed)
    assert_near(score(name, cube * factor), score(name, cube), 1e-2)


@pytest.mark.parametrize("name", ["rx", "lsdm_mog", pytest.param("lren", marks=pytest.mark.long)])
def test_the_units_of_single_bands_do_not_matter(name: str) -> None:
    for seed in range(2):
        cube = cube_of(seed)
        gain = 2.0 ** np.random.default_rng(seed).integers(-20, 20, cube.shape[2])
        assert_near(score(name, cube * gain), score(name, cube), 1e-5)


@few
@given(seed=seeds)
def test_rx_is_invariant_under_affine_changes_of_bands(seed: int) -> None:
    cube = cube_of(seed)
    rng = np.random.default_rng(seed)
    bands = cube.shape[2]
    gain = rng.choice([-1, 1], bands) * 10.0 ** rng.uniform(-7, 7, bands)
    changed = (cube + rng.normal(size=bands)) * gain
    assert_near(score("rx", changed), score("rx", cube))


@pytest.mark.parametrize("name", ALL)
def test_what_a_far_region_without_data_holds_does_not_matter(name: str) -> None:
    cube = np.concatenate([cube_of(0), np.zeros((6, 10, 6))])
    valid = np.ones(cube.shape[:2], bool)
    valid[12:] = False
    maps = []
    for fill in (0.0, 1e30, np.nan):
        cube[12:] = fill
        maps.append(score(name, Scene(cube.copy(), valid=valid)))
        assert np.isnan(maps[-1][12:]).all()
        np.testing.assert_array_equal(maps[-1], maps[0])
    if not detectors.detector_class(name).spatial:
        alone = score(name, cube[:12].reshape(-1, 1, 6))
        np.testing.assert_array_equal(maps[0][:12].reshape(-1, 1), alone)


@pytest.mark.parametrize("name", LOCAL)
@few
@given(seed=seeds)
def test_a_region_without_data_beyond_the_ring_leaves_the_map_as_it_is(
    name: str, seed: int
) -> None:
    cube = cube_of(seed)
    hole = np.full((6, 10, 6), np.nan)
    wider = Scene(
        np.concatenate([cube, hole]), valid=np.repeat([True, False], [12, 6])[:, None].repeat(10, 1)
    )
    assert_near(score(name, wider)[:10], score(name, cube)[:10])


@pytest.mark.parametrize("name", ALL)
def test_bands_marked_bad_may_hold_anything(name: str) -> None:
    cube = cube_of(0)
    good = np.arange(7) != 2
    expected = score(name, cube)
    for fill in (np.nan, np.inf, -1e300):
        wider = np.insert(cube, 2, 0.0, axis=2)
        wider[::3, :, 2] = fill
        np.testing.assert_array_equal(score(name, Scene(wider, good_bands=good)), expected)


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the trainings that have begun."""
    begun: list[str] = []
    from lren_tf.detectors.parts import adversarial

    plain = adversarial.train

    def train(*args, **options):
        begun.append(options["title"])
        return plain(*args, **options)

    monkeypatch.setattr(adversarial, "train", train)
    return begun


@pytest.mark.parametrize("bands", [1, 2, 6])
@pytest.mark.parametrize("shape", SMALL_SHAPES)
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.long) if n == "adlr" else n for n in CHEAP]
)
def test_small_images_have_a_score_or_a_reason(
    name: str, shape: tuple[int, int], bands: int
) -> None:
    for chosen in (SETTINGS[name], {}):
        _scored_or_refused(name, chosen, shape, bands)


@pytest.mark.long
@pytest.mark.parametrize(("shape", "bands"), [((1, 1), 6), ((1, 2), 1), ((20, 2), 6), ((3, 40), 6)])
@pytest.mark.parametrize("name", [name for name in SETTINGS if name not in CHEAP])
def test_small_images_are_refused_before_a_training(
    name: str, shape: tuple[int, int], bands: int, trained: list[str]
) -> None:
    if _scored_or_refused(name, SETTINGS[name], shape, bands) is None:
        assert not trained


def _scored_or_refused(
    name: str, chosen: dict[str, object], shape: tuple[int, int], bands: int
) -> np.ndarray | None:
    cube = np.random.default_rng(0).random((*shape, bands))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", UserWarning)  # a notice, such as of too few pixels
        try:
            found = detectors.create(name, **chosen).score(cube)
        except InputError as error:
            refusal = str(error)
            found = None
    if found is None:
        assert "expected" in refusal and refusal.endswith(".")
        return None
    assert found.shape == shape and np.isfinite(found).all()
    return found


@pytest.mark.parametrize("name", ["aed", "aae", "hadgan", "kifd"])
def test_a_missing_library_is_said_before_a_training(
    name: str, trained: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "skimage", None)
    with pytest.raises(InputError, match="scikit-image"):
        score(name, cube_of(0))
    assert not trained


@pytest.mark.parametrize("shape", [(1, 30), (30, 1), (2, 20), (20, 2)])
def test_aed_on_narrow_images_finds_what_stands_out(shape: tuple[int, int]) -> None:
    cube = cube_of(0, *shape)
    at = np.unravel_index(11, shape)
    cube[at] += 3.0
    found = detectors.create("aed", area=3, components=1).score(cube)
    assert np.unravel_index(found.argmax(), shape) == at
