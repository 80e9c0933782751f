"""A SavedModel gives what the model gives, in a process that has never heard of lren_tf."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from lren_tf import LREN, InputError, datasets

_SERVE = """
import sys
import numpy as np, tensorflow as tf
served = tf.saved_model.load(sys.argv[1])
out = served.serve(np.load(sys.argv[2]))
np.savez(sys.argv[3], **{name: value.numpy() for name, value in out.items()})
assert not any(name.startswith("lren_tf") for name in sys.modules)
"""


def test_a_saved_model_serves_without_the_package(tmp_path):
    scene = datasets.simulate(20, 18, 12, seed=2)
    model = LREN("release", epochs=2)
    model.fit(scene, verbose=0)
    model.export(tmp_path / "served")
    pixels = scene.pixels.astype(np.float32)
    np.save(tmp_path / "pixels.npy", pixels)
    subprocess.run(
        [sys.executable, "-c", _SERVE, "served", "pixels.npy", "out.npz"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    expected = model(pixels)
    with np.load(tmp_path / "out.npz") as out:
        assert set(out) == {"latent", "reconstruction", "assignments"}
        for name in out:
            np.testing.assert_allclose(out[name], expected[name], rtol=1e-5, atol=1e-6)


def test_a_model_that_is_not_fitted_is_not_exported(tmp_path):
    with pytest.raises(InputError, match="has not been fitted"):
        LREN("paper").export(tmp_path / "served")
    assert not list(tmp_path.iterdir())
