"""A SavedModel gives what the model gives, in a process that cannot import lren_tf."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

import numpy as np
import pytest

from lren_tf import LREN, InputError, datasets

_SERVE = """
import sys
try:
    import lren_tf
except ModuleNotFoundError as error:
    assert error.name == "lren_tf", error
else:
    raise SystemExit(f"lren_tf is here: {lren_tf.__file__}")
import numpy as np, tensorflow as tf
assert sys.prefix != sys.base_prefix and tf.__file__.startswith(sys.argv[1]), tf.__file__
pixels = tf.constant(np.load("pixels.npy"))
for name in sys.argv[2:]:
    served = tf.saved_model.load(name)
    out = {e: getattr(served, e)(pixels) for e in
           ("score", "encode", "reconstruct", "responsibilities")}
    out["serving_default"] = served.signatures["serving_default"](pixels=pixels)["output_0"]
    np.savez(f"{name}.npz", **{e: value.numpy() for e, value in out.items()})
assert not any(name.split(".")[0] == "lren_tf" for name in sys.modules)
"""


@pytest.fixture
def python_without_the_package(tmp_path):
    """An interpreter that has what is installed here, TensorFlow with it, but not lren_tf.

    Everything installed is linked into a folder of its own but lren_tf and the files that make
    an editable installation, so that it does not matter how, or whether, lren_tf is installed.
    """
    packages = tmp_path / "packages"
    packages.mkdir()
    for folder in map(Path, sys.path):
        if folder.name not in ("site-packages", "dist-packages") or not folder.is_dir():
            continue
        for entry in folder.iterdir():
            foreign = not entry.name.lower().startswith(("lren", "__editable__", "easy-install"))
            link = packages / entry.name
            if foreign and entry.suffix != ".pth" and not link.exists():
                link.symlink_to(entry, target_is_directory=entry.is_dir())
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=False, symlinks=os.name != "nt")
    (site,) = environment.rglob("site-packages")
    (site / "packages.pth").write_text(str(packages))
    return environment / ("Scripts" if os.name == "nt" else "bin") / "python", packages


@pytest.mark.processes
def test_scores_without_the_package(tmp_path, python_without_the_package):
    scene = datasets.simulate(30, 20, 40, seed=2)
    cube = scene.cube.copy()
    cube[:, :, [3, 8]] = 7  # constant bands, which do not enter the network
    pixels = cube.reshape(-1, 40).astype(np.float32)
    np.save(tmp_path / "pixels.npy", pixels)
    settings = {
        "release": {"epochs": 5},
        "paper": {"epochs": 2, "low_rank_space": "original"},
    }
    models = {}
    for preset, chosen in settings.items():
        models[preset] = LREN(preset, **chosen)
        with pytest.warns(UserWarning, match="2 constant bands are dropped"):
            models[preset].fit(cube, verbose=0)
        models[preset].export(tmp_path / preset)

    python, packages = python_without_the_package
    done = subprocess.run(
        [python, "-I", "-c", _SERVE, packages, *models],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for preset, model in models.items():
        network = model(pixels)
        expected = {
            "score": model.score(pixels),
            "serving_default": model.score(pixels),
            "encode": network["latent"],
            "reconstruct": network["reconstruction"],
            "responsibilities": network["assignments"],
        }
        with np.load(tmp_path / f"{preset}.npz") as out:
            assert set(out) == set(expected)
            for name, values in expected.items():
                assert out[name].dtype == np.float32
                atol = 0 if name in ("score", "serving_default") else 1e-5
                np.testing.assert_allclose(out[name], values, rtol=1e-5, atol=atol, err_msg=name)


def test_a_model_that_is_not_fitted_is_not_exported(tmp_path):
    with pytest.raises(InputError, match="has not been fitted"):
        LREN("paper").export(tmp_path / "served")
    assert not list(tmp_path.iterdir())
