"""Fixtures of all tests."""

from __future__ import annotations

import numpy as np
import pytest

RNG = np.random.default_rng(3)
AFTER_IMPORT = np.random.default_rng(3).random()


@pytest.mark.parametrize("number", range(2))
def test_a_generator_of_a_module_starts_anew_in_every_test(number):
    assert RNG.random() == AFTER_IMPORT
