import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from napari_vol2vol.engine import allocation
from napari_vol2vol.engine.allocation import reused_memory


class FakeLibrary:
    def __init__(self):
        self.options, self.trims = {}, 0

    def mallopt(self, option, value):
        self.options[option] = value

    def malloc_trim(self, padding):
        self.trims += 1


@pytest.fixture
def library(monkeypatch):
    fake = FakeLibrary()
    monkeypatch.setattr(allocation, "_glibc", lambda: fake)
    return fake


def test_memory_is_reused_until_the_last_of_overlapping_runs_ends(library):
    with reused_memory():
        with reused_memory():
            pass
        assert library.options == allocation._REUSED
        assert library.trims == 1  # before the first: its large blocks fit in no piece that was freed earlier
    assert {k: library.options[k] for k in allocation._USUAL} == allocation._USUAL
    assert library.trims == 2


def test_an_error_inside_leaves_the_usual_settings(library):
    with pytest.raises(KeyError), reused_memory():
        raise KeyError
    assert {k: library.options[k] for k in allocation._USUAL} == allocation._USUAL


def test_where_there_is_no_glibc_nothing_happens(monkeypatch):
    monkeypatch.setattr(allocation, "_glibc", lambda: None)
    with reused_memory():
        pass


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_what_a_run_allocated_goes_back_to_the_system():
    def resident_mib():
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20

    def work():
        for _ in range(3):
            np.ones(64 * 2**20, np.uint8)

    before = resident_mib()
    with reused_memory():
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert resident_mib() < before + 40
