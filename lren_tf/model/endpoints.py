"""Functions that an exported model serves: score, encode, reconstruct, responsibilities."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from lren_tf.model.energy_scoring import EvidenceScoring
from lren_tf.model.forward_pass import in_chunks
from lren_tf.model.saved_model import Endpoint
from lren_tf.model.scoring import Scoring
from lren_tf.settings import Settings


def endpoints_of(
    call: Callable[[tf.Tensor], Mapping[str, tf.Tensor]],
    scoring: Scoring,
    settings: Settings,
    bands: int,
    used: np.ndarray | None = None,
) -> dict[str, Endpoint]:
    """Return the endpoints of a fitted model.

    Each endpoint takes ``pixels``, ``[N, L]`` float32 in the sensor's units, L the bands the
    model was fitted on, and returns float32:

    ========================  ===========  ==================================================
    ``score``                 ``[N]``      anomaly score, higher = more anomalous; also
                                           ``serving_default``
    ``encode``                ``[N, l]``   latent samples, eq. (3), of all members side by side
    ``reconstruct``           ``[N, L]``   reconstruction, eq. (4), in the sensor's units
    ``responsibilities``      ``[N, k]``   of the mixture, eq. (7), of all members
                                           side by side
    ``evidence``              ``[N]``      where the score is made of evidence: an output for
                                           each, by name, in decades
    ========================  ===========  ==================================================

    ``score`` holds all that ``model.score`` uses and gives what it gives, to rounding: within
    1e-5 of the score, or of the largest where scores pass through zero (energies do); within
    1e-3 with ``solver_dtype="float32"``, whose low-rank step does not converge. What else it
    depends on is a matter of the scoring:

    * ``scoring="residual"`` (presets ``paper`` and ``release``) runs the low-rank step on the
      pixels it is given. Its nuclear norm couples them, so a pixel's score depends on the batch:
      send all pixels of a scene at once to get the scores of the scene. Halves of a scene get
      other scores and another order of their pixels; a pixel sent alone scores far too high.
    * ``scoring="energy"`` (preset ``robust``) with a neighbourhood, fitted on an image, takes an
      image ``[H, W, L]`` and returns ``[H, W]``. A pixel depends on its neighbours alone.
      Fitted on a table, or without a neighbourhood, it takes ``[N, L]``, every pixel alone.
    * With evidence (preset ``robust``), fitted on an image, ``score`` takes an image ``[H, W, L]``
      and returns ``[H, W]``, as each output of ``evidence``. A pixel depends on the image, which
      is to be sent whole; it is compared with the background of the scene of ``fit``. Fitted on
      a table, both take ``[N, L]``, every pixel alone.

    ``score`` refuses NaN and infinity with an InvalidArgumentError, because one such pixel would
    spoil the scores of others. Bands that do not enter the network may hold anything.

    float32 is what the endpoints take: data whose bands lie so far from zero that float32
    rounds their spread away scores differently from ``model.score`` of the original.

    Args:
        call: forward pass of the model.
        scoring: scoring of the model.
        settings: settings of the model.
        bands: L, number of bands of the sensor.
        used: ``[L]`` bool, bands that enter the network; None for all.
    """
    s = settings

    def encode(pixels: tf.Tensor) -> tf.Tensor:
        width = s.members * s.latent_units
        return in_chunks(lambda part: call(part)["latent"], pixels, width)

    def reconstruct(pixels: tf.Tensor) -> tf.Tensor:
        return in_chunks(lambda part: call(part)["reconstruction"], pixels, bands)

    def responsibilities(pixels: tf.Tensor) -> tf.Tensor:
        width = s.members * s.components
        return in_chunks(lambda part: call(part)["assignments"], pixels, width)

    # Both read state, which is possible outside the graph only.
    needs_image, score_in_graph = scoring.needs_image, scoring.in_graph(encode)

    def on_grid(pixels: tf.Tensor, function: Callable[..., Any]) -> Any:
        """Apply a function of a table and its grid; its rows in the shape of the pixels."""
        seen = pixels if used is None else tf.gather(pixels, np.flatnonzero(used), axis=-1)
        check = tf.debugging.check_numerics(
            seen, "the pixels hold NaN or infinity; expected finite numbers"
        )
        with tf.control_dependencies([check]):
            pixels = tf.identity(pixels)
        shape = tf.shape(pixels)[:-1]
        table = tf.reshape(pixels, [-1, bands])
        grid = (shape[0], shape[1]) if needs_image else (shape[0],)
        return tf.nest.map_structure(
            lambda rows: tf.reshape(tf.cast(rows, tf.float32), shape), function(table, grid)
        )

    def score(pixels: tf.Tensor) -> tf.Tensor:
        return on_grid(pixels, score_in_graph)

    of_table = [tf.TensorSpec((None, bands), tf.float32, name="pixels")]
    of_image = [tf.TensorSpec((None, None, bands), tf.float32, name="pixels")]
    endpoints = {
        "score": Endpoint(score, of_image if needs_image else of_table),
        "encode": Endpoint(encode, of_table),
        "reconstruct": Endpoint(reconstruct, of_table),
        "responsibilities": Endpoint(responsibilities, of_table),
    }
    if isinstance(scoring, EvidenceScoring):
        weighed = scoring.weighed_in_graph(encode)

        def evidence(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
            return on_grid(pixels, lambda *given: weighed(*given).evidence)

        endpoints["evidence"] = endpoints["score"]._replace(function=evidence)
    return endpoints
