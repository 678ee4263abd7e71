import numpy as np
import pytest
import torch

from napari_vol2vol.evaluation import peak_memory
from napari_vol2vol.evaluation.peak_memory import peak_gib, reset_peak

CPU = torch.device("cpu")


@pytest.mark.skipif(not peak_memory.CLEAR_REFS.exists(), reason="only Linux can reset the peak")
def test_the_peak_is_that_since_the_reset():
    before = np.ones(2**27, np.uint8)
    assert peak_gib(CPU) > 0.125
    del before
    if not reset_peak(CPU):
        pytest.skip("this Linux forbids resetting the peak")
    low = peak_gib(CPU)
    after = np.ones(2**26, np.uint8)
    assert peak_gib(CPU) - low == pytest.approx(0.0625, abs=0.02)
    del after


def test_a_system_that_cannot_reset_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(peak_memory, "CLEAR_REFS", tmp_path / "no" / "such")
    assert not reset_peak(CPU)
    assert peak_gib(CPU) > 0
