"""A fitted model as a SavedModel: four endpoints that need TensorFlow and nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import keras
import tensorflow as tf

from lren_tf.errors import InputError
from lren_tf.low_rank.solve import residual_in_graph
from lren_tf.runtime.files import as_path, atomic_folder

if TYPE_CHECKING:
    from lren_tf.model.lren import LREN

_CHUNK = 65536
"""Pixels passed through the network at a time."""
_SAVED_MODEL = {"saved_model.pb", "variables"}
"""What every SavedModel holds."""
_IN_SAVED_MODELS = {*_SAVED_MODEL, "assets", "assets.extra", "fingerprint.pb"}
"""What a SavedModel can hold."""


def export_saved_model(
    model: LREN, path: str | os.PathLike[str], *, verbose: bool = False
) -> None:
    """Write a fitted model as a SavedModel.

    Each endpoint takes ``pixels``, ``[N, L]`` float32 in the sensor's units, L the bands the
    model was fitted on, and returns float32:

    ========================  ===========  ==================================================
    ``score``                 ``[N]``      anomaly score, higher = more anomalous; this one is
                                           ``serving_default`` too
    ``encode``                ``[N, l]``   latent samples, eq. (3), of all members side by side
    ``reconstruct``           ``[N, L]``   reconstruction, eq. (4), in the sensor's units
    ``responsibilities``      ``[N, k]``   assignments of the mixture, eq. (7), of all members
                                           side by side
    ========================  ===========  ==================================================

    ``score`` holds all that ``model.score`` uses and gives what it gives, to rounding: within
    1e-5 of the score, or of the largest where scores pass through zero (energies do); within
    1e-3 with ``solver_dtype="float32"``, whose low-rank step does not converge. What else it
    depends on is a matter of the scoring:

    * ``scoring="residual"`` (presets ``paper`` and ``release``) runs the low-rank step on the
      pixels it is given. Its nuclear norm couples them, so a pixel's score depends on the batch:
      send all pixels of a scene at once to get the scores of the scene. Scored by halves, half
      of the pixels of SanDiego and Hydice (``release``, 100 epochs) moved by more than 3 and
      4 %, the last of them by a factor of 6 and 2, and of the highest 1 % of the scores 68 and
      84 % stayed among those; a pixel sent alone scored 2 to 40 times as high.
    * ``scoring="energy"`` (preset ``robust``) with a neighbourhood, fitted on an image, takes an
      image ``[H, W, L]`` and returns ``[H, W]``. A pixel depends on its neighbours alone.
      Fitted on a table, or without a neighbourhood, it takes ``[N, L]``, every pixel alone.

    ``score`` refuses NaN and infinity with an InvalidArgumentError, because one such pixel would
    spoil the scores of others.

    float32 is what the endpoints take: data whose bands lie so far from zero that float32
    rounds their spread away scores differently from ``model.score`` of the original.

    Args:
        model: fitted.
        path: folder to write. It is written beside and renamed when it is whole; a SavedModel
            that is already there is replaced.
        verbose: whether Keras says what it wrote.

    Raises:
        InputError: the model is not fitted; the path is a file, or a folder that holds
            anything but a SavedModel; or it cannot be written.
    """
    atoms = model.dictionary.atoms  # refuses a model that is not fitted
    check_export_target(path)
    bands, s = model.get_build_config()["bands"], model.settings
    of_images = model.scores_images()

    def encode(pixels: tf.Tensor) -> tf.Tensor:
        width = s.members * s.latent_units
        return _in_chunks(lambda part: model.call(part)["latent"], pixels, width)

    def reconstruct(pixels: tf.Tensor) -> tf.Tensor:
        return _in_chunks(lambda part: model.call(part)["reconstruction"], pixels, bands)

    def responsibilities(pixels: tf.Tensor) -> tf.Tensor:
        width = s.members * s.components
        return _in_chunks(lambda part: model.call(part)["assignments"], pixels, width)

    def residual_score(pixels: tf.Tensor) -> tf.Tensor:
        if s.low_rank_space == "latent":
            samples = encode(pixels)
        else:
            samples = _in_chunks(model.standardised, pixels, atoms.shape[1])
        A = residual_in_graph(
            tf.cast(samples, s.solver_dtype),
            atoms,
            s.lam,
            loss=s.solver_loss,
            order=s.solver_order,
            mu=s.solver_mu,
            rho=s.solver_rho,
            mu_max=s.solver_mu_max,
            tolerance=s.solver_tolerance,
            max_iterations=s.solver_iterations,
        )
        return tf.norm(A, ord={"l1": 1, "l2": 2}[s.score_norm], axis=1)

    def score(pixels: tf.Tensor) -> tf.Tensor:
        pixels = tf.debugging.check_numerics(
            pixels, "the pixels hold NaN or infinity; expected finite numbers"
        )
        shape = tf.shape(pixels)[:-1]
        table = tf.reshape(pixels, [-1, bands])
        if s.scoring == "residual":
            scores = residual_score(table)
        else:
            grid = (shape[0], shape[1]) if of_images else (shape[0],)
            scores = model.energy_scores(encode(table), grid)
        return tf.reshape(tf.cast(scores, tf.float32), shape)

    archive = keras.export.ExportArchive()
    archive.track(model)
    table = [tf.TensorSpec((None, bands), tf.float32, name="pixels")]
    image = [tf.TensorSpec((None, None, bands), tf.float32, name="pixels")]
    # The first is the one that Keras makes `serving_default` too.
    archive.add_endpoint("score", score, image if of_images else table)
    for endpoint in (encode, reconstruct, responsibilities):
        archive.add_endpoint(endpoint.__name__, endpoint, table)
    with atomic_folder(path) as temporary:
        archive.write_out(temporary, verbose=verbose)


def check_export_target(path: str | os.PathLike[str]) -> None:
    """Refuse a path where a SavedModel cannot be put without loss.

    Raises:
        InputError: it is a file, or a folder that holds anything but a SavedModel.
    """
    folder = as_path(path)
    if not os.path.exists(folder):
        return
    if not os.path.isdir(folder):
        raise InputError(f"{folder} is a file; expected a folder to write, choose another.")
    found = set(os.listdir(folder))
    if found and not is_saved_model(folder):
        raise InputError(
            f"{folder} is not empty and not a SavedModel; expected a new or an empty folder, or a "
            "SavedModel to replace, choose another."
        )
    foreign = sorted(found - _IN_SAVED_MODELS)
    if foreign:
        raise InputError(
            f"{folder} holds {foreign[0]!r} beside a SavedModel, which would be lost; expected a "
            "folder with nothing else in it, choose another."
        )


def is_saved_model(path: str | os.PathLike[str]) -> bool:
    """Whether a folder holds a SavedModel."""
    return all(os.path.exists(os.path.join(path, name)) for name in _SAVED_MODEL)


def _in_chunks(
    function: Callable[[tf.Tensor], tf.Tensor], pixels: tf.Tensor, width: int
) -> tf.Tensor:
    """``function`` of all pixels ``[N, width]``, float32; its temporaries are those of a chunk."""
    count = tf.maximum(1, -(-tf.shape(pixels)[0] // _CHUNK))

    def step(i: tf.Tensor, parts: tf.TensorArray) -> tuple[tf.Tensor, tf.TensorArray]:
        return i + 1, parts.write(i, function(pixels[i * _CHUNK : (i + 1) * _CHUNK]))

    parts = tf.TensorArray(tf.float32, size=count, infer_shape=False, element_shape=[None, width])
    _, parts = tf.while_loop(lambda i, _: i < count, step, (0, parts), parallel_iterations=1)
    return parts.concat()
