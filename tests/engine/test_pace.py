import pytest

from napari_vol2vol.engine import pace as module
from napari_vol2vol.engine.pace import Pace


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def test_ticks_fill_a_step_as_the_last_one_was_filled(clock):
    pace = Pace(4)
    for _ in range(5):
        pace.tick()
    assert pace.fraction() == (0.0, None)
    clock[0] += 2.0
    pace.step_done()
    assert pace.fraction() == (0.25, pytest.approx(6.0))
    for _ in range(2):
        pace.tick()
    assert pace.fraction()[0] == pytest.approx(0.25 * 1.4)


def test_a_sample_that_starts_again_loses_its_steps():
    pace = Pace(6)
    for _ in range(3):
        pace.step_done()
    pace.start_sample_again(1)
    assert pace.done == 2
    for _ in range(9):
        pace.step_done()
    assert pace.fraction()[0] == 1.0
