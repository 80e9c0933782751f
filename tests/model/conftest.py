import functools

import pytest

from tests.model.small_models import PRESETS, fitted

read_only = functools.cache(fitted)


@pytest.fixture(scope="module", params=PRESETS)
def model(request):
    """A fitted model that tests only read: one of each preset in a process."""
    return read_only(request.param)
