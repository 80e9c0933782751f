"""Another sensor is refused, another background is told."""

import warnings

import numpy as np
import pytest

from lren_tf.data.pixel_matrix import PixelMatrix
from lren_tf.data.same_sensor import (
    SensorRecord,
    refuse_other_wavelengths,
    warn_of_bands_left_out,
    warn_of_drift,
)
from lren_tf.errors import InputError

CENTRES = tuple(np.linspace(400.0, 1000.0, 13).tolist())
RNG = np.random.default_rng(0)
FITTED = RNG.normal([3.0, 5.0, 100.0, 0.2], [1.0, 0.5, 20.0, 0.01], (400, 4))


def bands(word):
    """Bands of a word of ones and zeros."""
    return None if word is None else np.array(list(word)) == "1"


class TestWavelengths:
    @pytest.mark.parametrize("shift", [0.0, 3.0, -8.0, 24.0])
    def test_of_the_same_bands(self, shift):
        refuse_other_wavelengths("s", np.array(CENTRES) + shift, CENTRES)

    @pytest.mark.parametrize("found", [
        np.array(CENTRES) + 40, np.array(CENTRES)[::-1], np.linspace(900, 2500, 13),
        np.array(CENTRES) / 1e3, np.where(np.arange(13) == 7, 2000.0, CENTRES),
    ])  # fmt: skip
    def test_of_others(self, found):
        with pytest.raises(InputError, match=r"s is of another sensor: its band .* fit a new"):
            refuse_other_wavelengths("s", found, CENTRES)

    @pytest.mark.parametrize(("found", "fitted"), [
        (None, CENTRES), (np.array(CENTRES), None), (np.array([500.0]), (510.0,)),
        (np.array(CENTRES)[:5], CENTRES),  # which is refused for its number
    ])  # fmt: skip
    def test_where_nothing_can_be_said(self, found, fitted):
        refuse_other_wavelengths("s", found, fitted)


class TestBandsLeftOut:
    @pytest.mark.parametrize(("good", "used", "said"), [
        ("1101", "1111", "s leaves out band 2, but the model was fitted on it, and its values"),
        ("1001", None, "s leaves out bands 1-2, but the model was fitted on them, and their"),
        ("0101", "0111", "s leaves out band 2, but"),
    ])  # fmt: skip
    def test_that_the_model_uses(self, good, used, said):
        good, used = map(bands, (good, used))
        with pytest.warns(UserWarning, match=said):
            warn_of_bands_left_out("s", good, used)

    @pytest.mark.parametrize(("good", "used"), [
        (None, None), ("1100", "1100"), ("1110", "1100"), (None, "1100"),
    ])  # fmt: skip
    @pytest.mark.filterwarnings("error")
    def test_that_it_does_not_use(self, good, used):
        good, used = map(bands, (good, used))
        warn_of_bands_left_out("s", good, used)


class TestDrift:
    record = SensorRecord(
        None, tuple(FITTED.mean(axis=0)), tuple(FITTED.std(axis=0)), (True, True, True, False)
    )

    def told(self, pixels):
        with warnings.catch_warnings(record=True) as noted:
            warnings.simplefilter("always")
            warn_of_drift("s", PixelMatrix(pixels.reshape(20, 20, 4)), self.record)
        return [str(one.message) for one in noted]

    def test_the_same_background(self):
        other = RNG.normal([3.1, 5.1, 95.0, 77.0], [1.2, 0.4, 25.0, 9.0], (400, 4))
        other[:10, 0] += 20  # anomalies hardly count, nor do bands that are not used
        assert self.told(FITTED) == [] and self.told(other) == []

    @pytest.mark.parametrize("change", [
        lambda x: x * 10000, lambda x: x / 100, lambda x: x + x.std(axis=0) * 3,
        lambda x: (x - x.mean(axis=0)) * 5 + x.mean(axis=0),
    ])  # fmt: skip
    def test_another(self, change):
        (said,) = self.told(change(FITTED))
        assert said.startswith("s: the background has drifted") and "--recalibrate" in said
