"""Methods of ``keras.Model`` on images, scenes and files: predict, evaluate, compile, weights.

`LREN` inherits from this class first. What the methods do not take is refused by
:mod:`lren_tf.model.keras_arguments`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from lren_tf.data.scene import Scene
from lren_tf.errors import InputError
from lren_tf.evaluation import metrics
from lren_tf.io import load_scene
from lren_tf.model.forward_pass import CHUNK
from lren_tf.model.inputs import as_model_input, input_of_sensor
from lren_tf.model.keras_arguments import (
    callback_list,
    check_arguments,
    refused_method,
)
from lren_tf.model.network import LAYERS
from lren_tf.model.results import Results
from lren_tf.training.optimizer import make_optimizer
from lren_tf.validators import whole

_STATES = ("scaler_state", "atom_state", "background_state", "evidence_state")
_BANDS_USED = "bands_used"


class KerasMethods(Results):
    """A network and its results with the methods of ``keras.Model`` that batches do not fit."""

    def compile(
        self,
        optimizer: Any = None,
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        **options: Any,
    ) -> None:
        """Choose the optimiser of the training; without this call `fit` takes the preset's.

        Args:
            optimizer: Keras optimiser or its name; None for that of the settings.
            loss, loss_weights, metrics, weighted_metrics: refused, since the loss is eq. (2).
            **options: ``run_eagerly``, ``steps_per_execution``, ``jit_compile``,
                ``auto_scale_loss``, as for ``keras.Model.compile``.

        Raises:
            InputError: an argument that has no meaning here.
        """
        check_arguments(
            "compile",
            {
                "loss": loss,
                "loss_weights": loss_weights,
                "metrics": metrics,
                "weighted_metrics": weighted_metrics,
            },
        )
        if "steps_per_execution" in options:
            steps = whole("steps_per_execution", options["steps_per_execution"], 1)
            options["steps_per_execution"] = steps
        super().compile(optimizer or make_optimizer(self.settings), **options)

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile a loaded model as it was, so that its training can go on."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.built:
            self.optimizer.build(self.trainable_variables)

    # --- outputs of the network ----------------------------------------------------------

    def __call__(self, pixels: Any, *args: Any, **options: Any) -> Any:
        """Pass pixels through the network: see ``call``.

        Args:
            pixels: as for ``call``; also a :class:`Scene`, a path or a masked array, whose pixels
                without data give NaN.
            *args, **options: as for ``keras.Model``.

        Raises:
            InputError: no training has begun, or the pixels are not numbers of as many bands.
        """
        symbolic = isinstance(pixels, keras.KerasTensor) or not tf.executing_eagerly()
        if not symbolic:
            self._require_training()
            pixels = _as_array(pixels)
        _check_pixels(pixels, self._bands)
        return super().__call__(pixels, *args, **options)

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: str | int = "auto",
        steps: int | None = None,
        callbacks: Any = None,
        *,
        key: str | None = None,
    ) -> dict[str, np.ndarray]:
        """Return what ``call`` returns, as NumPy arrays, for all pixels of a scene.

        Standardisation is computed in float64, whatever the precision of `x`.

        Args:
            x: data as in ``fit``, of the same sensor; or whatever batches of pixels
                ``keras.Model.predict`` takes, such as a ``tf.data.Dataset``.
            batch_size: pixels at a time; None for 65536.
            verbose, callbacks: as for ``keras.Model.predict``.
            steps: refused.
            key: variable of the cube in a file with several.

        Returns:
            Outputs of ``call`` by name: ``[H, W, ...]`` of a cube, ``[N, ...]`` of a table, NaN in
            pixels that a scene marks as no-data.

        Raises:
            InputError: no training has begun, or the data cannot be used.
        """
        check_arguments("predict", {"steps": steps})
        self._require_training()
        told = callback_list(callbacks)
        if _is_batched(x):
            return super().predict(x, batch_size=batch_size, verbose=verbose, callbacks=told)
        data = input_of_sensor(
            x, key, self._band_count, self._used_bands(), self._wavelengths
        )
        size = CHUNK if batch_size is None else whole("batch_size", batch_size, 1)

        def batches() -> Iterator[np.ndarray]:
            for start in range(0, len(data.pixels), size):
                yield data.pixels[start : start + size].astype(np.float64)

        kind = tf.TensorSpec((None, self._bands), tf.float64)
        dataset = tf.data.Dataset.from_generator(batches, output_signature=kind).apply(
            tf.data.experimental.assert_cardinality(-(-len(data.pixels) // size))
        )
        outputs = super().predict(dataset, verbose=verbose, callbacks=told)
        return {
            name: data.spread(rows).reshape(*data.grid, rows.shape[1])
            for name, rows in outputs.items()
        }

    def predict_on_batch(self, x: Any) -> dict[str, np.ndarray]:
        """Return what ``call`` returns, as NumPy arrays.

        Args:
            x: as for calling the model.
        """
        self._require_training()
        pixels = _as_array(x)
        _check_pixels(pixels, self._bands)
        return super().predict_on_batch(tf.convert_to_tensor(pixels))

    def evaluate(
        self,
        x: Any,
        y: Any = None,
        batch_size: Any = None,
        verbose: str | int = "auto",
        sample_weight: Any = None,
        steps: Any = None,
        callbacks: Any = None,
        return_dict: bool = True,
        *,
        key: str | None = None,
    ) -> dict[str, float | None] | list[float | None]:
        """Score a scene and compare the scores with its ground truth.

        Args:
            x: data as in ``fit``, of the same sensor.
            y: ground truth ``[H, W]`` of a cube or ``[N]`` of a table, other than 0 on anomalies;
                None for that of the scene.
            batch_size, sample_weight, steps, callbacks: refused.
            verbose: 1 or 2 prints the measures in one line; ``"auto"`` and 0 print nothing.
            return_dict: False for a list of the values alone.
            key: variable of the cube in a file with several.

        Returns:
            The measures of :func:`lren_tf.metrics.evaluate` by name, first the area
            AUC(Pd,Pf), ``auc_pd_pf``.

        Raises:
            InputError: as ``score``; there is no ground truth, or it does not fit the scores.
        """
        check_arguments(
            "evaluate",
            {
                "batch_size": batch_size,
                "sample_weight": sample_weight,
                "steps": steps,
                "callbacks": callbacks,
            },
        )
        if isinstance(x, (str, os.PathLike)):
            x, key = load_scene(x, key=key), None
        truth = getattr(x, "truth", None) if y is None else y
        if truth is None:
            raise InputError(
                "evaluate was given data without ground truth; expected a scene with truth, or "
                "the truth as y: call score for scores alone."
            )
        found = metrics.evaluate(self.score(x, key=key), truth)
        if verbose not in (0, "auto"):
            print(", ".join(f"{name} {value:.6g}" for name, value in found.items()
                            if value is not None), flush=True)  # fmt: skip
        return found if return_dict else list(found.values())

    def train_on_batch(self, *args: Any, **options: Any) -> Any:
        """Refuse: a batch has no scene."""
        raise refused_method("train_on_batch")

    def test_on_batch(self, *args: Any, **options: Any) -> Any:
        """Refuse: a batch has no scene."""
        raise refused_method("test_on_batch")

    def quantize(self, *args: Any, **options: Any) -> Any:
        """Refuse: the arithmetic is float32."""
        raise refused_method("quantize")

    # --- weights alone -------------------------------------------------------------------

    def save_own_variables(self, store: Any) -> None:
        """Store which bands the network uses, which the shapes of its weights follow from."""
        super().save_own_variables(store)
        if self._bands is not None:
            used = self._used_list
            marked = np.isin(np.arange(self._bands), used) if used is not None else True
            store[_BANDS_USED] = np.broadcast_to(marked, self._bands).astype(np.uint8)

    def load_own_variables(self, store: Any) -> None:
        """Create the network for the bands of stored weights, if it is not made for them yet."""
        super().load_own_variables({k: store[k] for k in store.keys() if k != _BANDS_USED})  # noqa: SIM118
        if _BANDS_USED not in store.keys():  # noqa: SIM118
            return
        marked = np.asarray(store[_BANDS_USED]) > 0
        bands, listed = len(marked), np.flatnonzero(marked).tolist()
        used = None if len(listed) == bands else listed
        if self._bands is None:
            self.create(bands, used)
        elif self._bands == bands and self._used_list is None and used is not None:
            # `build` was told the number of bands, and cannot know which of them are used.
            self._remove_network()
            self.create(bands, used)

    def save(self, filepath: str | os.PathLike[str], **options: Any) -> None:
        """Write the model to a file that ``keras.models.load_model`` reads.

        Args:
            filepath: file ``*.keras``.
            **options: ``overwrite`` and ``zipped``, as for ``keras.Model.save``.

        Raises:
            InputError: the name ends otherwise. Keras would write ``.h5``, its format of before,
                and not read it again.
        """
        if not os.fspath(filepath).endswith(".keras"):
            raise InputError(
                f"filepath is {os.fspath(filepath)!r}; expected a name that ends in .keras, the "
                "only format that keeps all of the model: rename it, or call export for a "
                "SavedModel."
            )
        super().save(filepath, **options)

    def load_weights(self, filepath: Any, skip_mismatch: bool = False, **options: Any) -> None:
        """Load weights that ``save_weights`` or a ``ModelCheckpoint`` wrote.

        The model need not be built: the file says which bands the network uses. Weights written
        in the middle of a training have no dictionary yet: see ``rebuild``.

        Args:
            filepath: file ``*.weights.h5``, ``*.weights.json`` or ``*.keras``.
            skip_mismatch, **options: as for ``keras.Model.load_weights``.

        Raises:
            InputError: the file holds the weights of another model, or none.
            OSError: the file cannot be read.
        """
        self.built = True  # Keras refuses a model without layers before it looks at the file
        try:
            super().load_weights(filepath, skip_mismatch=skip_mismatch, **options)
        except (ValueError, KeyError) as error:
            raise InputError(
                f"{os.fspath(filepath)} cannot be loaded into this model "
                f"({' '.join(str(error).split())[:300]}); expected weights that save_weights wrote "
                "of a model with the same settings and bands."
            ) from error
        finally:
            self.built = self._bands is not None

    def _remove_network(self) -> None:
        """Remove layers and state, which nothing has trained."""
        self._tracker.unlock()  # `build` has locked it against further layers
        for name in (*LAYERS, *_STATES):
            layer = getattr(self, name, None)
            if layer is not None:
                self._tracker.untrack(layer)
                delattr(self, name)


def _as_array(x: Any) -> Any:
    """Pixels as an array that Keras takes, NaN where there is no data; tensors as they are."""
    if isinstance(x, (list, tuple)):
        return np.asarray(x)
    if not isinstance(x, (np.ma.MaskedArray, Scene, str, os.PathLike)):
        return x
    data = as_model_input(x)
    rows = data.spread(data.pixels[:].astype(np.float64))
    return rows.reshape(*data.grid, rows.shape[1])


def _check_pixels(pixels: Any, bands: int | None) -> None:
    """Refuse what is no array or tensor ``[..., L]`` of numbers, where its shape is known."""
    shape: Any = getattr(pixels, "shape", ())
    if isinstance(shape, tf.TensorShape) and shape.rank is None:
        return
    kind = getattr(pixels, "dtype", type(pixels))
    kind = getattr(kind, "name", str(kind))
    if len(shape) < 2 or not kind.startswith(("int", "uint", "float", "bfloat")):
        raise InputError(
            f"the pixels have shape {tuple(shape)} and dtype {kind}; expected numbers as samples × "
            "bands or rows × columns × bands."
        )
    if bands is not None and shape[-1] not in (None, bands):
        raise InputError(
            f"the data has {shape[-1]} bands; the model was made for {bands}: pass a scene of the "
            "same sensor, or make a new model."
        )


def _is_batched(x: Any) -> bool:
    """Return whether Keras knows how to take batches from an object, which is no array."""
    return isinstance(x, (tf.data.Dataset, keras.utils.PyDataset)) or hasattr(x, "__next__")
