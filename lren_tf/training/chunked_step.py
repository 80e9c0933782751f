"""The exact step on a batch that is never held as a whole.

The density couples all pixels, but only through three sums over them, S0ₖ = Σβᵢₖ,
S1ₖ = Σβᵢₖzᵢ and S2ₖ = Σβᵢₖzᵢzᵢᵀ (:class:`lren_tf.latent.mixture.Moments`). So a step on any number of
pixels needs the activations of a chunk of them at a time:

1. every chunk through the encoder; its latent samples are kept, nine numbers a pixel;
2. the moments of the latent samples, added up, and from them the mixture;
3. the energies under that mixture, and their adjoints: those of its statistics are added up,
   and from these and the penalty come the adjoints of the moments; those of the latent samples,
   under a mixture that stands still, are kept, nine numbers a pixel again;
4. every chunk through the whole network again and back. What its pixels have to do with the
   density is then linear: the latent samples times their adjoints, plus the moments times
   theirs. Its gradient is the gradient of the whole.

The result is that of :func:`lren_tf.training.losses.joint_losses` on the batch, to rounding. The price is
the encoder's way forward, made twice. Whatever is "added up" may be spread over several devices
and machines: nothing else passes between them (:mod:`lren_tf.runtime.workers`).
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
from lren_tf.training.losses import (
    Losses,
    Network,
    Terms,
    frozen_pass,
    mapping_losses,
    step_together,
    weighted,
)
from lren_tf.training.pixel_reader import AlignedRows, Chunks, row_chunks

CHUNK = 16384
"""Pixels whose activations are held at a time: 26 MB a layer of 400 units, in the eight slices that
``backprop`` works on. Longer ones are no faster; of 4096 pixels an epoch took a fifth longer."""


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
        keep: whether there is memory for all rows, so that they are read once.
    """

    def __init__(
        self,
        networks: Callable[[], list[Network]],
        optimizer: keras.optimizers.Optimizer,
        rows: AlignedRows,
        batches: Sequence[np.ndarray],
        workers: Workers,
        chunk: int,
        keep: bool = False,
    ) -> None:
        self._networks = networks
        self._optimizer = optimizer
        self._workers = workers
        self._sizes = [len(batch) for batch in batches]
        # Of every batch, for every replica of this process, its chunks.
        self._chunks = [
            [Chunks(rows, parts, keep) for parts in row_chunks(workers.shares(batch), chunk)]
            for batch in batches
        ]
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

    def close(self) -> None:
        """Give back the memory of the rows; no step can follow.

        A compiled method and its object hold one another, which would keep it for long.
        """
        self._chunks.clear()

    def step(self, number: int, kind: str) -> tuple[tf.Tensor, Terms, int]:
        """One step on a batch.

        Args:
            number: which batch.
            kind: ``"joint"``, or of a training in two parts ``"mapping"`` or ``"density"``.

        Returns:
            Fault and terms as :func:`lren_tf.training.losses.step_together`, and the batch's pixels.
        """
        fault, terms = self._finish(*self._kinds[kind](number))
        return fault, terms, self._sizes[number]

    # --- the three kinds of step: terms, gradients and mixtures of every member -----------

    def _joint(self, number: int) -> tuple[Any, ...]:
        n = _count(self._sizes[number])
        latent = self._over_chunks(self._chunks[number], self._latent)
        centres, mixtures, adjoints, density, pulls = self._mixtures(latent, n)
        sums = self._added(self._with(number, pulls), self._back, centres, adjoints, n)
        terms = [(found, *rest) for (found, _), rest in zip(sums, density, strict=True)]
        return terms, [gradients for _, gradients in sums], mixtures

    def _mapping(self, number: int) -> tuple[Any, ...]:
        sums = self._added(
            self._chunks[number], self._mapping_part, _count(self._sizes[number])
        )
        return [(found, None, None) for found, _ in sums], [g for _, g in sums], [None] * len(sums)

    def _density(self, number: int) -> tuple[Any, ...]:
        n = _count(self._sizes[number])
        passed = self._over_chunks(self._chunks[number], self._frozen)
        latent, squares = _columns(passed, 2)
        centres, mixtures, adjoints, density, _ = self._mixtures(latent, n)
        gradients = self._workers.total(
            self._workers.over(self._estimator, latent, centres, adjoints)
        )
        errors = [total / tf.cast(n, total.dtype) for total in self._workers.total(squares)]
        terms = [(error, *rest) for error, rest in zip(errors, density, strict=True)]
        return terms, gradients, mixtures

    def _mixtures(self, latent: list[list[Any]], n: tf.Tensor) -> tuple[Any, ...]:
        """Centres, mixtures, adjoints of the moments, (energy, penalty), all by member.

        And the adjoints of the latent samples, as those are given.
        """
        workers = self._workers
        sums = workers.total(workers.over(self._sums, latent))
        centres = [total / tf.cast(n, total.dtype) for total in sums]
        moments = workers.total(workers.over(self._moments, latent, centres))
        mixtures = self._made(moments, centres, n)
        slopes, pulls = _columns(workers.over(self._energy, latent, mixtures, n), 2)
        energies = workers.total(slopes)
        return centres, mixtures, *self._adjoints(moments, centres, n, energies), pulls

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
        self, latent: list[tf.Tensor], mixtures: list[Mixture], n: tf.Tensor
    ) -> list[tuple[tuple[tf.Tensor, list[tf.Tensor]], tf.Tensor]]:
        """Sum of the energies with its adjoints by φ, μ and Γ; adjoints of the latent samples."""
        found = []
        for net, z, mixture in zip(self._networks(), latent, mixtures, strict=True):
            with tf.GradientTape() as tape:
                tape.watch([z, *mixture[:3]])
                energies = mixture_energy(
                    z, mixture, covariance_floor=net.settings.covariance_floor
                )
                energy = tf.reduce_sum(energies)
            pull, *slopes = tape.gradient(energy, [z, *mixture[:3]])
            weight = net.settings.energy_weight / tf.cast(n, pull.dtype)
            found.append(((energy, slopes), weight * pull))
        return found

    def _back(
        self,
        chunk: tuple[tf.Tensor, list[tf.Tensor]],
        centres: list[tf.Tensor],
        adjoints: list[Moments],
        n: tf.Tensor,
    ) -> list[tuple[tf.Tensor, list[tf.Tensor]]]:
        x, pulls = chunk
        found = []
        for net, pull, *what in zip(self._networks(), pulls, centres, adjoints, strict=True):
            result = loss_gradients(
                x,
                net.autoencoder,
                lambda z, net=net, pull=pull, what=what: (
                    tf.reduce_sum(pull * z) + _share(net, z, *what), None
                ),
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
        adjoints: list[Moments],
    ) -> list[list[tf.Tensor]]:
        found = []
        for net, z, *what in zip(self._networks(), latent, centres, adjoints, strict=True):
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(net.estimator)
                share = _share(net, z, *what)
            found.append(tape.gradient(share, net.estimator))
        return found

    def _mapping_part(
        self, x: tf.Tensor, n: tf.Tensor
    ) -> list[tuple[tf.Tensor, list[tf.Tensor]]]:
        found = [mapping_losses(net, x, tf.cast(n, x.dtype)) for net in self._networks()]
        return [(each.terms.loss, each.gradients) for each in found]

    # --- over chunks and workers -----------------------------------------------------------

    def _with(self, number: int, others: list[list[Any]]) -> list[Iterable[Any]]:
        """The chunks of a batch, each with what belongs to it, by replica of this process."""
        return [zip(*pair, strict=True) for pair in zip(self._chunks[number], others, strict=True)]

    def _over_chunks(
        self, chunks: Sequence[Iterable[Any]], function: Any, *common: Any
    ) -> list[list[Any]]:
        """Results for every chunk, by replica of this process."""
        results: list[list[Any]] = [[] for _ in chunks]
        for found in self._each(chunks, function, *common):
            for of_replica, result in zip(results, found, strict=True):
                of_replica.append(result)
        return results

    def _added(self, chunks: Sequence[Iterable[Any]], function: Any, *common: Any) -> Any:
        """Sum of the results over all chunks, everywhere."""
        sums: list[Any] = []
        for found in self._each(chunks, function, *common):
            sums = [
                tf.nest.map_structure(tf.add, a, b) for a, b in zip(sums, found, strict=True)
            ] if sums else list(found)  # fmt: skip
        return self._workers.total([[each] for each in sums])

    def _each(
        self, chunks: Sequence[Iterable[Any]], function: Any, *common: Any
    ) -> Iterator[list[Any]]:
        for inputs in zip(*chunks, strict=True):
            yield self._workers.run(function, inputs, *common)


def _count(n: int) -> tf.Tensor:
    return tf.constant(n, tf.float64)  # cast where it is used, exact below 2⁵³


def _share(
    network: Network, z: tf.Tensor, centre: tf.Tensor, adjoints: Moments
) -> tf.Tensor:
    """What these pixels give to the density's loss through its mixture, up to a constant."""
    moments = mixture_moments(z, network.assignments(z), centre)
    return tf.cast(_product(adjoints, moments), z.dtype)


def _product(these: Sequence[tf.Tensor], those: Sequence[tf.Tensor]) -> tf.Tensor:
    """Sum of the products of all entries."""
    return tf.add_n([tf.reduce_sum(a * b) for a, b in zip(these, those, strict=True)])


def _columns(by_replica: list[list[Any]], width: int) -> tuple[list[list[Any]], ...]:
    """Of results that are tuples for every member: lists of the same shape for each place."""
    return tuple(
        [[[member[i] for member in chunk] for chunk in replica] for replica in by_replica]
        for i in range(width)
    )
