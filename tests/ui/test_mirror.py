from __future__ import annotations

import numpy as np
from napari.components import ViewerModel

from napari_vol2vol.ui.mirror import LayerMirror


def mirrored():
    main, side = ViewerModel(), ViewerModel()
    return main, side, LayerMirror(main, side)


def volume(value: float = 0.0) -> np.ndarray:
    return np.full((4, 5, 6), value, np.float32)


def test_layers_are_added_removed_renamed_and_reordered():
    main, side, _ = mirrored()
    for name in "abc":
        main.add_image(volume(), name=name, contrast_limits=(0, 1))
    main.layers["b"].name = "bee"
    main.layers.move(0, 3)
    assert [layer.name for layer in side.layers] == ["bee", "c", "a"]
    main.layers.remove("c")
    assert [layer.name for layer in side.layers] == ["bee", "a"]


def test_the_array_is_shared_and_new_data_arrives():
    main, side, _ = mirrored()
    layer = main.add_image(volume(), contrast_limits=(0, 1))
    assert side.layers[0].data is layer.data
    layer.data = volume(3)
    assert side.layers[0].data is layer.data


def test_the_look_is_followed():
    main, side, _ = mirrored()
    layer = main.add_image(volume(), contrast_limits=(0, 1))
    layer.contrast_limits, layer.colormap, layer.gamma = (-5, 7), "magma", 0.5
    layer.opacity, layer.visible, layer.blending, layer.translate = 0.3, False, "additive", (1, 2, 3)
    copy = side.layers[0]
    assert list(copy.contrast_limits) == [-5, 7]
    assert (copy.colormap.name, copy.gamma, copy.opacity, copy.visible) == ("magma", 0.5, 0.3, False)
    assert copy.blending == "additive"
    np.testing.assert_allclose(copy.translate, (1, 2, 3))


def test_labels_and_points_come_along_but_flat_images_do_not():
    main, side, _ = mirrored()
    main.add_labels(np.zeros((4, 5, 6), np.int32), name="labels")
    main.add_points(np.zeros((1, 3)), name="points")
    main.add_image(np.zeros((5, 6)), name="flat", contrast_limits=(0, 1))
    assert [layer.name for layer in side.layers] == ["labels", "points"]


def test_painting_reaches_the_mirror():
    main, side, _ = mirrored()
    labels = main.add_labels(np.zeros((4, 5, 6), np.int32))
    heard = []
    side.layers[0].events.set_data.connect(lambda event: heard.append(event))
    labels.paint((0, 2, 2), 3)
    assert side.layers[0].data[0, 2, 2] == 3
    assert heard


def test_batches_are_followed():
    """napari collects garbage once a batch and once a layer outside of one, in every canvas."""
    main, side, mirror = mirrored()
    for _ in range(3):
        main.add_image(volume(), contrast_limits=(0, 1))
    heard = []
    side.layers.events.begin_batch.connect(lambda event: heard.append("begin"))
    side.layers.events.removed.connect(lambda event: heard.append("removed"))
    side.layers.events.end_batch.connect(lambda event: heard.append("end"))
    main.layers.clear()
    assert heard == ["begin", "removed", "removed", "removed", "end"]
    mirror.close()


def test_closing_disconnects_everything():
    main, side, mirror = mirrored()
    layer = main.add_image(volume(), contrast_limits=(0, 1))
    before = len(layer.events.data.callbacks)
    mirror.close()
    mirror.close()
    assert len(layer.events.data.callbacks) == before - 1
    main.add_image(volume(), contrast_limits=(0, 1))
    assert len(side.layers) == 0
