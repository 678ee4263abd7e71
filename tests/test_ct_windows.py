import pytest

from napari_vol2vol.ct_windows import CT_WINDOWS

EXPECTED = {
    "abdomen": (400, 40, -160, 240),
    "lung": (1500, -600, -1350, 150),
    "mediastinum": (350, 50, -125, 225),
    "liver": (150, 30, -45, 105),
    "bone": (1800, 400, -500, 1300),
    "brain": (80, 40, 0, 80),
    "angio": (600, 300, 0, 600),
    "subdural": (200, 75, -25, 175),
    "stroke": (40, 40, 20, 60),
}


def test_there_are_exactly_these_windows():
    assert list(CT_WINDOWS) == list(EXPECTED)


@pytest.mark.parametrize("name", list(EXPECTED))
def test_width_level_and_limits(name):
    width, level, black, white = EXPECTED[name]
    assert CT_WINDOWS[name] == (width, level)
    assert CT_WINDOWS[name].limits == (black, white)
