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
from lren_tf.training.backprop import latent_samples, loss_gradients
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
        networks: returns the networks of all members, with the values of their variables.
        optimizer: built for the variables of all networks.
        pixels: pixels that this process can read.
        batches: for every step, the indices of the whole batch.
        workers: processes and devices that share the work.
        chunk: pixels in a chunk.
        keep: whether to keep all chunks in memory after the first reading.
    """

    def __init__(
        self,
        networks: Callable[[], list[Network]],
        optimizer: keras.optimizers.Optimizer,
        pixels: AlignedPixels,
        batches: Sequence[np.ndarray],
        workers: Workers,
        chunk: int,
        keep: bool = False,
    ) -> None:
        self._networks = networks
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
        self._mixtures_graph = tf.function(self._mixtures)
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
        """Return terms, gradients and mixture of every member on a batch; nothing moves.

        Args:
            number, kind: as for :meth:`step`.

        Returns:
            Three lists by member: (reconstruction, energy, penalty), the last two None where they
            are not computed; gradients; mixture, or None.
        """
        return self._kinds[kind](number)

    # --- the three kinds of step ----------------------------------------------------------

    def _joint(self, number: int) -> tuple[Any, ...]:
        n = _count(self._sizes[number])
        latent = self._over_chunks(self._chunks[number], self._latent_graph)
        centres, mixtures, adjoints, density, pulls = self._density_of_batch(latent, n)
        chunks = self._chunks_with(number, pulls)
        sums = self._summed(chunks, self._backward_graph, centres, adjoints, n)
        terms = [(error, *rest) for (error, _), rest in zip(sums, density, strict=True)]
        return terms, [gradients for _, gradients in sums], mixtures

    def _mapping(self, number: int) -> tuple[Any, ...]:
        n = _count(self._sizes[number])
        sums = self._summed(self._chunks[number], self._mapping_graph, n)
        return [(error, None, None) for error, _ in sums], [g for _, g in sums], [None] * len(sums)

    def _density(self, number: int) -> tuple[Any, ...]:
        n = _count(self._sizes[number])
        passed = self._over_chunks(self._chunks[number], self._frozen_graph)
        latent, squares = _transposed(passed, 2)
        centres, mixtures, adjoints, density, _ = self._density_of_batch(latent, n)
        gradients = self._workers.total(
            self._workers.over(self._estimator_graph, latent, centres, adjoints)
        )
        errors = [total / tf.cast(n, total.dtype) for total in self._workers.total(squares)]
        terms = [(error, *rest) for error, rest in zip(errors, density, strict=True)]
        return terms, gradients, mixtures

    def _density_of_batch(self, latent: list[list[Any]], n: tf.Tensor) -> tuple[Any, ...]:
        """Compute the density terms of a batch and their adjoints.

        Args:
            latent: latent samples by replica of this process, chunk and member.
            n: pixels of the batch.

        Returns:
            Centres, mixtures, adjoints of the moments, and (energy, penalty), each by member;
            adjoints of the latent samples, nested as those are.
        """
        workers = self._workers
        sums = workers.total(workers.over(self._sums_graph, latent))
        centres = [total / tf.cast(n, total.dtype) for total in sums]
        moments = workers.total(workers.over(self._moments_graph, latent, centres))
        mixtures = self._mixtures_graph(moments, centres, n)
        slopes, pulls = _transposed(workers.over(self._energy_graph, latent, mixtures, n), 2)
        energies = workers.total(slopes)
        return centres, mixtures, *self._adjoints_graph(moments, centres, n, energies), pulls

    def _update(
        self, terms: list[Any], gradients: list[list[tf.Tensor]], mixtures: list[Mixture | None]
    ) -> tuple[tf.Tensor, Terms]:
        members = []
        for net, term, slopes, mixture in zip(
            self._networks(), terms, gradients, mixtures, strict=True
        ):
            # The phases of a separate training move their own variables alone.
            mapping = term[1] is None
            moved = net.variables[: len(slopes)] if mapping else net.variables[-len(slopes) :]
            error = term[0]
            energy, penalty = (
                tf.zeros([]) if t is None else tf.cast(t, error.dtype) for t in term[1:]
            )
            loss = error if mapping else error + weighted(net.settings, energy, penalty)
            members.append(Losses(Terms(loss, error, energy, penalty), slopes, moved, mixture))
        return apply_update(self._optimizer, self._networks()[0].settings, members)

    # --- from the moments, for every member --------------------------------------------------

    def _mixtures(
        self, moments: list[Moments], centres: list[tf.Tensor], n: tf.Tensor
    ) -> list[Mixture]:
        return [
            mixture_of(each, centre, n, empty_mass=net.settings.empty_mass)
            for net, each, centre in zip(self._networks(), moments, centres, strict=True)
        ]

    def _adjoints(
        self,
        moments: list[Moments],
        centres: list[tf.Tensor],
        n: tf.Tensor,
        energies: list[tuple[tf.Tensor, list[tf.Tensor]]],
    ) -> tuple[list[Moments], list[tuple[tf.Tensor, tf.Tensor]]]:
        """Return adjoints of the moments in the density term, and (mean energy, penalty).

        Args:
            moments: moments of the batch.
            centres: centres that the moments refer to.
            n: pixels of the batch.
            energies: sum of the energies, and its adjoints by φ, μ and Γ.
        """
        adjoints, terms = [], []
        for net, each, centre, (energy, slopes) in zip(
            self._networks(), moments, centres, energies, strict=True
        ):
            s, count = net.settings, tf.cast(n, centre.dtype)
            with tf.GradientTape() as tape:
                tape.watch(each)
                mixture = mixture_of(each, centre, n, empty_mass=s.empty_mass)
                penalty = tf.zeros([], centre.dtype)
                if s.covariance_penalty > 0:
                    penalty = covariance_penalty(mixture, s.covariance_floor)
                loss = weighted(s, _product(slopes, mixture[:3]) / count, penalty)
            slopes = tape.gradient(
                loss, list(each), unconnected_gradients=tf.UnconnectedGradients.ZERO
            )
            adjoints.append(Moments(*slopes))
            terms.append((energy / count, penalty))
        return adjoints, terms

    # --- on a chunk, for every member -------------------------------------------------------

    def _latent(self, x: tf.Tensor) -> list[tf.Tensor]:
        return [
            latent_samples(x, net.autoencoder, tanh_latent=net.tanh_latent)
            for net in self._networks()
        ]

    def _frozen(self, x: tf.Tensor) -> list[tuple[tf.Tensor, tf.Tensor]]:
        passed = [frozen_pass(net, x) for net in self._networks()]
        return [(z, tf.reduce_sum(squares)) for z, squares in passed]

    def _sums(self, latent: list[tf.Tensor]) -> list[tf.Tensor]:
        return [
            tf.reduce_sum(tf.cast(z, net.settings.mixture_dtype), axis=0)
            for net, z in zip(self._networks(), latent, strict=True)
        ]

    def _moments(self, latent: list[tf.Tensor], centres: list[tf.Tensor]) -> list[Moments]:
        return [
            mixture_moments(z, net.responsibilities(z), centre)
            for net, z, centre in zip(self._networks(), latent, centres, strict=True)
        ]

    def _energy(
        self, latent: list[tf.Tensor], mixtures: list[Mixture], n: tf.Tensor
    ) -> list[tuple[tuple[tf.Tensor, list[tf.Tensor]], tf.Tensor]]:
        """Sum of the energies with its adjoints by φ, μ and Γ; adjoints of the latent samples."""
        results = []
        for net, z, mixture in zip(self._networks(), latent, mixtures, strict=True):
            with tf.GradientTape() as tape:
                tape.watch([z, *mixture[:3]])
                energies = mixture_energy(
                    z, mixture, covariance_floor=net.settings.covariance_floor
                )
                energy = tf.reduce_sum(energies)
            pull, *slopes = tape.gradient(energy, [z, *mixture[:3]])
            weight = net.settings.energy_weight / tf.cast(n, pull.dtype)
            results.append(((energy, slopes), weight * pull))
        return results

    def _backward(
        self,
        chunk: tuple[tf.Tensor, list[tf.Tensor]],
        centres: list[tf.Tensor],
        adjoints: list[Moments],
        n: tf.Tensor,
    ) -> list[tuple[tf.Tensor, list[tf.Tensor]]]:
        x, pulls = chunk
        results = []
        for net, pull, *density in zip(self._networks(), pulls, centres, adjoints, strict=True):
            result = loss_gradients(
                x,
                net.autoencoder,
                lambda z, net=net, pull=pull, density=density: (
                    tf.reduce_sum(pull * z) + _moment_term(net, z, *density), None
                ),
                net.estimator,
                tanh_latent=net.tanh_latent,
                count=tf.cast(n, x.dtype),
            )
            results.append((result.reconstruction, [*result.autoencoder, *result.estimator]))
        return results

    def _estimator(
        self,
        latent: list[tf.Tensor],
        centres: list[tf.Tensor],
        adjoints: list[Moments],
    ) -> list[list[tf.Tensor]]:
        gradients = []
        for net, z, *density in zip(self._networks(), latent, centres, adjoints, strict=True):
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(net.estimator)
                term = _moment_term(net, z, *density)
            gradients.append(tape.gradient(term, net.estimator))
        return gradients

    def _mapping_of_chunk(
        self, x: tf.Tensor, n: tf.Tensor
    ) -> list[tuple[tf.Tensor, list[tf.Tensor]]]:
        members = [mapping_losses(net, x, tf.cast(n, x.dtype)) for net in self._networks()]
        return [(each.terms.loss, each.gradients) for each in members]

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
    """Split results that are tuples for every member: one nested list per tuple position."""
    return tuple(
        [[[member[i] for member in chunk] for chunk in replica] for replica in by_replica]
        for i in range(width)
    )
