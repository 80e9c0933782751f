"""Bars on a terminal for whoever asks, and nothing anywhere else."""

from __future__ import annotations

import io
import sys

import pytest

from lren_tf.runtime.progress import bar, shown, tracked


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def opened(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal as stderr; not a fixture, since pytest sets stderr after those."""
    monkeypatch.setattr(sys, "stderr", Terminal())
    return sys.stderr  # type: ignore[return-value]


def test_steps_come_through_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    opened(monkeypatch)
    assert list(tracked(range(5), "work")) == [0, 1, 2, 3, 4]
    with shown():
        assert list(tracked(iter("abc"), "work", 3)) == ["a", "b", "c"]


def test_a_bar_is_shown_on_a_terminal_to_who_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = opened(monkeypatch)
    with shown():
        list(tracked(range(5), "work", unit="strip"))
    assert "work" in terminal.getvalue() and "/5" in terminal.getvalue()
    before = terminal.getvalue()
    list(tracked(range(5), "unasked"))
    assert terminal.getvalue() == before


def test_nothing_is_written_into_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with shown(), bar("work", 3) as counter:
        counter.update()
    assert sys.stderr.getvalue() == ""


def test_what_was_shown_before_an_error_is_no_longer_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = opened(monkeypatch)
    with pytest.raises(ZeroDivisionError), shown():
        raise ZeroDivisionError
    list(tracked(range(2), "after"))
    assert "after" not in terminal.getvalue()
