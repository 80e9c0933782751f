"""The requirements of `make test-oldest` are the lower bounds of setup.cfg."""

from tests.oldest import SETUP, lowest

TEXT = """
[options]
install_requires =
    numpy>=1.26
    tomli>=2; python_version < "3.11"
[options.extras_require]
gpu =
    tensorflow[and-cuda]>=2.18
stac =
    pystac>=1.10
cluster =
    dask[distributed]>=2024.8
dev =
    numpy>=1.26
    pystac[validation]>=1.10
    pytest>=8
"""


def test_lower_bounds_of_users_and_the_tools_that_tests_need():
    assert lowest(TEXT) == [
        "numpy==1.26", 'tomli==2; python_version < "3.11"', "pystac==1.10",
        "dask[distributed]==2024.8", "pystac[validation]>=1.10", "pytest>=8",
    ]  # fmt: skip


def test_every_requirement_has_one():
    lines = lowest(SETUP.read_text(encoding="utf-8"))
    assert any(line.startswith("tensorflow==2.18") for line in lines)
    assert len([line for line in lines if "==" in line]) > 20
