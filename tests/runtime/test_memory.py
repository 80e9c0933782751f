"""Free memory of the machine, and what fits into it."""

from __future__ import annotations

import pytest

from lren_tf.runtime import memory


def test_free_memory_is_less_than_what_the_machine_has():
    free = memory.free_memory()
    if free is None:
        pytest.skip("this system does not say how much memory is free")
    assert 2**20 < free < 2**50


def test_the_limit_of_a_container_counts(tmp_path, monkeypatch):
    (tmp_path / "max").write_text("3000000\n")
    (tmp_path / "current").write_text("1000000\n")
    (tmp_path / "none").write_text("max\n")
    files = [(tmp_path / "max", tmp_path / "current"), (tmp_path / "none", tmp_path / "current")]
    monkeypatch.setattr(memory, "_CGROUPS", files)
    assert memory.free_memory() == 2_000_000


def test_half_of_what_is_free_by_itself(monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda: 1000)
    assert memory.fits(500, None)
    assert not memory.fits(501, None)
    assert memory.fits(900, 900)
    assert not memory.fits(901, 900)
    monkeypatch.setattr(memory, "free_memory", lambda: None)
    assert memory.fits(10**18, None)  # where nobody knows, nothing is held back


def test_a_system_that_hides_its_memory(monkeypatch):
    def hidden() -> None:
        raise FileNotFoundError("/proc/meminfo")

    monkeypatch.setattr(memory.psutil, "virtual_memory", hidden)
    monkeypatch.setattr(memory, "_CGROUPS", ())
    assert memory.free_memory() is None
