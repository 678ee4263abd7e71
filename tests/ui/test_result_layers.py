from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_vol2vol.engine.events import Snapshot
from napari_vol2vol.ui.result_layers import ResultLayers, on_grid_of
from napari_vol2vol.volume import Volume, scale_affine


@pytest.fixture
def scene():
    viewer = ViewerModel()
    source = Volume.from_array(
        np.random.default_rng(0).random((6, 7, 8)),
        affine=scale_affine((4, 4, 4), (-10, 5, 30)),
        name="T1 low",
    )
    data, keywords, _ = source.to_layer()
    layer = viewer.add_image(data, **keywords, contrast_limits=(0, 2))
    return viewer, source, layer


def snapshot(seed: int = 0, sample: int = 1) -> Snapshot:
    rng = np.random.default_rng(seed)
    a, b, c, d = (rng.random((12, 14, 16), dtype=np.float32) for _ in range(4))
    return Snapshot(sample, 1, a, b if sample > 1 else None, c if sample > 2 else None, d)


def test_layers_are_named_and_ordered(scene):
    viewer, source, layer = scene
    results = ResultLayers(viewer, source, "score-fusion", [layer])
    for sample in (1, 2, 3):
        results.show_snapshot(snapshot(sample, sample))
    words = ["x̂0", "mean", "uncertainty", "error"]
    assert [item.name for item in viewer.layers] == ["T1 low"] + [
        f"T1 low · {w} · score-fusion" for w in words
    ]


def test_the_grid_fills_the_field_of_view_of_the_source(scene):
    _, source, _ = scene
    result = on_grid_of(source, np.zeros((12, 14, 16), np.float32), "x")
    assert result.spacing_mm == (2, 2, 2)
    corner = source.affine @ [-0.5, -0.5, -0.5, 1]
    np.testing.assert_allclose(result.affine @ [-0.5, -0.5, -0.5, 1], corner)


def test_layers_keep_units_axes_and_metadata(scene):
    viewer, source, layer = scene
    results = ResultLayers(viewer, source, "tpdm", [layer])
    results.show_snapshot(snapshot())
    x0 = viewer.layers["T1 low · x̂0 · tpdm"]
    assert [str(unit) for unit in x0.units] == ["millimeter"] * 3
    assert x0.axis_labels == ("z", "y", "x")
    np.testing.assert_allclose(x0.scale, (2, 2, 2))
    np.testing.assert_allclose(x0.translate, (-11, 4, 29))
    assert x0.metadata["vol2vol"]["units"] == "a.u."
    back = Volume.from_layer(x0.data, x0.scale, x0.translate, x0.metadata, x0.name, x0.units)
    np.testing.assert_allclose(back.affine, on_grid_of(source, x0.data, "x").affine)


def test_one_window_for_source_sample_and_mean_but_not_for_maps(scene):
    viewer, source, layer = scene
    results = ResultLayers(viewer, source, "tpdm", [layer])
    results.show_snapshot(snapshot(sample=3))
    x0, mean, std, error = results.layers
    x0.contrast_limits = (0.25, 0.75)
    assert list(layer.contrast_limits) == list(mean.contrast_limits) == [0.25, 0.75]
    assert std.contrast_limits[0] == 0
    assert std.colormap.name == "magma"
    assert error.contrast_limits[0] == -error.contrast_limits[1]


def test_hidden_layers_get_their_array_when_they_are_shown(scene):
    viewer, source, layer = scene
    results = ResultLayers(viewer, source, "tpdm", [layer])
    results.show_snapshot(snapshot(1))
    newest = snapshot(2)
    results.show_snapshot(newest)
    x0, error = results.layers
    assert x0.data is newest.x0_hat
    assert error.data is not newest.error
    error.visible = True
    assert error.data is newest.error


def test_a_new_run_makes_new_layers(scene):
    viewer, source, layer = scene
    for _ in range(2):
        ResultLayers(viewer, source, "tpdm", [layer]).show_snapshot(snapshot())
    assert "T1 low · x̂0 · tpdm" in viewer.layers
    assert "T1 low · x̂0 · tpdm #2" in viewer.layers


def test_layers_removed_by_the_user_do_not_come_back(scene):
    viewer, source, layer = scene
    results = ResultLayers(viewer, source, "tpdm", [layer])
    results.show_snapshot(snapshot(1))
    viewer.layers.remove("T1 low · x̂0 · tpdm")
    results.show_snapshot(snapshot(2))
    results.show_volumes({"x0": on_grid_of(source, snapshot(2).x0_hat, "x0")})
    assert "T1 low · x̂0 · tpdm" not in viewer.layers


def test_the_change_of_a_ct_is_shown_with_fixed_limits_around_zero(scene):
    viewer, source, layer = scene
    results = ResultLayers(viewer, source, "mfm", [layer])
    change = source.with_data(np.full(source.shape, -150.0, np.float32), name="change")
    results.show_volumes({"x0": source, "change": change})
    shown = viewer.layers["T1 low · change · mfm"]
    assert list(shown.contrast_limits) == [-200, 200]
    assert not shown.visible
    assert layer.contrast_limits == [0, 2]
