"""The exact step on a batch that is never held as a whole.

The density couples all pixels, but only through three sums over them, S0ₖ = Σβᵢₖ,
S1ₖ = Σβᵢₖzᵢ and S2ₖ = Σβᵢₖzᵢzᵢᵀ (:class:`lren_tf.mixture.Moments`). So a step on any number of
pixels needs the activations of a chunk of them at a time:

1. every chunk through the encoder; its latent samples are kept, nine numbers a pixel;
2. the moments of the latent samples, added up, and from them the mixture;
3. the energies under that mixture, and the adjoints of its statistics, added up; from these
   and the penalty the adjoints of the moments;
4. every chunk through the whole network again and back. What its pixels have to do with the
   density is then a sum over pixels of its own: their energies under a mixture that stands
   still, plus the moments times their adjoints. Its gradient is the gradient of the whole.

The result is that of :func:`lren_tf.steps.joint_losses` on the batch, to rounding. The price is
the encoder's way forward, made twice. Whatever is "added up" may be spread over several devices
and machines: nothing else passes between them (:mod:`lren_tf.workers`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from lren_tf.backprop import latent_samples, loss_gradients
from lren_tf.feed import AlignedRows, row_chunks
from lren_tf.mixture import (
    Mixture,
    Moments,
    covariance_penalty,
    mixture_energy,
    mixture_moments,
    mixture_of,
)
from lren_tf.steps import (
    Losses,
    Network,
    Terms,
    frozen_pass,
    mapping_losses,
    step_together,
    weighted,
)
from lren_tf.workers import Workers

CHUNK = 4096
"""Pixels whose activations are held at a time: 6.4 MB a layer of 400 units. Longer ones are no
faster, shorter ones are."""


_GRAPHS = (
    "_latent", "_frozen", "_sums", "_moments", "_made", "_energy", "_adjoints", "_back",
    "_estimator", "_mapping_part", "_finish",
)  # fmt: skip
"""Methods that are compiled."""


class BoundedStep:
    """Steps on batches of rows that are read a chunk at a time.

    Args:
        networks: gives the networks of all members, with the values of their variables.
        optimizer: moves them.
        rows: the pixels that this process can read.
        batches: of every step, the rows of the whole batch.
        workers: who shares the work.
        chunk: pixels at a time.
    """

    def __init__(
        self,
        networks: Callable[[], list[Network]],
        optimizer: keras.optimizers.Optimizer,
        rows: AlignedRows,
        batches: Sequence[np.ndarray],
        workers: Workers,
        chunk: int,
    ) -> None:
        self._networks = networks
        self._optimizer = optimizer
        self._rows = rows
        self._workers = workers
        self._sizes = [len(batch) for batch in batches]
        # Of every batch, for every replica of this process, the rows of its chunks.
        self._chunks = [row_chunks(workers.shares(batch), chunk) for batch in batches]
        self._kinds = {
            "joint": self._joint,
            "mapping": self._mapping,
            "density": self._density,
        }
        for name in _GRAPHS:
            setattr(self, name, tf.function(getattr(self, name)))

    def __len__(self) -> int:
        """Steps of an epoch."""
        return len(self._sizes)

    def step(self, number: int, kind: str) -> tuple[tf.Tensor, Terms, int]:
        """One step on a batch.

        Args:
            number: which batch.
            kind: ``"joint"``, or of a training in two parts ``"mapping"`` or ``"density"``.

        Returns:
            Fault and terms as :func:`lren_tf.steps.step_together`, and the batch's pixels.
        """
        fault, terms = self._finish(*self._kinds[kind](number))
        return fault, terms, self._sizes[number]

    # --- the three kinds of step: terms, gradients and mixtures of every member -----------

    def _joint(self, number: int) -> tuple[Any, ...]:
        n = _count(self._sizes[number])
        latent = self._over_chunks(number, self._latent)
        centres, mixtures, adjoints, density = self._mixtures(latent, n)
        sums = self._added(number, self._back, centres, mixtures, adjoints, n)
        terms = [(found, *rest) for (found, _), rest in zip(sums, density, strict=True)]
        return terms, [gradients for _, gradients in sums], mixtures

    def _mapping(self, number: int) -> tuple[Any, ...]:
        sums = self._added(number, self._mapping_part, _count(self._sizes[number]))
        return [(found, None, None) for found, _ in sums], [g for _, g in sums], [None] * len(sums)

    def _density(self, number: int) -> tuple[Any, ...]:
        n = _count(self._sizes[number])
        passed = self._over_chunks(number, self._frozen)
        latent, squares = (
            [[[member[i] for member in chunk] for chunk in replica] for replica in passed]
            for i in range(2)
        )
        centres, mixtures, adjoints, density = self._mixtures(latent, n)
        gradients = self._workers.total(
            self._workers.over(self._estimator, latent, centres, mixtures, adjoints, n)
        )
        errors = [total / tf.cast(n, total.dtype) for total in self._workers.total(squares)]
        terms = [(error, *rest) for error, rest in zip(errors, density, strict=True)]
        return terms, gradients, mixtures

    def _mixtures(self, latent: list[list[Any]], n: tf.Tensor) -> tuple[Any, ...]:
        """Centres, mixtures, adjoints of the moments, and (energy, penalty), by member."""
        workers = self._workers
        sums = workers.total(workers.over(self._sums, latent))
        centres = [total / tf.cast(n, total.dtype) for total in sums]
        moments = workers.total(workers.over(self._moments, latent, centres))
        mixtures = self._made(moments, centres, n)
        energies = workers.total(workers.over(self._energy, latent, mixtures))
        return centres, mixtures, *self._adjoints(moments, centres, n, energies)

    def _finish(
        self, terms: list[Any], gradients: list[list[tf.Tensor]], mixtures: list[Mixture | None]
    ) -> tuple[tf.Tensor, Terms]:
        found = []
        for net, term, slopes, mixture in zip(
            self._networks(), terms, gradients, mixtures, strict=True
        ):
            # The parts of a training in two parts move the variables of theirs alone.
            mapping = term[1] is None
            moved = net.variables[: len(slopes)] if mapping else net.variables[-len(slopes) :]
            error = term[0]
            energy, penalty = (
                tf.zeros([]) if t is None else tf.cast(t, error.dtype) for t in term[1:]
            )
            loss = error if mapping else error + weighted(net.settings, energy, penalty)
            found.append(Losses(Terms(loss, error, energy, penalty), slopes, moved, mixture))
        return step_together(self._optimizer, self._networks()[0].settings, found)

    # --- what is done with moments, for every member ------------------------------------------

    def _made(
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
        """Adjoints of the moments in the density's loss, and mean energy and penalty.

        Args:
            moments: of the batch.
            centres: about which they are.
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
            found = tape.gradient(
                loss, list(each), unconnected_gradients=tf.UnconnectedGradients.ZERO
            )
            adjoints.append(Moments(*found))
            terms.append((energy / count, penalty))
        return adjoints, terms

    # --- what is done with a chunk, for every member --------------------------------------

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
            mixture_moments(z, net.assignments(z), centre)
            for net, z, centre in zip(self._networks(), latent, centres, strict=True)
        ]

    def _energy(
        self, latent: list[tf.Tensor], mixtures: list[Mixture]
    ) -> list[tuple[tf.Tensor, list[tf.Tensor]]]:
        found = []
        for net, z, mixture in zip(self._networks(), latent, mixtures, strict=True):
            with tf.GradientTape() as tape:
                tape.watch(mixture[:3])
                energy = tf.reduce_sum(_energies(net, z, mixture))
            found.append((energy, tape.gradient(energy, list(mixture[:3]))))
        return found

    def _back(
        self,
        x: tf.Tensor,
        centres: list[tf.Tensor],
        mixtures: list[Mixture],
        adjoints: list[Moments],
        n: tf.Tensor,
    ) -> list[tuple[tf.Tensor, list[tf.Tensor]]]:
        found = []
        for net, *what in zip(self._networks(), centres, mixtures, adjoints, strict=True):
            result = loss_gradients(
                x,
                net.autoencoder,
                lambda z, net=net, what=what: (_share(net, z, *what, n), None),
                net.estimator,
                tanh_latent=net.tanh_latent,
                count=tf.cast(n, x.dtype),
            )
            found.append((result.reconstruction, [*result.autoencoder, *result.estimator]))
        return found

    def _estimator(
        self,
        latent: list[tf.Tensor],
        centres: list[tf.Tensor],
        mixtures: list[Mixture],
        adjoints: list[Moments],
        n: tf.Tensor,
    ) -> list[list[tf.Tensor]]:
        found = []
        for net, z, *what in zip(
            self._networks(), latent, centres, mixtures, adjoints, strict=True
        ):
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(net.estimator)
                share = _share(net, z, *what, n)
            found.append(tape.gradient(share, net.estimator))
        return found

    def _mapping_part(
        self, x: tf.Tensor, n: tf.Tensor
    ) -> list[tuple[tf.Tensor, list[tf.Tensor]]]:
        found = [mapping_losses(net, x, tf.cast(n, x.dtype)) for net in self._networks()]
        return [(each.terms.loss, each.gradients) for each in found]

    # --- over chunks and workers -----------------------------------------------------------

    def _over_chunks(self, number: int, function: Any, *common: Any) -> list[list[Any]]:
        """Results for every chunk of a batch, by replica of this process."""
        results: list[list[Any]] = [[] for _ in self._chunks[number]]
        for found in self._each(number, function, *common):
            for of_replica, result in zip(results, found, strict=True):
                of_replica.append(result)
        return results

    def _added(self, number: int, function: Any, *common: Any) -> Any:
        """Sum of the results over all chunks of a batch, everywhere."""
        sums: list[Any] = []
        for found in self._each(number, function, *common):
            sums = [
                tf.nest.map_structure(tf.add, a, b) for a, b in zip(sums, found, strict=True)
            ] if sums else list(found)  # fmt: skip
        return self._workers.total([[each] for each in sums])

    def _each(self, number: int, function: Any, *common: Any):
        readers = [self._rows.chunks(parts) for parts in self._chunks[number]]
        for chunks in zip(*readers, strict=True):
            yield self._workers.run(function, chunks, *common)


def _count(n: int) -> tf.Tensor:
    return tf.constant(n, tf.float64)  # cast where it is used, exact below 2⁵³


def _energies(network: Network, z: tf.Tensor, mixture: Mixture) -> tf.Tensor:
    return mixture_energy(z, mixture, covariance_floor=network.settings.covariance_floor)


def _share(
    network: Network,
    z: tf.Tensor,
    centre: tf.Tensor,
    mixture: Mixture,
    adjoints: Moments,
    n: tf.Tensor,
) -> tf.Tensor:
    """What these pixels have to do with the density's loss, up to a constant."""
    moments = mixture_moments(z, network.assignments(z), centre)
    energy = tf.reduce_sum(_energies(network, z, mixture))
    weight = network.settings.energy_weight / tf.cast(n, energy.dtype)
    return tf.cast(weight * energy + _product(adjoints, moments), z.dtype)


def _product(these: Sequence[tf.Tensor], those: Sequence[tf.Tensor]) -> tf.Tensor:
    """Sum of the products of all entries."""
    return tf.add_n([tf.reduce_sum(a * b) for a, b in zip(these, those, strict=True)])
