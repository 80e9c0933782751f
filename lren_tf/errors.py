"""The two ways a call can be refused."""

from __future__ import annotations


class InputError(ValueError):
    """What the user passed in cannot be used.

    The message is one sentence: what was received, what was expected, what to do.
    The command line prints it and exits with status 2.
    """


class TrainingDiverged(RuntimeError):
    """A loss or gradient became non-finite.

    The message names the epoch, the mixture component and the remedy; the model
    keeps the weights of the last finite step.
    """


class WorkerLost(RuntimeError):
    """Another process of a training on several of them has ended, or does not answer.

    The message names it where it is known. What this process held is lost with it, except
    for checkpoints.
    """
