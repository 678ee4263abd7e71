import subprocess
import sys

import pytest
import torch

from napari_vol2vol.evaluation import peak_memory
from napari_vol2vol.evaluation.peak_memory import peak_gib, reset_peak

CPU = torch.device("cpu")
#: Prints whether the peak could be reset, and by how many GiB 64 MiB raise it, after a higher peak before.
AFTER_A_HIGHER_PEAK = """
import numpy as np, torch
from napari_vol2vol.evaluation.peak_memory import peak_gib, reset_peak

cpu = torch.device("cpu")
before = np.ones(2**28, np.uint8)
del before
was_reset, low = reset_peak(cpu), peak_gib(cpu)
after = np.ones(2**26, np.uint8)
print(int(was_reset), peak_gib(cpu) - low)
"""


@pytest.mark.skipif(not peak_memory.CLEAR_REFS.exists(), reason="only Linux can reset the peak")
def test_the_peak_is_that_since_the_reset():
    # in a process of its own: what other tests left behind may be freed at any time
    run = subprocess.run(
        [sys.executable, "-c", AFTER_A_HIGHER_PEAK], capture_output=True, text=True, check=True
    )
    was_reset, rise = run.stdout.split()
    if not int(was_reset):
        pytest.skip("this Linux forbids resetting the peak")
    assert float(rise) == pytest.approx(0.0625, abs=0.02)


def test_a_system_that_cannot_reset_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(peak_memory, "CLEAR_REFS", tmp_path / "no" / "such")
    assert not reset_peak(CPU)
    assert peak_gib(CPU) > 0
