import pytest

from tests.model.small_models import PRESETS, fitted


@pytest.fixture(scope="module", params=PRESETS)
def model(request):
    """A fitted model that tests only read."""
    return fitted(request.param)
