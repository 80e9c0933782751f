"""Errors that lren_tf raises on purpose.

::

    ValueError
      └── InputError            input or settings that cannot be used
            └── DatasetUnavailable   a benchmark scene that is not here (lren_tf.datasets)
    RuntimeError
      ├── TrainingDiverged      a loss or gradient that is not finite
      ├── WorkerLost            another process that has ended
      └── TasksFailed           some of many independent tasks, the others are done
"""

from __future__ import annotations


class InputError(ValueError):
    """Input that cannot be used.

    The message is one sentence: the value received, the value expected, and the remedy.
    The command line prints it and exits with status 2.
    """


class TrainingDiverged(RuntimeError):
    """A loss or gradient became non-finite.

    The message names the epoch, the mixture component and the remedy; the model
    keeps the weights of the last finite step.
    """


class WorkerLost(RuntimeError):
    """Another process of a distributed training has ended, or does not answer.

    The message names that process if it is known. The state of this process is lost too, except
    for checkpoints.
    """


class TasksFailed(RuntimeError):
    """Some of many tasks that do not depend on one another have failed.

    The message names them with their reasons; the results of the others are there.
    """
