"""An exact full-batch step in bounded memory, a chunk of pixels at a time.

The density couples all pixels, but only through three sums over them, S0ₖ = Σβᵢₖ,
S1ₖ = Σβᵢₖzᵢ and S2ₖ = Σβᵢₖzᵢzᵢᵀ (:class:`lren_tf.latent.mixture.Moments`). So a step on any
number of pixels needs the activations of one chunk at a time:

1. pass every chunk through the encoder and keep its latent samples, nine numbers a pixel;
2. sum the moments of the latent samples, and compute the mixture from them;
3. compute the energies under that mixture and their adjoints. Those of the mixture's statistics
   are summed; they and the penalty give the adjoints of the moments. Those of the latent samples,
   with the mixture held fixed, are kept, nine numbers a pixel again;
4. pass every chunk through the whole network, forward and back. The density term of its pixels
   is now linear: the latent samples times their adjoints, plus the moments times theirs. Its
   gradient is that of the whole batch.

The result is that of :func:`lren_tf.training.losses.joint_losses` on the batch, to rounding. The
price is a second forward pass of the encoder. The sums may run over several devices and
machines, which exchange nothing else (:mod:`lren_tf.runtime.workers`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from lren_tf.latent.mixture import (
    Mixture,
    Moments,
    covariance_penalty,
    mixture_energy,
    mixture_moments,
    mixture_of,
)
from lren_tf.runtime.workers import Workers
from lren_tf.training.batches import split_into_chunks
from lren_tf.training.losses import (
    Losses,
    Network,
    Terms,
    apply_update,
    frozen_pass,
    mapping_losses,
    weighted,
)
from lren_tf.training.pixel_reader import AlignedPixels, ChunkCache

CHUNK = 16384
"""Pixels whose activations are in memory at a time: 26 MB a layer of 400 units, in the eight
slices that ``backprop`` works on. Longer chunks are no faster; with chunks of 4096 pixels an epoch
took a fifth longer."""


class ChunkedStep:
    """Steps on batches whose pixels are read a chunk at a time.

    Args:
        network: returns the networks of the model, with the values of their variables.
        optimizer: built for the variables of all networks.
        pixels: pixels that this process can read.
        batches: for every step, the indices of the whole batch.
        workers: processes and devices that share the work.
        chunk: pixels in a chunk.
        keep: whether to keep all chunks in memory after the first reading.
    """

    def __init__(
        self,
        network: Callable[[], Network],
        optimizer: keras.optimizers.Optimizer,
        pixels: AlignedPixels,
        batches: Sequence[np.ndarray],
        workers: Workers,
        chunk: int,
        keep: bool = False,
    ) -> None:
        self._network = network
        self._optimizer = optimizer
        self._workers = workers
        self._sizes = [len(batch) for batch in batches]
        # Chunks by batch and by replica of this process.
        self._chunks = [
            [
                ChunkCache(pixels, parts, keep)
                for parts in split_into_chunks(workers.shares(batch), chunk)
            ]
            for batch in batches
        ]
        self._kinds = {
            "joint": self._joint,
            "mapping": self._mapping,
            "density": self._density,
        }
        # Graphs, one a step needs. Those of moments and of the update:
        self._mixture_graph = tf.function(self._mixture)
        self._adjoints_graph = tf.function(self._adjoints)
        self._update_graph = tf.function(self._update)
        # Those of a chunk:
        self._latent_graph = tf.function(self._latent)
        self._frozen_graph = tf.function(self._frozen)
        self._sums_graph = tf.function(self._sums)
        self._moments_graph = tf.function(self._moments)
        self._energy_graph = tf.function(self._energy)
        self._backward_graph = tf.function(self._backward)
        self._estimator_graph = tf.function(self._estimator)
        self._mapping_graph = tf.function(self._mapping_of_chunk)

    def __len__(self) -> int:
        """Steps of an epoch."""
        return len(self._sizes)

    def close(self) -> None:
        """Free the memory of the chunks; no step can follow.

        A compiled method and its object refer to each other, so the garbage collector would free
        it much later.
        """
        self._chunks.clear()

    def step(self, number: int, kind: str) -> tuple[tf.Tensor, Terms, int]:
        """Take one step on a batch.

        Args:
            number: index of the batch.
            kind: ``"joint"``, or ``"mapping"`` or ``"density"`` in a separate training.

        Returns:
            Fault and terms as from :func:`lren_tf.training.losses.apply_update`, and the number of
            pixels in the batch.
        """
        fault, terms = self._update_graph(*self.gradients(number, kind))
        return fault, terms, self._sizes[number]

    def gradients(self, number: int, kind: str) -> tuple[Any, ...]:
        """Return terms, gradients and mixture of a batch; nothing moves.

        Args:
            number, kind: as for :meth:`step`.

        Returns:
            (reconstruction, energy, penalty), the last two None where they are not computed;
            gradients; mixture, or None.
        """
        return self._kinds[kind](number)

    # --- the three kinds of step ----------------------------------------------------------

    def _joint(self, number: int) -> tuple[Any, ...]:
        n = _count(self._sizes[number])
        latent = self._over_chunks(self._chunks[number], self._latent_graph)
        centre, mixture, adjoints, density, pulls = self._density_of_batch(latent, n)
        chunks = self._chunks_with(number, pulls)
        error, gradients = self._summed(chunks, self._backward_graph, centre, adjoints, n)
        return (error, *density), gradients, mixture

    def _mapping(self, number: int) -> tuple[Any, ...]:
        n = _count(self._sizes[number])
        error, gradients = self._summed(self._chunks[number], self._mapping_graph, n)
        return (error, None, None), gradients, None

    def _density(self, number: int) -> tuple[Any, ...]:
        n = _count(self._sizes[number])
        passed = self._over_chunks(self._chunks[number], self._frozen_graph)
        latent, errors = _transposed(passed, 2)
        centre, mixture, adjoints, density, _ = self._density_of_batch(latent, n)
        gradients = self._workers.total(
            self._workers.over(self._estimator_graph, latent, centre, adjoints)
        )
        total = self._workers.total(errors)
        return (total / tf.cast(n, total.dtype), *density), gradients, mixture

    def _density_of_batch(self, latent: list[list[tf.Tensor]], n: tf.Tensor) -> tuple[Any, ...]:
        """Compute the density terms of a batch and their adjoints.

        Args:
            latent: latent samples by replica of this process and chunk.
            n: pixels of the batch.

        Returns:
            Centre, mixture, adjoints of the moments, and (energy, penalty); adjoints of the latent
            samples, nested as those are.
        """
        workers = self._workers
        total = workers.total(workers.over(self._sums_graph, latent))
        centre = total / tf.cast(n, total.dtype)
        moments = workers.total(workers.over(self._moments_graph, latent, centre))
        mixture = self._mixture_graph(moments, centre, n)
        slopes, pulls = _transposed(workers.over(self._energy_graph, latent, mixture, n), 2)
        energy = workers.total(slopes)
        return centre, mixture, *self._adjoints_graph(moments, centre, n, energy), pulls

    def _update(
        self, terms: tuple[Any, ...], gradients: list[tf.Tensor], mixture: Mixture | None
    ) -> tuple[tf.Tensor, Terms]:
        net = self._network()
        # The phases of a separate training move their own variables alone.
        mapping = terms[1] is None
        count = len(gradients)
        moved = net.variables[:count] if mapping else net.variables[-count:]
        error = terms[0]
        energy, penalty = (
            tf.zeros([]) if t is None else tf.cast(t, error.dtype) for t in terms[1:]
        )
        loss = error if mapping else error + weighted(net.settings, energy, penalty)
        losses = Losses(Terms(loss, error, energy, penalty), gradients, moved, mixture)
        return apply_update(self._optimizer, net.settings, losses)

    # --- from the moments ------------------------------------------------------------------

    def _mixture(self, moments: Moments, centre: tf.Tensor, n: tf.Tensor) -> Mixture:
        return mixture_of(moments, centre, n, empty_mass=self._network().settings.empty_mass)

    def _adjoints(
        self,
        moments: Moments,
        centre: tf.Tensor,
        n: tf.Tensor,
        energies: tuple[tf.Tensor, list[tf.Tensor]],
    ) -> tuple[Moments, tuple[tf.Tensor, tf.Tensor]]:
        """Return adjoints of the moments in the density term, and (mean energy, penalty).

        Args:
            moments: moments of the batch.
            centre: centre that the moments refer to.
            n: pixels of the batch.
            energies: sum of the energies, and its adjoints by φ, μ and Γ.
        """
        s, count = self._network().settings, tf.cast(n, centre.dtype)
        energy, slopes = energies
        with tf.GradientTape() as tape:
            tape.watch(moments)
            mixture = mixture_of(moments, centre, n, empty_mass=s.empty_mass)
            penalty = tf.zeros([], centre.dtype)
            if s.covariance_penalty > 0:
                penalty = tf.reduce_sum(covariance_penalty(mixture, s.covariance_floor))
            loss = weighted(s, _product(slopes, mixture[:3]) / count, penalty)
        slopes = tape.gradient(
            loss, list(moments), unconnected_gradients=tf.UnconnectedGradients.ZERO
        )
        return Moments(*slopes), (energy / (count * s.members), penalty / s.members)

    # --- on a chunk -------------------------------------------------------------------------

    def _latent(self, x: tf.Tensor) -> tf.Tensor:
        return self._network().latent_samples(x)

    def _frozen(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        net = self._network()
        z, squares = frozen_pass(net, x)
        return z, tf.reduce_sum(squares) / net.settings.members

    def _sums(self, z: tf.Tensor) -> tf.Tensor:
        wide = self._network().settings.mixture_dtype
        return tf.reduce_sum(tf.cast(z, wide), axis=-2)

    def _moments(self, z: tf.Tensor, centre: tf.Tensor) -> Moments:
        return mixture_moments(z, self._network().responsibilities(z), centre)

    def _energy(
        self, z: tf.Tensor, mixture: Mixture, n: tf.Tensor
    ) -> tuple[tuple[tf.Tensor, list[tf.Tensor]], tf.Tensor]:
        """Sum of the energies with its adjoints by φ, μ and Γ; adjoints of the latent samples."""
        s = self._network().settings
        with tf.GradientTape() as tape:
            tape.watch([z, *mixture[:3]])
            energies = mixture_energy(z, mixture, covariance_floor=s.covariance_floor)
            energy = tf.reduce_sum(energies)
        pull, *slopes = tape.gradient(energy, [z, *mixture[:3]])
        weight = s.energy_weight / tf.cast(n, pull.dtype)
        return (energy, slopes), weight * pull

    def _backward(
        self,
        chunk: tuple[tf.Tensor, tf.Tensor],
        centre: tf.Tensor,
        adjoints: Moments,
        n: tf.Tensor,
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        x, pull = chunk
        net = self._network()
        result = net.loss_gradients(
            x,
            lambda z: (tf.reduce_sum(pull * z) + _moment_term(net, z, centre, adjoints), None),
            net.estimator,
            tf.cast(n, x.dtype),
        )
        return result.reconstruction, [*result.autoencoder, *result.estimator]

    def _estimator(self, z: tf.Tensor, centre: tf.Tensor, adjoints: Moments) -> list[tf.Tensor]:
        net = self._network()
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(net.estimator)
            term = _moment_term(net, z, centre, adjoints)
        return tape.gradient(term, net.estimator)

    def _mapping_of_chunk(
        self, x: tf.Tensor, n: tf.Tensor
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        losses = mapping_losses(self._network(), x, tf.cast(n, x.dtype))
        return losses.terms.loss, losses.gradients

    # --- over chunks and workers -----------------------------------------------------------

    def _chunks_with(self, number: int, others: list[list[Any]]) -> list[Iterable[Any]]:
        """Pair the chunks of a batch with `others`, both by replica of this process."""
        return [zip(*pair, strict=True) for pair in zip(self._chunks[number], others, strict=True)]

    def _over_chunks(
        self, chunks: Sequence[Iterable[Any]], function: Any, *common: Any
    ) -> list[list[Any]]:
        """Return the results for every chunk, by replica of this process."""
        by_replica: list[list[Any]] = [[] for _ in chunks]
        for results in self._each(chunks, function, *common):
            for of_replica, result in zip(by_replica, results, strict=True):
                of_replica.append(result)
        return by_replica

    def _summed(self, chunks: Sequence[Iterable[Any]], function: Any, *common: Any) -> Any:
        """Return the sum of the results over all chunks of all replicas and processes."""
        sums: list[Any] = []
        for results in self._each(chunks, function, *common):
            sums = [
                tf.nest.map_structure(tf.add, a, b) for a, b in zip(sums, results, strict=True)
            ] if sums else list(results)  # fmt: skip
        return self._workers.total([[each] for each in sums])

    def _each(
        self, chunks: Sequence[Iterable[Any]], function: Any, *common: Any
    ) -> Iterator[list[Any]]:
        for inputs in zip(*chunks, strict=True):
            yield self._workers.run(function, inputs, *common)


def _count(n: int) -> tf.Tensor:
    return tf.constant(n, tf.float64)  # cast where it is used, exact below 2⁵³


def _moment_term(
    network: Network, z: tf.Tensor, centre: tf.Tensor, adjoints: Moments
) -> tf.Tensor:
    """Return the density term of these pixels through the moments, up to a constant."""
    moments = mixture_moments(z, network.responsibilities(z), centre)
    return tf.cast(_product(adjoints, moments), z.dtype)


def _product(these: Sequence[tf.Tensor], those: Sequence[tf.Tensor]) -> tf.Tensor:
    """Return the sum of the products of all entries."""
    return tf.add_n([tf.reduce_sum(a * b) for a, b in zip(these, those, strict=True)])


def _transposed(by_replica: list[list[Any]], width: int) -> tuple[list[list[Any]], ...]:
    """Split results that are tuples: one nested list per tuple position."""
    return tuple(
        [[chunk[i] for chunk in replica] for replica in by_replica] for i in range(width)
    )
