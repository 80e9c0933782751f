"""Peak of a process's own memory, and what a time was measured on."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lren_tf.runtime import peak_memory
from lren_tf.runtime.machine import machine_record
from lren_tf.runtime.peak_memory import PeakMemory


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux alone says RssAnon")
def test_an_array_that_is_still_there_at_the_end_counts():
    with PeakMemory() as peak:
        held = np.ones(8 << 20)
    assert held.nbytes <= peak.bytes + (1 << 20)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux alone says RssAnon")
def test_another_process_and_one_that_has_ended():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert peak_memory.anonymous_bytes(process.pid) > 0
        process.communicate(b"\n")
    assert peak_memory.anonymous_bytes(process.pid) is None


def test_a_system_that_does_not_say_it(monkeypatch, tmp_path):
    monkeypatch.setattr(peak_memory, "_STATUS", tmp_path / "none")
    with PeakMemory() as peak:
        pass
    assert peak.bytes is None
    (tmp_path / "none").write_text("VmRSS: 12 kB\n")
    assert peak_memory.anonymous_bytes() is None


def test_the_machine(monkeypatch):
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "3")
    found = machine_record()
    assert found["threads"] == 3
    assert found["cores"] == os.cpu_count()
    assert found["processor"]


FREED = """
import numpy as np
from lren_tf.runtime.peak_memory import PeakMemory, give_back_freed

def rise():
    with PeakMemory() as memory:
        held = [np.ones(1000) for _ in range(6000)]
    return memory.bytes

rise()
again = rise()
give_back_freed()
print(again, rise())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone says RssAnon")
def test_freed_memory_is_no_help_to_what_follows():
    """Small arrays come from memory that the process keeps when they are freed."""
    # In a process of its own: one of many tests has room elsewhere.
    done = subprocess.run([sys.executable, "-c", FREED], capture_output=True, text=True, check=True)
    again, given_back = (int(number) / (6000 * 8000) for number in done.stdout.split())
    assert again < 0.8 < given_back


def test_a_system_without_the_c_library_of_linux(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    peak_memory.give_back_freed()
