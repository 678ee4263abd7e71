"""The layers of one run: x̂0, mean, uncertainty, error and change, in that order, on the result's grid."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image
from napari.utils import Colormap

from napari_vol2vol.grid import regridded
from napari_vol2vol.metrics.fidelity import PERCENTILE
from napari_vol2vol.ui.window_link import WindowLink

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_vol2vol.engine.events import Snapshot
    from napari_vol2vol.volume import Volume

#: Key in the run's `Done.volumes` -> word in the layer's name; the order is that of the layer list.
KINDS = {"x0": "x̂0", "mean": "mean", "uncertainty": "uncertainty", "error": "error", "change": "change",
         "fixed prior": "fixed prior"}  # fmt: skip
#: Signed error: blue below, orange above, black where it is zero so that it can be laid over the image.
ERROR_COLOURS = Colormap([[0.35, 0.75, 1.0], [0, 0, 0], [1.0, 0.6, 0.1]], name="error")
#: The error's fixed limits, as a part of the shared window.
ERROR_SHARE = 0.2
#: Fixed limits of what a run added to a CT, in HU.
CHANGE_HU = 200.0
#: Inner arrays that are zero where they do nothing.
SIGNED = ("w", "R")
RESULT_KEY = "vol2vol_result"


def on_grid_of(source: Volume, data: np.ndarray, name: str) -> Volume:
    """Return a volume of ``data`` that fills the field of view of ``source``, on a finer or the same grid.

    Used while a run streams arrays; what ends a run brings its own affine.
    """
    ratio = [s / n for s, n in zip(source.shape, data.shape, strict=True)]
    return source.with_data(data, affine=regridded(source.affine, ratio), name=name)


class ResultLayers:
    """Makes and updates the layers of one run (main thread only). Nothing that exists is overwritten."""

    def __init__(self, viewer: ViewerModel, source: Volume, system: str, shared: list[Image]) -> None:
        self._viewer = viewer
        self._source = source
        self._system = system
        self._suffix = self._free_suffix()
        #: A run of one sample has no mean worth a layer of its own.
        self.with_mean = True
        self._layers: dict[str, Image] = {}
        self._newest: dict[str, np.ndarray] = {}
        self._taps: dict[str, Image] = {}
        self._window = WindowLink()
        for layer in shared:
            self._window.add(layer)
        self._limits = tuple(float(v) for v in shared[0].contrast_limits) if shared else None

    @property
    def layers(self) -> list[Image]:
        """Return the layers that are still in the viewer."""
        mine = (*self._layers.values(), *self._taps.values())
        return [layer for layer in mine if layer in self._viewer.layers]

    def name_of(self, kind: str) -> str:
        """Return the name of a layer, e.g. ``"T1 low · mean · score-fusion #2"``."""
        return f"{self._source.name} · {KINDS[kind]} · {self._system}{self._suffix}"

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Show the newest arrays; hidden layers get theirs when they are shown."""
        arrays = {
            "x0": snapshot.x0_hat, "mean": snapshot.mean,
            "uncertainty": snapshot.uncertainty, "error": snapshot.error,
            "fixed prior": snapshot.taps.get("fixed prior"),
        }  # fmt: skip
        for kind, array in arrays.items():
            if array is not None and array is not self._newest.get(kind) and self._wanted(kind):
                self._newest[kind] = array
                self._update(kind, array)

    def show_taps(self, taps: Mapping[str, np.ndarray]) -> None:
        """Show inner arrays of the newest step, on the grid of the result; they are in the model's units."""
        for name, array in taps.items():
            layer = self._taps.get(name)
            if layer is None:
                title = f"{self._source.name} · {name} · {self._system}{self._suffix}"
                _, keywords, _ = on_grid_of(self._source, array, title).to_layer()
                keywords["metadata"] = {RESULT_KEY: f"tap {name}"}
                active = self._viewer.layers.selection.active
                self._taps[name] = self._viewer.add_image(array, **{**keywords, **tap_look(name, array)})
                self._viewer.layers.selection.active = active
            elif layer in self._viewer.layers and layer.visible:
                self._set_data(layer, array)

    def show_volumes(self, volumes: Mapping[str, Volume]) -> None:
        """Show what the run ended with: exact grid, metadata and all (`Done.volumes`)."""
        for kind in KINDS:
            if kind not in volumes or not self._wanted(kind):
                continue
            data, keywords, _ = volumes[kind].to_layer()
            self._newest[kind] = data
            layer = self._layers.get(kind)
            if layer is None:
                layer = self._add(kind, data, keywords)
            if layer in self._viewer.layers:
                self._set_data(layer, data)
                layer.scale, layer.translate = keywords["scale"], keywords["translate"]
                layer.metadata.update(keywords["metadata"])
                if kind == "uncertainty":
                    layer.contrast_limits = uncertainty_limits(data)

    def remove(self) -> None:
        """Take the layers of this run out of the viewer."""
        layers = self.layers
        with self._viewer.layers.batched_update():
            for layer in layers:
                self._viewer.layers.remove(layer)

    # ------------------------------------------------------------------ one layer

    def _wanted(self, kind: str) -> bool:
        return kind != "mean" or self.with_mean

    def _update(self, kind: str, array: np.ndarray) -> None:
        layer = self._layers.get(kind)
        if layer is None:
            _, keywords, _ = on_grid_of(self._source, array, self.name_of(kind)).to_layer()
            self._add(kind, array, keywords)
        elif layer.visible and layer in self._viewer.layers:
            self._set_data(layer, array)

    @staticmethod
    def _set_data(layer: Image, array: np.ndarray) -> None:
        if layer.data is not array:
            layer.data = array

    def _add(self, kind: str, array: np.ndarray, keywords: dict[str, Any]) -> Image:
        keywords = {**keywords, **self._look(kind, array), "name": self.name_of(kind)}
        keywords["metadata"] = {**keywords["metadata"], RESULT_KEY: kind}
        active = self._viewer.layers.selection.active
        layer = self._viewer.add_image(array, **keywords)
        self._viewer.layers.selection.active = layer if kind == "x0" else active
        self._layers[kind] = layer
        self._put_in_order(kind, layer)
        if kind in ("x0", "mean", "fixed prior"):
            self._window.add(layer)
        layer.events.visible.connect(self._on_visible)
        return layer

    def _look(self, kind: str, array: np.ndarray) -> dict[str, Any]:
        if kind == "uncertainty":
            return {"colormap": "magma", "contrast_limits": uncertainty_limits(array), "visible": False}
        if kind == "change":
            limits = (-CHANGE_HU, CHANGE_HU)
            return {"colormap": ERROR_COLOURS, "contrast_limits": limits, "visible": False}
        low, high = self._limits or image_limits(array)
        if kind == "error":
            limit = ERROR_SHARE * (high - low)
            return {"colormap": ERROR_COLOURS, "contrast_limits": (-limit, limit), "visible": False}
        return {"colormap": "gray", "contrast_limits": (low, high), "visible": kind == "x0"}

    def _put_in_order(self, kind: str, layer: Image) -> None:
        """Move a new layer below those of the run that come after it."""
        rank = list(KINDS)
        later = [self._viewer.layers.index(other) for k, other in self._layers.items()
                 if rank.index(k) > rank.index(kind) and other in self._viewer.layers]  # fmt: skip
        if later:
            self._viewer.layers.move(self._viewer.layers.index(layer), min(later))

    def _on_visible(self, event: Any) -> None:
        for kind, layer in self._layers.items():
            if layer is event.source and layer.visible:
                self._set_data(layer, self._newest[kind])

    def _free_suffix(self) -> str:
        taken = {layer.name for layer in self._viewer.layers}
        number = 1
        while True:
            suffix = f" #{number}" if number > 1 else ""
            if not any(
                f"{self._source.name} · {w} · {self._system}{suffix}" in taken for w in KINDS.values()
            ):
                return suffix
            number += 1


def tap_look(name: str, array: np.ndarray) -> dict[str, Any]:
    """Return colours and limits of an inner array: symmetric about zero where zero means nothing."""
    few = array[::4, ::4, ::4]
    if name in SIGNED or name.startswith("velocity"):
        limit = float(np.percentile(np.abs(few), PERCENTILE)) or 1.0
        return {"colormap": ERROR_COLOURS, "contrast_limits": (-limit, limit)}
    low, high = (float(v) for v in np.percentile(few, (100 - PERCENTILE, PERCENTILE)))
    return {"colormap": "gray", "contrast_limits": (low, high) if high > low else (low, low + 1.0)}


def image_limits(array: np.ndarray) -> tuple[float, float]:
    """Return a window for an image that shares none: minimum to 99.8th percentile of every fourth voxel."""
    few = array[::4, ::4, ::4]
    low, high = float(few.min()), float(np.percentile(few, 99.8))
    return (low, high) if high > low else (low, low + 1.0)


def uncertainty_limits(array: np.ndarray) -> tuple[float, float]:
    """Return (0, 99.5th percentile) of every fourth voxel."""
    high = float(np.percentile(array[::4, ::4, ::4], PERCENTILE))
    return 0.0, high if high > 0 else 1.0
