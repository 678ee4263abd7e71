from __future__ import annotations

import pytest

from napari_vol2vol.ui.run_state import POSSIBLE, RunState, clock, estimate_text, progress_text


def test_every_state_allows_something():
    assert set(POSSIBLE) == set(RunState)
    assert all(POSSIBLE.values())


@pytest.mark.parametrize(
    ("seconds", "text"), [(41, "00:41"), (125.4, "02:05"), (3725, "1:02:05"), (-1, "00:00")]
)
def test_clock(seconds, text):
    assert clock(seconds) == text


def test_progress_text():
    assert progress_text(12, 20, 2, 5, 41) == "step 12/20 · sample 2/5 · 00:41 left"
    assert progress_text(1, 20, 1, 5, None) == "step 1/20 · sample 1/5"


def test_estimate_text():
    assert estimate_text(1_200_000_000, 62, "cpu") == "needs 1.2 GB · ~1 min · cpu"
    assert estimate_text(80_000_000, 7.2, "cuda:0") == "needs 80 MB · ~7 s · cuda:0"
    assert "first run" in estimate_text(1, None, "cpu")
