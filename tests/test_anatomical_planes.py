from __future__ import annotations

import pytest

from napari_vol2vol.anatomical_planes import AXIAL, CORONAL, SAGITTAL, point_text, position_text


@pytest.mark.parametrize("plane", [AXIAL, CORONAL])
def test_radiological_puts_the_patients_right_on_screen_left(plane):
    assert plane.letters("radiological")["left"] == "R"
    assert plane.letters("neurological")["left"] == "L"


@pytest.mark.parametrize("convention", ["radiological", "neurological"])
def test_sagittal_keeps_anterior_on_the_left_and_superior_up(convention):
    letters = SAGITTAL.letters(convention)
    assert (letters["left"], letters["right"]) == ("A", "P")
    assert (letters["top"], letters["bottom"]) == ("S", "I")


def test_axial_has_anterior_up_and_coronal_superior_up():
    assert AXIAL.letters("radiological")["top"] == "A"
    assert CORONAL.letters("radiological")["top"] == "S"


def test_leading_axes_stay_in_front():
    assert SAGITTAL.order(3) == (2, 0, 1)
    assert SAGITTAL.order(4) == (0, 3, 1, 2)


def test_positions_carry_their_anatomical_sign():
    assert position_text(0, 12.0) == "S 12.0"
    assert position_text(2, -34.5) == "L 34.5"
    assert position_text(1, -0.04) == "A 0.0"
    assert point_text((40, -12.5, 3)) == "R 3.0  P 12.5  S 40.0 mm"
