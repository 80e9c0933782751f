"""A queue of tasks: finished ones skipped, failed ones tried once more, the others unaffected."""

from __future__ import annotations

import time
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from lren_tf.errors import InputError, TrainingDiverged, WorkerLost

TRIES = 2
"""Number of starts of a task before it counts as failed."""

_WITH_A_SENTENCE = (InputError, TrainingDiverged, WorkerLost)
"""Errors whose message says all that there is to say."""


@dataclass(frozen=True)
class Task:
    """A call that another process can make.

    Attributes:
        name: what messages call it.
        call: a function at the top level of a module, which the other process imports.
        arguments: of the call; they can be pickled, and so can what it returns.
        finished: asked in this process before the call is made; what an earlier run has left as
            the result, or None.
    """

    name: str
    call: Callable[..., Any]
    arguments: tuple[Any, ...] = ()
    finished: Callable[[], Any] | None = None


@dataclass(frozen=True)
class Outcome:
    """End of a task, or of one of its tries.

    Attributes:
        task: which.
        value: what the call returned, or what `Task.finished` found; None of a failure.
        failure: a sentence without its full stop; None of a success.
        trace: the traceback of a failure, where there is one.
        tries: how often the call was started; 0 where its result was there.
        seconds: that the last try took.
    """

    task: Task
    value: Any = None
    failure: str | None = None
    trace: str = ""
    tries: int = 0
    seconds: float = 0.0


class Attempt(NamedTuple):
    """Result of one call; attributes without a text are those of `Outcome`."""

    value: Any = None
    failure: str | None = None
    trace: str = ""
    seconds: float = 0.0
    final: bool = False
    """True of a failure that would come again."""


class Ended(NamedTuple):
    """A task that an engine has tried."""

    number: int
    """Task as it was given to `Engine.start`."""
    tries: int
    """Number of times that the call was started so far."""
    attempt: Attempt


class Engine(Protocol):
    """Place where calls are made."""

    def free(self) -> int:
        """Number of tasks that could be started now."""

    def start(self, number: int, task: Task, tries: int) -> None:
        """Start a task, and return at once.

        Args:
            number: names the task, over all its tries.
            task: what to call.
            tries: how often the call may be started in all.
        """

    def ended(self) -> list[Ended]:
        """Wait until a task has ended or `free` may have changed; the tasks that have ended.

        Raises:
            WorkerLost: no task can be started any more.
        """


def run_tasks(
    tasks: Sequence[Task],
    engine: Engine,
    *,
    tries: int = TRIES,
    told: Callable[[Outcome, bool], None] | None = None,
) -> list[Outcome]:
    """Run tasks, as many at a time as the engine has room for.

    A task fails alone: with an exception, or with the process that makes its call. It is tried
    again after all others were started, unless it was refused: the same arguments are refused
    again, but for a file that could not be reached.

    Args:
        tasks: in the order in which they are started.
        engine: where.
        tries: how often a task is started at most.
        told: called after every try and for every task that was finished before, with True
            where the task will be tried again.

    Returns:
        One outcome for each task, in their order.

    Raises:
        WorkerLost: the engine is gone; what has ended has been told.
    """
    outcomes: dict[int, Outcome] = {}
    tell = told or (lambda outcome, again: None)
    waiting: deque[int] = deque()
    for number, task in enumerate(tasks):
        found = None if task.finished is None else task.finished()
        if found is None:
            waiting.append(number)
        else:
            outcomes[number] = Outcome(task, found)
            tell(outcomes[number], False)
    while len(outcomes) < len(tasks):
        for _ in range(min(engine.free(), len(waiting))):
            number = waiting.popleft()
            engine.start(number, tasks[number], tries)
        for ended in engine.ended():
            attempt = ended.attempt
            outcome = Outcome(
                tasks[ended.number], attempt.value, attempt.failure, attempt.trace, ended.tries,
                attempt.seconds,
            )  # fmt: skip
            again = attempt.failure is not None and not attempt.final and ended.tries < tries
            if again:
                waiting.append(ended.number)
            else:
                outcomes[ended.number] = outcome
            tell(outcome, again)
    return [outcomes[number] for number in range(len(tasks))]


def attempted(call: Callable[..., Any], arguments: tuple[Any, ...]) -> Attempt:
    """Make a call; an exception becomes a sentence, so that it can be sent to any process."""
    started = time.perf_counter()
    value, failure, trace, final = None, None, "", False
    try:
        value = call(*arguments)
    except (Exception, SystemExit) as error:
        failure, trace = sentence_of(error), traceback.format_exc()
        final = isinstance(error, InputError) and not _comes_of_a_file(error)
    return Attempt(value, failure, trace, time.perf_counter() - started, final)


def _comes_of_a_file(error: BaseException) -> bool:
    """Return whether the operating system is behind an error, as where a share was away."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError):
            return True
        cause = cause.__cause__
    return False


def sentence_of(error: BaseException) -> str:
    """Text of an exception, in one line without a full stop."""
    text = " ".join(str(error).split()).rstrip(".")
    if isinstance(error, _WITH_A_SENTENCE):
        return text
    return f"unexpected error: {type(error).__name__}{f': {text}' if text else ''}"


class Here:
    """The engine that makes the calls itself, one after the other."""

    def __init__(self) -> None:
        self._next: tuple[int, Task] | None = None
        self._tries: dict[int, int] = {}

    def free(self) -> int:
        """One, if nothing was started."""
        return int(self._next is None)

    def start(self, number: int, task: Task, tries: int) -> None:
        """Note which task `ended` is to run."""
        self._next = number, task

    def ended(self) -> list[Ended]:
        """Run the task that was started."""
        if self._next is None:
            return []
        number, task = self._next
        self._next = None
        self._tries[number] = self._tries.get(number, 0) + 1
        return [Ended(number, self._tries[number], attempted(task.call, task.arguments))]
