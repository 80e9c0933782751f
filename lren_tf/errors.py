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

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Argument:
    """An argument that a message names: `key=` in Python, `--key` on the command line.

    Attributes:
        name: as Python calls it.
        value: what to pass, such as `band,row,column`; empty for whatever the caller chooses.
    """

    name: str
    value: str = ""

    def in_python(self) -> str:
        """`key=`, `axes=band,row,column`."""
        return f"{self.name}={self.value}"

    def as_option(self) -> str:
        """`--key`, `--axes band,row,column`."""
        option = "--" + self.name.replace("_", "-")
        return option if self.value in ("", "True") else f"{option} {self.value}"


Text = str | Sequence[str | Argument]
"""Part of a message: words, or words and the arguments that stand among them."""


class InputError(ValueError):
    """Input that cannot be used.

    Its text is one sentence: `received; expected expected, remedy.` The command line prints it,
    with options where Python has arguments, and exits with status 2.

    Args:
        message: the whole sentence, instead of its parts.
        argument: the argument that is wrong, or that helps.
        received: what was received, with the name of its file or argument.
        expected: what is accepted.
        remedy: what to do, as an imperative without a full stop.
    """

    def __init__(
        self,
        message: str = "",
        *,
        argument: str | None = None,
        received: Text = "",
        expected: Text = "",
        remedy: Text = "",
    ) -> None:
        self.argument = argument
        self.received = received
        self.expected = expected
        self.remedy = remedy
        self._message = message
        super().__init__(str(self))

    def __str__(self) -> str:
        return self._sentence(Argument.in_python)

    def for_command_line(self) -> str:
        """Return the sentence with `--key` where Python says `key=`."""
        return self._sentence(Argument.as_option)

    def rename(self, **names: str) -> None:
        """Replace names of arguments by those that the caller uses.

        Args:
            **names: name of an argument -> what the caller calls it.
        """
        self.argument = names.get(self.argument or "", self.argument)
        for part in ("received", "expected", "remedy"):
            text = getattr(self, part)
            if not isinstance(text, str):
                renamed = [
                    piece if isinstance(piece, str)
                    else replace(piece, name=names.get(piece.name, piece.name))
                    for piece in text
                ]  # fmt: skip
                setattr(self, part, renamed)

    def add_remedy(self, other: str) -> None:
        """Name another remedy after the first."""
        first = [self.remedy] if isinstance(self.remedy, str) else self.remedy
        self.remedy = (*first, f", or {other}")

    def _sentence(self, named: Callable[[Argument], str]) -> str:
        if self._message:
            return self._message
        received, expected, remedy = (
            text if isinstance(text, str)
            else "".join(piece if isinstance(piece, str) else named(piece) for piece in text)
            for text in (self.received, self.expected, self.remedy)
        )  # fmt: skip
        wanted = ", ".join([f"expected {expected}"] * bool(expected) + [remedy] * bool(remedy))
        return "; ".join(part for part in (received, wanted) if part) + "."


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
