"""Progress bars on a terminal, for callers that want them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from tqdm import tqdm

Step = TypeVar("Step")

_shown: ContextVar[bool] = ContextVar("progress_shown", default=False)


@contextmanager
def shown() -> Iterator[None]:
    """Show the progress of what the body computes, on stderr if that is a terminal."""
    token = _shown.set(True)
    try:
        yield
    finally:
        _shown.reset(token)


def bar(what: str, total: int | None, unit: str = "step") -> tqdm:
    """A bar whose ``update()`` counts a step; hidden outside `shown`. A context manager.

    Args:
        what: name of the loop, beside the bar.
        total: number of steps; None if unknown.
        unit: of one step.
    """
    # None: no bar unless stderr is a terminal. It goes when the loop ends.
    hidden = None if _shown.get() else True
    return tqdm(
        desc=what, total=total, unit=unit, leave=False, disable=hidden, dynamic_ncols=True
    )


def tracked(
    steps: Iterable[Step], what: str, total: int | None = None, unit: str = "step"
) -> Iterator[Step]:
    """Yield the steps of a loop, counted by a `bar`.

    Args:
        steps: of the loop.
        what, unit: as of `bar`.
        total: number of steps; None for their length, if they have one.
    """
    if total is None and isinstance(steps, Sized):
        total = len(steps)
    with bar(what, total, unit) as counter:
        for step in steps:
            yield step
            counter.update()
