from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_vol2vol.ui.window_level import dragged_limits, window_text, windowed_layer


def test_right_widens_and_up_raises_the_level():
    low, high = dragged_limits((0, 100), right_px=150, down_px=0)
    assert high - low == pytest.approx(150)
    assert low + high == pytest.approx(100)
    low, high = dragged_limits((0, 100), right_px=0, down_px=-30)
    assert (low, high) == pytest.approx((10, 110))


def test_the_sign_of_the_level_is_a_setting():
    up = {what: sum(dragged_limits((0.0, 100.0), 0, -50, what)) / 2 for what in ("darker", "brighter")}
    assert up["darker"] > 50 > up["brighter"]
    assert up["darker"] + up["brighter"] == pytest.approx(100)


def test_the_window_never_closes():
    low, high = dragged_limits((0, 100), right_px=-5000, down_px=0)
    assert high > low


def test_the_active_layer_is_windowed_before_the_topmost_one():
    viewer = ViewerModel()
    first, second = (viewer.add_image(np.zeros((4, 4, 4)), contrast_limits=(0, 1)) for _ in range(2))
    viewer.layers.selection.active = first
    assert windowed_layer(viewer) is first
    first.visible = False
    assert windowed_layer(viewer) is second
    second.visible = False
    assert windowed_layer(viewer) is None


def test_window_text_has_the_decimals_that_the_width_deserves():
    assert window_text((0, 80)) == "W 80  L 40"
    assert window_text((0, 0.5)) == "W 0.500  L 0.250"
