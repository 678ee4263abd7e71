import numpy as np
import pytest

from napari_vol2vol.anatomical_planes import AXIAL, CORONAL, SAGITTAL
from napari_vol2vol.ui.reading.view_state import ViewState, dragged
from ui.reading.driver import texture


def corner(state, plane):
    """Row and column, as shares, of the brightest pixel."""
    grey = state.slice_bytes(0, plane)
    row, column = np.unravel_index(grey.argmax(), grey.shape)
    return row / grey.shape[0], column / grey.shape[1]


@pytest.mark.parametrize(
    ("plane", "convention", "top", "left"),
    [
        (AXIAL, "radiological", True, True),
        (AXIAL, "neurological", True, False),
        (CORONAL, "radiological", True, True),
        (CORONAL, "neurological", True, False),
        (SAGITTAL, "radiological", True, True),
        (SAGITTAL, "neurological", True, True),
    ],
)
def test_superior_anterior_right_lies_where_the_convention_says(plane, convention, top, left):
    volume = texture(0)
    data = np.zeros(volume.shape, np.float32)
    data[12, 13, 15] = 1000
    state = ViewState([volume.with_data(data)], (0, 1000), convention)
    grid = state.grids[0]
    state.move_to({axis: grid.mm(axis, index) for axis, index in enumerate((12, 13, 15))})
    row, column = corner(state, plane)
    assert (row < 0.5, column < 0.5) == (top, left)


def test_grey_values_are_linear_in_the_window_and_end_at_black_and_white():
    volume = texture(0)
    data = np.arange(volume.data.size, dtype=np.float32).reshape(volume.shape)
    state = ViewState([volume.with_data(data)], (1000.0, 3000.0))
    grey = state.slice_bytes(0, AXIAL)[::-1, ::-1]
    values = data[state.index(0, AXIAL)]
    expected = np.clip((values - 1000) / 2000, 0, 1) * 255
    np.testing.assert_allclose(grey, expected, atol=1)


def test_scrolling_stops_at_the_ends():
    state = ViewState([texture(0)], (0, 1))
    state.scroll(AXIAL, 10**6)
    assert state.index(0, AXIAL) == 13
    state.scroll(AXIAL, -(10**6))
    assert state.index(0, AXIAL) == 0


def test_volumes_of_other_spacing_show_the_same_place():
    fine, coarse = texture(0), texture(1, (7, 8, 9), (4.0, 3.0, 2.0))
    state = ViewState([fine, coarse], (0, 1))
    state.scroll(AXIAL, 4)
    positions = [grid.mm(0, state.index(p, AXIAL)) for p, grid in enumerate(state.grids)]
    assert positions[0] == pytest.approx(positions[1], abs=2.0)


def test_a_drag_widens_to_the_right_and_never_closes_the_window():
    assert dragged((0, 300), 300, 0) == (-150, 450)
    low, high = dragged((0, 300), -10_000, 0)
    assert high - low == pytest.approx(0.3)
    assert dragged((0, 300), 0, -30)[0] == 30
    assert dragged((0, 300), 0, -30, "brighter")[0] == -30
